"""The process: flags, exit codes, signals, ports, tokens, component files, drain."""
import os
import signal
import socket
import subprocess
import threading

import grpc
import pytest
import requests

from conftest import BINARY, COMPONENTS, Sidecar, free_port, wait_until


def run(*args, env=None):
    done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=30, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("args, code, text", [
    (["--nope"], 2, "unknown flag: --nope"),
    (["--app-id"], 2, "flag needs an argument"),
    ([], 1, "parameter app-id cannot be empty"),
    (["--app-id", "a.b"], 1, "parameter app-id cannot contain dots"),
    (["--app-id", "a", "--mode", "x"], 1, "invalid mode: x"),
    (["--app-id", "a", "--log-level", "loud"], 1, "invalid value for --log-level: loud"),
    (["--app-id", "a", "--resources-path", "/nope"], 1, "/nope"),
    (["frobnicate"], 2, "frobnicate"),
])
def test_bad_command_lines_say_what_is_wrong(args, code, text):
    got, output = run(*args)
    assert got == code, output
    assert text in output


def test_version_is_three_numbers():
    code, output = run("--version")
    assert code == 0 and [part.isdigit() for part in output.strip().split(".")] == [True] * 3


def test_single_dash_flags_and_flags_without_effect(own_sidecar):
    sidecar = own_sidecar(args=["-enable-profiling=false", "--placement-host-address", "localhost:50005", "-dapr-graceful-shutdown-seconds", "3"])
    assert "has no effect" in sidecar.log()
    assert sidecar.stop() == 0


def test_sigterm_and_sigint_stop_gracefully(own_sidecar):
    for how in (signal.SIGTERM, signal.SIGINT):
        sidecar = own_sidecar()
        sidecar.process.send_signal(how)
        assert sidecar.process.wait(20) == 0
    assert "dapr initialized. Status: Running. Init Elapsed" in sidecar.log()


