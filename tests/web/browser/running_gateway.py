"""A real gateway process, and people who use it with nc and curl."""

import re
import signal
import socket
import subprocess
from pathlib import Path

from tests.bridge.gateways import Gateway
from tests.fakes import PATIENCE, until


class RunningGateway:
    """A gateway as a person at a desk has it: started, with pages and netcat. It can be ended and started again on the
    same ports. `settings` are written with `__` for a dot: `limits__burst=20`."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self._host = str(settings.get("host", "127.0.0.1"))
        self._gateway = Gateway(folder, *(f"--{name.replace('__', '.')}={value}" for name, value in settings.items()))
        self._terminals: list[Terminal] = []
        self.start()

    def start(self) -> None:
        """Run it and wait until all doors listen."""
        self._gateway.start()

    def kill(self) -> None:
        """As a crash does."""
        self._gateway.kill()

    def ask_to_stop(self) -> None:
        """As an operator does."""
        self._gateway.running.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for its end; return the exit code."""
        return self._gateway.running.wait(PATIENCE)

    def close(self) -> None:
        """End it if it runs."""
        self.hang_up()
        if self._gateway.running.poll() is None:
            self.kill()

    @property
    def errors(self) -> str:
        """What it has written to standard error."""
        return self._gateway.stderr

    @property
    def web(self) -> str:
        """The address of its pages, without a slash at the end."""
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self._gateway.web}"

    @property
    def login_link(self) -> str:
        """The link it printed at its start, where nobody has a password."""
        return until(lambda: re.search(r"http\S+token=\S+", self.output), "the link", PATIENCE).group()

    @property
    def output(self) -> str:
        """What it has written to standard output."""
        return self._gateway.stdout

    def terminal(self, door: str = "tcp", room: str = "") -> "Terminal":
        """A plain connection to a terminal door, in a room."""
        terminal = Terminal(self._gateway.port(door))
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
        command = [program, "-N", "127.0.0.1", str(self._gateway.tcp)]
        subprocess.run(command, input=text.encode(), stdout=subprocess.DEVNULL, timeout=PATIENCE, check=True)

    def curl(self, *arguments: str) -> str:
        """What curl prints; the last argument is the path."""
        *options, path = arguments
        command = ["curl", "-sS", "--max-time", str(PATIENCE), *options, self.web + path]
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
        """Read until `text` has come; returns all that was read so far."""
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
