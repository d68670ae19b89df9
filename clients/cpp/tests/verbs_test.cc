// Every verb, in both forms, on the store of TEST_STORE.
#include <ranges>
#include <set>

#include "support.h"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

template <class Form>
class Verbs : public OnStore<Form> {};
static_assert(std::ranges::input_range<Scan> && std::ranges::input_range<Watch>);
TYPED_TEST_SUITE(Verbs, Forms);

std::set<std::string> keys_of(const std::vector<Record>& records) {
  std::set<std::string> keys;
  for (const Record& record : records) keys.insert(record.key);
  return keys;
}

TYPED_TEST(Verbs, ARecordTellsAllOfItself) {
  auto& store = this->store;
  const auto& key = this->key;
  const auto began = std::chrono::system_clock::now() - 2s;
  const Written written = now(store.put(key, Json{R"({"total":12.5,"für":"Ü"})"},
                                        {.ttl = 1h,
                                         .tags = {{"shop", "berlin"}},
                                         .indexes = {{"user", key}},
                                         .consistency = ConsistencyLevel::strong,
                                         .want_record = true,
                                         .created_by = "seller"}));
  EXPECT_EQ(written.created, true);
  EXPECT_EQ(written.record->value, R"({"total":12.5,"für":"Ü"})");
  EXPECT_EQ(written.consistency, ConsistencyLevel::strong);
  const Record record = now(store.get(key)).value();
  EXPECT_EQ(record.value, R"({"total":12.5,"für":"Ü"})");
  EXPECT_EQ(record.content_type, "application/json");
  EXPECT_EQ(record.key, key);
  EXPECT_EQ(record.store, store.name());
  EXPECT_EQ(record.id, key);
  EXPECT_EQ(record.isolation_key, std::nullopt);
  EXPECT_EQ(record.etag, written.etag);
  EXPECT_EQ(record.tags, (Tags{{"shop", "berlin"}}));
  EXPECT_EQ(record.indexes, (Indexes{{"user", key}}));
  EXPECT_EQ(record.created_by, "seller");
  EXPECT_EQ(record.modified_by, "test");
  EXPECT_TRUE(record.consistency.has_value());
  EXPECT_LT(began, *record.created);
  EXPECT_LE(*record.created, *record.modified);
  EXPECT_LT(*record.modified, std::chrono::system_clock::now() + 2s);
  EXPECT_GT(*record.ttl(), 59min);
  EXPECT_LE(*record.ttl(), 1h);

  const Written changed = now(store.put(key, "plain"));
  EXPECT_EQ(changed.created, false);
  const Record without = now(store.get(key, {.values = false})).value();
  EXPECT_EQ(without.value, "");
  EXPECT_EQ(without.expires, std::nullopt);
  EXPECT_EQ(without.tags, Tags());
}

TYPED_TEST(Verbs, ValuesComeBackAsTheyWere) {
  const auto& key = this->key;
  const auto stored = [this](const std::string& at, Value value) {
    now(this->store.put(at, std::move(value)));
    const Record record = now(this->store.get(at)).value();
    return std::pair(record.value, record.content_type);
  };
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(stored(key, Value::bytes(bytes)), std::pair(bytes, std::string("application/octet-stream")));
  EXPECT_EQ(stored(key, "grüße"), std::pair(std::string("grüße"), std::string("text/plain; charset=utf-8")));
  EXPECT_EQ(stored(key, ""), std::pair(std::string(), std::string("text/plain; charset=utf-8")));
  EXPECT_EQ(stored(key, 1.5), std::pair(std::string("1.5"), std::string("application/json")));
  EXPECT_EQ(stored(key, true), std::pair(std::string("true"), std::string("application/json")));
}

