#include "config/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/expand.h"

namespace holdfast::config {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

// Configuration files in a directory of their own, and an environment, both gone at the end.
class LoadConfigurations : public testing::Test {
 protected:
  LoadConfigurations() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-configuration-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~LoadConfigurations() override { std::filesystem::remove_all(directory_); }

  GetEnvironment environment() {
    return [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      if (found == variables_.end()) return std::nullopt;
      return found->second;
    };
  }

  // Adds a file with these lines under `spec:`, which is line 3.
  void add(const std::string& spec) { add_file("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nspec:\n" + spec); }
  void add_file(const std::string& text) {
    files_.push_back((directory_ / (std::to_string(files_.size()) + ".yaml")).string());
    std::ofstream(files_.back(), std::ios::binary) << text;
  }

  Configuration load() {
    auto loaded = load_configurations(files_, environment());
    if (!loaded) ADD_FAILURE() << loaded.error().message;
    return loaded ? std::move(*loaded) : Configuration();
  }
  std::string error() {
    const auto loaded = load_configurations(files_, environment());
    return loaded ? "no error" : loaded.error().message;
  }

  std::filesystem::path directory_;
  std::vector<std::string> files_;
  std::map<std::string, std::string> variables_;
};

TEST_F(LoadConfigurations, WithoutFilesTheDefaultsHold) {
  const Configuration configuration = load();
  EXPECT_EQ(configuration.api, ApiAccess());
  EXPECT_EQ(configuration.tracing, TracingSpec());
  EXPECT_TRUE(configuration.tracing.otel.is_secure);
  EXPECT_EQ(configuration.metrics, MetricsSpec());
  EXPECT_TRUE(configuration.feature_enabled("HotReload"));
  EXPECT_FALSE(configuration.feature_enabled("ActorStateTTL"));
  EXPECT_THAT(configuration.enabled_features(), ElementsAre("HotReload", "WorkflowsRemoteActivityReminder"));
  EXPECT_THAT(configuration.warnings, IsEmpty());
}

TEST_F(LoadConfigurations, ReadsEveryFieldOfAStateSidecar) {
  add("  api:\n    allowed:\n    - {name: state, version: v1, protocol: http}\n"
      "    denied:\n    - {name: shutdown, version: v1, protocol: grpc}\n"
      "  secrets:\n    scopes:\n    - storeName: vault\n      defaultAccess: Deny\n      allowedSecrets: [b, a]\n"
      "      deniedSecrets: [c]\n"
      "  components:\n    deny: [state.redis/v1, pubsub.kafka]\n"
      "  tracing:\n    samplingRate: 0.5\n    stdout: true\n    zipkin: {endpointAddress: 'http://zipkin'}\n"
      "    otel:\n      protocol: http\n      endpointAddress: collector:4318\n      isSecure: false\n"
      "      headers: [{name: a, value: b}, 'c=d%20e']\n      timeout: 2s\n"
      "  logging:\n    apiLogging: {enabled: true, obfuscateURLs: yes, omitHealthChecks: true}\n"
      "  features:\n  - {name: HotReload, enabled: false}\n  - {name: Mine, enabled: true}\n");
  const Configuration configuration = load();
  EXPECT_THAT(configuration.api.allowed, ElementsAre(ApiRule{"state", "v1", "http"}));
  EXPECT_THAT(configuration.api.denied, ElementsAre(ApiRule{"shutdown", "v1", "grpc"}));
  EXPECT_THAT(configuration.secret_scopes, ElementsAre(SecretScope{"vault", true, {"a", "b"}, {"c"}}));
  EXPECT_THAT(configuration.denied_components, ElementsAre("state.redis/v1", "pubsub.kafka"));
  const TracingSpec& tracing = configuration.tracing;
  EXPECT_EQ(tracing.sampling_rate, "0.5");
  EXPECT_TRUE(tracing.to_stdout);
  EXPECT_EQ(tracing.zipkin_endpoint, "http://zipkin");
  EXPECT_EQ(tracing.otel.protocol, "http");
  EXPECT_EQ(tracing.otel.endpoint, "collector:4318");
  EXPECT_FALSE(tracing.otel.is_secure);
  EXPECT_THAT(tracing.otel.headers, ElementsAre(Pair("a", "b"), Pair("c", "d e")));
  EXPECT_EQ(tracing.otel.timeout, std::chrono::seconds(2));
  EXPECT_EQ(configuration.api_logging, (ApiLoggingSpec{true, true, true}));
  EXPECT_THAT(configuration.enabled_features(), ElementsAre("Mine", "WorkflowsRemoteActivityReminder"));
  EXPECT_THAT(configuration.warnings, IsEmpty());
}

TEST_F(LoadConfigurations, FieldsOfMetricsOverrideThoseOfMetric) {
  add("  metrics:\n    enabled: false\n    http: {increasedCardinality: false}\n"
      "  metric:\n    enabled: true\n    http: {excludeVerbs: true, pathMatching: [/a]}\n    recordErrorCodes: true\n"
      "    latencyDistributionBuckets: [5, 10]\n"
      "    rules:\n    - name: latency\n      labels:\n      - name: method\n        regex: {orders: 'orders/.+'}\n");
  const Configuration configuration = load();
  const MetricsSpec& metrics = configuration.metrics;
  EXPECT_THAT(configuration.warnings, ElementsAre(HasSubstr("spec.metric.rules has no effect in this version")));
  EXPECT_EQ(metrics.enabled, false);
  EXPECT_EQ(metrics.increased_cardinality, false);
  EXPECT_FALSE(metrics.exclude_verbs) << "http is replaced as a whole";
  EXPECT_THAT(metrics.path_matching, IsEmpty());
  EXPECT_TRUE(metrics.record_error_codes);
  EXPECT_THAT(metrics.latency_buckets_ms, ElementsAre(5, 10));
  ASSERT_THAT(metrics.rules, SizeIs(1));
  ASSERT_THAT(metrics.rules[0].labels, SizeIs(1));
  EXPECT_THAT(metrics.rules[0].labels[0].regex, ElementsAre(Pair("orders", "orders/.+")));
}

TEST_F(LoadConfigurations, LaterFilesReplaceFieldsAndWholeLists) {
  add("  tracing: {samplingRate: '1', stdout: true}\n  components: {deny: [a, b]}\n"
      "  metric: {enabled: false}\n");
  add("  tracing: {samplingRate: '0'}\n  components: {deny: [c]}\n  metrics:\n");
  const Configuration configuration = load();
  EXPECT_EQ(configuration.tracing.sampling_rate, "0");
  EXPECT_TRUE(configuration.tracing.to_stdout);
  EXPECT_THAT(configuration.denied_components, ElementsAre("c"));
  EXPECT_EQ(configuration.metrics.enabled, false);
}

TEST_F(LoadConfigurations, BucketsBecomePositiveAndRising) {
  add("  metric:\n    latencyDistributionBuckets: [10, 0, 5, x, 10, -1]\n");
  const Configuration configuration = load();
  EXPECT_THAT(configuration.metrics.latency_buckets_ms, ElementsAre(5, 10));
  EXPECT_THAT(configuration.warnings, ElementsAre(HasSubstr("0.yaml:5: spec.metric.latencyDistributionBuckets")));
}

TEST_F(LoadConfigurations, WhatIsIgnoredIsNamedWithItsLine) {
  add("  httpPipeline: {handlers: []}\n  appHttpPipeline: {handlers: []}\n  accessControl: {defaultAction: deny}\n"
      "  mtls: {enabled: true}\n  nameResolution: {component: x}\n  wasm: {strictSandbox: true}\n"
      "  workflow: {}\n  telemetry: {}\n  tracing:\n    rate: 1\n");
  EXPECT_THAT(
      load().warnings,
      ElementsAre(HasSubstr("0.yaml:13: spec.tracing.rate is no field that this version knows"),
                  HasSubstr("0.yaml:4: spec.httpPipeline is ignored: requests pass no HTTP middleware"),
                  HasSubstr("0.yaml:5: spec.appHttpPipeline is ignored"),
                  HasSubstr("0.yaml:6: spec.accessControl is ignored"), HasSubstr("0.yaml:7: spec.mtls is ignored"),
                  HasSubstr("0.yaml:8: spec.nameResolution is ignored"), HasSubstr("0.yaml:9: spec.wasm is ignored"),
                  HasSubstr("0.yaml:10: spec.workflow is ignored"),
                  HasSubstr("0.yaml:11: spec.telemetry is no field that this version knows")));
}

TEST_F(LoadConfigurations, RulesThatMatchNothingAreNamed) {
  add("  api:\n    denied:\n    - {name: state, version: v1.0, protocol: grpc}\n"
      "    - {name: state, version: v1, protocol: GRPC}\n    - {name: state, version: v1, protocol: HTTP}\n");
  EXPECT_THAT(load().warnings, ElementsAre(HasSubstr("0.yaml:6: no gRPC API is called \"state\" in version \"v1.0\""),
                                           HasSubstr("0.yaml:7: a rule whose protocol is neither http nor grpc")));
}

TEST_F(LoadConfigurations, ValuesOfTheWrongKindAreErrorsWithTheirPlace) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"  tracing: [a]\n", "0.yaml:4: spec.tracing is not a mapping of names to values"},
      {"  tracing: {stdout: perhaps}\n", "0.yaml:4: spec.tracing.stdout is neither true nor false"},
      {"  tracing: {samplingRate: [1]}\n", "0.yaml:4: spec.tracing.samplingRate is not a text"},
      {"  tracing: {otel: {timeout: soon}}\n", "spec.tracing.otel.timeout is neither a duration"},
      {"  tracing: {otel: {timeout: [1]}}\n", "spec.tracing.otel.timeout is neither a duration"},
      {"  tracing: {otel: {timeout: 9223372036854775807}}\n", "spec.tracing.otel.timeout is neither a duration"},
      {"  tracing: {otel: {headers: 'a'}}\n", "spec.tracing.otel.headers: header 1 has no ="},
      {"  tracing: {otel: {headers: ['a=b,c d=e']}}\n", "spec.tracing.otel.headers: header 2 is none"},
      {"  tracing: {otel: {headers: {a: b}}}\n", "spec.tracing.otel.headers is not a list"},
      {"  tracing: {otel: {headers: [{name: 'a b', value: c}]}}\n", "cannot be a header's"},
      {"  tracing: {otel: {headers: [[a]]}}\n", "spec.tracing.otel.headers is not a mapping"},
      {"  components: {deny: state.redis}\n", "0.yaml:4: spec.components.deny is not a list"},
      {"  components: {deny: [[a]]}\n", "0.yaml:4: spec.components.deny is not a list of texts"},
      {"  api: {allowed: [state]}\n", "0.yaml:4: spec.api.allowed[0] is not a mapping"},
      {"  features: {HotReload: true}\n", "0.yaml:4: spec.features is not a list"},
      {"  api: {allowed: [}\n", "0.yaml:4: "},
  };
  for (const auto& [spec, text] : cases) {
    files_.clear();
    add(spec);
    EXPECT_THAT(error(), HasSubstr(text)) << spec;
    EXPECT_THAT(error(), HasSubstr("0.yaml:4: ")) << spec;
  }
}

