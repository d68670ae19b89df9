// Documents of RedisJSON and queries of the search module, on a server that has both.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include "stores/redis/query_text.h"
#include "stores/redis/store_testing.h"
#include "stores/redis/testing.h"
#include "support/test_loop.h"

namespace holdfast::stores::redis {
namespace {

using state::Precondition;
using test::ServerKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class RedisDocuments : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_SERVER(ServerKind::redis_stack);
    redis_.emplace(shared_server(ServerKind::redis_stack).port());
    redis_->context.server_has_json = true;
  }
  Conversation& redis() { return *redis_; }
  std::string type_of(const std::string& key) { return redis().command({"TYPE", key}).text(); }
  std::string must_set(const state::SetRequest& request) {
    const auto written = redis().set(request);
    EXPECT_TRUE(written) << written.error().message << " " << written.error().backend_message;
    return written ? written->etag : "";
  }
  // Deeper than RedisJSON nests, and well-formed.
  static std::string too_deep() { return std::string(400, '[') + std::string(400, ']'); }

 private:
  std::optional<Conversation> redis_;
};

TEST_F(RedisDocuments, AreDaprsAndComeBackWithTheirFields) {
  const std::string etag = must_set(put_json("k", R"({"a":[1,"x\"}"],"b":0.1234567890123})"));
  EXPECT_EQ(type_of("k"), "ReJSON-RL");
  EXPECT_EQ(redis().command({"JSON.GET", "k", ".version"}).text(), etag);
  EXPECT_EQ(redis().command({"JSON.GET", "k", ".data"}).text(), R"({"a":[1,"x\"}"],"b":0.1234567890123})");
  const auto record = redis().record("k");
  EXPECT_EQ(record.etag, etag);
  EXPECT_EQ(record.value, R"({"a":[1,"x\"}"],"b":0.1234567890123})");
  ASSERT_TRUE(record.fields);
  EXPECT_EQ(record.fields->created_by, "app1");
  EXPECT_EQ(record.fields->content_type, "application/json");
}

TEST_F(RedisDocuments, OfDaprAreReadAndContinued) {
  redis().command({"JSON.SET", "k", "$", R"({"data":{"a":1},"version":41,"first-write":0})"});
  EXPECT_EQ(redis().record("k").etag, "41");
  EXPECT_FALSE(redis().record("k").fields);
  EXPECT_FALSE(redis().set(put_json("k", "2", Etag("7").when())));
  EXPECT_FALSE(redis().set(put_json("k", "2", Precondition::absent())));
  EXPECT_EQ(must_set(put_json("k", "2", Etag("41").when())), std::to_string(kNow.us));
  EXPECT_EQ(redis().command({"JSON.GET", "k", "$.first-write"}).text(), "[]") << "not sticky";
  EXPECT_FALSE(redis().set(put_json("none", "2", Etag("41").when()))) << "Dapr makes it version 42";
}

TEST_F(RedisDocuments, KeepCreatedClearTtlsAndRepeatLikeHashes) {
  redis().context.write_id = "AbCdEfGh";
  state::SetRequest brief = put_json("k", "1");
  brief.ttl = Milliseconds(100'000);
  const auto first = redis().set(brief);
  ASSERT_TRUE(first);
  redis().context.is_repeat = true;
  const auto again = redis().set(brief);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->etag, first->etag);
  EXPECT_EQ(again->created, true);
  redis().context.is_repeat = false;
  redis().context.principal = "app2";
  must_set(put_json("k", "2"));
  EXPECT_EQ(redis().record("k").fields->created_by, "app1");
  EXPECT_EQ(redis().command({"PTTL", "k"}).root().integer(), -1);
}

