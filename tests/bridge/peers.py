"""Peers of a running gateway: raw sockets, foreign programs, browsers' WebSockets, HTTP requests."""

import http.client
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.fakes import PATIENCE, until

HOST = "127.0.0.1"
SECONDS = PATIENCE
"""How long anything is waited for."""
Json = dict[str, Any]


_NEGOTIATION = re.compile(rb"\xff[\xfb-\xfe].", re.DOTALL)
"""What the telnet door offers, which this peer leaves unanswered."""


class Terminal:
    """A raw socket that reads lines."""

    def __init__(self, port: int, *, receive_buffer: int = 0) -> None:
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(SECONDS)
        self.sock.connect((HOST, port))
        self._buffer = b""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *problem: object) -> None:
        self.sock.close()

    def send(self, *lines: str) -> None:
        """Send whole lines."""
        self.sock.sendall("".join(f"{line}\n" for line in lines).encode())

    def line(self, seconds: float = SECONDS) -> str:
        """The next line without its end; EOFError at the end."""
        self.sock.settimeout(seconds)
        while b"\n" not in self._buffer:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError(self._buffer)
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return _NEGOTIATION.sub(b"", line).decode().removesuffix("\r")

    def until(self, wanted: str, seconds: float = SECONDS) -> list[str]:
        """All lines up to the first that the pattern `wanted` is found in, that one included."""
        lines = []
        deadline = time.monotonic() + seconds
        while True:
            try:
                lines.append(self.line(max(0.01, deadline - time.monotonic())))
            except (TimeoutError, EOFError) as problem:
                raise AssertionError(f"no {wanted!r} in {lines[-30:]}: {problem!r}") from None
            if re.search(wanted, lines[-1]):
                return lines

    def rest(self, seconds: float = SECONDS) -> str:
        """Everything up to the end of file, or up to a reset."""
        self.sock.settimeout(seconds)
        try:
            while data := self.sock.recv(65536):
                self._buffer += data
        except ConnectionResetError:
            pass
        rest, self._buffer = self._buffer, b""
        return _NEGOTIATION.sub(b"", rest).decode()

    def answer(self, line: str, wanted: str = r"^(--|!!|\[)") -> str:
        """Send a line; the first answering line."""
        self.send(line)
        return self.until(wanted)[-1]

    def named(self, nick: str) -> "Terminal":
        """Take a nick."""
        assert self.answer(f"/nick {nick}", "^(-- you are|!!)") == f"-- you are {nick}"
        return self


class Running:
    """A foreign program that talks to the gateway, with its output as it comes."""

    def __init__(self, command: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, bufsize=0, start_new_session=True
        )
        self._output = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *problem: object) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._thread.join()
        self.process.stdout.close()

    def send(self, *lines: str) -> None:
        """Type whole lines."""
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())

    def lines(self) -> list[str]:
        """What it has shown so far."""
        return self._output.decode(errors="replace").replace("\r\n", "\n").split("\n")[:-1]

    def _read(self) -> None:
        assert self.process.stdout is not None
        while data := self.process.stdout.read(65536):
            self._output += data


