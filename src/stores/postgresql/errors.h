// What PostgreSQL's errors mean for a caller. Pure.
// Source of the codes: postgresql.org/docs/15/errcodes-appendix.html.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "stores/postgresql/libpq.h"

namespace holdfast::stores::postgresql {

// Who speaks, for messages: the component, its type, and where its database is.
struct Place {
  std::string component;
  std::string_view type = "state.postgresql";
  std::string server;  // "db.example:5432/orders"; no password in it

  std::string text() const;  // component "orders" (state.postgresql)
};

// An error as the server said it.
struct Refusal {
  std::string code;     // SQLSTATE; empty where libpq itself has failed
  std::string message;  // the server's words; may hold data

  static Refusal of(const PGresult* result);
  bool is(std::string_view sqlstate) const { return code == sqlstate; }
};

// Another transaction won: the same statements may do, from the beginning.
bool is_worth_repeating(const Refusal& refusal);
// The connection is of no use any more, or the server is going away.
bool ends_connection(const Refusal& refusal);

// `doing`: "save a record in".
Error describe(const Place& place, std::string_view doing, const Refusal& refusal);
// The text of an error that libpq has about a connection: one line.
std::string said_by(const PGconn* connection);

}  // namespace holdfast::stores::postgresql
