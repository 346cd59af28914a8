"""The timers of a WebSocket: its pings, the pongs that are waited for, and the deadlines of hello and of a frame.

A peer that does not read is neither pinged nor cut: its lag is the log's affair, keepalive finds the dead, and a ping
behind a full buffer proves nothing. After the loop itself has stalled, missed deadlines are forgiven.
"""

import asyncio
from typing import Protocol

from gateway import wording
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.sessions.rate_limit import pay, wait
from gateway.core.sessions.session import Session
from gateway.web.http.strict_frames import StrictFrames
from gateway.web.settings import WebOptions

PING = b"\x89\x00"
PONGS_PER_SECOND = 10.0
PONGS_AT_ONCE = 100
"""A ping that gets no pong costs its sender nothing: a newer one gets it."""


class TimedSocket(Protocol):
    """The WebSocket whose timers they are."""

    frames: StrictFrames
    session: Session | None
    writing_paused: bool

    @property
    def leaving(self) -> bool: ...
    def put(self, data: bytes) -> None: ...
    def close(self, closing: CloseReason, words: str) -> None: ...


class SocketTimers:
    """One WebSocket's, in the timer wheel. `now` is the loop's time in seconds."""

    __slots__ = ("_hello_by", "_options", "_ping_at", "_pinged", "_pongs", "_pongs_paid", "_socket", "_transport",
                 "slot")  # fmt: skip

    def __init__(self, socket: TimedSocket, transport: asyncio.Transport, options: WebOptions, now: float) -> None:
        self._socket: TimedSocket | None = socket
        self._transport = transport
        self._options = options
        self._hello_by = now + options.hello_deadline
        self._ping_at = now + options.ping_every
        self._pinged = 0.0
        """When the ping was sent that has no pong yet; 0: there is none."""
        self._pongs = 0
        self._pongs_paid = 0.0
        self.slot = -1

    @property
    def next(self) -> float:
        """The moment of the first deadline."""
        return min(self._hello_by, self._ping_at)

    def stop(self) -> None:
        """The WebSocket is over."""
        self._socket = None

    def due(self, now: float, late: float) -> float | None:
        """The next deadline has come, `late` seconds ago; return the moment of the one after it."""
        socket, options = self._socket, self._options
        if socket is None or socket.leaving or socket.session is None:
            return None
        frames, session = socket.frames, socket.session
        if self._hello_by and session.greeted:
            self._hello_by = 0.0
        if self._hello_by and late > options.stalled_loop:
            self._hello_by = now + options.hello_deadline
        if self._hello_by and now >= self._hello_by:
            socket.close(CloseReason.NO_HELLO, wording.HELLO_FIRST)
        elif frames.began is not None and now - frames.began >= options.frame_deadline:
            socket.close(CloseReason.SLOW_FRAME, wording.FRAME_SLOW)
        else:
            busy = socket.writing_paused or self._transport.get_write_buffer_size() > 0 or session.held > 0
            if self._beat(socket, now, late, busy):
                return self._next(frames)
            socket.close(CloseReason.NO_PONG, "")
        return None

    def _beat(self, socket: TimedSocket, now: float, late: float, busy: bool) -> bool:
        """Look for the pong, and send the next ping when it is time; False: the pong did not come."""
        if self._pinged and socket.frames.pongs != self._pongs:
            self._pinged = 0.0
        elif self._pinged and (busy or late > self._options.stalled_loop):
            self._pinged = 0.0
            self._ping_at = now
        elif self._pinged and now >= self._pinged + self._options.pong_within:
            return False
        if not self._pinged and now >= self._ping_at:
            self._ping(socket, now, busy)
        return True

    def _next(self, frames: StrictFrames) -> float:
        moments = [self._pinged + self._options.pong_within if self._pinged else self._ping_at]
        if self._hello_by:
            moments.append(self._hello_by)
        if frames.began is not None:
            moments.append(frames.began + self._options.frame_deadline)
        return min(moments)

    def _ping(self, socket: TimedSocket, now: float, busy: bool) -> None:
        if busy:
            self._ping_at = now + self._options.pong_within
            return
        self._pinged = now
        self._ping_at = now + self._options.ping_every
        self._pongs = socket.frames.pongs
        socket.put(PING)

    def answer(self, data: bytes, now: float) -> None:
        """Send the pong to a peer's ping, if the peer reads and does not send pings by the hundred."""
        socket = self._socket
        if socket is None or socket.writing_paused or self._transport.is_closing():
            return
        if wait(self._pongs_paid, now, PONGS_PER_SECOND, PONGS_AT_ONCE) == 0:
            self._pongs_paid = pay(self._pongs_paid, now, PONGS_PER_SECOND)
            socket.put(bytes((0x8A, len(data))) + data)
