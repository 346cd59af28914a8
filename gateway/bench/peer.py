"""One connection of the load generator: it dials a door, reads into the verifier, and writes without blocking.

A `Dialect` is what it sends to join the room and to say something, to the gateway and to the naive servers beside it.
Some of the readers are also sampled for latency, from publishing to delivery; `Percentiles` sum that up.
"""

import base64
import math
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from gateway.bench.plan import BenchError, BenchTarget, number_of, writer_of
from gateway.bench.reader import Reader
from gateway.bench.verdict import ExpectedOrder, Heard, client_frame

DIAL_SECONDS = 10.0
HEADER_BYTES = 16 << 10
_UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def dial(target: BenchTarget, door: str, web_path: str) -> tuple[socket.socket, bytes]:
    """Connect, for the web door with the WebSocket handshake. Returns the socket and what came after the handshake.

    Raises BenchError when nothing answers there as that door does.
    """
    port = target.port(door)
    if port is None:
        raise BenchError(f"the {door} door is closed there: choose other --doors, or open it")
    try:
        sock = socket.create_connection((target.host, port), timeout=DIAL_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        first = _upgrade(sock, target.host, port, web_path) if door == "web" else b""
        sock.setblocking(False)
    except OSError as error:
        raise BenchError(f"no gateway at {target.host}:{port} ({door}): {error.strerror or error}") from error
    return sock, first


def _upgrade(sock: socket.socket, host: str, port: int, path: str) -> bytes:
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    sock.sendall(_UPGRADE.format(path=path, host=f"[{host}]" if ":" in host else host, port=port, key=key).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        chunk = sock.recv(4096)
        if not chunk or len(answer) > HEADER_BYTES:
            raise BenchError(f"{host}:{port} is not a web door: it does not answer a WebSocket handshake")
        answer += chunk
    head, _, first = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise BenchError(f"{host}:{port} refuses WebSockets: {head.splitlines()[0].decode('latin-1')}")
    return first


class Writing:
    """What one writer has published: `times[n]` is when message n left (or should have left), `returned` are back."""

    def __init__(self, number: int, window: int) -> None:
        self.number = number
        self.window = window
        self.times: list[float] = []
        self.returned = 0
        self._looked = 0

    def room(self) -> int:
        """How many more messages may be in flight."""
        return self.window - (len(self.times) - self.returned)

    def in_flight_since(self) -> float | None:
        """When the oldest message that is not back yet was published; None when all are back."""
        return self.times[self.returned] if self.returned < len(self.times) else None

    def look(self, heard: Heard, seen: int) -> None:
        """Count own messages among those that came in since the last look."""
        if seen > self._looked:
            self.returned += heard.writers.count(self.number, self._looked, seen)
            self._looked = seen


class LoadConnection:
    """A connected reader, and a writer when `writing` is not None. `out`: bytes that the socket has not accepted
    yet."""

    __slots__ = ("door", "open", "out", "reader", "sampled", "sock", "writing")

    def __init__(self, sock: socket.socket, door: str, reader: Reader, writing: Writing | None = None) -> None:
        self.sock = sock
        self.door = door
        self.reader = reader
        self.writing = writing
        self.sampled = False
        self.open = True
        self.out = b""

    def read(self, buffer: memoryview) -> int:
        """Read what is there, at most a buffer full. Returns the number of bytes, 0 at the end of the connection."""
        try:
            count = self.sock.recv_into(buffer)
        except BlockingIOError:
            return -1
        except OSError:
            count = 0
        if count:
            self.reader.take(buffer[:count])
            if self.writing is not None:
                self.writing.look(self.reader.heard(), self.reader.seen())
        return count

    def write(self, pieces: Sequence[bytes] = ()) -> None:
        """Send, or keep what does not fit; `out` is non-empty then, and `write()` has to be called when the socket is
        ready."""
        self.out += b"".join(pieces)
        try:
            self.out = self.out[self.sock.send(self.out) :] if self.out else b""
        except BlockingIOError:
            return
        except OSError:
            self.out = b""


class Dialect(Protocol):
    """The bytes a client sends. `door` is tcp, telnet or web; the web door's bytes are whole masked frames."""

    web_path: str

    def enter(self, door: str, room: str) -> bytes:
        """Join the room to read."""

    def enter_to_write(self, door: str, room: str) -> bytes:
        """Join the room to write, and receive its own messages too."""

    def say(self, door: str, room: str, text: bytes) -> bytes:
        """One message."""


def _frame(**fields: object) -> bytes:
    return client_frame(msgspec.json.encode(fields))


class GatewayDialect:
    """The gateway's own doors. A peer that sends first gets no greeting; `/echo on` shows a terminal its own lines."""

    web_path = "/ws"

    def enter(self, door: str, room: str) -> bytes:
        """`/join`, or a hello with the one room."""
        return _frame(type="hello", rooms=[{"room": room}]) if door == "web" else f"/join {room}\n".encode()

    def enter_to_write(self, door: str, room: str) -> bytes:
        """As `enter`; a terminal also asks for its own lines."""
        return self.enter(door, room) if door == "web" else b"/echo on\n" + self.enter(door, room)

    def say(self, door: str, room: str, text: bytes) -> bytes:
        """A line, or a `say` without id: its own `msg` tells the writer, an ack would only load the server."""
        return _frame(type="say", room=room, text=text.decode()) if door == "web" else text + b"\n"


class NaiveDialect:
    """The naive servers (`naive_*`): one room, no commands, what is said goes to all, the sender included."""

    web_path = "/"

    def enter(self, door: str, room: str) -> bytes:
        """Connected is in the room."""
        return b""

    def enter_to_write(self, door: str, room: str) -> bytes:
        """Connected is in the room."""
        return b""

    def say(self, door: str, room: str, text: bytes) -> bytes:
        """A line or a text frame."""
        return client_frame(text) if door == "web" else text + b"\n"


SAMPLED_READERS = 32
KEPT_LATENCIES = 200_000


class Percentiles(msgspec.Struct, frozen=True):
    """Latencies in milliseconds."""

    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float


def percentiles(seconds: Sequence[float], longest: float) -> Percentiles | None:
    """By nearest rank: the smallest value that at least p percent do not exceed. None if there are none."""
    if not seconds:
        return None
    ranked = sorted(seconds)

    def at(percent: float) -> float:
        return round(ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)] * 1000, 3)

    return Percentiles(at(50), at(90), at(99), at(99.9), round(longest * 1000, 3))


