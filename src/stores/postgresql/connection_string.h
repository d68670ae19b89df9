// Dapr's connection strings in libpq's words. Pure.
//
// Dapr reads them with Go's pgx, which takes the two forms of libpq, a URL and words of the form key=value, and more:
// the settings of its own pool and cache, `database` for `dbname`, and any other name as a parameter of the session
// (`statement_timeout=5000`). libpq refuses all of these, so that they are taken out here, and session parameters
// become its `options`.
// Sources: postgresql.org/docs/15/libpq-connect.html, "Connection Strings" and "options";
// pkg.go.dev/github.com/jackc/pgx/v5/pgxpool#ParseConfig.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace holdfast::stores::postgresql {

struct ConnectionString {
  // For libpq, as a URL where it was one, as key='value' words otherwise; every name in it is one of libpq's.
  std::string text;
  // Where it leads, as far as it says: lists with commas where there are several hosts. For messages.
  std::string host;
  std::string port;
  std::string database;
  // Of the pool of connections; unset: not said.
  std::optional<std::uint32_t> connections_max;
  std::optional<Milliseconds> idle_max;
  std::optional<Milliseconds> age_max;
};

// Errc::invalid_argument says what is wrong, without quoting any value: one of them is the password. Names that libpq
// of a later version knows are left for it to judge.
Result<ConnectionString> parse_connection_string(std::string_view text);

// `key='value'` with what libpq wants escaped in a value, behind a blank where `out` has words already.
void append_word(std::string& out, std::string_view key, std::string_view value);

}  // namespace holdfast::stores::postgresql
