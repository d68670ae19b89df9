#include "daemon/metrics_endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::daemon {
namespace {

using testing::HasSubstr;
using testing::Not;

class MetricsPage : public testing::Test {
 protected:
  MetricsPage() {
    runtime_.app_id = "a\"b";
    runtime_.name_space = "prod";
  }
  std::string page() const { return sources_.page(runtime_); }

  MetricsSources sources_;
  service::Runtime runtime_;
};

TEST_F(MetricsPage, AStoresCallsOfAllLoopsAreOneSeries) {
  sources_.store("orders", 0)->record(state::OperationKind::get, true, 500'000);
  sources_.store("orders", 1)->record(state::OperationKind::get, true, 1'500'000);
  const std::string labels = R"(app_id="a\"b",namespace="prod",component="orders",operation="get",success="true")";
  EXPECT_THAT(page(), HasSubstr("dapr_component_state_count{" + labels + "} 2\n"));
  EXPECT_THAT(page(), HasSubstr("dapr_component_state_latencies_bucket{" + labels + ",le=\"1\"} 1\n"));
  EXPECT_THAT(page(), HasSubstr("dapr_component_state_latencies_bucket{" + labels + ",le=\"+Inf\"} 2\n"));
  EXPECT_THAT(page(), HasSubstr("dapr_component_state_latencies_sum{" + labels + "} 2\n"));
}

TEST_F(MetricsPage, AStoreThatIsOpenedAnewGoesOnCounting) {
  sources_.store("orders", 0)->record(state::OperationKind::set, false, 1);
  sources_.store("orders", 0)->record(state::OperationKind::set, false, 1);
  EXPECT_THAT(page(), HasSubstr(R"(operation="set",success="false"} 2)"));
}

TEST_F(MetricsPage, ServersAreShownUnderDaprsNames) {
  telemetry::ServerMetrics loop;
  sources_.add_server(loop);
  loop.http_done("GET", "/v1.0/state/s", 200, 0.5, 0, 10);
  loop.grpc_done("/dapr.proto.runtime.v1.Dapr/GetState", 10, 0.5, 3, 4);
  EXPECT_THAT(page(), HasSubstr(R"(dapr_http_server_request_count{app_id="a\"b",method="GET",path="/v1.0/state/s",status="200"} 1)"));
  EXPECT_THAT(page(), HasSubstr(R"(dapr_http_server_response_bytes_count{app_id="a\"b"} 1)"));
  EXPECT_THAT(page(), HasSubstr(R"(dapr_grpc_io_server_completed_rpcs{app_id="a\"b",grpc_server_method="/dapr.proto.runtime.v1.Dapr/GetState",grpc_server_status="Aborted"} 1)"));
}

TEST_F(MetricsPage, ComponentsThatLoadedAndThatDidNot) {
  sources_.component_loaded("state.sqlite");
  sources_.component_loaded("state.sqlite");
  sources_.component_failed("state.nope", "x", "creation");
  EXPECT_THAT(page(), HasSubstr(R"(dapr_runtime_component_init_total{app_id="a\"b",component="state.sqlite"} 2)"));
  EXPECT_THAT(page(), HasSubstr(R"(component="state.nope",componentName="x",reason="creation"} 1)"));
}

TEST_F(MetricsPage, StatsAreTheSameCountsAsValues) {
  telemetry::ServerMetrics loop;
  sources_.add_server(loop);
  loop.http_done("GET", "/v1.0/state/s", 200, 0.5, 0, 10);
  loop.http_done("GET", "/v1.0/state/s", 404, 0.5, 0, 10);
  loop.http_done("GET", "/v2/stats", 200, 0.5, 0, 10);
  loop.grpc_done("/dapr.proto.runtime.v1.Dapr/GetState", 10, 0.5, 3, 4);
  sources_.store("orders", 0)->record(state::OperationKind::get, true, 500'000);
  sources_.store("orders", 1)->record(state::OperationKind::get, true, 1'500'000);
  sources_.store("orders", 1)->record(state::OperationKind::bulk_get, false, 1);
  sources_.component_failed("state.nope", "x", "creation");
  const telemetry::Stats stats = sources_.read_stats();
  ASSERT_EQ(stats.stores.size(), 1u);
  EXPECT_EQ(stats.stores[0].name, "orders");
  ASSERT_EQ(stats.stores[0].operations.size(), 2u);
  EXPECT_EQ(stats.stores[0].operations[0].operation, "get");
  const HistogramSum& gets = stats.stores[0].operations[0].calls.succeeded;
  EXPECT_EQ(gets.count, 2u);
  EXPECT_DOUBLE_EQ(gets.sum, 2);
  EXPECT_EQ(gets.buckets[0], 1u);
  EXPECT_EQ(gets.buckets[1], 1u);
  EXPECT_EQ(stats.stores[0].operations[1].calls.failed.count, 1u);
  EXPECT_EQ(stats.http.succeeded.count, 1u) << "who watches does not see himself";
  EXPECT_EQ(stats.http.failed.count, 1u);
  EXPECT_EQ(stats.grpc.failed.count, 1u);
  ASSERT_EQ(stats.failed_components.size(), 1u);
  EXPECT_EQ(stats.failed_components[0].name, "x");
  EXPECT_GT(stats.resident_bytes, 0u);
}

TEST_F(MetricsPage, ABreakerShowsTheStateItIsIn) {
  state::ResiliencyPolicy policy;
  policy.breaker.emplace().consecutive_failures_max = 0;
  const auto shared = std::make_shared<state::SharedResiliency>(policy);
  sources_.add_resiliency("orders", shared);
  sources_.set_resiliency_names({"mine"});
  EXPECT_THAT(page(), HasSubstr(R"(target="Statestore_orders",status="closed"} 1)"));
  const SteadyTime now{};
  shared->report(*shared->admit(now), false, now);
  EXPECT_THAT(page(), HasSubstr(R"(dapr_resiliency_cb_state{app_id="a\"b",namespace="prod",name="mine",policy="circuitbreaker",flow_direction="outbound",target="Statestore_orders",status="open"} 1)"));
  EXPECT_THAT(page(), HasSubstr(R"(target="Statestore_orders",status="closed"} 0)"));
  EXPECT_THAT(page(), HasSubstr(R"(dapr_resiliency_activations_total{app_id="a\"b",namespace="prod",name="mine",policy="circuitbreaker",flow_direction="outbound",target="Statestore_orders",status="open"} 1)"));
}

TEST_F(MetricsPage, WhatNeverHappenedIsNotOnThePage) {
  EXPECT_THAT(page(), Not(HasSubstr("dapr_resiliency")));
  EXPECT_THAT(page(), Not(HasSubstr("dapr_http_server")));
  EXPECT_THAT(page(), HasSubstr("process_resident_memory_bytes"));
}

class FakeSecrets final : public service::SecretAccess {
 public:
  service::SecretResult<service::Secret> get(std::string_view store, std::string_view key) const override {
    using service::SecretFailure;
    if (store != "vault") return std::unexpected(SecretFailure{SecretFailure::Kind::no_such_store, {}});
    if (key == "bad") return std::unexpected(SecretFailure{SecretFailure::Kind::store_failed, "no"});
    return service::Secret{{"k", "v"}};
  }
  service::SecretResult<service::Secrets> get_all(std::string_view) const override { return service::Secrets(); }
};

TEST_F(MetricsPage, SecretsAreCountedWhereTheStoreWasReached) {
  const FakeSecrets inner;
  const CountedSecrets counted(inner, sources_);
  EXPECT_TRUE(counted.get("vault", "k"));
  EXPECT_FALSE(counted.get("vault", "bad"));
  EXPECT_FALSE(counted.get("elsewhere", "k"));
  EXPECT_TRUE(counted.get_all("vault"));
  const std::string text = page();
  EXPECT_THAT(text, HasSubstr(R"(component="vault",operation="get",success="true"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(component="vault",operation="get",success="false"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(component="vault",operation="bulk_get",success="true"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("elsewhere")));
}

}  // namespace
}  // namespace holdfast::daemon
