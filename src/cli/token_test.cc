#include "cli/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/encoding.h"
#include "cli/output.h"
#include "cli/replace_file.h"
#include "cli/token_edit.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

api::TokenLine line_of(const std::string& token, const std::string& name) {
  api::TokenLine line;
  line.digest = api::digest_of(token);
  line.grant.name = name;
  return line;
}
std::string digits_of(const std::string& token) {
  const auto digest = api::digest_of(token);
  return hex_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// ---- the text ----

TEST(NewToken, Holds256BitsAndIsNeverTheSame) {
  const std::string token = new_token();
  ASSERT_THAT(token, StartsWith("hf_"));
  EXPECT_EQ(base64url_decode(token.substr(3)).value().size(), 32u);
  EXPECT_NE(new_token(), token);
}

TEST(WithToken, AddsALineAndLeavesTheOthers) {
  const api::TokenLine line = line_of("one", "ci");
  const std::string added = "sha256:" + digits_of("one") + ";name=ci\n";
  EXPECT_EQ(with_token("", line), added);
  EXPECT_EQ(with_token("# why\nplain\n", line), "# why\nplain\n" + added);
  EXPECT_EQ(with_token("plain", line), "plain\n" + added) << "the last line had no end";
  EXPECT_FALSE(with_token("sha256:broken\n", line)) << "what a sidecar would not read is not added to";
}

TEST(WithoutToken, FindsItByNameOrDigest) {
  const std::string one = "sha256:" + digits_of("one") + ";name=ci\n";
  const std::string two = "sha256:" + digits_of("two") + " old\r\n";
  const std::string text = "# why\n" + one + "\n" + two + "plain";
  EXPECT_EQ(without_token(text, "ci"), "# why\n\n" + two + "plain");
  for (const std::string& which : {digits_of("two").substr(0, 8), digits_of("two"), "sha256:" + digits_of("two")})
    EXPECT_EQ(without_token(text, which), "# why\n" + one + "\nplain") << which;
  EXPECT_EQ(without_token(text, digits_of("plain").substr(0, 12)), "# why\n" + one + "\n" + two);
  for (const std::string& which :
       {std::string("c"), digits_of("two").substr(0, 7), std::string("plain"), std::string()})
    EXPECT_EQ(without_token(text, which).error().code, Errc::not_found) << which;
}

TEST(WithoutToken, OneThatStandsThereTwiceGoesAltogether) {
  EXPECT_EQ(without_token("one\nsha256:" + digits_of("one") + "\ntwo\n", digits_of("one")), "two\n");
}

TEST(WithoutToken, SeveralOfOneNameAreToldApart) {
  const std::string text = "sha256:" + digits_of("one") + ";name=ci\nsha256:" + digits_of("two") + ";name=ci\n";
  const auto refused = without_token(text, "ci");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  for (const char* token : {"one", "two"})
    EXPECT_THAT(refused.error().message, HasSubstr(digits_of(token).substr(0, 12)));
}

TEST(WithoutToken, TheLastOneStays) {
  const auto refused = without_token("# why\nsha256:" + digits_of("one") + ";name=ci\n", "ci");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::precondition_failed);
}

TEST(TokenTable, SaysWhoHasWhatAndShowsNoToken) {
  const auto tokens = api::parse_token_file("secret-plain\nsha256:" + digits_of("one") +
                                            ";name=c%1Bi;isolation=K;allow=get;stores=a,b of \033[2J\n");
  ASSERT_FALSE(tokens) << "a control character is no name";
  const auto good = api::parse_token_file("secret-plain\nsha256:" + digits_of("one") +
                                          ";name=ci;isolation=K;allow=get;stores=a,b of \033[2J\n");
  ASSERT_TRUE(good);
  EXPECT_EQ(token_table(*good),
            digits_of("secret-plain").substr(0, 12) + "  -   everything  (kept as it is, not as its digest)\n" +
                digits_of("one").substr(0, 12) + "  ci  isolation=K allow=get stores=a,b  # of \\x1b[2J\n");
  EXPECT_EQ(token_json(*good),
            "[\n{\"digest\":\"" + digits_of("secret-plain") +
                "\",\"name\":null,\"isolation\":null,\"prefix\":null,\"allow\":[\"get\",\"list\",\"write\",\"delete\","
                "\"watch\",\"admin\"],\"stores\":[],\"comment\":null,\"plain\":true,\"line\":1},\n{\"digest\":\"" +
                digits_of("one") +
                "\",\"name\":\"ci\",\"isolation\":\"K\",\"prefix\":null,\"allow\":[\"get\"],\"stores\":[\"a\",\"b\"],"
                "\"comment\":\"of \\u001b[2J\",\"plain\":false,\"line\":2}\n]\n");
  EXPECT_EQ(token_json({}), "[]\n");
}

// ---- the file ----

