"""TLS on both ports: what is spoken, what is refused, and certificates that change under load."""
import errno
import socket
import ssl
import threading

import grpc
import pytest
import requests

from certificates import Authority
from conftest import Sidecar, wait_until

GET_METADATA = "/dapr.proto.runtime.v1.Dapr/GetMetadata"


class TlsSidecar(Sidecar):
    """Asked over TLS whether it is ready."""

    def __init__(self, directory, authority, args=(), client=None, **settings):
        self.authority = authority
        self.client = client
        certificate, key = authority.issue("server", directory / "tls")
        self.certificate, self.key = certificate, key
        super().__init__(directory, args=["--tls-cert-file", str(certificate), "--tls-key-file", str(key), *args], **settings)

    @property
    def url(self):
        return f"https://127.0.0.1:{self.http_port}"

    def session(self):
        session = requests.Session()
        session.trust_env = False  # no bundle of the environment in place of ours
        session.verify = str(self.authority.certificate)
        session.cert = tuple(map(str, self.client)) if self.client else None
        return session

    def is_ready(self):
        assert self.process.poll() is None, self.log()
        try:
            return self.session().get(self.url + "/v1.0/healthz/outbound", timeout=5).status_code == 204
        except requests.ConnectionError:
            return False

    def grpc_channel(self):
        credentials = grpc.ssl_channel_credentials(self.authority.certificate.read_bytes(),
                                                   *(p.read_bytes() for p in reversed(self.client or ())))
        return grpc.secure_channel(f"localhost:{self.grpc_port}", credentials)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tls_sidecar(tmp_path, authority):
    with TlsSidecar(tmp_path, authority) as sidecar:
        yield sidecar
        assert sidecar.stop() == 0, sidecar.log()


def test_http_and_grpc_over_tls(tls_sidecar):
    session = tls_sidecar.session()
    value = "v" * 3_000_000  # many records and a full socket
    assert session.post(f"{tls_sidecar.url}/v1.0/state/mem", json=[{"key": "k", "value": value}]).status_code == 204
    assert session.get(f"{tls_sidecar.url}/v1.0/state/mem/k").json() == value
    with tls_sidecar.grpc_channel() as channel:
        assert channel.unary_unary(GET_METADATA)(b"", timeout=20)
        answer = channel.unary_unary("/dapr.proto.runtime.v1.Dapr/GetState")(b"\x0a\x03mem\x12\x01k", timeout=20)
        assert len(answer) > len(value)


