"""The table of connections and rooms as JSON: filters, rates, closed ones, one in full."""

import json
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace
from websockets.asyncio.client import connect

from gateway.core.clock import Clock
from gateway.core.ports.transport import Kernel, Traits
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.sessions.session import Session
from gateway.core.stats.recent import HAPPENINGS, Departure, RecentEvents
from gateway.web.http.client_address import AGENT_CHARS, agent_of
from gateway.web.tables.connection_row import COLUMNS, LOOK_STALE, LOOKS, Rates, Samples, closed_row
from tests.accounts.people import PEOPLE, TOKEN
from tests.fakes import RecordingTransport, eventually
from tests.web.admin.test_pages import log_in
from tests.web.little_chat import LittleChat
from tests.web.running_door import Running, Start

Http = aiohttp.ClientSession
API = "/admin/api/connections"
DEPARTURE = Departure(1, "ana", Door.TCP, (), "10.0.0.1", None, 0, 1, 0, 0, 0, 0, 0, CloseReason.LEFT, "")


class Told(RecordingTransport):
    """A transport that knows something of itself."""

    def __init__(self, rtt: float) -> None:
        super().__init__()
        self.rtt = rtt
        self.asked = 0

    def kernel(self) -> Kernel | None:
        self.asked += 1
        return Kernel(self.rtt, 3, 2, 1)

    def traits(self) -> Traits:
        return Traits("127.0.0.1:9999", True, ("peer NAWS",), "80x24", "xterm")


def join(chat: LittleChat, nick: str, door: Door = Door.TCP, behind: int = 0, address: str = "10.0.0.1") -> Session:
    session = chat.join_nobody(door, behind)
    session.nick, session.arrival = nick, replace(session.arrival, address=address)
    return session


async def get(web: Running, http: Http, path: str = API, *, status: int = 200, **query: str) -> dict[str, Any]:
    async with http.get(web.url + path, params=query) as answer:
        assert answer.status == status, await answer.text()
        return dict(await answer.json())


async def nicks(web: Running, http: Http, **query: Any) -> list[str]:
    return [row["nick"] for row in (await get(web, http, API, **query))["connections"]]


async def test_a_row_has_every_column(web: Running, http: Http) -> None:
    await log_in(web, http)
    session = join(web.chat, "ana", behind=9)
    session.transport, session.skipped = Told(41.5), 4
    session.arrival = replace(session.arrival, agent="Firefox")
    web.chat.hub.enter(session, web.chat.hub.rooms["lobby"])
    page = await get(web, http)
    (row,) = page["connections"]
    assert set(row) == set(COLUMNS) - {"reason", "closed_at", "words"}
    assert row | {
        "nick": "ana", "room": "lobby", "rooms": ["lobby"], "lag_bytes": 9, "skipped": 4, "rtt": 41.5, "retransmits": 3,
        "unacked": 2, "unsent_bytes": 1, "local": "127.0.0.1:9999", "tls": True, "telnet": ["peer NAWS"],
        "terminal": "80x24", "agent": "Firefox", "state": "ok", "messages_in_rate": None,
    } == row  # fmt: skip
    assert (page["total"], page["of"], page["cursor"], page["snapshot"]) == (1, 1, None, None)


async def test_a_filter_sorts_and_counts_what_matches(web: Running, http: Http) -> None:
    await log_in(web, http)
    for number, nick in enumerate(("al", "bo", "alf")):
        session = join(web.chat, nick, behind=number * 1000, address=f"10.0.{number}.1")
        session.transport = Told(number * 100.0)
    assert await nicks(web, http, q="al", sort="-lag_bytes") == ["alf", "al"]
    assert await nicks(web, http, q="rtt>50ms ip:10.0.0.0/16", sort="rtt") == ["bo", "alf"]
    page = await get(web, http, q="al", limit="1")
    assert (page["total"], page["of"]) == (2, 3)


async def test_a_bad_word_is_placed(web: Running, http: Http) -> None:
    await log_in(web, http)
    error = (await get(web, http, status=400, q="al dor:web"))["error"]
    assert (error["code"], error["word"], error["at"], error["length"]) == ("bad_message", "dor:web", 3, 7)
    assert error["why"] and error["right"]
    async with http.get(f"{web.url}/admin", params={"q": "dor:web"}) as answer:
        assert answer.status == 200


async def test_only_rows_that_are_shown_ask_the_kernel(web: Running, http: Http) -> None:
    await log_in(web, http)
    told = [Told(1.0) for _ in range(5)]
    for each in told:
        web.chat.join_nobody().transport = each
    await get(web, http, limit="2")
    assert sum(each.asked for each in told) == 2


async def test_rates_come_from_two_looks(web: Running, http: Http) -> None:
    await log_in(web, http)
    session = join(web.chat, "ana")
    web.clock.skipped += LOOK_STALE + 1
    await get(web, http)
    session.messages_in, session.bytes_out = 20, 4000
    web.clock.skipped += 2
    (row,) = (await get(web, http))["connections"]
    assert 9 < row["messages_in_rate"] <= 10 and 1900 < row["bytes_out_rate"] <= 2000 and row["messages_out_rate"] == 0
    detail = await get(web, http, f"{API}/{session.id}")
    before, now = detail["sparkline"]["messages_in_rate"][-2:]
    assert before is None and 9 < now <= 10
    assert detail["sparkline"]["lag_bytes"][-2:] == [0, 0]


