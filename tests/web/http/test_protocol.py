"""Connections between two requests: kept for long, not counted, and closed for newcomers; heads have a deadline."""

import asyncio
import contextlib

from tests.fakes import PATIENCE, eventually
from tests.web.running_door import Running, Start

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PEER = "203.0.113.5"
Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ask(talk: Talk, request: bytes = HEALTH) -> bytes:
    """The answer to one request; the connection stays."""
    reader, writer = talk
    writer.write(request)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return head.split(b" ")[1]


async def ended(talk: Talk) -> bool:
    return await asyncio.wait_for(talk[0].read(), PATIENCE) == b""


async def test_pc_29_an_idle_connection_outlives_the_deadline_of_a_head(start: Start) -> None:
    web = await start(header_deadline=1.0)
    kept = await web.talk()
    assert await ask(kept) == b"200"
    silent = await web.talk()
    assert await ended(silent)

    assert await ask(kept, b"POST /r/lobby HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\nhi") == b"201"


async def test_pc_29_it_ends_with_the_setting(start: Start) -> None:
    web = await start(keepalive=0.2)
    kept = await web.talk()
    assert await ask(kept) == b"200"
    assert await ended(kept)


async def test_half_a_head_is_cut_on_an_old_connection_too(start: Start) -> None:
    web = await start(header_deadline=1.0)
    kept = await web.talk()
    assert await ask(kept) == b"200"
    kept[1].write(HEALTH[:20])
    assert await ended(kept)


async def test_half_a_head_that_becomes_whole_in_time_is_answered(start: Start) -> None:
    web = await start(header_deadline=PATIENCE)
    kept = await web.talk()
    for _ in range(3):
        kept[1].write(HEALTH[:20])
        await asyncio.sleep(0)
        assert await ask(kept, HEALTH[20:]) == b"200"


async def test_pc_29_an_idle_connection_does_not_count_by_address(web: Running) -> None:
    web.caller = PEER
    web.admission.most = 1
    one = await web.talk()
    assert await ask(one) == b"200"
    await eventually(lambda: not web.admission.here[PEER])
    _, writer = await web.upgraded()
    assert web.admission.here[PEER] == 1

    assert await ask(one) == b"503"
    writer.close()
    await eventually(lambda: not web.admission.here[PEER])
    assert await ask(one) == b"200"
    await eventually(lambda: not web.admission.here[PEER])
    one[1].close()
    await eventually(lambda: not web.admission.resting)
    assert web.admission.here[PEER] == 0


async def test_pc_29_it_is_closed_when_a_newcomer_needs_its_place(web: Running) -> None:
    kept = await web.talk()
    assert await ask(kept) == b"200"
    await eventually(lambda: web.admission.resting)
    (give_way,) = web.admission.resting.values()
    give_way()

    with contextlib.suppress(ConnectionResetError):
        assert await ended(kept)
    await eventually(lambda: not web.admission.resting)


async def test_a_websocket_and_a_stream_do_not_rest(web: Running) -> None:
    reader, writer = await web.upgraded()
    stream = await web.talk()
    stream[1].write(b"GET /r/lobby/raw HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await eventually(lambda: len(web.chat.sessions) == 2)
    assert not web.admission.resting
    assert not reader.at_eof()
    writer.close()
    stream[1].close()
