"""The Python client of clients/python against the sidecar: every verb, blocking and awaited, on every store."""
import ast
import asyncio
import dataclasses
import json
import pickle
import re
import socket
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone

import grpc
import holdfast
import pytest
from certificates import Authority
from conftest import REDIS, REPOSITORY, Sidecar, redis_or_none, wait_until
from dapr.clients import DaprClient
from holdfast import Check, ConcurrencyMode, ConsistencyLevel, Delete, EventKind, Put
from test_isolation import components
from test_sessions import Pair
from test_tls import TlsSidecar
from test_watch import LOGGED

sys.path.insert(0, str(REPOSITORY / "clients/python/tests"))
from drive import KINDS, Clients  # noqa: E402

PACKAGE = REPOSITORY / "clients/python"


@pytest.fixture(params=KINDS)
def client(request):
    """Makes clients of one kind; both have the same face here."""
    made = Clients(request.param)
    yield made
    made.close()


@pytest.fixture
def records(client, sidecar, store):
    """A store of the module's sidecar."""
    return client(f"127.0.0.1:{sidecar.grpc_port}").store(store)


def test_a_record_tells_all_of_itself(records, key):
    began = datetime.now(timezone.utc) - timedelta(seconds=1)
    written = records.put(key, {"total": 12.5, "für": "Ü"}, ttl=timedelta(hours=1), tags={"shop": "berlin"}, indexes={"user": "7"},
                          created_by="seller", want_record=True, consistency=ConsistencyLevel.Strong)
    assert written.created is True and written.etag and written.record.json() == {"total": 12.5, "für": "Ü"}
    record = records.get(key, consistency="session")
    assert record.json() == {"total": 12.5, "für": "Ü"} and record.content_type == "application/json"
    assert (record.key, record.store, record.id, record.isolation_key) == (key, records.name, key, None)
    assert record.etag == written.etag and record.tags == {"shop": "berlin"} and record.indexes == {"user": "7"}
    assert (record.created_by, record.modified_by) == ("seller", "test")
    assert began < record.created <= record.modified < datetime.now(timezone.utc) + timedelta(seconds=1)
    assert timedelta(minutes=59) < record.ttl <= timedelta(hours=1)
    changed = records.put(key, "plain")
    assert changed.created is False and changed.etag != record.etag
    again = records.get(key, values=False)
    assert again.value == b"" and again.expires is None and again.created == record.created and again.tags == {}


@pytest.mark.parametrize(("value", "stored", "kind"), [
    (bytes(range(256)), bytes(range(256)), "application/octet-stream"), ("grüße", "grüße".encode(), "text/plain; charset=utf-8"),
    ([1, None, "x"], b'[1,null,"x"]', "application/json"), (None, b"null", "application/json"), ("", b"", "text/plain; charset=utf-8")],
    ids=["bytes", "text", "list", "null", "nothing"])
def test_values_come_back_as_they_were(records, key, value, stored, kind):
    records.put(key, value)
    record = records.get(key)
    assert (record.value, record.content_type) == (stored, kind)


def test_conditions(records, key):
    assert records.get(key) is None
    with pytest.raises(holdfast.PreconditionFailed):
        records.put(key, 1, if_present=True)
    first = records.put(key, 1, if_absent=True)
    with pytest.raises(holdfast.PreconditionFailed) as there:
        records.put(key, 2, if_absent=True)
    assert there.value.current_etag == first.etag
    second = records.put(key, 2, etag=first.etag)
    with pytest.raises(holdfast.PreconditionFailed) as moved:
        records.put(key, 3, etag=first.etag)
    assert (moved.value.status, moved.value.code, moved.value.reason) == (412, grpc.StatusCode.FAILED_PRECONDITION, "PRECONDITION_FAILED")
    assert moved.value.current_etag == second.etag and records.get(key).json() == 2
    third = records.put(key, 3, etag=[first.etag, second.etag])
    with pytest.raises(holdfast.PreconditionFailed):
        records.delete(key, etag=second.etag)
    assert records.delete(key, etag=third.etag).existed is not False
    assert records.get(key) is None and records.delete(key).existed is not True


