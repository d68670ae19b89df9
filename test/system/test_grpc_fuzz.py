"""holdfast.v2.State against whatever a client may send: every call ends, in time, with a status that doc/api-v2.md names.

HOLDFAST_GRPC_FUZZ_EXAMPLES is how many messages each method gets on each store; without it the same few each time.
"""
import os
import re
import socket
import struct

import grpc
import h2.config
import h2.connection
import h2.events
import pytest
import requests
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from conftest import COMPONENTS, FREES_AT_ONCE, REDIS, REPOSITORY, Sidecar, redis_or_none
from test_grpc import Reflected

SERVICE = "holdfast.v2.State"
METHODS = ["Put", "Get", "Delete", "Patch", "List", "Query", "DeletePrefix", "BatchGet", "BatchWrite", "Transact"]
GROWTH_MIB = 150
CALL_SECONDS = 20
EXAMPLES = int(os.environ.get("HOLDFAST_GRPC_FUZZ_EXAMPLES", "0"))

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
fuzzing = settings(max_examples=EXAMPLES or 100, derandomize=not EXAMPLES, database=None, deadline=None, print_blob=True,
                   phases=[Phase.explicit, Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck))


def documented():
    """The statuses of the table of failures, without INTERNAL: that one is ours to mend."""
    table = (REPOSITORY / "doc/api-v2.md").read_text().split("## Failures")[1].split("## gRPC")[0]
    rows = [row.split("|")[3] for row in table.splitlines() if row.startswith("| `")]
    names = {name for row in rows for name in re.findall(r"\b[A-Z][A-Z_]{4,}\b", row.split(",")[0].split(";")[0])}
    return names - {"INTERNAL"}


# What no token, no failing server and no short deadline brings about.
ALLOWED = documented() - {"PERMISSION_DENIED", "UNAUTHENTICATED", "UNAVAILABLE", "DEADLINE_EXCEEDED"} | {"OK"}


def test_the_documented_statuses_are_those():
    assert ALLOWED == {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "ABORTED", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"}


@pytest.fixture(scope="module")
def fuzzed(request, tmp_path_factory):
    server = redis_or_none(request)
    components = COMPONENTS + (REDIS.replace("PORT", str(server.port)) if server else "")
    with Sidecar(tmp_path_factory.mktemp("fuzzed"), components=components, env=FREES_AT_ONCE) as running:
        with grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
            running.reflected = Reflected(channel)
            running.before = {}
            yield running
        assert running.stop() == 0, running.log()


@pytest.fixture(autouse=True)
def bounded(fuzzed):
    """Whatever came, the sidecar serves on, no larger than what the stores may hold."""
    fuzzed.before.setdefault("mib", fuzzed.resident_mib())
    yield
    for name in ("mem", "lite", "red"):
        code, _ = call(fuzzed, "DeletePrefix", {"store": name, "all": True})
        assert code in ("OK", "NOT_FOUND")
    assert fuzzed.is_ready()
    grown = fuzzed.resident_mib() - fuzzed.before["mib"]
    assert grown < GROWTH_MIB, f"{grown:.0f} MiB more than at the start"


# ---- messages ----

def one_of_these(values):
    """By their places: long values are no part of what hypothesis prints."""
    return st.integers(0, len(values) - 1).map(values.__getitem__)


KEYS = ["a", "a/b", "list", "counter", "\u00fc/\u20ac", "k" * 1024]
ODD_TEXTS = ["", "*", "%", "_", "\\", "a||b", "||", "isolation::K::state::a", "\0", "\x7f\n\r", "k" * 1025, "\U0001f600" * 300,
             "null", "{}", "[]", "1", "-0", "1e400", "9223372036854775807", "9223372036854775808", '{"a":null}', '{"a":', '"\\ud800"',
             "[" * 2000, "application/json", "application/vnd.a+json", "text/plain", '"17"', 'W/"x"', "17", "b64.AP8", '"b64.%"', "x" * 70000]
texts = one_of_these(KEYS) | one_of_these(ODD_TEXTS) | st.text(max_size=20)
numbers = st.sampled_from([0, 1, -1, 2, 100, 1000, 1001, 2**31 - 1, 2**32 - 1, 2**53, 2**62, 2**63 - 1, -2**63]) | st.integers(-2**63, 2**63 - 1)
blobs = one_of_these([b"", b"1", b"41", b"[]", b'{"a":1,"b":{"c":[1,2]}}', b'{"a":', b"\xff\x00", b"9" * 400, b"[" * 5000]) | st.binary(max_size=50)


def value_of(field, store):
    kind = field.cpp_type
    if kind == field.CPPTYPE_MESSAGE:
        return messages(field.message_type, store)
    if kind == field.CPPTYPE_ENUM:
        return st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 99, -1, 2**31 - 1])
    if kind == field.CPPTYPE_BOOL:
        return st.booleans()
    if kind == field.CPPTYPE_STRING:
        return blobs if field.type == field.TYPE_BYTES else texts
    bits = {field.CPPTYPE_INT32: (-2**31, 2**31 - 1), field.CPPTYPE_UINT32: (0, 2**32 - 1), field.CPPTYPE_UINT64: (0, 2**64 - 1)}
    least, most = bits.get(kind, (-2**63, 2**63 - 1))
    return numbers.map(lambda n: min(max(n, least), most))


