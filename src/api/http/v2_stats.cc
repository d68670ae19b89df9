// GET /v2/stats: what the process has counted since it began.
#include <fmt/format.h>

#include "api/http/responses.h"
#include "api/http/v2_routes.h"
#include "wire/json/json.h"

namespace holdfast::api {

using telemetry::CallStats;
using telemetry::Stats;

namespace {

void append_count(std::string& out, std::string_view name, std::uint64_t value) {
  json::append_name(out, name);
  out += std::to_string(value);
}

void append_decimal(std::string& out, std::string_view name, double value) {
  json::append_name(out, name);
  json::append_number(out, value);
}

void append_histogram(std::string& out, std::string_view name, const HistogramSum& sum) {
  json::append_name(out, name);
  out += '{';
  append_count(out, "count", sum.count);
  append_decimal(out, "sumMs", sum.sum);
  json::append_name(out, "buckets");
  const std::span buckets = std::span(sum.buckets).first(latency_bounds_ms().size() + 1);
  out += fmt::format("[{}]}}", fmt::join(buckets, ","));
}

void append_calls(std::string& out, const CallStats& calls) {
  append_histogram(out, "succeeded", calls.succeeded);
  append_histogram(out, "failed", calls.failed);
}

void append_server(std::string& out, std::string_view name, const CallStats& calls) {
  json::append_name(out, name);
  out += '{';
  append_calls(out, calls);
  out += '}';
}

void append_stores(std::string& out, const std::vector<telemetry::StoreStats>& stores) {
  json::append_name(out, "stores");
  out += '[';
  for (const telemetry::StoreStats& store : stores) {
    if (out.back() != '[') out += ',';
    out += '{';
    json::append_member(out, "name", store.name);
    json::append_name(out, "operations");
    out += '[';
    for (const telemetry::OperationStats& one : store.operations) {
      if (out.back() != '[') out += ',';
      out += '{';
      json::append_member(out, "operation", one.operation);
      append_calls(out, one.calls);
      out += '}';
    }
    out += "]}";
  }
  out += ']';
}

void append_failed_components(std::string& out, const std::vector<telemetry::FailedComponent>& components) {
  json::append_name(out, "failedComponents");
  out += '[';
  for (const telemetry::FailedComponent& component : components) {
    if (out.back() != '[') out += ',';
    out += '{';
    json::append_member(out, "name", component.name);
    json::append_member(out, "type", component.type);
    json::append_member(out, "stage", component.stage);
    append_count(out, "count", component.count);
    out += '}';
  }
  out += ']';
}

}  // namespace

http::Response V2Routes::stats() const {
  const Stats stats = context_.stats == nullptr ? Stats() : context_.stats->read_stats();
  std::string out = "{";
  json::append_member(out, "version", v2_.runtime().version);
  json::append_member(out, "appId", v2_.runtime().app_id);
  append_decimal(out, "uptimeSeconds", stats.uptime_seconds);
  append_count(out, "residentBytes", stats.resident_bytes);
  append_decimal(out, "cpuSeconds", stats.cpu_seconds);
  json::append_name(out, "latencyBoundsMs");
  out += fmt::format("[{}]", fmt::join(latency_bounds_ms(), ","));
  append_stores(out, stats.stores);
  json::append_name(out, "countsRequests");
  out += context_.measures ? "true" : "false";
  append_server(out, "http", stats.http);
  append_server(out, "grpc", stats.grpc);
  append_failed_components(out, stats.failed_components);
  out += "}\n";
  http::Response response = json_response(200, std::move(out));
  response.headers.add("Cache-Control", "no-store");
  return response;
}

}  // namespace holdfast::api
