"""What can be done with a store: each verb says what it sends and how the answer reads. Client and aio.Client run them.

The first argument is the store's name, which the handle supplies. Every verb takes `timeout` in seconds, in place of the
client's, and where it matters `consistency`, a ConsistencyLevel or its name. _selecting.py has those that find records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timezone
from typing import Any

from ._calls import Answered, Call, Nature
from ._types import (
    Check,
    ConcurrencyMode,
    ConsistencyLevel,
    Delete,
    Deleted,
    DeletedPrefix,
    Got,
    Number,
    Patched,
    Put,
    Record,
    Result,
    Ttl,
    Written,
    encode,
    json_text,
    level_name,
    milliseconds,
    number_text,
)
from .errors import HoldfastError, NotFound, OutcomeUnknown, PreconditionFailed, of_item
from .v2 import state_pb2 as pb

Level = ConsistencyLevel | str | None
Etag = str | Sequence[str] | None

SERVICE = "/holdfast.v2.State/"
# How the sidecar says that the store is there and the record is not.
_NO_RECORD = "holds no record under this key"


def condition(
    etag: Etag = None, if_absent: bool = False, if_present: bool = False, concurrency: ConcurrencyMode | None = None
) -> pb.Precondition | None:
    """The precondition that the arguments of a write say; None for none."""
    if concurrency is ConcurrencyMode.LastWrite:
        etag = None
    if (etag is not None) + if_absent + if_present > 1:
        raise ValueError("of etag, if_absent and if_present only one can be asked for")
    if etag is not None:
        etags = [etag] if isinstance(etag, str) else list(etag)
        if not etags or not all(etags):
            raise ValueError("an empty etag is no etag: leave it out, or ask for if_absent")
        return pb.Precondition(etags=pb.Etags(values=etags))
    if if_present:
        return pb.Precondition(present=True)
    if if_absent or concurrency is ConcurrencyMode.FirstWrite:
        return pb.Precondition(absent=True)
    return None


def _is_guard(when: pb.Precondition | None, is_put: bool) -> bool:
    """Whether the condition no longer holds once the write was applied."""
    kind = when.WhichOneof("kind") if when is not None else None
    return kind == "etags" or (kind == "absent" and is_put)


def _nature(when: pb.Precondition | None, is_put: bool = True) -> Nature:
    return Nature.GUARDED if _is_guard(when, is_put) else Nature.WRITE


def record_of(message: Any, consistency: ConsistencyLevel | None) -> Record:
    def time(name: str) -> Any:
        return getattr(message, name).ToDatetime(tzinfo=timezone.utc) if message.HasField(name) else None

    return Record(
        key=message.key,
        value=message.value,
        etag=message.etag,
        store=message.store,
        content_type=message.content_type,
        created=time("created"),
        created_by=message.created_by,
        modified=time("modified"),
        modified_by=message.modified_by,
        expires=time("expires"),
        tags=dict(message.tags),
        indexes=dict(message.indexes),
        id=message.id,
        isolation_key=message.isolation_key or None,
        consistency=consistency,
    )


def _optional(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _optional_record(message: Any, consistency: ConsistencyLevel | None) -> Record | None:
    return record_of(message.record, consistency) if message.HasField("record") else None


def put(
    store: str,
    key: str,
    value: Any,
    *,
    content_type: str | None = None,
    ttl: Ttl | None = None,
    tags: Mapping[str, str] | None = None,
    indexes: Mapping[str, str] | None = None,
    etag: Etag = None,
    if_absent: bool = False,
    if_present: bool = False,
    concurrency: ConcurrencyMode | None = None,
    consistency: Level = None,
    want_record: bool = False,
    created_by: str | None = None,
    modified_by: str | None = None,
    timeout: float | None = None,
) -> Call[Written]:
    """Writes a record: bytes and text as they are, anything else as JSON. Without ttl it lives for ever.

    With etag (one, or several of which one has to be there), if_absent or if_present it writes only if that holds, and
    raises PreconditionFailed otherwise.
    """
    data, kind = encode(value, content_type)
    when = condition(etag, if_absent, if_present, concurrency)
    request = pb.PutRequest(
        store=store,
        key=key,
        value=data,
        content_type=kind,
        when=when,
        ttl_ms=0 if ttl is None else milliseconds(ttl),
        tags=tags,
        indexes=indexes,
        consistency=level_name(consistency),
        want_record=want_record,
        created_by=created_by,
        modified_by=modified_by,
    )

    def read(answer: pb.PutResponse, told: Answered) -> Written:
        record = _optional_record(answer, told.consistency)
        return Written(key, answer.etag, _optional(answer, "created"), record, told.consistency)

    return Call(SERVICE + "Put", request, pb.PutResponse, _nature(when), read, timeout=timeout)


def get(
    store: str, key: str, *, values: bool = True, consistency: Level = None, timeout: float | None = None
) -> Call[Record | None]:
    """The record; None if there is none. With values=False everything but the value."""
    request = pb.GetRequest(store=store, key=key, without_value=not values, consistency=level_name(consistency))

    def read(answer: pb.Record, told: Answered) -> Record:
        return record_of(answer, told.consistency)

    def absent(error: HoldfastError) -> None:
        if not isinstance(error, NotFound) or not error.message.endswith(_NO_RECORD):
            raise error

    return Call(SERVICE + "Get", request, pb.Record, Nature.READ, read, absent, timeout)


def delete(
    store: str,
    key: str,
    *,
    etag: Etag = None,
    if_present: bool = False,
    concurrency: ConcurrencyMode | None = None,
    consistency: Level = None,
    timeout: float | None = None,
) -> Call[Deleted]:
    """Deletes the record if there is one; with etag or if_present only if that holds."""
    when = _deletion_condition(etag, if_present, concurrency)
    request = pb.DeleteRequest(store=store, key=key, when=when, consistency=level_name(consistency))

    def read(answer: pb.DeleteResponse, told: Answered) -> Deleted:
        return Deleted(key, _optional(answer, "existed"), told.consistency)

    return Call(SERVICE + "Delete", request, pb.DeleteResponse, _nature(when, is_put=False), read, timeout=timeout)


def _deletion_condition(etag: Etag, if_present: bool, concurrency: ConcurrencyMode | None) -> pb.Precondition | None:
    if concurrency is ConcurrencyMode.FirstWrite and etag is None:
        raise ValueError("a deletion by FirstWrite needs the etag that was read")
    return condition(etag, False, if_present, concurrency)


def merge(
    store: str,
    key: str,
    patch: Any,
    *,
    ttl: Ttl | None = None,
    etag: Etag = None,
    if_present: bool = False,
    consistency: Level = None,
    want_record: bool = False,
    modified_by: str | None = None,
    timeout: float | None = None,
) -> Call[Patched]:
    """Merges an object into the record's JSON: members replace, None removes (RFC 7396). NotFound without a record.

    Of all four changes in place: without ttl the record goes on expiring when it did, 0 lets it live for ever.
    """
    request = pb.PatchRequest(merge=patch if isinstance(patch, str) else json_text(patch))
    when = condition(etag, False, if_present)
    return _patch(request, store, key, ttl, when, consistency, want_record, modified_by, timeout)


def increment(
    store: str,
    key: str,
    by: Number = 1,
    *,
    initial: Number | None = None,
    min: Number | None = None,
    max: Number | None = None,
    ttl: Ttl | None = None,
    etag: Etag = None,
    if_absent: bool = False,
    if_present: bool = False,
    consistency: Level = None,
    want_record: bool = False,
    modified_by: str | None = None,
    timeout: float | None = None,
) -> Call[Patched]:
    """Adds to the record's number; the new one is `.json()` of the result. Without a record it counts from initial, or 0.

    PreconditionFailed, and nothing changes, if the number would be below min or above max.
    """
    change = pb.Increment(by=number_text(by), initial=number_text(initial), min=number_text(min), max=number_text(max))
    when = condition(etag, if_absent, if_present)
    request = pb.PatchRequest(increment=change)
    return _patch(request, store, key, ttl, when, consistency, want_record, modified_by, timeout)


def append(
    store: str,
    key: str,
    value: bytes | str,
    *,
    ttl: Ttl | None = None,
    etag: Etag = None,
    if_absent: bool = False,
    if_present: bool = False,
    consistency: Level = None,
    want_record: bool = False,
    modified_by: str | None = None,
    timeout: float | None = None,
) -> Call[Patched]:
    """Puts bytes behind the record's bytes; without a record it begins with them."""
    request = pb.PatchRequest(append=value.encode() if isinstance(value, str) else value)
    when = condition(etag, if_absent, if_present)
    return _patch(request, store, key, ttl, when, consistency, want_record, modified_by, timeout)


