#include "holdfast/errors.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "failures.h"
#include "wire.pb.h"

namespace holdfast {

namespace {

constexpr std::array<std::string_view, 17> kCodeNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

std::string text_of(const ErrorDetails& details) {
  const std::string name =
      details.reason.empty() ? std::string(kCodeNames[static_cast<std::size_t>(details.code)]) : details.reason;
  return name + ": " + details.message;
}

}  // namespace

Error::Error(ErrorDetails details)
    : std::runtime_error(text_of(details)), details_(std::make_shared<const ErrorDetails>(std::move(details))) {}

void Error::raise() const { throw Error(*this); }

namespace detail {

namespace {

template <class Kind>
ErrorPtr make(ErrorDetails details) {
  return std::make_shared<const Kind>(std::move(details));
}
using Maker = ErrorPtr (*)(ErrorDetails);

struct ByReason {
  std::string_view reason;
  Maker make;
};
constexpr ByReason kByReason[] = {
    {"INVALID_ARGUMENT", make<InvalidArgument>},
    {"UNSUPPORTED", make<Unsupported>},
    {"DENIED", make<PermissionDenied>},
    {"NOT_FOUND", make<NotFound>},
    {"ETAG_INVALID", make<EtagInvalid>},
    {"PRECONDITION_FAILED", make<PreconditionFailed>},
    {"CONFLICT", make<Conflict>},
    {"UNAVAILABLE", make<Unavailable>},
    {"OVERLOADED", make<Overloaded>},
    {"DEADLINE_EXCEEDED", make<DeadlineExceeded>},
    {"OUTCOME_UNKNOWN", make<OutcomeUnknown>},
    {"REPLICATION_SHORTFALL", make<ReplicationShortfall>},
    {"INTERNAL", make<Internal>},
};

Maker maker_of(Code code) {
  switch (code) {
    case Code::cancelled:
      return make<Cancelled>;
    case Code::invalid_argument:
      return make<InvalidArgument>;
    case Code::deadline_exceeded:
      return make<DeadlineExceeded>;
    case Code::not_found:
      return make<NotFound>;
    case Code::permission_denied:
      return make<PermissionDenied>;
    case Code::resource_exhausted:
      return make<TooLarge>;
    case Code::failed_precondition:
      return make<PreconditionFailed>;
    case Code::aborted:
      return make<Conflict>;
    case Code::unimplemented:
      return make<Unsupported>;
    case Code::internal:
      return make<Internal>;
    case Code::unavailable:
      return make<Unavailable>;
    case Code::unauthenticated:
      return make<Unauthenticated>;
    default:
      return make<Error>;
  }
}

// One status for several things; the sidecar's words are what tells them apart.
constexpr std::string_view kCursorExpired = "cursor-expired";
constexpr std::string_view kNoStore = "there is no state store";
// Refused before the call was looked at, and so without an ErrorInfo.
constexpr std::string_view kNoRoom = "too many bytes in flight";

ErrorPtr error_of(ErrorDetails details) {
  const auto* named = std::ranges::find(kByReason, details.reason, &ByReason::reason);
  Maker maker = named != std::end(kByReason) ? named->make : maker_of(details.code);
  if (maker == make<NotFound> && details.message == kCursorExpired) maker = make<CursorExpired>;
  if (maker == make<NotFound> && details.message.starts_with(kNoStore)) maker = make<StoreNotFound>;
  return maker(std::move(details));
}

Code code_of(int code) {
  return code >= 0 && code < static_cast<int>(kCodeNames.size()) ? static_cast<Code>(code) : Code::unknown;
}

// False where there is no word of the sidecar's.
bool take_error_info(const std::string& bytes, ErrorDetails& details) {
  cpp::wire::Status status;
  if (bytes.empty() || !status.ParseFromString(bytes)) return false;
  for (const auto& detail : status.details()) {
    cpp::wire::ErrorInfo info;
    if (!detail.type_url().ends_with("/google.rpc.ErrorInfo") || !info.ParseFromString(detail.value())) continue;
    if (info.domain() != "holdfast" && info.domain() != "dapr.io") continue;
    details.reason = info.reason();
    if (const auto etag = info.metadata().find("current_etag"); etag != info.metadata().end() && !etag->second.empty())
      details.current_etag = etag->second;
    if (const auto at = info.metadata().find("operation"); at != info.metadata().end()) {
      int operation = 0;
      const char* end = at->second.data() + at->second.size();
      if (std::from_chars(at->second.data(), end, operation) == std::from_chars_result{end, std::errc()})
        details.operation = operation;
    }
    return true;
  }
  return false;
}

}  // namespace

ErrorPtr error_of_status(Code code, std::string message, const std::string& details_bytes) {
  ErrorDetails details{.message = std::move(message), .code = code_of(static_cast<int>(code))};
  if (!take_error_info(details_bytes, details) && code == Code::unavailable && details.message.starts_with(kNoRoom))
    details.reason = "OVERLOADED";
  return error_of(std::move(details));
}

ErrorPtr error_of_item(int code, std::string reason, std::string message, std::string current_etag) {
  ErrorDetails details{.message = std::move(message), .code = code_of(code), .reason = std::move(reason)};
  if (!current_etag.empty()) details.current_etag = std::move(current_etag);
  return error_of(std::move(details));
}

ErrorPtr outcome_unknown(const ErrorPtr& cause, std::string_view why) {
  return make<OutcomeUnknown>({.message = std::string(why) + ": " + cause->message(),
                               .code = cause->code(),
                               .reason = "OUTCOME_UNKNOWN",
                               .current_etag = cause->current_etag(),
                               .operation = cause->operation(),
                               .cause = cause});
}

}  // namespace detail
}  // namespace holdfast
