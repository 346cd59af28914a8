"""A whole room as text: its lines, where it begins and ends, and how many may be on their way."""

import asyncio
import re

import aiohttp
import pytest

from gateway.core.protocol.message import Door, Kind, Message
from gateway.core.rooms.group_commit import Draft
from gateway.web import room_log
from gateway.web.http.request import answered
from tests.fakes import PATIENCE, eventually
from tests.web.running_door import Running


async def log_of(http: aiohttp.ClientSession, web: Running, query: str = "") -> list[str]:
    async with http.get(f"{web.url}/r/ops/log.txt{query}") as answer:
        assert answer.status == 200, await answer.text()
        return (await answer.text()).splitlines()


def without_times(lines: list[str]) -> list[str]:
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line) for line in lines), lines
    return [line[21:] for line in lines]


async def test_the_log_has_every_line_with_its_author(web: Running, http: aiohttp.ClientSession) -> None:
    await web.chat.post("ops", "ana", "hi", "one\n\ntwo", "a secret", "é你")
    room = web.chat.hub.rooms.keep(await answered(web.chat.hub.rooms.open("ops")))
    moment = web.chat.hub.clock.wall()
    web.chat.hub.commits.submit(Draft(room, [Message("ops", moment, "bo", Door.WEB, Kind.ACTION, "waves")], None, None))
    secret = await answered(web.chat.hub.removals.find("ops", 3))
    await answered(web.chat.hub.removals.remove(secret, "op", "spam"))
    await eventually(lambda: room.log.head == 5)
    assert without_times(await log_of(http, web)) == [
        "ana: hi", "ana: one", "ana| ", "ana| two", "-- message 3 was removed: spam", "ana: é你", "* bo waves",
    ]  # fmt: skip


async def test_the_time_is_utc_and_the_answer_is_text(web: Running, http: aiohttp.ClientSession) -> None:
    room = web.chat.hub.rooms.keep(await answered(web.chat.hub.rooms.open("ops")))
    message = Message("ops", 1_795_528_865_999, "bob", Door.WEB, Kind.SAY, "text")
    web.chat.hub.commits.submit(Draft(room, [message], None, None))
    await eventually(lambda: room.log.head == 1)
    async with http.get(f"{web.url}/r/ops/log.txt") as answer:
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert await answer.text() == "2026-11-24T14:01:05Z bob: text\n"


async def test_head_asks_for_no_text(web: Running, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{web.url}/r/ops?nick=ci", data="one") as answer:
        assert answer.status == 201
    for path, status in (("/r/ops/log.txt", 200), ("/r/nowhere/log.txt", 404)):
        async with http.head(f"{web.url}{path}") as answer:
            assert (answer.status, await answer.read()) == (status, b"")


async def test_a_paste_is_written_whole(web: Running, http: aiohttp.ClientSession) -> None:
    text = "\n".join(f"frame {number} " + "x" * 90 for number in range(100))
    async with http.post(f"{web.url}/r/ops?nick=ci", data=text) as answer:
        assert answer.status == 201
    lines = without_times(await log_of(http, web))
    assert lines == ["ci" + (": " if number == 0 else "| ") + line for number, line in enumerate(text.split("\n"))]


@pytest.mark.parametrize(("since", "first"), [("0", 1), ("7", 8), ("%2338", 39), ("40", None), ("99", None), ("1h", 1)])
async def test_it_begins_where_it_is_asked_to(
    web: Running, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, since: str, first: int | None
) -> None:
    monkeypatch.setattr(room_log, "PAGE_MESSAGES", 3)
    monkeypatch.setattr(room_log, "CHUNK", 50)
    await web.chat.post("ops", "ana", *(f"m{number}" for number in range(1, 41)))
    expected = [f"ana: m{number}" for number in range(first, 41)] if first else []
    assert without_times(await log_of(http, web, f"?since={since}")) == expected


async def test_it_begins_at_a_moment(web: Running, http: aiohttp.ClientSession) -> None:
    room = web.chat.hub.rooms.keep(await answered(web.chat.hub.rooms.open("ops")))
    for number, ts in enumerate((1_795_528_800_000, 1_795_528_865_000, 1_795_528_900_000), 1):
        message = Message("ops", ts, "bob", Door.WEB, Kind.SAY, f"m{number}")
        web.chat.hub.commits.submit(Draft(room, [message], None, None))
    await eventually(lambda: room.log.head == 3)
    assert without_times(await log_of(http, web, "?since=2026-11-24T14:01:05Z")) == ["bob: m2", "bob: m3"]
    assert await log_of(http, web, "?since=2026-11-25T00:00Z") == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/r/nowhere/log.txt", 404, "no_such_room"),
        ("/r/*/log.txt", 400, "room_invalid"),
        ("/r/ops/log.txt?since=tomorrow", 400, "bad_message"),
        ("/r/ops/log.txt?after=1", 400, "bad_message"),
    ],
)
async def test_what_is_no_log(web: Running, http: aiohttp.ClientSession, path: str, status: int, code: str) -> None:
    await web.chat.post("ops", "ana", "hi")
    async with http.get(web.url + path) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (status, code)


async def stalled(web: Running) -> asyncio.StreamWriter:
    """A reader that asks for the log and then reads nothing."""
    _, writer = await asyncio.open_connection("127.0.0.1", web.port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b"GET /r/ops/log.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return writer


async def test_two_at_a_time_for_an_address_and_a_reader_that_stalls_holds_one_page(
    web: Running, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.caller = "192.0.2.7"
    await web.chat.post("ops", "ana", *(["x" * 3900] * 3000))
    reads = 0
    read = web.chat.hub.history.read

    def counted(*wanted: object) -> object:
        nonlocal reads
        reads += 1
        return read(*wanted)  # type: ignore[arg-type]

    monkeypatch.setattr(web.chat.hub.history, "read", counted)
    writers = [await stalled(web) for _ in range(2)]
    await eventually(lambda: reads >= 4)
    async with http.get(f"{web.url}/r/ops/log.txt") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "10")
    assert reads < 40
    web.caller = "192.0.2.8"
    async with aiohttp.ClientSession() as other, other.get(f"{web.url}/r/ops/log.txt?since=2999") as answer:
        assert (answer.status, len((await answer.text()).splitlines())) == (200, 1)
    web.caller = "192.0.2.7"
    for writer in writers:
        writer.transport.abort()

    async def free() -> bool:
        async with aiohttp.ClientSession() as third, third.get(f"{web.url}/r/ops/log.txt?since=2999") as answer:
            return answer.status == 200

    async with asyncio.timeout(PATIENCE):
        while not await free():
            await asyncio.sleep(0.01)
