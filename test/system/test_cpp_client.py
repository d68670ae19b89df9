"""The C++ client of clients/cpp against the sidecar: its tests in both forms on every store, its examples, its README.

tools/dev builds the programs into build/cpp-client; a test program asks for what happens to its sidecar with lines that
begin with @, and goes on when a line tells it that it was done.
"""
import os
import re
import subprocess
import threading

import pytest
import requests
from certificates import Authority
from conftest import REDIS, REPOSITORY, Sidecar, redis_or_none, wait_until
from test_isolation import component
from test_python_client import Gate
from test_sessions import Pair
from test_tls import TlsSidecar
from test_watch import LOGGED

PACKAGE = REPOSITORY / "clients/cpp"
BUILD = REPOSITORY / "build/cpp-client"
ENDS_WITHIN = 300


def program(path):
    file = BUILD / path
    assert file.exists(), f"{file} is not there: `tools/dev client-cpp` builds it, and says why if it cannot"
    return file


def environment(**variables):
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("DAPR_", "HOLDFAST_"))}
    return {**ours, **variables}


def run(path, *arguments, asks=None, **variables):
    """What the program prints; it has to succeed."""
    process = subprocess.Popen([program(path), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, env=environment(**variables))
    stop = threading.Timer(ENDS_WITHIN, process.kill)
    stop.start()
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("@"):
                asks[line[1:].strip()]()
                process.stdin.write("done\n")
                process.stdin.flush()
    finally:
        if lines and lines[-1].startswith("@"):
            process.kill()  # what it asked for was not to be had
        process.stdin.close()
        code = process.wait()
        stop.cancel()
    assert code == 0, "".join(lines)
    return "".join(lines)


def run_tests(pattern, **options):
    printed = run("tests/system_test", f"--gtest_filter={pattern}", **options)
    assert int(re.search(r"\[==========\] (\d+) tests? from .* ran", printed)[1]) > 0, printed
    return printed


@pytest.fixture(scope="module")
def sidecar(request, tmp_path_factory):
    server = redis_or_none(request)
    components = LOGGED + component("isolated", "state.in-memory", {"isolation": "required"}).replace("{", "{{").replace("}", "}}")
    components += REDIS.replace("PORT", str(server.port)) if server else ""
    with Sidecar(tmp_path_factory.mktemp("cpp"), components=components) as running:
        yield running
        assert running.stop() == 0, running.log()


@pytest.fixture
def place(sidecar, store):
    """The module's sidecar, a gate in front of it, and what can be asked for."""
    gate = Gate(sidecar.grpc_port)

    def cut(what):
        gate.cut = what

    def is_cut():
        assert gate.cut is None, "nothing went through the gate to be lost"

    stores = requests.get(f"{sidecar.url}/v2/stores").json()["stores"]
    can = next(one for one in stores if one["name"] == store)["capabilities"]
    yield {"TEST_ADDRESS": f"127.0.0.1:{sidecar.grpc_port}", "TEST_GATE": f"127.0.0.1:{gate.port}", "TEST_STORE": store,
           "TEST_ISOLATED": "isolated", "TEST_WATCH": "yes" if can["watch"] else "no", "TEST_RESUME": "yes" if can["watchResume"] else "no",
           "asks": {"cut request": lambda: cut("request"), "cut answer": lambda: cut("answer"), "is cut": is_cut}}
    gate.close()


def test_what_is_pure():
    run("tests/unit_test")


def test_every_verb_in_both_forms(place, own_sidecar):
    guarded = own_sidecar(env={"DAPR_API_TOKEN": "s3cret"})
    assert "SKIPPED" not in run_tests("Verbs*:Coroutines*", TEST_GUARDED=f"127.0.0.1:{guarded.grpc_port}", **place)


def test_lost_connections(place):
    run_tests("Failures*", **place)


def test_watches(place):
    printed = run_tests("Watches*:AwaitedWatches*:BlockingWatches*", **place)
    assert ("SKIPPED" in printed) == (place["TEST_WATCH"] == "no"), printed


def test_a_sidecar_that_starts_again(own_sidecar):
    sidecar = own_sidecar(components=LOGGED)
    starting = []

    def restart_soon():
        sidecar.kill()
        starting.append(threading.Thread(target=sidecar.start))
        starting[-1].start()

    def is_ready():
        starting.pop().join()

    def restart():
        restart_soon()
        is_ready()

    run_tests("Restarts*:WatchRestarts*", TEST_MORTAL=f"127.0.0.1:{sidecar.grpc_port}",
              asks={"restart soon": restart_soon, "restart": restart, "is ready": is_ready})


def test_sockets_and_tls(own_sidecar, tmp_path):
    sockets = tmp_path / "sockets"
    sockets.mkdir()
    own_sidecar(args=["--unix-domain-socket", str(sockets)], start=False).start(wait=False)
    socket = sockets / "dapr-test-grpc.socket"
    wait_until(socket.exists, "the socket")
    authority = Authority(tmp_path / "authority")
    with TlsSidecar(tmp_path, authority) as encrypted:
        run_tests("Places*", TEST_SOCKET=str(socket), TEST_TLS=f"https://localhost:{encrypted.grpc_port}", TEST_CA=str(authority.certificate))
        assert encrypted.stop() == 0, encrypted.log()


@pytest.mark.usefixtures("redis")  # skips, and says why, where there is no server
def test_sessions_hold_at_another_sidecar_while_the_replica_is_behind(tmp_path):
    pair = Pair(tmp_path)

    def stand_still():
        pair.catch_up()
        pair.replica.command("REPLICAOF", "127.0.0.1", "1")  # nobody is there: it keeps its data and its history

    first, second = (f"127.0.0.1:{sidecar.grpc_port}" for sidecar in pair.sidecars)
    try:
        run_tests("Sessions*", TEST_FIRST=first, TEST_SECOND=second, asks={"replica stands still": stand_still, "replica follows": pair.link})
    finally:
        pair.stop()


STATESTORE = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: statestore}}\nspec: {{type: state.in-memory, version: v1}}\n"


@pytest.mark.parametrize("built", ["examples", "within"], ids=["installed", "within_another_project"])
def test_the_examples_run(own_sidecar, built):
    sidecar = own_sidecar(components=STATESTORE)
    printed = run(f"{built}/tour", DAPR_GRPC_PORT=str(sidecar.grpc_port))
    assert re.sub(r'"\d+"', "ETAG", printed).splitlines() == [
        '{"total":12.5} test ETAG', "changed meanwhile; now it is ETAG", "1", 'orders/17 {"total":13,"paid":true}', "orders/18 paid"]
    sold = run(f"{built}/orders", DAPR_GRPC_PORT=str(sidecar.grpc_port)).splitlines()
    assert "pen: 3 sold, 2 left" in sold and "ink: 3 sold, 0 left" in sold and sold[-1] == "deleted 9 records of orders", sold  # two are the tour's


def test_the_readme_shows_the_tour_as_it_is():
    assert (PACKAGE / "examples/tour.cc").read_text() in (PACKAGE / "README.md").read_text()


def test_gcc_takes_the_public_headers(tmp_path):
    """Those that were installed, without gRPC's beside them."""
    for example in ("tour", "orders"):
        done = subprocess.run(["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", BUILD / "prefix/include",
                               PACKAGE / f"examples/{example}.cc"], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
