"""Our own HTTP API about many records at once, and changes in place."""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

import requests

from test_v2_http import RECORD, at, is_problem

MERGE = {"Content-Type": "application/merge-patch+json"}
INCREMENT = {"Content-Type": "application/vnd.holdfast.increment+json"}
APPEND = {"Content-Type": "application/vnd.holdfast.append"}
APPEND_JSON = {"Content-Type": "application/vnd.holdfast.append+json"}
REPRESENTATION = {"Prefer": "return=representation"}


def post(sidecar, store, verb, body, **headers):
    data = body if isinstance(body, str) else json.dumps(body)
    return requests.post(f"{sidecar.url}/v2/state/{store}:{verb}", data=data, headers=headers)


def test_a_batch_answers_for_each_item(sidecar, store, key):
    requests.put(at(sidecar, store, f"{key}/taken"), data=b"1")
    items = [
        {"op": "put", "key": f"{key}/a", "value": {"n": 1}, "tags": {"color": "red"}, "ttl": 60},
        {"op": "put", "key": f"{key}/b", "valueBase64": "AP8=", "contentType": "image/x-test"},
        {"op": "put", "key": f"{key}/taken", "value": 1, "ifNoneMatch": "*"},
        {"op": "delete", "key": f"{key}/nothing"},
        {"op": "put", "key": f"{key}/bad", "value": 1, "ifMatch": '"0"'},
    ]
    answer = post(sidecar, store, "batchWrite", {"items": items}, **REPRESENTATION)
    assert answer.status_code == 200, answer.text
    results = answer.json()["items"]
    assert [result["status"] for result in results] == [201, 201, 412, 404, 412]
    assert [result["key"] for result in results] == [item["key"] for item in items]
    assert results[0]["record"]["tags"] == {"color": "red"} and results[0]["record"]["value"] == {"n": 1}
    assert 58 <= results[0]["record"]["ttl"] <= 60
    assert results[2]["problem"]["type"] == "urn:holdfast:problem:precondition-failed"
    assert "||" not in results[2]["problem"]["detail"], "keys are told as the caller knows them"
    got = requests.get(at(sidecar, store, f"{key}/b"))
    assert (got.content, got.headers["Content-Type"]) == (b"\x00\xff", "image/x-test")

    read = post(sidecar, store, "batchGet", {"keys": [f"{key}/b", f"{key}/no", f"{key}/a"]}).json()["items"]
    assert [item["status"] for item in read] == [200, 404, 200]
    assert read[0]["record"]["valueBase64"] == "AP8="
    assert read[2]["etag"] == results[0]["etag"] == read[2]["record"]["etag"]
    brief = post(sidecar, store, "batchGet", {"keys": [f"{key}/a"], "values": False}).json()["items"]
    assert brief == [{"key": f"{key}/a", "status": 200, "etag": results[0]["etag"]}]


def test_numbers_keep_their_digits(sidecar, store, key):
    body = '{"items":[{"op":"put","key":"%s","value":{"big":12345678901234567890,"one":1.00}}]}' % key
    assert post(sidecar, store, "batchWrite", body).status_code == 200
    assert requests.get(at(sidecar, store, key)).text == '{"big":12345678901234567890,"one":1.00}'
    requests.patch(at(sidecar, store, key), data='{"more":1e400}', headers=MERGE)
    assert requests.get(at(sidecar, store, key)).text == '{"big":12345678901234567890,"one":1.00,"more":1e400}'


def test_batches_that_are_refused_change_nothing(sidecar, store, key):
    put = {"op": "put", "key": key, "value": 1}
    for items in ([], [put, put], [put, {"op": "check", "key": "x", "ifMatch": "*"}], [put, {"op": "put", "key": "a||b", "value": 1}],
                  [put, {"op": "move", "key": "x"}], [put] + [{"op": "put", "key": f"{key}/{i}", "value": 1} for i in range(1000)]):
        is_problem(post(sidecar, store, "batchWrite", {"items": items}), 400, "invalid-argument")
    is_problem(post(sidecar, store, "batchGet", {"keys": ["a", "a"]}), 400, "invalid-argument")
    is_problem(post(sidecar, store, "batchGet", {"keys": [""]}), 400, "invalid-argument")
    is_problem(post(sidecar, store, "batchFly", {}), 404, "no-such-route")
    is_problem(requests.get(f"{sidecar.url}/v2/state/{store}:batchGet"), 405, "method-not-allowed")
    assert requests.get(at(sidecar, store, key)).status_code == 404


