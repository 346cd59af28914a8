"""The upgrade: what a connection becomes with its first request, a WebSocket or HTTP.

The rules for an upgrade are those of every request (`web.http.strict_requests`, `web.http.origin_policy`). What passes
them gets its answer written here; from then on its connection has another protocol, `web.websocket.Socket`.

There are two ways in and one way on. A browser's upgrade is the first request of its connection and comes whole: it is
read from the bytes (`WebSockets.upgrade`), and aiohttp never sees the connection: its protocol, its parser and its
request were a tenth of what a visit costs. Anything else makes the connection an `HttpConnection`, which is given the
bytes as they came and what is left of the first head's deadline. An upgrade that is refused, that comes in pieces, or
that follows another request, as from a proxy that uses its connections again, comes by aiohttp's handler (`serve`).
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import cast

from aiohttp import web

from gateway.core.ports.transport import Arrival
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.errors import Refusal
from gateway.web.http.client_address import Caller, ClientAddresses, agent_of
from gateway.web.http.header_lists import speaks
from gateway.web.http.protocol import HttpConnection, Switching
from gateway.web.http.strict_requests import LINES, OBJECTS, Head, UpgradeHeads, accept_of
from gateway.web.http.timer_wheel import EqualDeadlines
from gateway.web.websocket import Socket, SocketParts

SOCKET_PATH = "/ws"
PROTOCOLS = (OBJECTS, LINES)
WRITE_HIGH = 64 * 1024
WRITE_LOW = 16 * 1024


class FirstRequests:
    """What the connections of one door share until their first request. `upgrade` makes a WebSocket of a connection
    whose first bytes ask for one that nothing refuses, and returns whether they do; `http` makes the protocol of one
    whose first head is to be complete at that time of the loop: `deadline` seconds after the connection came."""

    def __init__(
        self,
        addresses: ClientAddresses,
        deadline: float,
        upgrade: Callable[[asyncio.Transport, Caller, bytes], bool],
        http: Callable[[Caller, float], HttpConnection],
    ) -> None:
        self.addresses = addresses
        self.upgrade = upgrade
        self.http = http
        self.waiting: EqualDeadlines[FirstRequest] = EqualDeadlines(deadline, FirstRequest.close)
        """Those that have sent nothing yet."""
        self.closed = False

    def close(self) -> None:
        """Close the connections that wait, and all that still come."""
        self.closed = True
        for each in self.waiting.stop():
            each.close()


class FirstRequest(asyncio.Protocol):
    """The protocol of one connection until bytes come. `caller` is its peer, as the accepting side knows it."""

    __slots__ = ("_caller", "_shared", "_transport")

    def __init__(self, shared: FirstRequests, caller: Caller) -> None:
        self._shared = shared
        self._caller = caller
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open: bound its write buffer, for whatever it becomes."""
        shared, made = self._shared, cast(asyncio.Transport, transport)
        if shared.closed:
            made.close()
            return
        self._transport = made
        made.set_write_buffer_limits(high=WRITE_HIGH, low=WRITE_LOW)
        shared.waiting.put(self)

    def data_received(self, data: bytes) -> None:
        """The first bytes have come: the connection gets the protocol that handles them."""
        transport, shared = self._transport, self._shared
        if transport is None:
            return
        self._transport = None  # it knows its protocol: a circle
        head_by = shared.waiting.drop(self)
        if not shared.upgrade(transport, self._caller, data):
            http = shared.http(self._caller, head_by)
            transport.set_protocol(http)
            http.connection_made(transport)
            http.data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection has ended before its first request."""
        self._transport = None
        self._shared.waiting.drop(self)
        self._shared.addresses.end(self._caller)

    def close(self) -> None:
        """Close the connection: nothing has come in time, or the door closes."""
        if self._transport is not None:
            self._transport.close()


def _switching(key: str, spoken: str | None) -> bytes:
    """The head that answers an upgrade with this key. aiohttp would name only what the first of several
    Sec-WebSocket-Protocol headers offers."""
    protocol = "" if spoken is None else f"Sec-WebSocket-Protocol: {spoken}\r\n"
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_of(key)}\r\n{protocol}\r\n"
    ).encode()


class WebSockets:
    """`GET /ws`: all WebSockets. `check` raises Refusal or HTTPException for an upgrade that is refused, `sorry` makes
    the response to it."""

    def __init__(
        self,
        shared: SocketParts,
        check: Callable[[Head], None],
        sorry: Callable[[web.Request, Exception], web.StreamResponse],
    ) -> None:
        self._shared = shared
        self._check = check
        self._sorry = sorry
        self._heads = UpgradeHeads((SOCKET_PATH, shared.options.at(SOCKET_PATH)))

    @property
    def any(self) -> bool:
        """Whether any is open."""
        return bool(self._shared.open)

    def upgrade(self, transport: asyncio.Transport, caller: Caller, data: bytes) -> bool:
        """Open a WebSocket if the first bytes of a connection ask for one and nothing refuses it; return whether."""
        found = self._heads.read(data)
        if found is None:
            return False
        head, early = found
        try:
            self._check(head)
        except (Refusal, web.HTTPException):
            return False  # the handler refuses it again, with a response
        self._switch(caller, head, transport, early)
        return True

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Refuse an upgrade, or open one that `upgrade` has not taken."""
        try:
            self._check(request)
        except (Refusal, web.HTTPException) as problem:
            return self._sorry(request, problem)
        peer = request.protocol
        if request.transport is None or not isinstance(peer, HttpConnection):
            raise ConnectionResetError
        return Switching(partial(self._take_over, peer, request))

    def _take_over(self, peer: HttpConnection, head: Head) -> None:
        self._switch(peer.caller, head, *peer.hand_over())

    def _switch(self, caller: Caller, head: Head, transport: asyncio.Transport, early: bytes) -> None:
        """Answer the upgrade and begin the WebSocket. One too many of an address is opened and closed at once, so that
        the page sees the reason: it cannot see why an upgrade was refused."""
        shared, counted, refused = self._shared, None, ""
        try:
            counted = shared.addresses.come(caller, head)
        except Refusal as refusal:
            refused = refusal.text
        remote, spoken = caller.sender(head), speaks(head.headers, *PROTOCOLS)
        secure = shared.options.tls or caller.scheme(head) == "https"
        agent = agent_of(head.headers.get("User-Agent", ""))
        socket = Socket(shared, transport, caller, counted)
        transport.set_protocol(socket)
        shared.open.add(socket)
        socket.put(_switching(head.headers["Sec-WebSocket-Key"], spoken))
        if refused:
            socket.close(CloseReason.TOO_MANY, refused)
        else:
            socket.begin(Arrival(Door.WEB, remote.address, remote.proxy, agent, secure), spoken)
        if early:
            socket.data_received(early)

    def close(self, closing: CloseReason, words: str) -> None:
        """Close all WebSockets."""
        for socket in list(self._shared.open):
            socket.close(closing, words)

    def abort(self) -> None:
        """End those that are still there at once."""
        self._shared.closing.stop()
        for socket in list(self._shared.open):
            socket.abort()