TEST_F(LoadConfigurations, ADocumentThatIsNoConfigurationIsAnError) {
  add_file("- a\n");
  EXPECT_THAT(error(), EndsWith("0.yaml:1: it is not a mapping of names to values"));
}

TEST_F(LoadConfigurations, SecretScopesAreCheckedAsInDapr) {
  add("  secrets:\n    scopes:\n    - storeName: a\n      defaultAccess: maybe\n");
  EXPECT_THAT(error(), EndsWith("0.yaml:6: defaultAccess maybe can be either allow or deny"));
  files_.clear();
  add("  secrets:\n    scopes:\n    - {storeName: a}\n    - {storeName: b}\n    - {storeName: a}\n");
  EXPECT_THAT(error(), EndsWith("0.yaml:8: a storeName is repeated in secrets configuration"));
}

TEST_F(LoadConfigurations, AFileThatCannotBeReadIsNamed) {
  files_.push_back((directory_ / "none.yaml").string());
  EXPECT_THAT(error(), HasSubstr("none.yaml: it does not exist. Correct --config."));
  files_ = {directory_.string()};
  EXPECT_THAT(error(), HasSubstr("it is not a regular file"));
}

TEST_F(LoadConfigurations, OnlyTheFirstDocumentOfAFileIsRead) {
  add_file("# a comment\n---\nkind: Configuration\nspec: {tracing: {samplingRate: '1'}}\n---\nkind: Component\n");
  const Configuration configuration = load();
  EXPECT_EQ(configuration.tracing.sampling_rate, "1");
  EXPECT_THAT(configuration.warnings, ElementsAre(HasSubstr("0.yaml:6: only the first document")));
}

