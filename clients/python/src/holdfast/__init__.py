"""Client of the Holdfast state sidecar.

>>> with holdfast.Client() as client:
...     store = client.store("statestore")
...     store.put("orders/17", {"total": 12.5}, if_absent=True)
...     store.get("orders/17").json()

`holdfast.aio` is the same, awaited; `holdfast.seed` has the names of Dapr's course on state management.
"""

from ._calls import Retry
from ._client import Client, Session, Store, Watch
from ._config import TLS
from ._types import (
    Check,
    ConcurrencyMode,
    ConsistencyLevel,
    Delete,
    Deleted,
    DeletedPrefix,
    EventKind,
    Got,
    Page,
    Patched,
    Put,
    Record,
    Result,
    WatchEvent,
    Written,
)
from .errors import (
    Cancelled,
    Conflict,
    CursorExpired,
    DeadlineExceeded,
    EtagInvalid,
    HoldfastError,
    Internal,
    InvalidArgument,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    PermissionDenied,
    PreconditionFailed,
    ReplicationShortfall,
    StoreNotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)

__all__ = [
    "TLS",
    "Cancelled",
    "Check",
    "Client",
    "ConcurrencyMode",
    "Conflict",
    "ConsistencyLevel",
    "CursorExpired",
    "DeadlineExceeded",
    "Delete",
    "Deleted",
    "DeletedPrefix",
    "EtagInvalid",
    "EventKind",
    "Got",
    "HoldfastError",
    "Internal",
    "InvalidArgument",
    "NotFound",
    "OutcomeUnknown",
    "Overloaded",
    "Page",
    "Patched",
    "PermissionDenied",
    "PreconditionFailed",
    "Put",
    "Record",
    "ReplicationShortfall",
    "Result",
    "Retry",
    "Session",
    "Store",
    "StoreNotFound",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "Unsupported",
    "Watch",
    "WatchEvent",
    "Written",
]
