#include "config/components.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

namespace holdfast::config {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

// A directory of component files, and an environment, both gone at the end.
class LoadResources : public testing::Test {
 protected:
  LoadResources() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-components-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    options_.app_id = "app1";
    options_.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      if (found == environment_.end()) return std::nullopt;
      return found->second;
    };
    options_.make_uuid = [this] { return "uuid-" + std::to_string(++uuids_); };
  }
  ~LoadResources() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name, std::ios::binary) << text;
  }

  // A component document; `more` is put under spec.
  static std::string component(const std::string& name, const std::string& more = "",
                               const std::string& type = "state.sqlite") {
    return "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: " + name + "\nspec:\n  type: " + type +
           "\n  version: v1\n" + more;
  }
  static std::string with_properties(const std::string& items) { return component("orders", "  metadata:\n" + items); }

  Resources load() {
    auto resources = load_resources({directory_.string()}, options_);
    if (!resources) {
      ADD_FAILURE() << resources.error().message;
      return {};
    }
    return std::move(*resources);
  }
  std::string error() {
    const auto resources = load_resources({directory_.string()}, options_);
    return resources ? "no error" : resources.error().message;
  }
  static std::vector<std::string> names_of(const std::vector<state::Component>& components) {
    std::vector<std::string> names;
    for (const auto& one : components) names.push_back(one.name);
    return names;
  }

  std::filesystem::path directory_;
  std::map<std::string, std::string> environment_;
  LoadOptions options_;
  int uuids_ = 0;
};

TEST_F(LoadResources, ReadsAComponent) {
  write("orders.yaml",
        "apiVersion: dapr.io/v1\nkind: Component\nmetadata:\n  name: orders\n  namespace: default\nspec:\n"
        "  type: state.sqlite\n  version: v1\n  ignoreErrors: true\n  initTimeout: 1m\n  metadata:\n"
        "  - name: connectionString\n    value: \"data.db\"\n  - name: timeout\n    value: 30\n"
        "  - name: disableWAL\n    value: true\n  - name: extra\n    value: {b: 1, a: [x]}\n  - name: empty\n"
        "    value:\nscopes:\n- app1\n- app2\n");
  const Resources resources = load();
  ASSERT_THAT(resources.state_stores, SizeIs(1));
  const state::Component& orders = resources.state_stores[0];
  EXPECT_EQ(orders.name, "orders");
  EXPECT_EQ(orders.type, "state.sqlite");
  EXPECT_EQ(orders.version, "v1");
  EXPECT_TRUE(orders.ignore_errors);
  EXPECT_EQ(orders.init_timeout, std::chrono::minutes(1));
  EXPECT_THAT(orders.properties,
              ElementsAre(Pair("connectionString", "data.db"), Pair("timeout", "30"), Pair("disableWAL", "true"),
                          Pair("extra", R"({"a":["x"],"b":1})"), Pair("empty", "")));
  EXPECT_THAT(orders.scopes, ElementsAre("app1", "app2"));
  EXPECT_THAT(orders.file, EndsWith("/orders.yaml"));
  EXPECT_EQ(orders.line, 1);
  EXPECT_THAT(resources.warnings, IsEmpty());
}

TEST_F(LoadResources, TakesFilesInNameOrderAndDocumentsInFileOrder) {
  write("b.yml", component("b1") + "\n---\n" + component("b2"));
  write("a.YAML", component("a"));
  write("sub/c.yaml", component("c"));
  write("notes.txt", "x");
  const Resources resources = load();
  EXPECT_THAT(names_of(resources.state_stores), ElementsAre("a", "b1", "b2"));
  EXPECT_EQ(resources.state_stores[2].line, 10);
  EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("notes.txt: not a .yaml or .yml file")));
}

TEST_F(LoadResources, AMissingDirectoryIsFatal) {
  const auto resources = load_resources({(directory_ / "nosuch").string()}, options_);
  ASSERT_FALSE(resources);
  EXPECT_THAT(resources.error().message, HasSubstr("failed to load components: cannot read the directory"));
  EXPECT_THAT(resources.error().message, HasSubstr("nosuch"));
}

TEST_F(LoadResources, OnlyTheDocumentThatDoesNotParseIsSkipped) {
  write("a.yaml", component("good") + "---\nkind: [Component\n---\n" + component("fine"));
  const Resources resources = load();
  EXPECT_THAT(names_of(resources.state_stores), ElementsAre("good", "fine"));
  ASSERT_THAT(resources.warnings, SizeIs(1));
  EXPECT_THAT(resources.warnings[0], HasSubstr("a.yaml:9: "));
  EXPECT_THAT(resources.warnings[0], HasSubstr("this document is skipped"));
}

