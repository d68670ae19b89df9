// The floors: the least that any server built on the same libraries does for the same bytes. Each runs in a process of
// its own and answers every request with the same canned bytes.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::bench {

// A bare Asio coroutine per connection: read until the request is whole, write the canned response.
[[noreturn]] void serve_http_floor(int port, const std::string& response);
// A bare nghttp2 server on the same loop: canned gRPC message and trailers.
[[noreturn]] void serve_grpc_floor(int port, const std::string& framed_message);

// A bare Asio loop with one watcher, who asked with GET: a POST is answered with 204, and one of a key that begins with
// "k" is told the watcher as `event`, from a handler of its own.
[[noreturn]] void serve_watch_floor(int port, const std::string& event);

// The least that a relay does: asks Redis for each request, over one connection on which all that is there leaves in
// one write, and answers with the same canned bytes when the replies have come.
struct RelayTo {
  int redis_port = 0;
  std::string request;
  std::uint32_t replies = 1;
};
[[noreturn]] void serve_http_relay(int port, const std::string& response, const RelayTo& to);
[[noreturn]] void serve_grpc_relay(int port, const std::string& framed_message, const RelayTo& to);

// fdatasync of a small append to a file of this directory.
double syncs_per_second(const std::string& directory, double seconds);

}  // namespace holdfast::bench