class Browser:
    """A WebSocket client that has said hello."""

    def __init__(
        self,
        port: int,
        *rooms: str,
        nick: str | None = None,
        hello: bool = True,
        receive_buffer: int = 0,
        **options: Any,
    ) -> None:
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect((HOST, port))
        self._open = ExitStack()
        self.socket: ClientConnection = self._open.enter_context(
            connect(f"ws://{HOST}:{port}/ws", sock=sock, max_size=None, compression=None, close_timeout=1, **options)
        )
        self._ids = itertools.count(1)
        self.welcome: Json = {}
        self.joined: dict[str, Json] = {}
        self.history: dict[str, list[Json]] = {}
        if hello:
            self._hello(rooms or ("lobby",), nick)

    def _hello(self, rooms: Sequence[str], nick: str | None) -> None:
        self.send(type="hello", rooms=[{"room": room} for room in rooms], **({"nick": nick} if nick else {}))
        self.welcome = self.next("welcome")
        for room in rooms:
            self.joined[room] = self.next("joined")
            self.history[room] = self.next("history")["messages"]

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave."""
        self._open.close()

    @property
    def nick(self) -> str:
        """The nick we were given."""
        return str(self.welcome["nick"])

    def send(self, **fields: Any) -> None:
        """Send one object."""
        self.socket.send(json.dumps(fields))

    def receive(self, seconds: float = SECONDS) -> Json:
        """The next object."""
        found: Json = json.loads(self.socket.recv(timeout=seconds))
        return found

    def next(self, *types: str, seconds: float = SECONDS) -> Json:
        """The next object of one of these types; others before it are skipped."""
        return self.until(lambda found: found["type"] in types, seconds)[-1]

    def until(self, wanted: Callable[[Json], bool], seconds: float = SECONDS) -> list[Json]:
        """All objects up to the first that is wanted, that one included."""
        deadline = time.monotonic() + seconds
        seen: list[Json] = []
        while not seen or not wanted(seen[-1]):
            try:
                seen.append(self.receive(max(0.01, deadline - time.monotonic())))
            except TimeoutError:
                raise AssertionError(f"did not come, but {seen[-30:]}") from None
        return seen

    def say(self, text: str, room: str = "lobby", **fields: Any) -> Json:
        """Say something and wait for what becomes of it: its ack, its notice or its error."""
        id = self.post(text, room, **fields)
        return self.until(lambda found: found.get("id") == id)[-1]

    def post(self, text: str, room: str = "lobby", **fields: Any) -> str:
        """Say something; its id."""
        id = f"c{next(self._ids)}"
        self.send(type="say", id=id, room=room, text=text, **fields)
        return id

    def texts_until(self, text: str) -> list[str]:
        """The texts of all messages up to that one."""
        found = self.until(lambda found: found["type"] == "msg" and found["text"] == text)
        return [each["text"] for each in found if each["type"] == "msg"]

    def closed(self, seconds: float = SECONDS) -> tuple[int | None, str]:
        """Read until the gateway closes; its close code and reason."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self.socket.recv(timeout=max(0.01, deadline - time.monotonic()))
        except ConnectionClosed:
            return self.socket.close_code, self.socket.close_reason or ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(
    port: int, method: str, path: str, body: bytes | str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One HTTP request."""
    connection = http.client.HTTPConnection(HOST, port, timeout=SECONDS)
    try:
        connection.request(method, path, body.encode() if isinstance(body, str) else body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, dict(response.headers), response.read())
    finally:
        connection.close()


def raw(port: int, data: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes as they are; everything that comes back until the gateway closes."""
    with socket.create_connection((HOST, port), SECONDS) as sock:
        answer = b""
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            while more := sock.recv(65536):
                answer += more
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answer


def post(port: int, room: str, text: str, nick: str | None = None) -> Answer:
    """Post over HTTP as curl -d does."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return request(port, "POST", f"/r/{room}" + (f"?nick={nick}" if nick else ""), text, headers)


def post_json(port: int, room: str, **fields: Any) -> Answer:
    """Post a JSON object."""
    return request(port, "POST", f"/r/{room}", json.dumps(fields), {"Content-Type": "application/json"})


def history(port: int, room: str) -> list[Json]:
    """The whole history of a room, oldest first, page by page. A gateway that cannot read just now is asked again."""
    found: list[Json] = []

    def asked() -> Json | None:
        answer = request(port, "GET", f"/r/{room}/messages?after={found[-1]['seq'] if found else 0}")
        assert answer.status in (200, 503), answer
        return answer.json if answer.status == 200 else None

    while True:
        page = until(asked, "the history can be read")
        found += [message | {"epoch": page["epoch"]} for message in page["messages"]]
        if not page["more"]:
            return found


def refused_upgrade(port: int, **headers: str) -> int:
    """Ask for a WebSocket with these headers (`_` for `-`); the status."""
    wanted = {
        "Host": f"{HOST}:{port}", "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    } | {name.replace("_", "-"): value for name, value in headers.items()}  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in wanted.items() if value)
    with socket.create_connection((HOST, port), SECONDS) as sock:
        sock.sendall(f"GET /ws HTTP/1.1\r\n{head}\r\n".encode())
        return int(sock.recv(4096).split()[1])


def subprotocols(*names: str) -> list[Subprotocol]:
    """What `Browser(subprotocols=…)` takes."""
    return [Subprotocol(name) for name in names]


def origin(words: str) -> Origin:
    """What `Browser(origin=…)` takes."""
    return Origin(words)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
