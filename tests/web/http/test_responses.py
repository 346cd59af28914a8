"""Why a WebSocket ended, as the hub counts it; and what a rejected peer reads."""

import struct

import pytest
from multidict import MultiMapping
from websockets.asyncio.client import connect
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from gateway.core.protocol.close_reason import CloseReason
from gateway.web.http.reject import refusal
from tests.fakes import eventually
from tests.web.http.test_strict_frames import BROKEN
from tests.web.running_door import Running, Start, client_frame

WORDS = "try again in 30 s"
BY_CODE = {1000: {CloseReason.LEFT}, 1002: {CloseReason.BAD_FRAME}, 1003: {CloseReason.BINARY},
           1007: {CloseReason.BAD_UTF8}, 1008: {CloseReason.FRAGMENTS}, 1009: {CloseReason.TOO_BIG}}  # fmt: skip


async def ending(web: Running) -> CloseReason:
    """Why the only WebSocket ended."""
    await eventually(lambda: web.chat.hub.stats.closed.last)
    return web.chat.hub.stats.closed.last[0].closing


@pytest.mark.parametrize("name", BROKEN)
async def test_what_breaks_a_rule_is_counted_as_that(web: Running, name: str) -> None:
    data, code = BROKEN[name]
    _, writer = await web.upgraded()
    writer.write(data)
    assert await ending(web) in BY_CODE[code]
    writer.close()


async def test_a_connection_that_ends_without_a_close_frame_is_lost(web: Running) -> None:
    _, writer = await web.upgraded()
    await eventually(lambda: web.chat.sessions)
    writer.close()
    assert await ending(web) is CloseReason.LOST


async def test_a_reset_connection_is_lost(web: Running) -> None:
    _, writer = await web.upgraded()
    await eventually(lambda: web.chat.sessions)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER
    writer.transport.abort()
    assert await ending(web) is CloseReason.LOST


async def test_a_page_that_is_left_says_so_with_a_close_frame(web: Running) -> None:
    _, writer = await web.upgraded()
    writer.write(client_frame(8, (1001).to_bytes(2, "big")))
    assert await ending(web) is CloseReason.LEFT
    writer.close()


async def test_a_peer_without_hello_is_closed(start: Start) -> None:
    web = await start(hello_deadline=0.1)
    async with connect(web.ws) as browser:
        assert await ending(web) is CloseReason.NO_HELLO
        await browser.wait_closed()
    assert (browser.close_code, browser.close_reason) == (1008, "no_hello: hello comes first")


async def test_a_peer_that_does_not_answer_pings_is_closed(start: Start) -> None:
    web = await start(ping_every=0.1, pong_within=0.1)
    _, writer = await web.upgraded()
    assert await ending(web) is CloseReason.NO_PONG
    writer.close()


async def test_our_own_failure_is_counted_as_ours(web: Running, expected_errors: list[str]) -> None:
    expected_errors.append("a WebSocket failed")
    async with connect(web.ws) as browser:
        await browser.send("raise")
        assert await ending(web) is CloseReason.FAILED
        await browser.wait_closed()
    assert browser.close_code == 1011


async def test_a_stopped_door_is_counted_as_going_away(start: Start) -> None:
    web = await start()
    async with connect(web.ws):
        await eventually(lambda: web.chat.sessions)
        await web.door.stop()
        assert await ending(web) is CloseReason.GOING_AWAY


# Not let in

FRIEND = "https://app.example"


def shared(headers: MultiMapping[str]) -> str | None:
    """The rule for origins of a gateway that has one configured."""
    return FRIEND if headers.get("Origin") == FRIEND else None


def turned_away(request: bytes, closing: CloseReason = CloseReason.FULL, last: bool = True) -> bytes | None:
    return refusal(request, last, closing, WORDS, shared)


def browser_of(*protocols: str) -> tuple[ClientProtocol, bytes]:
    """A foreign client without a socket, and its upgrade."""
    client = ClientProtocol(parse_uri("ws://127.0.0.1/ws"), subprotocols=list(protocols) or None)  # type: ignore[arg-type]
    client.send_request(client.connect())
    return client, b"".join(client.data_to_send())


@pytest.mark.parametrize(
    ("closing", "code", "told"),
    [(CloseReason.FULL, 4013, '"retry_ms":3'), (CloseReason.TOO_MANY, 4504, '"code":4504')],
)
def test_a_refused_upgrade_is_closed_with_its_code(closing: CloseReason, code: int, told: str) -> None:
    client, request = browser_of("chat.v1.json")
    client.receive_data(turned_away(request, closing, last=False) or b"")
    client.receive_eof()
    _, bye, farewell = client.events_received()
    assert told in bye.data.decode()  # type: ignore[union-attr]
    assert farewell.data == code.to_bytes(2, "big") + b"full: " + WORDS.encode()  # type: ignore[union-attr]
    assert client.subprotocol == "chat.v1.json"


