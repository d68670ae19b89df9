"""The blocking client."""

from __future__ import annotations

import functools
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import grpc

from . import _calls, _selecting, _session, _verbs, _watch, errors
from ._calls import Call, Failure, Pause, Reply, Retry, Send, Settings
from ._config import TLS, Target
from ._scope import Exc, ExcType, Scope, Trace, settings_of
from ._selecting import Pairs, Query
from ._types import Record, WatchEvent
from ._verbs import Level

P = ParamSpec("P")
T = TypeVar("T")


class _Channel:
    """One gRPC channel and its methods, opened by the first call; a call after close() opens another."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._channel: Any = None
        self._methods: dict[str, Any] = {}
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()

    def add(self, watch: Watch) -> None:
        """It ends with the client."""
        with self._lock:
            self._watches.add(watch)

    def method(self, send: Send) -> Any:
        with self._lock:
            if self._channel is None:
                self._channel = self._open()
            if send.path not in self._methods:
                is_stream = isinstance(send, _watch.Listen)
                kind = self._channel.unary_stream if is_stream else self._channel.unary_unary
                self._methods[send.path] = kind(
                    send.path,
                    request_serializer=type(send.request).SerializeToString,
                    response_deserializer=send.answer.FromString,
                )
            return self._methods[send.path]

    def _open(self) -> Any:
        options = self._target.options()
        if self._target.tls:
            return grpc.secure_channel(self._target.address, self._target.tls.credentials(), options)
        return grpc.insecure_channel(self._target.address, options)

    def close(self) -> None:
        with self._lock:
            watches = list(self._watches)
        for watch in watches:  # first: one that goes on would connect again
            watch._end(errors.Cancelled("the client was closed", grpc.StatusCode.CANCELLED))
        with self._lock:
            channel, self._channel, self._methods = self._channel, None, {}
        if channel is not None:
            channel.close()

    def send(self, send: Send) -> Reply | Failure:
        try:
            message, call = self.method(send).with_call(send.request, timeout=send.timeout, metadata=send.metadata)
            return Reply(message, (*call.initial_metadata(), *call.trailing_metadata()))
        except grpc.RpcError as error:
            return _failure(error)


def _failure(error: Any) -> Failure:
    metadata = (*(error.initial_metadata() or ()), *(error.trailing_metadata() or ()))
    return Failure(error.code(), error.details() or "", metadata)


def run(call: Call[T], channel: _Channel, settings: Settings, session: _session.Session) -> T:
    """Does what the call's attempts ask for, until there is a result or an error."""
    steps = _calls.attempts(call, settings, session)
    outcome: Reply | Failure | None = None
    while True:
        try:
            step = steps.send(outcome)
        except StopIteration as done:
            result: T = done.value
            return result
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            outcome = None
        else:
            outcome = channel.send(step)


def _blocking(verb: Callable[Concatenate[str, P], Call[T]]) -> Callable[Concatenate[Store, P], T]:
    """A verb as a method of Store that waits for its result."""

    @functools.wraps(verb)
    def method(self: Store, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(verb(self.name, *args, **kwargs))

    return method


class Watch:
    """Events as they happen, of one watch: iterate over it, and close it, which any thread may do, or use it in a `with`.

    When its connection is lost, or the sidecar starts again, it goes on by itself where it was. Where that is not to be
    had any more it says so by a Resync, as it does for who does not keep up. It ends when it is closed, and raises what
    the sidecar refuses it for.
    """

    def __init__(self, channel: _Channel, steps: _watch.Steps, resume: str | None) -> None:
        self._channel = channel
        self._steps = steps
        self._resume = resume
        self._lock = threading.Lock()  # of the three below
        self._call: Any = None
        self._ended = threading.Event()
        self._why: errors.HoldfastError | None = None
        channel.add(self)

    @property
    def resume(self) -> str | None:
        """Continues after the last event that was given out, also in another process; None: this store cannot."""
        return self._resume

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> WatchEvent:
        outcome: Reply | Failure | None = None
        while not self._ended.is_set():
            try:
                step = self._steps.send(outcome)
            except errors.HoldfastError:
                self._end(None)
                raise
            outcome = None
            if isinstance(step, WatchEvent):
                self._resume = step.resume
                return step
            if isinstance(step, Pause):
                self._ended.wait(step.seconds)
            elif isinstance(step, _watch.Next):
                outcome = self._next()
            else:
                self._listen(step)
        if self._why is not None:
            raise self._why
        raise StopIteration

    def _listen(self, step: _watch.Listen) -> None:
        with self._lock:
            if not self._ended.is_set():
                self._call = self._channel.method(step)(step.request, metadata=step.metadata)

    def _next(self) -> Reply | Failure:
        try:
            return Reply(next(self._call), ())
        except StopIteration:
            return Failure(grpc.StatusCode.UNAVAILABLE, "the sidecar has ended the watch", ())
        except grpc.RpcError as error:
            return _failure(error)

    def _end(self, why: errors.HoldfastError | None) -> None:
        with self._lock:
            if not self._ended.is_set():
                self._why = why
                self._ended.set()
            if self._call is not None:
                self._call.cancel()

    def close(self) -> None:
        """Ends it, and who waits for its next event."""
        self._end(None)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, kind: ExcType, error: Exc, trace: Trace) -> None:
        self.close()


