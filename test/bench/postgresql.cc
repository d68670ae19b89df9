#include "bench/postgresql.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>

#include "bench/load.h"
#include "bench/load_postgresql.h"
#include "bench/measure.h"
#include "support/postgresql_servers.h"

namespace holdfast::bench {

namespace fs = std::filesystem;

namespace {

constexpr int kInFlight = 32;
constexpr int kConnections = 4;  // of the component, and of the client by hand
constexpr const char* kTable = "state";

// A save is on the disk when it is answered. Every statement that is logged says whose it is.
test::PostgresqlOptions durable() {
  test::PostgresqlOptions options;
  options.fsync = true;
  options.settings = {"synchronous_commit = on", "log_line_prefix = '%u '"};
  return options;
}

// In the workspace, on the file system of the build, where a disk is.
std::unique_ptr<test::PostgresqlServer> start_server(const PostgresqlPlan& plan) {
  setenv("TMPDIR", plan.workspace.c_str(), 1);
  pin_to(plan.database_core);
  auto server = std::make_unique<test::PostgresqlServer>(durable());
  pin_to(plan.load_core);
  return server;
}

std::string write_components(const PostgresqlPlan& plan, const test::PostgresqlServer& server) {
  const std::string folder = plan.workspace + "/postgresql";
  fs::create_directories(folder);
  std::ofstream file(folder + "/stores.yaml");
  file << "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: memory}\n"
          "spec: {type: state.in-memory, version: v1}\n";
  for (const std::string version : {"v1", "v2"})
    file << fmt::format(
        "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: postgresql{}}}\nspec:\n"
        "  type: state.postgresql\n  version: {}\n  metadata:\n  - {{name: connectionString, value: \"{}\"}}\n"
        "  - {{name: maxConns, value: \"{}\"}}\n  - {{name: {}, value: {}}}\n",
        version == "v1" ? "-v1" : "", version, server.connection_string(), kConnections,
        version == "v1" ? "tableName" : "tablePrefix", version == "v1" ? "state_v1" : "\"\"");
  return folder;
}

struct ByHand {
  PostgresqlByHand::Statement statement;
  std::vector<PostgresqlByHand::Request> requests;
};

// What the sidecar does for spread_operations_on().
std::map<std::string, ByHand> requests_by_hand() {
  using Statement = PostgresqlByHand::Statement;
  std::map<std::string, ByHand> all = {
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

class Comparison {
 public:
  Comparison(const PostgresqlPlan& plan, test::PostgresqlServer& server, Report& report)
      : plan_(plan),
        server_(server),
        report_(report),
        sidecar_(plan.command(http_, grpc_, write_components(plan, server)), plan.load_core,
                 plan.workspace + "/postgresql.log") {
    wait_for_port(http_);
    for (const std::string store : {"memory", "postgresql", "postgresql-v1"}) {
      fetch_http({"127.0.0.1", http_, 1, 1}, seed_request(store, kSpreadKeys));
      for (SpreadOperation& operation : spread_operations_on(store))
        operations_[store][operation.name] = std::move(operation);
    }
    by_hand_.emplace(server.connection_string(), kTable, kConnections);
  }

  void run() {
    for (const std::string protocol : {"http", "grpc"}) {
      for (const auto& [name, operation] : operations_["postgresql"])
        for (const int in_flight : {1, kInFlight, 256}) add(protocol, "postgresql", operation, in_flight);
      for (const auto& [name, operation] : operations_["postgresql-v1"])
        add(protocol, "postgresql-v1", operation, kInFlight);
    }
    for (const std::string operation : {"get", "save", "bulk-get-100"})
      for (const int in_flight : {1, kInFlight}) add_by_hand(operation, in_flight);
    for (const std::string protocol : {"http", "grpc"}) {
      compare(protocol, "get");
      compare(protocol, "save");
      compare_bulk(protocol);
    }
    const StatementLog log(server_);
    for (const std::string protocol : {"http", "grpc"}) count_statements(log, protocol);
  }

 private:
  int port(const std::string& protocol) const { return protocol == "http" ? http_ : grpc_; }
  Measured through(const std::string& protocol, const SpreadOperation& operation, int in_flight, double seconds) {
    return measure_operation(sidecar_.pid(), server_.pid(), {"127.0.0.1", port(protocol), in_flight, seconds}, protocol,
                             operation);
  }
  // The CPU is that of this process, in which the client is.
  Measured by_hand(const std::string& operation, int in_flight, double seconds) {
    const ByHand& asked = asked_by_hand_.at(operation);
    return measure(getpid(), server_.pid(), [&] {
      return by_hand_->run({.in_flight = in_flight, .seconds = seconds}, asked.statement, asked.requests);
    });
  }
  void add(const std::string& protocol, const std::string& store, const SpreadOperation& operation, int in_flight) {
    report_.rows.push_back(row_of("holdfast", protocol, store, operation.name, in_flight,
                                  through(protocol, operation, in_flight, plan_.seconds)));
  }
  void add_by_hand(const std::string& operation, int in_flight) {
    report_.rows.push_back(
        row_of("pipelined", "libpq", "postgresql", operation, in_flight, by_hand(operation, in_flight, plan_.seconds)));
  }
  void bar(std::string name, double value, std::string unit, double limit, bool at_least = false) {
    report_.facts.push_back({std::move(name), value, std::move(unit), limit, at_least});
  }

  void compare(const std::string& protocol, const std::string& operation) {
    std::vector<double> rate;
    std::vector<double> memory;
    std::vector<double> client;
    std::vector<double> together;
    std::vector<double> database;
    for (int turn = 0; turn < kTurns; ++turn) {
      const Measured alone = by_hand(operation, kInFlight, kTurnSeconds);
      const Measured ours = through(protocol, operations_["postgresql"][operation], kInFlight, kTurnSeconds);
      const Measured in_memory = through(protocol, operations_["memory"][operation], kInFlight, kTurnSeconds);
      rate.push_back(ours.load.per_second() / alone.load.per_second());
      if (in_memory.cpu_us > 0) memory.push_back(ours.cpu_us / in_memory.cpu_us);
      if (alone.cpu_us > 0) client.push_back(ours.cpu_us / alone.cpu_us);
      if (alone.cpu_us > 0 && in_memory.cpu_us > 0) together.push_back(ours.cpu_us / (in_memory.cpu_us + alone.cpu_us));
      if (alone.backend_us > 0) database.push_back(ours.backend_us / alone.backend_us);
    }
    const std::string name = fmt::format("{} {} on PostgreSQL, 32 in flight", protocol, operation);
    const bool is_save = operation == "save";
    bar(name + ": rate over a pipelined client's", middle(rate, name + ", rate"), "x", is_save ? 0.9 : 0, true);
    bar(name + ": CPU over that in memory and that client's", middle(together, name + ", together"), "x", 1);
    bar(name + ": CPU over the same in memory", middle(memory, name + ", memory"), "x", 0);
    bar(name + ": CPU over that client's", middle(client, name + ", client"), "x", 0);
    bar(name + ": postgres's CPU over that client's", middle(database, name + ", database"), "x", 0);
  }

  void compare_bulk(const std::string& protocol) {
    const SpreadOperation& operation = operations_["postgresql"]["bulk-get-100"];
    std::vector<double> times;
    for (int turn = 0; turn < kTurns; ++turn) {
      Measured alone = by_hand("bulk-get-100", 1, kTurnSeconds);
      Measured ours = through(protocol, operation, 1, kTurnSeconds);
      const double least = alone.load.percentile_us(0.5);
      if (least > 0) times.push_back(ours.load.percentile_us(0.5) / least);
    }
    const std::string name = fmt::format("{} bulk get of 100 keys on PostgreSQL", protocol);
    bar(name + ": time over one query by hand", middle(times, name), "x", 0);
  }

  void count_statements(const StatementLog& log, const std::string& protocol) {
    constexpr int kAsked = 20;
    const auto count = [&](const std::string& name) {
      const SpreadOperation& operation = operations_["postgresql"][name];
      const Load load{"127.0.0.1", port(protocol), 1, 1};
      return log.count([&] {
        for (int i = 0; i < kAsked; ++i) {
          if (protocol == "http")
            fetch_http(load, operation.http.front());
          else
            fetch_grpc(load, operation.grpc_path, operation.grpc_messages.front());
        }
      });
    };
    if (const int seen = count("get"); seen != kAsked)
      throw std::runtime_error(fmt::format("PostgreSQL's log has {} statements of {} gets", seen, kAsked));
    bar(fmt::format("{} bulk get of 100 keys on PostgreSQL: statements", protocol),
        static_cast<double>(count("bulk-get-100")) / kAsked, "", 1);
  }

  const PostgresqlPlan& plan_;
  test::PostgresqlServer& server_;
  Report& report_;
  const int http_ = free_port();
  const int grpc_ = free_port();
  Process sidecar_;
  std::map<std::string, std::map<std::string, SpreadOperation>> operations_;  // by store and name
  const std::map<std::string, ByHand> asked_by_hand_ = requests_by_hand();
  std::optional<PostgresqlByHand> by_hand_;
};

}  // namespace

void measure_postgresql(const PostgresqlPlan& plan, Report& report) {
  if (test::postgresql_programs().empty()) {
    std::cerr << "  PostgreSQL is left out: " << test::missing_postgresql() << '\n';
    return;
  }
  const auto server = start_server(plan);
  Comparison(plan, *server, report).run();
}

}  // namespace holdfast::bench
