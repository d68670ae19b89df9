// Every section has its function, from the fields of a document to those of the Configuration. What the files say is
// gathered over each other; precedence and defaults are applied once, at the end.
#include "config/configuration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/encoding.h"
#include "config/access.h"
#include "config/document.h"
#include "config/expand.h"
#include "config/fields.h"
#include "config/resources.h"
#include "config/tracing.h"

namespace holdfast::config {
namespace {

struct HttpMetrics {
  std::optional<bool> increased_cardinality;
  std::optional<bool> exclude_verbs;
  std::vector<std::string> path_matching;
};

// spec.metric or spec.metrics: what is not given does not override.
struct MetricsPart {
  std::optional<bool> enabled;
  std::optional<bool> record_error_codes;
  std::optional<HttpMetrics> http;
  std::vector<std::int64_t> latency_buckets_ms;
  std::vector<MetricsRule> rules;
};

struct Gathered {
  Configuration configuration;
  MetricsPart metric;
  MetricsPart metrics;
  std::vector<std::pair<std::string, bool>> features;
};

struct IgnoredSection {
  std::string_view name;
  std::string_view why;
};
constexpr std::array<IgnoredSection, 7> kIgnoredSections{{
    {"httpPipeline", "requests pass no HTTP middleware here, also none that should refuse them"},
    {"appHttpPipeline", "this sidecar does not call the application"},
    {"accessControl", "this sidecar takes no calls from other applications"},
    {"mtls", "this sidecar does not talk to other sidecars"},
    {"nameResolution", "this sidecar does not call other applications"},
    {"wasm", "this sidecar runs no WASM"},
    {"workflow", "this sidecar runs no workflows"},
}};

// Calls each(Fields&) for the items of a list of mappings. False when there is no list.
template <class Each>
bool each_item(Fields& fields, std::string_view name, Findings& findings, Each each) {
  const YamlNode* items = fields.list(name);
  if (items == nullptr) return false;
  for (std::size_t i = 0; i < items->items.size(); ++i) {
    Fields item(items->items[i], fmt::format("{}[{}]", fields.path_of(name), i), findings);
    each(item);
    item.warn_of_unknown();
  }
  return true;
}

void check_rule(const Fields& fields, const ApiRule& rule, Findings& findings) {
  if (rule.protocol == "grpc") {
    if (!is_grpc_group(rule.name, rule.version))
      findings.warn(fields.node(), fmt::format("no gRPC API is called \"{}\" in version \"{}\"; the rule matches none",
                                               rule.name, rule.version));
  } else if (!iequals(rule.protocol, "http")) {
    findings.warn(fields.node(), "a rule whose protocol is neither http nor grpc applies to nothing");
  }
}

void read_rules(Fields& api, std::string_view name, std::vector<ApiRule>& out, Findings& findings) {
  std::vector<ApiRule> rules;
  const bool given = each_item(api, name, findings, [&](Fields& item) {
    ApiRule rule;
    item.read("name", rule.name);
    item.read("version", rule.version);
    item.read("protocol", rule.protocol);
    check_rule(item, rule, findings);
    rules.push_back(std::move(rule));
  });
  if (given) out = std::move(rules);
}

void read_api(Fields api, ApiAccess& out, Findings& findings) {
  read_rules(api, "allowed", out.allowed, findings);
  read_rules(api, "denied", out.denied, findings);
  api.warn_of_unknown();
}

SecretScope read_scope(Fields& item, Findings& findings) {
  SecretScope scope;
  std::string access;
  item.read("storeName", scope.store);
  item.read("defaultAccess", access);
  item.read("allowedSecrets", scope.allowed);
  item.read("deniedSecrets", scope.denied);
  scope.denies_by_default = iequals(access, "deny");
  if (!access.empty() && !scope.denies_by_default && !iequals(access, "allow"))
    findings.refuse(item.node(), fmt::format("defaultAccess {} can be either allow or deny", access));
  std::ranges::sort(scope.allowed);
  std::ranges::sort(scope.denied);
  return scope;
}

void read_secrets(Fields secrets, std::vector<SecretScope>& out, Findings& findings) {
  std::vector<SecretScope> scopes;
  const bool given = each_item(secrets, "scopes", findings, [&](Fields& item) {
    SecretScope scope = read_scope(item, findings);
    if (std::ranges::find(scopes, scope.store, &SecretScope::store) != scopes.end())
      findings.refuse(item.node(), fmt::format("{} storeName is repeated in secrets configuration", scope.store));
    scopes.push_back(std::move(scope));
  });
  if (given) out = std::move(scopes);
  secrets.warn_of_unknown();
}

// One text as in OTEL_EXPORTER_OTLP_HEADERS, or a list of such texts and of {name, value}.
void read_headers(Fields& otel, OtelSpec& out, Findings& findings) {
  const YamlNode* node = otel.find("headers");
  if (node == nullptr) return;
  std::vector<std::pair<std::string, std::string>> headers;
  const auto take_text = [&](const YamlNode& text) {
    auto parsed = parse_otlp_headers(text.text);
    if (!parsed) return findings.refuse(text, fmt::format("{}: {}", otel.path_of("headers"), parsed.error().message));
    std::ranges::move(*parsed, std::back_inserter(headers));
  };
  if (node->kind == YamlNode::Kind::scalar) {
    if (!node->text.empty()) take_text(*node);
  } else if (otel.list("headers") != nullptr) {
    for (const YamlNode& item : node->items) {
      if (item.kind == YamlNode::Kind::scalar) {
        take_text(item);
        continue;
      }
      Fields header(item, otel.path_of("headers"), findings);
      auto& [name, value] = headers.emplace_back();
      header.read("name", name);
      header.read("value", value);
      if (!is_header(name, value))
        findings.refuse(item, fmt::format("{}: name and value cannot be a header's", otel.path_of("headers")));
      header.warn_of_unknown();
    }
  }
  out.headers = std::move(headers);
}

void read_tracing(Fields tracing, TracingSpec& out, Findings& findings) {
  tracing.read("samplingRate", out.sampling_rate);
  tracing.read("stdout", out.to_stdout);
  Fields zipkin = tracing.section("zipkin");
  zipkin.read("endpointAddress", out.zipkin_endpoint);
  zipkin.warn_of_unknown();
  Fields otel = tracing.section("otel");
  otel.read("protocol", out.otel.protocol);
  otel.read("endpointAddress", out.otel.endpoint);
  otel.read("isSecure", out.otel.is_secure);
  otel.read("timeout", out.otel.timeout);
  read_headers(otel, out.otel, findings);
  otel.warn_of_unknown();
  tracing.warn_of_unknown();
}

// Dapr's library sorts and drops bounds; a histogram here needs them positive and rising.
void read_buckets(Fields& metrics, std::vector<std::int64_t>& out, Findings& findings) {
  constexpr std::string_view kName = "latencyDistributionBuckets";
  std::vector<std::string> texts;
  metrics.read(kName, texts);
  if (texts.empty()) return;
  std::vector<std::int64_t> buckets;
  for (const std::string& text : texts) buckets.push_back(read_integer(text).value_or(0));
  std::erase_if(buckets, [](std::int64_t bound) { return bound <= 0; });
  std::ranges::sort(buckets);
  buckets.erase(std::ranges::unique(buckets).begin(), buckets.end());
  if (buckets.size() != texts.size())
    findings.warn(
        *metrics.find(kName),
        fmt::format("{}: bounds that are no positive integers, or repeated, are dropped", metrics.path_of(kName)));
  out = std::move(buckets);
}

MetricsRule read_metrics_rule(Fields& item, Findings& findings) {
  MetricsRule rule;
  item.read("name", rule.name);
  each_item(item, "labels", findings, [&](Fields& fields) {
    MetricsRule::Label& label = rule.labels.emplace_back();
    fields.read("name", label.name);
    const Fields regex = fields.section("regex");
    for (std::size_t i = 0; i < regex.node().names.size(); ++i)
      label.regex[regex.node().names[i]] = to_text(regex.node().items[i]);
  });
  return rule;
}

void read_metrics(Fields metrics, MetricsPart& out, Findings& findings) {
  metrics.read("enabled", out.enabled);
  metrics.read("recordErrorCodes", out.record_error_codes);
  read_buckets(metrics, out.latency_buckets_ms, findings);
  if (metrics.find("http") != nullptr) {
    Fields http = metrics.section("http");
    if (!out.http) out.http.emplace();
    http.read("increasedCardinality", out.http->increased_cardinality);
    http.read("pathMatching", out.http->path_matching);
    http.read("excludeVerbs", out.http->exclude_verbs);
    http.warn_of_unknown();
  }
  std::vector<MetricsRule> rules;
  if (each_item(metrics, "rules", findings,
                [&](Fields& item) { rules.push_back(read_metrics_rule(item, findings)); })) {
    out.rules = std::move(rules);
    findings.warn(*metrics.find("rules"),
                  fmt::format("{} has no effect in this version: labels are not rewritten", metrics.path_of("rules")));
  }
  metrics.warn_of_unknown();
}

void read_logging(Fields logging, ApiLoggingSpec& out) {
  Fields api = logging.section("apiLogging");
  api.read("enabled", out.enabled);
  api.read("obfuscateURLs", out.obfuscate_urls);
  api.read("omitHealthChecks", out.omit_health_checks);
  api.warn_of_unknown();
  logging.warn_of_unknown();
}

void read_features(Fields& spec, std::vector<std::pair<std::string, bool>>& out, Findings& findings) {
  std::vector<std::pair<std::string, bool>> features;
  const bool given = each_item(spec, "features", findings, [&](Fields& item) {
    auto& [name, enabled] = features.emplace_back();
    item.read("name", name);
    item.read("enabled", enabled);
  });
  if (given) out = std::move(features);
}

void read_spec(Fields spec, Gathered& out, Findings& findings) {
  Configuration& configuration = out.configuration;
  read_api(spec.section("api"), configuration.api, findings);
  read_secrets(spec.section("secrets"), configuration.secret_scopes, findings);
  read_tracing(spec.section("tracing"), configuration.tracing, findings);
  read_metrics(spec.section("metric"), out.metric, findings);
  read_metrics(spec.section("metrics"), out.metrics, findings);
  read_logging(spec.section("logging"), configuration.api_logging);
  read_features(spec, out.features, findings);
  Fields components = spec.section("components");
  components.read("deny", configuration.denied_components);
  components.warn_of_unknown();
  for (const auto& [name, why] : kIgnoredSections)
    if (const YamlNode* node = spec.find(name))
      findings.warn(*node, fmt::format("{} is ignored: {}", spec.path_of(name), why));
  spec.warn_of_unknown();
}

// The first document that holds anything; a warning when more follow.
YamlDocument first_document(std::string_view text, Findings& findings) {
  std::optional<YamlDocument> first;
  for (const YamlDocument& document : split_documents(text)) {
    if (is_blank_yaml(document.text)) continue;
    if (first) {
      findings.warnings.push_back(
          fmt::format("{}: only the first document of a configuration file is read; this one is ignored",
                      at({findings.file, document.line})));
      break;
    }
    first = document;
  }
  return first.value_or(YamlDocument());
}

void warn_of_unset(const std::vector<std::string>& names, Findings& findings) {
  for (const std::string& name : names)
    findings.warnings.push_back(
        fmt::format("{}: the variable {} is not set; nothing takes its place", findings.file, name));
}

Status read_file(const std::string& file, const GetEnvironment& environment, Gathered& out, Findings& findings) {
  const auto text = read_text_file(file);
  if (!text)
    return fail(Errc::invalid_argument, fmt::format("cannot read the configuration file {}: {}. Correct --config.",
                                                    file, text.error().message));
  std::vector<std::string> unset;
  const auto expanded = expand_environment(*text, environment, unset);
  if (!expanded) return fail(with_context(expanded.error(), file));
  warn_of_unset(unset, findings);
  const auto root = parse_yaml(first_document(*expanded, findings));
  if (!root) return fail(Errc::invalid_argument, fmt::format("{}:{}", file, root.error().message));
  Fields fields(*root, "", findings);
  std::string kind = "Configuration";
  fields.read("kind", kind);
  if (kind != "Configuration")
    findings.warn(*root, fmt::format("its kind is \"{}\" and not Configuration; it is read as one", kind));
  const YamlNode* spec = fields.find("spec");
  if (spec != nullptr) read_spec(Fields(*spec, "spec", findings), out, findings);
  if (findings.error) return fail(Errc::invalid_argument, *findings.error);
  return {};
}

MetricsSpec merged(MetricsPart metric, MetricsPart over) {
  MetricsSpec out;
  out.enabled = over.enabled ? over.enabled : metric.enabled;
  out.record_error_codes = over.record_error_codes.value_or(metric.record_error_codes.value_or(false));
  // Not field by field: Dapr replaces `http` as a whole.
  HttpMetrics http = over.http ? std::move(*over.http) : std::move(metric.http).value_or(HttpMetrics());
  out.increased_cardinality = http.increased_cardinality;
  out.exclude_verbs = http.exclude_verbs.value_or(false);
  out.path_matching = std::move(http.path_matching);
  out.latency_buckets_ms =
      std::move(over.latency_buckets_ms.empty() ? metric.latency_buckets_ms : over.latency_buckets_ms);
  out.rules = std::move(over.rules.empty() ? metric.rules : over.rules);
  return out;
}

}  // namespace

bool Configuration::feature_enabled(std::string_view name) const {
  const auto feature = features.find(name);
  return feature != features.end() && feature->second;
}

std::vector<std::string> Configuration::enabled_features() const {
  std::vector<std::string> names;
  for (const auto& [name, enabled] : features)
    if (enabled) names.push_back(name);
  return names;
}

Result<Configuration> load_configurations(std::span<const std::string> files, const GetEnvironment& environment) {
  Gathered gathered;
  Configuration& configuration = gathered.configuration;
  for (const std::string& file : files) {
    Findings findings{file, {}, {}};
    if (auto read = read_file(file, environment, gathered, findings); !read) return fail(std::move(read.error()));
    std::ranges::move(findings.warnings, std::back_inserter(configuration.warnings));
  }
  configuration.metrics = merged(std::move(gathered.metric), std::move(gathered.metrics));
  configuration.features = {{"HotReload", true}, {"WorkflowsRemoteActivityReminder", true}};
  for (const auto& [name, enabled] : gathered.features)
    if (!name.empty()) configuration.features[name] = enabled;
  return std::move(configuration);
}

}  // namespace holdfast::config
