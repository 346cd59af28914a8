"""A proxy that cuts connections at a chosen byte, and peers that come back after every cut and record what they saw.

The proxy forwards exactly so many bytes in one direction and then ends both legs, by a reset, an end of file or silence
(the gateway's leg stays open until the peer has come back). A peer keeps a position, (epoch, last number it has read
whole), and the messages it has not seen acknowledged; it comes back with both.
"""

import asyncio
import itertools
import json
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.bridge.peers import HOST
from tests.bridge.records import Records, Row

SECONDS = 45.0
"""How long anything is waited for."""
GONE = (OSError, EOFError, asyncio.IncompleteReadError)
AWAY_EVERY = 20
AWAY = 0.2
"""Lives after which a peer stays away for so many seconds, for longer than the room's log in memory may reach."""
WINDOW = 4
"""Messages of one peer that may wait for their ack."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a connection ends: after so many bytes from the peer (`up`) or to it (`down`); None = nowhere."""

    up: int | None = None
    down: int | None = None
    how: str = "end"


def random_cut(dice: random.Random) -> Cut:
    """A cut in the handshake, in what is missed, in what is live or in what is said."""
    how = dice.choice(("reset", "end", "silence"))
    if dice.random() < 0.4:
        return Cut(up=dice.randrange(900), how=how)
    return Cut(down=dice.randrange(dice.choice((700, 3000))), how=how)


class Leg(asyncio.Protocol):
    """One side of a proxied connection."""

    def __init__(self, link: "Link", down: bool) -> None:
        self.link = link
        self.down = down

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.link.forward(data, self.down)

    def connection_lost(self, problem: Exception | None) -> None:
        self.link.end("end")


class Link:
    """One proxied connection and what it may still carry."""

    def __init__(self, proxy: "Proxy", cut: Cut) -> None:
        self.proxy = proxy
        self.left = {False: cut.up, True: cut.down}
        self.how = cut.how
        self.peer = Leg(self, down=False)
        self.gateway = Leg(self, down=True)
        self.waiting = b""
        self.carried = 0
        """Bytes brought to the peer."""
        self.over = False

    def forward(self, data: bytes, down: bool) -> None:
        """Carry bytes to the other side, up to the cut."""
        if self.over:
            return
        left = self.left[down]
        if left is not None:
            data = data[:left]
            self.left[down] = left - len(data)
        self.carried += len(data) if down else 0
        to = self.peer if down else self.gateway
        if hasattr(to, "transport"):
            to.transport.write(data)
        else:
            self.waiting += data
        if self.left[down] == 0:
            self.proxy.cuts += 1
            self.end(self.how)

    async def connect(self, port: int) -> None:
        """Reach the gateway."""
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: self.gateway, HOST, port)
        except OSError:
            self.end("end")
            return
        transport.write(self.waiting)
        if self.over:
            transport.close()

    def end(self, how: str) -> None:
        """End both legs."""
        if self.over:
            return
        self.over = True
        for leg in (self.peer, self.gateway):
            if not hasattr(leg, "transport"):
                continue
            if how == "silence" and leg is self.gateway:
                self.proxy.silent.append(leg.transport)
            elif how == "reset":
                reset(leg.transport)
            else:
                leg.transport.close()


