#include "cli/http_client.h"

#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

struct Case {
  const char* name;
  const char* text;
  const char* host;
  const char* port;
};

class GoodAddress : public testing::TestWithParam<Case> {};

TEST_P(GoodAddress, IsAHostAndAPort) {
  const auto address = parse_address(GetParam().text);
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_EQ(address->host, GetParam().host);
  EXPECT_EQ(address->port, GetParam().port);
}

INSTANTIATE_TEST_SUITE_P(Forms, GoodAddress,
                         testing::Values(Case{"Url", "http://127.0.0.1:3500", "127.0.0.1", "3500"},
                                         Case{"UrlWithSlash", "http://127.0.0.1:3500/", "127.0.0.1", "3500"},
                                         Case{"SchemeInAnyCase", "HTTP://a:1", "a", "1"},
                                         Case{"NoScheme", "localhost:3500", "localhost", "3500"},
                                         Case{"NoPort", "http://sidecar", "sidecar", "80"},
                                         Case{"V6", "http://[::1]:3500", "::1", "3500"},
                                         Case{"V6WithoutPort", "[fe80::1]", "fe80::1", "80"}),
                         [](const auto& info) { return info.param.name; });

TEST(Address, WhatIsNoneIsRefusedWithAnExample) {
  for (const char* text : {"", "http://", "https://a:1", "http://a:", "http://a:x", "http://a:123456", "http://[::1",
                           "http://[::1]3500", "http://a:1/path", "http://user@a:1", "a b:1", "::1"}) {
    const auto address = parse_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, Errc::invalid_argument);
    EXPECT_NE(address.error().message.find("http://127.0.0.1:3500"), std::string::npos) << text;
  }
}

TEST(HttpResponse, HeadersAreFoundInAnyCase) {
  HttpResponse response;
  response.headers = {{"ETag", "\"1\""}, {"Etag", "\"2\""}};
  EXPECT_EQ(response.header("etag"), "\"1\"");
  EXPECT_EQ(response.header("date"), "");
}

}  // namespace
}  // namespace holdfast::cli
