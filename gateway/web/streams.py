"""A room as an endless HTTP answer: `/r/{room}/raw` for `curl -N`, `/r/{room}/events` for EventSource.

A stream is a session like any other (door `http`): it reads the room's log by a cursor, is listed on the dashboard, can
be kicked, and lags when its reader does. It sends nothing and is not counted among the people.

The response ends with its connection and is not chunked: the hub hands over the same bytes object for every reader of a
room, which goes straight to the transport, whole or not at all.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from aiohttp import web

from gateway import wording
from gateway.core import name_rules
from gateway.core.doors.join import Greeting, join
from gateway.core.hub import Hub
from gateway.core.ports.transport import Arrival, Kernel, Traits
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import RAW, ServerSentEvents, Wire
from gateway.core.rooms.fanout import Room
from gateway.core.rooms.history import Position
from gateway.core.rooms.registry import RECENT_MESSAGES
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal
from gateway.web.http.client_address import agent_of, check_open, kernel_of, local_of, traits_of
from gateway.web.http.protocol import HttpConnection, is_secure, remote_of
from gateway.web.http.request import answered, only
from gateway.web.http.timer_wheel import TimerWheel
from gateway.web.settings import WebOptions

COMMENT = b":\n\n"
"""An empty comment: proxies close a response that is silent for long."""
FIRST_RETRY = b"retry: 2000\n\n"

POLYFILL = "lastEventId"
"""The parameter in which EventSource polyfills send the last id, because they cannot set the header."""
GONE = (CloseReason.LEFT, CloseReason.LOST)
"""Reasons after which there is nobody to read a farewell."""

AskKernel = Callable[[Any], Kernel | None]

_PLACE = re.compile(r"([A-Za-z0-9_-]{8,32}):(\d{1,18})")


class Endless(web.StreamResponse):
    """A response without length and without chunks: it ends with the connection."""

    _length_check = False

    def __init__(self, content_type: str) -> None:
        super().__init__()
        # Proxies that compress what passes through them would hold back single events.
        kept = "no-store, no-transform"
        self.headers.update({"Content-Type": content_type, "Cache-Control": kept, "X-Accel-Buffering": "no"})
        self.force_close()


class RoomStream:
    """One reader: the `Transport` that the hub writes to. It takes nothing before `begin`."""

    __slots__ = ("_ask_kernel", "_begun", "_comments", "_hub", "_loop", "_peer", "_transport", "_wants", "_wheel",
                 "over", "session", "slot")  # fmt: skip

    def __init__(
        self, hub: Hub, peer: HttpConnection, transport: asyncio.Transport, wheel: TimerWheel, ask_kernel: AskKernel
    ) -> None:
        self._hub = hub
        self._ask_kernel = ask_kernel
        self._peer = peer
        self._transport = transport
        self._wheel = wheel
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[CloseReason] = self._loop.create_future()
        """Set to the reason when the response ends."""
        self._begun = False
        self._wants = False
        self._comments = 0.0
        self.session: Session | None = None
        self.slot = -1

    # What the hub calls: a Transport.

    def send(self, data: bytes) -> int:
        """Take all of `data`, or nothing while the write buffer is full."""
        if self.over.done() or self._transport.is_closing():
            return len(data)
        if not self._begun or self._peer.writing_paused:
            self._wants = True
            return 0
        try:
            self._transport.write(data)
        except Exception:  # as for a WebSocket: the other readers must not be affected
            self._transport.abort()
        return len(data)

    def resume(self) -> None:
        """Nothing to do: a stream has no input."""

    def close(self, closing: CloseReason, words: str) -> None:
        """End the response; it has already said why."""
        if not self.over.done():
            self.over.set_result(closing)

    def kernel(self) -> Kernel | None:
        """See `core.ports.transport.Transport`."""
        return kernel_of(self._transport, self._ask_kernel)

    def traits(self) -> Traits:
        """See `core.ports.transport.Transport`."""
        return traits_of(self._transport)

    # What the connection calls.

    def writable(self) -> None:
        """The write buffer has room again."""
        if self._wants and self.session is not None:
            self._wants = False
            self._hub.pump(self.session)

    def lost(self, problem: BaseException | None) -> None:
        """The reader has gone, or `problem` has cut it off."""
        self.close(CloseReason.LEFT if problem is None else CloseReason.LOST, "")

    def due(self, now: float, late: float) -> float | None:
        """Time for a comment, unless something else has just been sent or the reader is not reading."""
        if not self._peer.writing_paused and not self._transport.is_closing():
            self._peer.put(COMMENT)
        return now + self._comments

    # The handler.

    def begin(self, comments: float) -> None:
        """The response's head has gone out; send a comment every so many seconds, 0 = never."""
        self._begun = True
        if comments:
            self._comments = comments
            self._wheel.put(self, self._loop.time() + comments)
        self.writable()

    async def end(self, patience: float) -> None:
        """Wait for the end; give the reader so many seconds to take the farewell."""
        closing = await self.over
        until = self._loop.time() + patience
        while closing not in GONE and self._transport.get_write_buffer_size() and self._loop.time() < until:
            await asyncio.sleep(patience / 20)
        if self._transport.get_write_buffer_size():
            self._transport.abort()

    def leave(self) -> None:
        """End the session."""
        self._wheel.drop(self)
        if self.session is not None:
            self._hub.disconnect(self.session, self.over.result() if self.over.done() else CloseReason.GOING_AWAY)


