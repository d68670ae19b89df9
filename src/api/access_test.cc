#include "api/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::api {
namespace {

// printf %s secret | sha256sum
constexpr std::string_view kSecretDigest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

TEST(TokenSet, TakesPlainAndHashedTokensAndSkipsComments) {
  const auto tokens = TokenSet::parse("# who: why\n\n  plain-token  \r\nsha256:" + std::string(kSecretDigest) + " of ci\n");
  ASSERT_TRUE(tokens) << tokens.error().message;
  EXPECT_TRUE(tokens->accepts("plain-token"));
  EXPECT_TRUE(tokens->accepts("secret"));
  EXPECT_FALSE(tokens->accepts("plain-toke"));
  EXPECT_FALSE(tokens->accepts(""));
  EXPECT_FALSE(tokens->accepts(kSecretDigest)) << "a digest is not a token";
}

TEST(TokenSet, ABrokenDigestIsAnErrorThatNamesTheLineAndNotTheToken) {
  for (const std::string& broken : {std::string("sha256:"), std::string("sha256:abc"), "sha256:" + std::string(64, 'g'),
                                   "sha256:" + std::string(kSecretDigest) + "00"}) {
    const auto tokens = TokenSet::parse("good\n" + broken + "\n");
    ASSERT_FALSE(tokens) << broken;
    EXPECT_EQ(tokens.error().code, Errc::invalid_argument);
    EXPECT_THAT(tokens.error().message, testing::StartsWith("line 2:"));
    EXPECT_THAT(tokens.error().message, testing::Not(testing::HasSubstr("abc")));
  }
}

TEST(TokenSet, NothingButCommentsIsEmpty) {
  EXPECT_TRUE(TokenSet::parse("# nothing\n \n")->empty());
  EXPECT_TRUE(TokenSet::parse("")->empty());
}

TEST(Access, WithoutTokensEveryoneMayCome) {
  Access access;
  EXPECT_FALSE(access.asks_for_token());
  EXPECT_TRUE(access.accepts(""));
}

TEST(Access, ATokenThatWasTakenAwayIsRefusedThoughItWasAcceptedBefore) {
  Access access;
  access.set_tokens(std::make_shared<TokenSet>(TokenSet::parse("one\ntwo").value()));
  EXPECT_TRUE(access.accepts("one"));
  EXPECT_TRUE(access.accepts("one"));  // the remembered one
  EXPECT_TRUE(access.accepts("two"));
  EXPECT_FALSE(access.accepts("three"));
  EXPECT_FALSE(access.accepts(""));
  access.set_tokens(std::make_shared<TokenSet>(TokenSet::parse("one").value()));
  EXPECT_FALSE(access.accepts("two"));
  EXPECT_TRUE(access.accepts("one"));
}

TEST(Access, ClosedRoutesAreWholeSegments) {
  Access access;
  EXPECT_TRUE(access.serves("/v1.0/state/s/k"));
  access.deny_routes({"v1.0/state", "v2/stores"});
  EXPECT_FALSE(access.serves("/v1.0/state"));
  EXPECT_FALSE(access.serves("/v1.0/state/s/k"));
  EXPECT_FALSE(access.serves("/v2/stores"));
  EXPECT_TRUE(access.serves("/v1.0/states"));
  EXPECT_TRUE(access.serves("/v2/state/s/k"));
}

TEST(Access, ClosedMethodsAreFoundInAnyOrder) {
  Access access;
  EXPECT_TRUE(access.serves_method("/p.S/B"));
  access.deny_methods({"/p.S/C", "/p.S/A"});
  EXPECT_FALSE(access.serves_method("/p.S/A"));
  EXPECT_TRUE(access.serves_method("/p.S/B"));
  EXPECT_FALSE(access.serves_method("/p.S/C"));
}

}  // namespace
}  // namespace holdfast::api
