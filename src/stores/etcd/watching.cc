#include "stores/etcd/watching.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/number.h"
#include "state/keys.h"

namespace holdfast::stores::etcd {

using state::CallContext;
using state::WatchEvent;
namespace wire = holdfast::etcd;

namespace {

constexpr Milliseconds kPause{50};  // between two streams

}  // namespace

EtcdWatcher::EtcdWatcher(EtcdStore& store, const state::WatchRequest& request)
    : store_(store),
      prefix_(request.prefix),
      own_bytes_(request.own_bytes),
      exact_(request.exact),
      want_values_(request.want_values),
      hides_isolated_(request.hides_isolated),
      pause_(store.loop_) {
  first_ = store.settings_.key_prefix + "/" + prefix_;
  if (!exact_) end_ = state::prefix_end(first_).value_or(std::string(1, '\0'));
  // "REVISION" or "REVISION.EVENTS". What is none of ours goes on from now, and says that events may be missing.
  const std::string_view resume = request.resume;
  const std::size_t dot = resume.find('.');
  may_miss_ =
      !resume.empty() &&
      (!read_number(resume.substr(0, dot), place_.revision) || place_.revision <= 0 ||
       (dot != std::string_view::npos && (!read_number(resume.substr(dot + 1), place_.events) || place_.events <= 0)));
  if (may_miss_) place_ = {};
  store_.watchers_.push_back(this);
}

EtcdWatcher::~EtcdWatcher() { store_.forget(this); }

void EtcdWatcher::open() {
  server_ = store_.endpoints_.current();
  stream_ = store_.endpoints_.open(wire::kWatch);
  of_revision_ = 0;
  std::string request;
  wire::append_watch(request, first_, end_, next_revision());
  stream_->write(request);
}

// A revision of which a part was told is told again, and passed over up to there.
std::int64_t EtcdWatcher::next_revision() const {
  return place_.revision == 0 ? 0 : place_.revision + (place_.events == 0 ? 1 : 0);
}

// A stream is said to be in place before the server looks whether it still has what it is to begin with.
Task<bool> EtcdWatcher::is_compacted(SteadyTime deadline) {
  if (place_.revision == 0) co_return false;
  std::string request;
  wire::append(request, wire::Range{.key = first_, .limit = 1, .revision = next_revision(), .keys_only = true});
  const auto answer = co_await store_.endpoints_.call(
      {.method = wire::kRange, .request = request, .doing = "look for a revision", .deadline = deadline});
  co_return !answer && is_refusal(answer.error(), Trouble::compacted);
}

Task<Status> EtcdWatcher::begin(SteadyTime deadline) {
  if (co_await is_compacted(deadline)) {
    may_miss_ = true;
    place_ = {};
  }
  while (!is_in_place_) {
    if (cancelled_ || std::chrono::steady_clock::now() >= deadline)
      co_return fail(Errc::unavailable, fmt::format("{}: no server takes the watch", store_.settings_.place()));
    if (Status prepared = co_await store_.endpoints_.prepare(deadline); !prepared) co_return prepared;
    if (stream_ == nullptr) open();
    if (!co_await read_some()) co_await pause_.wait(kPause);
  }
  co_return Status();
}

Task<bool> EtcdWatcher::wait() {
  while (events_.empty() && !cancelled_) {
    if (stream_ == nullptr) open();
    if (!co_await read_some() && !cancelled_) co_await pause_.wait(kPause);
  }
  co_return !events_.empty() && !cancelled_;
}

Task<bool> EtcdWatcher::read_some() {
  auto message = co_await stream_->read();
  if (!message || message->ended) {
    stream_.reset();
    store_.endpoints_.move_on(server_);
    co_return false;
  }
  const auto reply = wire::read_watch(message->text);
  if (!reply || reply->cancelled) {
    stream_.reset();
    if (reply && reply->compacted != 0) {
      may_miss_ = true;
      place_ = {};
    }
    co_return false;
  }
  co_await take_reply(*reply);
  co_return true;
}

Task<void> EtcdWatcher::take_reply(const wire::WatchReply& reply) {
  if (reply.created) {
    if (place_.revision == 0) place_ = {reply.header.revision, 0};
    if (!is_in_place_ || may_miss_) {
      WatchEvent event;
      event.kind = may_miss_ ? WatchEvent::Kind::resync : WatchEvent::Kind::ready;
      event.resume = token();
      events_.push_back(std::move(event));
    }
    is_in_place_ = true;
    may_miss_ = false;
  }
  for (const wire::WatchEvent& event : reply.events) co_await take_event(event);
}

std::string EtcdWatcher::token() const {
  return place_.events == 0 ? std::to_string(place_.revision) : fmt::format("{}.{}", place_.revision, place_.events);
}

bool EtcdWatcher::covers(std::string_view key) const {
  if (exact_) return key == prefix_;
  return state::is_listable(key, own_bytes_, hides_isolated_);
}

Task<void> EtcdWatcher::take_event(const wire::WatchEvent& event) {
  const std::int64_t revision = event.kv.modified;
  if (revision == place_.revision) {
    // Told before this stream.
    if (++of_revision_ <= place_.events) co_return;
    place_.events = of_revision_;
  } else {
    of_revision_ = 1;
    place_ = {revision, 1};
  }
  const std::string_view key =
      event.kv.key.substr(std::min(event.kv.key.size(), store_.settings_.key_prefix.size() + 1));
  if (!covers(key)) co_return;
  WatchEvent out;
  out.key = key;
  out.resume = token();
  if (!event.is_delete) {
    out.kind = WatchEvent::Kind::put;
    co_await fill_put(event, out);
  } else {
    out.kind = co_await was_expiry(event, key) ? WatchEvent::Kind::expire : WatchEvent::Kind::erase;
  }
  events_.push_back(std::move(out));
}

Task<void> EtcdWatcher::fill_put(const wire::WatchEvent& event, WatchEvent& out) {
  state::Record& record = out.record.emplace();
  record.etag = etag_of(event.kv.modified);
  if (want_values_) record.value = event.kv.value;
  const Layout layout = store_.settings_.layout;
  if (layout == Layout::v2) {
    const auto stored = read_stored({.record = &event.kv}, layout);
    if (stored) record = record_of(*stored, want_values_, false);
    co_return;
  }
  // What v1 keeps beside the value is in a companion, of the same revision.
  const state::GetRequest request{.key = out.key, .want_value = want_values_};
  EtcdStore::Records records;
  std::int64_t revision = event.kv.modified;
  const Status status = co_await store_.read_chunk({}, {&request, 1}, revision, records);
  if (status && records.front() && *records.front()) record = std::move(**records.front());
}

// A record that its lease has ended was on one, and its time was up.
Task<bool> EtcdWatcher::was_expiry(const wire::WatchEvent& event, std::string_view key) {
  if (!event.previous || event.previous->lease == 0) co_return false;
  const Layout layout = store_.settings_.layout;
  if (layout == Layout::v2) {
    const auto stored = read_stored({.record = &*event.previous}, layout);
    co_return !stored || !stored->expires || stored->is_expired(store_.clock_.wall());
  }
  co_return (co_await store_.had_expired({}, key, event.kv.modified - 1)).value_or(true);
}

bool EtcdWatcher::take(WatchEvent& event) {
  if (events_.empty()) return false;
  event = std::move(events_.front());
  events_.pop_front();
  return true;
}

void EtcdWatcher::cancel() {
  cancelled_ = true;
  if (stream_) stream_->cancel();
  pause_.ring();
}

void EtcdStore::forget(const EtcdWatcher* watcher) { std::erase(watchers_, watcher); }

Task<Result<std::unique_ptr<state::Watcher>>> EtcdStore::watch(CallContext context, state::WatchRequest request) {
  if (closed_) co_return fail(Errc::unavailable, "the store was closed meanwhile");
  auto watcher = std::make_unique<EtcdWatcher>(*this, request);
  if (Status begun = co_await watcher->begin(deadline_of(context)); !begun) co_return fail(std::move(begun.error()));
  co_return std::move(watcher);
}

}  // namespace holdfast::stores::etcd
