// How a call of holdfast.v2.State ends when it fails.
#pragma once

#include "api/grpc/dispatch.h"

namespace holdfast::api {

// With google.rpc.ErrorInfo: the reason, and the current etag and the operation where they are known.
GrpcStatus failure(const Error& error);
GrpcStatus malformed();

}  // namespace holdfast::api
