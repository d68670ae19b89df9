#include "base/result.h"

namespace holdfast {

std::string_view name_of(Errc code) {
  switch (code) {
    case Errc::invalid_argument: return "invalid-argument";
    case Errc::unsupported: return "unsupported";
    case Errc::denied: return "denied";
    case Errc::not_found: return "not-found";
    case Errc::etag_invalid: return "etag-invalid";
    case Errc::precondition_failed: return "precondition-failed";
    case Errc::conflict: return "conflict";
    case Errc::unavailable: return "unavailable";
    case Errc::overloaded: return "overloaded";
    case Errc::deadline_exceeded: return "deadline-exceeded";
    case Errc::outcome_unknown: return "outcome-unknown";
    case Errc::replication_shortfall: return "replication-shortfall";
    case Errc::internal: return "internal";
  }
  return "internal";
}

}  // namespace holdfast
