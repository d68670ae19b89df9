// Look-up by index entry.
#include <algorithm>
#include <set>

#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

using state::FindRequest;
using state::Pairs;
using Keys = std::vector<std::string>;

class IndexCase {
 public:
  IndexCase(Handle& store, std::string prefix) : store_(store), prefix_(std::move(prefix)) {}

  void add(const std::string& key, const Pairs& indexes, std::string_view value = "v") {
    state::SetRequest request = put(key, value);
    request.indexes = indexes;
    const auto written = store_.set(request);
    ASSERT_TRUE(written) << written.error().message;
  }
  FindRequest request(std::string_view name, std::string_view value) const {
    FindRequest request;
    request.name = name;
    request.value = value;
    request.of.prefix = prefix_;
    return request;
  }
  Result<state::ListPage> page(FindRequest request) { return store_.run(store_.store().find({}, request)); }
  // What carries the entry, sorted, by pages of so many.
  Keys find(std::string_view name, std::string_view value, std::uint32_t limit = 100) {
    FindRequest request = this->request(name, value);
    request.of.limit = limit;
    return find(request);
  }
  Keys find(FindRequest request) {
    Keys keys;
    std::string cursor;
    for (int pages = 0; pages < 1000; ++pages) {
      request.of.cursor = cursor;
      auto found = page(request);
      if (!found) {
        ADD_FAILURE() << found.error().message;
        return keys;
      }
      EXPECT_LE(found->items.size(), request.of.limit);
      for (auto& item : found->items) keys.push_back(std::move(item.key));
      cursor = found->cursor;
      if (cursor.empty()) {
        std::ranges::sort(keys);
        return keys;
      }
    }
    ADD_FAILURE() << "the look-up does not end";
    return keys;
  }

 private:
  Handle& store_;
  const std::string prefix_;
};

TEST_P(IndexConformance, FindsWhatCarriesTheEntryAndNothingElse) {
  HOLDFAST_NEEDS(secondary_index);
  IndexCase index(store(), base());
  index.add(key("a"), {{"user_id", "123"}, {"city", "Köln"}});
  index.add(key("b"), {{"user_id", "123"}});
  index.add(key("c"), {{"user_id", "1234"}});
  index.add(key("d"), {{"user_id", "12"}});
  index.add(key("e"), {{"other", "123"}});
  index.add(key("f"), {});
  EXPECT_EQ(index.find("user_id", "123"), (Keys{key("a"), key("b")}));
  EXPECT_EQ(index.find("city", "Köln"), Keys{key("a")});
  EXPECT_EQ(index.find("user_id", "none"), Keys{});
  EXPECT_EQ(index.find("nothing", "123"), Keys{});
}

TEST_P(IndexConformance, NamesAndValuesAreOnlyTexts) {
  HOLDFAST_NEEDS(secondary_index);
  IndexCase index(store(), base());
  const Pairs entries{{"a", "=b&c"}, {"a=", "b&c"}, {"a:b", "c"},    {"a", "b:c"},
                      {"x", ""},     {"%25", "%"},  {"' OR 1", "*"}, {"[1]", "'; --"}};
  for (std::size_t i = 0; i < entries.size(); ++i) index.add(key(std::to_string(i)), {entries[i]});
  for (std::size_t i = 0; i < entries.size(); ++i)
    EXPECT_EQ(index.find(entries[i].first, entries[i].second), Keys{key(std::to_string(i))}) << entries[i].first;
}

TEST_P(IndexConformance, EveryWriteReplacesTheEntries) {
  HOLDFAST_NEEDS(secondary_index);
  IndexCase index(store(), base());
  index.add(key("a"), {{"n", "1"}, {"m", "1"}});
  index.add(key("b"), {{"n", "1"}});
  index.add(key("a"), {{"n", "2"}, {"m", "1"}});
  EXPECT_EQ(index.find("n", "1"), Keys{key("b")});
  EXPECT_EQ(index.find("n", "2"), Keys{key("a")});
  EXPECT_EQ(index.find("m", "1"), Keys{key("a")});
  ASSERT_TRUE(store().set(put(key("a"), "without")));
  EXPECT_EQ(index.find("n", "2"), Keys{});
  EXPECT_EQ(index.find("m", "1"), Keys{});
  index.add(key("a"), {{"n", "2"}});
  EXPECT_EQ(index.find("n", "2"), Keys{key("a")});
}

