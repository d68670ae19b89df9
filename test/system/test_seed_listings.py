"""The listings in seed_listings, each run as it stands on every store: what it printed, and what it left."""
import json
import os
import re
import subprocess

import holdfast
import pytest
import requests
from conftest import REPOSITORY, Sidecar, free_port, wait_until
from holdfast import seed
from test_examples import RUNNER

LISTINGS = REPOSITORY / "test/system/seed_listings"
# A store of each name that a listing has: the course's and the how-to's.
NAMES = ("statestore", "redis-store")
KINDS = {
    "memory": "{{type: state.in-memory, version: v1, metadata: [{{name: v1Query, value: 'true'}}]}}",
    "sqlite": "{{type: state.sqlite, version: v1, metadata: [{{name: connectionString, value: '{database}'}}, "
              "{{name: tableName, value: NAME}}, {{name: v1Query, value: 'true'}}]}}",
    "redis": "{{type: state.redis, version: v1, metadata: [{{name: redisHost, value: 'localhost:PORT'}}, "
             "{{name: keyPrefix, value: listings-NAME}}]}}",
}


class Place:
    """A sidecar with stores of one kind, and ways to run a listing on it and to look at what it did."""

    def __init__(self, directory, kind, port):
        components = ""
        for name in NAMES:
            spec = KINDS[kind].replace("PORT", str(port)).replace("NAME", name.replace("-", "_"))
            components += f"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{{{name: {name}}}}}\nspec: {spec}\n---\n"
        self.kind = kind
        self.sidecar = Sidecar(directory, components=components.removesuffix("---\n"))
        self.environment = {**{name: value for name, value in os.environ.items() if not name.startswith(("DAPR_", "HOLDFAST_"))},
                            "DAPR_HTTP_PORT": str(self.sidecar.http_port), "DAPR_GRPC_PORT": str(self.sidecar.grpc_port)}
        self.client = holdfast.Client(f"127.0.0.1:{self.sidecar.grpc_port}")
        self.course, self.howto = (self.client.store(name) for name in NAMES)

    def run(self, name, *arguments, code=0):
        done = subprocess.run([RUNNER.python(), LISTINGS / "drive.py", LISTINGS / f"{name}.py", *arguments], env=self.environment,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def v1(self, key, store="statestore"):
        """As Dapr's API over HTTP has it."""
        return requests.get(f"{self.sidecar.url}/v1.0/state/{store}/{key}")


@pytest.fixture(scope="module", params=KINDS)
def place(request, tmp_path_factory):
    port = request.getfixturevalue("redis").port if request.param == "redis" else None
    made = Place(tmp_path_factory.mktemp("listings"), request.param, port)
    with made.sidecar:
        yield made
        made.client.close()


@pytest.fixture(autouse=True)
def nothing_left(place):
    for store in (place.course, place.howto):
        store.delete_prefix(all=True)


def test_every_listing_is_here():
    listed = {path.stem for path in LISTINGS.glob("[0-9]*.py")}
    run = set(re.findall(r"\"(\d\d_\w+)", open(__file__).read()))
    assert len(listed) == 15 and listed == run


def test_only_imports_are_changed():
    """The names of Dapr's SDK stand nowhere, and everything of ours is an import."""
    for path in LISTINGS.glob("0*.py"):
        text = path.read_text()
        assert "dapr.clients" not in text
        assert all(line.strip().startswith("from holdfast.seed import ") for line in text.splitlines() if "holdfast" in line)


def test_save(place):
    assert place.run("01_save_state") == ""
    assert place.course.get("user:1:name").value == b"Alice" and place.v1("user:1:name").text == "Alice"
    assert place.v1("user:1").json() == {"name": "Alice", "email": "alice@example.com", "age": 30}


def test_get(place):
    assert place.run("02_get_state") == "State not found\n"
    place.run("01_save_state")
    assert place.run("02_get_state") == "Name: Alice\n"


def test_delete(place):
    place.run("01_save_state")
    assert place.run("03_delete_state") == ""
    assert place.course.get("user:1") is None and place.course.get("user:1:name") is not None


def test_bulk(place):
    assert place.run("04_bulk_operations").splitlines() == [
        'user:1: {"name": "Alice", "age": 30}', 'user:2: {"name": "Bob", "age": 25}', 'user:3: {"name": "Charlie", "age": 35}']
    assert list(place.course.scan()) == []


def test_etags(place):
    etag = place.course.put("account:1", {"balance": 100}).etag
    assert place.run("05_etags").splitlines() == [f"Current: {{'balance': 100}}, ETag: {etag[1:-1]}", "Update successful!"]
    assert place.course.get("account:1").json() == {"balance": 150}
    output = place.run("05_etags", "account:1")
    assert "Conflict! Someone else modified the state. Error: PRECONDITION_FAILED" in output and "successful" not in output
    assert place.course.get("account:1").json() == {"balance": 1}, "the other one's write stands"


def test_ttl(place):
    assert place.run("06_ttl") == "State saved with 1 hour TTL\n"
    record = place.course.get("session:abc123")
    assert 3500 < record.ttl.total_seconds() <= 3600 and record.json() == {"user_id": "1", "expires_at": "1h"}
    assert "Metadata.ttlexpiretime" in place.v1("session:abc123").headers


def test_metadata(place):
    assert place.run("07_state_metadata") == ""
    record = place.course.get("document:456")
    assert record.created_by == "serviceA" and record.indexes == {"user_id": "123"} and 3500 < record.ttl.total_seconds() <= 3600
    assert record.content_type == "application/json" and record.json() == "document content"
    assert place.v1("document:456").json() == "document content"


def test_consistency(place):
    assert place.run("08_consistency_levels") == ""
    assert place.course.get("critical:data").value == b"important_data"


def test_transaction(place):
    assert "ValueError: Insufficient funds" in place.run("09_transaction", code=1)
    place.course.put("account:123", {"balance": 250})
    assert place.run("09_transaction") == "Transferred 100 from 123 to 456\n"
    balances = [place.course.get(f"account:{name}").json() for name in ("123", "456")]
    assert balances == [{"balance": 150}, {"balance": 100}]
    assert "PreconditionFailed" in place.run("09_transaction", "account:456", code=1)
    assert place.course.get("account:123").json() == {"balance": 150}, "all or nothing"


@pytest.fixture
def cart(place):
    """The course's service on a port of its own."""
    port = free_port()
    log = place.sidecar.directory / "cart.log"
    with log.open("wb") as out:
        process = subprocess.Popen([RUNNER.python(), "-m", "uvicorn", "--app-dir", LISTINGS, "--port", str(port), "10_shopping_cart:app"],
                                   env=place.environment, stdout=out, stderr=out)
    base = f"http://127.0.0.1:{port}"

    def is_ready():
        assert process.poll() is None, log.read_text()
        return RUNNER.answers(base + "/openapi.json")()

    try:
        wait_until(is_ready, "the service to be ready", 30)
        yield base + "/cart/alice"
    finally:
        process.terminate()
        process.wait(20)


def test_cart(place, cart):
    pen = {"product_id": "p1", "name": "Pen", "price": 1.5, "quantity": 2}
    ink = {"product_id": "p2", "name": "Ink", "price": 7.25, "quantity": 1}
    assert requests.get(cart).json() == {"items": []}
    assert requests.post(cart + "/checkout").json() == {"detail": "Cart is empty"}
    assert requests.post(cart + "/add", json=pen).json() == {"message": "Item added", "cart": [pen]}
    requests.post(cart + "/add", json=ink)
    more = pen | {"quantity": 4}
    assert requests.post(cart + "/add", json=pen).json()["cart"] == [more, ink]
    assert requests.get(cart).json() == {"items": [more, ink]}
    assert 86_300 < place.course.get("cart:alice").ttl.total_seconds() <= 86_400

    placed = requests.post(cart + "/checkout").json()
    assert placed == {"message": "Order placed", "order_id": "order:alice", "total": 13.25}
    orders = list(place.course.scan("order:alice:", values=True))
    assert [order.json() for order in orders] == [{"user_id": "alice", "items": [more, ink], "total": 13.25, "status": "pending"}]
    assert place.course.get("cart:alice") is None
    requests.post(cart + "/add", json=pen)
    assert requests.delete(cart).json() == {"message": "Cart cleared"} and requests.get(cart).json() == {"items": []}


def test_howto_saves_gets_and_deletes(place):
    assert place.run("11_howto_save") == ""
    assert place.v1("k1", "redis-store").json() == "Some Data"
    etag = place.howto.put("key1", "x").etag
    assert place.run("12_howto_get") == etag[1:-1] + "\n"
    assert place.run("13_howto_delete") == ""
    assert place.howto.get("key1") is None and place.howto.get("k1") is not None


def test_howto_etag(place):
    place.howto.put("key1", "x")
    place.howto.put("k1", {"untouched": True})
    assert place.run("14_howto_etag") == ""
    assert place.howto.get("key1") is None
    assert place.howto.get("k1").json() == {"untouched": True}, "saved with the etag of another key: refused"


def test_howto_retry(place):
    place.howto.put("key1", "x")
    assert place.run("15_howto_retry") == ""
    assert place.v1("key1", "redis-store").json() == "New Data"


# What the listings leave out of holdfast.seed.


@pytest.fixture
def dapr(place):
    with seed.DaprClient(f"127.0.0.1:{place.sidecar.grpc_port}") as made:
        yield made


def test_seed_bulk(dapr):
    items = [seed.StateItem(f"k{number}", str(number), metadata={"ttlInSeconds": "60"}) for number in range(5)]
    dapr.save_bulk_state("statestore", [*items, seed.StateItem("k0", "again")])
    found = dapr.get_bulk_state("statestore", ["k4", "none", "k0", "k0"])
    assert [(item.key, item.text(), bool(item.etag), item.error) for item in found] == [
        ("k4", "4", True, ""), ("none", "", False, ""), ("k0", "again", True, ""), ("k0", "again", True, "")]
    assert len(found) == 4 and found[0] is found.items[0]
    with pytest.raises(holdfast.PreconditionFailed):
        dapr.save_bulk_state("statestore", [seed.StateItem("k0", "1", etag="other"), seed.StateItem("k1", "written")])
    assert dapr.get_state("statestore", "k1").data == b"written" and dapr.get_state("statestore", "k0").data == b"again"


def test_seed_modes(dapr):
    first = seed.StateOptions(concurrency=seed.Concurrency.FIRST_WRITE, consistency=seed.Consistency.CABOA)
    dapr.save_state("statestore", "k", "1", options=first)
    with pytest.raises(holdfast.PreconditionFailed):
        dapr.save_state("statestore", "k", "2", options=first)
    read = dapr.get_state("statestore", "k", state_metadata={"consistency": "strong"})
    dapr.save_state("statestore", "k", "2", etag=read.etag, options=first)
    for etag in (read.etag, "other"):
        with pytest.raises(holdfast.PreconditionFailed):
            dapr.delete_state("statestore", "k", etag=etag)
    dapr.delete_state("statestore", "k", etag=dapr.get_state("statestore", "k").etag)
    missing = dapr.get_state("statestore", "k")
    assert (missing.data, missing.etag, missing.text()) == (b"", "", "")


def test_seed_transactions(dapr):
    def operation(kind, key, value=b"", etag=None):
        return seed.TransactionOperationType(kind, seed.StateItem(key, value, etag))

    dapr.save_state("statestore", "gone", "x")
    dapr.execute_transaction("statestore", [operation("upsert", "a", "1"), operation("delete", "gone"), operation("upsert", "a", "2")])
    assert dapr.get_state("statestore", "a").data == b"2" and not dapr.get_state("statestore", "gone").data
    for wrong in ([operation("upsert", "a", "1", "e"), operation("delete", "a")], [operation("rename", "a")]):
        with pytest.raises(ValueError):
            dapr.execute_transaction("statestore", wrong)


def test_seed_query(place, dapr):
    for name, age in (("Alice", 30), ("Bob", 25), ("Eve", 35)):
        dapr.save_state("statestore", name, json.dumps({"age": age}), state_metadata={"contentType": "application/json"})
    query = json.dumps({"filter": {"EQ": {"age": 25}}, "page": {"limit": 10}})
    if place.kind == "redis":
        with pytest.raises(holdfast.HoldfastError):  # this Redis has no indexes
            dapr.query_state("statestore", query)
        return
    found = dapr.query_state("statestore", query)
    assert [(item.key, json.loads(item.json()), item.error) for item in found] == [("Bob", {"age": 25}, "")]
    assert found.results[0].etag and found.results[0].text() == '{"age": 25}'
