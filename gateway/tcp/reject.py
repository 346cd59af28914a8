"""Rejected connections: each is told why, and may linger for a moment so that it can read that.

Closing a socket with unread input makes the kernel send a reset, which can destroy our words on their way: the peer
sees "connection reset" instead of the reason. So after the words our side is shut down, and what the peer still sends
is read and dropped until its end, for at most LINGER seconds and READ_OUT_BYTES. Only a limited number of peers may
linger at a time; the others are told and closed at once, because a flood of newcomers must not cost descriptors.
"""

import socket
from collections.abc import Callable

from gateway.tcp.server import READ, Server

LINGER = 2.0
RECEIVE_BYTES = 16384
READ_OUT_BYTES = 1 << 20
FIRST_BYTES = 8192
"""The most input that a rejection waits for before it is written."""

Answer = Callable[[bytes, bool], bytes | None]
"""Our words to a peer that has sent these bytes so far; None: wait for more. True: it is the last time to ask."""


class Rejections:
    """The rejected peers that linger, at most `most`."""

    def __init__(self, server: Server, most: int) -> None:
        self.server = server
        self.most = most
        self.here: set[RejectedConnection] = set()

    def refuse(self, sock: socket.socket, answer: Answer) -> None:
        """Tell an accepted, non-blocking peer why it is rejected, and close it."""
        refused = RejectedConnection(self, sock, answer)
        if len(self.here) < self.most:
            refused.linger()
            refused.ready(READ)  # with TLS, what came with the handshake makes no socket readable
        else:
            refused.close()


class RejectedConnection:
    """One rejected peer."""

    __slots__ = ("_answer", "_first", "_left", "_refusals", "_said", "_sock")

    def __init__(self, refusals: Rejections, sock: socket.socket, answer: Answer) -> None:
        self._refusals = refusals
        self._sock = sock
        self._answer = answer
        self._first = b""
        self._left = READ_OUT_BYTES
        self._said = False

    def linger(self) -> None:
        """Wait for the peer's end."""
        self._refusals.here.add(self)
        server = self._refusals.server
        server.watch(self._sock, READ, self.ready)
        server.later(LINGER, self.close)
        self._say(last=False)

    def ready(self, mask: int) -> None:
        """The selector's callback."""
        if self._sock.fileno() < 0:
            return
        try:
            data = self._sock.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._left -= len(data)
        if not data or self._left <= 0:
            self.close()
        elif not self._said:
            self._first += data
            self._say(last=len(self._first) >= FIRST_BYTES)

    def close(self) -> None:
        """Write what was not written yet and close the socket. Closing again does nothing."""
        if self._sock.fileno() >= 0:
            self._say(last=True)
            self._refusals.server.watch(self._sock, 0, self.ready)
            self._sock.close()
            self._refusals.here.discard(self)

    def _say(self, *, last: bool) -> None:
        """Make one small write into an empty buffer, then end our side."""
        words = None if self._said else self._answer(self._first, last)
        if words is None:
            return
        self._said = True
        self._first = b""
        try:
            self._sock.send(words)
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._left = 0  # the peer does not read; what it has sent is read once more, then it is over