TEST_P(IndexConformance, DeletedRecordsAreNotFoundAndMadeAgainTheyAre) {
  HOLDFAST_NEEDS(secondary_index);
  IndexCase index(store(), base());
  index.add(key("a"), {{"n", "1"}});
  index.add(key("b"), {{"n", "1"}});
  ASSERT_TRUE(store().erase(drop(key("a"))));
  EXPECT_EQ(index.find("n", "1"), Keys{key("b")});
  ASSERT_TRUE(store().set(put(key("a"), "without entries")));
  EXPECT_EQ(index.find("n", "1"), Keys{key("b")});
  index.add(key("a"), {{"n", "1"}});
  EXPECT_EQ(index.find("n", "1"), (Keys{key("a"), key("b")}));
  if (!can().delete_prefix) return;
  ASSERT_TRUE(store().run(store().store().erase_prefix({}, {.prefix = base()})));
  EXPECT_EQ(index.find("n", "1"), Keys{});
}

TEST_P(IndexConformance, ExpiredRecordsAreNotFound) {
  HOLDFAST_NEEDS(secondary_index);
  HOLDFAST_NEEDS(ttl);
  IndexCase index(store(), base());
  const Pairs entries{{"n", "1"}};
  const std::string timed = key("timed");
  state::SetRequest request = put_for(timed, "v", kShortTtl);
  request.indexes = entries;
  ASSERT_TRUE(store().set(request));
  index.add(key("kept"), entries);
  EXPECT_EQ(index.find("n", "1"), (Keys{key("kept"), timed}));
  run_out(timed, kShortTtl);
  EXPECT_EQ(index.find("n", "1"), Keys{key("kept")});
  ASSERT_TRUE(store().set(put(timed, "without entries")));
  EXPECT_EQ(index.find("n", "1"), Keys{key("kept")});
}

TEST_P(IndexConformance, ARefusedWriteChangesNoEntry) {
  HOLDFAST_NEEDS(secondary_index);
  HOLDFAST_NEEDS(etag);
  IndexCase index(store(), base());
  index.add(key("a"), {{"n", "1"}});
  const Pairs entries{{"n", "2"}};
  const std::string name = key("a");
  state::SetRequest request = put(name, "2", state::Precondition::absent());
  request.indexes = entries;
  EXPECT_TRUE(is_refused(store().set(request)));
  EXPECT_EQ(index.find("n", "1"), Keys{key("a")});
  EXPECT_EQ(index.find("n", "2"), Keys{});
}

TEST_P(IndexConformance, BulkWritesAndTransactionsFillItToo) {
  HOLDFAST_NEEDS(secondary_index);
  IndexCase index(store(), base());
  const Pairs one{{"n", "1"}};
  const Pairs two{{"n", "2"}, {"m", "1"}};
  const std::string a = key("a"), b = key("b"), c = key("c");
  std::vector<state::SetRequest> bulk{put(a, "v"), put(b, "v")};
  bulk[0].indexes = one;
  bulk[1].indexes = two;
  for (const auto& written : store().run(store().store().set_many({}, bulk))) ASSERT_TRUE(written);
  EXPECT_EQ(index.find("n", "1"), Keys{a});
  EXPECT_EQ(index.find("n", "2"), Keys{b});
  if (!GetParam().rich_transactions) return;
  HOLDFAST_NEEDS_TRANSACTIONS_OF(3);
  state::SetRequest overwrite = put(a, "v");
  overwrite.indexes = two;
  state::SetRequest document = put_json(c, R"({"n":1})");
  document.indexes = two;
  ASSERT_TRUE(store().transact({overwrite, drop(b), document}));
  EXPECT_EQ(index.find("n", "1"), Keys{});
  EXPECT_EQ(index.find("n", "2"), (Keys{a, c}));
  EXPECT_EQ(index.find("m", "1"), (Keys{a, c}));
  if (!can().etag) return;
  overwrite.indexes = one;
  EXPECT_FALSE(store().transact({overwrite, state::CheckRequest{b, state::Precondition::present()}}));
  EXPECT_EQ(index.find("n", "1"), Keys{});
  EXPECT_EQ(index.find("n", "2"), (Keys{a, c}));
}

