"""What a browser or a script is told of is stored before: a kill right after the reply takes nothing back."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec
import pytest

from gateway.web.admin.sessions import STORED_AGAIN_AFTER
from gateway.web.http.request import came
from tests.accounts.people import PASSWORD, PEOPLE, TOKEN
from tests.fakes import PATIENCE, eventually
from tests.web.running_door import Running, Start, client_frame, close_code

Http = aiohttp.ClientSession
ADMIN = {"Authorization": f"Bearer {TOKEN}2"}


@pytest.fixture
async def web(start: Start) -> Running:
    return await start(register=PEOPLE)


async def log_in(web: Running, http: Http, password: str = PASSWORD) -> aiohttp.ClientResponse:
    return await http.post(f"{web.url}/admin/login", json={"name": "admin", "password": password})


async def stored_logins(web: Running) -> str:
    """Who is logged in, as the ledger has it."""
    logins = await came(web.chat.journal.ledger.logins())
    assert isinstance(logins, str)
    return logins


async def fail_to_log_in(web: Running, http: Http) -> aiohttp.ClientResponse:
    return await log_in(web, http, "wrong")


async def log_out(web: Running, http: Http) -> aiohttp.ClientResponse:
    csrf = (await (await log_in(web, http)).json())["csrf"]
    web.chat.journal.frozen = True
    return await http.post(f"{web.url}/admin/logout", headers={"X-CSRF-Token": csrf}, allow_redirects=False)


async def end_a_session(web: Running, http: Http) -> aiohttp.ClientResponse:
    csrf = (await (await log_in(web, http)).json())["csrf"]
    async with http.get(f"{web.url}/admin/api/sessions") as answer:
        (session,) = (await answer.json())["sessions"]
    web.chat.journal.frozen = True
    return await http.delete(f"{web.url}/admin/api/sessions/{session['id']}", headers={"X-CSRF-Token": csrf})


async def ban_as_a_stranger(web: Running, http: Http) -> aiohttp.ClientResponse:
    return await http.post(f"{web.url}/admin/api/bans", json={"nick": "bob", "seconds": 60})


async def ban_with_a_mistake(web: Running, http: Http) -> aiohttp.ClientResponse:
    return await http.post(f"{web.url}/admin/api/bans", json={"nick": 7}, headers=ADMIN)


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        (log_in, 200),
        (fail_to_log_in, 403),
        (log_out, 303),
        (end_a_session, 200),
        (ban_as_a_stranger, 401),
        (ban_with_a_mistake, 400),
    ],
)
async def test_the_reply_comes_once_it_is_stored(
    web: Running, http: Http, ask: Callable[[Running, Http], Awaitable[aiohttp.ClientResponse]], status: int
) -> None:
    journal = web.chat.journal
    journal.frozen = ask not in (log_out, end_a_session)
    asked = asyncio.ensure_future(ask(web, http))
    await eventually(lambda: journal.waiting)
    for _ in range(3):  # a reply that did not wait would have come with these turns of the loop
        async with http.get(f"{web.url}/healthz") as answer:
            assert answer.status == 200
    assert not asked.done()

    journal.let()
    assert (await asked).status == status


async def test_a_post_waits_for_no_record_of_what_others_attempt(web: Running, http: Http) -> None:
    journal = web.chat.journal
    journal.frozen = True
    banning = asyncio.ensure_future(ban_as_a_stranger(web, http))
    await eventually(lambda: journal.waiting)
    journal.frozen = False
    async with asyncio.timeout(PATIENCE), http.post(f"{web.url}/r/lobby", data="hello") as answer:
        assert answer.status == 201
    assert not banning.done()

    journal.let()
    assert (await banning).status == 401


@pytest.mark.parametrize("ends", ["POST /admin/logout", "DELETE /admin/api/sessions/{id}"])
async def test_a_logout_that_is_not_stored_says_so_and_is_stored_later(web: Running, http: Http, ends: str) -> None:
    headers = {"X-CSRF-Token": (await (await log_in(web, http)).json())["csrf"]}
    async with http.get(f"{web.url}/admin/api/sessions") as answer:
        method, path = ends.format(id=(await answer.json())["sessions"][0]["id"]).split()
    web.chat.journal.fail = True
    async with http.request(method, f"{web.url}{path}", headers=headers) as answer:
        error = (await answer.json())["error"]
    assert (answer.status, error["code"]) == (503, "storage")
    assert "a restart before it is would undo it" in error["text"]

    web.chat.journal.fail = False
    for skipped, stored in ((0.0, 1), (STORED_AGAIN_AFTER, 0)):
        web.clock.skipped += skipped
        async with http.get(f"{web.url}/admin/login") as answer:
            assert answer.status == 200, "the session is over here"
        assert len(msgspec.json.decode(await stored_logins(web))) == stored


async def test_a_browser_that_logs_out_loses_its_cookie_though_that_is_not_stored(web: Running, http: Http) -> None:
    csrf = (await (await log_in(web, http)).json())["csrf"]
    web.chat.journal.fail = True
    headers = {"Accept": "text/html"}
    url = f"{web.url}/admin/logout"
    async with http.post(url, data={"csrf": csrf}, headers=headers, allow_redirects=False) as answer:
        assert (answer.status, "unstored" in await answer.text()) == (503, True)
        assert answer.cookies["gateway_session"].value == ""


async def test_a_close_frame_is_answered_once_what_was_said_is_stored(web: Running) -> None:
    journal = web.chat.journal
    reader, writer = await web.upgraded()
    writer.write(client_frame(1, b'{"type":"hello"}'))
    await eventually(lambda: web.chat.sessions and web.chat.session.rooms)
    journal.frozen = True
    writer.write(client_frame(1, b'{"type":"say","room":"lobby","text":"the last words"}'))
    writer.write(client_frame(8, b"\x03\xe8"))
    closing = asyncio.ensure_future(close_code(reader))
    await eventually(lambda: journal.waiting)
    await web.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert not closing.done() and web.chat.sessions

    journal.let()
    assert await closing == 1000
    assert [each.text for each in web.chat.hub.rooms["lobby"].log.after(0)] == ["the last words"]


async def test_who_closes_is_told_that_the_last_words_were_not_stored(web: Running) -> None:
    reader, writer = await web.upgraded()
    writer.write(client_frame(1, b'{"type":"hello"}'))
    await eventually(lambda: web.chat.sessions and web.chat.session.rooms)
    web.chat.journal.fail = True
    writer.write(client_frame(1, b'{"type":"say","room":"lobby","text":"the last words"}'))
    writer.write(client_frame(8, b"\x03\xe8"))

    assert b'"code":"storage"' in await reader.read()