def test_concurrency_modes(records, key):
    first, last = ConcurrencyMode.FirstWrite, ConcurrencyMode.LastWrite
    original = records.put(key, 10, concurrency=first)
    records.put(key, 20, concurrency=last, etag=original.etag)
    records.put(key, 20, concurrency=last, etag=original.etag)
    for etag in (original.etag, None):
        with pytest.raises(holdfast.PreconditionFailed):
            records.put(key, 15, concurrency=first, etag=etag)
    records.put(key, 15, concurrency=first, etag=records.get(key).etag)
    assert records.get(key).json() == 15
    with pytest.raises(holdfast.PreconditionFailed):
        records.delete(key, concurrency=first, etag=original.etag)


def test_records_end(records, key):
    records.put(key, 1, ttl=0.3)
    assert records.get(key).ttl <= timedelta(seconds=0.3)
    wait_until(lambda: records.get(key) is None, "the record to end")
    records.put(key, 1, ttl=3600)
    records.increment(key)
    assert records.get(key).ttl > timedelta(minutes=59), "a change in place keeps its time"
    records.increment(key, ttl=0)
    assert records.get(key).expires is None


def test_changes_in_place(records, key):
    with pytest.raises(holdfast.NotFound):
        records.merge(key, {"a": 1})
    records.put(key, {"a": 1, "b": {"c": 2}}, tags={"t": "1"})
    merged = records.merge(key, {"a": None, "b": {"d": 3}}, want_record=True, modified_by="someone")
    assert merged.json() == {"b": {"c": 2, "d": 3}} and merged.record.tags == {"t": "1"} and merged.record.modified_by == "someone"
    with pytest.raises(holdfast.PreconditionFailed):
        records.merge(key, {}, etag="other")

    assert records.increment(key + "n").json() == 1
    assert records.increment(key + "n", 2**40, max=2**62).json() == 2**40 + 1
    assert records.increment(key + "f", 0.5, initial=1).json() == 1.5
    with pytest.raises(holdfast.PreconditionFailed):
        records.increment(key + "n", -(2**41), min=0)
    with pytest.raises(holdfast.PreconditionFailed):
        records.increment(key + "n", if_absent=True)

    records.append(key + "l", b"\xff")
    assert records.append(key + "l", "ü").value == b"\xff\xc3\xbc"
    records.append_element(key + "a", {"x": 1})
    assert records.append_element(key + "a", "y", if_present=True).json() == [{"x": 1}, "y"]
    with pytest.raises(holdfast.InvalidArgument):
        records.increment(key)


def test_listing(records, key):
    names = [f"{key}/{number:02}" for number in range(12)]
    records.batch_write([Put(name, number, tags={"odd": str(number % 2)}) for number, name in enumerate(names)])
    found, cursor, pages = [], None, 0
    while True:
        page = records.list(key + "/", limit=5, cursor=cursor)
        found += [record.key for record in page]
        cursor, pages = page.cursor, pages + 1
        if cursor is None:
            break
    assert sorted(set(found)) == names and pages >= 3
    assert sorted({record.key for record in records.scan(key + "/", page=5)}) == names
    odd = {record.key: record.json() for record in records.scan(key + "/", tags={"odd": "1"}, values=True)}
    assert odd == {name: number for number, name in enumerate(names) if number % 2}
    assert {record.key for record in records.scan(like=key + "/_1")} == {names[1], names[11]}
    with pytest.raises(holdfast.InvalidArgument):
        records.list(key, cursor="none of ours")

    deleted = 0
    while True:
        part = records.delete_prefix(key + "/0", limit=4)
        deleted += part.deleted
        if not part.more:
            break
    assert deleted == 10 and len(list(records.scan(key + "/"))) == 2
    with pytest.raises(holdfast.InvalidArgument):
        records.delete_prefix("")


