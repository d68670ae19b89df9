// Many writers at once: coroutines on one loop, and threads with a loop and a handle each.
#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

using state::Precondition;

constexpr int kThreads = 4;
constexpr int kTasks = 12;

// Runs `work(handle, number)` on threads that have a loop and a handle each; all begin together.
template <class Work>
void on_threads(Instance& instance, int threads, Work work) {
  std::atomic<int> ready = 0;
  std::vector<std::thread> running;
  for (int number = 0; number < threads; ++number) {
    running.emplace_back([&instance, &ready, &work, threads, number] {
      test::TestLoop loop;
      Handle handle(instance, loop);
      ++ready;
      while (ready < threads) std::this_thread::yield();
      work(handle, number);
    });
  }
  for (auto& thread : running) thread.join();
}

struct Tally {
  std::atomic<int> succeeded = 0;
  std::atomic<int> refused = 0;
  std::atomic<int> failed = 0;  // in any other way

  void count(const Error* error) {
    if (error == nullptr) {
      ++succeeded;
    } else if (error->code == Errc::precondition_failed) {
      ++refused;
    } else {
      ++failed;
      ADD_FAILURE() << name_of(error->code) << ": " << error->message;
    }
  }
};

// A conflict of the engine's own making is no failure, but sensible to try again.
bool is_transient(const Error& error) { return error.code == Errc::conflict || error.code == Errc::overloaded; }

// Adds one to the number under `key`, by its etag, `times` times.
Task<void> count_up(state::StateStore& store, Scheduler& loop, std::string key, int times, Tally& tally) {
  int done = 0;
  while (done < times) {
    const auto found = co_await store.get({}, {.key = key});
    if (!found || !*found) {
      ADD_FAILURE() << (found ? "the counter is gone" : found.error().message);
      co_return;
    }
    const std::string next = std::to_string(std::stoi((**found).value) + 1);
    const std::string_view etags[] = {(**found).etag};
    co_await resume_on(loop);  // others get between the read and the write
    const auto written = co_await store.set({}, put(key, next, Precondition::one_of(etags)));
    if (!written && is_transient(written.error())) continue;
    tally.count(written ? nullptr : &written.error());
    if (tally.failed > 0) co_return;
    if (written) ++done;
  }
}

Task<void> first_write(state::StateStore& store, Scheduler& loop, std::string key, std::string value, Tally& tally) {
  co_await resume_on(loop);
  auto written = co_await store.set({}, put(key, value, Precondition::absent()));
  while (!written && is_transient(written.error()))
    written = co_await store.set({}, put(key, value, Precondition::absent()));
  tally.count(written ? nullptr : &written.error());
}

Task<void> erase_once(state::StateStore& store, Scheduler& loop, std::string key, std::string etag, Tally& tally) {
  co_await resume_on(loop);
  const std::string_view etags[] = {etag};
  auto erased = co_await store.erase({}, drop(key, Precondition::one_of(etags)));
  while (!erased && is_transient(erased.error()))
    erased = co_await store.erase({}, drop(key, Precondition::one_of(etags)));
  tally.count(erased ? nullptr : &erased.error());
}

// Moves one from an account to the other, by a transaction guarded by both etags.
Task<void> move_money(state::StateStore& store, Scheduler& loop, std::string from, std::string to, int times,
                      Tally& tally) {
  int done = 0;
  while (done < times) {
    const auto source = co_await store.get({}, {.key = from});
    const auto target = co_await store.get({}, {.key = to});
    if (!source || !*source || !target || !*target) {
      ADD_FAILURE() << "an account is gone";
      co_return;
    }
    const std::string less = std::to_string(std::stoi((**source).value) - 1);
    const std::string more = std::to_string(std::stoi((**target).value) + 1);
    const std::string_view source_etag[] = {(**source).etag};
    const std::string_view target_etag[] = {(**target).etag};
    const state::Operation operations[] = {put(from, less, Precondition::one_of(source_etag)),
                                           put(to, more, Precondition::one_of(target_etag))};
    co_await resume_on(loop);
    const auto moved = co_await store.transact({}, operations);
    if (!moved && is_transient(moved.error())) continue;
    tally.count(moved ? nullptr : &moved.error());
    if (tally.failed > 0) co_return;
    if (moved) ++done;
  }
}

// Starts every task and runs the loop until all have ended.
void run_all(test::TestLoop& loop, std::vector<Task<void>> tasks) {
  std::size_t left = tasks.size();
  for (auto& task : tasks) start(std::move(task), [&left] { --left; });
  loop.run_until([&left] { return left == 0; });
}