TEST_F(LoadConfigurations, AnEmptyFileAndAnotherKindAreNoErrors) {
  add_file("");
  add_file("kind: Component\n");
  EXPECT_THAT(load().warnings, ElementsAre(HasSubstr("1.yaml:1: its kind is \"Component\"")));
}

TEST_F(LoadConfigurations, VariablesAreReplacedBeforeParsing) {
  variables_ = {{"RATE", "0.25"}, {"SECTION", "stdout: true"}};
  add("  tracing:\n    samplingRate: \"$RATE\"\n    ${SECTION}\n    zipkin: {endpointAddress: a$MISSING}\n");
  const Configuration configuration = load();
  EXPECT_EQ(configuration.tracing.sampling_rate, "0.25");
  EXPECT_TRUE(configuration.tracing.to_stdout);
  EXPECT_EQ(configuration.tracing.zipkin_endpoint, "a");
  EXPECT_THAT(configuration.warnings, ElementsAre(HasSubstr("0.yaml: the variable MISSING is not set")));
}

struct Expansion {
  const char* text;
  const char* expanded;
};

TEST(ExpandEnvironment, ReplacesAsGoDoes) {
  const GetEnvironment environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "A") return "$B";
    if (name == "LONG_1" || name == "with space") return "x";
    return std::nullopt;
  };
  for (const auto& [text, expanded] : {
           Expansion{"", ""},
           Expansion{"no variable", "no variable"},
           Expansion{"$A.$A", "$B.$B"},
           Expansion{"${A}s", "$Bs"},
           Expansion{"$LONG_1-", "x-"},
           Expansion{"$LONG_1a", ""},
           Expansion{"${with space}", "x"},
           Expansion{"$", "$"},
           Expansion{"a$ b", "a$ b"},
           Expansion{"$$", ""},
           Expansion{"${}a", "a"},
           Expansion{"${A", "A"},
           Expansion{"$1x", "x"},
           Expansion{"${?}x", "x"},
           Expansion{"^a$\"", "^a$\""},
       }) {
    std::vector<std::string> unset;
    EXPECT_EQ(expand_environment(text, environment, unset).value(), expanded) << text;
  }
}

