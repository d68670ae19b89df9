"""holdfast state migrate, export and import with real stores: there and back, killed at any moment, and equal by hash.

HOLDFAST_MIGRATE_RECORDS says how many records are moved there and back; the soak asks for a million."""
import json
import os
import pty
import random
import signal
import sqlite3
import subprocess
import time

import pytest
import requests
from conftest import BINARY, wait_until
from servers import RedisServer

RECORDS = int(os.environ.get("HOLDFAST_MIGRATE_RECORDS", "20000"))
KILLS = 5
MINUTES = 60 * (2 + RECORDS // 50000)  # what one run may take before it counts as hanging, in seconds

COMPONENT = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: {name}}}
spec:
  type: {type}
  version: {version}
  metadata:
  - {{name: {field}, value: "{value}"}}
"""


def component(folder, name, field, value, kind, version="v1"):
    file = folder / f"{name}.yaml"
    file.write_text(COMPONENT.format(name=name, type=kind, version=version, field=field, value=value))
    return file


def sqlite_component(folder, name):
    return component(folder, name, "connectionString", folder / f"{name}.db", "state.sqlite")


def redis_component(folder, name, port):
    return component(folder, name, "redisHost", f"127.0.0.1:{port}", "state.redis")


def holdfast(folder, *words):
    done = subprocess.run([BINARY, "state", *map(str, words)], capture_output=True, text=True, timeout=MINUTES, cwd=folder)
    return done.returncode, done.stdout, done.stderr


def succeed(folder, *words):
    code, out, err = holdfast(folder, *words)
    assert code == 0, out + err
    return out


def report(folder, *words):
    return json.loads(succeed(folder, *words, "--json"))


def content_hash(folder, component, name):
    """Of everything in a store, whatever the order it lists its keys in."""
    file = folder / f"{name}.jsonl"
    succeed(folder, "export", "--from", component, "--output", file)
    with open(file, "rb") as lines:
        lines.seek(-min(4096, file.stat().st_size), os.SEEK_END)
        return json.loads(lines.read().splitlines()[-1])["content"]


def exported_values(file):
    lines = map(json.loads, file.read_text().splitlines()[1:-1])
    return {line["key"]: line.get("value", line.get("valueBase64")) for line in lines}


def fill_as_dapr(database, records):
    """Rows as Dapr writes them, without any of ours: JSON, opaque bytes, keys of actors."""
    def rows():
        for i in range(records):
            key = f"orders||type||{i}||state" if i % 10 == 0 else f"orders||order-{i}"
            if i % 3:
                yield key, json.dumps({"number": i, "text": "é" * (i % 50), "exact": 1.0}), 0, f"00000000-0000-4000-8000-{i:012}"
            else:
                yield key, "AAEC/w==", 1, f"00000000-0000-4000-8000-{i:012}"

    with sqlite3.connect(database) as db:
        db.executemany("INSERT INTO state (key, value, is_binary, etag) VALUES (?, ?, ?, ?)", rows())
    db.close()


@pytest.fixture
def server(tmp_path):
    made = RedisServer(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def filled(own_sidecar, tmp_path):
    """A component file on SQLite with records of a sidecar: a few of each kind, with all that a record can have."""
    sidecar = own_sidecar(app_id="shop")
    save = requests.post(sidecar.url + "/v1.0/state/lite", json=[
        {"key": "json", "value": {"b": 1, "a": [1.5, None]}},
        {"key": "timed", "value": 1, "metadata": {"ttlInSeconds": "3600"}},
        {"key": "short", "value": 1, "metadata": {"ttlInSeconds": "1"}},
    ])
    assert save.status_code == 204, save.text
    tagged = requests.put(sidecar.url + "/v2/state/lite/tagged?tag.color=red", data=b"\x00\xff\n", headers={"Content-Type": "image/x"})
    assert tagged.status_code in (200, 201), tagged.text
    wait_until(lambda: requests.get(sidecar.url + "/v1.0/state/lite/short").status_code == 204, "the short one to run out")
    assert sidecar.stop() == 0
    return component(tmp_path, "lite", "connectionString", sidecar.database, "state.sqlite")


def test_sqlite_to_sqlite_keeps_everything(filled, tmp_path):
    copy = sqlite_component(tmp_path, "copy")
    told = report(tmp_path, "migrate", "--from", filled, "--to", copy)
    assert told["success"] and told["copy"]["counts"]["written"] == 3, told
    assert told["comparison"]["source"] == told["comparison"]["target"]
    assert content_hash(tmp_path, filled, "one") == content_hash(tmp_path, copy, "other")
    assert not list(tmp_path.glob("*.state")), "a state file is there only while there is something left to do"
    lines = [json.loads(line) for line in (tmp_path / "other.jsonl").read_text().splitlines()[1:-1]]
    records = {line["key"]: line for line in lines}
    assert sorted(records) == ["shop||json", "shop||tagged", "shop||timed"]
    assert records["shop||tagged"]["valueBase64"] == "AP8K" and records["shop||tagged"]["contentType"] == "image/x"
    assert records["shop||tagged"]["tags"] == {"color": "red"}
    assert records["shop||json"]["value"] == {"b": 1, "a": [1.5, None]} and records["shop||json"]["createdBy"] == "shop"
    assert "expires" in records["shop||timed"]


def test_what_is_there_and_differs_is_refused_skipped_or_overwritten(filled, tmp_path):
    copy = sqlite_component(tmp_path, "copy")
    succeed(tmp_path, "migrate", "--from", filled, "--to", copy)
    with sqlite3.connect(tmp_path / "copy.db") as db:
        db.execute("UPDATE state SET value = '{\"other\":true}' WHERE key = 'shop||json'")
    db.close()
    code, out, _ = holdfast(tmp_path, "migrate", "--from", filled, "--to", copy)
    assert code == 1 and "shop||json: the target has another value" in out, out
    code, out, _ = holdfast(tmp_path, "migrate", "--from", filled, "--to", copy, "--dry-run", "--overwrite")
    assert code == 0 and "Nothing was written" in out, out
    assert report(tmp_path, "migrate", "--from", filled, "--to", copy, "--skip-existing")["copy"]["counts"]["different"] == 1
    assert report(tmp_path, "migrate", "--from", filled, "--to", copy, "--overwrite")["copy"]["counts"]["replaced"] == 1
    assert content_hash(tmp_path, filled, "one") == content_hash(tmp_path, copy, "other")


def test_an_export_is_imported_as_it_was(filled, tmp_path):
    copy = sqlite_component(tmp_path, "copy")
    file = tmp_path / "records.jsonl"
    assert "3  written" in succeed(tmp_path, "export", "--from", filled, "--output", file)
    assert holdfast(tmp_path, "export", "--from", filled, "--output", file)[0] == 1, "it overwrites nothing"
    code, out, err = holdfast(tmp_path, "export", "--from", filled)
    assert (code, out.splitlines()[1:]) == (0, file.read_text().splitlines()[1:]) and "3  written" in err
    whole = file.read_bytes()
    for length in (0, 100, len(whole) - 300, len(whole) - 1):
        file.write_bytes(whole[:length])
        code, _, err = holdfast(tmp_path, "import", "--to", copy, file)
        assert code == 1 and ("cut off" in err or "export file" in err or "ends here" in err), err
    file.write_bytes(whole.replace(b'"b":1', b'"b":2'))
    code, _, err = holdfast(tmp_path, "import", "--to", copy, file)
    assert code == 1 and f"{file}:5: the file was changed" in err, err
    (tmp_path / "copy.db").unlink()
    file.write_bytes(whole)
    assert report(tmp_path, "import", "--to", copy, file)["copy"]["counts"]["written"] == 3
    assert content_hash(tmp_path, filled, "one") == content_hash(tmp_path, copy, "other")


def test_mistakes_are_said_before_anything_is_touched(filled, tmp_path):
    memory = tmp_path / "memory.yaml"
    memory.write_text("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: m}\nspec: {type: state.in-memory, version: v1}\n")
    both = tmp_path / "both.yaml"
    both.write_text(filled.read_text() + "---\n" + memory.read_text())
    for words, reason in [
        (["migrate", "--to", filled], "--from names the component file"),
        (["migrate", "--from", filled, "--to", tmp_path / "none.yaml"], "there is no"),
        (["migrate", "--from", filled, "--to", filled], "the same store"),
        (["migrate", "--from", memory, "--to", filled], "in the memory of one process"),
        (["migrate", "--from", filled, "--to", memory], "in the memory of one process"),
        (["migrate", "--from", both, "--to", filled], "say which with --from-store"),
        (["migrate", "--from", both, "--from-store", "x", "--to", filled], "there: lite, m"),
        (["migrate", "--from", filled, "--to", filled, "--overwrite", "--skip-existing"], "exclude each other"),
        (["migrate", "--from", filled, "--to", filled, "--batch", "0"], "--batch"),
        (["migrate", "--frm", filled], "did you mean --from?"),
        (["import", "--to", filled], "needs FILE"),
    ]:
        code, out, err = holdfast(tmp_path, *words)
        assert code in (1, 2) and reason in err and out == "", (words, out, err)
    assert "3  written" in succeed(tmp_path, "migrate", "--from", both, "--from-store", "lite", "--to", sqlite_component(tmp_path, "copy"))


def test_records_go_to_another_application_in_the_same_store(filled, tmp_path):
    words = ("--from", filled, "--to", filled, "--prefix", "shop||")
    for to in ("shop||", "shop||new||", "", "sh"):
        assert holdfast(tmp_path, "migrate", *words, "--to-prefix", to)[0] == 2
    assert report(tmp_path, "migrate", *words, "--to-prefix", "store||")["copy"]["counts"]["written"] == 3
    keys = [json.loads(line)["key"] for line in succeed(tmp_path, "export", "--from", filled).splitlines()[1:-1]]
    assert keys == [f"{app}||{name}" for app in ("shop", "store") for name in ("json", "tagged", "timed")]


def migration(folder, *words):
    return subprocess.Popen([BINARY, "state", "migrate", *map(str, words)], cwd=folder, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def killed_and_resumed(folder, count, *words):
    """SIGKILL each time the target has come a random piece further, then a run to the end. What that one tells."""
    for kill in range(KILLS):
        until = random.randrange(RECORDS * kill // KILLS, RECORDS * (kill + 1) // KILLS)
        process = migration(folder, *words)
        end = time.monotonic() + MINUTES
        while count() <= until and process.poll() is None and time.monotonic() < end:
            pass
        process.kill()
        out, err = process.communicate()
        assert process.returncode == -signal.SIGKILL, f"it ended before {until} records were there: {out}{err}"
    began = time.monotonic()
    told = report(folder, "migrate", *words)
    print(f"{words}: last run {time.monotonic() - began:.1f} s, {json.dumps(told)}")
    return told


def rows_of(database):
    """How many records a database has so far; none while it is being made."""
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
            return db.execute("SELECT count(*) FROM state").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def test_there_and_back_killed_five_times_each_way(tmp_path, server):
    source, middle, back = sqlite_component(tmp_path, "source"), redis_component(tmp_path, "middle", server.port), sqlite_component(tmp_path, "back")
    succeed(tmp_path, "export", "--from", source, "--output", tmp_path / "empty.jsonl")  # which makes the tables
    fill_as_dapr(tmp_path / "source.db", RECORDS)

    began = time.monotonic()
    there = killed_and_resumed(tmp_path, lambda: server.command("DBSIZE"), "--from", source, "--to", middle)
    assert there["success"] and server.command("DBSIZE") == RECORDS, there
    print(f"there: {time.monotonic() - began:.1f} s with {KILLS} kills, {RECORDS} records")
    assert there["copy"]["counts"]["read"] == RECORDS
    assert there["comparison"]["source"] == there["comparison"]["target"]

    began = time.monotonic()
    here = killed_and_resumed(tmp_path, lambda: rows_of(tmp_path / "back.db"), "--from", middle, "--to", back)
    assert here["success"] and rows_of(tmp_path / "back.db") == RECORDS, here
    print(f"back: {time.monotonic() - began:.1f} s with {KILLS} kills, {RECORDS} records")
    assert content_hash(tmp_path, source, "one") == content_hash(tmp_path, back, "other")
    assert not list(tmp_path.glob("*.state*"))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_redis_to_postgresql_is_one_command(tmp_path, server, postgresql, version):
    """The course's last exercise, for the records too."""
    lite, source = sqlite_component(tmp_path, "lite"), redis_component(tmp_path, "source", server.port)
    succeed(tmp_path, "export", "--from", lite, "--output", tmp_path / "empty.jsonl")  # which makes the tables
    fill_as_dapr(tmp_path / "lite.db", 2000)
    assert report(tmp_path, "migrate", "--from", lite, "--to", source)["success"]
    table = f"migrated_{version}_state"
    target = component(tmp_path, "target", "connectionString", postgresql.connection_string(), "state.postgresql", version)
    target.write_text(target.read_text() + f"  - {{name: tablePrefix, value: migrated_{version}_}}\n")
    told = report(tmp_path, "migrate", "--from", source, "--to", target)
    assert told["success"] and told["copy"]["counts"]["written"] == 2000, told
    assert told["comparison"]["source"] == told["comparison"]["target"]
    assert postgresql.sql(f"SELECT count(*) FROM {table}") == "2000"
    back = sqlite_component(tmp_path, "back")
    assert report(tmp_path, "migrate", "--from", target, "--to", back)["success"]
    same_text = content_hash(tmp_path, source, "one") == content_hash(tmp_path, back, "other")
    assert same_text == (version == "v2"), "jsonb, where v1 keeps JSON, puts members in another order"
    assert exported_values(tmp_path / "one.jsonl") == exported_values(tmp_path / "other.jsonl")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(tmp_path, server, number):
    source, target = sqlite_component(tmp_path, "source"), redis_component(tmp_path, "target", server.port)
    succeed(tmp_path, "export", "--from", source, "--output", tmp_path / "empty.jsonl")
    fill_as_dapr(tmp_path / "source.db", 20000)
    process = migration(tmp_path, "--from", source, "--to", target, "--batch", "1")
    wait_until(lambda: server.command("DBSIZE") > 100, "the migration to be under way")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on from there" in err, err
    state = json.loads(next(tmp_path.glob("*.state")).read_text())
    assert state["copy"]["tally"]["counts"]["read"] == server.command("DBSIZE"), "nothing is left half counted"
    told = report(tmp_path, "migrate", "--from", source, "--to", target)
    assert told["copy"]["counts"]["written"] == 20000, "nothing was written twice"


