"""A sidecar for each test module, on free loopback ports, with one store in memory, one on SQLite and one on Redis."""
import collections
import os
import pathlib
import random
import shutil
import socket
import subprocess
import time

import pytest
import requests

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HOLDFAST_BIN", str(REPOSITORY / "build/release/holdfast"))

COMPONENTS = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: mem}}
spec: {{type: state.in-memory, version: v1}}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: lite}}
spec:
  type: state.sqlite
  version: v1
  metadata:
  - {{name: connectionString, value: "{database}"}}
"""

# As Dapr's course writes it, called `red`.
REDIS = """---
apiVersion: dapr.io/v1
kind: Component
metadata: {{name: red}}
spec:
  type: state.redis
  version: v1
  initTimeout: 1m
  metadata:
  - {{name: redisHost, value: "localhost:PORT"}}
  - {{name: redisPassword, value: ""}}
  - {{name: enableTLS, value: "false"}}
  - {{name: failover, value: "false"}}
"""

# A secret store over the file beside the database.
VAULT = """---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: vault}}
spec:
  type: secretstores.local.file
  version: v1
  metadata:
  - {{name: secretsFile, value: "{database}.json"}}
"""


# The environment of a sidecar whose memory is measured: one with AddressSanitizer otherwise keeps what it has freed.
FREES_AT_ONCE = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}


FIRST_PORT, PORTS = 20000, 12000  # Linux gives connections ports from 32768 on
CLAIMS = collections.deque()


def free_port():
    """One that nobody listens on, and that no other process of tests is given: test/support/port.cc says so in the same way."""
    while True:
        port = random.SystemRandom().randrange(FIRST_PORT, FIRST_PORT + PORTS)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0holdfast-test-port-{port}")
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        CLAIMS.append(claim)
        if len(CLAIMS) > 300:  # of tests that have ended long since, or are listened on
            CLAIMS.popleft().close()
        return port


def wait_until(condition, what, seconds=20):
    """Polls: tests wait for conditions, and time only bounds how long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


class Sidecar:
    def __init__(self, directory, components=COMPONENTS, args=(), env=None, app_id="test", start=True):
        self.directory = pathlib.Path(directory)
        self.resources = self.directory / "components"
        self.resources.mkdir(parents=True, exist_ok=True)
        self.database = self.directory / "state.db"
        if components is not None:
            (self.resources / "stores.yaml").write_text(components.format(database=self.database))
        self.args = list(args)
        self.env = {**os.environ, **(env or {})}
        for name in ("DAPR_API_TOKEN", "NAMESPACE"):
            if name not in (env or {}):
                self.env.pop(name, None)
        self.app_id = app_id
        self.http_port, self.grpc_port, self.metrics_port = free_port(), free_port(), free_port()
        self.log_path = self.directory / "holdfast.log"
        self.process = None
        if start:
            self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http_port}"

    def command(self):
        return [
            BINARY, "--app-id", self.app_id, "--resources-path", str(self.resources),
            "--dapr-http-port", str(self.http_port), "--dapr-grpc-port", str(self.grpc_port),
            "--metrics-port", str(self.metrics_port), "--dapr-listen-addresses", "127.0.0.1", *self.args,
        ]

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, env=self.env)
        if not wait:
            return
        try:
            wait_until(self.is_ready, "the sidecar to be ready")
        except AssertionError as late:
            self.kill()  # nobody else would: a constructor that fails leaves nothing to clean up
            raise AssertionError(f"{late}; its log: {self.log()}") from None

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the sidecar ended with {self.process.returncode}: {self.log()}")
        try:
            return requests.get(self.url + "/v1.0/healthz/outbound", timeout=2).status_code == 204
        except requests.ConnectionError:
            return False

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=20):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                return self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"the sidecar did not stop: {self.log()}")
        return self.process.returncode if self.process else None

    def resident_mib(self):
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.stop()


@pytest.fixture(scope="session")
def redis(tmp_path_factory):
    """One Redis for the whole run: tests keep to keys of their own."""
    from servers import RedisServer  # it needs this module

    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory):
    """One PostgreSQL for the whole run: tests keep to tables of their own."""
    from servers import PostgresqlServer  # it needs this module

    server = PostgresqlServer(tmp_path_factory.mktemp("postgresql"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def etcd(tmp_path_factory):
    """One etcd for the whole run: tests keep to keys of their own."""
    from servers import EtcdServer  # it needs this module

    server = EtcdServer(tmp_path_factory.mktemp("etcd"))
    yield server
    server.stop()


def redis_or_none(request):
    try:
        return request.getfixturevalue("redis")
    except pytest.skip.Exception:
        return None


@pytest.fixture(scope="module")
def sidecar(request, tmp_path_factory):
    server = redis_or_none(request)
    components = COMPONENTS + (REDIS.replace("PORT", str(server.port)) if server else "")
    with Sidecar(tmp_path_factory.mktemp("sidecar"), components=components) as running:
        yield running
        code = running.stop()
        assert code == 0, running.log()


@pytest.fixture(params=["mem", "lite", "red"])
def store(request):
    if request.param == "red":
        request.getfixturevalue("redis")  # skips, and says why, where there is no server
    return request.param


@pytest.fixture
def key(request):
    """A key of this test's own: tests share a sidecar and disturb nobody."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name) + "-" + os.urandom(4).hex()


@pytest.fixture
def own_sidecar(tmp_path):
    """Makes sidecars with settings of the test's own."""
    made = []

    def make(**settings):
        made.append(Sidecar(tmp_path / str(len(made)), **settings))
        return made[-1]

    yield make
    for one in made:
        if one.process and one.process.poll() is None:
            one.kill()


def have(tool):
    return shutil.which(tool) is not None