class TokenCommand : public testing::Test {
 protected:
  TokenCommand() {
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  ~TokenCommand() override { fs::remove_all(directory_); }

  struct Ran {
    int code;
    std::string out;
    std::string err;
  };
  static Ran run(std::vector<std::string> arguments) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = run_token(arguments);
    std::string out = testing::internal::GetCapturedStdout();
    return {code, std::move(out), testing::internal::GetCapturedStderr()};
  }
  Ran create(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"create", "--file", file()});
    return run(more);
  }
  std::string file() const { return (directory_ / "tokens").string(); }
  std::string text() const {
    std::ifstream stream(file());
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  mode_t mode() const {
    struct stat found{};
    EXPECT_EQ(::stat(file().c_str(), &found), 0);
    return found.st_mode & 07777;
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }

  fs::path directory_ = fs::path(testing::TempDir()) / ("holdfast-token-" + std::to_string(::getpid()) + "-" +
                                                        testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(TokenCommand, CreatePrintsTheTokenAndKeepsItsDigest) {
  const Ran ran =
      create({"--name", "ci", "--isolation=K", "--prefix", "a b", "--allow", "get,list", "--stores", "x,y"});
  ASSERT_EQ(ran.code, kDone) << ran.err;
  ASSERT_THAT(ran.out, StartsWith("hf_"));
  ASSERT_THAT(ran.out, EndsWith("\n"));
  const std::string token = ran.out.substr(0, ran.out.size() - 1);
  EXPECT_THAT(text(), StartsWith("sha256:" + digits_of(token) +
                                 ";name=ci;isolation=K;prefix=a%20b;allow=get,list;stores=x,y created "));
  EXPECT_THAT(text(), Not(HasSubstr(token)));
  EXPECT_THAT(ran.err, Not(HasSubstr(token)));
  EXPECT_EQ(mode(), 0600u);
  EXPECT_EQ(files(), 1u) << "nothing is left beside it";
}

TEST_F(TokenCommand, AFileThatIsThereKeepsWhatItsOwnerAndGroupMayDo) {
  ASSERT_EQ(create().code, kDone);
  for (const auto& [before, after] : {std::pair(0644u, 0640u), std::pair(0400u, 0600u), std::pair(0666u, 0640u)}) {
    ASSERT_EQ(::chmod(file().c_str(), before), 0);
    ASSERT_EQ(create().code, kDone);
    EXPECT_EQ(mode(), after);
  }
}

TEST_F(TokenCommand, ALinkStaysOne) {
  const fs::path target = directory_ / "kept-elsewhere";
  std::ofstream(target) << "# why\n";
  fs::create_symlink(target, file());
  ASSERT_EQ(create().code, kDone);
  EXPECT_TRUE(fs::is_symlink(file()));
  EXPECT_THAT(text(), StartsWith("# why\nsha256:"));
}

TEST_F(TokenCommand, WhatIsWrongWritesNothing) {
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{{"--isolation", "a/b"},
                                                                                     {"--isolation", ""},
                                                                                     {"--allow", "read"},
                                                                                     {"--prefix", "a||b"},
                                                                                     {"--stores", "a,,b"},
                                                                                     {"--name", "a\nb"},
                                                                                     {"--nme", "x"},
                                                                                     {"word"}}) {
    const Ran ran = create(wrong);
    EXPECT_EQ(ran.code, kMisused) << wrong[0];
    EXPECT_EQ(ran.out, "") << wrong[0];
    EXPECT_EQ(files(), 0u) << wrong[0];
  }
  EXPECT_EQ(run({"create"}).code, kMisused);
  EXPECT_EQ(run({}).code, kMisused);
  EXPECT_EQ(run({"nosuch"}).code, kMisused);
  EXPECT_EQ(run({"create", "--file", (directory_ / "no" / "such").string()}).code, kFailed);
  std::ofstream(file()) << "sha256:broken\n";
  EXPECT_EQ(create().code, kFailed);
  EXPECT_EQ(text(), "sha256:broken\n");
}

TEST_F(TokenCommand, ListAndRevoke) {
  EXPECT_EQ(run({"list", "--file", file()}).code, kNotFound);
  ASSERT_EQ(create({"--name", "one"}).code, kDone);
  EXPECT_EQ(run({"revoke", "one", "--file", file()}).code, kFailed) << "the only one";
  ASSERT_EQ(create({"--name", "two"}).code, kDone);
  const std::string both = run({"list", "--file", file()}).out;
  EXPECT_THAT(both, HasSubstr("  one  everything  # created "));
  EXPECT_THAT(both, HasSubstr("  two  everything  # created "));
  EXPECT_EQ(run({"revoke", "three", "--file", file()}).code, kNotFound);
  EXPECT_EQ(run({"revoke", "one", "--file", file()}).out, "revoked one\n");
  EXPECT_THAT(run({"list", "--json", "--file", file()}).out, Not(HasSubstr("one")));
}

TEST_F(TokenCommand, WhatCannotBeChangedStaysAsItWas) {
  std::ofstream(file()) << "old";
  const auto failed = replace_file(
      file(), [](const std::string&) -> Result<std::string> { return fail(Errc::invalid_argument, "no"); });
  EXPECT_EQ(failed.error().message, "no");
  EXPECT_EQ(text(), "old");
  EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace holdfast::cli
