#include "cli/transfer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <optional>

#include "daemon/events.h"
#include "migration/durable_file.h"

namespace holdfast::cli {
namespace {

using migration::Count;
using migration::Journal;

constexpr Milliseconds kLookInterval{100};
constexpr Milliseconds kTerminalInterval{250};
constexpr Milliseconds kLogInterval{10'000};

// How far it has come, as the two threads see it.
struct Figures {
  bool compares = false;  // the second walk
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;
};

Figures figures_of(const Journal& journal) {
  const migration::Tally& tally = journal.copy.is_done ? journal.check.tally : journal.copy.tally;
  return {journal.copy.is_done, tally[Count::read], tally[Count::bytes], journal.seconds};
}

// What the loop tells the thread that waits.
class Shared {
 public:
  void show(const Figures& figures) {
    const std::lock_guard lock(mutex_);
    figures_ = figures;
  }
  void end(Result<Journal> result) {
    {
      const std::lock_guard lock(mutex_);
      result_ = std::move(result);
    }
    ended_.notify_all();
  }
  // Whether it has ended by then.
  bool wait(Milliseconds limit) {
    std::unique_lock lock(mutex_);
    return ended_.wait_for(lock, limit, [this] { return result_.has_value(); });
  }
  Figures figures() {
    const std::lock_guard lock(mutex_);
    return figures_;
  }
  Result<Journal> take() {
    const std::lock_guard lock(mutex_);
    return std::move(*result_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  Figures figures_;
  std::optional<Result<Journal>> result_;
};

class Progress {
 public:
  explicit Progress(const Figures& at_start) : start_(at_start) {}

  void show(const Figures& now) {
    const SteadyTime time = std::chrono::steady_clock::now();
    if (time - shown_ < (is_terminal_ ? kTerminalInterval : kLogInterval)) return;
    shown_ = time;
    // Of this walk in this run: what an earlier one has done took no time of it. A walk that begins again counts anew.
    if (now.compares != start_.compares || now.records < start_.records) start_ = now;
    const double spent = now.seconds - start_.seconds;
    const auto done = static_cast<double>(now.records - start_.records);
    const auto whole = static_cast<std::uint64_t>(now.seconds);
    const std::string line = fmt::format(
        "{} records {}, {:.1f} MiB, {:.0f} a second, {}:{:02}", now.records, now.compares ? "compared" : "copied",
        static_cast<double>(now.bytes) / (1 << 20), spent > 0 ? done / spent : 0.0, whole / 60, whole % 60);
    std::cerr << (is_terminal_ ? "\r" : "") << line << (is_terminal_ ? "\x1b[K" : "\n") << std::flush;
    has_line_ = is_terminal_;
  }
  void end() const {
    if (has_line_) std::cerr << "\r\x1b[K" << std::flush;
  }

 private:
  const bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  Figures start_;
  SteadyTime shown_ = std::chrono::steady_clock::now();
  bool has_line_ = false;
};

bool wants_to_stop(daemon::Events& events) {
  const auto happened = events.wait(std::chrono::steady_clock::now());
  return happened.stop || happened.restart;
}

migration::Job job_of(const Transfer& transfer, net::Loop& loop, Shared& shared) {
  return {.source = transfer.source,
          .sink = transfer.sink,
          .check = transfer.check,
          .loop = loop,
          .clock = Clock::system(),
          .options = transfer.options,
          .keep =
              [file = transfer.state_file](const Journal& journal) {
                return file.empty() ? Status() : migration::write_durably(file, journal.text());
              },
          .watch = [&shared](const Journal& journal) { shared.show(figures_of(journal)); }};
}

}  // namespace

Result<Journal> begin_journal(const std::string& state_file, Journal fresh) {
  if (state_file.empty()) return fresh;
  auto kept = migration::read_journal(state_file);
  if (!kept && kept.error().code == Errc::not_found) return fresh;
  if (!kept) return kept;
  if (kept->identity != fresh.identity)
    return fail(Errc::precondition_failed,
                fmt::format("{} is of another migration ({} to {}); finish that one, remove the file, or name another "
                            "with --resume",
                            state_file, kept->from, kept->to));
  if (kept->policy != fresh.policy) {
    std::cerr << fmt::format("holdfast: {} is of a run with other options; the walk begins again\n", state_file);
    return fresh;
  }
  std::cerr << fmt::format("holdfast: goes on from {}: {} records were done\n", state_file,
                           kept->copy.tally[Count::read]);
  return kept;
}

Result<Transferred> run_transfer(const Transfer& transfer, Journal journal, net::Loop& loop, daemon::Events& events) {
  Shared shared;
  Cancellation& stop = transfer.stop;
  Progress progress(figures_of(journal));
  shared.show(figures_of(journal));
  loop.post([&, job = job_of(transfer, loop, shared), journal = std::move(journal)] {
    start(migration::run(job, journal, stop), [&shared](Result<Journal> result) { shared.end(std::move(result)); });
  });
  bool was_asked = false;
  while (!shared.wait(kLookInterval)) {
    progress.show(shared.figures());
    if (was_asked || !wants_to_stop(events)) continue;
    was_asked = true;
    loop.post([&stop] { stop.requested = true; });
  }
  progress.end();
  auto ended = shared.take();
  if (!ended) return fail(std::move(ended.error()));
  const bool is_whole = ended->copy.is_done && (transfer.check == nullptr || ended->check.is_done);
  if (is_whole && !transfer.state_file.empty()) {
    std::error_code ignored;
    std::filesystem::remove(transfer.state_file, ignored);
  }
  return Transferred{std::move(*ended), !is_whole};
}

}  // namespace holdfast::cli
