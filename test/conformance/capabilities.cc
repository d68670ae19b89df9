// What stores declare: that the documentation says it, that the suite has a case for each of it, and what of it no
// other file is about.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "conformance/capability_table.h"
#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

using state::Capabilities;

std::string read_page() {
  std::ostringstream text;
  text << std::ifstream(HOLDFAST_STORES_PAGE).rdbuf();
  return text.str();
}

std::string first_difference(std::string_view page, std::string_view wanted) {
  const auto at = static_cast<std::size_t>(std::ranges::mismatch(page, wanted).in2 - wanted.begin());
  const std::size_t begin = wanted.rfind('\n', at) + 1;  // 0 in the first line
  return std::string(wanted.substr(begin, wanted.find('\n', at) - begin));
}

TEST_P(CapabilitiesConformance, TheDocumentationSaysWhatIsDeclared) {
  if (GetParam().column.empty()) GTEST_SKIP() << "this run is no column of the table in doc/stores.md";
  const std::string page = read_page();
  const std::string wanted = with_column(page, GetParam().column, can());
  if (std::getenv("HOLDFAST_UPDATE_DOCS") != nullptr)
    std::ofstream(HOLDFAST_STORES_PAGE) << wanted;
  else
    EXPECT_TRUE(page == wanted) << "doc/stores.md is out of date, run tools/dev docs. The first difference is at "
                                << first_difference(page, wanted);
}

TEST_P(CapabilitiesConformance, WhatWasAcknowledgedIsThereWhenADurableStoreIsOpenedAnew) {
  HOLDFAST_NEEDS(durable);
  ASSERT_TRUE(store().set(put(key("kept"), "1")));
  ASSERT_TRUE(store().set(put(key("deleted"), "1")));
  ASSERT_TRUE(store().erase(drop(key("deleted"))));
  const std::string etag = store().etag(key("kept"));
  if (!restart()) GTEST_SKIP() << "this run cannot open its store anew";
  EXPECT_EQ(store().value(key("kept")), "1");
  EXPECT_EQ(store().etag(key("kept")), etag);
  EXPECT_FALSE(store().exists(key("deleted")));
}

TEST_P(CapabilitiesConformance, AStoreThatIsNotDurableIsWholeWhenItIsOpenedAnew) {
  HOLDFAST_LACKS(durable);
  ASSERT_TRUE(store().set(put(key("a"), "old")));
  if (!restart()) GTEST_SKIP() << "this run cannot open its store anew";
  // What was there may be gone, and not in part.
  EXPECT_EQ(store().value(key("a")).value_or("old"), "old");
  ASSERT_TRUE(store().set(put(key("a"), "new")));
  EXPECT_EQ(store().value(key("a")), "new");
}

TEST(JudgedCapabilities, EveryFieldHasCasesForStoresThatDeclareItAndForThoseThatDoNot) {
  for (const state::CapabilityField& field : state::kCapabilityFields) {
    EXPECT_GT(std::ranges::count(judged().declared, field.member), 0) << "no case needs " << field.name;
    EXPECT_GT(std::ranges::count(judged().undeclared, field.member), 0) << "no case lacks " << field.name;
  }
}

// The table.

constexpr std::string_view kEmptyPage =
    "before\n<!-- capabilities: the conformance suite checks this, `tools/dev docs` writes it -->\n"
    "<!-- end of capabilities -->\nafter\n";

bool has_line(std::string_view page, std::string_view line) {
  return page.find("\n" + std::string(line) + "\n") != std::string_view::npos;
}

TEST(CapabilityTable, AColumnIsAddedBesideThoseThatAreThere) {
  Capabilities can;
  can.ttl = true;
  can.transaction_ops_max = 1024;
  can.value_bytes_max = 512 << 20;
  can.reads = Capabilities::always_strong();
  const std::string one = with_column(kEmptyPage, "One", can);
  EXPECT_TRUE(has_line(one, "| | | One |")) << one;
  EXPECT_TRUE(has_line(one, "| `ttl` | an expired record is never returned | ✓ |")) << one;
  EXPECT_TRUE(has_line(one, "| `transactionOperationsMax` | atomic writes of several keys | 1,024 |")) << one;
  EXPECT_TRUE(has_line(one, "| `valueBytesMax` | | 512 MiB |")) << one;
  EXPECT_TRUE(has_line(one, "| reads at `eventual` | | as strong |")) << one;
  EXPECT_TRUE(has_line(one, "| writes at `eventual` | | – |")) << one;
  EXPECT_TRUE(one.starts_with("before\n") && one.ends_with("\nafter\n"));
  const std::string two = with_column(one, "Two", {});
  EXPECT_TRUE(has_line(two, "| | | One | Two |")) << two;
  EXPECT_TRUE(has_line(two, "| `ttl` | an expired record is never returned | ✓ | – |")) << two;
}

TEST(CapabilityTable, WhatIsAsItShouldBeStaysAsItIs) {
  const std::string page = with_column(with_column(kEmptyPage, "One", {}), "Two", {});
  EXPECT_EQ(with_column(page, "One", {}), page);
  EXPECT_EQ(with_column(page, "Two", {}), page);
}

TEST(CapabilityTable, AChangedCapabilityAndAStaleRowChangeThePage) {
  const std::string page = with_column(kEmptyPage, "One", {});
  Capabilities can;
  can.watch = true;
  EXPECT_TRUE(has_line(with_column(page, "One", can), "| `watch` | changes as they happen | ✓ |"));
  std::string stale = page;
  stale.insert(stale.find("<!-- end"), "| `forgotten` | | ✓ |\n");
  EXPECT_EQ(with_column(stale, "One", {}), page);
}

TEST(CapabilityTable, APageWithoutMarksIsRefused) {
  EXPECT_THROW(with_column("no table", "One", {}), std::runtime_error);
}

}  // namespace
}  // namespace holdfast::conformance
