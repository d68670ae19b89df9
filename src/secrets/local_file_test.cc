#include "secrets/local_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "secrets/testing.h"

namespace holdfast::secrets {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

class LocalFileStore : public testing::Test {
 protected:
  LocalFileStore() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-secrets-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~LocalFileStore() override { std::filesystem::remove_all(directory_); }

  std::string file() const { return (directory_ / "secrets.json").string(); }
  void write(const std::string& text) { std::ofstream(file(), std::ios::binary | std::ios::trunc) << text; }

  using Properties = std::vector<std::pair<std::string, std::string>>;
  static Result<std::unique_ptr<SecretStore>> open(Properties properties) {
    return kLocalFile.open(component_of("secretstores.local.file", std::move(properties)), {});
  }
  static std::string error(Properties properties) {
    const auto opened = open(std::move(properties));
    return opened ? "no error" : opened.error().message;
  }

  std::filesystem::path directory_;
};

TEST_F(LocalFileStore, GivesSecretsByTheirFlattenedName) {
  write(R"({"redis":"r","sql":{"user":"u"}})");
  const auto store = open({{"secretsFile", file()}}).value();
  EXPECT_THAT(store->get("sql:user").value(), ElementsAre(Pair("sql:user", "u")));
  EXPECT_THAT(store->all().value(), ElementsAre(Pair("redis", ElementsAre(Pair("redis", "r"))),
                                                Pair("sql:user", ElementsAre(Pair("sql:user", "u")))));
  EXPECT_THAT(store->capabilities(), IsEmpty());
}

TEST_F(LocalFileStore, AMissingSecretHasDaprsText) {
  write("{}");
  const auto secret = open({{"secretsFile", file()}}).value()->get("k");
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().code, Errc::not_found);
  EXPECT_EQ(secret.error().message, "secret k not found");
}

TEST_F(LocalFileStore, SettingsAreObeyedInAnyCase) {
  write(R"({"sql":{"db":{"user":"u"}}})");
  const auto store = open({{"SECRETSFILE", file()}, {"nestedseparator", "."}, {"multiValued", "TRUE"}}).value();
  EXPECT_THAT(store->get("sql").value(), ElementsAre(Pair("db.user", "u")));
  EXPECT_THAT(store->capabilities(), ElementsAre("MULTIPLE_KEY_VALUES_PER_SECRET"));
  EXPECT_TRUE(open({{"secretsFile", file()}, {"nestedSeparator", ""}}).value()->get("sql:db:user"));
}

TEST_F(LocalFileStore, TheFileIsReadOnce) {
  write(R"({"a":"before"})");
  const auto store = open({{"secretsFile", file()}}).value();
  write(R"({"a":"after"})");
  EXPECT_THAT(store->get("a").value(), ElementsAre(Pair("a", "before")));
}

TEST_F(LocalFileStore, ARelativePathStartsAtTheWorkingDirectory) {
  write(R"({"a":"1"})");
  const std::string relative = std::filesystem::relative(file()).string();
  EXPECT_TRUE(open({{"secretsFile", relative}}).value()->get("a"));
}

TEST_F(LocalFileStore, TheFileIsRequired) {
  EXPECT_EQ(error({}),
            "component \"vault\" (secretstores.local.file): field \"secretsFile\" is required and missing or empty "
            "(vault.yaml:1)");
}

TEST_F(LocalFileStore, AFileThatCannotBeUsedIsNamedWithWhatToDo) {
  EXPECT_EQ(error({{"secretsFile", file()}}),
            "component \"vault\" (secretstores.local.file): cannot use the secrets file " + file() +
                ": it does not exist. Correct the file, or secretsFile in vault.yaml:1.");
  EXPECT_THAT(error({{"secretsFile", "no/such.json"}}),
              HasSubstr((std::filesystem::current_path() / "no/such.json").string()));
  EXPECT_THAT(error({{"secretsFile", directory_.string()}}), HasSubstr("it is not a regular file"));
  write(R"({"a":"s3cret")");
  EXPECT_THAT(error({{"secretsFile", file()}}), AllOf(HasSubstr("it is not JSON"), Not(HasSubstr("s3cret"))));
}

}  // namespace
}  // namespace holdfast::secrets