def test_a_refused_upgrade_to_lines_reads_a_line() -> None:
    client, request = browser_of("chat.v1.text")
    client.receive_data(turned_away(request, CloseReason.FULL, last=False) or b"")
    _, bye, _ = client.events_received()
    assert bye.data.rstrip() == f"!! full: {WORDS}".encode()  # type: ignore[union-attr]


def test_the_head_of_a_request_is_waited_for() -> None:
    _, request = browser_of()
    answers = [turned_away(request[:size], CloseReason.FULL, last=False) for size in range(len(request))]
    assert set(answers) == {None}


LINE = f"!! full: {WORDS}\n".encode()
PAGE = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    b'<meta name="color-scheme" content="light dark"><meta http-equiv="refresh" content="30">'
    b"<title>Not now \xc2\xb7 gateway</title><h1>Not now</h1><p>%s</p><p>This page tries again by itself.</p>\n"
) % WORDS.encode()
OBJECT = b'{"error":{"code":"full","text":"%s"}}\n' % WORDS.encode()


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (b"", OBJECT),
        (b"GET / HTTP/1.1\r\n\r\n", OBJECT),
        (b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", OBJECT),
        (b"GET /rooms HTTP/1.1\r\nAccept: text/html, application/json\r\n\r\n", OBJECT),
        (b"GET /rooms HTTP/1.1\r\nUser-Agent: curl/8.1\r\nAccept: */*\r\n\r\n", LINE),
        (b"GET / HTTP/1.1\r\nAccept: text/html\r\n\r\n", PAGE),
    ],
)
def test_everybody_else_reads_an_error_in_the_askers_own_language(request_: bytes, body: bytes) -> None:
    answer = turned_away(request_, CloseReason.FULL, last=True) or b""
    assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 30\r\n" in answer
    assert answer.partition(b"\r\n\r\n")[2] == body


@pytest.mark.parametrize(
    ("accept", "body"),
    [
        ("Accept: application/json;q=0, text/html", PAGE),
        ("Accept: text/html\r\nAccept: application/problem+json", OBJECT),
        ("Accept: text/html;q=0", OBJECT),
        ("Accept: application/jsonp, text/html", PAGE),
        ("X-Accept: application/json\r\nAccept: text/html", PAGE),
    ],
)
def test_what_is_accepted_is_read_as_a_list(accept: str, body: bytes) -> None:
    answer = turned_away(f"GET / HTTP/1.1\r\n{accept}\r\n\r\n".encode()) or b""
    assert answer.partition(b"\r\n\r\n")[2] == body


def test_an_offer_over_two_headers_is_one_list() -> None:
    _, request = browser_of("chat.v2", "chat.v1.text")
    assert request.count(b"chat.v2, chat.v1.text") == 1
    apart = request.replace(b"chat.v2, chat.v1.text", b"chat.v2\r\nSec-WebSocket-Protocol: chat.v1.text")
    assert b"Sec-WebSocket-Protocol: chat.v1.text\r\n" in (turned_away(apart) or b"")


@pytest.mark.parametrize("path", ["/r/lobby/events", "/chat/r/lobby/events?after=abcdefgh:1"])
def test_an_event_source_that_is_not_let_in_now_comes_back(path: str) -> None:
    answer = (
        turned_away(f"GET {path} HTTP/1.1\r\nAccept: text/event-stream\r\nOrigin: {FRIEND}\r\n\r\n".encode()) or b""
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and b"Content-Type: text/event-stream" in head
    assert b"Vary: Origin" in head and f"Access-Control-Allow-Origin: {FRIEND}".encode() in head
    assert body.startswith(b"retry: 3") and b"event: bye\ndata: {" in body and b'"code":4013' in body


def test_an_event_source_that_is_banned_does_not() -> None:
    request = b"GET /r/lobby/events HTTP/1.1\r\nAccept: text/event-stream\r\n\r\n"
    assert (turned_away(request, CloseReason.BANNED) or b"").startswith(b"HTTP/1.1 403 ")


def test_an_upgrade_below_a_path_is_one_too() -> None:
    _, request = browser_of()
    below = request.replace(b"GET /ws ", b"GET /chat/ws?x=1 ")
    assert (turned_away(below) or b"").startswith(b"HTTP/1.1 101 ")
