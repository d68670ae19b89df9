#include "state/feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/number.h"
#include "base/parked.h"
#include "base/random.h"
#include "state/keys.h"

namespace holdfast::state {

namespace {

constexpr std::size_t kKeptPlaces = 4;    // of a watcher's queue
constexpr std::size_t kTakenPlaces = 64;  // of a listener's

}  // namespace

std::string Feed::random_id() { return fmt::format("{:016x}", random_u64()); }

Feed::Feed(FeedLimits limits, std::string id, std::uint64_t head)
    : limits_(limits), id_(std::move(id)), head_(head), gone_(head) {}

void Feed::publish(FeedEvent event) {
  auto shared = std::make_shared<FeedEvent>(std::move(event));
  const std::lock_guard lock(mutex_);
  if (shared->number == 0) shared->number = head_ + 1;
  head_ = shared->number;
  ring_bytes_ += shared->bytes();
  ring_.push_back(std::move(shared));
  trim();
  drop_stale();
  for (const auto& listener : listeners_) listener->wake();
}

void Feed::trim() {
  while (ring_.size() > limits_.ring_events_max || (ring_bytes_ > limits_.ring_bytes_max && ring_.size() > 1)) {
    gone_ = ring_.front()->number;
    ring_bytes_ -= ring_.front()->bytes();
    ring_.pop_front();
  }
}

void Feed::advance(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  head_ = std::max(head_, number);
}

std::uint64_t Feed::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

bool Feed::since(std::uint64_t number, FeedEvents& events) const {
  const std::lock_guard lock(mutex_);
  if (number < gone_ || number > head_) return false;
  auto first = ring_.end();  // mostly, only the last few are new
  while (first != ring_.begin() && (*std::prev(first))->number > number) --first;
  events.assign(first, ring_.end());
  return true;
}

std::string Feed::token(std::uint64_t number) const {
  std::string token;
  append_token(token, number);
  return token;
}

void Feed::append_token(std::string& out, std::uint64_t number) const {
  std::array<char, 20> digits;
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  const auto count = static_cast<std::size_t>(end - digits.data());
  out.reserve(out.size() + id_.size() + 1 + count);
  out.append(id_).append(1, '.').append(digits.data(), count);
}

std::optional<std::uint64_t> Feed::parse_token(std::string_view token) const {
  if (!token.starts_with(id_)) return std::nullopt;
  token.remove_prefix(id_.size());
  if (!token.starts_with('.')) return std::nullopt;
  token.remove_prefix(1);
  std::uint64_t number = 0;
  return read_number(token, number) ? std::optional(number) : std::nullopt;
}

void Feed::add(std::shared_ptr<Listener> listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

void Feed::remove(const Listener* listener) {
  const std::lock_guard lock(mutex_);
  std::erase_if(listeners_, [listener](const auto& one) { return one.get() == listener; });
}

void Feed::enter(std::string_view prefix, bool values) {
  const std::lock_guard lock(mutex_);
  auto found = interests_.find(prefix);
  if (found == interests_.end()) {
    found = interests_.emplace(prefix, Interest()).first;
    filter_.add(prefix);
  }
  ++found->second.watchers;
  if (values && !std::exchange(found->second.values, true)) {
    values_wanted_.fetch_add(1);
  }
}

std::uint64_t Feed::settle(std::string_view prefix) {
  const std::lock_guard lock(mutex_);
  Interest& interest = interests_.find(prefix)->second;
  if (!interest.since) interest.since = head_;
  return *interest.since;
}

void Feed::leave(std::string_view prefix) {
  const std::lock_guard lock(mutex_);
  const auto found = interests_.find(prefix);
  if (--found->second.watchers > 0) return;
  found->second.left = ++leavings_;
  kept_.push_back({found->first, leavings_, head_});
  if (kept_.size() > limits_.kept_prefixes_max) drop_oldest();
}

void Feed::drop_oldest() {
  const Kept oldest = std::move(kept_.front());
  kept_.pop_front();
  const auto found = interests_.find(oldest.prefix);
  if (found == interests_.end() || found->second.watchers > 0 || found->second.left != oldest.leaving) return;
  if (found->second.values) values_wanted_.fetch_sub(1);
  filter_.remove(oldest.prefix);
  interests_.erase(found);
}

// No token from before the last watcher left can be continued once the ring has turned over.
void Feed::drop_stale() {
  while (!kept_.empty() && kept_.front().head < gone_) drop_oldest();
}

FeedWatcher::FeedWatcher(std::shared_ptr<Listener> listener, const WatchRequest& request)
    : listener_(std::move(listener)),
      prefix_(request.prefix),
      own_bytes_(request.own_bytes),
      exact_(request.exact),
      hides_isolated_(request.hides_isolated),
      want_values_(request.want_values) {}

FeedWatcher::~FeedWatcher() { listener_->forget(*this); }

Task<bool> FeedWatcher::wait() {
  while (!has_something()) co_await Parked{waiter_};
  co_return !cancelled_;
}

bool FeedWatcher::take(WatchEvent& event) {
  if (cancelled_) return false;
  if (lost_after_) {
    ready_after_.reset();
    mark(event, WatchEvent::Kind::resync, *std::exchange(lost_after_, std::nullopt));
    return true;
  }
  if (ready_after_) {
    mark(event, WatchEvent::Kind::ready, *std::exchange(ready_after_, std::nullopt));
    return true;
  }
  if (!backlog_.empty()) {
    const std::shared_ptr<const FeedEvent> from = std::move(backlog_.back());
    backlog_.pop_back();
    if (backlog_.empty()) backlog_ = {};
    tell(event, *from);
    return true;
  }
  if (queue_at_ == queue_.size()) return false;
  const FeedEvent* from = listener_->at(queue_[queue_at_++]);
  if (from == nullptr || queue_at_ == queue_.size()) {
    queue_.clear();
    queue_at_ = 0;
    if (queue_.capacity() > kKeptPlaces) queue_ = {};  // an idle watcher holds next to nothing
  }
  if (from == nullptr) {
    mark(event, WatchEvent::Kind::resync, listener_->position_);
  } else {
    tell(event, *from);
  }
  return true;
}

void FeedWatcher::mark(WatchEvent& event, WatchEvent::Kind kind, std::uint64_t number) const {
  event.kind = kind;
  event.key.clear();
  event.record.reset();
  event.resume.clear();
  listener_->feed_.append_token(event.resume, number);
}

void FeedWatcher::tell(WatchEvent& event, const FeedEvent& from) const {
  std::string etag = event.record ? std::move(event.record->etag) : std::string();  // for its memory
  mark(event, from.kind, from.number);
  event.key = from.key;
  if (!from.record) return;
  if (want_values_) {
    event.record = from.record;
    return;
  }
  etag = from.record->etag;
  Record& record = event.record.emplace();
  record.etag = std::move(etag);
  record.expires_at = from.record->expires_at;
}

void FeedWatcher::cancel() {
  cancelled_ = true;
  queue_ = {};
  backlog_ = {};
  queue_at_ = 0;
  if (!waiter_) return;
  // Posted, because the waiter may destroy what the caller of cancel() still uses.
  listener_->loop_.post([waiter = std::exchange(waiter_, nullptr)] { waiter.resume(); });
}

bool FeedWatcher::covers(const FeedEvent& event) const {
  if (event.kind == WatchEvent::Kind::resync) return true;
  if (exact_ ? event.key != prefix_ : !event.key.starts_with(prefix_)) return false;
  return is_listable(event.key, own_bytes_, hides_isolated_);
}

void FeedWatcher::offer(std::uint64_t at, const FeedEvent& event) {
  if (cancelled_ || event.number <= begin_ || !covers(event)) return;
  if (queue_.size() - queue_at_ >= listener_->feed_.limits().queue_events_max) return lose(event.number);
  if (queue_at_ > 0 && queue_.size() == queue_.capacity()) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(queue_at_));
    queue_at_ = 0;
  }
  queue_.push_back(at);
}