def is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def messages(descriptor, store):
    """Values for a message, as a dict: any of its fields, and of a oneof sometimes several."""
    fields = {}
    for field in descriptor.fields:
        if is_map(field):
            fields[field.name] = st.dictionaries(texts, texts, max_size=4)
        elif field.is_repeated:
            fields[field.name] = st.lists(value_of(field, store), max_size=5)
        elif field.name == "store":
            fields[field.name] = st.just(store) if store else st.sampled_from(["", "nope", "mem", "\u00e9"])
        else:
            fields[field.name] = value_of(field, store)
    always = {name: strategy for name, strategy in fields.items() if name == "store"}
    return st.fixed_dictionaries(always, optional={name: strategy for name, strategy in fields.items() if name not in always})


def fill(message, values):
    for name, value in values.items():
        field = message.DESCRIPTOR.fields_by_name[name]
        if is_map(field):
            getattr(message, name).update(value)
        elif field.is_repeated:
            for item in value:
                fill(getattr(message, name).add(), item) if isinstance(item, dict) else getattr(message, name).append(item)
        elif isinstance(value, dict):
            getattr(message, name).SetInParent()
            fill(getattr(message, name), value)
        else:
            setattr(message, name, value)
    return message


def types_of(sidecar, method):
    descriptor = sidecar.reflected.pool.FindServiceByName(SERVICE).methods_by_name[method]
    return GetMessageClass(descriptor.input_type), GetMessageClass(descriptor.output_type)


def call(sidecar, method, message):
    """The status and the answer. `message` is bytes, or what fill() takes."""
    request, response = types_of(sidecar, method)
    encoded = message if isinstance(message, bytes) else fill(request(), message).SerializeToString()
    stub = sidecar.reflected.channel.unary_unary(f"/{SERVICE}/{method}")
    try:
        answer = stub(encoded, timeout=CALL_SECONDS)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", response.FromString(answer)


def check(sidecar, method, message):
    code, answer = call(sidecar, method, message)
    assert code in ALLOWED, f"{method}: {code} {answer}"
    if code == "OK" and method in ("BatchGet", "BatchWrite"):
        numbers = {getattr(grpc.StatusCode, name).value[0] for name in ALLOWED}
        assert {item.failure.code for item in answer.items} <= numbers
    return code, answer


def test_every_method_is_fuzzed(fuzzed):
    streams = ["Watch"]  # test_watch.py
    assert sorted(fuzzed.reflected.pool.FindServiceByName(SERVICE).methods_by_name) == sorted([*METHODS, *streams])


@pytest.mark.parametrize("method", METHODS)
def test_any_message_is_answered(fuzzed, store, method):
    descriptor = types_of(fuzzed, method)[0].DESCRIPTOR
    codes = set()

    @fuzzing
    @given(messages(descriptor, store))
    @example({})
    @example({"store": store})
    def any_message(values):
        codes.add(check(fuzzed, method, values)[0])

    any_message()
    assert "INVALID_ARGUMENT" in codes or method == "DeletePrefix", codes


@pytest.mark.parametrize("method", METHODS)
def test_a_store_that_is_none_is_not_found(fuzzed, method):
    @settings(fuzzing, max_examples=10)
    @given(messages(types_of(fuzzed, method)[0].DESCRIPTOR, None).filter(lambda values: values["store"] != "mem"))
    def anywhere(values):
        assert call(fuzzed, method, values)[0] == "NOT_FOUND"

    anywhere()


# ---- bytes that are no message, or not quite ----

def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number, wire_type, payload):
    return varint(number << 3 | wire_type) + payload


def of_length(payload):
    return varint(len(payload)) + payload


