// What the scripts do, on real servers: also that Dapr can go on with our records and we with Dapr's.
#include "stores/redis/scripts.h"

#include <gmock/gmock.h>

#include <charconv>
#include <optional>

#include "stores/redis/testing.h"
#include "support/redis_cluster.h"

namespace holdfast::stores::redis {
namespace {

using state::Precondition;
using test::ServerKind;
using testing::HasSubstr;

// What Dapr 1.x does on a set and a delete, written down from its behaviour: ARGV expected version or 0, value, 0 for
// first-write.
constexpr const char* kDaprSet = R"(
local v=redis.pcall('HGET',KEYS[1],'version')
if type(v)=='table' then redis.call('DEL',KEYS[1]) v=false end
local first=redis.call('HGET',KEYS[1],'first-write')
if v and v~='' and v~=ARGV[1] and (first or ARGV[1]~='0') then return redis.error_reply('ERR failed to set key') end
redis.call('HSET',KEYS[1],'data',ARGV[2])
if ARGV[3]=='0' then redis.call('HSET',KEYS[1],'first-write',0) end
return redis.call('HINCRBY',KEYS[1],'version',1)
)";
constexpr const char* kDaprDelete = R"(
local v=redis.pcall('HGET',KEYS[1],'version')
if v and type(v)~='table' and v~='' and v~=ARGV[1] and ARGV[1]~='0' then return redis.error_reply('ERR failed to delete') end
return redis.call('DEL',KEYS[1])
)";

std::int64_t number(const std::string& text) {
  std::int64_t value = -1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

class RedisScripts : public testing::TestWithParam<ServerKind> {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_SERVER(GetParam());
    redis_.emplace(shared_server(GetParam()).port());
  }
  Conversation& redis() { return *redis_; }

  test::Answer dapr_set(const std::string& key, const std::string& value, const std::string& expected = "0",
                        bool is_first_write = false) {
    return redis().command({"EVAL", kDaprSet, "1", key, expected, value, is_first_write ? "0" : "1"});
  }
  std::string must_set(const state::SetRequest& request) {
    const auto written = redis().set(request);
    EXPECT_TRUE(written) << written.error().message << " " << written.error().backend_message;
    return written ? written->etag : "";
  }
  std::string hash_field(const std::string& key, const std::string& field) {
    return redis().command({"HGET", key, field}).text();
  }
  std::int64_t ttl(const std::string& key) { return redis().command({"PTTL", key}).root().integer(); }

 private:
  std::optional<Conversation> redis_;
};

INSTANTIATE_TEST_SUITE_P(Servers, RedisScripts,
                         testing::Values(ServerKind::redis, ServerKind::redis_stack, ServerKind::valkey),
                         [](const auto& info) {
                           return info.param == ServerKind::redis         ? std::string("Redis")
                                  : info.param == ServerKind::redis_stack ? std::string("RedisStack")
                                                                          : std::string("Valkey");
                         });

// ---- Versions

TEST_P(RedisScripts, AFreshRecordBeginsAtTheServersTimeAndCountsUp) {
  const test::Answer time = redis().command({"TIME"});
  const std::int64_t before = number(std::string(time[0].text())) * 1'000'000 + number(std::string(time[1].text()));
  const auto first = redis().set(put("k", "v"));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->created, true);
  EXPECT_GE(number(first->etag), before);
  EXPECT_LT(number(first->etag), std::int64_t{1} << 53);
  const auto second = redis().set(put("k", "v"));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->created, false);
  EXPECT_EQ(number(second->etag), number(first->etag) + 1);
  EXPECT_EQ(hash_field("k", "version"), second->etag) << "decimal, never 1.7e+15";
}

TEST_P(RedisScripts, ADeletedAndRecreatedKeyNeverHasAnEarlierEtag) {
  std::vector<std::string> etags;
  for (int round = 0; round < 20; ++round) {
    etags.push_back(must_set(put("k", "v")));
    etags.push_back(must_set(put("k", "w")));
    ASSERT_TRUE(redis().erase({"k", {}}));
  }
  std::ranges::sort(etags);
  EXPECT_EQ(std::ranges::adjacent_find(etags), etags.end());
}

