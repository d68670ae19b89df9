// What a record carries beside its value: times, names, content type, tags, index entries.
#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

using state::SetRequest;

SetRequest full_request(std::string_view key, const state::Pairs& tags, const state::Pairs& indexes) {
  SetRequest request = put(key, "value");
  request.content_type = "text/plain; charset=utf-8";
  request.tags = tags;
  request.indexes = indexes;
  request.created_by = "alice";
  request.modified_by = "bob";
  request.want_record = true;
  return request;
}

TEST_P(RecordsConformance, FieldsComeBackWhenAskedAndOnlyThen) {
  HOLDFAST_NEEDS(record_fields);
  const state::Pairs tags{{"color", "red"}, {"empty", ""}, {"grüße", "世界"}};
  const state::Pairs indexes{{"user_id", "123"}};
  const std::string name = key("a");
  ASSERT_TRUE(store().set(full_request(name, tags, indexes)));
  const auto fields = store().record(name, true).fields;
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(fields->tags, tags);
  EXPECT_EQ(fields->indexes, indexes);
  EXPECT_EQ(fields->created_by, "alice");
  EXPECT_EQ(fields->modified_by, "bob");
  EXPECT_FALSE(store().record(name, false).fields);
}

TEST_P(RecordsConformance, TheWriteItselfCanGiveTheRecord) {
  HOLDFAST_NEEDS(record_fields);
  const state::Pairs tags{{"color", "red"}};
  const std::string name = key("a");
  SetRequest request = full_request(name, tags, {});
  const auto written = store().set(request);
  ASSERT_TRUE(written && written->fields);
  const auto read = store().record(name, true).fields;
  ASSERT_TRUE(read);
  EXPECT_EQ(written->fields->created, read->created);
  EXPECT_EQ(written->fields->modified, read->modified);
  EXPECT_EQ(written->fields->tags, tags);
  EXPECT_EQ(written->fields->created_by, "alice");
  request.want_record = false;
  EXPECT_FALSE(store().set(request)->fields);
}

TEST_P(RecordsConformance, CreationSurvivesOverwritesOfALiveRecord) {
  HOLDFAST_NEEDS(record_fields);
  const std::string name = key("a");
  SetRequest request = put(name, "1");
  request.created_by = "alice";
  request.modified_by = "alice";
  ASSERT_TRUE(store().set(request));
  const auto first = store().record(name, true).fields;
  ASSERT_TRUE(first);
  if (test::ManualClock* clock = instance().clock()) clock->advance(Milliseconds(1500));
  request.created_by = "mallory";
  request.modified_by = "bob";
  ASSERT_TRUE(store().set(request));
  const auto second = store().record(name, true).fields;
  ASSERT_TRUE(second);
  EXPECT_EQ(second->created, first->created);
  EXPECT_EQ(second->created_by, "alice");
  EXPECT_EQ(second->modified_by, "bob");
  EXPECT_GE(second->modified, first->modified);
  if (instance().clock() != nullptr) {
    EXPECT_EQ(second->modified.us - first->modified.us, 1'500'000);
  }
}

TEST_P(RecordsConformance, ADeletedAndRecreatedRecordIsCreatedAnew) {
  HOLDFAST_NEEDS(record_fields);
  const std::string name = key("a");
  SetRequest request = put(name, "1");
  request.created_by = "alice";
  ASSERT_TRUE(store().set(request));
  ASSERT_TRUE(store().erase(drop(name)));
  request.created_by = "bob";
  ASSERT_TRUE(store().set(request));
  EXPECT_EQ(store().record(name, true).fields->created_by, "bob");
}

TEST_P(RecordsConformance, ARecordWrittenOverAnExpiredOneIsCreatedAnew) {
  HOLDFAST_NEEDS(record_fields);
  HOLDFAST_NEEDS(ttl);
  const std::string name = key("a");
  SetRequest request = put_for(name, "1", kShortTtl);
  request.created_by = "alice";
  ASSERT_TRUE(store().set(request));
  const auto first = store().record(name, true).fields;
  run_out(name, kShortTtl);
  request = put(name, "2");
  request.created_by = "bob";
  ASSERT_TRUE(store().set(request));
  const auto second = store().record(name, true).fields;
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->created_by, "bob");
  EXPECT_GT(second->created, first->created);
}

TEST_P(RecordsConformance, EveryWriteReplacesContentTypeTagsAndIndexes) {
  HOLDFAST_NEEDS(record_fields);
  const state::Pairs tags{{"color", "red"}};
  const state::Pairs indexes{{"user_id", "123"}};
  const std::string name = key("a");
  ASSERT_TRUE(store().set(full_request(name, tags, indexes)));
  ASSERT_TRUE(store().set(put(name, "2")));
  const auto fields = store().record(name, true).fields;
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->content_type, "");
  EXPECT_TRUE(fields->tags.empty());
  EXPECT_TRUE(fields->indexes.empty());
}

TEST_P(RecordsConformance, ARefusedWriteLeavesTheFieldsAsTheyWere) {
  HOLDFAST_NEEDS(record_fields);
  HOLDFAST_NEEDS(etag);
  const state::Pairs tags{{"color", "red"}};
  const std::string name = key("a");
  ASSERT_TRUE(store().set(full_request(name, tags, {})));
  const auto before = store().record(name, true).fields;
  EXPECT_TRUE(is_refused(store().set(put(name, "2", state::Precondition::absent()))));
  const auto after = store().record(name, true).fields;
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->tags, tags);
  EXPECT_EQ(after->modified, before->modified);
  EXPECT_EQ(after->modified_by, before->modified_by);
}

TEST_P(RecordsConformance, WhoWritesIsTheContextsPrincipalUnlessTheRequestSays) {
  HOLDFAST_NEEDS(record_fields);
  if (!GetParam().sees_principal) GTEST_SKIP() << "the principal of a call does not reach this store";
  const std::string name = key("a");
  state::CallContext context;
  context.principal = "orders-app";
  ASSERT_TRUE(store().run(store().store().set(context, put(name, "1"))));
  auto fields = store().record(name, true).fields;
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->created_by, "orders-app");
  EXPECT_EQ(fields->modified_by, "orders-app");
  context.principal = "billing-app";
  ASSERT_TRUE(store().run(store().store().set(context, put(name, "2"))));
  fields = store().record(name, true).fields;
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->created_by, "orders-app");
  EXPECT_EQ(fields->modified_by, "billing-app");
}

TEST_P(RecordsConformance, TransactionsAndBulkWritesKeepFieldsToo) {
  HOLDFAST_NEEDS(record_fields);
  const state::Pairs tags{{"color", "red"}};
  const std::string a = key("a");
  const std::string b = key("b");
  const SetRequest bulk[] = {full_request(a, tags, {})};
  ASSERT_TRUE(store().run(store().store().set_many({}, bulk))[0]);
  EXPECT_EQ(store().record(a, true).fields->tags, tags);
  if (can().transaction_ops_max == 0 || !GetParam().rich_transactions) return;
  const auto written = store().transact({full_request(b, tags, {})});
  ASSERT_TRUE(written);
  ASSERT_TRUE((*written)[0].fields);
  EXPECT_EQ((*written)[0].fields->created_by, "alice");
  EXPECT_EQ(store().record(b, true).fields->tags, tags);
}

TEST_P(RecordsConformance, WithoutThemNoFieldsAreShown) {
  HOLDFAST_LACKS(record_fields);
  ASSERT_TRUE(store().set(put(key("a"), "1")));
  EXPECT_FALSE(store().record(key("a"), true).fields);
}

}  // namespace
}  // namespace holdfast::conformance
