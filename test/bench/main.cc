// tools/dev bench: what a request costs, beside the floors of the same run.
//
// The servers are pinned to one core and the load to another, so that CPU per request compares like with like; the
// ratios to the floors are what the project answers for (README, "Speed").
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "bench/bare_sqlite.h"
#include "bench/etcd.h"
#include "bench/floors.h"
#include "bench/load.h"
#include "bench/measure.h"
#include "bench/postgresql.h"
#include "bench/process.h"
#include "bench/redis.h"
#include "bench/report.h"
#include "bench/watch.h"
#include "bench/workload.h"

namespace holdfast::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kServerCore = 0;
constexpr int kLoadCore = 1;
constexpr std::string_view kParts[] = {"sqlite", "redis", "postgresql", "etcd", "watch", "near"};
struct Options {
  std::string holdfast = "build/release/holdfast";
  double seconds = 2;
  std::string json_file;
  std::string svg_file;
  std::string only;  // a part of it; empty: all
  std::string peer_host = "127.0.0.1";
  int peer_http = 0;  // 0: no peer
  int peer_grpc = 0;
  pid_t peer_pid = 0;
  std::string peer_store = "memory";
};

// A temporary directory that goes with the bench. On the file system of the build, where a disk is.
struct Workspace {
  fs::path path = fs::absolute("build/bench.tmp");
  Workspace() {
    fs::remove_all(path);
    fs::create_directories(path / "components");
  }
  ~Workspace() { fs::remove_all(path); }
};

void write_components(const Workspace& workspace, int redis_port) {
  std::ofstream file(workspace.path / "components/stores.yaml");
  file << "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: memory}\nspec: {type: state.in-memory, "
          "version: v1}\n"
       << "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: sqlite}\nspec:\n  type: state.sqlite\n"
       << "  version: v1\n  metadata: [{name: connectionString, value: \"" << (workspace.path / "state.db").string()
       << "\"}]\n";
  if (redis_port > 0)
    file << fmt::format(
        "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: redis}}\nspec:\n"
        "  type: state.redis\n  version: v1\n"
        "  metadata: [{{name: redisHost, value: \"127.0.0.1:{}\"}}]\n",
        redis_port);
}

class Bench {
 public:
  explicit Bench(Options options) : options_(std::move(options)) {}
  Report run();

 private:
  void measure_start();
  void measure_sidecar();
  void measure_server(const std::string& name, pid_t pid, int http_port, int grpc_port, const std::string& store,
                      const std::string& row_store, pid_t backend = 0);
  void measure_floors();
  // Something that is loaded: which process, where, with what.
  struct Side {
    pid_t pid;
    int port;
    const Operation& operation;
  };
  double ratio_in_turns(const std::string& protocol, const Side& side, const Side& floor);
  void compare_v2();
  void compare_near_cache();
  void measure_sqlite();
  void measure_redis();
  DatabasePlan database_plan() {
    const auto command = [this](int http, int grpc, const std::string& folder) {
      std::vector<std::string> words = sidecar_command(http, grpc, folder);
      words.insert(words.end(), {"--loops", "1"});
      return words;
    };
    return {command, kServerCore, kLoadCore, workspace_.path.string(), options_.seconds};
  }
  void measure_watchers() {
    const auto command = [this](int http, int grpc) {
      std::vector<std::string> words = sidecar_command()(http, grpc);
      words.insert(words.end(), {"--loops", "1"});
      return words;
    };
    measure_watch(command, kServerCore, workspace_.path.string(), report_);
  }
  void compare();
  const Row* find(const std::string& server, const std::string& protocol, const std::string& store,
                  const std::string& operation, int in_flight) const;
  void bar(std::string name, double value, std::string unit, double limit, bool at_least = false) {
    report_.facts.push_back({std::move(name), value, std::move(unit), limit, at_least});
  }
  // With the components of this folder, or with those of write_components().
  SidecarProcess::Command sidecar_command(std::string folder) const {
    return [this, folder = std::move(folder)](int http, int grpc) { return sidecar_command(http, grpc, folder); };
  }
  SidecarProcess::Command sidecar_command() const { return sidecar_command((workspace_.path / "components").string()); }
  // Saves what the operations on this store read.
  static void seed(const SidecarProcess& sidecar, const std::string& store) {
    fetch_http(Load{"127.0.0.1", sidecar.http(), 1, 1}, seed_request(store));
  }
  std::vector<std::string> sidecar_command(int http, int grpc, const std::string& folder) const {
    return {options_.holdfast,
            "--app-id",
            "bench",
            "--resources-path",
            folder,
            "--dapr-http-port",
            std::to_string(http),
            "--dapr-grpc-port",
            std::to_string(grpc),
            "--dapr-listen-addresses",
            "127.0.0.1",
            "--metrics-port",
            std::to_string(free_port()),
            "--log-level",
            "warn"};
  }

