"""Our own HTTP API."""
import base64
import concurrent.futures

import pytest
import requests

RECORD = "application/vnd.holdfast.record+json"


def at(sidecar, store, key=""):
    return f"{sidecar.url}/v2/state/{store}" + (f"/{key}" if key else "")


def is_problem(answer, status, name):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:holdfast:problem:" + name
    assert problem["status"] == status and problem["title"] and problem["detail"]
    return problem


def test_put_get_head_delete(sidecar, store, key):
    created = requests.put(at(sidecar, store, key), data=b"\x00\xffbytes", headers={"Content-Type": "image/x-test"})
    assert (created.status_code, created.content) == (201, b"")
    etag = created.headers["ETag"]
    assert etag.startswith('"') and etag.endswith('"')
    got = requests.get(at(sidecar, store, key))
    assert (got.status_code, got.content, got.headers["Content-Type"]) == (200, b"\x00\xffbytes", "image/x-test")
    assert got.headers["ETag"] == etag
    assert got.headers["Last-Modified"].endswith("GMT")
    assert got.headers["Holdfast-Created-By"] == "test"
    assert got.headers["Holdfast-Consistency"] == ("session" if store == "red" else "strong")
    head = requests.head(at(sidecar, store, key))
    assert (head.status_code, head.headers["ETag"], head.headers["Content-Length"]) == (200, etag, "7")
    assert requests.put(at(sidecar, store, key), data=b"2").status_code == 200
    assert requests.delete(at(sidecar, store, key)).status_code == 204
    is_problem(requests.delete(at(sidecar, store, key)), 404, "not-found")
    is_problem(requests.get(at(sidecar, store, key)), 404, "not-found")
    assert requests.head(at(sidecar, store, key)).status_code == 404


def test_conditional_writes(sidecar, store, key):
    url = at(sidecar, store, key)
    is_problem(requests.put(url, data="1", headers={"If-Match": '"7"'}), 412, "precondition-failed")
    is_problem(requests.put(url, data="1", headers={"If-Match": "*"}), 412, "precondition-failed")
    first = requests.put(url, data="1", headers={"If-None-Match": "*"}).headers["ETag"]
    taken = is_problem(requests.put(url, data="2", headers={"If-None-Match": "*"}), 412, "precondition-failed")
    assert taken["etag"] == first, "the failure tells the current etag"
    assert "test||" not in taken["detail"], "keys are told as the caller knows them"
    second = requests.put(url, data="2", headers={"If-Match": f'"other", {first}'})
    assert second.status_code == 200
    is_problem(requests.put(url, data="3", headers={"If-Match": first}), 412, "precondition-failed")
    is_problem(requests.delete(url, headers={"If-Match": first}), 412, "precondition-failed")
    assert requests.get(url).content == b"2"
    assert requests.delete(url, headers={"If-Match": second.headers["ETag"]}).status_code == 204


def test_conditional_reads(sidecar, store, key):
    etag = requests.put(at(sidecar, store, key), data="1").headers["ETag"]
    same = requests.get(at(sidecar, store, key), headers={"If-None-Match": etag})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", etag)
    assert requests.get(at(sidecar, store, key), headers={"If-None-Match": '"x"'}).status_code == 200
    is_problem(requests.get(at(sidecar, store, key), headers={"If-Match": '"x"'}), 412, "precondition-failed")


