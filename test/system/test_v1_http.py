"""Dapr's HTTP API, byte for byte where its clients depend on it."""
import json

import pytest
import requests

JSON = "application/json"


def state(sidecar, store, key=""):
    return f"{sidecar.url}/v1.0/state/{store}" + (f"/{key}" if key else "")


def save(sidecar, store, *items, **kwargs):
    return requests.post(state(sidecar, store), json=list(items), **kwargs)


def test_a_saved_value_is_read_back_with_an_etag(sidecar, store, key):
    answer = save(sidecar, store, {"key": key, "value": {"b": 2, "a": "<x>"}})
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Type" not in answer.headers
    got = requests.get(state(sidecar, store, key))
    assert got.status_code == 200
    assert got.content == b'{"a":"\\u003cx\\u003e","b":2}'
    assert got.headers["Content-Type"] == JSON
    assert got.headers["Etag"]


def test_an_absent_key_is_204_without_etag(sidecar, store, key):
    got = requests.get(state(sidecar, store, key))
    assert (got.status_code, got.content) == (204, b"")
    assert "Etag" not in got.headers


@pytest.mark.parametrize("sent, stored", [
    ("12345678901234567890", b"12345678901234567000"), ("2.50", b"2.5"), ("1e30", b"1e+30"), ("1e-7", b"1e-7"),
    ("1e21", b"1e+21"), ("100000000000000000000", b"100000000000000000000"), ("-0", b"-0"), ("null", b"null"),
    ('"\\u00e9\\u2028<&>"', '"é\\u2028\\u003c\\u0026\\u003e"'.encode()), ('{"z":1,"a":{"y":2,"b":3}}', b'{"a":{"b":3,"y":2},"z":1}'),
    (" [ 1 , true ] ", b"[1,true]"),
])
def test_values_are_stored_as_go_prints_them(sidecar, store, key, sent, stored):
    body = '[{"key":%s,"value":%s}]' % (json.dumps(key), sent)
    assert requests.post(state(sidecar, store), data=body).status_code == 204
    assert requests.get(state(sidecar, store, key)).content == stored


def test_a_missing_value_is_null(sidecar, store, key):
    assert save(sidecar, store, {"key": key}).status_code == 204
    assert requests.get(state(sidecar, store, key)).content == b"null"


def test_put_saves_too_and_field_names_are_of_any_case(sidecar, store, key):
    answer = requests.put(state(sidecar, store), data='[{"KEY":"%s","Value":1}] trailing' % key)
    assert answer.status_code == 204
    assert requests.get(state(sidecar, store, key)).content == b"1"


def test_stale_etags_are_409_and_change_nothing(sidecar, store, key):
    save(sidecar, store, {"key": key, "value": 1})
    etag = requests.get(state(sidecar, store, key)).headers["Etag"]
    assert save(sidecar, store, {"key": key, "value": 2, "etag": etag}).status_code == 204
    stale = save(sidecar, store, {"key": key, "value": 3, "etag": etag})
    assert stale.status_code == 409
    assert stale.json() == {
        "errorCode": "ERR_STATE_SAVE",
        "message": f"failed saving state in state store {store}: possible etag mismatch. error from state store"}
    gone = requests.delete(state(sidecar, store, key), headers={"If-Match": etag})
    assert gone.status_code == 409
    assert gone.json() == {
        "errorCode": "ERR_STATE_DELETE",
        "message": f"failed deleting state with key {key}: possible etag mismatch. error from state store"}
    assert requests.get(state(sidecar, store, key)).content == b"2"


def test_first_write_without_an_etag_wins_once(sidecar, store, key):
    first = {"key": key, "value": 1, "options": {"concurrency": "first-write"}}
    assert save(sidecar, store, first).status_code == 204
    assert save(sidecar, store, first).status_code == 409
    assert requests.delete(state(sidecar, store, key), params={"concurrency": "first-write"}).status_code == 409
    assert requests.delete(state(sidecar, store, key)).status_code == 204
    assert requests.delete(state(sidecar, store, key)).status_code == 204


