"""Browsers that come and go, from their first byte to their last, with everything the gateway does but the socket.

`instructions` counts them: the protocol that the loop would call, the handshake, hello, the lobby, the farewell. The
transports take everything.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from gateway.core.address import Networks, Remote
from gateway.core.connection_limits import ConnectionLimits
from gateway.web.http.client_address import ClientAddresses, Proxies
from gateway.web.http.origin_policy import OriginPolicy
from gateway.web.http.strict_requests import Head, check_upgrade
from gateway.web.http.timer_wheel import TimerWheel
from gateway.web.settings import WebOptions
from gateway.web.upgrade import FirstRequest, FirstRequests, WebSockets
from gateway.web.websocket import SocketParts
from tests.core.world import World
from tests.web.running_door import client_frame

HEAD = (
    b"GET /ws HTTP/1.1\r\nHost: localhost:8080\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nOrigin: http://localhost:8080"
    b"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: chat.v1.json\r\n\r\n"
)
HELLO = client_frame(1, b'{"type":"hello"}')
CLOSE = client_frame(8, b"\x03\xe8")


class Wire(asyncio.Transport):
    """A transport without a socket: it keeps what is written, and whether our side has been shut down."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: asyncio.BaseProtocol = asyncio.Protocol()
        self.written = b""
        self.shut = False

    def say(self, data: bytes) -> None:
        """Bytes come from the peer."""
        assert isinstance(self.protocol, asyncio.Protocol)
        self.protocol.data_received(data)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def write_eof(self) -> None:
        self.shut = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False


def first_requests(world: World) -> FirstRequests:
    """The web door's way in, as `gateway.web.app` puts it together, without HTTP. Needs a running loop."""
    loop, options = asyncio.get_running_loop(), WebOptions(templates=Path())
    addresses = ClientAddresses(world.hub, ConnectionLimits(0, 0), Proxies(Networks()))
    wheel = TimerWheel(loop, 1.0)
    site = OriginPolicy((), (), tls=False)

    def check(head: Head) -> None:
        site.admit(head)
        check_upgrade(head)
        site.check_socket(head)

    def no_http(*asked: object) -> None:
        raise AssertionError("a good upgrade needs no HTTP")

    shared = SocketParts(world.hub, world.terminals, world.requests, wheel, options, addresses)
    upgrade = WebSockets(shared, check, no_http).upgrade  # type: ignore[arg-type]
    return FirstRequests(addresses, options.header_deadline, upgrade, no_http)  # type: ignore[arg-type]


async def come_and_go(world: World, first: FirstRequests, newcomers: int) -> None:
    """So many browsers that come together, are let in, and take their leave."""
    wires = [Wire() for _ in range(newcomers)]
    for wire in wires:
        wire.protocol = FirstRequest(first, first.addresses.begin(Remote("127.0.0.1")))
        wire.protocol.connection_made(wire)
    for wire in wires:
        wire.say(HEAD)
    world.run()
    for wire in wires:
        wire.say(HELLO)
    world.run()
    await asyncio.sleep(0)
    for wire in wires:
        assert b'"type":"joined"' in wire.written
        wire.say(CLOSE)
    world.run()
    await asyncio.sleep(0)
    for wire in wires:
        assert wire.shut
        wire.protocol.connection_lost(None)
    world.later(0.2)
    assert not world.hub.sessions


def browsers(world: World, newcomers: int) -> Callable[[], None]:
    """The work that `instructions` counts."""
    loop = asyncio.new_event_loop()

    async def begin() -> FirstRequests:
        return first_requests(world)

    first = loop.run_until_complete(begin())
    return lambda: loop.run_until_complete(come_and_go(world, first, newcomers))
