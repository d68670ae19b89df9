"""Watching: server-sent events and the gRPC stream, from a client's point of view."""
import json
import pathlib
import random
import socket
import sqlite3
import subprocess
import threading

import grpc
import pytest
import requests
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from conftest import BINARY, COMPONENTS, REDIS, Sidecar, redis_or_none, wait_until
from test_grpc import Reflected
from test_v2_http import at, is_problem

SERVICE = "holdfast.v2.State"
PATIENCE = 20
PLACE = '{{name: connectionString, value: "{database}"}}'
LOGGED = COMPONENTS.replace(PLACE, PLACE + "\n  - {{name: watch, value: log}}")


class Events:
    """Server-sent events of one watch, as they come."""

    def __init__(self, sidecar, store, resume=None, token=None, isolation=None, **parameters):
        headers = {"Last-Event-ID": resume, "dapr-api-token": token, "Holdfast-Isolation": isolation}
        self.answer = requests.get(f"{sidecar.url}/v2/state/{store}:watch", params=parameters, stream=True, timeout=PATIENCE,
                                   headers={name: value for name, value in headers.items() if value})
        self.status = self.answer.status_code
        self.lines = self.answer.iter_lines(chunk_size=1, decode_unicode=True)
        self.id = None

    def next(self):
        """(kind, data); nothing at the end."""
        event = {}
        for line in self.lines:
            if not line and event:
                self.id = event.get("id", self.id)
                return event["event"], json.loads(event["data"])
            if line and not line.startswith(":"):
                name, value = line.split(": ", 1)
                event[name] = value
        return None

    def until(self, kind, key):
        while True:
            event = self.next()
            assert event, f"the watch ended before {kind} {key}"
            if event[0] == kind and event[1].get("key") == key:
                return event[1]

    def close(self):
        self.answer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def watch_by_grpc(channel, request, **options):
    """A call that yields dictionaries."""
    reflected = Reflected(channel)
    descriptor = reflected.pool.FindServiceByName(SERVICE).methods_by_name["Watch"]
    message = json_format.ParseDict(request, GetMessageClass(descriptor.input_type)())
    answer = GetMessageClass(descriptor.output_type)
    stub = channel.unary_stream(f"/{SERVICE}/Watch", request_serializer=lambda m: m.SerializeToString(),
                                response_deserializer=answer.FromString)
    call = stub(message, timeout=PATIENCE, **options)
    return call, (json_format.MessageToDict(event, descriptor_pool=reflected.pool) for event in call)


@pytest.fixture(scope="module")
def sidecar(request, tmp_path_factory):
    server = redis_or_none(request)
    components = LOGGED + (REDIS.replace("PORT", str(server.port)) if server else "")
    with Sidecar(tmp_path_factory.mktemp("watch"), components=components) as running:
        yield running
        assert running.stop() == 0, running.log()


@pytest.fixture
def channel(sidecar):
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as made:
        yield made


@pytest.fixture
def watched(sidecar, store):
    """A store that declares watch; where it does not, that it says so was looked at."""
    can = next(one for one in requests.get(f"{sidecar.url}/v2/stores").json()["stores"] if one["name"] == store)["capabilities"]
    if can["watch"]:
        return store
    is_problem(requests.get(f"{sidecar.url}/v2/state/{store}:watch"), 501, "unsupported")
    pytest.skip(f"{can['watch']=} for {store}, and it refuses")


def test_events_come_as_they_happen(sidecar, watched, key):
    with Events(sidecar, watched, prefix=key) as events:
        assert events.answer.headers["Content-Type"] == "text/event-stream"
        assert events.next() == ("ready", {})
        etag = requests.put(at(sidecar, watched, f"{key}/a"), data=b"1").headers["ETag"]
        assert events.until("put", f"{key}/a") == {"key": f"{key}/a", "etag": etag}
        requests.delete(at(sidecar, watched, f"{key}/a"))
        assert events.until("delete", f"{key}/a") == {"key": f"{key}/a"}
        requests.put(at(sidecar, watched, f"{key}/b") + "?ttl=1", data=b"1")
        events.until("expire", f"{key}/b")


