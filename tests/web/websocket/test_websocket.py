"""WebSockets as a browser sees them: a foreign client on a real port."""

import asyncio
import time

import pytest
import websockets
from websockets.asyncio.client import connect

from gateway.core.protocol.close_reason import CloseReason
from tests.fakes import PATIENCE, eventually
from tests.web.running_door import Running, Start, client_frame, close_code, reading_of


async def test_text_reaches_the_chat_and_its_frames_reach_the_browser(web: Running) -> None:
    async with connect(web.ws) as browser:
        await browser.send("echo hello")
        assert await browser.recv() == "hello"


async def test_shared_frames_mix_with_pings_and_pongs_and_the_close(start: Start) -> None:
    web = await start(ping_every=0.05, pong_within=5.0)
    async with connect(web.ws) as browser:
        await eventually(lambda: web.chat.sessions)
        pongs = []
        for number in range(200):
            web.chat.say_to_all(f"{number} " + "x" * (number * 7))
            if number % 20 == 0:
                pongs.append(await browser.ping())
        assert [(await browser.recv()).split()[0] for _ in range(200)] == [str(n) for n in range(200)]
        await asyncio.gather(*pongs)
        web.chat.say_to_all("last")
        web.chat.session.transport.close(CloseReason.KICKED, "")
        assert await browser.recv() == "last"
        await browser.wait_closed()
    assert browser.close_code == 4500
    assert browser.close_reason == "kicked"


async def test_the_json_subprotocol_is_named_only_when_offered(web: Running) -> None:
    async with connect(web.ws, subprotocols=[websockets.Subprotocol("chat.v1.json")]) as browser:
        assert browser.subprotocol == "chat.v1.json"
    async with connect(web.ws) as browser:
        assert browser.subprotocol is None


async def test_compression_is_never_agreed(web: Running) -> None:
    async with connect(web.ws, compression="deflate") as browser:
        assert browser.protocol.extensions == []


async def test_a_leaving_browser_leaves_the_chat(web: Running) -> None:
    async with connect(web.ws):
        await eventually(lambda: web.chat.sessions)
    await eventually(lambda: not web.chat.sessions and web.lost == ["127.0.0.1"])


async def test_a_reset_connection_leaves_the_chat(web: Running) -> None:
    _, writer = await web.upgraded()
    await eventually(lambda: web.chat.sessions)
    writer.transport.abort()
    await eventually(lambda: not web.chat.sessions and web.lost)


async def test_bytes_are_counted_as_they_come(web: Running) -> None:
    _, writer = await web.upgraded()
    await eventually(lambda: web.chat.sessions)
    writer.write(client_frame(1, b"hello"))
    await eventually(lambda: web.chat.heard)
    assert web.chat.session.bytes_in == 11
    writer.close()


async def test_frames_sent_along_with_the_upgrade_are_read(web: Running) -> None:
    _, writer = await web.talk()
    writer.write(web.upgrade() + client_frame(1, b"early") + client_frame(1, b"half")[:7])
    await eventually(lambda: web.chat.heard == ["early"])
    writer.write(client_frame(1, b"half")[7:])
    await eventually(lambda: web.chat.heard == ["early", "half"])
    writer.close()


async def test_a_held_session_is_not_read_until_it_resumes(web: Running) -> None:
    async with connect(web.ws) as browser:
        await browser.send("hold")
        await browser.send("later")
        await eventually(lambda: web.chat.heard == ["hold"])
        session = web.chat.session
        session.release()
        await eventually(lambda: web.chat.heard == ["hold", "later"])


async def test_a_held_session_that_is_reset_leaves_the_chat(web: Running) -> None:
    _, writer = await web.upgraded()
    writer.write(client_frame(1, b"hold"))
    await eventually(lambda: web.chat.heard)
    writer.transport.abort()
    await eventually(lambda: not web.chat.sessions)


async def test_a_chat_that_closes_while_it_hears_is_obeyed(web: Running) -> None:
    async with connect(web.ws) as browser:
        for _ in range(10):
            await browser.send("bad")
        await browser.wait_closed()
    assert browser.close_code == 1008


async def test_a_failure_of_ours_ends_only_that_connection(
    web: Running, caplog: pytest.LogCaptureFixture, expected_errors: list[str]
) -> None:
    expected_errors.append("the hub never does this")
    async with connect(web.ws) as bystander, connect(web.ws) as browser:
        await browser.send("raise")
        await browser.wait_closed()
        assert browser.close_code == 1011
        await bystander.send("echo still here")
        assert await bystander.recv() == "still here"