TEST_F(RedisDocuments, AndHashesTakeEachOthersPlaceUnderTheSameConditions) {
  const Etag first(must_set(put("k", "bytes")));
  EXPECT_FALSE(redis().set(put_json("k", "1", Precondition::absent())));
  const Etag second(must_set(put_json("k", "1", first.when())));
  EXPECT_EQ(type_of("k"), "ReJSON-RL");
  EXPECT_EQ(std::stoll(second.bytes), std::stoll(first.bytes) + 1);
  EXPECT_FALSE(redis().set(put("k", "bytes", first.when())));
  const Etag third(must_set(put("k", "bytes", second.when())));
  EXPECT_EQ(type_of("k"), "hash");
  EXPECT_EQ(std::stoll(third.bytes), std::stoll(first.bytes) + 2);
  EXPECT_EQ(redis().record("k").fields->created_by, "app1");
  must_set(put_json("k", "1"));
  EXPECT_FALSE(redis().erase({"k", third.when()}));
  EXPECT_EQ(redis().erase({"k", Precondition::present()})->existed, true);
}

TEST_F(RedisDocuments, ThatTheModuleRefusesLeaveWhatWasThere) {
  const Etag etag(must_set(put("k", "bytes")));
  redis().command({"PEXPIRE", "k", "100000"});
  ASSERT_FALSE(redis().set(put_json("k", too_deep())));
  const auto record = redis().record("k");
  EXPECT_EQ(record.value, "bytes");
  EXPECT_EQ(record.etag, etag.bytes);
  EXPECT_TRUE(record.expires_at);
  ASSERT_FALSE(redis().set(put_json("new", too_deep())));
  EXPECT_TRUE(redis().is_absent("new"));
}

TEST_F(RedisDocuments, ThatTheModuleRefusesUndoTheWholeTransaction) {
  must_set(put("a", "old"));
  must_set(put_json("b", "\"old\""));
  redis().command({"PEXPIRE", "b", "100000"});
  const std::string deep = too_deep();
  const std::vector<state::Operation> operations{put("a", "new"), state::DeleteRequest{"b", {}}, put_json("c", "1"),
                                                 put_json("d", deep)};
  ASSERT_FALSE(redis().transact(operations));
  EXPECT_EQ(redis().record("a").value, "old");
  EXPECT_EQ(redis().record("b").value, "\"old\"");
  EXPECT_TRUE(redis().record("b").expires_at);
  EXPECT_TRUE(redis().is_absent("c"));
}

TEST_F(RedisDocuments, TakePartInTransactions) {
  const Etag a(must_set(put_json("a", "1")));
  const std::vector<state::Operation> operations{put_json("a", "2", a.when()), put("b", "x"), put_json("b", "3"),
                                                 put("a", "bytes")};
  const auto done = redis().transact(operations);
  ASSERT_TRUE(done) << done.error().message << done.error().backend_message;
  EXPECT_EQ(type_of("a"), "hash");
  EXPECT_EQ(type_of("b"), "ReJSON-RL");
  EXPECT_EQ(redis().record("a").etag, (*done)[3].etag);
  EXPECT_EQ(redis().record("b").etag, (*done)[2].etag);
  EXPECT_EQ(std::stoll((*done)[3].etag), std::stoll(a.bytes) + 2);
}

TEST_F(RedisDocuments, OfAServerWithoutTheModuleAreReportedAsUnsupported) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  Conversation plain(shared_server(ServerKind::redis).port());
  plain.context.server_has_json = true;
  const auto refused = plain.set(put_json("k", "1"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unsupported) << refused.error().backend_message;
}

// ---- Queries

const SearchIndex kIndex{
    "people",
    {{"org", SearchIndex::Type::text}, {"id", SearchIndex::Type::numeric}, {"state", SearchIndex::Type::tag}}};

class RedisQueries : public RedisDocuments {
 protected:
  void SetUp() override {
    RedisDocuments::SetUp();
    if (IsSkipped()) return;
    std::string out;
    append_create_index(out, kIndex);
    ask(out);
    must_set(put_json("1", R"({"org":"Dev Ops","id":1036,"state":"CA"})"));
    must_set(put_json("2", R"({"org":"Hardware","id":1.5,"state":"W-A, x"})"));
    must_set(put_json("3", R"({"org":"Ops Dev","id":-7})"));
    must_set(put_json("4", R"("no object")"));
    test::require_eventually("all are indexed", [&] { return total("{}") == 4; });
  }

