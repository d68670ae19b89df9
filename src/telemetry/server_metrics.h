// What the metrics page tells of the HTTP and gRPC servers, under Dapr's names. One ServerMetrics a loop: that loop
// writes with relaxed atomics and without locks, any thread reads.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.h"

namespace holdfast::telemetry {

// Which labels the HTTP series carry (spec.metrics.http of a Configuration).
class HttpLabels {
 public:
  bool verb = true;   // false: the method is left empty
  bool path = true;   // false: the path is left empty, but for `patterns`
  std::vector<std::string> patterns;  // "/v1.0/state/orders/{key}": shown as it stands here for what it matches

  // The path label of a request: "/v1.0/state/STORE" for all that is under it, other routes of ours as they are, and
  // "" for what is none of them, so that a stranger cannot fill the page with names. Valid as long as both live.
  std::string_view path_of(std::string_view path) const;
};

class ServerMetrics {
 public:
  // The calls of one method, path and status (gRPC: one method and status).
  struct Series {
    std::string method;  // of HTTP
    std::string path;    // of HTTP; the full method of gRPC
    int status = 0;
    Histogram latency;   // its buckets together are the count

    bool is(std::string_view method, std::string_view path, int status) const;
  };
  // Beyond this many of a kind, further ones are counted under the path "" (gRPC: "other").
  static constexpr std::size_t kSeriesMax = 512;

  void http_done(std::string_view method, std::string_view path, int status, double latency_ms,
                 std::size_t request_bytes, std::size_t response_bytes);
  void grpc_done(std::string_view full_method, int code, double latency_ms, std::size_t request_bytes,
                 std::size_t response_bytes);

  // Any thread.
  void each_http(const std::function<void(const Series&)>& visit) const { http_.each(visit); }
  void each_grpc(const std::function<void(const Series&)>& visit) const { grpc_.each(visit); }
  const Histogram& http_request_bytes() const { return http_request_bytes_; }
  const Histogram& http_response_bytes() const { return http_response_bytes_; }
  const Histogram& grpc_request_bytes() const { return grpc_request_bytes_; }
  const Histogram& grpc_response_bytes() const { return grpc_response_bytes_; }

 private:
  // Open addressing; a slot once set stays.
  class Table {
   public:
    ~Table();
    Series& at(std::string_view method, std::string_view path, int status);
    void each(const std::function<void(const Series&)>& visit) const;

   private:
    Series& look_up(std::string_view method, std::string_view path, int status);

    static constexpr std::size_t kSlots = 2 * kSeriesMax;
    std::array<std::atomic<Series*>, kSlots> slots_{};
    std::size_t used_ = 0;
    Series* last_ = nullptr;  // the writing loop's
  };

  Table http_;
  Table grpc_;
  Histogram http_request_bytes_;
  Histogram http_response_bytes_;
  Histogram grpc_request_bytes_;
  Histogram grpc_response_bytes_;
};

}  // namespace holdfast::telemetry