class Streams:
    """The handlers of both addresses."""

    def __init__(self, hub: Hub, greeting: Greeting, options: WebOptions, wheel: TimerWheel) -> None:
        self.open: set[RoomStream] = set()
        self._hub = hub
        self._greeting = greeting
        self._options = options
        self._wheel = wheel

    def close(self, closing: CloseReason, words: str) -> None:
        """End all streams."""
        for stream in list(self.open):
            if stream.session is not None:
                self._hub.close(stream.session, closing, words)

    async def raw(self, request: web.Request) -> web.StreamResponse:
        """`GET /r/{room}/raw?after=epoch:seq`: the plain door's lines."""
        room = await self._room(request)
        position = position_of(request.query["after"]) if "after" in request.query else None
        if position is not None and not _known(room, position):
            raise Refusal(Code.EPOCH_CHANGED, wording.PLACE_GONE)
        wire = RAW.at(self._greeting.ways_in.address(local_of(request.transport, remote_of(request))))
        return await self._stream(request, room, "text/plain; charset=utf-8", wire, 0, position)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """`GET /r/{room}/events`: Server-Sent Events. `Last-Event-ID` wins over `after`: it is the newer.

        A browser repeats the last id by itself, also one that it has of another server at this address, and gives up
        for good when it is refused. So a header that is no place of ours begins anew instead."""
        room = await self._room(request, POLYFILL)
        given = request.headers.get("Last-Event-ID") or request.query.get(POLYFILL) or request.query.get("after")
        if "Last-Event-ID" in request.headers and given and not _PLACE.fullmatch(given):
            given = None
        position = position_of(given) if given else None
        wire = ServerSentEvents(room)
        return await self._stream(request, room, "text/event-stream", wire, RECENT_MESSAGES, position)

    async def _room(self, request: web.Request, *also: str) -> Room:
        self._hub.bans.check_address(remote_of(request).address)
        only(request, "after", *also)
        name = name_rules.room(request.match_info["room"])
        return await answered(self._hub.rooms.open(name))

    async def _stream(
        self, request: web.Request, room: Room, content_type: str, wire: Wire, recent: int, position: Position | None
    ) -> web.StreamResponse:
        transport, peer = request.transport, request.protocol
        if transport is None or not isinstance(peer, HttpConnection):
            raise ConnectionResetError
        hub, remote = self._hub, remote_of(request)
        check_open(hub, remote)
        stream = RoomStream(hub, peer, transport, self._wheel, self._options.kernel)
        self.open.add(stream)
        peer.socket = stream
        peer.drain_input()
        try:
            agent = agent_of(request.headers.get("User-Agent", ""))
            secure = is_secure(request, self._options.tls)
            arrival = Arrival(Door.HTTP, remote.address, remote.proxy, agent, secure)
            session = stream.session = hub.connect(stream, wire, arrival)
            session.greet()
            hub.rooms.keep(room)
            join(hub, session, room.name, recent, position)
            response = Endless(content_type)
            await response.prepare(request)
            if content_type == "text/event-stream":
                peer.put(FIRST_RETRY)
            stream.begin(self._options.ping_every if content_type == "text/event-stream" else 0.0)
            if peer.ended:  # later its end closes the connection; this one has come before there was a stream to tell
                stream.close(CloseReason.LEFT, "")
            await stream.end(self._options.closing)
        finally:
            stream.leave()
            self.open.discard(stream)
        return response


def _known(room: Room, position: Position) -> bool:
    return position.epoch == room.epoch and position.after <= room.log.head


def position_of(given: str) -> Position:
    """The place `epoch:seq`. Raises Refusal."""
    found = _PLACE.fullmatch(given)
    if found is None:
        raise Refusal(Code.BAD_MESSAGE, wording.NOT_A_PLACE)
    return Position(found[1], int(found[2]))
