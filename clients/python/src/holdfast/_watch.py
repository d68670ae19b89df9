"""A watch from its request to its events, without I/O: when to listen, what each message means, and when to listen again.

`watching` is a generator as `_calls.attempts` is, and the clients drive it: it asks to `Listen`, for the `Next` message and
for pauses, and yields the events that the caller is to see.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

from . import errors
from ._calls import Failure, Fate, Pause, Reply, Send, Settings, fate_of, metadata_of
from ._types import EventKind, WatchEvent
from ._verbs import SERVICE, record_of
from .v2 import state_pb2 as pb


@dataclass(frozen=True)
class Listen(Send):
    """Open a stream in place of the one there was; the generator takes nothing."""


@dataclass(frozen=True)
class Next:
    """Wait for the stream's next message, a Reply; a Failure when it has ended, whyever."""


Steps = Generator[Listen | Next | Pause | WatchEvent, Reply | Failure | None, None]

_KINDS = {
    pb.WatchEvent.KIND_READY: EventKind.Ready,
    pb.WatchEvent.KIND_PUT: EventKind.Put,
    pb.WatchEvent.KIND_DELETE: EventKind.Delete,
    pb.WatchEvent.KIND_EXPIRE: EventKind.Expire,
    pb.WatchEvent.KIND_RESYNC: EventKind.Resync,
}


def request_of(store: str, prefix: str, key: str | None, resume: str | None, values: bool) -> pb.WatchRequest:
    if key is not None and prefix:
        raise ValueError("a watch is of one key or of a prefix, not of both")
    return pb.WatchRequest(store=store, prefix=prefix if key is None else None, key=key, resume=resume, want_values=values)


def watching(
    request: pb.WatchRequest,
    settings: Settings,
    timeout: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    chance: Callable[[], float] = random.random,
) -> Steps:
    """Yields events for as long as it is asked; raises a HoldfastError when the watch cannot be had, or not go on.

    Until it is in place it is tried as a call is: as often as the settings say, within the timeout. From then on it is
    listened for again whenever the stream ends, with growing pauses and without end, unless the sidecar refuses it.
    """
    asked = pb.WatchRequest()
    asked.CopyFrom(request)
    timeout = settings.timeout if timeout is None else timeout
    deadline = None if timeout is None else clock() + timeout
    is_in_place = False  # whether the caller was told that it is
    attempt = 0
    while True:
        attempt += 1
        began = clock()
        yield Listen(SERVICE + "Watch", asked, pb.WatchEvent, metadata_of(settings), None)
        outcome = yield Next()
        while isinstance(outcome, Reply):
            event = _event(outcome.message, was_in_place=is_in_place, asked=asked)
            asked.resume = outcome.message.resume
            if event is not None:
                is_in_place = True
                yield event
            outcome = yield Next()
        assert outcome is not None
        error = errors.of_status(outcome.code, outcome.message, outcome.metadata)
        if clock() - began > settings.retry.max_delay:
            attempt = 1  # it was there for a while, and is tried at once again
        pause = settings.retry.delay(attempt, chance())
        is_last = settings.retry.attempts <= (1 if is_in_place else attempt)
        is_late = not is_in_place and deadline is not None and clock() + pause >= deadline
        if is_last or is_late or (fate_of(error) is Fate.FINAL and not isinstance(error, errors.DeadlineExceeded)):
            raise error
        yield Pause(pause)


def _event(message: pb.WatchEvent, was_in_place: bool, asked: pb.WatchRequest) -> WatchEvent | None:
    """What the caller sees of a message; None: nothing.

    That the watch is in place again, with nothing lost, is no news. Where the store cannot go on from where it was, what
    happened meanwhile is lost.
    """
    kind = _KINDS.get(message.kind)
    if kind is EventKind.Ready and was_in_place:
        if asked.resume:
            return None
        kind = EventKind.Resync
    if kind is None:
        return None  # of a newer sidecar
    record = record_of(message.record, None) if message.HasField("record") else None
    return WatchEvent(kind, message.key, record, message.resume or None)
