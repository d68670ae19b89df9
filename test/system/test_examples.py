"""The programs in examples/, on every store, with and without a token, and what they did as HTTP shows it."""

import base64
import concurrent.futures
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
COMPONENT = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: statestore}}\nspec: "
COMPONENTS = {
    "memory": COMPONENT + "{{type: state.in-memory, version: v1}}\n",
    "sqlite": COMPONENT + "{{type: state.sqlite, version: v1, metadata: [{{name: connectionString, value: '{database}'}}]}}\n",
    # The course's own file, but for the port.
    "redis": (REPOSITORY / "test/system/components/course-redis.yaml").read_text(),
    # The course's own file, which counts on Kubernetes for its secret: here a file has it.
    "postgresql": (REPOSITORY / "test/system/components/course-postgresql.yaml").read_text() + "auth: {{secretStore: secrets}}\n---\n"
    + "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: secrets}}\nspec: {{type: secretstores.local.file, version: v1, "
    + "metadata: [{{name: secretsFile, value: 'SECRETS'}}, {{name: multiValued, value: 'true'}}]}}\n",
}


class Place:
    """A sidecar with a store called statestore, the environment that leads a program to it, and its API over HTTP."""

    def __init__(self, directory, kind, component, token):
        self.kind, self.token = kind, token
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


@pytest.fixture(scope="module", params=[*((kind, token) for kind in ("memory", "sqlite") for token in (None, "s3cret")), ("redis", None), ("postgresql", None)],
                ids=lambda param: f"{param[0]}-{'token' if param[1] else 'open'}")
def place(request, tmp_path_factory):
    kind, token = request.param
    component = COMPONENTS[kind]
    if kind == "redis":
        server = request.getfixturevalue("redis")
        server.command("FLUSHALL")  # the programs' keys have no prefix here, and know nothing of other tests
        component = component.replace("localhost:6379", f"localhost:{server.port}")
    if kind == "postgresql":
        server = request.getfixturevalue("postgresql")
        secrets = tmp_path_factory.mktemp("secrets") / "secrets.json"
        secrets.write_text(json.dumps({"postgres-connection": {"connection-string": server.connection_string()}}))
        component = component.replace("SECRETS", str(secrets))
    made = Place(tmp_path_factory.mktemp("example"), kind, component, token)
    with made.sidecar:
        yield made
        for service in made.services.values():
            service.stop()


