// A migration: everything of a source into a sink, then a comparison of the two, each able to go on where it was ended.
//
// Threading: one loop's, on which the ends live too.
#pragma once

#include <functional>

#include "base/cancellation.h"
#include "migration/journal.h"
#include "migration/pump.h"

namespace holdfast::migration {

// All outlive run().
struct Job {
  Source& source;
  Sink& sink;
  Sink* check;  // reads the source once more; null: nothing is compared
  Scheduler& loop;
  const Clock& clock;
  PumpOptions options;
  // Keeps the journal where the next run finds it. An error ends the migration.
  std::function<Status(const Journal& journal)> keep;
  // Told after each batch; null: nobody is.
  std::function<void(const Journal& journal)> watch = nullptr;
};

// From where `journal` stands to the end, or until `stop` is requested. The journal as it is then: copy.is_done and
// check.is_done say which. After an error, what was kept last is where the next run goes on.
Task<Result<Journal>> run(Job job, Journal journal, const Cancellation& stop);

}  // namespace holdfast::migration
