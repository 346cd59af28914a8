"""What the dashboard's forms do where there is no script."""

import re

import aiohttp
import pytest

from gateway.web.settings import STATIC_DIR
from tests.web.running_door import Running, Start
from tests.web.test_templates import TEMPLATES

Http = aiohttp.ClientSession
HTML = {"Accept": "text/html"}


@pytest.fixture
async def real(start: Start) -> Running:
    return await start(templates=TEMPLATES, static=STATIC_DIR)


async def log_in(web: Running, http: Http) -> str:
    """By a link; returns the CSRF token."""
    async with http.post(f"{web.url}/admin/login", data={"token": web.door.links.mint()}) as answer:
        return str(re.findall(r'name="csrf-token" content="([^"]+)"', await answer.text())[0])


async def post(web: Running, http: Http, path: str, **fields: str) -> str:
    """Send a form from its page; returns the page it leads to."""
    headers = HTML | {"Referer": f"{web.url}/admin/bans?q=al"}
    async with http.post(web.url + path, data=fields, headers=headers) as answer:
        return f"{answer.url.path_qs}\n{await answer.text()}"


async def test_a_ban_is_put_shown_and_lifted(real: Running, http: Http) -> None:
    csrf = await log_in(real, http)
    page = await post(
        real, http, "/admin/bans", csrf=csrf, by="address", target="10.1.2.3", reason="spam", seconds="60"
    )
    assert page.startswith("/admin/bans?q=al&result=banned\n") and "<p>Banned.</p>" in page
    async with http.get(f"{real.url}/admin/bans", headers=HTML) as answer:
        page = await answer.text()
    assert "<bdi>10.1.2.3</bdi>" in page and "spam" in page
    id = re.findall(r'name="id" value="([^"]+)"', page)[0]
    assert "<p>Lifted.</p>" in await post(real, http, "/admin/bans/lift", csrf=csrf, id=id)
    assert "<p>Already gone.</p>" in await post(real, http, "/admin/bans/lift", csrf=csrf, id=id)
    async with http.get(f"{real.url}/admin/audit?q=action:unban", headers=HTML) as answer:
        assert "10.1.2.3" in await answer.text()


@pytest.mark.parametrize(("written", "seconds"), [("600", 600), ("10m", 600), (" 1h 02m", 3720), ("30d", 2592000)])
async def test_a_duration_in_a_form_reads_as_everywhere_else(
    real: Running, http: Http, written: str, seconds: int
) -> None:
    fields = {"by": "nick", "target": "bob", "seconds": written, "csrf": await log_in(real, http)}
    async with http.post(f"{real.url}/admin/bans", data=fields, headers=HTML) as answer:
        assert answer.status == 200
    (ban,) = real.chat.hub.bans.holding()
    assert ban.until is not None and ban.until - ban.created == seconds * 1000


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/admin/bans", {"by": "shoe", "target": "x"}),
        ("/admin/bans", {"by": "nick", "target": ""}),
        ("/admin/bans", {"by": "nick", "target": "x", "seconds": "-1"}),
        ("/admin/bans", {"by": "nick", "target": "x", "seconds": "0"}),
        ("/admin/bans", {"by": "nick", "target": "x", "seconds": "10x"}),
        ("/admin/bans", {"by": "nick", "target": "x", "seconds": "1e9"}),
        ("/admin/announce", {"text": "x", "door": "window"}),
    ],
)
async def test_a_form_that_means_nothing_is_refused(
    real: Running, http: Http, path: str, fields: dict[str, str]
) -> None:
    fields["csrf"] = await log_in(real, http)
    async with http.post(real.url + path, data=fields, headers=HTML) as answer:
        assert answer.status == 400
    assert not real.chat.hub.bans.holding()


async def test_a_form_needs_the_sessions_token(real: Running, http: Http) -> None:
    await log_in(real, http)
    for path in ("/admin/bans", "/admin/mutes", "/admin/announce", "/admin/sessions/end", "/admin/bans/lift"):
        async with http.post(real.url + path, data={"by": "nick", "target": "x"}, headers=HTML) as answer:
            assert answer.status == 403


async def test_ending_ones_own_session_leads_to_the_login(real: Running, http: Http) -> None:
    csrf = await log_in(real, http)
    async with http.get(f"{real.url}/admin/sessions", headers=HTML) as answer:
        id = re.findall(r'name="id" value="([^"]+)"', await answer.text())[0]
    assert (await post(real, http, "/admin/sessions/end", csrf=csrf, id=id)).startswith("/admin/login")


@pytest.mark.parametrize("referer", ["https://evil.example/admin/../x", "http://[", "", "/nothing"])
async def test_no_form_leads_out_of_the_dashboard(real: Running, http: Http, referer: str) -> None:
    csrf = await log_in(real, http)
    form = {"csrf": csrf, "text": "hello"}
    headers = HTML | {"Referer": referer}
    async with http.post(f"{real.url}/admin/announce", data=form, headers=headers, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/admin?result=announced")


@pytest.mark.parametrize("path", ["rooms", "bans", "mutes", "audit", "sessions"])
async def test_every_list_is_there_and_not_for_strangers(real: Running, http: Http, path: str) -> None:
    async with http.get(f"{real.url}/admin/{path}", headers=HTML, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/admin/login")
    await log_in(real, http)
    async with http.get(f"{real.url}/admin/{path}", headers=HTML) as answer:
        assert answer.status == 200
        assert "</html>" in await answer.text()


async def test_a_wrong_filter_of_rooms_is_told_on_the_page(real: Running, http: Http) -> None:
    await log_in(real, http)
    async with http.get(f"{real.url}/admin/rooms?q=rom:x", headers=HTML) as answer:
        assert "<u>rom:x</u>" in await answer.text()
