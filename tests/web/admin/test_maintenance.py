"""What operators do to many at once and to the gateway itself, over HTTP."""

import asyncio
import json
import socket
import struct
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gateway.core.address import Remote
from gateway.core.operators.whom import Subject
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator, Role
from gateway.errors import Refusal
from gateway.web.settings import WebOptions
from tests.fakes import PATIENCE, eventually
from tests.web.admin.test_moderation import Desk, Http, desk, somebody
from tests.web.running_door import Running, Start

__all__ = ["desk"]

WRITES = [
    ("POST", "campaigns"), ("DELETE", "campaigns/1"), ("POST", "drain"), ("DELETE", "drain"), ("POST", "maintenance"),
    ("POST", "log-level"),
]  # fmt: skip
READS = ["campaigns", "campaigns/1", "drain", "maintenance", "log-level", "events"]


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_a_stranger_orders_nothing(desk: Desk, method: str, path: str) -> None:
    url = f"{desk.web.url}/admin/api/{path}"
    async with aiohttp.ClientSession() as http, http.request(method, url, json={}) as answer:
        assert answer.status == 401
    async with desk.http.request(method, url, json={}) as answer:
        assert answer.status == 403  # without the CSRF token
    assert len(await desk.audit()) == 2


@pytest.mark.parametrize("path", READS)
async def test_a_stranger_sees_nothing(web: Running, http: Http, path: str) -> None:
    async with http.get(f"{web.url}/admin/api/{path}") as answer:
        assert answer.status == 401


async def test_a_campaign_kicks_whom_the_filter_matches(desk: Desk) -> None:
    async with somebody(desk.web, "al") as al, somebody(desk.web, "alan") as alan, somebody(desk.web, "bob"):
        order = {"action": "kick", "q": "nick:al*", "reason": "spam", "per_second": 100}
        status, error = await desk.ask("POST", "campaigns", **order, expected=1)
        assert (status, error["error"]["code"], error["error"]["matches"]) == (409, "bad_message", 2)
        status, campaign = await desk.ask("POST", "campaigns", **order, expected=2)
        assert status == 202
        for browser in (al, alan):
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await asyncio.wait_for(browser.recv(), PATIENCE)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4500
        status, told = await desk.ask("GET", f"campaigns/{campaign['id']}")
        del told["began_at"], told["ended_at"], told["id"]
        assert told == {
            "action": "kick", "q": "nick:al*", "reason": "spam", "seconds": None, "text": "", "operator": "link",
            "per_second": 100, "state": "finished", "total": 2, "done": 2, "gone": 0, "refused": 0, "spared": 0,
            "left": 0, "problem": None,
        }  # fmt: skip
        assert [each.nick for each in desk.web.chat.sessions.values()] == ["bob"]
        assert [entry["action"] for entry in await desk.audit()] == [
            "campaign kick finished", "kick", "kick", "campaign kick", "campaign kick",
        ]  # fmt: skip


async def test_a_running_campaign_is_stopped(desk: Desk) -> None:
    people = [desk.web.chat.join_nobody() for _ in range(5)]
    _, campaign = await desk.ask("POST", "campaigns", action="kick", q="", expected=5, per_second=1)
    status, stopped = await desk.ask("DELETE", f"campaigns/{campaign['id']}")
    assert (status, stopped["state"], stopped["done"], stopped["left"]) == (200, "stopped", 1, 4)
    assert (await desk.ask("GET", "campaigns"))[1] == {"campaigns": [stopped]}
    assert sum(each.closed for each in people) == 1


async def test_an_operator_is_left_out_unless_named(desk: Desk) -> None:
    otto = desk.web.chat.join_nobody()
    otto.operator = Operator("otto", Role.OPERATOR, "tcp 10.0.0.1")
    order = {"action": "message", "text": "hello", "expected": 1}
    _, campaign = await desk.ask("POST", "campaigns", q="door:tcp", **order)
    assert (campaign["total"], campaign["spared"], campaign["state"]) == (0, 1, "finished")
    _, campaign = await desk.ask("POST", "campaigns", q=f"id:{otto.id}", **order)
    assert (campaign["total"], campaign["done"]) == (1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"q": "colour:red"}, {"q": "lag>"}, {"action": "shout"}, {"expected": None}, {"per_second": 0},
        {"per_second": 5000}, {"seconds": "long"}, {"more": 1}, {"action": "message", "text": " "},
    ],
)  # fmt: skip
async def test_an_order_that_means_nothing_is_refused_and_recorded(desk: Desk, wrong: dict[str, Any]) -> None:
    status, answer = await desk.ask("POST", "campaigns", **({"action": "kick", "q": "", "expected": 0} | wrong))
    assert status == 400 and answer["error"]["text"]
    (entry,) = await desk.audit()
    assert entry["action"].startswith("campaign") and entry["result"].startswith("refused: ")


