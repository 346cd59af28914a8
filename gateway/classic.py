"""The two servers of the project's origin: echo, and the chat in which every line goes to everybody.

`gateway echo` and `serve --classic` run them, each alone on the plain port. They have no hub. The selector's map is the
only registry: a peer is present while it is registered with a `ClassicConnection`'s callback, so it is always
registered for something, and a broadcast walks over a copy of the map, because a send can end a peer and so change the
map. Unlike the article's listings a peer has whole lines (`tcp.lines`), a buffer for what its socket did not take, and
an end of its own: `quit`, end of file or an error closes that peer and nothing else.

A failed send does not end a peer: its last lines may still be readable, so from then on sends are dropped and reading
goes on to the end. A reset ends the peer without its unfinished line; end of file completes that line.
"""

import logging
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gateway import wording
from gateway.core import sanitize
from gateway.errors import Refusal
from gateway.process import console, logs
from gateway.process.ready import hold_standard_descriptors, ready_line, say, write_ports_file
from gateway.process.resources import RESERVED, connection_limit
from gateway.tcp.lines import LineBuffer, TooLong
from gateway.tcp.reject import Rejections
from gateway.tcp.server import READ, WRITE, Server, new_selector

log = logging.getLogger(__name__)

RECEIVE_BYTES = 65536
LINES_PER_TURN = 64
OWED_BYTES = 1 << 20
"""Bytes that one peer may be behind; further lines are skipped, and the peer is told."""
ECHO_OWED_BYTES = 128 << 10
"""An echo peer that is behind by so many bytes is not read, so that it never misses a line: one turn's replies (64
lines of bytes that each become a U+FFFD of three bytes) fit into the rest of OWED_BYTES."""
FULL = b"!! full: try again in 30 s\n"
REFUSED_LINGERING = 16
"""Rejected peers that may linger at a time, until they have read our words."""
LINGER = 2.0
"""Seconds a peer has to read our last words."""

Heard = Callable[["ClassicConnection", str], None]
"""Called with a peer and its line, without the line's end."""


class ClassicConnection:
    """One connection of a plain server. It is not read while it is owed `patience` bytes or more."""

    def __init__(
        self, server: Server, sock: socket.socket, heard: Heard, patience: int, left: Callable[[], None]
    ) -> None:
        self.server = server
        self.sock = sock
        self.heard = heard
        self.patience = patience
        self.left = left
        try:
            host, port = sock.getpeername()[:2]
        except OSError:
            host, port = "gone", 0
        self.name = f"{host}:{port}"
        self._lines = LineBuffer()
        self._owed = bytearray()
        self._skipped = 0
        self._turn_asked = False
        self._ended = False
        """The peer has stopped sending."""
        self._broken = False
        """Sending to the peer has failed."""
        self._leaving = False
        """The peer has said quit, or everything it sent is handled: what it still sends is dropped."""
        self._shut = False
        self._closed = False
        self._wait()

    def say(self, line: bytes) -> None:
        """Send a line, or buffer what the socket does not take; if the peer is far behind, skip the line and tell it
        later."""
        if self._broken or self._closed or self._shut:
            return
        if len(self._owed) + len(line) > OWED_BYTES:
            self._skipped += 1
            return
        waits = bool(self._owed)
        self._owed += line
        if not waits:
            self._send()
            self._wait()

    def ready(self, mask: int) -> None:
        """The selector's callback. A failure here ends this peer only."""
        if self._closed:
            return
        try:
            if mask & WRITE and self._owed:
                self._send()
            if mask & READ and not self._ended and not self._lines.pending():
                self._receive()
            self._take_turn()
        except Exception:
            log.exception(wording.LOG_ORIGIN_FAILED, self.name)
            self._close()

    def _receive(self) -> None:
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._ended = self._broken = True
            self._owed.clear()
            return
        if not data:
            self._ended = True
        elif not self._leaving:
            self._lines.feed(data)

    def _take_turn(self) -> None:
        """Handle at most LINES_PER_TURN lines, then see what to wait for."""
        if not self._leaving and len(self._owed) < self.patience:
            for line in self._lines.take(LINES_PER_TURN):
                self._line(line)
            if self._ended and not self._lines.pending():
                rest = None if self._broken else self._lines.rest()
                if rest is not None:
                    self._line(rest)
                self._leave()
        if self._leaving and not self._owed:
            self._say_goodbye()
        self._wait()

    def _line(self, line: bytes | TooLong) -> None:
        if self._leaving:
            return
        if isinstance(line, TooLong):
            self.say(f"{wording.ORIGIN_TOO_LONG.format(limit=sanitize.LINE_BYTES)}\n".encode())
        elif line == b"quit":
            self._leave()
        else:
            self.heard(self, readable(line))

    def _leave(self) -> None:
        self._leaving = True
        self._lines = LineBuffer()

    def _send(self) -> None:
        try:
            taken = self.sock.send(self._owed)
        except (BlockingIOError, InterruptedError):
            taken = 0
        except OSError:
            self._broken = True
            taken = len(self._owed)
        del self._owed[:taken]
        if not self._owed and self._skipped:
            self._owed += f"{wording.ORIGIN_SKIPPED.format(count=self._skipped)}\n".encode()
            self._skipped = 0

    def _wait(self) -> None:
        """Register for what can be done next; READ also keeps the peer in the map while lines wait for their turn."""
        if self._closed:
            return
        open_handed = len(self._owed) < self.patience
        if self._lines.pending() and open_handed and not self._turn_asked:
            self._turn_asked = True
            self.server.later(0, self._next_turn)
        reads = open_handed and (self._lines.pending() or not self._ended)
        self.server.watch(self.sock, (READ if reads else 0) | (WRITE if self._owed else 0), self.ready)

    def _next_turn(self) -> None:
        self._turn_asked = False
        self.ready(0)

    def _say_goodbye(self) -> None:
        """Shut down our side and read out the peer's: closing at once would reset what is still on its way."""
        if self._ended:
            self._close()
        elif not self._shut:
            self._shut = True
            self.server.later(LINGER, self._close)
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                self._close()

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self.server.watch(self.sock, 0, self.ready)
            self.sock.close()
            self.left()


