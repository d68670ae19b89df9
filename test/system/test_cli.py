"""holdfast state: what a person at a shell sees, of a running sidecar and of the component files that it runs on."""
import functools
import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from conftest import BINARY, REPOSITORY, Sidecar, free_port, redis_or_none, wait_until
import test_isolation
from test_watch import LOGGED


def holdfast(sidecar, *args, stdin=None, env=None):
    done = subprocess.run([BINARY, "state", *args], capture_output=True, input=stdin, timeout=30,
                          env={**os.environ, "DAPR_HTTP_PORT": str(sidecar.http_port), **(env or {})})
    return done.returncode, done.stdout, done.stderr.decode()


class State:
    """`holdfast state` with the sidecar's address, or with its component files."""

    def __init__(self, sidecar, how, store):
        self.sidecar, self.store = sidecar, store
        self.more = ("--resources-path", str(sidecar.resources), "--app-id", sidecar.app_id) if how == "files" else ()

    def __call__(self, *args, **more):
        return holdfast(self.sidecar, *args, *self.more, **more)


# The sidecar is there in either case: opening its files disturbs it as little as it disturbs who opens them.
PLACES = [("sidecar", "mem"), ("sidecar", "lite"), ("sidecar", "red"), ("files", "lite"), ("files", "red")]


@pytest.fixture(params=PLACES, ids="-".join)
def place(request):
    if request.param[1] == "red":
        request.getfixturevalue("redis")  # skips, and says why, where there is no server
    return request.param


@pytest.fixture
def state(sidecar, place):
    return State(sidecar, *place)


def test_put_get_ls_delete(state, key):
    assert state("put", state.store, key, '{"a":1}', "--type", "application/json")[0] == 0
    code, out, _ = state("get", state.store, key)
    assert (code, json.loads(out)) == (0, {"a": 1})
    record = json.loads(state("get", state.store, key, "--record", "--json")[1])
    assert record["id"] == key and record["createdBy"] == "test"
    assert key.encode() in state("ls", state.store, key)[1]
    listed = state("ls", state.store, key, "--json", "--values")[1].decode()
    assert key in listed and '"a":1' in listed.replace(" ", "")
    assert state("delete", state.store, key)[0] == 0
    code, _, err = state("get", state.store, key)
    assert code == 3 and err


def test_values_come_from_standard_input(state, key):
    assert state("put", state.store, key, "-", stdin=b"\x00\xffbytes")[0] == 0
    assert state("get", state.store, key)[1].startswith(b"\x00\xffbytes")


def test_conditions_and_ttl(state, key):
    assert state("put", state.store, key, "1", "--if-absent", "--ttl", "1h")[0] == 0
    code, _, err = state("put", state.store, key, "2", "--if-absent")
    assert code == 1 and "412" in err or "expected" in err
    etag = json.loads(state("get", state.store, key, "--record", "--json")[1])["etag"]
    assert state("put", state.store, key, "3", "--if-match", etag)[0] == 0
    assert state("delete", state.store, key, "--if-match", etag)[0] == 1


def test_a_long_listing_follows_its_cursors(state, key):
    items = [{"key": f"{key}/{i:04}", "value": i} for i in range(1203)]
    assert requests.post(f"{state.sidecar.url}/v1.0/state/{state.store}", json=items).status_code == 204
    lines = state("ls", state.store, key)[1].decode().split()
    assert sum(1 for word in lines if word.startswith(key + "/")) == 1203


