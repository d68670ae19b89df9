"""A call from its request to its answer, without I/O: what to send, whether to send it again, and when.

`attempts` is a generator that says what to do next, `Send` or `Pause`, and is told what came of it. A few lines in
_client.py and aio.py drive it, one blocking and one awaiting; all decisions are here, once.
"""

from __future__ import annotations

import enum
import random
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import grpc

from . import errors
from ._session import Session
from ._types import ConsistencyLevel, level_named

T = TypeVar("T")
Metadata = Iterable[tuple[str, str | bytes]]

SESSION = "holdfast-session"
CONSISTENCY = "holdfast-consistency"
ISOLATION = "holdfast-isolation"
TOKEN = "dapr-api-token"


class Nature(enum.Enum):
    """What a second sending would do, which decides whether there may be one."""

    READ = "read"
    GUARDED = "guarded"
    """A write that is refused if it was applied already: its etag is gone then, or its key is there."""
    WRITE = "write"
    """Any other write: sent again, it might undo what somebody else wrote meanwhile, or count twice."""


@dataclass(frozen=True)
class Retry:
    """How often a call is sent, and the pauses between: twice as long each time, less up to half of it by chance.

    A call is repeated within its timeout only, and only where that is safe: a read that could not be answered, and a
    write of which it is known that nothing was applied, or that cannot be applied twice.
    """

    attempts: int = 6
    first_delay: float = 0.05
    max_delay: float = 1.0

    def delay(self, attempt: int, chance: float) -> float:
        """The pause after attempt number `attempt`, from 1, in seconds."""
        whole = min(self.max_delay, self.first_delay * 2.0 ** min(attempt - 1, 60))
        return whole * (1 - chance / 2)


@dataclass(frozen=True)
class Answered:
    """What is known beside the message of an answer."""

    consistency: ConsistencyLevel | None
    is_repeated: bool
    """An earlier sending may have been applied: a condition that fails now may have failed by that."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """A call of one verb. `read` makes its result of the answer, `absent` of an error, if that is no error here."""

    path: str
    request: Any
    answer: type[Any]
    nature: Nature
    read: Callable[[Any, Answered], T]
    absent: Callable[[errors.HoldfastError], T] | None = None
    timeout: float | None = None


@dataclass(frozen=True)
class Settings:
    """What all calls of a client share."""

    timeout: float | None = 10.0
    token: str | None = None
    isolation: str | None = None
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True)
class Send:
    """Send the request; the generator takes a Reply or a Failure. timeout in seconds."""

    path: str
    request: Any
    answer: type[Any]
    metadata: tuple[tuple[str, str], ...]
    timeout: float | None


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Reply:
    message: Any
    metadata: Metadata


@dataclass(frozen=True)
class Failure:
    code: grpc.StatusCode
    message: str
    metadata: Metadata


# gRPC's words for a connection that was never there, so that no request was sent on it.
_NEVER_SENT = ("failed to connect to all addresses", "DNS resolution failed", "Name resolution failure")
# The statuses that gRPC itself makes when a connection ends under a call.
_BROKEN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED)


# The levels at which a reading that was sent without a token is served by a copy that has everything.
_COMPLETE = (ConsistencyLevel.Strong, ConsistencyLevel.Quorum, ConsistencyLevel.Session)


class Fate(enum.Enum):
    """What a failure says of the request that was sent."""

    FINAL = "final"  # the sidecar has judged it: again would be the same
    UNTOUCHED = "untouched"  # nothing was applied, and another time it may be
    LOST = "lost"  # it may have been applied, and nobody said


def fate_of(error: errors.HoldfastError) -> Fate:
    if isinstance(error, errors.Unavailable):
        if error.reason or error.message.startswith(_NEVER_SENT):
            return Fate.UNTOUCHED
        return Fate.LOST
    if not error.reason and error.code in _BROKEN:
        return Fate.LOST
    return Fate.FINAL


def _unknown(error: errors.HoldfastError) -> errors.OutcomeUnknown:
    return errors.OutcomeUnknown(
        f"the write may have been applied: {error.message}", error.code, "OUTCOME_UNKNOWN", error.current_etag, error.operation
    )


def metadata_of(settings: Settings, session: str = "") -> tuple[tuple[str, str], ...]:
    entries = ((TOKEN, settings.token), (ISOLATION, settings.isolation), (SESSION, session))
    return tuple((name, value) for name, value in entries if value)


def _text(metadata: Metadata) -> Mapping[str, str]:
    return {name: value for name, value in metadata if isinstance(value, str)}


def attempts(
    call: Call[T],
    settings: Settings,
    session: Session,
    clock: Callable[[], float] = time.monotonic,
    chance: Callable[[], float] = random.random,
) -> Generator[Send | Pause, Reply | Failure | None, T]:
    """Returns the result, or raises a HoldfastError. `clock` counts seconds, `chance` is from 0 to 1."""
    timeout = settings.timeout if call.timeout is None else call.timeout
    deadline = None if timeout is None else clock() + timeout
    attempt = 0
    lost = False  # whether a sending may have been applied
    while True:
        attempt += 1
        left = None if deadline is None else max(deadline - clock(), 0.001)
        sent = session.begin()
        outcome = yield Send(call.path, call.request, call.answer, metadata_of(settings, sent.text), left)
        assert outcome is not None
        told = _text(outcome.metadata)
        level = level_named(told.get(CONSISTENCY, ""))
        session.end(sent, told.get(SESSION), call.nature is not Nature.READ or level in _COMPLETE)
        if isinstance(outcome, Reply):
            return call.read(outcome.message, Answered(level, lost))
        error = errors.of_status(outcome.code, outcome.message, outcome.metadata)
        fate = fate_of(error)
        if call.nature is not Nature.READ:
            lost = lost or fate is Fate.LOST
        pause = settings.retry.delay(attempt, chance())
        is_last = attempt >= settings.retry.attempts or (deadline is not None and clock() + pause >= deadline)
        is_last = is_last or error.code is grpc.StatusCode.CANCELLED  # by who closed the client
        if fate is Fate.FINAL or is_last or (lost and call.nature is Nature.WRITE):
            if lost:
                raise _unknown(error) from error
            if call.absent is not None:
                return call.absent(error)
            raise error
        yield Pause(pause)