def test_an_empty_etag_is_no_etag(sidecar, store, key):
    assert save(sidecar, store, {"key": key, "value": 1, "etag": ""}).status_code == 204
    assert requests.delete(state(sidecar, store, key), headers={"If-Match": ""}).status_code == 204


def test_the_how_tos_programs_are_understood(sidecar, store, key):
    """The body as a JSON string, the etag as a number, options as headers."""
    text = '[{ "key": "%s", "value": "Some Data", "options": { "concurrency": "first-write" }}]' % key
    assert requests.post(state(sidecar, store), json=text, headers={"consistency": "strong"}).status_code == 204
    assert requests.get(state(sidecar, store, key), headers={"consistency": "strong"}).content == b'"Some Data"'
    number = '[{"key":"%s","value":1,"etag":12345}]' % key
    assert requests.post(state(sidecar, store), data=number).status_code == 409


def test_ttl_is_told_and_cleared_by_a_write_without_it(sidecar, store, key):
    save(sidecar, store, {"key": key, "value": 1, "metadata": {"ttlInSeconds": "999"}}, params={"metadata.ttlInSeconds": "50"})
    expires = requests.get(state(sidecar, store, key)).headers["Metadata.ttlexpiretime"]
    assert expires.endswith("Z") and len(expires) == 20
    save(sidecar, store, {"key": key, "value": 1})
    assert "Metadata.ttlexpiretime" not in requests.get(state(sidecar, store, key)).headers
    for none in ("-1", "0"):
        assert save(sidecar, store, {"key": key, "value": 1, "metadata": {"ttlInSeconds": none}}).status_code == 204
        assert "Metadata.ttlexpiretime" not in requests.get(state(sidecar, store, key)).headers
    for bad in ("foo", "-2", "2147483648"):
        assert save(sidecar, store, {"key": key, "value": 1, "metadata": {"ttlInSeconds": bad}}).status_code == 500


def test_bulk_get_answers_every_key_in_order(sidecar, store, key):
    save(sidecar, store, {"key": key + "1", "value": "<one>"}, {"key": key + "2", "value": [1, 2]})
    answer = requests.post(state(sidecar, store) + "/bulk", json={"keys": [key + "2", key + "x", key + "1"], "parallelism": 2})
    assert answer.status_code == 200 and answer.text.endswith("]\n")
    two, absent, one = answer.json()
    assert absent == {"key": key + "x"}
    assert (one["data"], two["data"]) == ("<one>", [1, 2])
    assert one["etag"] and list(one) == ["key", "data", "etag"]
    assert requests.post(state(sidecar, store) + "/bulk", json={}).text == "[]\n"
    assert requests.post(state(sidecar, store) + "/bulk", json={"keys": [], "parallelism": "2"}).status_code == 400


def test_bulk_save_tells_what_failed_and_keeps_the_rest(sidecar, store, key):
    save(sidecar, store, {"key": key + "1", "value": 1})
    answer = save(sidecar, store, {"key": key + "1", "value": 2, "etag": "7"}, {"key": key + "2", "value": 2})
    assert answer.status_code == 409
    mismatch = "possible etag mismatch. error from state store"
    assert answer.json()["message"] == f"failed saving state in state store {store}: {mismatch}: {mismatch}"
    assert requests.get(state(sidecar, store, key + "1")).content == b"1"
    assert requests.get(state(sidecar, store, key + "2")).content == b"2"


def transact(sidecar, store, *operations, **kwargs):
    body = {"operations": [{"operation": o, "request": r} for o, r in operations]}
    return requests.post(state(sidecar, store) + "/transaction", json=body, **kwargs)


def test_transactions_apply_in_order(sidecar, store, key):
    save(sidecar, store, {"key": key + "1", "value": 1})
    answer = transact(sidecar, store, ("delete", {"key": key + "1"}), ("upsert", {"key": key + "2", "value": 1}),
                      ("delete", {"key": key + "2"}), ("upsert", {"key": key + "3", "value": "value3"}))
    assert (answer.status_code, answer.content) == (204, b"")
    assert requests.get(state(sidecar, store, key + "1")).status_code == 204
    assert requests.get(state(sidecar, store, key + "2")).status_code == 204
    assert requests.get(state(sidecar, store, key + "3")).content == b'"value3"'