TYPED_TEST(Verbs, ConditionsHoldOrNothingHappens) {
  auto& store = this->store;
  const auto& key = this->key;
  EXPECT_EQ(now(store.get(key)), std::nullopt);
  EXPECT_THROW(now(store.put(key, 1, {.if_present = true})), PreconditionFailed);
  const Written first = now(store.put(key, 1, {.if_absent = true}));
  try {
    now(store.put(key, 2, {.if_absent = true}));
    FAIL() << "it is there";
  } catch (const PreconditionFailed& there) {
    EXPECT_EQ(there.current_etag(), first.etag);
  }
  const Written second = now(store.put(key, 2, {.etag = first.etag}));
  try {
    now(store.put(key, 3, {.etag = first.etag}));
    FAIL() << "it has another etag";
  } catch (const PreconditionFailed& moved) {
    EXPECT_EQ(moved.status(), 412);
    EXPECT_EQ(moved.code(), Code::failed_precondition);
    EXPECT_EQ(moved.reason(), "PRECONDITION_FAILED");
    EXPECT_EQ(moved.current_etag(), second.etag);
  }
  const Written third = now(store.put(key, 3, {.etag = {first.etag, second.etag}}));
  EXPECT_THROW(now(store.erase(key, {.etag = second.etag})), PreconditionFailed);
  EXPECT_NE(now(store.erase(key, {.etag = third.etag})).existed, false);
  EXPECT_EQ(now(store.get(key)), std::nullopt);
  EXPECT_NE(now(store.erase(key)).existed, true);
}

TYPED_TEST(Verbs, ConcurrencyModesAreConditions) {
  auto& store = this->store;
  const auto& key = this->key;
  const auto first = ConcurrencyMode::first_write, last = ConcurrencyMode::last_write;
  const Written original = now(store.put(key, 10, {.concurrency = first}));
  now(store.put(key, 20, {.etag = original.etag, .concurrency = last}));
  now(store.put(key, 20, {.etag = original.etag, .concurrency = last}));
  EXPECT_THROW(now(store.put(key, 15, {.etag = original.etag, .concurrency = first})), PreconditionFailed);
  EXPECT_THROW(now(store.put(key, 15, {.concurrency = first})), PreconditionFailed);
  now(store.put(key, 15, {.etag = now(store.get(key))->etag, .concurrency = first}));
  EXPECT_EQ(now(store.get(key))->integer(), 15);
  EXPECT_THROW(now(store.erase(key, {.etag = original.etag, .concurrency = first})), PreconditionFailed);
}

TYPED_TEST(Verbs, RecordsEnd) {
  auto& store = this->store;
  const auto& key = this->key;
  now(store.put(key, 1, {.ttl = 300ms}));
  const auto patience = std::chrono::steady_clock::now() + 20s;
  while (now(store.get(key))) ASSERT_LT(std::chrono::steady_clock::now(), patience);
  now(store.put(key, 1, {.ttl = 1h}));
  now(store.increment(key));
  EXPECT_GT(*now(store.get(key))->ttl(), 59min) << "a change in place keeps its time";
  now(store.increment(key, 1, {.ttl = 0ms}));
  EXPECT_EQ(now(store.get(key))->expires, std::nullopt);
}

TYPED_TEST(Verbs, ChangesInPlace) {
  auto& store = this->store;
  const auto& key = this->key;
  EXPECT_THROW(now(store.merge(key, {R"({"a":1})"})), NotFound);
  now(store.put(key, Json{R"({"a":1,"b":{"c":2}})"}, {.tags = {{"t", "1"}}}));
  const Patched merged =
      now(store.merge(key, {R"({"a":null,"b":{"d":3}})"}, {.want_record = true, .modified_by = "someone"}));
  EXPECT_EQ(merged.value, R"({"b":{"c":2,"d":3}})");
  EXPECT_EQ(merged.record->tags, (Tags{{"t", "1"}}));
  EXPECT_EQ(merged.record->modified_by, "someone");
  EXPECT_THROW(now(store.merge(key, {"{}"}, {.etag = "other"})), PreconditionFailed);

  EXPECT_EQ(now(store.increment(key + "n")).integer(), 1);
  EXPECT_EQ(now(store.increment(key + "n", 1L << 40, {.max = 1L << 62})).integer(), (1L << 40) + 1);
  EXPECT_EQ(now(store.increment(key + "f", 0.5, {.initial = 1})).number(), 1.5);
  EXPECT_THROW(now(store.increment(key + "n", -(1L << 41), {.min = 0})), PreconditionFailed);
  EXPECT_THROW(now(store.increment(key + "n", 1, {.if_absent = true})), PreconditionFailed);

  now(store.append(key + "l", "\xff"));
  EXPECT_EQ(now(store.append(key + "l", "ü")).value, "\xffü");
  now(store.append_element(key + "a", {R"({"x":1})"}));
  EXPECT_EQ(now(store.append_element(key + "a", {R"("y")"}, {.if_present = true})).value, R"([{"x":1},"y"])");
  EXPECT_THROW(now(store.increment(key)), InvalidArgument);
}