def reset(transport: asyncio.Transport) -> None:
    """Close so that the other side sees a reset."""
    sock = transport.get_extra_info("socket")
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Proxy:
    """Listens on `port`; `next_cut` says where each connection is cut."""

    def __init__(self, next_cut: Callable[[], Cut]) -> None:
        self.next_cut = next_cut
        self.cuts = 0
        self.silent: list[asyncio.Transport] = []
        self.port = 0
        self.latest: Link
        self._links: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def before(self, port: int) -> AsyncIterator["Proxy"]:
        """Stand before the gateway's `port` meanwhile."""

        def accepted() -> Leg:
            link = self.latest = Link(self, self.next_cut())
            task = asyncio.create_task(link.connect(port))
            self._links.add(task)
            task.add_done_callback(self._links.discard)
            return link.peer

        server = await asyncio.get_running_loop().create_server(accepted, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.forget_the_silent()

    def forget_the_silent(self) -> None:
        """Let the gateway's silent connections end as well."""
        for transport in self.silent:
            reset(transport)
        self.silent.clear()


class Wire:
    """A connection to the gateway: lines, frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int, receive_buffer: int = 0) -> "Wire":
        """Connect; with a receive buffer, also read ahead no further than that."""
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (HOST, port))
        except BaseException:
            sock.close()
            raise
        return cls(*await asyncio.open_connection(sock=sock, limit=receive_buffer or 1 << 20))

    def close(self) -> None:
        """Close."""
        self._writer.close()

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)

    async def line(self) -> bytes:
        """The next whole line, without its end."""
        async with asyncio.timeout(SECONDS):
            return (await self._reader.readuntil(b"\n"))[:-1]

    async def exactly(self, size: int) -> bytes:
        """The next so many bytes."""
        async with asyncio.timeout(SECONDS):
            return await self._reader.readexactly(size)

    async def upgrade(self) -> None:
        """Become a WebSocket."""
        self.write(
            f"GET /ws HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        async with asyncio.timeout(SECONDS):
            head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head

    def send(self, **fields: Any) -> None:
        """Send one object in a frame (masked with zeros)."""
        data = json.dumps(fields).encode()
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
        self.write(b"\x81" + size + bytes(4) + data)

    async def receive(self) -> Json:
        """The next object; EOFError when the gateway closes."""
        async with asyncio.timeout(SECONDS):
            while True:
                first, size = await self._reader.readexactly(2)
                if size >= 126:
                    size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
                data = await self._reader.readexactly(size)
                if first == 0x81:
                    found: Json = json.loads(data)
                    return found
                if first == 0x88:
                    raise EOFError(data)


class Returning:
    """A peer that comes back to `port` after every cut. `talks`: it also says something, under ids."""

    door = ""

    def __init__(self, name: str, port: int, room: str, records: Records, talks: bool = True) -> None:
        self.name = name
        self.port = port
        self.room = room
        self.records = records
        self.talks = talks
        self.epoch = ""
        self.after = 0
        self.lives = 0
        self.resumed = 0
        self.stopping = False
        self.stop_at = 0
        """The number to stop at, 0 = none."""
        self.pause = 0.0
        """Seconds between two messages."""
        self.proof: str | None = None
        """The token of its identity."""
        self._numbers = itertools.count(1)
        self.waiting: dict[str, str] = {}

    async def live(self) -> None:
        """Come back until told to stop; then until nothing waits. After a while stay away for longer."""
        while not self.stopping or self.waiting:
            self.lives += 1
            if self.lives % AWAY_EVERY == 0:
                await asyncio.sleep(AWAY)
            with suppress(*GONE):
                wire = await Wire.open(self.port)
                try:
                    await self.life(wire)
                finally:
                    wire.close()

    async def life(self, wire: Wire) -> None:
        """One connection."""
        raise NotImplementedError

    def say(self, text: str) -> str:
        """Record that a token is about to be sent; its id."""
        id = text.replace(":", "-")
        self.waiting[id] = text
        self.records.add(Row(self.name, self.door, "sent", text))
        return id

    def token(self) -> str:
        """The next token to say."""
        number = next(self._numbers)
        return f"{self.name}:{number}:{number:x}"

    def saw(self, found: Json) -> None:
        """An object came whole."""
        if found["type"] == "msg":
            self.records.add(Row(self.name, self.door, "shown", found["text"], self.epoch, found["seq"]))
            self.after = found["seq"]
        elif found["type"] == "gap":
            self.records.add(Row(self.name, self.door, "gap", "", self.epoch, found["from"], found["to"]))
            self.after = found["to"]
        elif found["type"] == "ack":
            text = self.waiting.pop(found["id"], None)
            if text is not None:
                self.records.add(Row(self.name, self.door, "acked", text, self.epoch, found["seq"]))
        else:
            assert found["type"] != "error", found
        self.stopping = self.stopping or 0 < self.stop_at <= self.after


class Page(Returning):
    """A browser: its token, its positions, its ids."""

    door = "web"

    async def life(self, wire: Wire) -> None:
        await wire.upgrade()
        place = {"epoch": self.epoch, "after": self.after} if self.epoch else {}
        wire.send(type="hello", rooms=[{"room": self.room, **place}], **({"token": self.proof} if self.proof else {}))
        welcome = await wire.receive()
        assert welcome["type"] == "welcome" and self.proof in (None, welcome["token"]), welcome
        self.proof = welcome["token"]
        joined = await wire.receive()
        assert joined["type"] == "joined" and joined["recovered"] == bool(place), joined
        if not place:
            history = await wire.receive()
            self.epoch, self.after = joined["epoch"], history["messages"][-1]["seq"] if history["messages"] else 0
        else:
            self.resumed += 1
            assert joined["epoch"] == self.epoch
        for id, text in self.waiting.items():
            wire.send(type="say", id=id, room=self.room, text=text)
        while not self.stopping or self.waiting:
            while self.talks and len(self.waiting) < WINDOW and not self.stopping:
                text = self.token()
                wire.send(type="say", id=self.say(text), room=self.room, text=text)
            self.saw(await wire.receive())


class Bot(Returning):
    """A script on the plain door: JSON lines, `/since` with its position; what comes twice has the same number."""

    door = "tcp"

    async def life(self, wire: Wire) -> None:
        wire.write(b"/bot\n")
        while not (line := await wire.line()).startswith(b"{"):
            assert line.startswith((b"-- ", b"["))  # a peer that is slow to say /bot is greeted
        joined = json.loads(line)
        assert joined["type"] == "joined", joined
        if not self.epoch:
            self.epoch, self.after = joined["epoch"], joined["head"]
        assert joined["epoch"] == self.epoch
        wire.write(b"/since %d\n" % self.after)
        live: list[Json] = []
        while True:
            found = json.loads(await wire.line())
            if found["type"] == "history":
                self._saw_new(found["messages"])
                if found["more"]:
                    wire.write(b"/since %d\n" % self.after)
                    continue
                break
            if found["type"] in ("msg", "gap"):
                live.append(found)
            elif found["type"] == "notice" and "nothing there" in found["text"]:
                break
        self.resumed += 1
        self._saw_new(live)
        while not self.stopping:
            self._saw_new([json.loads(await wire.line())])

    def _saw_new(self, found: list[Json]) -> None:
        for each in found:
            if each["type"] == "gap" or (each["type"] == "msg" and each["seq"] > self.after):
                self.saw(each)


class Poster(Returning):
    """A program that posts over HTTP under an id until it knows that it has posted."""

    door = "http"

    async def life(self, wire: Wire) -> None:
        while not self.stopping or self.waiting:
            if not self.waiting:
                self.say(self.token())
            ((id, text),) = self.waiting.items()
            body = json.dumps({"nick": self.name, "text": text, "id": id}).encode()
            wire.write(
                b"POST /r/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (self.room.encode(), HOST.encode(), len(body), body)
            )
            status, size = await wire.line(), 0
            while header := (await wire.line()).strip():
                name, _, value = header.partition(b":")
                size = int(value) if name.lower() == b"content-length" else size
            assert status.startswith(b"HTTP/1.1 201"), status
            answer = json.loads(await wire.exactly(size))
            del self.waiting[id]
            self.records.add(Row(self.name, self.door, "acked", text, answer["epoch"], answer["seq"]))
            await asyncio.sleep(self.pause)
