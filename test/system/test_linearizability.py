"""Histories of concurrent clients at Redis, PostgreSQL and etcd, through the sidecar, are linearizable: reads, saves and deletes with and
without etags, first-writes and transactions, also while the server cuts connections off. clients/linearizability records and decides them.

A few dozen short histories here; HOLDFAST_SOAK_SECONDS asks for as many as fit into so long.
"""
import json
import os
import shlex
import subprocess

import pytest
from conftest import REDIS, REPOSITORY, Sidecar
from servers import Gate

POSTGRESQL = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: pg}}
spec:
  type: state.postgresql
  version: VERSION
  metadata:
  - {{name: connectionString, value: "CONNECTION"}}
  - {{name: tablePrefix, value: "linearizable_VERSION_"}}
"""

ETCD = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: etcd}}
spec:
  type: state.etcd
  version: VERSION
  metadata:
  - {{name: endpoints, value: "127.0.0.1:PORT"}}
  - {{name: keyPrefixPath, value: "/linearizable-VERSION"}}
"""

CLIENT = REPOSITORY / ".cache/clients/linearizability/client"


def run_client(*arguments, timeout=600):
    if not (CLIENT.parent / "made-for").exists():
        log = CLIENT.parent.with_suffix(".log")
        told = log.read_text()[-2000:] if log.exists() else "it was never tried; run tools/dev clients"
        pytest.fail(f"the program in test/system/clients/linearizability is not built: {told}", pytrace=False)
    done = subprocess.run([CLIENT, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False)
    return done.returncode, done.stdout, done.stderr


def record(components, store, directory, *arguments, timeout=600):
    with Sidecar(directory, components=components, args=["--loops", "2"]) as sidecar:
        code, out, err = run_client(*arguments, f"{sidecar.url}/v1.0/state/{store}", timeout=timeout)
        return code, out, f"{out[-100_000:]}\n{err}\n{sidecar.log()[-5000:]}"


def redis_component(redis, fields=""):
    return REDIS.removeprefix("---\n").replace("PORT", str(redis.port)) + fields


def expect_linearizable(components, store, directory, *arguments):
    seconds = float(os.environ.get("HOLDFAST_SOAK_SECONDS", "0"))
    code, out, told = record(components, store, directory, *arguments, "-runs", 40, "-seconds", seconds, timeout=600 + 2 * seconds)
    assert code == 0, told
    summary = json.loads(out.splitlines()[-1])
    print(summary)
    assert summary["runs"] >= 40 and summary["operations"] > 300 * summary["runs"]
    assert summary["refused"] > 0, "clients have to get in each other's way"
    assert 0 < summary["unknown"], "connections have to be lost"
    assert summary["setAside"] <= summary["runs"] / 10


def test_redis_is_linearizable(redis, tmp_path):
    expect_linearizable(redis_component(redis), "red", tmp_path, "-redis", f"127.0.0.1:{redis.port}")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_postgresql_is_linearizable(postgresql, tmp_path, version):
    component = POSTGRESQL.replace("VERSION", version).replace("CONNECTION", postgresql.connection_string())
    ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'"
    superuser = postgresql.connection_string(user="postgres", password="postgres-password")
    expect_linearizable(component, "pg", tmp_path, "-cut", f"{shlex.quote(postgresql.programs)}/psql -qAt -c {shlex.quote(ends)} {shlex.quote(superuser)}")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_etcd_is_linearizable(etcd, tmp_path, version):
    with Gate(etcd.port) as gate:
        component = ETCD.replace("VERSION", version).replace("PORT", str(gate.port))
        expect_linearizable(component, "etcd", tmp_path, "-cut", gate.cut)


def test_what_is_not_linearizable_is_found(redis, tmp_path):
    """With daprLenient an etag is not checked where there is no record, as in Dapr: a save whose version has gone is done."""
    code, out, told = record(redis_component(redis, '  - {{name: daprLenient, value: "true"}}\n'), "red", tmp_path, "-runs", 200)
    assert code == 1 and "the history is not linearizable" in out.splitlines()[-1], told


def history(*operations):
    """Of two clients; each operation is (client, call, return, what the store was asked and did)."""
    return json.dumps([{"client": client, "call": call, "return": end, "outcome": "done", **what} for client, call, end, what in operations])


def save(key, value, when=0, outcome="done"):
    return {"kind": "set", "writes": [{"kind": "set", "key": key, "value": value, "when": when}], "outcome": outcome}


def got(key, value):
    return {"kind": "get", "key": key, "read": value}


def both(first, second):
    return {"kind": "transaction", "writes": [{"kind": "set", "key": 0, "value": first}, {"kind": "set", "key": 1, "value": second}]}


@pytest.mark.parametrize("text, verdict", [
    (history((0, 0, 1, save(0, 1)), (1, 2, 3, got(0, 1))), True),
    (history((0, 0, 1, save(0, 1)), (1, 2, 3, got(0, 0))), False),  # a stale read
    (history((0, 0, 9, save(0, 1)), (1, 1, 2, got(0, 1)), (1, 3, 4, got(0, 0))), False),  # seen, and then not
    (history((0, 0, 1, save(0, 1)), (0, 2, 5, save(0, 2, when=1)), (1, 3, 4, save(0, 3, when=1))), False),  # two winners
    (history((0, 0, 1, save(0, 1)), (1, 2, 3, save(0, 2, when=1, outcome="refused"))), False),  # refused for no reason
    (history((0, 0, 1, save(0, 1, when=-1)), (1, 2, 3, save(0, 2, when=-1, outcome="refused"))), True),
    (history((0, 0, 9, both(1, 2)), (1, 1, 2, got(0, 1)), (1, 3, 4, got(1, 0))), False),  # half a transaction
    (history((0, 0, 1, save(0, 1)), (0, 2, 3, save(0, 2, outcome="unknown")), (1, 4, 5, got(0, 1)), (1, 6, 7, got(0, 2))), True),  # late
    (history((0, 0, 1, save(0, 1, outcome="unknown")), (1, 2, 3, got(0, 0))), True),  # never done
    (history((0, 0, 1, save(0, 1, outcome="unknown")), (0, 2, 3, save(0, 2)), (1, 4, 5, got(0, 1)), (1, 6, 7, got(0, 2))), False),
])
def test_the_checker_tells_good_histories_from_bad_ones(tmp_path, text, verdict):
    (tmp_path / "history").write_text(text + "\n")
    code, out, err = run_client("-check", tmp_path / "history")
    assert (code == 0) == verdict and code < 2, out + err