def test_changes_in_place_transactions_and_clearing(state, key):
    assert state("patch", state.store, f"{key}/n", "--as", "increment", "5")[:2] == (0, b"5\n")
    assert state("patch", state.store, f"{key}/n", "--as", "increment", '{"by":2,"max":6}')[0] == 1
    state("put", state.store, f"{key}/doc", '{"a":1,"b":2}')
    assert state("patch", state.store, f"{key}/doc", "-", stdin=b'{"a":null}')[1].startswith(b"changed ")
    assert json.loads(state("get", state.store, f"{key}/doc")[1]) == {"b": 2}
    operations = [{"op": "check", "key": f"{key}/doc", "ifMatch": "*"}, {"op": "put", "key": f"{key}/new", "value": 1}]
    code, out, err = state("txn", state.store, json.dumps(operations))
    assert (code, out.decode().split()[0::3][:1]) == (0, ["checked"]) and f"created  {key}/new" in out.decode(), err
    operations.append({"op": "put", "key": f"{key}/x", "value": 1, "ifMatch": '"0"'})
    code, _, err = state("txn", state.store, "-", stdin=json.dumps(operations).encode())
    assert code == 1 and "409" in err
    assert state("clear", state.store)[0] == 2
    assert state("clear", state.store, f"{key}/") == (0, b"3 deleted\n", "")
    assert state("ls", state.store, f"{key}/")[1] == b""


def test_info_shows_stores_and_what_they_can_do(state):
    code, out, _ = state("info")
    line = next(line for line in out.decode().splitlines() if line.split()[0] == state.store)
    assert code == 0 and line.split()[-1] == "up"
    assert "etag                    yes" in state("info", state.store)[1].decode()
    assert json.loads(state("info", state.store, "--json")[1])["health"] == "up"
    assert state("info", "nowhere")[0] == 3


class Watch:
    """`holdfast state watch` at work: the lines it has printed so far, and its standard error once it has ended."""

    def __init__(self, sidecar, *args):
        self.process = subprocess.Popen([BINARY, "state", "watch", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "DAPR_HTTP_PORT": str(sidecar.http_port)})
        self.lines = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")))
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.reader.join()
        self.process.communicate()

    def until(self, count):
        """At least so many lines."""
        wait_until(lambda: len(self.lines) >= count or self.process.poll() is not None, f"{count} lines")
        assert len(self.lines) >= count, self.process.stderr.read()
        return self.lines

    def end(self, signal_=signal.SIGINT):
        self.process.send_signal(signal_)
        self.reader.join()
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, err


def test_watch_shows_events_and_goes_on_in_the_next_run(sidecar, key):
    put = functools.partial(holdfast, sidecar, "put", "mem")
    with Watch(sidecar, "mem", key, "--values") as watch:
        assert watch.until(1) == ["ready\n"]
        put(f"{key}\n1", '{"a": 1}')
        holdfast(sidecar, "delete", "mem", f"{key}\n1")
        put(f"{key}2", "x", "--ttl", "1s")
        lines = watch.until(5)
        assert re.sub(r'"\d+"', "ETAG", lines[1]) == f'put     {key}\\x0a1 ETAG\t{{"a":1}}\n'
        assert lines[2] == f"delete  {key}\\x0a1\n" and lines[3].endswith("\tx\n") and lines[4] == f"expire  {key}2\n"
        code, err = watch.end()
        assert code == 0
    after = re.search(r"--after (\S+) goes on from here", err)[1]
    put(f"{key}3", "1")
    with Watch(sidecar, "mem", key, "--json", "--after", after) as watch, Watch(sidecar, "mem", "--key", f"{key}5") as one:
        ready, missed = map(json.loads, watch.until(2))
        etag = json.loads(holdfast(sidecar, "get", "mem", f"{key}3", "--json")[1])["etag"]
        assert ready == {"event": "ready", "resume": after}
        assert missed == {"event": "put", "key": f"{key}3", "etag": etag, "resume": missed["resume"]}
        one.until(1)
        put(f"{key}4", "1")
        put(f"{key}5", "1")
        assert one.until(2)[1].startswith(f"put     {key}5 ") and json.loads(watch.until(4)[3])["key"] == f"{key}5"
        assert watch.end(signal.SIGTERM)[0] == 0


