// The writer thread: sharing commits, bounds, failures of the disk, many loops, cleaning up.
#include "stores/sqlite/writer.h"

#include <gmock/gmock.h>

#include <atomic>
#include <charconv>
#include <future>
#include <thread>

#include "stores/sqlite/testing.h"

namespace holdfast::stores::sqlite {
namespace {

using testing::HasSubstr;

// Holds the file's write lock, as another process would, from the constructor to let_go().
class Intruder {
 public:
  explicit Intruder(const std::string& file) {
    EXPECT_EQ(sqlite3_open(file.c_str(), &db_), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  }
  ~Intruder() { let_go(); }
  void let_go() {
    if (db_ == nullptr) return;
    EXPECT_EQ(sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(std::exchange(db_, nullptr));
  }

 private:
  sqlite3* db_ = nullptr;
};

// Starts saving `key` and counts when it is done.
Task<void> save(state::StateStore& store, std::string key, std::string value, int& done,
                std::vector<Error>* errors = nullptr) {
  state::SetRequest request;
  request.key = key;
  request.value = value;
  auto written = co_await store.set({}, request);
  if (!written && errors != nullptr) errors->push_back(written.error());
  ++done;
}

TEST(SqliteWriter, SavesThatWaitTogetherShareACommit) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(Fields{{"connectionString", file}, {"busyTimeout", "30s"}});
  ASSERT_TRUE(db.set("warm", "up"));
  const auto before = std::filesystem::file_size(file + "-wal");
  ASSERT_TRUE(db.set("one", "1"));
  const auto cost_of_one = std::filesystem::file_size(file + "-wal") - before;
  Intruder intruder(file);
  int done = 0;
  const int count = 100;
  const auto start_size = std::filesystem::file_size(file + "-wal");
  // The first may be alone in its transaction; the others wait behind it for the intruder.
  for (int i = 0; i < count; ++i) start(save(*db.store, "k" + std::to_string(i), "v", done));
  intruder.let_go();
  db.loop.run_until([&] { return done == count; });
  const auto growth = std::filesystem::file_size(file + "-wal") - start_size;
  EXPECT_LT(growth, cost_of_one * 10);
  EXPECT_EQ(db.value("k99"), "v");
}

TEST(SqliteWriter, BeyondItsBoundTheQueueRefusesAtOnce) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(Fields{{"connectionString", file}, {"busyTimeout", "30s"}, {"writeQueueMax", "10"}});
  ASSERT_TRUE(db.set("k", "v"));
  Intruder intruder(file);
  int done = 0;
  std::vector<Error> errors;
  for (int i = 0; i < 600; ++i) start(save(*db.store, "k" + std::to_string(i), "v", done, &errors));
  // Those that were refused have their answer already; the others wait.
  ASSERT_FALSE(errors.empty());
  EXPECT_EQ(static_cast<std::size_t>(done), errors.size());
  EXPECT_LT(done, 600);
  EXPECT_EQ(errors.front().code, Errc::overloaded);
  EXPECT_THAT(errors.front().message, HasSubstr("10 writes wait"));
  const std::size_t refused = errors.size();
  intruder.let_go();
  db.loop.run_until([&] { return done == 600; });
  EXPECT_EQ(errors.size(), refused);
}

TEST(SqliteWriter, ALockedDatabaseIsUnavailableAfterTheBusyTimeoutAndFineLater) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(Fields{{"connectionString", file}, {"busyTimeout", "20ms"}});
  ASSERT_TRUE(db.set("k", "old"));
  Intruder intruder(file);
  auto refused = db.set("k", "new");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("busyTimeout"));
  EXPECT_EQ(db.value("k"), "old");
  intruder.let_go();
  EXPECT_TRUE(db.set("k", "new"));
}

TEST(SqliteWriter, AWriteWhoseDeadlinePassedInTheQueueChangesNothing) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(Fields{{"connectionString", file}, {"busyTimeout", "30s"}});
  Intruder intruder(file);
  int done = 0;
  std::vector<Error> errors;
  start(save(*db.store, "first", "v", done, &errors));
  state::CallContext context;
  context.deadline = db.clock.steady() + Milliseconds(50);
  state::SetRequest request;
  request.key = "late";
  std::optional<Result<state::Written>> late;
  start(db.store->set(context, request), [&](Result<state::Written> written) { late = std::move(written); });
  db.clock.advance(Milliseconds(50));
  intruder.let_go();
  db.loop.run_until([&] { return late.has_value() && done == 1; });
  ASSERT_FALSE(*late);
  EXPECT_EQ(late->error().code, Errc::deadline_exceeded);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(db.value("late"), "(none)");
}

