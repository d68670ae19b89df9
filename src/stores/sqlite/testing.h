// For tests: a folder that goes away, a component written as pairs, and a store opened on a loop of
// the test's.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "state/component.h"
#include "stores/sqlite/type.h"
#include "support/test_loop.h"

namespace holdfast::stores::sqlite {

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "holdfast-sqlite-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

using Fields = std::vector<std::pair<std::string, std::string>>;

inline state::Component component_of(Fields fields) {
  state::Component component;
  component.name = "orders";
  component.type = "state.sqlite";
  component.properties = std::move(fields);
  return component;
}

inline state::CallContext as(std::string_view principal) {
  state::CallContext context;
  context.principal = principal;
  return context;
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Runs SQL as another program would: Dapr, or somebody with the sqlite3 tool. Rows as "a|b", lines
// joined by \n.
inline std::string sql(const std::string& file, const std::string& text) {
  sqlite3* db = nullptr;
  EXPECT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
  sqlite3_busy_timeout(db, 5000);
  std::string out;
  char* problem = nullptr;
  const auto row = [](void* out, int columns, char** values, char**) {
    auto& text = *static_cast<std::string*>(out);
    if (!text.empty()) text += '\n';
    for (int i = 0; i < columns; ++i)
      text += std::string(i > 0 ? "|" : "") + (values[i] != nullptr ? values[i] : "NULL");
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(db, text.c_str(), row, &out, &problem), SQLITE_OK) << (problem != nullptr ? problem : "");
  sqlite3_free(problem);
  sqlite3_close(db);
  return out;
}

// A core and one handle. Destroying it closes the file.
class OpenStore {
 public:
  explicit OpenStore(Fields fields) {
    auto prepared = kSqliteType.prepare(component_of(std::move(fields)), {.clock = clock, .loops = 1});
    if (!prepared) throw std::runtime_error(prepared.error().message);
    core = std::move(*prepared);
    auto opened = loop.run(core->open(loop));
    if (!opened) throw std::runtime_error(opened.error().message);
    store = std::move(*opened);
  }
  explicit OpenStore(const std::string& file) : OpenStore(Fields{{"connectionString", file}}) {}
  ~OpenStore() {
    if (store) EXPECT_TRUE(loop.run(store->close({})));
  }

  Result<std::optional<state::Record>> get(std::string_view key, bool want_fields = false) {
    return loop.run(store->get({}, {.key = key, .want_value = true, .want_fields = want_fields}));
  }
  // The value of a live record; "(none)" otherwise.
  std::string value(std::string_view key) {
    auto found = get(key);
    if (!found) return "(" + found.error().message + ")";
    return *found ? (*found)->value : "(none)";
  }
  Result<state::Written> set(std::string_view key, std::string_view value, state::Precondition when = {},
                             std::optional<Milliseconds> ttl = {}) {
    state::SetRequest request;
    request.key = key;
    request.value = value;
    request.when = when;
    request.ttl = ttl;
    return set(request);
  }
  Result<state::Written> set_json(std::string_view key, std::string_view json) {
    state::SetRequest request;
    request.key = key;
    request.value = json;
    request.shape = state::Shape::json;
    return set(request);
  }
  Result<state::Written> set(state::SetRequest request) { return loop.run(store->set(as("app"), request)); }
  Result<state::Deleted> erase(std::string_view key, state::Precondition when = {}) {
    return loop.run(store->erase({}, {.key = key, .when = when}));
  }
  Result<std::vector<state::Written>> transact(std::vector<state::Operation> operations) {
    return loop.run(store->transact(as("app"), operations));
  }

  test::ManualClock clock;
  test::TestLoop loop;
  std::shared_ptr<state::StoreCore> core;
  std::unique_ptr<state::StateStore> store;
};

// Dapr's tables as daprd makes them, with rows that it wrote.
inline constexpr const char* kDaprTables = R"(
CREATE TABLE metadata (
			key text NOT NULL PRIMARY KEY,
			value text NOT NULL
		);
CREATE TABLE state (
				key TEXT NOT NULL PRIMARY KEY,
				value TEXT NOT NULL,
				is_binary BOOLEAN NOT NULL,
				etag TEXT NOT NULL,
				expiration_time TIMESTAMP DEFAULT NULL,
				update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
			);
INSERT INTO metadata VALUES ('migrations', '1');
INSERT INTO state VALUES ('app||json', '{"a":1,"b":"x"}', 0, '6f1c1a0e-9a34-4f0e-8d4e-0f2a0c8e7b11', NULL, '2026-01-02 03:04:05');
INSERT INTO state VALUES ('app||bytes', 'aGVsbG8=', 1, '0c9b4f2e-50f4-4a0e-9d3c-3c5c8d1b2a01', NULL, '2026-01-02 03:04:05');
INSERT INTO state VALUES ('app||old', '1', 0, '0c9b4f2e-50f4-4a0e-9d3c-3c5c8d1b2a02', '2020-01-01 00:00:00', '2019-12-31 23:59:00');
INSERT INTO state VALUES ('app||later', '2', 0, '0c9b4f2e-50f4-4a0e-9d3c-3c5c8d1b2a03', '2099-01-01 00:00:00', '2026-01-02 03:04:05');
)";

}  // namespace holdfast::stores::sqlite