TEST_P(IndexConformance, JsonRecordsAreFoundWithValueEtagAndFields) {
  HOLDFAST_NEEDS(secondary_index);
  const std::string name = key("a");
  const Pairs entries{{"n", "1"}};
  state::SetRequest request = put_json(name, R"({"x":[1,2]})");
  request.indexes = entries;
  ASSERT_TRUE(store().set(request));
  IndexCase index(store(), base());
  state::FindRequest find = index.request("n", "1");
  find.of.want_values = true;
  find.of.want_fields = true;
  const auto page = index.page(find);
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->items.size(), 1u);
  EXPECT_EQ(canonical(page->items[0].record.value), R"({"x":[1,2]})");
  EXPECT_EQ(page->items[0].record.shape, state::Shape::json);
  EXPECT_EQ(page->items[0].record.etag, store().etag(name));
  ASSERT_TRUE(page->items[0].record.fields);
  EXPECT_EQ(page->items[0].record.fields->indexes, entries);
  // Written again as other bytes, and with another form of value, it stays found by what it carries now.
  index.add(name, {{"n", "2"}}, "bytes");
  EXPECT_EQ(index.find("n", "1"), Keys{});
  EXPECT_EQ(index.find("n", "2"), Keys{name});
}

TEST_P(IndexConformance, PagesTogetherHoldEveryKeyOnceAndStayUnderThePrefix) {
  HOLDFAST_NEEDS(secondary_index);
  IndexCase index(store(), key("in/"));
  Keys wanted;
  std::vector<std::string> names;
  for (int i = 0; i < 60; ++i) names.push_back(key((i % 4 == 0 ? "out/" : "in/") + std::to_string(i)));
  const Pairs entries{{"n", "1"}};
  std::vector<state::SetRequest> puts;
  for (const std::string& name : names) {
    puts.push_back(put(name, "v"));
    puts.back().indexes = entries;
    if (name.starts_with(key("in/"))) wanted.push_back(name);
  }
  for (const auto& written : store().run(store().store().set_many({}, puts))) ASSERT_TRUE(written);
  std::ranges::sort(wanted);
  for (const std::uint32_t limit : {1U, 7U, 15U, 45U, 1000U}) EXPECT_EQ(index.find("n", "1", limit), wanted) << limit;
  // Some of what the index leads to is gone by the time of the look-up.
  for (std::size_t i = 0; i < wanted.size(); i += 2) ASSERT_TRUE(store().erase(drop(wanted[i])));
  Keys left;
  for (std::size_t i = 1; i < wanted.size(); i += 2) left.push_back(wanted[i]);
  for (const std::uint32_t limit : {1U, 7U, 1000U}) EXPECT_EQ(index.find("n", "1", limit), left) << limit;
}

TEST_P(IndexConformance, ShowsNoOtherKeysThanAListing) {
  HOLDFAST_NEEDS(secondary_index);
  if (!GetParam().raw_keys) GTEST_SKIP() << "this store is reached through keys that hold no separator";
  const std::string own = base() + "app||";
  IndexCase index(store(), own);
  for (const char* name : {"mine", "isolation::K::state::x", "type||id||key", "outbox-1"})
    index.add(own + name, {{"n", "1"}});
  state::FindRequest request = index.request("n", "1");
  request.of.own_bytes = own.size();
  EXPECT_EQ(index.find(request), (Keys{own + "isolation::K::state::x", own + "mine"}));
  request.of.hides_isolated = true;
  EXPECT_EQ(index.find(request), Keys{own + "mine"});
}

TEST_P(IndexConformance, TheIndexItselfIsNoRecord) {
  HOLDFAST_NEEDS(secondary_index);
  HOLDFAST_NEEDS(list);
  if (!GetParam().raw_keys) GTEST_SKIP() << "this store is reached through keys that hold no separator";
  IndexCase index(store(), base());
  index.add(key("a"), {{base(), "1"}, {"m", base()}});
  Keys keys = store().keys(base());
  EXPECT_EQ(keys, Keys{key("a")});
  EXPECT_EQ(index.find("m", base()), Keys{key("a")});
}

TEST_P(IndexConformance, WithoutAnIndexALookUpIsUnsupportedAndEntriesDoNoHarm) {
  HOLDFAST_LACKS(secondary_index);
  IndexCase index(store(), base());
  index.add(key("a"), {{"n", "1"}});
  EXPECT_TRUE(is_unsupported(index.page(index.request("n", "1"))));
  EXPECT_EQ(store().value(key("a")), "v");
}

}  // namespace
}  // namespace holdfast::conformance