def append_element(
    store: str,
    key: str,
    element: Any,
    *,
    ttl: Ttl | None = None,
    etag: Etag = None,
    if_absent: bool = False,
    if_present: bool = False,
    consistency: Level = None,
    want_record: bool = False,
    modified_by: str | None = None,
    timeout: float | None = None,
) -> Call[Patched]:
    """Puts an element behind the last of the record's JSON array; without a record the array begins with it."""
    request = pb.PatchRequest(append_element=json_text(element))
    when = condition(etag, if_absent, if_present)
    return _patch(request, store, key, ttl, when, consistency, want_record, modified_by, timeout)


def _patch(
    request: pb.PatchRequest,
    store: str,
    key: str,
    ttl: Ttl | None,
    when: pb.Precondition | None,
    consistency: Level,
    want_record: bool,
    modified_by: str | None,
    timeout: float | None,
) -> Call[Patched]:
    common = pb.PatchRequest(
        store=store,
        key=key,
        when=when,
        ttl_ms=None if ttl is None else milliseconds(ttl),
        consistency=level_name(consistency),
        want_record=want_record,
        modified_by=modified_by,
    )
    request.MergeFrom(common)

    def read(answer: pb.PatchResponse, told: Answered) -> Patched:
        record = _optional_record(answer, told.consistency)
        return Patched(key, answer.etag, _optional(answer, "created"), record, told.consistency, answer.value)

    return Call(SERVICE + "Patch", request, pb.PatchResponse, _nature(when), read, timeout=timeout)


