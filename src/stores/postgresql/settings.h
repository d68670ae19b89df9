// What a state.postgresql component file may say, of version v1 and v2.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "state/component.h"
#include "stores/postgresql/connection_string.h"
#include "stores/postgresql/errors.h"

namespace holdfast::stores::postgresql {

// What is at the other end of PostgreSQL's protocol.
enum class Engine : std::uint8_t { postgresql, cockroachdb, yugabytedb };

// Two layouts of Dapr's: v1 keeps JSON and takes the row's transaction for its etag, v2 keeps bytes and an etag.
enum class Layout : std::uint8_t { v1, v2 };

std::span<const state::Setting> fields_of(Layout layout);

// A table as the file names it: "state", or "schema.state".
struct TableName {
  std::string schema = {};  // empty: the first of the search path
  std::string table;

  // For SQL, each part in double quotes; `suffix` is appended to the table's.
  std::string quoted(std::string_view suffix = {}) const;
  bool operator==(const TableName&) const = default;
};

struct PostgresqlSettings {
  std::string component;
  Engine engine = Engine::postgresql;
  Layout layout = Layout::v1;
  std::string_view type = "state.postgresql";
  // For libpq: the connection string, and the names and values that override parts of it.
  ConnectionString connection;
  state::Pairs overrides;
  std::string server;              // "db.example:5432/orders", for messages
  bool has_several_hosts = false;  // a primary and standbys
  TableName table;
  // Dapr's course writes tablePrefix with v1, where Dapr passes over it and keeps its rows in `state`: where only that
  // table is there, it is taken, with a warning.
  bool falls_back_to_state = false;
  TableName metadata_table;
  std::string migrations_row = "migrations";  // of the metadata table, as Dapr names them
  std::string cleanup_row = "last-cleanup";
  bool prepares = true;  // statements stay with a connection; not so behind a pool of connections such as PgBouncer
  Milliseconds timeout{20'000};
  Milliseconds cleanup_interval{3'600'000};  // zero or less: never
  bool watch_log = false;
  std::uint32_t connections_max = 4;  // of the process
  Milliseconds idle_max{1'800'000};   // after which a connection at rest is closed

  Place place() const { return {.component = component, .type = type, .server = server}; }

  // `cores` are the machine's. Errc::invalid_argument says component, field, file and why; Errc::unsupported for ways
  // to sign in that are not built.
  static Result<PostgresqlSettings> read(const state::Component& component, Layout layout, std::size_t cores,
                                         Engine engine = Engine::postgresql);
};

}  // namespace holdfast::stores::postgresql
