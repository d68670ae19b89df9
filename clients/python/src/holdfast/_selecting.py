"""The verbs that find records: by prefix, pattern, tag and index entry, and by what their values hold. See _verbs.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._calls import Answered, Call, Nature
from ._types import Page, json_text, level_name
from ._verbs import SERVICE, Level, record_of
from .v2 import state_pb2 as pb

Query = Mapping[str, Any] | str
"""Dapr's grammar: `{"filter": ..., "sort": ...}`, or its JSON text."""

Pairs = Mapping[str, str] | None


def list_page(
    store: str,
    prefix: str = "",
    *,
    like: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    values: bool = False,
    tags: Pairs = None,
    indexes: Pairs = None,
    consistency: Level = None,
    timeout: float | None = None,
) -> Call[Page]:
    """One page of at most 1000 keys and etags that begin with the prefix; with values=True whole records.

    `like` takes an SQL pattern in place of the prefix; `tags` lets only records pass that have all of them. With
    `indexes` records that carry all of these entries: one is looked up, and nothing else is read.
    """
    request = pb.ListRequest(
        store=store,
        prefix=prefix,
        limit=limit,
        cursor=cursor,
        want_values=values,
        like=like,
        tags=tags,
        indexes=indexes,
        consistency=level_name(consistency),
    )

    def read(answer: pb.ListResponse, told: Answered) -> Page:
        return _page(answer.items, answer.cursor, told)

    return Call(SERVICE + "List", request, pb.ListResponse, Nature.READ, read, timeout=timeout)


def query_page(
    store: str,
    query: Query | None = None,
    *,
    prefix: str = "",
    tags: Pairs = None,
    indexes: Pairs = None,
    fields: str | Sequence[str] | None = None,
    scan: bool = False,
    limit: int = 100,
    cursor: str | None = None,
    consistency: Level = None,
    timeout: float | None = None,
) -> Call[Page]:
    """One page of at most 1000 records by what their JSON values hold: Dapr's grammar, without its page.

    `prefix`, `tags` and `indexes` restrict as in a listing; of each value only the members at the paths `fields` are
    answered. Unsupported, with what would help, if neither an entry nor the store's own queries can answer; with
    scan=True every record below the prefix is read then.
    """
    request = pb.QueryRequest(
        store=store,
        query=query if isinstance(query, str) or query is None else json_text(query),
        limit=limit,
        token=cursor,
        prefix=prefix,
        tags=tags,
        indexes=indexes,
        fields=[fields] if isinstance(fields, str) else fields,
        scan=scan,
        consistency=level_name(consistency),
    )

    def read(answer: pb.QueryResponse, told: Answered) -> Page:
        return _page(answer.items, answer.token, told)

    return Call(SERVICE + "Query", request, pb.QueryResponse, Nature.READ, read, timeout=timeout)


def _page(items: Any, cursor: str, told: Answered) -> Page:
    return Page(tuple(record_of(item, told.consistency) for item in items), cursor or None, told.consistency)
