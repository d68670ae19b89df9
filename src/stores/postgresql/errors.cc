#include "stores/postgresql/errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"

namespace holdfast::stores::postgresql {
namespace {

struct Row {
  std::string_view code;  // of two characters: the whole class
  Errc errc;
  std::string_view why;
  std::string_view advice;
};

// What stands first is taken.
constexpr std::array kRows{
    Row{"25006", Errc::unavailable, "the server is a standby and takes no writes",
        "Name the primary, or all hosts with commas between, in connectionString"},
    Row{"28", Errc::denied, "the server does not let this user in",
        "Check user, password and certificates, and the server's pg_hba.conf"},
    Row{"3D", Errc::denied, "there is no such database", "Create it, or name another in connectionString"},
    Row{"3F", Errc::denied, "there is no such schema", "Create it, or name another in front of the table"},
    Row{"42501", Errc::denied, "the user lacks a privilege", "Grant it, as the store's documentation lists them"},
    Row{"40", Errc::conflict, "a concurrent transaction won", "Try again"},
    Row{"55P03", Errc::unavailable, "a lock was not to be had in time", "Try again"},
    Row{"57014", Errc::deadline_exceeded, "the statement was cancelled, as its time was up or by somebody",
        "Ask for less at once or allow more time"},
    Row{"53300", Errc::unavailable, "the server has no connection left",
        "Raise its max_connections, or lower maxConns of the components"},
    Row{"53100", Errc::unavailable, "the server's disk is full", "Free some space there; the store goes on by itself"},
    Row{"53", Errc::overloaded, "the server lacks memory or another resource", "Try again later"},
    Row{"57", Errc::unavailable, "the server is starting up or going away", "Try again"},
    Row{"58", Errc::unavailable, "the server cannot read or write its files", "Look at the server's log and disk"},
    Row{"08", Errc::unavailable, "the connection failed", "Try again"},
    Row{"54", Errc::invalid_argument, "the record is larger than PostgreSQL can hold or index",
        "Use a shorter key, or store less in one record"},
    Row{"22P05", Errc::invalid_argument, "jsonb cannot hold the character U+0000 of the value",
        "Save it as bytes, or use version v2 of the component"},
    Row{"22021", Errc::invalid_argument, "text of PostgreSQL is UTF-8 without zero bytes", "Encode it otherwise"},
    Row{"22P02", Errc::invalid_argument, "the value is not JSON as PostgreSQL takes it", "Save it as bytes"},
    Row{"22", Errc::invalid_argument, "the server does not take the value", "Save it as bytes"},
    Row{"42P01", Errc::unavailable, "a table of the store is not there any more", "Restart, and it is made again"},
    Row{"42703", Errc::unavailable, "a column of the store is not there any more", "Restart, and it is made again"},
    Row{"XX", Errc::internal, "the server found its data damaged, or has a bug", "Look at the server's log"},
};
constexpr Row kOther{"", Errc::internal, "the server refused", "Report this with the log"};
constexpr Row kLocal{"", Errc::unavailable, "the connection failed", "Try again"};

const Row& row_of(const Refusal& refusal) {
  if (refusal.code.empty()) return kLocal;
  const auto* const found =
      std::ranges::find_if(kRows, [&](const Row& row) { return refusal.code.starts_with(row.code); });
  return found == kRows.end() ? kOther : *found;
}

std::string_view field_of(const PGresult* result, int field) {
  const char* const text = libpq().resultErrorField(result, field);
  return text == nullptr ? std::string_view() : text;
}

}  // namespace

std::string Place::text() const { return fmt::format("component \"{}\" ({})", component, type); }

Refusal Refusal::of(const PGresult* result) {
  return {.code = std::string(field_of(result, PG_DIAG_SQLSTATE)),
          .message = std::string(field_of(result, PG_DIAG_MESSAGE_PRIMARY))};
}

bool is_worth_repeating(const Refusal& refusal) {
  // A serialization failure, a deadlock; and a prepared statement that a pool of connections in between has lost.
  // Or the server is the primary no more, and there may be another.
  return refusal.is("40001") || refusal.is("40P01") || refusal.is("26000") || refusal.is("25006");
}

bool ends_connection(const Refusal& refusal) {
  return refusal.code.empty() || refusal.code.starts_with("57P0") || refusal.code.starts_with("08") ||
         refusal.is("0A000");
}

Error describe(const Place& place, std::string_view doing, const Refusal& refusal) {
  const Row& row = row_of(refusal);
  Error error(row.errc, fmt::format("{}: cannot {} {}: {}{}. {}.", place.text(), doing, place.server, row.why,
                                    refusal.code.empty() ? "" : " [" + refusal.code + "]", row.advice));
  error.backend_message = refusal.message;
  return error;
}

std::string said_by(const PGconn* connection) {
  std::string text;
  for (const char c : trim(libpq().errorMessage(connection))) {
    const char printed = c == '\n' || c == '\t' ? ' ' : c;
    if (printed != ' ' || !text.ends_with(' ')) text += printed;
  }
  // A sentence of ours goes on behind it.
  while (text.ends_with('.')) text.pop_back();
  return text.empty() ? "the connection was lost" : text;
}

}  // namespace holdfast::stores::postgresql
