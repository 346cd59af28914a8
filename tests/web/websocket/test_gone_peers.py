"""Peers that are gone when they are written to, in every order of goodbye and end: none of it is an error.

Each way to go is tried with each kind of peer, alone, while it is written to, and while it is kicked; the log must
stay empty.
"""

import asyncio
import gc
import logging
import socket
import struct
from collections.abc import Callable
from functools import partial

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.web import app
from gateway.web.http import protocol
from tests.fakes import PATIENCE, eventually
from tests.web.running_door import Running, Start, client_frame

CLOSE_FRAME = client_frame(0x8, b"\x03\xe9")
PIPELINED = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 200


def reset(sock: socket.socket) -> None:
    """End with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def half_close(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)


def shut_down(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_RDWR)


def close(sock: socket.socket) -> None:
    sock.close()


def say_goodbye(sock: socket.socket) -> None:
    """The close frame; to an HTTP connection it is garbage."""
    sock.sendall(CLOSE_FRAME)


def half_a_frame(sock: socket.socket) -> None:
    sock.sendall(b"\x81\x90\0\0")


def pipeline(sock: socket.socket) -> None:
    sock.sendall(PIPELINED)


WAYS: dict[str, tuple[Callable[[socket.socket], None], ...]] = {
    "close": (close,),
    "reset": (reset,),
    "half-close, close": (half_close, close),
    "half-close, reset": (half_close, reset),
    "shutdown, close": (shut_down, close),
    "shutdown, reset": (shut_down, reset),
    "goodbye, close": (say_goodbye, close),
    "goodbye, reset": (say_goodbye, reset),
    "goodbye, half-close, close": (say_goodbye, half_close, close),
    "goodbye, half-close, reset": (say_goodbye, half_close, reset),
    "goodbye, shutdown, close": (say_goodbye, shut_down, close),
    "goodbye twice, close": (say_goodbye, say_goodbye, close),
    "half a frame, close": (half_a_frame, close),
    "half a frame, half-close, reset": (half_a_frame, half_close, reset),
    "pipelined requests, close": (pipeline, close),
    "pipelined requests, reset": (pipeline, reset),
}


def get(path: str, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n".encode()


def peers(web: Running) -> dict[str, bytes]:
    """What each kind of peer sends first."""
    return {
        "websocket": web.upgrade() + client_frame(0x1, b'{"type":"hello"}'),
        "websocket of lines": web.upgrade(Sec_WebSocket_Protocol="chat.v1.text"),
        "websocket without hello": web.upgrade(),
        "refused websocket": web.upgrade(Origin="https://evil.example"),
        "lines": get("/r/lobby/raw"),
        "events": get("/r/lobby/events"),
        "kept alive": get("/healthz"),
        "half a head": get("/healthz")[:-2],
        "half a body": b"POST /r/lobby HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nabc",
        "page": get("/"),
        "not HTTP": b"\x16\x03\x01\0\0",
        "silent": b"",
    }


KINDS = (
    "websocket", "websocket of lines", "websocket without hello", "refused websocket", "lines", "events", "kept alive",
    "half a head", "half a body", "page", "not HTTP", "silent",
)  # fmt: skip


async def arrive(web: Running, first: bytes) -> socket.socket:
    """A peer that has sent its first bytes and been answered, if it is to be."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", web.port))
    await loop.sock_sendall(sock, first)
    if first.endswith((b"\r\n\r\n", b"}")):
        await asyncio.wait_for(loop.sock_recv(sock, 65536), PATIENCE)
    else:
        await asyncio.sleep(0)
    sock.setblocking(True)
    return sock


def go(sock: socket.socket, way: tuple[Callable[[socket.socket], None], ...]) -> None:
    """Do the steps in one go: our loop sees them all at once."""
    for step in way:
        try:
            step(sock)
        except OSError:  # the gateway was faster
            sock.close()
            return


def kick(web: Running) -> None:
    for session in list(web.chat.sessions.values()):
        web.chat.hub.close(session, CloseReason.KICKED, "out")


def nothing(web: Running) -> None:
    """The peer goes by itself."""


