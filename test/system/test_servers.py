"""The servers that other tests start, where what they do is not tried by those tests."""
import pathlib
import subprocess

import pytest
from servers import PostgresqlServer


@pytest.fixture
def server(tmp_path):
    made = PostgresqlServer(tmp_path, settings=["max_connections = 20"])
    yield made
    made.stop()


def test_postgresql_keeps_what_was_committed(server):
    server.sql("CREATE TABLE t (k text PRIMARY KEY, v int); INSERT INTO t VALUES (:'key', 1), ('b', NULL)", key="it's")
    server.stop()
    assert server.process.poll() is not None
    server.start()
    assert server.sql("SELECT * FROM t ORDER BY k") == "b|\nit's|1"
    with pytest.raises(RuntimeError, match="23505"):
        server.sql("INSERT INTO t VALUES ('b', 1)")
    assert server.sql("SHOW max_connections") == "20"


def test_postgresql_lets_the_user_of_the_application_in(server):
    def client(text):
        return subprocess.run([pathlib.Path(server.programs) / "psql", "-XqAtw", text, "-c", "SELECT current_user"], capture_output=True, text=True)

    assert client(server.connection_string()).stdout == "app\n"
    assert "password authentication failed" in client(server.connection_string(password="wrong")).stderr
