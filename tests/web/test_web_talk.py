"""Browsers and HTTP in one room of the real hub."""

import json
import tracemalloc
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from tests.web.running_door import Running, until

MEMORY_LIMIT = 17 * 1024
WEBSOCKETS = 200


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


async def test_history_over_http_is_what_was_said(web: Running, http: aiohttp.ClientSession) -> None:
    async with connect(web.ws) as ana:
        await ana.send('{"type":"hello"}')
        await told(ana, "joined")
        await ana.send('{"type":"say","id":"c1","room":"lobby","text":"caf\u00e9"}')
        await told(ana, "ack")
    async with http.get(f"{web.url}/r/lobby/messages") as answer:
        assert [message["text"] for message in (await answer.json())["messages"]] == ["caf\u00e9"]


async def test_an_idle_websocket_takes_at_most_17_kib(web: Running) -> None:
    """Python's memory for the server's side and this test's bare socket together, hello said."""
    await _crowd(web, 20)
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        await _crowd(web, WEBSOCKETS)
        after = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    ours = tracemalloc.Filter(False, "*running_door.py"), tracemalloc.Filter(False, "*/streams.py")
    grown = after.filter_traces(ours).compare_to(before.filter_traces(ours), "filename")
    assert sum(line.size_diff for line in grown) / WEBSOCKETS < MEMORY_LIMIT
    await until(lambda: all(session.greeted for session in web.chat.sessions.values()))
