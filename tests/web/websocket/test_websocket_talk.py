"""Browsers and HTTP in one room of the real hub."""

import asyncio
import gc
import json
import socket
import tracemalloc
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect

from gateway.core.doors.post import Post
from gateway.core.sessions.session import Session
from tests.fakes import PATIENCE, eventually
from tests.web.running_door import Running, Start, client_frame

MEMORY_LIMIT = 8 * 1024
WEBSOCKETS = 200
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36"
HELLO = client_frame(1, b'{"type":"hello"}')


async def told(browser: ClientConnection, type: str) -> dict[str, Any]:
    """The next object of a type; others are passed over."""
    while True:
        event: dict[str, Any] = json.loads(await browser.recv())
        if event["type"] == type:
            return event


async def test_what_one_says_the_others_read_and_the_author_gets_an_ack(web: Running) -> None:
    async with connect(web.ws) as ana, connect(web.ws) as bob:
        for browser, nick in ((ana, "ana"), (bob, "bob")):
            await browser.send(json.dumps({"type": "hello", "nick": nick}))
            assert (await told(browser, "joined"))["room"] == "lobby"
        await ana.send('{"type":"say","id":"c1","room":"lobby","text":"hi"}')
        assert (await told(bob, "msg"))["text"] == "hi"
        assert (await told(ana, "ack"))["seq"] == 1


async def test_a_post_reaches_browsers(web: Running, http: aiohttp.ClientSession) -> None:
    async with connect(web.ws) as ana:
        await ana.send('{"type":"hello"}')
        await told(ana, "joined")
        async with http.post(f"{web.url}/r/lobby?nick=ci", data="build 7") as answer:
            assert answer.status == 201
        message = await told(ana, "msg")
        assert (message["nick"], message["door"], message["text"]) == ("ci", "http", "build 7")


async def test_a_lone_help_before_the_close_frame_is_a_message(web: Running) -> None:
    """A script (`echo help | websocat`) says it and closes: nobody is there to be asked whether it was meant so."""
    reader, writer = await web.upgraded(Sec_WebSocket_Protocol="chat.v1.text")
    writer.write(client_frame(1, b"help") + client_frame(8, b"\x03\xe8"))
    assert (await asyncio.wait_for(reader.read(), PATIENCE)).endswith(b"\x88\x02\x03\xe8")
    log = web.chat.hub.rooms["lobby"].log
    await eventually(lambda: [message.text for message in log.last(9)] == ["help"])


async def test_the_query_that_keeps_caches_away_is_passed_over(web: Running, http: aiohttp.ClientSession) -> None:
    """jQuery, axios plugins: `?_=1790000000123` on each GET."""
    for path in ("/rooms?_=17", "/r/lobby/messages?limit=1&_=17"):
        async with http.get(web.url + path) as answer:
            assert (path, answer.status) != (path, 400)
    async with http.get(f"{web.url}/rooms?__=17") as answer:
        assert (answer.status, "unknown query parameter '__'" in await answer.text()) == (400, True)


async def test_history_over_http_is_what_was_said(web: Running, http: aiohttp.ClientSession) -> None:
    async with connect(web.ws) as ana:
        await ana.send('{"type":"hello"}')
        await told(ana, "joined")
        await ana.send('{"type":"say","id":"c1","room":"lobby","text":"caf\u00e9"}')
        await told(ana, "ack")
    async with http.get(f"{web.url}/r/lobby/messages") as answer:
        assert [message["text"] for message in (await answer.json())["messages"]] == ["caf\u00e9"]


async def crowd(web: Running, count: int) -> list[socket.socket]:
    """So many browsers that have said hello; bare sockets, so that next to nothing of theirs is counted as ours."""
    loop, here = asyncio.get_running_loop(), len(web.chat.sessions)
    socks = []
    for _ in range(count):
        sock = socket.socket()
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", web.port))
        await loop.sock_sendall(sock, web.upgrade(User_Agent=AGENT, Origin=web.url) + HELLO)
        socks.append(sock)
    await eventually(lambda: len(web.chat.sessions) == here + count)
    await eventually(lambda: all(at_rest(session) for session in web.chat.sessions.values()))
    return socks


def at_rest(session: Session) -> bool:
    """Whether a browser is in its room and has been sent all it is owed. It is greeted before that: the welcome waits
    for the journal, and the list of members that comes behind it is as large as all the rest."""
    return bool(session.rooms) and not session.owed and not session.blocked


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_an_idle_websocket_takes_at_most_8_kib(start: Start) -> None:
    # No deadline may come to pass on a machine that is busy with others: nobody here answers a ping.
    web = await start(header_deadline=600.0, ping_every=600.0)
    socks = await crowd(web, 20)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    socks += await crowd(web, WEBSOCKETS)
    web.chat.heard.clear()
    await asyncio.wait_for(web.chat.loop.run_in_executor(None, gc.collect), PATIENCE)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for sock in socks:
        sock.close()
    assert (after - before) / WEBSOCKETS < MEMORY_LIMIT


async def test_answers_to_a_browser_that_has_gone_do_not_pile_up(web: Running) -> None:
    for number in range(100):
        web.chat.posting.post(Post("lobby", f"{number}" * 500, f"ci{number}"))
    [sock] = await crowd(web, 1)
    session = web.chat.session
    history = client_frame(1, b'{"type":"history","room":"lobby","limit":100}')
    await asyncio.get_running_loop().sock_sendall(sock, history * 300)
    await eventually(lambda: session.blocked)
    sock.close()
    most = 0

    def gone() -> bool:
        nonlocal most
        most = max(most, len(session.owed))
        return session.closed

    await eventually(gone)
    assert most < 1_000_000
