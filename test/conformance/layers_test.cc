// The suite on a store behind every layer, and on one that declares nothing.
#include "state/layers/layers.h"

#include "conformance/conformance.h"
#include "state/layers/forwarding.h"
#include "state/layers/near_cache.h"
#include "stores/memory/core.h"
#include "support/map_store.h"

namespace holdfast::conformance {
namespace {

class SilentHook final : public state::TraceHook {
 public:
  std::uint64_t begin(state::OperationKind, const state::CallContext&) override { return 0; }
  void end(std::uint64_t, const Error*) override {}
};

class LayeredCore final : public state::StoreCore {
 public:
  explicit LayeredCore(const Clock& clock) : clock_(clock), memory_(clock, {}) {}

  Task<Result<std::unique_ptr<state::StateStore>>> open(Scheduler& loop) override {
    auto store = co_await memory_.open(loop);
    if (!store) co_return fail(std::move(store.error()));
    state::ResiliencyPolicy policy;
    policy.timeout = std::chrono::seconds(10);
    policy.retry.emplace();
    policy.breaker.emplace();
    policy.breaker->consecutive_failures_max = 1'000'000;  // refused writes count too
    auto layered = state::with_resiliency(std::move(*store), std::make_shared<state::SharedResiliency>(policy), loop, clock_);
    layered = state::with_tracing(std::move(layered), hook_);
    co_return state::with_metrics(std::move(layered), std::make_shared<state::StoreMetrics>(), clock_);
  }

 private:
  const Clock& clock_;
  SilentHook hook_;
  stores::memory::MemoryCore memory_;
};

// Whoever names no level reads at `eventual`.
class EventualReadings final : public state::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Task<Result<std::optional<state::Record>>> get(state::CallContext context, state::GetRequest request) override {
    if (context.consistency == state::Consistency::unspecified) context.consistency = state::Consistency::eventual;
    return inner().get(context, request);
  }
};

class NearCachedCore final : public state::StoreCore {
 public:
  NearCachedCore(const Clock& clock, bool reads_eventually)
      : clock_(clock), reads_eventually_(reads_eventually), memory_(clock, {}) {}

  Task<Result<std::unique_ptr<state::StateStore>>> open(Scheduler& loop) override {
    auto store = co_await memory_.open(loop);
    if (!store) co_return fail(std::move(store.error()));
    state::NearCacheSettings settings;
    settings.limits = {.items_max = 64, .bytes_max = 4 << 20};
    auto near = state::with_near_cache(std::move(*store), settings, std::make_shared<state::NearCacheCounts>(), clock_);
    if (!reads_eventually_) co_return near;
    co_return std::make_unique<EventualReadings>(std::move(near));
  }

 private:
  const Clock& clock_;
  const bool reads_eventually_;
  stores::memory::MemoryCore memory_;
};

class MapCore final : public state::StoreCore {
 public:
  Task<Result<std::unique_ptr<state::StateStore>>> open(Scheduler&) override {
    co_return std::make_unique<test::MapStore>(data_);
  }

 private:
  std::shared_ptr<test::MapStore::Data> data_ = std::make_shared<test::MapStore::Data>();
};

Subject layered() {
  return of_core("layered", [](const Clock& clock) { return std::make_shared<LayeredCore>(clock); });
}
Subject map() {
  return of_core("map", [](const Clock&) { return std::make_shared<MapCore>(); });
}

Subject near_cached() {
  return of_core("near_cached", [](const Clock& clock) { return std::make_shared<NearCachedCore>(clock, false); });
}
Subject read_near() {
  return of_core("read_near", [](const Clock& clock) { return std::make_shared<NearCachedCore>(clock, true); });
}

HOLDFAST_CONFORMANCE(Layers, layered(), map(), near_cached());

// Through the cache itself: the suites of one handle, which sees its own writes at once at any level.
HOLDFAST_CONFORMANCE_ONE(Near, EtagConformance, read_near());
HOLDFAST_CONFORMANCE_ONE(Near, TtlConformance, read_near());
HOLDFAST_CONFORMANCE_ONE(Near, BulkConformance, read_near());
HOLDFAST_CONFORMANCE_ONE(Near, TransactionConformance, read_near());
HOLDFAST_CONFORMANCE_ONE(Near, DeletePrefixConformance, read_near());
HOLDFAST_CONFORMANCE_ONE(Near, RecordsConformance, read_near());
HOLDFAST_CONFORMANCE_ONE(Near, EdgesConformance, read_near());
HOLDFAST_CONFORMANCE_ONE(Near, WatchConformance, read_near());

}  // namespace
}  // namespace holdfast::conformance
