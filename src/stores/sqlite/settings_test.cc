#include "stores/sqlite/settings.h"

#include <gmock/gmock.h>

#include "stores/sqlite/connection_string.h"
#include "stores/sqlite/testing.h"

namespace holdfast::stores::sqlite {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct UriCase {
  const char* name;
  const char* text;
  const char* uri;
};

class ConnectionStringTest : public testing::TestWithParam<UriCase> {};

TEST_P(ConnectionStringTest, BecomesTheUriThatDaprWouldOpen) {
  auto parsed = parse_connection_string(GetParam().text);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->uri, GetParam().uri);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ConnectionStringTest,
    testing::Values(UriCase{"Path", "data/state.db", "file:data/state.db"},
                    UriCase{"AbsolutePath", "/var/state.db", "file:/var/state.db"},
                    UriCase{"Uri", "FILE:state.db", "file:state.db"},
                    UriCase{"PathWithQuery", "state.db?vfs=unix&psow=1", "file:state.db?vfs=unix&psow=1"},
                    UriCase{"DriverOptionsAreTakenOut", "state.db?_txlock=immediate&_pragma=temp_store(2)&cache=shared",
                            "file:state.db"},
                    UriCase{"FirstModeWins", "file:state.db?mode=rw&mode=ro", "file:state.db?mode=rw"},
                    UriCase{"Memory", ":memory:", ":memory:"},
                    UriCase{"MemoryUri", "file::memory:?cache=shared", ":memory:"},
                    UriCase{"MemoryMode", "file:x?mode=memory", ":memory:"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ConnectionString, PragmasAreReadInBothForms) {
  auto parsed = parse_connection_string("x.db?_pragma=cache_size(-200)&_pragma=temp_store%3D2&_pragma=Synchronous(1)");
  ASSERT_TRUE(parsed);
  EXPECT_THAT(parsed->pragmas, ElementsAre("cache_size = -200", "temp_store = 2"));
  EXPECT_EQ(parsed->synchronous, "NORMAL");
}

TEST(ConnectionString, PragmasThatDaprOrTheStoreCannotHaveAreRefused) {
  for (const char* pragma :
       {"busy_timeout(5)", "BUSY_TIMEOUT=5", "journal_mode(OFF)", "foreign_keys(1)", "locking_mode=exclusive",
        "writable_schema(1)", "query_only(1)", "cache_size", "cache_size(1", "a(1)%3BDROP TABLE x"}) {
    auto parsed = parse_connection_string("x.db?_pragma=" + std::string(pragma));
    EXPECT_FALSE(parsed) << pragma;
  }
  EXPECT_THAT(parse_connection_string("x?_pragma=busy_timeout(5)").error().message,
              HasSubstr("found forbidden option '_pragma=busy_timeout' in the connection string"));
  EXPECT_EQ(parse_connection_string("  ").error().message, "missing connection string");
}

TEST(SqliteSettingsTest, DefaultsAreDaprsButForTheCleanup) {
  const auto settings = SqliteSettings::read(component_of({{"URL", "x.db"}}));
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->timeout, Milliseconds(20'000));
  EXPECT_EQ(settings->busy_timeout, Milliseconds(2'000));
  EXPECT_EQ(settings->table, "state");
  EXPECT_EQ(settings->metadata_table, "metadata");
  EXPECT_EQ(settings->cleanup_interval, Milliseconds(60'000));
  EXPECT_EQ(settings->synchronous, Synchronous::full);
  EXPECT_TRUE(settings->wal && settings->is_durable());
}

TEST(SqliteSettingsTest, FieldsAreReadAsDaprReadsThem) {
  const auto settings = SqliteSettings::read(component_of({{"connectionString", "x.db"},
                                                           {"timeoutInSeconds", "5"},
                                                           {"busyTimeout", "250ms"},
                                                           {"disableWAL", "yes"},
                                                           {"cleanupIntervalInSeconds", "0"},
                                                           {"synchronous", "normal"}}));
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->timeout, Milliseconds(5'000));
  EXPECT_EQ(settings->busy_timeout, Milliseconds(250));
  EXPECT_FALSE(settings->wal);
  EXPECT_EQ(settings->cleanup_interval, Milliseconds(0));
  EXPECT_FALSE(settings->is_durable());
}

TEST(SqliteSettingsTest, WithARollbackJournalFullBecomesExtra) {
  const auto settings = SqliteSettings::read(component_of({{"connectionString", "x.db"}, {"disableWAL", "true"}}));
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->synchronous, Synchronous::extra);
  EXPECT_TRUE(settings->is_durable());
}

struct BadCase {
  const char* name;
  Fields fields;
  const char* says;
};

class BadSettingsTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadSettingsTest, AreRefusedWithTheComponentsName) {
  Fields fields = GetParam().fields;
  if (std::string(GetParam().name) != "Missing") fields.emplace_back("connectionString", "x.db");
  const auto settings = SqliteSettings::read(component_of(fields));
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, Errc::invalid_argument);
  EXPECT_THAT(settings.error().message, HasSubstr("component \"orders\""));
  EXPECT_THAT(settings.error().message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadSettingsTest,
    testing::Values(BadCase{"Missing", {}, "connectionString"},
                    BadCase{"ShortTimeout", {{"timeout", "999ms"}}, "timeout"},
                    BadCase{"TableName", {{"tableName", "state; DROP TABLE x"}}, "tableName"},
                    BadCase{"SameTables", {{"tableName", "Metadata"}}, "same table"},
                    BadCase{"SideTable", {{"metadataTableName", "state_holdfast"}}, "same table"},
                    BadCase{"IndexTable", {{"metadataTableName", "state_holdfast_index"}}, "same table"},
                    BadCase{"Synchronous", {{"synchronous", "sometimes"}}, "synchronous"},
                    BadCase{"Queue", {{"writeQueueMax", "0"}}, "writeQueueMax"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(SqliteSettingsTest, TwoWordsForSynchronousThatDifferAreRefused) {
  const std::string off = "x.db?_pragma=synchronous(OFF)";
  EXPECT_FALSE(SqliteSettings::read(component_of({{"connectionString", off}, {"synchronous", "FULL"}})));
  const auto settings = SqliteSettings::read(component_of({{"connectionString", off}}));
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->synchronous, Synchronous::off);
}

TEST(SqliteType, IsRegisteredAsDaprsWithItsFeatures) {
  EXPECT_EQ(kSqliteType.type, "state.sqlite");
  EXPECT_EQ(kSqliteType.alias, "state.sqlite3");
  EXPECT_THAT(kSqliteType.dapr_features, ElementsAre("ETAG", "TRANSACTIONAL", "TTL", "KEYS_LIKE"));
}

}  // namespace
}  // namespace holdfast::stores::sqlite
