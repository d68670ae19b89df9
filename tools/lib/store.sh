# The skeleton of a backend that has a server: the files that every such folder has (doc/adding-a-store.md), in a form that
# compiles. Until its calls are written they answer "unsupported", and its conformance test fails, which is the list of what
# to do.

dev_new_store() {
  local name=${1:-} type folder
  [[ $name =~ ^[a-z][a-z0-9]*$ ]] || fail "new-store takes a name of small letters and digits, such as redis"
  folder="src/stores/$name" type="${name^}"
  [[ ! -e $folder ]] || fail "$folder is there already"
  mkdir "$folder"
  write_store_texts "$name" "$type" "$folder"
  write_store_settings "$name" "$type" "$folder"
  write_store_mapping "$name" "$type" "$folder"
  write_store_sources "$name" "$type" "$folder"
  write_store_tests "$name" "$type" "$folder"
  register_store "$name" "$type"
  if command -v clang-format-19 >/dev/null; then clang-format-19 -i "$folder"/*.{h,cc} src/stores/all.cc; fi
  note "made $folder and registered state.$name in src/stores/all.cc and src/stores/CMakeLists.txt"
  if grep -rq "\"state\.$name\"" src/config/known; then
    note "src/config/known has a row for it: its fields move to $folder/settings.cc, and the row goes"
  fi
  note "next: doc/adding-a-store.md; tools/dev build dev store_${name}_test"
}

# In the order of the alphabet, which is that of the lists.
register_store() {
  local name=$1 type=$2
  python3 - "$name" "$type" <<'PY'
import re, sys
name, kind = sys.argv[1:]

path = "src/stores/CMakeLists.txt"
text = open(path).read()
lines = sorted(re.findall(r"^add_subdirectory\(.*\)\n", text, re.M) + [f"add_subdirectory({name})\n"])
text = re.sub(r"(^add_subdirectory\(.*\)\n)+", "".join(lines), text, count=1, flags=re.M)
uses = re.search(r"USES ([^)]*)\)", text)
text = text.replace(uses[0], "USES " + " ".join(sorted(uses[1].split() + [f"store_{name}"])) + ")")
open(path, "w").write(text)

path = "src/stores/all.cc"
text = open(path).read()
lines = sorted(re.findall(r'^#include "stores/\w+/type.h"\n', text, re.M) + [f'#include "stores/{name}/type.h"\n'])
text = re.sub(r'(^#include "stores/\w+/type.h"\n)+', "".join(lines), text, count=1, flags=re.M)
text = re.sub(r"return \{", f"return {{&k{kind}Type, ", text, count=1)
open(path, "w").write(text)
PY
}

write_store_texts() {
  local name=$1 type=$2 folder=$3
  cat >"$folder/README.md" <<TEXT
# state.$name

What it keeps, and where. The layout is the one of Dapr's \`state.$name\`; Dapr can go on with our records and we go on with
Dapr's.

\`\`\`yaml
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.$name
  version: v1
  metadata:
    - name: address
      value: "localhost:1"
\`\`\`

Which versions of the server, and how to start one here.

## What it promises

- Etags, TTL, transactions: what the engine does atomically, and nothing else. What a lost reply is told as.

| Level asked for | Read | Write is answered when |
|---|---|---|

## Settings

| Field | Default | Meaning |
|---|---|---|
| \`address\` | required | where the server is |

## Layout

What is Dapr's and what is ours, and what becomes of ours when Dapr rewrites a record.

## Quirks

## Rights

What a user of the server needs.
TEXT
  cat >"$folder/CMakeLists.txt" <<TEXT
holdfast_store($name
  SOURCES mapping.cc settings.cc store.cc type.cc
  WIRES
  TESTS conformance_test.cc mapping_test.cc settings_test.cc store_test.cc
  TEST_USES conformance test_servers)
TEXT
  cat >"$folder/type.h" <<TEXT
// The row with which state.$name registers (stores/all.cc).
#pragma once

#include <memory>

#include "base/result.h"
#include "state/component.h"

namespace holdfast::stores {

extern const state::StoreType k${type}Type;

namespace $name {
// Checks the settings and makes what the loops share; opening connects.
Result<std::shared_ptr<state::StoreCore>> prepare_$name(const state::Component& component,
                                                        const state::StoreEnvironment& environment);
}  // namespace $name

}  // namespace holdfast::stores
TEXT
  cat >"$folder/type.cc" <<TEXT
#include "stores/$name/type.h"

#include "stores/$name/settings.h"

namespace holdfast::stores {

const state::StoreType k${type}Type{
    .type = "state.$name",
    .summary = "one line for people",
    .settings = $name::kFields,
    .dapr_features = $name::kDaprFeatures,
    .prepare = $name::prepare_$name,
};

}  // namespace holdfast::stores
TEXT
}

write_store_settings() {
  local name=$1 type=$2 folder=$3
  cat >"$folder/settings.h" <<TEXT
// What a state.$name component file may say.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "state/component.h"

namespace holdfast::stores::$name {

extern const std::array<state::Setting, 1> kFields;
// As Dapr declares them, in its order.
extern const std::array<std::string_view, 1> kDaprFeatures;

struct ${type}Settings {
  std::string component;
  std::string address;
  Milliseconds timeout{3000};

  // Errc::invalid_argument says component, field, file and why.
  static Result<${type}Settings> read(const state::Component& component);
};

}  // namespace holdfast::stores::$name
TEXT
  cat >"$folder/settings.cc" <<TEXT
#include "stores/$name/settings.h"

namespace holdfast::stores::$name {

constinit const std::array<state::Setting, 1> kFields{{
    {.name = "address", .help = "where the server is: host:port", .required = true},
}};
const std::array<std::string_view, 1> kDaprFeatures{"ETAG"};

Result<${type}Settings> ${type}Settings::read(const state::Component& component) {
  const auto fields = state::Settings::read(component, kFields);
  if (!fields) return fail(fields.error());
  ${type}Settings settings;
  settings.component = component.name;
  settings.address = fields->text("address");
  return settings;
}

}  // namespace holdfast::stores::$name
TEXT
}

write_store_mapping() {
  local name=$1 type=$2 folder=$3
  cat >"$folder/mapping.h" <<TEXT
// Requests to commands and replies to records. Pure: bytes in, bytes out.
//
// append_*() appends whole commands, whose number of replies is said beside each; read_*() takes those replies.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "state/store.h"

namespace holdfast::stores::$name {

// Whose store speaks and what answered; part of every message.
struct Place {
  std::string_view component;
  std::string_view server;  // "10.0.0.7:1234"
};

// What the server says against it, as an error of ours: what failed, in which component, where, why, and what to do.
// \`doing\` is a verb phrase with its object: \`save "cart/42"\`. \`words\` are the server's, which may hold user data.
Error describe(const Place& place, std::string_view doing, std::string_view words);

// One reply.
void append_get(std::string& out, const state::GetRequest& request);
Result<std::optional<state::Record>> read_get(const Place& place, const state::GetRequest& request,
                                              std::string_view reply);

}  // namespace holdfast::stores::$name
TEXT
  cat >"$folder/mapping.cc" <<TEXT
#include "stores/$name/mapping.h"

#include <fmt/format.h>

namespace holdfast::stores::$name {

Error describe(const Place& place, std::string_view doing, std::string_view words) {
  Error error(Errc::internal, fmt::format("component \"{}\" (state.$name): cannot {}: {} answered with an error. What to do.",
                                          place.component, doing, place.server));
  error.backend_message = words;
  return error;
}

void append_get(std::string& out, const state::GetRequest& request) { out.append(request.key); }

Result<std::optional<state::Record>> read_get(const Place& place, const state::GetRequest& request,
                                              std::string_view reply) {
  return fail(describe(place, fmt::format("read \"{}\"", request.key), reply));
}

}  // namespace holdfast::stores::$name
TEXT
}

write_store_sources() {
  local name=$1 type=$2 folder=$3
  cat >"$folder/store.h" <<TEXT
// state.$name: one loop's handle on a server. README.md says what it promises.
#pragma once

#include <memory>

#include "net/loop.h"
#include "state/store.h"
#include "stores/$name/settings.h"

namespace holdfast::stores::$name {

// Shared by the loops. Thread-safe.
class ${type}Core final : public state::StoreCore {
 public:
  ${type}Core(${type}Settings settings, Milliseconds init_timeout, const Clock& clock)
      : settings_(std::move(settings)), init_timeout_(init_timeout), clock_(clock) {}

  // Connects, within the component's initTimeout. \`loop\` has to be a net::Loop. The store refers to this core.
  Task<Result<std::unique_ptr<state::StateStore>>> open(Scheduler& loop) override;

  const ${type}Settings& settings() const { return settings_; }
  const Clock& clock() const { return clock_; }

 private:
  const ${type}Settings settings_;
  const Milliseconds init_timeout_;
  const Clock& clock_;
};

class ${type}Store final : public state::StateStore {
 public:
  ${type}Store(${type}Core& core, net::Loop& loop) : core_(core), loop_(loop) {}

  // Once, before the store is used.
  Task<Status> connect(SteadyTime deadline);

  const state::Capabilities& capabilities() const override { return capabilities_; }
  Task<Result<std::optional<state::Record>>> get(state::CallContext context, state::GetRequest request) override;
  Task<Result<state::Written>> set(state::CallContext context, state::SetRequest request) override;
  Task<Result<state::Deleted>> erase(state::CallContext context, state::DeleteRequest request) override;
  Task<Status> ping(state::CallContext context) override;
  Task<Status> close(state::CallContext context) override;

 private:
  // Until when a call may take, whatever its caller allows.
  SteadyTime deadline_of(const state::CallContext& context) const;

  ${type}Core& core_;
  [[maybe_unused]] net::Loop& loop_;
  state::Capabilities capabilities_;
};

}  // namespace holdfast::stores::$name
TEXT
  cat >"$folder/store.cc" <<TEXT
// How the contract maps to $name: what a record is, what an etag is and why it does not come back, how TTL works, what makes
// a transaction atomic, what a lost reply means, which connections there are.
#include "stores/$name/store.h"

#include <algorithm>

#include "stores/$name/mapping.h"
#include "stores/$name/type.h"

namespace holdfast::stores::$name {

using state::CallContext;
using state::Deleted;
using state::Record;
using state::Written;

namespace {

SteadyTime now() { return std::chrono::steady_clock::now(); }

}  // namespace

Task<Result<std::unique_ptr<state::StateStore>>> ${type}Core::open(Scheduler& scheduler) {
  auto* const loop = dynamic_cast<net::Loop*>(&scheduler);
  if (loop == nullptr) co_return fail(Errc::internal, "state.$name needs a loop with sockets");
  const SteadyTime deadline = now() + init_timeout_;
  auto store = std::make_unique<${type}Store>(*this, *loop);
  if (auto connected = co_await store->connect(deadline); !connected) {
    CallContext context;
    context.deadline = deadline;
    (void)co_await store->close(context);
    co_return fail(std::move(connected.error()));
  }
  co_return std::move(store);
}

Task<Status> ${type}Store::connect(SteadyTime) {
  // Declare an ability here once its calls are written; the conformance suite tests what is declared.
  capabilities_.reads = capabilities_.writes = state::Capabilities::always_strong();
  co_return Status();
}

SteadyTime ${type}Store::deadline_of(const CallContext& context) const {
  return std::min(context.deadline, now() + core_.settings().timeout);
}

Task<Result<std::optional<Record>>> ${type}Store::get(CallContext, state::GetRequest) { co_return unsupported("get"); }

Task<Result<Written>> ${type}Store::set(CallContext, state::SetRequest) { co_return unsupported("set"); }

Task<Result<Deleted>> ${type}Store::erase(CallContext, state::DeleteRequest) { co_return unsupported("delete"); }

Task<Status> ${type}Store::ping(CallContext) { co_return unsupported("ping"); }

Task<Status> ${type}Store::close(CallContext) { co_return Status(); }

Result<std::shared_ptr<state::StoreCore>> prepare_$name(const state::Component& component,
                                                        const state::StoreEnvironment& environment) {
  auto settings = ${type}Settings::read(component);
  if (!settings) return fail(std::move(settings.error()));
  return std::make_shared<${type}Core>(std::move(*settings), component.init_timeout, environment.clock);
}

}  // namespace holdfast::stores::$name
TEXT
}

write_store_tests() {
  local name=$1 type=$2 folder=$3
  cat >"$folder/testing.h" <<TEXT
// $name stores on real servers, for the tests of this folder.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "state/component.h"
#include "stores/$name/type.h"
#include "support/loop_store.h"

namespace holdfast::stores::$name {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline state::Component component_of(Fields fields) {
  state::Component component;
  component.name = "orders";
  component.type = "state.$name";
  component.properties = std::move(fields);
  component.init_timeout = Milliseconds(30'000);  // of a busy machine
  return component;
}

inline std::shared_ptr<state::StoreCore> core_of(const Fields& fields) {
  auto core = prepare_$name(component_of(fields), {.clock = Clock::system(), .loops = 1});
  if (!core) throw std::runtime_error(core.error().message);
  return *core;
}

}  // namespace holdfast::stores::$name
TEXT
  cat >"$folder/settings_test.cc" <<TEXT
#include "stores/$name/settings.h"

#include <gmock/gmock.h>

namespace holdfast::stores::$name {
namespace {

using testing::HasSubstr;

Result<${type}Settings> read(std::vector<std::pair<std::string, std::string>> fields) {
  state::Component component;
  component.name = "orders";
  component.type = "state.$name";
  component.file = "orders.yaml";
  component.properties = std::move(fields);
  return ${type}Settings::read(component);
}

TEST(${type}Settings, NameComponentAndFieldInWhatTheyRefuse) {
  EXPECT_THAT(read({}).error().message, HasSubstr("orders"));
  EXPECT_THAT(read({}).error().message, HasSubstr("address"));
  EXPECT_EQ(read({{"ADDRESS", "localhost:1"}})->address, "localhost:1");
}

}  // namespace
}  // namespace holdfast::stores::$name
TEXT
  cat >"$folder/mapping_test.cc" <<TEXT
#include "stores/$name/mapping.h"

#include <gmock/gmock.h>

namespace holdfast::stores::$name {
namespace {

using testing::HasSubstr;

constexpr Place kPlace{"orders", "10.0.0.7:1"};

TEST(${type}Mapping, ErrorsSayWhatWhereAndWhatToDo) {
  const Error error = describe(kPlace, "save \"k\"", "secret words");
  EXPECT_THAT(error.message, HasSubstr("component \"orders\" (state.$name): cannot save \"k\": 10.0.0.7:1"));
  EXPECT_EQ(error.backend_message, "secret words");
}

}  // namespace
}  // namespace holdfast::stores::$name
TEXT
  cat >"$folder/store_test.cc" <<TEXT
// What is state.$name's own, on real servers and on peers that play a script; the contract is tested by conformance.
#include "stores/$name/store.h"

#include <gtest/gtest.h>

#include "stores/$name/testing.h"

namespace holdfast::stores::$name {
namespace {

TEST(${type}Type, AsksForAnAddress) {
  state::Component component;
  component.name = "things";
  const auto core = k${type}Type.prepare(component, {Clock::system(), 1});
  ASSERT_FALSE(core);
  EXPECT_EQ(core.error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace holdfast::stores::$name
TEXT
  cat >"$folder/conformance_test.cc" <<TEXT
#include "conformance/loop_instance.h"
#include "stores/$name/testing.h"

namespace holdfast::conformance {
namespace {

// With a server of test/support, started by the first case that needs it. \`column\`: its head in doc/stores.md.
Subject server() {
  Subject subject;
  subject.name = "server";
  subject.start = [] { return std::make_shared<LoopInstance>(stores::$name::core_of({{"address", "127.0.0.1:1"}})); };
  return subject;
}

HOLDFAST_CONFORMANCE($type, server());

}  // namespace
}  // namespace holdfast::conformance
TEXT
}
