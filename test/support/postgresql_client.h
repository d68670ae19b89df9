// A client of PostgreSQL for tests, by libpq: one connection, one statement at a time, used by one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

struct pg_conn;
struct pg_result;

namespace holdfast::test {

using Row = std::vector<std::optional<std::string>>;  // as text; nothing for NULL
using Rows = std::vector<Row>;

// What fails throws std::runtime_error, whose text has the server's message and "SQLSTATE 23505".
class PostgresqlClient {
 public:
  // libpq's words: "host=127.0.0.1 port=5432 user=app password=app-password dbname=app".
  explicit PostgresqlClient(const std::string& connection_string);

  // The rows of the last statement. `parameters` are $1, $2 ... as text; with them `sql` is one statement, without them
  // it may be several, in one transaction.
  Rows query(const std::string& sql, const Row& parameters = {});
  // The first column of the first row; empty when there is none.
  std::string value(const std::string& sql, const Row& parameters = {});

  // Of the server's process for this connection.
  int backend_pid() const;
  // Whether the server has not closed the connection, as far as this side has heard.
  bool is_open();

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  std::unique_ptr<pg_conn, Finish> connection_;
};

}  // namespace holdfast::test
