#include "config/resources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace holdfast::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ReadResourceFiles : public testing::Test {
 protected:
  ReadResourceFiles() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-resources-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~ReadResourceFiles() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name, std::ios::binary) << text;
  }
  ResourceFiles read() { return read_resource_files({directory_.string()}).value(); }

  std::filesystem::path directory_;
};

TEST_F(ReadResourceFiles, GivesEveryDocumentWithItsPlace) {
  write("b.yaml", "kind: A\n---\nkind: B\n");
  write("a.yml", "kind: C\n");
  write("notes.txt", "x");
  const ResourceFiles files = read();
  ASSERT_EQ(files.documents.size(), 3u);
  EXPECT_EQ(files.documents[0].file, (directory_ / "a.yml").string());
  EXPECT_EQ(files.documents[1].text, "kind: A");
  EXPECT_EQ(files.documents[2].text, "kind: B\n");
  EXPECT_EQ(files.documents[2].line, 3);
  EXPECT_THAT(files.warnings, ElementsAre(HasSubstr("notes.txt: not a .yaml or .yml file")));
}

TEST_F(ReadResourceFiles, TheFirstDocumentIsTheFirstWithContent) {
  write("a.yaml", "# a comment\n\n---\n---\nkind: A\n---\nkind: B\n");
  const ResourceFiles files = read();
  std::vector<bool> first;
  for (const ResourceDocument& document : files.documents) first.push_back(document.is_first);
  EXPECT_THAT(first, ElementsAre(false, true, false));
}

TEST_F(ReadResourceFiles, AMarkerAtTheBeginningIsNoDocument) {
  write("a.yaml", "---\nkind: A\n");
  const ResourceFiles files = read();
  ASSERT_EQ(files.documents.size(), 1u);
  EXPECT_TRUE(files.documents[0].is_first);
}

}  // namespace
}  // namespace holdfast::config