TYPED_TEST(Verbs, Listing) {
  auto& store = this->store;
  const auto& key = this->key;
  std::vector<Write> items;
  std::set<std::string> names, odd;
  for (int i = 10; i < 22; ++i) {
    const std::string name = key + "/" + std::to_string(i);
    items.push_back(Put{.key = name, .value = i, .tags = {{"odd", std::to_string(i % 2)}}, .indexes = {{"of", key}}});
    names.insert(name);
    if (i % 2 == 1) odd.insert(name);
  }
  for (const Result& result : now(store.batch_write(items))) EXPECT_EQ(result.error, nullptr);

  std::set<std::string> found;
  std::optional<std::string> cursor;
  int pages = 0;
  do {
    const Page page = now(store.list(key + "/", {.limit = 5, .cursor = cursor}));
    for (const Record& record : page) found.insert(record.key);
    cursor = page.cursor;
    ++pages;
  } while (cursor);
  EXPECT_EQ(found, names);
  EXPECT_GE(pages, 3);
  EXPECT_EQ(keys_of(all(store.scan(key + "/", {.limit = 5}))), names);
  const auto tagged = all(store.scan(key + "/", {.values = true, .tags = {{"odd", "1"}}}));
  EXPECT_EQ(keys_of(tagged), odd);
  for (const Record& record : tagged) EXPECT_EQ(record.integer() % 2, 1);
  EXPECT_EQ(keys_of(all(store.scan("", {.like = key + "/_1"}))), (std::set<std::string>{key + "/11", key + "/21"}));
  EXPECT_EQ(keys_of(all(store.scan("", {.limit = 5, .indexes = {{"of", key}}}))), names);
  EXPECT_THROW(now(store.list(key, {.cursor = "none of ours"})), InvalidArgument);

  std::uint64_t deleted = 0;
  DeletedPrefix part;
  do {
    part = now(store.erase_prefix(key + "/1", {.limit = 4}));
    deleted += part.deleted;
  } while (part.more);
  EXPECT_EQ(deleted, 10U);
  EXPECT_EQ(all(store.scan(key + "/")).size(), 2U);
  EXPECT_THROW(now(store.erase_prefix("")), InvalidArgument);
}

TYPED_TEST(Verbs, Queries) {
  auto& store = this->store;
  const auto& key = this->key;
  for (const int total : {1, 5, 9})
    now(store.put(key + "/" + std::to_string(total), Json{R"({"total":)" + std::to_string(total) + R"(,"x":0})"}));
  const QueryOptions options{.limit = 1, .prefix = key + "/", .fields = {"total"}, .scan = true};
  const auto found = all(store.query_all(R"({"filter":{"GT":{"total":4}}})", options));
  EXPECT_EQ(keys_of(found), (std::set<std::string>{key + "/5", key + "/9"}));
  for (const Record& record : found) EXPECT_THAT(record.value, testing::Not(testing::HasSubstr("x")));
  EXPECT_THROW(now(store.query("no JSON")), InvalidArgument);
}

TYPED_TEST(Verbs, ManyAtOnce) {
  auto& store = this->store;
  const auto& key = this->key;
  const Written there = now(store.put(key + "a", "old"));
  const auto results = now(store.batch_write(
      {Put{.key = key + "a", .value = "new", .ttl = 1min, .etag = there.etag},
       Put{.key = key + "b", .value = Json{R"({"x":1})"}, .if_absent = true}, Delete{.key = key + "c", .etag = "none"},
       Put{.key = key + "d", .value = Value::bytes(""), .if_present = true}, Delete{.key = key + "e"}},
      {.want_records = true}));
  ASSERT_EQ(results.size(), 5U);
  EXPECT_EQ(results[0].error, nullptr);
  EXPECT_NE(results[0].etag, there.etag);
  EXPECT_EQ(results[0].record->value, "new");
  EXPECT_EQ(results[1].created, true);
  for (const int failed : {2, 3})
    EXPECT_NE(dynamic_cast<const PreconditionFailed*>(results[static_cast<std::size_t>(failed)].error.get()), nullptr);
  EXPECT_EQ(results[4].error, nullptr);

  const auto got = now(store.batch_get({key + "b", key + "none", key + "a"}));
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0].record->value, R"({"x":1})");
  EXPECT_EQ(got[1].key, key + "none");
  EXPECT_EQ(got[1].record, std::nullopt);
  EXPECT_EQ(got[1].error, nullptr);
  EXPECT_EQ(got[2].record->value, "new");
  EXPECT_EQ(now(store.batch_get({key + "a"}, {.values = false})).front().record->value, "");
  EXPECT_THROW(now(store.batch_get({key, key})), InvalidArgument);
}

