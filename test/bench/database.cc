#include "bench/database.h"

#include <filesystem>
#include <fstream>

namespace holdfast::bench {

namespace fs = std::filesystem;

namespace {

constexpr int kInFlight = 32;

std::string write_components(const DatabasePlan& plan, const Database& database) {
  const std::string folder = plan.workspace + "/" + database.stores.front();
  fs::create_directories(folder);
  std::ofstream(folder + "/stores.yaml") << "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: memory}\n"
                                            "spec: {type: state.in-memory, version: v1}\n"
                                         << database.components;
  return folder;
}

}  // namespace

DatabaseComparison::DatabaseComparison(const DatabasePlan& plan, Database database, ByHand by_hand, Report& report)
    : plan_(plan),
      database_(std::move(database)),
      by_hand_(std::move(by_hand)),
      report_(report),
      sidecar_([&, folder = write_components(plan, database_)](int http,
                                                               int grpc) { return plan.command(http, grpc, folder); },
               plan.load_core, plan.workspace + "/" + database_.stores.front() + ".log") {
  std::vector<std::string> stores = database_.stores;
  stores.emplace_back("memory");
  for (const std::string& store : stores) {
    fetch_http({"127.0.0.1", sidecar_.http(), 1, 1}, seed_request(store, kSpreadKeys));
    for (SpreadOperation& operation : spread_operations_on(store))
      operations_[store][operation.name] = std::move(operation);
  }
}

void DatabaseComparison::add(const std::string& protocol, const std::string& store, const SpreadOperation& operation,
                             int in_flight) {
  report_.rows.push_back(row_of("holdfast", protocol, store, operation.name, in_flight,
                                through(protocol, operation, in_flight, plan_.seconds)));
}

void DatabaseComparison::add_rows() {
  for (const std::string protocol : {"http", "grpc"})
    for (const std::string& store : database_.stores)
      for (const auto& [name, operation] : operations_.at(store))
        for (const int in_flight : {1, kInFlight, 256})
          if (in_flight == kInFlight || store == database_.stores.front()) add(protocol, store, operation, in_flight);
  for (const std::string operation : {"get", "save", "bulk-get-100"})
    for (const int in_flight : {1, kInFlight})
      report_.rows.push_back(row_of(by_hand_.server, by_hand_.protocol, database_.stores.front(), operation, in_flight,
                                    by_hand_.run(operation, in_flight, plan_.seconds)));
}

void DatabaseComparison::compare(const std::string& protocol, const std::string& operation, const DatabaseBars& bars) {
  std::vector<double> rate;
  std::vector<double> memory;
  std::vector<double> client;
  std::vector<double> together;
  std::vector<double> database;
  const SpreadOperation& here = operations_.at(database_.stores.front()).at(operation);
  const SpreadOperation& beside = operations_.at("memory").at(operation);
  for (int turn = 0; turn < kTurns; ++turn) {
    const Measured alone = by_hand_.run(operation, kInFlight, kTurnSeconds);
    const Measured ours = through(protocol, here, kInFlight, kTurnSeconds);
    const Measured in_memory = through(protocol, beside, kInFlight, kTurnSeconds);
    rate.push_back(ours.load.per_second() / alone.load.per_second());
    if (in_memory.cpu_us > 0) memory.push_back(ours.cpu_us / in_memory.cpu_us);
    if (alone.cpu_us > 0) client.push_back(ours.cpu_us / alone.cpu_us);
    if (alone.cpu_us > 0 && in_memory.cpu_us > 0) together.push_back(ours.cpu_us / (in_memory.cpu_us + alone.cpu_us));
    if (alone.backend_us > 0) database.push_back(ours.backend_us / alone.backend_us);
  }
  const std::string name = fmt::format("{} {} on {}, {} in flight", protocol, operation, database_.name, kInFlight);
  bar(fmt::format("{}: rate over {}'s", name, by_hand_.name), middle(rate, name + ", rate"), "x", bars.rate, true);
  bar(name + ": CPU over that in memory and that client's", middle(together, name + ", together"), "x", bars.together);
  bar(name + ": CPU over the same in memory", middle(memory, name + ", memory"), "x", bars.memory);
  bar(name + ": CPU over that client's", middle(client, name + ", client"), "x", bars.client);
  bar(name + ": the database's CPU over that client's", middle(database, name + ", database"), "x", 0);
}

void DatabaseComparison::compare_bulk(const std::string& protocol) {
  std::vector<double> times;
  for (int turn = 0; turn < kTurns; ++turn) {
    Measured alone = by_hand_.run("bulk-get-100", 1, kTurnSeconds);
    Measured ours = through(protocol, operation("bulk-get-100"), 1, kTurnSeconds);
    const double least = alone.load.percentile_us(0.5);
    if (least > 0) times.push_back(ours.load.percentile_us(0.5) / least);
  }
  const std::string name = fmt::format("{} bulk get of 100 keys on {}", protocol, database_.name);
  bar(name + ": time over one query by hand", middle(times, name), "x", 0);
}

}  // namespace holdfast::bench
