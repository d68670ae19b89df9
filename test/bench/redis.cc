#include "bench/redis.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "bench/load.h"
#include "bench/measure.h"
#include "stores/redis/mapping.h"
#include "wire/resp/command.h"

namespace holdfast::bench {

namespace redis = stores::redis;

namespace {

constexpr int kInFlight = 32;

// A request of a direct client.
RespRequest direct_get() {
  RespRequest direct{{}, redis::kGetReplies, {}};
  redis::append_get(direct.bytes, {.key = "bench||key-0"}, redis::Expiry::at);
  return direct;
}

RespRequest direct_save(redis::Sending sending) {
  const std::string value = value_text();
  state::SetRequest request;
  request.key = "bench||key-0";
  request.value = value;
  request.shape = state::Shape::json;
  redis::WriteContext context;
  context.now = Clock::system().wall();
  context.principal = "bench";
  context.write_id = "abcdefgh1234567";
  context.sending = sending;
  RespRequest direct;
  if (auto appended = redis::append_set(direct.bytes, request, context); !appended)
    throw std::runtime_error(appended.error().message);
  const std::string clock = std::to_string(context.now.us);
  for (std::size_t at = 0; (at = direct.bytes.find(clock, at)) != std::string::npos; at += clock.size())
    direct.clocks.push_back(at);
  return direct;
}

RespRequest direct_bulk() {
  RespRequest direct{{}, 100 * redis::kGetReplies, {}};
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) keys.push_back(fmt::format("bench||key-{}", i));
  for (const std::string& key : keys) redis::append_get(direct.bytes, {.key = key}, redis::Expiry::at);
  return direct;
}

// A relay that does the least: `direct` for each request, and the sidecar's own answer.
class Relay {
 public:
  Relay(const RedisUnderTest& redis, const SidecarUnderTest& sidecar, const std::string& protocol,
        const Operation& operation, const RespRequest& direct)
      : port_(free_port()),
        process_({"/proc/self/exe", "--relay", protocol, std::to_string(port_),
                  file_of(sidecar, "relay.answer", answer(sidecar, protocol, operation)), std::to_string(redis.port()),
                  file_of(sidecar, "relay.request", direct.bytes), std::to_string(direct.replies)},
                 sidecar.cpu, "") {
    wait_for_port(port_);
  }

  pid_t pid() const { return process_.pid(); }
  int port() const { return port_; }

 private:
  static std::string answer(const SidecarUnderTest& sidecar, const std::string& protocol, const Operation& operation) {
    const Load load{"127.0.0.1", protocol == "http" ? sidecar.http : sidecar.grpc, 1, 1};
    return protocol == "http" ? fetch_http(load, operation.http)
                              : fetch_grpc(load, operation.grpc_path, operation.grpc_message);
  }
  static std::string file_of(const SidecarUnderTest& sidecar, const std::string& name, const std::string& bytes) {
    std::string file = sidecar.workspace + "/" + name;
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }

  const int port_;
  Process process_;
};

class Comparison {
 public:
  Comparison(const RedisUnderTest& redis, const SidecarUnderTest& sidecar, double seconds, Report& report)
      : redis_(redis), sidecar_(sidecar), seconds_(seconds), report_(report) {
    for (const Operation& operation : operations_on("redis")) operations_[operation.name] = operation;
    for (const Operation& operation : operations_on("memory")) in_memory_[operation.name] = operation;
  }

  void run() {
    (void)direct(direct_save(redis::Sending::in_full), 1, 1, 0.05);  // loads the script
    const RespRequest get = direct_get();
    const RespRequest save = direct_save(redis::Sending::by_hash);
    const RespRequest bulk = direct_bulk();
    add_direct("direct", "get", get, 1);
    add_direct("pipelined", "get", get, kInFlight);
    add_direct("direct", "save", save, 1);
    add_direct("pipelined", "save", save, kInFlight);
    for (const std::string protocol : {"http", "grpc"}) {
      compare(protocol, "get", get, 1.0 / 3);
      compare(protocol, "save", save, 0.65);
      compare_latency(protocol, "get", get);
      compare_bulk(protocol, bulk);
    }
  }

 private:
  Measured direct(const RespRequest& request, int in_flight, int depth, double seconds) {
    const Load load{"127.0.0.1", redis_.port(), in_flight, seconds};
    return measure(redis_.pid(), redis_.pid(), [&] { return run_resp(load, request, depth); });
  }
  Measured through(const std::string& protocol, const Operation& operation, int in_flight, double seconds) {
    const Load load{"127.0.0.1", protocol == "http" ? sidecar_.http : sidecar_.grpc, in_flight, seconds};
    return measure_operation(sidecar_.pid, redis_.pid(), load, protocol, operation);
  }
  static Measured through(const Relay& relay, const std::string& protocol, const Operation& operation, int in_flight) {
    return measure_operation(relay.pid(), 0, {"127.0.0.1", relay.port(), in_flight, kTurnSeconds}, protocol, operation);
  }
  void add_direct(const std::string& client, const std::string& operation, const RespRequest& request, int depth) {
    for (const int in_flight : {1, kInFlight}) {
      if (in_flight < depth) continue;
      Measured measured = direct(request, in_flight, depth, seconds_);
      measured.cpu_us = 0;  // that was the database's
      report_.rows.push_back(row_of(client, "resp", "redis", operation, in_flight, std::move(measured)));
    }
  }
  void bar(std::string name, double value, std::string unit, double limit) {
    report_.facts.push_back({std::move(name), value, std::move(unit), limit, false});
  }

