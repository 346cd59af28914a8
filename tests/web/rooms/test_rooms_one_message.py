"""Single messages over HTTP: who takes them back, by what, and what is refused."""

import json
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect

from gateway.web.settings import STATIC_DIR
from tests.fakes import eventually
from tests.web.admin.test_forms import HTML, log_in
from tests.web.running_door import Running, Start
from tests.web.test_templates import TEMPLATES

Http = aiohttp.ClientSession


async def said(web: Running, http: Http, *texts: str) -> str:
    """Say some texts in ops as ana; return the token of hers."""
    async with connect(web.ws) as browser:
        await browser.send('{"type":"hello","nick":"ana","rooms":[{"room":"ops"}]}')
        token = str(json.loads(await browser.recv())["token"])
        for text in texts:
            await browser.send(json.dumps({"type": "say", "room": "ops", "text": text, "id": text}))
        seen: list[Any] = []
        while len(seen) < len(texts):
            seen += [each for each in [json.loads(await browser.recv())] if each["type"] == "ack"]
    return token


async def delete(web: Running, http: Http, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
    """The status, and the code of a refusal."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.delete(f"{web.url}/r/{path}", json=body, headers=headers) as answer:
        text = await answer.text()
        return answer.status, json.loads(text)["error"]["code"] if answer.status >= 400 else text


async def test_an_author_takes_a_message_back_by_the_session_s_token(web: Running, http: Http) -> None:
    token = await said(web, http, "one", "two")
    assert await delete(web, http, "ops/messages/1", {"reason": "wrong room"}, Authorization=f"Bearer {token}") == (
        204,
        "",
    )
    assert await delete(web, http, "ops/messages/1", Authorization=f"Bearer {token}") == (204, "")
    assert await web.chat.texts("ops") == [("ana", ""), ("ana", "two")]
    async with http.get(f"{web.url}/r/ops/messages") as answer:
        messages = (await answer.json())["messages"]
    assert [(each["text"], each.get("redacted")) for each in messages] == [("", "wrong room"), ("two", None)]


async def test_a_message_that_was_posted_with_the_token_is_the_author_s_too(web: Running, http: Http) -> None:
    token = await said(web, http)
    async with http.post(f"{web.url}/r/ops", json={"text": "by curl", "token": token}) as answer:
        assert answer.status == 201
    assert await delete(web, http, "ops/messages/1", Authorization=f"Bearer {token}") == (204, "")


async def test_only_the_author_may_take_a_message_back(web: Running, http: Http) -> None:
    token = await said(web, http, "one")
    async with http.post(f"{web.url}/r/ops?nick=ci", data=b"nobody's") as answer:
        assert answer.status == 201
    assert await delete(web, http, "ops/messages/2", Authorization=f"Bearer {token}") == (403, "forbidden")
    assert await delete(web, http, "ops/messages/1", Authorization="Bearer of-nothing") == (401, "token_invalid")
    async with http.delete(f"{web.url}/r/ops/messages/1") as answer:
        assert answer.status == 401
    assert [text for _, text in await web.chat.texts("ops")] == ["one", "nobody's"]


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("ops/messages/9", (404, "no_such_message")),
        ("nowhere/messages/1", (404, "no_such_room")),
        ("ops/messages/1?epoch=another-one", (409, "epoch_changed")),
        ("ops/messages/x", (400, "bad_message")),
        ("ops/messages/99999999999999999999", (400, "bad_message")),
        ("ops/messages/1?seq=1", (400, "bad_message")),
        ("no way/messages/1", (400, "room_invalid")),
    ],
)
async def test_what_is_not_there_is_refused(web: Running, http: Http, path: str, refused: tuple[int, str]) -> None:
    token = await said(web, http, "one")
    assert await delete(web, http, path, Authorization=f"Bearer {token}") == refused


async def test_a_reason_is_gated_and_bounded(web: Running, http: Http) -> None:
    token = f"Bearer {await said(web, http, 'one')}"
    assert await delete(web, http, "ops/messages/1", {"reason": "x" * 500}, Authorization=token) == (413, "too_long")
    assert await delete(web, http, "ops/messages/1", {"reason": 7}, Authorization=token) == (400, "bad_message")
    assert (await delete(web, http, "ops/messages/1", {"reason": "a\x1b[31m\nb"}, Authorization=token))[0] == 204
    async with http.get(f"{web.url}/r/ops/messages") as answer:
        assert (await answer.json())["messages"][0]["redacted"] == "a b"


async def test_an_operator_needs_the_token_of_the_page_and_no_other_site(start: Start, http: Http) -> None:
    web = await start(templates=TEMPLATES, static=STATIC_DIR, origins=("https://friend.example",))
    await said(web, http, "hunter2")
    csrf = await log_in(web, http)
    assert await delete(web, http, "ops/messages/1") == (403, "forbidden")
    foreign = {"X_CSRF_Token": csrf, "Origin": "https://friend.example"}
    assert (await delete(web, http, "ops/messages/1", **foreign))[0] == 403
    assert await web.chat.texts("ops") == [("ana", "hunter2")]
    assert await delete(web, http, "ops/messages/1", {"reason": "spam"}, X_CSRF_Token=csrf) == (204, "")
    assert await web.chat.texts("ops") == [("ana", "")]
    async with http.get(f"{web.url}/admin/audit?q=action:redact", headers=HTML) as answer:
        page = await answer.text()
    assert (
        "#ops 1" in page and "spam" in page and "hunter2" not in page.partition("<tbody>")[2].partition("</tbody>")[0]
    )


async def test_the_form_of_the_rooms_page_removes_a_message(start: Start, http: Http) -> None:
    web = await start(templates=TEMPLATES, static=STATIC_DIR)
    await said(web, http, "one")
    csrf = await log_in(web, http)
    async with http.get(f"{web.url}/admin/rooms", headers=HTML) as answer:
        assert 'action="/admin/redact"' in await answer.text()
    headers = HTML | {"Referer": f"{web.url}/admin/rooms"}
    fields = {"csrf": csrf, "room": "#ops", "seq": "1", "reason": ""}
    async with http.post(f"{web.url}/admin/redact", data=fields, headers=headers) as answer:
        assert answer.url.path_qs == "/admin/rooms?result=redacted"
        assert "The message is removed." in await answer.text()
    assert await web.chat.texts("ops") == [("ana", "")]
    for wrong in ({"seq": "x"}, {"room": ""}, {"seq": "77"}):
        async with http.post(f"{web.url}/admin/redact", data=fields | wrong, headers=headers) as answer:
            assert answer.status in (400, 404)


async def test_a_reader_of_the_events_is_told_without_an_id(web: Running, http: Http) -> None:
    token = await said(web, http, "one")
    async with http.get(f"{web.url}/r/ops/events") as events, http.get(f"{web.url}/r/ops/raw") as raw:
        await eventually(lambda: len(web.chat.sessions) == 2)
        assert (await delete(web, http, "ops/messages/1", Authorization=f"Bearer {token}"))[0] == 204
        lines: list[bytes] = []
        while not (lines and lines[-1].startswith(b"event: redacted")):
            lines.append(await events.content.readline())
        assert (await events.content.readline()).startswith(b'data: {"type":"redacted","room":"ops"')
        assert await raw.content.readline() == b"-- message 1 was removed: removed\n"


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("ops/paste/1", (404, "no_such_message")),
        ("ops/paste/9", (404, "no_such_message")),
        ("nowhere/paste/1", (404, "no_such_room")),
        ("ops/paste/x", (400, "bad_message")),
    ],
)
async def test_what_is_no_paste_is_not_found(web: Running, http: Http, path: str, refused: tuple[int, str]) -> None:
    await said(web, http, "short")
    async with http.get(f"{web.url}/r/{path}") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == refused