def test_watch_goes_on_when_the_sidecar_starts_again(own_sidecar):
    sidecar = own_sidecar(components=LOGGED)
    with Watch(sidecar, "lite", "--json") as logged, Watch(sidecar, "mem") as lost:
        logged.until(1), lost.until(1)
        holdfast(sidecar, "put", "lite", "a1", "1")
        logged.until(2)
        assert sidecar.stop() == 0
        sidecar.start()
        holdfast(sidecar, "put", "lite", "a2", "1")
        assert [json.loads(line)["key"] for line in logged.until(3)[1:]] == ["a1", "a2"]
        assert lost.until(2)[1].startswith("resync")
        sidecar.kill()
        code, err = logged.end()
        assert code == 0 and "tried again" in err and "--after" in err


@pytest.mark.parametrize("args, code", [(["nowhere"], 3), (["lite"], 1), (["mem", "a", "--key", "b"], 2), (["mem", "--key", "a||b"], 1)])
def test_watch_is_refused(sidecar, args, code):
    got, _, err = holdfast(sidecar, "watch", *args)
    assert got == code and err and "--after" not in err


def test_watch_without_a_sidecar_ends_at_once(sidecar):
    code, _, err = holdfast(sidecar, "watch", "mem", env={"DAPR_HTTP_PORT": str(free_port())})
    assert code == 1 and "127.0.0.1" in err


def test_watch_ends_when_nobody_reads_it(sidecar, key):
    line = f"set -o pipefail; {shlex.quote(BINARY)} state watch mem {key} | head -1"
    with subprocess.Popen(["bash", "-c", line], stdout=subprocess.PIPE, env={**os.environ, "DAPR_HTTP_PORT": str(sidecar.http_port)}) as both:
        assert both.stdout.readline() == b"ready\n"

        def has_ended():
            holdfast(sidecar, "put", "mem", key, "1")
            return both.poll() is not None

        wait_until(has_ended, "the watch to end with its reader")
        assert both.returncode != 0


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


def test_every_verb_keeps_to_its_isolation_key(isolated, place, key):
    store, ask = f"{place[1]}-optional", State(isolated, *place)

    def state(tenant, *args, **more):
        return ask(*args, *(("--isolation", tenant) if tenant else ()), **more)

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


def test_what_isolation_does_not_allow_is_said(isolated, place, key):
    store, state = place[1], State(isolated, *place)
    code, _, err = state("get", f"{store}-required", key)
    assert code == 1 and "isolation" in err
    code, _, err = state("put", f"{store}-off", key, "1", "--isolation", "K")
    assert code == 1 and "isolation" in err
    assert state("ls", f"{store}-required", key, "--isolation", "K") == (0, b"", "")
    assert state("ls", f"{store}-required", "--isolation", "a b")[0] == 2


# ---- component files ----

def test_a_sidecar_and_who_opens_its_file_see_each_others_writes_at_once(sidecar, key):
    files = State(sidecar, "files", "lite")
    url = f"{sidecar.url}/v2/state/lite/{key}"
    for i in range(5):
        assert files("put", "lite", key, f"files {i}")[0] == 0
        assert requests.get(url).text == f"files {i}"
        requests.put(url, data=f"sidecar {i}")
        assert files("get", "lite", key)[:2] == (0, f"sidecar {i}".encode())
    etag = requests.get(url).headers["ETag"]
    assert files("put", "lite", key, "guarded", "--if-match", etag)[0] == 0
    assert requests.put(url, data="stale", headers={"If-Match": etag}).status_code == 412


def test_nothing_is_lost_while_a_sidecar_and_others_write_the_same_file(sidecar, key):
    files = State(sidecar, "files", "lite")
    url = f"{sidecar.url}/v2/state/lite/{key}"
    increment = {"Content-Type": "application/vnd.holdfast.increment+json"}
    with ThreadPoolExecutor(8) as pool:
        shells = [pool.submit(files, "patch", "lite", key, "--as", "increment", "1000") for _ in range(12)]
        done = [requests.patch(url, data="{}", headers=increment) for _ in range(300)]
        # After as many rounds that others won, a change is given up, and says so.
        refused = sum(shell.result()[0] != 0 for shell in shells)
    counted = sum(answer.status_code in (200, 201) for answer in done)
    assert {answer.status_code for answer in done} <= {200, 201, 409} and counted > 200
    assert requests.get(url).json() == counted + 1000 * (12 - refused)
    assert refused <= 6


