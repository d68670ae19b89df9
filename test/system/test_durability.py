"""kill -9 under load: what was acknowledged is there, and the file is readable. Power cuts are tested by a file system
that drops what was not synced, beside the store."""
import os
import sqlite3
import threading

import requests

from conftest import Sidecar, wait_until

KILLS = int(os.environ.get("HOLDFAST_TEST_KILLS", "100"))


def test_kill_nine_loses_no_acknowledged_write(own_sidecar):
    sidecar = own_sidecar()
    expected = {}
    lock = threading.Lock()

    def write(worker, round_number, ended):
        session = requests.Session()
        for i in range(1_000_000):
            key = f"{worker}-{i % 20}"
            value = f"{round_number}-{i}"
            try:
                answer = session.post(sidecar.url + "/v1.0/state/lite", json=[{"key": key, "value": value}], timeout=20)
            except requests.RequestException:
                # The fate of this one is unknown: either value may be there.
                with lock:
                    expected[key] = (expected.get(key, (None,))[-1], value)
                break
            if answer.status_code == 204:
                with lock:
                    expected[key] = (value,)
                    ended.append(1)

    for round_number in range(KILLS):
        ended = []
        threads = [threading.Thread(target=write, args=(w, round_number, ended)) for w in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(ended) >= 40 + round_number % 17, "writes to be under way")
        sidecar.kill()
        for thread in threads:
            thread.join()
        assert sqlite3.connect(sidecar.database).execute("pragma integrity_check").fetchone() == ("ok",)
        sidecar.start()
        keys = sorted(expected)
        found = requests.post(sidecar.url + "/v1.0/state/lite/bulk", json={"keys": keys}).json()
        values = {item["key"]: item.get("data") for item in found}
        lost = {key: (values[key], expected[key]) for key in keys if values[key] not in expected[key]}
        assert not lost, f"round {round_number}: {lost}"
        for key in keys:
            expected[key] = (values[key],)
    assert sidecar.stop() == 0


def test_daprs_database_is_read_and_continued(own_sidecar):
    """Dapr's tables and rows, made by hand; read, rewritten, and left as Dapr needs them."""
    sidecar = own_sidecar(start=False)
    with sqlite3.connect(sidecar.database) as db:
        db.executescript("""
            CREATE TABLE metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL);
            INSERT INTO metadata VALUES ('migrations', '1');
            CREATE TABLE state (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, is_binary BOOLEAN NOT NULL,
              etag TEXT NOT NULL, expiration_time TIMESTAMP DEFAULT NULL,
              update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
            INSERT INTO state VALUES ('test||json', '{"a":1}', 0, 'e1', NULL, CURRENT_TIMESTAMP);
            INSERT INTO state VALUES ('test||bytes', 'aGVsbG8=', 1, 'e2', NULL, CURRENT_TIMESTAMP);
            INSERT INTO state VALUES ('test||old', '1', 0, 'e3', DATETIME(CURRENT_TIMESTAMP, '-1 seconds'), CURRENT_TIMESTAMP);
        """)
        schema = db.execute("select sql from sqlite_master where name in ('state', 'metadata') order by name").fetchall()
    sidecar.start()
    url = sidecar.url + "/v1.0/state/lite"
    assert requests.get(url + "/json").content == b'{"a":1}' and requests.get(url + "/json").headers["Etag"] == "e1"
    assert requests.get(url + "/bytes").content == b"hello"
    assert requests.get(url + "/old").status_code == 204
    assert requests.post(url, json=[{"key": "json", "value": {"a": 2}, "etag": "e1"}, {"key": "old", "value": 2, "options": {"concurrency": "first-write"}}]).status_code == 204
    assert sidecar.stop() == 0
    with sqlite3.connect(sidecar.database) as db:
        assert db.execute("select sql from sqlite_master where name in ('state', 'metadata') order by name").fetchall() == schema
        rows = {row[0]: row[1:3] for row in db.execute("select key, value, is_binary from state")}
        # Dapr's own first-write statement, by position, still works.
        db.execute("INSERT OR REPLACE INTO state VALUES ('test||dapr', '1', 0, 'e9', NULL, CURRENT_TIMESTAMP)")
    assert rows == {"test||json": ('{"a":2}', 0), "test||bytes": ("aGVsbG8=", 1), "test||old": ("2", 0)}
