"""Rooms over HTTP: posting, history, the list, and health."""

import asyncio
import gzip
import time

import aiohttp
import pytest

from gateway.core.rooms.pastes import HALF_TYPED_BYTES
from gateway.core.sessions.rate_limit import Limits
from gateway.errors import Code, JournalError, Refusal
from tests.fakes import PATIENCE, eventually
from tests.web.running_door import Running, Start


async def test_a_posted_text_is_answered_with_its_place(web: Running, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{web.url}/r/ops?nick=ci", data=b"build 7 \xff") as answer:
        assert answer.status == 201
        stored = await answer.json()
        assert (stored["room"], stored["seq"]) == ("ops", 1)
    assert await web.chat.texts("ops") == [("ci", "build 7 \ufffd")]


async def test_a_form_content_type_is_text_as_it_stands(web: Running, http: aiohttp.ClientSession) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with http.post(f"{web.url}/r/ops", data=b"a=1&b=%20", headers=headers) as answer:
        assert answer.status == 201
    assert [text for _, text in await web.chat.texts("ops")] == ["a=1&b=%20"]


async def test_a_posted_object_names_its_author(web: Running, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{web.url}/r/ops?nick=other", json={"nick": "ana", "text": "hi", "id": "c1"}) as answer:
        assert answer.status == 201
    assert await web.chat.texts("ops") == [("ana", "hi")]


@pytest.mark.parametrize("body", ["", "[]", "null", '"x"', "{", '{"nick":"a"}', '{"text":1}', '{"text":"a","id":""}'])
async def test_a_broken_object_is_400(web: Running, http: aiohttp.ClientSession, body: str) -> None:
    async with http.post(f"{web.url}/r/ops", data=body, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "bad_message"


async def test_half_a_surrogate_pair_is_no_text(web: Running, http: aiohttp.ClientSession) -> None:
    headers = {"Content-Type": "application/json"}
    for field in ("text", "nick"):
        async with http.post(f"{web.url}/r/ops", data=f'{{"{field}":"\\ud800"}}', headers=headers) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (400, "bad_text")


async def test_a_long_text_is_a_paste_and_one_byte_too_many_is_not(web: Running, http: aiohttp.ClientSession) -> None:
    text = "\n".join(f"line {number}" for number in range(9000))[:65_536]
    async with http.post(f"{web.url}/r/ops?nick=ci", data=text.encode()) as answer:
        assert answer.status == 201
    async with http.get(f"{web.url}/r/ops/messages") as answer:
        (message,) = (await answer.json())["messages"]
    assert message["text"] == "\n".join(f"line {number}" for number in range(8))
    assert message["paste"] == {"bytes": 65_536, "lines": text.count("\n") + 1}
    async with http.post(f"{web.url}/r/ops", data=b"x" * 65_537) as answer:
        assert answer.status == 413 and "limit 65,536" in await answer.text()
    async with http.post(f"{web.url}/r/ops", data=b"x" * (4 * 65_536 + 1)) as answer:
        assert answer.status == 413 and "262144" in await answer.text()


async def test_bodies_that_are_being_read_have_a_common_bound(web: Running, http: aiohttp.ClientSession) -> None:
    pastes = web.chat.hub.pastes
    pastes.reserve(HALF_TYPED_BYTES - 20_000)
    async with http.post(f"{web.url}/r/ops?nick=ci", data=b"x" * 60_000) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (503, "busy")
    async with http.post(f"{web.url}/r/ops?nick=ci", data=b"x" * 16_000) as answer:
        assert answer.status == 201
    assert pastes.used == HALF_TYPED_BYTES - 20_000


async def test_a_chunked_body_is_measured_while_it_is_read(web: Running) -> None:
    head = b"POST /r/ops HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await web.send(head + (b"1000\r\n" + b"x" * 0x1000 + b"\r\n") * 70 + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", ["/r/ops", "/nowhere", "/admin/login"])
async def test_a_compressed_body_is_refused_unread(web: Running, http: aiohttp.ClientSession, path: str) -> None:
    headers = {"Content-Encoding": "gzip"}
    async with http.post(web.url + path, data=gzip.compress(b"0" * 1_000_000), headers=headers) as answer:
        assert answer.status == 415


async def test_a_slow_body_is_cut(start: Start) -> None:
    web = await start(body_deadline=0.05)
    answer = await web.send(b"POST /r/ops HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nslow")
    assert answer == b""


async def test_a_slow_header_is_cut(start: Start) -> None:
    web = await start(header_deadline=0.05)
    assert await web.send(b"GET / HTTP/1.1\r\nHost: loc") == b""
    assert web.lost == ["127.0.0.1"]


async def test_a_reader_that_takes_no_answer_is_cut(start: Start) -> None:
    web = await start(answer_deadline=0.05)
    await web.chat.post("ops", "a", *["x" * 4000] * 300)
    _, writer = await web.talk()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b"GET /r/ops/messages HTTP/1.1\r\nHost: localhost\r\n\r\n" * 30)
    async with asyncio.timeout(PATIENCE):
        while not web.lost:
            await asyncio.sleep(0.01)
    writer.transport.abort()


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_a_foreign_page_cannot_post(web: Running, http: aiohttp.ClientSession, headers: dict[str, str]) -> None:
    async with http.post(f"{web.url}/r/ops", data="x", headers=headers) as answer:
        assert answer.status == 403
    assert await web.chat.texts("ops") == []


async def test_a_refusal_has_its_status_and_when_to_come_back(web: Running, http: aiohttp.ClientSession) -> None:
    web.chat.hub.limit(Limits(messages_per_second=0.1, burst=1))
    async with http.post(f"{web.url}/r/ops?nick=ci", data="1") as answer:
        assert answer.status == 201
    async with http.post(f"{web.url}/r/ops?nick=ci", data="2") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "10")
        assert (await answer.json())["error"]["code"] == "rate_limited"