TEST_F(LoadResources, OtherKindsAreLeftToOthersAndOtherVersionsAreNamed) {
  write("a.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\n---\n# nothing\n---\njust text\n---\n"
        "apiVersion: dapr.io/v2\nkind: Component\nmetadata: {name: x}\n");
  const Resources resources = load();
  EXPECT_THAT(resources.state_stores, IsEmpty());
  EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("a.yaml:6: this document is skipped: it is not a mapping"),
                                              HasSubstr("its apiVersion is \"dapr.io/v2\"")));
}

TEST_F(LoadResources, ComponentsOfADeniedTypeAreLeftOutAndNamed) {
  options_.is_denied = [](std::string_view type, std::string_view version) {
    return type == "state.redis" && version == "v1";
  };
  write("a.yaml", component("theirs", "", "state.redis") + "---\n" + component("ours"));
  const Resources resources = load();
  EXPECT_THAT(names_of(resources.state_stores), ElementsAre("ours"));
  EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("a.yaml:1: Component theirs (state.redis/v1): the "
                                                        "Configuration's components.deny forbids its type")));
  write("a.yaml", component("one", "", "state.redis") + "---\n" + component("one"));
  EXPECT_THAT(error(), HasSubstr("duplicate definition of Component name one")) << "its name is taken all the same";
}

TEST_F(LoadResources, NamesThatCannotStandInAPathAreSkipped) {
  for (const char* name : {"'.'", "'..'", "a/b", "a%b", "'a:b'", "''"}) {
    write("a.yaml", component(name));
    const Resources resources = load();
    EXPECT_THAT(resources.state_stores, IsEmpty()) << name;
    EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("a.yaml:1: this document is skipped"))) << name;
  }
}

TEST_F(LoadResources, MalformedPartsAreNamedWithTheirLine) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {with_properties("  - value: x\n"), "a.yaml:9: this document is skipped: an entry of spec.metadata has no name"},
      {component("a", "  metadata: {x: 1}\n"), "a.yaml:8: this document is skipped: spec.metadata is not a list"},
      {component("a") + "scopes: app1\n", "a.yaml:8: this document is skipped: scopes is not a list"}};
  for (const auto& [text, warning] : cases) {
    write("a.yaml", text);
    const Resources resources = load();
    EXPECT_THAT(resources.state_stores, IsEmpty()) << text;
    EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr(warning)));
  }
}

TEST_F(LoadResources, AnInitTimeoutThatIsNoneIsFiveSeconds) {
  for (const char* timeout : {"soon", "-1s", "0s", "5"}) {
    write("a.yaml", component("a", "  initTimeout: '" + std::string(timeout) + "'\n"));
    const Resources resources = load();
    ASSERT_THAT(resources.state_stores, SizeIs(1));
    EXPECT_EQ(resources.state_stores[0].init_timeout, std::chrono::seconds(5)) << timeout;
    EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("initTimeout"))) << timeout;
  }
}

TEST_F(LoadResources, NamespaceFiltersOnlyWhenBothSidesHaveOne) {
  const std::string in_other =
      "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: x, namespace: other}\n"
      "spec: {type: state.sqlite}\n";
  write("a.yaml", in_other + "---\n" + component("plain"));
  EXPECT_THAT(names_of(load().state_stores), ElementsAre("x", "plain"));
  environment_["NAMESPACE"] = "prod";
  EXPECT_THAT(names_of(load().state_stores), ElementsAre("plain"));
  environment_["NAMESPACE"] = "other";
  EXPECT_THAT(names_of(load().state_stores), ElementsAre("x", "plain"));
}

TEST_F(LoadResources, ComponentsForOtherAppsAreLeftOut) {
  write("a.yaml", component("theirs") + "scopes: [app2]\n---\n" + component("ours") + "scopes: [app2, app1]\n");
  EXPECT_THAT(names_of(load().state_stores), ElementsAre("ours"));
}

TEST_F(LoadResources, TwoOfOneNameAreFatalWhateverTheirType) {
  write("a.yaml", component("orders"));
  write("b.yaml", component("orders", "", "pubsub.redis") + "scopes: [app2]\n");
  EXPECT_THAT(error(), HasSubstr("failed to load components: duplicate definition of Component name orders "
                                 "(pubsub.redis/v1) with existing orders (state.sqlite/v1)"));
}

