// The two ends of a migration: where records are read from, page by page, and where they go, batch by batch. Stores
// (store_ends.h) and export files (export_file.h) are both.
//
// Threading: one loop's. Lifetime: an end outlives the calls of it that run.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "migration/tally.h"
#include "state/store.h"

namespace holdfast::migration {

struct Page {
  std::vector<state::ListedRecord> items;  // with values and, where the source keeps them, fields
  std::string cursor;                      // after this page; empty: it was the last
};

class Source {
 public:
  virtual ~Source() = default;
  // The page after `cursor`, the first with an empty one. Errc::precondition_failed: the cursor is no longer good, and
  // the walk has to begin again; any other error names the place.
  virtual Task<Result<Page>> next(std::string cursor) = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  // How many batches may be on their way at once. 1 where they have to arrive in order.
  virtual std::size_t batches_max() const = 0;
  // Before the first batch: goes on behind `mark`, which mark() gave at the time of the checkpoint; empty: begins anew.
  // Called again when the walk of the source begins again.
  virtual Status start(std::string_view mark) = 0;
  // Returns when every record of the batch has been written, or is counted with the reason why not. An error means that
  // some may be missing; writing the batch again does no harm.
  virtual Task<Result<Tally>> write(std::vector<state::ListedRecord> batch) = 0;
  // With no batch on its way: makes what was written durable, and says where start() would go on.
  virtual Result<std::string> mark() = 0;
  // After the last batch.
  virtual Status finish() = 0;
};

// Whether trying again later may help.
bool is_passing(Errc code);

}  // namespace holdfast::migration