async def test_a_campaign_that_is_not_there_is_not_found(desk: Desk) -> None:
    assert (await desk.ask("GET", "campaigns/1"))[0] == 404
    assert (await desk.ask("DELETE", "campaigns/1"))[0] == 404


# Drain and maintenance


async def refused(web: Running) -> tuple[dict[str, Any], int]:
    """What a page's script is told that connects now: the bye and the close code."""
    async with connect(web.ws) as browser:
        bye = json.loads(await asyncio.wait_for(browser.recv(), PATIENCE))
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(browser.recv(), PATIENCE)
        assert closed.value.rcvd is not None
        return bye, closed.value.rcvd.code


async def test_the_web_door_drains_and_opens_again(desk: Desk) -> None:
    async with somebody(desk.web, "ana") as ana, desk.http.get(f"{desk.web.url}/r/lobby/events") as stream:
        status, drained = await desk.ask("POST", "drain", door="web", per_second=50)
        assert status == 202 and drained["per_second"] == 50
        found = drained["doors"][-1]
        assert (found["door"], found["state"], found["total"], found["sent"] + found["left"]) == (
            "web",
            "draining",
            2,
            2,
        )
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await asyncio.wait_for(ana.recv(), PATIENCE)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4001
        assert b'"code":4001' in await stream.content.read()
    bye, code = await refused(desk.web)
    assert (bye["type"], bye["code"], code) == ("bye", 4001, 4001) and bye["retry_ms"] > 0
    for path in ("/", "/r/lobby", "/rooms", "/r/lobby/messages"):
        async with desk.http.get(desk.web.url + path) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5"), path
    # An EventSource gives up for good at any other status than 200.
    async with desk.http.get(f"{desk.web.url}/r/lobby/events") as answer:
        assert (answer.status, b"event: bye" in await answer.read()) == (200, True)
    async with desk.http.get(f"{desk.web.url}/admin") as answer:
        assert answer.status == 200
    await eventually(lambda: desk.web.chat.operators.drain.progress()[-1].state == "closed")
    assert (await desk.ask("GET", "drain"))[1]["state"] == "closed"
    status, opened = await desk.ask("DELETE", "drain")
    assert (status, opened["state"], opened["per_second"]) == (200, "ready", None)
    async with somebody(desk.web, "bob"):
        pass
    assert (await desk.ask("DELETE", "drain"))[0] == 400


async def test_maintenance_refuses_newcomers_with_its_words(desk: Desk) -> None:
    async with somebody(desk.web, "ana") as ana:
        status, told = await desk.ask("POST", "maintenance", on=True, text="back at nine")
        assert (status, told["on"], told["text"]) == (200, True, "back at nine") and told["since"]
        bye, code = await refused(desk.web)
        assert (bye["reason"], bye["retry_ms"], code) == ("busy: back at nine", 30_000, 4013)
        async with desk.http.get(f"{desk.web.url}/", headers={"Accept": "text/html"}) as page:
            assert page.status == 503 and "back at nine" in await page.text()
        async with desk.http.post(f"{desk.web.url}/r/lobby", data="hi") as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (503, "busy")
        await ana.send('{"type":"ping"}')
        while json.loads(await asyncio.wait_for(ana.recv(), PATIENCE))["type"] != "pong":
            pass
        assert (await desk.ask("POST", "maintenance", on=False))[1] == {"on": False, "text": None, "since": None}
        async with somebody(desk.web, "bob"):
            pass


async def test_the_gateway_is_not_ready_meanwhile(start: Start, http: Http) -> None:
    trouble: list[Refusal | None] = [None]
    web = await start(ready=lambda: trouble[0])
    chat = web.chat
    operator = Operator("ana", Role.ADMIN, "web 127.0.0.1")
    chat.operators.maintenance.switch(operator, True, "back at nine")
    trouble[0] = chat.hub.gate.refusal()
    async with http.get(f"{web.url}/readyz") as answer:
        assert answer.status == 503 and "back at nine" in await answer.text()


# The log level and the feed


async def test_the_log_level_is_turned_up_for_a_while(desk: Desk) -> None:
    assert (await desk.ask("GET", "log-level"))[1] == {"level": "info", "usual": "info", "until": None}
    status, told = await desk.ask("POST", "log-level", level="debug", seconds=60)
    assert (status, told["level"], told["usual"]) == (200, "debug", "info") and told["until"]
    assert (await desk.ask("POST", "log-level", level="loud"))[0] == 400
    assert (await desk.ask("POST", "log-level", level="info"))[1]["until"] is None


