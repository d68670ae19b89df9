"""Isolation keys and limited tokens, through every API: what belongs to one key or token cannot be had with another."""
import base64
import hashlib
import http.client
import json
import re
import stat
import subprocess

import grpc
import pytest
import requests
import yaml

from conftest import BINARY, REDIS, Sidecar, redis_or_none, wait_until
from test_grpc import Reflected

RECORD = "application/vnd.holdfast.record+json"
KINDS = {"mem": "state.in-memory", "lite": "state.sqlite"}
MODES = ("off", "optional", "required")


def component(name, kind, metadata):
    document = {"apiVersion": "dapr.io/v1alpha1", "kind": "Component", "metadata": {"name": name},
                "spec": {"type": kind, "version": "v1",
                         "metadata": [{"name": field, "value": value} for field, value in metadata.items()]}}
    return "---\n" + yaml.safe_dump(document)


def components(directory, redis=None):
    text = ""
    for mode in MODES:
        text += component(f"mem-{mode}", "state.in-memory", {"isolation": mode, "v1Query": "true"})
        text += component(f"lite-{mode}", "state.sqlite",
                          {"isolation": mode, "v1Query": "true", "connectionString": f"{directory}/{mode}.db"})
        if redis:
            text += component(f"red-{mode}", "state.redis", {"isolation": mode, "redisHost": f"localhost:{redis.port}",
                                                             "keyPrefix": f"isolated-{mode}"})
    return text.replace("{", "{{").replace("}", "}}")