// etcd in Dapr: 931 acknowledged increments moved the counter to 402.
TEST_P(ConcurrencyConformance, NoUpdateIsLostAmongCoroutinesOfOneLoop) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("counter");
  ASSERT_TRUE(store().set(put(name, "0")));
  Tally tally;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < kTasks; ++i) tasks.push_back(count_up(store().store(), loop_, name, 10, tally));
  run_all(loop_, std::move(tasks));
  EXPECT_EQ(tally.succeeded, kTasks * 10);
  EXPECT_GT(tally.refused, 0) << "nobody got in anybody's way: this proves nothing";
  EXPECT_EQ(store().value(name), std::to_string(kTasks * 10));
}

TEST_P(ConcurrencyConformance, NoUpdateIsLostAmongThreads) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("counter");
  ASSERT_TRUE(store().set(put(name, "0")));
  Tally tally;
  on_threads(instance(), kThreads, [&](Handle& handle, int) {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 3; ++i) tasks.push_back(count_up(handle.store(), handle.loop(), name, 25, tally));
    run_all(handle.loop(), std::move(tasks));
  });
  EXPECT_EQ(tally.succeeded, kThreads * 75);
  EXPECT_EQ(store().value(name), std::to_string(kThreads * 75));
}

// etcd in Dapr has up to five winners of six; SQL Server loses such races too.
TEST_P(ConcurrencyConformance, AFirstWriteRaceHasOneWinner) {
  HOLDFAST_NEEDS(etag);
  for (int round = 0; round < 10; ++round) {
    const std::string name = key("race" + std::to_string(round));
    Tally tally;
    on_threads(instance(), kThreads, [&](Handle& handle, int number) {
      std::vector<Task<void>> tasks;
      for (int i = 0; i < 3; ++i)
        tasks.push_back(first_write(handle.store(), handle.loop(), name, std::to_string(number), tally));
      run_all(handle.loop(), std::move(tasks));
    });
    EXPECT_EQ(tally.succeeded, 1);
    EXPECT_EQ(tally.refused, kThreads * 3 - 1);
  }
}

TEST_P(ConcurrencyConformance, AFirstWriteRaceOnOneLoopHasOneWinner) {
  HOLDFAST_NEEDS(etag);
  Tally tally;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < kTasks; ++i)
    tasks.push_back(first_write(store().store(), loop_, key("race"), std::to_string(i), tally));
  run_all(loop_, std::move(tasks));
  EXPECT_EQ(tally.succeeded, 1);
  EXPECT_EQ(tally.refused, kTasks - 1);
}

// Redis in Dapr: eight deletions with one etag were eight successes.
TEST_P(ConcurrencyConformance, OneEtagDeletesOnce) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  const std::string etag = store().set(put(name, "1"))->etag;
  Tally tally;
  on_threads(instance(), kThreads, [&](Handle& handle, int) {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 2; ++i) tasks.push_back(erase_once(handle.store(), handle.loop(), name, etag, tally));
    run_all(handle.loop(), std::move(tasks));
  });
  EXPECT_EQ(tally.succeeded, 1);
  EXPECT_EQ(tally.refused, kThreads * 2 - 1);
}

// Redis in Dapr: 1,000 in two accounts became 2,016 after 383 transfers.
TEST_P(ConcurrencyConformance, TransfersByTransactionKeepTheTotal) {
  HOLDFAST_NEEDS(etag);
  HOLDFAST_NEEDS_TRANSACTIONS_OF(2);
  const std::string a = key("a");
  const std::string b = key("b");
  ASSERT_TRUE(store().transact({put(a, "500"), put(b, "500")}));
  Tally tally;
  on_threads(instance(), kThreads, [&](Handle& handle, int number) {
    const bool forth = number % 2 == 0;
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 2; ++i)
      tasks.push_back(move_money(handle.store(), handle.loop(), forth ? a : b, forth ? b : a, 25, tally));
    run_all(handle.loop(), std::move(tasks));
  });
  EXPECT_EQ(tally.succeeded, kThreads * 50);
  EXPECT_EQ(std::stoi(*store().value(a)) + std::stoi(*store().value(b)), 1000);
}

// Every transaction writes the same text under all keys; a bulk read that sees two texts saw half
// of one.
TEST_P(ConcurrencyConformance, ATransactionIsNeverHalfVisibleInABulkRead) {
  HOLDFAST_NEEDS(snapshot_read);
  HOLDFAST_NEEDS_TRANSACTIONS_OF(8);
  std::vector<std::string> names;
  for (int i = 0; i < 8; ++i) names.push_back(key("k" + std::to_string(i)));
  const auto write_all = [&names](Handle& handle, const std::string& text) {
    std::vector<state::Operation> operations;
    for (const std::string& name : names) operations.emplace_back(put(name, text));
    for (;;) {
      const auto written = handle.transact(operations);
      if (written || !is_transient(written.error())) return written.has_value();
    }
  };
  ASSERT_TRUE(write_all(store(), "start"));
  std::atomic<bool> torn = false;
  on_threads(instance(), 4, [&](Handle& handle, int number) {
    for (int i = 0; i < 200; ++i) {
      if (number < 2) {
        EXPECT_TRUE(write_all(handle, std::to_string(number * 1000 + i)));
        continue;
      }
      std::vector<state::GetRequest> requests;
      for (const std::string& name : names) requests.push_back({.key = name});
      std::set<std::string> texts;
      for (const auto& record : handle.run(handle.store().get_many({}, requests)))
        texts.insert(record && *record ? (**record).value : "missing");
      if (texts.size() != 1) torn = true;
    }
  });
  EXPECT_FALSE(torn);
}

