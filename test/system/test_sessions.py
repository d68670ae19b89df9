"""Sessions across two sidecars in front of one Redis whose replica does not follow: a read at session waits for nobody and shows its own writes."""
import base64

import grpc
import pytest
import requests
from conftest import Sidecar, wait_until
from servers import RedisServer

COMPONENT = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: red}}
spec:
  type: state.redis
  version: v1
  metadata:
  - {{name: redisHost, value: "127.0.0.1:%d"}}
"""


class Pair:
    """A primary with one replica, and two sidecars that know the primary's address."""

    def __init__(self, folder):
        self.primary = RedisServer(make(folder / "primary"))
        # It asks for changes once a while only, and so stays behind by what was written since.
        self.replica = RedisServer(make(folder / "replica"))
        self.link()
        component = COMPONENT % self.primary.port
        self.sidecars = [Sidecar(make(folder / f"sidecar-{i}"), components=component) for i in range(2)]
        # Each of their loops looks once a second whether there are replicas, and gives no token before it has seen them.
        for sidecar in self.sidecars:
            tokens = []

            def has_tokens(sidecar=sidecar, tokens=tokens):
                tokens.append("Holdfast-Session" in requests.put(url(sidecar, "warm"), data=b"1").headers)
                return len(tokens) >= 10 and all(tokens[-10:])

            wait_until(has_tokens, "the sidecar to see the replica")

    def link(self):
        self.replica.command("REPLICAOF", "127.0.0.1", self.primary.port)
        wait_until(lambda: "master_link_status:up" in self.replica.command("INFO", "replication"), "the replica to follow")
        wait_until(lambda: self.primary.command("ROLE")[2], "the primary to know the replica")

    def replica_reads(self):
        stats = self.replica.command("INFO", "commandstats")
        calls = [line.split("calls=")[1].split(",")[0] for line in stats.splitlines() if line.startswith("cmdstat_hmget:")]
        return int(calls[0]) if calls else 0

    def catch_up(self):
        def is_near():
            offset = {}
            for server in (self.primary, self.replica):
                for line in server.command("INFO", "replication").splitlines():
                    if line.startswith("master_repl_offset:"):
                        offset[server.port] = int(line.split(":")[1])
            return offset[self.primary.port] == offset[self.replica.port]

        wait_until(is_near, "the replica to have everything")

    def stop(self):
        for sidecar in self.sidecars:
            assert sidecar.stop() == 0, sidecar.log()
        self.replica.stop()
        self.primary.stop()


def make(folder):
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    made = Pair(tmp_path_factory.mktemp("sessions"))
    yield made
    made.stop()


def url(sidecar, key):
    return f"{sidecar.url}/v2/state/red/{key}"


def test_a_session_goes_on_at_the_other_sidecar(pair, key):
    first, second = pair.sidecars
    written = requests.put(url(first, key), data=b"1")
    token = written.headers["Holdfast-Session"]
    for _ in range(20):
        read = requests.get(url(second, key), headers={"Holdfast-Session": token})
        assert (read.status_code, read.content) == (200, b"1")
        assert read.headers["Holdfast-Consistency"] == "session"
        token = read.headers.get("Holdfast-Session", token)


def test_replicas_serve_a_session_that_they_are_far_enough_for(pair, key):
    token = requests.put(url(pair.sidecars[0], key), data=b"1").headers["Holdfast-Session"]
    before = pair.replica_reads()

    def is_served_by_the_replica():
        pair.catch_up()
        read = requests.get(url(pair.sidecars[1], key), headers={"Holdfast-Session": token})
        assert read.content == b"1"
        return pair.replica_reads() > before

    wait_until(is_served_by_the_replica, "the replica to serve a reading")


def test_a_replica_that_is_behind_serves_no_session(pair, key):
    requests.put(url(pair.sidecars[0], key), data=b"old")
    pair.catch_up()
    pair.replica.command("REPLICAOF", "127.0.0.1", "1")  # nobody is there: it keeps its data and its history
    try:
        token = requests.put(url(pair.sidecars[0], key), data=b"new").headers["Holdfast-Session"]
        for _ in range(20):
            read = requests.get(url(pair.sidecars[1], key), headers={"Holdfast-Session": token})
            assert read.content == b"new"
            assert requests.get(url(pair.sidecars[1], key)).content == b"new", "without a token, too"
    finally:
        pair.link()


def test_tokens_of_calls_side_by_side_are_sent_together(pair, key):
    sidecar = pair.sidecars[0]
    tokens = [requests.put(url(sidecar, f"{key}-{i}"), data=b"1").headers["Holdfast-Session"] for i in range(3)]
    merged = requests.get(url(sidecar, key + "-0"), headers={"Holdfast-Session": ", ".join(tokens)})
    assert merged.status_code == 200
    assert len(merged.headers["Holdfast-Session"].split(",")) == 1


def test_a_token_is_given_only_when_it_changes(pair, key):
    sidecar = pair.sidecars[0]
    token = requests.put(url(sidecar, key), data=b"1").headers["Holdfast-Session"]
    pair.catch_up()
    token = requests.get(url(sidecar, key), headers={"Holdfast-Session": token}).headers.get("Holdfast-Session", token)
    assert len(token) < 100


@pytest.mark.parametrize("token", ["", "x", "!!!", base64.urlsafe_b64encode(b"\x02abc").decode(), "A" * 3000],
                         ids=["empty", "short", "no base64", "another version", "too long"])
def test_what_is_no_token_is_refused_and_nothing_is_written(pair, key, token):
    sidecar = pair.sidecars[0]
    answer = requests.put(url(sidecar, key), data=b"1", headers={"Holdfast-Session": token})
    if token == "":
        assert answer.status_code in (200, 201), "an empty header is none"
        return
    assert answer.status_code == 400
    assert "session token" in answer.json()["detail"]
    assert requests.get(url(sidecar, key)).status_code == 404
    assert requests.get(f"{sidecar.url}/v1.0/state/red/{key}", headers={"Holdfast-Session": token}).status_code == 400


def message(**fields):
    """A message of bytes fields, by number: f1, f2, ... Short enough for one byte of length."""
    return b"".join(bytes([int(name[1:]) << 3 | 2, len(value)]) + value for name, value in fields.items())


def test_grpc_carries_it_as_metadata(pair, key):
    stored = message(f1=b"red", f2=key.encode())
    channels = [grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") for sidecar in pair.sidecars]
    put = channels[0].unary_unary("/holdfast.v2.State/Put")
    get = channels[1].unary_unary("/holdfast.v2.State/Get")
    _, call = put.with_call(stored + message(f3=b"1"))
    initial = dict(call.initial_metadata())
    assert initial["holdfast-consistency"] == "session"
    for _ in range(10):
        assert message(f3=b"1") in get(stored, metadata=[("holdfast-session", initial["holdfast-session"])])
    with pytest.raises(grpc.RpcError) as refused:
        get(stored, metadata=[("holdfast-session", "x")])
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    for channel in channels:
        channel.close()


def test_a_store_of_one_copy_needs_no_token(sidecar, key):
    answer = requests.put(f"{sidecar.url}/v2/state/mem/{key}", data=b"1")
    assert "Holdfast-Session" not in answer.headers
    assert answer.headers["Holdfast-Consistency"] == "strong"
