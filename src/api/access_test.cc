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

TEST(TokenSet, ATokenTwiceIsOneOrAnError) {
  const std::string line = "sha256:" + std::string(kSecretDigest);
  EXPECT_TRUE(TokenSet::parse("secret\n" + line));
  EXPECT_TRUE(TokenSet::parse(line + ";name=ci\n" + line + ";name=ci\n"));
  const auto differs = TokenSet::parse(line + ";prefix=a\nsecret\n");
  ASSERT_FALSE(differs) << "which of the two holds must not depend on their order";
  EXPECT_THAT(differs.error().message, testing::StartsWith("line 2:"));
  TokenSet limited = TokenSet::parse(line + ";prefix=a").value();
  EXPECT_FALSE(limited.add("secret"));
  EXPECT_TRUE(limited.add("other"));
  EXPECT_TRUE(limited.accepts("other"));
}

TEST(Access, WithoutTokensEveryoneMayCome) {
  Access access;
  EXPECT_FALSE(access.asks_for_token());
  EXPECT_EQ(access.admit(""), service::GrantRef());
}

TEST(Access, APlainTokenAllowsEverythingAndALimitedOneWhatItsLineSays) {
  Access access;
  access.set_tokens(std::make_shared<TokenSet>(
      TokenSet::parse("plain\nsha256:" + std::string(kSecretDigest) + ";isolation=K").value()));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(access.admit("plain"), service::GrantRef());
    const auto limited = access.admit("secret");
    ASSERT_TRUE(limited && *limited);
    EXPECT_EQ((*limited)->isolation, "K");
    EXPECT_EQ(access.admit("secret"), limited) << "the remembered one is the same";
  }
}

TEST(Access, AGrantOutlivesTheTokensItCameFrom) {
  Access access;
  access.set_tokens(
      std::make_shared<TokenSet>(TokenSet::parse("sha256:" + std::string(kSecretDigest) + ";name=ci").value()));
  const auto grant = access.admit("secret");
  access.set_tokens(std::make_shared<TokenSet>(TokenSet::parse("another").value()));
  EXPECT_EQ(access.admit("secret"), std::nullopt);
  EXPECT_EQ((*grant)->name, "ci");
}

TEST(Access, ATokenThatWasTakenAwayIsRefusedThoughItWasAcceptedBefore) {
  Access access;
  access.set_tokens(std::make_shared<TokenSet>(TokenSet::parse("one\ntwo").value()));
  EXPECT_TRUE(access.admit("one"));
  EXPECT_TRUE(access.admit("one"));  // the remembered one
  EXPECT_TRUE(access.admit("two"));
  EXPECT_FALSE(access.admit("three"));
  EXPECT_FALSE(access.admit(""));
  access.set_tokens(std::make_shared<TokenSet>(TokenSet::parse("one").value()));
  EXPECT_FALSE(access.admit("two"));
  EXPECT_TRUE(access.admit("one"));
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