def test_records_are_found_by_their_entries(records, key):
    names = [f"{key}/{number}" for number in range(6)]
    records.batch_write([Put(name, number, indexes={"all": key, "odd": f"{key}-{number % 2}"}) for number, name in enumerate(names)])
    assert {record.key for record in records.scan(indexes={"odd": f"{key}-1"}, page=2)} == set(names[1::2])
    found = {record.key: (record.json(), record.indexes["all"]) for record in records.scan(f"{key}/2", indexes={"all": key}, values=True)}
    assert found == {names[2]: (2, key)}
    records.put(names[1], 1)
    assert {record.key for record in records.list(indexes={"odd": f"{key}-1"})} == {names[3], names[5]}
    with pytest.raises(holdfast.InvalidArgument):
        records.list(like="%", indexes={"all": key})


def test_queries(records, key):
    people = [{"n": number, "who": {"name": "ab"[number % 2], "age": 30 + number}} for number in range(6)]
    for person in people:
        name = f"{key}/{person['n']}"
        records.put(name, person, tags={"small": str(person["n"] < 3)}, indexes={"all": key, "name": f"{key}-{person['who']['name']}"})
    query = {"filter": {"EQ": {"who.name": "a"}}, "sort": [{"key": "n", "order": "DESC"}]}
    if records.name == "red":
        with pytest.raises(holdfast.Unsupported, match="scan"):
            records.query(query, prefix=key)
    more = {"prefix": f"{key}/", "scan": True}
    whole = list(records.query_all(query, page=2, **more))
    assert [record.json() for record in whole] == people[4::-2] and whole[0].etag == records.get(whole[0].key).etag
    assert [record.json() for record in records.query(json.dumps(query), fields=["who.age"], **more)] == [{"who": {"age": age}} for age in (34, 32, 30)]
    assert [record.json()["n"] for record in records.query_all(query, tags={"small": "True"}, **more)] == [2, 0]
    by_entry = records.query({"filter": {"GTE": {"n": 1}}, "sort": [{"key": "n"}]}, indexes={"name": f"{key}-a"})
    assert [record.json()["n"] for record in by_entry] == [2, 4], "no scan is needed where an entry is looked up"
    assert len(list(records.query_all(**more))) == len(people)
    for wrong in ({"filter": {"ISH": {"n": 1}}}, {"page": {"limit": 1}}, "no JSON"):
        with pytest.raises(holdfast.InvalidArgument):
            records.query(wrong, **more)


def test_many_at_once(records, key):
    there = records.put(key + "a", "old")
    results = records.batch_write([Put(key + "a", "new", etag=there.etag, ttl=60), Put(key + "b", {"x": 1}, if_absent=True),
                                   Delete(key + "c", etag="none"), Put(key + "d", b"", if_present=True), Delete(key + "e")],
                                  want_records=True)
    assert [type(result.error).__name__ for result in results] == ["NoneType", "NoneType", "PreconditionFailed", "PreconditionFailed", "NoneType"]
    assert results[0].etag != there.etag and results[0].record.text == "new" and results[1].created is True
    got = records.batch_get([key + "b", key + "none", key + "a"])
    assert [(one.key, one.record and one.record.text, one.error) for one in got] == [
        (key + "b", '{"x":1}', None), (key + "none", None, None), (key + "a", "new", None)]
    assert records.batch_get([key + "a"], values=False)[0].record.value == b""
    with pytest.raises(holdfast.InvalidArgument):
        records.batch_get([key, key])


def test_transactions(records, key):
    old = records.put(key + "stock", 4)
    stock = records.put(key + "stock", 3)
    results = records.transact([Check(key + "stock", etag=stock.etag), Put(key + "order", {"n": 1}, if_absent=True), Delete(key + "cart")],
                               want_records=True)
    assert [result.key for result in results] == [key + "stock", key + "order", key + "cart"]
    assert records.get(key + "order").etag == results[1].etag == results[1].record.etag
    with pytest.raises(holdfast.PreconditionFailed) as failed:
        records.transact([Put(key + "x", 1), Put(key + "stock", 2, etag=old.etag)])
    assert failed.value.operation == 1 and failed.value.current_etag == stock.etag
    assert records.get(key + "x") is None and records.get(key + "stock").json() == 3