  // FLUSHALL drops indexes too, so each test makes its own.
  test::Answer ask(const std::string& bytes) {
    if (!client_) client_.emplace(port());
    client_->send(bytes);
    return client_->read();
  }
  Found find(const std::string& query_text, std::string* token = nullptr) {
    auto query = state::parse_query(query_text);
    EXPECT_TRUE(query) << query_text;
    auto command = compile_search(kIndex, *query);
    EXPECT_TRUE(command) << command.error().message;
    const test::Answer answer = ask(command->bytes);
    auto found = read_search(Conversation::kPlace, answer.root());
    EXPECT_TRUE(found) << found.error().backend_message;
    if (token != nullptr) *token = search_token_after(*command, found->rows, found->total);
    return found ? std::move(*found) : Found();
  }
  std::uint64_t total(const std::string& filter) { return find(R"({"filter":)" + filter + "}").total; }
  std::vector<std::string> keys(const std::string& filter) {
    std::vector<std::string> keys;
    for (const auto& item : find(R"({"filter":)" + filter + "}").items) keys.push_back(item.key);
    return keys;
  }

  std::uint16_t port() const { return redis_port_; }

 private:
  std::uint16_t redis_port_ = shared_server(ServerKind::redis_stack).port();
  std::optional<test::RespClient> client_;
};

TEST_F(RedisQueries, FindWhatTheFilterSays) {
  EXPECT_THAT(keys(R"({"EQ":{"org":"Dev Ops"}})"), ElementsAre("1")) << "the words in their order";
  EXPECT_THAT(keys(R"({"EQ":{"state":"W-A, x"}})"), ElementsAre("2"));
  EXPECT_THAT(keys(R"({"EQ":{"id":1.5}})"), ElementsAre("2"));
  EXPECT_THAT(keys(R"({"GT":{"id":1.5}})"), ElementsAre("1"));
  EXPECT_THAT(keys(R"({"LTE":{"id":1.5}})"), UnorderedElementsAre("2", "3"));
  EXPECT_THAT(keys(R"({"IN":{"org":["Hardware","Ops Dev"]}})"), UnorderedElementsAre("2", "3"));
  EXPECT_THAT(keys(R"({"IN":{"id":[-7,1036]}})"), UnorderedElementsAre("1", "3"));
  EXPECT_THAT(keys(R"({"IN":{"state":["CA","W-A, x"]}})"), UnorderedElementsAre("1", "2"));
  EXPECT_THAT(keys(R"({"AND":[{"GT":{"id":-100}},{"NEQ":{"state":"CA"}}]})"), UnorderedElementsAre("2", "3"));
  EXPECT_THAT(keys(R"({"OR":[{"EQ":{"id":-7}},{"EQ":{"state":"CA"}}]})"), UnorderedElementsAre("1", "3"));
}

TEST_F(RedisQueries, ALoneNeqIsNoEq) {
  EXPECT_THAT(keys(R"({"NEQ":{"state":"CA"}})"), UnorderedElementsAre("2", "3", "4"));
  EXPECT_THAT(keys(R"({"NEQ":{"id":1036}})"), UnorderedElementsAre("2", "3", "4"));
}

TEST_F(RedisQueries, FindingNothingIsNoError) { EXPECT_THAT(keys(R"({"EQ":{"state":"none"}})"), IsEmpty()); }

TEST_F(RedisQueries, AValueCannotWidenTheQuery) {
  EXPECT_THAT(keys(R"({"EQ":{"state":"x} | @var1:[-inf +inf] | @var2:{x"}})"), IsEmpty());
  EXPECT_THAT(keys(R"({"EQ":{"org":"x\") | * | @var0:(\"x"}})"), IsEmpty());
  EXPECT_THAT(keys(R"({"EQ":{"state":"*"}})"), IsEmpty());
}

