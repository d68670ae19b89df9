#include "config/tracing.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "base/encoding.h"
#include "config/configuration.h"
#include "config/fields.h"

namespace holdfast::config {
namespace {

constexpr std::string_view kTokenPunctuation = "!#$%&'*+-.^_`|~";

bool is_token_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kTokenPunctuation.contains(c);
}

// A byte that would end the header's line, or break the request.
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

struct Variable {
  std::string name;
  std::string value;  // empty: none is set
};

Variable first_set(const GetEnvironment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (auto value = environment(name); value && !value->empty()) return {name, std::move(*value)};
  return {};
}

std::string without_scheme(std::string_view endpoint) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (endpoint.starts_with(scheme)) endpoint.remove_prefix(scheme.size());
  return std::string(endpoint);
}

}  // namespace

bool is_header(std::string_view name, std::string_view value) {
  return !name.empty() && std::ranges::all_of(name, is_token_character) && std::ranges::none_of(value, is_control);
}

Result<std::vector<std::pair<std::string, std::string>>> parse_otlp_headers(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view pair = text.substr(0, comma);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos)
      return fail(Errc::invalid_argument, fmt::format("header {} has no =", headers.size() + 1));
    const std::string_view name = trim(pair.substr(0, equals));
    const auto value = percent_decode(pair.substr(equals + 1), Plus::literal);
    if (!value || !is_header(name, trim(*value)))
      return fail(Errc::invalid_argument,
                  fmt::format("header {} is none: its name cannot be a header's, or its value is badly percent-encoded",
                              headers.size() + 1));
    headers.emplace_back(std::string(name), std::string(trim(*value)));
    if (comma == std::string_view::npos) return headers;
    text.remove_prefix(comma + 1);
  }
}

Status apply_tracing_environment(TracingSpec& tracing, const GetEnvironment& environment) {
  OtelSpec& otel = tracing.otel;
  if (!otel.endpoint.empty()) return {};
  const Variable endpoint =
      first_set(environment, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"});
  if (!endpoint.value.empty()) {
    otel.endpoint = without_scheme(endpoint.value);
    if (tracing.sampling_rate.empty()) tracing.sampling_rate = "1";
    const Variable protocol =
        first_set(environment, {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"});
    otel.protocol = protocol.value.starts_with("http") ? "http" : "grpc";
    if (environment("OTEL_EXPORTER_OTLP_INSECURE") == "true") otel.is_secure = false;
  }
  const Variable headers = first_set(environment, {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"});
  if (!headers.value.empty()) {
    auto parsed = parse_otlp_headers(headers.value);
    if (!parsed) return fail(with_context(std::move(parsed.error()), headers.name));
    otel.headers = std::move(*parsed);
  }
  const Variable timeout = first_set(environment, {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"});
  if (!timeout.value.empty()) {
    const auto milliseconds = read_integer(timeout.value);
    if (!milliseconds)
      return fail(Errc::invalid_argument, fmt::format("{} is not a number of milliseconds", timeout.name));
    if (*milliseconds > 0) otel.timeout = Milliseconds(*milliseconds);
  }
  return {};
}

}  // namespace holdfast::config
