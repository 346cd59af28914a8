"""A room as an endless answer: raw lines for curl, events for EventSource, lines over a WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
import websockets
from websockets.asyncio.client import connect

from gateway.core.answer import Answer
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.errors import Code, JournalError, Refusal
from tests.fakes import eventually
from tests.web.running_door import Running, Start, reading_of

SECONDS = 45.0


async def line(answer: aiohttp.ClientResponse) -> str:
    """The next line of an endless answer; "" at its end."""
    return (await asyncio.wait_for(answer.content.readline(), SECONDS)).decode()


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, str]]:
    """The fields of each event, as EventSource reads them."""
    fields: dict[str, str] = {}
    while text := await line(answer):
        name, _, value = text.rstrip("\n").partition(": ")
        if text == "\n" and "event" in fields:
            yield fields
        if text == "\n":
            fields = {}
        elif name:
            fields[name] = value


async def test_raw_lines_are_the_new_messages_only(web: Running, http: aiohttp.ClientSession) -> None:
    await web.chat.post("ops", "ci", "before")
    async with http.get(f"{web.url}/r/ops/raw") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        await web.chat.post("ops", "ci", "one")
        await web.chat.post("ops", "bo", "two\nthree")
        assert [await line(answer) for _ in range(3)] == ["ci: one\n", "bo: two\n", "bo| three\n"]


@pytest.mark.parametrize("kind", ["raw", "events"])
async def test_a_reader_that_has_stopped_sending_before_it_is_served_is_not_kept(web: Running, kind: str) -> None:
    reader, writer = await web.talk()
    writer.write(f"GET /r/ops/{kind} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), SECONDS)
    assert answer.startswith(b"HTTP/1.1 200 ")
    await eventually(lambda: not web.chat.sessions)
    assert web.chat.hub.stats.closed.counts[Door.HTTP, CloseReason.LEFT] == 1
    writer.close()


async def test_a_stream_is_a_connection_but_nobody_in_the_room(web: Running, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{web.url}/r/ops/events") as answer:
        await eventually(lambda: web.chat.hub.rooms.get("ops"))
        room = web.chat.hub.rooms["ops"]
        assert [session.door for session in web.chat.sessions.values()] == ["http"]
        assert (room.count, room.attendance.people()) == (0, [])
        joined = await anext(events(answer))
        assert json.loads(joined["data"])["count"] == 0
    await eventually(lambda: not web.chat.sessions)
    assert "ops" not in web.chat.hub.rooms
    assert web.chat.hub.stats.closed.counts[Door.HTTP, CloseReason.LEFT] == 1


async def test_events_carry_type_place_and_object(web: Running, http: aiohttp.ClientSession) -> None:
    await web.chat.post("ops", "ci", "before")
    async with http.get(f"{web.url}/r/ops/events") as answer:
        assert answer.content_type == "text/event-stream"
        stream = events(answer)
        joined, history = await anext(stream), await anext(stream)
        epoch = json.loads(joined["data"])["epoch"]
        assert [joined["event"], "id" in joined] == ["joined", False]
        assert [history["event"], history["id"]] == ["history", f"{epoch}:1"]
        await web.chat.post("ops", "ci", "one\ntwo")
        said = await anext(stream)
        assert [said["event"], said["id"]] == ["msg", f"{epoch}:2"]
        assert json.loads(said["data"])["text"] == "one\ntwo"


@pytest.mark.parametrize("way", ["header", "polyfill", "query"])
async def test_a_stream_goes_on_where_it_stopped(web: Running, http: aiohttp.ClientSession, way: str) -> None:
    await web.chat.post("ops", "ci", "one", "two", "three")
    await eventually(lambda: "ops" not in web.chat.hub.rooms)
    async with http.get(f"{web.url}/r/ops/messages") as answer:
        place = f"{(await answer.json())['epoch']}:1"
    headers = {"Last-Event-ID": place} if way == "header" else {}
    query = {"after": place if way == "query" else "AAAAAAAA:9"} | ({"lastEventId": place} if way == "polyfill" else {})
    async with http.get(f"{web.url}/r/ops/events", headers=headers, params=query) as answer:
        stream = events(answer)
        joined, *missed = [await anext(stream) for _ in range(3)]
    assert json.loads(joined["data"])["recovered"] is True
    assert [each["event"] for each in missed] == ["msg", "msg"]
    assert [each["id"][-2:] for each in missed] == [":2", ":3"]


async def test_raw_lines_go_on_after_a_place(web: Running, http: aiohttp.ClientSession) -> None:
    await web.chat.post("ops", "ci", "one", "two")
    async with http.get(f"{web.url}/r/ops/messages") as answer:
        place = f"{(await answer.json())['epoch']}:1"
    async with http.get(f"{web.url}/r/ops/raw?after={place}") as answer:
        assert await line(answer) in ("ci: one\n", "ci: two\n")
        await web.chat.post("ops", "ci", "live")
        assert await line(answer) == "ci: live\n"


async def test_a_place_of_another_epoch(web: Running, http: aiohttp.ClientSession) -> None:
    await web.chat.post("ops", "ci", "one")
    for place in ("AAAAAAAA:1", "AAAAAAAA:999999999999999999"):
        async with http.get(f"{web.url}/r/ops/raw?after={place}") as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (409, "epoch_changed")
        async with http.get(f"{web.url}/r/ops/events", headers={"Last-Event-ID": place}) as answer:
            stream = events(answer)
            joined, history = await anext(stream), await anext(stream)
            assert json.loads(joined["data"])["recovered"] is False
            assert [each["text"] for each in json.loads(history["data"])["messages"]] == ["one"]


@pytest.mark.parametrize("place", ["1", ":1", "AAAAAAAA:", "AAAAAAAA:-1", "AAAAAAAA:1x", "short:1", "AAAAAAAA:1 "])
async def test_a_malformed_place_is_400(web: Running, http: aiohttp.ClientSession, place: str) -> None:
    for way in ("raw", "events"):
        async with http.get(f"{web.url}/r/ops/{way}", params={"after": place}) as answer:
            assert answer.status == 400
    assert not web.chat.sessions


async def test_what_is_refused_is_refused_before_the_stream_begins(
    web: Running, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http.get(f"{web.url}/r/-bad-/raw") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "room_invalid")
    async with http.get(f"{web.url}/r/ops/raw", headers={"Host": "attacker.example"}) as answer:
        assert answer.status == 403
    async with http.head(f"{web.url}/r/ops/raw") as answer:
        assert answer.status == 405
    hub = web.chat.hub
    monkeypatch.setattr(hub.journal, "open", lambda room, recent: Answer.of(JournalError("no disk")))
    async with http.get(f"{web.url}/r/other/raw") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (503, Code.STORAGE)
    async with http.get(f"{web.url}/r/other/events") as answer:  # browsers try again after a 200 alone
        assert (answer.status, [each["event"] async for each in events(answer)]) == (200, ["bye"])
    monkeypatch.setattr(hub.rooms, "open", lambda name: Answer.of(Refusal(Code.NO_SUCH_ROOM, "none")))
    async with http.get(f"{web.url}/r/other/raw") as answer:
        assert answer.status == 404
    assert not web.chat.sessions


async def test_a_kick_ends_the_answer_with_its_reason(web: Running, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{web.url}/r/ops/raw") as raw, http.get(f"{web.url}/r/ops/events") as stream:
        await eventually(lambda: len(web.chat.sessions) == 2)
        for session in list(web.chat.sessions.values()):
            web.chat.hub.close(session, CloseReason.DRAINING, "come back in 2 s", retry_ms=1300)
        assert await line(raw) == "!! draining: come back in 2 s\n"
        assert await line(raw) == ""
        bye = [each async for each in events(stream)][-1]
        assert (bye["event"], bye["retry"]) == ("bye", "1300")
        assert json.loads(bye["data"])["code"] == 4001


async def test_a_reader_that_stands_still_lags_in_the_log_and_gets_it_all(web: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    writer.write(b"GET /r/ops/raw HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    reading_of(writer).pause_reading()
    texts = [f"{number} " + "x" * 3900 for number in range(2500)]
    for text in texts:
        await web.chat.post("ops", "ci", text)
    assert web.chat.session.lag()[0] > 0
    reading_of(writer).resume_reading()
    got = [await asyncio.wait_for(reader.readline(), SECONDS) for _ in texts]
    gap = got[0].startswith(b"-- ")
    assert [each.split()[1] for each in got[gap:]] == [str(n).encode() for n in range(2500 - len(got[gap:]), 2500)]
    writer.close()


async def test_a_quiet_stream_of_events_is_kept_open_by_comments(start: Start, http: aiohttp.ClientSession) -> None:
    web = await start(ping_every=0.05)
    async with http.get(f"{web.url}/r/ops/events") as answer:
        lines = [await line(answer) for _ in range(14)]
    assert lines.count(":\n") >= 2


async def test_the_gateway_stops_with_streams_open(web: Running, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{web.url}/r/ops/raw") as answer:
        await eventually(lambda: web.chat.sessions)
        await web.stop()
        assert (await line(answer), await line(answer)) == ("!! going_away: the gateway stops\n", "")
    assert not web.chat.sessions


async def test_lines_over_a_websocket(web: Running) -> None:
    lines = websockets.Subprotocol("chat.v1.text")
    async with connect(web.ws, subprotocols=[lines]) as ana, connect(web.ws, subprotocols=[lines]) as bo:
        assert ana.subprotocol == lines
        await ana.send("/nick ana\r\n/join ops")
        await bo.send("/nick bo\n/join ops\n")
        await eventually(lambda: "ops" in web.chat.hub.rooms and web.chat.hub.rooms["ops"].count == 2)
        await ana.send("one\n\ntwo\n")
        heard = [await bo.recv() for _ in range(4)]
        assert heard[-2:] == ["ana: one", "ana: two"]
        await ana.send("x" * 4097)
        while not (said := str(await ana.recv())).startswith("!! "):
            pass
        assert said.startswith("!! too_long: ")
        await ana.send("/bot")
        assert "/bot off ends it" in json.loads(await ana.recv())["text"]
        assert json.loads(await ana.recv())["type"] == "joined"
        await ana.send("quit")
        await ana.wait_closed()
    assert ana.close_code == 1000


@pytest.mark.parametrize("place", ["undefined", "null", "17", "AAAAAAAA:-1", "AAAAAAAA:1 x"])
async def test_a_last_id_of_another_server_begins_anew(web: Running, http: aiohttp.ClientSession, place: str) -> None:
    await web.chat.post("ops", "ci", "one")
    async with http.get(f"{web.url}/r/ops/events", headers={"Last-Event-ID": place}) as answer:
        assert answer.headers["Cache-Control"] == "no-store, no-transform"
        assert json.loads((await anext(events(answer)))["data"])["recovered"] is False
