"""The web door over TLS: what differs from a plain connection, and what must not."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.web import app
from gateway.web.http import protocol
from tests.fakes import PATIENCE, eventually
from tests.tls_peers import Certificates, TlsClient
from tests.web.running_door import Running, Start, client_frame

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Peer:
    """A client with a socket of its own and TLS in memory, so that a test can do each step alone."""

    def __init__(self, web: Running, client: TlsClient, sock: socket.socket) -> None:
        self.web = web
        self.client = client
        self.sock = sock
        self.heard = b""
        self.over = False
        """Whether the connection has ended on the other side."""

    async def sends(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def says(self, text: bytes) -> None:
        await self.sends(self.client.says(text))

    async def listens(self) -> None:
        data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.sock, 65536), PATIENCE)
        self.over = not data
        self.heard += self.client.takes(data) if data else b""
        with contextlib.suppress(OSError):
            self.sock.send(self.client.output())

    async def hears(self, words: bytes) -> bytes:
        while words not in self.heard:
            assert not self.over, self.heard
            await self.listens()
        return self.heard

    async def hears_all(self) -> bytes:
        while not self.over:
            await self.listens()
        return self.heard

    async def upgrades(self) -> None:
        await self.says(self.web.upgrade())
        await self.hears(b"\r\n\r\n")
        await self.says(client_frame(0x1, b'{"type":"hello"}'))
        await self.hears(b'"history"')


async def arrive(web: Running, certificates: Certificates) -> Peer:
    """A peer that has shaken hands."""
    web.tls = certificates.certificate().for_web()
    sock = socket.create_connection(("127.0.0.1", web.port))
    sock.setblocking(False)
    peer = Peer(web, TlsClient(certificates.trust()), sock)
    await peer.sends(peer.client.begin())
    while not peer.client.ready:
        await peer.listens()
    return peer


@pytest.fixture
async def peer(start: Start, certificates: Certificates) -> Peer:
    return await arrive(await start(tls=True), certificates)


async def test_requests_follow_each_other_on_one_connection(peer: Peer) -> None:
    await peer.says(GET)
    await peer.hears(b'{"status":"ok"}')
    await peer.says(GET + GET)
    while peer.heard.count(b'{"status":"ok"}') < 3:
        await peer.listens()


async def test_a_request_cut_at_every_byte_of_its_records_is_answered(peer: Peer) -> None:
    data = peer.client.says(GET[:20]) + peer.client.says(GET[20:])
    for at in range(len(data)):
        await peer.sends(data[at : at + 1])

    await peer.hears(b'{"status":"ok"}')


@pytest.mark.parametrize("by_notify", [True, False])
async def test_a_half_closed_client_gets_its_response(
    peer: Peer, by_notify: bool, caplog: pytest.LogCaptureFixture
) -> None:
    await peer.sends(peer.client.says(b"POST /r/lobby HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi")
                     + (peer.client.leaves() if by_notify else b""))  # fmt: skip
    if not by_notify:
        peer.sock.shutdown(socket.SHUT_WR)
    heard = await peer.hears_all()

    assert heard.startswith(b"HTTP/1.1 201 ") and heard.endswith(b'"seq":1}\n')
    assert peer.client.ended, "no close_notify"
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


async def test_a_response_that_ends_the_connection_ends_with_close_notify(peer: Peer) -> None:
    await peer.says(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    await peer.hears_all()

    assert peer.client.ended


async def test_a_websocket_s_farewell_is_its_close_frame_then_close_notify(peer: Peer) -> None:
    await peer.upgrades()
    peer.web.chat.hub.close(peer.web.chat.session, CloseReason.KICKED, "out")
    heard = await peer.hears_all()

    assert b"\x88" + bytes((2 + len(b"kicked: out"),)) + (4500).to_bytes(2, "big") in heard
    assert peer.client.ended


async def test_a_websocket_is_as_secure_as_its_row_says(peer: Peer) -> None:
    await peer.upgrades()

    assert peer.web.chat.session.encrypted
    assert peer.web.chat.session.transport.traits().tls


@pytest.mark.parametrize("path", [b"raw", b"events"])
async def test_a_stream_is_encrypted_and_ends_when_its_reader_leaves(peer: Peer, path: bytes) -> None:
    await peer.says(b"GET /r/lobby/" + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await peer.hears(b"\r\n\r\n")
    await eventually(lambda: peer.web.chat.sessions)
    assert peer.web.chat.session.encrypted
    peer.web.chat.say_to_all("to the stream")
    await peer.hears(b"to the stream")
    await peer.sends(peer.client.leaves())

    await eventually(lambda: not peer.web.chat.sessions)


async def test_a_slow_reader_lags_in_the_log_and_then_gets_all(peer: Peer) -> None:
    await peer.upgrades()
    session = peer.web.chat.session
    await peer.web.chat.post("lobby", "bob", *(f"<{number}>" + "x" * 3000 for number in range(600)))
    assert session.lag()[1] > 500_000
    await peer.hears(b"<599>" + b"x" * 3000)

    assert [number for number in range(600) if b"<%d>" % number not in peer.heard] == []


async def test_a_stalled_reader_is_kicked_in_time(start: Start, certificates: Certificates) -> None:
    web = await start(tls=True, closing=0.3)
    peer = await arrive(web, certificates)
    await peer.upgrades()
    for _ in range(300):
        web.chat.say_to_all("x" * 10_000)
    web.chat.hub.close(web.chat.session, CloseReason.KICKED, "out")

    await eventually(lambda: web.admission.ended == 1)


async def test_a_tampered_record_ends_the_connection_with_an_alert(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    bad = bytearray(peer.client.says(GET))
    bad[-1] ^= 1
    await peer.sends(bytes(bad))
    with contextlib.suppress(Exception):
        await peer.hears_all()
    await eventually(lambda: peer.web.admission.ended == 1)

    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


Step = Callable[[Peer], None]


def close(peer: Peer) -> None:
    peer.sock.close()


def reset(peer: Peer) -> None:
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.sock.close()


def half_close(peer: Peer) -> None:
    peer.sock.shutdown(socket.SHUT_WR)


def leave(peer: Peer) -> None:
    peer.sock.send(peer.client.leaves())


def say_goodbye(peer: Peer) -> None:
    peer.sock.send(peer.client.says(client_frame(0x8, b"\x03\xe9")))


def half_a_record(peer: Peer) -> None:
    peer.sock.send(peer.client.says(b"x" * 100)[:50])


ENDS: tuple[tuple[Step, ...], ...] = (
    (close,),
    (reset,),
    (leave, close),
    (leave, reset),
    (leave, half_close, close),
    (half_close, close),
    (half_close, reset),
    (say_goodbye, close),
    (say_goodbye, leave, half_close, reset),
    (say_goodbye, leave),
    (half_a_record, close),
    (half_a_record, half_close, reset),
)


def kick(web: Running) -> None:
    for session in list(web.chat.sessions.values()):
        web.chat.hub.close(session, CloseReason.KICKED, "out")


def write(web: Running) -> None:
    web.chat.say_to_all("something")


def nothing(web: Running) -> None:
    """The peer goes by itself."""


@pytest.mark.parametrize("meanwhile", [nothing, write, kick])
@pytest.mark.parametrize("kind", ["websocket", "stream", "kept alive", "half a head", "half a body", "silent"])
async def test_a_peer_that_goes_in_any_order_is_no_error(
    start: Start,
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    meanwhile: Callable[[Running], None],
) -> None:
    monkeypatch.setattr(protocol, "HALF_CLOSED", 0.2)
    monkeypatch.setattr(app, "GRAIN", 0.05)
    web = await start(tls=True, header_deadline=PATIENCE, closing=0.3)
    first = {
        "stream": b"GET /r/lobby/raw HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "kept alive": GET,
        "half a head": GET[:-2],
        "half a body": b"POST /r/lobby HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc",
    }
    here = [await arrive(web, certificates) for _ in ENDS]
    for peer in here:
        if kind == "websocket":
            await peer.upgrades()
        elif kind in first:
            await peer.says(first[kind])
            await peer.hears(b"\r\n\r\n" if kind in ("stream", "kept alive") else b"")
    for before in (True, False):
        for peer, way in list(zip(here, ENDS, strict=True))[before::2]:
            if before:
                meanwhile(web)
            for step in way:
                with contextlib.suppress(OSError):
                    step(peer)
        if not before:
            meanwhile(web)
    for peer in here:
        peer.sock.close()
    await eventually(lambda: web.admission.ended == len(ENDS) and not web.chat.sessions)

    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []
