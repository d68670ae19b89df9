// Going from Dapr to us and back, and files that are not ours.
#include <gmock/gmock.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include "stores/sqlite/testing.h"

namespace holdfast::stores::sqlite {
namespace {

using testing::HasSubstr;

Error open_error(Fields fields) {
  const test::ManualClock clock;
  auto core = kSqliteType.prepare(component_of(std::move(fields)), {.clock = clock, .loops = 1});
  if (core) return {};
  return core.error();
}

std::string dapr_schema(const std::string& file) {
  return sql(file,
             "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE '%holdfast%' "
             "ORDER BY name");
}

TEST(SqliteLayout, ADatabaseOfDaprIsReadAndContinuedAndKeepsItsSchema) {
  const TempFolder folder;
  const std::string file = folder.file("dapr.db");
  sql(file, kDaprTables);
  const std::string schema = dapr_schema(file);
  {
    OpenStore db(file);
    auto json = db.get("app||json", true);
    ASSERT_TRUE(json && *json);
    EXPECT_EQ((*json)->value, R"({"a":1,"b":"x"})");
    EXPECT_EQ((*json)->shape, state::Shape::json);
    EXPECT_EQ((*json)->etag, "6f1c1a0e-9a34-4f0e-8d4e-0f2a0c8e7b11");
    EXPECT_FALSE((*json)->fields);
    EXPECT_EQ(db.value("app||bytes"), "hello");
    EXPECT_EQ(db.value("app||old"), "(none)");
    auto later = db.get("app||later");
    ASSERT_TRUE(later && *later);
    EXPECT_EQ(sql_seconds(*(*later)->expires_at), "2099-01-01 00:00:00");
    const std::vector<std::string_view> etags{"6f1c1a0e-9a34-4f0e-8d4e-0f2a0c8e7b11"};
    EXPECT_TRUE(db.set("app||json", "x", state::Precondition::one_of(etags)));
    EXPECT_TRUE(db.set("app||old", "reborn", state::Precondition::absent()));
    EXPECT_TRUE(db.set("app||new", "y", {}, Milliseconds(1)));
  }
  EXPECT_EQ(dapr_schema(file), schema);
  EXPECT_EQ(sql(file, "SELECT value FROM metadata WHERE key = 'migrations'"), "1");
}

TEST(SqliteLayout, ANewFileHasDaprsTablesColumnForColumn) {
  const TempFolder folder;
  const std::string file = folder.file("new.db");
  const std::string dapr = folder.file("dapr.db");
  sql(dapr, kDaprTables);
  {
    OpenStore db(file);
  }
  for (const std::string table : {"state", "metadata"}) {
    const std::string columns =
        "SELECT name, upper(type), \"notnull\", dflt_value, pk FROM pragma_table_info('" + table + "') ORDER BY cid";
    EXPECT_EQ(sql(file, columns), sql(dapr, columns));
  }
  EXPECT_EQ(sql(file, "SELECT value FROM metadata WHERE key = 'migrations'"), "1");
  EXPECT_EQ(sql(file, "PRAGMA journal_mode"), "wal");
}

TEST(SqliteLayout, RowsAreWrittenAsDaprWritesThem) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(file);
  ASSERT_TRUE(db.set("bytes", "hello", {}, Milliseconds(1500)));
  ASSERT_TRUE(db.set_json("json", "[1]"));
  const WallTime now = db.clock.wall();
  EXPECT_EQ(sql(file,
                "SELECT key, value, is_binary, typeof(is_binary), length(etag), expiration_time, "
                "update_time "
                "FROM state ORDER BY key"),
            // Never early: the second at or after the exact end.
            "bytes|aGVsbG8=|1|integer|36|" + sql_seconds(WallTime{now.us + 2'000'000}) + "|" + sql_seconds(now) +
                "\njson|[1]|0|integer|36|NULL|" + sql_seconds(now));
}

TEST(SqliteLayout, DaprsOwnStatementsWorkOnOurRows) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(file);
  const std::string etag = db.set("k", "v")->etag;
  // The positional first-write of Dapr: six values, whatever the columns are called.
  sql(file, "INSERT OR REPLACE INTO state SELECT 'first', '\"x\"', 0, 'e1', NULL, CURRENT_TIMESTAMP");
  EXPECT_EQ(db.value("first"), "\"x\"");
  sql(file, "UPDATE state SET value = '\"y\"', is_binary = 0, etag = 'e2' WHERE key = 'k' AND etag = '" + etag + "'");
  auto found = db.get("k", true);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->value, "\"y\"");
  EXPECT_EQ((*found)->etag, "e2");
}