void FeedWatcher::continue_with(FeedEvents missed) {
  if (lost_after_ != begin_) return;  // meanwhile it has fallen behind
  lost_after_.reset();
  take_backlog(std::move(missed));
}

void FeedWatcher::take_backlog(FeedEvents missed) {
  std::erase_if(missed, [this](const auto& event) { return event->number > begin_ || !covers(*event); });
  std::ranges::reverse(missed);
  backlog_ = std::move(missed);
}

// Events up to `number` are gone.
void FeedWatcher::lose(std::uint64_t number) {
  queue_ = {};
  backlog_ = {};
  queue_at_ = 0;
  lost_after_ = number;
}

bool FeedWatcher::has_something() const {
  return cancelled_ || lost_after_ || ready_after_ || !backlog_.empty() || queue_at_ < queue_.size();
}

void Listener::wake() {
  if (awake_.load(std::memory_order_relaxed) || awake_.exchange(true)) return;
  if (loop_.is_current() && alone_ > 0) {
    --alone_;
    loop_.soon([self = shared_from_this()] { self->drain(); });
  } else {
    loop_.post([self = shared_from_this()] { self->drain_turn(); });
  }
}

std::unique_ptr<FeedWatcher> Listener::watch(const WatchRequest& request, const std::function<void()>& settle) {
  feed_.enter(request.prefix, request.want_values);
  settle();
  const std::uint64_t since = feed_.settle(request.prefix);
  if (!listening_) {
    listening_ = true;
    feed_.add(shared_from_this());
    position_ = feed_.head();
  } else {
    take();
    position_ = std::max(position_, since);
  }
  auto watcher = std::make_unique<FeedWatcher>(shared_from_this(), request);
  watcher->begin_ = position_;
  watcher->ready_after_ = position_;
  if (!request.resume.empty()) {
    const std::optional<std::uint64_t> number = feed_.parse_token(request.resume);
    FeedEvents missed;
    const bool complete = number && *number >= since && *number <= position_ && feed_.since(*number, missed);
    const auto lacks_value = [&](const auto& event) {
      return request.want_values && event->record && !event->has_value && watcher->covers(*event);
    };
    if (number && *number <= position_) watcher->ready_after_ = *number;
    if (complete && std::ranges::none_of(missed, lacks_value)) {
      watcher->take_backlog(std::move(missed));
    } else {
      watcher->lose(position_);
    }
  }
  Group& group = groups_of(*watcher)[watcher->prefix_];
  watcher->place_ = group.size();
  group.push_back(watcher.get());
  return watcher;
}

