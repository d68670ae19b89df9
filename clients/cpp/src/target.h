// Where the sidecar is and how to speak to it: arguments first, then the environment, then what a sidecar does unasked.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "holdfast/client.h"

namespace holdfast::detail {

// An address as gRPC takes it, and TLS if that is spoken there.
struct Target {
  std::string address;
  std::optional<Tls> tls;
};

// The value of a variable; empty if it is unset.
using Environment = std::function<std::string(const char* name)>;
std::string environment(const char* name);

// HOLDFAST_GRPC and DAPR_GRPC_ENDPOINT are addresses, DAPR_GRPC_PORT a port of DAPR_RUNTIME_HOST (127.0.0.1).
// An address is host:port, a port of this machine, unix:PATH, or either of the first two after https:// or http://.
Target target_of(std::string_view address, std::optional<Tls> tls, const Environment& environment);

}  // namespace holdfast::detail
