// What a call can fail with: one class for each thing a caller can do about it.
//
// The sidecar names the kind of failure (`reason`); where it could not, as when the connection broke, the status of
// gRPC decides. Objects are immutable, cheap to copy, and may be passed between threads. A mistake in the arguments
// themselves, such as two conditions at once, is a std::invalid_argument, and nothing is sent.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace holdfast {

// The statuses of gRPC, under its numbers.
enum class Code {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

class Error;

struct ErrorDetails {
  std::string message = {};
  Code code = Code::unknown;
  std::string reason = {};
  std::optional<std::string> current_etag = {};
  std::optional<int> operation = {};
  std::shared_ptr<const Error> cause = {};
};

// A call that failed, of no kind that has a class below.
class Error : public std::runtime_error {
 public:
  explicit Error(ErrorDetails details);
  // The status that the same failure has over HTTP.
  virtual int status() const noexcept { return 500; }
  // Throws this error as its own class.
  [[noreturn]] virtual void raise() const;

  // What the sidecar, or gRPC, said of it.
  const std::string& message() const noexcept { return details_->message; }
  Code code() const noexcept { return details_->code; }
  // The kind of failure, such as PRECONDITION_FAILED; empty if not the sidecar said so.
  const std::string& reason() const noexcept { return details_->reason; }
  // The etag that is there in place of the expected one; none where it is not known.
  const std::optional<std::string>& current_etag() const noexcept { return details_->current_etag; }
  // Which operation of a transaction, from 0.
  std::optional<int> operation() const noexcept { return details_->operation; }
  // Of an OutcomeUnknown that the client found: how the last sending failed. Else null.
  const std::shared_ptr<const Error>& cause() const noexcept { return details_->cause; }

 private:
  std::shared_ptr<const ErrorDetails> details_;
};

// A class of errors: Base with another status over HTTP.
template <class Self, class Base, int Status>
class ErrorOf : public Base {
 public:
  using Base::Base;
  int status() const noexcept override { return Status; }
  [[noreturn]] void raise() const override { throw static_cast<const Self&>(*this); }
};

// The request is wrong: mend it.
class InvalidArgument final : public ErrorOf<InvalidArgument, Error, 400> {
  using ErrorOf::ErrorOf;
};
// The sidecar wants an API token, or another one.
class Unauthenticated final : public ErrorOf<Unauthenticated, Error, 401> {
  using ErrorOf::ErrorOf;
};
// The token does not allow this.
class PermissionDenied final : public ErrorOf<PermissionDenied, Error, 403> {
  using ErrorOf::ErrorOf;
};
// There is no such record to patch.
class NotFound : public ErrorOf<NotFound, Error, 404> {
  using ErrorOf::ErrorOf;
};
// The sidecar has no store of this name.
class StoreNotFound final : public ErrorOf<StoreNotFound, NotFound, 404> {
  using ErrorOf::ErrorOf;
};
// The cursor is older than a day: list from the start.
class CursorExpired final : public ErrorOf<CursorExpired, NotFound, 410> {
  using ErrorOf::ErrorOf;
};
// Others wrote the record again and again meanwhile; nothing was applied. Repeat.
class Conflict final : public ErrorOf<Conflict, Error, 409> {
  using ErrorOf::ErrorOf;
};
// The record is not what the call expected, and nothing was applied: read again. current_etag() is what is there.
class PreconditionFailed : public ErrorOf<PreconditionFailed, Error, 412> {
  using ErrorOf::ErrorOf;
};
// The etag is none of this store's.
class EtagInvalid final : public ErrorOf<EtagInvalid, PreconditionFailed, 412> {
  using ErrorOf::ErrorOf;
};
// A message beyond the sidecar's --max-body-size. If it was the answer that is too large, a write was applied.
class TooLarge final : public ErrorOf<TooLarge, Error, 413> {
  using ErrorOf::ErrorOf;
};
// The client was closed under a read. Of a write that is an OutcomeUnknown.
class Cancelled final : public ErrorOf<Cancelled, Error, 499> {
  using ErrorOf::ErrorOf;
};
// A mistake of the sidecar: report it.
class Internal final : public ErrorOf<Internal, Error, 500> {
  using ErrorOf::ErrorOf;
};
// This store cannot do it.
class Unsupported final : public ErrorOf<Unsupported, Error, 501> {
  using ErrorOf::ErrorOf;
};
// The sidecar or its database cannot be reached, and nothing was applied. It was repeated as often as allowed.
class Unavailable : public ErrorOf<Unavailable, Error, 503> {
  using ErrorOf::ErrorOf;
};
// The sidecar has too much to do already, and nothing was applied.
class Overloaded final : public ErrorOf<Overloaded, Unavailable, 503> {
  using ErrorOf::ErrorOf;
};
// The write stands on the primary, but fewer replicas than asked for confirmed it. Never repeated.
class ReplicationShortfall final : public ErrorOf<ReplicationShortfall, Error, 503> {
  using ErrorOf::ErrorOf;
};
// The write may have been applied, or may be yet: read, then decide. Never repeated.
class OutcomeUnknown final : public ErrorOf<OutcomeUnknown, Error, 504> {
  using ErrorOf::ErrorOf;
};
// The time of the call was over. A write may have been applied.
class DeadlineExceeded final : public ErrorOf<DeadlineExceeded, Error, 504> {
  using ErrorOf::ErrorOf;
};

}  // namespace holdfast
