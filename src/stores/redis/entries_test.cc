// The sets of index entries, as commands and on real servers.
#include "stores/redis/entries.h"

#include <gmock/gmock.h>

#include <optional>

#include "net/loop_thread.h"
#include "stores/redis/store_testing.h"
#include "stores/redis/testing.h"
#include "support/test_loop.h"

namespace holdfast::stores::redis {
namespace {

using state::Pairs;
using state::Precondition;
using test::ServerKind;
using testing::ElementsAre;

TEST(EntryKey, IsAnotherForEveryNameAndValue) {
  EXPECT_EQ(entry_key("user_id", "123"), "hf:index||||7:user_id123");
  EXPECT_NE(entry_key("a", "bc"), entry_key("ab", "c"));
  EXPECT_NE(entry_key("1:a", ""), entry_key("1", ":a"));
}

std::string members(const MemberRange& range) {
  std::string out;
  append_members(out, "set", range);
  return out;
}

TEST(Members, ARangeIsAPrefixAndWhereItGoesOn) {
  EXPECT_EQ(members({"", "", false, 5}),
            "*7\r\n$11\r\nZRANGEBYLEX\r\n$3\r\nset\r\n$1\r\n[\r\n$1\r\n+\r\n$5\r\nLIMIT\r\n$1\r\n0\r\n$1\r\n5\r\n");
  EXPECT_EQ(members({"ab", "", false, 5}),
            "*7\r\n$11\r\nZRANGEBYLEX\r\n$3\r\nset\r\n$3\r\n[ab\r\n$3\r\n(ac\r\n$5\r\nLIMIT\r\n$1\r\n0\r\n$1\r\n5\r\n");
  EXPECT_EQ(
      members({"ab", "abx", true, 5}),
      "*7\r\n$11\r\nZRANGEBYLEX\r\n$3\r\nset\r\n$4\r\n(abx\r\n$3\r\n(ac\r\n$5\r\nLIMIT\r\n$1\r\n0\r\n$1\r\n5\r\n");
  EXPECT_EQ(members({"ab", "aa", true, 5}), members({"ab", "", false, 5})) << "a cursor of before the prefix";
}

class RedisEntries : public testing::TestWithParam<ServerKind> {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_SERVER(GetParam());
    port_ = shared_server(GetParam()).port();
    redis_.emplace(port_);
    redis_->context.keeps_index = true;
    redis_->context.server_has_json = GetParam() == ServerKind::redis_stack;
  }
  Conversation& redis() { return *redis_; }
  void must_set(state::SetRequest request, const Pairs& entries) {
    request.indexes = entries;
    const auto written = redis().set(request);
    ASSERT_TRUE(written) << written.error().message << " " << written.error().backend_message;
  }
  std::vector<std::string> members_of(std::string_view name, std::string_view value) {
    const auto answer = redis().command({"ZRANGE", entry_key(name, value), "0", "-1"});
    std::vector<std::string> keys;
    for (const resp::Value key : answer.root()) keys.emplace_back(key.text());
    return keys;
  }
  // What a look-up of a store finds.
  std::vector<std::string> find(std::string_view name, std::string_view value) {
    net::LoopThread thread;
    test::TestLoop here;
    const auto core = core_of({{"redisHost", "127.0.0.1:" + std::to_string(port_)}, {"redisPassword", ""}});
    auto store = test::LoopStore::open(core, thread, here);
    EXPECT_TRUE(store) << store.error().message;
    std::vector<std::string> keys;
    state::FindRequest request;
    request.name = name;
    request.value = value;
    const auto page = here.run((*store)->find({}, request));
    EXPECT_TRUE(page) << page.error().message;
    if (page)
      for (const auto& item : page->items) keys.push_back(item.key);
    EXPECT_TRUE(here.run((*store)->close({})));
    return keys;
  }

