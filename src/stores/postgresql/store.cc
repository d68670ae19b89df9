// How the contract maps to PostgreSQL.
//
// Etag: of version v1 the transaction that wrote the row last (xmin), of v2 a UUID in Dapr's column. Every write judges
// its condition under the row's lock and says what it did in the same statement (statements.h), so that nothing is read
// first. Record fields are columns of ours in Dapr's table; created and modified are Dapr's own columns, as is the
// expiry, to the microsecond and by the server's clock. A transaction is a pipeline of statements that ends with one
// Sync: conditions that do not hold are errors of theirs, so that it takes one trip whatever its conditions are. Many
// reads are one statement, many writes one transaction. Everything of a loop goes over its own few connections, in
// libpq's pipeline mode (pool.h, connection.h).
#include "stores/postgresql/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "stores/postgresql/type.h"

namespace holdfast::stores::postgresql {

using state::CallContext;
using state::Deleted;
using state::Record;
using state::Written;

namespace {

using When = state::Precondition::Kind;

constexpr std::size_t kOpeners = 2;
constexpr std::size_t kOpenersQueue = 1024;
constexpr Milliseconds kLongTimeout{2000};

SteadyTime now() { return std::chrono::steady_clock::now(); }

state::Capabilities capabilities_of(const PostgresqlSettings& settings, const ServerFacts& facts) {
  const bool is_v2 = settings.layout == Layout::v2;
  state::Capabilities can;
  can.etag = true;
  can.record_fields = true;
  can.reports_created = true;
  can.ttl = true;
  can.ttl_grain_ms = 1;
  can.transaction_ops_max = state::kUnlimited;
  can.snapshot_read = true;
  can.list = true;
  can.ordered_list = true;
  can.keys_like = true;
  can.delete_prefix = true;
  can.query = true;
  can.secondary_index = true;
  can.watch = can.watch_resume = can.watch_coalesces = settings.watch_log;
  can.exact_json = is_v2;
  can.durable = facts.is_durable;
  can.key_bytes_max = kKeyBytesMax;
  can.value_bytes_max = value_bytes_max(settings.layout);
  const Levels levels =
      levels_of(facts.standbys, facts.connected_standbys, settings.has_several_hosts, facts.waits_for_standbys);
  can.reads = levels.reads;
  can.writes = levels.writes;
  can.session_positions = settings.has_several_hosts;
  return can;
}

}  // namespace

Result<std::shared_ptr<state::StoreCore>> PostgresqlCore::make(const state::Component& component, Engine engine,
                                                               Layout layout,
                                                               const state::StoreEnvironment& environment) {
  auto settings = PostgresqlSettings::read(component, layout, std::thread::hardware_concurrency(), engine);
  if (!settings) return fail(std::move(settings.error()));
  if (const auto library = Libpq::open(); !library)
    return fail(with_context(library.error(), settings->place().text()));
  return std::shared_ptr<state::StoreCore>(
      new PostgresqlCore(std::move(*settings), component.init_timeout, environment));
}

PostgresqlCore::PostgresqlCore(PostgresqlSettings settings, Milliseconds init_timeout,
                               const state::StoreEnvironment& environment)
    : settings_(std::move(settings)),
      init_timeout_(init_timeout),
      loops_(std::max<std::size_t>(environment.loops, 1)),
      only_looks_(environment.only_look),
      openers_("postgresql-open", kOpeners, kOpenersQueue) {}

Status PostgresqlCore::prepare(SteadyTime deadline) {
  const std::lock_guard lock(preparing_);
  if (facts_) return {};
  auto session = Session::open(settings_, Role::primary, deadline);
  if (!session) return fail(std::move(session.error()));
  auto facts = prepare_database(*session, settings_, only_looks_, deadline);
  if (!facts) return fail(std::move(facts.error()));
  if (settings_.watch_log && !only_looks_) {
    if (auto made = make_change_log(*session, settings_, deadline); !made) return made;
    auto log = ChangeLog::open(*session, settings_, deadline);
    if (!log) return fail(std::move(log.error()));
    change_log_ = std::move(*log);
  }
  facts_ = std::move(*facts);
  return {};
}

std::size_t PostgresqlCore::next_share() {
  const std::size_t handle = handles_.fetch_add(1) % loops_;
  const std::size_t all = settings_.connections_max;
  return std::max<std::size_t>(all / loops_ + (handle < all % loops_ ? 1 : 0), 1);
}

Task<Result<std::unique_ptr<state::StateStore>>> PostgresqlCore::open(Scheduler& scheduler) {
  auto* const loop = dynamic_cast<net::Loop*>(&scheduler);
  if (loop == nullptr) co_return fail(Errc::internal, "state.postgresql needs a loop with sockets");
  const SteadyTime deadline = now() + init_timeout_;
  const auto job = [&]() -> Result<bool> {
    if (auto prepared = prepare(deadline); !prepared) return fail(std::move(prepared.error()));
    return true;
  };
  if (auto prepared = co_await offload(openers_, *loop, job); !prepared) co_return fail(std::move(prepared.error()));
  auto store = std::make_unique<PostgresqlStore>(*this, *loop, next_share());
  if (auto connected = co_await store->connect(deadline); !connected) {
    CallContext context;
    context.deadline = deadline;
    (void)co_await store->close(context);
    co_return fail(std::move(connected.error()));
  }
  co_return std::move(store);
}

PostgresqlStore::PostgresqlStore(PostgresqlCore& core, net::Loop& loop, std::size_t connections_max)
    : core_(core),
      settings_(core.settings()),
      loop_(loop),
      statements_(settings_),
      probe_(statements_.of(fmt::format("SELECT 1 FROM {} LIMIT 1", statements_.dialect().table))),
      primary_position_(statements_.of(primary_position_sql(settings_))),
      standby_position_(statements_.of(standby_position_sql(settings_))),
      pool_(loop, settings_, core.openers(),
            {.connections_max =
                 core.facts().standbys.awaited > 0 ? connections_max - connections_max / 2 : connections_max}),
      sweeper_(loop, pool_, statements_, settings_),
      capabilities_(capabilities_of(settings_, core.facts())) {
  if (core.facts().standbys.awaited > 0)
    waiting_pool_.emplace(
        loop, settings_, core.openers(),
        PoolOptions{.connections_max = std::max<std::size_t>(connections_max / 2, 1), .cancels_late = true});
  if (settings_.has_several_hosts)
    standby_pool_.emplace(loop, settings_, core.openers(),
                          PoolOptions{.role = Role::standby, .connections_max = connections_max});
  if (core.change_log() != nullptr) listener_ = std::make_shared<state::Listener>(core.change_log()->feed(), loop);
}

PostgresqlStore::~PostgresqlStore() { end_watches(); }

Task<Status> PostgresqlStore::connect(SteadyTime deadline) {
  CallContext context;
  context.deadline = deadline;
  auto answers = co_await ping(context);
  if (answers && core_.may_sweep()) {
    sweeps_ = true;
    sweeper_.start();
  }
  co_return answers;
}

// The loop's time is half a second old at most, and free of charge.
SteadyTime PostgresqlStore::deadline_of(const CallContext& context) const {
  const bool is_long = settings_.timeout >= kLongTimeout;
  return std::min(context.deadline, (is_long ? loop_.coarse_now() : now()) + settings_.timeout);
}

Status PostgresqlStore::may_begin(const CallContext& context, Kind kind) const {
  const auto& levels = kind == Kind::reading ? capabilities_.reads : capabilities_.writes;
  const auto level = static_cast<std::size_t>(context.consistency);
  if (context.consistency != state::Consistency::unspecified && levels[level] == state::Consistency::unspecified)
    return fail(
        Errc::unsupported,
        fmt::format("{}: the level {} is not to be had: {} waits for fewer standbys (synchronous_standby_names) "
                    "than are a majority",
                    pool_.place().text(), name_of(context.consistency), pool_.place().server));
  if (context.is_cancelled()) return fail(Errc::deadline_exceeded, "the caller went away before the call began");
  if (context.deadline != SteadyTime::max() && context.deadline <= now())
    return fail(Errc::deadline_exceeded, "the time was up before the call began");
  return {};
}

Error PostgresqlStore::error_of(const Answer& answer, Kind kind, std::string_view doing) const {
  if (answer.refusal) return describe(pool_.place(), doing, *answer.refusal);
  if (!answer.lost) return {};
  Error error = *answer.lost;
  if (!answer.was_sent || error.code == Errc::replication_shortfall) return error;
  error.message = fmt::format("{}: cannot {} {}: {}", pool_.place().text(), doing, pool_.place().server, error.message);
  if (kind == Kind::reading) return error;
  error.code = Errc::outcome_unknown;
  error.message += ". It was sent, and may or may not have been done; read before you repeat it.";
  return error;
}

Task<Result<std::vector<Rows>>> PostgresqlStore::ask(CallContext context, std::span<const Execution> executions,
                                                     Kind kind, std::string_view doing, Sharing sharing) {
  if (auto may = may_begin(context, kind); !may) co_return fail(std::move(may.error()));
  Answer answer;
  if (kind == Kind::reading)
    answer = co_await read(context, executions, sharing);
  else
    answer = co_await pool_.run(executions, deadline_of(context), kind);
  if (kind == Kind::writing && core_.change_log() != nullptr) core_.change_log()->wake();
  if (answer.refusal || answer.lost) co_return fail(error_of(answer, kind, doing));
  co_return std::move(answer.rows);
}

Task<Answer> PostgresqlStore::run_writes(CallContext context, const Writes& writes, Sharing sharing) {
  Answer answer;
  if (auto may = may_begin(context, Kind::writing); !may) {
    answer.lost = std::move(may.error());
    co_return answer;
  }
  Pool& pool = waits_for_standbys(context.consistency) ? *waiting_pool_ : pool_;
  answer = co_await pool.run(writes.executions(), deadline_of(context), Kind::writing, sharing);
  if (core_.change_log() != nullptr) core_.change_log()->wake();
  if (answer.refusal || answer.lost) co_return answer;
  if (answer.is_short)
    answer.lost = Error(Errc::replication_shortfall,
                        fmt::format("{}: {} has done the write, and fewer standbys than it waits for "
                                    "(synchronous_standby_names) have confirmed it in time",
                                    pool_.place().text(), pool_.place().server));
  if (context.position != nullptr && standby_pool_) co_await note_written(context);
  co_return answer;
}

Writes PostgresqlStore::begin_writes(const CallContext& context) {
  Writes writes(statements_, settings_.layout, context.principal);
  const std::string_view commit = commit_of(core_.facts().standbys, context.consistency);
  if (!commit.empty()) writes.add_synchronous_commit(commit);
  return writes;
}

// One for each way to commit.
Sharing PostgresqlStore::sharing_of(const CallContext& context, std::string_view key) const {
  const std::string_view commit = commit_of(core_.facts().standbys, context.consistency);
  return {.kind = commit.empty() ? this : static_cast<const void*>(commit.data()), .key = key, .is_write = true};
}

Sharing PostgresqlStore::sharing_of(const CallContext& context, const state::SetRequest& request) {
  if (!spoils_nothing(request)) return {};
  Sharing sharing = sharing_of(context, request.key);
  const bool is_plain = request.indexes.empty() && !request.keep_expiry &&
                        (request.when.kind == When::any || request.when.kind == When::absent);
  // Of several arrays CockroachDB makes no rows.
  if (is_plain && sharing.kind == this && settings_.engine != Engine::cockroachdb)
    sharing.kind = sharing.many = &statements_.set_together(request.when.kind);
  return sharing;
}

Task<Result<std::optional<Record>>> PostgresqlStore::get(CallContext context, state::GetRequest request) {
  if (!check_key(request.key)) co_return std::nullopt;
  const Statements::Shape shape{request.want_value, request.want_fields};
  Execution get{&statements_.get(shape), {}};
  get.values.text(request.key);
  const Statement& many = statements_.get_many(shape);
  auto rows = co_await ask(context, {&get, 1}, Kind::reading, "read a record in",
                           {.kind = &many, .key = request.key, .many = &many});
  if (!rows) co_return fail(std::move(rows.error()));
  const Rows& found = rows->front();
  if (found.size() == 0) co_return std::nullopt;
  auto record = read_row(found, 0, 0, shape, settings_.layout);
  if (!record) co_return fail(std::move(record.error()));
  co_return std::move(*record);
}

namespace {

// What is told where a condition does not hold of what was found.
Error unmet(const state::Precondition& when, const std::optional<Record>& found) {
  Error error(Errc::precondition_failed, when.kind == When::absent ? "a live record with this key is already there"
                                         : !found                  ? "there is no live record with this key"
                                                  : "the record has another etag: it was changed since it was read");
  if (found) error.current_etag = found->etag;
  return error;
}

}  // namespace

Task<Error> PostgresqlStore::mismatch(CallContext context, std::string_view key, const state::Precondition& when) {
  context.consistency = state::Consistency::unspecified;
  const auto found = co_await get(context, {.key = key, .want_value = false});
  // Where that cannot be said, without its etag.
  co_return unmet(when, found ? *found : std::optional(Record{}));
}

Task<Result<Written>> PostgresqlStore::outcome_of(CallContext context, const state::SetRequest& request,
                                                  const Writes& writes, std::size_t operation,
                                                  const std::vector<Rows>& rows) {
  const Rows& result = *writes.result_of(operation, rows);
  if (result.size() > 0) co_return read_written(result, request, writes.parts_of(operation));
  co_return fail(co_await mismatch(context, request.key, request.when));
}

Task<Result<Deleted>> PostgresqlStore::outcome_of(CallContext context, const state::DeleteRequest& request,
                                                  const Writes& writes, std::size_t operation,
                                                  const std::vector<Rows>& rows) {
  const Rows& result = *writes.result_of(operation, rows);
  if (result.size() > 0) co_return Deleted{result.boolean(0, 0)};
  if (request.when.kind == When::any) co_return Deleted{false};
  co_return fail(co_await mismatch(context, request.key, request.when));
}

Task<Result<Written>> PostgresqlStore::set(CallContext context, state::SetRequest request) {
  // One for all that is asked, not one for each.
  context.deadline = deadline_of(context);
  Writes writes = begin_writes(context);
  // Entries are written only if the record is.
  const auto guard = spoils_nothing(request) ? Writes::Guard::none : Writes::Guard::fails;
  if (auto added = writes.add(request, guard, 0); !added) co_return fail(std::move(added.error()));
  const Answer answer = co_await run_writes(context, writes, sharing_of(context, request));
  if (answer.refusal && is_unmet(*answer.refusal))
    co_return fail(co_await mismatch(context, request.key, request.when));
  const bool is_unknown = answer.lost && answer.was_sent && answer.lost->code != Errc::replication_shortfall;
  if (is_unknown && co_await has_happened(context, request.key, writes.parts_of(0).etag))
    co_return Written{.etag = writes.parts_of(0).etag, .created = {}, .expires_at = {}, .fields = {}};
  if (answer.refusal || answer.lost) co_return fail(error_of(answer, Kind::writing, "save a record in"));
  co_return co_await outcome_of(context, request, writes, 0, answer.rows);
}

// A save that is not there may still come: the server may be at it.
Task<bool> PostgresqlStore::has_happened(CallContext context, std::string_view key, std::string_view etag) {
  if (settings_.layout == Layout::v1) co_return false;
  context.consistency = state::Consistency::unspecified;
  const auto found = co_await get(context, {.key = key, .want_value = false});
  co_return found && *found && (*found)->etag == etag;
}

// There is nothing to delete; an expired row stays for the cleanup.
Task<Result<Deleted>> PostgresqlStore::erase_absent(CallContext context, state::DeleteRequest request) {
  context.consistency = state::Consistency::unspecified;
  const auto found = co_await get(context, {.key = request.key, .want_value = false});
  if (!found) co_return fail(found.error());
  if (!*found) co_return Deleted{false};
  co_return fail(unmet(request.when, *found));
}

Task<Result<Deleted>> PostgresqlStore::erase(CallContext context, state::DeleteRequest request) {
  if (request.when.kind == When::absent) co_return co_await erase_absent(context, request);
  Writes writes = begin_writes(context);
  if (auto added = writes.add(request, Writes::Guard::none, 0); !added) co_return fail(std::move(added.error()));
  const Answer answer = co_await run_writes(context, writes, sharing_of(context, request.key));
  if (answer.refusal || answer.lost) co_return fail(error_of(answer, Kind::writing, "delete a record in"));
  co_return co_await outcome_of(context, request, writes, 0, answer.rows);
}

Error PostgresqlStore::transaction_error(const Answer& answer, const Writes& writes) const {
  Error error = error_of(answer, Kind::writing, "run a transaction in");
  if (!answer.refusal) return error;
  if (is_unmet(*answer.refusal))
    error = Error(Errc::precondition_failed, "the condition of an operation does not hold; nothing was changed");
  // Behind the last of them is the commit, which is nobody's.
  if (answer.refused_at < writes.executions().size())
    error.operation = static_cast<int>(writes.operation_of(answer.refused_at));
  return error;
}

Task<Result<std::vector<Written>>> PostgresqlStore::transact(CallContext context,
                                                             std::span<const state::Operation> operations) {
  std::vector<Written> written(operations.size());
  if (operations.empty()) co_return written;
  Writes writes = begin_writes(context);
  if (auto added = writes.add(operations); !added) co_return fail(std::move(added.error()));
  if (writes.executions().empty()) co_return written;
  const Answer answer = co_await run_writes(context, writes);
  if (answer.refusal || answer.lost) co_return fail(transaction_error(answer, writes));
  for (std::size_t i = 0; i < operations.size(); ++i)
    if (const auto* set = std::get_if<state::SetRequest>(&operations[i]))
      written[i] = read_written(*writes.result_of(i, answer.rows), *set, writes.parts_of(i));
  co_return written;
}

Task<Status> PostgresqlStore::ping(CallContext context) {
  const Execution probe{&probe_, {}};
  auto rows = co_await ask(context, {&probe, 1}, Kind::reading, "ask");
  if (!rows) co_return fail(std::move(rows.error()));
  co_return Status();
}

Task<Status> PostgresqlStore::close(CallContext context) {
  end_watches();
  if (sweeps_) co_await sweeper_.stop();
  if (waiting_pool_) co_await waiting_pool_->close(deadline_of(context));
  if (standby_pool_) co_await standby_pool_->close(deadline_of(context));
  co_await pool_.close(deadline_of(context));
  co_return Status();
}

}  // namespace holdfast::stores::postgresql
