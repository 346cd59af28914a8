"""One connection of the load generator: dial a door, read into the verifier, write without blocking."""

import base64
import secrets
import socket
from collections.abc import Sequence

from gateway.bench.errors import BenchError
from gateway.bench.order import Heard
from gateway.bench.plan import BenchTarget
from gateway.bench.reader import Reader

DIAL_SECONDS = 10.0
HEADER_BYTES = 16 << 10
_UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def dial(target: BenchTarget, door: str, web_path: str) -> tuple[socket.socket, bytes]:
    """Connect, for the web door with the WebSocket handshake. Returns the socket and what came behind the handshake.

    Raises BenchError when nobody answers there as that door does.
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
            raise BenchError(f"{host}:{port} is no web door: it does not answer a WebSocket handshake")
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
        """How many more may be in flight."""
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
    """A connected reader, and a writer when `writing` is not None. `out`: bytes that the socket did not take yet."""

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
        """Take what is there, at most a buffer full. Returns the bytes, 0 at the end of the connection."""
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
        """Send, or keep what does not fit; `out` is non-empty then, and `write()` wants to be called when it fits."""
        self.out += b"".join(pieces)
        try:
            self.out = self.out[self.sock.send(self.out) :] if self.out else b""
        except BlockingIOError:
            return
        except OSError:
            self.out = b""
