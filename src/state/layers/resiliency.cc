// retry(breaker(timeout(store))). A call that no policy concerns costs no coroutine; one that
// succeeds at the first attempt costs one.
#include <algorithm>
#include <utility>

#include "base/random.h"
#include "state/layers/forwarding.h"

namespace holdfast::state {
namespace {

// While it waits to try again a call looks this often whether its caller has given up.
constexpr Milliseconds kCancelCheckInterval{50};
constexpr double kBackoffFactor = 1.5;

// Whether trying again can help, and cannot do harm: a failed write changed nothing, except with
// the two codes that say it may stand.
bool is_retryable(Errc code) {
  switch (code) {
    case Errc::conflict:
    case Errc::unavailable:
    case Errc::overloaded:
    case Errc::deadline_exceeded:  // of this attempt; the caller's own deadline ends the retries
    case Errc::internal:
      return true;
    case Errc::invalid_argument:
    case Errc::unsupported:
    case Errc::denied:
    case Errc::not_found:
    case Errc::etag_invalid:
    case Errc::precondition_failed:
    case Errc::outcome_unknown:
    case Errc::replication_shortfall:
      return false;
  }
  return false;
}

// How long to wait before each further attempt.
class Backoff {
 public:
  Backoff(const RetryPolicy& policy, SteadyTime now) : policy_(policy), begin_(now), interval_(policy.initial) {}

  // Nothing when there shall be no further attempt.
  std::optional<Milliseconds> next(SteadyTime now) {
    if (policy_.retries_max >= 0 && retries_++ >= policy_.retries_max) return std::nullopt;
    if (!policy_.exponential) return policy_.interval;
    // Between a half and one and a half of the interval, so that callers who failed together part.
    const double share = 0.5 + static_cast<double>(random_u64() >> 11) * 0x1p-53;
    const auto delay = std::chrono::duration_cast<Milliseconds>(interval_ * share);
    interval_ = std::min(std::chrono::duration_cast<Milliseconds>(interval_ * kBackoffFactor), policy_.interval_max);
    if (policy_.elapsed_max.count() > 0 && now + delay - begin_ > policy_.elapsed_max) return std::nullopt;
    return delay;
  }

 private:
  const RetryPolicy& policy_;
  const SteadyTime begin_;
  Milliseconds interval_;
  std::int64_t retries_ = 0;
};

class ResilientStore final : public ForwardingStore {
 public:
  ResilientStore(std::unique_ptr<StateStore> inner, std::shared_ptr<SharedResiliency> shared, Scheduler& loop,
                 const Clock& clock)
      : ForwardingStore(std::move(inner)),
        shared_(std::move(shared)),
        policy_(shared_->policy()),
        loop_(loop),
        clock_(clock) {}