def test_values_come_as_records(sidecar, watched, key):
    with Events(sidecar, watched, key=key, values="true") as events:
        assert events.next()[0] == "ready"
        requests.put(at(sidecar, watched, key + "x"), data=b"other")
        requests.put(at(sidecar, watched, key) + "?tag.color=red", data='{\n"n": 1}', headers={"Content-Type": "application/json"})
        record = events.until("put", key)
        assert record["value"] == {"n": 1} and record["tags"] == {"color": "red"}
        read = requests.get(at(sidecar, watched, key), headers={"Accept": "application/vnd.holdfast.record+json"}).json()
        assert record == read


def test_a_client_that_comes_back_goes_on(sidecar, watched, key):
    with Events(sidecar, watched, prefix=key) as events:
        events.next()
        requests.put(at(sidecar, watched, key + "1"), data=b"1")
        events.until("put", key + "1")
    requests.put(at(sidecar, watched, key + "2"), data=b"1")
    requests.delete(at(sidecar, watched, key + "1"))
    with Events(sidecar, watched, resume=events.id, prefix=key) as again:
        assert again.next()[0] == "ready"
        assert again.next()[1]["key"] == key + "2"
        assert again.next() == ("delete", {"key": key + "1"})
    with Events(sidecar, watched, resume="of-nobody.1", prefix=key) as lost:
        assert lost.next()[0] == "resync"


def test_list_then_watch_misses_nothing(sidecar, watched, key):
    """While another writes, the listing behind `ready` and the events after it are all there is."""
    stop, written = threading.Event(), {}

    def write():
        session, n = requests.Session(), 0
        while not stop.is_set() or n < 50:
            name = f"{key}/{n % 10}"
            written[name] = session.put(at(sidecar, watched, name), data=str(n)).headers["ETag"]
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    with Events(sidecar, watched, prefix=key) as events:
        assert events.next()[0] == "ready"
        url = f"{sidecar.url}/v2/state/{watched}"
        seen = {item["key"]: item["etag"] for item in requests.get(url, params={"prefix": key, "limit": 1000}).json()["items"]}
        stop.set()
        writer.join()
        last = requests.put(at(sidecar, watched, f"{key}/last"), data=b"1").headers["ETag"]
        while seen.get(f"{key}/last") != last or any(seen.get(name) != etag for name, etag in written.items()):
            kind, data = events.next()
            assert kind == "put"
            seen[data["key"]] = data["etag"]


def test_grpc_tells_the_same(sidecar, watched, key, channel):
    call, events = watch_by_grpc(channel, {"store": watched, "prefix": key, "wantValues": True})
    assert next(events)["kind"] == "KIND_READY"
    requests.put(at(sidecar, watched, key + "1"), data=b"one", headers={"Content-Type": "text/plain"})
    put = next(events)
    assert (put["kind"], put["key"], put["record"]["value"]) == ("KIND_PUT", key + "1", "b25l")
    assert put["record"]["contentType"] == "text/plain"
    requests.delete(at(sidecar, watched, key + "1"))
    deleted = next(events)
    assert (deleted["kind"], deleted["key"]) == ("KIND_DELETE", key + "1")
    call.cancel()
    requests.put(at(sidecar, watched, key + "2"), data=b"2")
    _, again = watch_by_grpc(channel, {"store": watched, "prefix": key, "resume": deleted["resume"]})
    assert next(again)["kind"] == "KIND_READY"
    brief = next(again)
    etag = requests.get(at(sidecar, watched, key + "2")).headers["ETag"]
    assert brief["record"] == {"key": key + "2", "etag": etag}


@pytest.mark.parametrize("request_, code", [
    ({"store": "nowhere"}, grpc.StatusCode.NOT_FOUND), ({"store": "mem", "key": ""}, grpc.StatusCode.INVALID_ARGUMENT),
    ({"store": "mem", "key": "a||b"}, grpc.StatusCode.INVALID_ARGUMENT)])
def test_grpc_refuses(channel, request_, code):
    _, events = watch_by_grpc(channel, request_)
    with pytest.raises(grpc.RpcError) as refused:
        next(events)
    assert refused.value.code() == code


