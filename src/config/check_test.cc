#include "config/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace holdfast::config {
namespace {

using state::Setting;
using state::SettingKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::array<Setting, 7> kFields{{
    {.name = "connectionString", .alias = "url", .required = true},
    {.name = "timeout", .kind = SettingKind::duration, .alias = "timeoutInSeconds"},
    {.name = "disableWAL", .kind = SettingKind::boolean},
    {.name = "maxBytes", .kind = SettingKind::bytes},
    {.name = "synchronous", .choices = "OFF NORMAL FULL EXTRA"},
    {.name = "password", .secret = true},
    {.name = "useTokens", .kind = SettingKind::boolean, .refusal = "asks for what is not built"},
}};
constexpr state::StoreType kLite{.type = "state.sqlite", .alias = "state.sqlite3", .settings = kFields};

std::vector<std::string> lines_of(const std::vector<Finding>& findings) {
  std::vector<std::string> lines;
  for (const Finding& finding : findings) lines.push_back(to_line(finding));
  return lines;
}

std::vector<std::string> check(std::string text) {
  return lines_of(check_files(std::array{SourceFile{"a.yaml", std::move(text)}}, KnownTypes({&kLite})));
}

constexpr std::string_view kHead = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: orders\n";

// A component of state.sqlite; the settings begin on line 9 (10 after the connection string).
std::string with_spec(std::string_view more) {
  return std::string(kHead) + "spec:\n  type: state.sqlite\n  version: v1\n" + std::string(more);
}
std::string with_settings(std::string_view items, bool connected = true) {
  return with_spec("  metadata:\n" + std::string(connected ? "  - {name: connectionString, value: x.db}\n" : "") +
                   std::string(items));
}

TEST(Check, AComponentWithoutMistakesHasNoFindings) {
  EXPECT_THAT(check(with_settings("  - {name: TIMEOUT, value: 30s}\n  - {name: disableWAL, value: off}\n"
                                  "  - {name: maxBytes, value: 64Mi}\n  - {name: synchronous, value: full}\n"
                                  "  - {name: keyPrefix, value: none}\n  - {name: consistency, value: session}\n") +
                    "scopes: [app1, app2]\n"),
              IsEmpty());
  EXPECT_THAT(check(""), IsEmpty());
  EXPECT_THAT(check("# nothing\n---\n" + with_settings("") + "\n---\n"), IsEmpty());
}

TEST(Check, SeveralMistakesOfAFileAreNamedInTheOrderOfTheirLines) {
  EXPECT_THAT(check(with_spec("  metadata:\n  - name: conectionString\n    value: x.db\n  - name: timeout\n"
                              "    value: soon\n") +
                    "scope: [a]\n"),
              ElementsAre("a.yaml:8: error: component \"orders\": field \"connectionString\" is required and missing",
                          "a.yaml:9: error: component \"orders\": field \"conectionString\" is not known to "
                          "state.sqlite; did you mean \"connectionString\"?",
                          "a.yaml:12: error: component \"orders\": field \"timeout\" must be a duration such as 500ms "
                          "or 1m30s, or a number of seconds",
                          "a.yaml:13: error: component \"orders\": the document has no field \"scope\"; did you mean "
                          "\"scopes\"?"));
}

struct Mistake {
  const char* name;
  std::string text;
  std::vector<std::string> findings;  // without "a.yaml:" and the subject
};

class CheckFinds : public testing::TestWithParam<Mistake> {};

TEST_P(CheckFinds, TheMistakeAndItsLine) {
  std::vector<std::string> found;
  for (std::string line : check(GetParam().text)) {
    for (const std::string_view part : {"a.yaml:", "component \"orders\": ", "component: "})
      if (const std::size_t at = line.find(part); at != std::string::npos) line.erase(at, part.size());
    found.push_back(std::move(line));
  }
  EXPECT_EQ(found, GetParam().findings);
}

INSTANTIATE_TEST_SUITE_P(
    Document, CheckFinds,
    testing::Values(
        Mistake{"NotYaml", with_settings("") + "\tx: 1\n", {"10: error: not YAML: end of map not found"}},
        Mistake{"NoMapping", "- a\n- b\n", {"1: error: the document is not a mapping of names to values"}},
        Mistake{"NoKind", "apiVersion: dapr.io/v1\n", {"1: error: the document has no \"kind\", such as Component"}},
        Mistake{"KindMisspelt",
                "apiVersion: dapr.io/v1\nkid: Component\n",
                {"2: error: the document has no field \"kid\"; did you mean \"kind\"?"}},
        Mistake{"UnknownKind",
                "kind: component\n",
                {"1: error: the kind \"component\" is not known; did you mean \"Component\"?"}},
        Mistake{"ForeignKind",
                "kind: Subscription\napiVersion: dapr.io/v2alpha1\n",
                {"1: note: a Subscription of Dapr's, which is not read here"}},
        Mistake{"UnknownApiVersion",
                "apiVersion: dapr.io/v2\nkind: Component\nmetadata: {name: orders}\nspec: {type: state.sqlite3, "
                "metadata: [{name: url, value: x}]}\n",
                {"1: error: the apiVersion \"dapr.io/v2\" is not known; did you mean \"dapr.io/v1alpha1\"?"}},
        Mistake{"NothingButTheKind",
                "kind: Component\n",
                {"1: error: the document has no \"apiVersion\"", "1: error: the document has no \"metadata\"",
                 "1: error: the document has no \"spec\""}},
        Mistake{"NoNameAndNoType",
                "apiVersion: dapr.io/v1\nkind: Component\nmetadata:\n  namespace: x\nspec:\n  version: v1\n",
                {"3: error: metadata has no \"name\"", "5: error: spec has no \"type\""}},
        Mistake{"NameThatCannotStandInAPath",
                "apiVersion: dapr.io/v1\nkind: Component\nmetadata:\n  name: a/b\nspec:\n  type: state.sqlite\n  "
                "metadata: [{name: url, value: x}]\n",
                {"4: error: component \"a/b\": its name \"a/b\" must not be \".\" or \"..\" nor contain / % or :"}},
        Mistake{"MisspeltMember",
                "apiVersion: dapr.io/v1\nkind: Component\nmetdata:\n  name: orders\nspec:\n  type: state.sqlite\n  "
                "metadata: [{name: url, value: x}]\n",
                {"3: error: the document has no field \"metdata\"; did you mean \"metadata\"?"}},
        Mistake{"MemberInAnotherCase",
                with_settings("") + "Scopes: [a]\n",
                {"10: error: the document has no field \"Scopes\"; did you mean \"scopes\"?"}},
        Mistake{"SecretStoreInSpec",
                with_settings("") + "  secretStore: vault\n",
                {"10: error: \"secretStore\" does not belong in spec, but in auth"}},
        Mistake{"ScopesInSpec",
                with_settings("") + "  scopes: [a]\n",
                {"10: error: \"scopes\" does not belong in spec, but at the top level of the document"}},
        Mistake{"AuthInSpec",
                with_settings("") + "  auth:\n    secretStore: vault\n",
                {"10: error: \"auth\" does not belong in spec, but at the top level of the document"}},
        Mistake{"InitTimeoutAtTheTop",
                with_settings("") + "initTimeout: 5s\n",
                {"10: error: \"initTimeout\" does not belong in the document, but in spec"}},
        Mistake{"NamesThatLookLikePaths",
                with_settings("") + "metadata.name: v1\nscopes[]: a\n'': x\n",
                {"10: error: the document has no field \"metadata.name\"",
                 "11: error: the document has no field "
                 "\"scopes[]\"; did you mean \"scopes\"?",
                 "12: error: the document has no field \"\""}},
        Mistake{"SettingInSpec",
                with_settings("") + "  disableWAL: true\n",
                {"10: error: \"disableWAL\" is a setting of state.sqlite: make it an entry of spec.metadata, with "
                 "name and value"}},
        Mistake{"SettingAsAMember",
                with_settings("  - timeout: 5s\n"),
                {"10: error: a setting is written as \"name: timeout\" and \"value: ...\""}},
        Mistake{"MemberTwice",
                with_settings("") + "metadata:\n  name: orders\n",
                {"10: error: \"metadata\" is given twice in the document; only the last one counts"}},
        Mistake{"ListsThatAreNone",
                with_spec("  metadata: {url: x}\n") + "scopes: a\n",
                {"8: error: spec.metadata must be a list",
                 "8: error: field \"connectionString\" is required and "
                 "missing",
                 "9: error: scopes must be a list"}},
        Mistake{"SpecThatIsNoMapping",
                std::string(kHead) + "spec: x\n",
                {"5: error: spec must be a mapping of names to values"}},
        Mistake{"TypeThatIsATree",
                std::string(kHead) + "spec: {type: {a: 1}}\n",
                {"5: error: spec.type must be a single value", "5: error: \"{\"a\":1}\" is no type of a component"}},
        Mistake{"BadInitTimeout",
                with_settings("") + "  initTimeout: 5\n",
                {"10: error: spec.initTimeout must be a duration of more than zero such as 500ms or 1m30s"}},
        Mistake{"BadIgnoreErrors",
                with_settings("") + "  ignoreErrors: ture\n",
                {"10: error: spec.ignoreErrors must be true or false"}},
        Mistake{"BadScopes",
                with_settings("") + "scopes:\n- ''\n- a.b\n",
                {"11: error: an entry of scopes is empty",
                 "12: warning: \"a.b\" in scopes matches no application: an app id has no dots"}}),
    [](const auto& info) { return std::string(info.param.name); });

std::string of_type(std::string_view type, std::string_view version = "v1") {
  return std::string(kHead) + "spec:\n  type: " + std::string(type) + "\n  version: " + std::string(version) +
         "\n  metadata:\n  - {name: hosts, value: h}\n";
}

INSTANTIATE_TEST_SUITE_P(
    Type, CheckFinds,
    testing::Values(
        Mistake{"KnownAndNotBuilt",
                of_type("state.cassandra"),
                {"6: warning: state.cassandra is known, not supported yet: this version does not start with it"}},
        Mistake{"OtherSecretStore",
                std::string(kHead) + "spec: {type: secretstores.hashicorp.vault}\n",
                {"5: warning: the type \"secretstores.hashicorp.vault\" is not known"}},
        Mistake{"OtherBuildingBlock",
                of_type("pubsub.redis"),
                {"6: warning: pubsub.redis is of another building block of Dapr; only state stores are served here"}},
        Mistake{"Unknown",
                of_type("state.casandra"),
                {"6: error: the type \"state.casandra\" is not known; did you mean \"state.cassandra\"?"}},
        Mistake{"UnknownAndFarFromAll",
                of_type("state.voldemort"),
                {"6: error: the type \"state.voldemort\" is not "
                 "known"}},
        Mistake{"WithoutCategory",
                of_type("cassandra"),
                {"6: error: \"cassandra\" is no type of a component; did you mean \"state.cassandra\"?"}},
        Mistake{"CategoryInAnotherCase",
                of_type("State.cassandra"),
                {"6: error: \"State.cassandra\" is no type of a component; did you mean \"state.cassandra\"?"}},
        Mistake{"UnknownVersion",
                of_type("state.cassandra", "v3"),
                {"7: error: state.cassandra has no version \"v3\"; there is v1"}},
        Mistake{"UnknownVersionOfSeveral",
                std::string(kHead) +
                    "spec: {type: state.sqlserver, version: v3, metadata: [{name: connectionString, envRef: C}]}\n",
                {"5: error: state.sqlserver has no version \"v3\"; there is v1 and v2"}},
        Mistake{"FieldOfAnotherVersion",
                std::string(kHead) + "spec:\n  type: state.sqlserver\n  version: v1\n  metadata:\n"
                                     "  - {name: connectionString, envRef: C}\n"
                                     "  - {name: bulkGetChunkSize, value: 9}\n",
                {"6: warning: state.sqlserver is known, not supported yet: this version does not start with it",
                 "10: error: field \"bulkGetChunkSize\" is not known to state.sqlserver v1, but to its version v2"}}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Settings, CheckFinds,
    testing::Values(
        Mistake{"Missing", with_spec(""), {"6: error: field \"connectionString\" is required and missing"}},
        Mistake{"Empty",
                with_settings("  - {name: connectionString, value: ''}\n", false),
                {"9: error: field \"connectionString\" is required and empty"}},
        Mistake{"GivenByAlias", with_settings("  - {name: URL, value: x}\n", false), {}},
        Mistake{"GivenByVariable", with_settings("  - {name: url, envRef: DATABASE}\n", false), {}},
        Mistake{"UnknownAndFarFromAll",
                with_settings("  - {name: colour, value: x}\n"),
                {"10: error: field \"colour\" is not known to state.sqlite"}},
        Mistake{"BadInteger",
                std::string(kHead) + "spec: {type: state.cassandra, metadata: [{name: hosts, value: h}, {name: port, "
                                     "value: one}]}\n",
                {"5: warning: state.cassandra is known, not supported yet: this version does not start with it",
                 "5: error: field \"port\" must be an integer"}},
        Mistake{"BadBytes",
                with_settings("  - name: maxBytes\n    value: 64MB\n"),
                {"11: error: field \"maxBytes\" must be a size such as 4096, 64Mi or 1G"}},
        Mistake{"Refused",
                with_settings("  - {name: useTokens, value: 'true'}\n"),
                {"10: error: \"useTokens\" asks for what is not built"}},
        Mistake{"RefusedAndOff", with_settings("  - {name: useTokens, value: 'false'}\n"), {}},
        Mistake{"BadBoolean",
                with_settings("  - name: disableWAL\n    value: ture\n"),
                {"11: error: field \"disableWAL\" must be true or false"}},
        Mistake{"BadChoice",
                with_settings("  - name: synchronous\n    value: sometimes\n"),
                {"11: error: field \"synchronous\" must be OFF, NORMAL, FULL or EXTRA"}},
        Mistake{"BadConsistency",
                with_settings("  - name: consistency\n    value: linear\n"),
                {"11: error: field \"consistency\" must be eventual, consistent-prefix, session, bounded-staleness, "
                 "quorum, caboa or strong"}},
        Mistake{"BadKeyPrefix",
                with_settings("  - name: keyPrefix\n    value: a||b\n"),
                {"11: error: field \"keyPrefix\" must not contain ||"}},
        Mistake{"TemplatesAreNotJudged", with_settings("  - {name: timeout, value: '{appID}'}\n"), {}},
        Mistake{"TwoSpellings",
                with_settings("  - {name: timeout, value: 1s}\n  - {name: Timeout, value: 1s}\n"),
                {"11: error: field \"Timeout\" is given twice, in different spellings, also as \"timeout\"; keep one"}},
        Mistake{"OneSpellingTwice",
                with_settings("  - {name: timeout, value: 1s}\n  - {name: timeout, value: 1s}\n"),
                {"11: warning: field \"timeout\" is given twice; only the last one counts"}},
        Mistake{"TwoNames",
                with_settings("  - {name: url, value: x}\n"),
                {"10: warning: \"url\" and \"connectionString\" name the same field; only one of them counts"}},
        Mistake{"SecretInPlainText",
                with_settings("  - name: password\n    value: hunter2\n"),
                {"11: note: field \"password\" holds a secret in plain text; secretKeyRef takes it from a secret "
                 "store, envRef from the environment"}},
        Mistake{"EmptySecret", with_settings("  - {name: password, value: ''}\n"), {}},
        Mistake{"NoValue",
                with_settings("  - name: timeout\n"),
                {"10: warning: field \"timeout\" has no value, secretKeyRef or envRef"}},
        Mistake{"NoName", with_settings("  - value: x\n"), {"10: error: an entry of spec.metadata has no \"name\""}},
        Mistake{"ValueMisspelt",
                with_settings("  - name: timeout\n    vlaue: 5s\n"),
                {"10: warning: field \"timeout\" has no value, secretKeyRef or envRef",
                 "11: error: an entry of spec.metadata has no field \"vlaue\"; did you mean \"value\"?"}},
        Mistake{"ReservedVariable",
                with_settings("  - {name: password, envRef: DAPR_API_TOKEN}\n"),
                {"10: error: field \"password\": the variable DAPR_API_TOKEN is never given to a component"}},
        Mistake{"ValueAndVariable",
                with_settings("  - {name: timeout, value: 5s, envRef: TIMEOUT}\n"),
                {"10: error: field \"timeout\" has an envRef beside another source; keep one"}},
        Mistake{"Encryption",
                with_settings("  - {name: primaryEncryptionKey, value: '00'}\n"),
                {"10: error: \"primaryEncryptionKey\" asks for encryption, which this version does not have; remove "
                 "the field, or the values would be kept as plain text"}},
        Mistake{"Outbox",
                with_settings("  - {name: outboxPublishTopic, value: t}\n"),
                {"10: error: \"outboxPublishTopic\" asks for an outbox, which this version does not have; remove the "
                 "field, or events would be lost"}}),
    [](const auto& info) { return std::string(info.param.name); });

constexpr std::string_view kVault =
    "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: vault}\nspec: {type: secretstores.vault}\n";
const std::string kReference = "  - name: url\n    secretKeyRef: {name: db}\n";

INSTANTIATE_TEST_SUITE_P(
    Secrets, CheckFinds,
    testing::Values(
        Mistake{"WithoutAStore",
                with_settings(kReference, false),
                {"10: warning: field \"url\" refers to a secret, and no auth.secretStore says where it is: outside "
                 "Kubernetes it stays unset"}},
        Mistake{"OfAStoreThatIsNotThere",
                with_settings(kReference, false) + "auth: {secretStore: vault}\n",
                {"11: error: the secret store \"vault\" is not among these files; the component would wait for it"}},
        Mistake{"BesideAValue",
                with_settings("  - {name: timeout, value: 5s, secretKeyRef: {name: x}}\n"),
                {"10: error: field \"timeout\" has both a value and a secretKeyRef; keep one",
                 "10: warning: field \"timeout\" refers to a secret, and no auth.secretStore says where it is: outside "
                 "Kubernetes it stays unset"}},
        Mistake{"WithoutAName",
                with_settings("  - {name: timeout, secretKeyRef: {key: x}}\n"),
                {"10: error: spec.metadata[].secretKeyRef has no \"name\"",
                 "10: warning: field \"timeout\" refers to a secret, and no auth.secretStore says where it is: outside "
                 "Kubernetes it stays unset"}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Check, ASecretStoreMayBeInAnyOfTheFiles) {
  const KnownTypes known({&kLite});
  const SourceFile orders{"orders.yaml", with_settings(kReference, false) + "auth: {secretStore: vault}\n"};
  const SourceFile vault{"vault.yaml", std::string(kVault)};
  EXPECT_THAT(lines_of(check_files(std::array{orders, vault}, known)),
              ElementsAre(HasSubstr("vault.yaml:5: warning: component \"vault\": the type \"secretstores.vault\"")));
  const SourceFile misspelt{"orders.yaml", with_settings(kReference, false) + "auth: {secretStore: valt}\n"};
  EXPECT_THAT(lines_of(check_files(std::array{misspelt, vault}, known)),
              ElementsAre(HasSubstr("orders.yaml:11: error: component \"orders\": the secret store \"valt\" is not "
                                    "among these files; the component would wait for it; did you mean \"vault\"?"),
                          HasSubstr("vault.yaml")));
}

TEST(Check, TwoComponentsOfOneNameAreFoundAcrossFiles) {
  const std::array files{SourceFile{"a.yaml", with_settings("")}, SourceFile{"b.yaml", with_settings("")}};
  EXPECT_THAT(lines_of(check_files(files, KnownTypes({&kLite}))),
              ElementsAre("b.yaml:4: error: component \"orders\": the name is taken by a.yaml:4"));
}

TEST(Check, ComponentsOfOtherNamespacesMayShareAName) {
  const auto in = [](const char* name_space) {
    return "apiVersion: dapr.io/v1\nkind: Component\nmetadata: {name: orders, namespace: " + std::string(name_space) +
           "}\nspec: {type: state.sqlite, metadata: [{name: url, value: x}]}\n";
  };
  EXPECT_THAT(check(in("a") + "---\n" + in("b")),
              ElementsAre("a.yaml:8: warning: component \"orders\": the name is taken by a.yaml:3, of another "
                          "namespace; without the variable NAMESPACE both are loaded"));
  EXPECT_THAT(check(in("a") + "---\n" + in("''")), ElementsAre(HasSubstr("a.yaml:8: error: ")));
}

TEST(Check, OnlyTheDocumentThatCannotBeReadIsLost) {
  const auto lines = check("kind: [\n---\n" + with_settings("  - {name: colour, value: x}\n"));
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[0], HasSubstr("a.yaml:1: error: not YAML: "));
  EXPECT_THAT(lines[1], HasSubstr("a.yaml:12: error: component \"orders\": field \"colour\""));
}

TEST(Check, ConfigurationsAndResiliencyAreComparedWithTheirFields) {
  EXPECT_THAT(check("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\nspec:\n  tracing:\n"
                    "    samplingrate: '1'\n    otel: {isSecure: maybe}\n  httpPipeline: {handlers: [{name: x}]}\n"
                    "  secrets:\n    scopes:\n    - {defaultAccess: denied}\n"),
              ElementsAre("a.yaml:6: error: configuration \"c\": spec.tracing has no field \"samplingrate\"; did you "
                          "mean \"samplingRate\"?",
                          "a.yaml:7: error: configuration \"c\": spec.tracing.otel.isSecure must be true or false",
                          "a.yaml:11: error: configuration \"c\": spec.secrets.scopes[].defaultAccess must be allow or "
                          "deny",
                          "a.yaml:11: error: configuration \"c\": an entry of spec.secrets.scopes has no "
                          "\"storeName\""));
  EXPECT_THAT(
      check("apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {name: r}\nspec:\n  policies:\n    retries:\n"
            "      fast: {policy: linear, duration: 500, maxRetrys: 3}\n    timeouts: {short: 1 s}\n  targets:\n"
            "    components:\n      orders: {outbound: {retries: fast}}\n"),
      ElementsAre(
          "a.yaml:7: error: resiliency \"r\": spec.policies.retries.fast.policy must be constant or exponential",
          "a.yaml:7: error: resiliency \"r\": spec.policies.retries.fast has no field \"maxRetrys\"; did you "
          "mean \"maxRetries\"?",
          "a.yaml:8: error: resiliency \"r\": spec.policies.timeouts.short must be a duration such as 500ms or "
          "1m30s, or a number of milliseconds",
          HasSubstr("a.yaml:11: error: resiliency \"r\": \"retries\" does not belong in "
                    "spec.targets.components.orders.outbound")));
}

TEST(Check, FindingsOfAFileAreBoundedAndTheRestIsCounted) {
  std::string items;
  for (std::size_t i = 0; i < kFindingsMax + 20; ++i) items += "  - {name: f" + std::to_string(i) + ", value: x}\n";
  const auto findings = check_files(std::array{SourceFile{"a.yaml", with_settings(items)}}, KnownTypes({&kLite}));
  ASSERT_EQ(findings.size(), kFindingsMax + 1);
  EXPECT_EQ(to_line(findings.back()), "a.yaml: error: 20 more findings of this file are left out");
  EXPECT_EQ(findings.back().severity, Severity::error);
}

TEST(Check, FindingsCarryTheFieldAndTheWordThatWasMeant) {
  const auto findings = check_files(std::array{SourceFile{"a.yaml", with_settings("  - {name: timeot, value: x}\n")}},
                                    KnownTypes({&kLite}));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].file, "a.yaml");
  EXPECT_EQ(findings[0].line, 10);
  EXPECT_EQ(findings[0].subject, "component \"orders\"");
  EXPECT_EQ(findings[0].field, "timeot");
  EXPECT_EQ(findings[0].suggestion, "timeout");
}

}  // namespace
}  // namespace holdfast::config
