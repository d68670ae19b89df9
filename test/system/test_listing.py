"""Listing many keys page by page: each once, in memory that does not grow with them and time that does.

HOLDFAST_LIST_RECORDS says how many there are; the soak asks for a million, and holds them to the figures of time too."""
import concurrent.futures
import json
import os
import statistics
import time

import pytest
import requests

from conftest import COMPONENTS, FREES_AT_ONCE, REDIS, Sidecar, redis_or_none

RECORDS = int(os.environ.get("HOLDFAST_LIST_RECORDS", "20000"))
PAGE = 1000
GROWTH_MIB = 32
SLOWDOWN = 3  # the last tenth of the pages against the first
PAGES_TO_JUDGE = 200  # of fewer pages, one that is late says nothing


@pytest.fixture(scope="module")
def wide(request, tmp_path_factory):
    server = redis_or_none(request)
    components = COMPONENTS + (REDIS.replace("PORT", str(server.port)) if server else "")
    with Sidecar(tmp_path_factory.mktemp("wide"), components=components, env=FREES_AT_ONCE) as running:
        yield running
        assert running.stop() == 0, running.log()


@pytest.fixture(scope="module")
def table():
    rows = [("store", "records", "written s", "listed s", "keys/s", "first ms", "last ms", "grown MiB", "twice")]
    yield rows
    print()
    for row in rows:
        print("".join(f"{cell:>11}" for cell in row))


def fill(sidecar, store):
    session = requests.Session()

    def write(first):
        items = [{"op": "put", "key": f"wide/{i:08}", "value": i} for i in range(first, min(first + PAGE, RECORDS))]
        answer = session.post(f"{sidecar.url}/v2/state/{store}:batchWrite", data=json.dumps({"items": items}))
        assert answer.status_code == 200 and {item["status"] for item in answer.json()["items"]} == {201}, answer.text[:500]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(0, RECORDS, PAGE)))


def test_every_key_is_listed_in_constant_memory_and_linear_time(wide, store, table):
    for other in ("aside/a", "wider"):
        requests.put(f"{wide.url}/v2/state/{store}/{other}", data="1")
    began = time.monotonic()
    fill(wide, store)
    written = time.monotonic() - began

    session, listed, twice = requests.Session(), bytearray(RECORDS), 0
    seconds, cursor, before, most = [], "", wide.resident_mib(), 0
    while cursor is not None:
        began = time.monotonic()
        page = session.get(f"{wide.url}/v2/state/{store}", params={"prefix": "wide/", "limit": PAGE, "cursor": cursor} if cursor
                           else {"prefix": "wide/", "limit": PAGE})
        seconds.append(time.monotonic() - began)
        assert page.status_code == 200, page.text[:500]
        answer = page.json()
        assert len(answer["items"]) <= PAGE
        for item in answer["items"]:
            at = int(item["key"].removeprefix("wide/"))
            twice += listed[at]
            listed[at] = 1
        cursor = answer["cursor"]
        most = max(most, wide.resident_mib())
    tenth = max(1, len(seconds) // 10)
    first, last = statistics.median(seconds[:tenth]), statistics.median(seconds[-tenth - 1:-1] or seconds)
    table.append((store, RECORDS, f"{written:.1f}", f"{sum(seconds):.1f}", f"{RECORDS / sum(seconds):.0f}", f"{first * 1000:.1f}",
                  f"{last * 1000:.1f}", f"{most - before:.1f}", twice))

    assert listed.count(1) == RECORDS, f"{RECORDS - listed.count(1)} keys were not listed"
    # SCAN may give a key twice while Redis resizes its table.
    assert twice == 0 if store != "red" else twice <= RECORDS // 100
    assert len(seconds) <= RECORDS // PAGE * 1.1 + 2, "pages are full"
    assert most - before < GROWTH_MIB
    if len(seconds) >= PAGES_TO_JUDGE:
        assert last < SLOWDOWN * first, f"{first * 1000:.1f} ms a page at the beginning, {last * 1000:.1f} ms at the end"


def test_a_cursor_fits_into_a_request_whatever_the_limit(wide, store):
    """Every limit, so that pages end anywhere in what the store hands out at once."""
    fill_some = [{"op": "put", "key": f"fits/{i:04}", "value": i} for i in range(1000)]
    requests.post(f"{wide.url}/v2/state/{store}:batchWrite", data=json.dumps({"items": fill_some}))
    for limit in (1, 7, 100, 333, 999, 1000):
        keys, cursor = [], ""
        while cursor is not None and len(keys) < 3 * limit + 1000:
            page = requests.get(f"{wide.url}/v2/state/{store}", params={"prefix": "fits/", "limit": limit, **({"cursor": cursor} if cursor else {})})
            assert page.status_code == 200, page.text
            keys += [item["key"] for item in page.json()["items"]]
            cursor = page.json()["cursor"]
            assert cursor is None or len(cursor) < 2048
            if limit == 1 and len(keys) == 50:
                break
        if limit > 1:
            assert set(keys) == {f"fits/{i:04}" for i in range(1000)}
