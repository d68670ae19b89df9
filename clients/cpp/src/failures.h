// From what gRPC and the sidecar tell of a failure to the error that says what to do.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "holdfast/errors.h"

namespace holdfast::detail {

using ErrorPtr = std::shared_ptr<const Error>;

// How the sidecar says that the store is there and the record is not: the end of the message.
inline constexpr std::string_view kNoRecord = "holds no record under this key";

// The error of a failed call. details: the bytes of `grpc-status-details-bin`, empty if there were none.
ErrorPtr error_of_status(Code code, std::string message, const std::string& details);

// The error of one of many: `Failure` of the protocol.
ErrorPtr error_of_item(int code, std::string reason, std::string message, std::string current_etag);

// A write of which nobody knows whether it was applied, and the error that it ended with.
ErrorPtr outcome_unknown(const ErrorPtr& cause, std::string_view why = "the write may have been applied");

}  // namespace holdfast::detail
