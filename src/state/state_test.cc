#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "state/capabilities.h"
#include "state/component.h"
#include "state/keys.h"

namespace holdfast::state {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// ---- LIKE patterns and prefixes ----

struct LikeCase {
  const char* name;
  std::string pattern;
  std::string key;
  bool matches;
};

class LikePatternTest : public testing::TestWithParam<LikeCase> {};

TEST_P(LikePatternTest, MatchesAsSqlWould) {
  EXPECT_EQ(LikePattern(GetParam().pattern).matches(GetParam().key), GetParam().matches);
}

INSTANTIATE_TEST_SUITE_P(Cases, LikePatternTest,
                         testing::Values(LikeCase{"Exact", "ab", "ab", true},
                                         LikeCase{"IsAnchoredAtTheEnd", "ab", "abc", false},
                                         LikeCase{"IsAnchoredAtTheStart", "b", "ab", false},
                                         LikeCase{"PercentMatchesNothing", "ab%", "ab", true},
                                         LikeCase{"PercentMatchesLineBreaks", "a%b", "a\n\nb", true},
                                         LikeCase{"PercentBacktracks", "%ab%c", "abxabxc", true},
                                         LikeCase{"PercentFailsWithoutItsTail", "%ab", "abxa", false},
                                         LikeCase{"UnderscoreIsOneByteOfAscii", "a_c", "abc", true},
                                         LikeCase{"UnderscoreIsOneCharacterOfUtf8", "a_c", "a\u20acc", true},
                                         LikeCase{"TwoUnderscoresAreNotOneCharacter", "a__c", "a\u20acc", false},
                                         LikeCase{"UnderscoreNeedsACharacter", "a_", "a", false},
                                         LikeCase{"EscapedPercentIsItself", "100\\%", "100%", true},
                                         LikeCase{"EscapedPercentIsNoWildcard", "100\\%", "1000", false},
                                         LikeCase{"EscapedUnderscoreIsNoWildcard", "a\\_b", "axb", false},
                                         LikeCase{"TrailingBackslashIsItself", "a\\", "a\\", true},
                                         LikeCase{"CaseMatters", "AB%", "abc", false},
                                         LikeCase{"EmptyKeyAgainstPercent", "%", "", true},
                                         LikeCase{"TruncatedCharacterDoesNotOverrun", "a_", "a\xe2", true}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(LikePattern, LiteralPrefixEndsAtTheFirstWildcard) {
  EXPECT_EQ(LikePattern("app||cart\\_%x").literal_prefix(), "app||cart_");
  EXPECT_EQ(LikePattern("%x").literal_prefix(), "");
  EXPECT_EQ(LikePattern("all\\%").literal_prefix(), "all%");
}

TEST(Keys, PrefixEndIsTheLeastGreaterBound) {
  EXPECT_EQ(prefix_end("ab"), "ac");
  EXPECT_EQ(prefix_end("a\xff\xff"), "b");
  EXPECT_EQ(prefix_end("\xff\xff"), std::nullopt);
  EXPECT_EQ(prefix_end(""), std::nullopt);
}

TEST(Keys, ListingsHideDeeperKeysAndOutboxMarkers) {
  EXPECT_TRUE(is_listable("app||cart", 5));
  EXPECT_TRUE(is_listable("app||my-outbox-1", 5));
  EXPECT_FALSE(is_listable("app||actor||7||x", 5));
  EXPECT_FALSE(is_listable("app||outbox-1", 5));
  EXPECT_TRUE(is_listable("app||", 5));
  EXPECT_FALSE(is_listable("app|", 5));
  EXPECT_TRUE(is_listable("app||isolation::K::state::k", 5));
  EXPECT_FALSE(is_listable("app||isolation::K::state::k", 5, true));
  for (const char* key : {"", "app||cart", "app||actor||7||x", "app||outbox-1"})
    EXPECT_TRUE(is_listable(key, kEveryKey));
}

// ---- consistency names ----

TEST(Consistency, EveryLevelIsReadBackFromItsName) {
  for (std::size_t i = 1; i < kConsistencyCount; ++i) {
    const auto level = static_cast<Consistency>(i);
    EXPECT_EQ(parse_consistency(name_of(level)), level) << name_of(level);
  }
}

TEST(Consistency, NamesAreReadInAnyCaseAndWithoutHyphens) {
  EXPECT_EQ(parse_consistency("BoundedStaleness"), Consistency::bounded_staleness);
  EXPECT_EQ(parse_consistency("CONSISTENT_PREFIX"), Consistency::consistent_prefix);
  EXPECT_EQ(parse_consistency("caboa"), Consistency::quorum);
  EXPECT_EQ(parse_consistency("sometimes"), std::nullopt);
  EXPECT_EQ(parse_consistency(""), std::nullopt);
}

// ---- the registry ----

constexpr StoreType kSqlite{.type = "state.sqlite", .alias = "state.sqlite3"};
constexpr StoreType kEtcd1{.type = "state.etcd", .version = "v1"};
constexpr StoreType kEtcd2{.type = "state.etcd", .version = "v2"};
constexpr StoreType kYugabyte{.type = "state.yugabytedb", .alias = "state.yugabyte", .version = "v2"};

struct FindCase {
  const char* name;
  std::string_view type;
  std::string_view version;
  const StoreType* row;
};

class RegistryTest : public testing::TestWithParam<FindCase> {};

TEST_P(RegistryTest, ResolvesAsDapr) {
  const Registry registry({&kSqlite, &kEtcd2, &kEtcd1, &kYugabyte});
  const auto found = registry.find(GetParam().type, GetParam().version);
  if (GetParam().row != nullptr) {
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(*found, GetParam().row);
  } else {
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::not_found);
    EXPECT_EQ(found.error().message,
              "couldn't find state store " + std::string(GetParam().type) + "/" + std::string(GetParam().version));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, RegistryTest,
                         testing::Values(FindCase{"NoVersion", "state.sqlite", "", &kSqlite},
                                         FindCase{"V0IsTheUnversionedRow", "state.sqlite", "v0", &kSqlite},
                                         FindCase{"V1IsTheUnversionedRow", "state.sqlite", "V1", &kSqlite},
                                         FindCase{"UnversionedHasNoV2", "state.sqlite", "v2", nullptr},
                                         FindCase{"TypeInAnyCase", "State.SQLite", "", &kSqlite},
                                         FindCase{"Alias", "state.sqlite3", "v1", &kSqlite},
                                         FindCase{"EmptyVersionOfAVersionedTypeIsV1", "state.etcd", "", &kEtcd1},
                                         FindCase{"V2", "state.etcd", "V2", &kEtcd2},
                                         FindCase{"VersionedHasNoV0", "state.etcd", "v0", nullptr},
                                         FindCase{"OnlyVersionIsTheDefault", "state.yugabyte", "", &kYugabyte},
                                         FindCase{"YugabyteHasNoV1", "state.yugabytedb", "v1", nullptr},
                                         FindCase{"UnknownType", "state.nosuch", "v1", nullptr},
                                         FindCase{"EmptyTypeIsNoAlias", "", "", nullptr}),
                         [](const auto& info) { return std::string(info.param.name); });

// ---- settings ----

constexpr std::array<Setting, 8> kTable{{
    {.name = "connectionString", .alias = "url", .alias2 = "dsn", .required = true, .secret = true, .alias3 = "uri"},
    {.name = "timeout", .kind = SettingKind::duration, .fallback = "20s", .alias = "timeoutInSeconds"},
    {.name = "disableWAL", .kind = SettingKind::boolean, .fallback = "false"},
    {.name = "tableName", .kind = SettingKind::identifier, .fallback = "state"},
    {.name = "maxConns", .kind = SettingKind::integer, .fallback = "0"},
    {.name = "maxBytes", .kind = SettingKind::bytes, .fallback = ""},
    {.name = "note"},
    {.name = "mode", .choices = "off read-only full"},
}};

Component component_with(std::vector<std::pair<std::string, std::string>> properties) {
  Component component;
  component.name = "orders";
  component.type = "state.sqlite";
  component.properties = std::move(properties);
  component.file = "orders.yaml";
  component.line = 3;
  return component;
}

TEST(Settings, AbsentFieldsHaveTheirDefaults) {
  const auto settings = Settings::read(component_with({{"connectionString", "x"}}), kTable);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->duration("timeout"), seconds(20));
  EXPECT_FALSE(settings->boolean("disableWAL"));
  EXPECT_EQ(settings->text("tableName"), "state");
  EXPECT_EQ(settings->integer("maxConns"), 0);
  EXPECT_EQ(settings->bytes("maxBytes"), 0u);
  EXPECT_FALSE(settings->has("timeout"));
  EXPECT_TRUE(settings->has("connectionString"));
}

TEST(Settings, FieldsAreReadInAnyCaseByTheirKind) {
  const auto settings = Settings::read(component_with({{"CONNECTIONSTRING", "file.db"},
                                                       {"Timeout", "90"},
                                                       {"disablewal", " Yes "},
                                                       {"tablename", "t_1"},
                                                       {"maxConns", "0x10"},
                                                       {"maxBytes", "64Mi"}}),
                                       kTable);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->text("connectionString"), "file.db");
  EXPECT_EQ(settings->duration("timeout"), seconds(90));
  EXPECT_TRUE(settings->boolean("disableWAL"));
  EXPECT_EQ(settings->integer("maxConns"), 16);
  EXPECT_EQ(settings->bytes("maxBytes"), 64u << 20);
}

TEST(Settings, AliasCountsOnlyWithoutTheMainName) {
  const auto by_alias = Settings::read(component_with({{"dsn", "third"}, {"URL", "second"}}), kTable);
  ASSERT_TRUE(by_alias);
  EXPECT_EQ(by_alias->text("connectionString"), "second");
  const auto by_third = Settings::read(component_with({{"uri", "fourth"}}), kTable);
  ASSERT_TRUE(by_third);
  EXPECT_EQ(by_third->text("connectionString"), "fourth");
  const auto both = Settings::read(component_with({{"url", "second"}, {"connectionString", "first"}}), kTable);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->text("connectionString"), "first");
  EXPECT_THAT(both->unknown(), IsEmpty());
}