def test_a_service_manager_hears_when_the_sidecar_is_ready_restarts_and_stops(own_sidecar, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        heard = lambda: manager.recv(256).decode().split("\n")[0]
        sidecar = own_sidecar(env={"NOTIFY_SOCKET": str(tmp_path / "notify")}, start=False)
        sidecar.start(wait=False)
        assert heard() == "READY=1"
        assert requests.get(sidecar.url + "/v1.0/healthz").status_code == 204
        sidecar.process.send_signal(signal.SIGHUP)
        assert [heard(), heard()] == ["RELOADING=1", "READY=1"]
        assert requests.get(sidecar.url + "/v1.0/healthz").status_code == 204
        sidecar.process.terminate()
        assert heard() == "STOPPING=1"
        assert sidecar.process.wait(20) == 0


def test_the_shutdown_api(own_sidecar):
    gentle = own_sidecar()
    assert requests.post(gentle.url + "/v1.0/shutdown").status_code == 204
    assert gentle.process.wait(20) == 0
    forced = own_sidecar()
    assert requests.post(forced.url + "/v1.0/shutdown", headers={"dapr-force-shutdown": "True"}).status_code == 204
    assert forced.process.wait(20) == 1


def test_a_port_in_use_is_named(own_sidecar):
    first = own_sidecar()
    second = own_sidecar(start=False)
    second.http_port = first.http_port
    second.start(wait=False)
    assert second.process.wait(20) == 1
    assert str(first.http_port) in second.log()


def test_api_token(own_sidecar):
    sidecar = own_sidecar(env={"DAPR_API_TOKEN": "secret"})
    refused = requests.get(sidecar.url + "/v1.0/state/mem/k")
    assert (refused.status_code, refused.text) == (401, "invalid api token\n")
    assert requests.get(sidecar.url + "/v1.0//healthz/../state/mem/k").status_code == 401
    assert requests.get(sidecar.url + "/v2/stores").status_code == 401
    assert requests.get(sidecar.url + "/v1.0/healthz").status_code == 204
    token = {"dapr-api-token": "secret"}
    assert requests.get(sidecar.url + "/v1.0/state/mem/k", headers=token).status_code == 204
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
        method = channel.unary_unary("/dapr.proto.runtime.v1.Dapr/GetMetadata")
        with pytest.raises(grpc.RpcError) as missing:
            method(b"", timeout=10)
        assert (missing.value.code(), missing.value.details()) == (grpc.StatusCode.UNAUTHENTICATED, "Unauthorized")
        assert method(b"", timeout=10, metadata=[("dapr-api-token", "secret")])
    assert "secret" not in sidecar.log()


def test_no_store_at_all_is_not_configured(own_sidecar):
    sidecar = own_sidecar(components=None)
    answer = requests.get(sidecar.url + "/v1.0/state/any/k")
    assert answer.status_code == 500
    assert answer.json()["errorCode"] == "ERR_STATE_STORE_NOT_CONFIGURED"
    assert answer.json()["message"] == "state store any is not configured"


def test_key_prefixes_and_scopes(own_sidecar):
    def component(name, strategy, scopes=""):
        return (f"apiVersion: dapr.io/v1\nkind: Component\nmetadata: {{name: {name}}}\nspec:\n  type: state.sqlite\n  version: v1\n"
                f"  metadata: [{{name: connectionString, value: '{{database}}'}}, {{name: keyPrefix, value: {strategy}}}]\n{scopes}---\n")

    text = "".join(component(f"s-{s}", s) for s in ("appid", "name", "namespace", "none", "MyTeam")) + component("hidden", "none", "scopes: [other]\n")
    sidecar = own_sidecar(components=text.replace("{{", "{{{{").replace("}}", "}}}}").replace("{{{{", "{{").replace("}}}}", "}}") if False else
                          text.replace("{name", "{{name").replace("},", "}},").replace("}]", "}}]").replace("}\nspec", "}}\nspec"),
                          env={"NAMESPACE": "prod"})
    for s in ("appid", "name", "namespace", "none", "MyTeam"):
        assert requests.post(f"{sidecar.url}/v1.0/state/s-{s}", json=[{"key": "k-" + s, "value": s}]).status_code == 204
        assert requests.get(f"{sidecar.url}/v1.0/state/s-{s}/k-{s}").json() == s
    assert requests.get(f"{sidecar.url}/v1.0/state/hidden/k").status_code == 400
    assert sidecar.stop() == 0
    import sqlite3
    keys = {row[0] for row in sqlite3.connect(sidecar.database).execute("select key from state")}
    assert keys == {"test||k-appid", "s-name||k-name", "prod.test||k-namespace", "k-none", "myteam||k-MyTeam"}


@pytest.mark.parametrize("spec, text", [
    ("{type: state.nope, version: v1}", "couldn't find state store state.nope/v1"),
    ("{type: state.sqlite, version: v9}", "couldn't find state store state.sqlite/v9"),
    ("{type: state.sqlite, version: v1}", "connectionString"),
    ("{type: state.in-memory, version: v1, metadata: [{name: primaryEncryptionKey, value: x}]}", "encryption"),
    ("{type: state.in-memory, version: v1, metadata: [{name: keyPrefix, value: 'a||b'}]}", "failed to save lock keyprefix"),
])
def test_a_broken_component_is_fatal_unless_it_may_be_left_out(own_sidecar, spec, text):
    document = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: bad}\nspec: " + spec + "\n"
    escaped = document.replace("{", "{{").replace("}", "}}")
    fatal = own_sidecar(components=escaped, start=False)
    fatal.start(wait=False)
    assert fatal.process.wait(20) == 1
    assert text in fatal.log() and "Fatal error from runtime" in fatal.log()
    lenient = own_sidecar(components=escaped.replace("version:", "ignoreErrors: true, version:") + COMPONENTS)
    assert requests.get(lenient.url + "/v1.0/state/bad/k").json()["errorCode"] == "ERR_STATE_STORE_NOT_FOUND"
    assert requests.get(lenient.url + "/v1.0/state/mem/k").status_code == 204


