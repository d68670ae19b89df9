#include "state/layers/near_cache.h"

#include <utility>

#include "base/parked.h"
#include "state/keys.h"
#include "state/layers/forwarding.h"

namespace holdfast::state {
namespace {

using Found = Result<std::optional<Record>>;

// A watch that could not be had is asked for again by the first reading after this long.
constexpr Milliseconds kWatchAgain{1000};

constexpr std::size_t index_of(Consistency level) { return static_cast<std::size_t>(level); }

// Of a counter that one thread alone writes.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t count = 1) {
  counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

class NearCacheStore final : public ForwardingStore {
 public:
  NearCacheStore(std::unique_ptr<StateStore> store, NearCacheSettings settings, std::shared_ptr<NearCacheCounts> counts,
                 const Clock& clock)
      : ForwardingStore(std::move(store)),
        settings_(std::move(settings)),
        counts_(std::move(counts)),
        clock_(clock),
        can_(inner().capabilities()),
        cache_(settings_.limits) {
    can_.reads[index_of(Consistency::eventual)] = Consistency::eventual;
  }
  // Closed, or never used.
  ~NearCacheStore() override { tell_size(0, 0); }

  const Capabilities& capabilities() const override { return can_; }

  Task<Found> get(CallContext context, GetRequest request) override {
    if (context.consistency != Consistency::eventual || !request.key.starts_with(settings_.prefix))
      return inner().get(context, request);
    return get_near(context, request);
  }
  Task<Result<Written>> set(CallContext context, SetRequest request) override {
    return then_forget(inner().set(context, request), request.key);
  }
  Task<Result<Deleted>> erase(CallContext context, DeleteRequest request) override {
    return then_forget(inner().erase(context, request), request.key);
  }
  Task<std::vector<Result<Written>>> set_many(CallContext context, std::span<const SetRequest> requests) override {
    return then_forget(inner().set_many(context, requests), requests);
  }
  Task<std::vector<Result<Deleted>>> erase_many(CallContext context, std::span<const DeleteRequest> requests) override {
    return then_forget(inner().erase_many(context, requests), requests);
  }
  Task<Result<std::vector<Written>>> transact(CallContext context, std::span<const Operation> operations) override {
    return then_forget(inner().transact(context, operations), operations);
  }
  Task<Result<std::uint64_t>> erase_prefix(CallContext context, DeletePrefixRequest request) override {
    return then_forget(inner().erase_prefix(context, request), Prefix{request.prefix});
  }
  Task<Result<std::uint64_t>> erase_with_dapr_prefix(CallContext context, std::string_view prefix) override {
    return then_forget(inner().erase_with_dapr_prefix(context, prefix), Prefix{prefix});
  }

  Task<Status> close(CallContext context) override {
    closing_ = true;
    if (watcher_) watcher_->cancel();
    if (running_) co_await Parked{closer_};
    co_return co_await inner().close(context);
  }

 private:
  struct Prefix {
    std::string_view text;
  };

  // Readings.

  Task<Found> get_near(CallContext context, GetRequest request) {
    if (!watching_) watch_again();
    if (const CachedRecord* kept = look(context, request); kept != nullptr) {
      add(counts_->hits);
      if (context.position != nullptr && kept->position) follow(*context.position, *kept->position);
      co_return copy_of(*kept, request);
    }
    co_return co_await read(context, request);
  }

  // What may be answered; null: nothing.
  const CachedRecord* look(const CallContext& context, const GetRequest& request) {
    const CachedRecord* const kept = cache_.find(request.key);
    if (kept == nullptr) return nullptr;
    if (context.position != nullptr && !kept->position) return nullptr;
    if (settings_.age_max.count() > 0 && clock_.steady() - kept->read_at > settings_.age_max) return nullptr;
    if (!kept->record) return kept;
    if (request.want_fields && !kept->has_fields) return nullptr;
    if (kept->record->expires_at && kept->record->expires_at->us <= clock_.wall().us) return nullptr;
    return kept;
  }

  static Found copy_of(const CachedRecord& kept, const GetRequest& request) {
    Found found{std::nullopt};
    if (!kept.record) return found;
    Record& copy = found->emplace();
    if (request.want_value) copy.value = kept.record->value;
    copy.shape = kept.record->shape;
    copy.etag = kept.record->etag;
    copy.expires_at = kept.record->expires_at;
    if (request.want_fields) copy.fields = kept.record->fields;
    return found;
  }

