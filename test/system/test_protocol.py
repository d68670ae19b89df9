"""Bytes on the wire: HTTP/1.1 in pieces and in batches, h2c, abuse."""
import os
import socket
import subprocess

import httpx
import pytest
import requests

from conftest import have, wait_until


def exchange(sidecar, data, until=None, port=None):
    """Sends raw bytes and reads until the peer closes, or `until` is satisfied."""
    with socket.create_connection(("127.0.0.1", port or sidecar.http_port), timeout=20) as s:
        for piece in data if isinstance(data, list) else [data]:
            s.sendall(piece)
        got = b""
        while not (until and until(got)):
            chunk = s.recv(65536)
            if not chunk:
                break
            got += chunk
        return got


def test_pipelined_requests_are_answered_in_order(sidecar, store, key):
    save = b'POST /v1.0/state/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s'
    body = b'[{"key":"%s","value":7}]' % key.encode()
    batch = save % (store.encode(), len(body), body)
    batch += b"GET /v1.0/state/%s/%s HTTP/1.1\r\nHost: x\r\n\r\n" % (store.encode(), key.encode())
    batch += b"GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    got = exchange(sidecar, batch)
    statuses = [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"204", b"200", b"204"] and b"\r\n\r\n7HTTP" in got


def test_a_request_in_one_byte_pieces(sidecar, store, key):
    body = b'[{"key":"%s","value":"bytewise"}]' % key.encode()
    request = b"POST /v1.0/state/%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" % store.encode()
    request += b"".join(b"1\r\n%c\r\n" % b for b in body) + b"0\r\n\r\n"
    assert exchange(sidecar, [request[i:i + 1] for i in range(len(request))]).startswith(b"HTTP/1.1 204")
    assert requests.get(f"{sidecar.url}/v1.0/state/{store}/{key}").json() == "bytewise"


def test_expect_continue(sidecar, store):
    head = b"POST /v1.0/state/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n" % store.encode()
    with socket.create_connection(("127.0.0.1", sidecar.http_port), timeout=20) as s:
        s.sendall(head)
        assert s.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"[]")
        assert s.recv(1000).startswith(b"HTTP/1.1 204")
    refused = exchange(sidecar, head.replace(b"Content-Length: 2", b"Content-Length: 99999999"))
    assert refused.startswith(b"HTTP/1.1 400"), "no 100 for a body that will not be taken"


@pytest.mark.parametrize("data, status", [
    pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 20000 + b"\r\n\r\n", b"431", id="large-head"),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", b"400"),
    (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"400"),
    (b"PUT /v2/state/mem/%zz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", b"400"),
    (b"GET /v1.0/state/mem/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"400"),
])
def test_bad_requests_are_answered_and_closed(sidecar, data, status):
    assert exchange(sidecar, data).startswith(b"HTTP/1.1 " + status)


def test_what_is_not_http_is_hung_up_on(sidecar):
    assert exchange(sidecar, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100) == b""
    assert exchange(sidecar, b"SSH-2.0-OpenSSH_9.2\r\n") == b""


@pytest.mark.parametrize("port", ["http_port", "grpc_port"])
def test_h2c_with_prior_knowledge(sidecar, store, key, port):
    base = f"http://127.0.0.1:{getattr(sidecar, port)}/v1.0/state/{store}"
    with httpx.Client(http1=False, http2=True) as client:
        assert client.post(base, json=[{"key": key, "value": 1}]).status_code == 204
        got = client.get(f"{base}/{key}")
        assert (got.http_version, got.content) == ("HTTP/2", b"1")
        big = "x" * 3_000_000
        assert client.post(base, json=[{"key": key, "value": big}]).status_code == 204
        assert client.get(f"{base}/{key}").json() == big
        assert client.post(base, content=b" " * (5 << 20)).json()["message"] == "stream too large"


def test_h2c_by_upgrade(sidecar, store, key):
    if not have("curl"):
        pytest.skip("curl is not installed")
    requests.post(f"{sidecar.url}/v1.0/state/{store}", json=[{"key": key, "value": 1}])
    done = subprocess.run(["curl", "-s", "--http2", "-w", "%{http_version}", f"{sidecar.url}/v1.0/state/{store}/{key}"],
                          capture_output=True, text=True, timeout=30)
    assert done.stdout == "12"


def test_h2spec(sidecar):
    binary = os.environ.get("HOLDFAST_H2SPEC", "")
    if not binary:
        pytest.skip("HOLDFAST_H2SPEC does not name an h2spec binary (tools/dev test builds one where Go is installed)")
    for port in (sidecar.http_port, sidecar.grpc_port):
        done = subprocess.run([binary, "-p", str(port), "-P", "/v1.0/metadata"], capture_output=True, text=True, timeout=300)
        assert "145 tests, 145 passed, 0 skipped, 0 failed" in done.stdout, done.stdout[-3000:]