def test_mistakes(client, sidecar, records, key):
    address = f"127.0.0.1:{sidecar.grpc_port}"
    for call in (lambda store: store.get(key), lambda store: store.put(key, 1), lambda store: store.batch_get([key]), lambda store: store.list()):
        with pytest.raises(holdfast.StoreNotFound, match="nowhere"):
            call(client(address).store("nowhere"))
    with pytest.raises(holdfast.InvalidArgument) as wrong:
        records.put("a||b", 1)
    assert wrong.value.status == 400 and type(pickle.loads(pickle.dumps(wrong.value))) is holdfast.InvalidArgument
    with pytest.raises(holdfast.InvalidArgument):
        records.put(key, "no JSON", content_type="application/json")
    with pytest.raises(holdfast.InvalidArgument, match="isolation"):
        client(address, isolation="k").store(records.name).get(key)
    with pytest.raises(holdfast.TooLarge):
        records.put(key, b"x" * (5 << 20))


def test_isolation(client, own_sidecar, tmp_path, key):
    sidecar = own_sidecar(components=components(tmp_path))
    address = f"127.0.0.1:{sidecar.grpc_port}"
    ours = client(address, isolation="tenant-1")
    for kind in ("mem", "lite"):
        mine = ours.store(kind + "-required")
        theirs = ours.store(kind + "-required", isolation="tenant-2")
        mine.put(key, "mine")
        theirs.put(key, "theirs")
        assert [record.text for record in mine.scan(values=True)] == ["mine"]
        found = theirs.get(key)
        assert (found.text, found.isolation_key, found.id) == ("theirs", "tenant-2", f"isolation::tenant-2::state::{key}")
        assert mine.delete_prefix(all=True).deleted == 1 and theirs.get(key) is not None
        with pytest.raises(holdfast.InvalidArgument):
            client(address).store(kind + "-required").get(key)


def test_tokens_come_from_the_environment_or_an_argument(client, own_sidecar, monkeypatch):
    sidecar = own_sidecar(env={"DAPR_API_TOKEN": "s3cret"})
    address = f"127.0.0.1:{sidecar.grpc_port}"
    monkeypatch.delenv("DAPR_API_TOKEN", raising=False)
    for token in (None, "wrong"):
        with pytest.raises(holdfast.Unauthenticated) as refused:
            client(address, token=token).store("mem").get("k")
        assert refused.value.status == 401
    client(address, token="s3cret").store("mem").put("k", "v")
    monkeypatch.setenv("DAPR_API_TOKEN", "s3cret")
    monkeypatch.setenv("DAPR_GRPC_PORT", str(sidecar.grpc_port))
    assert client().store("mem").get("k").text == "v"


def test_tls(client, tmp_path):
    authority = Authority(tmp_path / "authority")
    with TlsSidecar(tmp_path, authority) as sidecar:
        tls = holdfast.TLS(ca=authority.certificate.read_bytes())
        store = client(f"https://localhost:{sidecar.grpc_port}", tls=tls).store("mem")
        store.put("k", "v")
        assert store.get("k").text == "v"
        with pytest.raises(holdfast.Unavailable):
            client(f"https://localhost:{sidecar.grpc_port}", retry=holdfast.Retry(attempts=1)).store("mem").get("k")
        assert sidecar.stop() == 0, sidecar.log()


def test_unix_sockets(client, own_sidecar, tmp_path):
    directory = tmp_path / "sockets"
    directory.mkdir()
    sidecar = own_sidecar(args=["--unix-domain-socket", str(directory)], start=False)
    sidecar.start(wait=False)
    socket_file = directory / "dapr-test-grpc.socket"
    wait_until(socket_file.exists, "the socket")
    store = client(f"unix:{socket_file}").store("lite")
    store.put("k", "v")
    assert store.get("k").text == "v"


