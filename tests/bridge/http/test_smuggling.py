"""Request smuggling: bytes in which one of two HTTP servers in a row sees more requests than the other.

The cases are those of published catalogues (RFC 9112, "HTTP Desync Attacks", http-garden, llhttp's advisories). Behind
each stands a whole second request. A case that somebody might read in another way than we do must get one 400, and the
connection closes; in the others the second request is the second for everybody, or belongs to the first one's body.
"""

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.bridge.gateways import Gateway
from tests.bridge.peers import raw

HOST = "Host: localhost\r\n"
SECOND = "GET /rooms HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"
EMPTY = "0\r\n\r\n"


def post(headers: str, body: str) -> str:
    return f"POST /r/smuggled HTTP/1.1\r\n{HOST}{headers}\r\n\r\n{body}{SECOND}"


def get(line: str, headers: str = HOST) -> str:
    return f"{line}\r\n{headers}\r\n{SECOND}"


CODINGS = (
    "Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", " Transfer-Encoding: chunked",
    "X: X\r\n Transfer-Encoding: chunked", "X: X\nTransfer-Encoding: chunked", "Transfer-Encoding\r\n : chunked",
    "X: X\r\n\rTransfer-Encoding: chunked", "Transfer-Encoding: identity", "Transfer-Encoding: gzip",
    "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: chunked, chunked",
    'Transfer-Encoding: "chunked"', "Transfer-Encoding: chunked;q=0.5", "Transfer-Encoding: chu\0nked",
    "Transfer-Encoding:\x0bchunked", "Transfer-Encoding: chunked\x0b", "Transfer-Encoding: \0chunked",
    "Transfer-Encoding: chunked\r", "Transfer-Encoding\xa0: chunked", "Transfer-Encoding:\xa0chunked",
    "Transfer-Encoding:", "Transfer-Encoding: ,", "Transfer-Encoding: chunked,", "Transfer-Encoding: , chunked",
    "\0Transfer-Encoding: chunked", "Transfer-Encoding: c\xc5\xbfhunked",
    f"{CHUNKED}\r\nTransfer-Encoding: x", f"{CHUNKED}\r\n{CHUNKED}",
)  # fmt: skip
LENGTHS = (
    "Content-Length: 0\r\nContent-Length: 5", "Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5, 5",
    "Content-Length: +5", "Content-Length: -5", "Content-Length: 0x5", "Content-Length: 5_0", "Content-Length: 1e1",
    "Content-Length: 5 5", "Content-Length: \x0b5", "Content-Length: 5\x0b", "Content-Length:\xa05",
    "Content-Length : 5", "Content-Length: 18446744073709551621", "Content-Length: 5;", 'Content-Length: "5"',
    "Content-Length:", "Content-Length: \xd9\xa5", "Content-Length: 5\r\n 0", "\tContent-Length: 5",
    "Content-Length\0: 5", "Content-Length: 5\0",
)  # fmt: skip
CHUNKS = (
    '5;x="a\r\nb"\r\nhello\r\n0\r\n\r\n', "5;\nhello\r\n0\r\n\r\n", "5\nhello\n0\n\n", "5\r\nhello0\r\n\r\n",
    "5\r\nhelloXX0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5\t\r\nhello\r\n0\r\n\r\n", "5_\r\nhello\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n", "fffffffffffffffb\r\nhello\r\n0\r\n\r\n",
    "5\r\r\nhello\r\n0\r\n\r\n", "5\rXhello\r\n0\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "5,5\r\nhello\r\n0\r\n\r\n",
    "5;ext\rhello\r\n0\r\n\r\n", "5 ;x\r\nhello\r\n0\r\n\r\n", "g\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n", f"5\r\nhello\r\n0\r\n{CHUNKED}\r\n\r\n",
    "5\r\nhello\r\n0\r\nX y\r\n\r\n", "5\r\nhello\r\n0\r\n X: y\r\n\r\n", "5\r\nhello\r\n0\nX: y\r\n\r\n",
    "5\r\nhello\r\n0\r\n\n", f"5;{'a' * 300}\r\nhello\r\n0\r\n\r\n",
)  # fmt: skip
LINES = (
    "GET  /rooms HTTP/1.1", "GET /rooms  HTTP/1.1", "GET\t/rooms HTTP/1.1", "GET /rooms HTTP/1.1 ",
    "GET /rooms HTTP/1.2",
    "GET /rooms HTTP/0.9", "GET /rooms HTTP/2.0", "GET /rooms http/1.1", "get /rooms HTTP/1.1", "GET /ro\0oms HTTP/1.1",
    "GET /rooms#f HTTP/1.1", "GET localhost:80 HTTP/1.1", "CONNECT localhost:80 HTTP/1.1", "PRI * HTTP/2.0",
)  # fmt: skip
HEADERS = (
    "X: a\rb", "X: a\0b", "X: a\r\n b", "X", ": x", "X : y", "Host: evil", "Host : localhost", "X\xa0: y", "X: a\nY: b",
)  # fmt: skip
REFUSED = (
    *(post(coding, EMPTY) for coding in CODINGS),
    *(post(f"Content-Length: 5\r\n{coding}", EMPTY) for coding in (*CODINGS, CHUNKED, CHUNKED.upper())),
    *(post(length, "hello") for length in LENGTHS),
    *(post(CHUNKED, chunks) for chunks in CHUNKS),
    *(get(line) for line in LINES),
    *(get("GET /rooms HTTP/1.1", f"{HOST}{header}\r\n") for header in HEADERS),
    f"POST /r/smuggled HTTP/1.0\r\n{HOST}{CHUNKED}\r\n\r\n{EMPTY}{SECOND}",
    f"GET /rooms\r\n{SECOND}",
)
TWO = (
    *(post(f"Content-Length:{five}", "hello") for five in ("5", " 5", "\t5\t", " 05")),
    post("CONTENT-LENGTH: 5", "hello"),
    *(post(coding, EMPTY) for coding in (CHUNKED, CHUNKED.upper(), "Transfer-Encoding:\tchunked")),
    *(post(CHUNKED, f"{size}\r\nhello\r\n{EMPTY}") for size in ("5", "005", "5;x", '5;x="y"')),
    post(CHUNKED, "5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
    get("GET /rooms HTTP/1.1", f"{HOST}Content-Length: {len(SECOND)}\r\n\r\n{SECOND}".removesuffix("\r\n")),
    get("HEAD /rooms HTTP/1.1"),
    get("\r\nGET /rooms HTTP/1.1"),
)
ONE = (
    get("GET /rooms HTTP/1.1", f"{HOST}Connection: close\r\n"),
    get("GET /rooms HTTP/1.1", f"{HOST}Connection: x, CLOSE\r\n"),
    get("GET /rooms HTTP/1.0"),
    post("Connection: close\r\nContent-Length: 5", "hello"),
    post(f"Connection: close\r\n{CHUNKED}", f"5\r\nhello\r\n{EMPTY}"),
    get("GET /rooms HTTP/1.1", f"{HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n"),
)


def statuses(gateway: Gateway, requests: Iterable[str]) -> dict[str, list[int]]:
    """The statuses of all that each connection was answered, until the gateway closed it."""

    def ask(request: str) -> tuple[str, list[int]]:
        answer = raw(gateway.web, request.encode("latin-1"))
        return request, [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]

    with ThreadPoolExecutor(16) as pool:
        return dict(pool.map(ask, requests))


def test_what_could_be_read_in_another_way_gets_one_400_and_nothing_after_it(shared: Gateway) -> None:
    assert {request: found for request, found in statuses(shared, REFUSED).items() if found != [400]} == {}


def test_what_is_clear_is_two_requests(shared: Gateway) -> None:
    assert {request: found for request, found in statuses(shared, TWO).items() if len(found) != 2} == {}


def test_behind_the_last_request_of_a_connection_nothing_is_read(shared: Gateway) -> None:
    found = statuses(shared, ONE)
    assert {request: each for request, each in found.items() if each not in ([200], [201])} == {}
