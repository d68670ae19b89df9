"""What a call can fail with: one class for each thing a caller can do about it.

The sidecar names the kind of failure in google.rpc.ErrorInfo (domain "holdfast"); where there is none, as when the
connection broke, the gRPC status decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import grpc

from .wire import messages_pb2 as wire

DETAILS = "grpc-status-details-bin"
DOMAINS = ("holdfast", "dapr.io")


class HoldfastError(Exception):
    """A call that failed. Each attribute is None where the sidecar did not tell it.

    code: the gRPC status. reason: the kind of failure, such as PRECONDITION_FAILED; empty if not the sidecar said so.
    current_etag: the etag that is there in place of the expected one. operation: which one of a transaction, from 0.
    """

    status: ClassVar[int] = 500
    """The status that the same failure has over HTTP."""

    def __init__(
        self,
        message: str,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        current_etag: str | None = None,
        operation: int | None = None,
    ) -> None:
        super().__init__(message, code, reason, current_etag, operation)
        self.message = message
        self.code = code
        self.reason = reason
        self.current_etag = current_etag
        self.operation = operation

    def __str__(self) -> str:
        return f"{self.reason or self.code.name}: {self.message}"


class InvalidArgument(HoldfastError):
    """The request is wrong: mend it."""

    status = 400


class Unauthenticated(HoldfastError):
    """The sidecar wants an API token, or another one."""

    status = 401


class PermissionDenied(HoldfastError):
    """The token does not allow this."""

    status = 403


class NotFound(HoldfastError):
    """There is no such record to patch."""

    status = 404


class StoreNotFound(NotFound):
    """The sidecar has no store of this name."""


class CursorExpired(NotFound):
    """The cursor is older than a day: list from the start."""

    status = 410


class Conflict(HoldfastError):
    """Others wrote the record again and again meanwhile; nothing was applied. Repeat."""

    status = 409


class PreconditionFailed(HoldfastError):
    """The record is not what the call expected, and nothing was applied: read again. `current_etag` is what is there."""

    status = 412


class EtagInvalid(PreconditionFailed):
    """The etag is none of this store's."""


class TooLarge(HoldfastError):
    """A message beyond the sidecar's --max-body-size. If it was the answer that is too large, a write was applied."""

    status = 413


class Internal(HoldfastError):
    """A mistake of the sidecar: report it."""

    status = 500


class Unsupported(HoldfastError):
    """This store cannot do it."""

    status = 501


class Unavailable(HoldfastError):
    """The sidecar or its database cannot be reached, and nothing was applied. It was repeated as often as allowed."""

    status = 503


class Overloaded(Unavailable):
    """The sidecar has too much to do already, and nothing was applied."""


class ReplicationShortfall(HoldfastError):
    """The write stands on the primary, but fewer replicas than asked for confirmed it. Never repeated."""

    status = 503


class OutcomeUnknown(HoldfastError):
    """The write may have been applied, or may be yet: read, then decide. Never repeated."""

    status = 504


class DeadlineExceeded(HoldfastError):
    """The time of the call was over. A write may have been applied."""

    status = 504


class Cancelled(HoldfastError):
    """The client was closed under a read or a watch. Of a write that is an OutcomeUnknown."""

    status = 499


_BY_REASON: Mapping[str, type[HoldfastError]] = {
    "INVALID_ARGUMENT": InvalidArgument,
    "UNSUPPORTED": Unsupported,
    "DENIED": PermissionDenied,
    "NOT_FOUND": NotFound,
    "ETAG_INVALID": EtagInvalid,
    "PRECONDITION_FAILED": PreconditionFailed,
    "CONFLICT": Conflict,
    "UNAVAILABLE": Unavailable,
    "OVERLOADED": Overloaded,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "OUTCOME_UNKNOWN": OutcomeUnknown,
    "REPLICATION_SHORTFALL": ReplicationShortfall,
    "INTERNAL": Internal,
}

_BY_CODE: Mapping[grpc.StatusCode, type[HoldfastError]] = {
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: TooLarge,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionFailed,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
    grpc.StatusCode.INTERNAL: Internal,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
}

_CODES: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

# One status for several things; the sidecar's words are what tells them apart.
_CURSOR_EXPIRED = "cursor-expired"
_NO_STORE = "there is no state store"
# Refused before the call was looked at, and so without an ErrorInfo.
_NO_ROOM = "too many bytes in flight"


def make(code: grpc.StatusCode, reason: str, message: str, details: Mapping[str, str]) -> HoldfastError:
    """The error of what the sidecar, or gRPC itself, told."""
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code, HoldfastError)
    if kind is NotFound and message == _CURSOR_EXPIRED:
        kind = CursorExpired
    elif kind is NotFound and message.startswith(_NO_STORE):
        kind = StoreNotFound
    operation = details.get("operation", "")
    return kind(message, code, reason, details.get("current_etag") or None, int(operation) if operation.isdecimal() else None)


def of_status(code: grpc.StatusCode, message: str, metadata: Iterable[tuple[str, str | bytes]]) -> HoldfastError:
    """The error of a failed call."""
    for name, value in metadata:
        if name != DETAILS or not isinstance(value, bytes):
            continue
        for detail in wire.Status.FromString(value).details:
            if not detail.type_url.endswith("/google.rpc.ErrorInfo"):
                continue
            info = wire.ErrorInfo.FromString(detail.value)
            if info.domain in DOMAINS:
                return make(code, info.reason, message, info.metadata)
    is_no_room = code is grpc.StatusCode.UNAVAILABLE and message.startswith(_NO_ROOM)
    return make(code, "OVERLOADED" if is_no_room else "", message, {})


def of_item(code: int, reason: str, message: str, current_etag: str) -> HoldfastError:
    """The error of one of many: `Failure` of the protocol."""
    status = _CODES.get(code, grpc.StatusCode.UNKNOWN)
    return make(status, reason, message, {"current_etag": current_etag})
