"""The async client: the names of `holdfast`, awaited. Use it in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import grpc
import grpc.aio

from . import _calls, _selecting, _session, _verbs, _watch, errors
from ._calls import Call, Failure, Pause, Reply, Retry, Send, Settings
from ._config import TLS, Target
from ._scope import Exc, ExcType, Scope, Trace, settings_of
from ._selecting import Pairs, Query
from ._types import Record, WatchEvent
from ._verbs import Level

__all__ = ["Client", "Session", "Store", "Watch"]

P = ParamSpec("P")
T = TypeVar("T")


class _Channel:
    """One gRPC channel and its methods, opened by the first call, as it belongs to the loop that runs then."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._channel: Any = None
        self._methods: dict[str, Any] = {}
        self.watches: weakref.WeakSet[Watch] = weakref.WeakSet()

    def method(self, send: Send) -> Any:
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
            return grpc.aio.secure_channel(self._target.address, self._target.tls.credentials(), options)
        return grpc.aio.insecure_channel(self._target.address, options)

    async def close(self) -> None:
        for watch in list(self.watches):  # first: one that goes on would connect again
            watch._end(errors.Cancelled("the client was closed", grpc.StatusCode.CANCELLED))
        channel, self._channel, self._methods = self._channel, None, {}
        if channel is not None:
            await channel.close()

    async def send(self, send: Send) -> Reply | Failure:
        method = self.method(send)
        channel = self._channel
        try:
            call = method(send.request, timeout=send.timeout, metadata=send.metadata)
            message = await call
            return Reply(message, (*await call.initial_metadata(), *await call.trailing_metadata()))
        except grpc.aio.AioRpcError as error:
            return _failure(error)
        except asyncio.CancelledError:
            if self._channel is channel:
                raise
            return Failure(grpc.StatusCode.CANCELLED, "the client was closed", ())


def _failure(error: grpc.aio.AioRpcError) -> Failure:
    metadata = (*(error.initial_metadata() or ()), *(error.trailing_metadata() or ()))
    return Failure(error.code(), error.details() or "", metadata)


async def run(call: Call[T], channel: _Channel, settings: Settings, session: _session.Session) -> T:
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
            await asyncio.sleep(step.seconds)
            outcome = None
        else:
            outcome = await channel.send(step)


def _awaited(
    verb: Callable[Concatenate[str, P], Call[T]],
) -> Callable[Concatenate[Store, P], Coroutine[Any, Any, T]]:
    """A verb as a method of Store that is awaited."""

    @functools.wraps(verb)
    async def method(self: Store, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(verb(self.name, *args, **kwargs))

    return method


class Watch:
    """Events as they happen: `holdfast.Watch`, awaited, by one task at a time.

    Who is cancelled while it waits may ask for the next event again: the watch goes on after the last one it gave out.
    """

    def __init__(self, channel: _Channel, steps: _watch.Steps, resume: str | None) -> None:
        self._channel = channel
        self._steps = steps
        self._step: _watch.Listen | _watch.Next | Pause | None = None  # what a task that was cancelled has left undone
        self._resume = resume
        self._call: Any = None
        self._ended = asyncio.Event()
        self._why: errors.HoldfastError | None = None
        channel.watches.add(self)

    @property
    def resume(self) -> str | None:
        """Continues after the last event that was given out, also in another process; None: this store cannot."""
        return self._resume

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> WatchEvent:
        outcome: Reply | Failure | None = None
        while not self._ended.is_set():
            try:
                step = self._step or self._steps.send(outcome)
            except errors.HoldfastError:
                self._end(None)
                raise
            outcome = None
            if isinstance(step, WatchEvent):
                self._resume = step.resume
                return step
            self._step = step
            if isinstance(step, Pause):
                await self._pause(step.seconds)
            elif isinstance(step, _watch.Next):
                outcome = await self._next()
            else:
                self._call = self._channel.method(step)(step.request, metadata=step.metadata)
            self._step = None
        if self._why is not None:
            raise self._why
        raise StopAsyncIteration

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)

    async def _next(self) -> Reply | Failure:
        if self._call.cancelled():  # with the task that waited for it
            return Failure(grpc.StatusCode.CANCELLED, "the wait for an event was cancelled", ())
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            return _failure(error)
        except asyncio.CancelledError:
            if not self._ended.is_set():
                raise
            return Failure(grpc.StatusCode.CANCELLED, "the watch was closed", ())
        if message is grpc.aio.EOF:
            return Failure(grpc.StatusCode.UNAVAILABLE, "the sidecar has ended the watch", ())
        return Reply(message, ())

    def _end(self, why: errors.HoldfastError | None) -> None:
        if not self._ended.is_set():
            self._why = why
            self._ended.set()
        if self._call is not None:
            self._call.cancel()

    async def close(self) -> None:
        """Ends it, and who waits for its next event."""
        self._end(None)

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(self, kind: ExcType, error: Exc, trace: Trace) -> None:
        await self.close()


class Store:
    """A state store of the sidecar: `holdfast.Store`, awaited."""

    def __init__(self, scope: _Scope, name: str, isolation: str | None) -> None:
        self.name = name
        self._scope = scope
        self._settings = scope._settings_for(isolation)

    async def _run(self, call: Call[T]) -> T:
        return await run(call, self._scope._channel, self._settings, self._scope._session)

    put = _awaited(_verbs.put)
    get = _awaited(_verbs.get)
    delete = _awaited(_verbs.delete)
    merge = _awaited(_verbs.merge)
    increment = _awaited(_verbs.increment)
    append = _awaited(_verbs.append)
    append_element = _awaited(_verbs.append_element)
    list = _awaited(_selecting.list_page)
    query = _awaited(_selecting.query_page)
    delete_prefix = _awaited(_verbs.delete_prefix)
    batch_get = _awaited(_verbs.batch_get)
    batch_write = _awaited(_verbs.batch_write)
    transact = _awaited(_verbs.transact)

    async def scan(
        self,
        prefix: str = "",
        *,
        like: str | None = None,
        page: int = 1000,
        values: bool = False,
        tags: Pairs = None,
        indexes: Pairs = None,
        consistency: Level = None,
    ) -> AsyncIterator[Record]:
        """All records of a listing, page by page; the arguments are those of `list`."""
        cursor: str | None = None
        while True:
            part = await self.list(
                prefix,
                like=like,
                limit=page,
                cursor=cursor,
                values=values,
                tags=tags,
                indexes=indexes,
                consistency=consistency,
            )
            for record in part:
                yield record
            cursor = part.cursor
            if cursor is None:
                return

    async def query_all(
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
    ) -> AsyncIterator[Record]:
        """All records that a query finds, page by page; the arguments are those of `query`."""
        cursor: str | None = None
        while True:
            part = await self.query(
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
            for record in part:
                yield record
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
    """Calls that see what earlier ones of the same session wrote and read. It waits for nothing: `with`, not `async with`."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: ExcType, error: Exc, trace: Trace) -> None:
        return None


class Client(_Scope):
    """A sidecar, over gRPC: `holdfast.Client` with the same arguments, awaited."""

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

    async def close(self) -> None:
        """Ends the connection, and calls that wait on it."""
        await self._channel.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, kind: ExcType, error: Exc, trace: Trace) -> None:
        await self.close()
