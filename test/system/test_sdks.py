"""Dapr's official SDKs, unmodified, against the sidecar: every SDK, store, token setting and transport that the SDK knows.

The programs are in clients/, whose README lists their scenarios. Each case is one process of one program against a
sidecar of its own, because the last scenario shuts the sidecar down.
"""

import json
import os
import subprocess
import sys

import pytest
import requests
from conftest import COMPONENTS, REDIS, REPOSITORY, VAULT, Sidecar, free_port, wait_until

SCENARIOS = [
    "save_and_get", "missing_key", "bulk", "transaction", "transaction_refused", "delete_with_etag", "first_write", "ttl",
    "metadata", "secrets", "unknown_store", "shutdown",
]

# What clients/ expects to find; the nested name is flattened to database:password.
SECRETS = {"api-key": "k-123", "database": {"password": "p&ss"}}

CLIENTS = REPOSITORY / "test/system/clients"
BUILT = REPOSITORY / ".cache/clients"

# SDK: the program without its last argument, the store.
PROGRAMS = {
    "python": [sys.executable, CLIENTS / "python/main.py"],
    "node-http": ["node", CLIENTS / "node/main.js", "http"],
    "node-grpc": ["node", CLIENTS / "node/main.js", "grpc"],
    "go": [BUILT / "go/client"],
    # The flags are for a short life: one quick compiler, the smallest collector.
    "java": ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{BUILT}/java/classes:{BUILT}/java/dependency/*", "Client"],
}


def program(sdk, store):
    """The command, or a failure that says why there is none."""
    name = sdk.split("-")[0]
    if name != "python" and not (BUILT / name / "made-for").exists():
        log = BUILT / f"{name}.log"
        told = log.read_text()[-2000:] if log.exists() else "it was never tried; run tools/dev clients"
        pytest.fail(f"the program in test/system/clients/{name} is not built: {told}", pytrace=False)
    return [*PROGRAMS[sdk], store]


class Tcp:
    """Ports, as the Dapr CLI hands them to an application."""

    def __init__(self, directory):
        self.directory = directory
        self.http_port, self.grpc_port = free_port(), free_port()
        self.flags = []
        self.base, self.verify = f"http://127.0.0.1:{self.http_port}", True

    def environment(self, _sdk):
        return {"DAPR_HTTP_PORT": str(self.http_port), "DAPR_GRPC_PORT": str(self.grpc_port)}


class Unix(Tcp):
    """Unix sockets instead of ports. Only a gRPC endpoint can name one: health is asked for at the public port, over TCP."""

    def __init__(self, directory):
        super().__init__(directory)
        self.public_port = free_port()
        self.flags = ["--unix-domain-socket", str(directory), "--dapr-public-port", str(self.public_port),
                      "--dapr-public-listen-address", "127.0.0.1"]
        self.base = f"http://127.0.0.1:{self.public_port}"

    def environment(self, _sdk):
        return {"DAPR_HTTP_PORT": str(self.public_port), "DAPR_GRPC_ENDPOINT": f"unix://{self.directory}/dapr-test-grpc.socket"}


def make_certificate(directory):
    """A certificate for 127.0.0.1 that is its own authority."""
    certificate, key = directory / "tls.crt", directory / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=holdfast-test",
         "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def jvm_options(directory, certificate):
    """What makes a JVM trust the certificate."""
    keystore = directory / "trust.p12"
    subprocess.run(
        ["keytool", "-importcert", "-noprompt", "-alias", "holdfast", "-file", certificate, "-keystore", keystore, "-storetype", "PKCS12",
         "-storepass", "changeit"], check=True, capture_output=True)
    return {"JDK_JAVA_OPTIONS": f"-Djavax.net.ssl.trustStore={keystore} -Djavax.net.ssl.trustStorePassword=changeit"}


class Tls(Tcp):
    """TLS on both ports. Each SDK, or the platform beneath it, has a variable that names what to trust."""

    def __init__(self, directory):
        super().__init__(directory)
        self.certificate, key = make_certificate(directory)
        self.flags = ["--tls-cert-file", str(self.certificate), "--tls-key-file", str(key)]
        self.base, self.verify = f"https://127.0.0.1:{self.http_port}", str(self.certificate)

    def environment(self, sdk):
        trusted = str(self.certificate)
        return {
            "DAPR_HTTP_ENDPOINT": self.base,
            "DAPR_GRPC_ENDPOINT": f"127.0.0.1:{self.grpc_port}?tls=true",
            "SSL_CERT_FILE": trusted,  # Go; Python's health check
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": trusted,  # Python's gRPC
            "NODE_EXTRA_CA_CERTS": trusted,
            "DAPR_GRPC_TLS_CA_PATH": trusted,  # Java's gRPC
            **(jvm_options(self.directory, self.certificate) if sdk == "java" else {}),  # Java's waitForSidecar
        }


class TransportSidecar(Sidecar):
    """A sidecar that is reached as its transport says."""

    def __init__(self, directory, transport, token, components=COMPONENTS):
        self.transport = transport
        (directory / "state.db.json").write_text(json.dumps(SECRETS))
        super().__init__(directory, components=components + VAULT, args=transport.flags, env={"DAPR_API_TOKEN": token} if token else {}, start=False)
        self.http_port, self.grpc_port = transport.http_port, transport.grpc_port
        self.start()

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the sidecar ended with {self.process.returncode}: {self.log()}")
        try:
            return requests.get(self.transport.base + "/v1.0/healthz/outbound", verify=self.transport.verify, timeout=2).status_code == 204
        except requests.ConnectionError:
            return False


def client_environment(sdk, transport, token):
    """This process's environment without what would lead an SDK elsewhere, and with what leads it to the sidecar."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DAPR_", "GRPC_")) and "proxy" not in name.lower()}
    found = {"NODE_PATH": str(BUILT / "node/node_modules")}
    return {**inherited, **found, **transport.environment(sdk), **({"DAPR_API_TOKEN": token} if token else {})}


def run_client(command, environment):
    """The lines of the scenarios, and everything else that the program said."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, env=environment, check=False)
    lines, other = [], []
    for line in done.stdout.splitlines():
        if line.startswith('{"scenario"'):
            lines.append(json.loads(line))
        else:
            other.append(line)
    return done.returncode, lines, "\n".join([*other, done.stderr])


CASES = [
    *((sdk, Tcp) for sdk in PROGRAMS),
    # The JavaScript SDK refuses a path in an endpoint; the Java SDK's channel says that its transport knows no sockets.
    *((sdk, Unix) for sdk in ("python", "go")),
    *((sdk, Tls) for sdk in PROGRAMS),
]


@pytest.fixture
def short_directory(tmp_path_factory):
    """The path of a Unix socket has room for 107 bytes."""
    return tmp_path_factory.mktemp("sdk")


@pytest.mark.parametrize("token", [None, "s3cret"], ids=["open", "token"])
@pytest.mark.parametrize("store", ["mem", "lite"])
@pytest.mark.parametrize("sdk, transport", CASES, ids=[f"{sdk}-{transport.__name__.lower()}" for sdk, transport in CASES])
def test_every_scenario_passes(sdk, transport, store, token, short_directory):
    run_every_scenario(sdk, transport, store, token, short_directory)


@pytest.mark.parametrize("sdk", PROGRAMS)
def test_every_scenario_passes_on_redis(sdk, redis, short_directory):
    """What another store can change lies behind the API: one transport is enough."""
    run_every_scenario(sdk, Tcp, "red", None, short_directory, COMPONENTS + REDIS.replace("PORT", str(redis.port)))


def run_every_scenario(sdk, transport, store, token, short_directory, components=COMPONENTS):
    command = program(sdk, store)
    reached = transport(short_directory)
    with TransportSidecar(short_directory, reached, token, components) as sidecar:
        code, lines, other = run_client(command, client_environment(sdk, reached, token))
        failed = [f"{line['scenario']}: {line.get('error')}" for line in lines if not line["ok"]]
        assert not failed, f"{failed[0]}\n{other}\nlog of the sidecar:\n{sidecar.log()}"
        assert (code, [line["scenario"] for line in lines]) == (0, SCENARIOS), other
        wait_until(lambda: sidecar.process.poll() is not None, "the sidecar to stop after the scenario shutdown")
        assert sidecar.process.returncode == 0, sidecar.log()
        assert not token or token not in sidecar.log()


# The JavaScript SDK would wait half a minute for metadata that it may not have.
@pytest.mark.parametrize("sdk", ["python", "go", "java"])
def test_a_wrong_token_is_refused(sdk, short_directory):
    """The cases above need their token: the same programs get nowhere with another one."""
    command = program(sdk, "mem")
    reached = Tcp(short_directory)
    with TransportSidecar(short_directory, reached, "s3cret"):
        code, lines, other = run_client(command, client_environment(sdk, reached, "wrong"))
        assert (code, [line["scenario"] for line in lines]) == (1, ["save_and_get"]), other
        assert "unauthenticated" in lines[0]["error"].lower()