def test_a_sidecar_that_starts_again_is_found(client, own_sidecar):
    sidecar = own_sidecar()
    records = client(f"127.0.0.1:{sidecar.grpc_port}", timeout=30, retry=holdfast.Retry(attempts=1000, max_delay=0.2)).store("lite")
    records.put("k", "before")
    sidecar.kill()
    restart = threading.Thread(target=sidecar.start)
    restart.start()
    assert records.get("k").text == "before", "a read waits for it"
    restart.join()
    sidecar.kill()
    restart = threading.Thread(target=sidecar.start)
    restart.start()
    try:
        records.put("k", "after")  # refused connections sent nothing
    except holdfast.OutcomeUnknown:  # the old connection was not known to be dead yet
        records.put("k", "after")
    restart.join()
    assert records.get("k").text == "after"


@pytest.fixture(scope="module")
def watching(request, tmp_path_factory):
    """A sidecar whose stores can be watched where they can at all."""
    server = redis_or_none(request)
    with Sidecar(tmp_path_factory.mktemp("watching"), components=LOGGED + (REDIS.replace("PORT", str(server.port)) if server else "")) as running:
        yield running
        assert running.stop() == 0, running.log()


@pytest.fixture
def watched(client, watching, store):
    records = client(f"127.0.0.1:{watching.grpc_port}").store(store)
    watch = records.watch(key="nothing")
    try:
        assert next(watch).kind is EventKind.Ready
    except holdfast.Unsupported as unsupported:
        pytest.skip(f"{store} refuses: {unsupported.message}")
    watch.close()
    return records


def until(watch, kind, key):
    """The next event of this kind and key; others may come before, of writes that were told as several."""
    return next(event for event in watch if (event.kind, event.key) == (kind, key))


def test_a_watch_tells_what_happens(watched, key):
    watch = watched.watch(key + "/")
    assert next(watch).kind is EventKind.Ready
    watched.put(key, "of another")
    written = watched.put(f"{key}/a", {"n": 1})
    event = next(watch)
    assert (event.kind, event.key, event.record.etag, event.record.value) == (EventKind.Put, f"{key}/a", written.etag, b"")
    watched.delete(f"{key}/a")
    deleted = next(watch)
    assert (deleted.kind, deleted.key, deleted.record) == (EventKind.Delete, f"{key}/a", None)
    watched.put(f"{key}/b", 1, ttl=0.2)
    until(watch, EventKind.Expire, f"{key}/b")
    watch.close()
    again = watched.watch(f"{key}/", resume=deleted.resume)
    assert next(again).kind is EventKind.Ready
    until(again, EventKind.Expire, f"{key}/b")
    again.close()
    of_nobody = watched.watch(key, resume="of-nobody.1")
    assert next(of_nobody).kind is EventKind.Resync
    of_nobody.close()


def test_a_watch_with_values_brings_records(watched, key):
    watch = watched.watch(key=key, values=True)
    assert next(watch).kind is EventKind.Ready
    watched.put(key + "x", 1)
    watched.put(key, {"n": 1}, tags={"color": "red"})
    assert until(watch, EventKind.Put, key).record == dataclasses.replace(watched.get(key), consistency=None)
    watch.close()


def test_a_watch_outlives_the_sidecar(client, own_sidecar):
    sidecar = own_sidecar(components=LOGGED)
    ours = client(f"127.0.0.1:{sidecar.grpc_port}")
    stores = {name: ours.store(name) for name in ("lite", "mem")}
    watches = {name: store.watch("a") for name, store in stores.items()}
    for watch in watches.values():
        assert next(watch).kind is EventKind.Ready
    stores["lite"].put("a1", 1)
    assert next(watches["lite"]).key == "a1"
    stores["lite"].put("a2", 2)
    sidecar.kill()
    restart = threading.Thread(target=sidecar.start)
    restart.start()
    assert (event := next(watches["lite"])).kind is EventKind.Put and event.key == "a2", "its log outlives it, too"
    assert next(watches["mem"]).kind is EventKind.Resync, "what was in memory is gone"
    restart.join()
    sidecar.stop()
    sidecar.start()
    stores["lite"].put("a3", 3)
    assert next(watches["lite"]).key == "a3"
    for watch in watches.values():
        watch.close()