def test_a_transaction_with_one_stale_etag_changes_nothing(sidecar, store, key):
    save(sidecar, store, {"key": key + "1", "value": 1000}, {"key": key + "2", "value": 0})
    answer = transact(sidecar, store, ("upsert", {"key": key + "1", "value": 0}),
                      ("upsert", {"key": key + "2", "value": 1000, "etag": "7"}))
    assert answer.status_code == 500
    assert answer.json() == {
        "errorCode": "ERR_STATE_TRANSACTION",
        "message": "error while executing state transaction: possible etag mismatch. error from state store"}
    assert requests.get(state(sidecar, store, key + "1")).content == b"1000"
    assert requests.get(state(sidecar, store, key + "2")).content == b"0"


def test_transaction_requests_are_checked(sidecar, store, key):
    assert transact(sidecar, store).status_code == 204
    bad = transact(sidecar, store, ("Upsert", {"key": key}))
    assert (bad.status_code, bad.json()["errorCode"]) == (400, "ERR_NOT_SUPPORTED_STATE_OPERATION")
    assert bad.json()["message"] == "operation type Upsert not supported"
    typed = transact(sidecar, store, ("upsert", {"key": 1}))
    assert typed.status_code == 400 and "'Key' expected type 'string'" in typed.json()["message"]
    assert requests.post(state(sidecar, store) + "/transaction", data="").json()["message"] == "failed deserializing HTTP body: EOF"


def test_keys_are_any_text_but_two_pipes(sidecar, store, key):
    for odd in ("a b", "ü€😀", "a/b", "a|b", "..", "100%", "a+b", "?&#"):
        whole = key + odd
        assert save(sidecar, store, {"key": whole, "value": odd}).status_code == 204
        escaped = requests.utils.quote(whole, safe="")
        assert requests.get(state(sidecar, store, escaped)).json() == odd
    assert requests.get(state(sidecar, store, key + "a+b")).json() == "a b", "a plus in a path is a space, as in Dapr"


def test_two_pipes_are_refused_with_details(sidecar, store):
    answer = save(sidecar, store, {"key": "a||b", "value": 1})
    text = "api error: code = InvalidArgument desc = input key/keyPrefix 'a||b' can't contain '||'"
    assert answer.status_code == 400
    assert answer.json() == {
        "errorCode": "ERR_MALFORMED_REQUEST", "message": text,
        "details": [
            {"@type": "type.googleapis.com/google.rpc.BadRequest",
             "field_violations": [{"field": "a||b", "description": text}]},
            {"@type": "type.googleapis.com/google.rpc.ResourceInfo", "description": "", "owner": "",
             "resource_name": store, "resource_type": "state"},
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "dapr.io", "metadata": None,
             "reason": "DAPR_STATE_ILLEGAL_KEY"}]}
    assert requests.get(state(sidecar, store, "a%7C%7Cb")).status_code == 400


@pytest.mark.parametrize("body, message", [
    ("", "EOF"), ("[{}]", '"key" is a required field'), ("[null]", '"key" is a required field'),
    ('{"key":"a"}', "json: cannot unmarshal object into Go value of type []state.SetRequest"),
    ("]", "invalid character ']' looking for beginning of value"),
    ("[fox]", "invalid character 'o' in literal false (expecting 'a')"),
])
def test_bodies_that_cannot_be_read(sidecar, store, body, message):
    answer = requests.post(state(sidecar, store), data=body)
    assert answer.status_code == 400
    assert answer.json() == {"errorCode": "ERR_MALFORMED_REQUEST", "message": message}


@pytest.mark.parametrize("body", ["[]", "null", " [ ] x"])
def test_saving_nothing_is_fine(sidecar, store, body):
    assert requests.post(state(sidecar, store), data=body).status_code == 204


def test_nothing_is_written_when_one_item_has_no_key(sidecar, store, key):
    assert save(sidecar, store, {"key": key, "value": 1}, {"value": 2}).status_code == 400
    assert requests.get(state(sidecar, store, key)).status_code == 204