async def test_history_is_paged_both_ways(web: Running, http: aiohttp.ClientSession) -> None:
    await web.chat.post("ops", "ana", *(f"m{number}" for number in range(1, 8)))
    async with http.get(f"{web.url}/r/ops/messages") as answer:
        epoch = (await answer.json())["epoch"]

    async def seqs(query: str) -> tuple[list[int], bool]:
        async with http.get(f"{web.url}/r/ops/messages{query}") as answer:
            page = await answer.json()
            return [message["seq"] for message in page["messages"]], page["more"]

    assert await seqs("") == ([1, 2, 3, 4, 5, 6, 7], False)
    assert await seqs("?limit=2") == ([6, 7], True)
    assert await seqs("?before=6&limit=2") == ([4, 5], True)
    assert await seqs("?after=2&limit=2") == ([3, 4], True)
    assert await seqs(f"?epoch={epoch}&after=6") == ([7], False)


@pytest.mark.parametrize(
    ("query", "seqs", "more"),
    [
        ("around=4&limit=3", [3, 4, 5], True),
        ("around=1&limit=3", [1, 2, 3], False),
        ("around=9&limit=3", [7, 8, 9], True),
        ("around=999&limit=3", [7, 8, 9], True),
        ("around=0&limit=300", [1, 2, 3, 4, 5, 6, 7, 8, 9], False),
        ("around=5&limit=1", [5], True),
    ],
)
async def test_a_permalink_shows_what_stands_around_its_message(
    web: Running, http: aiohttp.ClientSession, query: str, seqs: list[int], more: bool
) -> None:
    await web.chat.post("ops", "ana", *(f"m{number}" for number in range(1, 10)))
    async with http.get(f"{web.url}/r/ops/messages?{query}") as answer:
        page = await answer.json()
    assert ([each["seq"] for each in page["messages"]], page["more"]) == (seqs, more)
    assert (page["first"], page["head"]) == (1, 9)