async def test_closed_connections_are_told_with_their_reason(web: Running, http: Http) -> None:
    await log_in(web, http)
    join(web.chat, "open")
    gone = join(web.chat, "gone")
    web.chat.hub.close(gone, CloseReason.KICKED, "spam")
    assert await nicks(web, http) == ["open"]
    (row,) = (await get(web, http, state="closed"))["connections"]
    assert (row["nick"], row["state"], row["reason"], row["words"]) == ("gone", "closed", "kicked", "spam")
    assert row["closed_at"] >= row["connected_at"] and row["lag_bytes"] is None
    assert await nicks(web, http, state="any", sort="-nick") == ["open", "gone"]
    assert await nicks(web, http, state="any", q="reason:kicked") == ["gone"]
    assert await nicks(web, http, state="any", sort="-lag_bytes") == ["open", "gone"]
    detail = await get(web, http, f"{API}/{gone.id}")
    assert detail["connection"]["reason"] == "kicked" and detail["rooms"] == []
    assert [event["event"] for event in detail["events"]] == ["gone", "came"]


async def test_one_connection_in_full(web: Running, http: Http) -> None:
    await log_in(web, http)
    async with connect(web.ws, user_agent_header="Mozilla/5.0 " + "x" * 200) as browser:
        await browser.send('{"type":"hello","nick":"ana"}')
        await eventually(lambda: web.chat.sessions and web.chat.session.rooms)
        await web.chat.post("lobby", "ci", "a", "b")
        detail = await get(web, http, f"{API}/{web.chat.session.id}")
    row = detail["connection"]
    assert (row["nick"], row["local"], row["tls"]) == ("ana", f"127.0.0.1:{web.port}", False)
    assert row["agent"] == "Mozilla/5.0 " + "x" * (AGENT_CHARS - 12)
    assert row["user"] and row["user"] not in web.chat.hub.identities.identities._known
    (room,) = detail["rooms"]
    assert (room["room"], room["head"], room["reading"]) == ("lobby", 2, True)
    assert {event["event"] for event in detail["events"]} >= {"came", "renamed", "joined"}
    await get(web, http, f"{API}/fff", status=404)


def test_what_a_browser_calls_itself_passes_the_gate() -> None:
    assert agent_of("Fire\u202efox\x1b[31m/144") == "Firefox/144"
    assert agent_of("") is agent_of(" \x00") is None
    assert agent_of("Fire" + "fox") is agent_of("Fire" + "fox".lower())


@pytest.mark.parametrize(
    "path", [API, f"{API}/100", f"{API}.csv", f"{API}.jsonl", "/admin/api/rooms", f"{API}/1/watch"]
)
async def test_a_stranger_reads_nothing(web: Running, http: Http, path: str) -> None:
    await get(web, http, path, status=401)


async def test_rooms_are_a_table_too(web: Running, http: Http) -> None:
    await log_in(web, http)
    rooms = web.chat.hub.rooms
    await web.chat.post("ops", "ci", "a")
    for door in (Door.TCP, Door.WEB, Door.HTTP):
        session = web.chat.join_nobody(door)
        web.chat.hub.enter(session, rooms["lobby"])
    await web.chat.post("lobby", "ci", "a", "b", "c")
    page = await get(web, http, "/admin/api/rooms")
    row = page["rooms"][0]
    assert row | {"room": "lobby", "people": 2, "tcp": 1, "web": 1, "http": 1, "head": 3, "lag_messages": 3} == row
    assert row["rate"] is None and row["log_messages"] == 3 and row["log_bytes"] > 0
    await web.chat.post("lobby", "ci", "d")
    web.clock.skipped += 2
    page = await get(web, http, "/admin/api/rooms", q="lob", sort="-rate")
    assert (page["total"], page["of"], page["rooms"][0]["head"]) == (1, len(rooms), 4)
    assert 0 < page["rooms"][0]["rate"] <= 0.5
    await get(web, http, "/admin/api/rooms", status=400, q="nick:x")
    await get(web, http, "/admin/api/rooms", status=400, sort="nick")
    await get(web, http, "/admin/api/rooms", status=400, state="any")


async def events(answer: aiohttp.ClientResponse) -> list[tuple[str, dict[str, Any]]]:
    """All events of a stream until it ends."""
    blocks = (await answer.text()).strip().split("\n\n")
    lines = [block.split("\n") for block in blocks]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in lines]


