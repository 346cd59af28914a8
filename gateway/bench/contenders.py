"""The servers of a comparison: how each is started, where it listens, and which dialect it speaks."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gateway.bench.machine import on_core
from gateway.bench.peer import Dialect, GatewayDialect, NaiveDialect
from gateway.bench.plan import BenchError, BenchTarget

HOST = "127.0.0.1"
START_SECONDS = 45.0
STOP_SECONDS = 5.0
PACKAGE_HOME = Path(__file__).resolve().parents[2]
C_SOURCE = Path(__file__).with_name("naive_line_server.c")


class NoCompilerError(BenchError):
    """There is no C compiler here: the servers in C cannot be measured."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One server. `command(folder)` returns its command line; `folder` is its own, empty, and removed afterwards.

    `ports(process, folder)` waits until it listens and returns its ports by door.
    """

    title: str
    door: str
    dialect: Dialect
    command: Callable[[Path], list[str]]
    ports: Callable[["subprocess.Popen[bytes]", Path], dict[str, int | None]]


@contextmanager
def started(way: Contender, core: int | None) -> Iterator[BenchTarget]:
    """Run the server, on that core, while the block lasts. Raises BenchError with its last line of output if it
    dies."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        folder = Path(name)
        command = way.command(folder)
        with (folder / "stderr").open("wb") as errors, on_core(core):
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=_environment()
            )
        try:
            yield BenchTarget(HOST, way.ports(process, folder), process.pid)
        finally:
            _stop(process)


def _environment() -> dict[str, str]:
    """The environment in which the servers in Python find this package, installed or not."""
    paths = [str(PACKAGE_HOME), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _last_words(folder: Path) -> str:
    lines = (folder / "stderr").read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "without a word"


def printed_port(door: str) -> Callable[["subprocess.Popen[bytes]", Path], dict[str, int | None]]:
    """How to read the port of a naive server, which prints it as its first line."""

    def wait(process: "subprocess.Popen[bytes]", folder: Path) -> dict[str, int | None]:
        line = process.stdout.readline() if process.stdout is not None else b""
        if not line.strip().isdigit():
            process.wait(STOP_SECONDS)
            raise BenchError(f"did not start: {_last_words(folder)}")
        return {door: int(line)}

    return wait


def _ports_file(process: "subprocess.Popen[bytes]", folder: Path) -> dict[str, int | None]:
    """The gateway's ports, from the file that it writes once all doors listen."""
    ports, deadline = folder / "ports", time.monotonic() + START_SECONDS
    while not ports.exists():
        if process.poll() is not None:
            raise BenchError(f"the gateway did not start (exit code {process.returncode}): {_last_words(folder)}")
        if time.monotonic() > deadline:
            raise BenchError(f"the gateway was not ready in {START_SECONDS:g} s")
        time.sleep(0.02)
    return msgspec.json.decode(ports.read_bytes(), type=dict[str, int | None])


def compiled(mode: str) -> Callable[[Path], list[str]]:
    """The command line of the server in C, made on the spot. Its command raises NoCompilerError."""

    def command(folder: Path) -> list[str]:
        compiler = next(filter(None, map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))), None)
        if compiler is None:
            raise NoCompilerError("no C compiler (cc, gcc, clang) here")
        program = folder / "line_server"
        made = subprocess.run([compiler, "-O2", "-o", program, C_SOURCE], capture_output=True, text=True, check=False)
        if made.returncode:
            raise NoCompilerError(f"{compiler} cannot compile it here: {made.stderr.strip().splitlines()[0]}")
        return [str(program), mode, "0"]

    return command


def _python(module: str) -> Callable[[Path], list[str]]:
    return lambda folder: [sys.executable, "-m", f"gateway.bench.naive_{module}", "0"]


def _gateway(folder: Path) -> list[str]:
    doors = ["--tcp-port", "0", "--web-port", "0", "--telnet-port", "-1", "--ports-file", str(folder / "ports")]
    rest = ["--data", str(folder / "data"), "--limits.messages_per_second", "0"]
    return [sys.executable, "-m", "gateway", "serve", *doors, *rest]


REFERENCE = "c-tick"
WAYS = {
    REFERENCE: Contender("C, one send per tick", "tcp", NaiveDialect(), compiled("tick"), printed_port("tcp")),
    "c-message": Contender("C, one send per message", "tcp", NaiveDialect(), compiled("message"), printed_port("tcp")),
    "selectors": Contender(
        "selectors, one send per message",
        "tcp",
        NaiveDialect(),
        _python("selectors"),
        printed_port("tcp"),
    ),
    "aiohttp": Contender(
        "aiohttp, one send_str per message", "web", NaiveDialect(), _python("aiohttp"), printed_port("web")
    ),
    "gateway-tcp": Contender("gateway, plain lines, SQLite", "tcp", GatewayDialect(), _gateway, _ports_file),
    "gateway-web": Contender("gateway, WebSocket, SQLite", "web", GatewayDialect(), _gateway, _ports_file),
}
