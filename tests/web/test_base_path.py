"""A gateway that a proxy shows below a path: asked with it and without, it tells every address with it."""

import json
import re
from dataclasses import replace

import aiohttp
import pytest

from gateway.config.values import OWN_PATHS
from gateway.web.endpoints import ENDPOINTS
from gateway.web.settings import WebOptions
from tests.suite.programs import ROOT
from tests.web.running_door import Running, Start

BOTH = pytest.mark.parametrize("base", ["", "/team/chat"])
ADDRESS = re.compile(r'\b(?:href|action|src)="([^"]*)"')


@pytest.fixture
def options(options: WebOptions) -> WebOptions:
    """Those of a gateway below a path, with its real pages and scripts."""
    package = ROOT / "gateway" / "web" / "static"
    return replace(options, templates=ROOT / "templates", static=package, base_path="/team/chat")


@pytest.fixture
async def web(start: Start) -> Running:
    return await start()


async def location(web: Running, http: aiohttp.ClientSession, path: str) -> str:
    async with http.get(web.url + path, allow_redirects=False) as answer:
        return answer.headers["Location"]


@BOTH
@pytest.mark.parametrize("path", ["/", "/r/ops", "/docs", "/rooms", "/admin/login", "/healthz", "/openapi.json"])
async def test_it_answers_with_its_path_and_without(
    web: Running, http: aiohttp.ClientSession, base: str, path: str
) -> None:
    async with http.get(web.url + base + path) as answer:
        assert answer.status == 200


async def test_its_path_alone_is_the_lobby_and_a_longer_word_is_not(web: Running, http: aiohttp.ClientSession) -> None:
    for path, status in (("/team/chat", 200), ("/team/chat?a=/b", 200), ("/team/chatter", 404), ("/team", 404)):
        async with http.get(web.url + path) as answer:
            assert answer.status == status, path


@pytest.mark.parametrize("path", ["/", "/docs", "/admin/login", "/nowhere"])
async def test_every_address_on_a_page_has_its_path(web: Running, http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(web.url + path, headers={"Accept": "text/html"}) as answer:
        page = await answer.text()
    own = [address for address in ADDRESS.findall(page) if address.startswith("/")]
    assert own and all(address.startswith("/team/chat/") for address in own)
    assert 'data-base="/team/chat"' in page


@BOTH
async def test_redirects_lead_below_its_path(web: Running, http: aiohttp.ClientSession, base: str) -> None:
    assert await location(web, http, f"{base}/admin") == "/team/chat/admin/login"
    assert await location(web, http, f"{base}/r/ops/?a=1") == "/team/chat/r/ops?a=1"


async def test_what_is_left_of_a_path_names_no_other_host(web: Running) -> None:
    for path in ("/team/chat//evil.example/", "/team/chat/\\evil.example/"):
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        assert (await web.send(request)).startswith(b"HTTP/1.1 404 ")


async def test_a_whole_address_in_the_request_line_loses_its_path_too(web: Running) -> None:
    request = b"GET http://localhost/team/chat/rooms HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = await web.send(request)
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"]\n")


async def test_the_path_is_part_of_the_cookies_name(web: Running, http: aiohttp.ClientSession) -> None:
    form = {"token": web.door.links.mint()}
    async with http.post(f"{web.url}/team/chat/admin/login", data=form, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/team/chat/admin"
        assert answer.headers["Set-Cookie"].startswith("gateway_session+team+chat=")
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    for base in ("", "/team/chat"):
        headers = {"Cookie": cookie}
        async with aiohttp.ClientSession() as other, other.get(f"{web.url}{base}/admin", headers=headers) as page:
            text = await page.text()
            assert page.status == 200
        own = [address for address in ADDRESS.findall(text) if address.startswith("/")]
        assert own and all(address.startswith("/team/chat/") for address in own)


async def test_a_form_without_script_leads_back_to_its_page(web: Running, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{web.url}/admin/login", data={"token": web.door.links.mint()}) as answer:
        csrf = re.search(r'name="csrf-token" content="([^"]+)"', await answer.text())
        assert csrf is not None
    form = {"csrf": csrf[1], "id": "none"}
    headers = {"Referer": f"{web.url}/team/chat/admin/bans?q=x", "Origin": web.url}
    path = f"{web.url}/team/chat/admin/bans/lift"
    async with http.post(path, data=form, headers=headers, allow_redirects=False) as back:
        assert back.headers["Location"] == "/team/chat/admin/bans?q=x&result=gone"


@BOTH
async def test_a_websocket_opens_with_its_path_and_without(
    web: Running, http: aiohttp.ClientSession, base: str
) -> None:
    async with http.ws_connect(f"{web.url}{base}/ws") as ws:
        await ws.send_str('{"type":"hello"}')
        assert json.loads(await ws.receive_str())["type"] == "welcome"


async def test_programs_are_told_its_path(web: Running, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{web.url}/openapi.json") as answer:
        assert (await answer.json())["servers"] == [{"url": "/team/chat"}]


def test_the_paths_that_it_cannot_be_below_are_its_own() -> None:
    assert {endpoint.path.split("/")[1] for endpoint in ENDPOINTS} - {""} == OWN_PATHS
