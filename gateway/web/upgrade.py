"""The upgrade: how an HTTP connection becomes a WebSocket.

aiohttp reads the head, and the rules for requests are those of every request (`web.http.strict_requests`,
`web.http.origin_policy`). What passes them takes the transport over from aiohttp (`HttpConnection.hand_over`) and
writes the answer itself; from then on the connection has another protocol, `web.websocket.Socket`.

There are two ways in and one way on. A browser's upgrade is the first request of its connection, and is taken as soon
as its head is complete (`upgrade`). One that is refused, or that follows another request, as from a proxy that uses its
connections again, comes by aiohttp's handler (`serve`).
"""

import binascii
import hashlib
from collections.abc import Callable
from functools import partial

from aiohttp import web

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.sessions.session import Arrival
from gateway.errors import Refusal
from gateway.web.http.client_address import agent_of
from gateway.web.http.header_lists import speaks
from gateway.web.http.protocol import HttpConnection, Switching
from gateway.web.http.strict_requests import LINES, OBJECTS, Head, Upgrade
from gateway.web.websocket import Socket, SocketParts

SOCKET_PATH = "/ws"
PROTOCOLS = (OBJECTS, LINES)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""


def _switching(key: str, spoken: str | None) -> bytes:
    """The head that answers an upgrade with this key. aiohttp would name only what the first of several
    Sec-WebSocket-Protocol headers offers."""
    accept = binascii.b2a_base64(hashlib.sha1(key.strip().encode() + GUID).digest(), newline=False)
    protocol = b"" if spoken is None else b"Sec-WebSocket-Protocol: %s\r\n" % spoken.encode()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        b"Sec-WebSocket-Accept: %s\r\n%s\r\n" % (accept, protocol)
    )


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
        self._paths = frozenset((SOCKET_PATH, shared.options.at(SOCKET_PATH)))

    @property
    def any(self) -> bool:
        """Whether any is open."""
        return bool(self._shared.open)

    def upgrade(self, peer: HttpConnection, head: Upgrade) -> bool:
        """Open a WebSocket if the first request of that connection asks for it and nothing refuses it."""
        if head.method != "GET" or head.raw_path.partition("?")[0] not in self._paths:
            return False
        try:
            self._check(head)
        except (Refusal, web.HTTPException):
            return False  # the handler refuses it again, with a response
        self._switch(peer, head)
        return True

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Refuse an upgrade; or open it, where it is not the first request of its connection."""
        try:
            self._check(request)
        except (Refusal, web.HTTPException) as problem:
            return self._sorry(request, problem)
        peer = request.protocol
        if request.transport is None or not isinstance(peer, HttpConnection):
            raise ConnectionResetError
        return Switching(partial(self._switch, peer, request))

    def _switch(self, peer: HttpConnection, head: Head) -> None:
        """Answer the upgrade and begin the WebSocket. One too many of an address is opened and closed at once, so that
        the page sees the reason: it cannot see why an upgrade was refused."""
        shared, caller, counted, refused = self._shared, peer.caller, None, ""
        try:
            counted = shared.addresses.come(caller, head)
        except Refusal as refusal:
            refused = refusal.text
        remote, spoken = caller.sender(head), speaks(head.headers, *PROTOCOLS)
        secure = shared.options.tls or caller.scheme(head) == "https"
        agent = agent_of(head.headers.get("User-Agent", ""))
        transport, early = peer.hand_over()
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
        for socket in list(self._shared.open):
            socket.abort()