TEST(Settings, TheSameSpellingTwiceKeepsTheLastAndTwoSpellingsAreRefused) {
  const auto same = Settings::read(component_with({{"url", "a"}, {"url", "b"}}), kTable);
  ASSERT_TRUE(same);
  EXPECT_EQ(same->text("connectionString"), "b");
  const auto spellings = Settings::read(component_with({{"url", "a"}, {"Url", "b"}}), kTable);
  ASSERT_FALSE(spellings);
  EXPECT_EQ(spellings.error().code, Errc::invalid_argument);
  EXPECT_THAT(spellings.error().message, HasSubstr("\"Url\" is given twice"));
}

TEST(Settings, UnknownFieldsAreListedAndTheRuntimesOwnAreNot) {
  const auto settings = Settings::read(
      component_with({{"url", "a"}, {"keyprefix", "none"}, {"actorStateStore", "true"}, {"colour", "x"}}), kTable);
  ASSERT_TRUE(settings);
  EXPECT_THAT(settings->unknown(), ElementsAre("colour"));
}

struct RefusedCase {
  const char* name;
  std::string field;
  std::string value;
  std::string why;
};

class SettingsRefusal : public testing::TestWithParam<RefusedCase> {};

TEST_P(SettingsRefusal, NamesComponentFieldAndFileButNotTheValue) {
  auto component = component_with({{GetParam().field, GetParam().value}});
  if (GetParam().field != "connectionString") component.properties.emplace_back("connectionString", "x");
  const auto settings = Settings::read(component, kTable);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, Errc::invalid_argument);
  EXPECT_THAT(settings.error().message, HasSubstr("component \"orders\" (state.sqlite): field \"" + GetParam().field));
  EXPECT_THAT(settings.error().message, HasSubstr(GetParam().why));
  EXPECT_THAT(settings.error().message, HasSubstr("(orders.yaml:3)"));
  if (!GetParam().value.empty()) EXPECT_THAT(settings.error().message, Not(HasSubstr(GetParam().value)));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, SettingsRefusal,
    testing::Values(RefusedCase{"RequiredAndEmpty", "connectionString", "", "is required"},
                    RefusedCase{"NoDuration", "timeout", "soonish", "must be a duration"},
                    RefusedCase{"DurationOutOfRange", "timeout", "9223372037", "must be a duration"},
                    RefusedCase{"NoInteger", "maxConns", "12.5", "must be an integer"},
                    RefusedCase{"IntegerOutOfRange", "maxConns", "9223372036854775808", "must be an integer"},
                    RefusedCase{"NoIdentifier", "tableName", "t; --", "must be a name"},
                    RefusedCase{"EmptyIdentifier", "tableName", "", "must be a name"},
                    RefusedCase{"NoSize", "maxBytes", "64Qi", "must be a size"},
                    RefusedCase{"NoChoice", "mode", "sometimes", "must be off, read-only or full"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Settings, EmptyDurationsAndIntegersAreZero) {
  const auto settings = Settings::read(component_with({{"url", "a"}, {"timeout", ""}, {"maxConns", ""}}), kTable);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->duration("timeout"), seconds(0));
  EXPECT_EQ(settings->integer("maxConns"), 0);
}

