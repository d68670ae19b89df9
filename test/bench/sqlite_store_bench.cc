// What a durable save costs: the store with `in flight` coroutines on one loop, against bare SQLite
// that upserts into Dapr's table in transactions of 16. Same folder, same keys, same run.
//
//   sqlite_store_bench FOLDER [saves=40000] [in flight=32] [keys=10000] [value bytes=100] [?query
//   of the connection string]
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "base/encoding.h"
#include "base/random.h"
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

void must(int code, sqlite3* db) {
  if (code == SQLITE_OK || code == SQLITE_DONE) return;
  fmt::print("bare SQLite failed: {}\n", sqlite3_errmsg(db));
  std::exit(1);
}

// The least that can be done for the same durability: one thread, a prepared upsert, 16 to a
// transaction.
Cost bare_saves(const Plan& plan) {
  sqlite3* db = nullptr;
  must(sqlite3_open((plan.folder + "/bare.db").c_str(), &db), db);
  must(sqlite3_exec(db,
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE state (key "
                    "TEXT NOT NULL PRIMARY "
                    "KEY, value TEXT NOT NULL, is_binary BOOLEAN NOT NULL, etag TEXT NOT NULL, "
                    "expiration_time TIMESTAMP "
                    "DEFAULT NULL, update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
                    nullptr, nullptr, nullptr),
       db);
  sqlite3_stmt* upsert = nullptr;
  must(sqlite3_prepare_v2(db,
                          "INSERT INTO state (key, value, is_binary, etag, expiration_time, update_time) VALUES "
                          "(?, ?, 1, "
                          "?, NULL, CURRENT_TIMESTAMP) ON CONFLICT (key) DO UPDATE SET value = excluded.value, "
                          "is_binary "
                          "= 1, etag = excluded.etag, expiration_time = NULL, update_time = excluded.update_time",
                          -1, &upsert, nullptr),
       db);
  const auto run = [&] {
    std::mt19937 random(1);
    for (int i = 0; i < plan.saves; i += 16) {
      must(sqlite3_exec(db, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), db);
      for (int j = 0; j < 16; ++j) {
        const std::string key = key_of(random, plan);
        const std::string value = base64_encode(plan.value);
        const std::string etag = uuid_v4();
        sqlite3_bind_text(upsert, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
        sqlite3_bind_text(upsert, 2, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
        sqlite3_bind_text(upsert, 3, etag.data(), static_cast<int>(etag.size()), SQLITE_STATIC);
        must(sqlite3_step(upsert), db);
        sqlite3_reset(upsert);
      }
      must(sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr), db);
    }
  };
  run();
  const Cost cost = measure(run);
  sqlite3_finalize(upsert);
  sqlite3_close(db);
  return cost;
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
