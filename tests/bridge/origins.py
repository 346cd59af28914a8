"""The origin's servers as processes: started, talked to, stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from tests.fakes import until
from tests.suite.error_lines import WATCH

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 45
"""Seconds a condition may take to become true."""
ECHO = ("echo",)
CLASSIC = ("serve", "--classic")
GATEWAY = ("serve", "--memory", "--telnet-port", "0", "--web-port", "0")


class Running:
    """A server that is up."""

    def __init__(self, process: subprocess.Popen[bytes], ports_file: Path, host: str, log: Path) -> None:
        self.process = process
        self.ports_file = ports_file
        self.log = log
        self.host = host

    @property
    def port(self) -> int:
        """The plain door's."""
        port: int = json.loads(self.ports_file.read_text())["tcp"]
        return port

    def call(self) -> "Caller":
        """Connect to the plain door."""
        return Caller(socket.create_connection((self.host, self.port), PATIENCE))

    def operator_says(self, words: bytes) -> None:
        """Type at the prompt."""
        assert self.process.stdin is not None
        self.process.stdin.write(words)
        self.process.stdin.flush()

    def ends(self, number: int | None = None) -> tuple[int, bytes, bytes]:
        """Its exit code and what it wrote, after the signal with that number, if any."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        return code, self.process.stdout.read(), self.log.read_bytes()


class Caller:
    """Somebody with a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.name = "{}:{}".format(*sock.getsockname()[:2])
        self.heard = b""

    def says(self, *pieces: bytes) -> None:
        """Send each piece as a packet of its own, as far as that can be asked for."""
        for piece in pieces:
            self.sock.sendall(piece)

    def hears(self, words: bytes) -> None:
        """Listen until the words have come."""
        while words not in self.heard:
            data = self.sock.recv(1 << 16)
            assert data, f"closed after {self.heard[-200:]!r}"
            self.heard += data

    def hears_all(self) -> bytes:
        """Listen until the server closes."""
        while data := self.sock.recv(1 << 16):
            self.heard += data
        return self.heard

    def says_no_more(self) -> None:
        """Half-close."""
        self.sock.shutdown(socket.SHUT_WR)

    def line(self, text: str) -> bytes:
        """What the origin makes of a line of this caller."""
        return f"{self.name} {text}\n".encode()


@contextmanager
def running(
    folder: Path, *command: str, host: str = "127.0.0.1", stdin: int = subprocess.DEVNULL, descriptors: int = 0
) -> Iterator[Running]:
    """Start `gateway COMMAND` on any free port and wait until it listens; killed in the end if it still runs.
    `descriptors`: how many it may have."""
    ports_file = folder / f"ports-{monotonic()}.json"
    log = folder.with_name(f"{folder.name}-{monotonic()}.log")
    WATCH.follow(log)
    arguments = [*command, "--host", host, "--tcp-port", "0", "--ports-file", str(ports_file)]
    program = [sys.executable, "-m", "gateway", *arguments]
    if descriptors:
        program = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *program]
    with log.open("wb") as stderr:
        process = subprocess.Popen(program, cwd=ROOT, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr)
    try:
        until(lambda: ports_file.exists() or process.poll() is not None, "the doors listen", PATIENCE)
        yield Running(process, ports_file, host, log)
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()