def delete_prefix(
    store: str,
    prefix: str = "",
    *,
    all: bool = False,
    limit: int = 0,
    consistency: Level = None,
    timeout: float | None = None,
) -> Call[DeletedPrefix]:
    """Deletes what begins with the prefix; everything only with all=True and no prefix.

    With a limit (at most 1000) about so many, and `more` says whether to go on.
    """
    request = pb.DeletePrefixRequest(store=store, prefix=prefix, all=all, limit=limit, consistency=level_name(consistency))

    def read(answer: pb.DeletePrefixResponse, _: Answered) -> DeletedPrefix:
        return DeletedPrefix(answer.deleted, answer.more)

    path = SERVICE + "DeletePrefix"
    return Call(path, request, pb.DeletePrefixResponse, Nature.WRITE, read, timeout=timeout)


def batch_get(
    store: str,
    keys: Iterable[str],
    *,
    values: bool = True,
    consistency: Level = None,
    timeout: float | None = None,
) -> Call[tuple[Got, ...]]:
    """Reads up to 1000 different keys; a result for each, in their order, none depending on another."""
    request = pb.BatchGetRequest(store=store, keys=keys, without_values=not values, consistency=level_name(consistency))

    def read(answer: pb.BatchGetResponse, told: Answered) -> tuple[Got, ...]:
        return tuple(_got(item, told.consistency) for item in answer.items)

    return Call(SERVICE + "BatchGet", request, pb.BatchGetResponse, Nature.READ, read, timeout=timeout)