@pytest.mark.parametrize("protocols, chosen", [(["h2"], "h2"), (["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "h2"), ([], None), (["spdy/3"], None)])
def test_alpn(tls_sidecar, protocols, chosen):
    context = ssl.create_default_context(cafile=tls_sidecar.authority.certificate)
    if protocols:
        context.set_alpn_protocols(protocols)
    with socket.create_connection(("127.0.0.1", tls_sidecar.http_port)) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as wrapped:
            assert wrapped.selected_alpn_protocol() == chosen
            assert wrapped.version() == "TLSv1.3"
            if chosen != "h2":
                wrapped.sendall(b"GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                answer = b""
                while chunk := wrapped.recv(4096):  # a goodbye ends it; a cut would raise
                    answer += chunk
                assert answer.startswith(b"HTTP/1.1 204")


def test_old_protocols_and_plain_http_are_refused(tls_sidecar):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", tls_sidecar.http_port)) as raw, pytest.raises(ssl.SSLError):
        context.wrap_socket(raw)
    plain = requests.get(f"http://127.0.0.1:{tls_sidecar.http_port}/v1.0/healthz")
    assert plain.status_code == 400 and "https://" in plain.text
    with grpc.insecure_channel(f"127.0.0.1:{tls_sidecar.grpc_port}") as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(GET_METADATA)(b"", timeout=10)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert tls_sidecar.is_ready()


def test_noise_in_place_of_a_handshake_hurts_nobody(tls_sidecar):
    for noise in (b"\x16\x03\x01\x40\x00" + b"x" * 20000, b"\x16\x03", b"\x16"):
        with socket.create_connection(("127.0.0.1", tls_sidecar.http_port)) as raw:
            raw.settimeout(20)
            # The server may hang up in the middle of any of the three steps: reset, broken pipe and no longer connected are all that.
            try:
                raw.sendall(noise)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
            except TimeoutError:
                raise
            except OSError as hung_up:
                assert hung_up.errno in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN)
    assert tls_sidecar.is_ready()


def test_clients_have_to_show_a_certificate(tmp_path, authority):
    client = authority.issue("client", tmp_path / "client")
    stranger = Authority(tmp_path / "strangers").issue("stranger")
    with TlsSidecar(tmp_path / "s", authority, ["--tls-client-ca-file", str(authority.certificate)], client) as sidecar:
        assert sidecar.session().get(f"{sidecar.url}/v1.0/state/mem/k").status_code == 204
        with sidecar.grpc_channel() as channel:
            assert channel.unary_unary(GET_METADATA)(b"", timeout=20)
        for wrong in (None, tuple(map(str, stranger))):
            session = sidecar.session()
            session.cert = wrong
            with pytest.raises(requests.ConnectionError):
                session.get(f"{sidecar.url}/v1.0/state/mem/k")


def test_unix_sockets_stay_plain(tmp_path, authority):
    sockets = tmp_path / "sockets"
    sockets.mkdir()
    sidecar = TlsSidecar(tmp_path / "s", authority, ["--unix-domain-socket", str(sockets)], start=False)
    sidecar.start(wait=False)
    path = sockets / "dapr-test-http.socket"
    wait_until(path.exists, "the socket")
    with socket.socket(socket.AF_UNIX) as s:
        wait_until(lambda: s.connect_ex(str(path)) == 0, "the socket to accept")
        s.sendall(b"GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 204")
    assert sidecar.stop() == 0


@pytest.mark.parametrize("args, text", [
    (["--tls-cert-file", "/nope.pem", "--tls-key-file", "/nope.key"], "/nope.pem: it cannot be read"),
    (["--tls-cert-file", "/nope.pem"], "belong together"),
    (["--tls-client-ca-file", "/nope.pem"], "needs --tls-cert-file"),
])
def test_bad_files_are_named_at_the_start(own_sidecar, args, text):
    sidecar = own_sidecar(args=args, start=False)
    sidecar.start(wait=False)
    assert sidecar.process.wait(20) == 1
    assert text in sidecar.log()


def serial_of(sidecar):
    context = ssl.create_default_context(cafile=sidecar.authority.certificate)
    with socket.create_connection(("127.0.0.1", sidecar.http_port)) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as wrapped:
            return wrapped.getpeercert()["serialNumber"]


def test_a_certificate_is_exchanged_under_load(tls_sidecar):
    """Each worker opens connections all the time and keeps one open throughout; none sees a failure."""
    ended, failures, done = threading.Event(), [], [0] * 4

    def load(worker):
        kept = tls_sidecar.session()
        while not ended.is_set():
            try:
                for session in (kept, tls_sidecar.session()):
                    if session.get(f"{tls_sidecar.url}/v1.0/state/mem/k", timeout=30).status_code != 204:
                        failures.append("status")
            except requests.RequestException as error:
                failures.append(repr(error))
            done[worker] += 1

    threads = [threading.Thread(target=load, args=(i,)) for i in range(len(done))]
    for thread in threads:
        thread.start()
    for round in range(3):
        before = serial_of(tls_sidecar)
        fresh = tls_sidecar.authority.issue("server", tls_sidecar.directory / f"next{round}")
        # Not at once, and the key last: for a moment the two do not belong together.
        for new, old in zip(fresh, (tls_sidecar.certificate, tls_sidecar.key)):
            old.write_bytes(new.read_bytes())
        wait_until(lambda: serial_of(tls_sidecar) != before, "the new certificate to be shown")
        seen = list(done)
        wait_until(lambda: all(now > then for now, then in zip(done, seen)), "every worker to have gone on")
    ended.set()
    for thread in threads:
        thread.join()
    assert failures == []
