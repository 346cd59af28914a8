"""WebSockets: one `Socket` per browser, between aiohttp's frames and the hub.

What is true here (aiohttp 3.14, read in its source; `tests/web/test_frames_on_the_wire.py` pins it):

- Server frames are unmasked, so the hub hands over complete frames that many readers share, and they go straight to the
  transport. They are written whole or not at all: a close frame can only follow a complete frame.
- A task that waits inside one of aiohttp's sends must not be cancelled: the next send would fail. So pings, pongs and
  the close frame are written here as well, without waiting, and aiohttp writes nothing.
- The handler is the only task of a connection. To close it, other code sets the farewell and cancels its reading.
- Closing a socket with unread input resets it, and the reset destroys a close frame on its way. So after the close
  frame our side is shut down, and what still comes is dropped until the peer's own end, for at most `closing` seconds
  (`HttpConnection.depart`).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import WSMessage, WSMsgType, web
from msgspec.structs import replace

from gateway import wording
from gateway.core.address import Remote
from gateway.core.doors.browser import BrowserDoor
from gateway.core.doors.terminal import Terminals
from gateway.core.hub import Hub
from gateway.core.ports.transport import Kernel, Traits
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import FRAME, TEXT
from gateway.core.sanitize import LINE_BYTES
from gateway.core.sessions.session import Arrival, Session
from gateway.errors import Refusal
from gateway.web.http.client_address import ClientAddresses, agent_of, kernel_of, local_of, traits_of
from gateway.web.http.header_lists import speaks
from gateway.web.http.protocol import HttpConnection, is_secure, remote_of
from gateway.web.http.strict_frames import StrictFrames
from gateway.web.http.strict_requests import LINES, OBJECTS
from gateway.web.http.timer_wheel import PacedClose, TimerWheel
from gateway.web.options import WebOptions
from gateway.web.pings import Pings

TURN = 32
PROTOCOLS = (OBJECTS, LINES)
WRITER_LIMIT = 16 * 1024
# aiohttp refuses messages of this size and more; our own limit (frames.MESSAGE_LIMIT) comes first.
PARSER_LIMIT = 64 * 1024 + 1

log = logging.getLogger("gateway.web")


class WebSockets:
    """`GET /ws`: all open WebSockets and what they share."""

    def __init__(
        self,
        hub: Hub,
        terminals: Terminals,
        requests: BrowserDoor,
        wheel: TimerWheel,
        options: WebOptions,
        addresses: ClientAddresses,
        refuse: Callable[[web.Request], web.StreamResponse | None],
    ) -> None:
        self.hub = hub
        self.requests = requests
        self.terminals = terminals
        self.wheel = wheel
        self.options = options
        self.open: set[Socket] = set()
        self.teardowns = PacedClose()
        self._addresses = addresses
        self._refuse = refuse
        self._loop = asyncio.get_running_loop()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One WebSocket from its handshake to its end. Raises only before the handshake is answered."""
        refused = self._refuse(request)
        if refused is not None:
            return refused
        transport, peer = request.transport, request.protocol
        if transport is None or not isinstance(peer, HttpConnection):
            raise ConnectionResetError
        try:
            counted = self._addresses.come(peer.caller, request)
        except Refusal as refusal:
            return await self.turn_away(request, CloseReason.TOO_MANY, refusal.text)
        try:
            spoken = speaks(request.headers, *PROTOCOLS)
            ws = self._response(spoken)
            socket = peer.socket = Socket(self, peer, transport, ws)
            agent = agent_of(request.headers.get("User-Agent", ""))
            remote, secure = remote_of(request), is_secure(request, self.options.tls)
            await ws.prepare(request)
            # What would be kept for as long as the WebSocket is open: the fields that were sent, and those received.
            ws.headers.clear()
            peer.forget_head()
            await socket.run(remote, secure, agent, spoken)
        finally:
            self._addresses.go(counted)
        return ws

    async def turn_away(self, request: web.Request, closing: CloseReason, words: str) -> web.StreamResponse:
        """Open a WebSocket and close it at once, so that the page sees the reason: it cannot see why an upgrade was
        refused."""
        ws = self._response(speaks(request.headers, *PROTOCOLS))
        await ws.prepare(request)
        await ws.close(code=closing.code, message=closing.told(words).encode()[:120], drain=False)
        return ws

    def _response(self, spoken: str | None) -> "web.WebSocketResponse[Any]":
        ws = web.WebSocketResponse(
            timeout=self.options.closing,
            autoclose=False,
            autoping=False,
            compress=False,
            max_msg_size=PARSER_LIMIT,
            writer_limit=WRITER_LIMIT,
            decode_text=False,
        )
        if spoken is not None:  # aiohttp would choose from the first of several headers only
            ws.headers["Sec-WebSocket-Protocol"] = spoken
        return ws

    def now(self) -> float:
        """The loop's time in seconds."""
        return self._loop.time()

    def close(self, closing: CloseReason, words: str) -> None:
        """Close all WebSockets."""
        for socket in list(self.open):
            socket.close(closing, words)


