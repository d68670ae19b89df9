"""Real servers for tests: each started on a free port of 127.0.0.1, keeping its data in a folder of the test's, and ended by its process id."""
import os
import socket
import subprocess

import pytest
from conftest import REPOSITORY, free_port, wait_until

PROGRAMS = {"redis-server": "HOLDFAST_REDIS_SERVER", "redis-stack": "HOLDFAST_REDIS_STACK"}


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