@pytest.mark.parametrize("query", ["around=1&after=1", "at=1&around=1", "before=3&at=0"])
async def test_only_one_place_is_asked_for(web: Running, http: aiohttp.ClientSession, query: str) -> None:
    await web.chat.post("ops", "ana", "m1")
    async with http.get(f"{web.url}/r/ops/messages?{query}") as answer:
        assert answer.status == 400


async def test_a_message_of_the_history_is_the_protocols_object(web: Running, http: aiohttp.ClientSession) -> None:
    await web.chat.post("ops", "ana", "hi")
    async with http.get(f"{web.url}/r/ops/messages") as answer:
        page = await answer.json()
    (message,) = page["messages"]
    assert page.keys() == {"room", "epoch", "messages", "more"}
    assert message.pop("ts") > 1_790_000_000_000
    assert message == {
        "type": "msg", "room": "ops", "seq": 1, "nick": "ana", "door": "http", "kind": "say", "text": "hi"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/r/nowhere/messages", 404, "no_such_room"),
        ("/r/*/messages", 400, "room_invalid"),
        ("/r/ops/messages?epoch=another", 409, "epoch_changed"),
        ("/r/ops/messages?after=x", 400, "bad_message"),
        ("/r/ops/messages?after=-1", 400, "bad_message"),
        ("/r/ops/messages?after=9223372036854775808", 400, "bad_message"),
        ("/r/ops/messages?limit=0", 400, "bad_message"),
        ("/r/ops/messages?around=x", 400, "bad_message"),
        ("/r/ops/messages?around=1&epoch=another", 409, "epoch_changed"),
        ("/r/nowhere/messages?around=1", 404, "no_such_room"),
        ("/r/nowhere/messages?at=1", 404, "no_such_room"),
        ("/nothing/here", 404, "not_found"),
        ("/static/../../etc/passwd", 404, "not_found"),
    ],
)
async def test_what_cannot_be_read(
    web: Running, http: aiohttp.ClientSession, path: str, status: int, code: str
) -> None:
    await web.chat.post("ops", "ana", "hi")
    async with http.get(web.url + path) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["code"] == code


async def test_rooms_are_listed(web: Running, http: aiohttp.ClientSession) -> None:
    await web.chat.post("ops", "ana", "hi")
    async with http.get(f"{web.url}/rooms") as answer:
        lobby, ops = await answer.json()
    assert lobby == {"room": "lobby", "topic": "", "count": 0, "head": 0, "last_ts": None}
    assert abs(ops.pop("last_ts") - time.time() * 1000) < 60_000
    assert ops == {"room": "ops", "topic": "", "count": 0, "head": 1}


async def test_ready_says_why_not(start: Start, http: aiohttp.ClientSession) -> None:
    web = await start(ready=lambda: Refusal(Code.STORAGE, "the journal is full"))
    async with http.get(f"{web.url}/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json())["error"] == {"code": "storage", "text": "the journal is full"}
    async with http.get(f"{web.url}/healthz", headers={"Host": "probe.internal"}) as answer:
        assert answer.status == 200


async def test_stopping_ends_idle_connections_and_finishes_requests(web: Running) -> None:
    reader, writer = await web.talk()
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"}\n")
    await web.door.stop()
    assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
    await eventually(lambda: web.lost == ["127.0.0.1"])
    writer.close()


async def test_readyz_is_503_while_nothing_can_be_stored(
    web: Running, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(web.chat.hub.journal, "append", lambda batch, done: done(JournalError("the disk is full")))
        async with http.get(f"{web.url}/readyz") as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (503, "storage")
    async with http.get(f"{web.url}/readyz") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Content-Encoding": "gzip"}])
async def test_a_refusal_before_any_route_has_the_headers_of_every_answer(
    web: Running, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    async with http.post(f"{web.url}/r/ops", data=b"x", headers=headers) as answer:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "aiohttp" not in answer.headers.get("Server", "")
