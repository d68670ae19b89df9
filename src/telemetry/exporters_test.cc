#include "telemetry/exporters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "wire/json/json.h"
#include "wire/protobuf/fields.h"

namespace holdfast::telemetry {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

Span example() {
  Span span;
  span.context = *parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  span.has_parent = true;
  span.parent = {1, 2, 3, 4, 5, 6, 7, 8};
  span.name = "/v1.0/State/s";
  span.begin = {1'000'000};
  span.end = {1'000'250};
  span.attributes = {{"db.name", "s"}, {"quote", "\"\n"}};
  return span;
}

const Resource kResource{"orders", {{"team", "a"}}};

// The payload of a field, the first of that number.
std::string_view field(std::string_view message, std::uint32_t number) {
  protobuf::Reader reader(message);
  while (reader.next())
    if (reader.field() == number && reader.is_bytes()) return reader.bytes();
  return {};
}

TEST(OtlpRequest, HoldsTheSpanWhereTheProtocolWantsIt) {
  const std::string request = otlp_request(kResource, {example()});
  const std::string_view resource_spans = field(request, 1);
  EXPECT_THAT(std::string(field(resource_spans, 1)), HasSubstr("service.name"));
  const std::string_view scope_spans = field(resource_spans, 2);
  EXPECT_EQ(field(field(scope_spans, 1), 1), "holdfast");
  const std::string_view span = field(scope_spans, 2);
  EXPECT_EQ(hex_encode(field(span, 1)), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(hex_encode(field(span, 2)), "00f067aa0ba902b7");
  EXPECT_EQ(hex_encode(field(span, 4)), "0102030405060708");
  EXPECT_EQ(field(span, 5), "/v1.0/State/s");
  EXPECT_EQ(field(field(span, 9), 1), "db.name");
  EXPECT_EQ(field(field(field(span, 9), 2), 1), "s");
  EXPECT_EQ(field(span, 15), "");
}

TEST(OtlpRequest, AFailureSaysWhy) {
  Span span = example();
  span.is_error = true;
  span.status = "Code(500): no";
  const std::string request = otlp_request(kResource, {span});
  EXPECT_EQ(field(field(field(field(field(request, 1), 2), 2), 15), 2), "Code(500): no");
}

TEST(ZipkinRequest, IsTheArrayThatZipkinTakes) {
  Span failed = example();
  failed.has_parent = false;
  failed.is_error = true;
  failed.status = "broken";
  const std::string request = zipkin_request(kResource, {example(), failed});
  EXPECT_TRUE(json::is_valid(request)) << request;
  EXPECT_THAT(
      request,
      HasSubstr(
          R"({"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","id":"00f067aa0ba902b7","parentId":"0102030405060708","name":"/v1.0/state/s","kind":"CLIENT","timestamp":1000000,"duration":250,"localEndpoint":{"serviceName":"orders"},"tags":{"db.name":"s",)"));
  EXPECT_THAT(request, HasSubstr(R"("error":"broken")"));
  EXPECT_EQ(zipkin_request(kResource, {}), "[]");
}

class FakePoster final : public HttpPoster {
 public:
  Result<PostAnswer> send(const Post& given) override {
    post = given;
    return answer;
  }
  Post post;
  Result<PostAnswer> answer = PostAnswer{200, "0", ""};
};

TEST(OtlpExporter, OverGrpcItIsOneFramedMessage) {
  FakePoster poster;
  const auto exporter = otlp_exporter(
      kResource, {.over_http = false, .endpoint = "collector:4317", .secure = false, .headers = {{"x-key", "secret"}}},
      poster);
  EXPECT_TRUE(exporter->send({example()}));
  EXPECT_EQ(poster.post.url, "http://collector:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export");
  EXPECT_TRUE(poster.post.http2);
  EXPECT_THAT(poster.post.headers, Contains(Pair("Content-Type", "application/grpc")));
  EXPECT_THAT(poster.post.headers, Contains(Pair("x-key", "secret")));
  EXPECT_EQ(poster.post.body.substr(5), otlp_request(kResource, {example()}));
}

TEST(OtlpExporter, OverHttpItGoesToTheStandardsPathUnlessOneIsGiven) {
  FakePoster poster;
  EXPECT_TRUE(otlp_exporter(kResource, {.over_http = true, .endpoint = "collector:4318", .headers = {}}, poster)->send({example()}));
  EXPECT_EQ(poster.post.url, "https://collector:4318/v1/traces");
  EXPECT_FALSE(poster.post.http2);
  EXPECT_TRUE(otlp_exporter(kResource, {.over_http = true, .endpoint = "http://c:1/mine", .headers = {}}, poster)->send({example()}));
  EXPECT_EQ(poster.post.url, "http://c:1/mine");
}

TEST(OtlpExporter, ARefusalIsAFailureThatNamesNoHeader) {
  FakePoster poster;
  const OtlpOptions options{.over_http = false, .endpoint = "c:1", .secure = false, .headers = {{"k", "secret"}}};
  const auto exporter = otlp_exporter(kResource, options, poster);
  for (const PostAnswer& answer :
       {PostAnswer{503, "", ""}, PostAnswer{200, "16", "who are you"}, PostAnswer{200, "", ""}}) {
    poster.answer = answer;
    const auto sent = exporter->send({example()});
    ASSERT_FALSE(sent);
    EXPECT_THAT(sent.error().message, Not(HasSubstr("secret")));
  }
  poster.answer = fail(Errc::unavailable, "no answer");
  EXPECT_FALSE(exporter->send({example()}));
}

TEST(ZipkinExporter, TakesAnyAnswerOfTheTwoHundreds) {
  FakePoster poster;
  const auto exporter = zipkin_exporter(kResource, "http://z/api/v2/spans", poster);
  poster.answer = PostAnswer{202, "", ""};
  EXPECT_TRUE(exporter->send({example()}));
  poster.answer = PostAnswer{400, "", ""};
  EXPECT_FALSE(exporter->send({example()}));
}

TEST(CurlPoster, AnAddressWhereNobodyListensIsNoAnswer) {
  auto poster = curl_poster();
  ASSERT_TRUE(poster) << poster.error().message;
  const auto answer =
      (*poster)->send({.url = "http://127.0.0.1:1/", .headers = {}, .body = "x", .timeout = std::chrono::seconds(5)});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::unavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("http://127.0.0.1:1/"));
}

}  // namespace
}  // namespace holdfast::telemetry