def readable(line: bytes) -> str:
    """A line as others may see it, after the text gate; empty when nothing is left."""
    try:
        return sanitize.line(sanitize.decode(line), limit=4 * sanitize.LINE_BYTES)
    except Refusal:
        return ""


class ClassicServer:
    """A plain server: `heard` decides whether it echoes or broadcasts. At most `limit` peers are connected."""

    def __init__(self, server: Server, classic: bool, limit: int) -> None:
        self.server = server
        self.limit = limit
        self.refusals = Rejections(server, REFUSED_LINGERING)
        self.count = 0
        self.heard: Heard = self.broadcast if classic else self.echo
        self.patience = OWED_BYTES + 1 if classic else ECHO_OWED_BYTES

    def accepted(self, sock: socket.socket, address: str) -> None:
        """A new connection: accept it, or reject it with one line that says why."""
        if self.count >= self.limit:
            self.refusals.refuse(sock, lambda first, last: FULL)
            return
        self.count += 1
        ClassicConnection(self.server, sock, self.heard, self.patience, self._left)

    def _left(self) -> None:
        self.count -= 1

    def echo(self, peer: ClassicConnection, line: str) -> None:
        """Send the line back to its sender."""
        peer.say(f"{peer.name} {line}\n".encode())

    def broadcast(self, peer: ClassicConnection, line: str) -> None:
        """Send the line to every peer, the sender included."""
        said = f"{peer.name} {line}\n".encode()
        for key in list(self.server.selector.get_map().values()):
            somebody = getattr(key.data, "__self__", None)
            if isinstance(somebody, ClassicConnection):
                somebody.say(said)


class Options(Protocol):
    """The settings these servers use."""

    @property
    def host(self) -> tuple[str, ...]: ...
    @property
    def tcp_port(self) -> int: ...
    @property
    def selector(self) -> str: ...
    @property
    def ports_file(self) -> Path | None: ...
    @property
    def log_level(self) -> str: ...
    @property
    def log_format(self) -> str: ...
    @property
    def console(self) -> bool: ...


def echo(options: Options) -> int:
    """Answer every line with `ip:port line` until stopped; return the exit code."""
    return _serve(options, classic=False)


def classic(options: Options) -> int:
    """Send every line to everybody as `ip:port line` until stopped; return the exit code."""
    return _serve(options, classic=True)


def _serve(options: Options, *, classic: bool) -> int:
    hold_standard_descriptors()
    logs.start(options.log_level, options.log_format)
    server = Server(new_selector(options.selector))
    stop = _stop_from_anywhere(server)
    try:
        limit = min(connection_limit(0), server.descriptors - RESERVED)
        accepted = ClassicServer(server, classic, limit).accepted
        listeners = server.listen_all(options.host, options.tcp_port, accepted)
        if options.ports_file is not None:
            write_ports_file(options.ports_file, {"tcp": listeners[0].address[1]})
        say(ready_line([("tcp", *listener.address) for listener in listeners], ""))
        if options.console:
            console.start(stop)
        server.run()
    finally:
        stop.close()
        server.close()
    return 0


def _stop_from_anywhere(server: Server) -> "Stop":
    """A stop that works from a signal handler and from another thread: it wakes the selector through a socket."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    server.watch(reader, READ, lambda mask: server.stop())
    signal.set_wakeup_fd(writer.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return Stop(writer)


class Stop:
    """Callable that ends the server's loop."""

    def __init__(self, writer: socket.socket) -> None:
        self._writer = writer

    def __call__(self) -> None:
        self._writer.send(b"!")

    def close(self) -> None:
        """Close the waking socket: the loop has ended."""
        signal.set_wakeup_fd(-1)
        self._writer.close()