def test_options_that_are_no_options_are_refused(sidecar, store, key):
    for options in ({"concurrency": "x"}, {"consistency": "y"}):
        assert save(sidecar, store, {"key": key, "value": 1, "options": options}).status_code == 500
    for level in ("strong", "eventual", "Session", "bounded-staleness", "caboa", "quorum", "consistent-prefix"):
        assert save(sidecar, store, {"key": key, "value": 1, "options": {"consistency": level}}).status_code == 204
        assert requests.get(state(sidecar, store, key), params={"consistency": level}).status_code == 200
    assert requests.get(state(sidecar, store, key), params={"consistency": "bogus"}).status_code == 200


def test_unknown_stores_are_told_from_no_store(sidecar):
    answer = requests.get(state(sidecar, "nope", "k"))
    assert answer.status_code == 400
    assert answer.json() == {
        "errorCode": "ERR_STATE_STORE_NOT_FOUND", "message": "state store nope is not found",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "dapr.io",
                     "metadata": {"appID": "test"}, "reason": "DAPR_STATE_NOT_FOUND"}]}


def test_queries_show_what_dapr_declares(sidecar, store):
    answer = requests.post(f"{sidecar.url}/v1.0-alpha1/state/{store}/query", json={})
    assert answer.status_code == 500
    assert answer.json()["errorCode"] == "ERR_STATE_STORE_NOT_SUPPORTED"
    assert answer.json()["message"] == "state store does not support querying"


def test_a_value_that_is_not_json_fails_alone_in_bulk(sidecar, store, key):
    requests.put(f"{sidecar.url}/v2/state/{store}/{key}", data=b"\xff\x00raw")
    save(sidecar, store, {"key": key + "2", "value": 1})
    raw, good = requests.post(state(sidecar, store) + "/bulk", json={"keys": [key, key + "2"]}).json()
    assert "error" in raw and "data" not in raw
    assert good["data"] == 1
    assert requests.get(state(sidecar, store, key)).content == b"\xff\x00raw"


@pytest.mark.parametrize("method, path, status, code", [
    ("GET", "/", 404, "ERR_DIRECT_INVOKE"), ("GET", "/v1.0/nope", 404, "ERR_DIRECT_INVOKE"),
    ("PATCH", "/v1.0/state/mem/k", 404, "ERR_DIRECT_INVOKE"), ("POST", "/v1.0/publish/p/t", 404, "ERR_PUBSUB_NOT_FOUND"),
    ("POST", "/v1.0/bindings/b", 500, "ERR_INVOKE_OUTPUT_BINDING"),
    ("GET", "/v1.0/configuration/c", 500, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED"),
    ("GET", "/v1.0/secrets/s/k", 500, "ERR_SECRET_STORES_NOT_CONFIGURED"),
    ("POST", "/v1.0-alpha1/lock/s", 500, "ERR_LOCK_STORE_NOT_CONFIGURED"),
    ("GET", "/v1.0/actors/t/i/state/k", 400, "ERR_ACTOR_NO_PLACEMENT"),
    ("GET", "/v1.0/actors/dapr.internal.x/i/state/k", 403, "ERR_ACTOR_TYPE_RESERVED"),
    ("GET", "/v1.0-alpha1/jobs/j", 500, "DAPR_SCHEDULER_GET_JOB"),
    ("POST", "/v1.0/invoke/app/method/m", 500, "ERR_DIRECT_INVOKE"),
])
def test_what_is_not_ours_answers_as_daprd_does(sidecar, method, path, status, code):
    answer = requests.request(method, sidecar.url + path)
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code)


def test_paths_are_cleaned_as_go_does(sidecar, store, key):
    save(sidecar, store, {"key": key, "value": 1})
    session = requests.Session()
    for path in (f"/v1.0//state/{store}//{key}/", f"/v1.0/state/./{store}/x/../{key}"):
        request = requests.Request("GET", sidecar.url).prepare()
        request.url = sidecar.url + path
        assert session.send(request).content == b"1", path


