// A migration at work in front of a person: progress, signals, and the file from which the next run goes on.
#pragma once

#include <string>

#include "base/result.h"
#include "migration/migration.h"
#include "net/loop.h"

namespace holdfast::daemon {
class Events;
}

namespace holdfast::cli {

// All outlive run_transfer().
struct Transfer {
  migration::Source& source;
  migration::Sink& sink;
  migration::Sink* check = nullptr;
  migration::PumpOptions options;
  Cancellation& stop;      // set on the loop when a signal comes
  std::string state_file;  // empty: nothing is kept
};

struct Transferred {
  migration::Journal journal;
  bool was_stopped = false;  // by a signal, before the end
};

// The journal to begin with: what the state file has, else `fresh`, also where the policies differ.
// Errc::precondition_failed: the file is of another migration.
Result<migration::Journal> begin_journal(const std::string& state_file, migration::Journal fresh);

// Runs on the loop, which is on another thread, and waits for it on this one. The state file is there as long as there
// is something left to do. Progress goes to standard error: in one line on a terminal, elsewhere every ten seconds.
Result<Transferred> run_transfer(const Transfer& transfer, migration::Journal journal, net::Loop& loop,
                                 daemon::Events& events);

}  // namespace holdfast::cli
