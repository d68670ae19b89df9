// The members of a cluster lose each other, or clients lose members, under load: packets are dropped, connections stay
// and are silent. Nothing that was acknowledged is lost, nothing is applied twice, no member that was left alone gives
// a strong reading of what is past, a watch misses nothing, and the store answers soon after it can.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "stores/etcd/store_testing.h"
#include "support/fault_load.h"
#include "support/network.h"

namespace holdfast::stores::etcd {
namespace {

using state::Consistency;
using state::WatchEvent;
using test::Crew;
using test::Network;
using test::Outcomes;
using test::Stores;

constexpr std::size_t kMembers = 3;

// A number that one worker counts up, by its etag, while others read it and one watches it. Without the etag a write
// whose outcome is unknown may come about later, when the members find each other again, and over newer ones.
struct Fresh {
  std::string key = "fresh";
  std::atomic<std::uint64_t> acknowledged = 0;
  Outcomes outcomes;
};
constexpr std::uint64_t kLast = 1'000'000'000'000;

Task<void> write_fresh(Crew& crew, state::StateStore& store, Scheduler& loop, Fresh& fresh) {
  while (!crew.is_over()) {
    const auto found = co_await store.get({}, {.key = fresh.key});
    if (!found) {
      co_await test::breathe(loop, true);
      continue;
    }
    const std::uint64_t next = *found ? std::stoull((**found).value) + 1 : 1;
    const std::string value = std::to_string(next);
    const std::string_view etags[] = {*found ? std::string_view((**found).etag) : ""};
    const auto written = co_await store.set(
        {}, test::save(fresh.key, value, *found ? state::Precondition::one_of(etags) : state::Precondition::absent()));
    fresh.outcomes.count(written ? nullptr : &written.error());
    if (written) fresh.acknowledged = next;
    co_await test::breathe(loop, !written);
  }
}

// Strong readings by a component that knows one member only.
struct Readings {
  std::atomic<std::uint64_t> answered = 0, refused = 0;
};

Task<void> read_fresh(Crew& crew, state::StateStore& store, Scheduler& loop, const Fresh& fresh, Readings& readings) {
  while (!crew.is_over()) {
    const std::uint64_t written = fresh.acknowledged;
    const auto got = co_await store.get(test::at_level(Consistency::strong), {.key = fresh.key});
    if (got) {
      const std::uint64_t read = *got ? std::stoull((**got).value) : 0;
      EXPECT_GE(read, written) << "a strong reading of what is past";
    }
    ++(got ? readings.answered : readings.refused);
    co_await test::breathe(loop, !got);
  }
}

// What one who watches is told, until the last value.
struct Told {
  std::vector<std::uint64_t> values;
  std::atomic<state::Watcher*> watcher = nullptr;  // of the loop, once it is in place and until the end
};

Task<void> watch_fresh(state::StateStore& store, const Fresh& fresh, Told& told) {
  auto watcher = co_await store.watch({}, {.prefix = fresh.key, .resume = "", .exact = true, .want_values = true});
  if (!watcher) {
    ADD_FAILURE() << watcher.error().message;
    co_return;
  }
  told.watcher = watcher->get();
  while (told.values.empty() || told.values.back() != kLast) {
    const auto event = co_await (*watcher)->next();
    if (!event || !*event) break;
    EXPECT_NE((**event).kind, WatchEvent::Kind::resync) << "nothing was compacted";
    if ((**event).kind == WatchEvent::Kind::put) told.values.push_back(std::stoull((**event).record->value));
  }
  told.watcher = nullptr;
}

class EtcdPartitions : public testing::Test {
 protected:
  struct Fault {
    std::string what;
    std::function<void()> happens;
    std::optional<std::size_t> alone = {};  // a member that has no majority, and is reached by clients
  };

  void SetUp() override {
    HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
    HOLDFAST_NEEDS_NETWORK();
    network_.emplace(kMembers);
    cluster_.emplace(test::EtcdOptions{.network = &*network_}, kMembers);
    load_.emplace(core(cluster_->endpoints()), Consistency::unspecified, std::vector<std::string>{"count/1", "count/2"},
                  "probe", test::Unknown::may_come_late);
    bank_.open(load_->stores(), load_->context());
    load_->crew().send(8, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
      return move_money(crew, store, loop, load_->context(), bank_, moves_);
    });
    watch();
    load_->crew().send(1, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
      return write_fresh(crew, store, loop, fresh_);
    });
    for (std::size_t i = 0; i < kMembers; ++i) {
      Crew& crew = readers_.emplace_back(one_member_.emplace_back(core(cluster_->address(i))));
      crew.send(1, [&, i](Crew& crew, state::StateStore& store, Scheduler& loop) {
        return read_fresh(crew, store, loop, fresh_, readings_[i]);
      });
    }
  }

  void TearDown() override {
    if (watching_)
      watching_->loop(0).post([this] {
        if (state::Watcher* const watcher = told_.watcher) watcher->cancel();
      });
  }

  void rounds(const std::function<Fault(std::size_t leader)>& fault_of) {
    test::rounds(1, [&](int) {
      load_->go_on();
      const Fault fault = fault_of(cluster_->leader());
      fault.happens();
      load_->expect_soon_after(fault.what, [&] { return bare_write(); }, [] {});
      load_->go_on();
      if (fault.alone) expect_refusals_of(*fault.alone);
      network_->heal();
      const auto healed = std::chrono::steady_clock::now();
      cluster_->wait_until_healthy();
      std::cout << "all members are well " << test::ms(std::chrono::steady_clock::now() - healed) << " ms later\n";
    });
  }

