#include "stores/redis/follower.h"

#include <cstdlib>

#include "base/log.h"
#include "base/parked.h"
#include "net/on_loop.h"
#include "stores/redis/entries.h"
#include "stores/redis/store.h"

namespace holdfast::stores::redis {

using state::Record;
using state::WatchEvent;

namespace {

constexpr Milliseconds kLookEvery{1000};  // that a silent connection is found, and a new primary
constexpr Milliseconds kLookAgain{100};   // after an arrangement that failed
constexpr Milliseconds kArrangeTime{2000};
constexpr Milliseconds kNever{3'600'000};
constexpr Milliseconds kValuesAhead{60'000};
constexpr Milliseconds kStopTime{30'000};
// Moments of expiry are by the server's clock, which may be a little ahead of ours.
constexpr std::int64_t kClockSlackMs = 1000;

// Dapr counts from 1 again after a deletion; our versions, which begin with the time, do not come back.
constexpr std::size_t kOwnEtagBytes = 16;

// Servers before version 7 say how long a record has left, which is a little more or less from reading to reading.
constexpr std::int64_t kExpiryGrainUs = 50'000;

bool expire_together(const std::optional<WallTime>& one, const std::optional<WallTime>& other) {
  if (!one || !other) return !one && !other;
  return std::abs(one->us - other->us) <= kExpiryGrainUs;
}

SteadyTime now() { return std::chrono::steady_clock::now(); }

}  // namespace

const Told::State* Told::find(const std::string& key) const {
  for (const Half* half : {&recent_, &older_})
    if (const auto found = half->find(key); found != half->end()) return &found->second;
  return nullptr;
}

void Told::put(const std::string& key, State state) {
  if (recent_.size() >= kHalf && !recent_.contains(key)) older_ = std::exchange(recent_, {});
  recent_.insert_or_assign(key, std::move(state));
}

void Told::erase(const std::string& key) {
  recent_.erase(key);
  older_.erase(key);
}

Follower::Follower(RedisCore& core, const RedisSettings& settings, Router::Tls tls)
    : core_(core),
      settings_(settings),
      tls_(std::move(tls)),
      feed_({}),
      loop_(thread_.loop()),
      arranging_(loop_),
      reading_(loop_) {}

Follower::~Follower() {
  net::on_loop<bool>(loop_, kStopTime, [this]() -> Task<bool> {
    co_await stop();
    co_return true;
  });
  thread_.stop();
}

Task<Status> Follower::cover(std::string prefix, bool want_values, Scheduler& origin) {
  co_await resume_on(loop_);
  Status covered = co_await cover_here(prefix, want_values);
  co_await resume_on(origin);
  co_return covered;
}

Task<Status> Follower::cover_here(std::string_view prefix, bool want_values) {
  if (want_values) values_until_ = now() + kValuesAhead;
  if (cover_.add(prefix)) ++asked_;
  if (made_ == asked_) co_return Status();
  if (!std::exchange(started_, true)) {
    run(keep_arranged());
    run(read_changes());
  }
  Waiter waiter{asked_, {}};
  waiters_.push_back(&waiter);
  arranging_.ring();
  co_return co_await waiter.made;
}

template <class Work>
void Follower::run(Work work) {
  ++running_;
  start(std::move(work), [this] {
    if (--running_ == 0 && ended_) std::exchange(ended_, nullptr).resume();
  });
}

Task<void> Follower::keep_arranged() {
  while (!stopping_) {
    const std::uint64_t asked = asked_;
    const Status made = co_await arrange();
    if (made) made_ = asked;
    answer(asked, made);
    // Where nothing has ever been in place nobody watches.
    co_await arranging_.wait(made ? kLookEvery : made_ > 0 ? kLookAgain : kNever);
  }
}

void Follower::answer(std::uint64_t asked, const Status& made) {
  std::vector<Waiter*> answered;
  std::erase_if(waiters_, [&](Waiter* one) {
    if (one->asked <= asked) answered.push_back(one);
    return one->asked <= asked;
  });
  for (Waiter* const one : answered) one->made.set(made ? Status() : fail(made.error()));
}

Task<Status> Follower::arrange() {
  if (store_ == nullptr) {
    auto opened = co_await core_.connect(loop_, now() + kArrangeTime);
    if (!opened) co_return fail(std::move(opened.error()));
    store_ = std::move(*opened);
    tracker_ = std::make_unique<Tracker>(loop_, store_->router(), settings_, tls_,
                                         Tracker::Heard{.changed = [this](std::string_view key) { note(key); },
                                                        .lost = [this] { lose(); },
                                                        .disturbed = [this] { arranging_.ring(); }});
  }
  co_return co_await tracker_->arrange(cover_, now() + kArrangeTime);
}

void Follower::lose() {
  log::info("holdfast.redis", "component \"{}\": changes may have been missed; who watches is told by a resync",
            settings_.component);
  feed_.publish_loss();
}

void Follower::note(std::string_view key) {
  if (!feed_.wants(key) || is_entry_key(key) || waiting_.contains(key)) return;
  if (changed_.size() >= kChangesMax) {
    waiting_.clear();
    changed_.clear();
    return lose();
  }
  waiting_.insert(changed_.emplace_back(key));
  reading_.ring();
}

bool Follower::wants_values() const { return feed_.wants_values() || now() < values_until_; }

Task<void> Follower::read_changes() {
  while (!stopping_) {
    std::vector<std::string> keys;
    while (keys.size() < kBatch && !changed_.empty()) {
      waiting_.erase(changed_.front());
      keys.push_back(std::move(changed_.front()));
      changed_.pop_front();
    }
    if (keys.empty()) {
      co_await reading_.wait(kNever);
    } else {
      co_await read(std::move(keys));
    }
  }
}

Task<void> Follower::read(std::vector<std::string> keys) {
  bool whole = false;
  std::vector<Result<std::optional<Record>>> records;
  do {
    whole = wants_values();
    std::vector<state::GetRequest> requests;
    for (const std::string& key : keys) requests.push_back({.key = key, .want_value = whole, .want_fields = whole});
    state::CallContext context;
    context.deadline = now() + settings_.read_timeout;
    records = co_await store_->get_many(context, requests);
  } while (!whole && wants_values());
  for (std::size_t i = 0; i < keys.size(); ++i) tell(std::move(keys[i]), std::move(records[i]), whole);
}

void Follower::tell(std::string key, Result<std::optional<Record>> read, bool whole) {
  // Something that is no record, a list say, is none.
  const bool is_other = !read && read.error().code == Errc::internal;
  if (!read && !is_other) return lose();
  const Told::State* const before = told_.find(key);
  if (is_other && before == nullptr) return;
  if (!is_other && *read) {
    Record record = std::move(**read);
    const bool is_same = before != nullptr && record.etag.size() >= kOwnEtagBytes && before->etag == record.etag &&
                         expire_together(before->expires_at, record.expires_at);
    told_.put(key, {record.etag, record.expires_at});
    if (!is_same)
      feed_.publish(
          {.kind = WatchEvent::Kind::put, .key = std::move(key), .record = std::move(record), .has_value = whole});
    return;
  }
  const bool has_passed =
      before != nullptr && before->expires_at && core_.clock().wall().ms() + kClockSlackMs >= before->expires_at->ms();
  told_.erase(key);
  feed_.publish(
      {.kind = has_passed ? WatchEvent::Kind::expire : WatchEvent::Kind::erase, .key = std::move(key), .record = {}});
}

Task<void> Follower::stop() {
  stopping_ = true;
  arranging_.ring();
  reading_.ring();
  if (running_ > 0) co_await Parked{ended_};
  const SteadyTime deadline = now() + kArrangeTime;
  if (tracker_ != nullptr) co_await tracker_->close(deadline);
  if (store_ == nullptr) co_return;
  state::CallContext context;
  context.deadline = deadline;
  (void)co_await store_->close(context);
}

}  // namespace holdfast::stores::redis
