// Dapr's Configuration resource (--config): what of it concerns a state sidecar. doc/configuration.md lists every
// field. Values only; everything here is pure but for load_configurations, which reads files.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/components.h"

namespace holdfast::config {

// spec.api: which calls are served at all.
struct ApiRule {
  std::string name;      // "state"
  std::string version;   // "v1", "v1alpha1"; over HTTP also as in the path, "v1.0"
  std::string protocol;  // "http", "grpc"
  bool operator==(const ApiRule&) const = default;
};
struct ApiAccess {
  std::vector<ApiRule> allowed;
  std::vector<ApiRule> denied;
  bool operator==(const ApiAccess&) const = default;
};

// spec.secrets.scopes: what the secrets API gives out. Components get their secrets whatever these say.
struct SecretScope {
  std::string store;
  bool denies_by_default = false;
  std::vector<std::string> allowed;  // sorted; not empty: these and no others
  std::vector<std::string> denied;   // sorted
  bool operator==(const SecretScope&) const = default;
};

struct OtelSpec {
  std::string protocol;  // "grpc", "http"; empty: not given
  std::string endpoint;  // empty: no exporter
  bool is_secure = true;
  std::vector<std::pair<std::string, std::string>> headers;  // values may be secrets
  Milliseconds timeout{0};                                   // 0: not given
  bool operator==(const OtelSpec&) const = default;
};
struct TracingSpec {
  std::string sampling_rate;  // as given: "0.5"; empty: not given
  bool to_stdout = false;
  std::string zipkin_endpoint;
  OtelSpec otel;
  bool operator==(const TracingSpec&) const = default;
};

struct MetricsRule {
  struct Label {
    std::string name;
    std::map<std::string, std::string> regex;  // value -> pattern
    bool operator==(const Label&) const = default;
  };
  std::string name;
  std::vector<Label> labels;
  bool operator==(const MetricsRule&) const = default;
};
// spec.metric with the fields of spec.metrics over it.
struct MetricsSpec {
  std::optional<bool> enabled;
  std::optional<bool> increased_cardinality;  // http.*
  std::vector<std::string> path_matching;
  bool exclude_verbs = false;
  std::vector<std::int64_t> latency_buckets_ms;  // positive and rising; empty: the defaults
  std::vector<MetricsRule> rules;
  bool record_error_codes = false;
  bool operator==(const MetricsSpec&) const = default;
};

struct ApiLoggingSpec {
  std::optional<bool> enabled;  // --enable-api-logging wins
  bool obfuscate_urls = false;
  bool omit_health_checks = false;
  bool operator==(const ApiLoggingSpec&) const = default;
};

struct Configuration {
  ApiAccess api;
  std::vector<SecretScope> secret_scopes;
  std::vector<std::string> denied_components;  // "type" or "type/version"
  TracingSpec tracing;
  MetricsSpec metrics;
  ApiLoggingSpec api_logging;
  std::map<std::string, bool, std::less<>> features;  // as listed, over the defaults
  std::vector<std::string> warnings;                  // to be logged; each begins with the file and line

  bool feature_enabled(std::string_view name) const;
  std::vector<std::string> enabled_features() const;  // sorted; for metadata
};

// The files in order, each over what came before: a field that a file gives replaces the earlier one, a list as a
// whole. $NAME and ${NAME} are replaced first, anywhere in the text. Only the first document of a file is read.
// Errors are what Dapr dies of, with file and line: a file that cannot be read or parsed, a value of the wrong kind,
// a secret scope that is repeated or has another defaultAccess than allow and deny.
Result<Configuration> load_configurations(std::span<const std::string> files, const GetEnvironment& environment);

// OTEL_EXPORTER_OTLP_*, only where no OTLP endpoint is configured. An endpoint given so is sampled always unless a rate
// is configured. Errc::invalid_argument for headers or a timeout that cannot be read; the text never quotes them.
Status apply_tracing_environment(TracingSpec& tracing, const GetEnvironment& environment);

// Whether the secrets API may give out that key. A store without a scope is open.
bool secret_allowed(std::span<const SecretScope> scopes, std::string_view store, std::string_view key);
bool secret_allowed(const Configuration& configuration, std::string_view store, std::string_view key);

// Whether a call is served. Denied first, then a list of allowed ones that is not empty has to name it; lists are
// those of the call's protocol. The answer depends on the arguments alone, so servers ask once for each route or
// method when they start and keep it.
//
// `group` is the route's first two segments ("v1.0/state", "v1.0-alpha1/state", "v2/stores"), `route` the whole of it
// as Dapr spells it ("v1.0/state/{storeName}/{key}"): older rules match its beginning. Health is always open.
bool http_route_allowed(const ApiAccess& access, std::string_view group, std::string_view route);
// `full_method` is "/dapr.proto.runtime.v1.Dapr/GetState". Methods of Dapr's service and of ours (state.v2) are
// judged, those of other services (health, reflection) are open.
bool grpc_method_allowed(const ApiAccess& access, std::string_view full_method);

// Whether spec.components.deny names the type, or the type and version, exactly. With a list that is not empty,
// components without type or version are denied too, as in Dapr.
bool component_denied(const Configuration& configuration, std::string_view type, std::string_view version);

}  // namespace holdfast::config
