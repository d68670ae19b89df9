// The table of index entries: what it holds, what is believed of it, and files that lack it.
#include <gmock/gmock.h>

#include "stores/sqlite/testing.h"

namespace holdfast::stores::sqlite {
namespace {

constexpr const char* kEntries = "SELECT name, value, key FROM state_holdfast_index ORDER BY name, value, key";

Result<state::Written> set(OpenStore& db, std::string_view key, const state::Pairs& indexes,
                           std::optional<Milliseconds> ttl = {}) {
  state::SetRequest request;
  request.key = key;
  request.value = "v";
  request.indexes = indexes;
  request.ttl = ttl;
  return db.set(request);
}

std::string find(OpenStore& db, std::string_view name, std::string_view value) {
  const auto page = db.loop.run(db.store->find({}, {.name = name, .value = value, .of = {.prefix = "", .cursor = ""}}));
  if (!page) return "(" + page.error().message + ")";
  std::string keys;
  for (const auto& item : page->items) keys += (keys.empty() ? "" : " ") + item.key;
  return keys;
}

TEST(SqliteIndex, HoldsTheEntriesOfTheRecordsThereAreAndNoOthers) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(file);
  ASSERT_TRUE(set(db, "a", {{"n", "1"}, {"m", "x"}}));
  ASSERT_TRUE(set(db, "b", {{"n", "1"}}));
  ASSERT_TRUE(set(db, "a", {{"n", "2"}}));
  EXPECT_EQ(sql(file, kEntries), "n|1|b\nn|2|a");
  EXPECT_EQ(sql(file, "SELECT count(*) FROM state_holdfast_index i JOIN state s ON s.key = i.key AND s.etag = i.etag"),
            "2");
  ASSERT_TRUE(db.erase("b"));
  ASSERT_TRUE(set(db, "a", {}));
  EXPECT_EQ(sql(file, kEntries), "");
}

TEST(SqliteIndex, WhatDaprRewroteOrDeletedIsNotFound) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(file);
  for (const char* key : {"kept", "rewritten", "deleted", "made again"}) ASSERT_TRUE(set(db, key, {{"n", "1"}}));
  sql(file,
      "UPDATE state SET value = '\"y\"', is_binary = 0, etag = 'e2' WHERE key = 'rewritten';"
      "DELETE FROM state WHERE key IN ('deleted', 'made again');"
      "INSERT INTO state SELECT 'made again', '\"x\"', 0, 'e1', NULL, CURRENT_TIMESTAMP");
  EXPECT_EQ(find(db, "n", "1"), "kept");
  ASSERT_TRUE(set(db, "deleted", {{"m", "1"}}));
  EXPECT_EQ(find(db, "n", "1"), "kept");
  ASSERT_TRUE(set(db, "rewritten", {{"n", "1"}}));
  EXPECT_EQ(find(db, "n", "1"), "kept rewritten");
}

TEST(SqliteIndex, ALookUpGoesByTheIndex) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  {
    OpenStore db(file);
    ASSERT_TRUE(set(db, "a", {{"n", "1"}}));
    EXPECT_EQ(find(db, "n", "1"), "a");
  }
  const std::string plan = sql(file,
                               "EXPLAIN QUERY PLAN SELECT s.key FROM state_holdfast_index i CROSS JOIN state s WHERE "
                               "i.name = 'n' AND i.value = '1' AND i.key >= '' AND s.key = i.key AND s.etag = i.etag "
                               "ORDER BY i.key");
  EXPECT_THAT(plan, testing::HasSubstr("SEARCH i USING PRIMARY KEY (name=? AND value=? AND key>?)"));
  EXPECT_THAT(plan, testing::HasSubstr("SEARCH s USING INDEX"));
  EXPECT_THAT(plan, testing::Not(testing::HasSubstr("TEMP B-TREE")));
}

TEST(SqliteIndex, AFileOfAVersionWithoutItIsFilled) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  {
    OpenStore db(file);
    ASSERT_TRUE(set(db, "a", {{"n", "1"}, {"über", "50% & more"}}));
    ASSERT_TRUE(set(db, "b", {{"n", "1"}}));
    ASSERT_TRUE(set(db, "c", {}));
  }
  sql(file, "DROP TABLE state_holdfast_index");
  {
    OpenStore db("file:" + file + "?mode=ro");
    EXPECT_FALSE(db.store->capabilities().secondary_index);
    EXPECT_EQ(find(db, "n", "1"), "(this store does not support look-up by index entry)");
    EXPECT_EQ(db.value("a"), "v");
  }
  OpenStore db(file);
  EXPECT_EQ(find(db, "n", "1"), "a b");
  EXPECT_EQ(find(db, "über", "50% & more"), "a");
  OpenStore reader("file:" + file + "?mode=ro");
  EXPECT_TRUE(reader.store->capabilities().secondary_index);
  EXPECT_EQ(find(reader, "n", "1"), "a b");
}

TEST(SqliteIndex, ATableOfThatNameThatIsNotOursIsRefused) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  sql(file, "CREATE TABLE state_holdfast_index (a, b)");
  const test::ManualClock clock;
  auto core = kSqliteType.prepare(component_of({{"connectionString", file}}), {.clock = clock, .loops = 1});
  ASSERT_FALSE(core);
  EXPECT_EQ(core.error().code, Errc::invalid_argument);
  EXPECT_THAT(core.error().message, testing::HasSubstr("state_holdfast_index"));
}

}  // namespace
}  // namespace holdfast::stores::sqlite
