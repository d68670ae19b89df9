#include "cli/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "base/encoding.h"
#include "cli/init.h"
#include "stores/all.h"
#include "wire/json/json.h"

namespace holdfast::cli {
namespace {

using config::Finding;
using config::Severity;
using testing::HasSubstr;
using testing::Not;

TEST(CheckSummary, CountsBySeverity) {
  const auto finding = [](Severity severity) { return Finding{"a.yaml", 1, severity, "", "", "odd", ""}; };
  const Finding error = finding(Severity::error);
  const Finding warning = finding(Severity::warning);
  const Finding note = finding(Severity::note);
  EXPECT_EQ(summary_of({}, 0), "0 files: nothing wrong");
  EXPECT_EQ(summary_of(std::array{error, error, note}, 1), "1 file: 2 errors, 1 note");
  EXPECT_EQ(summary_of(std::array{warning}, 3), "3 files: 1 warning");
}

TEST(CheckJson, IsAnArrayWithEveryMember) {
  EXPECT_EQ(findings_json({}), "[]\n");
  const Finding finding{"a\n.yaml", 7, Severity::warning, "component \"x\"", "timeout", "is <odd>", "time"};
  const std::string text = findings_json(std::array{finding, finding});
  ASSERT_TRUE(json::is_valid(text)) << text;
  json::Parser parser;
  const json::Array array = *parser.parse(text);
  ASSERT_EQ(array.size(), 2u);
  const json::Object first = array.at(0).get_object();
  EXPECT_EQ(std::string_view(first["file"]), "a\n.yaml");
  EXPECT_EQ(std::int64_t(first["line"]), 7);
  EXPECT_EQ(std::string_view(first["severity"]), "warning");
  EXPECT_EQ(std::string_view(first["subject"]), "component \"x\"");
  EXPECT_EQ(std::string_view(first["field"]), "timeout");
  EXPECT_EQ(std::string_view(first["message"]), "is <odd>");
  EXPECT_EQ(std::string_view(first["suggestion"]), "time");
}

// A store that is built has its row in its own folder; the planned one is removed then.
TEST(KnownTypes, NoBuiltTypeIsPlannedStill) {
  for (const state::StoreType* planned : config::planned_types())
    for (const state::StoreType* built : stores::all())
      EXPECT_FALSE(iequals(planned->type, built->type) && iequals(planned->version, built->version))
          << planned->type << " is built: remove its row from config/known/";
}

TEST(KnownTypes, DefaultsOfBuiltStoresAreValuesOfTheirFields) {
  for (const state::StoreType* row : stores::all())
    for (const state::Setting& field : row->settings)
      if (!field.fallback.empty()) EXPECT_EQ(state::objection_to(field, field.fallback), "") << field.name;
}

// ---- templates ----

std::vector<Finding> check_text(const std::string& text) {
  return config::check_files(std::array{config::SourceFile{"statestore.yaml", text}}, known_types());
}

// The settings that stand there as comments, in force.
std::string with_everything(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at) + 1;
    std::string line = text.substr(at, end - at);
    for (const std::string_view comment :
         {"  # metadata:", "    # - name:", "    #   value:", "# scopes:", "#   - app"})
      if (line.starts_with(comment)) line.erase(line.find('#'), 2);
    out += line;
    at = end;
  }
  return out;
}

TEST(ComponentTemplate, HasNoMistakesAsItIsWritten) {
  for (const std::string_view store : split_words(kInitStores)) {
    const auto text = component_template(store, known_types());
    ASSERT_TRUE(text) << store;
    for (const Finding& finding : check_text(*text)) ADD_FAILURE() << store << ": " << to_line(finding);
  }
}

TEST(ComponentTemplate, NamesOnlySettingsThatThereAre) {
  for (const std::string_view store : split_words(kInitStores)) {
    const std::string text = with_everything(*component_template(store, known_types()));
    EXPECT_THAT(text, Not(HasSubstr("# - name"))) << store;
    EXPECT_THAT(text, HasSubstr("\nscopes:\n  - app\n")) << store;
    for (const Finding& finding : check_text(text)) EXPECT_THAT(to_line(finding), Not(HasSubstr("not known"))) << store;
  }
}

TEST(ComponentTemplate, IsOfAStoreThatThisVersionHas) {
  const config::KnownTypes none({});
  EXPECT_TRUE(component_template("postgresql", known_types()));
  EXPECT_FALSE(component_template("postgresql", none));
}

TEST(ComponentTemplate, ThereIsNoneForOtherStores) {
  const auto text = component_template("oracle", known_types());
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().message, "there is no template for \"oracle\"; there are: memory sqlite redis postgresql");
}

}  // namespace
}  // namespace holdfast::cli
