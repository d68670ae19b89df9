// Outcomes as values. A function that can fail in a way its caller should handle returns Result<T>.
//
// Errc is named after what the caller can do about it; api/status_map.h alone turns it into a status.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast {

enum class Errc : std::uint8_t {
  invalid_argument,       // fix the request
  unsupported,            // this store, as configured, cannot do it
  denied,                 // the caller may not
  not_found,              // only where absence is an error (patch, an unknown store)
  etag_invalid,           // the etag cannot be one of this store's
  precondition_failed,    // read again: the record is not what the caller thought
  conflict,               // a concurrent transaction won; retry is sensible
  unavailable,            // the store cannot be reached now; retry later
  overloaded,             // a bound was reached; retry later
  deadline_exceeded,      // the time was up before the store answered
  outcome_unknown,        // the write may or may not stand
  replication_shortfall,  // the write stands on the primary, on fewer replicas than asked
  internal,               // a bug, ours or the store's; report it
};

std::string_view name_of(Errc code);

struct Error {
  Errc code = Errc::internal;
  std::string message;          // ours: what, where, why, what to do. Safe to show to a client.
  std::string backend_message;  // the server's words; may hold user data: logged, not forwarded blindly
  std::string current_etag;     // with precondition_failed, when the store knows it
  int operation = -1;           // which operation of a transaction failed; -1: none in particular

  Error() = default;
  Error(Errc c, std::string m) : code(c), message(std::move(m)) {}
};

template <class T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

inline std::unexpected<Error> fail(Errc code, std::string message) {
  return std::unexpected<Error>(Error(code, std::move(message)));
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

// Adds what this layer knows in front of what the layer below said.
inline Error with_context(Error error, std::string_view context) {
  error.message.insert(0, ": ").insert(0, context);
  return error;
}

}  // namespace holdfast
