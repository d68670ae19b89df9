// What is asked at the same time, and so shares transactions, is told what it would be told by itself.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "stores/postgresql/gathering.h"
#include "stores/postgresql/store_testing.h"
#include "support/load.h"
#include "support/postgresql_servers.h"

namespace holdfast::stores::postgresql {
namespace {

using state::Precondition;
using test::save;
using test::Stores;

constexpr std::size_t kCalls = 200;

class PostgresqlSharing : public testing::TestWithParam<Layout> {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_POSTGRESQL();
    server_.emplace();
    stores_.emplace(
        core_of({{"connectionString", server_->connection_string()}, {"cleanupInterval", "0"}}, GetParam()));
  }

  // Makes all calls in one turn of the loop. What each one yields, in their order.
  template <class Outcome, class Call>
  std::vector<Outcome> at_once(std::size_t count, Call call) {
    std::vector<std::promise<Outcome>> promises(count);
    const auto keep = [](std::promise<Outcome>& promise, Task<Outcome> task) -> Task<void> {
      promise.set_value(co_await std::move(task));
    };
    stores_->loop(0).post([&] {
      for (std::size_t i = 0; i < count; ++i) start(keep(promises[i], call(stores_->on(0), i)));
    });
    std::vector<Outcome> outcomes;
    for (auto& promise : promises) outcomes.push_back(promise.get_future().get());
    return outcomes;
  }

  using Written = Result<state::Written>;
  using Found = Result<std::optional<state::Record>>;

  // How many transactions that write have begun so far, whoever's they are.
  std::uint64_t transactions() { return std::stoull(server_->value("SELECT pg_snapshot_xmax(pg_current_snapshot())")); }

  static std::string key_of(std::size_t i) { return fmt::format("key-{}", i); }

  std::optional<test::PostgresqlServer> server_;
  std::optional<Stores> stores_;
};

TEST_P(PostgresqlSharing, EachSaveAndEachReadingIsItsOwn) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kCalls; ++i) keys.push_back(key_of(i));
  const auto written = at_once<Written>(
      kCalls, [&](state::StateStore& store, std::size_t i) { return store.set({}, save(keys[i], keys[i])); });
  // Every other one is asked twice, and as many are not there.
  const auto found = at_once<Found>(2 * kCalls, [&](state::StateStore& store, std::size_t i) {
    static const std::string kNone = "none";
    return store.get({}, {.key = i % 2 == 0 ? std::string_view(keys[i / 2]) : i % 4 == 1 ? keys[i / 4] : kNone});
  });
  for (std::size_t i = 0; i < 2 * kCalls; ++i) {
    ASSERT_TRUE(found[i]) << found[i].error().message;
    if (i % 4 == 3) {
      EXPECT_FALSE(*found[i]);
      continue;
    }
    const std::size_t key = i % 2 == 0 ? i / 2 : i / 4;
    ASSERT_TRUE(written[key]) << written[key].error().message;
    ASSERT_TRUE(*found[i]);
    EXPECT_EQ((*found[i])->value, keys[key]);
    EXPECT_EQ((*found[i])->etag, written[key]->etag);
    EXPECT_TRUE(written[key]->created);
  }
}

TEST_P(PostgresqlSharing, OfManyFirstWritesToAKeyOneIsDone) {
  const auto written = at_once<Written>(kCalls, [&](state::StateStore& store, std::size_t i) {
    static const std::string kKeys[] = {"a", "b"};
    state::SetRequest request = save(kKeys[i % 2], "1");
    request.when = Precondition::absent();
    return store.set({}, request);
  });
  std::size_t done = 0;
  for (const Written& each : written) {
    if (each)
      ++done;
    else
      EXPECT_EQ(each.error().code, Errc::precondition_failed) << each.error().message;
  }
  EXPECT_EQ(done, 2U);
}

TEST_P(PostgresqlSharing, OfManyWhoHaveOneEtagOneSavesAndOneDeletes) {
  ASSERT_TRUE(stores_->set(save("a", "1")));
  ASSERT_TRUE(stores_->set(save("b", "1")));
  const std::array<std::string, 2> etags{(*stores_->get("a"))->etag, (*stores_->get("b"))->etag};
  const std::array<std::string_view, 2> views{etags[0], etags[1]};
  const auto saved = at_once<Written>(kCalls, [&](state::StateStore& store, std::size_t) {
    state::SetRequest request = save("a", "2");
    request.when = Precondition::one_of({views.data(), 1});
    return store.set({}, request);
  });
  const auto deleted = at_once<Result<state::Deleted>>(kCalls, [&](state::StateStore& store, std::size_t) {
    return store.erase({}, {.key = "b", .when = Precondition::one_of({views.data() + 1, 1})});
  });
  EXPECT_EQ(std::ranges::count_if(saved, [](const auto& each) { return each.has_value(); }), 1);
  EXPECT_EQ(std::ranges::count_if(deleted, [](const auto& each) { return each.has_value(); }), 1);
}

// Each etag is good for the next write and for no other.
TEST_P(PostgresqlSharing, EtagsOfOneKeyDiffer) {
  const auto written = at_once<Written>(kCalls, [&](state::StateStore& store, std::size_t i) {
    static const std::string kKeys[] = {"a", "b", "c"};
    return store.set({}, save(kKeys[i % 3], "1"));
  });
  std::vector<std::string> etags;
  for (std::size_t i = 0; i < kCalls; i += 3) etags.push_back(written[i]->etag);
  std::ranges::sort(etags);
  EXPECT_EQ(std::ranges::adjacent_find(etags), etags.end());
}

TEST_P(PostgresqlSharing, WhatFailsTakesNobodyAlong) {
  server_->must(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not this one''; END'; "
      "CREATE TRIGGER refused BEFORE INSERT OR UPDATE ON state FOR EACH ROW WHEN (NEW.key = 'key-7') EXECUTE FUNCTION "
      "refuse(); CREATE CONSTRAINT TRIGGER refused_late AFTER INSERT OR UPDATE ON state DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW WHEN (NEW.key = 'key-8') EXECUTE FUNCTION refuse()");
  const auto written = at_once<Written>(20, [&](state::StateStore& store, std::size_t i) {
    static std::vector<std::string> keys;
    if (keys.empty())
      for (std::size_t k = 0; k < 20; ++k) keys.push_back(key_of(k));
    return store.set({}, save(keys[i], "1"));
  });
  for (std::size_t i = 0; i < written.size(); ++i) {
    const bool is_refused = i == 7 || i == 8;
    EXPECT_EQ(written[i].has_value(), !is_refused) << i;
    if (!written[i]) EXPECT_TRUE(written[i].error().message.contains("P0001")) << written[i].error().message;
    EXPECT_EQ(stores_->get(key_of(i)).value().has_value(), !is_refused) << i;
  }
}

TEST_P(PostgresqlSharing, ManySavesAreFewTransactions) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kCalls; ++i) keys.push_back(key_of(i));
  const auto before = transactions();
  for (const Written& each : at_once<Written>(
           kCalls, [&](state::StateStore& store, std::size_t i) { return store.set({}, save(keys[i], keys[i])); }))
    EXPECT_TRUE(each);
  EXPECT_LE(transactions() - before, kCalls / Gathering::kBatchMax + 1);
}

INSTANTIATE_TEST_SUITE_P(All, PostgresqlSharing, testing::Values(Layout::v1, Layout::v2),
                         [](const auto& info) { return info.param == Layout::v1 ? "v1" : "v2"; });

}  // namespace
}  // namespace holdfast::stores::postgresql
