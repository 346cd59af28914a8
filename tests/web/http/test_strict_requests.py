"""Which upgrades are taken: whole, clean, from our own page, and to a name of ours."""

import json

import pytest

from gateway.web.http.strict_requests import StrictRequests
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


TOO_LARGE = {
    "cookies that have piled up": (b"GET /rooms HTTP/1.1\r\nHost: localhost\r\nCookie: a=" + b"x" * 9000, 431),
    "too many of them": (b"GET / HTTP/1.1\r\nHost: localhost" + b"\r\nCookie: " + (b"x" * 8000 + b"\r\nA: ") * 9, 431),
    "an address without end": (b"GET /?" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost", 414),
}


@pytest.mark.parametrize("name", TOO_LARGE)
async def test_a_value_that_is_too_large_is_named(web: Running, name: str) -> None:
    """A bare 400 for cookies that have grown makes people look for other faults."""
    request, status = TOO_LARGE[name]
    head, _, body = (await web.send(request + b"\r\n\r\n")).partition(b"\r\n\r\n")
    assert head[8:13] == f" {status} ".encode()
    told = json.loads(body)["error"]
    assert told["code"] == "too_long"
    assert ("delete those of this site" in told["text"]) is (status == 431)


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


HEADS = (
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
    b"POST /r/x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /r/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: a, keep-alive\r\n\r\n",
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 61, 1000])
def test_heads_that_come_whole_are_read_as_those_that_come_in_pieces(size: int) -> None:
    data = b"".join(HEADS) + b"GET / HTTP/1.1\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nanything"
    watch = StrictRequests()
    assert sum(watch.feed(data[at : at + size]) for at in range(0, len(data), size)) == len(data)
    assert (watch.over, watch.broken, watch.done, watch.lines) == (True, False, False, 25)


@pytest.mark.parametrize(
    "wrong",
    [b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"Content-Length: 1\r\nContent-Length: 1", b"X: y\nZ: z",
     b"Transfer-Encoding: gzip", b"Content-Length: +1"],
)  # fmt: skip
def test_a_wrong_head_that_comes_whole_is_broken_behind_a_right_one(wrong: bytes) -> None:
    watch = StrictRequests()
    good = watch.feed(HEADS[0] + b"POST / HTTP/1.1\r\n" + wrong + b"\r\n\r\n")
    assert watch.broken
    assert good >= len(HEADS[0])