class Store:
    """A state store of the sidecar. Cheap: keep it or make it anew. Any thread may use it."""

    def __init__(self, scope: _Scope, name: str, isolation: str | None) -> None:
        self.name = name
        self._scope = scope
        self._settings = scope._settings_for(isolation)

    def _run(self, call: Call[T]) -> T:
        return run(call, self._scope._channel, self._settings, self._scope._session)

    put = _blocking(_verbs.put)
    get = _blocking(_verbs.get)
    delete = _blocking(_verbs.delete)
    merge = _blocking(_verbs.merge)
    increment = _blocking(_verbs.increment)
    append = _blocking(_verbs.append)
    append_element = _blocking(_verbs.append_element)
    list = _blocking(_selecting.list_page)
    query = _blocking(_selecting.query_page)
    delete_prefix = _blocking(_verbs.delete_prefix)
    batch_get = _blocking(_verbs.batch_get)
    batch_write = _blocking(_verbs.batch_write)
    transact = _blocking(_verbs.transact)

    def scan(
        self,
        prefix: str = "",
        *,
        like: str | None = None,
        page: int = 1000,
        values: bool = False,
        tags: Pairs = None,
        indexes: Pairs = None,
        consistency: Level = None,
    ) -> Iterator[Record]:
        """All records of a listing, page by page; the arguments are those of `list`."""
        cursor: str | None = None
        while True:
            part = self.list(
                prefix,
                like=like,
                limit=page,
                cursor=cursor,
                values=values,
                tags=tags,
                indexes=indexes,
                consistency=consistency,
            )
            yield from part
            cursor = part.cursor
            if cursor is None:
                return

    def query_all(
        self,
        query: Query | None = None,
        *,
        prefix: str = "",
        tags: Pairs = None,
        indexes: Pairs = None,
        fields: str | Sequence[str] | None = None,
        scan: bool = False,
        page: int = 1000,
        consistency: Level = None,
    ) -> Iterator[Record]:
        """All records that a query finds, page by page; the arguments are those of `query`."""
        cursor: str | None = None
        while True:
            part = self.query(
                query,
                prefix=prefix,
                tags=tags,
                indexes=indexes,
                fields=fields,
                scan=scan,
                limit=page,
                cursor=cursor,
                consistency=consistency,
            )
            yield from part
            cursor = part.cursor
            if cursor is None:
                return

    def watch(
        self,
        prefix: str = "",
        *,
        key: str | None = None,
        values: bool = False,
        resume: str | None = None,
        timeout: float | None = None,
    ) -> Watch:
        """What happens to the keys with the prefix, or to one key, from when its first event comes: that is Ready.

        With values=True a put has its whole record. `resume`, that of an event or of a Watch, goes on after that event.
        Nothing is sent before the first event is asked for. timeout: seconds until the watch has to be in place.
        """
        request = _watch.request_of(self.name, prefix, key, resume, values)
        return Watch(self._scope._channel, _watch.watching(request, self._settings, timeout), resume)


class _Scope(Scope):
    def __init__(self, channel: _Channel, settings: Settings, session: _session.Session) -> None:
        super().__init__(settings, session)
        self._channel = channel

    def store(self, name: str, isolation: str | None = None) -> Store:
        """A store by its component's name, with the client's isolation key or another one."""
        return Store(self, name, isolation)


class Session(_Scope):
    """Calls that see what earlier ones of the same session wrote and read, apart from the client's other calls."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: ExcType, error: Exc, trace: Trace) -> None:
        return None


class Client(_Scope):
    """A sidecar, over gRPC. Any thread may use it, and one is enough: calls share its connection.

    address: host:port, unix:PATH, https://host:port. Unset: HOLDFAST_GRPC, DAPR_GRPC_ENDPOINT, DAPR_GRPC_PORT, or
    127.0.0.1:50001. token: the API token; unset: DAPR_API_TOKEN. isolation: the isolation key whose records are meant.
    timeout: seconds for a call with all its repetitions; None: no end. Nothing is connected before the first call.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        token: str | None = None,
        isolation: str | None = None,
        timeout: float | None = 10.0,
        tls: TLS | bool | None = None,
        retry: Retry | None = None,
    ) -> None:
        target, settings = settings_of(address, token, isolation, timeout, tls, retry)
        super().__init__(_Channel(target), settings, _session.Session())

    def session(self, token: str | None = None) -> Session:
        """A session of its own over the same connection; `token` continues one that was begun elsewhere."""
        return Session(self._channel, self._settings, _session.Session(token))

    def close(self) -> None:
        """Ends the connection, and calls that wait on it with Cancelled or OutcomeUnknown."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: ExcType, error: Exc, trace: Trace) -> None:
        self.close()
