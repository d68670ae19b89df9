"""holdfast state: what a person at a shell sees."""
import json
import os
import sqlite3
import subprocess

import pytest

from conftest import BINARY, Sidecar, free_port, redis_or_none
import test_isolation


def holdfast(sidecar, *args, stdin=None, env=None):
    done = subprocess.run([BINARY, "state", *args], capture_output=True, input=stdin, timeout=30,
                          env={**os.environ, "DAPR_HTTP_PORT": str(sidecar.http_port), **(env or {})})
    return done.returncode, done.stdout, done.stderr.decode()


def test_put_get_ls_delete(sidecar, store, key):
    assert holdfast(sidecar, "put", store, key, '{"a":1}', "--type", "application/json")[0] == 0
    code, out, _ = holdfast(sidecar, "get", store, key)
    assert (code, json.loads(out)) == (0, {"a": 1})
    record = json.loads(holdfast(sidecar, "get", store, key, "--record", "--json")[1])
    assert record["id"] == key and record["createdBy"] == "test"
    assert key.encode() in holdfast(sidecar, "ls", store, key)[1]
    listed = holdfast(sidecar, "ls", store, key, "--json", "--values")[1].decode()
    assert key in listed and '"a":1' in listed.replace(" ", "")
    assert holdfast(sidecar, "delete", store, key)[0] == 0
    code, _, err = holdfast(sidecar, "get", store, key)
    assert code == 3 and err


def test_values_come_from_standard_input(sidecar, store, key):
    assert holdfast(sidecar, "put", store, key, "-", stdin=b"\x00\xffbytes")[0] == 0
    assert holdfast(sidecar, "get", store, key)[1].startswith(b"\x00\xffbytes")


def test_conditions_and_ttl(sidecar, store, key):
    assert holdfast(sidecar, "put", store, key, "1", "--if-absent", "--ttl", "1h")[0] == 0
    code, _, err = holdfast(sidecar, "put", store, key, "2", "--if-absent")
    assert code == 1 and "412" in err or "expected" in err
    etag = json.loads(holdfast(sidecar, "get", store, key, "--record", "--json")[1])["etag"]
    assert holdfast(sidecar, "put", store, key, "3", "--if-match", etag)[0] == 0
    assert holdfast(sidecar, "delete", store, key, "--if-match", etag)[0] == 1


def test_a_long_listing_follows_its_cursors(sidecar, key):
    import requests
    items = [{"key": f"{key}/{i:04}", "value": i} for i in range(1203)]
    assert requests.post(f"{sidecar.url}/v1.0/state/mem", json=items).status_code == 204
    lines = holdfast(sidecar, "ls", "mem", key)[1].decode().split()
    assert sum(1 for word in lines if word.startswith(key + "/")) == 1203


def test_changes_in_place_transactions_and_clearing(sidecar, store, key):
    assert holdfast(sidecar, "patch", store, f"{key}/n", "--as", "increment", "5")[:2] == (0, b"5\n")
    assert holdfast(sidecar, "patch", store, f"{key}/n", "--as", "increment", '{"by":2,"max":6}')[0] == 1
    holdfast(sidecar, "put", store, f"{key}/doc", '{"a":1,"b":2}')
    assert holdfast(sidecar, "patch", store, f"{key}/doc", "-", stdin=b'{"a":null}')[1].startswith(b"changed ")
    assert json.loads(holdfast(sidecar, "get", store, f"{key}/doc")[1]) == {"b": 2}
    operations = [{"op": "check", "key": f"{key}/doc", "ifMatch": "*"}, {"op": "put", "key": f"{key}/new", "value": 1}]
    code, out, err = holdfast(sidecar, "txn", store, json.dumps(operations))
    assert (code, out.decode().split()[0::3][:1]) == (0, ["checked"]) and f"created  {key}/new" in out.decode(), err
    operations.append({"op": "put", "key": f"{key}/x", "value": 1, "ifMatch": '"0"'})
    code, _, err = holdfast(sidecar, "txn", store, "-", stdin=json.dumps(operations).encode())
    assert code == 1 and "409" in err
    assert holdfast(sidecar, "clear", store)[0] == 2
    assert holdfast(sidecar, "clear", store, f"{key}/") == (0, b"3 deleted\n", "")
    assert holdfast(sidecar, "ls", store, f"{key}/")[1] == b""