def test_a_transaction_is_all_or_nothing(sidecar, store, key):
    first = requests.put(at(sidecar, store, f"{key}/guard"), data=b"1").headers["ETag"]
    operations = [
        {"op": "check", "key": f"{key}/guard", "ifMatch": first},
        {"op": "put", "key": f"{key}/a", "value": 1, "ifNoneMatch": "*"},
        {"op": "delete", "key": f"{key}/b"},
    ]
    answer = post(sidecar, store, "transact", {"operations": operations})
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [(result["key"], result["status"]) for result in results][:2] == [(f"{key}/guard", 200), (f"{key}/a", 201)]
    assert requests.get(at(sidecar, store, f"{key}/a")).headers["ETag"] == results[1]["etag"]

    operations[1] = {"op": "put", "key": f"{key}/new", "value": 1}
    operations.append({"op": "put", "key": f"{key}/a", "value": 2, "ifNoneMatch": "*"})
    refused = is_problem(post(sidecar, store, "transact", {"operations": operations}), 409, "precondition-failed")
    assert refused["operation"] == 3 and refused["etag"] == results[1]["etag"]
    assert requests.get(at(sidecar, store, f"{key}/new")).status_code == 404
    # What v1 wrote, v2 guards, and the other way about.
    v1 = f"{sidecar.url}/v1.0/state/{store}"
    requests.post(v1, json=[{"key": f"{key}/v1", "value": "x"}])
    etag = requests.get(f"{v1}/{key}%2Fv1").headers["ETag"]
    by_v2 = post(sidecar, store, "transact", {"operations": [{"op": "put", "key": f"{key}/v1", "value": "y", "ifMatch": etag}]})
    assert by_v2.status_code == 200
    assert requests.get(f"{v1}/{key}%2Fv1").json() == "y"
    stale = requests.delete(f"{v1}/{key}%2Fv1", headers={"If-Match": etag})
    assert stale.status_code == 409


def test_merge_patch(sidecar, store, key):
    is_problem(requests.patch(at(sidecar, store, key), data="{}", headers=MERGE), 404, "not-found")
    requests.put(at(sidecar, store, key), json={"a": 1, "b": {"c": 2, "d": 3}}, params={"tag.color": "red"})
    answer = requests.patch(at(sidecar, store, key), json={"a": None, "b": {"d": [4]}}, headers={**MERGE, **REPRESENTATION})
    assert answer.status_code == 200 and answer.headers["Content-Type"] == RECORD
    record = answer.json()
    assert record["value"] == {"b": {"c": 2, "d": [4]}} and record["tags"] == {"color": "red"}
    assert record["etag"] == answer.headers["ETag"] == requests.get(at(sidecar, store, key)).headers["ETag"]
    stale = requests.patch(at(sidecar, store, key), json={}, headers={**MERGE, "If-Match": '"0"'})
    assert is_problem(stale, 412, "precondition-failed")["etag"] == answer.headers["ETag"]
    bad = requests.patch(at(sidecar, store, key), data="{", headers={**MERGE, "If-Match": '"0"'})
    is_problem(bad, 400, "invalid-argument")
    is_problem(requests.patch(at(sidecar, store, key), data="{}"), 415, "unsupported-media-type")
    requests.put(at(sidecar, store, key), data=b"\x00")
    is_problem(requests.patch(at(sidecar, store, key), data="{}", headers=MERGE), 400, "invalid-argument")


def test_increments_are_exact_and_bounded(sidecar, store, key):
    url = at(sidecar, store, key)
    first = requests.patch(url, data="{}", headers=INCREMENT)
    assert (first.status_code, first.text, first.headers["Content-Type"]) == (201, "1", "application/json")
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: requests.patch(url, data='{"by":3}', headers=INCREMENT), range(200)))
    assert [answer.status_code for answer in answers] == [200] * 200
    assert sorted(int(answer.text) for answer in answers) == list(range(4, 604, 3)), "each saw a number of its own"
    assert requests.get(url).text == "601"
    over = requests.patch(url, data='{"by":1,"max":601}', headers=INCREMENT)
    assert "601" in is_problem(over, 412, "precondition-failed")["detail"]
    assert requests.patch(url, data='{"by":-1,"min":600}', headers=INCREMENT).text == "600"
    is_problem(requests.patch(url, data='{"step":1}', headers=INCREMENT), 400, "invalid-argument")
    assert requests.get(f"{sidecar.url}/v1.0/state/{store}/{key}").json() == 600


def test_appending(sidecar, store, key):
    url = at(sidecar, store, key)
    assert requests.patch(url, data=b"ab", headers=APPEND).status_code == 201
    assert requests.patch(url, data=b"\x00c", headers=APPEND).status_code == 200
    assert requests.get(url).content == b"ab\x00c"
    listed = at(sidecar, store, key + "/list")
    for element in ("1", '{"n":2}'):
        requests.patch(listed, data=element, headers=APPEND_JSON)
    assert requests.get(listed).json() == [1, {"n": 2}]
    is_problem(requests.patch(url, data="1", headers=APPEND_JSON), 400, "invalid-argument")


def test_a_patch_keeps_the_time_to_live(sidecar, store, key):
    url = at(sidecar, store, key)
    requests.put(url, data="1", params={"ttl": 3600}, headers={"Content-Type": "application/json"})
    expires = requests.get(url).headers["Holdfast-Expires"]
    for _ in range(5):
        requests.patch(url, data="{}", headers=INCREMENT)
    got = requests.get(url)
    assert (got.text, got.headers["Holdfast-Expires"]) == ("6", expires)
    requests.patch(url, data="{}", headers=INCREMENT, params={"ttl": "2h"})
    assert requests.get(url).headers["Holdfast-Expires"] > expires
    requests.patch(url, data="{}", headers=INCREMENT, params={"ttl": 0})
    assert "Holdfast-Expires" not in requests.get(url).headers


