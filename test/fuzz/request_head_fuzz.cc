// What is read of a request beside its route (trace context, baggage, labels of its path), and files of tokens. What
// was read can be written and read again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "api/access.h"
#include "api/call_log.h"
#include "require.h"
#include "telemetry/server_metrics.h"
#include "telemetry/trace_context.h"
#include "telemetry/tracer.h"

namespace telemetry = holdfast::telemetry;

namespace {

void check_trace(std::string_view text) {
  if (const auto context = telemetry::parse_traceparent(text)) {
    const auto again = telemetry::parse_traceparent(telemetry::to_traceparent(*context));
    FUZZ_REQUIRE(again == context);
    FUZZ_REQUIRE(telemetry::parse_trace_bin(telemetry::to_trace_bin(*context)) == context);
  }
  if (const auto context = telemetry::parse_trace_bin(text))
    FUZZ_REQUIRE(telemetry::to_trace_bin(*context).size() == 29);
  if (telemetry::is_baggage(text)) FUZZ_REQUIRE(text.find('=') != std::string_view::npos && text.size() <= 8192);
  const telemetry::Resource resource = telemetry::resource_of("app", "", text);
  for (const auto& [name, value] : resource.attributes) FUZZ_REQUIRE(!name.empty());
  const double ratio = telemetry::sampling_ratio(text);
  FUZZ_REQUIRE(ratio >= 0 && ratio <= 1);
}

void check_tokens(const std::string& text) {
  const auto tokens = holdfast::api::TokenSet::parse(text);
  if (!tokens) {
    FUZZ_REQUIRE(tokens.error().message.find("line ") == 0);
    return;
  }
  FUZZ_REQUIRE(!tokens->empty() || !tokens->accepts(text));
}

void check_labels(const std::string& path) {
  telemetry::HttpLabels labels;
  FUZZ_REQUIRE(labels.path_of(path).size() <= path.size());
  labels.path = false;
  labels.patterns = {path, "/v1.0/state/{store}"};
  const std::string_view shown = labels.path_of(path);
  FUZZ_REQUIRE(shown.empty() || shown == labels.patterns[0] || shown == labels.patterns[1]);
  FUZZ_REQUIRE(!holdfast::api::operation_name(holdfast::http::Method::get, path).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check_trace(text);
  check_tokens(text);
  check_labels(text);
  return 0;
}
