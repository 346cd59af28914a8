"""A web door on a real port, and the bytes a browser sends to it."""

import asyncio
import base64
import os
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import cast

from gateway.accounts.authenticator import Authenticator
from gateway.core.address import Remote
from gateway.core.protocol.close_reason import CloseReason
from gateway.tls import TlsSession
from gateway.web.app import WebDoor
from tests.fakes import PATIENCE, SkippingClock
from tests.web.little_chat import LittleChat


class LittleAdmission:
    """Lets `most` of each address in at once, notes in `lost` who no longer counts by address, and counts in `ended`
    the connections that are over: one that rests is not counted but is still there."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.ended = 0
        self.most = 1000
        self.here: Counter[str] = Counter()
        self.resting: dict[object, Callable[[], None]] = {}

    def come(self, remote: Remote) -> tuple[CloseReason, str] | None:
        if self.here[remote.address] >= self.most:
            return CloseReason.TOO_MANY, f"{self.most} are here already"
        self.here[remote.address] += 1
        return None

    def go(self, remote: Remote) -> None:
        self.here[remote.address] -= 1
        self.lost.append(remote.address)

    def leave(self) -> None:
        self.ended += 1

    def rest(self, connection: object, give_way: Callable[[], None]) -> None:
        self.resting[connection] = give_way

    def wake(self, connection: object) -> None:
        self.resting.pop(connection, None)


class Running:
    """A started web door on a port of its own."""

    def __init__(
        self,
        door: WebDoor,
        chat: LittleChat,
        clock: SkippingClock,
        listener: socket.socket,
        admission: LittleAdmission,
        authenticator: Authenticator,
    ) -> None:
        self.door = door
        self.chat = chat
        self.clock = clock
        self.admission = admission
        self.lost = admission.lost
        self.caller = ""
        """The address that the next connections seem to come from; empty = their own."""
        self.authenticator = authenticator
        self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.ws = f"ws://127.0.0.1:{self.port}/ws"
        self.tls: ssl.SSLContext | None = None
        """The context of the next connections; None: they come without TLS."""
        self._handshakes: set[asyncio.Task[None]] = set()
        self._listener = listener
        self._task = asyncio.get_running_loop().create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, address = await loop.sock_accept(self._listener)
            sock.setblocking(False)
            remote = Remote(self.caller or address[0])
            if self.door.admit(remote) is not None:
                sock.close()
            elif self.tls is None:
                self.door.arrived(sock, remote)
            else:
                self._handshakes.add(loop.create_task(self._shake_hands(sock, TlsSession(self.tls), remote)))

    async def _shake_hands(self, sock: socket.socket, tls: TlsSession, remote: Remote) -> None:
        """What `tcp.tls_handshake` does before."""
        loop = asyncio.get_running_loop()
        try:
            while not tls.shake_hands(await loop.sock_recv(sock, 65536)):
                await loop.sock_sendall(sock, tls.take())
        except OSError:
            sock.close()
            self.door.withdrawn(remote)
            self.admission.leave()
        else:
            self.door.arrived_by_tls(sock, tls, remote)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.door.stop()
        self.authenticator.close()
        self._listener.close()

    async def talk(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def send(self, request: bytes) -> bytes:
        """Send bytes and read all that comes until the other side closes."""
        reader, writer = await self.talk()
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()
        return answer

    def upgrade(self, path: str = "/ws", **headers: str) -> bytes:
        """The bytes of a handshake; an empty value leaves a header out."""
        key = base64.b64encode(os.urandom(16)).decode()
        all_headers = {
            "Host": f"127.0.0.1:{self.port}",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{name}: {value}" for name, value in all_headers.items() if value]
        return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()

    async def upgraded(self, **headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection after a handshake."""
        reader, writer = await self.talk()
        writer.write(self.upgrade(**headers))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        assert head.startswith(b"HTTP/1.1 101"), head
        return reader, writer


def reading_of(writer: asyncio.StreamWriter) -> asyncio.ReadTransport:
    """A connection's transport, which can pause reading; uvloop's says so by no class."""
    return cast(asyncio.ReadTransport, writer.transport)


def client_frame(opcode: int, payload: bytes = b"", fin: int = 0x80, mask: bytes = b"\0\0\0\0") -> bytes:
    """A frame as a browser sends it (masked, with a mask that changes nothing)."""
    size = len(payload)
    if size < 126:
        return bytes((fin | opcode, 0x80 | size)) + mask + payload
    if size < 65536:
        return bytes((fin | opcode, 0x80 | 126)) + size.to_bytes(2, "big") + mask + payload
    return bytes((fin | opcode, 0x80 | 127)) + size.to_bytes(8, "big") + mask + payload


async def close_code(reader: asyncio.StreamReader) -> int:
    """Read frames until the close frame, and answer its code; 0 when the connection ends without one."""
    try:
        while True:
            head = await asyncio.wait_for(reader.readexactly(2), PATIENCE)
            size = head[1] if head[1] < 126 else int.from_bytes(await reader.readexactly(2), "big")
            payload = await reader.readexactly(size)
            if head[0] == 0x88:
                return int.from_bytes(payload[:2], "big")
    except asyncio.IncompleteReadError:
        return 0


Start = Callable[..., Awaitable[Running]]