async def test_a_stuck_reader_takes_nothing_more_and_is_pumped_when_it_reads(web: Running) -> None:
    reader, writer = await web.upgraded()
    await eventually(lambda: web.chat.sessions)
    session = web.chat.session
    big = b"\x81\x7e\xff\x00" + b"x" * 0xFF00
    accepted = 0
    while session.transport.send(big):
        accepted += 1
        assert accepted < 500
        await asyncio.sleep(0)
    session.owe(b"\x81\x04last")
    await eventually(lambda: session.blocked)
    for _ in range(accepted):
        assert await reader.readexactly(len(big)) == big
    assert await reader.readexactly(6) == b"\x81\x04last"
    writer.close()


async def test_a_stuck_reader_is_closed_within_two_seconds(web: Running) -> None:
    _, writer = await web.upgraded()
    await eventually(lambda: web.chat.sessions)
    session = web.chat.session
    while session.transport.send(b"\x81\x7e\xff\x00" + b"x" * 0xFF00):
        await asyncio.sleep(0)
    session.transport.close(CloseReason.KICKED, "")
    await eventually(lambda: not web.chat.sessions)
    await eventually(lambda: web.lost)
    writer.transport.abort()


async def test_a_stuck_reader_is_neither_pinged_nor_cut(start: Start) -> None:
    web = await start(ping_every=0.05, pong_within=0.05)
    _, writer = await web.upgraded()
    reading_of(writer).pause_reading()
    await eventually(lambda: web.chat.sessions)
    session = web.chat.session
    while session.transport.send(b"\x81\x7e\xff\x00" + b"x" * 0xFF00):
        await asyncio.sleep(0)
    with pytest.raises(AssertionError):
        await eventually(lambda: not web.chat.sessions, seconds=0.5)
    writer.transport.abort()


async def test_silence_after_a_ping_is_4012(start: Start) -> None:
    web = await start(ping_every=0.05, pong_within=0.05)
    reader, writer = await web.upgraded()
    assert await reader.readexactly(2) == b"\x89\x00"
    assert await close_code(reader) == 4012
    writer.close()


async def test_half_a_frame_is_no_pong(start: Start) -> None:
    web = await start(ping_every=0.05, pong_within=0.1)
    reader, writer = await web.upgraded()
    await reader.readexactly(2)
    writer.write(client_frame(10, b"pong")[:-1])
    assert await close_code(reader) == 4012
    writer.close()


async def test_a_peer_that_answers_pings_stays(start: Start) -> None:
    web = await start(ping_every=0.05, pong_within=0.5, stalled_loop=0.2)
    reader, writer = await web.upgraded()
    for _ in range(12):  # for longer than the pong of the first may take
        assert await asyncio.wait_for(reader.readexactly(2), PATIENCE) == b"\x89\x00"
        writer.write(client_frame(10))
    assert web.chat.sessions
    writer.close()


async def test_nobody_is_cut_for_a_silence_in_which_we_stood_still(start: Start) -> None:
    web = await start(ping_every=0.05, pong_within=0.2, stalled_loop=0.2)
    reader, writer = await web.upgraded()
    assert await reader.readexactly(2) == b"\x89\x00"
    time.sleep(0.6)
    assert await asyncio.wait_for(reader.readexactly(2), PATIENCE) == b"\x89\x00"
    writer.write(client_frame(10))
    assert await asyncio.wait_for(reader.readexactly(2), PATIENCE) == b"\x89\x00"
    writer.close()


async def test_without_hello_it_is_1008(start: Start) -> None:
    web = await start(hello_deadline=0.1)
    reader, writer = await web.upgraded()
    assert await close_code(reader) == 1008
    writer.close()


async def test_a_slow_frame_is_cut(start: Start) -> None:
    web = await start(frame_deadline=0.1, ping_every=0.05)
    reader, writer = await web.upgraded()
    writer.write(client_frame(1, b"slow")[:-1])
    assert await close_code(reader) == 1008
    writer.close()


async def test_stopping_says_1001_to_everybody(start: Start) -> None:
    web = await start()
    async with connect(web.ws) as browser:
        await eventually(lambda: web.chat.sessions)
        await web.door.stop()
        await browser.wait_closed()
    assert browser.close_code == 1001


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 3999, 4000, 4500, 4999])
async def test_a_peer_that_closes_is_told_its_own_code(web: Running, code: int) -> None:
    reader, writer = await web.upgraded()
    writer.write(client_frame(8, code.to_bytes(2, "big") + b"so long"))
    assert await close_code(reader) == code


async def test_an_offer_spread_over_two_headers_is_one_list(web: Running) -> None:
    offers = b"Sec-WebSocket-Protocol: CHAT.V1.TEXT, other\r\nSec-WebSocket-Protocol: chat.v1.text\r\n\r\n"
    reader, writer = await web.talk()
    writer.write(web.upgrade().removesuffix(b"\r\n") + offers)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    assert head.startswith(b"HTTP/1.1 101 ") and head.count(b"Sec-WebSocket-Protocol: chat.v1.text\r\n") == 1
