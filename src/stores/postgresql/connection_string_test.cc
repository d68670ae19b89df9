#include "stores/postgresql/connection_string.h"

#include <gmock/gmock.h>

namespace holdfast::stores::postgresql {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Form {
  const char* name;
  const char* text;
  const char* libpq;
};

class ConnectionStringTest : public testing::TestWithParam<Form> {};

TEST_P(ConnectionStringTest, BecomesWhatLibpqTakes) {
  const auto parsed = parse_connection_string(GetParam().text);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->text, GetParam().libpq);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ConnectionStringTest,
    testing::Values(
        Form{"Words", "host=db user=me dbname=app", "host='db' user='me' dbname='app'"},
        Form{"WordsOfDaprsDocs",
             "host=localhost user=postgres password=example port=5432 connect_timeout=10 database=my_db",
             "host='localhost' user='postgres' password='example' port='5432' connect_timeout='10' dbname='my_db'"},
        Form{"BlanksAroundEquals", "  host = db\tuser =me ", "host='db' user='me'"},
        Form{"QuotedValues", R"(password='it\'s a \\ secret' host='')", R"(password='it\'s a \\ secret' host='')"},
        Form{"EscapesWithoutQuotes", R"(password=a\ b\'c)", R"(password='a b\'c')"},
        Form{"EmptyValueInFrontOfAnother", "host= user=me", "host='user=me'"},
        Form{"PoolIsTakenOut", "host=db pool_max_conns=10 pool_min_conns=2 statement_cache_capacity=0", "host='db'"},
        Form{"SessionParameters", "host=db statement_timeout=5000 search_path=a,b",
             R"(host='db' options='-c statement_timeout=5000 -c search_path=a,b')"},
        Form{"SessionParameterWithBlanks", R"(search_path='a, b\\c')", R"(options='-c search_path=a,\\ b\\\\c')"},
        Form{"OptionsAreKept", "options='-c geqo=off' lock_timeout=1s", "options='-c geqo=off -c lock_timeout=1s'"},
        Form{"Url", "postgres://me:s%20cret@db:5433/app", "postgres://me:s%20cret@db:5433/app"},
        Form{"UrlWithSeveralHosts", "postgresql://a:1,b:2/app?target_session_attrs=any&sslmode=verify-full",
             "postgresql://a:1,b:2/app?target_session_attrs=any&sslmode=verify-full"},
        Form{"UrlWithPool", "postgresql://db/app?pool_max_conns=7&sslmode=require&pool_max_conn_idle_time=5m",
             "postgresql://db/app?sslmode=require"},
        Form{"UrlWithOnlyPool", "postgresql://db/app?pool_max_conns=7", "postgresql://db/app"},
        Form{"UrlOfASocket", "postgresql:///app?host=/run/postgresql", "postgresql:///app?host=%2Frun%2Fpostgresql"},
        Form{"UrlWithSessionParameter", "postgresql://db/app?statement_timeout=5000",
             "postgresql://db/app?options=-c%20statement_timeout%3D5000"},
        Form{"UrlWithEmptyParts", "postgresql://db/app?&sslmode=disable&", "postgresql://db/app?sslmode=disable"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ConnectionString, ThePoolOfPgxIsRead) {
  const auto parsed =
      parse_connection_string("host=db pool_max_conns=12 pool_max_conn_idle_time=90s pool_max_conn_lifetime=1h30m");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->connections_max, 12u);
  EXPECT_EQ(parsed->idle_max, Milliseconds(90'000));
  EXPECT_EQ(parsed->age_max, Milliseconds(5'400'000));
  const auto plain = parse_connection_string("host=db");
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->connections_max || plain->idle_max || plain->age_max);
}

TEST(ConnectionString, WhatIsWrongIsSaidWithoutTheValue) {
  struct Wrong {
    std::string text;
    const char* why;
  };
  for (const auto& [text, why] : {
           Wrong{"", "missing connection string"},
           Wrong{" \n", "missing connection string"},
           Wrong{"host=db password=two hunter2", "a word without ="},
           Wrong{"=hunter2", "without a name"},
           Wrong{"password='hunter2", "password in the connection string has no closing quote"},
           Wrong{"mysql://me:hunter2@db/app", "must begin with postgres://"},
           Wrong{"postgres://me:hunter2@db/app?sslmode", "parameter without ="},
           Wrong{"postgres://me:hunter2@db/app?sslmode=%zz", "no two hexadecimal digits"},
           Wrong{"password=hunter2 pool_max_conns=0",
                 "pool_max_conns in the connection string must be a number from 1"},
           Wrong{"password=hunter2 pool_max_conns=hunter2", "pool_max_conns"},
           Wrong{"password=hunter2 pool_max_conn_idle_time=hunter2", "must be a duration"},
           Wrong{"password=hunter2 pool_max_conn_lifetime=-1s", "must be a duration"},
           Wrong{std::string("host=db\0", 8), "zero byte"},
       }) {
    const auto parsed = parse_connection_string(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::invalid_argument);
    EXPECT_THAT(parsed.error().message, HasSubstr(why));
    EXPECT_THAT(parsed.error().message, Not(HasSubstr("hunter2")));
  }
}

// What was parsed once says the same when it is parsed again.
TEST(ConnectionString, WordsAreWrittenSoThatTheyAreReadBack) {
  for (const std::string value : {"plain", "", "two words", "it's", "back\\slash", "=", "'", "tab\there", "\\'"}) {
    std::string text;
    append_word(text, "host", "db");
    append_word(text, "password", value);
    const auto parsed = parse_connection_string(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->text, text);
  }
}

}  // namespace
}  // namespace holdfast::stores::postgresql
