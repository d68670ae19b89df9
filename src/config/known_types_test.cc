#include "config/known_types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "base/encoding.h"
#include "config/document.h"
#include "config/nearest.h"

namespace holdfast::config {
namespace {

using state::Setting;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::array<Setting, 1> kOwnFields{{{.name = "file", .required = true}}};
constexpr state::StoreType kConsul{.type = "state.hashicorp.consul", .summary = "built", .settings = kOwnFields};
constexpr state::StoreType kSqlserver2{
    .type = "state.sqlserver", .version = "v2", .summary = "built", .settings = kOwnFields};

const Setting* find_field(const state::StoreType& row, std::string_view name) {
  for (const Setting* field : fields_of(row))
    if (state::has_name(*field, name)) return field;
  return nullptr;
}

TEST(KnownTypes, TheRowOfABuiltStoreTakesThePlaceOfThePlannedOne) {
  const KnownTypes known({&kConsul, &kSqlserver2});
  EXPECT_EQ(known.find("state.hashicorp.consul", "v1").value(), &kConsul);
  EXPECT_TRUE(known.is_built(kConsul));
  EXPECT_THAT(known.versions_of("state.hashicorp.consul"), ElementsAre(&kConsul));
  const auto sqlserver = known.versions_of("State.Sqlserver");
  ASSERT_THAT(sqlserver, SizeIs(2));
  EXPECT_FALSE(known.is_built(*sqlserver[0]));
  EXPECT_EQ(sqlserver[1], &kSqlserver2);
}

TEST(KnownTypes, TypesAreResolvedAsTheRegistryDoes) {
  const KnownTypes known({});
  EXPECT_EQ(known.find("state.sqlserver", "").value()->version, "v1");
  EXPECT_EQ(known.find("state.sqlserver", "V2").value()->version, "v2");
  EXPECT_EQ(known.find("state.consul", "v0").value()->type, "state.hashicorp.consul");
  EXPECT_FALSE(known.find("state.aerospike", "v2"));
  EXPECT_THAT(known.versions_of("state.nosuch"), IsEmpty());
}

TEST(KnownTypes, EveryStateStoreOfDaprThatIsToComeIsKnown) {
  const KnownTypes known({});
  for (const char* type :
       {"mysql", "sqlserver", "mongodb", "cassandra", "hashicorp.consul", "consul", "azure.cosmosdb",
        "azure.tablestorage", "azure.blobstorage", "aws.dynamodb", "gcp.firestore", "aerospike", "couchbase"})
    EXPECT_TRUE(known.find(std::string("state.") + type, "")) << type;
}

// One name, one meaning: a second field of that name would never be read.
TEST(KnownTypes, RowsAreExplainedAndTheirNamesUnique) {
  for (const state::StoreType* row : planned_types()) {
    EXPECT_NE(category_of(row->type), Category::unknown) << row->type;
    EXPECT_FALSE(row->summary.empty()) << row->type;
    EXPECT_EQ(row->prepare, nullptr) << row->type;
    std::set<std::string> names;
    for (const Setting* field : fields_of(*row)) {
      EXPECT_FALSE(field->help.empty()) << row->type << ' ' << field->name;
      for (const std::string_view name : {field->name, field->alias, field->alias2, field->alias3})
        if (!name.empty()) EXPECT_TRUE(names.insert(to_lower(name)).second) << row->type << ' ' << name;
    }
  }
}

TEST(KnownTypes, DefaultsAreValuesOfTheirFields) {
  for (const state::StoreType* row : planned_types())
    for (const Setting* field : fields_of(*row))
      if (!field->fallback.empty())
        EXPECT_EQ(state::objection_to(*field, field->fallback), "") << row->type << ' ' << field->name;
}

TEST(KnownTypes, FieldsOfEveryComponentBelongToStateStoresOnly) {
  EXPECT_NE(find_field(kConsul, "keyPrefix"), nullptr);
  EXPECT_NE(find_field(kConsul, "v1query"), nullptr);
  const state::StoreType secret_store{.type = "secretstores.local.env"};
  EXPECT_EQ(find_field(secret_store, "keyPrefix"), nullptr);
}

TEST(KnownTypes, AFieldOfTheTypeWinsOverTheCommonOneOfThatName) {
  const Setting* own = find_field(*KnownTypes({}).find("state.cassandra", "").value(), "consistency");
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own->fallback, "All");
}

// ---- what was meant ----

constexpr std::array<std::string_view, 5> kWords{"connectionString", "timeout", "tableName", "url", "x"};

TEST(Nearest, ForgivesAThirdOfTheLetters) {
  EXPECT_EQ(nearest("conectionString", kWords), "connectionString");
  EXPECT_EQ(nearest("connectionSrting", kWords), "connectionString");
  EXPECT_EQ(nearest("CONNECTIONSTRINGS", kWords), "connectionString");
  EXPECT_EQ(nearest("tabelName", kWords), "tableName");
  EXPECT_EQ(nearest("urI", kWords), "url");
  EXPECT_EQ(nearest("time", kWords), "");
  EXPECT_EQ(nearest("colour", kWords), "");
}

TEST(Nearest, NothingIsNearAnEmptyOrAnEndlessWord) {
  EXPECT_EQ(nearest("", kWords), "");
  EXPECT_EQ(nearest("y", kWords), "");
  EXPECT_EQ(nearest(std::string(65, 'x'), kWords), "");
  EXPECT_EQ(nearest("word", {}), "");
}

TEST(Nearest, TheFirstOfTheNearestWins) {
  constexpr std::array<std::string_view, 3> kAlike{"stare", "state", "stale"};
  EXPECT_EQ(nearest("stahe", kAlike), "stare");
  EXPECT_EQ(nearest("sttae", kAlike), "state");
}

}  // namespace
}  // namespace holdfast::config