def test_metadata_names_the_stores_and_keeps_what_is_put(sidecar):
    requests.put(sidecar.url + "/v1.0/metadata/cliPID", data="123")
    metadata = requests.get(sidecar.url + "/v1.0/metadata").json()
    assert metadata["id"] == "test"
    assert metadata["extended"]["cliPID"] == "123"
    assert metadata["extended"]["daprRuntimeVersion"] == metadata["runtimeVersion"]
    assert [one for one in metadata["components"] if one["name"] != "red"] == [
        {"name": "mem", "type": "state.in-memory", "version": "v1",
         "capabilities": ["ETAG", "TRANSACTIONAL", "TTL", "DELETE_WITH_PREFIX", "KEYS_LIKE", "ACTOR"]},
        {"name": "lite", "type": "state.sqlite", "version": "v1",
         "capabilities": ["ETAG", "TRANSACTIONAL", "TTL", "KEYS_LIKE", "ACTOR"]}]
    assert metadata["actorRuntime"] == {"runtimeStatus": "DISABLED", "hostReady": False, "placement": "placement: disconnected"}


def test_health(sidecar):
    assert requests.get(sidecar.url + "/v1.0/healthz").status_code == 204
    assert requests.get(sidecar.url + "/v1.0/healthz/outbound").status_code == 204
    assert requests.get(sidecar.url + "/v1.0/healthz?appid=test").status_code == 204
    other = requests.get(sidecar.url + "/v1.0/healthz?appid=other")
    assert (other.status_code, other.json()["errorCode"]) == (500, "ERR_HEALTH_APPID_NOT_MATCH")


def test_metrics_count_calls(sidecar, store, key):
    save(sidecar, store, {"key": key, "value": 1})
    page = requests.get(f"http://127.0.0.1:{sidecar.metrics_port}/any/path").text
    assert f'component="{store}",operation="set",success="true"' in page
    assert "process_resident_memory_bytes" in page


def test_an_over_size_body_is_400(sidecar, store):
    answer = requests.post(state(sidecar, store), data=b"[" + b" " * (5 << 20) + b"]")
    assert answer.status_code == 400
    assert answer.json() == {"errorCode": "ERR_MALFORMED_REQUEST", "message": "stream too large"}


def test_a_traceparent_comes_back(sidecar):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert requests.get(sidecar.url + "/v1.0/metadata", headers={"traceparent": parent}).headers["Traceparent"] == parent


def test_a_megabyte_survives(sidecar, store, key):
    value = "x" * (1 << 20)
    assert save(sidecar, store, {"key": key, "value": value}).status_code == 204
    assert requests.get(state(sidecar, store, key)).json() == value


QUERYABLE = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: mem}}
spec: {{type: state.in-memory, version: v1, metadata: [{{name: v1Query, value: "true"}}]}}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: lite}}
spec:
  type: state.sqlite
  version: v1
  metadata: [{{name: connectionString, value: "{database}"}}, {{name: v1Query, value: "true"}}]
"""


@pytest.mark.parametrize("store", ["mem", "lite"])
def test_a_component_may_open_the_query_route(own_sidecar, store):
    sidecar = own_sidecar(components=QUERYABLE)
    save(sidecar, store, *({"key": f"p{i}", "value": {"person": {"org": "A" if i < 3 else "B", "id": i + 0.5}}} for i in range(6)))
    url = f"{sidecar.url}/v1.0-alpha1/state/{store}/query"
    query = {"filter": {"AND": [{"EQ": {"person.org": "A"}}, {"GTE": {"person.id": 1.5}}]},
             "sort": [{"key": "person.id", "order": "DESC"}], "page": {"limit": 1}}
    first = requests.post(url, json=query)
    assert first.status_code == 200 and first.text.endswith("}\n")
    assert [item["key"] for item in first.json()["results"]] == ["p2"]
    assert first.json()["results"][0]["data"] == {"person": {"org": "A", "id": 2.5}} and first.json()["results"][0]["etag"]
    query["page"]["token"] = first.json()["token"]
    assert [item["key"] for item in requests.post(url, json=query).json()["results"]] == ["p1"]
    assert requests.post(url, json={"filter": {"IN": {"person.org": ["nobody"]}}}).status_code == 204
    bad = requests.post(url, json={"filter": {"XOR": []}})
    assert (bad.status_code, bad.json()["errorCode"]) == (500, "ERR_STATE_QUERY")
    assert bad.json()["message"] == f'state store {store} query failed: failed to parse JSON query body: unsupported filter "XOR"'