TEST(SqliteWriter, AFullDiskFailsWhatDoesNotFitAndNothingElse) {
  const TempFolder folder;
  OpenStore db(folder.file("state.db") + "?_pragma=max_page_count(60)");
  ASSERT_TRUE(db.set("kept", "v"));
  const std::string large(300'000, 'x');
  auto refused = db.set("large", large);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("SQLITE_FULL"));
  EXPECT_THAT(refused.error().message, HasSubstr("state.db"));
  EXPECT_EQ(db.value("large"), "(none)");
  // In one batch, only the guilty request fails; a transaction fails as a whole.
  std::vector<state::SetRequest> sets(3);
  sets[0].key = "a", sets[1].key = "b", sets[2].key = "c";
  sets[1].value = large;
  const auto written = db.loop.run(db.store->set_many({}, sets));
  EXPECT_TRUE(written[0] && written[2]);
  EXPECT_EQ(written[1].error().code, Errc::unavailable);
  state::SetRequest small;
  small.key = "t";
  EXPECT_EQ(db.transact({small, sets[1]}).error().code, Errc::unavailable);
  EXPECT_EQ(db.value("t"), "(none)");
  EXPECT_EQ(db.value("c"), "");
  EXPECT_EQ(db.value("kept"), "v");
  EXPECT_TRUE(db.erase("kept"));
}

Task<void> count_up(state::StateStore& store, int rounds, int& conflicts, int& running) {
  for (int done = 0; done < rounds;) {
    auto found = co_await store.get({}, {.key = "counter"});
    EXPECT_TRUE(found && *found);
    int value = 0;
    std::from_chars((*found)->value.data(), (*found)->value.data() + (*found)->value.size(), value);
    const std::string next = std::to_string(value + 1);
    const std::vector<std::string_view> etags{(*found)->etag};
    state::SetRequest request;
    request.key = "counter";
    request.value = next;
    request.when = state::Precondition::one_of(etags);
    auto written = co_await store.set({}, request);
    if (written)
      ++done;
    else if (written.error().code == Errc::precondition_failed)
      ++conflicts;
    else
      ADD_FAILURE() << written.error().message;
  }
  --running;
}

TEST(SqliteWriter, EightCountersByEtagOnOneLoopLoseNothing) {
  const TempFolder folder;
  OpenStore db(folder.file("state.db"));
  ASSERT_TRUE(db.set("counter", "0"));
  int running = 8;
  int conflicts = 0;
  for (int i = 0; i < 8; ++i) start(count_up(*db.store, 25, conflicts, running));
  db.loop.run_until([&] { return running == 0; });
  EXPECT_EQ(db.value("counter"), "200");
  EXPECT_GT(conflicts, 0);
}

// `loops` threads, each with its own handle, do `work(store, loop)`.
template <class Work>
void on_many_loops(state::StoreCore& core, int loops, Work work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < loops; ++i)
    threads.emplace_back([&, i] {
      test::TestLoop loop;
      auto store = loop.run(core.open(loop));
      ASSERT_TRUE(store);
      work(**store, loop, i);
      EXPECT_TRUE(loop.run((*store)->close({})));
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(SqliteWriter, ManyLoopsAtOnceLoseNothing) {
  const TempFolder folder;
  for (const std::string& file : {folder.file("state.db"), std::string(":memory:")}) {
    OpenStore db(file);
    ASSERT_TRUE(db.set("counter", "0"));
    on_many_loops(*db.core, 4, [](state::StateStore& store, test::TestLoop& loop, int i) {
      int running = 3;
      int conflicts = 0;
      for (int j = 0; j < 2; ++j) start(count_up(store, 10, conflicts, running));
      int saved = 0;
      for (int j = 0; j < 20; ++j) start(save(store, std::to_string(i) + "/" + std::to_string(j), "v", saved));
      loop.run_until([&] { return running == 1 && saved == 20; });
      auto page =
          loop.run(store.list({}, {.prefix = std::to_string(i) + "/", .own_bytes = 2, .cursor = {}, .limit = 100}));
      ASSERT_TRUE(page) << page.error().message;
      EXPECT_EQ(page->items.size(), 20u);
    });
    EXPECT_EQ(db.value("counter"), "80");
  }
}

TEST(SqliteWriter, TwoProcessesOnOneFileLoseNothing) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  // Two cores share nothing but the file, as two processes would.
  OpenStore one(file);
  OpenStore two(file);
  ASSERT_TRUE(one.set("counter", "0"));
  auto other = std::async(std::launch::async, [&] {
    on_many_loops(*two.core, 1, [](state::StateStore& store, test::TestLoop& loop, int) {
      int running = 2;
      int conflicts = 0;
      for (int j = 0; j < 2; ++j) start(count_up(store, 20, conflicts, running));
      loop.run_until([&] { return running == 0; });
    });
  });
  int running = 2;
  int conflicts = 0;
  for (int j = 0; j < 2; ++j) start(count_up(*one.store, 20, conflicts, running));
  one.loop.run_until([&] { return running == 0; });
  other.get();
  EXPECT_EQ(two.value("counter"), "80");
}

TEST(SqliteWriter, MoneyMovedByTransactionsIsNeitherMadeNorLost) {
  const TempFolder folder;
  OpenStore db(folder.file("state.db"));
  ASSERT_TRUE(db.set("a", "500"));
  ASSERT_TRUE(db.set("b", "500"));
  struct Mover {
    static Task<void> run(state::StateStore& store, int rounds, int& running) {
      const std::vector<state::GetRequest> both{{.key = "a"}, {.key = "b"}};
      for (int i = 0; i < rounds; ++i) {
        auto found = co_await store.get_many({}, both);
        const int a = std::stoi((*found[0])->value);
        const int b = std::stoi((*found[1])->value);
        EXPECT_EQ(a + b, 1000);
        const std::string less = std::to_string(a - 7);
        const std::string more = std::to_string(b + 7);
        const std::vector<std::string_view> etag_a{(*found[0])->etag};
        const std::vector<std::string_view> etag_b{(*found[1])->etag};
        state::SetRequest from;
        from.key = "a", from.value = less, from.when = state::Precondition::one_of(etag_a);
        state::SetRequest to;
        to.key = "b", to.value = more, to.when = state::Precondition::one_of(etag_b);
        const std::vector<state::Operation> moves{from, to};
        auto moved = co_await store.transact({}, moves);
        if (!moved) EXPECT_EQ(moved.error().code, Errc::precondition_failed);
      }
      --running;
    }
  };
  int running = 6;
  for (int i = 0; i < 6; ++i) start(Mover::run(*db.store, 30, running));
  db.loop.run_until([&] { return running == 0; });
  EXPECT_EQ(std::stoi(db.value("a")) + std::stoi(db.value("b")), 1000);
  EXPECT_LT(std::stoi(db.value("a")), 500);
}

// Waits until `sql` on the file answers `want`; the sweep runs by real time.
void wait_for(const std::string& file, const std::string& text, const std::string& want) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (sql(file, text) != want) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up) << text << ": " << sql(file, text);
    std::this_thread::yield();
  }
}

