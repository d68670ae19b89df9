// Keys and values at their edges, through every call that takes them.
#include <set>

#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

// A limit that cases go up to.
constexpr std::uint64_t kReachable = 32 << 20;

std::string every_byte() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  return bytes;
}

std::string pseudo_random(std::size_t count) {
  std::string bytes(count, '\0');
  std::uint32_t state = 12345;
  for (char& c : bytes) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

// Through get, get_many and a transaction; then deleted again.
void expect_round_trip(Handle& store, const std::string& name, const std::string& value) {
  const auto written = store.set(put(name, value));
  ASSERT_TRUE(written) << written.error().message;
  ASSERT_TRUE(store.value(name) == value);
  const state::GetRequest requests[] = {{.key = name}, {.key = name}};
  for (const auto& record : store.run(store.store().get_many({}, requests))) {
    ASSERT_TRUE(record && *record);
    EXPECT_TRUE((**record).value == value);
  }
  if (store.can().transaction_ops_max > 0) {
    const auto replaced = store.transact({drop(name), put(name, value)});
    ASSERT_TRUE(replaced) << replaced.error().message;
    ASSERT_TRUE(store.value(name) == value);
  }
  ASSERT_TRUE(store.erase(drop(name)));
  EXPECT_FALSE(store.exists(name));
}

TEST_P(EdgesConformance, ValuesOfEveryKindComeBackAsTheyWere) {
  struct Case {
    const char* name;
    std::string value;
  };
  const Case cases[] = {
      {"empty", ""},
      {"one zero byte", std::string(1, '\0')},
      {"every byte", every_byte()},
      {"not UTF-8", "\xff\xfe\xc3"},
      {"quotes and backslashes", R"(" ' ` \ \\ \" '' $1 ? ; --)"},
      {"looks like base64", "AAECAw=="},
      {"looks like JSON", R"({"a":1})"},
      {"a mongo operator", R"({"$set":{"a":1}})"},
      {"spaces", "  \t\r\n "},
      {"1 KiB", pseudo_random(1024)},
      {"64 KiB", pseudo_random(64 << 10)},
  };
  for (const auto& [name, value] : cases) {
    SCOPED_TRACE(name);
    expect_round_trip(store(), key("value"), value);
  }
}

TEST_P(EdgesConformance, AnEmptyValueIsARecordWithAnEtag) {
  ASSERT_TRUE(store().set(put(key("a"), "")));
  ASSERT_TRUE(store().exists(key("a")));
  if (can().etag) {
    EXPECT_NE(store().etag(key("a")), "");
    EXPECT_TRUE(is_refused(store().set(put(key("a"), "1", state::Precondition::absent()))));
  }
}

TEST_P(EdgesConformance, AMebibyteIsKept) {
  if (can().value_bytes_max != 0 && can().value_bytes_max < (1 << 20))
    GTEST_SKIP() << "this store keeps at most " << can().value_bytes_max << " bytes";
  const std::string value = pseudo_random(1 << 20);
  ASSERT_TRUE(store().set(put(key("big"), value)));
  EXPECT_TRUE(store().value(key("big")) == value);
  ASSERT_TRUE(store().set(put(key("big"), "small again")));
  EXPECT_EQ(store().value(key("big")), "small again");
}

TEST_P(EdgesConformance, AValueBeyondTheDeclaredLimitIsRefusedAndChangesNothing) {
  HOLDFAST_NEEDS(value_bytes_max);
  if (can().value_bytes_max > kReachable) GTEST_SKIP() << "the limit that this store declares is beyond a test";
  ASSERT_TRUE(store().set(put(key("a"), "old")));
  const std::string value(can().value_bytes_max + 1, 'x');
  EXPECT_TRUE(failed_with(store().set(put(key("a"), value)), {Errc::invalid_argument}));
  EXPECT_EQ(store().value(key("a")), "old");
}

TEST_P(EdgesConformance, WithoutAKnownLimitALargeValueIsKept) {
  HOLDFAST_LACKS(value_bytes_max);
  if (!GetParam().raw_keys) GTEST_SKIP() << "the API, the way to this store, takes bodies of 4 MiB";
  const std::string value = pseudo_random(8 << 20);
  ASSERT_TRUE(store().set(put(key("large"), value)));
  EXPECT_TRUE(store().value(key("large")) == value);
}

TEST_P(EdgesConformance, AKeyBeyondTheDeclaredLimitIsRefusedAndChangesNothing) {
  HOLDFAST_NEEDS(key_bytes_max);
  if (!GetParam().raw_keys)
    GTEST_SKIP() << "the API, the way to this store, puts a prefix in front, and v2 takes 1024 bytes";
  if (can().key_bytes_max > kReachable) GTEST_SKIP() << "the limit that this store declares is beyond a test";
  std::string name = base();
  name.resize(can().key_bytes_max, 'k');
  ASSERT_TRUE(store().set(put(name, "v")));
  EXPECT_TRUE(failed_with(store().set(put(name + "k", "v")), {Errc::invalid_argument}));
  EXPECT_EQ(store().value(name), "v");
}

TEST_P(EdgesConformance, WithoutAKnownLimitALongKeyIsKept) {
  HOLDFAST_LACKS(key_bytes_max);
  if (!GetParam().raw_keys) GTEST_SKIP() << "v2, a way to this store, takes keys of 1024 bytes";
  const std::string name = base() + std::string(64 << 10, 'k');
  ASSERT_TRUE(store().set(put(name, "short")));
  ASSERT_TRUE(store().set(put(name + "x", "long")));
  EXPECT_EQ(store().value(name), "short");
}

bool has_blank(std::string_view name) { return name.find_first_of(" \t") != std::string_view::npos; }

TEST_P(EdgesConformance, KeysOfEveryKindAreKeys) {
  std::set<std::string> names;
  for (const char* name :
       {"a/b", "/a",    "a/",    "a//b", "a/../b", "./a",  "a+b",  "a b",     " a",     "a ",   "100%", "%41", "%2f",
        "%",   "a?b#c", "a&b=c", "a\"b", "a'b",    "a`b",  "a\\b", "a;--",    "*",      "_",    "[x]",  "{x}", "a:b",
        "a,b", "a|b",   "@",     "$",    "grüße",  "世界", "🌍",   "e\u0301", "\u00e9", "a\tb", "null", "0",   "-1"})
    if (GetParam().keys_hold_blanks || !has_blank(name)) names.insert(key(name));
  for (const std::string& name : names) ASSERT_TRUE(store().set(put(name, name)));
  if (can().list) {
    const auto listed = store().keys(base());
    EXPECT_EQ(std::set(listed.begin(), listed.end()), names);
  }
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    EXPECT_EQ(store().value(name), name);
    expect_round_trip(store(), name, "value");
  }
}

TEST_P(EdgesConformance, AKeyThatTheEngineCannotKeepIsRefusedByEveryCallAndChangesNothing) {
  if (GetParam().keys_hold_blanks) GTEST_SKIP() << "the keys of this store may be anything";
  ASSERT_TRUE(store().set(put(key("a"), "old")));
  for (const std::string rest : {"a b", "a ", "a\tb", "a\r\nb", "a\x7f", "a\x01"}) {
    const std::string name = key(rest);
    EXPECT_TRUE(failed_with(store().set(put(name, "new")), {Errc::invalid_argument}));
    EXPECT_TRUE(failed_with(store().get(name), {Errc::invalid_argument}));
    EXPECT_TRUE(failed_with(store().erase(drop(name)), {Errc::invalid_argument}));
    const std::string other = key("a");
    const state::GetRequest requests[] = {{.key = name}, {.key = other}};
    const auto records = store().run(store().store().get_many({}, requests));
    EXPECT_TRUE(failed_with(records[0], {Errc::invalid_argument}));
    ASSERT_TRUE(records[1] && *records[1]);
    EXPECT_EQ((**records[1]).value, "old");
  }
}

TEST_P(EdgesConformance, KeysThatLookAlikeAreDifferentKeys) {
  std::vector<std::string> names{"a",  "A",   "a ",  " a",  "\u00e9", "e\u0301", "\u00c9", "e", "ss", "\u00df",
                                 "a/", "a//", "a+b", "a b", "a%20b",  "%61",     "01",     "1", "1.0"};
  if (!GetParam().keys_hold_blanks) std::erase_if(names, has_blank);
  for (const std::string& name : names) ASSERT_TRUE(store().set(put(key(name), name)));
  for (const std::string& name : names) EXPECT_EQ(store().value(key(name)), name);
  for (const std::string& name : names) ASSERT_TRUE(store().erase(drop(key(name)))) << name;
}

TEST_P(EdgesConformance, AKeyOf1024BytesIsKept) {
  if (can().key_bytes_max != 0 && can().key_bytes_max < 1024)
    GTEST_SKIP() << "this store keeps keys of at most " << can().key_bytes_max << " bytes";
  std::string name = base();
  name.append(1024 - name.size(), 'k');
  expect_round_trip(store(), name, "value");
  // A longer key that begins the same is another key; SQL Server in Dapr cuts keys off.
  if (can().key_bytes_max != 0 && can().key_bytes_max < 1025) return;
  if (!GetParam().raw_keys) return;
  ASSERT_TRUE(store().set(put(name, "short")));
  ASSERT_TRUE(store().set(put(name + "x", "long")));
  EXPECT_EQ(store().value(name), "short");
}

TEST_P(EdgesConformance, KeysWithSeparatorsAreKeys) {
  if (!GetParam().raw_keys) GTEST_SKIP() << "this store is reached through keys that hold no separator";
  for (const char* name : {"app||key", "app||type||id||key", "||", "a||", "isolation::K::state::key"})
    expect_round_trip(store(), key(name), "value");
}

TEST_P(EdgesConformance, ErrorsShowNoValues) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  ASSERT_TRUE(store().set(put(name, "secret-old")));
  const auto refused = store().set(put(name, "secret-new", state::Precondition::absent()));
  ASSERT_FALSE(refused);
  EXPECT_FALSE(refused.error().message.empty());
  EXPECT_EQ(refused.error().message.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::conformance