TEST_P(RedisScripts, AVersionThatIsNoCounterStartsAfresh) {
  for (const char* version :
       {"abc", "9007199254740991", "9223372036854775807", "-5", "inf", "nan", "twelve and a bit", "-999999999999999"}) {
    redis().command({"DEL", "k"});
    redis().command({"HSET", "k", "data", "old", "version", version});
    const auto written = redis().set(put("k", "v"));
    ASSERT_TRUE(written) << version;
    EXPECT_EQ(written->created, false) << version;
    EXPECT_GT(number(written->etag), 1'000'000'000'000'000) << version;
    EXPECT_LT(number(written->etag), std::int64_t{1} << 53) << version;
  }
}

TEST_P(RedisScripts, AHashWithoutAVersionIsNoRecord) {
  redis().command({"HSET", "k", "other", "x", "version", ""});
  EXPECT_TRUE(redis().is_absent("k"));
  const auto written = redis().set(put("k", "v", Precondition::absent()));
  ASSERT_TRUE(written);
  EXPECT_EQ(written->created, true);
  EXPECT_EQ(hash_field("k", "other"), "x") << "unknown fields survive, as with Dapr";
}

TEST_P(RedisScripts, AnyBytesComeBackAsTheyWere) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  constexpr std::string_view kKey("k\r\n\0x", 5);
  must_set(put(kKey, bytes));
  EXPECT_EQ(redis().record(kKey).value, bytes);
  EXPECT_TRUE(redis().is_absent("k\r\n"));
  must_set(put("float", "0.12345678901234567"));
  EXPECT_EQ(redis().record("float").value, "0.12345678901234567") << "Dapr keeps six decimals";
}

// ---- Conditions

