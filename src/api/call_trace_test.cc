#include "api/call_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/grpc/grpc.h"

namespace holdfast::api {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using Protocol = CallTrace::Protocol;

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

class Keep final : public telemetry::SpanExporter {
 public:
  explicit Keep(std::vector<telemetry::Span>& spans) : spans_(spans) {}
  std::string_view name() const override { return "keep"; }
  Status send(const std::vector<telemetry::Span>& spans) override {
    spans_.insert(spans_.end(), spans.begin(), spans.end());
    return {};
  }

 private:
  std::vector<telemetry::Span>& spans_;
};

class CallTraceTest : public testing::Test {
 protected:
  http::Request request(std::string_view traceparent = {}) {
    http::Request request;
    request.method = http::Method::get;
    request.method = http::Method::get;
    request.headers.add("host", "localhost:3500");
    if (!traceparent.empty()) request.headers.add("traceparent", traceparent);
    return request;
  }
  void trace_all() {
    std::vector<std::unique_ptr<telemetry::SpanExporter>> exporters;
    exporters.push_back(std::make_unique<Keep>(spans_));
    tracer_ = std::make_unique<telemetry::Tracer>(1, std::move(exporters));
    tracing_.tracer = tracer_.get();
  }
  static std::vector<std::pair<std::string, std::string>> headers_of(const CallTrace& trace) {
    http::Response response;
    trace.add_headers(response);
    std::vector<std::pair<std::string, std::string>> headers;
    response.headers.for_each(
        [&headers](std::string_view name, std::string_view value) { headers.emplace_back(name, value); });
    return headers;
  }

  Tracing tracing_;
  std::vector<telemetry::Span> spans_;
  std::unique_ptr<telemetry::Tracer> tracer_;
};

TEST_F(CallTraceTest, WithoutATracerWhatCameGoesBack) {
  http::Request with = request(kParent);
  with.headers.add("tracestate", "a=1");
  with.headers.add("baggage", "user=7");
  EXPECT_THAT(headers_of(CallTrace(tracing_, with, Protocol::http)),
              ElementsAre(Pair("Traceparent", kParent), Pair("Tracestate", "a=1"), Pair("Baggage", "user=7")));
  const http::Request without = request();
  EXPECT_THAT(headers_of(CallTrace(tracing_, without, Protocol::http)), IsEmpty());
  const http::Request broken = request("00-nonsense");
  EXPECT_THAT(headers_of(CallTrace(tracing_, broken, Protocol::http)), IsEmpty());
}

TEST_F(CallTraceTest, SwitchedOffItLeavesTheHeadersAlone) {
  tracing_.enabled = false;
  http::Request with = request(kParent);
  with.headers.add("baggage", "not a baggage");
  EXPECT_THAT(headers_of(CallTrace(tracing_, with, Protocol::http)), IsEmpty());
  EXPECT_FALSE(has_bad_baggage(tracing_, with));
  tracing_.enabled = true;
  EXPECT_TRUE(has_bad_baggage(tracing_, with));
}

TEST_F(CallTraceTest, AnHttpCallBecomesASpanOfItsCallersTrace) {
  trace_all();
  const http::Request with = request(kParent);
  CallTrace trace(tracing_, with, Protocol::http);
  ASSERT_TRUE(trace.is_sampled());
  const std::string shown = headers_of(trace).front().second;
  EXPECT_EQ(shown.substr(0, 36), kParent.substr(0, 36));
  EXPECT_NE(shown, kParent);
  http::Response response;
  response.status = 500;
  finish_http_trace(trace, with, "/v1.0/state/orders/k", response);
  tracer_.reset();
  ASSERT_EQ(spans_.size(), 1u);
  EXPECT_EQ(spans_[0].name, "/v1.0/state/orders/k");
  EXPECT_EQ(telemetry::to_traceparent(spans_[0].context), shown);
  EXPECT_TRUE(spans_[0].has_parent);
  EXPECT_TRUE(spans_[0].is_error);
  EXPECT_EQ(spans_[0].status, "Code(500): Internal Server Error");
  EXPECT_THAT(spans_[0].attributes, Contains(Pair("dapr.api", "GET /v1.0/state/orders/k")));
  EXPECT_THAT(spans_[0].attributes, Contains(Pair("db.name", "orders")));
  EXPECT_THAT(spans_[0].attributes, Contains(Pair("dapr.status_code", "500")));
}

TEST_F(CallTraceTest, NoHeaderBecomesAnAttribute) {
  trace_all();
  http::Request with = request();
  with.headers.add("dapr-api-token", "top-secret");
  CallTrace trace(tracing_, with, Protocol::http);
  finish_http_trace(trace, with, "/v1.0/metadata", http::Response());
  tracer_.reset();
  for (const auto& [name, value] : spans_.at(0).attributes)
    EXPECT_EQ(value.find("top-secret"), std::string::npos) << name;
  EXPECT_THAT(spans_[0].attributes, Not(Contains(Pair("db.system", "state"))));
  EXPECT_FALSE(spans_[0].has_parent);
}

TEST_F(CallTraceTest, AGrpcCallTakesAndGivesTheBinaryForm) {
  trace_all();
  const auto parent = *telemetry::parse_traceparent(kParent);
  http::Request with = request();
  with.headers.add("grpc-trace-bin", grpc::encode_binary(telemetry::to_trace_bin(parent)));
  CallTrace trace(tracing_, with, Protocol::grpc);
  const auto headers = headers_of(trace);
  ASSERT_EQ(headers.size(), 1u);
  EXPECT_EQ(headers[0].first, "grpc-trace-bin");
  const auto shown = telemetry::parse_trace_bin(grpc::decode_binary(headers[0].second).value());
  ASSERT_TRUE(shown);
  EXPECT_EQ(shown->trace, parent.trace);
  finish_grpc_trace(trace, "/dapr.proto.runtime.v1.Dapr/GetState", "orders", true, "no");
  tracer_.reset();
  EXPECT_EQ(spans_.at(0).parent, parent.span);
  EXPECT_THAT(spans_[0].attributes, Contains(Pair("db.name", "orders")));
  EXPECT_EQ(spans_[0].status, "no");
}

}  // namespace
}  // namespace holdfast::api