def _got(item: Any, consistency: ConsistencyLevel | None) -> Got:
    if item.HasField("failure"):
        error = _failure(item.failure)
        return Got(item.key, None, None if isinstance(error, NotFound) else error)
    return Got(item.key, record_of(item.record, consistency))


def _failure(failure: Any) -> HoldfastError:
    return of_item(failure.code, failure.reason, failure.message, failure.current_etag)


def batch_write(
    store: str,
    items: Iterable[Put | Delete],
    *,
    consistency: Level = None,
    want_records: bool = False,
    timeout: float | None = None,
) -> Call[tuple[Result, ...]]:
    """Up to 1000 puts and deletions of different keys; a result for each, with its own error, none depending on another."""
    operations = [_operation(item) for item in items]
    request = pb.BatchWriteRequest(store=store, items=operations, consistency=level_name(consistency), want_records=want_records)
    nature = Nature.GUARDED if operations and all(map(_is_guarded, operations)) else Nature.WRITE

    def read(answer: pb.BatchWriteResponse, told: Answered) -> tuple[Result, ...]:
        return tuple(_result(item, told) for item in answer.items)

    return Call(SERVICE + "BatchWrite", request, pb.BatchWriteResponse, nature, read, timeout=timeout)


def transact(
    store: str,
    operations: Iterable[Put | Delete | Check],
    *,
    consistency: Level = None,
    want_records: bool = False,
    timeout: float | None = None,
) -> Call[tuple[Result, ...]]:
    """Applies all of it or nothing, in order; keys must differ, conditions are judged on the state before.

    PreconditionFailed.operation says which condition failed.
    """
    sent = [_operation(operation) for operation in operations]
    request = pb.TransactRequest(store=store, operations=sent, consistency=level_name(consistency), want_records=want_records)
    nature = Nature.GUARDED if any(map(_is_guarded, sent)) else Nature.WRITE

    def read(answer: pb.TransactResponse, told: Answered) -> tuple[Result, ...]:
        return tuple(_result(result, told) for result in answer.results)

    return Call(SERVICE + "Transact", request, pb.TransactResponse, nature, read, timeout=timeout)


def _operation(item: Put | Delete | Check) -> pb.WriteOperation:
    if isinstance(item, Check):
        when = condition(item.etag, item.if_absent, item.if_present)
        if when is None:
            raise ValueError(f"the check of {item.key!r} has no condition")
        return pb.WriteOperation(key=item.key, when=when, check=pb.WriteOperation.Check())
    if isinstance(item, Delete):
        when = _deletion_condition(item.etag, item.if_present, item.concurrency)
        return pb.WriteOperation(key=item.key, when=when, delete=pb.WriteOperation.Delete())
    data, kind = encode(item.value, item.content_type)
    when = condition(item.etag, item.if_absent, item.if_present, item.concurrency)
    what = pb.WriteOperation.Put(
        value=data,
        content_type=kind,
        ttl_ms=0 if item.ttl is None else milliseconds(item.ttl),
        tags=item.tags,
        indexes=item.indexes,
        created_by=item.created_by,
        modified_by=item.modified_by,
    )
    return pb.WriteOperation(key=item.key, when=when, put=what)


def _is_guarded(operation: pb.WriteOperation) -> bool:
    """A check changes nothing, so its condition still holds after the transaction."""
    kind = operation.WhichOneof("operation")
    return kind != "check" and _is_guard(operation.when, kind == "put")


def _result(item: Any, told: Answered) -> Result:
    error = None
    if item.HasField("failure"):
        error = _failure(item.failure)
        if told.is_repeated and isinstance(error, PreconditionFailed | NotFound):
            message = f"the write may have been applied by an earlier sending: {error.message}"
            error = OutcomeUnknown(message, error.code, "OUTCOME_UNKNOWN", error.current_etag)
    return Result(
        key=item.key,
        etag=item.etag,
        created=_optional(item, "created"),
        existed=_optional(item, "existed"),
        record=_optional_record(item, told.consistency),
        error=error,
    )
