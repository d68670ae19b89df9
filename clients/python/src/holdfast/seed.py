"""The names that Dapr's course on state management uses, over Holdfast's own protocol.

The course's programs run with their imports changed to this module. What they save is what Dapr's SDKs read from the same
store, and the other way round: a value is its bytes, or JSON where `contentType` says application/json.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

from . import _client
from ._calls import Answered, Call, Nature
from ._client import Client
from ._types import ConcurrencyMode, ConsistencyLevel, Delete, Put, Record, is_json, json_text
from .wire import messages_pb2 as wire

__all__ = [
    "BulkStateItem",
    "BulkStatesResponse",
    "Concurrency",
    "Consistency",
    "DaprClient",
    "QueryResponse",
    "QueryResponseItem",
    "StateItem",
    "StateOptions",
    "StateResponse",
    "TransactionOperationType",
]

T = TypeVar("T")
BATCH = 1000  # keys or items of one call


class Consistency(enum.Enum):
    """The course's three levels. CABOA waits for a quorum."""

    STRONG = ConsistencyLevel.Strong
    EVENTUAL = ConsistencyLevel.Eventual
    CABOA = ConsistencyLevel.Quorum


class Concurrency(enum.Enum):
    FIRST_WRITE = ConcurrencyMode.FirstWrite
    """With an etag the record has to have it; without one there must be no record."""
    LAST_WRITE = ConcurrencyMode.LastWrite


@dataclass(frozen=True)
class StateOptions:
    """How a record is saved. Of the metadata these have an effect, and others none:

    ttlInSeconds (0 and -1: for ever), contentType, secondaryIndex (NAME:VALUE, several after commas), createdBy,
    modifiedBy, and consistency with any of the six names.
    """

    metadata: Mapping[str, str] = field(default_factory=dict)
    consistency: Consistency | None = None
    concurrency: Concurrency | None = None


@dataclass(frozen=True)
class StateItem:
    """A record to save, or by its key alone to delete."""

    key: str
    value: bytes | str = b""
    etag: str | None = None
    options: StateOptions | None = None
    metadata: Mapping[str, str] | None = None


@dataclass(frozen=True)
class TransactionOperationType:
    """An operation of a transaction: "upsert" or "delete", and the record."""

    operation_type: str
    request: StateItem


class _Data:
    """Ways to read a value. Where there is no record it is empty."""

    def _bytes(self) -> bytes:
        raise NotImplementedError

    def text(self) -> str:
        """The value as text."""
        return self._bytes().decode()

    def json(self) -> str:
        """The value as the text it was saved as, which the course's programs print, or parse with json.loads."""
        return self.text()


@dataclass(frozen=True)
class StateResponse(_Data):
    """A record that was read; without data, and with an empty etag, where there is none."""

    data: bytes = b""
    etag: str = ""

    def _bytes(self) -> bytes:
        return self.data


@dataclass(frozen=True)
class BulkStateItem(_Data):
    """One of several that were read; `error` tells why one could not be."""

    key: str
    data: bytes = b""
    etag: str = ""
    error: str = ""

    def _bytes(self) -> bytes:
        return self.data


@dataclass(frozen=True)
class QueryResponseItem(_Data):
    """A record that a query found."""

    key: str
    value: bytes = b""
    etag: str = ""
    error: str = ""

    def _bytes(self) -> bytes:
        return self.value


class _Several(Sequence[T], Generic[T]):
    def __init__(self, items: Iterable[T]) -> None:
        self._items = tuple(items)

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...
    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        return self._items[at]

    def __len__(self) -> int:
        return len(self._items)


class BulkStatesResponse(_Several[BulkStateItem]):
    """What was read, in the order of the keys: iterable itself, and by `items`."""

    @property
    def items(self) -> Sequence[BulkStateItem]:
        return self._items


class QueryResponse(_Several[QueryResponseItem]):
    """What a query found: iterable itself, and by `results`. `token` asks for the next page; empty: there is none."""

    def __init__(self, items: Iterable[QueryResponseItem], token: str, metadata: Mapping[str, str]) -> None:
        super().__init__(items)
        self.token = token
        self.metadata = metadata

    @property
    def results(self) -> Sequence[QueryResponseItem]:
        return self._items