@dataclass(slots=True)
class LatencySamples:
    """When some readers of one door got which part of its order: (offset before, offset after, time)."""

    order: ExpectedOrder
    chunks: list[tuple[int, int, float]] = field(default_factory=list)

    def summarise(self, times: Sequence[Sequence[float]]) -> Percentiles | None:
        """`times[writer][number]`: when each message was published.

        Only every n-th message counts, so that a long run does not end in a long calculation; the longest latency is
        exact, because a chunk's oldest message is its first.
        """
        spans = self._spans()
        stride = 1 + sum(last - first for first, last, _ in spans) // KEPT_LATENCIES
        kept: list[float] = []
        longest = phase = 0.0
        for first, last, now in spans:
            start = first + int(phase)
            kept += [now - self._published(index, times) for index in range(start, last, stride)]
            phase = (start - last) % stride
            longest = max(longest, now - self._published(first, times))
        return percentiles(kept, longest)

    def messages_per_read(self) -> float | None:
        """How many messages a reader got at a time: what the server, the kernel and this program joined."""
        spans = self._spans()
        return round(sum(last - first for first, last, _ in spans) / len(spans), 2) if spans else None

    def _spans(self) -> list[tuple[int, int, float]]:
        """The chunks in which messages ended: (first message, behind the last, time)."""
        spans = [(self.order.count(first), self.order.count(last), now) for first, last, now in self.chunks]
        return [span for span in spans if span[0] < span[1]]

    def _published(self, index: int, times: Sequence[Sequence[float]]) -> float:
        key = self.order.heard.keys[index]
        return times[writer_of(key)][number_of(key)]


def choose_sampled(peers: Sequence[LoadConnection]) -> None:
    """Spread the sampled readers evenly: the server may serve the first ones first."""
    for peer in peers[:: max(1, len(peers) // SAMPLED_READERS)]:
        peer.sampled = True