TEST_P(RedisScripts, ConditionsDecideOnWhatIsThere) {
  const Etag wrong("7");
  EXPECT_FALSE(redis().set(put("k", "v", Precondition::present())));
  EXPECT_FALSE(redis().set(put("k", "v", wrong.when()))) << "Dapr does not check an etag where nothing is";
  EXPECT_TRUE(redis().is_absent("k"));
  const Etag first(must_set(put("k", "v", Precondition::absent())));
  const auto refused = redis().set(put("k", "w", Precondition::absent()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::precondition_failed);
  EXPECT_EQ(refused.error().current_etag, first.bytes);
  EXPECT_FALSE(redis().set(put("k", "w", wrong.when())));
  EXPECT_EQ(redis().record("k").value, "v");
  const Etag second(must_set(put("k", "w", first.when())));
  EXPECT_FALSE(redis().set(put("k", "x", first.when())));
  const std::array<std::string_view, 3> several{"7", "8", second.view};
  EXPECT_TRUE(redis().set(put("k", "x", Precondition::one_of(several))));
  EXPECT_TRUE(redis().set(put("k", "y", Precondition::present())));
  EXPECT_EQ(redis().record("k").value, "y");
}

TEST_P(RedisScripts, DaprsLaxityIsThereForWhoAsksForIt) {
  redis().context.lenient = true;
  const Etag any("7"), none("0");
  const Etag first(must_set(put("k", "v", any.when())));
  EXPECT_FALSE(redis().set(put("k", "w", any.when()))) << "a record's etag is checked all the same";
  EXPECT_TRUE(redis().set(put("k", "w", none.when())));
  EXPECT_FALSE(redis().erase({"k", any.when()}));
  EXPECT_EQ(redis().erase({"k", none.when()})->existed, true);
  EXPECT_EQ(redis().erase({"k", any.when()})->existed, false);
}

TEST_P(RedisScripts, DeletesAreConditionalToo) {
  const Etag wrong("7");
  EXPECT_EQ(redis().erase({"k", {}})->existed, false);
  EXPECT_EQ(redis().erase({"k", wrong.when()}).error().code, Errc::precondition_failed);
  EXPECT_EQ(redis().erase({"k", Precondition::present()}).error().code, Errc::precondition_failed);
  EXPECT_EQ(redis().erase({"k", Precondition::absent()})->existed, false);
  const Etag etag(must_set(put("k", "v")));
  const auto refused = redis().erase({"k", wrong.when()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().current_etag, etag.bytes);
  EXPECT_EQ(redis().erase({"k", Precondition::absent()}).error().code, Errc::precondition_failed);
  EXPECT_EQ(redis().erase({"k", etag.when()})->existed, true);
  EXPECT_TRUE(redis().is_absent("k"));
}

// ---- Expiry

TEST_P(RedisScripts, ASetWithoutATtlClearsTheOldOne) {
  state::SetRequest request = put("k", "v");
  request.ttl = Milliseconds(100'000);
  must_set(request);
  EXPECT_GT(ttl("k"), 90'000);
  const auto record = redis().record("k");
  ASSERT_TRUE(record.expires_at);
  EXPECT_LE(*record.expires_at, (WallTime{redis().context.now.us + 100'000'000}));
  must_set(put("k", "v"));
  EXPECT_EQ(ttl("k"), -1) << "Dapr leaves it at 100 s";
  EXPECT_FALSE(redis().record("k").expires_at);
}

TEST_P(RedisScripts, AnExpiredRecordIsAbsentForEveryCondition) {
  state::SetRequest request = put("k", "v");
  request.ttl = Milliseconds(1);
  const Etag etag(must_set(request));
  ASSERT_TRUE(test::eventually([&] { return redis().is_absent("k"); }));
  EXPECT_FALSE(redis().set(put("k", "w", etag.when())));
  EXPECT_TRUE(redis().set(put("k", "w", Precondition::absent())));
}

TEST_P(RedisScripts, TheLongestTtlIsOneThatTheServerTakes) {
  state::SetRequest request = put("k", "v");
  request.ttl = Milliseconds::max();
  must_set(request);
  EXPECT_GT(ttl("k"), 1'000'000'000'000);
}

// ---- Fields of a record

TEST_P(RedisScripts, CreatedStaysWhileTheRecordLives) {
  state::SetRequest request = put("k", "v");
  const state::Pairs tags{{"colour", "blue"}};
  request.tags = tags;
  request.content_type = "text/plain";
  request.created_by = "ann";
  must_set(request);
  redis().context.now.us += 5;
  redis().context.principal = "bob";
  state::SetRequest again = put("k", "w");
  again.want_record = true;
  const auto written = redis().set(again);
  ASSERT_TRUE(written && written->fields);
  EXPECT_EQ(written->fields->created_by, "ann");
  const auto fields = redis().record("k").fields;
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->created, WallTime{redis().context.now.us - 5});
  EXPECT_EQ(fields->modified, redis().context.now);
  EXPECT_EQ(fields->modified_by, "bob");
  EXPECT_TRUE(fields->tags.empty()) << "every full write replaces them";
  ASSERT_TRUE(redis().erase({"k", {}}));
  must_set(again);
  EXPECT_EQ(redis().record("k").fields->created_by, "bob");
}

TEST_P(RedisScripts, WhatDaprRewroteHasNoFieldsUntilWeWriteAgain) {
  must_set(put("k", "v"));
  ASSERT_FALSE(dapr_set("k", "\"theirs\"").is_error());
  EXPECT_FALSE(redis().record("k").fields);
  EXPECT_EQ(redis().record("k").value, "\"theirs\"");
  redis().context.now.us += 9;
  must_set(put("k", "v"));
  EXPECT_EQ(redis().record("k").fields->created, redis().context.now);
}

// ---- Beside Dapr

TEST_P(RedisScripts, DaprReadsAndContinuesWhatWeWrite) {
  const std::string etag = must_set(put("k", "ours"));
  EXPECT_EQ(hash_field("k", "data"), "ours");
  EXPECT_EQ(dapr_set("k", "theirs", etag).root().integer(), number(etag) + 1);
  EXPECT_TRUE(dapr_set("k", "late", etag).is_error());
  const std::string after = must_set(put("k", "ours"));
  EXPECT_EQ(number(after), number(etag) + 2);
  EXPECT_TRUE(redis().command({"EVAL", kDaprDelete, "1", "k", etag}).is_error());
  EXPECT_EQ(redis().command({"EVAL", kDaprDelete, "1", "k", after}).root().integer(), 1);
}

TEST_P(RedisScripts, WeReadAndContinueWhatDaprWrites) {
  ASSERT_EQ(dapr_set("k", "{\"a\":1}").root().integer(), 1);
  const auto record = redis().record("k");
  EXPECT_EQ(record.etag, "1");
  EXPECT_EQ(record.value, "{\"a\":1}");
  EXPECT_EQ(must_set(put("k", "ours", Etag("1").when())), std::to_string(kNow.us));
  EXPECT_FALSE(redis().set(put("k", "ours", Etag("1").when())));
}

// Two primaries that both take writes for a moment have the same version before: they must not count up to the same
// one.
TEST_P(RedisScripts, AVersionIsTheWritersClockOrOneMoreWhereThatIsBehind) {
  ASSERT_EQ(dapr_set("k", "v").root().integer(), 1);
  EXPECT_EQ(must_set(put("k", "w")), std::to_string(kNow.us));
  EXPECT_EQ(must_set(put("k", "x")), std::to_string(kNow.us + 1)) << "in the same microsecond";
  redis().context.now.us = kNow.us - 1'000'000;
  EXPECT_EQ(must_set(put("k", "y")), std::to_string(kNow.us + 2)) << "by a clock that is behind";
  redis().context.now.us = kNow.us + 1'000'000;
  EXPECT_EQ(must_set(put("k", "z")), std::to_string(kNow.us + 1'000'000));
  const std::vector<state::Operation> twice{put("k", "1"), put("k", "2")};
  redis().context.now.us = kNow.us + 2'000'000;
  const auto written = redis().transact(twice);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ((*written)[0].etag, std::to_string(kNow.us + 2'000'000));
  EXPECT_EQ((*written)[1].etag, std::to_string(kNow.us + 2'000'001));
}

TEST_P(RedisScripts, AStickyFirstWriteIsHealed) {
  ASSERT_EQ(dapr_set("k", "v", "0", true).root().integer(), 1);
  ASSERT_TRUE(dapr_set("k", "w").is_error()) << "Dapr's own last-write fails from now on";
  EXPECT_FALSE(redis().set(put("k", "w", Precondition::absent())));
  must_set(put("k", "w"));
  EXPECT_TRUE(redis().command({"HGET", "k", "first-write"}).root().is_null());
  EXPECT_EQ(dapr_set("k", "x").root().integer(), kNow.us + 1);
}

TEST_P(RedisScripts, AFirstWriteOverALastWriteFailsAtOnce) {
  ASSERT_EQ(dapr_set("k", "v").root().integer(), 1);
  EXPECT_EQ(redis().set(put("k", "w", Precondition::absent())).error().code, Errc::precondition_failed)
      << "with Dapr the first one succeeds";
}

TEST_P(RedisScripts, APlainStringOfAnOldDaprIsReadAndReplaced) {
  redis().command({"SET", "k", "old", "PX", "100000"});
  const auto record = redis().record("k");
  EXPECT_EQ(record.value, "old");
  EXPECT_EQ(record.etag, "");
  EXPECT_TRUE(record.expires_at);
  EXPECT_FALSE(redis().set(put("k", "v", Precondition::absent())));
  EXPECT_FALSE(redis().set(put("k", "v", Etag("1").when())));
  EXPECT_EQ(redis().record("k").value, "old");
  const auto written = redis().set(put("k", "v", Precondition::present()));
  ASSERT_TRUE(written);
  EXPECT_EQ(written->created, false);
  EXPECT_EQ(redis().record("k").value, "v");
  EXPECT_EQ(ttl("k"), -1);
}

TEST_P(RedisScripts, AKeyOfAnotherTypeIsAnErrorToReadAndIsReplaced) {
  redis().command({"RPUSH", "k", "a", "b"});
  EXPECT_EQ(redis().get("k").error().code, Errc::internal);
  EXPECT_FALSE(redis().set(put("k", "v", Precondition::absent()))) << "a condition does not destroy a list";
  EXPECT_EQ(redis().command({"LLEN", "k"}).root().integer(), 2);
  must_set(put("k", "v"));
  EXPECT_EQ(redis().record("k").value, "v");
  redis().command({"DEL", "k"});
  redis().command({"RPUSH", "k", "a"});
  EXPECT_EQ(redis().erase({"k", Precondition::present()})->existed, true);
}

// ---- A lost reply

TEST_P(RedisScripts, ARepeatOfAnAppliedWriteTellsTheFirstOutcome) {
  redis().context.write_id = "AbCdEfGh";
  const auto first = redis().set(put("k", "v"));
  redis().context.is_repeat = true;
  auto second = redis().set(put("k", "v"));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->etag, first->etag) << "Dapr's driver counts twice";
  EXPECT_EQ(second->created, true);
  EXPECT_EQ(hash_field("k", "version"), first->etag);
  // Guarded by an etag: the second try must not be a mismatch with the first one's result.
  redis().context.is_repeat = false;
  redis().context.write_id = "IjKlMnOp";
  const Etag etag(first->etag);
  const auto guarded = redis().set(put("k", "w", etag.when()));
  redis().context.is_repeat = true;
  second = redis().set(put("k", "w", etag.when()));
  ASSERT_TRUE(guarded && second) << second.error().message;
  EXPECT_EQ(second->etag, guarded->etag);
  EXPECT_EQ(second->created, false);
}

TEST_P(RedisScripts, ARepeatIsRecognisedThroughDaprsWritesButNotThroughOurs) {
  redis().context.write_id = "AbCdEfGh";
  const auto first = redis().set(put("k", "v"));
  ASSERT_TRUE(first);
  ASSERT_FALSE(dapr_set("k", "theirs").is_error());
  redis().context.is_repeat = true;
  EXPECT_EQ(redis().set(put("k", "v"))->etag, first->etag);
  EXPECT_EQ(redis().record("k").value, "theirs");
  WriteContext other = redis().context;
  std::swap(other, redis().context);
  redis().context.is_repeat = false;
  redis().context.write_id = "QrStUvWx";
  must_set(put("k", "later"));
  std::swap(other, redis().context);
  EXPECT_EQ(redis().set(put("k", "v")).error().code, Errc::outcome_unknown);
  EXPECT_EQ(redis().record("k").value, "later") << "never applied a second time";
}

TEST_P(RedisScripts, ARepeatOfALostWriteIsAppliedOnlyWhereAnEtagProvesItWasLost) {
  const Etag etag(must_set(put("k", "v")));
  redis().context.write_id = "AbCdEfGh";
  redis().context.is_repeat = true;
  EXPECT_EQ(redis().set(put("k", "w")).error().code, Errc::outcome_unknown);
  EXPECT_EQ(redis().set(put("k", "w", Precondition::present())).error().code, Errc::outcome_unknown);
  EXPECT_EQ(redis().set(put("new", "w", Precondition::absent())).error().code, Errc::outcome_unknown);
  EXPECT_TRUE(redis().is_absent("new")) << "it may have been made and deleted since";
  EXPECT_EQ(redis().record("k").value, "v");
  EXPECT_TRUE(redis().set(put("k", "w", etag.when())));
  EXPECT_EQ(redis().record("k").value, "w");
  redis().context.write_id = "IjKlMnOp";
  EXPECT_EQ(redis().set(put("k", "x", etag.when())).error().code, Errc::outcome_unknown)
      << "whether the first try failed or was overwritten cannot be told";
}

// ---- Transactions

TEST_P(RedisScripts, ATransactionIsAllOrNothing) {
  const Etag a(must_set(put("a", "1"))), stale("7");
  must_set(put("b", "1"));
  const std::vector<state::Operation> refused{put("a", "2", a.when()), put("c", "2"),
                                              state::DeleteRequest{"b", stale.when()}};
  const auto failed = redis().transact(refused);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::precondition_failed);
  EXPECT_EQ(failed.error().operation, 2);
  EXPECT_EQ(redis().record("a").value, "1") << "Dapr would have applied the others";
  EXPECT_TRUE(redis().is_absent("c"));
  const std::vector<state::Operation> good{put("a", "2", a.when()), put("c", "2", Precondition::absent()),
                                           state::DeleteRequest{"b", Precondition::present()},
                                           state::CheckRequest{"d", Precondition::absent()}};
  const auto done = redis().transact(good);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(number((*done)[0].etag), number(a.bytes) + 1) << "counted once, also under Dapr's writeTimeout";
  EXPECT_EQ((*done)[0].created, false);
  EXPECT_EQ((*done)[1].created, true);
  EXPECT_EQ((*done)[3].etag, "");
  EXPECT_EQ(redis().record("a").etag, (*done)[0].etag);
  EXPECT_TRUE(redis().is_absent("b"));
}

TEST_P(RedisScripts, AKeyThatComesTwiceIsWrittenInOrderAndJudgedOnce) {
  const std::vector<state::Operation> operations{put("k", "1", Precondition::absent()), put("k", "2"),
                                                 state::DeleteRequest{"k", {}}, put("k", "3", Precondition::absent())};
  const auto done = redis().transact(operations);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(number((*done)[1].etag), number((*done)[0].etag) + 1);
  EXPECT_EQ((*done)[1].created, false);
  EXPECT_EQ((*done)[3].created, true);
  EXPECT_EQ(redis().record("k").value, "3");
}

TEST_P(RedisScripts, ATransactionSetsAndClearsExpiryAndHealsFirstWrite) {
  ASSERT_FALSE(dapr_set("a", "v", "0", true).is_error());
  redis().command({"PEXPIRE", "a", "100000"});
  redis().command({"SET", "old", "string"});
  state::SetRequest brief = put("b", "v");
  brief.ttl = Milliseconds(50'000);
  const std::vector<state::Operation> operations{put("a", "w"), brief, put("old", "w")};
  ASSERT_TRUE(redis().transact(operations));
  EXPECT_EQ(ttl("a"), -1);
  EXPECT_GT(ttl("b"), 40'000);
  EXPECT_TRUE(redis().command({"HGET", "a", "first-write"}).root().is_null());
  EXPECT_EQ(redis().record("old").value, "w");
  EXPECT_EQ(redis().record("a").fields->modified_by, "app1");
}

TEST_P(RedisScripts, ARecordMadeBehindItsOwnDeletionKeepsNothingOfTheOldOne) {
  must_set(put("k", "v"));
  redis().command({"PEXPIRE", "k", "100000"});
  redis().command({"HSET", "k", "first-write", "0"});
  state::SetRequest keeping = put("k", "w");
  keeping.keep_expiry = true;
  const std::vector<state::Operation> operations{state::DeleteRequest{"k", {}}, keeping, state::DeleteRequest{"j", {}}};
  const auto done = redis().transact(operations);
  ASSERT_TRUE(done);
  EXPECT_EQ((*done)[1].created, true);
  EXPECT_EQ(ttl("k"), -1);
  EXPECT_TRUE(redis().command({"HGET", "k", "first-write"}).root().is_null());
  EXPECT_EQ(redis().record("k").etag, (*done)[1].etag);
  const std::vector<state::Operation> gone{put("k", "x"), state::DeleteRequest{"k", {}}};
  ASSERT_TRUE(redis().transact(gone));
  EXPECT_TRUE(redis().is_absent("k"));
}

TEST_P(RedisScripts, TheLargestTransactionAndTheLongestConditionRun) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kTransactionOpsMax; ++i) keys.push_back("k" + std::to_string(i));
  std::vector<state::Operation> operations;
  for (const std::string& key : keys) operations.emplace_back(put(key, "v"));
  const auto done = redis().transact(operations);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(redis().record(keys.back()).etag, done->back().etag);
  std::vector<std::string> texts;
  for (std::size_t i = 1; i < kEtagsMax; ++i) texts.push_back(std::to_string(i));
  texts.push_back(done->front().etag);
  const std::vector<std::string_view> etags(texts.begin(), texts.end());
  EXPECT_TRUE(redis().set(put(keys.front(), "w", Precondition::one_of(etags))));
}

// ---- The server's side

TEST_P(RedisScripts, AreLoadedByTheirHashes) {
  for (const Script* script :
       {&set_hash_script(), &set_json_script(), &erase_script(), &transaction_script(), &forget_script()})
    EXPECT_EQ(redis().command({"SCRIPT", "LOAD", script->source}).text(), script->sha1);
  redis().command({"SCRIPT", "FLUSH"});
  EXPECT_EQ(trouble_of(redis().command({"EVALSHA", set_hash_script().sha1, "0"}).text()), Trouble::no_script);
  must_set(put("k", "v"));
}

TEST_P(RedisScripts, AServerWithoutMemoryRefusesAndKeepsWhatItHad) {
  must_set(put("k", "v"));
  redis().command({"CONFIG", "SET", "maxmemory", "1"});
  const auto refused = redis().set(put("k", "w"));
  const std::vector<state::Operation> operations{put("k", "w"), put("new", "w")};
  const auto transaction = redis().transact(operations);
  const auto record = redis().record("k");
  const auto erased = redis().erase({"k", Etag(record.etag).when()});
  redis().command({"CONFIG", "SET", "maxmemory", "0"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::overloaded);
  EXPECT_FALSE(transaction);
  EXPECT_EQ(record.value, "v");
  EXPECT_TRUE(erased) << erased.error().message;
}

// A cluster of one node, which has all slots.
TEST(RedisScriptsInACluster, RunWhereTheKeysShareASlot) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  const test::Port bus;  // or it would take one that may not be free
  test::RedisOptions options;
  options.arguments = {"--cluster-enabled", "yes", "--cluster-port", std::to_string(bus.number())};
  test::RedisServer server(options);
  server.must({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"});
  test::require_eventually("the cluster is up",
                           [&] { return server.command({"CLUSTER", "INFO"}).text().contains("cluster_state:ok"); });
  Conversation redis(server.port());
  for (const char* key : {"", "a", "foo{bar}{zap}", "foo{}{bar}", "{{x}}", "app||cart/{42}", "{", "}{x}"})
    EXPECT_EQ(redis.command({"CLUSTER", "KEYSLOT", key}).root().integer(), key_slot(key)) << key;
  const std::vector<state::Operation> together{put("{1}a", "v"), put("{1}b", "v")};
  EXPECT_TRUE(redis.transact(together));
  const std::vector<state::Operation> apart{put("foo", "v"), put("bar", "v")};
  const auto refused = redis.transact(apart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  EXPECT_TRUE(redis.is_absent("foo"));
  std::string out;
  append_slot_keys(out, key_slot("1"), 10);
  append_slot_count(out, key_slot("1"));
  test::RespClient client(server.port());
  client.send(out);
  const test::Answer keys = client.read(), count = client.read();
  EXPECT_THAT(read_keys(Conversation::kPlace, keys.root()).value(), testing::UnorderedElementsAre("{1}a", "{1}b"));
  EXPECT_EQ(read_count(Conversation::kPlace, "count keys", count.root()), 2u);
}

// The old node of a slot that moves serves what it still has; a script that takes a key away cannot touch it again.
TEST(RedisScriptsInACluster, WriteWholeOrNotAtAllWhileTheSlotMoves) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  test::RedisCluster cluster({.masters = 2, .replicas_of_each = 0});
  for (const std::string key : {"plain", "tagged{x}y", "a}b{c", "empty{}"}) {
    SCOPED_TRACE(key);
    const std::uint16_t slot = key_slot(key);
    test::RedisServer& from = cluster.master_of(slot);
    test::RedisServer& to = &from == &cluster.node(0) ? cluster.node(1) : cluster.node(0);
    Conversation redis(from.port());
    ASSERT_TRUE(redis.set(put(key, "v")));
    cluster.begin_move(slot, to);

    const std::vector<state::Operation> anew{state::DeleteRequest{key, {}}, put(key, "w")};
    const auto replaced = redis.transact(anew);
    ASSERT_TRUE(replaced) << replaced.error().backend_message;
    EXPECT_EQ(redis.record(key).value, "w");

    redis.command({"SET", key, "legacy"});
    const auto changed = redis.set(put(key, "x"));
    ASSERT_FALSE(changed);
    EXPECT_EQ(trouble_of(changed.error().backend_message), Trouble::try_again);
    const std::vector<state::Operation> twice{state::CheckRequest{key, Precondition::present()}, put(key, "x")};
    const auto both = redis.transact(twice);
    ASSERT_FALSE(both);
    EXPECT_EQ(trouble_of(both.error().backend_message), Trouble::try_again);
    EXPECT_EQ(redis.command({"GET", key}).text(), "legacy") << "nothing was taken away";

    cluster.move_keys(slot, to);
    cluster.end_move(slot, to);
    Conversation there(to.port());
    EXPECT_TRUE(there.set(put(key, "x")));
    EXPECT_EQ(there.record(key).value, "x");
  }
}

// What README.md says that a user needs.
constexpr std::string_view kReadmeRules =
    "~* -@all +hello +auth +ping +select +client|setname +info +role +readonly +eval +evalsha +script|load +hmget "
    "+hget "
    "+hset +hdel +type +exists +get +pttl +pexpire +persist +time +unlink +scan +wait +zadd +zrangebylex +zrem";

TEST(RedisScriptRights, TheDocumentedCommandsAreEnough) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  test::SecuredRedis secured(kReadmeRules);
  Conversation redis(secured.server().port());
  ASSERT_FALSE(redis.command({"AUTH", std::string(secured.kUser), std::string(secured.kPassword)}).is_error());
  redis.context.keeps_index = true;
  const state::Pairs entries{{"n", "1"}};
  state::SetRequest brief = put("k", "v");
  brief.ttl = Milliseconds(100'000);
  brief.indexes = entries;
  ASSERT_TRUE(redis.set(brief));
  const auto written = redis.set(put("k", "w", Precondition::present()));
  ASSERT_TRUE(written) << written.error().backend_message;
  EXPECT_EQ(redis.record("k").value, "w");
  const std::vector<state::Operation> operations{put("a", "1"), state::DeleteRequest{"k", {}}};
  EXPECT_TRUE(redis.transact(operations));
  EXPECT_TRUE(redis.erase({"a", Precondition::present()}));
  EXPECT_TRUE(redis.is_absent("a"));
  redis.command({"HSET", "dapr", "data", "v", "version", "1", "first-write", "0"});
  EXPECT_TRUE(redis.set(put("dapr", "v")));
  redis.command({"HSET", "list", "field", "x"});
  EXPECT_TRUE(redis.is_absent("list"));
}

TEST(RedisScriptRights, AMissingCommandIsDeniedAndNamedInTheLog) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  test::SecuredRedis secured("~* -@all +auth +eval +evalsha +hmget +ping");
  Conversation redis(secured.server().port());
  ASSERT_FALSE(redis.command({"AUTH", std::string(secured.kUser), std::string(secured.kPassword)}).is_error());
  const auto refused = redis.set(put("k", "v"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::denied) << refused.error().backend_message;
  EXPECT_THAT(refused.error().message, HasSubstr("NOPERM"));
}

}  // namespace
}  // namespace holdfast::stores::redis
