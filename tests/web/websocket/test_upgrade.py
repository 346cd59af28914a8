"""From HTTP to WebSocket: at the first request of a connection and behind others, and what stays behind."""

import asyncio
import base64
import hashlib

import pytest

from tests.fakes import PATIENCE, eventually
from tests.web.running_door import Running, Start, client_frame, close_code

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


async def head_of(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)


async def test_the_key_is_answered_as_the_protocol_wants(web: Running) -> None:
    reader, writer = await web.talk()
    writer.write(web.upgrade(Sec_WebSocket_Key=KEY))
    status, *fields = (await head_of(reader)).split(b"\r\n")
    assert status == b"HTTP/1.1 101 Switching Protocols"
    accept = base64.b64encode(hashlib.sha1(KEY.encode() + GUID).digest())
    assert set(fields) == {b"Upgrade: websocket", b"Connection: upgrade", b"Sec-WebSocket-Accept: " + accept, b""}
    writer.close()


async def test_an_open_websocket_has_no_task(web: Running) -> None:
    """A task with its waiting frames is as much memory as all the rest of an idle browser."""
    before = len(asyncio.all_tasks())
    peers = [await web.upgraded() for _ in range(5)]
    await eventually(lambda: len(web.chat.sessions) == 5)
    await eventually(lambda: len(asyncio.all_tasks()) == before)
    for _, writer in peers:
        writer.close()


async def test_a_head_that_comes_byte_by_byte_is_taken(web: Running) -> None:
    reader, writer = await web.talk()
    for letter in web.upgrade() + client_frame(1, b"first"):
        writer.write(bytes((letter,)))
        await asyncio.sleep(0)
    assert (await head_of(reader)).startswith(b"HTTP/1.1 101")
    await eventually(lambda: web.chat.heard == ["first"])
    writer.close()


@pytest.mark.parametrize("together", [True, False])
async def test_an_upgrade_may_follow_another_request(web: Running, together: bool) -> None:
    """Proxies use their connections again."""
    reader, writer = await web.talk()
    first, rest = HEALTH, web.upgrade() + client_frame(1, b"early")
    if together:
        first, rest = first + rest, b""
    writer.write(first)
    head = await head_of(reader)
    assert head.startswith(b"HTTP/1.1 200")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    writer.write(rest)
    assert (await head_of(reader)).startswith(b"HTTP/1.1 101")
    writer.write(client_frame(1, b"echo later"))
    assert await asyncio.wait_for(reader.readexactly(7), PATIENCE) == b"\x81\x05later"
    assert web.chat.heard == ["early", "echo later"]
    writer.write(client_frame(8, b"\x03\xe8"))
    assert await close_code(reader) == 1000
    assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
    writer.close()
    await eventually(lambda: web.admission.ended == 1 and not web.admission.here["127.0.0.1"])


async def test_a_large_packet_behind_the_upgrade_is_read_to_its_end(web: Running) -> None:
    reader, writer = await web.talk()
    texts = [f"{number} " + "x" * 3000 for number in range(40)]
    writer.write(web.upgrade() + b"".join(client_frame(1, text.encode()) for text in texts))
    assert (await head_of(reader)).startswith(b"HTTP/1.1 101")
    await eventually(lambda: web.chat.heard == texts)
    writer.close()


async def test_a_crowd_of_small_frames_is_handled_in_many_turns_and_in_order(web: Running) -> None:
    _, writer = await web.upgraded()
    texts = [f"{number}" for number in range(300)]
    writer.write(b"".join(client_frame(1, text.encode()) for text in texts))
    await eventually(lambda: len(web.chat.heard) > 0)
    assert len(web.chat.heard) < 300
    await eventually(lambda: web.chat.heard == texts)
    writer.close()


async def test_what_a_held_session_is_sent_is_not_read_without_end(web: Running) -> None:
    _, writer = await web.upgraded()
    writer.write(client_frame(1, b"hold"))
    await eventually(lambda: web.chat.heard)
    session = web.chat.session
    text = client_frame(1, b"x" * 60_000)
    for _ in range(300):
        writer.write(text)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(writer.drain(), 0.5)
    assert session.bytes_in < 1_000_000
    session.release()
    await asyncio.wait_for(writer.drain(), PATIENCE)
    await eventually(lambda: len(web.chat.heard) == 301)
    writer.close()


async def test_a_refused_upgrade_is_answered_and_ends_the_connection(web: Running) -> None:
    answer = await web.send(web.upgrade(Origin="https://evil.example") + HEALTH)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_the_upgrade_has_the_path_with_a_query_and_below_the_base_path(start: Start) -> None:
    web = await start(base_path="/chat")
    for path, status in (("/ws?x=1", b"101"), ("/chat/ws", b"101"), ("/chat/ws/", b"308"), ("/chatws", b"404")):
        reader, writer = await web.talk()
        writer.write(web.upgrade(path))
        assert (path, (await head_of(reader)).split()[1]) == (path, status)
        writer.close()


async def test_stopping_ends_those_who_do_not_take_their_leave(start: Start) -> None:
    web = await start()
    _, writer = await web.upgraded()
    await eventually(lambda: web.chat.sessions)
    await web.door.stop()
    await eventually(lambda: web.admission.ended == 1)
    writer.close()