  Options options_;
  Workspace workspace_;
  std::optional<RedisUnderTest> redis_;
  Report report_;
  // What the sidecar answered, for the floors to repeat.
  std::map<std::string, std::string> http_answers_;
  std::map<std::string, std::string> grpc_answers_;
};

void Bench::measure_start() {
  double best = 1e9;
  double idle = 0;
  for (int i = 0; i < 5; ++i) {
    const int http = free_port();
    const double began = now_seconds();
    const Process sidecar(sidecar_command()(http, free_port()), -1, "");
    wait_for_port(http);
    best = std::min(best, (now_seconds() - began) * 1e3);
    Load load;
    load.port = http;
    fetch_http(load, http_request("GET", "/v1.0/healthz", ""));
    idle = resident_mib(sidecar.pid());
  }
  bar("start to ready (best of 5)", best, "ms", 25);
  bar(redis_ ? "resident, idle, memory, SQLite and Redis loaded" : "resident, idle, memory and SQLite loaded", idle,
      "MiB", 16);
  bar("binary, stripped", static_cast<double>(fs::file_size(options_.holdfast)) / (1 << 20), "MiB", 15);
}

void Bench::measure_server(const std::string& name, pid_t pid, int http_port, int grpc_port, const std::string& store,
                           const std::string& row_store, pid_t backend) {
  Load http{options_.peer_host, http_port, 1, options_.seconds};
  Load grpc{options_.peer_host, grpc_port, 1, options_.seconds};
  if (name == "holdfast") http.host = grpc.host = "127.0.0.1";
  fetch_http(http, seed_request(store));
  for (const Operation& operation : operations_on(store)) {
    const std::string key = row_store + "/" + operation.name;
    if (name == "holdfast") http_answers_[key] = fetch_http(http, operation.http);
    if (name == "holdfast" && grpc_port > 0)
      grpc_answers_[key] = fetch_grpc(grpc, operation.grpc_path, operation.grpc_message);
    for (const int in_flight : {1, 32, 256}) {
      http.in_flight = grpc.in_flight = in_flight;
      report_.rows.push_back(row_of(name, "http", row_store, operation.name, in_flight,
                                    measure_operation(pid, backend, http, "http", operation)));
      if (grpc_port > 0)
        report_.rows.push_back(row_of(name, "grpc", row_store, operation.name, in_flight,
                                      measure_operation(pid, backend, grpc, "grpc", operation)));
    }
  }
}

void Bench::measure_sidecar() {
  const SidecarProcess sidecar(sidecar_command(), kServerCore, (workspace_.path / "holdfast.log").string());
  for (const std::string store : {"memory", "sqlite"})
    measure_server("holdfast", sidecar.pid(), sidecar.http(), sidecar.grpc(), store, store);
  if (redis_)
    measure_server("holdfast", sidecar.pid(), sidecar.http(), sidecar.grpc(), "redis", "redis", redis_->pid());
  bar("resident after the load", resident_mib(sidecar.pid()), "MiB", 0);
}

// How often the floor's CPU per request the side's is, both loaded in turn with 32 in flight.
double Bench::ratio_in_turns(const std::string& protocol, const Side& side, const Side& floor) {
  // More and shorter turns than with a database, which takes its time: two sides are a few per cent apart.
  constexpr int kShortTurns = 25;
  constexpr double kShortTurnSeconds = 0.2;
  std::vector<double> ratios;
  const auto cost = [&protocol](const Side& of) {
    const Load load{"127.0.0.1", of.port, 32, kShortTurnSeconds};
    return measure_operation(of.pid, 0, load, protocol, of.operation).cpu_us;
  };
  for (int turn = 0; turn < kShortTurns; ++turn) {
    const bool ours_first = turn % 2 == 0;
    const double first = cost(ours_first ? side : floor);
    const double second = cost(ours_first ? floor : side);
    if (first > 0 && second > 0) ratios.push_back(ours_first ? first / second : second / first);
  }
  return middle(std::move(ratios), protocol + " " + side.operation.name);
}

