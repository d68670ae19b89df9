"""The blocking client."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import grpc

from . import _calls, _selecting, _session, _verbs
from ._calls import Call, Failure, Pause, Reply, Retry, Send, Settings
from ._config import TLS, Target
from ._scope import Exc, ExcType, Scope, Trace, settings_of
from ._selecting import Pairs, Query
from ._types import Record
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

    def method(self, send: Send) -> Any:
        with self._lock:
            if self._channel is None:
                self._channel = self._open()
            if send.path not in self._methods:
                self._methods[send.path] = self._channel.unary_unary(
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
            channel, self._channel, self._methods = self._channel, None, {}
        if channel is not None:
            channel.close()

    def send(self, send: Send) -> Reply | Failure:
        try:
            message, call = self.method(send).with_call(send.request, timeout=send.timeout, metadata=send.metadata)
            return Reply(message, (*call.initial_metadata(), *call.trailing_metadata()))
        except grpc.RpcError as error:
            told: Any = error
            metadata = (*(told.initial_metadata() or ()), *(told.trailing_metadata() or ()))
            return Failure(told.code(), told.details() or "", metadata)


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
