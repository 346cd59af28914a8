"""A real redis-server for tests, on a socket file of its own, and what is done to it."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.fakes import until
from tests.suite.programs import PROGRAMS, in_ci


class RedisServer:
    """One redis-server with a folder of its own. `options` are lines of its configuration, as words."""

    def __init__(self, *options: str, sentinel: bool = False) -> None:
        path = PROGRAMS["redis-server"].path
        if path is None:
            (pytest.fail if in_ci() else pytest.skip)("redis-server is not installed")
        self._program = path
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))  # short: a socket's path has at most 107 bytes
        self.socket = self._folder / "s"
        self.options = list(options)
        self._sentinel = sentinel
        self.start()

    @property
    def url(self) -> str:
        """For `--redis`."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it on the data it has, and wait until it answers."""
        usual = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self._folder), "--save", ""]
        if self._sentinel:  # it writes its own configuration, and takes the options that it knows there
            file = self._folder / "sentinel.conf"
            file.write_text(f"port 0\nunixsocket {self.socket}\ndir {self._folder}\n")
            usual = [str(file), "--sentinel"]
        self.process = subprocess.Popen([self._program, *usual, *self.options], stdout=subprocess.DEVNULL)
        never = Retry(NoBackoff(), 0)  # redis-py waits for seconds before it believes that a password is wanted
        self.commands = redis.Redis(unix_socket_path=str(self.socket), protocol=2, retry=never)
        until(self._answers, "redis-server answers")

    def _answers(self) -> bool:
        try:
            return bool(self.commands.ping())
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False

    def cli(self, *words: Any) -> Any:
        """What a command answers."""
        return self.commands.execute_command(*words)  # type: ignore[no-untyped-call]

    def holds(self, words: bytes) -> bool:
        """Whether the words stand in a file of its folder."""
        for path in self._folder.rglob("*"):
            with suppress(OSError):  # it may be renamed meanwhile; folders and the socket are no files
                if words in path.read_bytes():
                    return True
        return False

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.process.pid, signal.SIGCONT)

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.commands.close()
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


RETRANSMIT = 0.3
"""Seconds, about what Linux waits for the first time on a way of 200 ms."""


class Proxy:
    """Forwards to a Redis; `server` may become another one."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.eat = 0
        """So many answers to an append are swallowed, and their connections cut."""
        self.delay = 0.0
        """Seconds for which what is said to Redis is under way."""
        self.loss = 0.0
        """The share of packets that are lost: what TCP makes of that is that they, and all behind them, come
        RETRANSMIT seconds later."""
        self.lost = 0
        self._dice = random.Random(14)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """For `--redis`."""
        return f"redis://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Accept no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        redis = socket.socket(socket.AF_UNIX)
        redis.connect(str(self.server.socket))
        appends = threading.Event()
        threading.Thread(target=self._answers, args=(redis, peer, appends), daemon=True).start()
        under_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
        threading.Thread(target=self._arrive, args=(under_way, redis), daemon=True).start()
        with suppress(OSError):
            while data := peer.recv(65536):
                if b"\r\nappend\r\n" in data:
                    appends.set()
                under_way.put((time.monotonic() + self.delay + self._held_up(), data))
        under_way.put((0.0, b""))

    def _held_up(self) -> float:
        lost = self._dice.random() < self.loss
        self.lost += lost
        return RETRANSMIT if lost else 0.0

    def _arrive(self, under_way: "SimpleQueue[tuple[float, bytes]]", redis: socket.socket) -> None:
        with suppress(OSError):
            while True:
                when, data = under_way.get()
                if not data:
                    redis.shutdown(socket.SHUT_WR)
                    return
                time.sleep(max(0.0, when - time.monotonic()))
                redis.sendall(data)

    def _answers(self, redis: socket.socket, peer: socket.socket, appends: threading.Event) -> None:
        with suppress(OSError), redis, peer:
            while data := redis.recv(65536):
                if appends.is_set() and self.eat:
                    self.eat -= 1
                    peer.shutdown(socket.SHUT_RDWR)
                    return
                appends.clear()
                time.sleep(self._held_up())
                peer.sendall(data)
