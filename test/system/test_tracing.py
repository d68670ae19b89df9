"""Traces: headers that come and go, and spans at an OTLP collector, at a real Zipkin and in the log."""
import base64
import concurrent.futures
import http.server
import json
import os
import subprocess
import threading

import grpc
import httpx
import pytest
import requests
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from conftest import free_port, wait_until
from test_observability import configuration

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = PARENT.split("-")[1]


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """An OTLP receiver with the protocol's own message classes, over gRPC and HTTP."""

    def __init__(self):
        self.requests, self.metadata = [], []
        self.grpc = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self.grpc)
        self.grpc_port = self.grpc.add_insecure_port("127.0.0.1:0")
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
                collector.take(trace_service_pb2.ExportTraceServiceRequest.FromString(body), dict(self.headers))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http_port = self.http.server_address[1]

    def Export(self, request, context):
        self.take(request, dict(context.invocation_metadata()))
        return trace_service_pb2.ExportTraceServiceResponse()

    def take(self, request, metadata):
        self.requests.append(request)
        self.metadata.append(metadata)

    def spans(self):
        return [(resource, span) for request in list(self.requests) for one in request.resource_spans
                for resource in [{a.key: a.value.string_value for a in one.resource.attributes}]
                for scope in one.scope_spans for span in scope.spans]

    def __enter__(self):
        self.grpc.start()
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.grpc.stop(0)
        self.http.shutdown()


def attributes(span):
    return {a.key: a.value.string_value for a in span.attributes}


@pytest.fixture
def collector():
    with Collector() as running:
        yield running


def traced(sidecar, key="k"):
    return requests.get(f"{sidecar.url}/v1.0/state/mem/{key}", headers={"traceparent": PARENT, "tracestate": "a=1", "baggage": "user=7"})


