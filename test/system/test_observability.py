"""Metrics, the API log, CORS and the Configuration's rules."""
import json
import re

import grpc
import pytest
import requests

from conftest import wait_until


def configuration(tmp_path, spec):
    path = tmp_path / "config.yaml"
    path.write_text("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\nspec: " + json.dumps(spec) + "\n")
    return ["--config", str(path)]


def metrics_of(sidecar):
    return requests.get(f"http://127.0.0.1:{sidecar.metrics_port}/metrics").text


def get_state(sidecar, store=b"mem", metadata=()):
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
        method = channel.unary_unary("/dapr.proto.runtime.v1.Dapr/GetState")
        return method(b"\x0a" + bytes([len(store)]) + store + b"\x12\x01k", timeout=20, metadata=metadata)


def test_metrics_have_daprs_names_and_labels(own_sidecar):
    sidecar = own_sidecar()
    requests.post(f"{sidecar.url}/v1.0/state/mem", json=[{"key": "k", "value": 1}])
    for key in ("a", "b", "k"):
        requests.get(f"{sidecar.url}/v1.0/state/mem/{key}")
    requests.get(sidecar.url + "/v1.0/state/nope/k")
    requests.get(sidecar.url + "/some/where/else")
    get_state(sidecar)
    with pytest.raises(grpc.RpcError):
        get_state(sidecar, b"nope")
    text = metrics_of(sidecar)
    for series in (
        'dapr_component_state_count{app_id="test",namespace="",component="mem",operation="get",success="true"} 4',
        'dapr_component_state_count{app_id="test",namespace="",component="mem",operation="set",success="true"} 1',
        'dapr_http_server_request_count{app_id="test",method="GET",path="/v1.0/state/mem",status="204"} 2',
        'dapr_http_server_request_count{app_id="test",method="GET",path="/v1.0/state/mem",status="200"} 1',
        'dapr_http_server_response_count{app_id="test",method="POST",path="/v1.0/state/mem",status="204"} 1',
        'dapr_http_server_request_count{app_id="test",method="GET",path="/v1.0/state/nope",status="400"} 1',
        'dapr_http_server_request_count{app_id="test",method="GET",path="",status="404"} 1',
        'dapr_http_server_latency_bucket{app_id="test",method="POST",path="/v1.0/state/mem",status="204",le="100000"} 1',
        'dapr_grpc_io_server_completed_rpcs{app_id="test",grpc_server_method="/dapr.proto.runtime.v1.Dapr/GetState",grpc_server_status="OK"} 1',
        'dapr_grpc_io_server_completed_rpcs{app_id="test",grpc_server_method="/dapr.proto.runtime.v1.Dapr/GetState",grpc_server_status="InvalidArgument"} 1',
        'dapr_runtime_component_init_total{app_id="test",component="state.in-memory"} 1',
    ):
        assert series in text, series + "\n" + text
    assert re.search(r'^process_resident_memory_bytes [1-9]\d+$', text, re.M)
    assert requests.get(f"http://127.0.0.1:{sidecar.metrics_port}/").text.startswith("# HELP")


def test_metrics_can_be_made_small_or_switched_off(own_sidecar, tmp_path):
    small = own_sidecar(args=configuration(tmp_path, {"metrics": {"http": {"increasedCardinality": False, "excludeVerbs": True, "pathMatching": ["/v1.0/state/mem/{key}"]},
                                                                  "latencyDistributionBuckets": [5, 50]}}))
    requests.get(small.url + "/v1.0/state/mem/k")
    requests.get(small.url + "/v1.0/state/lite/k")
    text = metrics_of(small)
    assert 'dapr_http_server_request_count{app_id="test",method="",path="/v1.0/state/mem/{key}",status="204"} 1' in text
    assert re.search(r'dapr_http_server_request_count\{app_id="test",method="",path="",status="204"\} \d', text)
    assert set(re.findall(r'dapr_component_state_latencies_bucket\{.*le="([^"]+)"', text)) == {"5", "50", "+Inf"}
    off = own_sidecar(args=["--enable-metrics=false"])
    with pytest.raises(requests.ConnectionError):
        metrics_of(off)


def test_error_codes_are_counted_when_asked(own_sidecar, tmp_path):
    sidecar = own_sidecar(args=configuration(tmp_path, {"metrics": {"recordErrorCodes": True}}))
    requests.get(sidecar.url + "/v1.0/state/nope/k")
    with pytest.raises(grpc.RpcError):
        get_state(sidecar, b"nope")
    text = metrics_of(sidecar)
    assert 'dapr_error_code_total{app_id="test",category="state",error_code="ERR_STATE_STORE_NOT_FOUND"} 1' in text
    assert 'dapr_error_code_total{app_id="test",category="state",error_code="DAPR_STATE_NOT_FOUND"} 1' in text


