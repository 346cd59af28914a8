"""What operators do over HTTP: bans, mutes, words to people, and the audit log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect

from gateway.core.ports.ledger import AuditQuery
from tests.fakes import eventually
from tests.web.running_door import Running

Http = aiohttp.ClientSession
Json = dict[str, Any]

WRITES = [
    ("POST", "/admin/api/bans"), ("POST", "/admin/api/mutes"), ("POST", "/admin/api/announce"),
    ("POST", "/admin/api/connections/100/message"), ("DELETE", "/admin/api/bans/1"),
    ("DELETE", "/admin/api/mutes/1"), ("DELETE", "/admin/api/connections/100"), ("POST", "/admin/kick"),
]  # fmt: skip


class Desk:
    """Somebody who is logged in."""

    def __init__(self, web: Running, http: Http, csrf: str) -> None:
        self.web = web
        self.http = http
        self.csrf = csrf

    async def ask(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        """One request: its status and JSON."""
        headers = {"X-CSRF-Token": self.csrf}
        url = f"{self.web.url}/admin/api/{path}"
        async with self.http.request(method, url, headers=headers, json=body or None) as answer:
            return answer.status, await answer.json()

    async def audit(self) -> list[Json]:
        """What is recorded since the login."""
        status, page = await self.ask("GET", "audit?limit=500")
        assert status == 200 and page["cursor"] is None
        *entries, login = page["entries"]
        assert login["action"] == "login"
        found: list[Json] = entries
        return found


@pytest.fixture
async def desk(web: Running, http: Http) -> Desk:
    async with http.post(f"{web.url}/admin/login", data={"token": web.door.links.mint()}) as answer:
        return Desk(web, http, (await answer.text()).partition('content="')[2].partition('"')[0])


@asynccontextmanager
async def somebody(web: Running, nick: str) -> AsyncIterator[ClientConnection]:
    """A browser that is welcome."""
    async with connect(web.ws) as browser:
        await browser.send(f'{{"type":"hello","nick":"{nick}"}}')
        await eventually(lambda: any(each.nick == nick and each.rooms for each in web.chat.sessions.values()))
        yield browser


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_a_stranger_does_nothing_and_is_recorded(web: Running, http: Http, method: str, path: str) -> None:
    async with http.request(method, web.url + path, json=None) as answer:
        assert answer.status in (400, 401)
    async with http.request(method, web.url + path, data={"id": "100"} if "kick" in path else b"{}") as answer:
        assert answer.status == 401
    pages: list[Any] = []
    web.chat.hub.journal.ledger.audit(AuditQuery()).then(pages.append)
    entries = pages[0].entries
    assert entries and all((entry.who, entry.result) == ("-", "refused: not logged in") for entry in entries)


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_an_order_without_the_csrf_token_is_refused_and_recorded(desk: Desk, method: str, path: str) -> None:
    form = {"id": "100"} if "kick" in path else None
    async with desk.http.request(method, desk.web.url + path, data=form) as answer:
        assert answer.status == 403
    (entry,) = await desk.audit()
    assert entry["who"] == "link" and "CSRF" in entry["result"]


@pytest.mark.parametrize("path", ["bans", "mutes", "audit"])
async def test_lists_need_a_login(web: Running, http: Http, path: str) -> None:
    async with http.get(f"{web.url}/admin/api/{path}") as answer:
        assert answer.status == 401


@pytest.mark.parametrize("path", ["announce", "connections/100/message", "bans/1", "mutes/1"])
async def test_orders_are_not_given_by_get(desk: Desk, path: str) -> None:
    for method in ("GET", "HEAD"):
        async with desk.http.request(method, f"{desk.web.url}/admin/api/{path}") as answer:
            assert answer.status == 405


async def test_a_ban_closes_with_4501_and_refuses_what_comes_back(desk: Desk) -> None:
    async with somebody(desk.web, "bob") as bob:
        status, made = await desk.ask("POST", "bans", nick="bob", reason="spam", seconds=600)
        await bob.wait_closed()
    assert status == 201 and made["connections"] == 1
    assert bob.close_code == 4501 and bob.close_reason and bob.close_reason.startswith("banned: until ")
    ban = made["ban"]
    assert (ban["kind"], ban["target"], ban["reason"], ban["author"]) == ("nick", "bob", "spam", "link")
    assert ban["until"] == ban["created_at"] + 600_000
    async with desk.http.post(f"{desk.web.url}/r/lobby?nick=Bob", data="hi") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (403, "banned")
    assert await desk.ask("GET", "bans") == (200, {"bans": [ban], "total": 1, "cursor": None})
    assert await desk.ask("DELETE", f"bans/{ban['id']}") == (200, {"id": ban["id"], "lifted": True})
    assert (await desk.ask("DELETE", f"bans/{ban['id']}"))[0] == 404
    async with desk.http.post(f"{desk.web.url}/r/lobby?nick=Bob", data="hi") as answer:
        assert (await answer.json())["error"]["code"] == "nick_taken"  # it is kept for the banned person
    assert [(entry["action"], entry["target"], entry["result"]) for entry in await desk.audit()] == [
        ("unban", ban["id"], "gone"), ("unban", "bob", "done"), ("ban", "bob", "done")
    ]  # fmt: skip


async def test_a_banned_address_gets_4501_and_403_but_the_dashboard_stays(desk: Desk) -> None:
    async with somebody(desk.web, "bob") as bob:
        assert (await desk.ask("POST", "bans", address="127.0.0.1"))[0] == 400
        status, made = await desk.ask("POST", "bans", address="127.0.0.1", sure=True)
        assert (status, made["ban"]["until"]) == (201, None)
        await bob.wait_closed()
    async with connect(desk.web.ws) as again:
        await again.wait_closed()
    assert (bob.close_code, again.close_code, again.close_reason) == (4501, 4501, "banned: for ever")
    for path in ("/rooms", "/r/lobby/messages", "/r/lobby/raw", "/r/lobby/events"):
        async with desk.http.get(desk.web.url + path) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (403, "banned")
    async with desk.http.post(f"{desk.web.url}/r/lobby", data="hi") as answer:
        assert answer.status == 403
    assert (await desk.ask("DELETE", f"bans/{made['ban']['id']}"))[0] == 200
    async with desk.http.get(f"{desk.web.url}/rooms") as answer:
        assert answer.status == 200


async def test_a_reader_of_an_endless_answer_is_cut_by_a_ban(desk: Desk) -> None:
    async with desk.http.get(f"{desk.web.url}/r/lobby/raw") as stream:
        await desk.ask("POST", "bans", address="127.0.0.1", sure=True)
        assert "banned" in (await stream.read()).decode() or stream.content.at_eof()


async def test_a_muted_person_is_told_so(desk: Desk) -> None:
    async with somebody(desk.web, "bob") as bob:
        connection = desk.web.chat.session.id
        status, made = await desk.ask("POST", "mutes", connection=connection, seconds=60, reason="caps")
        assert (status, made["mute"]["target"]) == (201, "bob")
        await bob.send('{"type":"say","room":"lobby","text":"HI","id":"c1"}')
        async for frame in bob:
            if '"muted"' in str(frame):
                break
        assert await desk.ask("DELETE", f"mutes/{made['mute']['id']}") == (
            200, {"id": made["mute"]["id"], "lifted": True}
        )  # fmt: skip
        assert (await desk.ask("GET", "mutes"))[1] == {"mutes": [], "total": 0, "cursor": None}


async def test_an_operators_words_reach_one_or_all(desk: Desk) -> None:
    async with somebody(desk.web, "bob") as bob:
        connection = desk.web.chat.session.id
        assert await desk.ask("POST", f"connections/{connection}/message", text="hello you") == (
            200, {"id": connection, "told": True}
        )  # fmt: skip
        assert await desk.ask("POST", "announce", text="hello all", room="lobby", door="web") == (
            200, {"connections": 1}
        )  # fmt: skip
        heard = ""
        async for frame in bob:
            heard += str(frame)
            if "[announcement] hello all" in heard:
                break
        assert "[operator] hello you" in heard
    assert (await desk.ask("POST", "connections/fff/message", text="x"))[0] == 404


async def test_a_kick_may_ban(desk: Desk) -> None:
    async with somebody(desk.web, "bob") as bob:
        connection = desk.web.chat.session.id
        status, kicked = await desk.ask("DELETE", f"connections/{connection}", reason="x", ban_seconds=600)
        await bob.wait_closed()
    assert (status, kicked["id"], kicked["kicked"], kicked["ban"]["target"]) == (200, connection, True, "bob")
    assert bob.close_code == 4501
    assert [entry["action"] for entry in await desk.audit()] == ["ban", "kick"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("bans", {}, 400), ("bans", {"nick": "bob", "address": "10.0.0.4"}, 400), ("bans", {"nick": "a b"}, 400),
        ("bans", {"address": "1.2.3.4/33"}, 400), ("bans", {"address": "0.0.0.0/0"}, 400),
        ("bans", {"address": "::/0"}, 400), ("bans", {"nick": "bob", "seconds": 0}, 400),
        ("bans", {"nick": "bob", "seconds": "10"}, 400), ("bans", {"nick": "bob", "more": 1}, 400),
        ("bans", {"connection": "fff"}, 404), ("bans", {"nick": "bob", "reason": "x" * 301}, 413),
        ("announce", {"text": ""}, 400), ("announce", {"text": "\x07"}, 400), ("announce", {"text": "x" * 8001}, 413),
        ("announce", {"text": "x" * 20_000}, 413), ("announce", {"text": "x", "door": "window"}, 400),
        ("announce", {"text": "x", "room": "a b"}, 400), ("announce", {"text": 1}, 400),
        ("mutes", {"nick": "\x07"}, 400),
    ],
)  # fmt: skip
async def test_a_wrong_order_is_refused_and_recorded(desk: Desk, path: str, body: Json, status: int) -> None:
    answered, error = await desk.ask("POST", path, **(body or {"reason": ""}))
    assert answered == status and error["error"]["text"]
    (entry,) = await desk.audit()
    assert entry["who"] == "link" and not entry["result"].startswith("done")
    assert (await desk.ask("GET", "bans"))[1]["total"] == 0


async def test_lists_are_paged_and_searched(desk: Desk) -> None:
    for number in range(5):
        await desk.ask("POST", "bans", address=f"10.0.{number}.0/24", reason="even" if number % 2 == 0 else "odd")
    seen: list[str] = []
    cursor = ""
    while True:
        status, page = await desk.ask("GET", f"bans?limit=2{cursor}")
        assert (status, page["total"]) == (200, 5)
        seen += [each["target"] for each in page["bans"]]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert sorted(seen) == [f"10.0.{number}.0/24" for number in range(5)]
    assert (await desk.ask("GET", "bans?q=10.0+ODD"))[1]["total"] == 2
    first = (await desk.ask("GET", "audit?limit=3"))[1]
    second = (await desk.ask("GET", f"audit?limit=3&cursor={first['cursor']}"))[1]
    assert [each["number"] for each in first["entries"] + second["entries"]] == [6, 5, 4, 3, 2, 1]
    assert second["cursor"] is None
    assert len((await desk.ask("GET", "audit?q=action:ban+odd"))[1]["entries"]) == 2
    assert len((await desk.ask("GET", "audit?q=who:nobody"))[1]["entries"]) == 0
    assert set(first["entries"][0]) == {"number", "at", "who", "source", "action", "target", "reason", "result"}


@pytest.mark.parametrize(
    "query",
    ["bans?limit=501", "bans?limit=0", "bans?cursor=x", "audit?limit=501", "audit?cursor=x",
     "audit?q=a+b+c+d+e+f+g+h+i"],
)  # fmt: skip
async def test_what_a_list_cannot_do_is_refused(desk: Desk, query: str) -> None:
    status, error = await desk.ask("GET", query)
    assert (status, error["error"]["code"]) == (400, "bad_message")


async def test_a_form_that_means_nothing_is_recorded(desk: Desk) -> None:
    forms = [
        ("bans", {"by": "zodiac", "target": "bob"}), ("mutes", {"target": "bob", "seconds": "soon"}),
        ("announce", {"door": "oven"}), ("kick", b"{}"),
    ]  # fmt: skip
    for path, form in forms:
        sent = {**form, "csrf": desk.csrf} if isinstance(form, dict) else form
        headers = {"X-CSRF-Token": desk.csrf}
        async with desk.http.post(f"{desk.web.url}/admin/{path}", data=sent, headers=headers) as answer:
            assert answer.status == 400
    found = [(entry["action"], entry["target"], entry["result"][:8]) for entry in reversed(await desk.audit())]
    assert found == [
        ("ban", "bob", "refused:"), ("mute", "bob", "refused:"), ("announce", "", "refused:"), ("kick", "", "refused:")
    ]  # fmt: skip


async def test_a_kick_bans_by_what_is_said(desk: Desk) -> None:
    async with somebody(desk.web, "bob"):
        connection = desk.web.chat.session.id
        refused = await desk.ask("DELETE", f"connections/{connection}", reason="x", ban_seconds=600, ban_by="both")
        assert (refused[0], "this machine" in refused[1]["error"]["text"]) == (400, True)
        status, kicked = await desk.ask("DELETE", f"connections/{connection}", ban_seconds=600, ban_by="name")
    assert (status, kicked["ban"]["target"]) == (200, "bob")
    assert (await desk.ask("DELETE", f"connections/{connection}", ban_by="shoe size"))[0] == 400


async def test_a_ban_of_a_connection_goes_by_both(desk: Desk) -> None:
    async with somebody(desk.web, "bob"):
        connection = desk.web.chat.session.id
        status, _ = await desk.ask("POST", "bans", connection=connection, by="both", sure=True, seconds=60)
    assert status == 201
    bans = (await desk.ask("GET", "bans"))[1]["bans"]
    assert sorted(each["target"] for each in bans) == ["127.0.0.1", "bob"]