def test_grpc_takes_any_bytes_for_a_request(channel):
    """Each is refused as what it is, or is a watch and begins with `ready` or `resync`."""
    chance = random.Random(7)
    stub = channel.unary_stream(f"/{SERVICE}/Watch", request_serializer=bytes, response_deserializer=bytes)
    good = b"\x0a\x03mem\x12\x01a\x2a\x03b.1"
    for _ in range(200):
        message = bytearray(good)
        for _ in range(chance.randrange(4)):
            message[chance.randrange(len(message))] = chance.randrange(256)
        call = stub(bytes(message[:chance.randrange(len(message) + 1)]), timeout=PATIENCE)
        try:
            assert next(iter(call))[:2] in (b"\x08\x01", b"\x08\x05")
            call.cancel()
        except grpc.RpcError as refused:
            assert refused.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND,
                                      grpc.StatusCode.UNIMPLEMENTED), refused


def test_requests_that_are_none(sidecar):
    url = f"{sidecar.url}/v2/state/mem:watch"
    is_problem(requests.get(f"{sidecar.url}/v2/state/nowhere:watch"), 404, "not-found")
    is_problem(requests.get(url, params={"key": "a", "prefix": "b"}), 400, "invalid-argument")
    is_problem(requests.get(url, params={"limit": "1"}), 400, "invalid-argument")
    is_problem(requests.get(url, params={"key": ""}), 400, "invalid-argument")
    refused = requests.post(url)
    is_problem(refused, 405, "method-not-allowed")
    assert refused.headers["Allow"] == "GET"


