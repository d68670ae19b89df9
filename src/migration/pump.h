// Moves every record of a source into a sink: pages are read while earlier ones are being written, and where it is safe
// to go on from is told as it goes. Holds at most `window` pages and one, and no more after kBytesOnWayMax.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/scheduler.h"
#include "migration/ends.h"

namespace holdfast::migration {

// How far a walk has come: everything before `cursor` is in the sink.
struct Position {
  std::string cursor;  // of the source; empty: from the start
  std::string mark;    // of the sink
  Tally tally;
  std::uint32_t restarts = 0;        // how often the walk had to begin again
  std::uint64_t written_before = 0;  // of the walks that were given up
  bool is_done = false;
};

struct PumpOptions {
  std::size_t window = 4;  // batches on their way at once
  Milliseconds checkpoint_interval{250};
  // Reading is tried again so often, after this time, then twice as long, up to kBackoffMax.
  unsigned retries = 10;
  Milliseconds backoff{100};
  // Only keys that begin so are carried, with `to_prefix` in its place.
  std::string prefix = "";
  std::string to_prefix = "";
};
inline constexpr Milliseconds kBackoffMax{5000};
inline constexpr std::uint64_t kBytesOnWayMax = 32u << 20;
inline constexpr std::uint32_t kRestartsMax = 100;

// Waits between tries, each twice as long as the last.
class Backoff {
 public:
  // `stop` outlives it; null: nobody can stop it.
  Backoff(Scheduler& loop, Milliseconds first, unsigned tries, const Cancellation* stop)
      : loop_(loop), next_(first), left_(tries), stop_(stop) {}
  // False when the tries are used up, or nobody waits for them any more.
  Task<bool> wait();

 private:
  bool is_stopped() const { return stop_ != nullptr && stop_->requested; }

  Scheduler& loop_;
  Milliseconds next_;
  unsigned left_;
  const Cancellation* stop_;
};

class Pump {
 public:
  // Told after each batch, and to be kept by whoever wants to go on later, where `is_checkpoint`: at most once an
  // interval, at the end, and when it stops. An error ends the walk.
  using Observer = std::function<Status(const Position& position, bool is_checkpoint)>;

  // All outlive run().
  Pump(Source& source, Sink& sink, Scheduler& loop, const Clock& clock, PumpOptions options, Observer observer)
      : source_(source),
        sink_(sink),
        loop_(loop),
        clock_(clock),
        options_(std::move(options)),
        observer_(std::move(observer)) {}

  // From `position` to the end, or until `stop`: what is on its way then arrives. position.is_done tells which. After
  // an error the last checkpoint is good.
  Task<Result<Position>> run(Position position, const Cancellation& stop);

 private:
  struct Batch;
  class Walk;
  Task<Result<Page>> read(std::string cursor, const Cancellation& stop);
  Task<Status> run(Walk& walk);

  Source& source_;
  Sink& sink_;
  Scheduler& loop_;
  const Clock& clock_;
  const PumpOptions options_;
  const Observer observer_;
};

}  // namespace holdfast::migration
