#include "config/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "config/document_fields.h"
#include "config/json_writer.h"

namespace holdfast::config {
namespace {

using testing::HasSubstr;
using testing::Not;

// Every text that follows "$ref" in the tree, and every object without members that would judge nothing by mistake.
void collect_references(json::Element element, std::set<std::string>& references) {
  json::Object object;
  json::Array array;
  if (element.get(object) == simdjson::SUCCESS) {
    for (const auto [name, value] : object) {
      std::string_view text;
      if (name == "$ref" && value.get(text) == simdjson::SUCCESS) references.emplace(text);
      collect_references(value, references);
    }
  } else if (element.get(array) == simdjson::SUCCESS) {
    for (const json::Element item : array) collect_references(item, references);
  }
}

void expect_sound(const std::string& schema) {
  ASSERT_TRUE(json::is_valid(schema));
  json::Parser parser;
  const json::Element root = *parser.parse(schema);
  std::set<std::string> references;
  collect_references(root, references);
  EXPECT_FALSE(references.empty());
  for (const std::string& reference : references) {
    ASSERT_THAT(reference, testing::StartsWith("#/$defs/"));
    json::Element definition;
    EXPECT_EQ(root["$defs"][reference.substr(8)].get(definition), simdjson::SUCCESS) << reference;
  }
}

TEST(ComponentSchema, IsJsonWhoseReferencesAllLeadSomewhere) {
  const KnownTypes known({});
  expect_sound(*component_schema(known));
  for (const state::StoreType* row : known.rows()) expect_sound(*component_schema(known, row->type));
}

TEST(ComponentSchema, HoldsEveryTypeAndSetting) {
  const KnownTypes known({});
  const std::string schema = *component_schema(known);
  for (const state::StoreType* row : known.rows()) {
    EXPECT_THAT(schema, HasSubstr("\"" + std::string(row->type) + "\""));
    for (const state::Setting* field : fields_of(*row))
      EXPECT_THAT(schema, HasSubstr("\"const\": \"" + std::string(field->name) + "\"")) << row->type;
  }
}

TEST(ComponentSchema, OfOneTypeHoldsNoOther) {
  const KnownTypes known({});
  const std::string schema = *component_schema(known, "state.sqlserver");
  EXPECT_THAT(schema, HasSubstr("state.sqlserver:v2"));
  EXPECT_THAT(schema, Not(HasSubstr("state.redis")));
  EXPECT_THAT(schema, Not(HasSubstr("Resiliency")));
  EXPECT_EQ(component_schema(known, "state.nosuch").error().code, Errc::not_found);
}

TEST(JsonWriter, WritesNestedValuesWithCommasWhereTheyBelong) {
  JsonWriter out;
  out.begin_object().member("a", "x\"y").member("b", true).list("c", {"1", "2"});
  out.key("d").begin_object().end_object().key("e").begin_array().begin_object().end_object().end_array().end_object();
  EXPECT_EQ(out.text(),
            "{\n  \"a\": \"x\\\"y\",\n  \"b\": true,\n  \"c\": [\n    \"1\",\n    \"2\"\n  ],\n  \"d\": {},\n"
            "  \"e\": [\n    {}\n  ]\n}");
}

}  // namespace
}  // namespace holdfast::config