TEST_F(LoadResources, AnEarlierOneForOtherAppsIsNoDuplicate) {
  write("a.yaml", component("orders") + "scopes: [app2]\n");
  write("b.yaml", component("orders", "", "state.redis"));
  const Resources resources = load();
  ASSERT_THAT(resources.state_stores, SizeIs(1));
  EXPECT_EQ(resources.state_stores[0].type, "state.redis");
}

TEST_F(LoadResources, OtherBuildingBlocksAreNamedAndUnknownOnesFatal) {
  write("a.yaml", component("bus", "", "pubsub.redis"));
  const Resources resources = load();
  EXPECT_THAT(names_of(resources.others), ElementsAre("bus"));
  EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("Component bus (pubsub.redis/v1): only state stores")));
  write("a.yaml", component("x", "", "State.sqlite"));
  EXPECT_THAT(error(), HasSubstr("process component x error: incorrect type State.sqlite"));
  write("a.yaml", component("x", "  ignoreErrors: true\n", "stat.sqlite"));
  EXPECT_THAT(load().warnings, ElementsAre(HasSubstr("as ignoreErrors says")));
}

TEST_F(LoadResources, TemplatesAreFilledInOnce) {
  environment_["POD_NAME"] = "pod{appID}";
  write("a.yaml",
        with_properties("  - {name: a, value: 'x{uuid}y{uuid}'}\n  - {name: b, value: '{podName}-{appID}'}\n"
                        "  - {name: c, value: '{namespace}'}\n  - {name: d, value: '{other} { {{uuid} {uui'}\n"));
  EXPECT_THAT(load().state_stores.at(0).properties,
              ElementsAre(Pair("a", "xuuid-1yuuid-2"), Pair("b", "pod{appID}-app1"), Pair("c", "default.app1"),
                          Pair("d", "{other} { {uuid-3 {uui")));
  environment_["NAMESPACE"] = "prod";
  EXPECT_THAT(load().state_stores.at(0).properties, Contains(Pair("c", "prod.app1")));
}

TEST_F(LoadResources, APodNameThatIsNotThereIsFatal) {
  write("a.yaml", with_properties("  - {name: a, value: '{podName}'}\n"));
  EXPECT_THAT(error(), HasSubstr("process component orders error: [INIT_COMPONENT_FAILURE]"));
  EXPECT_THAT(error(), HasSubstr("POD_NAME is not set"));
}

TEST_F(LoadResources, EnvironmentReferencesAreReadUnlessBlocked) {
  environment_ = {{"DB_PATH", "from env"}, {"DAPR_API_TOKEN", "t"}, {"APP_API_TOKEN", "t"}, {"A B", "t"}};
  const std::string text = with_properties(
      "  - {name: a, envRef: DB_PATH}\n  - {name: b, envRef: dapr_api_token}\n  - {name: c, envRef: APP_API_TOKEN}\n"
      "  - {name: d, envRef: 'A B'}\n  - {name: e, value: own, envRef: DB_PATH}\n  - {name: f, envRef: NOT_SET}\n");
  write("a.yaml", text);
  const Resources resources = load();
  EXPECT_THAT(resources.state_stores.at(0).properties, ElementsAre(Pair("a", "from env"), Pair("b", ""), Pair("c", ""),
                                                                   Pair("d", ""), Pair("e", "own"), Pair("f", "")));
  EXPECT_THAT(resources.warnings,
              ElementsAre(HasSubstr("isn't allowed: dapr_api_token"), HasSubstr("isn't allowed: APP_API_TOKEN"),
                          HasSubstr("isn't allowed: A B"), HasSubstr("NOT_SET is not set")));
  for (const std::string& warning : resources.warnings) EXPECT_THAT(warning, Not(HasSubstr("from env")));
}

TEST_F(LoadResources, AnAllowListOfVariablesIsObeyed) {
  environment_ = {{"DB_PATH", "1"}, {"DB", "2"}, {"OTHER", "3"}, {"DAPR_ENV_KEYS", "DB_PATH OTHER"}};
  write("a.yaml",
        with_properties("  - {name: a, envRef: DB_PATH}\n  - {name: b, envRef: DB}\n  - {name: c, envRef: OTHER}\n"));
  EXPECT_THAT(load().state_stores.at(0).properties, ElementsAre(Pair("a", "1"), Pair("b", ""), Pair("c", "3")));
}

