#include "config/document_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "config/document.h"

namespace holdfast::config {
namespace {

TEST(DocumentFields, EveryPathIsThereOnceAndBelowOneThatHoldsIt) {
  for (const std::string_view kind : document_kinds()) {
    const auto fields = document_fields(kind);
    std::set<std::string_view> seen;
    for (const DocumentField& field : fields) {
      EXPECT_TRUE(seen.insert(field.path).second) << kind << ' ' << field.path;
      if (field.path.empty()) continue;
      const auto [parent, name] = split_path(field.path);
      ASSERT_TRUE(seen.contains(parent)) << kind << ' ' << field.path;
      const FieldKind holder = name == "[]" ? FieldKind::list : name == "*" ? FieldKind::map : FieldKind::object;
      EXPECT_EQ(find_field(fields, parent)->kind, holder) << kind << ' ' << field.path;
    }
  }
}

TEST(DocumentFields, ListsAndMapsSayWhatTheyHold) {
  for (const std::string_view kind : document_kinds())
    for (const DocumentField& field : document_fields(kind)) {
      const std::string path(field.path);
      if (field.kind == FieldKind::list) EXPECT_NE(find_field(document_fields(kind), path + "[]"), nullptr) << path;
      if (field.kind == FieldKind::map) EXPECT_NE(find_field(document_fields(kind), path + ".*"), nullptr) << path;
    }
}

TEST(DocumentFields, OtherKindsHaveNone) { EXPECT_TRUE(document_fields("component").empty()); }

TEST(DocumentFields, ScalarsAreJudgedByTheirKind) {
  const auto accepts = [](FieldKind kind, const char* text) {
    return objection_to({.path = "x", .kind = kind}, text).empty();
  };
  for (const char* text : {"", "1", "-1", "0x10"}) EXPECT_TRUE(accepts(FieldKind::integer, text)) << text;
  for (const char* text : {"1.5", "one"}) EXPECT_FALSE(accepts(FieldKind::integer, text)) << text;
  for (const char* text : {"", "5s", "1m30s"}) EXPECT_TRUE(accepts(FieldKind::go_duration, text)) << text;
  for (const char* text : {"5", "0s", "-1s", "soon"}) EXPECT_FALSE(accepts(FieldKind::go_duration, text)) << text;
  for (const char* text : {"", "5", "0s", "1m30s"}) EXPECT_TRUE(accepts(FieldKind::duration, text)) << text;
  for (const char* text : {"5 s", "soon"}) EXPECT_FALSE(accepts(FieldKind::duration, text)) << text;
  EXPECT_TRUE(accepts(FieldKind::text, "anything"));
}

TEST(DocumentFields, BooleansHaveSevenWordsEachWay) {
  for (const char* text : {"", "y", "YES", "True", "t", "on", "1", "n", "No", "false", "F", "off", "0", " true\n"})
    EXPECT_TRUE(is_boolean_word(text)) << text;
  for (const char* text : {"ture", "2", "yes please", "enabled"}) EXPECT_FALSE(is_boolean_word(text)) << text;
}

TEST(Categories, AreToldByTheBeginningInItsOwnCase) {
  EXPECT_EQ(category_of("state.redis"), Category::state);
  EXPECT_EQ(category_of("secretstores.local.file"), Category::secret_store);
  EXPECT_EQ(category_of("pubsub.redis"), Category::other);
  EXPECT_EQ(category_of("State.redis"), Category::unknown);
  EXPECT_EQ(category_of("redis"), Category::unknown);
}

}  // namespace
}  // namespace holdfast::config
