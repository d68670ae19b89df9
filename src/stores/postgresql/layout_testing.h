// Stores on databases of their own, and Dapr beside them, for the tests of this folder.
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "state/keys.h"
#include "state/query.h"
#include "stores/postgresql/dapr_testing.h"
#include "support/test_loop.h"

namespace holdfast::stores::postgresql {

// Of a condition on one etag; lives as long as the request.
struct Etag {
  explicit Etag(std::string text) : bytes(std::move(text)), view(bytes) {}
  Etag(const Etag&) = delete;
  Etag& operator=(const Etag&) = delete;
  state::Precondition when() const { return state::Precondition::one_of({&view, 1}); }
  const std::string bytes;
  const std::string_view view;
};

inline state::SetRequest put(std::string_view key, std::string_view value, state::Precondition when = {}) {
  state::SetRequest request;
  request.key = key;
  request.value = value;
  request.when = when;
  return request;
}

inline state::SetRequest put_json(std::string_view key, std::string_view value, state::Precondition when = {}) {
  state::SetRequest request = put(key, value, when);
  request.shape = state::Shape::json;
  return request;
}

// A sidecar of ours with one loop.
class Sidecar {
 public:
  // What cannot be opened throws std::runtime_error; open_error() says why.
  Sidecar(const Fields& fields, Layout layout) : Sidecar(core_of(fields, layout)) {}
  explicit Sidecar(const std::shared_ptr<state::StoreCore>& core) {
    auto opened = test::LoopStore::open(core, thread_, loop_);
    if (!opened) throw std::runtime_error(opened.error().message);
    store_ = std::move(*opened);
  }
  ~Sidecar() { EXPECT_TRUE(loop_.run(store_->close({}))); }

  static Error open_error(const Fields& fields, Layout layout, bool only_look = false) {
    auto core = type_of(layout).prepare(component_of(fields, type_of(layout)),
                                        {.clock = Clock::system(), .loops = 1, .only_look = only_look});
    if (!core) return core.error();
    test::TestLoop loop;
    test::LoopThread thread;
    auto opened = test::LoopStore::open(*core, thread, loop);
    if (!opened) return opened.error();
    EXPECT_TRUE(loop.run((*opened)->close({})));
    return {};
  }

  Result<state::Written> set(const state::SetRequest& request, std::string_view principal = "us") {
    state::CallContext context;
    context.principal = principal;
    return loop_.run(store_->set(context, request));
  }
  Result<state::Deleted> erase(std::string_view key, state::Precondition when = {}) {
    return loop_.run(store_->erase({}, {.key = key, .when = when}));
  }
  Result<std::vector<state::Written>> transact(std::vector<state::Operation> operations) {
    return loop_.run(store_->transact({}, operations));
  }
  // Nothing: no live record.
  std::optional<state::Record> get(std::string_view key) {
    auto found = loop_.run(store_->get({}, {.key = key, .want_fields = true}));
    if (!found) throw std::runtime_error(found.error().message);
    return std::move(*found);
  }
  std::string value(std::string_view key) {
    auto found = get(key);
    return found ? std::move(found->value) : "(none)";
  }
  std::vector<std::string> keys(std::string_view prefix = "") {
    auto page = loop_.run(store_->list({}, {.prefix = prefix, .own_bytes = state::kEveryKey, .cursor = {}}));
    if (!page) throw std::runtime_error(page.error().message);
    return keys_of(page->items);
  }
  std::vector<std::string> find(std::string_view name, std::string_view value) {
    auto page = loop_.run(store_->find({}, {name, value, {.prefix = {}, .own_bytes = state::kEveryKey, .cursor = {}}}));
    if (!page) throw std::runtime_error(page.error().message);
    return keys_of(page->items);
  }
  // In the order of the answer.
  std::vector<std::string> query(std::string_view text) {
    const auto query = state::parse_query(text);
    if (!query) throw std::runtime_error(query.error().message);
    auto page = loop_.run(store_->query({}, *query));
    if (!page) throw std::runtime_error(page.error().message);
    return keys_of(page->items);
  }
  Result<state::KeyPage> like(std::string_view pattern) {
    return loop_.run(store_->keys_like({}, {.pattern = pattern, .cursor = {}}));
  }
  state::StateStore& store() { return *store_; }
  test::TestLoop& loop() { return loop_; }

 private:
  static std::vector<std::string> keys_of(std::span<const state::ListedRecord> items) {
    std::vector<std::string> keys;
    for (const state::ListedRecord& item : items) keys.push_back(item.key);
    return keys;
  }

  test::TestLoop loop_;
  test::LoopThread thread_;
  std::unique_ptr<state::StateStore> store_;
};

inline std::string name_of(const testing::TestParamInfo<Layout>& info) {
  return info.param == Layout::v1 ? "v1" : "v2";
}

// A test of both layouts, each on a database of its own.
class LayoutTest : public testing::TestWithParam<Layout> {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_POSTGRESQL();
    database_.emplace();
    dapr_.emplace(*database_, GetParam());
  }
  static bool is_v2() { return GetParam() == Layout::v2; }
  const Database& database() const { return *database_; }
  Dapr& dapr() { return *dapr_; }
  std::unique_ptr<Sidecar> open(const Fields& more = {}) const {
    return std::make_unique<Sidecar>(database_->fields(more), GetParam());
  }
  Error open_error(const Fields& more = {}) const { return Sidecar::open_error(database_->fields(more), GetParam()); }

 private:
  std::optional<Database> database_;
  std::optional<Dapr> dapr_;
};

}  // namespace holdfast::stores::postgresql