TEST_F(LoadResources, AComponentWaitingForASecretStoreIsParked) {
  write("a.yaml", with_properties("  - name: password\n    secretKeyRef: {name: db}\n") +
                      "auth: {secretStore: vault}\n---\n" + component("plain"));
  const Resources resources = load();
  EXPECT_THAT(names_of(resources.state_stores), ElementsAre("plain"));
  ASSERT_THAT(resources.parked, SizeIs(1));
  EXPECT_EQ(resources.parked[0].component.name, "orders");
  EXPECT_EQ(resources.parked[0].secret_store, "vault");
  EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("references a secret store that isn't loaded: vault")));
}

TEST_F(LoadResources, ASecretWithoutAStoreLeavesThePropertyUnset) {
  write("a.yaml", with_properties("  - name: password\n    secretKeyRef: {name: db}\n  - {name: a, value: b}\n"));
  const Resources resources = load();
  EXPECT_THAT(resources.state_stores.at(0).properties, ElementsAre(Pair("a", "b")));
  EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("needs auth.secretStore")));
}

// Knows one secret: db / password in the store "vault".
class FakeSecrets final : public SecretResolver {
 public:
  Status open(const state::Component& store) override {
    opened.push_back(store.name);
    return {};
  }
  bool has_store(std::string_view name) const override { return !opened.empty() && opened[0] == name; }
  Result<std::string> fetch(const SecretReference& reference) override {
    fetched.push_back(reference.name + "/" + reference.key);
    if (reference.name != "db") return fail(Errc::not_found, "no such secret");
    return "s3cret-{appID}";
  }
  std::vector<std::string> opened;
  std::vector<std::string> fetched;
};

TEST_F(LoadResources, SecretStoresAreOpenedFirstAndTheirSecretsReplaceValues) {
  FakeSecrets secrets;
  options_.secrets = &secrets;
  write("a.yaml", with_properties("  - name: password\n    value: old\n    secretKeyRef: {name: db, key: password}\n"
                                  "  - name: user\n    secretKeyRef: {name: nobody}\n") +
                      "auth: {secretStore: vault}\n");
  write("z.yaml", component("vault", "", "secretstores.local.file"));
  const Resources resources = load();
  EXPECT_THAT(secrets.opened, ElementsAre("vault"));
  EXPECT_THAT(secrets.fetched, ElementsAre("db/password", "nobody/nobody"));
  EXPECT_THAT(names_of(resources.secret_stores), ElementsAre("vault"));
  EXPECT_THAT(resources.state_stores.at(0).properties, ElementsAre(Pair("password", "s3cret-app1")));
  EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("cannot get secret \"nobody\" for \"user\"")));
  for (const std::string& warning : resources.warnings) EXPECT_THAT(warning, Not(HasSubstr("s3cret")));
}

TEST_F(LoadResources, WithoutSupportASecretStoreIsNamed) {
  write("z.yaml", component("vault", "", "secretstores.local.file"));
  const Resources resources = load();
  EXPECT_THAT(names_of(resources.secret_stores), ElementsAre("vault"));
  EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("this version has no secret stores")));
}

TEST_F(LoadResources, APropertyGivenTwiceIsNamed) {
  write("a.yaml", with_properties("  - {name: a, value: 1}\n  - {name: a, value: 2}\n"));
  const Resources resources = load();
  EXPECT_THAT(resources.state_stores, SizeIs(1));
  EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("a.yaml:10: \"a\" is given twice")));
}

TEST_F(LoadResources, ALinkToNothingIsSkipped) {
  std::filesystem::create_symlink("nowhere.yaml", directory_ / "a.yaml");
  write("b.yaml", component("b"));
  const Resources resources = load();
  EXPECT_THAT(names_of(resources.state_stores), ElementsAre("b"));
  EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("a.yaml: skipped: it is not a regular file")));
}

TEST_F(LoadResources, AFileBeyondTheLimitIsSkipped) {
  const std::string filler = "# " + std::string(kResourceFileBytesMax, 'x') + "\n";
  write("a.yaml", filler + component("a"));
  write("b.yaml", component("b"));
  const Resources resources = load();
  EXPECT_THAT(names_of(resources.state_stores), ElementsAre("b"));
  EXPECT_THAT(resources.warnings, ElementsAre(HasSubstr("a.yaml: skipped: it is larger than 1 MiB")));
}

}  // namespace
}  // namespace holdfast::config