def test_a_watch_notices_that_nobody_is_there_any_more(client, gate, monkeypatch):
    """Neither end of its connection is told: a network that is gone, or a machine."""
    options = [(name, 200 if "timeout" in name or "keepalive" in name else value) for name, value in holdfast._config.CHANNEL_OPTIONS]
    monkeypatch.setattr(holdfast._config, "CHANNEL_OPTIONS", options)
    ours = client(f"127.0.0.1:{gate.port}").store("mem")
    watch = ours.watch("silent/")
    assert next(watch).kind is EventKind.Ready
    gate.swallow()
    client(f"127.0.0.1:{gate.target}").store("mem").put("silent/1", 1)
    assert next(watch).key == "silent/1"
    watch.close()


class Gate:
    """Passes one TCP address on to another, and cuts the connection at the next request: before it arrives, or before its answer does."""

    def __init__(self, port):
        self.target, self.cut, self.silent = port, None, set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            self.open = client, server
            for args in ((client, server, "request"), (server, client, "answer")):
                threading.Thread(target=self.pump, args=args, daemon=True).start()

    def pump(self, source, sink, kind):
        try:
            while data := source.recv(1 << 16):
                # Settings, pings and window updates are no request and no answer: those are longer.
                if self.cut == kind and len(data) > 60:
                    self.cut = None
                    break
                if source not in self.silent:
                    sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def swallow(self):
        """The connection stays, and nothing passes any more."""
        self.silent.update(self.open)

    def close(self):
        self.listener.close()


@pytest.fixture
def gate(sidecar):
    made = Gate(sidecar.grpc_port)
    yield made
    made.close()


@pytest.fixture
def through(client, gate, store):
    return client(f"127.0.0.1:{gate.port}").store(store)


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_read_survives_a_lost_connection(through, gate, key, lost):
    through.put(key, "v" * 100)
    gate.cut = lost
    assert through.get(key).text == "v" * 100
    assert gate.cut is None


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_write_is_not_repeated_when_its_connection_is_lost(through, gate, key, lost):
    through.get(key)
    gate.cut = lost
    with pytest.raises(holdfast.OutcomeUnknown):
        through.increment(key, want_record=True)
    assert gate.cut is None
    if lost == "answer":
        assert through.get(key).json() == 1, "once, not twice"
    else:
        assert through.get(key) is None


def test_a_guarded_write_is_repeated_and_its_outcome_known_where_it_can_be(through, gate, key):
    first = through.put(key, "1")
    gate.cut = "request"
    second = through.put(key, "2", etag=first.etag, want_record=True)
    assert gate.cut is None and through.get(key).etag == second.etag
    gate.cut = "answer"
    with pytest.raises(holdfast.OutcomeUnknown) as unknown:
        through.put(key, "3", etag=second.etag, want_record=True)
    there = through.get(key)
    assert gate.cut is None and there.text == "3" and unknown.value.current_etag == there.etag
    assert isinstance(unknown.value.__cause__, holdfast.PreconditionFailed)


def test_a_session_of_calls_at_once_goes_on_at_another_sidecar(tmp_path, key):
    """Each of the calls has a token of its own; another client, whose sidecar asks a replica that lacks them, is given all."""
    pair = Pair(tmp_path)
    names = [f"{key}-{number}" for number in range(20)]
    pair.replica.command("REPLICAOF", "127.0.0.1", "1")  # nobody is there: it keeps its data and its history

    async def write():
        async with holdfast.aio.Client(f"127.0.0.1:{pair.sidecars[0].grpc_port}") as first:
            await asyncio.gather(*(first.store("red").put(name, name) for name in names))
            return first.session_token

    token = asyncio.run(write())
    assert token.count(",") > 0
    with holdfast.Client(f"127.0.0.1:{pair.sidecars[1].grpc_port}") as second:
        session = second.session(token)
        assert [session.store("red").get(name).text for name in names] == names
        assert session.session_token.count(",") == 0
    pair.stop()


