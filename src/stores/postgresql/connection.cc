#include "stores/postgresql/connection.h"

#include <algorithm>
#include <iterator>
#include <ranges>

namespace holdfast::stores::postgresql {
namespace {

SteadyTime now() { return std::chrono::steady_clock::now(); }

// Executed before it was there: its Prepare was refused.
constexpr std::string_view kNoSuchStatement = "26000";
constexpr std::string_view kAlreadyPrepared = "42P05";
// libpq mistakes one result for another where the connection was lost: some are missing, or one of rows says that there
// are none.
constexpr std::string_view kOutOfStep = "the connection was lost";
// Of a standby, or of a primary that has become one.
constexpr std::string_view kReadOnly = "25006";

}  // namespace

std::shared_ptr<Connection> Connection::start(net::Loop& loop, ConnectionHandle handle, bool prepares, Events events) {
  std::shared_ptr<Connection> connection(new Connection(loop, std::move(handle), prepares, std::move(events)));
  if (libpq().enterPipelineMode(connection->handle_.get()) == 0) connection->lose(said_by(connection->handle_.get()));
  holdfast::start(read(connection));
  return connection;
}

Connection::Connection(net::Loop& loop, ConnectionHandle handle, bool prepares, Events events)
    : loop_(loop),
      handle_(std::move(handle)),
      prepares_(prepares),
      events_(std::move(events)),
      opened_at_(now()),
      busy_at_(opened_at_) {
  readiness_.emplace(loop_, libpq().socket(handle_.get()));
  libpq().setNoticeReceiver(handle_.get(), take_notice, this);
}

// A commit that stopped waiting for its standbys is answered as any other: only a warning tells.
void Connection::take_notice(void* self, const PGresult* notice) {
  auto& connection = *static_cast<Connection*>(self);
  const char* const severity = libpq().resultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  const bool is_warning = severity != nullptr && std::string_view(severity) == "WARNING";
  if (!is_warning || connection.queue_.empty()) return;
  connection.queue_.front().answer.is_short = true;
}

std::size_t Connection::in_flight_of(const void* kind) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      queue_, [kind](const Due& due) { return !due.batch.empty() && due.batch.front()->sharing.kind == kind; }));
}

namespace {

// What does all of it at once.
const Statement* statement_of_all(const Batch& batch) {
  return batch.size() > 1 ? batch.front()->sharing.many : nullptr;
}

std::size_t results_of(const Batch& batch) {
  if (statement_of_all(batch) != nullptr) return 1;
  std::size_t results = 0;
  for (const auto& exchange : batch) results += exchange->executions.size();
  return results;
}

}  // namespace

void Connection::send(Batch batch) {
  bool sent = is_usable();
  if (const Statement* const many = statement_of_all(batch))
    sent = sent && prepare(*many);
  else
    for (const auto& exchange : batch)
      for (const Execution& execution : exchange->executions) sent = sent && prepare(*execution.statement);
  if (queue_.empty()) busy_at_ = now();
  sent = sent && execute_all(batch);
  for (const auto& exchange : batch) exchange->answer.was_sent = true;
  queue_.push_back({.batch = std::move(batch)});
  if (sent && sync()) return flush();
  lose(said_by(handle_.get()));
}

bool Connection::execute_all(const Batch& batch) {
  if (const Statement* const many = statement_of_all(batch))
    return execute({many, Values::together(batch | std::views::transform([](const auto& exchange) -> const Values& {
                                             return exchange->executions.front().values;
                                           }))});
  for (const auto& exchange : batch)
    for (const Execution& execution : exchange->executions)
      if (!execute(execution)) return false;
  return true;
}

// In a transaction of its own, which no failure of another one undoes.
bool Connection::prepare(const Statement& statement) {
  if (!prepares_ || statement.number == Statement::kNotPrepared) return true;
  if (prepared_.size() <= statement.number) prepared_.resize(statement.number + 1);
  if (prepared_[statement.number]) return true;
  prepared_[statement.number] = true;
  if (queue_.empty()) busy_at_ = now();
  queue_.push_back({.prepares = statement.number});
  return libpq().sendPrepare(handle_.get(), statement.name().c_str(), statement.sql.c_str(), 0, nullptr) != 0 && sync();
}

