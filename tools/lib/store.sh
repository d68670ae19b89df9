# The skeleton of a backend: the chapters that every backend folder has, in a form that compiles. Until its calls are
# written they answer "unsupported", and its conformance test fails, which is the list of what to do.

dev_new_store() {
  local name=${1:-} type folder
  [[ $name =~ ^[a-z][a-z0-9]*$ ]] || fail "new-store takes a name of small letters and digits, such as redis"
  folder="src/stores/$name" type="${name^}"
  [[ ! -e $folder ]] || fail "$folder is there already"
  mkdir "$folder"
  write_store_texts "$name" "$folder"
  write_store_sources "$name" "$type" "$folder"
  write_store_tests "$name" "$type" "$folder"
  register_store "$name" "$type"
  note "made $folder and registered state.$name in src/stores/all.cc"
  note "next: tools/dev build dev store_${name}_test; then write store.cc until the conformance test passes"
}

register_store() {
  local name=$1 type=$2
  sed -i -E "s/^(foreach\(folder [^)]*)\)/\1 $name)/; s/(holdfast_library\(stores .*)\)/\1 store_$name)/" \
    src/stores/CMakeLists.txt
  sed -i -E "s/(return \{.*)\};/\1, \&k${type}Type};/; 0,/^#include \"stores\/memory/s//#include \"stores\/$name\/type.h\"\n&/" \
    src/stores/all.cc
}

write_store_texts() {
  local name=$1 folder=$2
  cat >"$folder/README.md" <<TEXT
# state.$name

What it keeps, and where.

## What it promises

- Etags, TTL, transactions, consistency: what the engine does atomically, and nothing else.

## Settings

| Field | Default | Meaning |
|---|---|---|
| \`address\` | required | where the server is |

## Quirks
TEXT
  cat >"$folder/CMakeLists.txt" <<TEXT
holdfast_store($name
  SOURCES settings.cc store.cc
  TESTS store_test.cc conformance_test.cc
  TEST_USES conformance)
TEXT
  cat >"$folder/type.h" <<TEXT
// The row with which state.$name registers (stores/all.cc).
#pragma once

#include "state/component.h"

namespace holdfast::stores {

extern const state::StoreType k${name^}Type;

}  // namespace holdfast::stores
TEXT
}

write_store_sources() {
  local name=$1 type=$2 folder=$3
  cat >"$folder/settings.cc" <<TEXT
#include <array>

#include "state/component.h"
#include "stores/$name/store.h"
#include "stores/$name/type.h"

namespace holdfast::stores {
namespace $name {
namespace {

constexpr std::array<state::Setting, 1> kSettings{{
    {.name = "address", .help = "where the server is, such as 127.0.0.1:6379", .required = true},
}};

// What Dapr declares for its store of this type, in its order.
constexpr std::array<std::string_view, 1> kDaprFeatures{"ETAG"};

Result<std::shared_ptr<state::StoreCore>> prepare(const state::Component& component, const state::StoreEnvironment&) {
  const auto settings = state::Settings::read(component, kSettings);
  if (!settings) return fail(settings.error());
  return std::make_shared<${type}Core>(settings->text("address"));
}

}  // namespace

}  // namespace $name

const state::StoreType k${type}Type{
    .type = "state.$name",
    .summary = "one line for people",
    .settings = $name::kSettings,
    .dapr_features = $name::kDaprFeatures,
    .prepare = $name::prepare,
};

}  // namespace holdfast::stores
TEXT
  cat >"$folder/store.h" <<TEXT
// state.$name: a handle of one loop, and what the loops share.
#pragma once

#include <string>

#include "state/store.h"

namespace holdfast::stores::$name {

class ${type}Core final : public state::StoreCore {
 public:
  explicit ${type}Core(std::string address) : address_(std::move(address)) {}
  Task<Result<std::unique_ptr<state::StateStore>>> open(Scheduler& loop) override;
  const std::string& address() const { return address_; }

 private:
  std::string address_;
};

class ${type}Store final : public state::StateStore {
 public:
  const state::Capabilities& capabilities() const override;
  Task<Result<std::optional<state::Record>>> get(state::CallContext context, state::GetRequest request) override;
  Task<Result<state::Written>> set(state::CallContext context, state::SetRequest request) override;
  Task<Result<state::Deleted>> erase(state::CallContext context, state::DeleteRequest request) override;
  Task<Status> ping(state::CallContext context) override;
  Task<Status> close(state::CallContext context) override;
};

}  // namespace holdfast::stores::$name
TEXT
  cat >"$folder/store.cc" <<TEXT
// How the contract maps to $name: what an etag is, how TTL works, what makes a transaction atomic, and why so.
#include "stores/$name/store.h"

namespace holdfast::stores::$name {

namespace {

// Declare an ability here once its calls are written; the conformance suite tests what is declared.
constexpr state::Capabilities kCapabilities{};

}  // namespace

Task<Result<std::unique_ptr<state::StateStore>>> ${type}Core::open(Scheduler&) {
  co_return std::make_unique<${type}Store>();
}

const state::Capabilities& ${type}Store::capabilities() const { return kCapabilities; }

Task<Result<std::optional<state::Record>>> ${type}Store::get(state::CallContext, state::GetRequest) {
  co_return unsupported("get");
}

Task<Result<state::Written>> ${type}Store::set(state::CallContext, state::SetRequest) { co_return unsupported("set"); }

Task<Result<state::Deleted>> ${type}Store::erase(state::CallContext, state::DeleteRequest) {
  co_return unsupported("delete");
}

Task<Status> ${type}Store::ping(state::CallContext) { co_return unsupported("ping"); }

Task<Status> ${type}Store::close(state::CallContext) { co_return Status(); }

}  // namespace holdfast::stores::$name
TEXT
}

write_store_tests() {
  local name=$1 type=$2 folder=$3
  cat >"$folder/store_test.cc" <<TEXT
// What is state.$name's own; the contract is tested by conformance.
#include "stores/$name/store.h"

#include <gtest/gtest.h>

#include "stores/$name/type.h"

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
#include "conformance/conformance.h"
#include "stores/$name/store.h"

namespace holdfast::conformance {
namespace {

std::shared_ptr<state::StoreCore> make(const Clock&) {
  return std::make_shared<stores::$name::${type}Core>("127.0.0.1:1");
}

HOLDFAST_CONFORMANCE($type, of_core("$name", make));

}  // namespace
}  // namespace holdfast::conformance
TEXT
}
