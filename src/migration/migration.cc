#include "migration/migration.h"

namespace holdfast::migration {
namespace {

// One of the two walks, whose position in the journal is `position`.
Task<Status> walk(Job& job, Journal& journal, Sink& sink, Position Journal::* position, const Cancellation& stop) {
  const double before = journal.seconds;
  const SteadyTime began = job.clock.steady();
  const auto observe = [&](const Position& at, bool is_checkpoint) -> Status {
    journal.*position = at;
    journal.seconds = before + std::chrono::duration<double>(job.clock.steady() - began).count();
    if (job.watch) job.watch(journal);
    return is_checkpoint ? job.keep(journal) : Status();
  };
  Pump pump(job.source, sink, job.loop, job.clock, job.options, observe);
  auto ended = co_await pump.run(journal.*position, stop);
  if (!ended) co_return fail(std::move(ended.error()));
  co_return Status();
}

}  // namespace

Task<Result<Journal>> run(Job job, Journal journal, const Cancellation& stop) {
  if (auto copied = co_await walk(job, journal, job.sink, &Journal::copy, stop); !copied)
    co_return fail(std::move(copied.error()));
  if (!journal.copy.is_done || job.check == nullptr) co_return journal;
  if (auto checked = co_await walk(job, journal, *job.check, &Journal::check, stop); !checked)
    co_return fail(std::move(checked.error()));
  co_return journal;
}

}  // namespace holdfast::migration