class Socket:
    """One browser: the `Transport` that the hub writes to, and the reading side. `watch` comes with the handshake."""

    __slots__ = (
        "_broken", "_echo", "_farewell", "_gate", "_gone", "_heartbeat", "_lines", "_over", "_peer", "_shared", "_task",
        "_transport", "_wants", "_ws", "session", "watch",
    )  # fmt: skip

    def __init__(
        self, shared: WebSockets, peer: HttpConnection, transport: asyncio.Transport, ws: "web.WebSocketResponse[Any]"
    ) -> None:
        self._shared = shared
        self._peer = peer
        self._transport = transport
        self._ws = ws
        self._farewell: tuple[CloseReason, str] | None = None
        self._broken: CloseReason | None = None
        """The rule that the peer has broken; reading ends there."""
        self._over: asyncio.Future[None] | None = None
        """Set once the farewell is written: the connection's end, which we wait for."""
        self._task: asyncio.Task[Any] | None = None
        self._gate: asyncio.Future[None] | None = None
        self._wants = False
        self._gone = False
        self._echo = 0
        """The code by which the peer closed: it is told the same (RFC 6455, 5.5.1)."""
        self._lines: list[bytes] | None = None
        """Lines of a chat.v1.text peer that the session has not taken yet, the next one last."""
        self.watch: StrictFrames | None = None
        self.session: Session | None = None
        self._heartbeat = Pings(self, peer, transport, shared.options, shared.now())

    # What the hub calls: a Transport.

    def send(self, data: bytes) -> int:
        """Take all of `data` (whole frames), or nothing while the write buffer is full."""
        if self._gone or self._farewell is not None or self._transport.is_closing():
            return len(data)
        if self._peer.writing_paused:
            self._wants = True
            return 0
        try:
            self._transport.write(data)
        except Exception:  # one reader's connection fails; the other readers must not be affected
            self._transport.abort()
        return len(data)

    def resume(self) -> None:
        """Go on reading."""
        if self._gate is not None and not self._gate.done():
            self._gate.set_result(None)

    def close(self, closing: CloseReason, words: str) -> None:
        """End this WebSocket; the first farewell counts."""
        if self._farewell is not None:
            return
        self._farewell = (closing, words)
        task = self._task
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def kernel(self) -> Kernel | None:
        """See `core.ports.transport.Transport`."""
        return kernel_of(self._transport, self._shared.options.kernel)

    def traits(self) -> Traits:
        """See `core.ports.transport.Transport`."""
        return traits_of(self._transport)

    # What the connection calls.

    def received(self, count: int) -> float:
        """So many bytes came in."""
        if self.session is not None:
            self.session.received(count)
        return self._shared.now()

    @property
    def leaving(self) -> bool:
        """It ends already."""
        return self._farewell is not None

    @property
    def deaf(self) -> bool:
        """Whether input is dropped from now on."""
        return self._over is not None

    def violated(self, closing: CloseReason) -> None:
        """The peer has broken a rule of frames. What it sent before is handled, unless the session is held."""
        self._broken = closing
        if self.session is not None and self.session.held:
            self.close(closing, "")

    def writable(self) -> None:
        """The write buffer has room again."""
        if self._wants:
            self._wants = False
            if self.session is not None:
                self._shared.hub.pump(self.session)

    def lost(self, problem: BaseException | None) -> None:
        """The connection has ended. What it sent before is still handled, in order; replies are dropped."""
        self._gone = True
        if self._over is not None and not self._over.done():
            self._over.set_result(None)
        if self.session is not None:
            self._shared.hub.pump(self.session)
        self.resume()

    # The handler.

    async def run(self, remote: Remote, secure: bool, agent: str | None, spoken: str | None) -> None:
        """Read until either side ends, then close. Leaves no session behind, whatever happens.

        Hands on text, answers pings, waits while the session is held, and yields to others after some messages in a
        row. (One function, because each waiting coroutine frame costs memory for every idle browser.)
        """
        self._task = asyncio.current_task()
        self.session = session = self._join(Arrival(Door.WEB, remote.address, remote.proxy, agent, secure), spoken)
        # Checked again: since the handshake the door may have closed, or the user been banned.
        denial = self._shared.hub.gate.denial(Door.WEB)
        if denial is not None:
            self._shared.hub.close(session, denial.closing, denial.words, denial.retry_ms)
        else:
            self._shared.hub.turn_away(session)
        in_a_row = 0
        try:
            while self._farewell is None:
                if session.held and (session.choked or not self._gone):
                    self._gate = asyncio.get_running_loop().create_future()
                    await self._gate
                elif in_a_row == TURN:
                    in_a_row = 0
                    await asyncio.sleep(0)
                elif self._lines:
                    self._line(session, self._lines.pop())
                    in_a_row += 1
                elif self._take(session, await self._ws.receive()):
                    in_a_row += 1
                else:
                    break
        except asyncio.CancelledError:
            if self._farewell is None or self._task is None:
                self._farewell = (CloseReason.GOING_AWAY, "")
                raise
            self._task.uncancel()
        except Exception:
            log.exception(wording.LOG_WEBSOCKET_FAILED)
            self._farewell = (CloseReason.FAILED, "")
        finally:
            try:
                await self._shared.teardowns.turn()
            finally:
                self._part(session)
        await self._leave()
        self._fall_apart()

    def _join(self, arrival: Arrival, spoken: str | None) -> Session:
        """Begin the session, and set its first deadlines."""
        shared = self._shared
        shared.open.add(self)
        shared.wheel.put(self._heartbeat, self._heartbeat.next)
        if spoken == LINES:
            local = local_of(self._transport, Remote(arrival.address, arrival.proxy))
            return shared.terminals.connect(self, TEXT, replace(arrival, terminal=True), local)
        return shared.hub.connect(self, FRAME, arrival)

    def _part(self, session: Session) -> None:
        """End the session."""
        shared = self._shared
        self._task = None
        if session.terminal:
            shared.terminals.half_closed(session)
        shared.wheel.drop(self._heartbeat)
        shared.open.discard(self)
        shared.hub.disconnect(session, *(self._farewell or (CloseReason.LOST, "")))

    def _fall_apart(self) -> None:
        """Break the reference cycles, so that all of this is freed now: collecting thousands of dead connections at
        once would make the garbage collector stop the loop."""
        self.session = self.watch = None
        self._heartbeat.stop()
        problem = self._ws.exception()
        if problem is not None:
            problem.__traceback__ = problem.__context__ = None

    def _take(self, session: Session, message: WSMessage) -> bool:
        """Handle one received message; return False at the end."""
        if message.type is WSMsgType.TEXT:
            self._text(session, message.data)
        elif message.type is WSMsgType.PING:
            self._heartbeat.answer(message.data, self._shared.now())
        elif message.type is WSMsgType.CLOSE:
            session.flush()
            self._farewell = (self._broken or CloseReason.LEFT, "")
            self._echo = 0 if self._broken is not None else message.data
        else:
            return message.type is WSMsgType.PONG
        return True

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

    async def _leave(self) -> None:
        """Send the close frame if it can still be written, wait a moment for the peer's end, and drop the rest."""
        if self._gone or self._transport.is_closing():
            return
        closing, words = self._farewell or (CloseReason.LEFT, "")
        reason = closing.told(words).encode("utf-8", "replace")[:120].decode("utf-8", "ignore").encode()
        self._over = asyncio.get_running_loop().create_future()
        code, reason = (self._echo, b"") if self._echo else (closing.code, reason)
        self._peer.put(bytes((0x88, 2 + len(reason))) + code.to_bytes(2, "big") + reason)
        await self._peer.depart(self._over, self._shared.options.closing)