def test_healthz_waits_for_the_application(own_sidecar):
    port = free_port()
    sidecar = own_sidecar(args=["--app-port", str(port)])
    waiting = requests.get(sidecar.url + "/v1.0/healthz")
    assert (waiting.status_code, waiting.json()["message"]) == (500, "dapr is not ready: [runtime]")
    assert requests.get(sidecar.url + "/v1.0/state/mem/k").status_code == 204
    with socket.create_server(("127.0.0.1", port)):
        wait_until(lambda: requests.get(sidecar.url + "/v1.0/healthz").status_code == 204, "healthz to be ready")


def test_unix_sockets(own_sidecar, tmp_path):
    directory = tmp_path / "sockets"
    directory.mkdir()
    sidecar = own_sidecar(args=["--unix-domain-socket", str(directory)], start=False)
    sidecar.start(wait=False)
    path = directory / "dapr-test-http.socket"
    wait_until(path.exists, "the socket to appear")
    with socket.socket(socket.AF_UNIX) as s:
        wait_until(lambda: s.connect_ex(str(path)) == 0, "the socket to accept")
        s.sendall(b"GET /v1.0/healthz/outbound HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 204")
    with grpc.insecure_channel(f"unix:{directory}/dapr-test-grpc.socket") as channel:
        assert channel.unary_unary("/dapr.proto.runtime.v1.Dapr/GetMetadata")(b"", timeout=10)
    assert sidecar.stop() == 0
    assert not path.exists()


def test_a_stop_loses_no_accepted_request(own_sidecar):
    """Writers run while the sidecar is told to stop: what was answered 204 is there after a restart."""
    sidecar = own_sidecar()
    acknowledged, failed = [], []

    def write(worker):
        session = requests.Session()
        for i in range(100000):
            key = f"{worker}-{i}"
            try:
                answer = session.post(sidecar.url + "/v1.0/state/lite", json=[{"key": key, "value": key}], timeout=10)
            except requests.RequestException:
                return
            (acknowledged if answer.status_code == 204 else failed).append(key)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(acknowledged) > 200, "writes to be under way")
    assert sidecar.stop() == 0
    for thread in threads:
        thread.join()
    assert not failed
    sidecar.start()
    found = requests.post(sidecar.url + "/v1.0/state/lite/bulk", json={"keys": acknowledged}).json()
    assert [item["key"] for item in found if "data" not in item] == []


def test_serve_has_friendly_defaults(tmp_path):
    env = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    ports = []
    for _ in range(2):  # two on one host choose ports that are free
        log = open(tmp_path / "serve.log", "wb")
        process = subprocess.Popen([BINARY, "serve"], cwd=tmp_path, env=env, stdout=log, stderr=log)
        try:
            text = wait_until(lambda: (lambda t: t if "dapr initialized" in t else None)((tmp_path / "serve.log").read_text()), "serve to start")
            port = int(text.split("HTTP server is running on port ")[1].split('"')[0])
            url = f"http://127.0.0.1:{port}/v1.0/state/statestore"
            assert requests.post(url, json=[{"key": "k", "value": "v"}]).status_code == 204
            process.kill()
            process.wait()
            ports.append(port)
        finally:
            process.kill()
            process.wait()
    assert os.stat(tmp_path / "data/holdfast").st_mode & 0o777 == 0o700
    process = subprocess.Popen([BINARY, "serve", "--dapr-http-port", str(ports[0])], cwd=tmp_path, env=env, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: requests_ok(f"http://127.0.0.1:{ports[0]}/v1.0/state/statestore/k"), "the value after kill -9")
    finally:
        process.terminate()
        assert process.wait(20) == 0


def requests_ok(url):
    try:
        return requests.get(url, timeout=2).text == '"v"'
    except requests.ConnectionError:
        return False
