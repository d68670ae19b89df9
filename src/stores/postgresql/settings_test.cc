#include "stores/postgresql/settings.h"

#include <gmock/gmock.h>

namespace holdfast::stores::postgresql {
namespace {

using testing::HasSubstr;
using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kCores = 2;

Result<PostgresqlSettings> read(Fields fields, Layout layout = Layout::v1, std::size_t cores = kCores) {
  state::Component component;
  component.name = "orders";
  component.type = "state.postgresql";
  component.file = "orders.yaml";
  component.properties = std::move(fields);
  return PostgresqlSettings::read(component, layout, cores);
}

Result<PostgresqlSettings> read_with(Fields more, Layout layout = Layout::v1) {
  more.insert(more.begin(), {"connectionString", "host=db"});
  return read(std::move(more), layout);
}

TEST(PostgresqlSettingsTest, DefaultsAreDaprs) {
  for (const Layout layout : {Layout::v1, Layout::v2}) {
    const auto settings = read_with({}, layout);
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->connection.text, "host='db'");
    EXPECT_TRUE(settings->overrides.empty());
    EXPECT_EQ(settings->server, "db");
    EXPECT_EQ(settings->table.quoted(), R"("state")");
    EXPECT_EQ(settings->metadata_table.quoted(), R"("dapr_metadata")");
    EXPECT_FALSE(settings->falls_back_to_state);
    EXPECT_EQ(settings->timeout, Milliseconds(20'000));
    EXPECT_EQ(settings->cleanup_interval, Milliseconds(3'600'000));
    EXPECT_EQ(settings->connections_max, 4u);
    EXPECT_EQ(settings->idle_max, Milliseconds(1'800'000));
  }
  EXPECT_EQ(read({{"url", "host=db"}}, Layout::v1, 16)->connections_max, 16u);
}

// The component file of Dapr's course.
TEST(PostgresqlSettingsTest, TheCoursesFileIsRead) {
  const auto settings = read({{"connectionString", "postgres://me:secret@db/app"},
                              {"tablePrefix", "dapr_"},
                              {"cleanupIntervalInSeconds", "3600"},
                              {"maxIdleConns", "10"},
                              {"maxOpenConns", "100"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->connection.text, "postgres://me:secret@db/app");
  EXPECT_EQ(settings->server, "db/app");
  EXPECT_EQ(settings->table.quoted(), R"("dapr_state")");
  EXPECT_TRUE(settings->falls_back_to_state);
  EXPECT_EQ(settings->cleanup_interval, Milliseconds(3'600'000));
  EXPECT_EQ(settings->connections_max, 100u);
}

TEST(PostgresqlSettingsTest, FieldsOverrideTheConnectionString) {
  const auto settings = read_with({{"host", "other"},
                                   {"hostaddr", "10.0.0.1"},
                                   {"port", "5433"},
                                   {"database", "app"},
                                   {"user", "me"},
                                   {"password", "it's"},
                                   {"sslRootCert", "/etc/ca.pem"}});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->overrides, (state::Pairs{{"host", "other"},
                                               {"hostaddr", "10.0.0.1"},
                                               {"port", "5433"},
                                               {"dbname", "app"},
                                               {"user", "me"},
                                               {"password", "it's"},
                                               {"sslrootcert", "/etc/ca.pem"}}));
  EXPECT_EQ(settings->server, "other:5433/app");
  // They may stand alone.
  const auto alone = read({{"host", "db"}, {"user", "me"}});
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->connection.text, "");
  EXPECT_EQ(alone->overrides, (state::Pairs{{"host", "db"}, {"user", "me"}}));
}

TEST(PostgresqlSettingsTest, TablesMayHaveASchemaAndAreInLowerCaseAsDaprsAre) {
  const auto v1 = read_with({{"tableName", "App.State"}, {"metadataTableName", "App.Meta"}});
  ASSERT_TRUE(v1);
  EXPECT_EQ(v1->table.quoted(), R"("app"."state")");
  EXPECT_EQ(v1->table.quoted("_holdfast"), R"("app"."state_holdfast")");
  EXPECT_EQ(v1->metadata_table.quoted(), R"("app"."meta")");
  const auto v2 = read_with({{"tablePrefix", "app.mine_"}}, Layout::v2);
  ASSERT_TRUE(v2);
  EXPECT_EQ(v2->table.quoted(), R"("app"."mine_state")");
  EXPECT_FALSE(v2->falls_back_to_state);
  // A table that is named needs no prefix, and no other table in its place.
  const auto named = read_with({{"tableName", "mine"}, {"tablePrefix", "dapr_"}});
  ASSERT_TRUE(named);
  EXPECT_EQ(named->table.quoted(), R"("mine")");
  EXPECT_FALSE(named->falls_back_to_state);
}

TEST(PostgresqlSettingsTest, ThePoolIsWhatTheFileOrElseTheConnectionStringSays) {
  const auto by_string = read({{"connectionString", "host=db pool_max_conns=9 pool_max_conn_idle_time=1m"}});
  ASSERT_TRUE(by_string);
  EXPECT_EQ(by_string->connections_max, 9u);
  EXPECT_EQ(by_string->idle_max, Milliseconds(60'000));
  const auto by_field = read({{"connectionString", "host=db pool_max_conns=9 pool_max_conn_idle_time=1m"},
                              {"maxConns", "20"},
                              {"connectionMaxIdleTime", "5m"}});
  ASSERT_TRUE(by_field);
  EXPECT_EQ(by_field->connections_max, 20u);
  EXPECT_EQ(by_field->idle_max, Milliseconds(300'000));
  EXPECT_EQ(read_with({{"maxConns", "1"}})->connections_max, 4u);  // as in Dapr, 1 is no number of connections
}

TEST(PostgresqlSettingsTest, WhatIsWrongNamesTheComponentTheFieldAndTheFile) {
  struct Wrong {
    Fields fields;
    const char* why;
  };
  for (const auto& [fields, why] : {
           Wrong{{}, "missing connection string"},
           Wrong{{{"connectionString", "mysql://db"}}, "must begin with postgres://"},
           Wrong{{{"host", "db"}, {"timeout", "500ms"}}, "'timeout': must be at least 1s"},
           Wrong{{{"host", "db"}, {"tableName", "a;drop"}}, "tableName: \"a;drop\" is no name"},
           Wrong{{{"host", "db"}, {"tableName", "a.b.c"}}, "is no name of a table"},
           Wrong{{{"host", "db"}, {"tableName", ".b"}}, "is no name of a table"},
           Wrong{{{"host", "db"}, {"tableName", std::string(45, 'x')}}, "at most 44"},
           Wrong{{{"host", "db"}, {"tablePrefix", "a-"}}, "tablePrefix"},
           Wrong{{{"host", "db"}, {"metadataTableName", "STATE"}}, "have the same table"},
           Wrong{{{"host", "db"}, {"maxConns", "many"}}, "maxConns"},
           Wrong{{{"host", "db"}, {"queryExecMode", "fast"}}, "queryExecMode"},
           Wrong{{{"host", "db"}, {"useAWSIAM", "true"}}, "sign in with a token"},
       }) {
    const auto settings = read(fields);
    ASSERT_FALSE(settings) << why;
    EXPECT_THAT(settings.error().message, HasSubstr(why));
    EXPECT_THAT(settings.error().message, HasSubstr("orders"));
    EXPECT_THAT(settings.error().message, HasSubstr("orders.yaml"));
  }
}

}  // namespace
}  // namespace holdfast::stores::postgresql
