// A watch over gRPC: a stream of messages.
#pragma once

#include <memory>
#include <string>

#include "conformance/remote/grpc_client.h"
#include "conformance/remote/watcher.h"

namespace holdfast::conformance {

class GrpcEvents final : public EventSource {
 public:
  // Asks for the watch on a connection of its own, and waits for its first event. A status is its error.
  static Result<std::unique_ptr<EventSource>> open(std::uint16_t port, const std::string& store,
                                                   const state::WatchRequest& request);
  GrpcEvents(std::unique_ptr<GrpcClient> client, std::string first)
      : client_(std::move(client)), first_(std::move(first)) {}

  std::optional<state::WatchEvent> next() override;
  void stop() override { client_->shut_down(); }

 private:
  std::unique_ptr<GrpcClient> client_;
  std::optional<std::string> first_;
};

}  // namespace holdfast::conformance
