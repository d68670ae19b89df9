// Leases are few, however much is written, and end with the records on them.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <string>
#include <vector>

#include "stores/etcd/store_testing.h"
#include "support/workers.h"

namespace holdfast::stores::etcd {
namespace {

using test::Crew;
using test::Stores;

constexpr std::size_t kLoops = 2;
constexpr std::size_t kAtOnce = 100;

// Saves that many keys, from this one on, at once.
Task<bool> save_some(state::StateStore& store, std::size_t first, std::size_t of, Milliseconds ttl) {
  std::vector<std::string> keys;
  std::vector<state::SetRequest> requests;
  for (std::size_t i = 0; i < kAtOnce; ++i) keys.push_back("k" + std::to_string((first + i) % of));
  for (const std::string& key : keys) {
    requests.push_back(test::save(key, "v"));
    requests.back().ttl = ttl;
  }
  for (const auto& written : co_await store.set_many({}, requests)) {
    EXPECT_TRUE(written) << written.error().message;
    if (!written) co_return false;
  }
  co_return true;
}

// The same keys as others, with one time to live after the other.
Task<void> save_on(Crew& crew, state::StateStore& store, Scheduler& loop, std::size_t first, std::size_t of,
                   const std::vector<Milliseconds>& times, std::atomic<std::size_t>& saves) {
  for (std::size_t i = first; !crew.is_over(); ++i) {
    if (!co_await save_some(store, i * kAtOnce, of, times[i % times.size()])) break;
    saves += kAtOnce;
    co_await resume_on(loop);
  }
}

// What has a time to live goes, and with it the leases.
void expect_nothing_left(test::EtcdServer& server) {
  test::EtcdClient& client = server.client();
  EXPECT_TRUE(test::eventually([&] { return client.leases().empty(); }, Milliseconds(120'000)))
      << client.leases().size() << " leases are left";
  EXPECT_TRUE(client.get_prefix("").empty());
}

TEST(EtcdLeases, AreSharedByManyRecordsThatExpireTogether) {
  HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
  test::EtcdServer server;
  Stores stores(core_of(kEtcdV2Type, {{"endpoints", server.address()}}), kLoops);
  Crew crew(stores);
  std::atomic<std::size_t> saves = 0;
  const std::size_t wanted = test::is_soak() ? 1'000'000 : 2'000;
  const std::vector<Milliseconds> times{Milliseconds(60'000)};
  for (std::size_t i = 0; i < 2 * kLoops; ++i)
    crew.send(1, [&, i](Crew& crew, state::StateStore& store, Scheduler& loop) {
      return save_on(crew, store, loop, i, 5000, times, saves);
    });
  test::require_eventually("so many saves", [&] { return saves >= wanted; }, Milliseconds(3'600'000));
  crew.finish();
  // A stretch is 4 s of 60, a lease lives up to 9 s longer, and has 4096 records at most: two a stretch for 5000.
  EXPECT_LE(server.client().leases().size(), kLoops * 36);
  if (test::is_soak()) expect_nothing_left(server);
}

TEST(EtcdLeases, AreNoMoreForRecordsThatAreWrittenAgain) {
  HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
  test::EtcdServer server;
  Stores stores(core_of(kEtcdV2Type, {{"endpoints", server.address()}}));
  constexpr std::size_t kKeys = 4200;
  for (std::size_t i = 0; i < 3 * kKeys; i += kAtOnce)
    ASSERT_TRUE(
        stores.ask([&](state::StateStore& store) { return save_some(store, i, kKeys, std::chrono::hours(300)); }));
  EXPECT_EQ(server.client().leases().size(), 2u) << "a lease has 4096 records at most";
}

// Each record changes its lease again and again.
TEST(EtcdLeases, OfManyTimesToLiveAreFewAndEndWithTheirRecords) {
  HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
  test::EtcdServer server;
  Stores stores(core_of(kEtcdV1Type, {{"endpoints", server.address()}}), kLoops);
  std::vector<Milliseconds> times{Milliseconds(300), Milliseconds(1000), Milliseconds(1700), Milliseconds(2000)};
  // Stretches of a second up to 32 s, and of two up to 64 s; the last ones end at most three later.
  std::size_t stretches = 2 + 5;
  if (test::is_soak()) {
    times.insert(times.end(), {Milliseconds(9'000), Milliseconds(40'000)});
    stretches = (9 + 5) + (40 / 2 + 5);
  }
  Crew crew(stores);
  std::atomic<std::size_t> saves = 0;
  for (std::size_t i = 0; i < 4; ++i)
    crew.send(1, [&, i](Crew& crew, state::StateStore& store, Scheduler& loop) {
      return save_on(crew, store, loop, i, 1000, times, saves);
    });
  std::size_t most = 0;
  const SteadyTime end = std::chrono::steady_clock::now() + test::load_time(Milliseconds(4000));
  while (std::chrono::steady_clock::now() < end) most = std::max(most, server.client().leases().size());
  crew.finish();
  std::cout << saves << " saves, at most " << most << " leases\n";
  EXPECT_GT(most, 0u);
  EXPECT_LE(most, kLoops * stretches);
  expect_nothing_left(server);
}

}  // namespace
}  // namespace holdfast::stores::etcd
