"""One connection of the load generator: it dials a door, reads into the verifier, and writes without blocking.

A `Dialect` is what it sends to join the room and to say something, to the gateway and to the other servers beside it.
Some of the readers are also sampled for latency, from publishing to delivery; `Percentiles` sum that up.
"""

import base64
import errno
import math
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from gateway.bench.delivery_check import ExpectedOrder, Heard, Split, client_frame, split_frames, split_lines
from gateway.bench.machine import LIMIT_ADVICE
from gateway.bench.plan import BenchError, BenchTarget, number_of, writer_of
from gateway.bench.reader import Reader

DIAL_SECONDS = 10.0
HEADER_BYTES = 16 << 10
START = "gateway serve --memory --limits.messages_per_second 0"
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def dial(target: BenchTarget, door: str, web_path: str, receive: int | None = None) -> tuple[socket.socket, bytes]:
    """Connect, for the web door with the WebSocket handshake. Returns the socket and what came after the handshake.

    `receive`: bytes that the kernel keeps for a peer that does not read; None: as many as it likes. Raises BenchError
    when nothing answers there as that door does.
    """
    port = target.port(door)
    if port is None:
        raise BenchError(f"the {door} door is closed there: choose other --doors, or open it")
    try:
        sock = socket.create_connection((target.host, port), timeout=DIAL_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        first = _upgrade(sock, target.host, port, web_path) if door == "web" else b""
        sock.setblocking(False)
    except OSError as error:
        raise BenchError(unreachable(target.host, port, door, error)) from error
    return sock, first


def unreachable(host: str, port: int, door: str, error: OSError) -> str:
    """Why a door could not be reached, and what to do about it."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"this program has no file descriptor left for another connection: {LIMIT_ADVICE}"
    if error.errno == errno.EADDRNOTAVAIL:
        return "no local port is free: connections that have just ended keep theirs for a minute; wait, or take fewer"
    words = f"no gateway at {host}:{port} ({door}): {error.strerror or error}"
    return f"{words}; start one with: {START}" if error.errno == errno.ECONNREFUSED else words


def _upgrade(sock: socket.socket, host: str, port: int, path: str) -> bytes:
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    sock.sendall(UPGRADE.format(path=path, host=f"[{host}]" if ":" in host else host, port=port, key=key).encode())
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

    def look(self, heard: Heard, seen: int) -> bool:
        """Count own messages among those that came in since the last look. Returns whether there are any."""
        before = self.returned
        if seen > self._looked:
            self.returned += heard.writers.count(self.number & 0xFF, self._looked, seen)
            self._looked = seen
        return self.returned > before


class LoadConnection:
    """A connected reader, and a writer when `writing` is not None. `out`: bytes that the socket has not accepted
    yet. `samples`: where its arrivals are noted, if they are."""

    __slots__ = ("door", "open", "out", "reader", "samples", "sock", "stalled", "writing")

    def __init__(self, sock: socket.socket, door: str, reader: Reader, writing: Writing | None = None) -> None:
        self.sock = sock
        self.door = door
        self.reader = reader
        self.writing = writing
        self.samples: LatencySamples | None = None
        self.stalled = False
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
        return count

    def look(self) -> bool:
        """Whether messages that this writer published have come back since the last look."""
        return self.writing is not None and self.writing.look(self.reader.heard(), self.reader.seen())

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
    """The bytes a client sends. `door` is tcp, telnet or web; the web door's bytes are whole masked frames.

    `arrived`: what a newcomer that has sent `arrive` finds in the answer once it is let in.
    """

    arrived: bytes

    def path(self, room: str) -> str:
        """Where the WebSockets of that room are opened."""

    def split(self, door: str) -> Split:
        """How to cut what that door sends into pieces, each with at most one message."""

    def arrive(self, door: str) -> bytes:
        """Come in without a wish for a room."""

    def enter(self, door: str, room: str) -> bytes:
        """Join the room to read."""

    def enter_to_write(self, door: str, room: str) -> bytes:
        """Join the room to write, and receive its own messages too."""

    def say(self, door: str, room: str, text: bytes) -> bytes:
        """One message."""


def _frame(**fields: object) -> bytes:
    return client_frame(msgspec.json.encode(fields))


class ByDoor:
    """What dialects have in common: a terminal's stream is lines, a browser's is frames."""

    def split(self, door: str) -> Split:
        """Frames behind the web door, lines behind the others."""
        return split_frames if door == "web" else split_lines


class GatewayDialect(ByDoor):
    """The gateway's own doors. A peer that sends first gets no greeting; `/echo on` shows a terminal its own lines.

    No wording is relied on: a terminal that has sent `/bot` is answered with `joined`, as a browser's hello is.
    """

    arrived = b'"type":"joined"'

    def path(self, room: str) -> str:
        """One for all rooms."""
        return "/ws"

    def arrive(self, door: str) -> bytes:
        """`/bot`, or a hello."""
        return _frame(type="hello") if door == "web" else b"/bot\n"

    def enter(self, door: str, room: str) -> bytes:
        """`/join`, or a hello with the one room."""
        return _frame(type="hello", rooms=[{"room": room}]) if door == "web" else f"/join {room}\n".encode()

    def enter_to_write(self, door: str, room: str) -> bytes:
        """As `enter`; a terminal also asks for its own lines."""
        return self.enter(door, room) if door == "web" else b"/echo on\n" + self.enter(door, room)

    def say(self, door: str, room: str, text: bytes) -> bytes:
        """A line, or a `say` without id: its own `msg` tells the writer, an ack would only load the server."""
        return _frame(type="say", room=room, text=text.decode()) if door == "web" else text + b"\n"


class NaiveDialect(ByDoor):
    """The naive servers (`naive_*`): one room, no commands, what is said goes to all, the sender included."""

    arrived = b"hello"

    def path(self, room: str) -> str:
        """There is only one room."""
        return "/"

    def arrive(self, door: str) -> bytes:
        """Say something: it comes back."""
        return self.say(door, "", b"hello")

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
    """When sampled readers got which part of an order: (offset before, offset after, time)."""

    order: ExpectedOrder
    chunks: list[tuple[int, int, float]] = field(default_factory=list)

    def spans(self) -> list[tuple[int, int, float]]:
        """The chunks in which messages ended: (first message, behind the last, time)."""
        spans = [(self.order.count(first), self.order.count(last), now) for first, last, now in self.chunks]
        return [span for span in spans if span[0] < span[1]]


def summarise_latency(
    sampled: Sequence[LatencySamples], times: Mapping[int, Sequence[float]]
) -> tuple[Percentiles | None, float | None]:
    """The latencies of a door, and how many messages a reader got at a time: what the server, the kernel and this
    program joined. `times[writer][number]`: when each message was published.

    Only every n-th message counts, so that a long run does not end in a long calculation, and always the first of a
    chunk, which has waited longest but for messages of other writers.
    """
    spans = [(samples.order.heard.keys, *span) for samples in sampled for span in samples.spans()]
    total = sum(last - first for _, first, last, _ in spans)
    stride = 1 + total // KEPT_LATENCIES
    kept: list[float] = []
    longest = phase = 0.0
    for keys, first, last, now in spans:
        start = first + int(phase)
        kept += [now - times[writer_of(key)][number_of(key)] for key in keys[start:last:stride]]
        phase = (start - last) % stride
        longest = max(longest, now - times[writer_of(keys[first])][number_of(keys[first])])
    return percentiles(kept, max([longest, *kept])), round(total / len(spans), 2) if spans else None


def choose_sampled(peers: Sequence[LoadConnection]) -> None:
    """Note the arrivals of some, spread evenly: the server may serve the first ones first."""
    for peer in peers[:: max(1, len(peers) // SAMPLED_READERS)]:
        peer.samples = LatencySamples(peer.reader.order)