async def test_watching_shows_both_ways_and_ends_with_the_connection(start: Start, http: Http) -> None:
    web = await start(watch=True)
    await log_in(web, http)
    async with connect(web.ws) as browser:
        await eventually(lambda: web.chat.sessions)
        session = web.chat.session
        async with http.get(f"{web.url}{API}/{session.id}/watch") as answer:
            await eventually(lambda: session.tap is not None)
            await get(web, http, f"{API}/{session.id}/watch", status=503)
            await browser.send('{"type":"hello","token":"secret","nick":"ana"}')
            await eventually(lambda: session.rooms)
            web.chat.hub.close(session, CloseReason.KICKED, "spam")
            seen = await events(answer)
    assert seen[0][0] == "began" and seen[-1][0] == "ended" and seen[-1][1]["reason"] == "kicked"
    texts = {way: "".join(what["text"] for name, what in seen if name == way) for way in ("in", "out")}
    assert '"nick":"ana"' in texts["in"] and "secret" not in texts["in"]
    assert '"type":"welcome"' in texts["out"] and '"token":"•••"' in texts["out"]
    audit = (await get(web, http, "/admin/api/audit"))["entries"]
    assert [entry["action"] for entry in audit if "watch" in entry["action"]] == ["unwatch", "watch", "watch"]


async def test_a_watch_of_a_silent_connection_ends_when_the_watcher_goes(start: Start, http: Http) -> None:
    web = await start(watch=True)
    await log_in(web, http)
    session = join(web.chat, "ana")
    async with http.get(f"{web.url}{API}/{session.id}/watch") as answer:
        await eventually(lambda: session.tap is not None)
        answer.close()
    await eventually(lambda: session.tap is None)


async def test_watching_ends_with_the_login(start: Start, http: Http) -> None:
    web = await start(watch=True)
    csrf = await log_in(web, http)
    session = join(web.chat, "ana")
    async with http.get(f"{web.url}{API}/{session.id}/watch") as answer:
        await eventually(lambda: session.tap is not None)
        async with http.post(f"{web.url}/admin/logout", data={"csrf": csrf}):
            pass
        assert (await events(answer))[-1][1]["reason"] == "logged_out"
    assert session.tap is None and isinstance(session.transport, RecordingTransport)


async def test_what_the_watcher_cannot_take_is_counted(start: Start, http: Http) -> None:
    web = await start(watch=True)
    await log_in(web, http)
    session = join(web.chat, "ana")
    async with http.get(f"{web.url}{API}/{session.id}/watch") as answer:
        await eventually(lambda: session.tap is not None)
        for _ in range(2000):
            session.transport.send(b"x")
        web.chat.hub.close(session, CloseReason.KICKED)
        seen = await events(answer)
    dropped = sum(what["count"] for name, what in seen if name == "dropped")
    assert dropped and dropped + sum(name == "out" for name, _ in seen) >= 2000


async def test_watching_is_off_by_default(web: Running, http: Http) -> None:
    await log_in(web, http)
    session = join(web.chat, "ana")
    error = await get(web, http, f"{API}/{session.id}/watch", status=403)
    assert "admin.watch" in error["error"]["text"]


def test_happenings_are_bounded_and_of_one_session() -> None:
    ring = RecentEvents(Clock(lambda: 0.0, lambda: 7, lambda seconds: None))
    for number in range(HAPPENINGS + 5):
        ring.note(number % 2, "joined", f"r{number}")
    assert len(ring) == HAPPENINGS
    assert [each.detail for each in ring.of(1, 2)] == [f"r{HAPPENINGS + 3}", f"r{HAPPENINGS + 1}"]
    assert ring.of(2, 2) == []


def test_the_trail_is_bounded_and_knows_no_rate_after_a_pause() -> None:
    trail = Samples()
    for second in range(LOOKS + 5):
        look = trail.begin(float(second), second * 1000)
        assert look is not None
        look.counts[1], look.rates[1] = (second, 0, 0, 0), trail.rate(1, (second, 0, 0, 0), 100.0, float(second))
        trail.keep(look, [closed_row(DEPARTURE)])
    assert len(trail.of(1).at) == LOOKS
    assert trail.begin(LOOKS + 4.5, 0) is None
    assert trail.rate(1, (LOOKS + 6, 0, 0, 0), 100.0, LOOKS + 6.0) == Rates(1.0, 0.0, 0.0, 0.0)
    assert trail.rate(1, (LOOKS + 6, 0, 0, 0), 100.0, LOOKS + 6.0 + LOOK_STALE) is None


async def test_a_muted_connection_is_shown_as_such(web: Running, http: Http) -> None:
    csrf = await log_in(web, http)
    session = join(web.chat, "ana")
    order = {"connection": session.id, "reason": "noise"}
    async with http.post(f"{web.url}/admin/api/mutes", json=order, headers={"X-CSRF-Token": csrf}) as answer:
        assert answer.status in (200, 201), await answer.text()
    assert await nicks(web, http, q="state:muted") == ["ana"]


async def test_only_admins_watch(start: Start, http: Http) -> None:
    web = await start(register=PEOPLE, watch=True)
    session = join(web.chat, "ana")
    headers = {"Authorization": f"Bearer {TOKEN}2"}
    async with http.get(f"{web.url}{API}/{session.id}/watch", headers=headers) as answer:
        assert answer.status == 403
    async with http.get(f"{web.url}/admin/api/audit", headers=headers) as answer:
        (entry, *_) = (await answer.json())["entries"]
    assert (entry["who"], entry["action"]) == ("bot", "watch") and entry["result"].startswith("refused")
    assert session.tap is None
