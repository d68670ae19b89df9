#include "api/http/cors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace holdfast::api {
namespace {

http::Request preflight(std::string_view origin) {
  http::Request request;
  request.method = http::Method::options;
  request.headers.add("Origin", origin);
  request.headers.add("Access-Control-Request-Method", "PUT");
  request.headers.add("Access-Control-Request-Headers", "content-type, if-match");
  return request;
}

std::string header(const http::Response& response, std::string_view name) {
  return std::string(response.headers.find(name));
}

const std::vector<std::string> kOne{"https://shop.example"};
const std::vector<std::string> kAll{"*"};

TEST(Cors, IsOffWithoutOrigins) {
  EXPECT_FALSE(cors_preflight({}, preflight("https://shop.example")));
  http::Response response;
  add_cors_headers({}, preflight("https://shop.example"), response);
  EXPECT_TRUE(response.headers.empty());
}

TEST(Cors, APreflightOfAnAllowedOriginGetsWhatItAskedFor) {
  const auto answer = cors_preflight(kOne, preflight("https://shop.example"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 204);
  EXPECT_EQ(header(*answer, "Access-Control-Allow-Origin"), "https://shop.example");
  EXPECT_NE(header(*answer, "Access-Control-Allow-Methods").find("PUT"), std::string::npos);
  EXPECT_EQ(header(*answer, "Access-Control-Allow-Headers"), "content-type, if-match");
}

TEST(Cors, ApreflightOfAnotherOriginGetsNoPermission) {
  const auto answer = cors_preflight(kOne, preflight("https://evil.example"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(header(*answer, "Access-Control-Allow-Origin"), "");
  EXPECT_EQ(header(*answer, "Access-Control-Allow-Methods"), "");
}

TEST(Cors, AStarAllowsEveryone) {
  http::Response response;
  add_cors_headers(kAll, preflight("https://anyone.example"), response);
  EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "*");
  EXPECT_NE(header(response, "Access-Control-Expose-Headers").find("ETag"), std::string::npos);
}

TEST(Cors, AnOrdinaryOptionsRequestIsNoPreflight) {
  http::Request request;
  request.method = http::Method::options;
  request.headers.add("Origin", "https://shop.example");
  EXPECT_FALSE(cors_preflight(kOne, request));
}

}  // namespace
}  // namespace holdfast::api