TEST(SqliteLayout, RecordFieldsOfARowThatDaprRewroteAreUnknownNotStale) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(file);
  ASSERT_TRUE(db.set("k", "v", {}, Milliseconds(60'000)));
  sql(file,
      "INSERT OR REPLACE INTO state VALUES ('k', '1', 0, 'dapr', '2099-01-01 00:00:00', "
      "CURRENT_TIMESTAMP)");
  db.clock.advance(Milliseconds(120'000));
  auto found = db.get("k", true);
  ASSERT_TRUE(found && *found);
  EXPECT_FALSE((*found)->fields);
  EXPECT_EQ(sql_seconds(*(*found)->expires_at), "2099-01-01 00:00:00");
  ASSERT_TRUE(db.set("k", "2"));
  EXPECT_EQ((*db.get("k", true))->fields->created, db.clock.wall());
}

TEST(SqliteLayout, OtherTableNamesAreUsedAndSeveralStatesMayShareOneMetadataTable) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore one(Fields{{"url", file}, {"tableName", "t1"}, {"metadataTableName", "m"}});
  OpenStore two(Fields{{"url", file}, {"tableName", "t2"}, {"metadataTableName", "m"}});
  ASSERT_TRUE(one.set("k", "1"));
  ASSERT_TRUE(two.set("k", "2"));
  EXPECT_EQ(one.value("k"), "1");
  EXPECT_EQ(two.value("k"), "2");
}

TEST(SqliteLayout, AHigherMigrationLevelIsLeftAlone) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  sql(file, std::string(kDaprTables) + "UPDATE metadata SET value = '7' WHERE key = 'migrations'");
  {
    EXPECT_EQ(OpenStore(file).value("app||bytes"), "hello");
  }
  EXPECT_EQ(sql(file, "SELECT value FROM metadata WHERE key = 'migrations'"), "7");
}

TEST(SqliteLayout, TablesFromBeforeTheMetadataTableAreAdopted) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  sql(file, std::string(kDaprTables) + "DROP TABLE metadata");
  {
    EXPECT_EQ(OpenStore(file).value("app||bytes"), "hello");
  }
  EXPECT_EQ(sql(file, "SELECT value FROM metadata WHERE key = 'migrations'"), "1");
}

TEST(SqliteLayout, AForeignTableIsRefusedAndTheFileLeftAsItWas) {
  const TempFolder folder;
  const std::string file = folder.file("foreign.db");
  sql(file,
      "CREATE TABLE state (id INTEGER PRIMARY KEY, payload TEXT); INSERT INTO state VALUES (1, "
      "'x')");
  const std::string before = read_file(file);
  const Error error = open_error({{"connectionString", file}});
  EXPECT_EQ(error.code, Errc::invalid_argument);
  EXPECT_THAT(error.message, HasSubstr("\"orders\""));
  EXPECT_THAT(error.message, HasSubstr(file));
  EXPECT_THAT(error.message, HasSubstr("id*,payload"));
  EXPECT_THAT(error.message, HasSubstr("tableName"));
  EXPECT_EQ(read_file(file), before);
}

TEST(SqliteLayout, ColumnsInAnotherOrderAreRefused) {
  const TempFolder folder;
  const std::string file = folder.file("order.db");
  sql(file,
      "CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT, etag TEXT, is_binary BOOLEAN, "
      "expiration_time "
      "TIMESTAMP, update_time TIMESTAMP)");
  EXPECT_EQ(open_error({{"connectionString", file}}).code, Errc::invalid_argument);
}

TEST(SqliteLayout, ADatabaseInUtf16IsRefused) {
  const TempFolder folder;
  const std::string file = folder.file("wide.db");
  sql(file, "PRAGMA encoding = 'UTF-16'; CREATE TABLE t (a)");
  const Error error = open_error({{"connectionString", file}});
  EXPECT_EQ(error.code, Errc::invalid_argument);
  EXPECT_THAT(error.message, HasSubstr("UTF-16"));
}

TEST(SqliteLayout, AFileThatIsNoDatabaseIsRefusedAndLeftAsItWas) {
  const TempFolder folder;
  const std::string file = folder.file("notes.txt");
  std::ofstream(file) << std::string(5000, 'n');
  const Error error = open_error({{"connectionString", file}});
  EXPECT_EQ(error.code, Errc::internal);
  EXPECT_THAT(error.message, HasSubstr("not a SQLite database"));
  EXPECT_THAT(error.message, HasSubstr(file));
  EXPECT_EQ(read_file(file), std::string(5000, 'n'));
}

TEST(SqliteLayout, AMissingFolderIsAClearError) {
  const Error error = open_error({{"connectionString", "/no/such/folder/state.db"}});
  EXPECT_EQ(error.code, Errc::unavailable);
  EXPECT_THAT(error.message, HasSubstr("/no/such/folder/state.db"));
  EXPECT_THAT(error.message, HasSubstr("folder exists"));
}

TEST(SqliteLayout, AFileWithoutWritePermissionIsRefusedAtOpening) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  sql(file, kDaprTables);
  ASSERT_EQ(::chmod(file.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(std::filesystem::path(file).parent_path().c_str(), 0755), 0);
  // Root may write anything: act as nobody, on this thread alone.
  const int before = ::setfsuid(65534);
  const Error error = open_error({{"connectionString", file}});
  ::setfsuid(static_cast<uid_t>(before));
  EXPECT_EQ(error.code, Errc::denied);
  EXPECT_THAT(error.message, HasSubstr("read-only"));
}

TEST(SqliteLayout, AReadOnlyStoreReadsAndRefusesWrites) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  EXPECT_THAT(open_error({{"connectionString", "file:" + file + "?mode=ro"}}).message, HasSubstr("cannot open"));
  sql(file, kDaprTables);
  EXPECT_THAT(open_error({{"connectionString", "file:" + file + "?mode=ro"}}).message, HasSubstr("lacks the tables"));
  {
    ASSERT_TRUE(OpenStore(file).set("k", "v"));
  }
  OpenStore db("file:" + file + "?mode=ro");
  EXPECT_EQ(db.value("k"), "v");
  auto refused = db.set("k", "w");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_THAT(refused.error().message, HasSubstr("mode=ro"));
  EXPECT_EQ(db.erase("k").error().code, Errc::denied);
  EXPECT_EQ(db.transact({state::DeleteRequest{"k", {}}}).error().code, Errc::denied);
  EXPECT_EQ(db.loop.run(db.store->erase_prefix({}, {.prefix = "k"})).error().code, Errc::denied);
}

TEST(SqliteLayout, AFileThatGoesAwayShowsInPing) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(file);
  EXPECT_TRUE(db.loop.run(db.store->ping({})));
  std::filesystem::remove(file);
  const Status gone = db.loop.run(db.store->ping({}));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Errc::unavailable);
}

}  // namespace
}  // namespace holdfast::stores::sqlite