def test_deleting_by_prefix(sidecar, store, key):
    for i in range(25):
        requests.put(at(sidecar, store, f"{key}/p/{i}"), data=b"1")
    requests.put(at(sidecar, store, f"{key}/q"), data=b"1")
    is_problem(requests.delete(at(sidecar, store)), 400, "invalid-argument")
    is_problem(requests.delete(at(sidecar, store), params={"prefix": ""}), 400, "invalid-argument")
    is_problem(requests.delete(at(sidecar, store), params={"prefix": "x", "all": "true"}), 400, "invalid-argument")
    some = requests.delete(at(sidecar, store), params={"prefix": f"{key}/p/", "limit": 10}).json()
    assert some == {"deleted": 10, "more": True}
    rest = requests.delete(at(sidecar, store), params={"prefix": f"{key}/p/"}).json()
    assert rest == {"deleted": 15, "more": False}
    assert requests.get(at(sidecar, store), params={"prefix": f"{key}/p/"}).json()["items"] == []
    assert requests.get(at(sidecar, store, f"{key}/q")).status_code == 200


def test_listing_by_pattern_and_by_tag(sidecar, store, key):
    for i in range(30):
        requests.put(at(sidecar, store, f"{key}/{i:02}"), data=b"1", params={"tag.parity": "even" if i % 2 == 0 else "odd"})
    like = requests.get(at(sidecar, store), params={"like": f"{key}/_5"}).json()
    assert sorted(item["key"] for item in like["items"]) == [f"{key}/{i}5" for i in range(3)]
    assert all(item["etag"] for item in like["items"])
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        params = {"prefix": f"{key}/", "tag.parity": "odd", "limit": 4, **({"cursor": cursor} if cursor else {})}
        page = requests.get(at(sidecar, store), params=params).json()
        assert len(page["items"]) <= 4
        seen += [item["key"] for item in page["items"]]
        cursor, pages = page["cursor"], pages + 1
    assert sorted(seen) == [f"{key}/{i:02}" for i in range(1, 30, 2)]
    values = requests.get(at(sidecar, store), params={"like": f"{key}/%", "tag.parity": "even", "values": "true"}).json()
    assert {item["tags"]["parity"] for item in values["items"]} == {"even"}
    is_problem(requests.get(at(sidecar, store), params={"like": "a%", "prefix": "a"}), 400, "invalid-argument")


def test_every_described_call_is_served_and_every_other_method_refused(sidecar, store):
    description = requests.get(f"{sidecar.url}/openapi.json").json()
    methods = ("get", "head", "put", "post", "patch", "delete")
    for path, item in description["paths"].items():
        url = sidecar.url + path.replace("{store}", store).replace("{key}", "described")
        for method in methods:
            answer = requests.request(method, url, params={"limit": "none"} if method == "delete" else {}, stream=True)
            flows = answer.headers.get("Content-Type") == "text/event-stream"  # until somebody ends it
            if method in item:
                assert answer.status_code != 405, (method, path)
                text = "" if flows else answer.text
                assert str(answer.status_code) in item[method]["responses"], (method, path, answer.status_code, text)
            elif not (method == "head" and "get" in item):
                assert answer.status_code == 405, (method, path, answer.status_code)
                assert method.upper() not in answer.headers["Allow"]
            answer.close()


def test_nothing_that_a_client_may_send_is_answered_otherwise_than_described(sidecar, tmp_path):
    (tmp_path / "schemathesis.toml").write_text('[parameters]\nstore = "mem"\n')
    checks = "not_a_server_error,status_code_conformance,response_schema_conformance,unsupported_method,negative_data_rejection"
    ran = subprocess.run([pathlib.Path(sys.executable).with_name("schemathesis"), "--config-file", tmp_path / "schemathesis.toml",
                          # A watch flows until its client ends it, which test_watch.py does.
                          "run", f"{sidecar.url}/openapi.json", "--exclude-operation-id", "watch", "--checks", checks, "--phases", "examples,coverage,fuzzing",
                          "--max-examples", os.environ.get("HOLDFAST_SCHEMATHESIS_EXAMPLES", "25"), "--generation-deterministic",
                          "--no-color"], capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert "Tested: 14" in ran.stdout


def test_counting_beside_plain_writes_loses_neither(sidecar, store, key):
    url = at(sidecar, store, key)
    requests.put(url, data="100", headers={"Content-Type": "application/json"})
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        counted = pool.submit(lambda: [requests.patch(url, data="{}", headers=INCREMENT).status_code for _ in range(50)])
        written = pool.submit(lambda: [requests.put(url, data="0", headers={"Content-Type": "application/json"}).status_code
                                       for _ in range(50)])
        assert set(counted.result()) <= {200, 409} and set(written.result()) == {200}
    assert 0 <= int(requests.get(url).text) <= 50