TEST(ExpandEnvironment, NamesWhatIsNotSetOnce) {
  std::vector<std::string> unset;
  const auto nothing = [](const std::string&) { return std::optional<std::string>(); };
  EXPECT_EQ(expand_environment("$X$Y${X}", nothing, unset).value(), "");
  EXPECT_THAT(unset, ElementsAre("X", "Y"));
}

TEST(ExpandEnvironment, StopsAtABound) {
  std::vector<std::string> unset;
  const auto large = [](const std::string&) { return std::optional<std::string>(std::string(1 << 20, 'x')); };
  const auto expanded = expand_environment("$A$A$A$A$A$A", large, unset);
  ASSERT_FALSE(expanded);
  EXPECT_THAT(expanded.error().message, HasSubstr("more than 4194304 bytes"));
}

class TracingEnvironment : public LoadConfigurations {};

TEST_F(TracingEnvironment, FillsInAnEndpointThatIsNotConfigured) {
  variables_ = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4317"},
                {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces:4318"},
                {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"},
                {"OTEL_EXPORTER_OTLP_INSECURE", "true"},
                {"OTEL_EXPORTER_OTLP_HEADERS", "a=b, c = d%3D "},
                {"OTEL_EXPORTER_OTLP_TIMEOUT", "1500"}};
  TracingSpec tracing;
  ASSERT_TRUE(apply_tracing_environment(tracing, environment()));
  EXPECT_EQ(tracing.otel.endpoint, "traces:4318");
  EXPECT_EQ(tracing.sampling_rate, "1");
  EXPECT_EQ(tracing.otel.protocol, "http");
  EXPECT_FALSE(tracing.otel.is_secure);
  EXPECT_THAT(tracing.otel.headers, ElementsAre(Pair("a", "b"), Pair("c", "d=")));
  EXPECT_EQ(tracing.otel.timeout, Milliseconds(1500));
}

TEST_F(TracingEnvironment, LeavesAConfiguredEndpointAlone) {
  variables_ = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4317"}, {"OTEL_EXPORTER_OTLP_TIMEOUT", "x"}};
  TracingSpec tracing;
  tracing.otel.endpoint = "mine:4317";
  const TracingSpec before = tracing;
  ASSERT_TRUE(apply_tracing_environment(tracing, environment()));
  EXPECT_EQ(tracing, before);
}

TEST_F(TracingEnvironment, KeepsAConfiguredRateAndSpeaksGrpcUnlessTold) {
  variables_ = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "general:4317"}, {"OTEL_EXPORTER_OTLP_INSECURE", "1"}};
  TracingSpec tracing;
  tracing.sampling_rate = "0.1";
  ASSERT_TRUE(apply_tracing_environment(tracing, environment()));
  EXPECT_EQ(tracing.sampling_rate, "0.1");
  EXPECT_EQ(tracing.otel.protocol, "grpc");
  EXPECT_TRUE(tracing.otel.is_secure);
}

TEST_F(TracingEnvironment, WithoutVariablesNothingChanges) {
  TracingSpec tracing;
  ASSERT_TRUE(apply_tracing_environment(tracing, environment()));
  EXPECT_EQ(tracing, TracingSpec());
}

TEST_F(TracingEnvironment, WhatCannotBeReadIsNamedAndNotQuoted) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "s3cret"},    {"OTEL_EXPORTER_OTLP_HEADERS", "=s3cret"},
      {"OTEL_EXPORTER_OTLP_HEADERS", "a=s3cret%zz"},      {"OTEL_EXPORTER_OTLP_HEADERS", "a=b,"},
      {"OTEL_EXPORTER_OTLP_HEADERS", "a=s3cret%0d%0ab:"}, {"OTEL_EXPORTER_OTLP_TIMEOUT", "10s3cret"}};
  for (const auto& [name, value] : cases) {
    variables_ = {{name, value}};
    TracingSpec tracing;
    const auto applied = apply_tracing_environment(tracing, environment());
    ASSERT_FALSE(applied) << value;
    EXPECT_THAT(applied.error().message, HasSubstr(name));
    EXPECT_THAT(applied.error().message, Not(HasSubstr("s3cret")));
  }
}

}  // namespace
}  // namespace holdfast::config