// Our own API beside Dapr's.
void Bench::compare_v2() {
  const SidecarProcess sidecar(sidecar_command(), kServerCore);
  seed(sidecar, "memory");
  std::map<std::string, Operation> v1;
  for (const Operation& operation : operations_on("memory")) v1[operation.name] = operation;
  for (const Operation& operation : v2_operations_on("memory")) {
    fetch_http(Load{"127.0.0.1", sidecar.http(), 1, 1}, operation.http);
    fetch_grpc(Load{"127.0.0.1", sidecar.grpc(), 1, 1}, operation.grpc_path, operation.grpc_message);
    for (const std::string protocol : {"http", "grpc"}) {
      const int port = sidecar.port(protocol);
      bar(fmt::format("{} {} in memory by v2: CPU over the same by v1", protocol, operation.name),
          ratio_in_turns(protocol, {sidecar.pid(), port, operation}, {sidecar.pid(), port, v1[operation.name]}), "x",
          1.15);
    }
  }
}

// A reading that the near cache serves, beside one that the memory store serves. Without levels in the requests, so
// that both answer the same bytes to the same bytes.
void Bench::compare_near_cache() {
  const fs::path folder = workspace_.path / "near";
  fs::create_directories(folder);
  std::ofstream(folder / "stores.yaml")
      << "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: memory}\nspec: {type: state.in-memory, "
         "version: v1}\n---\n"
         "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: nearby}\nspec:\n  type: state.in-memory\n"
         "  version: v1\n  metadata:\n  - {name: nearCache, value: \"true\"}\n  - {name: consistency, value: "
         "eventual}\n";
  const SidecarProcess sidecar(sidecar_command(folder.string()), kServerCore);
  for (const std::string store : {"memory", "nearby"}) seed(sidecar, store);
  const Operation memory = operations_on("memory").front();
  const Operation nearby = operations_on("nearby").front();
  for (const std::string protocol : {"http", "grpc"}) {
    const int port = sidecar.port(protocol);
    // What two runs of one program differ by on a quiet machine.
    constexpr double kNoise = 0.03;
    bar(fmt::format("{} get from the near cache: CPU over the same from memory", protocol),
        ratio_in_turns(protocol, {sidecar.pid(), port, nearby}, {sidecar.pid(), port, memory}), "x", 1 + kNoise);
  }
}

// The same bytes in and out, for the operations that the bars are about.
void Bench::measure_floors() {
  const SidecarProcess sidecar(sidecar_command(), kServerCore);
  seed(sidecar, "memory");
  for (const Operation& operation : operations_on("memory")) {
    const std::string key = "memory/" + operation.name;
    const std::string http_file = (workspace_.path / "answer.http").string();
    const std::string grpc_file = (workspace_.path / "answer.grpc").string();
    std::ofstream(http_file, std::ios::binary) << http_answers_[key];
    std::ofstream(grpc_file, std::ios::binary) << grpc_answers_[key];
    for (const std::string protocol : {"http", "grpc"}) {
      const int port = free_port();
      const Process floor(
          {"/proc/self/exe", "--floor", protocol, std::to_string(port), protocol == "http" ? http_file : grpc_file},
          kServerCore, "");
      wait_for_port(port);
      for (const int in_flight : {32, 256}) {
        const Load load{"127.0.0.1", port, in_flight, options_.seconds};
        report_.rows.push_back(row_of("floor", protocol, "memory", operation.name, in_flight,
                                      measure_operation(floor.pid(), 0, load, protocol, operation)));
      }
      if (operation.name == "get" || operation.name == "save")
        bar(fmt::format("{} {} in memory, 32 in flight: CPU over the bare loop", protocol, operation.name),
            ratio_in_turns(protocol, {sidecar.pid(), sidecar.port(protocol), operation},
                           {floor.pid(), port, operation}),
            "x", 1.6);
    }
  }
}

void Bench::measure_redis() {
  if (!redis_) {
    std::cerr << "  there is no redis-server here: Redis is left out. tools/dev bench fetches one\n";
    return;
  }
  const SidecarProcess sidecar(sidecar_command(), kServerCore);
  for (const std::string store : {"memory", "redis"}) seed(sidecar, store);
  compare_redis(*redis_, {sidecar.pid(), sidecar.http(), sidecar.grpc(), kServerCore, workspace_.path.string()},
                options_.seconds, report_);
}

