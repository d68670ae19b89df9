#include "bench/postgresql.h"

#include <unistd.h>

#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>

#include "bench/load.h"
#include "bench/load_postgresql.h"
#include "support/postgresql_servers.h"

namespace holdfast::bench {

namespace {

constexpr int kConnections = 4;  // of the component, and of the client by hand
constexpr const char* kTable = "state";

// A save is on the disk when it is answered. Every statement that is logged says whose it is.
test::PostgresqlOptions durable() {
  test::PostgresqlOptions options;
  options.fsync = true;
  options.settings = {"synchronous_commit = on", "log_line_prefix = '%u '"};
  return options;
}

std::string components(const test::PostgresqlServer& server) {
  std::string yaml;
  for (const std::string version : {"v1", "v2"})
    yaml += fmt::format(
        "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: postgresql{}}}\nspec:\n"
        "  type: state.postgresql\n  version: {}\n  metadata:\n  - {{name: connectionString, value: \"{}\"}}\n"
        "  - {{name: maxConns, value: \"{}\"}}\n  - {{name: {}, value: {}}}\n",
        version == "v1" ? "-v1" : "", version, server.connection_string(), kConnections,
        version == "v1" ? "tableName" : "tablePrefix", version == "v1" ? "state_v1" : "\"\"");
  return yaml;
}

struct Asked {
  PostgresqlByHand::Statement statement;
  std::vector<PostgresqlByHand::Request> requests;
};

// What the sidecar does for spread_operations_on().
std::map<std::string, Asked> requests_by_hand() {
  using Statement = PostgresqlByHand::Statement;
  std::map<std::string, Asked> all = {
      {"get", {Statement::get, {}}}, {"save", {Statement::save, {}}}, {"bulk-get-100", {Statement::bulk_get, {}}}};
  const auto key_of = [](int i) { return fmt::format("bench||key-{}", i); };
  for (int i = 0; i < kSpread; ++i) {
    const int first = i * kSpreadStep;
    all["get"].requests.push_back({key_of(first), ""});
    all["save"].requests.push_back({key_of(first), value_text()});
    std::string keys;
    for (int k = 0; k < 100; ++k) keys += fmt::format("{}\"{}\"", k > 0 ? "," : "{", key_of(first + k));
    all["bulk-get-100"].requests.push_back({keys + "}", "", 100});
  }
  return all;
}

// Statements of user "app", as the server's log has them.
class StatementLog {
 public:
  explicit StatementLog(test::PostgresqlServer& server) : server_(server) { set("all"); }
  ~StatementLog() {
    try {
      set("none");
    } catch (const std::exception&) {
      // The server has gone, and its log with it.
    }
  }
  StatementLog(const StatementLog&) = delete;
  StatementLog& operator=(const StatementLog&) = delete;

  template <class Work>
  int count(Work work) const {
    std::ifstream log(server_.folder() / "log");
    log.seekg(0, std::ios::end);
    work();
    log.clear();
    int statements = 0;
    for (std::string line; std::getline(log, line);)
      statements += line.starts_with("app LOG:  execute ") || line.starts_with("app LOG:  statement: ") ? 1 : 0;
    return statements;
  }

 private:
  void set(const std::string& what) {
    server_.must("ALTER SYSTEM SET log_statement = '" + what + "'");
    server_.must("SELECT pg_reload_conf()");
    for (int i = 0; server_.value("SHOW log_statement") != what; ++i) {
      if (i == 1000) throw std::runtime_error("log_statement cannot be set");
      usleep(1000);
    }
    usleep(50'000);  // the server tells its other processes in the same moment
  }

  test::PostgresqlServer& server_;
};

// The CPU is that of this process, in which the client is.
ByHand client(test::PostgresqlServer& server) {
  // Its table is the sidecar's, which is not there yet.
  auto by_hand = std::make_shared<std::optional<PostgresqlByHand>>();
  return {.server = "pipelined",
          .protocol = "libpq",
          .name = "a pipelined client",
          .run = [&server, by_hand, asked = requests_by_hand()](const std::string& operation, int in_flight,
                                                                double seconds) {
            if (!*by_hand) by_hand->emplace(server.connection_string(), kTable, kConnections);
            const Asked& what = asked.at(operation);
            return measure(getpid(), server.pid(), [&] {
              return (*by_hand)->run({.in_flight = in_flight, .seconds = seconds}, what.statement, what.requests);
            });
          }};
}

int count_statements(const StatementLog& log, const DatabaseComparison& of, const std::string& protocol,
                     const std::string& name, int asked) {
  const SpreadOperation& operation = of.operation(name);
  const Load load{"127.0.0.1", of.port(protocol), 1, 1};
  return log.count([&] {
    for (int i = 0; i < asked; ++i) {
      if (protocol == "http")
        fetch_http(load, operation.http.front());
      else
        fetch_grpc(load, operation.grpc_path, operation.grpc_messages.front());
    }
  });
}

void count_statements(const StatementLog& log, const DatabaseComparison& of, const std::string& protocol,
                      Report& report) {
  constexpr int kAsked = 20;
  if (const int seen = count_statements(log, of, protocol, "get", kAsked); seen != kAsked)
    throw std::runtime_error(fmt::format("PostgreSQL's log has {} statements of {} gets", seen, kAsked));
  report.facts.push_back({fmt::format("{} bulk get of 100 keys on PostgreSQL: statements", protocol),
                          static_cast<double>(count_statements(log, of, protocol, "bulk-get-100", kAsked)) / kAsked, "",
                          1, false});
}

}  // namespace

void measure_postgresql(const DatabasePlan& plan, Report& report) {
  if (test::postgresql_programs().empty()) {
    std::cerr << "  PostgreSQL is left out: " << test::missing_postgresql() << '\n';
    return;
  }
  const auto server = start_on_its_core(plan, [] { return std::make_unique<test::PostgresqlServer>(durable()); });
  DatabaseComparison comparison(plan,
                                {.name = "PostgreSQL",
                                 .stores = {"postgresql", "postgresql-v1"},
                                 .components = components(*server),
                                 .pid = server->pid()},
                                client(*server), report);
  comparison.add_rows();
  for (const std::string protocol : {"http", "grpc"}) {
    comparison.compare(protocol, "get", {.together = 1});
    comparison.compare(protocol, "save", {.rate = 0.9, .together = 1});
    comparison.compare_bulk(protocol);
  }
  const StatementLog log(*server);
  for (const std::string protocol : {"http", "grpc"}) count_statements(log, comparison, protocol, report);
}

}  // namespace holdfast::bench
