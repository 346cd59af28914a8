"""TLS handshakes: between the acceptor and the doors, for the ports that speak TLS.

One handshake costs more than any message (1 ms with an ECDSA key, 3 ms with RSA of 2048 bits), so a crowd that comes at
once, after a restart, would stop everybody's chat. A connection whose peer has sent something therefore waits in a
queue, and a turn of the loop takes from it for TURN_SECONDS at most. Meanwhile it is not watched, or it would wake the
loop all the time. The web door's handshakes are made here as well, for the same reason.

A peer has HANDSHAKE_SECONDS in all. One that speaks no TLS gets one plain line; the first byte, which is only peeked,
says so, or the silence of somebody who waits for a greeting.
"""

import logging
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable

from gateway import wording
from gateway.tcp.reject import Answer, Rejections
from gateway.tcp.server import READ, WRITE, Server
from gateway.tcp.tls_connection import send_outgoing
from gateway.tls import HELLO, RECORD_BYTES, TlsSession

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0
TURN_SECONDS = 0.005

Done = Callable[[socket.socket, TlsSession], None]
"""Takes over a connection whose handshake is complete."""
Failed = Callable[[str], None]
"""Called instead, with the reason; the connection is closed already."""


class Handshakes:
    """The handshakes of one gateway that are not complete."""

    def __init__(self, server: Server, rejections: Rejections) -> None:
        self.server = server
        self.rejections = rejections
        self.here: dict[Handshake, float] = {}
        """With the time at which each is over, the next one first. A timer of each would keep what it holds (15 KiB)
        for its whole time, however soon the peer left."""
        self._timer = False
        self._queue: deque[Handshake] = deque()

    def begin(self, sock: socket.socket, context: ssl.SSLContext, done: Done, failed: Failed, plain: Answer) -> None:
        """Shake hands with an accepted, non-blocking peer. `plain` is what it is told if it speaks no TLS."""
        if not self._timer:
            self._timer = True
            self.server.later(HANDSHAKE_SECONDS, self._look_for_late)
        self.here[Handshake(self, sock, TlsSession(context), done, failed, plain)] = (
            time.monotonic() + HANDSHAKE_SECONDS
        )

    def _look_for_late(self) -> None:
        now = time.monotonic()
        for handshake, end in list(self.here.items()):
            if end > now:
                self.server.later(end - now, self._look_for_late)
                return
            del self.here[handshake]
            if handshake.waits:  # for us, not we for the peer
                self.here[handshake] = now + HANDSHAKE_SECONDS
            else:
                handshake.late()
        self._timer = bool(self.here)
        if self._timer:
            self.server.later(HANDSHAKE_SECONDS, self._look_for_late)

    def wait(self, handshake: "Handshake") -> None:
        """It has work to do: give it a turn."""
        if not self._queue:
            self.server.later(0, self._turn)
        self._queue.append(handshake)

    def _turn(self) -> None:
        end = time.monotonic() + TURN_SECONDS
        while True:
            self._queue.popleft().go_on()
            if not self._queue:
                return
            if time.monotonic() >= end:
                self.server.later(0, self._turn)
                return

    @property
    def begun(self) -> bool:
        """Whether some peer is in the middle of its handshake."""
        return any(handshake.heard for handshake in self.here)

    def close(self) -> None:
        """Close the connections that have not got further."""
        for handshake in list(self.here):
            handshake.give_up(wording.STOPPING)


class Handshake:
    """One connection on its way in."""

    __slots__ = ("_done", "_failed", "_over", "_plain", "_shared", "_sock", "_tls", "heard", "waits")

    def __init__(
        self, shared: Handshakes, sock: socket.socket, tls: TlsSession, done: Done, failed: Failed, plain: Answer
    ) -> None:
        self._shared = shared
        self._sock = sock
        self._tls = tls
        self._done = done
        self._failed = failed
        self._plain = plain
        self.heard = False
        """Whether the peer has begun to speak TLS."""
        self._over = False
        self.waits = False
        """Whether it has something to do and waits for its turn."""
        shared.server.watch(sock, READ, self.ready)

    def ready(self, mask: int) -> None:
        """The selector's callback: wait for a turn, unwatched."""
        if not self._over:
            self._shared.server.watch(self._sock, 0, self.ready)
            self.waits = True
            self._shared.wait(self)

    def go_on(self) -> None:
        """Take what has come, send what is to be sent."""
        self.waits = False
        if self._over:
            return
        try:
            if not self.heard and not self._speaks_tls():
                return
            complete = self._tls.shake_hands(self._received())
            out = send_outgoing(self._sock, self._tls)
        except ssl.SSLError as problem:
            self._refuse(f"{problem.reason or problem}".replace("_", " ").lower())
        except EOFError:
            self.give_up("it ended")
        except OSError as problem:
            self.give_up(str(problem.strerror))
        else:
            if complete:
                self._complete()
            else:
                self._shared.server.watch(self._sock, READ if out else READ | WRITE, self.ready)

    def _speaks_tls(self) -> bool:
        try:
            first = self._sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            self._shared.server.watch(self._sock, READ, self.ready)
            return False
        self.heard = first == HELLO
        if first and not self.heard:
            self._tell_plainly()
        return self.heard or not first

    def _received(self) -> bytes:
        """What has come; EOFError at the end."""
        try:
            data = self._sock.recv(RECORD_BYTES)
        except (BlockingIOError, InterruptedError):
            return b""
        if not data:
            raise EOFError
        return data

    def _complete(self) -> None:
        self._end()
        try:
            self._done(self._sock, self._tls)
        except Exception:
            log.exception(wording.LOG_NOT_TAKEN_IN, "TLS")
            self._sock.close()

    def _refuse(self, reason: str) -> None:
        """The handshake has failed: send the alert that says why, and let the peer read it."""
        self._end()
        alert = self._tls.take()
        self._shared.rejections.refuse(self._sock, lambda first, last: alert)
        self._failed(wording.TLS_FAILED.format(problem=reason))

    def _tell_plainly(self) -> None:
        self._end()
        self._shared.rejections.refuse(self._sock, self._plain)
        self._failed(wording.TLS_FAILED.format(problem="plain bytes"))

    def late(self) -> None:
        """Its time is over."""
        if not self._over and not self.heard:
            self._tell_plainly()
        self.give_up(f"{HANDSHAKE_SECONDS:.0f} s")

    def give_up(self, reason: str) -> None:
        """Close the connection. Calling it later does nothing."""
        if not self._over:
            self._end()
            self._sock.close()
            self._failed(wording.TLS_FAILED.format(problem=reason))

    def _end(self) -> None:
        self._over = True
        self._shared.server.watch(self._sock, 0, self.ready)
        self._shared.here.pop(self, None)
