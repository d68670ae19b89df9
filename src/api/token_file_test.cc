#include "api/token_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::api {
namespace {

using service::Grant;
using service::Right;
using service::Rights;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// printf %s secret | sha256sum
const std::string kDigest = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

TokenLine only_line(const std::string& text) {
  const auto lines = parse_token_file(text);
  if (!lines || lines->size() != 1) {
    ADD_FAILURE() << text << ": " << (lines ? "not one line" : lines.error().message);
    return {};
  }
  return lines->front();
}

TEST(TokenFile, WhatWasACommentStaysOne) {
  for (const char* comment : {"of ci", "; name=ci", "name=ci isolation=K", ";allow=get", "\t;prefix=a"}) {
    const TokenLine line = only_line(kDigest + " " + comment);
    EXPECT_EQ(line.grant, Grant()) << comment;
    EXPECT_EQ(line.digest, digest_of("secret"));
    EXPECT_THAT(std::string(comment), HasSubstr(line.comment));
  }
  // A token that stands there as it is has no settings: the semicolon is its own.
  const TokenLine plain = only_line("token;prefix=a");
  EXPECT_TRUE(plain.is_plain);
  EXPECT_EQ(plain.grant, Grant());
  EXPECT_EQ(plain.digest, digest_of("token;prefix=a"));
}

TEST(TokenFile, SettingsStandBehindTheDigestWithoutABlank) {
  const TokenLine line =
      only_line("\n# why\n" + kDigest +
                ";name=ci;isolation=tenant-7;prefix=orders/;allow=get,list;stores=cart,orders of today\r\n");
  EXPECT_EQ(line.number, 3u);
  EXPECT_EQ(line.grant.name, "ci");
  EXPECT_EQ(line.grant.isolation, "tenant-7");
  EXPECT_EQ(line.grant.prefix, "orders/");
  EXPECT_EQ(line.grant.rights, (Rights{Right::get, Right::list}));
  EXPECT_THAT(line.grant.stores, ElementsAre("cart", "orders"));
  EXPECT_EQ(line.comment, "of today");
}

TEST(TokenFile, ALimitedTokenMayAdministerOnlyWhenItsLineSaysSo) {
  EXPECT_EQ(only_line(kDigest).grant.rights, Rights::all());
  EXPECT_EQ(only_line(kDigest + ";name=ci").grant.rights, Rights::all()) << "a name is no limit";
  for (const char* limit : {"isolation=K", "prefix=p", "stores=s"})
    EXPECT_EQ(only_line(kDigest + ";" + limit).grant.rights, Rights::of_state()) << limit;
  EXPECT_EQ(only_line(kDigest + ";prefix=p;allow=get,admin").grant.rights, (Rights{Right::get, Right::admin}));
}

TEST(TokenFile, AnythingBrokenIsAnErrorThatNamesTheLineAndNotWhatStandsThere) {
  const std::string long_name(129, 'n');
  for (const std::string& settings : {std::string(";"),
                                      std::string(";name"),
                                      std::string(";name="),
                                      std::string(";name=a;"),
                                      std::string(";;name=a"),
                                      std::string(";colour=red"),
                                      std::string(";name=a;name=b"),
                                      std::string(";allow="),
                                      std::string(";allow=read"),
                                      std::string(";allow=get;allow=list"),
                                      std::string(";isolation="),
                                      std::string(";isolation=a%2Fb"),
                                      std::string(";isolation=a::b"),
                                      std::string(";prefix=a||b"),
                                      std::string(";prefix=%zz"),
                                      std::string(";prefix="),
                                      std::string(";stores="),
                                      std::string(";stores=a,,b"),
                                      std::string(";stores=a;stores=b"),
                                      std::string(";name=%0A"),
                                      std::string(";name=%FF"),
                                      ";name=" + long_name}) {
    const auto lines = parse_token_file("good\n" + kDigest + settings + " secretly\n");
    ASSERT_FALSE(lines) << settings;
    EXPECT_EQ(lines.error().code, Errc::invalid_argument);
    EXPECT_THAT(lines.error().message, StartsWith("line 2: "));
    for (const char* shown : {"colour", "red", "read", "secretly", "2bb8"})
      EXPECT_THAT(lines.error().message, Not(HasSubstr(shown))) << settings;
  }
}

TEST(TokenFile, ALineThatWasWrittenIsReadAsItWas) {
  TokenLine line;
  line.digest = digest_of("secret");
  line.grant.name = "ci; of 50%";
  line.grant.isolation = "K.1_2-3";
  line.grant.prefix = "a b;c,d%/\xc3\xa4";
  line.grant.rights = {Right::get, Right::admin};
  line.grant.stores = {"one,two", "three"};
  line.comment = "created today";
  const std::string text = token_line(line);
  EXPECT_EQ(text, kDigest +
                      ";name=ci%3B%20of%2050%25;isolation=K.1_2-3;prefix=a%20b%3Bc%2Cd%25/\xc3\xa4"
                      ";allow=get,admin;stores=one%2Ctwo,three created today");
  const TokenLine read = only_line(text);
  EXPECT_EQ(read.grant, line.grant);
  EXPECT_EQ(read.comment, line.comment);
  line.grant = {};
  line.comment.clear();
  EXPECT_EQ(token_line(line), kDigest) << "what allows everything says nothing";
}

TEST(TokenFile, RightsAreWords) {
  EXPECT_EQ(rights_text(Rights::all()), "get,list,write,delete,watch,admin");
  EXPECT_EQ(parse_rights("delete,watch"), (Rights{Right::erase, Right::watch}));
  for (const char* words : {"", "get list", "GET", "all", ",get"}) EXPECT_FALSE(parse_rights(words)) << words;
}

}  // namespace
}  // namespace holdfast::api