def test_a_source_that_was_restarted_is_walked_again(tmp_path, server):
    source, target = redis_component(tmp_path, "source", server.port), sqlite_component(tmp_path, "target")
    kept = tmp_path / "kept.state"

    def fill():
        for i in range(5000):
            server.command("HSET", f"app||{i}", "data", str(i), "version", "1")

    fill()
    process = migration(tmp_path, "--from", source, "--to", target, "--batch", "1", "--resume", kept)
    wait_until(lambda: rows_of(tmp_path / "target.db") > 20, "the migration to be under way")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130 and kept.exists()
    server.stop()
    server.start()
    fill()
    told = report(tmp_path, "migrate", "--from", source, "--to", target, "--resume", kept)
    assert told["copy"]["restarts"] == 1 and told["copy"]["counts"]["same"] > 20, told
    assert rows_of(tmp_path / "target.db") == 5000


def test_a_target_that_goes_away_is_said_and_the_next_run_goes_on(tmp_path, server):
    source, target = sqlite_component(tmp_path, "source"), redis_component(tmp_path, "target", server.port)
    succeed(tmp_path, "export", "--from", source, "--output", tmp_path / "empty.jsonl")
    fill_as_dapr(tmp_path / "source.db", 3000)
    process = migration(tmp_path, "--from", source, "--to", target, "--batch", "1")
    wait_until(lambda: server.command("DBSIZE") > 100, "the migration to be under way")
    server.stop()
    server.start()  # empty, and soon enough for the writes that are tried again
    out, err = process.communicate(timeout=MINUTES)
    # What had been there is missing now, and the comparison says so.
    assert process.returncode == 1 and "MISSING in the target" in out, out + err
    assert report(tmp_path, "migrate", "--from", source, "--to", target)["success"]
    assert server.command("DBSIZE") == 3000


