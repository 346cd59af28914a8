"""A gateway that a service manager starts: it reports its state, and its sockets outlive it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bridge.gateways import ROOT, STOP_SECONDS
from tests.bridge.peers import HOST, history
from tests.fakes import until
from tests.suite.error_lines import WATCH

PASS = """
import fcntl, os, sys
kept = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in sys.argv[1].split(",")]
for place, number in enumerate(kept, 3):
    os.dup2(number, place)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(kept)), "LISTEN_FDNAMES": "tcp:gateway.socket"}
os.execv(sys.executable, [sys.executable, "-m", "gateway", *sys.argv[2:]])
"""
"""What systemd does between fork and exec: the sockets from descriptor 3 on, and whose they are."""


class Manager:
    """A service manager with one unit: it owns the sockets of two doors and hears what the gateway reports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sockets = [socket.create_server((HOST, 0)) for _ in range(2)]
        self.tcp, self.web = (each.getsockname()[1] for each in self.sockets)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(folder / "notify"))
        self.notify.setblocking(False)
        self.heard = ""
        self.unit: subprocess.Popen[bytes] | None = None
        WATCH.follow(folder / "stderr")

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the unit, and wait until it is ready."""
        numbers = [each.fileno() for each in self.sockets]
        command = [sys.executable, "-c", PASS, ",".join(map(str, numbers)), "--telnet-port", "-1"]
        command += ["--web-port", str(self.web), "--data", str(self.folder / "data")]
        command += ["--ports-file", str(self.folder / "ports.json")]
        environ = os.environ | {"NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "4000000"}
        with open(self.folder / "stderr", "ab") as log:
            self.unit = subprocess.Popen(
                command, cwd=ROOT, pass_fds=numbers, env=environ, stdout=subprocess.DEVNULL, stderr=log
            )
        self.wait_for("READY=1")
        return self.unit

    def wait_for(self, word: str) -> str:
        """What it has reported until it says this word, and in the same breath."""

        def heard() -> bool:
            try:
                self.heard += self.notify.recv(4096).decode() + "\n"
            except BlockingIOError:
                assert self.unit is not None and self.unit.poll() is None, (self.folder / "stderr").read_text()
            return word in self.heard

        until(heard, word)
        said, self.heard = self.heard, ""
        return said


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    if manager.unit is not None and manager.unit.poll() is None:
        manager.unit.kill()
        manager.unit.wait()
    for each in (*manager.sockets, manager.notify):
        each.close()


def test_a_restart_refuses_nobody_and_the_manager_hears_of_each_step(manager: Manager) -> None:
    first = manager.start()
    ports = json.loads((manager.folder / "ports.json").read_text())
    assert (ports["tcp"], ports["web"], ports["pid"]) == (manager.tcp, manager.web, first.pid)
    with socket.create_connection((HOST, manager.tcp)) as ana:
        ana.sendall(b"before\n")
        until(lambda: history(manager.web, "lobby"), "her line is posted")
        first.send_signal(signal.SIGHUP)
        said = manager.wait_for("RELOADING=1") + manager.wait_for("READY=1")
        assert "MONOTONIC_USEC=" in said
        manager.wait_for("WATCHDOG=1")
        first.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert first.wait(STOP_SECONDS) == 0
    with socket.create_connection((HOST, manager.tcp), timeout=STOP_SECONDS) as bob:
        bob.sendall(b"in between\n")
        manager.start()
        until(lambda: len(history(manager.web, "lobby")) == 2, "his line is posted")
    assert [each["text"] for each in history(manager.web, "lobby")] == ["before", "in between"]