def component(name, kind, **metadata):
    return test_isolation.component(name, kind, metadata)


def opened(path, *args, app="app"):
    began = time.monotonic()
    done = subprocess.run([BINARY, "state", *args, "--resources-path", str(path), "--app-id", app], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout, done.stderr, time.monotonic() - began


@pytest.fixture
def lite(tmp_path):
    file = tmp_path / "lite.yaml"
    file.write_text(component("lite", "state.sqlite", connectionString=str(tmp_path / "lite.db"), busyTimeout="200ms"))
    return file


def test_no_sidecar_is_needed(lite):
    assert opened(lite, "put", "lite", "cart", '{"items":3}')[0] == 0
    record = json.loads(opened(lite, "get", "lite", "cart", "--json")[1])
    assert (record["value"], record["createdBy"], record["stateStoreName"]) == ({"items": 3}, "app", "lite")
    assert opened(lite, "get", "lite", "cart", app="other")[0] == 3, "another application has other keys"
    assert opened(lite.parent, "ls", "lite", "--json")[1].count('"key":"cart"') == 1
    assert opened(f"{lite},{lite.parent / 'more.yaml'}", "info")[0] == 3, "each file has to be there"
    with Sidecar(lite.parent, components=None, app_id="app", start=False) as sidecar:
        sidecar.resources = lite.parent
        sidecar.start()
        assert requests.get(f"{sidecar.url}/v1.0/state/lite/cart").json() == {"items": 3}


def test_only_writing_makes_a_file(lite):
    for args in (["get", "lite", "k"], ["delete", "lite", "k"], ["ls", "lite"], ["clear", "lite", "--all"], ["info", "lite"], ["info"]):
        code, out, err, _ = opened(lite, *args)
        assert (code, out) == (3, "") and f"there is no {lite.parent / 'lite.db'} yet" in err, err
    assert [file.name for file in lite.parent.iterdir()] == ["lite.yaml"]
    for i, args in enumerate((["put", "lite", "k", "1"], ["patch", "lite", "k", "--as", "append", "1"],
                              ["txn", "lite", '[{"op":"put","key":"k","value":1}]'])):
        lite.write_text(component("lite", "state.sqlite", connectionString=str(lite.parent / f"{i}.db")))
        assert opened(lite, *args)[0] == 0
        assert opened(lite, "ls", "lite")[:2] == (0, "k\n")


SECRET = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: red}}
spec:
  type: state.redis
  version: v1
  metadata:
  - {{name: redisHost, value: "127.0.0.1:{port}"}}
  - {{name: redisUsername, value: shell}}
  - name: redisPassword
    secretKeyRef: {{name: password, key: password}}
