// Many at once on the same records, from two sidecars: money is neither made nor lost, also at the moment of any
// reading of all accounts, a counter counts every success, and of those who want to be first one is.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <iostream>
#include <string>
#include <vector>

#include "stores/postgresql/store_testing.h"
#include "support/postgresql_servers.h"
#include "support/workers.h"

namespace holdfast::stores::postgresql {
namespace {

using state::Precondition;
using test::Crew;
using test::Outcomes;
using test::save;
using test::Stores;

constexpr std::size_t kSidecars = 2;
constexpr std::size_t kLoops = 2;
constexpr std::size_t kAtOnce = 64;

class PostgresqlRaces : public testing::TestWithParam<Layout> {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_POSTGRESQL();
    server_.emplace();
    for (std::size_t i = 0; i < kSidecars; ++i)
      sidecars_.emplace_back(core_of({{"connectionString", server_->connection_string()}}, GetParam(), kLoops), kLoops);
  }

  Stores& any() { return sidecars_.front(); }

  // So many workers, shared out among the sidecars.
  class Crews {
   public:
    explicit Crews(std::deque<Stores>& sidecars) {
      for (Stores& each : sidecars) crews_.emplace_back(each);
    }
    void send(std::size_t workers, const Crew::Work& work) {
      for (Crew& each : crews_) each.send(workers / crews_.size(), work);
    }
    void wait() {
      for (Crew& each : crews_) each.wait();
    }

   private:
    std::deque<Crew> crews_;
  };

  std::optional<test::PostgresqlServer> server_;
  std::deque<Stores> sidecars_;
};

// Adds one so many times, by its etag, and tries again where somebody was quicker.
Task<void> count_to(state::StateStore& store, Scheduler& loop, std::string key, int times, Outcomes& outcomes) {
  for (int done = 0; done < times;) {
    const auto found = co_await store.get({}, {.key = key});
    if (!found || !*found) {
      ADD_FAILURE() << (found ? "the counter is gone" : found.error().message);
      co_return;
    }
    const std::string next = std::to_string(std::stoull((**found).value) + 1);
    const std::string_view etags[] = {(**found).etag};
    const auto written = co_await store.set({}, save(key, next, Precondition::one_of(etags)));
    outcomes.count(written ? nullptr : &written.error());
    done += written ? 1 : 0;
    co_await resume_on(loop);
  }
}

TEST_P(PostgresqlRaces, ACounterThatManyCountUpEndsWithTheirSuccesses) {
  constexpr int kTimesMax = 20;  // a minute's work for a machine that is busy otherwise
  const int times = std::min(static_cast<int>(test::load_time(Milliseconds(4000)).count() / 1000), kTimesMax);
  ASSERT_TRUE(any().set(save("count", "0")));
  Outcomes outcomes;
  Crews crews(sidecars_);
  crews.send(kAtOnce, [&](Crew&, state::StateStore& store, Scheduler& loop) {
    return count_to(store, loop, "count", times, outcomes);
  });
  crews.wait();
  std::cout << "steps: " << outcomes.text() << "\n";
  EXPECT_EQ(any().value("count"), std::to_string(kAtOnce * static_cast<std::size_t>(times)));
  EXPECT_EQ(outcomes.applied, kAtOnce * static_cast<std::size_t>(times));
  EXPECT_GT(outcomes.conflicts, 0U) << "they have to get in each other's way";
  EXPECT_EQ(outcomes.unknown + outcomes.refused, 0U);
}

// All accounts in one call, which sees them as they were at one moment.
Task<void> audit(Crew& crew, state::StateStore& store, Scheduler& loop, const test::Bank& bank,
                 std::atomic<std::uint64_t>& audits) {
  std::vector<state::GetRequest> wanted;
  for (const std::string& account : bank.accounts) wanted.push_back({.key = account});
  while (!crew.is_over()) {
    std::uint64_t total = 0;
    for (const auto& each : co_await store.get_many({}, wanted)) {
      if (!each || !*each) {
        ADD_FAILURE() << (each ? "an account is gone" : each.error().message);
        co_return;
      }
      total += std::stoull((**each).value);
    }
    EXPECT_EQ(total, test::Bank::kEach * bank.accounts.size()) << "seen while money was on its way";
    ++audits;
    co_await resume_on(loop);
  }
}

TEST_P(PostgresqlRaces, MoneyIsNeitherMadeNorLostAtAnyMoment) {
  const test::Bank bank("1");
  bank.open(any());
  Outcomes outcomes;
  std::atomic<std::uint64_t> audits = 0;
  {
    Crews crews(sidecars_);
    crews.send(kAtOnce, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
      return test::move_money(crew, store, loop, {}, bank, outcomes);
    });
    crews.send(4, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
      return audit(crew, store, loop, bank, audits);
    });
    const SteadyTime end = std::chrono::steady_clock::now() + test::load_time(Milliseconds(2000));
    test::require_eventually("the end of the load", [&] {
      return std::chrono::steady_clock::now() > end && outcomes.applied > 10 && audits > 10;
    });
  }
  bank.check(any());
  std::cout << "transfers: " << outcomes.text() << "; " << audits << " audits\n";
  EXPECT_EQ(outcomes.unknown + outcomes.refused, 0U);
}

TEST_P(PostgresqlRaces, OfManyWhoWriteFirstOneDoes) {
  for (int round = 0; round < 10; ++round) {
    const std::string key = "first/" + std::to_string(round);
    Outcomes outcomes;
    std::atomic<int> number = 0;
    Crews crews(sidecars_);
    crews.send(kAtOnce, [&](Crew&, state::StateStore& store, Scheduler& loop) {
      return write_first(store, loop, key, std::to_string(++number), outcomes);
    });
    crews.wait();
    EXPECT_EQ(outcomes.applied, 1U) << outcomes.text();
    EXPECT_EQ(outcomes.conflicts, kAtOnce - 1) << outcomes.text();
  }
}

TEST_P(PostgresqlRaces, OfManyWhoDeleteWithOneEtagOneDoes) {
  for (int round = 0; round < 10; ++round) {
    const std::string key = "gone/" + std::to_string(round);
    const auto written = any().set(save(key, "1"));
    ASSERT_TRUE(written) << written.error().message;
    Outcomes outcomes;
    Crews crews(sidecars_);
    crews.send(8, [&](Crew&, state::StateStore& store, Scheduler& loop) {
      return erase_once(store, loop, key, written->etag, outcomes);
    });
    crews.wait();
    EXPECT_EQ(outcomes.applied, 1U) << outcomes.text();
    EXPECT_EQ(outcomes.conflicts, 7U) << outcomes.text();
  }
}

INSTANTIATE_TEST_SUITE_P(All, PostgresqlRaces, testing::Values(Layout::v1, Layout::v2),
                         [](const auto& info) { return info.param == Layout::v1 ? "v1" : "v2"; });

}  // namespace
}  // namespace holdfast::stores::postgresql
