"""The two servers of the project's origin: echo, and the chat in which every line goes to everybody.

They have no hub. The selector's map is the only registry: whoever is registered with a `Peer`'s callback is here, and
a broadcast walks over a copy of it, because a send can end a peer and so change the map. Unlike the article's listings
a peer has whole lines (`tcp.lines`), a buffer for what its socket did not take, and an end of its own: `quit`, end of
file or an error closes that peer and nothing else.
"""

import socket
from collections.abc import Callable

from gateway.core import text
from gateway.errors import Refusal
from gateway.tcp.lines import LINE_BYTES, LineBuffer, TooLong
from gateway.tcp.server import READ, WRITE, Server

RECEIVE_BYTES = 65536
LINES_PER_TURN = 64
OWED_BYTES = 1 << 20
"""What one peer may be behind, in bytes. Above it an echo peer is not read, a chat peer misses lines and is told."""
LINGER = 2.0
"""Seconds a peer has to read our last words."""

Heard = Callable[["Peer", str], None]
"""What to do with a line of a peer, without its end."""


class Peer:
    """One connection of a plain server."""

    def __init__(self, server: Server, sock: socket.socket, heard: Heard) -> None:
        self.server = server
        self.sock = sock
        self.heard = heard
        try:
            host, port = sock.getpeername()[:2]
        except OSError:
            host, port = "gone", 0
        self.name = f"{host}:{port}"
        self._lines = LineBuffer()
        self._owed = b""
        self._skipped = 0
        self._ended = False
        """The peer sends no more."""
        self._leaving = False
        """The peer said quit, or all is done: what it still sends is dropped."""
        self._closed = False
        self._watch()

    def say(self, line: bytes) -> None:
        """Send a line, or keep what the socket does not take; far behind, skip it and tell so later."""
        if self._closed:
            return
        if len(self._owed) + len(line) > OWED_BYTES:
            self._skipped += 1
            return
        self._owed += line
        self._send()

    def ready(self, mask: int) -> None:
        """The selector's callback."""
        if mask & WRITE and self._owed:
            self._send()
        if mask & READ and not self._closed and not self._ended:
            self._receive()

    def _receive(self) -> None:
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._close()
            return
        if not data:
            self._ended = True
        elif not self._leaving:
            self._lines.feed(data)
        self._take_turn()

    def _take_turn(self) -> None:
        if self._closed:
            return
        if len(self._owed) < OWED_BYTES // 2:
            for line in self._lines.take(LINES_PER_TURN):
                self._line(line)
            if self._ended and not self._lines.pending:
                self._line(self._lines.rest() or b"quit")
        self._watch()

    def _line(self, line: bytes | TooLong) -> None:
        if self._leaving or self._closed:
            return
        if isinstance(line, TooLong):
            self.say(f"!! too_long: more than {LINE_BYTES:,} bytes in a line; not sent\n".encode())
        elif line == b"quit":
            self._leaving = True
            self._lines = LineBuffer()
        else:
            self.heard(self, readable(line))

    def _send(self) -> None:
        try:
            taken = self.sock.send(self._owed)
        except (BlockingIOError, InterruptedError):
            taken = 0
        except OSError:
            self._close()
            return
        self._owed = self._owed[taken:]
        if not self._owed and self._skipped:
            self._owed, self._skipped = f"-- {self._skipped} lines skipped\n".encode(), 0
        self._watch()

    def _watch(self) -> None:
        """Wait for what can happen next."""
        if self._closed:
            return
        if self._lines.pending and not self._owed:
            self.server.later(0, self._take_turn)
        done = self._leaving and not self._owed
        if done and self._ended:
            self._close()
            return
        if done:
            self._say_goodbye()
        reads = not self._ended and not self._lines.pending
        self.server.watch(self.sock, (READ if reads else 0) | (WRITE if self._owed else 0), self.ready)

    def _say_goodbye(self) -> None:
        """Shut down our side and read out the peer's: closing at once would reset what is still on its way."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return
        self.server.later(LINGER, self._close)

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self.server.watch(self.sock, 0, self.ready)
            self.sock.close()


def readable(line: bytes) -> str:
    """A line as others may see it: through the gate, empty when nothing is left."""
    try:
        return text.line(text.decode(line), limit=4 * LINE_BYTES)
    except Refusal:
        return ""


class Plain:
    """A plain server: `heard` decides whether it echoes or broadcasts."""

    def __init__(self, server: Server, classic: bool) -> None:
        self.server = server
        self.heard: Heard = self.broadcast if classic else self.echo

    def accepted(self, sock: socket.socket, address: str) -> None:
        """A new connection."""
        Peer(self.server, sock, self.heard)

    def echo(self, peer: Peer, line: str) -> None:
        """Answer the sender."""
        peer.say(f"{peer.name} {line}\n".encode())

    def broadcast(self, peer: Peer, line: str) -> None:
        """Tell everybody, the sender included."""
        said = f"{peer.name} {line}\n".encode()
        for key in list(self.server.selector.get_map().values()):
            somebody = getattr(key.data, "__self__", None)
            if isinstance(somebody, Peer):
                somebody.say(said)
