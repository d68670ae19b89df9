#include "api/http/browser_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::api {
namespace {

using testing::HasSubstr;

TEST(BrowserGuard, TheNamesOfThisMachine) {
  for (const char* host : {"localhost", "localhost:3500", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:3500", "127.8.9.10:1",
                           "[::1]", "[::1]:3500"})
    EXPECT_TRUE(names_this_machine(host)) << host;
  for (const char* host :
       {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.evil.example.com", "127.0.0.evil",
        "0.0.0.0:3500", "10.0.0.1", "[::]", "[::2]:3500", "[::1", "::1", "evil:localhost"})
    EXPECT_FALSE(names_this_machine(host)) << host;
}

http::Request asked(std::initializer_list<std::pair<const char*, const char*>> headers) {
  http::Request request;
  request.method = http::Method::get;
  request.target = "/v2/stores";
  for (const auto& [name, value] : headers) request.headers.add(name, value);
  return request;
}

TEST(BrowserGuard, PagesOfOtherSitesAreRefused) {
  EXPECT_FALSE(refuse_cross_site(asked({})));
  for (const char* site : {"same-origin", "same-site", "none"})
    EXPECT_FALSE(refuse_cross_site(asked({{"Sec-Fetch-Site", site}}))) << site;
  const auto refused = refuse_cross_site(asked({{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "cors"}}));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 403);
  EXPECT_THAT(refused->body, HasSubstr("--allowed-origins"));
}

TEST(BrowserGuard, ALinkMayBeFollowedButNothingSentByIt) {
  http::Request link =
      asked({{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "document"}});
  EXPECT_FALSE(refuse_cross_site(link));
  link.method = http::Method::post;
  EXPECT_TRUE(refuse_cross_site(link));
  EXPECT_TRUE(refuse_cross_site(
      asked({{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "iframe"}})));
}

TEST(BrowserGuard, ANameThatWasMadeToLeadHereIsRefused) {
  http::Request request = asked({{"Host", "rebound.example:3500"}});
  EXPECT_FALSE(refuse_foreign_host(request)) << "it did not come over loopback";
  request.peer = http::Peer::loopback;
  const auto refused = refuse_foreign_host(request);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 403);
  EXPECT_THAT(refused->body, HasSubstr("rebound.example"));
  request.peer = http::Peer::unix_socket;
  EXPECT_FALSE(refuse_foreign_host(request)) << "no browser comes that way";
  http::Request local = asked({{"Host", "localhost:3500"}});
  local.peer = http::Peer::loopback;
  EXPECT_FALSE(refuse_foreign_host(local));
  http::Request nameless = asked({});
  nameless.peer = http::Peer::loopback;
  EXPECT_FALSE(refuse_foreign_host(nameless));
}

}  // namespace
}  // namespace holdfast::api
