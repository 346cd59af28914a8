"""Logging in by password, roles, bearer tokens, and who else is logged in."""

import asyncio

import aiohttp
import pytest
from yarl import URL

from gateway.accounts.accounts import Accounts
from gateway.errors import Code, Refusal
from gateway.web.settings import STATIC_DIR, ListenerState
from tests.accounts.people import PASSWORD, PEOPLE, TOKEN
from tests.fakes import PATIENCE
from tests.web.running_door import Running, Start
from tests.web.test_templates import TEMPLATES

Http = aiohttp.ClientSession
PAGE = {"Accept": "text/html"}
CI = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
BOT = {"Authorization": f"Bearer {TOKEN}2"}


@pytest.fixture
async def web(start: Start) -> Running:
    """A door that knows admin, ana (operator), vic (viewer), and the tokens ci (viewer) and bot (operator)."""
    return await start(register=PEOPLE)


async def log_in(web: Running, http: Http, name: str, password: str = PASSWORD) -> str:
    """Log in with JSON; returns the CSRF token."""
    async with http.post(f"{web.url}/admin/login", json={"name": name, "password": password}) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["csrf"])


async def audit(web: Running, http: Http) -> list[dict[str, str]]:
    """The audit log, the newest entry first."""
    async with http.get(f"{web.url}/admin/api/audit", headers=CI) as answer:
        assert answer.status == 200
        return list((await answer.json())["entries"])


def cookie(web: Running, http: Http) -> str:
    return http.cookie_jar.filter_cookies(URL(web.url))["gateway_session"].value


async def test_the_form_leads_to_the_dashboard_without_script(web: Running, http: Http) -> None:
    async with http.get(f"{web.url}/admin/login") as answer:
        assert "<input" in await answer.text()
    form = {"name": "ana", "password": PASSWORD}
    async with http.post(f"{web.url}/admin/login", data=form, headers=PAGE) as answer:
        assert answer.url.path == "/admin" and "operator" in await answer.text()
    (entry,) = await audit(web, http)
    assert (entry["who"], entry["source"], entry["action"], entry["result"]) == (
        "ana",
        "web 127.0.0.1",
        "login",
        "done",
    )


async def test_without_accounts_there_is_no_form(start: Start, http: Http) -> None:
    web = await start()
    async with http.get(f"{web.url}/admin/login") as answer:
        assert "<input" not in await answer.text()
    async with http.post(f"{web.url}/admin/login", data={"name": "admin", "password": PASSWORD}) as answer:
        assert answer.status == 403


async def test_a_wrong_password_shows_the_form_again_and_then_the_wait(start: Start, http: Http) -> None:
    web = await start(register=PEOPLE, templates=TEMPLATES, static=STATIC_DIR)
    form = {"name": "ana", "password": "wrong password"}
    for _ in range(3):
        async with http.post(f"{web.url}/admin/login", data=form, headers=PAGE) as answer:
            page = await answer.text()
            assert answer.status == 403 and "Name or password is wrong" in page and 'value="ana"' in page
            assert "Set-Cookie" not in answer.headers
    async with http.post(f"{web.url}/admin/login", data=form, headers=PAGE) as answer:
        assert answer.status == 429 and 1 <= int(answer.headers["Retry-After"]) <= 20
        assert "Too many failed attempts" in await answer.text()
    async with http.post(f"{web.url}/admin/login", data=form) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (429, "rate_limited")
        assert "Retry-After" in answer.headers
    tried = await audit(web, http)
    assert {(entry["who"], entry["action"], entry["target"]) for entry in tried} == {("-", "login", "ana")}
    assert [entry["result"] for entry in tried].count("refused: wrong name or password") == 3


