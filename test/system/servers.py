"""Real servers for tests: each started on a free port of 127.0.0.1, keeping its data in a folder of the test's, and ended by its process id."""
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from conftest import REPOSITORY, free_port, wait_until

PROGRAMS = {"redis-server": "HOLDFAST_REDIS_SERVER", "redis-stack": "HOLDFAST_REDIS_STACK", "etcd-35": "HOLDFAST_ETCD_35"}


def program(name):
    """The server's path: what its variable says, else what tools/dev has fetched. Without it the test is skipped, and says so."""
    path = os.environ.get(PROGRAMS[name]) or str(REPOSITORY / ".cache/servers/bin" / name)
    if not os.access(path, os.X_OK):
        pytest.skip(f"{name} is not at {path}: tools/dev test fetches it, or {PROGRAMS[name]} names another")
    return path


class RedisServer:
    """One server, ready when it is made. start() after stop() is the same server again, on the same port, and empty."""

    def __init__(self, directory, kind="redis-server", start=True, arguments=()):
        self.program, self.directory, self.arguments = program(kind), directory, list(arguments)
        self.port = free_port()
        self.process = None
        if start:
            self.start()

    def start(self):
        command = [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory), "--save", "",
                   "--appendonly", "no", *self.arguments]
        with open(self.directory / f"redis-{self.port}.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self.is_ready, "the Redis server to be ready")
        return self

    def is_ready(self):
        assert self.process.poll() is None, "the Redis server has ended"
        try:
            return self.command("PING") == "PONG"
        except OSError:
            return False
        except RuntimeError as refused:
            return str(refused).startswith("NOAUTH")  # it wants a password, and is ready to be told

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def command(self, *words):
        """The reply as Python has it: str, int, None, list. An error is a RuntimeError."""
        encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection, connection.makefile("rb") as replies:
            connection.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
            return self._reply(replies)

    def _reply(self, replies):
        line = replies.readline()
        if not line:
            raise OSError("the Redis server closed the connection")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise RuntimeError(rest)
        if kind == b"$":
            return None if rest == "-1" else replies.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self._reply(replies) for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest


class EtcdServer:
    """One server, ready when it is made."""

    def __init__(self, directory):
        self.port = free_port()
        peers, clients = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{self.port}"
        command = [program("etcd-35"), "--data-dir", str(directory / "data"), "--listen-client-urls", clients, "--advertise-client-urls", clients,
                   "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}", "--unsafe-no-fsync"]
        with open(directory / "etcd.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self.is_ready, "etcd to be ready")

    def is_ready(self):
        assert self.process.poll() is None, "etcd has ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2) as answer:
                return b'"true"' in answer.read()
        except OSError:
            return False

    def stop(self):
        self.process.kill()
        self.process.wait()


class Gate:
    """Passes connections on to the server at `port`, and ends them at a command of the shell, `cut`."""

    def __init__(self, port):
        self.port = free_port()
        self.process = subprocess.Popen([sys.executable, str(REPOSITORY / "test/system/gate.py"), str(self.port), str(port)])
        self.cut = f"kill -USR1 {self.process.pid}"
        wait_until(self.is_ready, "the gate to be open")

    def is_ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 2).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def postgresql_programs():
    """The folder of PostgreSQL's programs: what HOLDFAST_POSTGRESQL says, else what tools/dev has fetched. Without it the test is skipped, and says so."""
    folder = os.environ.get("HOLDFAST_POSTGRESQL") or str(REPOSITORY / ".cache/servers/bin")
    if not os.access(f"{folder}/postgres", os.X_OK):
        pytest.skip(f"postgres is not in {folder}: tools/dev test fetches it, or HOLDFAST_POSTGRESQL names another folder")
    return folder


class PostgresqlServer:
    """One server, ready when it is made. start() after stop() is the same server again, on the same port, with what it had.

    User "app" owns the database "app"; sql() speaks as the superuser. `settings` are lines of postgresql.conf.
    """

    USER, PASSWORD, DATABASE = "app", "app-password", "app"
    NOT_ROOT = str(REPOSITORY / "tools/lib/not-root")  # PostgreSQL refuses to be root, and its data is another user's then

    def __init__(self, directory, start=True, settings=()):
        self.programs, self.directory = postgresql_programs(), directory
        self.port = free_port()
        self.data, self.log = directory / f"postgresql-{self.port}", directory / f"postgresql-{self.port}.log"
        self.process = None
        self._run(str(REPOSITORY / "tools/lib/postgresql-data"), self.programs, str(self.data))
        with open(self.data / "postgresql.conf", "a") as configuration:
            configuration.writelines(line + "\n" for line in settings)
        if start:
            self.start()

    def _run(self, *command):
        done = subprocess.run([self.NOT_ROOT, *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def connection_string(self, **more):
        """Of user "app", in words that libpq and pgx have in common: connection_string(sslmode="disable")."""
        words = {"host": "127.0.0.1", "port": self.port, "user": self.USER, "password": self.PASSWORD, "dbname": self.DATABASE, **more}
        return " ".join(f"{name}={value}" for name, value in words.items())

    def start(self):
        # No Unix socket: its path may be no longer than 107 bytes, and folders of tests have long names.
        command = [self.NOT_ROOT, f"{self.programs}/postgres", "-D", str(self.data), "-p", str(self.port), "-k", ""]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self.is_ready, "PostgreSQL to be ready")
        return self

    def is_ready(self):
        assert self.process.poll() is None, "PostgreSQL has ended: " + self.log.read_text()[-2000:]
        try:
            return self.sql("SELECT 1") == "1"
        except RuntimeError:
            return False

    def stop(self):
        """As a crash: connections are lost, and what was committed is found in its log when it starts again."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)  # after SIGKILL its other processes could still be in the way of a start
            self.process.wait()

    def sql(self, statement, **variables):
        """What psql prints: a line for each row, "|" between columns. :'name' stands for a variable. An error is a RuntimeError with its SQLSTATE."""
        # -f knows variables, which -c does not.
        command = [f"{self.programs}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose",
                   *(f"--set={name}={value}" for name, value in variables.items()), "-f", "-",
                   f"host=127.0.0.1 port={self.port} user=postgres password=postgres-password dbname={self.DATABASE}"]
        done = subprocess.run(command, input=statement, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.removesuffix("\n")
