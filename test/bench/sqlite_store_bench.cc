// What a durable save costs: the store with `in flight` coroutines on one loop, against bare SQLite
// that upserts into Dapr's table in transactions of 16. Same folder, same keys, same run.
//
//   sqlite_store_bench FOLDER [saves=40000] [in flight=32] [keys=10000] [value bytes=100] [?query
//   of the connection string]
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "base/encoding.h"
#include "base/random.h"
#include "bench/bare_sqlite.h"
#include "state/component.h"
#include "stores/sqlite/type.h"
#include "support/test_loop.h"

namespace {

using namespace holdfast;

struct Plan {
  std::string folder;
  int saves = 40'000;
  int in_flight = 32;
  int keys = 10'000;
  std::string value;
  std::string query;
};

struct Cost {
  double seconds = 0;
  double cpu = 0;
};

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

template <class Work>
Cost measure(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), cpu_seconds() - cpu};
}

std::string key_of(std::mt19937& random, const Plan& plan) {
  return fmt::format("app||key-{:08}", std::uniform_int_distribution<int>(0, plan.keys - 1)(random));
}

void print(const char* name, const Plan& plan, const Cost& cost) {
  fmt::print("{:24} {:9.0f} saves/s {:7.1f} us CPU each\n", name, plan.saves / cost.seconds,
             cost.cpu / plan.saves * 1e6);
}

Task<void> save_many(state::StateStore& store, const Plan& plan, unsigned seed, int count, int& running) {
  std::mt19937 random(seed);
  state::CallContext context;
  context.principal = "app";
  for (int i = 0; i < count; ++i) {
    const std::string key = key_of(random, plan);
    state::SetRequest request;
    request.key = key;
    request.value = plan.value;
    const auto written = co_await store.set(context, request);
    if (!written) {
      fmt::print("save failed: {}\n", written.error().message);
      std::exit(1);
    }
  }
  --running;
}

Cost store_saves(const Plan& plan) {
  state::Component component;
  component.name = "bench";
  component.type = "state.sqlite";
  component.properties = {{"connectionString", plan.folder + "/store.db" + plan.query}};
  auto core = stores::kSqliteType.prepare(component, {.clock = Clock::system(), .loops = 1}).value();
  test::TestLoop loop;
  const auto store = loop.run(core->open(loop)).value();
  const auto run = [&] {
    int running = plan.in_flight;
    for (int i = 0; i < plan.in_flight; ++i)
      start(save_many(*store, plan, static_cast<unsigned>(i), plan.saves / plan.in_flight, running));
    loop.run_until([&] { return running == 0; });
  };
  run();  // fills the table
  const Cost cost = measure(run);
  const Cost gets = measure([&] {
    std::mt19937 random(7);
    for (int i = 0; i < plan.saves; ++i) {
      const std::string key = key_of(random, plan);
      loop.run(store->get({}, {.key = key}));
    }
  });
  print("store, point gets", plan, gets);
  if (!loop.run(store->close({}))) std::exit(1);
  return cost;
}

Cost bare_saves(const Plan& plan) {
  bench::BareSqlite bare(plan.folder + "/bare.db");
  const auto run = [&] {
    std::mt19937 random(1);
    for (int i = 0; i < plan.saves; i += bench::BareSqlite::kBatch)
      bare.save_batch([&] {
        return bench::BareSqlite::Row{.key = key_of(random, plan),
                                      .value = base64_encode(plan.value),
                                      .etag = uuid_v4(),
                                      .is_binary = true};
      });
  };
  run();
  return measure(run);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(
        "sqlite_store_bench FOLDER [saves=40000] [in flight=32] [keys=10000] [value bytes=100] "
        "[?query]\n");
    return 2;
  }
  const auto number = [&](int at, int fallback) { return argc > at ? std::atoi(argv[at]) : fallback; };
  Plan plan;
  plan.folder = argv[1];
  plan.saves = number(2, plan.saves);
  plan.in_flight = number(3, plan.in_flight);
  plan.keys = number(4, plan.keys);
  plan.value = std::string(static_cast<std::size_t>(number(5, 100)), 'v');
  if (argc > 6) plan.query = argv[6];
  std::filesystem::create_directories(plan.folder);
  for (const char* name : {"/store.db", "/bare.db"}) std::filesystem::remove(plan.folder + name);
  const Cost ours = store_saves(plan);
  const Cost bare = bare_saves(plan);
  print("store, durable saves", plan, ours);
  print("bare, batches of 16", plan, bare);
  fmt::print("throughput {:.0f}% of bare\n", 100 * bare.seconds / ours.seconds);
}
