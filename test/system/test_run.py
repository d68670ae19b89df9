"""holdfast run, --wait, the public port, and what launchers rely on."""
import contextlib
import os
import re
import signal
import subprocess
import sys

import pytest
import requests

from conftest import BINARY, free_port, wait_until


def run(directory, *command, flags=(), env=None, **settings):
    env = {**os.environ, "HOME": str(directory), "XDG_DATA_HOME": str(directory / "data"), **(env or {})}
    return subprocess.Popen([BINARY, "run", *flags, "--", *command], cwd=directory, env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **settings)


SAVE_AND_GET = """
import os, urllib.request as r
base = "http://127.0.0.1:%s/v1.0/state/statestore" % os.environ["DAPR_HTTP_PORT"]
r.urlopen(r.Request(base, data=b'[{"key":"k","value":"from the app"}]', method="POST"))
print(r.urlopen(base + "/k").read().decode(), os.environ["DAPR_GRPC_PORT"].isdigit(), os.environ["APP_ID"])
"""


def test_an_application_runs_beside_the_sidecar_and_both_end_together(tmp_path):
    done = run(tmp_path, sys.executable, "-c", SAVE_AND_GET, flags=["--app-id", "orders"])
    output, _ = done.communicate(timeout=60)
    assert done.returncode == 0, output
    assert '== APP == "from the app" True orders' in output
    assert "== HOLDFAST == time=" in output and "the application has ended with code 0" in output


@pytest.mark.parametrize("code, expected", [("exit 3", 3), ("kill -9 $$", 137)])
def test_the_exit_code_is_the_applications(tmp_path, code, expected):
    done = run(tmp_path, "sh", "-c", code)
    output, _ = done.communicate(timeout=60)
    assert done.returncode == expected, output


def test_a_command_that_is_not_there_is_said(tmp_path):
    done = run(tmp_path, "/no/such/program")
    output, _ = done.communicate(timeout=60)
    assert done.returncode == 1 and "cannot start /no/such/program" in output


