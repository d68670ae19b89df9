// Calls for many keys: one result per request, in order, none depending on another.
#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

using state::DeleteRequest;
using state::GetRequest;
using state::Precondition;
using state::SetRequest;

TEST_P(BulkConformance, ReadsAnswerInTheOrderOfTheRequests) {
  const std::string a = key("a");
  const std::string missing = key("missing");
  const std::string z = key("z");
  ASSERT_TRUE(store().set(put(a, "1")));
  ASSERT_TRUE(store().set(put_json(z, R"({"n":2})")));
  const GetRequest requests[] = {{.key = z}, {.key = missing}, {.key = a}, {.key = z}};
  const auto records = store().run(store().store().get_many({}, requests));
  ASSERT_EQ(records.size(), 4u);
  for (const auto& record : records) ASSERT_TRUE(record);
  EXPECT_EQ(canonical((**records[0]).value), R"({"n":2})");
  EXPECT_FALSE(records[1]->has_value());
  EXPECT_EQ((**records[2]).value, "1");
  EXPECT_EQ((**records[3]).value, (**records[0]).value);
  if (can().etag) {
    EXPECT_EQ((**records[2]).etag, store().etag(a));
  }
}

TEST_P(BulkConformance, EmptyRequestsGiveEmptyAnswers) {
  EXPECT_TRUE(store().run(store().store().get_many({}, {})).empty());
  EXPECT_TRUE(store().run(store().store().set_many({}, {})).empty());
  EXPECT_TRUE(store().run(store().store().erase_many({}, {})).empty());
}

TEST_P(BulkConformance, ThreeHundredKeysAreWrittenReadAndDeleted) {
  std::vector<std::string> names;
  std::vector<std::string> values;
  for (int i = 0; i < 300; ++i) {
    names.push_back(key("k" + std::to_string(i)));
    values.push_back("value " + std::to_string(i));
  }
  std::vector<SetRequest> sets;
  std::vector<GetRequest> gets;
  std::vector<DeleteRequest> deletes;
  for (std::size_t i = 0; i < names.size(); ++i) {
    sets.push_back(put(names[i], values[i]));
    gets.push_back({.key = names[i]});
    deletes.push_back(drop(names[i]));
  }
  const auto written = store().run(store().store().set_many({}, sets));
  ASSERT_EQ(written.size(), names.size());
  const auto records = store().run(store().store().get_many({}, gets));
  ASSERT_EQ(records.size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    ASSERT_TRUE(written[i]);
    ASSERT_TRUE(records[i] && *records[i]);
    EXPECT_EQ((**records[i]).value, values[i]);
    EXPECT_EQ((**records[i]).etag, written[i]->etag);
  }
  const auto deleted = store().run(store().store().erase_many({}, deletes));
  ASSERT_EQ(deleted.size(), names.size());
  for (const auto& one : deleted) EXPECT_TRUE(one);
  for (const auto& record : store().run(store().store().get_many({}, gets))) {
    ASSERT_TRUE(record);
    EXPECT_FALSE(record->has_value());
  }
}

TEST_P(BulkConformance, OneRefusedWriteLeavesTheOthersWritten) {
  HOLDFAST_NEEDS(etag);
  const std::string a = key("a");
  const std::string b = key("b");
  const std::string c = key("c");
  ASSERT_TRUE(store().set(put(b, "kept")));
  const IfMatch bad{"bad-etag"};
  const SetRequest requests[] = {put(a, "1"), put(b, "2", bad), put(c, "3", Precondition::absent())};
  const auto written = store().run(store().store().set_many({}, requests));
  ASSERT_EQ(written.size(), 3u);
  EXPECT_TRUE(written[0]);
  EXPECT_TRUE(is_bad_etag(written[1]));
  EXPECT_TRUE(written[2]);
  EXPECT_EQ(store().value(a), "1");
  EXPECT_EQ(store().value(b), "kept");
  EXPECT_EQ(store().value(c), "3");
}

TEST_P(BulkConformance, OneRefusedDeletionLeavesTheOthersDone) {
  HOLDFAST_NEEDS(etag);
  const std::string a = key("a");
  const std::string b = key("b");
  const std::string missing = key("missing");
  const std::string etag = store().set(put(a, "1"))->etag;
  ASSERT_TRUE(store().set(put(b, "kept")));
  const IfMatch good{etag};
  const IfMatch bad{"bad-etag"};
  const DeleteRequest requests[] = {drop(missing), drop(b, bad), drop(a, good)};
  const auto deleted = store().run(store().store().erase_many({}, requests));
  ASSERT_EQ(deleted.size(), 3u);
  EXPECT_TRUE(deleted[0]);
  EXPECT_TRUE(is_bad_etag(deleted[1]));
  EXPECT_TRUE(deleted[2]);
  EXPECT_FALSE(store().exists(a));
  EXPECT_EQ(store().value(b), "kept");
}

// Without a condition the order of the two is the store's choice; with "no record yet" only one can
// win.
TEST_P(BulkConformance, TwoFirstWritesOfOneKeyHaveOneWinner) {
  HOLDFAST_NEEDS(etag);
  const std::string a = key("a");
  const SetRequest requests[] = {put(a, "1", Precondition::absent()), put(a, "2", Precondition::absent())};
  const auto written = store().run(store().store().set_many({}, requests));
  ASSERT_EQ(written.size(), 2u);
  ASSERT_NE(written[0].has_value(), written[1].has_value());
  const std::size_t winner = written[0] ? 0 : 1;
  EXPECT_EQ(store().value(a), winner == 0 ? "1" : "2");
  EXPECT_TRUE(is_refused(written[1 - winner]));
}

}  // namespace
}  // namespace holdfast::conformance
