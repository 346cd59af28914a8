"""Which upgrades are taken: whole, clean, from our own page, and to a name of ours. And that the reader of whole heads
reads nothing that aiohttp would read otherwise."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.http import HttpRequestParser
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

from gateway.errors import Refusal
from gateway.web.http.origin_policy import OriginPolicy
from gateway.web.http.strict_requests import (
    HEADERS_LIMIT,
    RequestHead,
    UpgradeHeads,
    accept_of,
    check_upgrade,
    read_head,
)
from tests.web.running_door import Running, Start

REFUSED = {
    "no upgrade at all": ({"Upgrade": "", "Connection": ""}, 426),
    "version 8": ({"Sec_WebSocket_Version": "8"}, 426),
    "version 99": ({"Sec_WebSocket_Version": "99"}, 426),
    "no version": ({"Sec_WebSocket_Version": ""}, 400),
    "no key": ({"Sec_WebSocket_Key": ""}, 400),
    "short key": ({"Sec_WebSocket_Key": "YWJj"}, 400),
    "key that is no base64": ({"Sec_WebSocket_Key": "*" * 24}, 400),
    "key that is no ASCII": ({"Sec_WebSocket_Key": "\u00e9" * 12}, 400),
    "keep-alive only": ({"Connection": "keep-alive"}, 400),
    "another upgrade": ({"Upgrade": "h2c"}, 400),
    "another upgrade beside it": ({"Upgrade": "h2c, websocket"}, 400),
    "evil origin": ({"Origin": "https://evil.example"}, 403),
    "null origin": ({"Origin": "null"}, 403),
    "origin with our name in front": ({"Origin": "http://127.0.0.1.evil.example"}, 403),
    "origin on another port": ({"Origin": "http://127.0.0.1:1"}, 403),
    "cookie without origin": ({"Cookie": "a=b"}, 403),
    "foreign host": ({"Host": "attacker.example"}, 403),
    "foreign host and origin": ({"Host": "attacker.example", "Origin": "http://attacker.example"}, 403),
    "no host": ({"Host": ""}, 400),
    "host that is none": ({"Host": "a b"}, 400),
    "a huge header": ({"X_Big": "x" * 8000, "X_Bigger": "x" * 8000, "X_More": "x" * 8000}, 413),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_upgrade_is_refused(web: Running, name: str) -> None:
    headers, status = REFUSED[name]
    answer = await web.send(web.upgrade(**headers))
    assert answer[8:13] == f" {status} ".encode(), answer
    assert status != 426 or b"Sec-WebSocket-Version: 13" in answer


TAKEN = {
    "localhost": {"Host": "localhost:8080"},
    "a name with its port and origin": {"Host": "Chat.Example:8080", "Origin": "https://chat.example:8080"},
    "the default port": {"Host": "chat.example", "Origin": "http://chat.example:80"},
    "an IPv6 literal": {"Host": "[::1]:8080", "Origin": "http://[::1]:8080", "Cookie": "a=b"},
    "an IPv6 literal with its interface": {"Host": "[fe80::1%25eth0]:8080"},
    "the same as it is typed": {"Host": "[fe80::1%eth0]"},
    "a configured origin": {"Origin": "https://Friend.example"},
    "unknown protocols": {"Sec_WebSocket_Protocol": ", ".join(f"p{n}" for n in range(500))},
}


@pytest.mark.parametrize("name", TAKEN)
async def test_a_good_upgrade_is_taken(start: Start, name: str) -> None:
    web = await start(hosts=["chat.example"], origins=["https://friend.example/"])
    _, writer = await web.upgraded(**TAKEN[name])
    writer.close()


async def test_http_1_0_is_no_upgrade(web: Running) -> None:
    answer = await web.send(web.upgrade().replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert answer.startswith(b"HTTP/1.0 400 ")


async def test_an_upgrade_with_a_body_is_400_and_its_body_no_request(web: Running) -> None:
    inside = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = await web.send(web.upgrade(Content_Length=str(len(inside))) + inside)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_what_follows_a_refused_upgrade_is_no_request(web: Running) -> None:
    answer = await web.send(web.upgrade(Origin="null") + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_post_is_no_upgrade(web: Running) -> None:
    answer = await web.send(web.upgrade().replace(b"GET", b"POST"))
    assert answer.startswith(b"HTTP/1.1 405 ")


HEADS = UpgradeHeads(("/ws", "/chat/ws"))
WHOLE = (
    b"GET /ws?room=ops HTTP/1.1\r\nHost: chat.example:8080\r\nConnection: keep-alive, Upgrade\r\nPragma: no-cache\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nUpgrade: websocket\r\nOrigin:https://chat.example:8080\r\n"
    b'Sec-WebSocket-Version: 13\r\nCookie: a=b; c="d e"\t\r\nSec-WebSocket-Key:\t dGhlIHNhbXBsZSBub25jZQ== \r\n'
    b"Sec-WebSocket-Protocol: chat.v1.json, x\r\nX-Empty:\r\n\r\n"
)
ODD = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b"\0",
        b"\x7f",
        b"\xe9",
        b"#",
        b"?",
        b"%41",
        b",",
        b";",
        b'"',
        b"/",
        b"a",
    ),
    *(b"close", b"GET ", b"HTTP/1.1", b" folded\r\n", b"Upgrade: h2c\r\n", b"Host: x\r\n", b"User-Agent: y\r\n"),
    *(
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Sec-WebSocket-Key1: 1\r\n",
        b"Expect: 100-continue\r\n",
    ),
    *(b"Connection: close\r\n", b"Content-Encoding: gzip\r\n", b"Keep-Alive: 5\r\n", b"Proxy-Connection: x\r\n"),
)
"""What is put into a head at any place."""


def disfigured(rounds: int) -> Iterator[bytes]:
    """Heads with something put in, taken out or doubled, the same in every run."""
    chance = random.Random(20261129)
    for _ in range(rounds):
        data = WHOLE
        for _ in range(chance.randint(1, 2)):
            at = chance.randrange(len(data))
            to = at + chance.choice((0, 0, 1, 3, 20))
            data = data[:at] + chance.choice((b"", data[at:to] * 2, chance.choice(ODD))) + data[to:]
        yield data


async def as_aiohttp_reads_it(data: bytes) -> RequestHead | None:
    """The head of the one request in `data`; None where the parser finds something else."""
    parser: Any = HttpRequestParser(
        Mock(), asyncio.get_running_loop(), 2**16, max_line_size=8190, max_field_size=8190, max_headers=HEADERS_LIMIT
    )
    try:
        messages, _, rest = parser.feed_data(data)
    except HttpProcessingError:
        return None
    if len(messages) != 1 or rest:
        return None
    message = messages[0][0]
    return RequestHead(message.method, message.path, message.version, CIMultiDict(message.headers))


def test_a_whole_head_is_read() -> None:
    found = HEADS.read(WHOLE + b"early")
    assert found is not None
    head, early = found
    assert (head.method, head.raw_path, early) == ("GET", "/ws?room=ops", b"early")
    assert head.version == (1, 1)
    assert head.headers["sec-websocket-key"] == "dGhlIHNhbXBsZSBub25jZQ=="
    assert (head.headers["Origin"], head.headers["X-Empty"]) == ("https://chat.example:8080", "")


@pytest.mark.parametrize("cut", range(1, len(WHOLE), 7))
def test_a_part_of_a_head_is_not_read(cut: int) -> None:
    assert HEADS.read(WHOLE[:cut]) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"/ws?", b"/chat/ws/?"), (b"/ws?", b"/wss?"), (b"/ws?", b"//ws?"), (b"/ws?", b"http://chat.example/ws?"),
     (b"GET", b"get"), (b"GET", b"POST"), (b"HTTP/1.1", b"HTTP/1.0"), (b"Pragma", b"Host"), (b"Pragma", b"upgrade"),
     (b"Pragma", b"Sec-WebSocket-Key1"), (b"no-cache", b"\xe9"), (b"Pragma", b"Pragma "), (b"GET", b"\r\nGET")],
)  # fmt: skip
def test_an_unusual_head_is_left_to_aiohttp(old: bytes, new: bytes) -> None:
    assert HEADS.read(WHOLE.replace(old, new, 1)) is None


@pytest.mark.parametrize(("more", "read"), [(HEADERS_LIMIT, True), (HEADERS_LIMIT + 1, False)])
async def test_as_many_fields_are_read_as_by_aiohttp(more: int, read: bool) -> None:
    fields = b"".join(b"X-%d: x\r\n" % number for number in range(more - WHOLE.count(b"\r\n") + 2))
    data = WHOLE.replace(b"Pragma", fields + b"Pragma")
    assert (HEADS.read(data) is not None) is read
    assert (await as_aiohttp_reads_it(data) is not None) is read


async def test_what_becomes_a_websocket_is_read_by_aiohttp_in_the_same_way() -> None:
    site, taken = OriginPolicy(["chat.example"], [], tls=True), 0
    for data in disfigured(4000):
        found = HEADS.read(data)
        if found is None:
            continue
        head, early = found
        try:
            site.admit(head)
            check_upgrade(head)
            site.check_socket(head)
        except (Refusal, web.HTTPException):
            continue  # aiohttp gets it, and answers
        taken += 1
        assert await as_aiohttp_reads_it(data.removesuffix(early)) == head, data
    assert taken > 400


def test_a_head_is_read_as_far_as_it_has_come() -> None:
    assert read_head(b"") == ("", "", (1, 1), CIMultiDict())
    assert read_head(b"GET /x HTTP/1.0\r\nHost: a\r\nAccep") == ("GET", "/x", (1, 0), CIMultiDict(Host="a", Accep=""))


def test_the_key_of_the_standard_is_answered_as_there() -> None:
    assert accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
