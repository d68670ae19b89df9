// Many at once on the same records: money is neither made nor lost, a counter counts every success, and of those who
// want to be first, or to delete with one etag, one is. For stores whose servers may be disturbed meanwhile.
#pragma once

#include <atomic>
#include <functional>
#include <iostream>
#include <string>

#include "support/workers.h"

namespace holdfast::test {

inline constexpr std::size_t kAtOnce = 64;

struct Race {
  Stores& stores;
  state::CallContext context = {};
  std::function<void()> disturb = {};  // what happens to the servers under load; empty: nothing

  // Lets the workers work.
  void let(Milliseconds time) const {
    const SteadyTime end = std::chrono::steady_clock::now() + time;
    if (disturb) disturb();
    require_eventually("the end of the load", [&] { return std::chrono::steady_clock::now() > end; }, time + kPatience);
  }
  void expect_work(const std::string& what, const Outcomes& outcomes) const {
    std::cout << what << ": " << outcomes.text() << "\n";
    EXPECT_GT(outcomes.applied, 10);
    if (!disturb) EXPECT_EQ(outcomes.unknown + outcomes.refused, 0);
  }
};

inline void expect_money_stays(const Race& race) {
  const Bank bank("1");
  bank.open(race.stores, race.context);
  Outcomes outcomes;
  {
    Crew crew(race.stores);
    crew.send(kAtOnce, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
      return move_money(crew, store, loop, race.context, bank, outcomes);
    });
    race.let(load_time(Milliseconds(3000)));
  }
  bank.check(race.stores);
  race.expect_work("transfers", outcomes);
}

inline void expect_successes_counted(const Race& race) {
  ASSERT_TRUE(race.stores.set(save("count", "0"), race.context));
  Outcomes outcomes;
  {
    Crew crew(race.stores);
    crew.send(kAtOnce, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
      return count_up(crew, store, loop, race.context, "count", outcomes);
    });
    race.let(load_time(Milliseconds(2000)));
  }
  check_counter(race.stores, "count", outcomes);
  race.expect_work("steps", outcomes);
}

inline void expect_one_first_writer(const Race& race) {
  for (int round = 0; round < 20; ++round) {
    const std::string key = "first/" + std::to_string(round);
    Outcomes outcomes;
    std::atomic<int> number = 0;
    Crew crew(race.stores);
    crew.send(kAtOnce, [&](Crew&, state::StateStore& store, Scheduler& loop) {
      return write_first(store, loop, key, std::to_string(++number), outcomes);
    });
    crew.wait();
    EXPECT_EQ(outcomes.applied, 1) << outcomes.text();
    EXPECT_EQ(outcomes.conflicts, kAtOnce - 1) << outcomes.text();
  }
}

inline void expect_one_deleter(const Race& race) {
  for (int round = 0; round < 20; ++round) {
    const std::string key = "gone/" + std::to_string(round);
    const auto written = race.stores.set(save(key, "1"));
    ASSERT_TRUE(written) << written.error().message;
    Outcomes outcomes;
    Crew crew(race.stores);
    crew.send(8, [&](Crew&, state::StateStore& store, Scheduler& loop) {
      return erase_once(store, loop, key, written->etag, outcomes);
    });
    crew.wait();
    EXPECT_EQ(outcomes.applied, 1) << outcomes.text();
    EXPECT_EQ(outcomes.conflicts, 7) << outcomes.text();
  }
}

}  // namespace holdfast::test