def test_a_state_file_of_another_migration_is_left_alone(filled, tmp_path):
    kept = tmp_path / "kept.state"
    source, one, two = sqlite_component(tmp_path, "source"), sqlite_component(tmp_path, "one"), sqlite_component(tmp_path, "two")
    succeed(tmp_path, "export", "--from", source, "--output", tmp_path / "empty.jsonl")
    fill_as_dapr(tmp_path / "source.db", 20000)
    process = migration(tmp_path, "--from", source, "--to", one, "--resume", kept, "--batch", "1")
    wait_until(lambda: rows_of(tmp_path / "one.db") > 100, "the migration to be under way")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    before = kept.read_text()
    code, _, err = holdfast(tmp_path, "migrate", "--from", source, "--to", two, "--resume", kept)
    assert code == 1 and "is of another migration" in err, err
    assert kept.read_text() == before
    code, _, err = holdfast(tmp_path, "migrate", "--from", source, "--to", one, "--resume", kept, "--overwrite")
    assert code == 0 and "other options; the walk begins again" in err, err


def test_an_export_and_an_import_that_are_killed_go_on(tmp_path):
    source, target = sqlite_component(tmp_path, "source"), sqlite_component(tmp_path, "target")
    succeed(tmp_path, "export", "--from", source, "--output", tmp_path / "empty.jsonl")
    fill_as_dapr(tmp_path / "source.db", 20000)
    succeed(tmp_path, "export", "--from", source, "--output", tmp_path / "whole.jsonl")
    file, part = tmp_path / "killed.jsonl", tmp_path / "killed.jsonl.part"

    def killed_when(condition, *words):
        process = subprocess.Popen([BINARY, "state", *map(str, words)], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: condition() or process.poll() is not None, "it to be under way")
        process.kill()
        assert process.wait() == -signal.SIGKILL

    for size in (1_000_000, 2_000_000):
        killed_when(lambda: part.exists() and part.stat().st_size > size and list(tmp_path.glob("*.state")),
                    "export", "--from", source, "--output", file, "--batch", "1")
    assert not file.exists(), "it has its name only once it is whole"
    succeed(tmp_path, "export", "--from", source, "--output", file)
    assert file.read_text().splitlines()[1:] == (tmp_path / "whole.jsonl").read_text().splitlines()[1:]

    for records in (3000, 9000):
        killed_when(lambda: rows_of(tmp_path / "target.db") > records, "import", "--to", target, file, "--batch", "1")
    told = report(tmp_path, "import", "--to", target, file)
    assert told["success"] and told["copy"]["counts"]["read"] == 20000, told
    assert content_hash(tmp_path, source, "one") == content_hash(tmp_path, target, "other")
    assert not list(tmp_path.glob("*.state*"))


def test_progress_is_one_line_on_a_terminal_and_lines_elsewhere(tmp_path, server):
    source, target = sqlite_component(tmp_path, "source"), redis_component(tmp_path, "target", server.port)
    succeed(tmp_path, "export", "--from", source, "--output", tmp_path / "empty.jsonl")
    fill_as_dapr(tmp_path / "source.db", 20000)
    ours, its = pty.openpty()
    process = subprocess.Popen([BINARY, "state", "migrate", "--from", source, "--to", target, "--batch", "1"], cwd=tmp_path,
                               stdout=subprocess.PIPE, stderr=its)
    os.close(its)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:
        pass  # the other end has been closed
    os.close(ours)
    process.communicate(timeout=MINUTES)
    assert process.returncode == 0
    assert b" records copied, " in shown and b"\n" not in shown and shown.endswith(b"\r\x1b[K"), shown
    assert shown.count(b"a second") < 4 * 120
