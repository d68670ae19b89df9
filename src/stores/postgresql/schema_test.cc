// What opening a store makes, brings up, leaves alone and refuses.
#include <future>

#include "stores/postgresql/layout_testing.h"
#include "support/eventually.h"

namespace holdfast::stores::postgresql {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kOthers = "nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'";

// Columns, indexes, constraints and sequences, as text, and the rows of the metadata table: those of Dapr's.
test::Rows daprs_objects(const Database& database) {
  test::PostgresqlClient client = database.client();
  test::Rows found = client.query(
      "SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity, identity_generation, "
      "identity_start, identity_increment FROM information_schema.columns WHERE table_schema = 'public' AND table_name "
      "NOT LIKE '%holdfast%' AND column_name NOT LIKE 'holdfast%' ORDER BY table_name, ordinal_position");
  for (const char* sql :
       {"SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%holdfast%' ORDER BY 1",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = "
        "'public'::regnamespace AND conname NOT LIKE '%holdfast%' ORDER BY 1, 2",
        "SELECT sequencename, data_type FROM pg_sequences WHERE sequencename NOT LIKE '%holdfast%' ORDER BY 1",
        "SELECT key, value FROM dapr_metadata WHERE key NOT LIKE 'holdfast%' ORDER BY 1"}) {
    const test::Rows rows = client.query(sql);
    found.insert(found.end(), rows.begin(), rows.end());
  }
  return found;
}

std::vector<std::string> first_column(const test::Rows& rows) {
  std::vector<std::string> values;
  for (const test::Row& row : rows) values.push_back(row[0].value_or("NULL"));
  return values;
}

// Every table, index and sequence, and every column of a table.
std::vector<std::string> all_objects(test::PostgresqlClient client) {
  return first_column(client.query(fmt::format(
      "SELECT nspname || '.' || relname || coalesce('.' || attname, '') FROM pg_class c JOIN pg_namespace n ON n.oid = "
      "relnamespace LEFT JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND relkind = 'r' "
      "WHERE {} ORDER BY 1",
      kOthers)));
}

class PostgresqlSchema : public LayoutTest {
 protected:
  // What Dapr of today makes of an empty database.
  test::Rows as_dapr_makes_them() const {
    const Database other;
    Dapr(other, GetParam()).init();
    return daprs_objects(other);
  }
  std::string last_level() const { return std::to_string(Dapr::levels(GetParam())); }
  std::vector<std::string> all() const { return all_objects(database().client()); }
  void run(const std::string& sql) const { database().client().query(sql); }

