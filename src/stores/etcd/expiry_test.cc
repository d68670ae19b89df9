// Records expire while the leader of the cluster goes: none is gone before its time, none is read after it, what lies
// in etcd goes in the end, its leases too, and who watches is told of each.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "stores/etcd/store_testing.h"
#include "support/fault_load.h"
#include "support/network.h"

namespace holdfast::stores::etcd {
namespace {

using state::WatchEvent;
using test::Crew;
using test::Outcomes;
using test::Stores;

WallTime now() { return Clock::system().wall(); }

// What is known of one record, by who wrote it; nothing of it is looked at by others before its writer has ended.
struct Timed {
  std::string key;
  std::size_t puts = 0;     // acknowledged
  bool is_unknown = false;  // whether it was written once more
  std::optional<WallTime> expires = {};
};

struct Told {
  std::size_t puts = 0, expiries = 0;
  WallTime at;  // of the last
  bool is_gone = false;
};

// Those of one layout.
struct Ledger {
  Outcomes outcomes;
  std::atomic<std::uint64_t> looks = 0;
  std::list<std::vector<Timed>> records;  // a worker each
  std::list<std::vector<std::string>> kept;
  std::map<std::string, Told> told;
  std::atomic<state::Watcher*> watcher = nullptr;  // of the loop, once it is in place and until the end
};

constexpr std::string_view kLast = "timed/last";

Task<bool> write(state::StateStore& store, Timed& record, std::optional<Milliseconds> ttl, Outcomes& outcomes) {
  state::SetRequest request = test::save(record.key, "v");
  request.ttl = ttl;
  const WallTime before = now();
  const auto written = co_await store.set({}, request);
  outcomes.count(written ? nullptr : &written.error());
  if (written) {
    ++record.puts;
    record.expires = written->expires_at;
    EXPECT_EQ(written->expires_at.has_value(), ttl.has_value());
    if (ttl && written->expires_at) EXPECT_GE(written->expires_at->us, before.us + ttl->count() * 1000);
  } else if (written.error().code == Errc::outcome_unknown) {
    record.is_unknown = true;
  }
  co_return written.has_value();
}

// Reads it until it is gone: not before its time, and not later.
Task<void> see_it_expire(state::StateStore& store, Scheduler& loop, const Timed& record, Ledger& ledger) {
  const WallTime expires = *record.expires;
  const WallTime at_latest{expires.us + store.capabilities().ttl_grain_ms * 1000};
  while (true) {
    const WallTime before = now();
    const auto got = co_await store.get({}, {.key = record.key});
    const WallTime after = now();
    if (got) ++ledger.looks;
    if (got && *got) EXPECT_LT(before, at_latest) << record.key << " is read after its time";
    if (got && !*got) {
      EXPECT_GE(after, expires) << record.key << " is gone before its time";
      break;
    }
    co_await sleep_for(loop, Milliseconds(10));
  }
}

// One record after the other. Some are written once more before they expire, and some of those do not expire then.
Task<void> write_timed(Crew& crew, state::StateStore& store, Scheduler& loop, std::string name, Ledger& ledger,
                       std::vector<Timed>& records, std::vector<std::string>& kept) {
  const auto some_time = [] { return Milliseconds(300 + random_u64() % 900); };
  for (int n = 0; !crew.is_over(); ++n) {
    Timed record{.key = "timed/" + name + "/" + std::to_string(n)};
    const bool is_kept = n % 5 == 4;
    if (is_kept) record.key = "kept/" + name + "/" + std::to_string(n);
    const Milliseconds ttl = some_time();
    const bool is_written = co_await write(store, record, ttl, ledger.outcomes);
    if (is_written && n % 2 == 0) {
      co_await sleep_for(loop, ttl / 2);
      const bool is_kept_now =
          co_await write(store, record, is_kept ? std::nullopt : std::optional(some_time()), ledger.outcomes);
      if (is_kept && is_kept_now) kept.push_back(record.key);
    }
    if (!is_kept) {
      records.push_back(record);
      if (record.expires && !record.is_unknown) co_await see_it_expire(store, loop, record, ledger);
    }
    co_await test::breathe(loop, !is_written);
  }
}

Task<void> watch_timed(state::StateStore& store, Ledger& ledger) {
  auto watcher = co_await store.watch({}, {.prefix = "timed/", .resume = ""});
  if (!watcher) {
    ADD_FAILURE() << watcher.error().message;
    co_return;
  }
  ledger.watcher = watcher->get();
  while (true) {
    const auto event = co_await (*watcher)->next();
    if (!event || !*event || (**event).key == kLast) break;
    Told& told = ledger.told[(**event).key];
    told.at = now();
    told.is_gone = (**event).kind == WatchEvent::Kind::expire;
    switch ((**event).kind) {
      case WatchEvent::Kind::put:
        ++told.puts;
        break;
      case WatchEvent::Kind::expire:
        ++told.expiries;
        break;
      case WatchEvent::Kind::erase:
        ADD_FAILURE() << (**event).key << " was deleted by nobody";
        break;
      case WatchEvent::Kind::resync:
        ADD_FAILURE() << "nothing was compacted";
        break;
      case WatchEvent::Kind::ready:
        ledger.told.erase((**event).key);
    }
  }
  ledger.watcher = nullptr;
}

void check_told(const Ledger& ledger) {
  std::size_t expired = 0;
  Milliseconds latest{0};
  for (const std::vector<Timed>& of_worker : ledger.records)
    for (const Timed& record : of_worker) {
      const auto found = ledger.told.find(record.key);
      const Told told = found == ledger.told.end() ? Told() : found->second;
      EXPECT_GE(told.puts, record.puts) << record.key;
      EXPECT_LE(told.puts, record.puts + (record.is_unknown ? 1 : 0)) << record.key;
      EXPECT_LE(told.expiries, told.puts) << record.key;
      EXPECT_EQ(told.is_gone, told.puts > 0) << record.key << ": nobody was told that it has expired";
      if (!told.is_gone || record.is_unknown) continue;
      EXPECT_GE(told.at, *record.expires) << record.key << ": told before its time";
      latest = std::max(latest, Milliseconds((told.at.us - record.expires->us) / 1000));
      ++expired;
    }
  EXPECT_GT(expired, 0u);
  std::cout << expired << " expiries were told, at most " << latest.count() << " ms late; " << ledger.looks
            << " looks; writes: " << ledger.outcomes.text() << "\n";
}

// A component of one layout, its writers and who watches.
class Place {
 public:
  Place(const state::StoreType& type, test::EtcdCluster& cluster)
      : prefix_("/" + std::string(type.version)),
        stores_(core_of(type, {{"endpoints", cluster.endpoints()},
                               {"keyPrefixPath", prefix_},
                               {"timeout", "1s"},
                               {"dialTimeout", "1s"}}),
                2),
        watchers_(stores_),
        writers_(stores_) {
    watchers_.send(1, [this](Crew&, state::StateStore& store, Scheduler&) { return watch_timed(store, ledger_); });
    test::require_eventually("a watch in its place", [this] { return ledger_.watcher != nullptr; });
    for (int i = 0; i < 40; ++i) {
      std::vector<Timed>& records = ledger_.records.emplace_back();
      std::vector<std::string>& kept = ledger_.kept.emplace_back();
      writers_.send(1, [this, i, &records, &kept](Crew& crew, state::StateStore& store, Scheduler& loop) {
        return write_timed(crew, store, loop, std::to_string(i), ledger_, records, kept);
      });
    }
  }
  ~Place() {
    stores_.loop(0).post([this] {
      if (state::Watcher* const watcher = ledger_.watcher) watcher->cancel();
    });
  }

