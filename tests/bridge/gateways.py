"""The real gateway as a process of its own: start it, ask for its ports, kill it, start it again on the same data."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bridge.fork_server import ForkedProcess
from tests.fakes import PATIENCE, until
from tests.suite.error_lines import WATCH

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = STOP_SECONDS = PATIENCE
DOORS = ("tcp", "telnet", "web")
NO_PACE = ("--limits.messages_per_second", "0")


class Gateway:
    """One gateway on one data folder; `flags` are the same at every start. After the first start its ports stay."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        self.flags = flags
        self.starter: tuple[str, ...] = ()
        """A command that runs the one that follows it, under other circumstances. `env` alone is the same as none, but
        for a fresh interpreter instead of a fork of one (`fork_server`)."""
        self.ports: dict[str, int | None] = dict.fromkeys(DOORS, 0)
        self.told: dict[str, int | None] = {}
        """All of the ports file, but for the number of the process."""
        self.process: subprocess.Popen[bytes] | ForkedProcess | None = None
        folder.mkdir(parents=True, exist_ok=True)
        WATCH.follow(folder / "stderr")

    # Its life

    def start(self) -> "Gateway":
        """Start and wait until all doors listen."""
        ports_file = self.folder / "ports.json"
        ports_file.unlink(missing_ok=True)
        self.launch("--ports-file", str(ports_file))
        until(lambda: ports_file.exists() or self.running.poll() is not None, "the doors listen", START_SECONDS)
        assert ports_file.exists(), f"it ended before its doors listened: {self.stderr}"
        found = json.loads(ports_file.read_text())
        assert found.pop("pid") == self.running.pid
        self.ports = {door: found[door] for door in DOORS}
        self.told = found
        until(lambda: "ready: " in self.stdout, "the ready line")
        return self

    def launch(self, *more: str) -> None:
        """Start without waiting for anything."""
        ports = [f"--{door}-port={-1 if port is None else port}" for door, port in self.ports.items()]
        given = {flag.partition("=")[0] for flag in self.flags}
        arguments = [
            *(flag for flag in ports if flag.partition("=")[0] not in given),
            "--data", str(self.folder / "data"), *self.flags, *more,
        ]  # fmt: skip
        with open(self.folder / "stdout", "wb") as stdout, open(self.folder / "stderr", "ab") as stderr:
            if sys.platform == "linux" and not self.starter:
                self.process = ForkedProcess(arguments, stdout.fileno(), stderr.fileno())
            else:
                command = [*self.starter, sys.executable, "-m", "gateway", *arguments]
                null = subprocess.DEVNULL
                self.process = subprocess.Popen(command, cwd=ROOT, stdin=null, stdout=stdout, stderr=stderr)

    def kill(self) -> None:
        """`kill -9`."""
        self.running.kill()
        self.running.wait()

    def freeze(self) -> None:
        """SIGSTOP."""
        self.running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.running.send_signal(signal.SIGCONT)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end and wait; the exit code."""
        self.running.send_signal(number)
        return self.running.wait(STOP_SECONDS)

    def restart(self) -> "Gateway":
        """Stop it cleanly, start it again."""
        assert self.stop() == 0
        return self.start()

    # What is seen of it

    @property
    def running(self) -> "subprocess.Popen[bytes] | ForkedProcess":
        """The process."""
        assert self.process is not None
        return self.process

    @property
    def stdout(self) -> str:
        """What the last start has printed."""
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        """What all starts have logged."""
        path = self.folder / "stderr"
        return path.read_text() if path.exists() else ""

    def port(self, door: str) -> int:
        """The port of a door that is open."""
        port = self.ports[door]
        assert port is not None
        return port

    @property
    def tcp(self) -> int:
        return self.port("tcp")

    @property
    def telnet(self) -> int:
        return self.port("telnet")

    @property
    def web(self) -> int:
        return self.port("web")

    def cpu_ticks(self) -> int:
        """User and system time used, in clock ticks (usually 10 ms)."""
        fields = Path(f"/proc/{self.running.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def memory(self) -> int:
        """Resident bytes."""
        for line in Path(f"/proc/{self.running.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the process has no memory any more")

    def descriptors(self) -> int:
        """Open file descriptors."""
        return len(list(Path(f"/proc/{self.running.pid}/fd").iterdir()))


Start = Callable[..., Gateway]


@contextmanager
def starter(folder: Path) -> Iterator[Start]:
    """`start(*flags, data="a")` starts a gateway. At the end all are killed."""
    started: list[Gateway] = []

    def start(*flags: Any, data: str = "gateway", running: bool = True) -> Gateway:
        gateway = Gateway(folder / data, *map(str, flags))
        started.append(gateway)
        return gateway.start() if running else gateway

    try:
        yield start
    finally:
        for gateway in started:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.kill()
