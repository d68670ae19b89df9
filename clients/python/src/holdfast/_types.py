"""What calls take and answer. All of it is immutable, and may be used by any thread."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from .errors import HoldfastError

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"

Ttl = timedelta | int | float
"""How long a record lives, seconds if a number. 0: for ever."""

Number = int | float | Decimal


class ConcurrencyMode(enum.Enum):
    """Whose write stands when two change one record: conditions by the names of the advanced state options."""

    LastWrite = "last-write"
    """Nothing is compared; an etag that is passed all the same is ignored."""
    FirstWrite = "first-write"
    """The etag has to be that of the record; without an etag there must be no record."""


class ConsistencyLevel(enum.Enum):
    """How fresh what is read has to be, strongest first. A store serves a level as itself or a stronger one."""

    Strong = "strong"
    Quorum = "quorum"
    BoundedStaleness = "bounded-staleness"
    Session = "session"
    ConsistentPrefix = "consistent-prefix"
    Eventual = "eventual"


def level_name(level: ConsistencyLevel | str | None) -> str | None:
    """As the protocol has it; None where nothing was said, which is Session."""
    return None if level is None else "CONSISTENCY_" + ConsistencyLevel(level).value.replace("-", "_").upper()


def level_named(name: str) -> ConsistencyLevel | None:
    """None for a name of a newer sidecar that this version does not know."""
    return next((level for level in ConsistencyLevel if level.value == name), None)


class _Value:
    """Ways to read a value's bytes."""

    value: bytes

    @property
    def text(self) -> str:
        """The value as UTF-8 text."""
        return self.value.decode()

    def json(self) -> Any:
        """The value parsed as JSON."""
        return json.loads(self.value)


@dataclass(frozen=True)
class Record(_Value):
    """A record as it is in its store. What the store does not know is None, or empty."""

    key: str
    value: bytes = b""
    etag: str = ""
    """As in HTTP's ETag header, quotes included."""
    store: str = ""
    content_type: str = ""
    created: datetime | None = None
    created_by: str = ""
    modified: datetime | None = None
    modified_by: str = ""
    expires: datetime | None = None
    """None: never."""
    tags: Mapping[str, str] = field(default_factory=dict)
    indexes: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    """The key, below its isolation key if it has one."""
    isolation_key: str | None = None
    consistency: ConsistencyLevel | None = None
    """The level it was read at; None where the sidecar does not tell."""

    @property
    def ttl(self) -> timedelta | None:
        """What is left of its life, by this machine's clock; None: for ever."""
        return None if self.expires is None else max(self.expires - datetime.now(timezone.utc), timedelta(0))


@dataclass(frozen=True)
class Written:
    """A record was written."""

    key: str
    etag: str
    created: bool | None = None
    """Whether there was none before; None: the store does not say."""
    record: Record | None = None
    """With want_record."""
    consistency: ConsistencyLevel | None = None


@dataclass(frozen=True)
class Patched(Written, _Value):
    """A record was changed in place; `value` is what it became."""

    value: bytes = b""


@dataclass(frozen=True)
class Deleted:
    """No record is there any more."""

    key: str
    existed: bool | None = None
    """Whether there was one; None: the store does not say."""
    consistency: ConsistencyLevel | None = None


@dataclass(frozen=True)
class Page:
    """A part of a listing. It may be short, or empty, and not the last: that is the one without a cursor."""

    items: tuple[Record, ...]
    cursor: str | None
    """For the next page."""
    consistency: ConsistencyLevel | None = None

    def __iter__(self) -> Iterator[Record]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class DeletedPrefix:
    """How many records were deleted, and whether the limit was reached before the end."""

    deleted: int
    more: bool


@dataclass(frozen=True)
class Got:
    """What a batch read for one key: a record, an error, or neither where there is no record."""

    key: str
    record: Record | None = None
    error: HoldfastError | None = None


@dataclass(frozen=True)
class Result:
    """What became of one operation of a batch or transaction. Of a batch each may have an error of its own."""

    key: str
    etag: str = ""
    """Of a put."""
    created: bool | None = None
    existed: bool | None = None
    record: Record | None = None
    error: HoldfastError | None = None


class EventKind(enum.Enum):
    """What an event of a watch tells."""

    Ready = "ready"
    """The watch is in place: who lists now and goes on with the events misses nothing. The first event, and only once."""
    Put = "put"
    Delete = "delete"
    Expire = "expire"
    Resync = "resync"
    """Events may be missing from before this point: list again, then go on."""


@dataclass(frozen=True)
class WatchEvent:
    """Something that happened to a key, or to the watch itself. Events of one key come in the order of its writes."""

    kind: EventKind
    key: str = ""
    """Of a put, a deletion, an expiry."""
    record: Record | None = None
    """Of a put: key and etag; with values=True all of it."""
    resume: str | None = None
    """A watch with it goes on after this event; None: this store cannot."""


@dataclass(frozen=True)
class Put:
    """A put of a batch or transaction; the fields are the arguments of `Store.put`."""

    key: str
    value: Any
    content_type: str | None = None
    ttl: Ttl | None = None
    tags: Mapping[str, str] | None = None
    indexes: Mapping[str, str] | None = None
    etag: str | Sequence[str] | None = None
    if_absent: bool = False
    if_present: bool = False
    concurrency: ConcurrencyMode | None = None
    created_by: str | None = None
    modified_by: str | None = None


@dataclass(frozen=True)
class Delete:
    """A deletion of a batch or transaction."""

    key: str
    etag: str | Sequence[str] | None = None
    if_present: bool = False
    concurrency: ConcurrencyMode | None = None


@dataclass(frozen=True)
class Check:
    """Takes part in a transaction by its condition alone."""

    key: str
    etag: str | Sequence[str] | None = None
    if_absent: bool = False
    if_present: bool = False


def encode(value: Any, content_type: str | None) -> tuple[bytes, str]:
    """A value as bytes, and its content type: bytes and text stay as they are, everything else becomes JSON."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value), content_type or ""
    if isinstance(value, str):
        return value.encode(), content_type or TEXT_TYPE
    if content_type is not None and not is_json(content_type):
        raise TypeError(f"a {type(value).__name__} is sent as JSON; as {content_type} pass bytes or text")
    return json_text(value).encode(), content_type or JSON_TYPE


def is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == JSON_TYPE or kind.endswith("+json")


def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def number_text(number: Number | None) -> str:
    """A number as JSON; empty for none."""
    if number is None:
        return ""
    if isinstance(number, bool) or not math.isfinite(number):
        raise ValueError(f"{number} is no JSON number")
    return str(number) if isinstance(number, Decimal) else json.dumps(number)


def milliseconds(ttl: Ttl) -> int:
    """Rounded up, as no record may end early."""
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"a record cannot live {seconds} s; 0 means for ever")
    return math.ceil(round(seconds * 1000, 6))
