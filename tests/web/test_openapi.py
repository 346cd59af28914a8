"""The document of the API: it lacks nothing, and describes nothing that does not exist."""

import html
import json
from pathlib import Path

import aiohttp
from openapi_spec_validator import validate

from gateway.core.doors.commands import COMMANDS
from gateway.core.protocol.close_reason import CloseReason
from gateway.errors import Code
from gateway.web.docs import CLOSINGS, CODES, document
from gateway.web.endpoints import ENDPOINTS
from gateway.web.settings import STATIC_DIR, ListenerState
from gateway.web.tables.connection_row import NODE_WORDS
from tests.web.running_door import Running, Start

TEMPLATES = Path(__file__).parents[2] / "templates"
LISTENERS = [ListenerState("tcp", "127.0.0.1:9999", 9999), ListenerState("telnet", "127.0.0.1:2323", 2323)]


def is_for_people(method: str, path: str) -> bool:
    """Whether a route is a page, a part of one, or what a page's forms post."""
    if path.startswith("/admin"):
        return not path.startswith("/admin/api/")
    return method == "GET" and (path in ("/", "/docs", "/r/{room}") or path.startswith("/static/"))


def test_the_document_is_valid_openapi() -> None:
    validate(json.loads(json.dumps(document("1.2", ENDPOINTS))))


async def test_every_route_is_described_and_every_described_one_is_there(web: Running) -> None:
    app = web.door._runner.app
    routes = {(each.method, each.resource.canonical) for each in app.router.routes() if each.resource is not None}
    there = {route for route in routes if route[0] != "HEAD"}
    described = {(each.method, each.path) for each in ENDPOINTS if each.tag}

    assert described - there == set()
    assert {route for route in there - described if not is_for_people(*route)} == set()


def test_every_code_has_its_words() -> None:
    assert set(CODES) == set(Code)
    assert set(CLOSINGS) == set(CloseReason)


async def test_the_document_is_served(web: Running, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{web.url}/openapi.json") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert (await answer.json())["openapi"] == "3.1.0"


async def test_the_page_shows_the_askers_own_address_and_the_open_doors(
    start: Start, http: aiohttp.ClientSession
) -> None:
    web = await start(templates=TEMPLATES, static=STATIC_DIR, listeners=lambda: LISTENERS, hosts=["chat.example"])
    async with http.get(f"{web.url}/docs", headers={"Host": "chat.example:99"}) as answer:
        page = await answer.text()
    assert "nc chat.example 9999<" in page and "telnet chat.example 2323<" in page
    assert "ws://chat.example:99/ws<" in page and "http://chat.example:99/rooms<" in page
    for name in (*COMMANDS, *Code):
        assert f"<code>/{name}" in page or f"<code>{name}</code>" in page, name


async def test_terminals_are_told_the_way_over_tls_where_there_is_one(
    start: Start, http: aiohttp.ClientSession
) -> None:
    tls = [ListenerState("tcp_tls", "127.0.0.1:9998", 9998), ListenerState("telnet_tls", "127.0.0.1:2392", 2392)]
    for listeners in (tls, [*LISTENERS, *tls]):
        web = await start(templates=TEMPLATES, static=STATIC_DIR, listeners=lambda found=listeners: found)
        for path in ("/", "/docs"):
            async with http.get(web.url + path) as answer:
                page = await answer.text()
            assert ">ncat --ssl 127.0.0.1 9998<" in page and ">telnet-ssl -z ssl 127.0.0.1 2392<" in page
        assert "| ncat --ssl 127.0.0.1 9998<" in page and "-connect 127.0.0.1:9998<" in page
        assert ("<code>nc 127.0.0.1 9999<" in page) is ("<code>telnet 127.0.0.1 2323<" in page) is (listeners != tls)


async def test_the_page_is_silent_on_doors_that_are_closed(start: Start, http: aiohttp.ClientSession) -> None:
    web = await start(templates=TEMPLATES, static=STATIC_DIR)
    async with http.get(f"{web.url}/docs") as answer:
        page = await answer.text()
    assert answer.status == 200
    assert '<code data-example="nc">' not in page and "None" not in page


async def test_the_page_lists_the_admin_api_with_roles_and_the_filter_words(
    start: Start, http: aiohttp.ClientSession
) -> None:
    web = await start(templates=TEMPLATES, static=STATIC_DIR)
    async with http.get(f"{web.url}/docs") as answer:
        page = html.unescape(await answer.text())
    assert "<code>POST /admin/api/drain</code></th><td>admin</td>" in page
    for example in NODE_WORDS.examples.values():
        assert example in page, example
