"""A real gateway process, and the people who come to it with nc and curl."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.error_lines import WATCH

ROOT = Path(__file__).parents[3]
PATIENCE = 15.0


def wait_for(what: str, found: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Look until `found` is true."""
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, f"waited for {seconds} s: {what}"
        time.sleep(0.02)


class RunningGateway:
    """A gateway on free ports with its own data folder; it can be ended and started again on the same ports."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self._folder = folder
        self._settings = {f"GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}
        self._ports = {"tcp": 0, "telnet": 0, "web": 0}
        self._terminals: list[Terminal] = []
        self._process: subprocess.Popen[bytes]
        WATCH.follow(folder / "errors.txt")
        self.start()

    def start(self) -> None:
        """Run it and wait until all doors listen."""
        ports_file = self._folder / "ports.json"
        ports_file.unlink(missing_ok=True)
        flags = [word for door, port in self._ports.items() for word in (f"--{door}-port", str(port))]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *flags, "--ports-file", ports_file, "--data", self._folder / "data"],
            cwd=ROOT,
            env=os.environ | self._settings,
            stdout=(self._folder / "output.txt").open("w"),
            stderr=(self._folder / "errors.txt").open("a"),
        )
        wait_for("the doors to listen", lambda: ports_file.exists() or self._process.poll() is not None)
        assert self._process.poll() is None, (self._folder / "errors.txt").read_text()
        self._ports = {door: json.loads(ports_file.read_text())[door] for door in self._ports}

    def kill(self) -> None:
        """As a crash does."""
        self._process.kill()
        self.wait()

    def ask_to_stop(self) -> None:
        """As an operator does."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for its end; answers the exit code."""
        return self._process.wait(PATIENCE)

    def close(self) -> None:
        """End it if it runs."""
        self.hang_up()
        if self._process.poll() is None:
            self.kill()

    @property
    def errors(self) -> str:
        """What it has written to standard error."""
        return (self._folder / "errors.txt").read_text()

    @property
    def web(self) -> str:
        """The address of its pages, without a slash at the end."""
        host = self._settings.get("GATEWAY_HOST", "127.0.0.1")
        return f"http://{f'[{host}]' if ':' in host else host}:{self._ports['web']}"

    @property
    def login_link(self) -> str:
        """The link it printed at its start, where nobody has a password."""
        links: list[str] = []
        wait_for("the link", lambda: links.extend(re.findall(r"http\S+token=\S+", self.output)) or links)
        return links[0]

    @property
    def output(self) -> str:
        """What it has written to standard output."""
        return (self._folder / "output.txt").read_text()

    def terminal(self, door: str = "tcp", room: str = "") -> "Terminal":
        """A plain connection to a terminal door, in a room."""
        terminal = Terminal(self._ports[door])
        self._terminals.append(terminal)
        if room:
            terminal.say(f"/join {room}")
        return terminal

    def hang_up(self) -> None:
        """Let everybody leave who came by `terminal`."""
        while self._terminals:
            self._terminals.pop().close()

    def netcat(self, program: str, text: str) -> None:
        """What `printf text | nc -N` does."""
        command = [program, "-N", "127.0.0.1", str(self._ports["tcp"])]
        subprocess.run(command, input=text.encode(), stdout=subprocess.DEVNULL, timeout=PATIENCE, check=True)

    def curl(self, *arguments: str) -> str:
        """What curl answers; the last argument is the path."""
        *options, path = arguments
        command = ["curl", "-sS", "--max-time", "10", *options, self.web + path]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class Terminal:
    """Somebody with netcat who stays."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._got = b""

    def say(self, *lines: str) -> None:
        """Type lines."""
        self._socket.sendall("".join(f"{line}\n" for line in lines).encode())

    def wait_for(self, text: str) -> str:
        """Read until `text` has come; answers all that was read so far."""
        while text.encode() not in self._got:
            some = self._socket.recv(65536)
            assert some, f"closed before {text!r}: {self._got!r}"
            self._got += some
        return self._got.decode()

    def read_out(self) -> str:
        """All there was until the server closed."""
        while some := self._socket.recv(65536):
            self._got += some
        return self._got.decode()

    def close(self) -> None:
        """Leave."""
        self._socket.close()