bool Connection::execute(const Execution& execution) {
  execution.values.fill(arrays_);
  const Statement& statement = *execution.statement;
  const int count = execution.values.count();
  if (!prepares_ || statement.number == Statement::kNotPrepared)
    return libpq().sendQueryParams(handle_.get(), statement.sql.c_str(), count, nullptr, arrays_.values.data(),
                                   arrays_.lengths.data(), arrays_.formats.data(), 1) != 0;
  return libpq().sendQueryPrepared(handle_.get(), statement.name().c_str(), count, arrays_.values.data(),
                                   arrays_.lengths.data(), arrays_.formats.data(), 1) != 0;
}

bool Connection::sync() { return libpq().pipelineSync(handle_.get()) != 0; }

void Connection::flush() {
  const int unsent = libpq().flush(handle_.get());
  if (unsent < 0) return lose(said_by(handle_.get()));
  if (unsent == 0 || writing_) return;
  writing_ = true;
  holdfast::start(write(shared_from_this()));
}

Task<void> Connection::write(std::shared_ptr<Connection> self) {
  ++self->tasks_;
  int unsent = 1;
  while (unsent == 1 && !self->lost_ && co_await self->readiness_->wait(net::Readiness::Way::write)) {
    if (self->lost_) break;
    unsent = libpq().flush(self->handle_.get());
  }
  self->writing_ = false;
  if (unsent < 0 && !self->lost_) self->lose(said_by(self->handle_.get()));
  self->end_task();
}

Task<void> Connection::read(std::shared_ptr<Connection> self) {
  ++self->tasks_;
  while (!self->lost_ && co_await self->readiness_->wait(net::Readiness::Way::read)) {
    if (self->lost_) break;
    const bool heard = libpq().consumeInput(self->handle_.get()) != 0;
    self->busy_at_ = now();
    // What came before the end of the connection counts.
    const Batch finished = self->take_results();
    for (const auto& exchange : finished) exchange->resume();
    if (!heard && !self->lost_) self->lose(said_by(self->handle_.get()));
    if (!finished.empty()) self->events_.answered();
  }
  self->end_task();
}

void Connection::end_task() {
  if (--tasks_ > 0 || !lost_) return;
  readiness_.reset();
  handle_.reset();
  if (events_.ended) std::exchange(events_.ended, nullptr)();
}

Batch Connection::take_results() {
  Batch finished;
  bool was_parted = false;
  while (!lost_ && !queue_.empty() && libpq().isBusy(handle_.get()) == 0) {
    ResultHandle result(libpq().getResult(handle_.get()));
    // Null parts the results of one execution from those of the next. Two in a row: it has lost the connection, and
    // forgotten all that was on its way.
    const bool is_parted = result == nullptr;
    if (!is_parted)
      take(std::move(result), finished);
    else if (was_parted)
      lose(said_by(handle_.get()));
    was_parted = is_parted;
  }
  if (is_wrong_ && queue_.empty()) lose("the server takes no writes");
  return finished;
}

namespace {

// Each one gets the row of its key, if there is one.
void deal_rows(const Rows& all, const Batch& batch) {
  const auto key_of = [](const auto& exchange) { return exchange->sharing.key; };
  for (const auto& exchange : batch) exchange->answer.rows.resize(1);
  for (int row = 0; row < all.size(); ++row)
    for (const auto& exchange : std::ranges::equal_range(batch, all.text(row, 0), {}, key_of))
      exchange->answer.rows.front() = Rows::one_of(all, row, 1);
}

// Each one gets the results of its executions.
void deal_results(std::vector<Rows>& results, const Batch& batch) {
  auto next = std::move_iterator(results.begin());
  for (const auto& exchange : batch) {
    const auto end = next + static_cast<std::ptrdiff_t>(exchange->executions.size());
    exchange->answer.rows.assign(next, end);
    next = end;
  }
}

}  // namespace

