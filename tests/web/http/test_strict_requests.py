"""What the checker of requests lets through, whole or in pieces, and what is said of a head that is too large."""

import json

import pytest

from gateway.web.http.strict_requests import StrictRequests
from tests.web.running_door import Running

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