def test_the_api_log_shows_calls_and_no_secret(own_sidecar):
    sidecar = own_sidecar(args=["--enable-api-logging", "--log-as-json"], env={"DAPR_API_TOKEN": "top-secret"})
    token = {"dapr-api-token": "top-secret", "User-Agent": "a browser"}
    requests.get(sidecar.url + "/v1.0/state/mem/k?metadata.x=private", headers=token)
    requests.get(sidecar.url + "/v1.0/state/mem/k")  # 401: not a call
    get_state(sidecar, metadata=[("dapr-api-token", "top-secret")])
    wait_until(lambda: "gRPC API Called" in sidecar.log(), "the calls to be logged")
    calls = [line for line in map(json.loads, sidecar.log().splitlines()) if "API Called" in line["msg"] and "healthz" not in line["method"]]
    assert [(c["msg"], c["method"], c["code"]) for c in calls] == [
        ("HTTP API Called", "GET /v1.0/state/mem/k", "204"),
        ("gRPC API Called", "/dapr.proto.runtime.v1.Dapr/GetState", "0")]
    assert calls[0]["useragent"] == "a browser" and calls[0]["duration"].isdigit() and calls[0]["size"] == "0"
    assert "top-secret" not in sidecar.log() and "private" not in sidecar.log()


def test_the_api_log_can_hide_keys_and_health_checks(own_sidecar, tmp_path):
    sidecar = own_sidecar(args=configuration(tmp_path, {"logging": {"apiLogging": {"enabled": True, "obfuscateURLs": True, "omitHealthChecks": True}}}))
    requests.get(sidecar.url + "/v1.0/state/mem/customer-4711")
    wait_until(lambda: "HTTP API Called" in sidecar.log(), "the call to be logged")
    assert 'method="GetState"' in sidecar.log()
    assert "customer-4711" not in sidecar.log() and "ealthz" not in sidecar.log()
    quiet = own_sidecar(args=["--enable-api-logging=false", *configuration(tmp_path, {"logging": {"apiLogging": {"enabled": True}}})])
    requests.get(quiet.url + "/v1.0/state/mem/k")
    assert quiet.stop() == 0 and "API Called" not in quiet.log()


def test_pages_of_allowed_origins_may_call(own_sidecar):
    sidecar = own_sidecar(args=["--allowed-origins", "https://shop.example,https://admin.example"], env={"DAPR_API_TOKEN": "t"})
    ask = {"Origin": "https://shop.example", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "dapr-api-token"}
    preflight = requests.options(sidecar.url + "/v2/state/mem/k", headers=ask)
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (204, "https://shop.example")
    real = requests.get(sidecar.url + "/v1.0/state/mem/k", headers={"Origin": "https://shop.example", "dapr-api-token": "t"})
    assert (real.status_code, real.headers["Access-Control-Allow-Origin"]) == (204, "https://shop.example")
    other = requests.get(sidecar.url + "/v1.0/state/mem/k", headers={"Origin": "https://evil.example", "dapr-api-token": "t"})
    assert "Access-Control-Allow-Origin" not in other.headers


def test_apis_that_are_not_allowed_are_as_if_they_were_not_there(own_sidecar, tmp_path):
    only_state = own_sidecar(args=configuration(tmp_path, {"api": {"allowed": [
        {"name": "state", "version": "v1.0", "protocol": "http"}, {"name": "state", "version": "v1", "protocol": "grpc"}]}}))
    assert requests.get(only_state.url + "/v1.0/state/mem/k").status_code == 204
    assert requests.get(only_state.url + "/v1.0/metadata").status_code == 404
    assert requests.get(only_state.url + "/v1.0/secrets/s/k").status_code == 404
    assert requests.get(only_state.url + "/v2/stores").status_code == 404
    assert requests.get(only_state.url + "/v1.0/healthz").status_code == 204
    assert get_state(only_state) == b""
    with grpc.insecure_channel(f"127.0.0.1:{only_state.grpc_port}") as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/dapr.proto.runtime.v1.Dapr/GetMetadata")(b"", timeout=20)
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, "Not Implemented")
    no_state = own_sidecar(args=configuration(tmp_path, {"api": {"denied": [{"name": "state", "version": "v1", "protocol": "http"}]}}))
    assert requests.get(no_state.url + "/v1.0/state/mem/k").status_code == 404
    assert requests.get(no_state.url + "/v1.0/metadata").status_code == 200


def test_denied_components_are_not_loaded(own_sidecar, tmp_path):
    sidecar = own_sidecar(args=configuration(tmp_path, {"components": {"deny": ["state.sqlite"]}}))
    assert requests.get(sidecar.url + "/v1.0/state/lite/k").json()["errorCode"] == "ERR_STATE_STORE_NOT_FOUND"
    assert requests.get(sidecar.url + "/v1.0/state/mem/k").status_code == 204
