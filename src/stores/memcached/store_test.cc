// What is state.memcached's own, on real servers and on peers that play a script; the contract is tested by
// conformance.
#include "stores/memcached/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "stores/memcached/testing.h"
#include "support/eventually.h"
#include "support/load.h"
#include "support/memcached_server.h"
#include "support/scripted_peer.h"

namespace holdfast::stores::memcached {
namespace {

using state::Precondition;
using test::answer;
using test::expect;
using test::hang_up;
using test::MemcachedServer;
using test::save;
using test::ScriptedPeer;
using test::Stores;
using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kGreeting = "version\r\nmn\r\nstats\r\nstats settings\r\n";

std::string greeted_by(int pid) {
  return "VERSION 1.6.18\r\nMN\r\nSTAT pid " + std::to_string(pid) +
         "\r\nSTAT uptime 1\r\nSTAT time 2\r\nEND\r\nSTAT item_size_max 1048576\r\nEND\r\n";
}

Fields at(std::uint16_t port) { return {{"hosts", "127.0.0.1:" + std::to_string(port)}}; }

// What is said when it cannot be opened.
std::string refusal_of(const Fields& fields) {
  try {
    Stores stores(core_of(fields));
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "it opens";
}

std::string value_of(const Result<std::optional<state::Record>>& got) {
  if (!got) return std::string(name_of(got.error().code));
  return *got ? (**got).value : "absent";
}

TEST(MemcachedType, AsksForHostsAndDeclaresWhatItHas) {
  state::Component component;
  component.name = "things";
  const auto core = kMemcachedType.prepare(component, {Clock::system(), 1});
  ASSERT_FALSE(core);
  EXPECT_EQ(core.error().code, Errc::invalid_argument);
  EXPECT_THAT(std::vector(kMemcachedType.dapr_features.begin(), kMemcachedType.dapr_features.end()),
              testing::ElementsAre("ETAG", "TTL"));
}

// ---- Opening

TEST(MemcachedOpen, OfAServerWithoutMetaCommandsNamesTheVersionThatIsNeeded) {
  ScriptedPeer peer({{expect(kGreeting), answer("VERSION 1.5.22\r\nERROR\r\nSTAT pid 1\r\nEND\r\nEND\r\n")}});
  EXPECT_THAT(refusal_of(at(peer.port())),
              HasSubstr("is memcached 1.5.22, which lacks the meta commands that this store "
                        "is made of. Use memcached 1.6.10 or later."));
}

TEST(MemcachedOpen, OfSomethingElseOrNobodySaysSo) {
  ScriptedPeer peer({{expect(kGreeting), answer("-ERR unknown command\r\n")}});
  Fields fields = at(peer.port());
  fields.emplace_back("timeout", "5s");
  EXPECT_THAT(refusal_of(fields), HasSubstr("not memcached"));
  const test::Port nobody;
  EXPECT_THAT(refusal_of(at(nobody.number())), HasSubstr("orders"));
}

TEST(MemcachedOpen, NeedsEveryServer) {
  HOLDFAST_NEEDS_MEMCACHED();
  MemcachedServer server;
  const test::Port nobody;
  EXPECT_NE(refusal_of({{"hosts", server.address() + ",127.0.0.1:" + std::to_string(nobody.number())}}), "it opens");
}

// ---- Data of Dapr, and ours for it

TEST(MemcachedLayout, WhatDaprWroteIsReadAndContinued) {
  HOLDFAST_NEEDS_MEMCACHED();
  MemcachedServer server;
  Stores stores(core_of({{"hosts", server.address()}}));
  EXPECT_EQ(server.ask("set app||a 0 0 7\r\n{\"n\":1}\r\nset app||b 0 100 3\r\nraw\r\n"), "STORED\r\nSTORED\r\n");
  const auto read = [&](std::string_view key) {
    return **stores.ask([&](state::StateStore& store) { return store.get({}, {.key = key, .want_fields = true}); });
  };
  const state::Record json = read("app||a");
  EXPECT_EQ(json.value, "{\"n\":1}");
  EXPECT_EQ(json.shape, state::Shape::json);
  EXPECT_FALSE(json.expires_at);
  const state::Record bytes = read("app||b");
  EXPECT_EQ(bytes.shape, state::Shape::bytes);
  ASSERT_TRUE(bytes.expires_at);
  EXPECT_NEAR(static_cast<double>(bytes.expires_at->ms()), static_cast<double>(Clock::system().wall().ms() + 100'000),
              60'000);
  // Its writes change the etag, and take no notice of ours.
  const std::string_view etag = json.etag;
  EXPECT_EQ(server.ask("set app||a 0 0 1\r\n2\r\n"), "STORED\r\n");
  EXPECT_EQ(stores.set(save("app||a", "3", Precondition::one_of({&etag, 1}))).error().code, Errc::precondition_failed);
  EXPECT_TRUE(stores.set(save("app||a", "3")));
  EXPECT_THAT(server.ask("get app||a\r\n"), testing::MatchesRegex("VALUE app\\|\\|a [0-9]+ 1\r\n3\r\nEND\r\n"));
}

TEST(MemcachedLayout, EachKeyIsOnTheServerThatDaprsDriverAsks) {
  HOLDFAST_NEEDS_MEMCACHED();
  std::array<MemcachedServer, 3> servers;
  Stores stores(core_of({{"hosts", servers[0].address() + "," + servers[1].address() + "," + servers[2].address()}}));
  std::array<int, 3> counts{};
  for (int i = 0; i < 60; ++i) {
    const std::string key = "app||key-" + std::to_string(i);
    ASSERT_TRUE(stores.set(save(key, "v")));
    const std::size_t host = host_of(key, 3);
    ++counts[host];
    for (std::size_t server = 0; server < 3; ++server)
      EXPECT_EQ(servers[server].ask("mg " + key + " v\r\n"), server == host ? "VA 1\r\nv\r\n" : "EN\r\n") << key;
  }
  for (const int count : counts) EXPECT_GT(count, 0);
}

// Dapr's 32 bits wrap: a long time to live makes the record vanish.
TEST(MemcachedTtl, HoweverLongIsNeverShort) {
  HOLDFAST_NEEDS_MEMCACHED();
  MemcachedServer server;
  Stores stores(core_of({{"hosts", server.address()}}));
  for (const std::int64_t seconds :
       {std::int64_t{1}, std::int64_t{2'591'999}, std::int64_t{2'592'000}, std::int64_t{2'592'001},
        std::int64_t{2'147'483'647}, std::int64_t{2'147'483'648}, std::int64_t{4'294'967'297}, std::int64_t{1} << 40}) {
    state::SetRequest request = save("k", "v");
    request.ttl = std::chrono::seconds(seconds);
    const auto written = stores.set(request);
    ASSERT_TRUE(written) << written.error().message;
    const auto read = stores.get("k");
    ASSERT_TRUE(read && *read) << seconds;
    ASSERT_TRUE((**read).expires_at) << seconds;
    const std::string left = server.ask("mg k t\r\n");
    if (seconds < 100'000'000) {
      const std::int64_t told = std::stoll(left.substr(4));
      EXPECT_GE(told, seconds - 60) << "a minute of a busy machine";
      EXPECT_LE(told, seconds + 3);
    } else {
      EXPECT_EQ(left, "HD t-1\r\n") << seconds;
    }
  }
}

// ---- Servers that come and go

TEST(MemcachedOutage, AServerThatComesBackIsEmptyAndKnowsNoEtagOfBefore) {
  HOLDFAST_NEEDS_MEMCACHED();
  MemcachedServer server;
  Stores stores(core_of({{"hosts", server.address()}}));
  const std::string before = stores.set(save("k", "1"))->etag;
  server.kill();
  ASSERT_TRUE(test::eventually([&] { return !stores.get("k"); }));
  EXPECT_EQ(value_of(stores.get("k")), "unavailable");
  EXPECT_EQ(stores.set(save("k", "2")).error().code, Errc::unavailable);
  server.restart();
  ASSERT_TRUE(test::eventually([&] { return stores.get("k").has_value(); }));
  EXPECT_EQ(value_of(stores.get("k")), "absent");
  // The first write of the new process has the number of the first write of the old one.
  const std::string after = stores.set(save("k", "2"))->etag;
  EXPECT_EQ(after.substr(0, after.find('-')), before.substr(0, before.find('-')));
  EXPECT_NE(after, before);
  const std::string_view etag = before;
  EXPECT_EQ(stores.set(save("k", "3", Precondition::one_of({&etag, 1}))).error().code, Errc::precondition_failed);
  const auto erased = stores.ask([&](state::StateStore& store) {
    return store.erase({}, {.key = "k", .when = Precondition::one_of({&etag, 1})});
  });
  EXPECT_EQ(erased.error().code, Errc::precondition_failed);
  EXPECT_EQ(value_of(stores.get("k")), "2");
}

TEST(MemcachedOutage, OfOneServerLeavesTheKeysOfTheOthers) {
  HOLDFAST_NEEDS_MEMCACHED();
  std::array<MemcachedServer, 2> servers;
  Stores stores(core_of({{"hosts", servers[0].address() + "," + servers[1].address()}}));
  std::array<std::string, 2> keys;
  for (int i = 0; keys[0].empty() || keys[1].empty(); ++i) {
    const std::string key = "key-" + std::to_string(i);
    keys[host_of(key, 2)] = key;
  }
  for (const std::string& key : keys) ASSERT_TRUE(stores.set(save(key, "v")));
  servers[0].kill();
  ASSERT_TRUE(test::eventually([&] { return !stores.get(keys[0]); }));
  EXPECT_EQ(value_of(stores.get(keys[1])), "v");
  const std::array<state::GetRequest, 2> requests{{{.key = keys[0]}, {.key = keys[1]}}};
  const auto records = stores.ask([&](state::StateStore& store) { return store.get_many({}, requests); });
  EXPECT_EQ(value_of(records[0]), "unavailable");
  EXPECT_EQ(value_of(records[1]), "v");
  EXPECT_FALSE(stores.ask([](state::StateStore& store) { return store.ping({}); }));
}

TEST(MemcachedOutage, AServerThatFallsSilentCostsNoMoreThanTheTimeout) {
  HOLDFAST_NEEDS_MEMCACHED();
  MemcachedServer server;
  Stores stores(core_of({{"hosts", server.address()}, {"timeout", "300"}}));
  ASSERT_TRUE(test::eventually([&] { return stores.set(save("k", "1")).has_value(); }));
  server.pause();
  EXPECT_THAT(value_of(stores.get("k")), AnyOf("unavailable", "deadline_exceeded"));
  EXPECT_FALSE(stores.set(save("k", "2")));
  server.resume();
  EXPECT_TRUE(test::eventually([&] { return stores.get("k").has_value(); }));
}

// ---- Lost replies

TEST(MemcachedLoss, OfTheReplyToAReadingIsReadAgainOnce) {
  const std::string get = "mg k v f c t\r\n";
  ScriptedPeer peer({{expect(kGreeting), answer(greeted_by(1)), expect(get), hang_up()},
                     {expect(kGreeting), answer(greeted_by(1)), expect(get), answer("VA 1 f1 c7 t-1\r\nx\r\n"),
                      expect(get), hang_up()},
                     {expect(kGreeting), answer(greeted_by(1)), expect(get), hang_up()}});
  Stores stores(core_of(at(peer.port())));
  EXPECT_EQ(value_of(stores.get("k")), "x");
  EXPECT_EQ(value_of(stores.get("k")), "unavailable") << "the reply was lost twice";
}

TEST(MemcachedLoss, OfTheReplyToAWriteIsAnUnknownOutcomeAndTheWriteIsNotSentAgain) {
  const std::string set = "ms k 1 F1 T0 c\r\nv\r\n", erase = "md k\r\n";
  ScriptedPeer peer({{expect(kGreeting), answer(greeted_by(1)), expect(set), hang_up()},
                     {expect(kGreeting), answer(greeted_by(1)), expect(erase), hang_up()},
                     {expect(kGreeting), answer(greeted_by(1)), expect("mn\r\n"), answer("MN\r\n")}});
  Stores stores(core_of(at(peer.port())));
  EXPECT_EQ(stores.set(save("k", "v")).error().code, Errc::outcome_unknown);
  const auto erased = stores.ask([](state::StateStore& store) { return store.erase({}, {.key = "k", .when = {}}); });
  EXPECT_EQ(erased.error().code, Errc::outcome_unknown);
  EXPECT_TRUE(stores.ask([](state::StateStore& store) { return store.ping({}); }));
}

// The number of an item of one process would be that of another item of the next.
TEST(MemcachedLoss, AGuardedWriteThatWaitsForAConnectionIsNotSentToAnotherProcess) {
  const std::string get = "mg k v f c t\r\n";
  ScriptedPeer peer(
      {{expect(kGreeting), answer(greeted_by(1)), expect(get), answer("VA 1 f1 c7 t-1\r\nx\r\n"), hang_up()},
       {expect(kGreeting), answer(greeted_by(2))},
       {expect(kGreeting), answer(greeted_by(2)), expect(get), answer("VA 1 f1 c7 t-1\r\ny\r\n")}});
  Stores stores(core_of(at(peer.port())));
  const auto record = stores.get("k");
  ASSERT_TRUE(record && *record);
  const std::string_view etag = (**record).etag;
  // Until the loss is noticed it may be sent to the old process, which is gone; never to the new one.
  const auto written = stores.set(save("k", "z", Precondition::one_of({&etag, 1})));
  EXPECT_THAT(written.error().code, AnyOf(Errc::unavailable, Errc::outcome_unknown));
  ASSERT_TRUE(test::eventually([&] { return stores.get("k").has_value(); }));
}

// ---- Several etags, and expiry that is kept

TEST(MemcachedRounds, AWriteThatOthersOvertakeIsJudgedAnew) {
  const std::string look = "mg k f c t\r\n";
  ScriptedPeer peer(
      {{expect(kGreeting), answer(greeted_by(1)), expect(look), answer("HD f1 c7 t-1\r\n"),
        expect("ms k 1 F1 T0 C7 c\r\nv\r\n"), answer("EX c0\r\n"), expect(look), answer("HD f1 c8 t-1\r\n"),
        expect("ms k 1 F1 T0 C8 c\r\nv\r\n"), answer("HD c9\r\n"), expect(look), answer("EN\r\n"),
        expect("ms k 1 F1 T0 ME c\r\nv\r\n"), answer("NS c0\r\n"), expect(look), answer("HD f1 c10 t-1\r\n"),
        expect("ms k 1 F1 T0 C10 c\r\nv\r\n"), answer("HD c11\r\n")}});
  Stores stores(core_of(at(peer.port())));
  state::SetRequest keep = save("k", "v");
  keep.keep_expiry = true;
  EXPECT_TRUE(stores.set(keep));
  EXPECT_TRUE(stores.set(keep));
}

TEST(MemcachedRounds, AWriteThatOthersAlwaysOvertakeIsAConflict) {
  int cas = 7;
  ScriptedPeer peer(
      {{expect(kGreeting), answer(greeted_by(1)), test::serve([&cas](std::string_view line) -> std::string {
          if (line.starts_with("mg")) return "HD f1 c" + std::to_string(++cas) + " t-1\r\n";
          return line.starts_with("ms") ? "EX c0\r\n" : "";
        })}});
  Stores stores(core_of(at(peer.port())));
  state::SetRequest keep = save("k", "v");
  keep.keep_expiry = true;
  EXPECT_EQ(stores.set(keep).error().code, Errc::conflict);
}

}  // namespace
}  // namespace holdfast::stores::memcached
