// Load generators: one thread, closed loop (each connection or stream waits for its answer before it asks again).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace holdfast::bench {

struct Load {
  std::string host = "127.0.0.1";
  int port = 0;
  int in_flight = 1;
  double seconds = 2;
};

// A latency is what the server and the kernel take: from the moment that the bytes of a request are given to the kernel
// to the moment that an answer can be read. What the client itself does before and after is not in it, so that clients
// of different protocols can be compared.
struct LoadResult {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;  // other statuses than 2xx, or grpc-status other than 0
  double seconds = 0;
  std::vector<std::uint32_t> latencies_us;  // a sample

  double per_second() const { return seconds > 0 ? static_cast<double>(requests) / seconds : 0; }
  double percentile_us(double p);
};

// A connection for each request in flight. `requests` are sent as they are, in turn.
LoadResult run_http(const Load& load, std::span<const std::string> requests);
inline LoadResult run_http(const Load& load, const std::string& request) { return run_http(load, {&request, 1}); }
// Up to 8 streams a connection.
LoadResult run_grpc(const Load& load, const std::string& path, std::span<const std::string> messages);
inline LoadResult run_grpc(const Load& load, const std::string& path, const std::string& message) {
  return run_grpc(load, path, {&message, 1});
}

struct RespRequest {
  std::string bytes;
  std::uint32_t replies = 1;
  // Where the time of sending stands, 16 digits of microseconds: a script may do less when clocks go on, as they do.
  std::vector<std::size_t> clocks;
};
// Requests of Redis, `depth` of them under way on every connection.
LoadResult run_resp(const Load& load, RespRequest request, int depth);

// One exchange, whole: what a floor server answers with.
std::string fetch_http(const Load& load, const std::string& request);
std::string fetch_grpc(const Load& load, const std::string& path, const std::string& message);

}  // namespace holdfast::bench
