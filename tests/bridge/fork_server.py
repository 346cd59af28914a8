"""Starts gateways without importing them each time: `python -m tests.bridge.fork_server DESCRIPTOR`.

Of the processor time that `python -m gateway` takes until its doors listen, four fifths are Python's own start and
imports, and the suite starts hundreds of gateways. Here they are imported once for each of pytest's processes, and each
gateway is a fork of that: a process of its own with its own arguments, environment, streams and signals, which runs
`gateway.cli.main:main` as the command does. What this cannot show (imports, the command itself, what an interpreter
takes from its environment) is tried with the real command, in tests/bridge/process and by whoever sets
`Gateway.starter`.

`ForkedProcess` is what a test holds. Linux only: pidfd tells of the end of a process that is not one's child.
"""

import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MOST_BYTES = 1 << 17
LOADED = ("gateway.cli.serve", "gateway.redis.node")


class ForkServer:
    """The program below, as long as this process lives."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            command = [sys.executable, "-m", "tests.bridge.fork_server", str(other.fileno())]
            self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[other.fileno()], stdin=subprocess.DEVNULL)

    def ask(self, question: dict[str, Any], descriptors: Sequence[int] = ()) -> Any:
        """What it answers."""
        with self._turn:
            socket.send_fds(self._socket, [json.dumps(question).encode()], descriptors)
            answer = self._socket.recv(MOST_BYTES)
        assert answer, f"the fork server has ended: {self._process.wait()}"
        return json.loads(answer)


@functools.cache
def fork_server() -> ForkServer:
    """The one of this process."""
    return ForkServer()


class ForkedProcess:
    """A gateway with these arguments, like `subprocess.Popen` as far as tests need it."""

    def __init__(self, arguments: Sequence[str], stdout: int, stderr: int) -> None:
        question = {"start": list(arguments), "environment": dict(os.environ)}
        self.pid = int(fork_server().ask(question, [stdout, stderr]))
        self.returncode: int | None = None
        self._end = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """The exit code once it has ended."""
        if self.returncode is None:
            self.returncode = fork_server().ask({"ended": self.pid})
            if self.returncode is not None:
                os.close(self._end)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, as soon as it has ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._end], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("gateway", timeout or 0.0)
            self.poll()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """`kill -9`."""
        self.send_signal(signal.SIGKILL)


# The program


def serve(sock: socket.socket) -> bool:
    """Answer until the other end has gone; True: this is a fork, which goes on as a gateway."""
    children: set[int] = set()
    while True:
        data, descriptors, _, _ = socket.recv_fds(sock, MOST_BYTES, 2)
        if not data:
            break
        question = json.loads(data)
        if "ended" in question:
            pid, status = os.waitpid(question["ended"], os.WNOHANG)
            children.discard(pid)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                sock.close()
                become(question, descriptors)
                return True
            children.add(answer)
            for each in descriptors:
                os.close(each)
        sock.send(json.dumps(answer).encode())
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return False


def become(question: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Take the streams, arguments and environment of the command."""
    null = os.open(os.devnull, os.O_RDONLY)
    for number, each in enumerate([null, *descriptors]):
        os.dup2(each, number)
        os.close(each)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(question["environment"])
    sys.argv = [str(ROOT / "gateway" / "__main__.py"), *question["start"]]


def main() -> int:
    """Be asked for forks; in a fork, be the gateway."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, and its end is ours
    for name in LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    if serve(socket.socket(fileno=int(sys.argv[1]))):
        return int(importlib.import_module("gateway.cli.main").main())
    return 0


if __name__ == "__main__":
    sys.exit(main())