  Task<Result<std::optional<Record>>> get(CallContext context, GetRequest request) override {
    return call(context, [this, request](CallContext c) { return inner().get(c, request); });
  }
  Task<Result<Written>> set(CallContext context, SetRequest request) override {
    return call(context, [this, request](CallContext c) { return inner().set(c, request); });
  }
  Task<Result<Deleted>> erase(CallContext context, DeleteRequest request) override {
    return call(context, [this, request](CallContext c) { return inner().erase(c, request); });
  }
  Task<std::vector<Result<std::optional<Record>>>> get_many(CallContext context,
                                                            std::span<const GetRequest> requests) override {
    return call_many(context, requests, &StateStore::get_many);
  }
  Task<std::vector<Result<Written>>> set_many(CallContext context, std::span<const SetRequest> requests) override {
    return call_many(context, requests, &StateStore::set_many);
  }
  Task<std::vector<Result<Deleted>>> erase_many(CallContext context, std::span<const DeleteRequest> requests) override {
    return call_many(context, requests, &StateStore::erase_many);
  }
  Task<Result<std::vector<Written>>> transact(CallContext context, std::span<const Operation> operations) override {
    return call(context, [this, operations](CallContext c) { return inner().transact(c, operations); });
  }
  Task<Result<ListPage>> list(CallContext context, ListRequest request) override {
    return call(context, [this, request](CallContext c) { return inner().list(c, request); });
  }
  Task<Result<ListPage>> find(CallContext context, FindRequest request) override {
    return call(context, [this, request](CallContext c) { return inner().find(c, request); });
  }
  Task<Result<KeyPage>> keys_like(CallContext context, LikeRequest request) override {
    return call(context, [this, request](CallContext c) { return inner().keys_like(c, request); });
  }
  Task<Result<std::uint64_t>> erase_prefix(CallContext context, DeletePrefixRequest request) override {
    return call(context, [this, request](CallContext c) { return inner().erase_prefix(c, request); });
  }
  Task<Result<QueryPage>> query(CallContext context, const Query& query) override {
    return call(context, [this, &query](CallContext c) { return inner().query(c, query); });
  }
  Task<Result<std::unique_ptr<Watcher>>> watch(CallContext context, WatchRequest request) override {
    return call(context, [this, request](CallContext c) { return inner().watch(c, request); });
  }
  Task<Result<std::uint64_t>> erase_with_dapr_prefix(CallContext context, std::string_view prefix) override {
    return call(context, [this, prefix](CallContext c) { return inner().erase_with_dapr_prefix(c, prefix); });
  }
  // ping() passes through: it asks for the store as it is.

 private:
  static std::unexpected<Error> refused(std::string_view why) { return fail(Errc::unavailable, std::string(why)); }

  CallContext for_attempt(CallContext context) const {
    if (policy_.timeout) context.deadline = std::min(context.deadline, clock_.steady() + *policy_.timeout);
    return context;
  }

  template <class Attempt>
  auto call(CallContext context, Attempt attempt) -> decltype(attempt(context)) {
    return guarded(context, std::move(attempt));
  }

  template <class Attempt>
  auto guarded(CallContext context, Attempt attempt) -> decltype(attempt(context)) {
    std::optional<Backoff> backoff;
    for (;;) {
      const auto pass = admit();
      if (!pass) co_return refused(pass.error());
      auto result = co_await attempt(for_attempt(context));
      report(*pass, error_in(result));
      if (result || !policy_.retry || !is_retryable(result.error().code)) co_return std::move(result);
      if (!backoff) backoff.emplace(*policy_.retry, clock_.steady());
      if (!co_await wait(context, backoff->next(clock_.steady()))) co_return std::move(result);
    }
  }

  template <class Request, class One>
  using Many = Task<std::vector<Result<One>>> (StateStore::*)(CallContext, std::span<const Request>);

  template <class Request, class One>
  Task<std::vector<Result<One>>> call_many(CallContext context, std::span<const Request> requests,
                                           Many<Request, One> method) {
    return guarded_many(context, requests, method);
  }

  // Items that failed in a way that may pass are sent again, the others are not.
  template <class Request, class One>
  Task<std::vector<Result<One>>> guarded_many(CallContext context, std::span<const Request> requests,
                                              Many<Request, One> method) {
    std::vector<Result<One>> results(requests.size(), refused({}));
    std::vector<std::size_t> open(requests.size());
    for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
    std::vector<Request> again;
    std::optional<Backoff> backoff;
    for (;;) {
      const auto pass = admit();
      for (const std::size_t i : open)
        if (!pass) results[i] = refused(pass.error());
      if (!pass) break;
      auto answers = co_await (inner().*method)(for_attempt(context), requests);
      report(*pass, error_in(answers));
      std::vector<std::size_t> still_open;
      for (std::size_t i = 0; i < open.size(); ++i) {
        results[open[i]] = std::move(answers[i]);
        const Result<One>& result = results[open[i]];
        if (!result && is_retryable(result.error().code)) still_open.push_back(i);
      }
      if (still_open.empty() || !policy_.retry) break;
      if (!backoff) backoff.emplace(*policy_.retry, clock_.steady());
      if (!co_await wait(context, backoff->next(clock_.steady()))) break;
      std::vector<Request> rest;
      for (std::size_t& i : still_open) {
        rest.push_back(requests[i]);
        i = open[i];
      }
      open = std::move(still_open);
      again = std::move(rest);
      requests = again;
    }
    co_return std::move(results);
  }

