// For the tests of this folder: two stores in memory, wrappers that fail and that can less, a migration between them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "migration/migration.h"
#include "migration/report.h"
#include "migration/store_ends.h"
#include "state/keys.h"
#include "state/layers/forwarding.h"
#include "stores/memory/core.h"
#include "stores/sqlite/testing.h"
#include "support/test_loop.h"

namespace holdfast::migration {

// A store whose calls a test may answer itself, and which declares what the test says.
class PliantStore final : public state::ForwardingStore {
 public:
  explicit PliantStore(std::unique_ptr<state::StateStore> inner)
      : ForwardingStore(std::move(inner)), can(ForwardingStore::capabilities()) {}

  const state::Capabilities& capabilities() const override { return can; }
  Task<std::vector<Result<state::Written>>> set_many(state::CallContext context,
                                                     std::span<const state::SetRequest> requests) override {
    const std::optional<Error> error = on_set_many ? on_set_many() : std::nullopt;
    if (!error || loses_answers) {
      auto written = co_await inner().set_many(context, requests);
      if (!error) co_return written;
    }
    co_return std::vector<Result<state::Written>>(requests.size(), fail(*error));
  }
  Task<std::vector<Result<std::optional<state::Record>>>> get_many(
      state::CallContext context, std::span<const state::GetRequest> requests) override {
    auto found = co_await inner().get_many(context, requests);
    for (std::size_t i = 0; i < requests.size(); ++i)
      if (requests[i].key == unreadable) found[i] = fail(Errc::internal, "it is of another kind");
    co_return found;
  }
  Task<Result<state::ListPage>> list(state::CallContext context, state::ListRequest request) override {
    if (on_list)
      if (const std::optional<Error> error = on_list(request); error)
        return ready<Result<state::ListPage>>(fail(*error));
    return inner().list(context, request);
  }

  state::Capabilities can;
  std::function<std::optional<Error>()> on_set_many;
  std::string unreadable = "(none)";  // this key
  bool loses_answers = false;         // the store does its part first
  std::function<std::optional<Error>(const state::ListRequest&)> on_list;
};

inline state::SetRequest put(std::string_view key, std::string_view value,
                             std::optional<Milliseconds> ttl = std::nullopt) {
  state::SetRequest request;
  request.key = key;
  request.value = value;
  request.ttl = ttl;
  return request;
}
inline state::SetRequest put_json(std::string_view key, std::string_view json) {
  state::SetRequest request = put(key, json);
  request.shape = state::Shape::json;
  return request;
}
inline state::SetRequest put_by(std::string_view key, std::string_view value, std::string_view author) {
  state::SetRequest request = put(key, value);
  request.created_by = request.modified_by = author;
  return request;
}
inline state::SetRequest put_tagged(state::SetRequest request, const state::Pairs& tags) {
  request.tags = tags;
  return request;
}

// A store in memory on a loop of the test's.
class MemoryEnd {
 public:
  MemoryEnd(const Clock& clock, test::TestLoop& loop) : loop_(loop), core_(clock, {}) {
    auto opened = loop.run(core_.open(loop));
    store_ = std::make_unique<PliantStore>(std::move(*opened));
  }
  ~MemoryEnd() { EXPECT_TRUE(loop_.run(store_->close({}))); }

  PliantStore& store() { return *store_; }
  void set(state::SetRequest request) { EXPECT_TRUE(loop_.run(store_->set({}, request))); }
  void set(std::string_view key, std::string_view value) { set(put(key, value)); }
  void erase(std::string_view key) { EXPECT_TRUE(loop_.run(store_->erase({}, {.key = key, .when = {}}))); }
  std::optional<state::Record> get(std::string_view key) {
    auto found = loop_.run(store_->get({}, {.key = key, .want_fields = true}));
    return found ? *found : std::nullopt;
  }
  // Every key with its value.
  std::map<std::string, std::string> all() {
    std::map<std::string, std::string> records;
    auto page = loop_.run(
        store_->list({}, {.prefix = "", .own_bytes = state::kEveryKey, .cursor = {}, .limit = 0, .want_values = true}));
    if (!page) throw std::runtime_error(page.error().message);
    for (const auto& item : page->items) records[item.key] = item.record.value;
    return records;
  }

 private:
  test::TestLoop& loop_;
  stores::memory::MemoryCore core_;
  std::unique_ptr<PliantStore> store_;
};

// A database in a file, on a loop of the test's.
class SqliteEnd {
 public:
  SqliteEnd(const Clock& clock, test::TestLoop& loop, const std::string& file) : loop_(loop) {
    const auto component = stores::sqlite::component_of({{"connectionString", file}});
    auto core = stores::kSqliteType.prepare(component, {.clock = clock, .loops = 1});
    if (!core) throw std::runtime_error(core.error().message);
    core_ = std::move(*core);
    auto opened = loop.run(core_->open(loop));
    if (!opened) throw std::runtime_error(opened.error().message);
    store_ = std::move(*opened);
  }
  ~SqliteEnd() { EXPECT_TRUE(loop_.run(store_->close({}))); }

  state::StateStore& store() { return *store_; }

 private:
  test::TestLoop& loop_;
  std::shared_ptr<state::StoreCore> core_;
  std::unique_ptr<state::StateStore> store_;
};

class MigrationTest : public testing::Test {
 protected:
  Result<Journal> migrate(Journal journal = {}) {
    Source* source = other_source ? other_source : &from_source();
    StoreSink sink(to_store(), loop, clock, policy, kept());
    Comparison check(to_store(), loop, clock, policy, kept(), journal.began.us == 0 ? clock.wall() : journal.began);
    return move(*source, sink, &check, std::move(journal));
  }
  Result<Journal> move(Source& source, Sink& sink, Sink* check, Journal journal = {}) {
    if (journal.began.us == 0) journal.began = clock.wall();
    return loop.run(run({.source = source,
                         .sink = sink,
                         .check = compares ? check : nullptr,
                         .loop = loop,
                         .clock = clock,
                         .options = options,
                         .keep =
                             [this](const Journal& at) {
                               last_kept = at;
                               ++times_kept;
                               return Status();
                             },
                         .watch =
                             [this](const Journal& at) {
                               if (on_batch) on_batch(at);
                             }},
                        std::move(journal), stop));
  }
  Kept kept() { return Kept::by(from.store().capabilities()); }
  StoreSource& from_source() {
    source_ = std::make_unique<StoreSource>(from.store(), clock, options.prefix, page);
    return *source_;
  }
  state::StateStore& to_store() { return other_target ? *other_target : to.store(); }
  Summary summary_of(const Journal& journal) const {
    return {.journal = journal, .existing = policy.existing, .notes = {}};
  }
  void fill(int records) {
    for (int i = 0; i < records; ++i) from.set("key" + std::to_string(100 + i), "value " + std::to_string(i));
  }

  test::ManualClock clock;
  test::TestLoop loop;
  MemoryEnd from{clock, loop};
  MemoryEnd to{clock, loop};
  Source* other_source = nullptr;
  state::StateStore* other_target = nullptr;
  std::uint32_t page = 3;
  bool compares = true;
  PumpOptions options{.checkpoint_interval = Milliseconds(0), .retries = 3, .backoff = Milliseconds(1)};
  TargetPolicy policy{.retries = 3, .backoff = Milliseconds(1)};
  Cancellation stop;
  Journal last_kept;
  int times_kept = 0;
  std::function<void(const Journal&)> on_batch;

 private:
  std::unique_ptr<StoreSource> source_;
};

}  // namespace holdfast::migration