def test_a_write_returns_the_record_it_made(sidecar, store, key):
    answer = requests.put(at(sidecar, store, key), params={"ttl": "90s", "tag.color": "red", "createdBy": "me"},
                          json={"code": "BLACKFRIDAY", "value": 10}, headers={"Prefer": "return=representation"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (201, RECORD)
    record = answer.json()
    assert record["id"] == record["partitionKey"] == key
    assert record["value"] == {"code": "BLACKFRIDAY", "value": 10}
    assert record["etag"] == answer.headers["ETag"]
    assert record["ttl"] == 90 and record["tags"] == {"color": "red"}
    assert record["createdBy"] == "me" and record["created"] == record["modified"]
    assert record["created"].endswith("+00:00") and len(record["created"]) == len("2026-04-01T10:47:12.7380919+00:00")
    assert record["isolationMode"] is False and record["stateReference"] == {"stateStoreName": store, "id": key}
    read = requests.get(at(sidecar, store, key), headers={"Accept": RECORD}).json()
    # When a record expires is known to the store's own clock and grain only once it was written.
    assert {**read, "ttl": 90, "expires": None} == {**record, "ttl": 90, "expires": None}
    assert read["expires"][:16] == record["expires"][:16] or read["expires"] > record["created"]
    again = requests.put(at(sidecar, store, key), json=1, headers={"Prefer": "return=representation"}).json()
    assert again["created"] == record["created"] and again["modified"] > record["modified"]
    assert again["ttl"] == -1 and again["tags"] == {}


def test_json_comes_back_as_it_was_sent(sidecar, store, key):
    text = b'{ "b": 1.50, "a": [ 1e3 ] }'
    requests.put(at(sidecar, store, key), data=text, headers={"Content-Type": "application/json"})
    assert requests.get(at(sidecar, store, key)).content == text
    is_problem(requests.put(at(sidecar, store, key), data="{", headers={"Content-Type": "application/json"}), 400, "invalid-argument")


def test_keys_keep_slashes_pluses_and_dots(sidecar, store, key):
    for odd, escaped in (("a/b/../c//d", "a/b/../c//d"), ("a+b", "a+b"), ("ü %", "%C3%BC%20%25")):
        request = requests.Request("PUT", sidecar.url, data=odd.encode()).prepare()
        request.url = at(sidecar, store, key + escaped)
        assert requests.Session().send(request).status_code == 201
        listed = requests.get(at(sidecar, store), params={"prefix": key + odd}).json()["items"]
        assert [item["key"] for item in listed] == [key + odd]


@pytest.mark.parametrize("path, name", [("/", "invalid-argument"), ("/a%7C%7Cb", "invalid-argument"),
                                        ("/" + "k" * 1025, "invalid-argument"), ("/%ff", "invalid-argument")])
def test_keys_that_are_refused(sidecar, store, path, name):
    is_problem(requests.put(at(sidecar, store) + path, data="1"), 400, name)


def test_unknown_things_are_named(sidecar, store, key):
    assert "mem" in is_problem(requests.get(at(sidecar, "nope", key)), 404, "not-found")["detail"]
    is_problem(requests.put(at(sidecar, store, key), params={"tll": "3"}, data="1"), 400, "invalid-argument")
    is_problem(requests.get(at(sidecar, store, key), params={"consistency": "x"}), 400, "invalid-argument")
    is_problem(requests.put(at(sidecar, store, key), params={"ttl": "soon"}, data="1"), 400, "invalid-argument")
    is_problem(requests.post(at(sidecar, store, key)), 405, "method-not-allowed")
    is_problem(requests.get(sidecar.url + "/v2/nope"), 404, "no-such-route")


def test_listing_pages_through_everything_once(sidecar, store, key):
    keys = [f"{key}/{i:03}" for i in range(25)]
    for k in keys:
        requests.put(at(sidecar, store, k), json=k)
    seen, cursor = [], None
    while True:
        page = requests.get(at(sidecar, store), params={"prefix": key, "limit": 10, **({"cursor": cursor} if cursor else {})}).json()
        seen += [item["key"] for item in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            break
        requests.delete(at(sidecar, store, seen[-1]))  # a cursor survives the deletion of what it stands on
    if store == "red":  # in no order, and a key may come twice: the store does not declare orderedList
        seen = sorted(set(seen))
    assert seen == keys
    full = requests.get(at(sidecar, store), params={"prefix": key, "values": "true", "limit": 1}).json()
    assert full["items"][0]["value"] == full["items"][0]["id"] and full["items"][0]["id"] in keys
    is_problem(requests.get(at(sidecar, store), params={"prefix": "other", "cursor": full["cursor"]}), 400, "invalid-argument")
    is_problem(requests.get(at(sidecar, store), params={"cursor": "junk"}), 400, "invalid-argument")
    is_problem(requests.get(at(sidecar, store), params={"limit": 0}), 400, "invalid-argument")
    is_problem(requests.get(at(sidecar, store), params={"limit": 5000}), 400, "invalid-argument")


def test_eight_writers_lose_no_update(sidecar, store, key):
    url = at(sidecar, store, key)
    requests.put(url, data="0")

    def add(times):
        session = requests.Session()
        for _ in range(times):
            while True:
                now = session.get(url)
                done = session.put(url, data=str(int(now.content) + 1), headers={"If-Match": now.headers["ETag"]})
                if done.status_code == 200:
                    break
                assert done.status_code == 412

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(add, [20] * 8))
    assert requests.get(url).content == b"160"


def test_v1_and_v2_see_the_same_records(sidecar, store, key):
    requests.post(f"{sidecar.url}/v1.0/state/{store}", json=[{"key": key, "value": {"a": 1}}])
    got = requests.get(at(sidecar, store, key))
    assert got.json() == {"a": 1} and got.headers["Content-Type"] == "application/json"
    raw = requests.get(f"{sidecar.url}/v1.0/state/{store}/{key}").headers["Etag"]
    assert got.headers["ETag"] == f'"{raw}"'


def test_stores_and_health_and_openapi(sidecar):
    stores = {s["name"]: s for s in requests.get(sidecar.url + "/v2/stores").json()["stores"]}
    assert stores["lite"]["capabilities"]["durable"] is True
    assert stores["mem"]["capabilities"]["durable"] is False
    health = requests.get(sidecar.url + "/v2/health")
    assert health.status_code == 200 and health.json()["stores"]["lite"] == {"status": "up"}
    document = requests.get(sidecar.url + "/openapi.json").json()
    assert document["openapi"] == "3.1.0" and "/v2/state/{store}/{key}" in document["paths"]


def test_stats_count_what_stores_did(sidecar, store, key):
    def calls(outcome, operation="get"):
        stats = requests.get(sidecar.url + "/v2/stats").json()
        found = [one for row in stats["stores"] if row["name"] == store for one in row["operations"] if one["operation"] == operation]
        return found[0][outcome] if found else {"count": 0, "buckets": []}

    before = calls("succeeded")["count"]
    for _ in range(3):
        requests.get(at(sidecar, store, key))
    after = calls("succeeded")
    assert after["count"] == before + 3 == sum(after["buckets"])
    failed = calls("failed", "set")["count"]
    requests.put(at(sidecar, store, key), data="1", headers={"If-Match": '"none"'})
    assert calls("failed", "set")["count"] == failed + 1
    stats = requests.get(sidecar.url + "/v2/stats").json()
    assert len(after["buckets"]) == len(stats["latencyBoundsMs"]) + 1
    assert stats["residentBytes"] > 1 << 20 and stats["uptimeSeconds"] > 0 and stats["cpuSeconds"] > 0
    assert stats["appId"] == "test" and stats["countsRequests"] is True and stats["http"]["succeeded"]["count"] > 0


def test_a_record_tells_its_index_entries(sidecar, store, key):
    requests.put(at(sidecar, store, key), params={"index.city": "berlin/1"}, data="1")
    assert requests.get(at(sidecar, store, key), headers={"Accept": RECORD}).json()["indexes"] == {"city": "berlin/1"}
    requests.put(at(sidecar, store, key), data="1")
    assert "indexes" not in requests.get(at(sidecar, store, key), headers={"Accept": RECORD}).json()


def test_binary_values_in_records_are_base64(sidecar, store, key):
    requests.put(at(sidecar, store, key), data=b"\x01\x02")
    record = requests.get(at(sidecar, store, key), headers={"Accept": RECORD}).json()
    assert base64.b64decode(record["valueBase64"]) == b"\x01\x02" and "value" not in record