  void compare(const std::string& protocol, const std::string& operation, const RespRequest& request, double most) {
    const Relay relay(redis_, sidecar_, protocol, operations_[operation], request);
    std::vector<double> database;
    std::vector<double> ours;
    std::vector<double> bare;
    for (int turn = 0; turn < kTurns; ++turn) {
      const Measured through_us = through(protocol, operations_[operation], kInFlight, kTurnSeconds);
      const Measured alone = direct(request, kInFlight, 1, kTurnSeconds);
      const Measured memory = through(protocol, in_memory_[operation], kInFlight, kTurnSeconds);
      if (alone.backend_us > 0) database.push_back(through_us.backend_us / alone.backend_us);
      const Measured relayed = through(relay, protocol, operations_[operation], kInFlight);
      if (memory.cpu_us > 0) ours.push_back(through_us.cpu_us / memory.cpu_us);
      if (relayed.cpu_us > 0) bare.push_back(through_us.cpu_us / relayed.cpu_us);
    }
    const std::string name = fmt::format("{} {} on Redis, 32 in flight", protocol, operation);
    bar(name + ": redis-server's CPU over direct clients'", middle(database, name + ", database"), "x", most);
    bar(name + ": CPU over the same in memory", middle(ours, name + ", ours"), "x", protocol == "http" ? 1.8 : 0);
    bar(name + ": CPU over a bare relay's", middle(bare, name + ", relay"), "x", 1.6);
  }

  void compare_latency(const std::string& protocol, const std::string& operation, const RespRequest& request) {
    const Relay relay(redis_, sidecar_, protocol, operations_[operation], request);
    std::vector<double> more;
    std::vector<double> bare;
    for (int turn = 0; turn < kTurns; ++turn) {
      Measured through_us = through(protocol, operations_[operation], 1, kTurnSeconds);
      Measured alone = direct(request, 1, 1, kTurnSeconds);
      Measured relayed = through(relay, protocol, operations_[operation], 1);
      more.push_back(through_us.load.percentile_us(0.5) - alone.load.percentile_us(0.5));
      bare.push_back(through_us.load.percentile_us(0.5) - relayed.load.percentile_us(0.5));
    }
    const std::string name = fmt::format("{} {} on Redis, one client", protocol, operation);
    bar(name + ": p50 beyond a direct client's", middle(more, name), "us", protocol == "http" ? 35 : 0);
    bar(name + ": p50 beyond a bare relay's", middle(bare, name + ", relay"), "us", 20);
  }

  void compare_bulk(const std::string& protocol, const RespRequest& request) {
    const Relay relay(redis_, sidecar_, protocol, operations_["bulk-get-100"], request);
    std::vector<double> times;
    std::vector<double> bare;
    for (int turn = 0; turn < kTurns; ++turn) {
      Measured through_us = through(protocol, operations_["bulk-get-100"], 1, kTurnSeconds);
      Measured alone = direct(request, 1, 1, kTurnSeconds);
      Measured relayed = through(relay, protocol, operations_["bulk-get-100"], 1);
      const double by_hand = alone.load.percentile_us(0.5);
      if (by_hand == 0) continue;
      times.push_back(through_us.load.percentile_us(0.5) / by_hand);
      bare.push_back(through_us.load.percentile_us(0.5) / relayed.load.percentile_us(0.5));
    }
    const std::string name = fmt::format("{} bulk get of 100 keys on Redis", protocol);
    bar(name + ": time over one pipeline by hand", middle(times, name), "x", 0);
    bar(name + ": time over a bare relay's", middle(bare, name + ", relay"), "x", 1.3);
  }

  const RedisUnderTest& redis_;
  const SidecarUnderTest& sidecar_;
  const double seconds_;
  Report& report_;
  std::map<std::string, Operation> operations_;
  std::map<std::string, Operation> in_memory_;
};

}  // namespace

std::string redis_program() {
  if (const char* named = std::getenv("HOLDFAST_REDIS_SERVER"); named != nullptr && *named != '\0') return named;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (const std::string program = folder + "/redis-server"; access(program.c_str(), X_OK) == 0) return program;
  return {};
}

RedisUnderTest::RedisUnderTest(const std::string& program, int cpu)
    : port_(free_port()),
      process_({program, "--port", std::to_string(port_), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"},
               cpu, "") {
  wait_for_port(port_);
}

void compare_redis(const RedisUnderTest& redis, const SidecarUnderTest& sidecar, double seconds, Report& report) {
  Comparison(redis, sidecar, seconds, report).run();
}

}  // namespace holdfast::bench