async def test_the_feed_goes_on_where_it_was_left(desk: Desk) -> None:
    _, before = await desk.ask("GET", "events")
    async with somebody(desk.web, "ana"):
        _, news = await desk.ask("GET", f"events?after={before['cursor']}")
        seen = [(each["event"], each["nick"]) for each in news["events"]]
        assert ("came", "ana") in seen and ("joined", "ana") in seen
        _, nothing = await desk.ask("GET", f"events?after={news['cursor']}")
        assert nothing == {"events": [], "cursor": news["cursor"], "last": news["last"], "missed": 0}
        desk.web.chat.hub.stats.refused(Door.WEB, "10.0.0.1", CloseReason.FULL, "")
    _, news = await desk.ask("GET", f"events?after={news['cursor']}&limit=1")
    (event,) = news["events"]
    assert (event["event"], event["id"], event["detail"]) == ("refused", None, "10.0.0.1 (web): full")
    assert news["last"] > news["cursor"]
    assert (await desk.ask("GET", "events?limit=501"))[0] == 400


# Rejected connections, and how streams end


async def test_a_banned_address_is_refused_when_it_connects(web: Running, start: Start, options: WebOptions) -> None:
    admin = Operator("ana", Role.ADMIN, "web 127.0.0.1")
    bans: list[object] = []
    web.chat.operators.moderation.ban(admin, Subject(address="10.9.9.9"), "spam", None).then(bans.append)
    denied = web.door.admit(Remote("10.9.9.9"))
    assert denied is not None and denied[0] is CloseReason.BANNED
    assert web.door.denial(b"GET / HTTP/1.1\r\n\r\n", True, *denied).startswith(b"HTTP/1.1 403 Forbidden\r\n")  # type: ignore[union-attr]
    assert web.door.admit(Remote("10.9.9.8")) is None
    web.chat.operators.moderation.ban(admin, Subject(address="127.0.0.0/8"), "mine", None, sure=True).then(bans.append)
    assert web.door.admit(Remote("127.0.0.1")) is None
    behind = await start(trusted_proxies=("10.9.9.9",))
    behind.chat.operators.moderation.ban(admin, Subject(address="10.9.9.9"), "spam", None).then(bans.append)
    assert behind.door.admit(Remote("10.9.9.9")) is None


@pytest.mark.parametrize(("reset", "closing"), [(True, CloseReason.LOST), (False, CloseReason.LEFT)])
async def test_a_reader_that_is_reset_is_lost_and_one_that_leaves_has_left(
    web: Running, reset: bool, closing: CloseReason
) -> None:
    reader, writer = await web.talk()
    writer.write(b"GET /r/lobby/raw HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    if reset:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort() if reset else writer.close()
    await eventually(lambda: web.chat.hub.stats.closed.last)
    assert web.chat.hub.stats.closed.last[-1].closing is closing


@pytest.mark.parametrize(("method", "path"), [("POST", "backup"), ("DELETE", "backup"), ("POST", "new-epoch")])
async def test_the_store_is_for_the_holder_of_the_key(start: Start, http: Http, method: str, path: str) -> None:
    """An admin from elsewhere may not name a file on the gateway's machine."""
    web = await start(link_key="k" * 32)
    url = f"{web.url}/admin/{path}"
    for headers in ({}, {"Authorization": "Bearer x"}):
        async with http.request(method, url, headers=headers, json={}) as answer:
            assert answer.status == 401
    proxied = {"Authorization": "Bearer " + "k" * 32, "X-Forwarded-For": "10.0.0.1"}
    async with http.request(method, url, headers=proxied, json={}) as answer:
        assert answer.status == 404
    async with http.request(method, url, headers={"Authorization": "Bearer " + "k" * 32}, json={}) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "bad_message")


async def test_a_backup_is_begun_and_asked_after_with_the_key(start: Start, http: Http) -> None:
    web = await start(link_key="k" * 32)
    url, key = f"{web.url}/admin/backup", {"Authorization": "Bearer " + "k" * 32}
    async with http.get(url, headers=key) as answer:
        assert answer.status == 404
    async with http.post(url, headers=key, json={"file": "/nowhere/copy"}) as answer:
        assert answer.status == 202
    async with http.get(url, headers=key) as answer:
        report = await answer.json()
    assert (report["file"], report["state"]) == ("/nowhere/copy", "failed") and "--memory" in report["text"]
