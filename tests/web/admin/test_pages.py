"""The dashboard: never open, one-time links, sessions, and what an operator can do."""

import asyncio

import aiohttp
import pytest
from websockets.asyncio.client import connect
from yarl import URL

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.web.tables.snapshots import FRESH, LARGE, SLICE, STALE, ConnectionTable
from tests.fakes import eventually
from tests.web.running_door import Running, Start

Http = aiohttp.ClientSession


async def log_in(web: Running, http: Http) -> str:
    """Press the button of a fresh link; returns the CSRF token of the page."""
    async with http.post(f"{web.url}/admin/login", data={"token": web.door.links.mint()}) as answer:
        assert answer.url.path == "/admin"
        return (await answer.text()).partition('content="')[2].partition('"')[0]


@pytest.mark.parametrize("path", ["/admin/api/summary", "/admin/api/connections"])
async def test_a_stranger_gets_401(web: Running, http: Http, path: str) -> None:
    async with http.get(web.url + path) as answer:
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == "token_invalid"
    async with http.get(web.url + path, headers={"Cookie": "gateway_session=guessed"}) as answer:
        assert answer.status == 401


async def test_a_stranger_is_sent_to_the_login(web: Running, http: Http) -> None:
    async with http.get(f"{web.url}/admin", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/admin/login")


async def test_opening_a_link_uses_nothing_up_and_pressing_does(web: Running, http: Http) -> None:
    token = web.door.links.mint()
    for _ in range(3):
        async with http.get(f"{web.url}/admin/login", params={"token": token}) as answer:
            assert (answer.status, token in await answer.text()) == (200, True)
    async with http.post(f"{web.url}/admin/login", data={"token": token}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/admin")
        cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("gateway_session=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    async with http.post(f"{web.url}/admin/login", data={"token": token}) as answer:
        assert answer.status == 403
    async with http.get(f"{web.url}/admin/login", params={"token": token}) as answer:
        assert (answer.status, await answer.text()) == (403, "used")


async def test_a_link_lives_15_minutes(web: Running, http: Http) -> None:
    token = web.door.links.mint()
    web.clock.skipped = 15 * 60 + 1
    async with http.post(f"{web.url}/admin/login", data={"token": token}) as answer:
        assert (answer.status, await answer.text()) == (403, "expired")
    async with http.post(f"{web.url}/admin/login", data={"token": "guessed"}) as answer:
        assert (answer.status, await answer.text()) == (403, "unknown")


@pytest.mark.parametrize(("step", "steps", "status"), [(1700, 10, 200), (1801, 1, 401), (1700, 26, 401)])
async def test_a_session_ends_idle_and_in_any_case(
    web: Running, http: Http, step: int, steps: int, status: int
) -> None:
    await log_in(web, http)
    for _ in range(steps):
        web.clock.skipped += step
        async with http.get(f"{web.url}/admin/api/summary") as answer:
            last = answer.status
    assert last == status


async def test_what_a_page_asks_by_itself_keeps_no_session_alive(web: Running, http: Http) -> None:
    await log_in(web, http)
    for status in (200, 401):
        web.clock.skipped += 1000
        async with http.get(f"{web.url}/admin/api/summary", headers={"X-Poll": "1"}) as answer:
            assert answer.status == status


async def test_logging_in_again_ends_the_old_session(web: Running, http: Http) -> None:
    await log_in(web, http)
    old = http.cookie_jar.filter_cookies(URL(web.url))["gateway_session"].value
    await log_in(web, http)
    http.cookie_jar.clear()
    async with http.get(f"{web.url}/admin/api/summary", headers={"Cookie": f"gateway_session={old}"}) as answer:
        assert answer.status == 401


async def test_logging_out_ends_the_session(web: Running, http: Http) -> None:
    csrf = await log_in(web, http)
    async with http.post(f"{web.url}/admin/logout", data={"csrf": csrf}) as answer:
        assert answer.url.path == "/admin/login"
    async with http.get(f"{web.url}/admin/api/summary") as answer:
        assert answer.status == 401


async def test_a_kick_needs_the_csrf_token_and_our_own_page(web: Running, http: Http) -> None:
    csrf = await log_in(web, http)
    url = f"{web.url}/admin/api/connections/1"
    for headers in (
        {},
        {"X-CSRF-Token": "guessed"},
        {"X-CSRF-Token": csrf, "Origin": "https://evil.example"},
        {"X-CSRF-Token": csrf, "Sec-Fetch-Site": "cross-site"},
    ):
        async with http.delete(url, headers=headers) as answer:
            assert answer.status == 403
    async with http.get(f"{web.url}/admin/kick") as answer:
        assert answer.status == 405


async def test_a_form_of_our_own_page_may_come_without_its_origin(web: Running, http: Http) -> None:
    csrf = await log_in(web, http)
    headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    async with http.post(f"{web.url}/admin/logout", data={"csrf": csrf}, headers=headers) as answer:
        assert answer.url.path == "/admin/login"
    async with http.post(f"{web.url}/admin/login", data={"token": "x"}, headers={"Origin": "null"}) as answer:
        assert (await answer.json())["error"]["code"] == "forbidden"


async def test_a_configured_origin_may_chat_but_not_administer(start: Start, http: Http) -> None:
    web = await start(origins=["https://friend.example"])
    csrf = await log_in(web, http)
    headers = {"X-CSRF-Token": csrf, "Origin": "https://friend.example"}
    async with http.delete(f"{web.url}/admin/api/connections/1", headers=headers) as answer:
        assert answer.status == 403
    async with http.post(f"{web.url}/r/ops", data="x", headers=headers) as answer:
        assert answer.status == 201


async def test_a_kick_closes_with_4500(web: Running, http: Http) -> None:
    csrf = await log_in(web, http)
    async with connect(web.ws) as browser:
        await eventually(lambda: web.chat.sessions)
        url = f"{web.url}/admin/api/connections/{web.chat.session.id}"
        async with http.delete(url, headers={"X-CSRF-Token": csrf}, json={"reason": "spam"}) as answer:
            assert answer.status == 200
        await browser.wait_closed()
    assert (browser.close_code, browser.close_reason) == (4500, "kicked: spam")
    async with http.delete(url, headers={"X-CSRF-Token": csrf}) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("body", ['{"reason":1}', "[]", '{"ban_seconds":0}', "{", "\xff"])
async def test_a_kick_with_a_broken_body_kicks_nobody(web: Running, http: Http, body: str) -> None:
    csrf = await log_in(web, http)
    async with connect(web.ws):
        await eventually(lambda: web.chat.sessions)
        async with http.delete(
            f"{web.url}/admin/api/connections/{web.chat.session.id}",
            headers={"X-CSRF-Token": csrf},
            data=body.encode("latin-1"),
        ) as answer:
            assert answer.status == 400
        assert web.chat.sessions


async def test_a_form_kicks_without_script(web: Running, http: Http) -> None:
    csrf = await log_in(web, http)
    async with connect(web.ws) as browser:
        async with http.get(f"{web.url}/admin") as answer:
            assert f"<tr>{web.chat.session.id} web</tr>" in await answer.text()
        form = {"id": web.chat.session.id, "reason": "x", "csrf": csrf}
        for result in ("Kicked.", "Already gone."):
            async with http.post(f"{web.url}/admin/kick", data=form) as answer:
                page = await answer.text()
            assert f"it is {result}" in page and "<tr>" not in page
        await browser.wait_closed()


async def test_the_table_is_paged_by_key_over_one_snapshot(web: Running, http: Http) -> None:
    await log_in(web, http)
    for number in range(7):
        web.chat.join_nobody(Door.WEB, behind=number // 2 * 1000).nick = f"n{number}"
    for sort, nicks in (("-lag_bytes", "6543210"), ("lag_bytes", "0123456"), ("-id", "6543210"), ("nick", "0123456")):
        seen, cursor = "", ""
        while True:
            params = {"sort": sort, "limit": "3", "cursor": cursor}
            async with http.get(f"{web.url}/admin/api/connections", params=params) as answer:
                page = await answer.json()
            seen += "".join(row["nick"][1] for row in page["connections"])
            assert page["total"] == 7
            cursor = page["cursor"]
            if cursor is None:
                break
        assert seen == nicks


async def test_a_big_tables_snapshot_is_shared_for_a_second(web: Running, http: Http) -> None:
    await log_in(web, http)

    async def total() -> int:
        async with http.get(f"{web.url}/admin/api/connections") as answer:
            return int((await answer.json())["total"])

    for _ in range(SLICE):
        web.chat.join_nobody()
    assert await total() == SLICE
    web.chat.join_nobody()
    assert await total() == SLICE
    web.clock.skipped += FRESH
    assert await total() == SLICE + 1


async def test_nobody_waits_for_the_next_snapshot_of_a_large_table(web: Running) -> None:
    table = ConnectionTable(web.chat.hub, web.clock)
    peers = [web.chat.join_nobody() for _ in range(LARGE)]
    first = await table.snapshot()
    web.chat.hub.disconnect(peers[0], CloseReason.LEFT)
    web.clock.skipped += FRESH
    assert await table.snapshot() is first
    for _ in range(500):
        found = await table.snapshot()
        if found is not first:
            break
        await asyncio.sleep(0.01)
    assert len(found.rows) == LARGE - 1
    web.clock.skipped += STALE
    assert await table.snapshot() is not first


@pytest.mark.parametrize(
    "query",
    ["sort=nothing", "sort=--id", "limit=0", "limit=501", "limit=x", "cursor=x", "cursor=!!", "cursor=WyJhIl0",
     "state=gone", "q=door:wob", "q=lag:5", "cursor=WyItbGFnX2J5dGVzIiwieCIsMV0"],
)  # fmt: skip
async def test_what_the_table_cannot_do_is_refused(web: Running, http: Http, query: str) -> None:
    await log_in(web, http)
    web.chat.join_nobody()
    async with http.get(f"{web.url}/admin/api/connections?{query}") as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "bad_message"


async def test_the_holder_of_the_key_gets_a_link(start: Start, http: Http) -> None:
    web = await start(link_key="k" * 32)
    url = f"{web.url}/admin/login-link"
    async with http.post(url, headers={"Authorization": "Bearer " + "k" * 32}) as answer:
        assert answer.status == 201
        link = (await answer.json())["url"]
    assert link.startswith(f"{web.url}/admin/login?token=")
    async with http.get(link) as answer:
        assert answer.status == 200
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic " + "k" * 32}):
        async with http.post(url, headers=headers) as answer:
            assert answer.status == 401


async def test_without_a_key_there_are_no_links_to_ask_for(web: Running, http: Http) -> None:
    async with http.post(f"{web.url}/admin/login-link", headers={"Authorization": "Bearer "}) as answer:
        assert answer.status == 404
