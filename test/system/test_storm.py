"""Abusive clients cost little, and the sidecar serves on. The figures bound memory, never time."""
import os
import socket
import struct
import threading

import grpc
import h2.config
import h2.connection
import h2.events
import pytest
import requests
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from conftest import Sidecar, wait_until
from test_grpc import Reflected

INFLIGHT = 64  # MiB, the default of --max-inflight-bytes
CONNECTION_KIB = 32


def dial(sidecar):
    return socket.create_connection(("127.0.0.1", sidecar.http_port), timeout=20)


def serves(sidecar, key="probe"):
    session = requests.Session()
    assert session.post(sidecar.url + "/v1.0/state/lite", json=[{"key": key, "value": key}], timeout=20).status_code == 204
    assert session.get(sidecar.url + f"/v1.0/state/lite/{key}", timeout=20).json() == key
    return True


@pytest.fixture
def stormed(own_sidecar):
    sidecar = own_sidecar()
    base = sidecar.resident_mib()
    yield sidecar
    assert serves(sidecar)
    bound = base + 1100 * CONNECTION_KIB / 1024 + INFLIGHT
    assert sidecar.resident_mib() < bound, f"{sidecar.resident_mib():.0f} MiB resident, the bound is {bound:.0f}"
    assert sidecar.stop(40) == 0, sidecar.log()


def test_a_thousand_idle_and_half_sent_connections(stormed):
    sockets = [dial(stormed) for _ in range(1000)]
    for i, s in enumerate(sockets):
        if i % 3 == 1:
            s.sendall(b"POST /v1.0/state/mem HTTP/1.1\r\nHost: x\r\nContent-Le")
        if i % 3 == 2:
            s.sendall(b"POST /v1.0/state/mem HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 20000)
    assert serves(stormed)
    for s in sockets:
        s.close()


def test_bodies_beyond_the_budget_are_refused_at_once(stormed):
    """Forty bodies of 4 MB, all but their last byte: 160 MB against a budget of 64."""
    refused, sockets = {}, []
    head = b"POST /v1.0/state/mem HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n"
    for _ in range(40):
        s = dial(stormed)
        s.settimeout(5)
        sockets.append(s)
        try:
            s.sendall(head + b" " * 3_999_999)
        except OSError:
            pass

    def most_are_refused():
        for s in sockets:
            if s in refused:
                continue
            s.setblocking(False)
            try:
                refused[s] = s.recv(100)
            except BlockingIOError:
                pass
            except OSError:
                refused[s] = b"reset"
        return len(refused) >= 20

    wait_until(most_are_refused, "twenty of forty to be refused")
    assert any(answer.startswith(b"HTTP/1.1 503") or answer == b"reset" for answer in refused.values())
    for s in sockets:
        s.close()
    wait_until(lambda: requests.post(stormed.url + "/v1.0/state/mem", json=[{"key": "k", "value": "x" * 1_000_000}]).status_code == 204,
               "the budget to be given back")


def test_slow_readers_hold_only_what_they_may(stormed):
    value = "x" * 1_000_000
    requests.post(stormed.url + "/v1.0/state/mem", json=[{"key": "big", "value": value}])
    sockets = []
    for _ in range(200):
        s = dial(stormed)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(b"GET /v1.0/state/mem/big HTTP/1.1\r\nHost: x\r\n\r\n" * 4)
        sockets.append(s)
    assert serves(stormed)
    for s in sockets:
        s.close()


def test_ten_thousand_reset_streams(stormed):
    """Rapid reset: streams opened and cancelled at once, over and over; the sidecar may hang up, and serves on."""
    left = 10_000
    while left > 0:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        connection.initiate_connection()
        with dial(stormed) as s:
            try:
                for _ in range(min(left, 2500)):
                    stream = connection.get_next_available_stream_id()
                    connection.send_headers(stream, [(":method", "GET"), (":path", "/v1.0/state/lite/k"), (":scheme", "http"), (":authority", "x")], end_stream=True)
                    connection.reset_stream(stream)
                    left -= 1
                    if left % 50 == 0:
                        s.sendall(connection.data_to_send())
                s.sendall(connection.data_to_send())
            except OSError:
                pass  # it hung up on us, as it may


def test_ping_and_settings_floods_are_hung_up_on(stormed):
    for frame in (struct.pack(">I", 8)[1:] + b"\x06\x00" + b"\0" * 4 + b"\0" * 8, b"\0\0\0\x04\0\0\0\0\0"):
        with dial(stormed) as s:
            s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0")
            with pytest.raises(OSError):
                for _ in range(3000):
                    s.sendall(frame * 10)
                while s.recv(65536):
                    pass
                raise ConnectionResetError("closed")


def test_oversized_everything(stormed):
    for request in (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
                    b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: v\r\n" % i for i in range(5000)) + b"\r\n",
                    b"POST /v1.0/state/mem HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"):
        with dial(stormed) as s:
            try:
                s.sendall(request)
                assert s.recv(12).startswith(b"HTTP/1.1 4")
            except ConnectionResetError:
                pass
    deep = "[" * 200_000
    assert requests.post(stormed.url + "/v1.0/state/mem", data=deep).status_code == 400


def test_vanished_clients_leave_nothing_behind(stormed):
    """Clients that go away with their requests in flight, while others write."""
    stop = threading.Event()
    errors = []

    def write():
        session = requests.Session()
        i = 0
        while not stop.is_set():
            i += 1
            if session.post(stormed.url + "/v1.0/state/lite", json=[{"key": f"w{i % 100}", "value": i}], timeout=20).status_code != 204:
                errors.append(i)

    writer = threading.Thread(target=write)
    writer.start()
    body = b'[{"key":"gone","value":"%s"}]' % (b"x" * 2000)
    for _ in range(500):
        s = dial(stormed)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() resets
        s.sendall(b"POST /v1.0/state/lite HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        s.close()
    stop.set()
    writer.join()
    assert not errors
    descriptors = f"/proc/{stormed.process.pid}/fd"
    wait_until(lambda: len(os.listdir(descriptors)) < 100, "descriptors to be given back")


def test_a_grpc_call_beyond_the_budget_says_that_nothing_was_applied(own_sidecar):
    """By the reason, which clients go by; Dapr's calls have none."""
    sidecar = own_sidecar(args=["--max-inflight-bytes", "1Mi"])
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
        with pytest.raises(grpc.RpcError) as refused:
            Reflected(channel).call("holdfast.v2.State", "Put", {"store": "mem", "key": "large", "value": "AAAA" * 1_000_000})
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    [detail] = rpc_status.from_call(refused.value).details
    info = error_details_pb2.ErrorInfo()
    assert detail.Unpack(info) and info.reason == "OVERLOADED" and info.domain == "holdfast"
    assert requests.get(f"{sidecar.url}/v2/state/mem/large").status_code == 404
    assert sidecar.stop() == 0