@pytest.mark.parametrize(
    ("type", "body"),
    [
        ("application/x-www-form-urlencoded", ""),
        ("application/x-www-form-urlencoded", "name=admin"),
        ("application/x-www-form-urlencoded", "name=admin&password="),
        ("application/x-www-form-urlencoded", "name[]=admin&password[]=x"),
        ("application/x-www-form-urlencoded", "name=admin&name=ana&password=correct+horse"),
        ("application/x-www-form-urlencoded", "name=admin&password=a%00b"),
        ("application/x-www-form-urlencoded", "name=a%00b&password=correct+horse"),
        ("application/x-www-form-urlencoded", "name=admin&password=" + "x" * 1025),
        ("application/x-www-form-urlencoded", "name=" + "x" * 5000 + "&password=correct+horse"),
        ("application/x-www-form-urlencoded", "token=x&name=admin&password=correct+horse"),
        ("application/x-www-form-urlencoded", "name=\xff"),
        ("application/json", '{"name":["admin"],"password":"correct horse"}'),
        ("application/json", '{"name":"admin","password":null}'),
        ("application/json", '{"name":"\\ud800","password":"correct horse"}'),
        ("application/json", "[]"),
        ("application/json", "[" * 10_000),
        ("text/plain", "name=admin&password=correct+horse"),
        ("multipart/form-data; boundary=x", "--x--"),
    ],
)
async def test_a_body_that_is_no_login_is_400(web: Running, http: Http, type: str, body: str) -> None:
    data, headers = body.encode("latin-1"), {"Content-Type": type}
    async with http.post(f"{web.url}/admin/login", data=data, headers=headers) as answer:
        assert answer.status == 400
    assert all(entry["result"].startswith("refused: ") for entry in await audit(web, http))


async def test_a_login_longer_than_a_body_may_be_is_too_long(web: Running, http: Http) -> None:
    async with http.post(f"{web.url}/admin/login", data={"name": "admin", "password": "x" * 20_000}) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (413, "too_long")


async def test_a_login_gets_a_new_id_and_the_cookie_of_before_is_dead(web: Running, http: Http) -> None:
    await log_in(web, http, "vic")
    old = cookie(web, http)
    await log_in(web, http, "admin")
    assert cookie(web, http) != old
    http.cookie_jar.clear()
    for dead in (old, "planted"):
        headers = {"Cookie": f"gateway_session={dead}"}
        async with http.get(f"{web.url}/admin/api/summary", headers=headers) as answer:
            assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_behind_tls_the_cookie_has_its_other_name(start: Start, http: Http) -> None:
    web = await start(register=PEOPLE, tls=True)
    async with http.post(f"{web.url}/admin/login", json={"name": "ana", "password": PASSWORD}) as answer:
        given = answer.headers["Set-Cookie"]
    assert given.startswith("__Host-gateway=") and "Secure" in given and "Path=/" in given


@pytest.mark.parametrize(("name", "status"), [("vic", 403), ("ana", 200), ("admin", 200)])
async def test_a_kick_needs_an_operator(web: Running, http: Http, name: str, status: int) -> None:
    csrf = await log_in(web, http, name)
    peer = web.chat.join_nobody()
    url = f"{web.url}/admin/api/connections/{peer.id}"
    async with http.delete(url, headers={"X-CSRF-Token": csrf}) as answer:
        assert answer.status == status
        if status == 403:
            assert (await answer.json())["error"]["text"] == "only operators can do that; you are vic (viewer)"
            assert web.chat.sessions
    async with http.get(f"{web.url}/admin") as answer:
        assert str(status == 200) in await answer.text(), "the page has a kick where there is a right"


async def test_a_missing_right_gets_a_page_that_says_so(web: Running, http: Http) -> None:
    csrf = await log_in(web, http, "vic")
    form = {"id": web.chat.join_nobody().id, "csrf": csrf}
    async with http.post(f"{web.url}/admin/kick", data=form, headers=PAGE) as answer:
        assert (answer.status, answer.content_type) == (403, "text/html")
        assert "only operators can do that; you are vic (viewer)" in await answer.text()


async def test_another_sessions_csrf_token_is_not_good(web: Running, http: Http) -> None:
    foreign = await log_in(web, http, "admin")
    http.cookie_jar.clear()
    await log_in(web, http, "ana")
    peer = web.chat.join_nobody()
    url = f"{web.url}/admin/api/connections/{peer.id}"
    async with http.delete(url, headers={"X-CSRF-Token": foreign}) as answer:
        assert answer.status == 403
    assert web.chat.sessions
    entry = (await audit(web, http))[0]
    assert (entry["who"], entry["action"], entry["target"]) == ("ana", "kick", peer.id)
    assert entry["result"].startswith("refused: the CSRF token")


async def test_a_write_by_a_stranger_is_refused_and_recorded(web: Running, http: Http) -> None:
    web.chat.join_nobody()
    for headers in ({}, {"Cookie": "gateway_session=guessed"}):
        async with http.delete(f"{web.url}/admin/api/connections/1", headers=headers) as answer:
            assert answer.status == 401
    assert [(entry["who"], entry["action"], entry["target"], entry["result"]) for entry in await audit(web, http)] == [
        ("-", "kick", "1", "refused: not logged in")
    ] * 2
    assert web.chat.sessions