def test_records_are_shared_with_daprs_sdk(records, sidecar, store, key, monkeypatch):
    monkeypatch.setenv("DAPR_HTTP_PORT", str(sidecar.http_port))  # the SDK waits for an answer there
    with DaprClient(f"127.0.0.1:{sidecar.grpc_port}") as dapr:
        records.put(key, "from us")
        state = dapr.get_state(store, key)
        assert state.data == b"from us" and f'"{state.etag}"' == records.get(key).etag
        dapr.save_state(store, key, "from Dapr", etag=state.etag)
        record = records.get(key)
        assert record.text == "from Dapr"
        records.put(key, {"x": 1}, etag=record.etag)
        assert dapr.get_state(store, key).json() == {"x": 1}


def test_the_readmes_tour_runs(own_sidecar, monkeypatch, capsys):
    sidecar = own_sidecar(components="apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: statestore}}\n"
                                     "spec: {{type: state.in-memory, version: v1}}\n")
    monkeypatch.setenv("DAPR_GRPC_PORT", str(sidecar.grpc_port))
    blocking, awaited = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
    exec(compile(blocking, "README.md", "exec"), {})
    assert re.sub(r'"\d+"', "ETAG", capsys.readouterr().out).splitlines() == [
        "12.5 test ETAG", "1", 'orders/17 {"total":13,"paid":true}', "orders/18 paid", "['orders/19']", "orders/17 {'total': 13}",
        "orders/20 new"]
    asyncio.run(eval(compile(awaited, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {}))
    assert capsys.readouterr().out.splitlines() == ["orders/17", "orders/18", "orders/19", "orders/20"]


TYPED = """
from collections.abc import AsyncIterator, Iterator
from typing import assert_type
import holdfast
import holdfast.aio

store = holdfast.Client().store("s")
assert_type(store.get("k", values=False), holdfast.Record | None)
assert_type(store.put("k", 1, etag=["1"]), holdfast.Written)
assert_type(store.batch_get(["k"]), tuple[holdfast.Got, ...])
assert_type(store.scan("p", indexes={"a": "b"}), Iterator[holdfast.Record])
assert_type(store.query({"filter": {}}, fields="a"), holdfast.Page)
assert_type(store.query_all("{}", scan=True), Iterator[holdfast.Record])
assert_type(next(store.watch(key="k")), holdfast.WatchEvent)
store.get("k", valves=False)  # type: ignore[call-arg]
store.get(1)  # type: ignore[arg-type]

async def main() -> None:
    async with holdfast.aio.Client() as client:
        awaited = client.store("s")
        assert_type(await awaited.get("k"), holdfast.Record | None)
        assert_type(await awaited.transact([holdfast.Delete("k")]), tuple[holdfast.Result, ...])
        assert_type(awaited.scan("p"), AsyncIterator[holdfast.Record])
        assert_type(awaited.query_all(), AsyncIterator[holdfast.Record])
        assert_type([event.resume async for event in awaited.watch("p")], list[str | None])
        await awaited.put("k")  # type: ignore[call-arg]
"""


def test_the_types_hold(tmp_path):
    """Of the package as it was installed, which has the generated code, and as a program sees them."""
    (tmp_path / "program.py").write_text(TYPED)
    for what in (["-p", "holdfast"], ["program.py"]):
        command = [sys.executable, "-m", "mypy", "--config-file", PACKAGE / "pyproject.toml", "--cache-dir", tmp_path / "cache", *what]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "no issues found in" in done.stdout, done.stdout + done.stderr
