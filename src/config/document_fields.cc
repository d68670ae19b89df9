#include "config/document_fields.h"

#include <array>

#include "base/encoding.h"
#include "state/component.h"

namespace holdfast::config {
namespace {

using enum FieldKind;

constexpr bool kRequired = true;

constexpr auto kComponent = std::to_array<DocumentField>({
    {"", object, "A component: a store that applications use by its name."},
    {"apiVersion", text, "dapr.io/v1alpha1", kRequired},
    {"kind", text, "Component", kRequired},
    {"metadata", object, "What the component is called.", kRequired},
    {"metadata.name", text, "The store's name in every request; without / % and :", kRequired},
    {"metadata.namespace", text, "Loaded only where the variable NAMESPACE is unset or says the same."},
    {"metadata.labels", any},
    {"metadata.annotations", any},
    {"metadata.uid", any},
    {"metadata.generation", any},
    {"metadata.resourceVersion", any},
    {"metadata.creationTimestamp", any},
    {"metadata.ownerReferences", any},
    {"metadata.finalizers", any},
    {"metadata.managedFields", any},
    {"spec", object, "What the component is.", kRequired},
    {"spec.type", text, "The type, such as state.sqlite.", kRequired},
    {"spec.version", text, "The type's version; v1 when unset, for most types."},
    {"spec.ignoreErrors", boolean, "Start without this component when it cannot be opened."},
    {"spec.initTimeout", go_duration, "The longest that opening it may take; 5s when unset."},
    {"spec.metadata", list, "The settings of the type."},
    {"spec.metadata[]", object, "One setting."},
    {"spec.metadata[].name", text, "Which setting.", kRequired},
    {"spec.metadata[].value", any, "Its value, as text; {uuid}, {podName}, {namespace} and {appID} are replaced."},
    {"spec.metadata[].secretKeyRef", object, "Its value is in the secret store that auth.secretStore names."},
    {"spec.metadata[].secretKeyRef.name", text, "The secret.", kRequired},
    {"spec.metadata[].secretKeyRef.key", text, "The entry of the secret; the secret's name when unset."},
    {"spec.metadata[].envRef", text, "Its value is in this environment variable."},
    {"auth", object, "Where secrets come from."},
    {"auth.secretStore", text, "The component that secretKeyRef asks."},
    {"scopes", list, "The app ids that get this component; all when unset."},
    {"scopes[]", text, "An app id."},
});

// Some of it is Dapr's alone: such parts are known, and what they hold is not looked into.
constexpr auto kConfiguration = std::to_array<DocumentField>({
    {"", object, "Settings of the sidecar, for --config."},
    {"apiVersion", text, "dapr.io/v1alpha1", kRequired},
    {"kind", text, "Configuration", kRequired},
    {"metadata", any},
    {"spec", object, "The settings."},
    {"spec.api", object, "Which calls are served."},
    {"spec.api.allowed", list, "Only these."},
    {"spec.api.allowed[]", object},
    {"spec.api.allowed[].name", text, "Such as state."},
    {"spec.api.allowed[].version", text, "Such as v1.0."},
    {"spec.api.allowed[].protocol", text, "", false, "http grpc"},
    {"spec.api.denied", list, "All but these; looked at first."},
    {"spec.api.denied[]", object},
    {"spec.api.denied[].name", text, "Such as state."},
    {"spec.api.denied[].version", text, "Such as v1.0."},
    {"spec.api.denied[].protocol", text, "", false, "http grpc"},
    {"spec.secrets", object, "Which secrets the API gives away."},
    {"spec.secrets.scopes", list},
    {"spec.secrets.scopes[]", object},
    {"spec.secrets.scopes[].storeName", text, "The secret store.", kRequired},
    {"spec.secrets.scopes[].defaultAccess", text, "For secrets in neither list.", false, "allow deny"},
    {"spec.secrets.scopes[].allowedSecrets", list, "Only these."},
    {"spec.secrets.scopes[].allowedSecrets[]", text},
    {"spec.secrets.scopes[].deniedSecrets", list, "All but these."},
    {"spec.secrets.scopes[].deniedSecrets[]", text},
    {"spec.components", object, "Which components are loaded."},
    {"spec.components.deny", list, "Types that are not, each TYPE or TYPE/VERSION."},
    {"spec.components.deny[]", text},
    {"spec.tracing", object, "Where spans go."},
    {"spec.tracing.samplingRate", text, "The share of requests that are traced, from 0 to 1."},
    {"spec.tracing.stdout", boolean, "Print spans."},
    {"spec.tracing.zipkin", object},
    {"spec.tracing.zipkin.endpointAddress", text, "URL of a Zipkin collector."},
    {"spec.tracing.otel", object},
    {"spec.tracing.otel.protocol", text, "", false, "grpc http"},
    {"spec.tracing.otel.endpointAddress", text, "host:port of an OpenTelemetry collector."},
    {"spec.tracing.otel.isSecure", boolean, "Use TLS; true when unset."},
    {"spec.tracing.otel.headers", any, "Sent with every request."},
    {"spec.tracing.otel.timeout", duration, "The longest that an export may take."},
    {"spec.metric", object, "Which metrics there are; older name of metrics."},
    {"spec.metric.enabled", boolean},
    {"spec.metric.recordErrorCodes", boolean},
    {"spec.metric.http", any},
    {"spec.metric.latencyDistributionBuckets", list, "Upper bounds in milliseconds."},
    {"spec.metric.latencyDistributionBuckets[]", integer},
    {"spec.metric.rules", any},
    {"spec.metrics", object, "Which metrics there are."},
    {"spec.metrics.enabled", boolean},
    {"spec.metrics.recordErrorCodes", boolean},
    {"spec.metrics.http", object},
    {"spec.metrics.http.increasedCardinality", boolean},
    {"spec.metrics.http.pathMatching", any},
    {"spec.metrics.http.excludeVerbs", boolean},
    {"spec.metrics.latencyDistributionBuckets", list, "Upper bounds in milliseconds."},
    {"spec.metrics.latencyDistributionBuckets[]", integer},
    {"spec.metrics.rules", list},
    {"spec.metrics.rules[]", object},
    {"spec.metrics.rules[].name", text, "The metric."},
    {"spec.metrics.rules[].labels", list},
    {"spec.metrics.rules[].labels[]", object},
    {"spec.metrics.rules[].labels[].name", text, "The label."},
    {"spec.metrics.rules[].labels[].regex", any, "A value for every pattern that matches the label's."},
    {"spec.logging", object},
    {"spec.logging.apiLogging", object, "A line for every request."},
    {"spec.logging.apiLogging.enabled", boolean},
    {"spec.logging.apiLogging.obfuscateURLs", boolean, "Name the operation, not the path."},
    {"spec.logging.apiLogging.omitHealthChecks", boolean},
    {"spec.features", list, "Features of Dapr that can be switched."},
    {"spec.features[]", object},
    {"spec.features[].name", text, "", kRequired},
    {"spec.features[].enabled", boolean},
    {"spec.httpPipeline", any},
    {"spec.appHttpPipeline", any},
    {"spec.accessControl", any},
    {"spec.nameResolution", any},
    {"spec.mtls", any},
    {"spec.wasm", any},
    {"spec.workflow", any},
});

constexpr auto kResiliency = std::to_array<DocumentField>({
    {"", object, "What is done when a store does not answer."},
    {"apiVersion", text, "dapr.io/v1alpha1", kRequired},
    {"kind", text, "Resiliency", kRequired},
    {"metadata", any},
    {"spec", object, "Policies, and what they are for.", kRequired},
    {"spec.policies", object, "Policies by name."},
    {"spec.policies.timeouts", map, "The longest that one try may take."},
    {"spec.policies.timeouts.*", duration},
    {"spec.policies.retries", map, "How a call is tried again."},
    {"spec.policies.retries.*", object},
    {"spec.policies.retries.*.policy", text, "How the waits grow.", false, "constant exponential"},
    {"spec.policies.retries.*.duration", duration, "The wait of a constant policy; 5s when unset."},
    {"spec.policies.retries.*.maxInterval", duration, "The longest wait of an exponential policy; 60s when unset."},
    {"spec.policies.retries.*.maxRetries", integer, "-1: without end."},
    {"spec.policies.retries.*.matching", object, "Which answers of an application are tried again; not of stores."},
    {"spec.policies.retries.*.matching.httpStatusCodes", text},
    {"spec.policies.retries.*.matching.gRPCStatusCodes", text},
    {"spec.policies.circuitBreakers", map, "When calls are refused without a try."},
    {"spec.policies.circuitBreakers.*", object},
    {"spec.policies.circuitBreakers.*.maxRequests", integer, "Calls let through to find out; 1 when unset."},
    {"spec.policies.circuitBreakers.*.interval", duration, "How often counts start anew; never when unset."},
    {"spec.policies.circuitBreakers.*.timeout", duration, "How long calls are refused; 60s when unset."},
    {"spec.policies.circuitBreakers.*.trip", text, "When it opens, such as consecutiveFailures > 5."},
    {"spec.targets", object, "Which policies are for what."},
    {"spec.targets.apps", any},
    {"spec.targets.actors", any},
    {"spec.targets.components", map, "Policies of stores, by the name of the component."},
    {"spec.targets.components.*", object},
    {"spec.targets.components.*.inbound", object, "Not of stores."},
    {"spec.targets.components.*.inbound.timeout", text},
    {"spec.targets.components.*.inbound.retry", text},
    {"spec.targets.components.*.inbound.circuitBreaker", text},
    {"spec.targets.components.*.outbound", object, "Of calls to the store."},
    {"spec.targets.components.*.outbound.timeout", text, "Name of a timeout."},
    {"spec.targets.components.*.outbound.retry", text, "Name of a retry policy."},
    {"spec.targets.components.*.outbound.circuitBreaker", text, "Name of a circuit breaker."},
    {"scopes", list, "The app ids it is for; all when unset."},
    {"scopes[]", text, "An app id."},
});

std::string objection_to_duration(std::string_view text, bool may_be_bare) {
  const auto duration = state::parse_go_duration(text);
  const bool is_positive = duration && duration->count() > 0;
  if (!may_be_bare) return is_positive ? "" : "must be a duration of more than zero such as 500ms or 1m30s";
  const state::Setting integer{.name = "", .kind = state::SettingKind::integer};
  if (duration || state::objection_to(integer, text).empty()) return "";
  return "must be a duration such as 500ms or 1m30s, or a number of milliseconds";
}

}  // namespace

std::span<const std::string_view> document_kinds() {
  static constexpr std::array<std::string_view, 3> kKinds{"Component", "Configuration", "Resiliency"};
  return kKinds;
}

std::span<const std::string_view> foreign_kinds() {
  static constexpr std::array<std::string_view, 4> kForeign{"Subscription", "HTTPEndpoint", "MCPServer",
                                                            "WorkflowAccessPolicy"};
  return kForeign;
}

std::span<const DocumentField> document_fields(std::string_view kind) {
  if (kind == "Component") return kComponent;
  if (kind == "Configuration") return kConfiguration;
  if (kind == "Resiliency") return kResiliency;
  return {};
}

const DocumentField* find_field(std::span<const DocumentField> fields, std::string_view path) {
  for (const DocumentField& field : fields)
    if (field.path == path) return &field;
  return nullptr;
}

PathEnd split_path(std::string_view path) {
  if (path.ends_with("[]")) return {path.substr(0, path.size() - 2), "[]"};
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return {"", path};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

std::string objection_to(const DocumentField& field, std::string_view text) {
  switch (field.kind) {
    case object:
    case map:
    case list:
    case any:
      return "";
    case FieldKind::text:
      return state::objection_to({.name = field.path, .choices = field.choices}, text);
    case boolean:
      return is_boolean_word(text) ? "" : "must be true or false";
    case integer:
      return state::objection_to({.name = field.path, .kind = state::SettingKind::integer}, text);
    case go_duration:
    case duration:
      return text.empty() ? "" : objection_to_duration(text, field.kind == duration);
  }
  return "";
}

bool is_boolean_word(std::string_view text) {
  static constexpr std::array<std::string_view, 7> kFalse{"n", "no", "false", "f", "off", "0", ""};
  if (state::truthy(text)) return true;
  for (const std::string_view word : kFalse)
    if (iequals(trim(text), word)) return true;
  return false;
}

}  // namespace holdfast::config
