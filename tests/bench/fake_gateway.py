"""The little of the gateway's protocol that the load generator relies on, with noise, and with faults on request."""

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from tests.fakes import PATIENCE

Misdeed = Callable[[int, int], int]
"""(number of the connection, seq) to how many times that message is delivered there: 1 is honest."""


def honest(connection: int, seq: int) -> int:
    return 1


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a room: how they are told, whether they hear themselves, and what they are connected by."""

    room: str
    tell: Callable[[str, str], Any]
    echo: bool
    transport: asyncio.BaseTransport


class FakeGateway:
    """Rooms without a list of them. Every `noisy`th message is followed by presence (and on the web door a ping) to
    everybody. Message `leaks_at` is told in every room, and with message `dies_at` all connections are cut."""

    def __init__(self, misdeed: Misdeed, pace: float, leaks_at: int = 0, dies_at: int = 0, noisy: int = 5) -> None:
        self.ports: dict[str, int | None] = {"tcp": None, "telnet": None, "web": None, "pid": None}
        self._misdeed = misdeed
        self._pace = pace
        self._noisy = noisy
        self._seq = 0
        self._connections = 0
        self._leaks_at = leaks_at
        self._dies_at = dies_at
        self._members: dict[int, Member] = {}
        self._past: list[str] = []
        self._terminals: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        plain = await asyncio.start_server(self._terminal, "127.0.0.1", 0)
        telnet = await asyncio.start_server(functools.partial(self._terminal, end="\r\n"), "127.0.0.1", 0)
        app = web.Application()
        app.router.add_get("/ws", self._socket)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.ports["tcp"] = plain.sockets[0].getsockname()[1]
        self.ports["telnet"] = telnet.sockets[0].getsockname()[1]
        self.ports["web"] = runner.addresses[0][1]
        ready.set()
        await stop.wait()
        plain.close()
        telnet.close()
        await runner.cleanup()
        serving = [task for task in self._terminals.values() if task is not None]
        for writer in self._terminals:
            writer.close()  # each reads the end of its input; a cancelled task would be reported by asyncio's streams
        await asyncio.gather(*serving, return_exceptions=True)

    def _newcomer(self) -> int:
        self._connections += 1
        return self._connections - 1

    async def _say(self, author: int, text: str) -> None:
        if author not in self._members:
            return
        self._seq += 1
        self._past.append(text)
        if self._seq == self._dies_at:
            for member in self._members.values():
                member.transport.abort()  # type: ignore[attr-defined]
            self._members.clear()
            return
        here = self._members[author].room
        for number, member in list(self._members.items()):
            if self._seq != self._leaks_at and (member.room != here or (number == author and not member.echo)):
                continue
            for _ in range(self._misdeed(number, self._seq)):
                await member.tell(f"guest-{author:04x}", text)
            if self._seq % self._noisy == number % self._noisy:
                await member.tell("", f"somebody-{number} joined")

    async def _terminal(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, end: str = "\n") -> None:
        number = self._newcomer()
        self._terminals[writer] = asyncio.current_task()
        if end == "\r\n":
            writer.write(b"\xff\xfb\x03\xff\xfb\x01\xff\xfd\x1f\xff\xfd\x18")

        async def tell(nick: str, text: str) -> None:
            writer.write((f"{nick}: {text}{end}" if nick else f"-- {text}{end}").encode())

        echo = False
        while line := (await reader.readline()).decode().strip():
            if line.startswith("/join"):
                writer.write("".join(f"[14:01] old: {text}{end}" for text in self._past[-20:]).encode())
                self._members[number] = Member(line.split()[1], tell, echo, writer.transport)
            elif line == "/echo on":
                echo = True
            elif not line.startswith("/"):
                await asyncio.sleep(self._pace)
                await self._say(number, line)
        self._members.pop(number, None)
        del self._terminals[writer]
        writer.close()

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        number = self._newcomer()
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)

        async def send(fields: dict[str, Any]) -> None:
            await socket.send_str(msgspec.json.encode(fields).decode())

        async def tell(nick: str, text: str) -> None:
            if nick:
                message = {"type": "msg", "room": "r", "seq": 1, "ts": 1, "nick": nick, "kind": "say", "text": text}
                await send(message)
            else:
                await socket.ping(b"alive?")
                await send({"type": "presence", "room": "r", "count": 9, "left": [text]})

        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            asked = msgspec.json.decode(frame.data)
            if asked["type"] == "hello":
                past = [{"type": "msg", "text": text} for text in self._past[-50:]]
                await send({"type": "welcome", "nick": f"guest-{number:04x}"})
                await send({"type": "history", "room": "r", "messages": past, "more": False})
                assert request.transport is not None
                room = asked["rooms"][0]["room"] if "rooms" in asked else "lobby"
                self._members[number] = Member(room, tell, True, request.transport)
            else:
                await self._say(number, asked["text"])
        self._members.pop(number, None)
        return socket


@contextmanager
def fake_gateway(
    misdeed: Misdeed = honest, pace: float = 0.0, leaks_at: int = 0, dies_at: int = 0
) -> Iterator[dict[str, int | None]]:
    """The ports of a fake gateway that runs in a thread of its own while the block lasts."""
    gateway, ready, loop, stop = (
        FakeGateway(misdeed, pace, leaks_at, dies_at),
        threading.Event(),
        asyncio.new_event_loop(),
        asyncio.Event(),
    )
    thread = threading.Thread(target=loop.run_until_complete, args=[gateway.serve(ready, stop)])
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield gateway.ports
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