BAD_FIELDS = st.one_of(
    st.builds(lambda n: field(n, 2, of_length(b"\xff\xfe\xc0")), st.integers(1, 12)),             # no UTF-8
    st.builds(lambda n, t: field(n, t, b"\x01" * 8), st.integers(1, 20), st.integers(0, 7)),       # of another type
    st.builds(lambda n, more: field(n, 2, varint(more)), st.integers(1, 12), st.integers(1, 2**63)),  # longer than the message
    st.builds(lambda n: field(n, 0, b"\xff" * 11), st.integers(1, 20)),                           # a number without an end
    st.builds(lambda n, text: field(n, 2, of_length(text)), st.integers(50, 2**29 - 1), st.binary(max_size=30)),  # unknown
    st.just(field(0, 0, b"\x00")), st.just(field(3, 3, b"") * 200), st.just(field(3, 4, b"")), st.binary(max_size=40))


@st.composite
def broken(draw, descriptor, request, store):
    """A message whose bytes were cut, changed, repeated or added to."""
    encoded = fill(request(), draw(messages(descriptor, store))).SerializeToString()
    at = draw(st.integers(0, len(encoded)))
    bad = draw(BAD_FIELDS)
    return draw(st.sampled_from([encoded[:at], encoded[:at] + bad + encoded[at:], encoded + bad, bad + encoded, encoded * 2,
                                 encoded[:at] + bytes([encoded[at] ^ 1 << at % 8]) + encoded[at + 1:] if at < len(encoded) else bad]))


@pytest.mark.parametrize("method", METHODS)
def test_bytes_that_are_no_message_are_answered(fuzzed, store, method):
    request = types_of(fuzzed, method)[0]

    @fuzzing
    @given(broken(request.DESCRIPTOR, request, store))
    @example(b"\xff\xff\xff")
    def any_bytes(encoded):
        check(fuzzed, method, encoded)

    any_bytes()
    assert call(fuzzed, method, b"\x0a\x02\xff\xfe")[0] == "INVALID_ARGUMENT", "a store's name that is no UTF-8"
    assert call(fuzzed, method, b"\x0a\xff")[0] == "INVALID_ARGUMENT", "cut off"


# ---- large ones ----

@pytest.mark.parametrize("bytes_there", [1 << 20, (4 << 20) - 200, 5 << 20])
def test_large_values_are_kept_or_refused(fuzzed, store, bytes_there):
    code, _ = check(fuzzed, "Put", {"store": store, "key": "large", "value": b"x" * bytes_there})
    assert code == ("OK" if bytes_there < 4 << 20 else "RESOURCE_EXHAUSTED")
    for _ in range(3):
        code, _ = check(fuzzed, "Patch", {"store": store, "key": "large", "append": b"y" * (1 << 20)})
        assert code in ("OK", "RESOURCE_EXHAUSTED")
    for method, more in (("Get", {"key": "large"}), ("List", {"want_values": True}), ("BatchGet", {"keys": ["large"]})):
        assert check(fuzzed, method, {"store": store, **more})[0] in ("OK", "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize("many", [1000, 1001, 20000])
def test_many_at_once_are_taken_up_to_the_bound(fuzzed, store, many):
    keys = [f"many/{i}" for i in range(many)]
    puts = [{"key": key, "put": {"value": b"1"}} for key in keys]
    expected = "OK" if many <= 1000 else "INVALID_ARGUMENT"
    for method, more in (("BatchWrite", {"items": puts}), ("BatchGet", {"keys": keys})):
        assert check(fuzzed, method, {"store": store, **more})[0] == expected
    assert check(fuzzed, "Transact", {"store": store, "operations": puts})[0] == expected
    assert check(fuzzed, "List", {"store": store, "limit": many})[0] == expected
    tags = {f"t{i}": "v" for i in range(many)}
    assert check(fuzzed, "Put", {"store": store, "key": "many", "tags": tags})[0] in ("OK", "INVALID_ARGUMENT")


# ---- frames ----

class RawCall:
    """One call by hand, for frames that no client library sends."""

    def __init__(self, sidecar, method, body, end=True, headers=()):
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.status, self.ended = None, False
        with socket.create_connection(("127.0.0.1", sidecar.grpc_port), timeout=CALL_SECONDS) as self.socket:
            self.connection.initiate_connection()
            self.connection.send_headers(1, [
                (":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", f"/{SERVICE}/{method}"),
                ("content-type", "application/grpc"), ("te", "trailers"), *headers])
            for at in range(0, len(body), 16384):
                self.connection.send_data(1, body[at:at + 16384])
            if end:
                self.connection.end_stream(1)
            else:
                self.connection.reset_stream(1)
            self.socket.sendall(self.connection.data_to_send())
            if end:
                self.read()

    def read(self):
        while not self.ended:
            received = self.socket.recv(65536)
            assert received, "the connection was closed without an answer"
            for event in self.connection.receive_data(received):
                if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                    self.status = dict(event.headers).get(b"grpc-status", self.status)
                self.ended |= isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset))
            self.socket.sendall(self.connection.data_to_send())