@pytest.mark.parametrize("path", ["/admin/kick", "/admin/logout", "/admin/login-link", "/admin/api/announce"])
async def test_reading_changes_nothing(web: Running, http: Http, path: str) -> None:
    csrf = await log_in(web, http, "admin")
    for method in ("GET", "HEAD"):
        async with http.request(method, web.url + path, headers={"X-CSRF-Token": csrf}) as answer:
            assert answer.status == 405


async def test_a_token_reads_and_writes_without_csrf_as_far_as_its_role_goes(web: Running, http: Http) -> None:
    peer = web.chat.join_nobody()
    url = f"{web.url}/admin/api/connections"
    for headers, status in ((CI, 403), (BOT, 200), (BOT, 404)):
        async with http.get(url, headers=headers) as answer:
            assert answer.status == 200
        async with http.delete(f"{url}/{peer.id}", headers=headers) as answer:
            assert answer.status == status


async def test_a_token_and_a_cookie_are_not_mixed_up(web: Running, http: Http) -> None:
    csrf = await log_in(web, http, "admin")
    peer = web.chat.join_nobody()
    url = f"{web.url}/admin/api/connections/{peer.id}"
    for headers, status in (({"Authorization": "Bearer wrong"}, 401), ({"Authorization": "bearer "}, 401), (CI, 403)):
        async with http.delete(url, headers=headers | {"X-CSRF-Token": csrf}) as answer:
            assert answer.status == status
            assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    async with http.delete(url, headers={"Authorization": "Basic YTpi", "X-CSRF-Token": csrf}) as answer:
        assert answer.status == 200, "a proxy's own password is none of ours"


async def test_wrong_tokens_are_slowed_down(web: Running, http: Http) -> None:
    statuses = []
    for number in range(22):
        headers = {"Authorization": f"Bearer guess{number}"}
        async with http.get(f"{web.url}/admin/api/summary", headers=headers) as answer:
            statuses.append(answer.status)
    assert statuses == [401] * 20 + [429] * 2 and "Retry-After" in answer.headers


async def test_an_admin_sees_all_sessions_and_others_their_own(web: Running, http: Http) -> None:
    async with aiohttp.ClientSession(headers={"User-Agent": "old browser\xff"}) as other:
        await log_in(web, other, "vic")
    await log_in(web, http, "ana")
    async with http.get(f"{web.url}/admin/api/sessions") as answer:
        (own,) = (await answer.json())["sessions"]
    assert set(own) == {"id", "name", "role", "address", "agent", "opened", "seen", "current"}
    assert (own["name"], own["role"], own["address"], own["current"]) == ("ana", "operator", "127.0.0.1", True)
    assert 0 <= web.chat.hub.clock.wall() - own["seen"] < 60_000 and own["opened"] <= own["seen"]
    assert cookie(web, http) not in str(own)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as admin:
        await log_in(web, admin, "admin")
        async with admin.get(f"{web.url}/admin/api/sessions") as answer:
            rows = (await answer.json())["sessions"]
    assert [(row["name"], row["current"]) for row in rows] == [("vic", False), ("ana", False), ("admin", True)]
    assert rows[0]["agent"].startswith("old browser")


async def test_ones_own_session_is_ones_to_end_and_others_an_admins(web: Running, http: Http) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as other:
        await log_in(web, other, "vic")
        async with other.get(f"{web.url}/admin/api/sessions") as answer:
            theirs = (await answer.json())["sessions"][0]["id"]
        for name, status in (("ana", 403), ("admin", 200), ("admin", 404)):
            csrf = await log_in(web, http, name)
            url = f"{web.url}/admin/api/sessions/{theirs}"
            async with http.delete(url) as answer:
                assert answer.status == 403, "no CSRF token"
            async with http.delete(url, headers={"X-CSRF-Token": csrf}) as answer:
                assert answer.status == status
        async with other.get(f"{web.url}/admin/api/summary") as answer:
            assert answer.status == 401
        csrf = await log_in(web, other, "vic")
        async with other.get(f"{web.url}/admin/api/sessions") as answer:
            own = (await answer.json())["sessions"][0]["id"]
        async with other.delete(f"{web.url}/admin/api/sessions/{own}", headers={"X-CSRF-Token": csrf}) as answer:
            assert (answer.status, await answer.json()) == (200, {"id": own, "ended": True})


