#include "dashboard/dashboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dashboard/assets.h"

namespace holdfast::dashboard {
namespace {

using http::Method;
using http::Peer;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::string_view header(const http::Response& response, std::string_view name) { return response.headers.find(name); }

class DashboardPage : public testing::Test {
 protected:
  http::Response ask(std::string_view path, Peer peer = Peer::loopback, std::string_view host = "localhost:3500") {
    http::Request request;
    request.method = method_;
    request.target = path;
    request.peer = peer;
    if (!host.empty()) request.headers.add("Host", host);
    for (const auto& [name, value] : more_) request.headers.add(name, value);
    return dashboard_.answer(request, path);
  }
  void ask_for_token() {
    auto tokens = std::make_shared<api::TokenSet>();
    ASSERT_TRUE(tokens->add("secret"));
    context_.access.set_tokens(std::move(tokens));
  }

  Method method_ = Method::get;
  std::vector<std::pair<std::string, std::string>> more_;
  api::LoopContext context_;
  Dashboard dashboard_{context_};
};

TEST_F(DashboardPage, KnowsItsPaths) {
  EXPECT_TRUE(dashboard_.has("/dashboard"));
  EXPECT_TRUE(dashboard_.has("/dashboard/main.js"));
  EXPECT_FALSE(dashboard_.has("/dashboards"));
  EXPECT_FALSE(dashboard_.has("/v2/stores"));
  EXPECT_FALSE(dashboard_.has("/"));
}

TEST_F(DashboardPage, EveryFileHasItsTypeAndTheHeadersThatKeepItToItself) {
  for (const EmbeddedFile& file : dashboard_files()) {
    const bool is_index = file.name == "index.html";
    const auto response = ask(is_index ? "/dashboard" : "/dashboard/" + std::string(file.name));
    EXPECT_EQ(response.status, 200) << file.name;
    EXPECT_EQ(response.body, file.bytes);
    EXPECT_THAT(std::string(response.content_type), testing::AnyOf(StartsWith("text/html"), StartsWith("text/css"),
                                                                   StartsWith("text/javascript"), "image/svg+xml"));
    EXPECT_THAT(std::string(header(response, "Content-Security-Policy")),
                StartsWith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"));
    EXPECT_EQ(header(response, "X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(header(response, "Referrer-Policy"), "no-referrer");
    EXPECT_EQ(header(response, "Cache-Control"), "no-cache");
    EXPECT_THAT(header(response, "ETag"), Not(IsEmpty()));
  }
}

TEST_F(DashboardPage, AFileThatIsThereIsNotSentAgain) {
  const std::string etag(header(ask("/dashboard/main.js"), "ETag"));
  EXPECT_NE(etag, header(ask("/dashboard/dashboard.css"), "ETag"));
  more_ = {{"If-None-Match", etag}};
  const auto same = ask("/dashboard/main.js");
  EXPECT_EQ(same.status, 304);
  EXPECT_THAT(same.body, IsEmpty());
  EXPECT_EQ(header(same, "ETag"), etag);
  EXPECT_THAT(header(same, "Content-Security-Policy"), Not(IsEmpty()));
}

TEST_F(DashboardPage, OnlyReadingIsServed) {
  method_ = Method::head;
  EXPECT_EQ(ask("/dashboard").status, 200);
  for (const Method method : {Method::post, Method::put, Method::del, Method::patch, Method::options, Method::other}) {
    method_ = method;
    const auto response = ask("/dashboard");
    EXPECT_EQ(response.status, 405);
    EXPECT_EQ(header(response, "Allow"), "GET, HEAD");
    EXPECT_EQ(response.content_type, "application/problem+json");
  }
}

TEST_F(DashboardPage, WhatIsNoFileOfItIsNotFound) {
  for (const char* path : {"/dashboard/nope.js", "/dashboard/dashboard_files.cc", "/dashboard/index.html/x"}) {
    const auto response = ask(path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(response.content_type, "application/problem+json");
  }
}

TEST_F(DashboardPage, WithoutATokenItIsForThisMachineOnly) {
  EXPECT_EQ(ask("/dashboard", Peer::loopback, "127.0.0.1:3500").status, 200);
  EXPECT_EQ(ask("/dashboard", Peer::loopback, "[::1]:3500").status, 200);
  EXPECT_EQ(ask("/dashboard", Peer::unix_socket, "whatever").status, 200);
  const auto elsewhere = ask("/dashboard", Peer::elsewhere);
  EXPECT_EQ(elsewhere.status, 403);
  EXPECT_THAT(elsewhere.body, HasSubstr("--api-token-file"));
  const auto rebound = ask("/dashboard/main.js", Peer::loopback, "rebound.example:3500");
  EXPECT_EQ(rebound.status, 403);
  EXPECT_THAT(rebound.body, HasSubstr("rebound.example"));
}

TEST_F(DashboardPage, WhatAProxyPassesOnIsNotOfThisMachine) {
  more_ = {{"X-Forwarded-For", "10.1.2.3"}};
  EXPECT_EQ(ask("/dashboard").status, 403);
  more_ = {{"Forwarded", "for=10.1.2.3"}};
  EXPECT_EQ(ask("/dashboard").status, 403);
  EXPECT_EQ(ask("/dashboard", Peer::unix_socket).status, 403);
}

TEST_F(DashboardPage, WhereATokenIsAskedForThePageIsForEverybody) {
  ask_for_token();
  EXPECT_EQ(ask("/dashboard", Peer::elsewhere, "sidecar.example").status, 200);
  more_ = {{"X-Forwarded-For", "10.1.2.3"}};
  EXPECT_EQ(ask("/dashboard", Peer::loopback, "sidecar.example").status, 200);
}

}  // namespace
}  // namespace holdfast::dashboard
