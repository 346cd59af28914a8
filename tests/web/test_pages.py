"""Pages, static files, and errors in the asker's language."""

import aiohttp
import pytest

from gateway.web.settings import STATIC_DIR, ListenerState
from gateway.web.static_files import without_comments
from tests.web.running_door import Running, Start


async def test_the_chat_page_names_the_room_and_the_ports(start: Start, http: aiohttp.ClientSession) -> None:
    web = await start(listeners=lambda: [ListenerState("tcp", "127.0.0.1:9999", 9999)], version="1.2")
    async with http.get(f"{web.url}/r/ops") as answer:
        page = await answer.text()
    assert 'data-room="ops"' in page
    assert "nc 127.0.0.1 9999 None 1.2" in page
    async with http.get(web.url) as answer:
        assert 'data-room="lobby"' in await answer.text()


async def test_an_impossible_room_has_no_page(web: Running, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{web.url}/r/<b>", headers={"Accept": "text/html"}) as answer:
        assert answer.status == 400
        page = await answer.text()
    assert "<h1>400" in page and "<b>" not in page


async def test_static_files_are_for_ever_under_their_hash(web: Running, http: aiohttp.ClientSession) -> None:
    async with http.get(web.url) as answer:
        path = (await answer.text()).partition('data-js="')[2].partition('"')[0]
    async with http.get(web.url + path) as answer:
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["Content-Encoding"] == "gzip"
        assert (await answer.text()).startswith("export")


def test_no_text_in_a_script_goes_over_several_lines() -> None:
    """In one, what looks like a comment or like indentation might be none."""
    for path in STATIC_DIR.rglob("*.js"):
        name = path.relative_to(STATIC_DIR).as_posix()
        if name.startswith("vendor/"):
            continue
        lines = without_comments(name, {name: path.read_bytes()}).replace(b"\\`", b"").replace(b"```", b"").splitlines()
        assert [line for line in lines if line.count(b"`") % 2] == [], name


@pytest.mark.parametrize(
    "path", ["other/a.js", "{hash}/b.js", "{hash}/..%2fa.js", "{hash}/%2e%2e/a.js", "{hash}/a.js%00"]
)
async def test_no_other_static_file_exists(web: Running, http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(web.url) as answer:
        known = (await answer.text()).partition("/static/")[2].partition("/")[0]
    answer_bytes = await web.send(
        f"GET /static/{path.format(hash=known)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer_bytes.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    ("headers", "begin"),
    [
        ({"User-Agent": "curl/8.5.0", "Accept": "*/*"}, "!! not_found: there is nothing here\n"),
        ({"User-Agent": "curl/8.5.0", "Accept": "application/json"}, '{"error":{"code":"not_found"'),
        ({"Accept": "text/html,*/*"}, "<h1>404 Not found</h1>"),
        ({"Accept": "*/*"}, '{"error":{"code":"not_found"'),
    ],
)
async def test_errors_speak_the_askers_language(
    web: Running, http: aiohttp.ClientSession, headers: dict[str, str], begin: str
) -> None:
    async with http.get(f"{web.url}/nowhere", headers=headers) as answer:
        assert answer.status == 404
        assert (await answer.text()).startswith(begin)


async def test_a_wrong_method_is_told_the_right_ones(web: Running, http: aiohttp.ClientSession) -> None:
    async with http.delete(f"{web.url}/r/ops") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD,POST")
    async with http.head(f"{web.url}/rooms") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


MALFORMED = {
    "two lengths": b"POST /r/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"POST /r/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "+5": b"POST /r/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nabcde",
    "bad chunk": b"POST /r/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0x5\r\nabcde\r\n0\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "long line": b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_request_is_400_or_414_without_a_trace(
    web: Running, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await web.send(MALFORMED[name].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
    status = b"414" if name == "long line" else b"400"
    assert answer.split(b" ", 2)[:2] in ([b"HTTP/1.1", status], [b"HTTP/1.0", status]), answer
    assert b"aiohttp" not in answer and b"Python" not in answer
    assert not caplog.records
