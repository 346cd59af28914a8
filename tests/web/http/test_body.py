"""Bodies of requests: their size, their charset, their encoding."""

import pytest

from gateway.core.sessions.rate_limit import Limits
from tests.web.running_door import Running


def post(body: bytes, *headers: str) -> bytes:
    """A post to a room."""
    lines = "".join(f"{header}\r\n" for header in ("Host: localhost", "Connection: close", *headers))
    return f"POST /r/ops HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Content-Encoding: gzip", 415),
        ("Content-Encoding: identity, gzip", 415),
        ("Content-Encoding: identity\r\nContent-Encoding: br", 415),
        ("Content-Encoding: identity", 201),
        ("Content-Encoding: ", 201),
        ("Content-Type: multipart/form-data; boundary=x", 415),
        ("Content-Type: MULTIPART/mixed", 415),
        ("Content-Type: text/plain; charset=klingon", 415),
        ("Content-Type: text/plain; charset=unicode_escape", 415),
        ('Content-Type: text/plain; charset="UTF-8"', 201),
        ("Content-Type: nonsense", 201),
    ],
)
async def test_what_a_body_says_of_itself(web: Running, header: str, status: int) -> None:
    answer = await web.send(post(b"hi", header))
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer


async def test_a_body_one_byte_too_long_is_refused_by_its_length_and_by_its_bytes(web: Running) -> None:
    size = 4 * Limits().paste_bytes + 1
    assert (await web.send(post(b"x" * size))).startswith(b"HTTP/1.1 413 ")
    chunked = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    assert (await web.send(chunked + b"%x\r\n" % size + b"x" * size)).startswith(b"HTTP/1.1 413 ")