TEST(SqliteWriter, ExpiredRowsAndOrphansOfTheSideTableAreRemoved) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(Fields{{"connectionString", file}, {"cleanupInterval", "10ms"}});
  ASSERT_TRUE(db.set("stays", "v"));
  ASSERT_TRUE(db.set("dapr deletes it", "v"));
  std::vector<std::string> keys;
  for (int i = 0; i < 700; ++i) keys.push_back("brief" + std::to_string(i));
  std::vector<state::SetRequest> sets(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) sets[i].key = keys[i], sets[i].ttl = Milliseconds(500);
  for (const auto& written : db.loop.run(db.store->set_many({}, sets))) ASSERT_TRUE(written);
  sql(file, "DELETE FROM state WHERE key = 'dapr deletes it'");
  // Dapr's rule keeps a process from cleaning up twice within an interval; the clock must move for
  // the next.
  db.clock.advance(Milliseconds(5000));
  wait_for(file, "SELECT count(*) FROM state", "1");
  db.clock.advance(Milliseconds(5000));
  wait_for(file, "SELECT key FROM state_holdfast", "stays");
  EXPECT_EQ(sql(file, "SELECT length(value) FROM metadata WHERE key = 'last-cleanup'"), "19");
  EXPECT_EQ(db.value("stays"), "v");
}

TEST(SqliteWriter, IndexEntriesOfWhatIsNoMoreAreRemoved) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(Fields{{"connectionString", file}, {"cleanupInterval", "10ms"}});
  const state::Pairs entries{{"n", "1"}};
  for (const char* key : {"stays", "dapr deletes it", "dapr rewrites it", "expires"}) {
    state::SetRequest request;
    request.key = key;
    request.indexes = entries;
    if (request.key == "expires") request.ttl = Milliseconds(500);
    ASSERT_TRUE(db.set(request));
  }
  EXPECT_EQ(sql(file, "SELECT count(*) FROM state_holdfast_index"), "4");
  sql(file,
      "DELETE FROM state WHERE key = 'dapr deletes it';"
      "UPDATE state SET etag = 'e2' WHERE key = 'dapr rewrites it'");
  db.clock.advance(Milliseconds(5000));
  wait_for(file, "SELECT count(*) FROM state WHERE key = 'expires'", "0");
  db.clock.advance(Milliseconds(5000));
  wait_for(file, "SELECT key FROM state_holdfast_index", "stays");
}

TEST(SqliteWriter, WithoutCleanupExpiredRowsStayAndAreHidden) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(Fields{{"connectionString", file}, {"cleanupInterval", "0"}});
  ASSERT_TRUE(db.set("k", "v", {}, Milliseconds(1)));
  db.clock.advance(Milliseconds(5000));
  EXPECT_EQ(db.value("k"), "(none)");
  ASSERT_TRUE(db.set("other", "v"));
  EXPECT_EQ(sql(file, "SELECT count(*) FROM state"), "2");
}

}  // namespace
}  // namespace holdfast::stores::sqlite