@pytest.mark.parametrize("way", ["logout", "end", "time"])
async def test_what_is_watched_ends_with_the_session(start: Start, http: Http, way: str) -> None:
    web = await start(register=PEOPLE, watch=True)
    csrf = await log_in(web, http, "admin")
    url = f"{web.url}/admin/api/connections/{web.chat.join_nobody().id}/watch"
    async with http.get(f"{web.url}/admin/api/sessions") as answer:
        own = (await answer.json())["sessions"][0]["id"]
    async with http.get(url) as stream:
        await stream.content.readuntil(b"began")
        if way == "logout":
            await (await http.post(f"{web.url}/admin/logout", headers={"X-CSRF-Token": csrf})).read()
        elif way == "end":
            headers = {"X-CSRF-Token": csrf}
            await (await http.delete(f"{web.url}/admin/api/sessions/{own}", headers=headers)).read()
        else:
            web.clock.skipped += 12 * 3600 + 1
        assert b'"logged_out"' in await asyncio.wait_for(stream.content.read(), PATIENCE)
    async with http.get(url) as stream:
        assert stream.status == 401


async def test_a_foreign_page_may_not_even_read(web: Running, http: Http) -> None:
    await log_in(web, http, "admin")
    for origin, status in (("https://evil.example", 403), ("null", 403), (web.url, 200)):
        async with http.get(f"{web.url}/admin/api/summary", headers={"Origin": origin}) as answer:
            assert answer.status == status


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("ana", "link:ana"),
        ("", "link"),
        (" \u202e\x1b[2J ", "link"),
        (" ana\x00\n\u202e b ", "link:ana b"),
        ("x" * 99, "link:" + "x" * 32),
    ],
)
async def test_a_login_by_link_is_known_by_the_name_that_was_given(
    start: Start, http: Http, given: str, name: str
) -> None:
    web = await start(register=PEOPLE, templates=TEMPLATES, static=STATIC_DIR)
    token = web.door.links.mint()
    async with http.get(f"{web.url}/admin/login", params={"token": token}) as answer:
        assert 'name="name"' in await answer.text()
    async with http.post(f"{web.url}/admin/login", json={"token": token, "name": given}) as answer:
        assert (await answer.json())["name"] == name
    (entry,) = await audit(web, http)
    assert (entry["who"], entry["action"], entry["result"]) == (name, "login", "done")


async def test_a_name_that_is_no_text_does_not_use_the_link_up(web: Running, http: Http) -> None:
    token = web.door.links.mint()
    async with http.post(
        f"{web.url}/admin/login", data=f'{{"token":"{token}","name":"\\udc00"}}', headers=JSON
    ) as answer:
        assert answer.status == 400
    async with http.post(f"{web.url}/admin/login", json={"token": token}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("register", [PEOPLE, Accounts()])
async def test_a_session_that_is_over_asks_for_a_password_only_where_somebody_has_one(
    start: Start, http: Http, register: Accounts
) -> None:
    web = await start(register=register, templates=TEMPLATES, static=STATIC_DIR)
    async with http.post(f"{web.url}/admin/login", data={"token": web.door.links.mint()}, headers=PAGE) as answer:
        page = await answer.text()
    dialog = page.partition('<dialog id="login"')[2].partition("</dialog>")[0]
    assert ('type="password"' in dialog) == register.has_passwords
    assert "python3 -m gateway login-link" in dialog and 'name="link"' in dialog


async def test_in_maintenance_health_says_so_and_doors_are_closed_to_newcomers(start: Start, http: Http) -> None:
    listeners = [
        ListenerState("web", "127.0.0.1:8080", 8080, "ready"),
        ListenerState("tcp", "127.0.0.1:9999", 9999, "draining"),
    ]
    closed = Refusal(Code.BUSY, "back at nine")
    files = {"templates": TEMPLATES, "static": STATIC_DIR}
    web = await start(register=PEOPLE, **files, listeners=lambda: listeners, ready=lambda: closed)
    csrf = await log_in(web, http, "admin")
    headers = {"X-CSRF-Token": csrf}
    order = {"on": True, "text": "back at nine"}
    async with http.post(f"{web.url}/admin/api/maintenance", json=order, headers=headers) as answer:
        assert answer.status == 200
    async with http.get(f"{web.url}/admin") as answer:
        page = await answer.text()
    assert "<b>MAINTENANCE</b>" in page and "back at nine" in page
    assert page.count("closed to newcomers") == 1 and ">draining<" in page