def test_without_an_exporter_headers_go_back_as_they_came(own_sidecar):
    sidecar = own_sidecar()
    answer = traced(sidecar)
    assert {name: answer.headers[name] for name in ("Traceparent", "Tracestate", "Baggage")} == {"Traceparent": PARENT, "Tracestate": "a=1", "Baggage": "user=7"}
    assert "Traceparent" not in requests.get(sidecar.url + "/v1.0/state/mem/k").headers
    assert "Traceparent" not in requests.get(sidecar.url + "/v1.0/healthz", headers={"traceparent": PARENT}).headers
    bad = requests.get(sidecar.url + "/v1.0/state/mem/k", headers={"baggage": "no baggage"})
    assert (bad.status_code, bad.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
        method = channel.unary_unary("/dapr.proto.runtime.v1.Dapr/GetState")
        with pytest.raises(grpc.RpcError) as refused:
            method(b"\x0a\x03mem\x12\x01k", timeout=20, metadata=[("baggage", "no baggage")])
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    # grpcio keeps grpc-trace-bin to itself, so a plain HTTP/2 client looks.
    with httpx.Client(http1=False, http2=True) as client:
        headers = client.post(f"http://127.0.0.1:{sidecar.grpc_port}/dapr.proto.runtime.v1.Dapr/GetMetadata", content=b"\0\0\0\0\0",
                              headers={"content-type": "application/grpc", "te": "trailers", "traceparent": PARENT, "baggage": "user=7"}).headers
    assert base64.b64decode(headers["grpc-trace-bin"] + "=")[2:18].hex() == TRACE and headers["baggage"] == "user=7"


def test_a_rate_of_zero_switches_tracing_off(own_sidecar, tmp_path):
    sidecar = own_sidecar(args=configuration(tmp_path, {"tracing": {"samplingRate": "0"}}))
    answer = traced(sidecar)
    assert answer.status_code == 204 and "Traceparent" not in answer.headers and "Baggage" not in answer.headers


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_spans_arrive_over_otlp(own_sidecar, tmp_path, collector, protocol):
    port = collector.grpc_port if protocol == "grpc" else collector.http_port
    sidecar = own_sidecar(args=configuration(tmp_path, {"tracing": {"samplingRate": "1", "otel": {
        "endpointAddress": f"127.0.0.1:{port}", "isSecure": False, "protocol": protocol,
        "headers": [{"name": "x-collector-key", "value": "open-sesame"}]}}}),
        env={"OTEL_RESOURCE_ATTRIBUTES": "deployment=test", "DAPR_API_TOKEN": "top-secret"})
    refused = requests.get(sidecar.url + "/v1.0/state/mem/k")
    assert refused.status_code == 401
    answer = requests.get(sidecar.url + "/v1.0/state/mem/k", headers={"traceparent": PARENT, "dapr-api-token": "top-secret"})
    shown = answer.headers["Traceparent"].split("-")
    assert shown[1] == TRACE and shown[2] != PARENT.split("-")[2]
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
        channel.unary_unary("/dapr.proto.runtime.v1.Dapr/GetState")(b"\x0a\x03mem\x12\x01k", timeout=20, metadata=[("dapr-api-token", "top-secret"), ("traceparent", PARENT)])
    wait_until(lambda: len(collector.spans()) >= 3, "the spans to arrive")
    by_name = {(span.name, attributes(span).get("dapr.status_code")): (resource, span) for resource, span in collector.spans()}
    resource, span = by_name[("/v1.0/state/mem/k", "204")]
    assert resource["service.name"] == "test" and resource["deployment"] == "test"
    assert span.trace_id.hex() == TRACE and span.parent_span_id.hex() == PARENT.split("-")[2] and span.span_id.hex() == shown[2]
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano and span.kind == span.SPAN_KIND_CLIENT
    assert attributes(span)["dapr.api"] == "GET /v1.0/state/mem/k" and attributes(span)["db.name"] == "mem"
    _, failed = by_name[("/v1.0/state/mem/k", "401")]
    assert failed.status.code == failed.status.STATUS_CODE_ERROR and failed.status.message == "Code(401): Unauthorized"
    _, call = by_name[("/dapr.proto.runtime.v1.Dapr/GetState", None)]
    assert call.trace_id.hex() == TRACE and attributes(call)["rpc.service"] == "Dapr" and attributes(call)["db.name"] == "mem"
    assert any(m.get("x-collector-key") == "open-sesame" for m in collector.metadata)
    everything = str([str(r) for r in collector.requests]) + sidecar.log()
    assert "top-secret" not in everything and "open-sesame" not in sidecar.log()
    assert sidecar.stop() == 0


def test_the_environment_may_name_the_collector(own_sidecar, collector):
    sidecar = own_sidecar(env={"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.http_port}", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                               "OTEL_EXPORTER_OTLP_INSECURE": "true", "OTEL_SERVICE_NAME": "renamed"})
    requests.get(sidecar.url + "/v1.0/state/mem/k")
    wait_until(collector.spans, "a span to arrive")
    assert collector.spans()[0][0]["service.name"] == "renamed"


def test_a_collector_that_is_away_is_said_and_hurts_nobody(own_sidecar, tmp_path):
    sidecar = own_sidecar(args=configuration(tmp_path, {"tracing": {"samplingRate": "1", "zipkin": {"endpointAddress": f"http://127.0.0.1:{free_port()}/api/v2/spans"}}}))
    assert traced(sidecar).status_code == 204
    wait_until(lambda: "spans are lost: Zipkin: no answer from" in sidecar.log(), "the complaint")
    assert traced(sidecar).status_code == 204
    assert sidecar.stop() == 0


def test_spans_in_the_log(own_sidecar, tmp_path):
    sidecar = own_sidecar(args=["--log-as-json", *configuration(tmp_path, {"tracing": {"samplingRate": "1", "stdout": True}})])
    traced(sidecar)
    wait_until(lambda: '"scope":"holdfast.tracing"' in sidecar.log(), "the span")
    line = next(json.loads(text) for text in sidecar.log().splitlines() if "holdfast.tracing" in text and TRACE in text)
    assert json.loads(line["msg"].removeprefix("span "))["traceId"] == TRACE


def test_spans_at_a_real_zipkin(own_sidecar, tmp_path):
    jar = os.environ.get("HOLDFAST_ZIPKIN_JAR")
    if not jar:
        pytest.skip("Zipkin could not be fetched: HOLDFAST_ZIPKIN_JAR names no file")
    port = free_port()
    log = open(tmp_path / "zipkin.log", "wb")
    zipkin = subprocess.Popen(["java", "-Xmx192m", "-jar", jar], stdout=log, stderr=log,
                              env={**os.environ, "QUERY_PORT": str(port), "STORAGE_TYPE": "mem", "ZIPKIN_SELF_TRACING_ENABLED": "false", "SERVER_ADDRESS": "127.0.0.1"})
    try:
        def is_up():
            assert zipkin.poll() is None, (tmp_path / "zipkin.log").read_text()[-2000:]
            try:
                return requests.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200
            except requests.RequestException:
                return False

        wait_until(is_up, "Zipkin to start", 120)
        sidecar = own_sidecar(args=configuration(tmp_path, {"tracing": {"samplingRate": "1", "zipkin": {"endpointAddress": f"http://127.0.0.1:{port}/api/v2/spans"}}}))
        traced(sidecar)
        trace = wait_until(lambda: (lambda r: r.json() if r.status_code == 200 else None)(requests.get(f"http://127.0.0.1:{port}/api/v2/trace/{TRACE}")), "the trace")
        assert trace[0]["name"] == "/v1.0/state/mem/k" and trace[0]["localEndpoint"]["serviceName"] == "test"
        assert trace[0]["parentId"] == PARENT.split("-")[2] and trace[0]["tags"]["db.name"] == "mem"
    finally:
        zipkin.kill()
        zipkin.wait()


def test_a_real_prometheus_scrapes_and_its_tool_finds_nothing(own_sidecar, tmp_path):
    folder = os.environ.get("HOLDFAST_PROMETHEUS")
    if not folder:
        pytest.skip("Prometheus could not be fetched: HOLDFAST_PROMETHEUS names no folder")
    sidecar = own_sidecar(args=configuration(tmp_path, {"metrics": {"recordErrorCodes": True}}))
    (sidecar.resources / "r.yaml").write_text("kind: Resiliency\nmetadata: {name: r}\nspec: {policies: {circuitBreakers: {b: {}}, timeouts: {t: 5s}, retries: {q: {maxRetries: 1, duration: 1ms}}}, "
                                              "targets: {components: {mem: {outbound: {circuitBreaker: b, timeout: t, retry: q}}}}}\n")
    wait_until(lambda: requests.get(sidecar.url + "/v1.0/metadata").json().get("resiliencies"), "the policies")
    for store in ("mem", "lite", "nope"):
        requests.post(f"{sidecar.url}/v1.0/state/{store}", json=[{"key": "k", "value": 1}])
    page = requests.get(f"http://127.0.0.1:{sidecar.metrics_port}/metrics").text
    checked = subprocess.run([f"{folder}/promtool", "check", "metrics"], input=page, capture_output=True, text=True)
    # Dapr's names are what they are: promtool's advice on them (_total, _count, units) is no error of the format.
    assert checked.returncode in (0, 3), checked.stderr
    assert "error" not in checked.stderr.lower().replace("error_code", "").replace("error codes", ""), checked.stderr
    port = free_port()
    (tmp_path / "p.yml").write_text(f"global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: t, static_configs: [{{targets: ['127.0.0.1:{sidecar.metrics_port}']}}]}}]\n")
    log = open(tmp_path / "prometheus.log", "wb")
    process = subprocess.Popen([f"{folder}/prometheus", f"--config.file={tmp_path}/p.yml", f"--storage.tsdb.path={tmp_path}/tsdb", f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        def value():
            try:
                found = requests.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": 'dapr_component_state_count{component="mem",operation="set"}'}, timeout=5).json()["data"]["result"]
                return found and found[0]["value"][1]
            except (requests.RequestException, KeyError, ValueError):
                return None

        assert wait_until(value, "Prometheus to have scraped", 60) == "1"
        up = requests.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": "up"}).json()["data"]["result"]
        assert [series["value"][1] for series in up] == ["1"]
    finally:
        process.kill()
        process.wait()
