"""A real redis-server for tests, on a socket file of its own, and what is done to it."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.fakes import until
from tests.programs import PROGRAMS, in_ci


class RedisServer:
    """One redis-server with a folder of its own. `options` are lines of its configuration, as words."""

    def __init__(self, *options: str) -> None:
        path = PROGRAMS["redis-server"].path
        if path is None:
            (pytest.fail if in_ci() else pytest.skip)("redis-server is not installed")
        self._program = path
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))  # short: a socket's path has at most 107 bytes
        self.socket = self._folder / "s"
        self.options = list(options)
        self.start()

    @property
    def url(self) -> str:
        """For `--redis`."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it on the data it has, and wait until it answers."""
        usual = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self._folder), "--save", ""]
        self.process = subprocess.Popen([self._program, *usual, *self.options], stdout=subprocess.DEVNULL)
        self.commands = redis.Redis(unix_socket_path=str(self.socket), protocol=2)
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
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        return any(words in path.read_bytes() for path in files if path.exists())

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
