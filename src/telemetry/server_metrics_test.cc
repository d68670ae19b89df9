#include "telemetry/server_metrics.h"

#include "telemetry/error_counts.h"

#include <gtest/gtest.h>

#include <map>

namespace holdfast::telemetry {
namespace {

std::map<std::string, std::uint64_t> http_counts(const ServerMetrics& metrics) {
  std::map<std::string, std::uint64_t> counts;
  metrics.each_http([&](const ServerMetrics::Series& series) {
    counts[series.method + " " + series.path + " " + std::to_string(series.status)] += series.latency.count();
  });
  return counts;
}

TEST(ServerMetrics, CountsByMethodPathAndStatus) {
  ServerMetrics metrics;
  metrics.http_done("GET", "/v1.0/state/s", 200, 0.4, 0, 100);
  metrics.http_done("GET", "/v1.0/state/s", 200, 1.5, 0, 2000);
  metrics.http_done("GET", "/v1.0/state/s", 204, 0.1, 0, 0);
  metrics.http_done("POST", "/v1.0/state/s", 204, 0.1, 50, 0);
  EXPECT_EQ(http_counts(metrics), (std::map<std::string, std::uint64_t>{
                                      {"GET /v1.0/state/s 200", 2}, {"GET /v1.0/state/s 204", 1}, {"POST /v1.0/state/s 204", 1}}));
  EXPECT_EQ(metrics.http_response_bytes().count(), 4u);
  EXPECT_EQ(metrics.http_response_bytes().bucket(0), 3u);
  EXPECT_EQ(metrics.http_response_bytes().bucket(1), 1u);
  EXPECT_EQ(metrics.http_request_bytes().sum(), 50);
}

TEST(ServerMetrics, GrpcCallsAreCountedByMethodAndCode) {
  ServerMetrics metrics;
  metrics.grpc_done("/p.S/Get", 0, 0.2, 10, 20);
  metrics.grpc_done("/p.S/Get", 10, 0.2, 10, 20);
  metrics.grpc_done("/p.S/Get", 0, 7, 10, 20);
  std::map<int, std::uint64_t> counts;
  metrics.each_grpc([&](const ServerMetrics::Series& series) {
    EXPECT_EQ(series.path, "/p.S/Get");
    counts[series.status] = series.latency.count();
  });
  EXPECT_EQ(counts, (std::map<int, std::uint64_t>{{0, 2}, {10, 1}}));
}

TEST(ServerMetrics, TooManyPathsAreCountedTogetherAndNoneIsLost) {
  ServerMetrics metrics;
  constexpr int kPaths = 2000;
  for (int i = 0; i < kPaths; ++i) metrics.http_done("GET", "/v1.0/state/" + std::to_string(i), 200, 0, 0, 0);
  const auto counts = http_counts(metrics);
  EXPECT_LE(counts.size(), ServerMetrics::kSeriesMax + 1);
  std::uint64_t total = 0;
  for (const auto& [series, count] : counts) total += count;
  EXPECT_EQ(total, static_cast<std::uint64_t>(kPaths));
  EXPECT_EQ(counts.at("GET  200"), kPaths - ServerMetrics::kSeriesMax);
}

TEST(HttpLabels, ShowTheStoreAndNotTheKey) {
  const HttpLabels labels;
  EXPECT_EQ(labels.path_of("/v1.0/state/s/k"), "/v1.0/state/s");
  EXPECT_EQ(labels.path_of("/v1.0/state/s/bulk"), "/v1.0/state/s");
  EXPECT_EQ(labels.path_of("/v1.0/state/s"), "/v1.0/state/s");
  EXPECT_EQ(labels.path_of("/v2/state/s/a/b"), "/v2/state/s");
  EXPECT_EQ(labels.path_of("/v1.0/healthz/outbound"), "/v1.0/healthz/outbound");
  EXPECT_EQ(labels.path_of("/v1.0/metadata/k"), "/v1.0/metadata");
  EXPECT_EQ(labels.path_of("/anything/else"), "");
}

TEST(HttpLabels, LowCardinalityShowsOnlyWhatPatternsName) {
  HttpLabels labels;
  labels.path = false;
  labels.patterns = {"/v1.0/state/orders/{key}", "/v1.0/healthz"};
  EXPECT_EQ(labels.path_of("/v1.0/state/orders/17"), "/v1.0/state/orders/{key}");
  EXPECT_EQ(labels.path_of("/v1.0/state/orders"), "");
  EXPECT_EQ(labels.path_of("/v1.0/state/orders/17/x"), "");
  EXPECT_EQ(labels.path_of("/v1.0/state/other/17"), "");
  EXPECT_EQ(labels.path_of("/v1.0/healthz"), "/v1.0/healthz");
}

TEST(ErrorCounts, EachCodeHasItsCountAndItsCategory) {
  ErrorCounts counts;
  for (const char* code : {"ERR_STATE_GET", "ERR_STATE_GET", "ERR_MALFORMED_REQUEST"}) counts.add(code);
  std::map<std::string, std::uint64_t> all;
  counts.each([&](const std::string& code, std::uint64_t count) { all[code] = count; });
  EXPECT_EQ(all, (std::map<std::string, std::uint64_t>{{"ERR_MALFORMED_REQUEST", 1}, {"ERR_STATE_GET", 2}}));
  EXPECT_EQ(category_of("ERR_STATE_GET"), "state");
  EXPECT_EQ(category_of("DAPR_STATE_NOT_FOUND"), "state");
  EXPECT_EQ(category_of("ERR_SECRET_STORE_NOT_FOUND"), "secret");
  EXPECT_EQ(category_of("ERR_MALFORMED_REQUEST"), "common");
}

}  // namespace
}  // namespace holdfast::telemetry