TEST_F(RedisQueries, RecordsCarryTheirValueAsJsonAndTheirEtag) {
  const Found found = find(R"({"filter":{"EQ":{"id":1036}}})");
  ASSERT_EQ(found.items.size(), 1u);
  EXPECT_EQ(found.items[0].record.value, R"({"org":"Dev Ops","id":1036,"state":"CA"})");
  EXPECT_EQ(found.items[0].record.etag, redis().record("1").etag);
}

TEST_F(RedisQueries, PagesFollowEachOtherInTheOrderOfTheSort) {
  const std::string query = R"({"filter":{"GT":{"id":-100}},"sort":[{"key":"id","order":"DESC"}],"page":{"limit":2)";
  std::string token;
  Found page = find(query + "}}", &token);
  ASSERT_EQ(page.items.size(), 2u);
  EXPECT_EQ(page.items[0].key, "1");
  EXPECT_EQ(page.items[1].key, "2");
  ASSERT_EQ(token, "2");
  page = find(query + R"(,"token":"2"}})", &token);
  ASSERT_EQ(page.items.size(), 1u);
  EXPECT_EQ(page.items[0].key, "3");
  EXPECT_EQ(token, "");
}

TEST_F(RedisQueries, AnIndexThatIsNotThereIsNamedAsTheCause) {
  std::string out;
  append_drop_index(out, "people");
  ASSERT_FALSE(ask(out).is_error());
  const auto command = compile_search(kIndex, state::Query());
  ASSERT_TRUE(command);
  const test::Answer answer = ask(command->bytes);
  const auto found = read_search(Conversation::kPlace, answer.root());
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("has no such search index"));
}

// ---- Indexes

class RedisIndexes : public RedisQueries {
 protected:
  Result<IndexState> state_of(const SearchIndex& index) {
    std::string out;
    append_index_info(out, index.name);
    const test::Answer answer = ask(out);
    return read_index_state(Conversation::kPlace, index, answer.root());
  }
};

TEST_F(RedisIndexes, AreToldFromOthersOfTheirName) {
  EXPECT_EQ(state_of(kIndex), IndexState::ready);
  EXPECT_EQ(state_of({"nobody", kIndex.columns}), IndexState::absent);
  EXPECT_EQ(state_of({"people", {kIndex.columns[0], kIndex.columns[1]}}), IndexState::different);
  EXPECT_EQ(state_of({"people", {kIndex.columns[0], kIndex.columns[2], kIndex.columns[1]}}), IndexState::different);
  SearchIndex other = kIndex;
  other.columns[2].type = SearchIndex::Type::text;
  EXPECT_EQ(state_of(other), IndexState::different);
  ASSERT_FALSE(redis().command({"FT.CREATE", "hashes", "ON", "HASH", "SCHEMA", "a", "TEXT"}).is_error());
  EXPECT_EQ(state_of({"hashes", {{"a", SearchIndex::Type::text}}}), IndexState::different);
}

// The component's definition has changed, and every loop of several processes notices at the same time.
TEST_F(RedisIndexes, ThatChangedAreMadeAnewByManyHandlesAtOnce) {
  const SearchIndex changed{"people", {{"state", SearchIndex::Type::tag}}};
  const Fields fields{{"redisHost", "127.0.0.1:" + std::to_string(port())},
                      {"queryIndexes", R"([{"name":"people","indexes":[{"key":"state","type":"TAG"}]}])"}};
  std::vector<std::thread> processes;
  std::atomic<int> opened{0};
  for (int i = 0; i < 6; ++i) {
    processes.emplace_back([&] {
      test::LoopThread thread;
      test::TestLoop here;
      auto store = test::LoopStore::open(core_of(fields), thread, here);
      ASSERT_TRUE(store) << store.error().message;
      EXPECT_TRUE(here.run((*store)->query({}, state::Query())));
      ++opened;
      EXPECT_TRUE(here.run((*store)->close({})));
    });
  }
  for (std::thread& process : processes) process.join();
  EXPECT_EQ(opened, 6);
  EXPECT_EQ(state_of(changed), IndexState::ready);
}

}  // namespace
}  // namespace holdfast::stores::redis
