#include "bench/load_postgresql.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <stdexcept>

#include "bench/process.h"

namespace holdfast::bench {

namespace {

constexpr const char* kNames[] = {"get", "save", "bulk_get"};

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

void must(bool done, PGconn* connection) {
  if (!done) throw std::runtime_error(std::string("PostgreSQL by hand: ") + PQerrorMessage(connection));
}

// What Dapr's version 2 says, and the new etag.
std::string sql_of(PostgresqlByHand::Statement statement, const std::string& table) {
  using Statement = PostgresqlByHand::Statement;
  if (statement == Statement::save)
    return fmt::format(
        "INSERT INTO {} (key, value, etag, expires_at) VALUES ($1::text, $2::bytea, gen_random_uuid(), NULL) "
        "ON CONFLICT (key) DO UPDATE SET value = $2::bytea, etag = gen_random_uuid(), updated_at = now(), "
        "expires_at = NULL RETURNING etag",
        table);
  return fmt::format(
      "SELECT key, value, etag, expires_at FROM {} WHERE key = {} AND (expires_at IS NULL OR expires_at >= now())",
      table, statement == Statement::get ? "$1::text" : "ANY($1::text[])");
}

}  // namespace

PostgresqlByHand::PostgresqlByHand(const std::string& connection_string, const std::string& table, int connections)
    : poll_(epoll_create1(0)) {
  for (int i = 0; i < connections; ++i) {
    Link& link = links_.emplace_back();
    link.connection.reset(PQconnectdb(connection_string.c_str()));
    PGconn* const connection = link.connection.get();
    must(PQstatus(connection) == CONNECTION_OK, connection);
    for (const Statement statement : {Statement::get, Statement::save, Statement::bulk_get}) {
      const Result prepared(PQprepare(connection, kNames[static_cast<std::size_t>(statement)],
                                      sql_of(statement, table).c_str(), 0, nullptr),
                            &PQclear);
      must(PQresultStatus(prepared.get()) == PGRES_COMMAND_OK, connection);
    }
    must(PQsetnonblocking(connection, 1) == 0 && PQenterPipelineMode(connection) == 1, connection);
    epoll_event event{EPOLLIN, {.u64 = static_cast<std::uint64_t>(i)}};
    epoll_ctl(poll_, EPOLL_CTL_ADD, PQsocket(connection), &event);
  }
}

PostgresqlByHand::~PostgresqlByHand() { close(poll_); }

void PostgresqlByHand::ask(Link& link, Run& run) {
  const Request& request = run.requests[run.next++ % run.requests.size()];
  const char* const values[] = {request.key.data(), request.value.data()};
  const int lengths[] = {static_cast<int>(request.key.size()), static_cast<int>(request.value.size())};
  const int formats[] = {run.statement == Statement::bulk_get ? 0 : 1, 1};
  PGconn* const connection = link.connection.get();
  link.asked.push_back({now_seconds(), &request});
  // What has no room in the socket's buffer, which is larger than all that is in flight, would be left lying.
  must(PQsendQueryPrepared(connection, kNames[static_cast<std::size_t>(run.statement)],
                           run.statement == Statement::save ? 2 : 1, values, lengths, formats, 1) == 1 &&
           PQpipelineSync(connection) == 1 && PQflush(connection) == 0,
       connection);
}

int PostgresqlByHand::receive(Link& link, Run& run, double now) {
  PGconn* const connection = link.connection.get();
  must(PQconsumeInput(connection) == 1, connection);
  int answered = 0;
  while (!link.asked.empty() && PQisBusy(connection) == 0) {
    const Result result(PQgetResult(connection), &PQclear);
    if (result == nullptr) continue;  // stands between two statements
    Asked& first = link.asked.front();
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_TUPLES_OK) first.ok = PQntuples(result.get()) == first.request->rows;
    if (status != PGRES_PIPELINE_SYNC) continue;
    ++answered;
    ++run.result.requests;
    if (!first.ok) ++run.result.errors;
    if (run.result.requests % 4 == 0 || run.result.latencies_us.empty())
      run.result.latencies_us.push_back(static_cast<std::uint32_t>((now - first.at) * 1e6));
    link.asked.pop_front();
  }
  return answered;
}

void PostgresqlByHand::drain(Link& link, Run& run) {
  while (!link.asked.empty()) {
    pollfd descriptor{PQsocket(link.connection.get()), POLLIN, 0};
    poll(&descriptor, 1, 1000);
    receive(link, run, now_seconds());
  }
}

LoadResult PostgresqlByHand::run(const Load& load, Statement statement, const std::vector<Request>& requests) {
  Run run{statement, requests};
  const double began = now_seconds();
  double now = began;
  for (int i = 0; i < load.in_flight; ++i) ask(links_[static_cast<std::size_t>(i) % links_.size()], run);
  while (now - began < load.seconds) {
    epoll_event events[64];
    const int ready = epoll_wait(poll_, events, 64, 1000);
    now = now_seconds();
    for (int e = 0; e < ready; ++e) {
      Link& link = links_[events[e].data.u64];
      for (int answered = receive(link, run, now); answered > 0; --answered) ask(link, run);
    }
  }
  LoadResult result = run.result;
  result.seconds = now_seconds() - began;
  for (Link& link : links_) drain(link, run);
  return result;
}

}  // namespace holdfast::bench