  std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_ = 0;
  std::optional<Conversation> redis_;
};

TEST_P(RedisEntries, AreInTheirSetsOnceTheRecordIsWritten) {
  must_set(put("a", "v"), {{"n", "1"}, {"m", "x"}});
  must_set(put_json("b", R"({"x":1})"), {{"n", "1"}});
  EXPECT_THAT(members_of("n", "1"), ElementsAre("a", "b"));
  EXPECT_THAT(members_of("m", "x"), ElementsAre("a"));
  const Pairs entries{{"n", "2"}, {"m", "x"}};
  state::SetRequest bytes = put("c", "v");
  state::SetRequest document = put_json("d", "[]");
  bytes.indexes = document.indexes = entries;
  const std::vector<state::Operation> operations{bytes, state::DeleteRequest{"a", {}}, document,
                                                 state::CheckRequest{"b", Precondition::present()}};
  const auto done = redis().transact(operations);
  ASSERT_TRUE(done) << done.error().message << done.error().backend_message;
  EXPECT_THAT(members_of("n", "2"), ElementsAre("c", "d"));
  EXPECT_THAT(members_of("m", "x"), ElementsAre("a", "c", "d"));
  EXPECT_THAT(find("m", "x"), ElementsAre("c", "d"));
}

TEST_P(RedisEntries, ThatDoNotHoldAnyMoreArePassedOverAndForgotten) {
  for (const char* key : {"deleted", "expired", "rewritten", "by dapr", "list", "stays"})
    must_set(put(key, "v"), {{"n", "1"}});
  must_set(put_json("document", "[]"), {{"n", "1"}});
  must_set(put_json("rewritten document", "[]"), {{"n", "1"}});
  redis().command({"UNLINK", "deleted"});
  redis().command({"UNLINK", "expired"});
  must_set(put("rewritten", "w"), {{"n", "2"}});
  must_set(put_json("rewritten document", "[]"), {});
  redis().command({"HINCRBY", "by dapr", "version", "1"});
  redis().command({"UNLINK", "list"});
  redis().command({"RPUSH", "list", "x"});
  EXPECT_EQ(members_of("n", "1").size(), 8u);
  EXPECT_THAT(find("n", "1"), ElementsAre("document", "stays"));
  EXPECT_THAT(members_of("n", "1"), ElementsAre("document", "stays"));
  EXPECT_THAT(find("n", "2"), ElementsAre("rewritten"));
}

TEST_P(RedisEntries, WhatIsWrittenBetweenALookAndTheRemovalStays) {
  must_set(put("a", "v"), {{"n", "1"}});
  must_set(put_json("b", "[]"), {{"n", "1"}});
  must_set(put("c", "v"), {{"n", "1"}});
  redis().command({"UNLINK", "c"});
  const std::vector<std::string> suspected{"a", "b", "c"};
  std::string out;
  append_forget(out, "n", "1", suspected);
  test::RespClient client(port());
  client.send(out);
  EXPECT_EQ(client.read().root().integer(), 1);
  EXPECT_THAT(members_of("n", "1"), ElementsAre("a", "b"));
}

TEST_P(RedisEntries, ASetThatIsNoneRefusesTheWriteBeforeAnythingIsDone) {
  must_set(put("a", "old"), {});
  redis().command({"SET", entry_key("n", "1"), "x"});
  const Pairs entries{{"n", "1"}};
  state::SetRequest request = put("a", "new");
  request.indexes = entries;
  EXPECT_FALSE(redis().set(request));
  EXPECT_EQ(redis().record("a").value, "old");
  const std::vector<state::Operation> operations{put("b", "new"), request};
  EXPECT_FALSE(redis().transact(operations));
  EXPECT_TRUE(redis().is_absent("b"));
  redis().command({"UNLINK", entry_key("n", "1")});
}

INSTANTIATE_TEST_SUITE_P(Servers, RedisEntries,
                         testing::Values(ServerKind::redis, ServerKind::redis_stack, ServerKind::valkey),
                         [](const auto& info) {
                           return info.param == ServerKind::redis         ? std::string("Redis")
                                  : info.param == ServerKind::redis_stack ? std::string("RedisStack")
                                                                          : std::string("Valkey");
                         });

}  // namespace
}  // namespace holdfast::stores::redis