  static void open_save_and_read(const Database& database, int number) {
    Sidecar sidecar(database.fields({{"watch", "log"}}), GetParam());
    const std::string key = std::to_string(number);
    if (!sidecar.set(put(key, key)) || sidecar.value(key) != key) throw std::runtime_error("it does not work");
  }
  // Ten at once, each of which waits for a lock that the test has.
  std::vector<std::future<void>> open_ten() const {
    std::vector<std::future<void>> sidecars;
    for (int number = 0; number < 10; ++number)
      sidecars.push_back(std::async(std::launch::async, open_save_and_read, std::cref(database()), number));
    test::PostgresqlClient observer = database().client();
    test::require_eventually("ten sidecars that wait", [&] {
      return observer.value(
                 "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = "
                 "'Lock'") == "10";
    });
    return sidecars;
  }
};

INSTANTIATE_TEST_SUITE_P(Postgresql, PostgresqlSchema, testing::Values(Layout::v1, Layout::v2), name_of);

TEST_P(PostgresqlSchema, AnEmptyDatabaseGetsDaprsObjectsAndOurs) {
  ASSERT_TRUE(open()->set(put("k", "1")));
  EXPECT_EQ(daprs_objects(database()), as_dapr_makes_them());
  test::PostgresqlClient client = database().client();
  std::vector<std::string> columns{"holdfast_etag",         "holdfast_created_by", "holdfast_modified_by",
                                   "holdfast_content_type", "holdfast_tags",       "holdfast_indexes"};
  if (is_v2()) columns.emplace_back("holdfast_json");
  EXPECT_EQ(first_column(client.query("SELECT column_name FROM information_schema.columns WHERE table_name = 'state' "
                                      "AND column_name LIKE 'holdfast%' AND is_nullable = 'YES' AND column_default IS "
                                      "NULL ORDER BY ordinal_position")),
            columns);
  std::vector<std::string> relations{"state_holdfast_expiry", "state_holdfast_index", "state_holdfast_index_key",
                                     "state_holdfast_index_pkey", "state_holdfast_key"};
  if (is_v2()) relations.erase(relations.begin());  // where Dapr has one
  EXPECT_EQ(first_column(client.query("SELECT relname FROM pg_class WHERE relname LIKE '%holdfast%' ORDER BY 1")),
            relations);
  EXPECT_EQ(client.value("SELECT value FROM dapr_metadata WHERE key = 'lock'"), "lock");
  EXPECT_EQ(client.value("SELECT value FROM dapr_metadata WHERE key = $1", {dapr().migrations_row()}), last_level());
}

TEST_P(PostgresqlSchema, OpeningAgainAndDaprAfterUsChangeNothing) {
  ASSERT_TRUE(open()->set(put("k", "1")));
  const auto made = all();
  dapr().init();
  EXPECT_EQ(open()->value("k"), "1");
  EXPECT_EQ(all(), made);
  EXPECT_EQ(dapr().get("k")->value.text, "1");
}

TEST_P(PostgresqlSchema, TablesOfAnEarlierDaprAreBroughtUpAndRowsNumberedAsTheyCame) {
  const auto expected = as_dapr_makes_them();
  for (int level = 1; level < Dapr::levels(GetParam()); ++level) {
    const Database old;
    Dapr dapr(old, GetParam());
    dapr.init(level);
    const std::string_view columns = is_v2() ? "value" : "isbinary, value";
    const std::string_view value = is_v2() ? "'1'" : "false, '1'";
    for (const auto& [key, day] :
         {std::pair("b", "2024-01-02"), std::pair("a", "2024-01-02"), std::pair("c", "2024-01-01")})
      dapr.query(fmt::format("INSERT INTO {{table}} (key, {{created}}, {}) VALUES ($1, $2, {})", columns, value),
                 {key, day});
    Sidecar us(old.fields(), GetParam());
    EXPECT_EQ(us.value("a"), "1");
    ASSERT_TRUE(us.set(put("new", "2")));
    dapr.save("last", Dapr::json("3"));
    EXPECT_THAT(first_column(dapr.query("SELECT row_id || key FROM {table} ORDER BY row_id")),
                ElementsAre("1c", "2a", "3b", "4new", "5last"));
    EXPECT_EQ(daprs_objects(old), expected) << "from level " << level;
  }
}

TEST_P(PostgresqlSchema, TablesWithoutTheirMetadataAreAdopted) {
  dapr().init();
  dapr().save("k", Dapr::json("1"));
  run("DROP TABLE dapr_metadata");
  EXPECT_EQ(open()->value("k"), "1");
  EXPECT_EQ(daprs_objects(database()), as_dapr_makes_them());
}

TEST_P(PostgresqlSchema, AHigherLevelThanWeKnowIsLeftAlone) {
  dapr().init();
  dapr().save("k", Dapr::json("1"));
  run("ALTER TABLE state ADD COLUMN of_the_future text; UPDATE dapr_metadata SET value = '7' WHERE key = '" +
      dapr().migrations_row() + "'");
  const auto us = open();
  EXPECT_EQ(us->value("k"), "1");
  EXPECT_TRUE(us->set(put("k", "2")));
  EXPECT_EQ(dapr().value("SELECT value FROM dapr_metadata WHERE key = $1", {dapr().migrations_row()}), "7");
}

TEST_P(PostgresqlSchema, ALevelThatIsNoNumberIsRefused) {
  dapr().init();
  run("UPDATE dapr_metadata SET value = 'many' WHERE key = '" + dapr().migrations_row() + "'");
  const Error error = open_error();
  EXPECT_EQ(error.code, Errc::invalid_argument);
  EXPECT_THAT(error.message, HasSubstr("\"" + dapr().migrations_row() + "\" of table \"dapr_metadata\""));
}

TEST_P(PostgresqlSchema, ATableOfSomebodyElseIsRefusedByNameAndLeftAsItWas) {
  const Layout other = is_v2() ? Layout::v1 : Layout::v2;
  Dapr(database(), other).init();
  run("CREATE TABLE pets (id int, name text)");
  const auto before = all();
  const auto refusal = [&](const Fields& fields, std::string_view name) {
    const Error error = open_error(fields);
    EXPECT_EQ(error.code, Errc::invalid_argument) << name;
    EXPECT_THAT(error.message, HasSubstr(fmt::format("table \"{}\"", name)));
    EXPECT_THAT(error.message, HasSubstr("belongs to something else"));
  };
  refusal({}, "state");
  refusal({{"tablePrefix", "my_"}, {"metadataTableName", "pets"}}, "pets");
  if (!is_v2()) refusal({{"tableName", "Pets"}}, "pets");
  EXPECT_EQ(all(), before);
}

TEST_P(PostgresqlSchema, NamesMayHaveASchema) {
  run("CREATE SCHEMA shop");
  const Fields fields{{"tablePrefix", "shop.my_"}, {"metadataTableName", "shop.meta"}};
  const auto us = open(fields);
  ASSERT_TRUE(us->set(put("k", "1")));
  EXPECT_EQ(open(fields)->value("k"), "1");
  for (const std::string& object : all()) EXPECT_THAT(object, testing::StartsWith("shop."));
  EXPECT_EQ(dapr().value("SELECT max(row_id) FROM shop.my_state"), "1");
  const std::string row = is_v2() ? "migrations-state-v2-shop.my_" : "migrations";
  EXPECT_EQ(dapr().value("SELECT value FROM shop.meta WHERE key = $1", {row}), last_level());
  const Error error = open_error({{"tablePrefix", "nowhere.my_"}});
  EXPECT_EQ(error.code, Errc::denied);
  EXPECT_THAT(error.message, HasSubstr("schema"));
}

// ---- Many at once

TEST_P(PostgresqlSchema, TenSidecarsMayOpenAnEmptyDatabaseAtOnce) {
  // They all stop at the first thing they make, and go on together.
  test::PostgresqlClient other = database().client();
  other.query("BEGIN; CREATE TABLE dapr_metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL)");
  auto sidecars = open_ten();
  other.query("ROLLBACK");
  for (auto& sidecar : sidecars) EXPECT_NO_THROW(sidecar.get());
  EXPECT_EQ(daprs_objects(database()), as_dapr_makes_them());
  EXPECT_EQ(dapr().value("SELECT count(*) FROM {table}"), "10");
}

TEST_P(PostgresqlSchema, SidecarsWaitForADaprThatMigratesAndAddOnlyWhatItLeaves) {
  // Where a transaction sees the database as it was when it began, unless it asks for something else.
  run("ALTER DATABASE " + database().name() + " SET default_transaction_isolation = 'serializable'");
  dapr().lock();
  auto sidecars = open_ten();
  dapr().migrate(Dapr::levels(GetParam()));
  dapr().unlock();
  for (auto& sidecar : sidecars) EXPECT_NO_THROW(sidecar.get());
  EXPECT_EQ(daprs_objects(database()), as_dapr_makes_them());
  EXPECT_EQ(dapr().value("SELECT count(*) FROM {table}"), "10");
}

// ---- Looking, and privileges

TEST_P(PostgresqlSchema, WhoOnlyLooksMakesNothing) {
  const auto look = [&] { return Sidecar::open_error(database().fields(), GetParam(), true); };
  EXPECT_EQ(look().code, Errc::not_found);
  EXPECT_THAT(all(), IsEmpty());
  dapr().init();
  const auto daprs = all();
  EXPECT_EQ(look().code, Errc::not_found);
  EXPECT_EQ(all(), daprs);
  ASSERT_TRUE(open()->set(put("k", "1")));
  EXPECT_EQ(look().message, "") << "it is all there";
}

TEST_P(PostgresqlSchema, ACompleteDatabaseNeedsNoRightToCreate) {
  run("CREATE SCHEMA shop");
  const Fields fields{{"tablePrefix", "shop."}, {"metadataTableName", "shop.meta"}};
  ASSERT_TRUE(open(fields)->set(put("k", "1")));
  test::PostgresqlClient superuser = database().superuser();
  superuser.query("ALTER SCHEMA shop OWNER TO postgres; GRANT USAGE ON SCHEMA shop TO app");
  const auto us = open(fields);
  EXPECT_TRUE(us->set(put("k", "2")));
  EXPECT_EQ(us->value("k"), "2");
  superuser.query("DROP TABLE shop.state_holdfast_index");
  const Error error = open_error(fields);
  EXPECT_EQ(error.code, Errc::denied);
  EXPECT_THAT(error.message, HasSubstr("privilege"));
}

TEST_P(PostgresqlSchema, ADatabaseThatIsNotUtf8IsRefused) {
  const Database latin("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  const Error error = Sidecar::open_error(latin.fields(), GetParam());
  EXPECT_EQ(error.code, Errc::invalid_argument);
  EXPECT_THAT(error.message, HasSubstr("LATIN1, not UTF8"));
  EXPECT_THAT(error.message, HasSubstr(latin.name()));
  EXPECT_THAT(all_objects(latin.client()), IsEmpty());
}

// ---- tablePrefix with v1, which Dapr passes over

class PostgresqlPrefix : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_POSTGRESQL();
    database_.emplace();
  }
  // Of the record that a component with the prefix saves: the tables that have it.
  std::vector<std::string> saved_in() {
    Sidecar us(database_->fields({{"tablePrefix", "my_"}}), Layout::v1);
    EXPECT_TRUE(us.set(put("k", "1")));
    test::PostgresqlClient client = database_->client();
    std::vector<std::string> tables;
    for (const std::string table : {"my_state", "state"})
      if (!client.value("SELECT to_regclass($1)", {table}).empty() &&
          client.value("SELECT count(*) FROM " + table + " WHERE key = 'k'") == "1")
        tables.push_back(table);
    return tables;
  }
  std::optional<Database> database_;
};

TEST_F(PostgresqlPrefix, NamesTheTable) { EXPECT_THAT(saved_in(), ElementsAre("my_state")); }

TEST_F(PostgresqlPrefix, IsPassedOverWhereOnlyTheTableOfDaprIs) {
  Dapr(*database_, Layout::v1).init();
  EXPECT_THAT(saved_in(), ElementsAre("state"));
}

TEST_F(PostgresqlPrefix, NamesTheTableThatIsThereBesideDaprs) {
  ASSERT_THAT(saved_in(), ElementsAre("my_state"));
  Dapr dapr(*database_, Layout::v1);
  dapr.query("CREATE TABLE state (LIKE my_state INCLUDING ALL)");
  EXPECT_THAT(saved_in(), ElementsAre("my_state"));
}

TEST_F(PostgresqlPrefix, NamesTheTableWhereStateIsOfTheOtherLayout) {
  Dapr(*database_, Layout::v2).init();
  EXPECT_THAT(saved_in(), ElementsAre("my_state"));
}

}  // namespace
}  // namespace holdfast::stores::postgresql