TEST_P(ConcurrencyConformance, WithoutASnapshotABulkReadIsOfWholeRecords) {
  HOLDFAST_LACKS(snapshot_read);
  std::vector<std::string> names;
  for (int i = 0; i < 8; ++i) names.push_back(key("k" + std::to_string(i)));
  const auto value_of = [](std::size_t at, int round) {
    return std::string(1000 + at, static_cast<char>('a' + round % 26));
  };
  for (std::size_t i = 0; i < names.size(); ++i) ASSERT_TRUE(store().set(put(names[i], value_of(i, 0))));
  on_threads(instance(), 2, [&](Handle& handle, int number) {
    for (int round = 0; round < 50; ++round) {
      if (number == 0) {
        for (std::size_t i = 0; i < names.size(); ++i) EXPECT_TRUE(handle.set(put(names[i], value_of(i, round))));
        continue;
      }
      std::vector<state::GetRequest> requests;
      for (const std::string& name : names) requests.push_back({.key = name});
      const auto records = handle.run(handle.store().get_many({}, requests));
      for (std::size_t i = 0; i < names.size(); ++i) {
        ASSERT_TRUE(records[i] && *records[i]);
        const std::string& value = (**records[i]).value;
        EXPECT_EQ(value.size(), 1000 + i);
        EXPECT_EQ(value.find_first_not_of(value.front()), std::string::npos) << "a record is torn";
      }
    }
  });
}

// Transactions that name the same keys in different orders must neither deadlock nor mix.
TEST_P(ConcurrencyConformance, CrossingTransactionsAllEndAndNoneIsTorn) {
  HOLDFAST_NEEDS_TRANSACTIONS_OF(16);
  std::vector<std::string> names;
  for (int i = 0; i < 16; ++i) names.push_back(key("k" + std::to_string(i)));
  on_threads(instance(), kThreads, [&](Handle& handle, int number) {
    std::mt19937 random(static_cast<unsigned>(number));
    for (int i = 0; i < 50; ++i) {
      auto order = names;
      std::ranges::shuffle(order, random);
      const std::string text = std::to_string(number) + "-" + std::to_string(i);
      std::vector<state::Operation> operations;
      for (const std::string& name : order) operations.emplace_back(put(name, text));
      auto written = handle.transact(operations);
      while (!written && is_transient(written.error())) written = handle.transact(operations);
      EXPECT_TRUE(written);
    }
  });
  std::set<std::string> texts;
  for (const std::string& name : names) texts.insert(store().value(name).value_or("missing"));
  EXPECT_EQ(texts.size(), 1u);
}

TEST_P(ConcurrencyConformance, AListingShowsEveryKeyThatStaysWhileOthersComeAndGo) {
  HOLDFAST_NEEDS(list);
  std::vector<std::string> stay;
  for (int i = 0; i < 60; ++i) stay.push_back(key("stay" + std::to_string(i)));
  for (const std::string& name : stay) ASSERT_TRUE(store().set(put(name, "v")));
  on_threads(instance(), 3, [&](Handle& handle, int number) {
    for (int i = 0; i < 60; ++i) {
      if (number > 0) {
        const std::string name = key("stax" + std::to_string(number) + std::to_string(i % 20));
        EXPECT_TRUE(handle.set(put(name, "v")));
        EXPECT_TRUE(handle.set(put(stay[static_cast<std::size_t>(i)], "again")));
        EXPECT_TRUE(handle.erase(drop(name)));
      } else if (i % 6 == 0) {
        const auto keys = handle.keys(base(), 7);
        const std::set<std::string> seen(keys.begin(), keys.end());
        for (const std::string& name : stay) EXPECT_TRUE(seen.contains(name)) << name;
      }
    }
  });
}

TEST_P(ConcurrencyConformance, HandlesOpenAndCloseWhileOthersWork) {
  std::atomic<int> written = 0;
  on_threads(instance(), 3, [&](Handle& handle, int number) {
    for (int i = 0; i < 20; ++i) {
      const std::string name = key(std::to_string(number) + "-" + std::to_string(i));
      if (number > 0) {
        written += handle.set(put(name, "v")).has_value() ? 1 : 0;
        continue;
      }
      test::TestLoop loop;
      Handle brief(instance(), loop);
      written += brief.set(put(name, "v")).has_value() ? 1 : 0;
    }
  });
  EXPECT_EQ(written, 60);
}

}  // namespace
}  // namespace holdfast::conformance