  std::uint64_t acknowledged() const { return ledger_.outcomes.applied; }
  void finish() { writers_.finish(); }

  // Once the cluster is well, and all has expired.
  void check(test::EtcdClient& client) {
    for (const char* of : {"/timed/", ".holdfast/timed/"})
      test::require_eventually("the end of what has expired under " + prefix_ + of,
                               [&] { return client.get_prefix(prefix_ + of).empty(); });
    test::require_eventually("the last write", [&] { return stores_.set(test::save(kLast, "v")).has_value(); });
    watchers_.wait();
    check_told(ledger_);
    for (const std::vector<std::string>& of_worker : ledger_.kept)
      for (const std::string& key : of_worker) EXPECT_EQ(stores_.value(key), "v");
  }

 private:
  const std::string prefix_;
  Ledger ledger_;
  Stores stores_;
  Crew watchers_, writers_;
};

// Both layouts, while `fault` goes on, which ends with a cluster that is well.
void expect_exact_expiry(test::EtcdCluster& cluster,
                         const std::function<void(std::size_t leader, const std::function<void()>& go_on)>& fault) {
  Place v1(kEtcdV1Type, cluster), v2(kEtcdV2Type, cluster);
  const auto go_on = [&] {
    const std::uint64_t first = v1.acknowledged(), second = v2.acknowledged();
    test::require_eventually("more records",
                             [&] { return v1.acknowledged() >= first + 40 && v2.acknowledged() >= second + 40; });
  };
  test::rounds(1, [&](int) {
    go_on();
    fault(cluster.leader(), go_on);
    cluster.wait_until_healthy();
  });
  v1.finish();
  v2.finish();
  v1.check(cluster.client());
  v2.check(cluster.client());
  test::require_eventually("the end of all leases", [&] { return cluster.client().leases().empty(); });
}

TEST(EtcdExpiry, IsExactWhileTheLeaderIsKilled) {
  HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
  test::EtcdCluster cluster;
  expect_exact_expiry(cluster, [&](std::size_t leader, const std::function<void()>& go_on) {
    cluster.kill(leader);
    go_on();
    cluster.restart(leader);
  });
}

TEST(EtcdExpiry, IsExactWhileTheLeaderIsStopped) {
  HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
  test::EtcdCluster cluster;
  expect_exact_expiry(cluster, [&](std::size_t leader, const std::function<void()>& go_on) {
    cluster.pause(leader);
    go_on();
    cluster.resume(leader);
  });
}

TEST(EtcdExpiry, IsExactWhileTheLeaderIsCutOff) {
  HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
  HOLDFAST_NEEDS_NETWORK();
  test::Network network(3);
  test::EtcdCluster cluster({.network = &network});
  expect_exact_expiry(cluster, [&](std::size_t leader, const std::function<void()>& go_on) {
    network.cut_from_hosts(leader);
    go_on();
    network.heal();
  });
}

}  // namespace
}  // namespace holdfast::stores::etcd
