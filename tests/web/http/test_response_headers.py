"""The headers of every answer, and of a paste."""

import aiohttp
import pytest

from tests.web.running_door import Running, Start


@pytest.mark.parametrize("path", ["/", "/nowhere", "/admin/login", "/r/x/messages", "/healthz"])
async def test_every_answer_is_dressed(web: Running, http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(web.url + path) as answer:
        headers = answer.headers
    host = f"127.0.0.1:{web.port}"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert path == "/healthz" or f"connect-src 'self' wss://{host} ws://{host};" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Server" not in headers
    assert (headers.get("Cache-Control") == "no-store") == path.startswith("/admin")


async def test_only_who_comes_by_https_is_told_to_insist_on_it(start: Start) -> None:
    web = await start(trusted_proxies=("127.0.0.1",), hsts=86_400.0)
    ask = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"

    told = await web.send(f"{ask}X-Forwarded-Proto: https\r\n\r\n".encode())
    assert b"Strict-Transport-Security: max-age=86400\r\n" in told
    assert b"Strict-Transport-Security" not in await web.send(f"{ask}\r\n".encode())


async def test_a_paste_is_read_as_text_and_nothing_else(web: Running, http: aiohttp.ClientSession) -> None:
    text = "<script>alert(1)</script>\n" * 400
    async with http.post(f"{web.url}/r/ops?nick=ci", data=text.encode()) as answer:
        assert answer.status == 201
    async with http.get(f"{web.url}/r/ops/paste/1", headers={"Accept": "text/html"}) as answer:
        assert answer.status == 200
        assert await answer.text() == text.rstrip("\n")
        headers = answer.headers
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Disposition"] == "inline"
    assert headers.getall("Content-Security-Policy") == ["default-src 'none'; sandbox"]