@pytest.fixture(scope="module")
def isolated(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("isolated")
    with Sidecar(directory, components=components(directory, redis_or_none(request))) as running:
        yield running
        assert running.stop() == 0, running.log()


@pytest.fixture(params=["mem", "lite", "red"])
def kind(request):
    if request.param == "red":
        request.getfixturevalue("redis")  # skips, and says why, where there is no server
    return request.param


class AddMetadata(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
    def __init__(self, metadata):
        self.metadata = metadata

    def with_metadata(self, details):
        return details._replace(metadata=[*(details.metadata or []), *self.metadata])

    def intercept_unary_unary(self, proceed, details, request):
        return proceed(self.with_metadata(details), request)

    def intercept_stream_stream(self, proceed, details, requests):
        return proceed(self.with_metadata(details), requests)


class Refused(Exception):
    """What an API answered instead of doing it: "malformed", "denied", or its own words."""


HTTP_WORDS = {400: "malformed", 403: "denied"}
GRPC_WORDS = {grpc.StatusCode.INVALID_ARGUMENT: "malformed", grpc.StatusCode.PERMISSION_DENIED: "denied"}


class Http:
    def __init__(self, sidecar, headers):
        self.url = sidecar.url
        self.headers = headers

    def ask(self, method, path, **more):
        answer = requests.request(method, self.url + path, headers={**self.headers, **more.pop("headers", {})}, timeout=30, **more)
        if answer.status_code < 300:
            return answer
        if answer.status_code == 404 and path.startswith("/v2/"):
            return None
        self.check_refusal(answer)
        raise Refused(HTTP_WORDS.get(answer.status_code, answer.text))

    def close(self):
        pass


class V1Http(Http):
    """Dapr's API."""

    def check_refusal(self, answer):
        code = answer.json()["errorCode"]
        assert (answer.status_code != 403) == (code != "ERR_PERMISSION_DENIED"), answer.text
        assert answer.status_code != 400 or code == "ERR_MALFORMED_REQUEST", answer.text

    def put(self, store, key, value):
        self.ask("POST", f"/v1.0/state/{store}", json=[{"key": key, "value": value}])

    def get(self, store, key):
        answer = self.ask("GET", f"/v1.0/state/{store}/{requests.utils.quote(key, safe='')}")
        return None if answer.status_code == 204 else answer.json()

    def delete(self, store, key):
        self.ask("DELETE", f"/v1.0/state/{store}/{requests.utils.quote(key, safe='')}")

    def bulk(self, store, keys):
        items = self.ask("POST", f"/v1.0/state/{store}/bulk", json={"keys": keys}).json()
        return {item["key"]: item["data"] for item in items if "data" in item}

    def transact(self, store, *keys):
        operations = [{"operation": "upsert", "request": {"key": key, "value": "transacted"}} for key in keys]
        operations.append({"operation": "delete", "request": {"key": keys[0] + "-none"}})
        self.ask("POST", f"/v1.0/state/{store}/transaction", json={"operations": operations})

    def query(self, store):
        answer = self.ask("POST", f"/v1.0-alpha1/state/{store}/query", json={})
        return set() if answer.status_code == 204 else {item["key"] for item in answer.json()["results"]}


class V2Http(Http):
    """Ours."""

    def check_refusal(self, answer):
        assert answer.headers["Content-Type"] == "application/problem+json", answer.text
        name = answer.json()["type"].removeprefix("urn:holdfast:problem:")
        assert {400: "invalid-argument", 403: "denied"}.get(answer.status_code, name) == name

    def path(self, store, key):
        return f"/v2/state/{store}/{requests.utils.quote(key, safe='')}"

    def put(self, store, key, value):
        self.ask("PUT", self.path(store, key), json=value)

    def get(self, store, key):
        answer = self.ask("GET", self.path(store, key))
        return answer and answer.json()

    def delete(self, store, key):
        self.ask("DELETE", self.path(store, key))

    def list(self, store, prefix="", **parameters):
        parameters = {**({"prefix": prefix} if prefix else {}), **parameters}
        page = self.ask("GET", f"/v2/state/{store}", params=parameters).json()
        return [item["key"] for item in page["items"]], page["cursor"]

    def results(self, items):
        """A word for each key; its value where it was read."""
        words = {200: "done", 201: "done", 204: "done", 404: "absent", **HTTP_WORDS}
        return {item["key"]: item["record"]["value"] if "record" in item else words[item["status"]] for item in items}

    def batch_get(self, store, keys):
        return self.results(self.ask("POST", f"/v2/state/{store}:batchGet", json={"keys": keys}).json()["items"])

    def batch_write(self, store, puts=(), deletions=()):
        items = [{"op": "put", "key": key, "value": "batch"} for key in puts] + [{"op": "delete", "key": key} for key in deletions]
        return self.results(self.ask("POST", f"/v2/state/{store}:batchWrite", json={"items": items}).json()["items"])

    def transact(self, store, *keys):
        operations = [{"op": "put", "key": key, "value": "transacted"} for key in keys]
        operations.append({"op": "delete", "key": keys[0] + "-none"})
        self.ask("POST", f"/v2/state/{store}:transact", json={"operations": operations})

    def increment(self, store, key):
        headers = {"Content-Type": "application/vnd.holdfast.increment+json"}
        return self.ask("PATCH", self.path(store, key), data="{}", headers=headers).json()

    def delete_prefix(self, store, prefix="", **more):
        parameters = {"prefix": prefix} if prefix else {"all": "true"}
        return self.ask("DELETE", f"/v2/state/{store}", params={**parameters, **more}).json()["deleted"]


class Grpc:
    def __init__(self, sidecar, headers):
        self.plain = grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}")
        metadata = [(name.lower(), value) for name, value in headers.items()]
        self.reflected = Reflected(grpc.intercept_channel(self.plain, AddMetadata(metadata)))

    def close(self):
        self.plain.close()

    def ask(self, method, request):
        try:
            return self.reflected.call(self.service, method, request)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return None
            raise Refused(GRPC_WORDS.get(error.code(), error.details())) from None


def encoded(value):
    return base64.b64encode(json.dumps(value).encode()).decode()


def decoded(answer, field):
    return json.loads(base64.b64decode(answer[field])) if answer and field in answer else None


class V1Grpc(Grpc):
    service = "dapr.proto.runtime.v1.Dapr"

    def put(self, store, key, value):
        item = {"key": key, "value": encoded(value), "metadata": {"contentType": "application/json"}}
        self.ask("SaveState", {"storeName": store, "states": [item]})

    def get(self, store, key):
        return decoded(self.ask("GetState", {"storeName": store, "key": key}), "data")

    def delete(self, store, key):
        self.ask("DeleteState", {"storeName": store, "key": key})

    def bulk(self, store, keys):
        items = self.ask("GetBulkState", {"storeName": store, "keys": keys}).get("items", [])
        return {item["key"]: decoded(item, "data") for item in items if "data" in item}

    def transact(self, store, *keys):
        operations = [{"operationType": "upsert", "request": {"key": key, "value": encoded("transacted"),
                                                              "metadata": {"contentType": "application/json"}}} for key in keys]
        operations.append({"operationType": "delete", "request": {"key": keys[0] + "-none"}})
        self.ask("ExecuteStateTransaction", {"storeName": store, "operations": operations})

    def query(self, store):
        return {item["key"] for item in self.ask("QueryStateAlpha1", {"storeName": store, "query": "{}"}).get("results", [])}


class V2Grpc(Grpc):
    service = "holdfast.v2.State"

    def put(self, store, key, value):
        self.ask("Put", {"store": store, "key": key, "value": encoded(value), "contentType": "application/json"})

    def get(self, store, key):
        return decoded(self.ask("Get", {"store": store, "key": key}), "value")

    def delete(self, store, key):
        self.ask("Delete", {"store": store, "key": key})

    def list(self, store, prefix="", cursor="", limit=0, like=""):
        pattern = {"like": like} if like else {}
        page = self.ask("List", {"store": store, "prefix": prefix, "cursor": cursor, "limit": limit, **pattern})
        return [item["key"] for item in page.get("items", [])], page.get("cursor")

    def results(self, items):
        words = {3: "malformed", 5: "absent", 7: "denied"}
        return {item["key"]: words[item["failure"]["code"]] if "failure" in item else
                decoded(item["record"], "value") if "record" in item else "done" for item in items}

    def batch_get(self, store, keys):
        return self.results(self.ask("BatchGet", {"store": store, "keys": keys})["items"])

    def batch_write(self, store, puts=(), deletions=()):
        items = [self.operation(key, "batch") for key in puts] + [{"key": key, "delete": {}} for key in deletions]
        return self.results(self.ask("BatchWrite", {"store": store, "items": items})["items"])

    def operation(self, key, value):
        return {"key": key, "put": {"value": encoded(value), "contentType": "application/json"}}

    def transact(self, store, *keys):
        operations = [self.operation(key, "transacted") for key in keys] + [{"key": keys[0] + "-none", "delete": {}}]
        self.ask("Transact", {"store": store, "operations": operations})

    def increment(self, store, key):
        return decoded(self.ask("Patch", {"store": store, "key": key, "increment": {}}), "value")

    def delete_prefix(self, store, prefix="", **more):
        return int(self.ask("DeletePrefix", {"store": store, "prefix": prefix, "all": not prefix, **more}).get("deleted", 0))


APIS = {"v1-http": V1Http, "v2-http": V2Http, "v1-grpc": V1Grpc, "v2-grpc": V2Grpc}


@pytest.fixture
def calling():
    """Makes callers: an API, the isolation key that they name, the token that they carry."""
    made = []

    def make(api, sidecar, isolation=None, token=None):
        headers = {}
        if isolation is not None:
            headers["Holdfast-Isolation"] = isolation
        if token is not None:
            headers["dapr-api-token"] = token
        made.append(APIS[api](sidecar, headers))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(params=list(APIS))
def api(request):
    return request.param


def refusal(call, *arguments):
    with pytest.raises(Refused) as refused:
        call(*arguments)
    return str(refused.value)


# ---- the component's field ----

def test_a_mode_that_is_none_of_the_three_is_an_error(own_sidecar, tmp_path):
    sidecar = own_sidecar(start=False, components=component("s", "state.in-memory", {"isolation": "sometimes"}))
    sidecar.start(wait=False)
    assert sidecar.process.wait(20) == 1
    assert r'isolation \"sometimes\" is not one of off, optional, required' in sidecar.log()
    checked = subprocess.run([BINARY, "check", sidecar.resources], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 1 and "must be off, optional or required" in checked.stdout, checked.stdout
    schema = json.loads(subprocess.run([BINARY, "schema"], capture_output=True, timeout=30).stdout)
    assert "isolation" in json.dumps(schema)


def test_the_three_modes_pass_the_check(tmp_path):
    (tmp_path / "c.yaml").write_text("".join(component(mode, "state.in-memory", {"isolation": mode}) for mode in MODES))
    checked = subprocess.run([BINARY, "check", "--strict", tmp_path], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stdout


# ---- keys ----

def test_one_key_is_another_record_in_each_scope(isolated, calling, api, kind, key):
    store = f"{kind}-optional"
    scopes = {name: calling(api, isolated, name) for name in (None, "K", "L")}
    for name, caller in scopes.items():
        caller.put(store, key, f"of {name}")
    for other in APIS:
        for name in scopes:
            assert calling(other, isolated, name).get(store, key) == f"of {name}", (other, name)
    scopes["K"].delete(store, key)
    assert [caller.get(store, key) for caller in scopes.values()] == ["of None", None, "of L"]


def test_what_a_mode_does_not_allow_is_refused(isolated, calling, api, kind, key):
    for store, isolation in ((f"{kind}-off", "K"), (f"{kind}-off", ""), (f"{kind}-required", None), (f"{kind}-required", ""),
                             (f"{kind}-optional", ""), (f"{kind}-optional", "a/b"), (f"{kind}-optional", "a::state::b"),
                             (f"{kind}-optional", "k" * 129), (f"{kind}-optional", "a,b"), (f"{kind}-optional", "a b")):
        caller = calling(api, isolated, isolation)
        for call in (lambda: caller.put(store, key, 1), lambda: caller.get(store, key), lambda: caller.delete(store, key)):
            assert refusal(call) == "malformed", (store, isolation)
        if hasattr(caller, "query") and kind != "red":
            assert refusal(caller.query, store) == "malformed"
        assert refusal(caller.transact, store, key) == "malformed"
        if hasattr(caller, "bulk"):
            assert refusal(caller.bulk, store, [key]) == "malformed"
        if hasattr(caller, "list"):
            assert refusal(caller.list, store) == "malformed"
            assert refusal(lambda: caller.list(store, like="%")) == "malformed"
            assert refusal(caller.increment, store, key) == "malformed"
            assert refusal(caller.batch_get, store, [key]) == "malformed"
            assert refusal(caller.batch_write, store, [key]) == "malformed"
            assert refusal(caller.delete_prefix, store, key) == "malformed"
            assert refusal(caller.delete_prefix, store) == "malformed"


def test_two_keys_in_one_request_are_none(isolated, key):
    for path in (f"/v1.0/state/mem-optional/{key}", f"/v2/state/mem-optional/{key}"):
        connection = http.client.HTTPConnection("127.0.0.1", isolated.http_port, timeout=30)
        connection.putrequest("GET", path)
        for value in ("K", "L"):
            connection.putheader("Holdfast-Isolation", value)
        connection.endheaders()
        assert connection.getresponse().status == 400
        connection.close()


TRICKS = ["isolation::L::state::{}", "isolation::L::state::", "isolation::", "isolation::K::state::../../L/state/{}",
          "../L::state::{}", "%69solation::L::state::{}", "isolation%3A%3AL::state::{}", "L::state::{}", "::state::{}"]


def test_no_key_reaches_a_record_of_another_scope(isolated, calling, api, kind, key):
    store = f"{kind}-optional"
    victim = calling(api, isolated, "L")
    victim.put(store, key, "secret")
    for isolation in (None, "K"):
        caller = calling(api, isolated, isolation)
        for trick in (trick.format(key) for trick in TRICKS):
            try:
                assert caller.get(store, trick) is None, trick
                caller.put(store, trick, "overwritten")
                caller.delete(store, trick)
            except Refused as refused:
                assert str(refused) == "malformed" and trick.startswith("isolation::"), trick
        assert refusal(caller.put, store, "a||isolation::L::state::" + key, "x") == "malformed"
        assert refusal(caller.transact, store, key + "-own", "isolation::L::state::" + key) == "malformed"
        assert caller.get(store, key + "-own") is None, "nothing of the transaction was done"
        if hasattr(caller, "bulk"):
            assert refusal(caller.bulk, store, [key, "isolation::L::state::" + key]) == "malformed"
            assert caller.bulk(store, [key]) == {}
    assert victim.get(store, key) == "secret"


@pytest.mark.parametrize("escaped", ["isolation::L::state::k", "isolation%3a%3aL%3A%3Astate%3A%3Ak",
                                     "%69%73%6f%6c%61%74%69%6f%6e::L::state::k"])
def test_escapes_in_a_path_are_seen_through(isolated, escaped):
    for path in ("/v1.0/state/mem-optional/", "/v2/state/mem-optional/"):
        for headers in ({}, {"Holdfast-Isolation": "K"}):
            connection = http.client.HTTPConnection("127.0.0.1", isolated.http_port, timeout=30)
            connection.request("GET", path + escaped, headers=headers)
            assert connection.getresponse().status == 400, (path, headers)
            connection.close()


def test_a_scope_lists_and_queries_its_own_records(isolated, calling, kind, key):
    store = f"{kind}-optional"
    for name in (None, "K", "L"):
        calling("v2-http", isolated, name).put(store, f"{key}/{name}", 1)
    for name in (None, "K", "L", "M"):
        own = [] if name == "M" else [f"{key}/{name}"]
        for listing in ("v2-http", "v2-grpc"):
            caller = calling(listing, isolated, name)
            assert caller.list(store, key)[0] == own
            assert not [k for k in caller.list(store, "", limit=1000)[0] if k.startswith("isolation") or "::" in k]
            assert [k for k in caller.list(store, "iso")[0] if "::" in k] == []
            assert refusal(caller.list, store, "isolation::") == "malformed"
        if kind == "red":
            continue  # without its search module Redis has no queries
        for querying in ("v1-http", "v1-grpc"):
            found = calling(querying, isolated, name).query(store)
            assert {k for k in found if key in k} == set(own)
            assert not [k for k in found if "::" in k]


def test_transactions_and_bulk_stay_in_their_scope(isolated, calling, kind, key):
    store = f"{kind}-required"
    for api in APIS:
        one, other = calling(api, isolated, "K"), calling(api, isolated, "L")
        one.transact(store, key + api, key + api + "2")
        assert one.get(store, key + api + "2") == "transacted" and other.get(store, key + api + "2") is None
        if hasattr(one, "bulk"):
            assert one.bulk(store, [key + api, key + api + "2"]) == {key + api: "transacted", key + api + "2": "transacted"}
            assert other.bulk(store, [key + api, key + api + "2"]) == {}


@pytest.mark.parametrize("api", ["v2-http", "v2-grpc"])
def test_calls_of_v2_about_many_stay_in_their_scope(isolated, calling, api, kind, key):
    store = f"{kind}-optional"
    callers = {name: calling(api, isolated, name) for name in (None, "K", "L")}
    trick = "isolation::L::state::" + key
    for caller in callers.values():
        assert caller.batch_write(store, [key, key + "2", trick], [key + "3"])[trick] == "malformed"
        assert caller.batch_get(store, [key, key + "3", trick]) == {key: "batch", key + "3": "absent", trick: "malformed"}
    callers["K"].batch_write(store, (), [key])
    assert [caller.batch_get(store, [key])[key] for caller in callers.values()] == ["batch", "absent", "batch"]
    assert [caller.increment(store, key + "n") for caller in (callers["K"], callers["L"], callers["K"])] == [1, 1, 2]
    assert refusal(callers[None].increment, store, trick) == "malformed"
    for name, caller in callers.items():
        caller.transact(store, key + "t", key + "u")
        assert sorted(caller.list(store, like=f"{key}_")[0]) == sorted(
            key + end for end in ("2", "t", "u", *(() if name is None else "n")))
        assert caller.list(store, like="%::state::%")[0] == [] and caller.list(store, like="isol%")[0] == []
        assert refusal(lambda: caller.list(store, like="isolation::%")) == "malformed"
        assert refusal(caller.delete_prefix, store, "isolation::") == "malformed"
        assert caller.delete_prefix(store, "isolation") == 0
    assert callers["L"].delete_prefix(store, key, limit=2) == 2
    assert callers["L"].delete_prefix(store) >= 2 and callers["L"].list(store)[0] == []
    assert callers["K"].get(store, key + "t") == callers[None].get(store, key + "t") == "transacted"
    assert callers[None].delete_prefix(store) >= 4
    assert callers["K"].get(store, key + "t") == "transacted"


def test_a_cursor_is_of_its_scope(isolated, calling, kind, key):
    store = f"{kind}-optional"
    for name in ("K", "L"):
        for i in range(3):
            calling("v2-http", isolated, name).put(store, f"{key}/{i}", 1)
    for api in ("v2-http", "v2-grpc"):
        first, cursor = calling(api, isolated, "K").list(store, key, limit=1)
        assert len(first) == 1 and cursor
        assert refusal(lambda: calling(api, isolated, "L").list(store, key, cursor=cursor)) == "malformed"
        assert refusal(lambda: calling(api, isolated).list(store, key, cursor=cursor)) == "malformed"
        rest, last = calling(api, isolated, "K").list(store, key, cursor=cursor, limit=10)
        assert sorted(first + rest) == [f"{key}/{i}" for i in range(3)] and not last


def grpc_records(caller, store, key):
    """The record as each call of holdfast.v2.State answers it, with the fields as the JSON record has them."""
    operation = caller.operation(key, 1)
    ask = {name: lambda method=name, **more: caller.ask(method, {"store": store, **more})
           for name in ("Put", "Get", "Patch", "List", "BatchGet", "BatchWrite", "Transact")}
    records = [
        ask["Put"](key=key, value=encoded(1), contentType="application/json", wantRecord=True)["record"],
        ask["Get"](key=key),
        ask["Patch"](key=key, increment={}, wantRecord=True)["record"],
        ask["List"](prefix=key, wantValues=True)["items"][0],
        ask["BatchGet"](keys=[key])["items"][0]["record"],
        ask["BatchWrite"](items=[operation], wantRecords=True)["items"][0]["record"],
        ask["Transact"](operations=[operation], wantRecords=True)["results"][0]["record"],
    ]
    assert [record["store"] for record in records] == [store] * 7
    return [{**record, "isolationMode": record.get("isolationMode", False), "isolationKey": record.get("isolationKey")}
            for record in records]


def test_records_name_their_isolation_key(isolated, calling, kind, key):
    url = f"{isolated.url}/v2/state/{kind}-optional/{key}"
    for headers, expected in (({}, (False, None)), ({"Holdfast-Isolation": "K"}, (True, "K"))):
        written = requests.put(url, data="1", headers={**headers, "Prefer": "return=representation"}).json()
        read = requests.get(url, headers={**headers, "Accept": RECORD}).json()
        listed = requests.get(f"{isolated.url}/v2/state/{kind}-optional", headers=headers,
                              params={"prefix": key, "values": "true"}).json()["items"][0]
        caller = calling("v2-grpc", isolated, headers.get("Holdfast-Isolation"))
        over_grpc = grpc_records(caller, f"{kind}-optional", key)
        for record in (written, read, listed, *over_grpc):
            record_id = f"isolation::K::state::{key}" if headers else key
            assert (record["isolationMode"], record["isolationKey"], record["key"]) == (*expected, key)
            assert record["id"] == record_id
        for record in (written, read, listed):
            assert record["id"] == record["partitionKey"] == record["stateReference"]["id"]


def test_one_save_answers_the_whole_record_of_the_advanced_state_options(isolated, kind):
    """As the page prints it, field for field."""
    tenant, author, name = "dd10b001-addd-45c2-94a6-932282b7515c", "d8e9cb3f-ffeb-4915-bb15-6681a3bcd175", "webshop::coupons::blackfriday"
    store = f"{kind}-optional"
    url = f"{isolated.url}/v2/state/{store}/{name}"
    record = requests.put(url, json={"code": "BLACKFRIDAY", "value": 10}, params={"createdBy": author, "modifiedBy": author},
                          headers={"Holdfast-Isolation": tenant, "Prefer": "return=representation"}).json()
    id = f"isolation::{tenant}::state::{name}"
    shown = {"id": id, "partitionKey": id, "created": record["created"], "createdBy": author, "modified": record["created"],
             "modifiedBy": author, "tags": {}, "stateStoreName": store, "isolationMode": True, "isolationKey": tenant, "ttl": -1,
             "etag": record["etag"], "value": {"code": "BLACKFRIDAY", "value": 10},
             "stateReference": {"stateStoreName": store, "id": id}}
    assert {field: record[field] for field in shown} == shown
    assert [field for field in record if field in shown] == list(shown), "in the order of the page"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00", record["created"])
    assert record["etag"].startswith('"') and record["etag"].endswith('"')
    requests.delete(url, headers={"Holdfast-Isolation": tenant})


@pytest.mark.parametrize("path, expected", [
    ("/v1.0/state/mem-optional/x/../isolation::L::state::k", 400), ("//v1.0/./state/mem-optional/isolation::L::state::k", 400),
    ("/v1.0/state/mem-optional/../isolation::L::state::k", 404), ("/v2/state/mem-optional/..", 404),
    ("/v2/state/mem-optional/../isolation::L::state::k", 404), ("/v2/state/mem-optional//isolation::L::state::k", 404),
    ("/v2/state/mem-optional/%2e%2e/L::state::k", 404)])
def test_dots_and_slashes_lead_nowhere(isolated, calling, path, expected):
    calling("v2-http", isolated, "L").put("mem-optional", "k", "secret")
    for headers in ({}, {"Holdfast-Isolation": "K"}):
        connection = http.client.HTTPConnection("127.0.0.1", isolated.http_port, timeout=30)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert answer.status == expected and b"secret" not in answer.read()
        connection.close()


# ---- tokens ----

def holdfast_token(*arguments):
    done = subprocess.run([BINARY, "token", *map(str, arguments)], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def create(file, *options):
    code, out, err = holdfast_token("create", "--file", file, *options)
    assert code == 0, err
    return out.strip()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A sidecar with tokens of every sort, by what they are for."""
    directory = tmp_path_factory.mktemp("guarded")
    file = directory / "tokens"
    tokens = {
        "all": create(file, "--name", "root"),
        "K": create(file, "--name", "tenant-k", "--isolation", "K"),
        "prefix": create(file, "--prefix", "mine/"),
        "read": create(file, "--allow", "get,list"),
        "write": create(file, "--allow", "write"),
        "store": create(file, "--stores", "lite-optional"),
        "admin": create(file, "--prefix", "mine/", "--allow", "get,admin"),
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with Sidecar(directory, components=components(directory), args=["--api-token-file", str(file)]) as running:
        running.tokens, running.file = tokens, file
        yield running
        assert running.stop() == 0, running.log()
        for token in tokens.values():
            assert token not in running.log() and token not in file.read_text()


def test_a_token_bound_to_a_key_reaches_no_other(guarded, calling, api, key):
    store = "mem-optional"
    root = {name: calling(api, guarded, name, guarded.tokens["all"]) for name in (None, "K", "L")}
    for name, caller in root.items():
        caller.put(store, key, f"of {name}")
    for named in (None, "K"):
        bound = calling(api, guarded, named, guarded.tokens["K"])
        assert bound.get(store, key) == "of K"
        bound.put(store, key, "by bound")
        assert root["K"].get(store, key) == "by bound"
        root["K"].put(store, key, "of K")
    for named, target in (("L", store), ("k", store), (None, "mem-off"), ("K", "mem-off")):
        bound = calling(api, guarded, named, guarded.tokens["K"])
        for call in (lambda: bound.get(target, key), lambda: bound.put(target, key, 1), lambda: bound.delete(target, key)):
            assert refusal(call) == "denied", (named, target)
        assert refusal(bound.transact, target, key) == "denied"
        if hasattr(bound, "query"):
            assert refusal(bound.query, target) == "denied"
            assert refusal(bound.bulk, target, [key]) == "denied"
        if hasattr(bound, "list"):
            assert refusal(bound.list, target) == "denied"
    assert root["L"].get(store, key) == "of L" and root[None].get(store, key) == "of None"
    bound = calling(api, guarded, None, guarded.tokens["K"])
    if hasattr(bound, "query"):
        assert key in bound.query(store) and not [k for k in bound.query(store) if "::" in k]
    if hasattr(bound, "list"):
        assert bound.list(store, key)[0] == [key]


def test_a_token_with_a_prefix_reaches_only_keys_under_it(guarded, calling, api, key):
    store = "mem-off"
    root, bound = calling(api, guarded, None, guarded.tokens["all"]), calling(api, guarded, None, guarded.tokens["prefix"])
    root.put(store, key, 1)
    bound.put(store, "mine/" + key, 2)
    assert bound.get(store, "mine/" + key) == 2
    for other in (key, "mine", "Mine/" + key, "min%65/" + key, "", "theirs/mine/" + key):
        if other or api != "v1-http":
            assert refusal(bound.get, store, other) in ("denied", "malformed"), other
    assert refusal(bound.put, store, key, 3) == "denied" and refusal(bound.delete, store, key) == "denied"
    if hasattr(bound, "query"):
        assert {k for k in bound.query(store) if key in k} == {"mine/" + key}
        assert refusal(bound.transact, store, "mine/" + key, key) == "denied"
        assert refusal(bound.bulk, store, ["mine/" + key, key]) == "denied"
        assert bound.bulk(store, ["mine/" + key]) == {"mine/" + key: 2}
    if hasattr(bound, "list"):
        assert [k for k in bound.list(store, limit=1000)[0] if not k.startswith("mine/")] == [], "an empty prefix is the token's"
        assert bound.list(store, "mine/" + key)[0] == ["mine/" + key]
        for prefix in ("m", "mine", key):
            assert refusal(bound.list, store, prefix) == "denied"
    assert root.get(store, key) == 1


def test_a_token_may_do_what_it_allows(guarded, calling, api, key):
    store = "mem-off"
    read, write = calling(api, guarded, None, guarded.tokens["read"]), calling(api, guarded, None, guarded.tokens["write"])
    write.put(store, key, 1)
    assert refusal(write.get, store, key) == "denied" and refusal(write.delete, store, key) == "denied"
    assert read.get(store, key) == 1
    assert refusal(read.put, store, key, 2) == "denied" and refusal(read.delete, store, key) == "denied"
    if hasattr(read, "query"):
        assert key in read.query(store) and refusal(write.query, store) == "denied"
        assert refusal(write.transact, store, key) == "denied", "it also deletes"
    if hasattr(read, "list"):
        assert read.list(store, key)[0] == [key] and refusal(write.list, store) == "denied"
    only = calling(api, guarded, None, guarded.tokens["store"])
    only.put("lite-optional", key, 1)
    assert refusal(only.get, store, key) == "denied"


@pytest.mark.parametrize("api", ["v2-http", "v2-grpc"])
def test_calls_of_v2_about_many_respect_the_token(guarded, calling, api, key):
    store = "mem-off"
    of = {name: calling(api, guarded, None, token) for name, token in guarded.tokens.items()}
    mine = "mine/" + key
    of["all"].put(store, key, 1)
    assert of["prefix"].batch_write(store, [mine, key], [key + "2"]) == {mine: "done", key: "denied", key + "2": "denied"}
    assert of["prefix"].batch_get(store, [mine, key]) == {mine: "batch", key: "denied"}
    assert refusal(of["prefix"].transact, store, mine, key) == "denied"
    assert of["prefix"].increment(store, mine + "n") == 1
    assert refusal(of["prefix"].increment, store, key) == "denied"
    for pattern in ("%", "mine%", "_ine/%"):
        assert refusal(lambda: of["prefix"].list(store, like=pattern)) == "denied", pattern
    assert sorted(of["prefix"].list(store, like=mine + "%")[0]) == [mine, mine + "n"]
    assert refusal(of["prefix"].delete_prefix, store, "mine") == "denied"
    assert refusal(of["prefix"].delete_prefix, store, key) == "denied"
    assert refusal(of["write"].increment, store, key) == "denied", "it would read"
    assert refusal(of["write"].batch_get, store, [key]) == refusal(of["read"].increment, store, key) == "denied"
    assert of["write"].batch_write(store, [key + "w"], [key]) == {key + "w": "done", key: "denied"}
    assert of["read"].batch_write(store, [key], [key]*0) == {key: "denied"}
    assert of["read"].list(store, like=key + "%")[0] == [key, key + "w"]
    for who in ("read", "write", "K", "store"):
        for call in (lambda: of[who].delete_prefix(store, key), lambda: of[who].delete_prefix(store, key, limit=5)):
            assert refusal(call) == "denied", who
    assert of["prefix"].delete_prefix(store) >= 2, "everything is all that the token reaches"
    assert of["all"].get(store, key) == 1 and of["all"].get(store, mine) is None
    for call in (of["K"].batch_get, of["K"].batch_write, of["store"].batch_get, of["store"].batch_write):
        assert refusal(call, store, [key]) == "denied"


def test_who_wrote_is_the_tokens_name(guarded, key):
    url = f"{guarded.url}/v2/state/lite-optional/{key}"
    for token, by in (("K", "tenant-k"), ("store", "test"), ("all", "root")):
        headers = {"dapr-api-token": guarded.tokens[token]}
        requests.put(url, data="1", params={"createdBy": "somebody else"}, headers=headers)
        assert requests.get(url, headers=headers).headers["Holdfast-Modified-By"] == by


def test_a_limited_token_does_not_administer(guarded, calling):
    def answers(token):
        headers = {"dapr-api-token": guarded.tokens[token]}
        return [requests.request(method, guarded.url + path, headers=headers).status_code for method, path in
                (("GET", "/v1.0/secrets/vault/k"), ("GET", "/v1.0/secrets/vault/bulk"), ("PUT", "/v1.0/metadata/k"),
                 ("GET", "//v1.0/secrets/./vault/k"), ("GET", "/v1.0/metadata"), ("GET", "/v2/stores"))]

    for token in ("K", "prefix", "read", "write", "store"):
        assert answers(token) == [403, 403, 403, 403, 200, 200], token
        headers = {"dapr-api-token": guarded.tokens[token]}
        shutdown = requests.post(guarded.url + "/v1.0/shutdown", headers=headers)
        assert (shutdown.status_code, shutdown.json()["errorCode"]) == (403, "ERR_PERMISSION_DENIED")
        dapr = calling("v1-grpc", guarded, None, guarded.tokens[token])
        for method in ("GetSecret", "GetBulkSecret", "SetMetadata", "Shutdown"):
            assert refusal(dapr.ask, method, {}) == "denied", method
        assert "id" in dapr.ask("GetMetadata", {})
    for token in ("all", "admin"):
        assert answers(token) == [500, 500, 204, 500, 200, 200], token
    assert guarded.process.poll() is None


def test_tokens_are_made_listed_and_taken_away_while_it_runs(guarded, key):
    url = f"{guarded.url}/v2/state/mem-off/{key}"

    def status(token):
        return requests.get(url, headers={"dapr-api-token": token}).status_code

    first = create(guarded.file, "--name", "short-lived", "--prefix", key, "--allow", "get")
    wait_until(lambda: status(first) == 404, "the new token to be accepted")
    assert requests.put(url, data="1", headers={"dapr-api-token": first}).status_code == 403
    code, out, _ = holdfast_token("list", "--file", guarded.file, "--json")
    listed = {entry["name"]: entry for entry in json.loads(out)}
    assert code == 0 and (listed["short-lived"]["prefix"], listed["short-lived"]["allow"]) == (key, ["get"])
    assert first not in out
    second = create(guarded.file, "--name", "short-lived", "--prefix", key, "--allow", "get")
    wait_until(lambda: status(second) == 404, "its successor to be accepted")
    code, _, err = holdfast_token("revoke", "short-lived", "--file", guarded.file)
    digest = listed["short-lived"]["digest"]
    assert code == 2 and digest[:12] in err, "two have the name"
    assert holdfast_token("revoke", digest[:12], "--file", guarded.file)[0] == 0
    wait_until(lambda: status(first) == 401, "the first to be refused")
    assert status(second) == 404
    assert holdfast_token("revoke", "short-lived", "--file", guarded.file)[0] == 0
    wait_until(lambda: status(second) == 401, "the second to be refused")
    assert stat.S_IMODE(guarded.file.stat().st_mode) == 0o600


def test_a_token_is_not_limited_in_one_place_and_free_in_another(own_sidecar, tmp_path):
    file = tmp_path / "tokens"
    token = create(file, "--prefix", "mine/")
    sidecar = own_sidecar(start=False, args=["--api-token-file", str(file)], env={"DAPR_API_TOKEN": token})
    sidecar.start(wait=False)
    assert sidecar.process.wait(20) == 1
    assert "limits the token of DAPR_API_TOKEN" in sidecar.log() and token not in sidecar.log()


def test_an_older_form_of_the_file_means_what_it_meant(own_sidecar, tmp_path):
    file = tmp_path / "tokens"
    digest = hashlib.sha256(b"old").hexdigest()
    file.write_text(f"plain;prefix=a\nsha256:{digest} ;prefix=a name=b\n")
    sidecar = own_sidecar(args=["--api-token-file", str(file)])
    for token in ("plain;prefix=a", "old"):
        answer = requests.put(f"{sidecar.url}/v2/state/mem/k", data="1", headers={"dapr-api-token": token})
        assert answer.status_code in (200, 201), "neither is limited"