Measured measure_bare(BareSqlite& bare, double seconds) {
  return measure(getpid(), 0, [&] {
    LoadResult result;
    const double began = now_seconds();
    while (now_seconds() - began < seconds) {
      bare.save_batch([&] {
        const std::uint64_t row = result.requests++;
        return BareSqlite::Row{.key = "bench||key-" + std::to_string(row % 1000),
                               .value = value_text(),
                               .etag = "6f1c1a0e-9a34-4f0e-8d4e-" + std::to_string(100000000000 + row)};
      });
    }
    result.seconds = now_seconds() - began;
    return result;
  });
}

// Durable saves beside what SQLite and the disk do alone, in turns, because disks stall.
void Bench::measure_sqlite() {
  const SidecarProcess sidecar(sidecar_command(), kServerCore);
  seed(sidecar, "sqlite");
  const std::vector<Operation> operations = operations_on("sqlite");
  const Operation& save = *std::ranges::find(operations, "save", &Operation::name);
  const std::string directory = workspace_.path.string();
  BareSqlite bare(directory + "/floor.db");
  std::map<std::string, std::vector<double>> of;
  for (int turn = 0; turn < kTurns; ++turn) {
    const double syncs = syncs_per_second(directory, kTurnSeconds);
    const Measured rows = measure_bare(bare, kTurnSeconds);
    of["syncs"].push_back(syncs);
    of["rows"].push_back(rows.load.per_second());
    of["row CPU"].push_back(rows.cpu_us);
    for (const std::string protocol : {"http", "grpc"}) {
      const Load load{"127.0.0.1", sidecar.port(protocol), 32, kTurnSeconds};
      const Measured measured = measure_operation(sidecar.pid(), 0, load, protocol, save);
      of[protocol + " CPU"].push_back(measured.cpu_us);
      of[protocol + " rate"].push_back(measured.load.per_second());
      of[protocol + " share"].push_back(measured.load.per_second() / std::min(8 * syncs, 0.4 * rows.load.per_second()));
    }
  }
  const auto middle_of = [&of](const std::string& name) { return middle(of[name], name); };
  bar("fdatasync of a 4 KiB append", middle_of("syncs"), "/s", 0);
  bar("bare SQLite, batches of 16: rows", middle_of("rows"), "/s", 0);
  bar("bare SQLite, batches of 16: CPU", middle_of("row CPU"), "us/row", 0);
  for (const std::string protocol : {"http", "grpc"}) {
    const std::string name = protocol + " durable save on SQLite x32: ";
    bar(name + "rate", middle_of(protocol + " rate"), "/s", 0);
    bar(name + "CPU", middle_of(protocol + " CPU"), "us", 25);
    bar(name + "rate over 8 fdatasyncs or 0.4 rows", middle_of(protocol + " share"), "x", 1, true);
  }
}

const Row* Bench::find(const std::string& server, const std::string& protocol, const std::string& store,
                       const std::string& operation, int in_flight) const {
  for (const Row& row : report_.rows)
    if (row.server == server && row.protocol == protocol && row.store == store && row.operation == operation &&
        row.in_flight == in_flight)
      return &row;
  return nullptr;
}

void Bench::compare() {
  for (Row& row : report_.rows) {
    const Row* floor = find("floor", row.protocol, row.store, row.operation, row.in_flight);
    if (row.server != "floor" && floor != nullptr && floor->cpu_us > 0) row.ratio = row.cpu_us / floor->cpu_us;
  }
}

std::string machine() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::string model = "unknown processor";
  for (std::string line; std::getline(cpuinfo, line);)
    if (line.starts_with("model name")) model = line.substr(line.find(": ") + 2);
  return fmt::format("{}, {} cores; servers on core {}, load on core {}", model, std::thread::hardware_concurrency(),
                     kServerCore, kLoadCore);
}