// What came of the transaction goes to those whose it was.
void Connection::deal(Due& due, Batch& finished) {
  const bool is_shared = due.batch.size() > 1;
  const bool is_of_many = statement_of_all(due.batch) != nullptr;
  // Their keys are gone with those who waited.
  if (is_of_many) std::erase_if(due.batch, [](const auto& exchange) { return exchange->is_done; });
  for (const auto& exchange : due.batch) {
    exchange->answer.is_short = due.answer.is_short;
    exchange->answer.is_spoiled = is_shared && due.answer.refusal;
  }
  if (due.answer.refusal && !is_shared) {
    due.batch.front()->answer.refusal = std::move(due.answer.refusal);
    due.batch.front()->answer.refused_at = due.answer.refused_at;
  } else if (!due.answer.refusal) {
    is_of_many ? deal_rows(due.answer.rows.front(), due.batch) : deal_results(due.answer.rows, due.batch);
  }
  for (auto& exchange : due.batch) {
    if (exchange->is_done) continue;
    exchange->finish();
    finished.push_back(std::move(exchange));
  }
}

void Connection::take(ResultHandle result, Batch& finished) {
  Due& due = queue_.front();
  switch (libpq().resultStatus(result.get())) {
    case PGRES_PIPELINE_SYNC:
      if (!due.answer.refusal && due.answer.rows.size() != results_of(due.batch)) return lose(std::string(kOutOfStep));
      if (!due.batch.empty()) deal(due, finished);
      queue_.pop_front();
      return;
    case PGRES_COMMAND_OK:
      if (libpq().nfields(result.get()) > 0) return lose(std::string(kOutOfStep));
      [[fallthrough]];
    case PGRES_TUPLES_OK:
      if (due.batch.empty()) return;
      due.answer.rows.emplace_back(std::move(result));
      return;
    case PGRES_PIPELINE_ABORTED:
      return;
    default:
      refuse(due, Refusal::of(result.get()));
  }
}

void Connection::refuse(Due& due, Refusal refusal) {
  if (ends_connection(refusal)) return lose(refusal.message.empty() ? said_by(handle_.get()) : refusal.message);
  if (due.batch.empty()) {
    // Who executes it is told why.
    if (refusal.is(kAlreadyPrepared)) return;
    prepared_[due.prepares] = false;
    unprepared_ = std::move(refusal);
    return;
  }
  Answer& answer = due.answer;
  if (answer.refusal) return;
  if (refusal.is(kReadOnly)) is_wrong_ = true;
  if (refusal.is(kNoSuchStatement)) {
    // A server behind a pool of connections may have changed: all are prepared anew.
    if (unprepared_) refusal = *unprepared_;
    prepared_.assign(prepared_.size(), false);
  }
  answer.refused_at = answer.rows.size();
  answer.refusal = std::move(refusal);
}

void Connection::sweep(SteadyTime now, SteadyTime silent_since) {
  if (lost_ || queue_.empty()) return;
  if (busy_at_ < silent_since) return lose("the server has been silent for too long");
  Batch late;
  for (const Due& due : queue_) {
    for (const auto& exchange : due.batch) {
      if (exchange->is_done || exchange->deadline > now) continue;
      exchange->answer.lost = Error(Errc::deadline_exceeded, "the time was up before the server answered");
      exchange->finish();
      late.push_back(exchange);
    }
  }
  for (const auto& exchange : late) exchange->resume();
}

PGcancel* Connection::cancel_late(SteadyTime now) {
  if (lost_ || queue_.empty()) return nullptr;
  // Where commits wait, nothing is shared.
  if (queue_.front().batch.empty()) return nullptr;
  const auto& exchange = queue_.front().batch.front();
  if (exchange->is_done || exchange->cancel_at > now) return nullptr;
  exchange->cancel_at = SteadyTime::max();
  return libpq().getCancel(handle_.get());
}

void Connection::close(std::string reason) {
  if (!lost_) lose(std::move(reason));
}

void Connection::lose(std::string reason) {
  if (lost_) return;
  lost_ = true;
  if (readiness_) readiness_->cancel();
  // Told from the loop: whoever called this is in the middle of something.
  auto told = std::make_shared<std::deque<Due>>(std::move(queue_));
  queue_.clear();
  loop_.post([told, reason = std::move(reason), self = shared_from_this()] {
    for (const Due& due : *told) {
      for (const auto& exchange : due.batch) {
        if (exchange->is_done) continue;
        exchange->answer.lost = Error(Errc::unavailable, reason);
        exchange->finish();
        exchange->resume();
      }
    }
  });
}

}  // namespace holdfast::stores::postgresql