  std::expected<std::uint64_t, std::string_view> admit() { return shared_->admit(clock_.steady()); }
  void report(std::uint64_t pass, const Error* error) {
    if (policy_.timeout && error != nullptr && error->code == Errc::deadline_exceeded) ++shared_->counts.timeouts;
    shared_->report(pass, error == nullptr, clock_.steady());
  }

  // Lets the delay pass. False when there shall be no further attempt.
  Task<bool> wait(CallContext context, std::optional<Milliseconds> delay) {
    if (!delay || context.is_cancelled()) co_return false;
    if (*delay >= context.deadline - clock_.steady()) co_return false;
    while (delay->count() > 0) {
      const Milliseconds slice = std::min(*delay, kCancelCheckInterval);
      co_await sleep_for(loop_, slice);
      *delay -= slice;
      if (context.is_cancelled()) co_return false;
    }
    if (clock_.steady() >= context.deadline) co_return false;
    ++shared_->counts.retries;
    co_return true;
  }

  const std::shared_ptr<SharedResiliency> shared_;  // with the other loops
  const ResiliencyPolicy& policy_;
  Scheduler& loop_;
  const Clock& clock_;
};

}  // namespace

// Closed, it counts failures in a row; too many open it. Open, it refuses for a time. Then half open: it lets a few
// calls try; if they succeed it closes, if one fails it opens again.
std::expected<std::uint64_t, std::string_view> SharedResiliency::admit(SteadyTime now) {
  counts.calls.fetch_add(1, std::memory_order_relaxed);
  if (!policy_.breaker) return 0;
  const std::lock_guard lock(mutex_);
  if (state_ == BreakerState::open && now >= until_) enter(BreakerState::half_open, now);
  if (state_ == BreakerState::open) return std::unexpected("circuit breaker is open");
  if (state_ == BreakerState::half_open && admitted_ >= std::max(policy_.breaker->half_open_max, 1u))
    return std::unexpected("too many requests");
  if (state_ == BreakerState::closed && policy_.breaker->interval.count() > 0 && now >= until_)
    enter(BreakerState::closed, now);
  ++admitted_;
  return era_;
}

// Results of calls that began in an earlier state say nothing about this one.
void SharedResiliency::report(std::uint64_t pass, bool success, SteadyTime now) {
  if (!policy_.breaker) return;
  const std::lock_guard lock(mutex_);
  if (pass != era_) return;
  if (success) {
    failures_in_row_ = 0;
    if (state_ == BreakerState::half_open && ++successes_ >= std::max(policy_.breaker->half_open_max, 1u))
      enter(BreakerState::closed, now);
  } else if (state_ == BreakerState::half_open || ++failures_in_row_ > policy_.breaker->consecutive_failures_max) {
    enter(BreakerState::open, now);
  }
}

void SharedResiliency::enter(BreakerState state, SteadyTime now) {
  if (state == BreakerState::open) counts.trips.fetch_add(1, std::memory_order_relaxed);
  state_ = state;
  ++era_;
  admitted_ = failures_in_row_ = successes_ = 0;
  until_ = now + (state == BreakerState::open ? policy_.breaker->open_time : policy_.breaker->interval);
}

SharedResiliency::BreakerState SharedResiliency::breaker_state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::unique_ptr<StateStore> with_resiliency(std::unique_ptr<StateStore> store, std::shared_ptr<SharedResiliency> shared,
                                            Scheduler& loop, const Clock& clock) {
  if (shared->policy().empty()) return store;
  return std::make_unique<ResilientStore>(std::move(store), std::move(shared), loop, clock);
}

}  // namespace holdfast::state
