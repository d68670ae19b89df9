// The bench's results as a table, JSON and a picture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::bench {

struct Row {
  std::string server;     // "holdfast", "floor", "peer"; "direct", "pipelined", "go": clients of the database
  std::string protocol;   // "http", "grpc"; "resp", "libpq", "etcd"
  std::string store;      // "memory", "sqlite", "redis", "postgresql", "etcd", "etcd-v1" ...
  std::string operation;  // "get", "save", "bulk-get-100", "transaction-2"
  int in_flight = 0;
  double per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double cpu_us = 0;
  double backend_us = 0;  // of the database's processes; 0: there is none
  std::uint64_t errors = 0;
  double ratio = 0;  // cpu_us over the floor's; 0: there is no floor
};

struct Fact {
  std::string name;
  double value = 0;
  std::string unit;
  double bar = 0;         // 0: none
  bool at_least = false;  // the bar is a lower bound
};

struct Report {
  std::string machine;
  std::vector<Row> rows;
  std::vector<Fact> facts;
};

std::string table(const Report& report);
std::string json(const Report& report);
// CPU per request at 32 in flight, a group of bars for each protocol, store and operation.
std::string svg(const Report& report);

}  // namespace holdfast::bench