std::size_t Listener::drain() {
  awake_.store(false);
  if (closed_ || !listening_) return 0;
  const std::size_t count = take();
  resume_ready();
  return count;
}

void Listener::drain_turn() { alone_ = drain() == 1 ? kAlone : 0; }

std::size_t Listener::take() {
  if (!feed_.since(position_, taken_)) {
    position_ = feed_.head();
    for (Groups* groups : {&prefixes_, &exact_})
      for (auto& [prefix, group] : *groups)
        for (FeedWatcher* watcher : group) {
          watcher->lose(position_);
          make_ready(*watcher);
        }
    return 0;
  }
  const std::size_t count = taken_.size();
  for (auto& event : taken_) {
    position_ = event->number;
    note(std::move(event));
  }
  taken_.clear();
  if (taken_.capacity() > kTakenPlaces) taken_ = {};
  return count;
}

// Finds the prefixes of the key among those that are watched, from the longest to the shortest: each step cuts off what
// no prefix that is left can have.
void Listener::note(std::shared_ptr<const FeedEvent> noted) {
  const FeedEvent* const event = window_.emplace_back(std::move(noted)).get();
  bool used = event->kind == WatchEvent::Kind::resync;
  if (used) {
    for (Groups* groups : {&prefixes_, &exact_})
      for (auto& [prefix, group] : *groups) offer_to(group, *event);
  } else {
    if (const auto one = exact_.find(event->key); one != exact_.end()) {
      used = true;
      offer_to(one->second, *event);
    }
    for (std::string_view probe = event->key;;) {
      auto below = prefixes_.upper_bound(probe);
      if (below == prefixes_.begin()) break;
      --below;
      const std::string& prefix = below->first;
      if (probe.starts_with(prefix)) {
        used = true;
        offer_to(below->second, *event);
        if (prefix.empty()) break;
        probe = probe.substr(0, prefix.size() - 1);
      } else {
        const auto differs = std::ranges::mismatch(probe, prefix);
        probe = probe.substr(0, static_cast<std::size_t>(differs.in1 - probe.begin()));
      }
    }
  }
  if (!used) {
    window_.pop_back();
    return;
  }
  window_bytes_ += event->bytes();
  const FeedLimits& limits = feed_.limits();
  while (window_.size() > limits.ring_events_max || (window_bytes_ > limits.ring_bytes_max && window_.size() > 1)) {
    window_bytes_ -= window_.front()->bytes();
    window_.pop_front();
    ++window_begin_;
  }
}

