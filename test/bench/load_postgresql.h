// A client of PostgreSQL by hand: the least that saves and reads what Dapr's version 2 keeps.
#pragma once

#include <libpq-fe.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "bench/load.h"

namespace holdfast::bench {

// libpq in pipeline mode, statements that are prepared, results in binary format, one Sync for each request. One
// thread, which looks at all connections.
class PostgresqlByHand {
 public:
  // The table has Dapr's columns. What cannot be done throws std::runtime_error.
  PostgresqlByHand(const std::string& connection_string, const std::string& table, int connections);
  ~PostgresqlByHand();
  PostgresqlByHand(const PostgresqlByHand&) = delete;
  PostgresqlByHand& operator=(const PostgresqlByHand&) = delete;

  enum class Statement : std::uint8_t { get, save, bulk_get };
  // A statement's $1 and, for saves, $2; as many rows as it has to give.
  struct Request {
    std::string key;  // of a bulk get: the array of keys
    std::string value;
    int rows = 1;
  };
  // Closed loop, as run_http(): `load.in_flight` requests are shared out among the connections.
  LoadResult run(const Load& load, Statement statement, const std::vector<Request>& requests);

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  struct Asked {
    double at = 0;
    const Request* request = nullptr;
    bool ok = false;
  };
  struct Link {
    std::unique_ptr<PGconn, Finish> connection;
    std::deque<Asked> asked;
  };
  struct Run {
    Statement statement;
    const std::vector<Request>& requests;
    std::size_t next = 0;
    LoadResult result = {};
  };
  void ask(Link& link, Run& run);
  // How many were answered.
  int receive(Link& link, Run& run, double now);
  void drain(Link& link, Run& run);

  std::vector<Link> links_;
  int poll_ = -1;
};

}  // namespace holdfast::bench