def test_info_shows_stores_and_what_they_can_do(sidecar, store):
    code, out, _ = holdfast(sidecar, "info")
    line = next(line for line in out.decode().splitlines() if line.split()[0] == store)
    assert code == 0 and line.split()[-1] == "up"
    assert "etag                    yes" in holdfast(sidecar, "info", store)[1].decode()
    assert json.loads(holdfast(sidecar, "info", store, "--json")[1])["health"] == "up"
    assert holdfast(sidecar, "info", "nowhere")[0] == 3


def test_backup_is_a_database_of_its_own(sidecar, key, tmp_path):
    assert holdfast(sidecar, "put", "lite", key, "saved")[0] == 0
    copy = tmp_path / "copy.db"
    code, _, err = holdfast(sidecar, "backup", "lite", str(copy), "--resources-path", str(sidecar.resources))
    assert code == 0, err
    assert sqlite3.connect(copy).execute("select count(*) from state where key like ?", ("%" + key,)).fetchone() == (1,)
    assert holdfast(sidecar, "backup", "lite", str(copy), "--resources-path", str(sidecar.resources))[0] == 1, "it overwrites nothing"


@pytest.mark.parametrize("args, code", [(["frob"], 2), (["get"], 2), (["get", "mem", "k", "--nope"], 2), (["get", "nope", "k"], 3)])
def test_mistakes(sidecar, args, code):
    got, _, err = holdfast(sidecar, *args)
    assert got == code and err


def test_no_sidecar_there(sidecar):
    code, _, err = holdfast(sidecar, "get", "mem", "k", env={"DAPR_HTTP_PORT": str(free_port())})
    assert code == 1 and "127.0.0.1" in err


@pytest.fixture(scope="module")
def isolated(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("isolated")
    components = test_isolation.components(directory, redis_or_none(request))
    with Sidecar(directory, components=components) as running:
        yield running


def test_every_verb_keeps_to_its_isolation_key(isolated, store, key):
    store = f"{store}-optional"

    def state(tenant, *args, **more):
        return holdfast(isolated, *args, *(("--isolation", tenant) if tenant else ()), **more)

    tenants = (None, "K", "L")
    for tenant in tenants:
        assert state(tenant, "put", store, f"{key}/a", json.dumps({"of": tenant}))[0] == 0
        assert state(tenant, "patch", store, f"{key}/n", "--as", "increment", "1")[:2] == (0, b"1\n")
        operations = json.dumps([{"op": "check", "key": f"{key}/n", "ifMatch": "*"},
                                 {"op": "put", "key": f"{key}/t", "value": tenant, "ifNoneMatch": "*"}])
        assert state(tenant, "txn", store, operations)[0] == 0
    for tenant in tenants:
        assert json.loads(state(tenant, "get", store, f"{key}/a")[1]) == {"of": tenant}
        record = json.loads(state(tenant, "get", store, f"{key}/t", "--json")[1])
        assert (record["value"], record["isolationKey"]) == (tenant, tenant)
        assert sorted(state(tenant, "ls", store, key)[1].decode().split()) == [f"{key}/{end}" for end in "ant"]
    assert state("K", "delete", store, f"{key}/a")[0] == 0
    assert state("L", "clear", store, key) == (0, b"3 deleted\n", "")
    assert [state(tenant, "get", store, f"{key}/a")[0] for tenant in tenants] == [0, 3, 3]
    assert [len(state(tenant, "ls", store, key)[1].split()) for tenant in tenants] == [3, 2, 0]


def test_what_isolation_does_not_allow_is_said(isolated, store, key):
    code, _, err = holdfast(isolated, "get", f"{store}-required", key)
    assert code == 1 and "isolation" in err
    code, _, err = holdfast(isolated, "put", f"{store}-off", key, "1", "--isolation", "K")
    assert code == 1 and "isolation" in err
    assert holdfast(isolated, "ls", f"{store}-required", "--isolation", "K") == (0, b"", "")
    assert holdfast(isolated, "ls", f"{store}-required", "--isolation", "a b")[0] == 2