void Listener::offer_to(Group& group, const FeedEvent& event) {
  const std::uint64_t place = window_begin_ + window_.size() - 1;
  for (FeedWatcher* watcher : group) {
    watcher->offer(place, event);
    make_ready(*watcher);
  }
}

const FeedEvent* Listener::at(std::uint64_t place) const {
  return place < window_begin_ ? nullptr : window_[place - window_begin_].get();
}

void Listener::make_ready(FeedWatcher& watcher) {
  if (watcher.in_ready_ || !watcher.waiter_ || !watcher.has_something()) return;
  watcher.in_ready_ = true;
  ready_.push_back(&watcher);
}

// Whoever is resumed may cancel or destroy any watcher, so the list is read anew each time.
void Listener::resume_ready() {
  for (std::size_t i = 0; i < kTurn && !ready_.empty(); ++i) {
    FeedWatcher* const watcher = ready_.front();
    ready_.pop_front();
    watcher->in_ready_ = false;
    if (watcher->waiter_ && watcher->has_something()) std::exchange(watcher->waiter_, nullptr).resume();
  }
  if (ready_.empty() || std::exchange(resuming_, true)) return;
  loop_.post([self = shared_from_this()] {
    self->resuming_ = false;
    if (!self->closed_) self->resume_ready();
  });
}

void Listener::forget(FeedWatcher& watcher) {
  if (watcher.in_ready_) std::erase(ready_, &watcher);
  Groups& groups = groups_of(watcher);
  const auto group = groups.find(watcher.prefix_);
  if (group == groups.end()) return;
  group->second.back()->place_ = watcher.place_;
  std::swap(group->second[watcher.place_], group->second.back());
  group->second.pop_back();
  if (group->second.empty()) groups.erase(group);
  if (closed_) return;
  feed_.leave(watcher.prefix_);
  if (prefixes_.empty() && exact_.empty()) stop_listening();
}

// Nobody is left on this loop, which events need not wake any more.
void Listener::stop_listening() {
  feed_.remove(this);
  listening_ = false;
  window_begin_ += window_.size();
  window_.clear();
  window_bytes_ = 0;
}

void Listener::close() {
  if (listening_) feed_.remove(this);
  closed_ = true;
  for (Groups* groups : {&prefixes_, &exact_})
    for (auto& [prefix, group] : *groups)
      for (FeedWatcher* watcher : group) {
        watcher->cancel();
        feed_.leave(watcher->prefix_);
      }
}

}  // namespace holdfast::state