TEST(Settings, ChoicesAreMatchedInAnyCaseAndWithoutHyphens) {
  for (const char* text : {"", "off", "FULL", "readOnly", "Read-Only"})
    EXPECT_EQ(objection_to(kTable.back(), text), "") << text;
  for (const char* text : {"of", "read only", "full off", "-"})
    EXPECT_NE(objection_to(kTable.back(), text), "") << text;
}

TEST(Settings, AskingForAFieldTheTableLacksIsABug) {
  const auto settings = Settings::read(component_with({{"url", "a"}}), kTable);
  ASSERT_TRUE(settings);
  EXPECT_THROW((void)settings->text("nosuch"), std::logic_error);
}

TEST(Settings, CommonDefaultsAreReadable) {
  const auto settings = Settings::read(component_with({}), common_settings());
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->text("keyPrefix"), "appid");
  EXPECT_FALSE(settings->boolean("daprLenient"));
}

TEST(Settings, TheChoicesOfConsistencyAreTheLevelsThereAre) {
  const auto settings = common_settings();
  const auto consistency = std::ranges::find(settings, "consistency", &Setting::name);
  ASSERT_NE(consistency, settings.end());
  for (const char* text : {"strong", "Quorum", "CABOA", "boundedStaleness", "session", "consistent-prefix", "eventual",
                           "linearizable", "unspecified", "strongest"})
    EXPECT_EQ(objection_to(*consistency, text).empty(), parse_consistency(text).has_value()) << text;
}