  void finish_and_check() {
    load_->go_on();
    for (Crew& crew : readers_) crew.finish();
    load_->finish_and_check();
    bank_.check(load_->stores());
    test::require_eventually("the last value", [&] {
      return load_->stores().set(test::save(fresh_.key, std::to_string(kLast))).has_value();
    });
    watchers_->wait();
    check_told();
    std::cout << "transfers: " << moves_.text() << "\n";
    for (const Readings& each : readings_)
      std::cout << "strong readings by one member: " << each.answered << ", " << each.refused << " refused\n";
  }

  Network& network() { return *network_; }
  void go_on(std::uint64_t writes) { load_->go_on(writes); }

 private:
  static std::shared_ptr<state::StoreCore> core(const std::string& endpoints) {
    return core_of(kEtcdV2Type, {{"endpoints", endpoints}, {"timeout", "1s"}, {"dialTimeout", "1s"}});
  }

  void watch() {
    watchers_.emplace(watching_.emplace(core(cluster_->endpoints())));
    watchers_->send(1, [&](Crew&, state::StateStore& store, Scheduler&) { return watch_fresh(store, fresh_, told_); });
    test::require_eventually("a watch in its place", [&] { return told_.watcher != nullptr; });
  }
  void check_told() {
    EXPECT_TRUE(std::ranges::is_sorted(told_.values)) << "out of order";
    EXPECT_EQ(std::ranges::adjacent_find(told_.values), told_.values.end()) << "told twice";
    // One more than the worker wrote: the last.
    const Outcomes& wrote = fresh_.outcomes;
    EXPECT_GE(told_.values.size(), wrote.applied + 1) << "events are missing: " << wrote.text();
    EXPECT_LE(told_.values.size(), wrote.applied + wrote.unknown + 1) << wrote.text();
    std::cout << "watched: " << told_.values.size() << " of " << wrote.text() << "\n";
  }

  // By a client that connects anew each time: what the cluster itself can do at that moment.
  bool bare_write() {
    for (std::size_t i = 0; i < kMembers; ++i) {
      test::EtcdLogin login = cluster_->login(i);
      login.patience = Milliseconds(200);
      try {
        test::EtcdClient(login).put("/bare", "1");
        return true;
      } catch (const test::EtcdError&) {
      }
    }
    return false;
  }

  void expect_refusals_of(std::size_t member) {
    const std::uint64_t before = readings_[member].refused;
    test::require_eventually("a refusal of a strong reading by who is alone",
                             [&] { return readings_[member].refused > before; });
  }

  std::optional<Network> network_;
  std::optional<test::EtcdCluster> cluster_;
  const test::Bank bank_{"1"};
  Outcomes moves_;
  Fresh fresh_;
  Readings readings_[kMembers];
  Told told_;
  std::optional<Stores> watching_;
  std::optional<Crew> watchers_;
  std::deque<Stores> one_member_;
  std::deque<Crew> readers_;
  std::optional<test::Load> load_;
};

TEST_F(EtcdPartitions, ALeaderWithoutItsFollowersIsLeftByItsClients) {
  rounds([&](std::size_t leader) {
    return Fault{"the leader alone", [&network = network(), leader] { network.cut_from_hosts(leader); }, leader};
  });
  finish_and_check();
}

TEST_F(EtcdPartitions, AFollowerWithoutTheOthersIsLeftByItsClients) {
  rounds([&](std::size_t leader) {
    const std::size_t other = (leader + 1) % kMembers;
    return Fault{"a follower alone", [&network = network(), other] { network.cut_from_hosts(other); }, other};
  });
  finish_and_check();
}

TEST_F(EtcdPartitions, ALeaderThatNobodyReachesIsLeft) {
  rounds([&](std::size_t leader) {
    return Fault{"the leader cut from all", [&network = network(), leader] { network.cut_from_all(leader); }};
  });
  finish_and_check();
}

// Clients reach followers only, which reach the leader.
TEST_F(EtcdPartitions, ALeaderThatOnlyFollowersReachIsWrittenToThroughThem) {
  rounds([&](std::size_t leader) {
    return Fault{"the leader cut from clients",
                 [&network = network(), leader] { network.cut(leader, Network::kHere); }};
  });
  finish_and_check();
}

// It is heard and hears nothing.
TEST_F(EtcdPartitions, ALeaderThatIsDeafIsReplaced) {
  rounds([&](std::size_t leader) {
    return Fault{"the leader deaf", [&network = network(), leader] {
                   for (std::size_t i = 1; i < kMembers; ++i) network.cut_way((leader + i) % kMembers, leader);
                 }};
  });
  finish_and_check();
}

// It hears and is not heard.
TEST_F(EtcdPartitions, ALeaderThatIsMuteIsReplaced) {
  rounds([&](std::size_t leader) {
    return Fault{"the leader mute", [&network = network(), leader] {
                   for (std::size_t i = 1; i < kMembers; ++i) network.cut_way(leader, (leader + i) % kMembers);
                 }};
  });
  finish_and_check();
}

// The third sees both of them.
TEST_F(EtcdPartitions, ALeaderAndAFollowerThatDoNotSeeEachOtherLoseNothing) {
  rounds([&](std::size_t leader) {
    return Fault{"the leader and a follower apart",
                 [&network = network(), leader] { network.cut(leader, (leader + 1) % kMembers); }};
  });
  finish_and_check();
}

// One member after the other is alone, the next as soon as the last is back.
TEST_F(EtcdPartitions, LinksThatFlapLoseNothing) {
  rounds([&](std::size_t leader) {
    return Fault{"flapping links", [this, leader] {
                   for (std::size_t i = 0; i < kMembers; ++i) {
                     network().cut_from_hosts((leader + i) % kMembers);
                     go_on(20);
                     network().heal();
                   }
                 }};
  });
  finish_and_check();
}

}  // namespace
}  // namespace holdfast::stores::etcd
