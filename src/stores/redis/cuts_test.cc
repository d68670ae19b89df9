// The connection is lost at every byte of every kind of call, each way, and the server is asked what it holds then
// (support/cuts.h).
#include "support/cuts.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "stores/redis/store_testing.h"
#include "support/redis_servers.h"

namespace holdfast::stores::redis {
namespace {

using state::Precondition;
using test::CutCall;
using test::kAbsent;
using test::kFirst;
using test::kSecond;
using test::Stores;

// Ahead of every clock, so that a write counts it up by one.
constexpr std::string_view kVersion = "5000000000000000";
const Precondition kIfOld = Precondition::one_of({&kVersion, 1});

// What the three keys hold, and how often they were written since they were prepared.
constexpr std::string_view kBefore = "old@0 old@0 -";
constexpr std::string_view kSet = "new@1 old@0 -";
constexpr std::string_view kErased = "- old@0 -";
constexpr std::string_view kAll = "new@1 - new@fresh";

Status set_strongly(Stores& stores) {
  return test::status_of(stores.set(test::save(kFirst, test::kNew), test::at_level(state::Consistency::strong)));
}

std::vector<CutCall> calls() {
  return {
      {"get", test::get_one, kBefore},
      {"bulk get", test::get_several, kBefore},
      {"list", test::list_all, kBefore},
      {"set", [](Stores& stores) { return test::set_first(stores); }, kSet},
      {"set in full", [](Stores& stores) { return test::set_first(stores); }, kSet, true},
      {"set by etag", [](Stores& stores) { return test::set_first(stores, kIfOld); }, kSet},
      {"first write", test::set_absent, "old@0 old@0 new@fresh"},
      {"delete", [](Stores& stores) { return test::erase_first(stores); }, kErased},
      {"delete by etag", [](Stores& stores) { return test::erase_first(stores, kIfOld); }, kErased},
      {"transaction", [](Stores& stores) { return test::change_all(stores); }, kAll},
      {"transaction by etags", [](Stores& stores) { return test::change_all(stores, kIfOld); }, kAll},
      {"strong set", set_strongly, kSet},
  };
}

class RedisCutter final : public test::Cutter {
 public:
  RedisCutter(test::TcpGate& gate, Stores& stores, test::RedisServer& server)
      : Cutter(gate, stores, kBefore), server_(server) {}

 private:
  void prepare(const CutCall& call) override {
    server_.must({"DEL", std::string(kFirst), std::string(kSecond), std::string(kAbsent)});
    for (const std::string_view key : {kFirst, kSecond})
      server_.must({"HSET", std::string(key), "data", std::string(test::kOld), "version", std::string(kVersion)});
    if (call.is_first) server_.must({"SCRIPT", "FLUSH"});
  }
  std::string look() override { return look_at(kFirst) + " " + look_at(kSecond) + " " + look_at(kAbsent); }
  std::string look_at(std::string_view key) {
    const test::Answer fields = server_.must({"HMGET", std::string(key), "data", "version"});
    if (fields[0].is_null()) return "-";
    const std::int64_t writes = std::stoll(std::string(fields[1].text())) - std::stoll(std::string(kVersion));
    // A fresh record's version is a time; a second write of it would have a condition that does not hold.
    return std::string(fields[0].text()) + "@" + (writes < 0 ? "fresh" : std::to_string(writes));
  }
  // Twice around the server: what it had received has been done.
  void settle() override {
    for (int i = 0; i < 2; ++i) server_.must({"PING"});
  }

  test::RedisServer& server_;
};

// The primary of a group behind a gate, and a store that knows it by the gate.
TEST(RedisCuts, NoCallIsAppliedTwiceOrToldWrongly) {
  HOLDFAST_NEEDS_SERVER(test::ServerKind::redis);
  test::RedisGroup group(1);
  test::TcpGate gate(group.primary().port());
  Stores stores(core_of({{"redisHost", "127.0.0.1:" + std::to_string(gate.port())}}));
  RedisCutter(gate, stores, group.primary()).cut_everywhere(calls(), 9);
  gate.spare();
}

}  // namespace
}  // namespace holdfast::stores::redis