// ---- readings ----

TEST(Readings, TruthyTakesDaprsSixWordsInAnyCase) {
  for (const char* word : {"y", "YES", "True", "t", "on", "1", " true\n"}) EXPECT_TRUE(truthy(word)) << word;
  for (const char* word : {"", "n", "0", "false", "2", "truely"}) EXPECT_FALSE(truthy(word)) << word;
}

TEST(Readings, GoDurationsAreReadToTheMillisecond) {
  EXPECT_EQ(parse_go_duration("1m30s").value(), seconds(90));
  EXPECT_EQ(parse_go_duration("250ms").value(), Milliseconds(250));
  EXPECT_EQ(parse_go_duration("-1s").value(), seconds(-1));
  EXPECT_EQ(parse_go_duration("+1.5h").value(), minutes(90));
  EXPECT_EQ(parse_go_duration(".5s").value(), Milliseconds(500));
  EXPECT_EQ(parse_go_duration("0").value(), Milliseconds(0));
  EXPECT_EQ(parse_go_duration("-0").value(), Milliseconds(0));
  EXPECT_EQ(parse_go_duration("2562047h").value(), hours(2562047));
}

TEST(Readings, APositiveDurationIsNeverRoundedToZero) {
  EXPECT_EQ(parse_go_duration("1ns").value(), Milliseconds(1));
  EXPECT_EQ(parse_go_duration("1us").value(), Milliseconds(1));
  EXPECT_EQ(parse_go_duration("1500\u00b5s").value(), Milliseconds(2));
  EXPECT_EQ(parse_go_duration("1500\u03bcs").value(), Milliseconds(2));
}

TEST(Readings, BadGoDurationsAreRefusedInGosWords) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "time: invalid duration \"\""},
      {"-", "time: invalid duration \"-\""},
      {"10", "time: missing unit in duration \"10\""},
      {"1x", "time: unknown unit \"x\" in duration \"1x\""},
      {"s", "time: invalid duration \"s\""},
      {"1s ", "time: unknown unit \"s \" in duration \"1s \""},
      {".s", "time: invalid duration \".s\""},
      {"2562048h", "time: invalid duration \"2562048h\""},
      {"99999999999999999999s", "time: invalid duration \"99999999999999999999s\""}};
  for (const auto& [text, message] : cases) {
    const auto duration = parse_go_duration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error().message, message);
  }
}

TEST(Readings, QuantitiesAreKubernetes) {
  const std::vector<std::pair<std::string, std::uint64_t>> cases{
      {"512", 512},   {"4Mi", 4u << 20}, {"1k", 1000},  {"1.5G", 1'500'000'000},
      {"0.5Ki", 512}, {"1e3", 1000},     {"1E3", 1000}, {"1E", 1'000'000'000'000'000'000},
      {"1e-3", 1},    {"1500m", 2},      {"0", 0},      {"+1", 1},
      {"1.", 1},      {".5", 1},         {"1e+2", 100}, {"18446744073709551615", 18446744073709551615ULL}};
  for (const auto& [text, value] : cases) {
    const auto quantity = parse_quantity(text);
    ASSERT_TRUE(quantity) << text;
    EXPECT_EQ(*quantity, value) << text;
  }
}

TEST(Readings, BadQuantitiesAreRefused) {
  for (const char* text : {"", "Mi", "-1", "4MiB", "4K", "1 Mi", "1..2", "16Ei", "20E", "1e19", "0x10",
                           "18446744073709551616", "1e", "1e+", "1e+-3", "inf", "18446744073709551615.5"})
    EXPECT_FALSE(parse_quantity(text)) << text;
}

}  // namespace
}  // namespace holdfast::state
