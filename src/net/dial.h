// Opening a socket to an Endpoint. Internal to net/.
#pragma once

#include <vector>

#include "base/result.h"
#include "net/asio_loop.h"
#include "net/endpoint.h"

namespace holdfast::net {

// One attempt. A name is resolved on Asio's resolver thread, and its addresses are tried one after the other, each with
// its share of the time. Of one loop.
class Dialler {
 public:
  Dialler(Loop& loop, Endpoint endpoint) : loop_(loop), endpoint_(std::move(endpoint)) {}

  // Once. The error's message is only the reason: "connection refused".
  Task<Result<Socket>> dial(SteadyTime deadline);
  // dial() ends soon, with an error, and not inside this call. A resolver that hangs is left to itself.
  void cancel();

 private:
  using Address = asio::generic::stream_protocol::endpoint;
  struct Resolution;
  class Resolving;
  class Connecting;

  Task<Result<std::vector<Address>>> addresses();
  Task<Status> connect(const Address& address, Milliseconds limit);

  Loop& loop_;
  const Endpoint endpoint_;
  bool cancelled_ = false;
  std::shared_ptr<Resolution> resolution_;  // shared with the resolver, which may outlive us
  std::optional<Socket> socket_;
};

// "Connection refused" as part of a sentence.
std::string reason(const ErrorCode& error);

}  // namespace holdfast::net
