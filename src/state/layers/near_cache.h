// A layer that serves readings at `eventual` from memory. Which records are kept there is kept right by a watch of the
// store below: what a change is told of is dropped, everything is dropped on `resync`, and nothing is kept while no
// watch is in place.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "state/layers/record_cache.h"
#include "state/store.h"

namespace holdfast::state {

struct NearCacheSettings {
  CacheLimits limits;       // of one handle
  Milliseconds age_max{0};  // a record is read again after so long, told or not; 0: never for that
  std::string prefix;       // only keys that begin with it are kept, and watched
};

// What one handle's cache did. Its loop alone writes; any thread reads.
struct NearCacheCounts {
  std::atomic<std::uint64_t> hits{0};
  std::atomic<std::uint64_t> misses{0};         // readings that were looked up here and went to the store
  std::atomic<std::uint64_t> invalidations{0};  // records dropped because they were changed, or may have been
  std::atomic<std::uint64_t> resyncs{0};        // times that everything was dropped: events were missing
  std::atomic<std::uint64_t> items{0};
  std::atomic<std::uint64_t> bytes{0};
};

// Errc::unsupported for a store that cannot have one: it declares no watch, or no strong readings.
Status admits_near_cache(const Capabilities& can);

// For a store that admits one, and on its loop. The watch begins with the first reading at `eventual`. What misses is
// read at `strong`, because a copy that is behind could show what was there before a change that was told already.
// Every other call goes to the store as it is: bulk reads as well, which may promise to see one instant. A write
// through this handle drops its keys when it is answered, however it ended. Declares `eventual` for readings at
// `eventual`.
std::unique_ptr<StateStore> with_near_cache(std::unique_ptr<StateStore> store, NearCacheSettings settings,
                                            std::shared_ptr<NearCacheCounts> counts, const Clock& clock);

}  // namespace holdfast::state
