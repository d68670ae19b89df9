"""state.redis in a sidecar: the files of Dapr's course, what Dapr wrote, changes and failures that a user meets."""
import concurrent.futures
import json
import pathlib
import threading

import pytest
import requests
from conftest import Sidecar, free_port, wait_until
from servers import RedisServer
from test_check import deep, the_one

COURSE = pathlib.Path(__file__).parent / "components"
COMPONENT = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.redis
  version: v1
{spec}  metadata:
  - name: redisHost
    value: "127.0.0.1:{port}"
{fields}"""


def component(port, spec="", **fields):
    lines = "".join(f"  - name: {name}\n    value: {json.dumps(value)}\n" for name, value in fields.items())
    return COMPONENT.format(port=port, spec=spec, fields=lines)


def sidecar_on(own_sidecar, text, **settings):
    """A sidecar whose component is this text as it stands."""
    return own_sidecar(components=text.replace("{", "{{").replace("}", "}}"), **settings)


def at(sidecar, key="", api="v1.0"):
    return f"{sidecar.url}/{api}/state/statestore" + (f"/{key}" if key else "")


def save(sidecar, key, value, **item):
    answer = requests.post(at(sidecar), json=[{"key": key, "value": value, **item}])
    assert answer.status_code == 204, answer.text


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = RedisServer(tmp_path_factory.mktemp("redis"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    made = RedisServer(tmp_path_factory.mktemp("stack"), "redis-stack")
    yield made
    made.stop()


@pytest.mark.parametrize("file, stored", [("course-basics.yaml", "test||user:1"), ("course-redis.yaml", "user:1")])
def test_the_course_s_files_work_as_they_are(server, own_sidecar, file, stored):
    server.command("FLUSHALL")
    text = (COURSE / file).read_text()
    sidecar = sidecar_on(own_sidecar, text.replace("localhost:6379", f"localhost:{server.port}"))
    save(sidecar, "user:1", {"name": "Alice", "age": 30})
    assert requests.get(at(sidecar, "user:1")).json() == {"name": "Alice", "age": 30}
    # As Dapr keeps it, for Dapr to go on with.
    assert json.loads(server.command("HGET", stored, "data")) == {"name": "Alice", "age": 30}
    assert server.command("HGET", stored, "version") == requests.get(at(sidecar, "user:1")).headers["Etag"]
    assert requests.delete(at(sidecar, "user:1")).status_code == 204
    assert server.command("EXISTS", stored) == 0


def test_what_dapr_wrote_is_read_and_continued(server, own_sidecar):
    sidecar = sidecar_on(own_sidecar, component(server.port))
    server.command("HSET", "test||cart", "data", '{"items":3}', "version", "7", "first-write", "0")
    server.command("SET", "test||old", '"a string of Dapr before 1.0"')
    cart = requests.get(at(sidecar, "cart"))
    assert (cart.json(), cart.headers["Etag"]) == ({"items": 3}, "7")
    old = requests.get(at(sidecar, "old"))
    assert (old.json(), old.headers.get("Etag")) == ("a string of Dapr before 1.0", None)
    record = requests.get(at(sidecar, "cart", api="v2"), headers={"Accept": "application/vnd.holdfast.record+json"}).json()
    assert (record["value"], record["etag"], record["created"]) == ({"items": 3}, '"7"', None)
    stale = requests.post(at(sidecar), json=[{"key": "cart", "value": 1, "etag": "6"}])
    assert (stale.status_code, stale.json()["errorCode"]) == (409, "ERR_STATE_SAVE")
    save(sidecar, "cart", {"items": 4}, etag="7")
    assert int(server.command("HGET", "test||cart", "version")) > 7
    assert server.command("HGET", "test||cart", "first-write") is None, "Dapr's flag would make its own later saves fail"


def test_a_ttl_of_the_component_and_one_of_the_request(server, own_sidecar):
    sidecar = sidecar_on(own_sidecar, component(server.port, ttlInSeconds="100", keyPrefix="name"))
    save(sidecar, "default", 1)
    save(sidecar, "own", 1, metadata={"ttlInSeconds": "1000"})
    assert 90 < server.command("TTL", "statestore||default") <= 100
    assert 990 < server.command("TTL", "statestore||own") <= 1000
    assert "Metadata.ttlExpireTime" in requests.get(at(sidecar, "own")).headers


def test_requests_go_on_while_the_component_changes(server, own_sidecar):
    sidecar = sidecar_on(own_sidecar, component(server.port))
    file = sidecar.resources / "stores.yaml"
    failures, stop = [], threading.Event()

    def keep_asking(number):
        while not stop.is_set():
            answer = requests.post(at(sidecar), json=[{"key": f"k{number}", "value": 1}])
            if answer.status_code != 204:
                failures.append(answer.text)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for number in range(4):
            pool.submit(keep_asking, number)
        try:
            for database in ("1", "2"):
                server.command("FLUSHALL")
                file.write_text(component(server.port, redisDB=database))
                keys = f"db{database}:keys="
                wait_until(lambda: keys in server.command("INFO", "keyspace"), f"saves to reach database {database}")
        finally:
            stop.set()
    assert not failures


def test_a_redis_that_is_down_at_the_start_is_fatal_and_named(own_sidecar):
    port = free_port()
    sidecar = sidecar_on(own_sidecar, component(port, spec="  initTimeout: 1s\n"), start=False)
    sidecar.start(wait=False)
    assert sidecar.process.wait(20) == 1
    assert f"cannot connect to 127.0.0.1:{port}: connection refused" in sidecar.log()
    assert "[INIT_COMPONENT_FAILURE]" in sidecar.log()


def test_with_ignore_errors_it_is_connected_when_it_is_there(tmp_path, own_sidecar):
    server = RedisServer(tmp_path, start=False)
    text = component(server.port, spec="  ignoreErrors: true\n  initTimeout: 1s\n")
    sidecar = sidecar_on(own_sidecar, text)
    waiting = requests.get(at(sidecar, "k"))
    assert (waiting.status_code, waiting.json()["errorCode"]) == (500, "ERR_STATE_STORE_NOT_READY")
    assert str(server.port) in waiting.json()["message"]
    try:
        server.start()
        wait_until(lambda: requests.get(at(sidecar, "k")).status_code == 204, "the store to be there")
        save(sidecar, "k", 1)
        assert requests.get(sidecar.url + "/v2/health").json()["stores"]["statestore"] == {"status": "up"}
    finally:
        server.stop()


def test_a_redis_that_goes_and_comes_back_needs_no_restart(tmp_path, own_sidecar):
    server = RedisServer(tmp_path)
    try:
        sidecar = sidecar_on(own_sidecar, component(server.port, redisMinRetryInterval="10ms"))
        save(sidecar, "k", 1)
        server.stop()
        gone = requests.get(at(sidecar, "k"), timeout=10)
        assert gone.status_code == 500 and f"127.0.0.1:{server.port}" in gone.json()["message"]
        assert requests.get(sidecar.url + "/v2/health").status_code == 503
        server.start()
        wait_until(lambda: requests.get(at(sidecar, "k")).status_code == 204, "the store to answer again", 10)
        save(sidecar, "k", 2)
    finally:
        server.stop()


# ---- holdfast check --deep ----


def checked(tmp_path, text):
    (tmp_path / "statestore.yaml").write_text(text)
    code, findings = deep(tmp_path)
    return code, the_one(findings)


def test_deep_says_that_redis_works(server, tmp_path):
    code, finding = checked(tmp_path, component(server.port))
    assert (code, finding["severity"]) == (0, "note"), finding
    assert finding["message"] == "works (state.redis)"


def test_deep_says_that_redis_is_not_there(tmp_path):
    port = free_port()
    code, finding = checked(tmp_path, component(port, spec="  initTimeout: 1s\n"))
    assert (code, finding["severity"]) == (1, "error")
    assert f"127.0.0.1:{port}" in finding["message"]


def test_deep_says_that_the_password_is_wrong_and_does_not_show_it(tmp_path):
    server = RedisServer(tmp_path, arguments=["--requirepass", "right"])
    try:
        (tmp_path / "statestore.yaml").write_text(component(server.port, redisPassword="wr0ng-secret"))
        code, findings = deep(tmp_path)
        errors = [finding for finding in findings if finding["severity"] == "error"]
        assert code == 1 and "rejected the password" in the_one(errors)["message"]
        assert "wr0ng-secret" not in json.dumps(findings)
    finally:
        server.stop()


# ---- documents and queries ----

INDEXES = ('[{"name":"people","indexes":[{"key":"person.org","type":"TEXT"},{"key":"person.id","type":"NUMERIC"}]},'
           '{"name":"places","indexes":[{"key":"city","type":"TAG"}]}]')


@pytest.fixture
def searching(stack, own_sidecar):
    stack.command("FLUSHALL")
    return sidecar_on(own_sidecar, component(stack.port, keyPrefix="none", queryIndexes=INDEXES))


def query(sidecar, body, **metadata):
    return requests.post(at(sidecar, "query", api="v1.0-alpha1"), json=body,
                         params={f"metadata.{name}": value for name, value in metadata.items()})


def test_only_what_is_called_json_becomes_a_document(stack, searching):
    save(searching, "plain", {"city": "Bern"})
    save(searching, "document", {"city": "Bern"}, metadata={"contentType": "application/json"})
    requests.put(at(searching, "v2", api="v2"), json={"city": "Bern"})
    assert [stack.command("TYPE", key) for key in ("plain", "document", "v2")] == ["hash", "ReJSON-RL", "ReJSON-RL"]
    for key in ("plain", "document", "v2"):
        got = requests.get(at(searching, key, api="v2"))
        assert (got.json(), got.headers["Content-Type"]) == ({"city": "Bern"}, "application/json")
        assert requests.get(at(searching, key)).json() == {"city": "Bern"}


def test_the_query_route_is_open_where_dapr_opens_it(stack, server, searching, own_sidecar):
    def capabilities(sidecar):
        return requests.get(sidecar.url + "/v1.0/metadata").json()["components"][0]["capabilities"]

    assert capabilities(searching) == ["ETAG", "TRANSACTIONAL", "TTL", "KEYS_LIKE", "QUERY_API", "ACTOR"]
    for number, org in enumerate(["Dev Ops", "Dev Ops", "Hardware"]):
        save(searching, f"p{number}", {"person": {"org": org, "id": number + 0.5}}, metadata={"contentType": "application/json"})
    body = {"filter": {"AND": [{"EQ": {"person.org": "Dev Ops"}}, {"GTE": {"person.id": 0.5}}]},
            "sort": [{"key": "person.id", "order": "DESC"}], "page": {"limit": 1}}
    first = query(searching, body, queryIndexName="people")
    assert first.status_code == 200, first.text
    assert [(item["key"], item["data"]["person"]["id"]) for item in first.json()["results"]] == [("p1", 1.5)]
    assert first.json()["results"][0]["etag"] == requests.get(at(searching, "p1")).headers["Etag"]
    body["page"]["token"] = first.json()["token"]
    assert [item["key"] for item in query(searching, body).json()["results"]] == ["p0"], "and an index that fits is found"
    assert query(searching, {"filter": {"EQ": {"city": "Rome"}}}).status_code == 204
    for refused, why in ((query(searching, body, queryIndexName="places"), "does not cover the path"),
                         (query(searching, body, queryIndexName="none"), 'there is no search index "none"')):
        assert (refused.status_code, refused.json()["errorCode"]) == (500, "ERR_STATE_QUERY")
        assert why in refused.json()["message"]
    plain = sidecar_on(own_sidecar, component(server.port, queryIndexes=INDEXES))
    assert capabilities(plain) == ["ETAG", "TRANSACTIONAL", "TTL", "KEYS_LIKE", "ACTOR"]
    assert "no RedisJSON and search modules" in plain.log()
    closed = query(plain, {})
    assert (closed.status_code, closed.json()["errorCode"]) == (500, "ERR_STATE_STORE_NOT_SUPPORTED")


def test_deep_makes_and_changes_no_index(stack, tmp_path):
    stack.command("FLUSHALL")
    assert checked(tmp_path, component(stack.port, queryIndexes=INDEXES))[0] == 0
    assert stack.command("FT._LIST") == []


def test_an_index_that_changed_is_made_anew_and_finds_what_was_there(stack, searching):
    save(searching, "p", {"name": "Alice", "city": "Bern"}, metadata={"contentType": "application/json"})
    assert "does not cover" in query(searching, {"filter": {"EQ": {"name": "Alice"}}}).json()["message"]
    changed = '[{"name":"people","indexes":[{"key":"name","type":"TAG"}]}]'
    (searching.resources / "stores.yaml").write_text(component(stack.port, keyPrefix="none", queryIndexes=changed))
    wait_until(lambda: query(searching, {"filter": {"EQ": {"name": "Alice"}}}).status_code == 200, "the index to be made anew")


def test_an_index_of_another_definition_is_not_asked(stack, searching, own_sidecar):
    """Two processes want different indexes of one name: the one that came first says so, instead of comparing other paths."""
    save(searching, "p", {"person": {"id": 1}, "other": "x"}, metadata={"contentType": "application/json"})
    body = {"filter": {"EQ": {"person.id": 1}}}
    assert query(searching, body).status_code == 200
    other = '[{"name":"people","indexes":[{"key":"other","type":"TAG"},{"key":"age","type":"NUMERIC"}]}]'
    second = sidecar_on(own_sidecar, component(stack.port, keyPrefix="none", queryIndexes=other))
    assert query(second, {"filter": {"EQ": {"other": "x"}}}).status_code == 200
    refused = query(searching, body)
    assert refused.status_code == 500 and "made anew with another definition" in refused.json()["message"]
    stack.command("FT.DROPINDEX", "people")
    assert query(searching, body).status_code == 200, "what has gone is made again"