class DaprClient:
    """The course's client. The arguments are those of holdfast.Client.

    Errors are those of the package: an etag that is no longer there is PreconditionFailed. After the end of its `with`
    block it connects again when it is used again, as the first of the course's programs does.
    """

    def __init__(self, address: str | None = None, **settings: Any) -> None:
        self._client = Client(address, **settings)

    def __enter__(self) -> DaprClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def save_state(
        self,
        store_name: str,
        key: str,
        value: bytes | str,
        etag: str | None = None,
        options: StateOptions | None = None,
        state_metadata: Mapping[str, str] | None = None,
        state_options: StateOptions | None = None,
    ) -> None:
        """Saves one record. Metadata may stand in the options or beside them; options and state_options are one thing."""
        item = StateItem(key, value, etag, options or state_options, state_metadata)
        put, level = _put_of(item), _level_of(item)
        self._client.store(store_name).put(
            put.key,
            put.value,
            content_type=put.content_type,
            ttl=put.ttl,
            indexes=put.indexes,
            etag=put.etag,
            concurrency=put.concurrency,
            consistency=level,
            created_by=put.created_by,
            modified_by=put.modified_by,
        )

    def save_bulk_state(self, store_name: str, states: Iterable[StateItem]) -> None:
        """Saves each record by itself, in order. All are tried; then the error of the first that failed is raised."""
        store = self._client.store(store_name)
        errors = []
        for level, batch in _batches(states):
            results = store.batch_write(map(_put_of, batch), consistency=level)
            errors += [result.error for result in results if result.error is not None]
        if errors:
            raise errors[0]

    def get_state(self, store_name: str, key: str, state_metadata: Mapping[str, str] | None = None) -> StateResponse:
        """A record; without data where there is none."""
        level = (state_metadata or {}).get("consistency")
        record = self._client.store(store_name).get(key, consistency=level)
        return StateResponse() if record is None else StateResponse(record.value, _bare(record.etag))

    def get_bulk_state(
        self,
        store_name: str,
        keys: Sequence[str],
        parallelism: int = 1,
        states_metadata: Mapping[str, str] | None = None,
    ) -> BulkStatesResponse:
        """Several records, in the order of the keys. `parallelism` has no effect: it is one call for each 1000."""
        store = self._client.store(store_name)
        level = (states_metadata or {}).get("consistency")
        different = list(dict.fromkeys(keys))
        found = {
            got.key: _bulk_item(got.key, got.record, got.error)
            for start in range(0, len(different), BATCH)
            for got in store.batch_get(different[start : start + BATCH], consistency=level)
        }
        return BulkStatesResponse(found[key] for key in keys)

    def delete_state(
        self,
        store_name: str,
        key: str,
        etag: str | None = None,
        options: StateOptions | None = None,
        state_metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Deletes a record if there is one; with an etag only if it still has it."""
        item = StateItem(key, b"", etag, options, state_metadata)
        self._client.store(store_name).delete(key, etag=etag or None, consistency=_level_of(item))

    def execute_transaction(self, store_name: str, operations: Sequence[TransactionOperationType]) -> None:
        """Applies all operations or none. A key may stand there twice without etags; then its last operation counts."""
        last = {operation.request.key: operation for operation in operations}
        if any(one.request.etag for one in operations if last[one.request.key] is not one):
            raise ValueError("a transaction changes a key twice, and asks for its etag in between")
        levels = {_level_of(one.request) for one in last.values()} - {None}
        if len(levels) > 1:
            raise ValueError("the operations of a transaction ask for different consistency levels")
        changes = [_operation_of(one) for one in operations if last[one.request.key] is one]
        self._client.store(store_name).transact(changes, consistency=next(iter(levels), None))

    def query_state(self, store_name: str, query: str, states_metadata: Mapping[str, str] | None = None) -> QueryResponse:
        """Records that a query in Dapr's JSON form finds, in the stores that Dapr or `v1Query: true` opens to queries."""
        request = wire.QueryStateRequest(store_name=store_name, query=query, metadata=states_metadata)
        path = "/dapr.proto.runtime.v1.Dapr/QueryStateAlpha1"
        client = self._client
        call = Call(path, request, wire.QueryStateResponse, Nature.READ, _query_response)
        return _client.run(call, client._channel, client._settings, client._session)


def _query_response(answer: wire.QueryStateResponse, _: Answered) -> QueryResponse:
    items = [QueryResponseItem(item.key, item.data, item.etag, item.error) for item in answer.results]
    return QueryResponse(items, answer.token, dict(answer.metadata))


def _bulk_item(key: str, record: Record | None, error: Exception | None) -> BulkStateItem:
    if record is not None:
        return BulkStateItem(key, record.value, _bare(record.etag))
    return BulkStateItem(key, error="" if error is None else str(error))


def _bare(etag: str) -> str:
    """An etag as Dapr shows it, without quotes. One whose bytes cannot stand in a header stays as it is sent."""
    return etag[1:-1] if etag.startswith('"') and not etag.startswith('"b64.') else etag


def _metadata_of(item: StateItem) -> Mapping[str, str]:
    return {**(item.options.metadata if item.options else {}), **(item.metadata or {})}


def _level_of(item: StateItem) -> ConsistencyLevel | None:
    if item.options and item.options.consistency:
        return item.options.consistency.value
    named = _metadata_of(item).get("consistency")
    return ConsistencyLevel(named) if named else None


def _put_of(item: StateItem) -> Put:
    """The first-write mode without an etag is a creation. An empty etag, that of a record that was not there, is none."""
    metadata = _metadata_of(item)
    content_type = metadata.get("contentType", "")
    concurrency = item.options.concurrency if item.options else None
    creates = concurrency is Concurrency.FIRST_WRITE and not item.etag
    return Put(
        key=item.key,
        value=_value_of(item.value, content_type),
        content_type=content_type or None,
        ttl=_seconds_of(metadata.get("ttlInSeconds", "")),
        indexes=_indexes_of(metadata.get("secondaryIndex", "")),
        etag=item.etag or None,
        concurrency=ConcurrencyMode.FirstWrite if creates else None,
        created_by=metadata.get("createdBy"),
        modified_by=metadata.get("modifiedBy"),
    )


def _value_of(value: bytes | str, content_type: str) -> bytes:
    """Bytes as they are. What is called JSON and is none, as a document in the course, is kept as a JSON string."""
    if not isinstance(value, bytes | str):
        raise TypeError(f"a value is bytes or text, not {type(value).__name__}")
    data = value.encode() if isinstance(value, str) else value
    if is_json(content_type):
        try:
            json.loads(data)
        except ValueError:
            return json_text(data.decode()).encode()
    return data


def _seconds_of(text: str) -> int | None:
    if not text:
        return None
    seconds = int(text)
    if seconds < -1:
        raise ValueError(f"ttlInSeconds is {seconds}; it is -1, 0, or how many seconds the record lives")
    return max(seconds, 0)


def _indexes_of(text: str) -> dict[str, str]:
    entries = (entry.strip().partition(":") for entry in text.split(",") if entry.strip())
    return {name: value for name, _, value in entries}


def _operation_of(operation: TransactionOperationType) -> Put | Delete:
    item = operation.request
    if operation.operation_type == "upsert":
        return _put_of(item)
    if operation.operation_type == "delete":
        return Delete(item.key, etag=item.etag or None)
    raise ValueError(f'an operation is "upsert" or "delete", not "{operation.operation_type}"')


def _batches(states: Iterable[StateItem]) -> Iterator[tuple[ConsistencyLevel | None, list[StateItem]]]:
    """Runs of items that one call can take: of one level, each key once, in the order given."""
    batch: dict[str, StateItem] = {}
    level: ConsistencyLevel | None = None
    for item in states:
        if batch and (len(batch) == BATCH or item.key in batch or _level_of(item) != level):
            yield level, list(batch.values())
            batch = {}
        level = _level_of(item)
        batch[item.key] = item
    if batch:
        yield level, list(batch.values())
