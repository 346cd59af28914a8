"""A connection until its first request: it becomes a WebSocket without aiohttp, or HTTP with the rest of its time."""

import asyncio

import pytest

from gateway.web.http.client_address import Caller
from gateway.web.http.protocol import HttpConnection
from tests.fakes import PATIENCE, eventually
from tests.web.running_door import Running, Start, client_frame

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def in_aiohttp(web: Running) -> int:
    """How many connections are aiohttp's."""
    server = web.door._runner.server
    assert server is not None
    return len(server.connections)


async def test_a_whole_upgrade_never_comes_to_aiohttp(web: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*asked: object) -> None:
        raise AssertionError("it became HTTP")

    monkeypatch.setattr(web.door._first, "http", never)
    reader, writer = await web.upgraded()
    writer.write(client_frame(1, b"echo here"))
    assert await asyncio.wait_for(reader.readexactly(6), PATIENCE) == b"\x81\x04here"
    writer.close()
    await eventually(lambda: web.admission.ended == 1 and not web.admission.here["127.0.0.1"])


async def test_frames_may_come_with_the_head(web: Running) -> None:
    reader, writer = await web.talk()
    writer.write(web.upgrade() + client_frame(1, b"echo a") + client_frame(1, b"echo b")[:4])
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    assert await asyncio.wait_for(reader.readexactly(3), PATIENCE) == b"\x81\x01a"
    writer.write(client_frame(1, b"echo b")[4:])
    assert await asyncio.wait_for(reader.readexactly(3), PATIENCE) == b"\x81\x01b"
    writer.close()


async def test_an_upgrade_in_two_pieces_is_taken_too(web: Running) -> None:
    head = web.upgrade()
    for cut in range(1, len(head), 40):
        reader, writer = await web.talk()
        writer.write(head[:cut])
        await eventually(lambda: in_aiohttp(web) == 1)
        writer.write(head[cut:] + client_frame(1, b"echo a"))
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)).startswith(b"HTTP/1.1 101")
        assert await asyncio.wait_for(reader.readexactly(3), PATIENCE) == b"\x81\x01a"
        assert in_aiohttp(web) == 0
        writer.close()


async def test_a_silent_connection_is_closed_in_time_and_not_counted_any_more(start: Start) -> None:
    web = await start(header_deadline=0.05)
    reader, writer = await web.talk()
    assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
    assert web.lost == ["127.0.0.1"]
    assert web.admission.ended == 1
    writer.close()


async def test_the_first_byte_gives_no_more_time(web: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is that of the head, from when the connection came."""
    given: list[float] = []

    def http(caller: Caller, head_by: float) -> HttpConnection:
        given.append(head_by)
        return make(caller, head_by)

    make = web.door._first.http
    monkeypatch.setattr(web.door._first, "http", http)
    _, writer = await web.talk()
    await eventually(lambda: len(web.door._first.waiting) == 1)
    waits_since = asyncio.get_running_loop().time()
    await eventually(lambda: asyncio.get_running_loop().time() > waits_since)
    writer.write(HEALTH[:5])
    await eventually(lambda: given)
    assert given[0] <= waits_since + web.door._options.header_deadline
    writer.close()


@pytest.mark.parametrize("first", [b"", b"G", HEALTH[:30]])
async def test_one_that_ends_before_its_first_request_leaves_nothing(web: Running, first: bytes) -> None:
    reader, writer = await web.talk()
    writer.write(first)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
    await eventually(lambda: web.admission.ended == 1)
    assert web.lost == ["127.0.0.1"]
    assert len(web.door._first.waiting) == 0
    writer.close()


async def test_stopping_closes_those_that_have_said_nothing(start: Start) -> None:
    web = await start()
    reader, writer = await web.talk()
    await eventually(lambda: len(web.door._first.waiting) == 1)
    await web.door.stop()
    assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
    await eventually(lambda: web.admission.ended == 1)
    writer.close()


async def test_an_upgrade_amid_many_requests_goes_on_reading(web: Running) -> None:
    """aio-libs/aiohttp#13432: with so many requests before it the transport is paused."""
    reader, writer = await web.talk()
    writer.write(HEALTH * 32 + web.upgrade() + client_frame(1, b"echo early"))
    async with asyncio.timeout(PATIENCE):
        while (
            not (await reader.readuntil(b"\r\n\r\n"))
            .split(b"\r\n\r\n")[-2]
            .rpartition(b"HTTP/1.1 ")[2]
            .startswith(b"101")
        ):
            pass
    assert await asyncio.wait_for(reader.readexactly(7), PATIENCE) == b"\x81\x05early"
    writer.write(client_frame(1, b"echo later"))
    assert await asyncio.wait_for(reader.readexactly(7), PATIENCE) == b"\x81\x05later"
    writer.close()
