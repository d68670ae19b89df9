"""The programs in examples/, each on both stores, with and without a token, and what they did as HTTP shows it."""

import base64
import datetime
import importlib.machinery
import importlib.util
import json
import os
import re
import subprocess

import pytest
import requests
from conftest import BINARY, REPOSITORY, Sidecar, free_port, wait_until

EXAMPLES = REPOSITORY / "examples"


def load_runner():
    """examples/run as a module: it makes the programs' environment and knows their names."""
    loader = importlib.machinery.SourceFileLoader("examples_run", str(EXAMPLES / "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


RUNNER = load_runner()
SPECS = {
    "memory": "{{type: state.in-memory, version: v1}}",
    "sqlite": "{{type: state.sqlite, version: v1, metadata: [{{name: connectionString, value: '{database}'}}]}}",
}


class Place:
    """A sidecar with a store called statestore, the environment that leads a program to it, and its API over HTTP."""

    def __init__(self, directory, kind, token):
        component = f"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{{{name: statestore}}}}\nspec: {SPECS[kind]}\n"
        self.token = token
        self.sidecar = Sidecar(directory, components=component, env={"DAPR_API_TOKEN": token} if token else {})
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DAPR_")},
            "DAPR_HTTP_PORT": str(self.sidecar.http_port),
            "DAPR_GRPC_PORT": str(self.sidecar.grpc_port),
            **({"DAPR_API_TOKEN": token} if token else {}),
        }
        self.http = requests.Session()
        if token:
            self.http.headers["dapr-api-token"] = token
        self.services = {}

    def service(self, name):
        """The service of this example, started when it is first asked for and stopped with the place."""
        if name not in self.services:
            self.services[name] = Service(self, name).start()
        return self.services[name]

    def get(self, key, api="v1.0", **kwargs):
        return self.http.get(f"{self.sidecar.url}/{api}/state/statestore/{key}", **kwargs)

    def value(self, key):
        """The value of the record; None when there is none."""
        answer = self.get(key)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.status_code == 200 else None

    def record(self, key):
        answer = self.get(key, api="v2", headers={"Accept": "application/vnd.holdfast.record+json"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def seconds_left(self, key):
        expires = datetime.datetime.fromisoformat(self.get(key).headers["Metadata.ttlexpiretime"])
        return (expires - datetime.datetime.now(datetime.UTC)).total_seconds()

    def python(self, *arguments, cwd=None):
        return subprocess.Popen([RUNNER.python(), *arguments], env=self.environment, cwd=cwd, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, name):
        """What the example printed, once it has ended well."""
        process = self.python(EXAMPLES / name / "main.py")
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        return output


class Service:
    """An example's app.py on a port of its own."""

    def __init__(self, place, name, **environment):
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        self.log = place.sidecar.directory / f"{name}-{port}.log"
        self.command = [RUNNER.python(), EXAMPLES / name / "app.py"]
        self.environment = {**place.environment, **environment, "APP_PORT": str(port)}

    def is_ready(self):
        assert self.process.poll() is None, self.log.read_text()
        return RUNNER.answers(self.base + "/openapi.json")()

    def start(self):
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(self.command, env=self.environment, stdout=out, stderr=out)
        wait_until(self.is_ready, "the service to be ready")
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module", params=[(kind, token) for kind in SPECS for token in (None, "s3cret")],
                ids=lambda param: f"{param[0]}-{'token' if param[1] else 'open'}")
def place(request, tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("example"), *request.param)
    with made.sidecar:
        yield made
        for service in made.services.values():
            service.stop()


def test_users(place):
    output = place.run("users")
    assert "name after its deletion: not found" in output and "user:4: not found" in output
    assert place.value("user:1") == {"name": "Alice", "age": 30}
    assert place.value("user:2") == {"name": "Bob", "age": 25}
    assert place.value("user:3") is None
    assert place.value("user:1:name") is None


def test_optimistic_updates_all_count(place):
    first = place.run("optimistic")
    assert place.value("account:1") == {"balance": 100 + 4 * 10 * 50}
    assert re.search(r"40 deposits of 50, [1-9]\d* conflicts", first), "four threads at one record have to meet: " + first
    assert "the account is there already" in place.run("optimistic")
    assert place.value("account:1") == {"balance": 100 + 2 * 4 * 10 * 50}


def test_howto(place):
    output = place.run("howto")
    assert "save k1, strong: 204" in output and 'get k1, strong: 200 "Some Data"' in output
    assert "delete key1 with the etag from before the save: 409" in output and "possible etag mismatch" in output
    assert "delete key1 with the etag that is there: 204" in output
    assert "attempt 1: the version has changed" in output and "attempt 2: saved" in output
    assert place.value("k1") is None
    assert place.value("key1") == "New Data"


def test_session(place):
    place.run("session")
    assert 3500 < place.seconds_left("session:abc123") <= 3601
    assert "Metadata.ttlexpiretime" not in place.get("session:kept").headers
    assert place.value("session:kept") == {"user_id": "1"}
    assert place.value("session:brief") is None


def test_metadata(place):
    output = place.run("metadata")
    writer = "test" if place.token else "serviceA"  # with a token, the writer is who the token says, not who it claims to be
    assert f"document:456: createdBy {writer}, contentType application/json" in output
    document = place.record("document:456")
    assert (document["createdBy"], document["contentType"]) == (writer, "application/json")
    assert 3500 < document["ttl"] <= 3600
    assert document["value"] == {"title": "Minutes", "body": "document content"}
    text = place.record("document:457")
    assert (text["contentType"], text["ttl"]) == ("text/plain", -1)
    assert base64.b64decode(text["valueBase64"]) == b"document content"


def test_consistency(place):
    output = place.run("consistency")
    assert output.count("sdk: saved") == 3
    told = re.findall(r"http: saved (\S+), read at (\S+), served at (\S+)", output)
    levels = ["strong", "quorum", "bounded-staleness", "session", "consistent-prefix", "eventual"]
    assert told == [(level, level, "strong") for level in levels]
    assert place.value("critical:data") == "saved eventual"


def test_transfers_make_and_lose_no_money(place):
    output = place.run("transfer")
    assert "refused: alice holds" in output and "total before 4000.00, after 4000.00" in output
    assert sum(place.value(f"account:{name}")["balance"] for name in ("alice", "bob", "carol", "dave")) == 400_000


MOVER = """
import sys
from main import DaprClient, transfer
me = int(sys.argv[1])
with DaprClient() as dapr:
    for i in range(12):
        transfer(dapr, f"mover-{i % 4}", f"mover-{(i + 1 + me % 3) % 4}", 100 + me)
"""


def test_transfers_of_several_processes_all_count(place):
    """Exact balances: a lost update would show even where the sum is right."""
    for account in range(4):
        item = {"key": f"account:mover-{account}", "value": {"balance": 100_000}}
        assert place.http.post(f"{place.sidecar.url}/v1.0/state/statestore", json=[item]).status_code == 204
    expected = [100_000] * 4
    for me in range(4):
        for i in range(12):
            expected[i % 4] -= 100 + me
            expected[(i + 1 + me % 3) % 4] += 100 + me
    movers = [place.python("-c", MOVER, str(me), cwd=EXAMPLES / "transfer") for me in range(4)]
    for mover in movers:
        output, _ = mover.communicate(timeout=60)
        assert mover.returncode == 0, output
    assert [place.value(f"account:mover-{account}")["balance"] for account in range(4)] == expected


REFUSED = """
from main import DaprClient, transfer
with DaprClient() as dapr:
    for source, target, cents in (("a", "a", 1), ("a", "b", -5), ("nobody", "b", 1)):
        try:
            transfer(dapr, source, target, cents)
        except Exception as error:
            print(type(error).__name__)
"""


def test_transfers_that_may_not_be(place):
    process = place.python("-c", REFUSED, cwd=EXAMPLES / "transfer")
    output, _ = process.communicate(timeout=60)
    assert output.split() == ["ValueError", "ValueError", "NoSuchAccount"]
    assert place.value("account:nobody") is None and place.value("account:b") is None


def test_coupon(place):
    output = place.run("coupon")
    assert "Precondition ETag failed" in output
    titles = ["created", "changed by another process", "read again", "saved with the new ETag"]
    created, changed, read, saved = (json.loads(re.search(rf"^{title}:\n(\{{.*?^\}})", output, re.MULTILINE | re.DOTALL)[1]) for title in titles)
    assert [record["value"]["Value"] for record in (created, changed, read, saved)] == [10, 20, 20, 15]
    assert len({record["etag"] for record in (created, changed, saved)}) == 3 and read["etag"] == changed["etag"]
    assert {record["created"] for record in (created, changed, saved)} == {created["created"]}
    there = place.record("webshop::coupons::blackfriday")
    assert there == saved
    assert (there["createdBy"], there["stateStoreName"], there["ttl"]) == ("test", "statestore", -1)


def examples_run(*arguments):
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("DAPR_")}, "HOLDFAST_BIN": BINARY}
    done = subprocess.run([EXAMPLES / "run", *arguments], capture_output=True, text=True, timeout=180, env=environment, check=False)
    return done.returncode, done.stdout + done.stderr


def test_one_command_runs_them_all():
    code, output = examples_run("all")
    assert code == 0, output
    assert re.findall(r"^== (\w+): sidecar", output, re.MULTILINE) == RUNNER.names()
    assert "total before 4000.00, after 4000.00" in output


def test_another_store_is_another_folder():
    code, output = examples_run("users", "--components", str(EXAMPLES / "components/memory"))
    assert code == 0 and "user:2: {'name': 'Bob', 'age': 25}" in output, output


def test_a_mistake_is_explained():
    code, output = examples_run("nope")
    assert code == 2 and "invalid choice: 'nope'" in output


def test_the_readme_lists_every_example():
    listed = re.findall(r"^\| \[(\w+)\]\((\w+)\) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(name for name, _ in listed) == RUNNER.names() and all(name == folder for name, folder in listed)
    assert all((EXAMPLES / name / "README.md").exists() for name in RUNNER.names())