def frame(message, flag=0, announced=None):
    return struct.pack(">BI", flag, len(message) if announced is None else announced) + message


def status_of(sidecar, method, body, **more):
    number = int(RawCall(sidecar, method, body, **more).status)
    return next(code.name for code in grpc.StatusCode if code.value[0] == number)


GET = b"\x0a\x03mem\x12\x01k"


@pytest.mark.parametrize("name, body, headers, expected", [
    ("whole", frame(GET), (), "NOT_FOUND"),
    ("no body", b"", (), "INVALID_ARGUMENT"),
    ("a part of the prefix", b"\0\0", (), "INVALID_ARGUMENT"),
    ("cut off", frame(GET)[:-1], (), "INVALID_ARGUMENT"),
    ("one byte more", frame(GET) + b"\0", (), "INVALID_ARGUMENT"),
    ("two messages", frame(GET) * 2, (), "INVALID_ARGUMENT"),
    ("announced beyond any limit", frame(GET, announced=2**32 - 1), (), "RESOURCE_EXHAUSTED"),
    ("compressed without saying how", frame(GET, flag=1), (), "UNIMPLEMENTED"),
    ("compressed by gzip", frame(GET, flag=1), (("grpc-encoding", "gzip"),), "UNIMPLEMENTED"),
    ("no such flag", frame(GET, flag=255), (), "UNIMPLEMENTED"),
    ("a deadline that is none", frame(GET), (("grpc-timeout", "soon"),), "INVALID_ARGUMENT"),
    ("a deadline of 9 digits", frame(GET), (("grpc-timeout", "123456789S"),), "INVALID_ARGUMENT"),
    ("identity", frame(GET), (("grpc-encoding", "identity"),), "NOT_FOUND"),
    ("an isolation key that is none", frame(GET), (("holdfast-isolation", "a b"),), "INVALID_ARGUMENT"),
])
def test_frames_that_are_none_are_the_clients_mistake(fuzzed, name, body, headers, expected):
    assert status_of(fuzzed, "Get", body, headers=headers) == expected


@pytest.mark.parametrize("method", METHODS)
def test_any_body_is_answered(fuzzed, method):
    flags = st.sampled_from([0, 0, 0, 1, 2, 255])
    pieces = st.builds(frame, st.binary(max_size=60), flags, st.none() | st.integers(0, 200) | st.just(2**32 - 1)) | st.binary(max_size=9)

    @settings(fuzzing, max_examples=fuzzing.max_examples // 2)
    @given(st.lists(pieces, max_size=3).map(b"".join))
    def any_body(body):
        assert status_of(fuzzed, method, body) in ALLOWED

    any_body()


def test_calls_that_are_given_up_leave_nothing_behind(fuzzed, store):
    for at in range(0, 60, 3):
        RawCall(fuzzed, "Put", frame(b"\x0a\x03mem\x12\x01k\x1a\x20" + b"v" * 32)[:at], end=False)
        RawCall(fuzzed, "List", frame(b"\x0a" + of_length(store.encode())), end=False)
    assert check(fuzzed, "List", {"store": store})[0] == "OK"


# ---- what other APIs have written ----

def test_texts_of_other_apis_that_are_no_utf8_do_not_spoil_an_answer(fuzzed, store):
    """A text of a message is UTF-8, or the client's library refuses all of the answer."""
    requests.put(f"{fuzzed.url}/v2/state/{store}/typed", data=b"x", headers={"Content-Type": b"text/\xff"})
    for where in ("createdBy=%FF", "modifiedBy=%FF", "tag.t=%FF", "tag.%FF=t"):
        requests.put(f"{fuzzed.url}/v2/state/{store}/named?{where}", data=b"x")
        assert call(fuzzed, "Get", {"store": store, "key": "named"})[0] in ("OK", "NOT_FOUND")
        assert call(fuzzed, "List", {"store": store, "want_values": True})[0] == "OK"
    assert call(fuzzed, "Get", {"store": store, "key": "typed"})[0] in ("OK", "NOT_FOUND")
    assert call(fuzzed, "List", {"store": store, "want_values": True})[0] == "OK"
