"""Look-up by index entry and queries of v2, over HTTP and gRPC, and Dapr's secondaryIndex, which fills the same index."""
import base64
import json
import subprocess

import grpc
import pytest
import requests

from conftest import BINARY, COMPONENTS, Sidecar
from test_grpc import Reflected
from test_v2_http import at, is_problem
from test_v2_many import post

V2 = "holdfast.v2.State"
DAPR = "dapr.proto.runtime.v1.Dapr"


@pytest.fixture
def reflected(sidecar):
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
        yield Reflected(channel)


def put(sidecar, store, key, value, **parameters):
    answer = requests.put(at(sidecar, store, key), params=parameters, json=value)
    assert answer.status_code in (200, 201), answer.text


def found(sidecar, store, **parameters):
    """The keys of all pages of a listing, sorted."""
    keys, cursor = [], None
    while True:
        answer = requests.get(at(sidecar, store), params={**parameters, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        keys += [item["key"] for item in answer.json()["items"]]
        cursor = answer.json()["cursor"]
        if cursor is None:
            return sorted(keys)


def queried(sidecar, store, query):
    """The items of all pages of a query, in their order."""
    items, token = [], None
    while True:
        page = {**query.get("page", {}), **({"token": token} if token else {})}
        answer = post(sidecar, store, "query", {**query, "page": page})
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        token = answer.json()["token"]
        if token is None:
            return items


def put_orders(sidecar, store, key):
    for i in range(6):
        put(sidecar, store, f"{key}/{i}", {"n": i, "who": {"name": "ab"[i % 2], "age": 30 + i}},
            **{"index.user": f"{key}-{i % 2}", "index.all": key, "tag.color": "red" if i < 3 else "blue"})
    put(sidecar, store, f"{key}/none", {"n": 7})


def test_records_are_listed_by_their_index_entries(sidecar, store, key):
    put_orders(sidecar, store, key)
    even = [f"{key}/{i}" for i in (0, 2, 4)]
    assert found(sidecar, store, **{"index.user": f"{key}-0"}) == even
    assert found(sidecar, store, **{"index.user": f"{key}-0", "limit": 1}) == even
    assert found(sidecar, store, **{"index.user": f"{key}-0", "tag.color": "red"}) == even[:2]
    assert found(sidecar, store, **{"index.all": key, "index.user": f"{key}-1", "limit": 2}) == [f"{key}/{i}" for i in (1, 3, 5)]
    assert found(sidecar, store, **{"index.user": f"{key}-0", "prefix": f"{key}/4"}) == even[2:]
    assert found(sidecar, store, **{"index.user": f"{key}-0", "prefix": "elsewhere"}) == []
    assert found(sidecar, store, **{"index.user": f"{key}-"}) == []
    whole = requests.get(at(sidecar, store), params={"index.user": f"{key}-0", "values": "true", "limit": 1}).json()["items"][0]
    assert whole["value"]["who"]["name"] == "a" and whole["indexes"] == {"all": key, "user": f"{key}-0"}
    for refused in ({"index.user": "x", "like": "%"}, {"index.": "x"}, {f"index.{i}": "x" for i in range(17)}, {"index.n": "x" * 256}):
        is_problem(requests.get(at(sidecar, store), params=refused), 400, "invalid-argument")
    page = requests.get(at(sidecar, store), params={"index.user": f"{key}-0", "limit": 1}).json()
    is_problem(requests.get(at(sidecar, store), params={"index.user": f"{key}-1", "cursor": page["cursor"]}), 400, "invalid-argument")


def test_entries_are_of_the_last_write(sidecar, store, key):
    put(sidecar, store, key, 1, **{"index.n": key})
    assert found(sidecar, store, **{"index.n": key}) == [key]
    merged = requests.patch(at(sidecar, store, key), data="2", headers={"Content-Type": "application/merge-patch+json"})
    assert merged.status_code == 200 and found(sidecar, store, **{"index.n": key}) == [key], "a PATCH keeps them"
    put(sidecar, store, key, 1, **{"index.n": f"{key}-2"})
    assert found(sidecar, store, **{"index.n": key}) == []
    assert found(sidecar, store, **{"index.n": f"{key}-2"}) == [key]
    assert requests.delete(at(sidecar, store, key)).status_code == 204
    assert found(sidecar, store, **{"index.n": f"{key}-2"}) == []


def test_a_write_has_sixteen_entries_of_256_bytes_at_most(sidecar, store, key):
    url = at(sidecar, store, key)
    put(sidecar, store, key, 1, **{f"index.{i}": "x" for i in range(15)}, **{"index.n": "x" * 255})
    for parameters in ({f"index.{i}": "x" for i in range(17)}, {"index.n": "x" * 256}, {"index.": "x"}):
        is_problem(requests.put(url, params=parameters, data=b"2"), 400, "invalid-argument")
    items = [{"op": "put", "key": key, "value": 2, "indexes": {str(i): "x" for i in range(17)}}]
    assert post(sidecar, store, "batchWrite", {"items": items}).json()["items"][0]["status"] == 400
    is_problem(post(sidecar, store, "transact", {"operations": items}), 400, "invalid-argument")
    assert requests.get(url).json() == 1


def test_daprs_metadata_fills_the_same_index(sidecar, reflected, store, key):
    url = f"{sidecar.url}/v1.0/state/{store}"
    entry = {"secondaryIndex": f"user_id:{key}, city:Berlin"}
    assert requests.post(url, json=[{"key": f"{key}-http", "value": 1, "metadata": entry}]).status_code == 204
    operations = [{"operation": "upsert", "request": {"key": f"{key}-txn", "value": 1, "metadata": entry}}]
    assert requests.post(f"{url}/transaction", json={"operations": operations}).status_code == 204
    bulk = [{"key": f"{key}-bulk{i}", "value": 1, "metadata": entry} for i in range(2)]
    assert requests.post(url, json=bulk).status_code == 204
    reflected.call(DAPR, "SaveState", {"storeName": store, "states": [{"key": f"{key}-grpc", "value": "MQ==", "metadata": entry}]})
    names = sorted(f"{key}-{name}" for name in ("http", "txn", "bulk0", "bulk1", "grpc"))
    assert found(sidecar, store, **{"index.user_id": key}) == names
    assert found(sidecar, store, **{"index.user_id": key, "index.city": "Berlin"}) == names
    assert requests.post(url, json=[{"key": f"{key}-http", "value": 2}]).status_code == 204
    assert f"{key}-http" not in found(sidecar, store, **{"index.user_id": key})

    many = ",".join(f"n{i}:x" for i in range(17))
    for wrong in ("user_id", "a:1,b", ":1", "a:1,a:2", many, "n:" + "x" * 256):
        item = {"key": f"{key}-new", "value": 1, "metadata": {"secondaryIndex": wrong}}
        for answer in (requests.post(url, json=[item]), requests.post(url, json=[{"key": f"{key}-other", "value": 1}, item]),
                       requests.post(f"{url}/transaction", json={"operations": [{"operation": "upsert", "request": item}]})):
            assert (answer.status_code, answer.json()["errorCode"]) == (400, "ERR_MALFORMED_REQUEST"), wrong
            assert "secondaryIndex" in answer.json()["message"]
        with pytest.raises(grpc.RpcError) as refused:
            reflected.call(DAPR, "SaveState", {"storeName": store, "states": [{"key": f"{key}-new", "metadata": {"secondaryIndex": wrong}}]})
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert requests.get(f"{url}/{key}-new").status_code == 204
    assert requests.get(f"{url}/{key}-other").status_code == 204


def test_queries_select_sort_and_page(sidecar, store, key):
    put_orders(sidecar, store, key)
    # Redis without search modules answers by the index; the others could without.
    base = {"indexes": {"all": key}, "prefix": f"{key}/"}
    query = {**base, "filter": {"AND": [{"EQ": {"who.name": "a"}}, {"GTE": {"n": 1}}]}, "sort": [{"key": "n", "order": "DESC"}]}
    assert [item["value"]["n"] for item in queried(sidecar, store, query)] == [4, 2]
    assert [item["value"]["n"] for item in queried(sidecar, store, {**query, "page": {"limit": 1}})] == [4, 2]
    assert len(queried(sidecar, store, {**base, "page": {"limit": 4}})) == 6
    red = queried(sidecar, store, {**base, "tags": {"color": "red"}, "sort": [{"key": "n"}], "page": {"limit": 2}})
    assert [item["key"] for item in red] == [f"{key}/{i}" for i in range(3)]
    record = red[0]
    assert record["createdBy"] == "test" and record["tags"] == {"color": "red"} and record["etag"]
    parts = queried(sidecar, store, {**base, "filter": {"EQ": {"n": 3}}, "fields": ["who.age", "n", "nothing"]})
    assert [item["value"] for item in parts] == [{"n": 3, "who": {"age": 33}}]
    assert queried(sidecar, store, {**base, "indexes": {"all": key, "user": f"{key}-1"}, "filter": {"LT": {"n": 3}}})[0]["key"] == f"{key}/1"
    assert queried(sidecar, store, {**base, "indexes": {"all": "nobody"}}) == []


def test_a_store_that_can_neither_query_nor_may_scan_refuses_with_the_reason(sidecar, store, key):
    put_orders(sidecar, store, key)
    query = {"prefix": f"{key}/", "filter": {"GTE": {"n": 5}}, "sort": [{"key": "n"}]}
    answer = post(sidecar, store, "query", query)
    if store == "red":
        detail = is_problem(answer, 501, "unsupported")["detail"]
        assert "queryIndexes" in detail or "no queries" in detail
        assert "indexes" in detail and "scan" in detail
    else:
        assert [item["value"]["n"] for item in answer.json()["items"]] == [5, 7]
    scanned = queried(sidecar, store, {**query, "scan": True, "page": {"limit": 1}})
    assert [item["value"]["n"] for item in scanned] == [5, 7]


@pytest.mark.parametrize("body, word", [
    ("", "query"), ("[]", "object"), ('{"Filter":{}}', "unknown"), ('{"filter":{"XX":{"a":1}}}', "unsupported filter"),
    ('{"page":{"limit":1001}}', "1001"), ('{"page":{"token":"x"}}', "cursor"), ('{"fields":["a..b"]}', "path"),
    ('{"indexes":{"":"x"}}', "name"), ('{"scan":1}', "scan"),
])
def test_what_is_no_query_is_refused(sidecar, body, word):
    assert word in is_problem(post(sidecar, "mem", "query", body), 400, "invalid-argument")["detail"]


def test_over_grpc(sidecar, reflected, store, key):
    put_orders(sidecar, store, key)
    listed = reflected.call(V2, "List", {"store": store, "indexes": {"user": f"{key}-0", "all": key}, "limit": 2})
    assert sorted(item["key"] for item in listed["items"]) == [f"{key}/0", f"{key}/2"] and listed["cursor"]
    rest = reflected.call(V2, "List", {"store": store, "indexes": {"all": key, "user": f"{key}-0"}, "limit": 2, "cursor": listed["cursor"]})
    assert [item["key"] for item in rest["items"]] == [f"{key}/4"]
    query = {"store": store, "query": '{"filter":{"GTE":{"n":2}},"sort":[{"key":"n","order":"DESC"}]}', "limit": 3,
             "indexes": {"all": key}, "tags": {"color": "blue"}, "fields": ["n"]}
    page = reflected.call(V2, "Query", query)
    assert [json.loads(base64.b64decode(item["value"])) for item in page["items"]] == [{"n": 5}, {"n": 4}, {"n": 3}]
    assert page["items"][0]["createdBy"] == "test" and "token" not in page
    first = reflected.call(V2, "Query", {**query, "limit": 2})
    second = reflected.call(V2, "Query", {**query, "limit": 2, "token": first["token"]})
    assert [item["key"] for item in first["items"] + second["items"]] == [f"{key}/{i}" for i in (5, 4, 3)]
    for wrong in ({"query": "{"}, {"query": '{"page":{}}'}, {"limit": 1001}, {"fields": [""]}, {"token": "x"}):
        with pytest.raises(grpc.RpcError) as refused:
            reflected.call(V2, "Query", {**query, **wrong})
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT, wrong


def test_the_command_line_lists_by_an_entry(sidecar, store, key):
    put_orders(sidecar, store, key)
    ran = subprocess.run([BINARY, "state", "ls", store, "--index", f"user={key}-1", "--index", f"all={key}", "--address", sidecar.url],
                         capture_output=True, text=True)
    assert (ran.returncode, sorted(ran.stdout.split())) == (0, [f"{key}/{i}" for i in (1, 3, 5)])


def test_an_index_outlives_the_process(tmp_path):
    with Sidecar(tmp_path, components=COMPONENTS) as sidecar:
        put(sidecar, "lite", "a", 1, **{"index.n": "1"})
        sidecar.kill()
        sidecar.start()
        assert found(sidecar, "lite", **{"index.n": "1"}) == ["a"]
        assert sidecar.stop() == 0, sidecar.log()
