// What etcd's servers say against a request, as our errors: what failed, in which component, why, and what to do. Pure.
#pragma once

#include <string_view>

#include "base/result.h"
#include "net/grpc_client.h"

namespace holdfast::stores::etcd {

enum class Trouble : std::uint8_t {
  no_leader,      // of this member; nothing was done
  not_signed_in,  // the token is too old, or of another life of the server: sign in again
  lease_gone,     // the lease that a write names has expired; nothing was done
  compacted,      // the revision that was asked for is gone
  too_many_operations,
  too_large,
  no_space,    // the quota is used up
  overloaded,  // nothing was done
  denied,
  wrong_password,
  unsupported,  // an older server
  lost_leader,  // or a time-out inside the server: a write may have been done
  other,
};

// What the server's status and words say. Source: etcd, api/v3rpc/rpctypes/error.go.
Trouble trouble_of(const net::GrpcReply& reply);

// Whether a write that got this answer was certainly not done.
bool is_undone(Trouble trouble);

enum class Access : std::uint8_t { read, write };

// `place` is whose store speaks, `doing` a verb phrase with its object: save "cart/42". The server's words are in
// Error::backend_message.
Error describe(std::string_view place, std::string_view doing, Access access, const net::GrpcReply& reply);

}  // namespace holdfast::stores::etcd