def test_without_a_command_it_says_how(tmp_path):
    done = subprocess.run([BINARY, "run"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "holdfast run -- python3 app.py" in done.stderr


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_application_ends_with_the_sidecar(tmp_path, how):
    done = run(tmp_path, "sh", "-c", "echo pid $$; tail -f /dev/null & echo started; wait")
    lines = []
    while not any("== APP == started" in line for line in lines):
        lines.append(done.stdout.readline())
    pid = int(re.search(r"== APP == pid (\d+)", "".join(lines)).group(1))
    try:
        done.send_signal(how)
        assert done.wait(30) == (0 if how != signal.SIGKILL else -9)
        wait_until(lambda: not alive(pid), "the application to be gone")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # after kill -9 its children are the test's to end


def test_two_on_one_host_choose_their_own_ports(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    waiting = "echo port $DAPR_HTTP_PORT $DAPR_GRPC_PORT; exec tail -f /dev/null"
    both = [run(tmp_path / name, "sh", "-c", waiting) for name in ("a", "b")]
    ports = set()
    for one in both:
        while not (match := re.search(r"== APP == port (\d+) (\d+)", one.stdout.readline())):
            assert one.poll() is None
        ports.update(match.groups())
        assert requests.get(f"http://127.0.0.1:{match.group(1)}/v1.0/healthz").status_code == 204
    assert len(ports) == 4
    for one in both:
        one.terminate()
        assert one.wait(30) == 0


def test_wait_returns_when_a_sidecar_is_there(own_sidecar):
    sidecar = own_sidecar(start=False)
    waiting = subprocess.Popen([BINARY, "--wait", "--dapr-http-port", str(sidecar.http_port)])
    sidecar.start()
    assert waiting.wait(30) == 0


def test_the_public_port_shows_health_and_metadata_only_and_to_everyone(own_sidecar):
    port = free_port()
    sidecar = own_sidecar(args=["--dapr-public-port", str(port), "--dapr-public-listen-address", "127.0.0.1"], env={"DAPR_API_TOKEN": "t"})
    public = f"http://127.0.0.1:{port}"
    assert requests.get(public + "/v1.0/healthz").status_code == 204
    assert requests.get(public + "/v1.0/healthz/outbound").status_code == 204
    assert requests.get(public + "/v1.0/metadata").json()["id"] == "test"
    assert requests.get(public + "/v1.0/state/mem/k", headers={"dapr-api-token": "t"}).status_code == 404
    assert requests.put(public + "/v1.0/metadata/k", data="v").status_code == 404
    assert requests.post(public + "/v1.0/shutdown").status_code == 404
    assert requests.get(sidecar.url + "/v1.0/metadata").status_code == 401


# Every flag of daprd at once, as its launchers and its own integration tests give them.
def every_flag(directory, ports):
    return [
        "--app-id=all", "-mode", "standalone", f"--resources-path={directory}", f"--components-path={directory}",
        f"--dapr-http-port={ports[0]}", f"--dapr-grpc-port={ports[1]}", f"--dapr-internal-grpc-port={ports[2]}",
        "--dapr-internal-grpc-listen-address=127.0.0.1", "--dapr-listen-addresses=127.0.0.1", f"--dapr-public-port={ports[3]}",
        "--dapr-public-listen-address=127.0.0.1", f"--metrics-port={ports[4]}", "--metrics-listen-address=127.0.0.1", "--enable-metrics=true",
        "--enable-profiling", f"--profile-port={ports[5]}", "--profile-listen-address=127.0.0.1", "--max-body-size=4Mi",
        "--dapr-http-max-request-size=4", "--read-buffer-size=4Ki", "--dapr-http-read-buffer-size=4", "--log-level=debug",
        "--log-as-json=false", "--enable-api-logging=true", "--dapr-graceful-shutdown-seconds=2", "--dapr-block-shutdown-duration=10ms",
        "--allowed-origins=*", "--app-port=0", "--app-protocol=http", "--app-max-concurrency=-1", "--app-channel-address=127.0.0.1",
        "--app-ssl=false", "--enable-app-health-check", "--app-health-check-path=/healthz", "--app-health-probe-interval=5",
        "--app-health-probe-timeout=500", "--app-health-threshold=3", "--enable-mtls=false", "--sentry-address=localhost:50001",
        "--control-plane-address=", "--control-plane-trust-domain=localhost", "--control-plane-namespace=dapr-system",
        "--placement-host-address=localhost:50005", "--scheduler-host-address=localhost:50006", "--scheduler-job-streams=3",
        "--actors-service=", "--reminders-service=", "--actors-disseminate-timeout=5s", "--hot-reload-reconcile-interval=60s",
        "--app-binding-options-timeout=30s", "--disable-builtin-k8s-secret-store=false", "--disable-init-endpoints=",
        "--sentry-request-jwt-audiences=",
    ]


def test_every_flag_of_daprd_at_once(tmp_path):
    ports = [free_port() for _ in range(6)]
    components = tmp_path / "components"
    components.mkdir()
    (components / "s.yaml").write_text("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: mem}\nspec: {type: state.in-memory, version: v1}\n")
    config = tmp_path / "config.yaml"
    config.write_text("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\nspec: {tracing: {samplingRate: '0'}}\n")
    log = open(tmp_path / "log", "w+")
    process = subprocess.Popen([BINARY, *every_flag(components, ports), "--config", str(config)], stdout=log, stderr=log,
                               env={k: v for k, v in os.environ.items() if k != "DAPR_API_TOKEN"})
    url = f"http://127.0.0.1:{ports[0]}"

    def text():
        return (tmp_path / "log").read_text()

    wait_until(lambda: "dapr initialized. Status: Running. Init Elapsed" in text() or process.poll() is not None, "the start line")
    assert process.poll() is None, text()
    assert requests.post(url + "/v1.0/state/mem", json=[{"key": "k", "value": 1}]).status_code == 204
    assert requests.get(url + "/v1.0/state/mem/k").text == "1"
    health = requests.get(url + "/v1.0/metadata").json()["appConnectionProperties"]["health"]
    assert health == {"healthCheckPath": "/healthz", "healthProbeInterval": "5s", "healthProbeTimeout": "500ms", "healthThreshold": 3}
    for flag in ("placement-host-address", "enable-profiling", "sentry-address"):
        assert text().count(f"flag --{flag} has no effect") == 1
    assert requests.post(url + "/v1.0/shutdown").status_code == 204
    assert process.wait(20) == 0, text()
