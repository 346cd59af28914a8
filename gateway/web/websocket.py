"""WebSockets: one `Socket` per browser, the protocol of its transport, between the peer's frames and the hub.

What is true here:

- Until the upgrade the connection is aiohttp's (`web.http.protocol`, `web.upgrade`). From then on there is no task and
  no coroutine: what the loop calls handles some frames and returns. A task with its waiting frames took half of a
  newcomer's instructions, and 6 KB of each idle browser's memory.
- Server frames are unmasked, so the hub hands over complete frames that many readers share, and they go straight to the
  transport. They are written whole or not at all: a close frame can only follow a complete frame.
- What has come and is not handled yet stays bytes (`web.http.strict_frames`). The next frame is taken when the session
  takes input, at most TURN frames and SLICE bytes in a turn of the loop; while READ_AHEAD bytes wait, nothing is read.
- Whoever closes a socket sets the farewell; the teardown has a turn of the loop of its own (`PacedClose`), so that no
  verb of the transport calls the hub.
- Closing a socket with unread input resets it, and the reset destroys a close frame on its way. So after the close
  frame our side is shut down, and what still comes is dropped until the peer's own end, for at most `closing` seconds.
- The peer may be gone at every step, which is not an error. asyncio shuts the socket down within `write_eof` if its
  buffer is empty, and otherwise in a callback of its own, which would log the error of a peer that has gone meanwhile:
  so the buffer is waited for first.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field

from msgspec.structs import replace

from gateway import wording
from gateway.core.address import Remote
from gateway.core.doors.browser import BrowserDoor
from gateway.core.doors.terminal import Terminals
from gateway.core.hub import Hub
from gateway.core.ports.transport import Arrival, Kernel, Traits
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import FRAME, TEXT
from gateway.core.sanitize import LINE_BYTES
from gateway.core.sessions.session import Session
from gateway.web.http import strict_frames
from gateway.web.http.client_address import Caller, ClientAddresses, kernel_of, local_of, traits_of
from gateway.web.http.strict_frames import StrictFrames
from gateway.web.http.strict_requests import LINES
from gateway.web.http.timer_wheel import EqualDeadlines, PacedClose, TimerWheel
from gateway.web.settings import WebOptions
from gateway.web.websocket_timers import SocketTimers

TURN = 32
SLICE = 4 * 1024
READ_AHEAD = 128 * 1024
"""More than the largest frame, which is read to its end before it is handled."""
CRUMB_BYTES = 32
CRUMBS = 128
"""How many frames smaller than CRUMB_BYTES a peer may send in a row before it has to pause: 1 ms of work, and no
browser sends so many."""
PAUSE = 0.1
log = logging.getLogger("gateway.web")


@dataclass(eq=False, slots=True)
class SocketParts:
    """What all WebSockets share. `open` are those whose connections have not ended, `closing` those that have been told
    so and have not ended it yet."""

    hub: Hub
    terminals: Terminals
    requests: BrowserDoor
    wheel: TimerWheel
    options: WebOptions
    addresses: ClientAddresses
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    teardowns: PacedClose = field(default_factory=PacedClose)
    open: "set[Socket]" = field(default_factory=set)
    closing: "EqualDeadlines[Socket]" = field(init=False)

    def __post_init__(self) -> None:
        self.closing = EqualDeadlines(self.options.closing, Socket.abort)


class Socket(asyncio.Protocol):
    """One browser: the protocol of its connection, and the `Transport` that the hub writes to. `counted` is the sender
    of a request that was counted by its address; None where the connection is."""

    __slots__ = (
        "_caller",
        "_counted",
        "_crumbs",
        "_echo",
        "_farewell",
        "_gone",
        "_lines",
        "_next",
        "_over",
        "_reading_paused",
        "_shared",
        "_timers",
        "_transport",
        "_wants",
        "frames",
        "session",
        "writing_paused",
    )  # fmt: skip

    def __init__(
        self, shared: SocketParts, transport: asyncio.Transport, caller: Caller, counted: Remote | None
    ) -> None:
        self._shared = shared
        self._transport = transport
        self._caller = caller
        self._counted = counted
        self._farewell: tuple[CloseReason, str] | None = None
        self._over = False
        """Whether the farewell has been written: what still comes is dropped."""
        self._next: asyncio.Handle | None = None
        """What is to be done next, in a turn of the loop of its own: handle frames, or depart."""
        self._reading_paused = False
        self._wants = False
        self._gone = False
        self._crumbs = 0
        self._echo = b""
        """The code by which the peer closed: it is told the same (RFC 6455, 5.5.1)."""
        self._lines: list[bytes] | None = None
        """Lines of a chat.v1.text peer that the session has not taken yet, the next one last."""
        self.writing_paused = False
        self.frames = StrictFrames()
        self.session: Session | None = None
        self._timers = SocketTimers(self, transport, shared.options, shared.loop.time())

    # What the hub calls: a Transport.

    def send(self, data: bytes) -> int:
        """Take all of `data` (whole frames), or nothing while the write buffer is full."""
        if self._gone or self._farewell is not None or self._transport.is_closing():
            return len(data)
        if self.writing_paused:
            self._wants = True
            return 0
        try:
            self._transport.write(data)
        except Exception:  # one reader's connection fails; the other readers must not be affected
            self._transport.abort()
        return len(data)

    def resume(self) -> None:
        """Go on reading."""
        self._go_on_soon()

    def close(self, closing: CloseReason, words: str) -> None:
        """End this WebSocket; the first farewell counts."""
        if self._farewell is None:
            self._farewell = (closing, words)
            self._shared.teardowns.turn(self._end)

    def kernel(self) -> Kernel | None:
        """See `core.ports.transport.Transport`."""
        return kernel_of(self._transport, self._shared.options.kernel)

    def traits(self) -> Traits:
        """See `core.ports.transport.Transport`."""
        return traits_of(self._transport)

    # What the heartbeat calls.

    @property
    def leaving(self) -> bool:
        """It ends already."""
        return self._farewell is not None

    def put(self, data: bytes) -> None:
        """Write `data` to a peer that may be gone; a connection that cannot be written to is closed."""
        if self._transport.is_closing():
            return
        try:
            self._transport.write(data)
        except Exception as problem:
            log.debug(wording.LOG_WEB_UNWRITABLE, problem)
            self._transport.abort()

    # What the loop calls: a Protocol.

    def data_received(self, data: bytes) -> None:
        """Bytes have come: handle what can be handled in this turn of the loop."""
        session = self.session
        if session is None or self._farewell is not None:
            return
        session.received(len(data))
        self.frames.feed(data, self._shared.loop.time())
        if self._next is None:
            self._go_on()
        if self.frames.left > READ_AHEAD and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """The write buffer is full. A browser may lag as long as it likes."""
        self.writing_paused = True

    def resume_writing(self) -> None:
        """The write buffer has room again."""
        self.writing_paused = False
        if self._wants:
            self._wants = False
            if self.session is not None:
                self._shared.hub.pump(self.session)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection has ended. What it sent before is still handled, in order; replies are dropped."""
        self._gone = True
        self._shared.addresses.end(self._caller)
        self._shared.addresses.go(self._counted)
        if self._over:
            self._fall_apart()
        elif self.session is not None:
            self._shared.hub.pump(self.session)
            self._go_on_soon()

    # Coming, reading and going.

    def begin(self, arrival: Arrival, spoken: str | None) -> None:
        """Begin the session, and set its first deadlines."""
        shared = self._shared
        shared.wheel.put(self._timers, self._timers.next)
        if spoken == LINES:
            local = local_of(self._transport, Remote(arrival.address, arrival.proxy))
            session = shared.terminals.connect(self, TEXT, replace(arrival, terminal=True), local)
        else:
            session = shared.hub.connect(self, FRAME, arrival)
        self.session = session
        denial = shared.hub.gate.denial(Door.WEB)
        if denial is not None:
            shared.hub.close(session, denial.closing, denial.words, denial.retry_ms)
        else:
            shared.hub.turn_away(session)

    def _go_on_soon(self) -> None:
        if self._next is None and self._farewell is None:
            self._next = self._shared.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Handle what has come, as far as one turn of the loop goes; then read again, or end."""
        self._next = None
        session = self.session
        if session is None or self._farewell is not None:
            return
        try:
            pause = self._handle(session)
        except Exception:
            log.exception(wording.LOG_WEBSOCKET_FAILED)
            self.close(CloseReason.FAILED, "")
            return
        if pause is not None:
            loop = self._shared.loop
            self._next = loop.call_later(pause, self._go_on) if pause else loop.call_soon(self._go_on)
        elif self._gone and not self._waits(session) and not (self.frames.over and session.pending):
            self.close(CloseReason.LOST, "")
        if self._reading_paused and self.frames.left <= READ_AHEAD and not self._gone:
            self._reading_paused = False
            self._transport.resume_reading()

    def _waits(self, session: Session) -> bool:
        """Whether the session takes no input. One whose peer has gone is not paced any more."""
        return session.held > 0 and (session.choked or not self._gone)

    def _handle(self, session: Session) -> float | None:
        """Handle lines and frames while the session takes input. Return after how many seconds there may be more to do
        without anything else happening; None: never."""
        frames, before, had = self.frames, self.frames.left, self.frames.frames
        for _ in range(TURN):
            if self._farewell is not None or self._waits(session):
                return None
            if self._lines:
                self._line(session, self._lines.pop())
                continue
            found = frames.next() if before - frames.left < SLICE else None
            if found is None:
                if not frames.left or frames.began is not None or frames.over:
                    return None
                break
            self._take(session, *found)
            if not frames.left and not self._lines:
                return None
        return self._pause(frames.frames - had, before - frames.left)

    def _pause(self, frames: int, size: int) -> float:
        """The seconds to wait before the next turn, after one in which so many frames of so many bytes were handled."""
        self._crumbs = max(0, self._crumbs + frames - size // CRUMB_BYTES)
        if self._crumbs < CRUMBS:
            return 0.0
        self._crumbs = 0
        return PAUSE

    def _take(self, session: Session, opcode: int, payload: bytes) -> None:
        """Handle one frame."""
        if opcode == strict_frames.TEXT:
            self._text(session, payload)
        elif opcode == strict_frames.PING:
            self._timers.answer(payload, self._shared.loop.time())
        elif opcode == strict_frames.CLOSE:
            self._echo = payload
            if self.frames.broken is None:
                self._say_all(session)
            else:
                session.flush()
                self.close(self.frames.broken, "")

    def _say_all(self, session: Session) -> None:
        """The peer has closed: what it has said is stored or refused before it is told that this is the end. (It reads
        until its close frame is answered, and takes that for the receipt of all it has sent.)"""
        if session.terminal:
            self._shared.terminals.half_closed(session)

        def stored(_: None) -> None:
            session.flush()
            self.close(CloseReason.LEFT, "")

        self._shared.hub.commits.after_own(session).then(stored)

    def _text(self, session: Session, data: bytes) -> None:
        if session.tap is not None:
            session.tap.heard(data)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            session.flush()
            self.close(CloseReason.BAD_UTF8, "")
            return
        if session.terminal:
            self._shared.terminals.heard(session)
            self._shared.terminals.spoke(session)
            self._lines = data.removesuffix(b"\n").split(b"\n")[::-1]
        else:
            self._shared.requests.receive(session, text)

    def _line(self, session: Session, line: bytes) -> None:
        line = line.removesuffix(b"\r")
        if len(line) > LINE_BYTES:
            self._shared.terminals.too_long(session, line)
        else:
            self._shared.terminals.line(session, line)

    def _end(self) -> None:
        """End the session and, if it can still be told, say farewell. Leaves no session behind, whatever happens."""
        session, shared = self.session, self._shared
        closing, words = self._farewell or (CloseReason.LEFT, "")
        if self._next is not None:
            self._next.cancel()
            self._next = None
        shared.wheel.drop(self._timers)
        if session is not None:
            if session.terminal:
                shared.terminals.half_closed(session)
            shared.hub.disconnect(session, closing, words)
        self._over = True
        self.frames.drop()
        if self._gone or self._transport.is_closing():
            self._fall_apart()
            return
        payload = self._echo or closing.code.to_bytes(2, "big") + _reason(closing, words)
        self.put(bytes((0x88, len(payload))) + payload)
        if self._reading_paused:
            self._transport.resume_reading()
        shared.closing.put(self)
        self._depart()

    def _depart(self) -> None:
        """The close frame has been written: once it is out, shut our side down; then wait for the peer's end."""
        transport = self._transport
        if self._gone or transport.is_closing():
            return
        if transport.get_write_buffer_size():
            self._next = self._shared.loop.call_later(self._shared.options.closing / 20, self._depart)
        else:
            with contextlib.suppress(OSError, RuntimeError):
                transport.write_eof()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def _fall_apart(self) -> None:
        """Nobody needs it any more. Break the reference cycles, so that all of this is freed now: collecting thousands
        of dead connections at once would make the garbage collector stop the loop."""
        self._shared.open.discard(self)
        self._shared.closing.drop(self)
        self.session = None
        self._timers.stop()
        if self._next is not None:
            self._next.cancel()
            self._next = None


def _reason(closing: CloseReason, words: str) -> bytes:
    """The reason in a close frame: at most 120 bytes, and no half of a character."""
    return closing.told(words).encode("utf-8", "replace")[:120].decode("utf-8", "ignore").encode()