Report Bench::run() {
  if (const std::string program = redis_program(); !program.empty()) redis_.emplace(program, kServerCore);
  write_components(workspace_, redis_ ? redis_->port() : 0);
  report_.machine = machine();
  if (!options_.only.empty()) {
    pin_to(kLoadCore);
    if (options_.only == "sqlite") measure_sqlite();
    if (options_.only == "redis") measure_redis();
    if (options_.only == "postgresql") measure_postgresql(database_plan(), report_);
    if (options_.only == "etcd") measure_etcd(database_plan(), report_);
    if (options_.only == "watch") measure_watchers();
    if (options_.only == "near") compare_near_cache();
    return report_;
  }
  std::cerr << "start-up and size\n";
  measure_start();
  pin_to(kLoadCore);
  std::cerr << "holdfast\n";
  measure_sidecar();
  std::cerr << "floors\n";
  measure_floors();
  compare_v2();
  compare_near_cache();
  measure_sqlite();
  std::cerr << "watch\n";
  measure_watchers();
  std::cerr << "Redis\n";
  measure_redis();
  std::cerr << "PostgreSQL\n";
  measure_postgresql(database_plan(), report_);
  std::cerr << "etcd\n";
  measure_etcd(database_plan(), report_);
  if (options_.peer_http > 0) {
    std::cerr << "peer\n";
    measure_server("peer", options_.peer_pid, options_.peer_http, options_.peer_grpc, options_.peer_store, "memory");
  }
  compare();
  return report_;
}

int usage() {
  std::cerr << "usage: holdfast_bench [--holdfast FILE] [--seconds S] [--json FILE] [--svg FILE]\n"
               "         [--only sqlite|redis|postgresql|etcd|watch|near]\n"
               "         [--peer http://HOST:PORT] [--peer-grpc PORT] [--peer-pid PID] [--peer-store NAME]\n"
               "A peer is any sidecar that speaks Dapr's state API; its CPU is measured when its pid is given.\n";
  return 2;
}

bool read_peer(const std::string& url, Options& options) {
  const std::size_t slashes = url.find("://");
  const std::size_t colon = url.rfind(':');
  if (slashes == std::string::npos || colon <= slashes) return false;
  options.peer_host = url.substr(slashes + 3, colon - slashes - 3);
  if (options.peer_host == "localhost") options.peer_host = "127.0.0.1";
  options.peer_http = std::stoi(url.substr(colon + 1));
  return true;
}

std::string bytes_of(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int floor_main(char** argv) {
  const std::string canned = bytes_of(argv[4]);
  if (std::string(argv[2]) == "http") serve_http_floor(std::stoi(argv[3]), canned);
  if (std::string(argv[2]) == "watch") serve_watch_floor(std::stoi(argv[3]), canned);
  serve_grpc_floor(std::stoi(argv[3]), canned);
}

// --relay PROTOCOL PORT ANSWER_FILE REDIS_PORT REQUEST_FILE REPLIES
int relay_main(char** argv) {
  const std::string answer = bytes_of(argv[4]);
  const RelayTo to{std::stoi(argv[5]), bytes_of(argv[6]), static_cast<std::uint32_t>(std::stoul(argv[7]))};
  if (std::string(argv[2]) == "http") serve_http_relay(std::stoi(argv[3]), answer, to);
  serve_grpc_relay(std::stoi(argv[3]), answer, to);
}

int bench_main(int argc, char** argv) {
  if (argc == 8 && std::string(argv[1]) == "--relay") return relay_main(argv);
  if (argc == 5 && std::string(argv[1]) == "--floor") return floor_main(argv);
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--holdfast")
      options.holdfast = value;
    else if (name == "--seconds")
      options.seconds = std::stod(value);
    else if (name == "--json")
      options.json_file = value;
    else if (name == "--svg")
      options.svg_file = value;
    else if (name == "--only" && std::ranges::find(kParts, value) != std::end(kParts))
      options.only = value;
    else if (name == "--peer" && read_peer(value, options))
      continue;
    else if (name == "--peer-grpc")
      options.peer_grpc = std::stoi(value);
    else if (name == "--peer-pid")
      options.peer_pid = std::stoi(value);
    else if (name == "--peer-store")
      options.peer_store = value;
    else
      return usage();
  }
  if (argc % 2 == 0) return usage();
  const Report report = Bench(options).run();
  std::cout << table(report);
  if (!options.json_file.empty()) std::ofstream(options.json_file) << json(report);
  if (!options.svg_file.empty()) std::ofstream(options.svg_file) << svg(report);
  return 0;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  try {
    return holdfast::bench::bench_main(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "bench: " << e.what() << '\n';
    return 1;
  }
}