def test_a_watcher_that_does_not_read_is_told_and_slows_nobody(sidecar, key):
    """More is written than sockets and the ring hold: the writer is not held up, and the watcher learns that it missed some."""
    with socket.create_connection(("127.0.0.1", sidecar.http_port)) as slow:
        slow.sendall(f"GET /v2/state/mem:watch?prefix={key}&values=true HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        stream = slow.makefile("rb")
        assert stream.readline().startswith(b"HTTP/1.1 200")
        value, session, before = b"x" * 32768, requests.Session(), sidecar.resident_mib()
        for i in range(1000):
            assert session.put(at(sidecar, "mem", key), data=value).ok
        assert sidecar.resident_mib() - before < 100, "a slow watcher costs no more than the ring"
        slow.settimeout(PATIENCE)
        lines = iter(stream.readline, b"")
        assert any(line == b"event: resync\n" for line in lines), "the watch ended"
        session.put(at(sidecar, "mem", key + "/last"), data=b"1")
        assert any(key.encode() + b"/last" in line for line in lines), "the watch ended"


def test_a_store_that_is_replaced_ends_its_watches(own_sidecar):
    sidecar = own_sidecar()
    events = Events(sidecar, "mem", prefix="a")
    assert events.next()[0] == "ready"
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
        _, told = watch_by_grpc(channel, {"store": "mem"})
        assert next(told)["kind"] == "KIND_READY"
        file = sidecar.resources / "stores.yaml"
        file.write_text(file.read_text().replace("{type: state.in-memory, version: v1}",
                                                 "{type: state.in-memory, version: v1, metadata: [{name: maxBytes, value: 64Mi}]}"))
        assert events.next() is None
        with pytest.raises(grpc.RpcError) as ended:
            next(told)
        assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    with Events(sidecar, "mem", resume=events.id, prefix="a") as again:
        assert again.next()[0] == "resync"
    assert sidecar.stop() == 0


def test_a_sidecar_that_stops_ends_its_watches_at_once(own_sidecar):
    sidecar = own_sidecar(args=["--dapr-graceful-shutdown-seconds", "60"])
    events = Events(sidecar, "mem")
    assert events.next()[0] == "ready"
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
        _, told = watch_by_grpc(channel, {"store": "mem"})
        assert next(told)["kind"] == "KIND_READY"
        sidecar.process.terminate()
        assert events.next() is None
        with pytest.raises(grpc.RpcError) as ended:
            next(told)
        assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert sidecar.process.wait(PATIENCE) == 0


def test_tokens_and_isolation_limit_what_is_seen(own_sidecar):
    sidecar = own_sidecar(start=False)
    stores = sidecar.resources / "stores.yaml"
    stores.write_text(stores.read_text().replace("{type: state.in-memory, version: v1}",
                                                 "{type: state.in-memory, version: v1, metadata: [{name: isolation, value: optional}]}"))
    tokens = pathlib.Path(sidecar.directory) / "tokens"

    def make(*options):
        return subprocess.run([BINARY, "token", "create", "--file", str(tokens), *options], check=True, text=True,
                              capture_output=True, timeout=30).stdout.strip()

    everything, mine = make("--name", "all"), make("--prefix", "mine/")
    reader, tenant = make("--allow", "get,list"), make("--isolation", "K")
    sidecar.args += ["--api-token-file", str(tokens)]
    sidecar.start()

    def put(key, isolation=None):
        headers = {"dapr-api-token": everything, **({"Holdfast-Isolation": isolation} if isolation else {})}
        assert requests.put(at(sidecar, "mem", key), data=b"1", headers=headers).ok

    assert Events(sidecar, "mem").status == 401
    assert Events(sidecar, "mem", token=reader).status == 403
    assert Events(sidecar, "mem", token=mine, prefix="others/").status == 403
    with Events(sidecar, "mem", token=mine) as own, Events(sidecar, "mem", token=tenant) as isolated, \
         Events(sidecar, "mem", token=everything) as plain:
        assert own.next()[0] == isolated.next()[0] == plain.next()[0] == "ready"
        put("secret", isolation="L")
        put("theirs", isolation="K")
        put("others/1")
        put("mine/1")
        assert own.next()[1]["key"] == "mine/1"
        assert isolated.next()[1]["key"] == "theirs"
        assert [plain.next()[1]["key"] for _ in range(2)] == ["others/1", "mine/1"]
    assert sidecar.stop() == 0


def test_a_client_whose_machine_is_gone_is_noticed_though_nobody_speaks(sidecar):
    """By the kernel, which is told to ask: field 5 of /proc/net/tcp tells the timers of a connection, 2 is that of keepalive."""
    with socket.create_connection(("127.0.0.1", sidecar.http_port)) as quiet:
        ends = [f"0100007F:{port:04X}" for port in (sidecar.http_port, quiet.getsockname()[1])]

        def timer():
            lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
            return [fields[5] for fields in lines if fields[1:3] == ends]

        wait_until(lambda: timer() and timer()[0].startswith("02:"), "the connection to be asked after")


def test_many_watchers_are_all_told(sidecar, key):
    """A hundred on one connection."""
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
        streams = [watch_by_grpc(channel, {"store": "mem", "prefix": key}) for _ in range(90)]
        assert all(next(events)["kind"] == "KIND_READY" for _, events in streams)
        requests.put(at(sidecar, "mem", key), data=b"1")
        assert all(next(events)["key"] == key for _, events in streams)
        for call, _ in streams:
            call.cancel()


def test_sqlite_goes_on_in_the_next_process_and_tells_what_another_program_wrote(own_sidecar):
    sidecar = own_sidecar(components=LOGGED)
    with Events(sidecar, "lite", prefix="a") as events:
        assert events.next()[0] == "ready"
        requests.put(at(sidecar, "lite", "a1"), data=b"1")
        assert events.next()[1]["key"] == "a1"
    sidecar.kill()
    with sqlite3.connect(sidecar.database) as database:
        database.execute("DELETE FROM state WHERE key = 'test||a1'")
    database.close()
    sidecar.start()
    with Events(sidecar, "lite", resume=events.id, prefix="a") as again:
        assert again.next()[0] == "ready"
        assert again.next() == ("delete", {"key": "a1"})
    assert sidecar.stop() == 0


def test_sqlite_without_a_log_says_what_turns_it_on(own_sidecar):
    sidecar = own_sidecar()
    answer = requests.get(f"{sidecar.url}/v2/state/lite:watch")
    is_problem(answer, 501, "unsupported")
    assert "set its field watch to log" in answer.json()["detail"]
    assert sidecar.stop() == 0