auth: {{secretStore: vault}}
"""


def test_secrets_come_from_the_stores_beside(tmp_path, redis):
    redis.command("ACL", "SETUSER", "shell", "on", ">s3cret", "~*", "+@all")
    (tmp_path / "secrets.json").write_text('{"password": "s3cret"}')
    (tmp_path / "vault.yaml").write_text(component("vault", "secretstores.local.file", secretsFile=str(tmp_path / "secrets.json")))
    red = tmp_path / "red.yaml"
    red.write_text(SECRET.format(port=redis.port))
    code, out, err, _ = opened(tmp_path, "put", "red", "k", "1")
    assert code == 0 and out.startswith("created "), err
    assert opened(tmp_path, "get", "red", "k")[:2] == (0, "1")
    code, _, err, _ = opened(red, "get", "red", "k")
    assert code == 3 and 'waits for the secret store "vault"' in err


@pytest.mark.parametrize("args, code, says", [
    (["get", "nope", "k"], 3, 'has no state store "nope" for app id "app"; there: lite, mem'),
    (["get", "mem", "k"], 1, "in the memory of one process"),
    (["get", "lite"], 2, "needs STORE KEY"),
    (["get", "lite", "none"], 3, ""),
    (["put", "lite", "a||b", "1"], 1, "||"),
])
def test_what_cannot_be_opened_is_named(lite, args, code, says):
    (lite.parent / "mem.yaml").write_text(component("mem", "state.in-memory"))
    got, _, err, _ = opened(lite.parent, *args)
    assert got == code and says in err, err


@pytest.mark.parametrize("text, code, says", [
    (None, 3, "there is no "),
    ("", 3, 'has no state store "s"'),
    (component("secret", "secretstores.local.env"), 3, 'has no state store "s"'),
    ("a: [", 3, "yaml"),
    (component("s", "state.sqlite"), 1, "connectionString"),
    (component("s", "state.redis", redisHost="x:1", isolation="on"), 1, "isolation"),
    (component("s", "state.sqlite", connectionString="/nowhere/at/all/x.db"), 1, "/nowhere/at/all"),
    (component("s", "state.mongodb", host="x"), 1, "state.mongodb"),
])
def test_files_without_a_store_that_opens_say_why(tmp_path, text, code, says):
    file = tmp_path / "store.yaml"
    if text is not None:
        file.write_text(text)
    for args in (["get", "s", "k"], ["put", "s", "k", "1"], ["ls", "s"]):
        got, out, err, seconds = opened(file, *args)
        assert (got, out) == (code, "") and says in err and seconds < 20, err


def test_a_server_that_does_not_answer_is_waited_for_no_longer_than_the_component_says(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        file = tmp_path / "red.yaml"
        file.write_text(component("red", "state.redis", redisHost=f"127.0.0.1:{silent.getsockname()[1]}")
                        .replace("  version: v1\n", "  version: v1\n  initTimeout: 1s\n"))
        for args in (["get", "red", "k"], ["info", "red"], ["info"]):
            code, out, err, seconds = opened(file, *args)
            assert (code, out) == (1, "") and "red (state.redis/v1)" in err and seconds < 15, err
        file.write_text(component("red", "state.redis", redisHost=f"127.0.0.1:{free_port()}"))
        code, _, err, seconds = opened(file, "put", "red", "k", "1")
        assert code == 1 and "red" in err and seconds < 15, err


def test_a_file_that_another_process_keeps_locked_is_read_and_not_written(lite):
    assert opened(lite, "put", "lite", "k", "before")[0] == 0
    with sqlite3.connect(lite.parent / "lite.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert opened(lite, "get", "lite", "k")[:2] == (0, "before")
        code, _, err, seconds = opened(lite, "put", "lite", "k", "after")
        assert code == 1 and "locked" in err and seconds < 30, err
        other.execute("ROLLBACK")
    assert opened(lite, "get", "lite", "k")[:2] == (0, "before")
    assert opened(lite, "put", "lite", "k", "after")[0] == 0


# ---- the documentation ----

def examples(heading):
    """The command lines of the code blocks of a section of doc/cli.md."""
    section = (REPOSITORY / "doc/cli.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = section.split("```")[1::2]
    return [line for block in blocks for line in block.splitlines() if line.startswith("holdfast ")]


def test_the_examples_of_the_manual_do_what_they_say(tmp_path):
    lines = examples("holdfast state")
    assert len(lines) >= 8
    text = component("statestore", "state.sqlite", connectionString=str(tmp_path / "state.db"), isolation="optional")
    (tmp_path / "statestore.yaml").write_text(text)
    with Sidecar(tmp_path, components=text.replace("{", "{{").replace("}", "}}"), app_id="orders") as sidecar:
        for line in lines:
            words = shlex.split(line)[2:]
            if "ETAG" in words:
                words[words.index("ETAG")] = requests.get(f"{sidecar.url}/v2/state/statestore/cart").headers["ETag"]
            done = subprocess.run([BINARY, "state", *words], capture_output=True, text=True, timeout=30, cwd=tmp_path,
                                  env={**os.environ, "DAPR_HTTP_PORT": str(sidecar.http_port)})
            assert done.returncode == 0, line + "\n" + done.stderr
    assert (tmp_path / "copy.db").exists()
