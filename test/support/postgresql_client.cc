#include "support/postgresql_client.h"

#include <libpq-fe.h>

#include <stdexcept>

namespace holdfast::test {
namespace {

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

[[noreturn]] void fail(const std::string& sql, PGconn* connection, const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* text = result == nullptr ? PQerrorMessage(connection) : PQresultErrorMessage(result);
  std::string message = sql + ": " + text;
  if (state != nullptr) message += std::string("SQLSTATE ") + state;
  throw std::runtime_error(message);
}

Row row_of(const PGresult* result, int row) {
  Row values;
  for (int column = 0; column < PQnfields(result); ++column) {
    if (PQgetisnull(result, row, column) != 0) {
      values.emplace_back();
    } else {
      values.emplace_back(std::in_place, PQgetvalue(result, row, column), PQgetlength(result, row, column));
    }
  }
  return values;
}

}  // namespace

void PostgresqlClient::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

PostgresqlClient::PostgresqlClient(const std::string& connection_string)
    : connection_(PQconnectdb(connection_string.c_str())) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
  PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
}

Rows PostgresqlClient::query(const std::string& sql, const Row& parameters) {
  PGconn* const connection = connection_.get();
  std::vector<const char*> values;
  for (const std::optional<std::string>& value : parameters) values.push_back(value ? value->c_str() : nullptr);
  const Result result(parameters.empty() ? PQexec(connection, sql.c_str())
                                         : PQexecParams(connection, sql.c_str(), static_cast<int>(values.size()),
                                                        nullptr, values.data(), nullptr, nullptr, 0),
                      &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) fail(sql, connection, result.get());
  Rows rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) rows.push_back(row_of(result.get(), row));
  return rows;
}

std::string PostgresqlClient::value(const std::string& sql, const Row& parameters) {
  const Rows rows = query(sql, parameters);
  return rows.empty() || rows[0].empty() ? "" : rows[0][0].value_or("");
}

int PostgresqlClient::backend_pid() const { return PQbackendPID(connection_.get()); }

bool PostgresqlClient::is_open() {
  return PQconsumeInput(connection_.get()) == 1 && PQstatus(connection_.get()) == CONNECTION_OK;
}

}  // namespace holdfast::test