def write(web: Running) -> None:
    web.chat.say_to_all("something")


def all_lost(web: Running, count: int) -> bool:
    return web.admission.ended == count and not web.chat.sessions


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("meanwhile", [nothing, write, kick])
async def test_a_peer_that_goes_in_any_order_is_no_error(
    start: Start,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    meanwhile: Callable[[Running], None],
) -> None:
    monkeypatch.setattr(protocol, "HALF_CLOSED", 0.2)
    monkeypatch.setattr(app, "GRAIN", 0.05)
    caplog.set_level(logging.INFO)
    web = await start(header_deadline=0.5, closing=0.4)
    for before in (True, False):
        gone = web.admission.ended
        here = [await arrive(web, peers(web)[kind]) for _ in WAYS]
        if before:
            meanwhile(web)
        for sock, way in zip(here, WAYS.values(), strict=True):
            go(sock, way)
        if not before:
            meanwhile(web)
        await eventually(partial(all_lost, web, gone + len(WAYS)))
    await asyncio.sleep(0)
    gc.collect()
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [line for line in told if "evil.example" not in line] == []


@pytest.mark.parametrize("kind", ["websocket", "websocket of lines", "lines", "events"])
async def test_l4_a_peer_that_cannot_be_written_to_costs_only_itself(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    web = await start()
    sock = await arrive(web, peers(web)[kind])
    await eventually(lambda: web.chat.sessions)
    broken = next(iter(web.chat.sessions.values()))
    reader, _ = await web.upgraded()
    await eventually(lambda: len(web.chat.sessions) == 2)
    transport = broken.transport._transport  # type: ignore[attr-defined]

    class Failing:
        """The transport, but what is written fails."""

        def __getattr__(self, name: str) -> object:
            return getattr(transport, name)

        def write(self, data: bytes) -> None:
            raise OSError(107, "Transport endpoint is not connected")

    monkeypatch.setattr(broken.transport, "_transport", Failing())
    web.chat.say_to_all("hello")

    assert (await asyncio.wait_for(reader.readexactly(7), PATIENCE))[2:] == b"hello"
    await eventually(lambda: list(web.chat.sessions.values()) != [] and broken.closed)
    assert len(web.chat.sessions) == 1
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    sock.close()


@pytest.mark.parametrize("path", ["/r/quiet/raw", "/r/quiet/events"])
@pytest.mark.parametrize("end", [close, reset, half_close])
async def test_m3_a_reader_with_requests_behind_it_is_seen_to_go(
    web: Running, path: str, end: Callable[[socket.socket], None]
) -> None:
    sock = await arrive(web, get(path))
    await eventually(lambda: web.chat.sessions)
    other = socket.create_connection(("127.0.0.1", web.port))
    other.sendall(get(path) + PIPELINED * 20)
    await eventually(lambda: len(web.chat.sessions) == 2)

    end(other)
    await eventually(lambda: len(web.chat.sessions) == 1)
    end(sock)
    await eventually(lambda: not web.chat.sessions)
    other.close()
    sock.close()


async def test_a_close_frame_behind_a_full_buffer_comes_whole(web: Running) -> None:
    reader, writer = await web.upgraded()
    writer.write(client_frame(0x1, b'{"type":"hello"}'))
    await eventually(lambda: web.chat.sessions and web.chat.session.greeted)
    web.chat.say_to_all("x" * 1_000_000)
    web.chat.hub.close(web.chat.session, CloseReason.KICKED, "out")

    assert await close_code_of_long(reader) == 4500
    writer.close()


async def close_code_of_long(reader: asyncio.StreamReader) -> int:
    """As `close_code`, past frames of eight length bytes."""
    while True:
        head = await asyncio.wait_for(reader.readexactly(2), PATIENCE)
        wide = {126: 2, 127: 8}.get(head[1], 0)
        size = int.from_bytes(await reader.readexactly(wide), "big") if wide else head[1]
        payload = await reader.readexactly(size)
        if head[0] == 0x88:
            return int.from_bytes(payload[:2], "big")
