// The connection is lost at every byte of every kind of call, each way, and the server is asked what it holds then.
//
// In CI every few bytes, beginning elsewhere each time; with HOLDFAST_SOAK_SECONDS every byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <map>
#include <string>

#include "base/random.h"
#include "stores/redis/load_testing.h"
#include "support/redis_servers.h"
#include "support/tcp_gate.h"

namespace holdfast::stores::redis {
namespace {

using state::Precondition;
using state::StateStore;
using test::Way;

constexpr std::string_view kFirst = "cut/{1}/first", kSecond = "cut/{1}/second", kAbsent = "cut/{1}/absent";
constexpr std::string_view kOld = "old", kNew = "new";
// Ahead of every clock, so that a write counts it up by one.
constexpr std::string_view kVersion = "5000000000000000";
const Precondition kIfOld = Precondition::one_of({&kVersion, 1});

// What the three keys hold, and how often they were written since they were prepared.
constexpr std::string_view kBefore = "old@0 old@0 -";

std::string look_at(test::RedisServer& server, std::string_view key) {
  const test::Answer fields = server.must({"HMGET", std::string(key), "data", "version"});
  if (fields[0].is_null()) return "-";
  const std::int64_t writes = std::stoll(std::string(fields[1].text())) - std::stoll(std::string(kVersion));
  // A fresh record's version is a time; a second write of it would have a condition that does not hold.
  return std::string(fields[0].text()) + "@" + (writes < 0 ? "fresh" : std::to_string(writes));
}

std::string look(test::RedisServer& server) {
  return look_at(server, kFirst) + " " + look_at(server, kSecond) + " " + look_at(server, kAbsent);
}

void prepare(test::RedisServer& server) {
  server.must({"DEL", std::string(kFirst), std::string(kSecond), std::string(kAbsent)});
  for (const std::string_view key : {kFirst, kSecond})
    server.must({"HSET", std::string(key), "data", std::string(kOld), "version", std::string(kVersion)});
}

// One kind of call.
struct Call {
  std::string_view name;
  std::function<Status(Stores&)> make;
  std::string_view after;  // what look() finds when it was applied; kBefore: it only reads
  bool knows_script = true;
};

template <class T>
Status status_of(Result<T> result) {
  if (!result) return fail(std::move(result.error()));
  return {};
}

Status read_wrong(std::string_view what) { return fail(Errc::internal, "read something else: " + std::string(what)); }

Status get_one(Stores& stores) {
  const auto got = stores.get(kFirst);
  if (!got) return fail(got.error());
  return *got && (**got).value == kOld ? Status() : read_wrong(*got ? (**got).value : "nothing");
}

Status get_several(Stores& stores) {
  const std::array<state::GetRequest, 2> requests{{{.key = kFirst}, {.key = kSecond}}};
  const auto got = net::on_loop<std::vector<Result<std::optional<state::Record>>>>(
      stores.loop(0), Milliseconds(60'000), [&] { return stores.on(0).get_many({}, requests); });
  for (const auto& one : got.value()) {
    if (!one) return fail(one.error());
    if (!*one || (**one).value != kOld) return read_wrong(*one ? (**one).value : "nothing");
  }
  return {};
}

Status list_all(Stores& stores) {
  state::ListRequest request;
  request.prefix = "cut/";
  request.want_values = true;
  const auto page = stores.ask([&](StateStore& store) { return store.list({}, request); });
  if (!page) return fail(page.error());
  return page->items.size() == 2 ? Status() : read_wrong(std::to_string(page->items.size()) + " keys");
}

Status erase(Stores& stores, Precondition when) {
  return status_of(stores.ask([&](StateStore& store) { return store.erase({}, {.key = kFirst, .when = when}); }));
}

Status change_both(Stores& stores, Precondition when) {
  const std::array<state::Operation, 3> operations{save(kFirst, kNew, when), state::DeleteRequest{kSecond, when},
                                                   save(kAbsent, kNew)};
  return status_of(stores.ask([&](StateStore& store) { return store.transact({}, operations); }));
}

Status set_strongly(Stores& stores) {
  return status_of(stores.set(save(kFirst, kNew), at_level(state::Consistency::strong)));
}

constexpr std::string_view kSet = "new@1 old@0 -";
constexpr std::string_view kErased = "- old@0 -";
constexpr std::string_view kBoth = "new@1 - new@fresh";

const std::vector<Call>& calls() {
  static const std::vector<Call> all{
      {"get", get_one, kBefore},
      {"bulk get", get_several, kBefore},
      {"list", list_all, kBefore},
      {"set", [](Stores& stores) { return status_of(stores.set(save(kFirst, kNew))); }, kSet},
      {"set in full", [](Stores& stores) { return status_of(stores.set(save(kFirst, kNew))); }, kSet, false},
      {"set by etag", [](Stores& stores) { return status_of(stores.set(save(kFirst, kNew, kIfOld))); }, kSet},
      {"first write", [](Stores& stores) { return status_of(stores.set(save(kAbsent, kNew, Precondition::absent()))); },
       "old@0 old@0 new@fresh"},
      {"delete", [](Stores& stores) { return erase(stores, {}); }, kErased},
      {"delete by etag", [](Stores& stores) { return erase(stores, kIfOld); }, kErased},
      {"transaction", [](Stores& stores) { return change_both(stores, {}); }, kBoth},
      {"transaction by etags", [](Stores& stores) { return change_both(stores, kIfOld); }, kBoth},
      {"strong set", set_strongly, kSet},
  };
  return all;
}

// The primary of a group behind a gate, and a store that knows it by the gate.
class Cuts : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_SERVER(test::ServerKind::redis);
    group_.emplace(1);
    gate_.emplace(group_->primary().port());
    stores_.emplace(Fields{{"redisHost", "127.0.0.1:" + std::to_string(gate_->port())}});
  }
  void TearDown() override {
    if (gate_) gate_->spare();
    stores_.reset();
  }

  void ready_for(const Call& call) {
    prepare(server());
    if (!call.knows_script) server().must({"SCRIPT", "FLUSH"});
  }

  // Every connection that the call needs is there again, which has to be soon.
  void recover(const Call& call) {
    const auto began = std::chrono::steady_clock::now();
    test::require_eventually(std::string(call.name) + " to work again", [&] {
      prepare(server());
      return call.make(*stores_).has_value();
    });
    slowest_ = std::max(slowest_, std::chrono::steady_clock::now() - began);
  }

  // How many bytes the call passes that way, once everything it needs is there. The least of some: a round of the
  // router may pass at the same time.
  std::uint64_t bytes_of(const Call& call, Way way) {
    recover(call);
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (int i = 0; i < 3; ++i) {
      ready_for(call);
      const std::uint64_t before = gate_->passed(way);
      if (Status made = call.make(*stores_); !made) ADD_FAILURE() << call.name << ": " << made.error().message;
      EXPECT_EQ(look(server()), call.after) << call.name;
      least = std::min(least, gate_->passed(way) - before);
    }
    return least;
  }

  void cut_at(const Call& call, Way way, std::uint64_t bytes) {
    ready_for(call);
    gate_->cut_after(way, bytes);
    const Status made = call.make(*stores_);
    gate_->spare();
    // Twice around the server: what it had received has been done.
    for (int i = 0; i < 2; ++i) server().must({"PING"});
    const std::string found = look(server());
    ++outcomes_[made ? "applied" : std::string(name_of(made.error().code))];
    const std::string where =
        std::string(call.name) + ", cut after " + std::to_string(bytes) + " bytes " +
        (way == Way::to_server ? "to the server" : "to the client") + ", answered " +
        (made ? "success" : std::string(name_of(made.error().code)) + ": " + made.error().message);
    if (made) {
      EXPECT_EQ(found, call.after) << where;
    } else if (made.error().code == Errc::outcome_unknown || made.error().code == Errc::replication_shortfall) {
      EXPECT_NE(call.after, kBefore) << "a reading knows its outcome: " << where;
      EXPECT_TRUE(found == kBefore || found == call.after) << found << ": " << where;
    } else {
      EXPECT_EQ(made.error().code, Errc::unavailable) << where;
      EXPECT_EQ(found, kBefore) << where;
    }
    recover(call);
  }

  test::RedisServer& server() { return group_->primary(); }

  std::optional<test::RedisGroup> group_;
  std::optional<test::TcpGate> gate_;
  std::optional<Stores> stores_;
  std::map<std::string, int> outcomes_;
  std::chrono::nanoseconds slowest_{};
};

TEST_F(Cuts, NoCallIsAppliedTwiceOrToldWrongly) {
  const std::uint64_t stride = is_soak() ? 1 : 9;
  const std::uint64_t first = random_u64() % stride;
  std::size_t steps = 0;
  for (const Call& call : calls())
    for (const Way way : {Way::to_server, Way::to_client}) {
      const std::uint64_t most = bytes_of(call, way);
      ASSERT_GT(most, 0) << call.name;
      const std::size_t cuts = gate_->cuts();
      const std::size_t begun = steps;
      for (std::uint64_t bytes = first; bytes < most; bytes += stride, ++steps) cut_at(call, way, bytes);
      // Rounds of the router may use up a few.
      EXPECT_GE(2 * (gate_->cuts() - cuts), steps - begun) << call.name;
      if (HasFailure()) FAIL() << "first byte " << first << ", stride " << stride;
    }
  std::string told;
  for (const auto& [outcome, count] : outcomes_) told += ", " + std::to_string(count) + " " + outcome;
  std::cout << steps << " cuts from byte " << first << " on, every " << stride << told
            << "; slowest answer after one: " << std::chrono::duration_cast<Milliseconds>(slowest_).count() << " ms\n";
  EXPECT_LT(slowest_, std::chrono::seconds(5));
}

}  // namespace
}  // namespace holdfast::stores::redis