def at_once(calls):
    """Makes the calls from eight threads; returns their results in order."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


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
    # Where replicas may answer, each level is its own; quorum reads are the primary's.
    own = set(levels) - {"quorum"} if place.kind == "redis" else set()
    assert told == [(level, level, level if level in own else "strong") for level in levels]
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


def test_cart(place):
    pen = {"product_id": "p1", "name": "Pen", "price": 1.1, "quantity": 2}
    ink = {"product_id": "p2", "name": "Ink", "price": 7.25, "quantity": 1}
    service = place.service("cart")
    cart = service.base + "/cart/alice"
    assert requests.get(cart).json() == {"items": []}
    assert requests.post(cart + "/checkout").status_code == 404
    assert requests.post(cart + "/add", json=pen).json() == {"message": "Item added", "cart": [pen]}
    requests.post(cart + "/add", json=pen | {"quantity": 1})
    requests.post(cart + "/add", json=ink)
    assert requests.get(cart).json() == {"items": [pen | {"quantity": 3}, ink]}
    assert 86_300 < place.seconds_left("cart:alice") <= 86_401
    assert requests.post(cart + "/add", json=pen | {"quantity": 0}).status_code == 422

    placed = requests.post(cart + "/checkout").json()
    assert placed["total"] == 10.55
    order = {"user_id": "alice", "items": [pen | {"quantity": 3}, ink], "total": 10.55, "status": "pending"}
    assert place.value(placed["order_id"]) == order
    assert place.value("cart:alice") is None and requests.get(cart).json() == {"items": []}
    requests.post(cart + "/add", json=pen)
    assert requests.delete(cart).json() == {"message": "Cart cleared"}
    assert place.value("cart:alice") is None


def test_cart_loses_no_item_to_others_or_to_checkout(place):
    service = place.service("cart")
    cart = service.base + "/cart/bob"

    def add():
        item = {"product_id": "p", "name": "Paper", "price": 0.5, "quantity": 1}
        assert requests.post(cart + "/add", json=item).status_code == 200

    def check_out():
        answer = requests.post(cart + "/checkout")
        assert answer.status_code in (200, 404)
        return answer.json().get("order_id")

    orders = [order for order in at_once([add, add, add, check_out] * 10) if order]
    ordered = sum(place.value(order)["items"][0]["quantity"] for order in orders)
    left = sum(item["quantity"] for item in requests.get(cart).json()["items"])
    assert len(set(orders)) == len(orders) > 0
    assert ordered + left == 30


def test_todo(place):
    service = place.service("todo")
    todos = service.base + "/todos"
    assert requests.get(todos).json() == []
    created = [requests.post(todos, json={"title": title}) for title in ("milk", "bread", "salt")]
    assert all(answer.status_code == 201 and answer.headers["ETag"] for answer in created)
    milk, bread, salt = (answer.json() for answer in created)
    assert requests.get(todos).json() == [milk, bread, salt]
    url = service.base + created[0].headers["Location"]
    assert requests.get(url).json() == {"id": milk["id"], "title": "milk", "done": False}

    change, seen = {"title": "oat milk", "done": False}, {"If-Match": created[0].headers["ETag"]}
    assert requests.put(url, json=change).status_code == 428
    updated = requests.put(url, json=change, headers=seen)
    assert (updated.status_code, updated.json()) == (200, {"id": milk["id"], **change})
    assert updated.headers["ETag"] != seen["If-Match"]
    assert requests.put(url, json={"title": "late", "done": True}, headers=seen).status_code == 412
    assert requests.get(url).json()["title"] == "oat milk"

    completed = requests.post(url + "/complete")
    assert (completed.status_code, completed.json()["done"]) == (200, True)
    assert requests.post(url + "/complete").headers["ETag"] == completed.headers["ETag"], "it is complete already"

    assert requests.delete(url, headers=seen).status_code == 412
    assert requests.delete(url).status_code == 428
    assert requests.delete(url, headers={"If-Match": completed.headers["ETag"]}).status_code == 204
    assert requests.delete(url, headers={"If-Match": completed.headers["ETag"]}).status_code == 404
    assert requests.get(url).status_code == requests.post(url + "/complete").status_code == 404
    assert requests.get(todos).json() == [bread, salt]
    assert place.value("todo:index") == [bread["id"], salt["id"]]
    assert requests.post(todos, json={"title": ""}).status_code == 422


def test_todo_keeps_its_index_when_many_change_it(place):
    service = place.service("todo")
    todos = service.base + "/todos"
    for todo in requests.get(todos).json():
        etag = requests.get(f"{todos}/{todo['id']}").headers["ETag"]
        requests.delete(f"{todos}/{todo['id']}", headers={"If-Match": etag}).raise_for_status()

    def create_and(then):
        def call():
            made = requests.post(todos, json={"title": "x"})
            assert made.status_code == 201
            return then(f"{todos}/{made.json()['id']}", made.headers["ETag"])

        return call

    def keep(url, _):
        return url.rsplit("/", 1)[1]

    def delete(url, etag):
        assert requests.delete(url, headers={"If-Match": etag}).status_code == 204

    kept = {todo_id for todo_id in at_once([create_and(keep), create_and(delete)] * 12) if todo_id}
    assert {todo["id"] for todo in requests.get(todos).json()} == kept and len(kept) == 12
    assert sorted(place.value("todo:index")) == sorted(kept)

    one = next(iter(kept))
    etag = {"If-Match": requests.get(f"{todos}/{one}").headers["ETag"]}
    writers = at_once([lambda n=n: requests.put(f"{todos}/{one}", json={"title": f"by {n}", "done": False}, headers=etag) for n in range(8)])
    assert sorted(answer.status_code for answer in writers) == [200] + [412] * 7
    winner = next(answer.json()["title"] for answer in writers if answer.status_code == 200)
    assert requests.get(f"{todos}/{one}").json()["title"] == winner


POINTS = {"ann": 120, "ben": 75, "cem": 75, "dora": 310, "eva": 20, "finn": 5, "gus": 64, "hana": 99, "ida": 42, "jo": 8, "kai": 75, "lea": 51}


def test_leaderboard(place):
    service = place.service("leaderboard")
    def score(player, points):
        answer = requests.post(f"{service.base}/players/{player}/scores", json={"points": points})
        assert answer.status_code == 201, answer.text
        return answer.json()["score"]

    assert requests.get(service.base + "/top").json() == []
    for player, points in POINTS.items():
        assert score(player, points) == points
    top = requests.get(service.base + "/top").json()
    assert [(one["rank"], one["player"], one["score"]) for one in top] == [
        (1, "dora", 310), (2, "ann", 120), (3, "hana", 99), (4, "ben", 75), (4, "cem", 75), (4, "kai", 75), (7, "gus", 64),
        (8, "lea", 51), (9, "ida", 42), (10, "eva", 20)]
    assert requests.get(f"{service.base}/players/finn/rank").json() == {"rank": 12, "player": "finn", "score": 5}
    assert requests.get(f"{service.base}/players/cem/rank").json()["rank"] == 4
    assert requests.get(f"{service.base}/players/nobody/rank").status_code == 404
    assert requests.post(f"{service.base}/players/ann/scores", json={"points": 0}).status_code == 422
    assert 86_300 < place.seconds_left("score:ann") <= 86_401

    # Everybody scores at once: the totals of one player, and the entries of many, all have to be there.
    crowd = {f"p{number}": 1 for number in range(24)} | {"zoe": 12}
    at_once([lambda player=player: score(player, 1) for player, times in crowd.items() for _ in range(times)])
    for player, points in crowd.items():
        assert place.value(f"score:{player}") == {"player": player, "score": points}
    board = {player: entry["score"] for player, entry in place.value("leaderboard").items()}
    assert board == POINTS | crowd


def test_leaderboard_forgets_scores_when_their_time_is_up(place):
    service = Service(place, "leaderboard", SCORE_TTL_SECONDS="1").start()
    place.services["brief leaderboard"] = service
    player = f"{service.base}/players/brief"
    assert requests.post(player + "/scores", json={"points": 1_000_000}).json()["score"] == 1_000_000
    wait_until(lambda: requests.get(player + "/rank").status_code == 404, "the entry to end")
    wait_until(lambda: place.value("score:brief") is None, "the record to end")
    assert "brief" not in [standing["player"] for standing in requests.get(service.base + "/top").json()]
    assert requests.post(player + "/scores", json={"points": 3}).json()["score"] == 3, "it starts anew"


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


def test_orders(place):
    output = place.run("orders")
    assert output.count(": served") == 6 and output.count("ink: sold out") == 1
    assert "pen: 3 sold, 2 left" in output and "ink: 3 sold, 0 left" in output and "an order ends in 30 days" in output
    assert "one ink less: nothing was changed" in output
    assert [place.record(f"stock/{article}")["value"] for article in ("pen", "ink")] == [2, 0]


def examples_run(*arguments):
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("DAPR_")}, "HOLDFAST_BIN": BINARY}
    done = subprocess.run([EXAMPLES / "run", *arguments], capture_output=True, text=True, timeout=180, env=environment, check=False)
    return done.returncode, done.stdout + done.stderr


def test_one_command_runs_them_all():
    code, output = examples_run("all")
    assert code == 0, output
    assert re.findall(r"^== (\w+): sidecar", output, re.MULTILINE) == RUNNER.names()
    assert "total before 4000.00, after 4000.00" in output and "finn's rank: 12" in output and "checkout again: 404" in output


def test_another_store_is_another_folder():
    code, output = examples_run("users", "--components", str(EXAMPLES / "components/memory"))
    assert code == 0 and "user:2: {'name': 'Bob', 'age': 25}" in output, output


def test_stores_are_switched_by_one_file(redis, postgresql):
    """The course's last exercise, as its script shows it; on the run's servers, where the programs' keys have a prefix."""
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("DAPR_")}, "HOLDFAST_BIN": BINARY}
    done = subprocess.run([EXAMPLES / "switch-stores", "--redis", f"localhost:{redis.port}", "--postgresql", postgresql.connection_string()],
                          capture_output=True, text=True, timeout=180, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": ran") == 15 and "== the same on SQLite, Redis, PostgreSQL:" in done.stdout
    assert 'account:1 = {"balance": 2100}' in done.stdout and "total before 4000.00, after 4000.00" in done.stdout
    assert redis.command("HGET", "app||key1", "data") == '"New Data"', "it was there"
    assert postgresql.sql("SELECT value FROM dapr_state WHERE key = 'app||key1'") == '"New Data"', "and there"


def test_a_mistake_is_explained():
    code, output = examples_run("nope")
    assert code == 2 and "invalid choice: 'nope'" in output


def test_the_readme_lists_every_example():
    listed = re.findall(r"^\| \[(\w+)\]\((\w+)\) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(name for name, _ in listed) == RUNNER.names() and all(name == folder for name, folder in listed)
    assert all((EXAMPLES / name / "README.md").exists() for name in RUNNER.names())