  Task<Found> read(CallContext context, GetRequest request) {
    add(counts_->misses);
    // Only what begins to be read while the watch is in place is sure to be told of.
    const auto ticket = watching_ && request.want_value ? cache_.reserve(request.key) : std::nullopt;
    if (!ticket) co_return co_await inner().get(context, request);
    CallContext fresh = context;
    fresh.consistency = Consistency::strong;
    Position seen;
    if (context.position != nullptr) fresh.position = &seen;
    const SteadyTime begin = settings_.age_max.count() > 0 ? clock_.steady() : SteadyTime();
    Found found = co_await inner().get(fresh, request);
    if (context.position != nullptr) follow(*context.position, seen);
    if (found) {
      CachedRecord kept{.record = *found, .has_fields = request.want_fields, .position = {}, .read_at = begin};
      if (context.position != nullptr) kept.position = std::move(seen);
      cache_.fill(request.key, *ticket, std::move(kept));
    } else {
      cache_.release(request.key, *ticket);
    }
    tell_size();
    // A copy may answer where the primary does not.
    if (!found && found.error().code == Errc::unavailable) co_return co_await inner().get(context, request);
    co_return found;
  }

  static void follow(Position& session, const Position& seen) {
    for (const Position::Reached& reached : seen.reached()) (void)session.reach(reached);
  }

  // Writes.

  template <class T, class Keys>
  Task<T> then_forget(Task<T> call, Keys keys) {
    T&& result = co_await std::move(call);  // stands in the frame of `call`, which ours holds
    forget(keys);
    tell_size();
    co_return std::move(result);
  }

  void forget(std::string_view key) { add(counts_->invalidations, cache_.erase(key)); }
  void forget(Prefix prefix) { add(counts_->invalidations, cache_.erase_prefix(prefix.text)); }
  template <class Request>
  void forget(std::span<const Request> requests) {
    for (const Request& request : requests) forget(request.key);
  }
  void forget(std::span<const Operation> operations) {
    for (const Operation& operation : operations) std::visit([this](const auto& one) { forget(one.key); }, operation);
  }

  // The watch.

  void watch_again() {
    if (running_ || closing_ || clock_.steady() < watch_at_) return;
    running_ = true;
    start(keep_watching());
  }

  Task<void> keep_watching() {
    co_await watch_on();
    watching_ = false;
    cache_.clear();
    tell_size();
    watch_at_ = clock_.steady() + kWatchAgain;
    running_ = false;
    // Last of all: who waits may destroy us.
    if (closer_) std::exchange(closer_, nullptr).resume();
  }

  Task<void> watch_on() {
    WatchRequest request;
    request.prefix = settings_.prefix;
    request.own_bytes = kEveryKey;
    auto watcher = co_await inner().watch({}, request);
    if (!watcher || closing_) co_return;
    watcher_ = std::move(*watcher);
    WatchEvent event;
    while (co_await watcher_->wait()) {
      while (watcher_->take(event)) take(event);
      tell_size();
    }
    watcher_.reset();
  }

  void take(const WatchEvent& event) {
    switch (event.kind) {
      case WatchEvent::Kind::ready:
        watching_ = true;
        return;
      case WatchEvent::Kind::resync:
        cache_.clear();
        add(counts_->resyncs);
        watching_ = true;
        return;
      case WatchEvent::Kind::put:
        if (is_kept(event)) return;
        break;
      case WatchEvent::Kind::erase:
      case WatchEvent::Kind::expire:
        break;
    }
    forget(event.key);
  }

  // Whether what was put is what is kept: it was read after the write, before the event came. Other programs may give a
  // record another time to live without another etag.
  bool is_kept(const WatchEvent& event) {
    if (!event.record || event.record->etag.empty()) return false;
    const CachedRecord* const kept = cache_.peek(event.key);
    return kept != nullptr && kept->record && kept->record->etag == event.record->etag &&
           kept->record->expires_at == event.record->expires_at;
  }

  void tell_size() { tell_size(cache_.items(), cache_.bytes()); }
  void tell_size(std::size_t items, std::size_t bytes) {
    counts_->items.store(items, std::memory_order_relaxed);
    counts_->bytes.store(bytes, std::memory_order_relaxed);
  }

  const NearCacheSettings settings_;
  const std::shared_ptr<NearCacheCounts> counts_;  // shared with the metrics, which may read it after us
  const Clock& clock_;
  Capabilities can_;
  RecordCache cache_;
  std::unique_ptr<Watcher> watcher_;
  bool running_ = false;   // a watch is in place, or is asked for
  bool watching_ = false;  // every change is told
  bool closing_ = false;
  SteadyTime watch_at_ = SteadyTime::min();
  std::coroutine_handle<> closer_ = nullptr;
};

}  // namespace

Status admits_near_cache(const Capabilities& can) {
  if (!can.watch) return fail(Errc::unsupported, "this store does not tell of changes (it declares no watch)");
  if (can.reads[index_of(Consistency::strong)] == Consistency::unspecified)
    return fail(Errc::unsupported, "this store serves no strong readings");
  return {};
}

std::unique_ptr<StateStore> with_near_cache(std::unique_ptr<StateStore> store, NearCacheSettings settings,
                                            std::shared_ptr<NearCacheCounts> counts, const Clock& clock) {
  return std::make_unique<NearCacheStore>(std::move(store), std::move(settings), std::move(counts), clock);
}

}  // namespace holdfast::state