TYPED_TEST(Verbs, Transactions) {
  auto& store = this->store;
  const auto& key = this->key;
  const Written old = now(store.put(key + "stock", 4));
  const Written stock = now(store.put(key + "stock", 3));
  const auto results = now(store.transact(
      {Check{.key = key + "stock", .etag = stock.etag},
       Put{.key = key + "order", .value = Json{R"({"n":1})"}, .if_absent = true}, Delete{.key = key + "cart"}},
      {.want_records = true}));
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[1].key, key + "order");
  EXPECT_EQ(now(store.get(key + "order"))->etag, results[1].etag);
  EXPECT_EQ(results[1].record->etag, results[1].etag);
  try {
    now(store.transact({Put{.key = key + "x", .value = 1}, Put{.key = key + "stock", .value = 2, .etag = old.etag}}));
    FAIL() << "the stock is another";
  } catch (const PreconditionFailed& failed) {
    EXPECT_EQ(failed.operation(), 1);
    EXPECT_EQ(failed.current_etag(), stock.etag);
  }
  EXPECT_EQ(now(store.get(key + "x")), std::nullopt);
  EXPECT_EQ(now(store.get(key + "stock"))->integer(), 3);
}

TYPED_TEST(Verbs, Mistakes) {
  auto& store = this->store;
  const auto& key = this->key;
  auto nowhere = this->client.store("nowhere");
  EXPECT_THROW(now(nowhere.get(key)), StoreNotFound);
  EXPECT_THROW(now(nowhere.put(key, 1)), StoreNotFound);
  EXPECT_THROW(now(nowhere.list()), StoreNotFound);
  EXPECT_THROW(now(store.put("a||b", 1)), InvalidArgument);
  EXPECT_THROW(now(store.put(key, Json{"no JSON"})), InvalidArgument);
  EXPECT_THROW(now(store.put(key, "no JSON", {.content_type = "application/json"})), InvalidArgument);
  EXPECT_THROW(now(this->client.store(store.name(), "tenant").get(key)), InvalidArgument);
  EXPECT_THROW(now(store.put(key, std::string(5 << 20, 'x'))), TooLarge);
  EXPECT_THROW(now(store.put(key, 1, {.if_absent = true, .if_present = true})), std::invalid_argument);
}

TYPED_TEST(Verbs, IsolationKeysKeepRecordsApart) {
  if (variable("TEST_ISOLATED").empty()) GTEST_SKIP() << "TEST_ISOLATED names no store with isolation";
  const auto& key = this->key;
  auto mine = this->client.store(variable("TEST_ISOLATED"), "tenant-1");
  auto theirs = this->client.store(variable("TEST_ISOLATED"), "tenant-2");
  now(mine.put(key, "mine"));
  now(theirs.put(key, "theirs"));
  EXPECT_THAT(keys_of(all(mine.scan(key))), ElementsAre(key));
  const Record found = now(theirs.get(key)).value();
  EXPECT_EQ(found.value, "theirs");
  EXPECT_EQ(found.isolation_key, "tenant-2");
  EXPECT_EQ(found.id, "isolation::tenant-2::state::" + key);
}

TYPED_TEST(Verbs, TokensComeFromAnArgument) {
  if (variable("TEST_GUARDED").empty()) GTEST_SKIP() << "TEST_GUARDED is no address of a sidecar with a token";
  typename TypeParam::Client stranger(variable("TEST_GUARDED"), {.token = "wrong"});
  EXPECT_THROW(now(stranger.store("mem").get("k")), Unauthenticated);
  typename TypeParam::Client known(variable("TEST_GUARDED"), {.token = "s3cret"});
  now(known.store("mem").put("k", "v"));
  EXPECT_EQ(now(known.store("mem").get("k"))->value, "v");
}

}  // namespace
}  // namespace holdfast::test
