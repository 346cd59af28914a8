"""HTTP byte for byte: a request that two parsers may read in two ways is refused, and nothing after it is served."""

import socket
import time
import zlib

import pytest

from tests.bridge.canary import canary
from tests.bridge.gateways import Gateway
from tests.bridge.peers import HOST, SECONDS, history, request

POST = b"POST /r/{room} HTTP/1.1\r\nHost: localhost\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
SECOND = b"POST /r/{room} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nsmuggled"


def posting(framing: bytes, body: bytes = b"hi") -> bytes:
    return POST + framing + b"\r\n" + body + SECOND


def chunked(body: bytes) -> bytes:
    return posting(b"Transfer-Encoding: chunked\r\n", body)


def getting(line: bytes) -> bytes:
    return GET + line + b"\r\n" + SECOND


def asking(request_line: bytes) -> bytes:
    return request_line + b"\r\nHost: localhost\r\n\r\n" + SECOND


BROKEN = {
    "length and chunks": posting(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "chunks and length": posting(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"),
    "two lengths": posting(b"Content-Length: 2\r\nContent-Length: 3\r\n"),
    "twice the same length": posting(b"Content-Length: 2\r\nContent-Length: 2\r\n"),
    "a list of lengths": posting(b"Content-Length: 2, 2\r\n"),
    "+2": posting(b"Content-Length: +2\r\n"),
    "-2": posting(b"Content-Length: -2\r\n"),
    "0x2": posting(b"Content-Length: 0x2\r\n"),
    "2.0": posting(b"Content-Length: 2.0\r\n"),
    "0_2": posting(b"Content-Length: 0_2\r\n"),
    "no length": posting(b"Content-Length: \r\n"),
    "a length in Arabic digits": posting("Content-Length: \u0662\r\n".encode()),
    "2^64 and more": posting(b"Content-Length: 18446744073709551618\r\n"),
    "gzip, chunked": posting(b"Transfer-Encoding: gzip, chunked\r\n", b"2\r\nhi\r\n0\r\n\r\n"),
    "chunked, gzip": posting(b"Transfer-Encoding: chunked, gzip\r\n", b"2\r\nhi\r\n0\r\n\r\n"),
    "chunked twice": posting(b"Transfer-Encoding: chunked\r\n" * 2, b"2\r\nhi\r\n0\r\n\r\n"),
    "chunked, chunked": posting(b"Transfer-Encoding: chunked, chunked\r\n", b"2\r\nhi\r\n0\r\n\r\n"),
    "chunked after a vertical tab": posting(b"Transfer-Encoding: \x0bchunked\r\n", b"2\r\nhi\r\n0\r\n\r\n"),
    "identity": posting(b"Transfer-Encoding: identity\r\n", b""),
    "xchunked": posting(b"Transfer-Encoding: xchunked\r\n", b"2\r\nhi\r\n0\r\n\r\n"),
    "chunked in HTTP/1.0": chunked(b"2\r\nhi\r\n0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "chunk 0x2": chunked(b"0x2\r\nhi\r\n0\r\n\r\n"),
    "chunk +2": chunked(b"+2\r\nhi\r\n0\r\n\r\n"),
    "chunk -2": chunked(b"-2\r\nhi\r\n0\r\n\r\n"),
    "chunk 2 and a space": chunked(b"2 \r\nhi\r\n0\r\n\r\n"),
    "chunk without a size": chunked(b"\r\nhi\r\n0\r\n\r\n"),
    "chunk size of 17 digits": chunked(b"00000000000000002\r\nhi\r\n0\r\n\r\n"),
    "chunk size of 2^64 + 2": chunked(b"10000000000000002\r\nhi\r\n0\r\n\r\n"),
    "chunk size of 2^64 - 1": chunked(b"ffffffffffffffff\r\nhi\r\n0\r\n\r\n"),
    "line feed in a chunk extension": chunked(b'2;ext="\n"\r\nhi\r\n0\r\n\r\n'),
    "huge chunk extension": chunked(b"2;" + b"a" * 50_000 + b"\r\nhi\r\n0\r\n\r\n"),
    "bare line feeds between chunks": chunked(b"2\nhi\n0\n\n"),
    "bare line feed after a chunk": chunked(b"2\r\nhi\n0\r\n\r\n"),
    "more in a chunk than its size": chunked(b"2\r\nhixx\r\n0\r\n\r\n"),
    "a length in the trailer": chunked(b"2\r\nhi\r\n0\r\nContent-Length: 3\r\n\r\n"),
    "endless trailers": chunked(b"2\r\nhi\r\n0\r\n" + b"X: y\r\n" * 5000 + b"\r\n"),
    "space before the colon": getting(b"X : y\r\n"),
    "tab before the colon": getting(b"X\t: y\r\n"),
    "a length with a space before its colon": posting(b"Content-Length : 2\r\n"),
    "a folded line": getting(b"X: y\r\n z\r\n"),
    "a line that begins with a space": getting(b" X: y\r\n"),
    "NUL in a value": getting(b"X: y\0z\r\n"),
    "CR in a value": getting(b"X: y\rz\r\n"),
    "ESC in a value": getting(b"X: \x1b[2J\r\n"),
    "a bare line feed": getting(b"X: y\nZ: a\r\n"),
    "no colon": getting(b"Xy\r\n"),
    "no name": getting(b": y\r\n"),
    "a name of no token": getting(b"X(: y\r\n"),
    "a name of no ASCII": getting(b"X\xff: y\r\n"),
    "two hosts": getting(b"Host: localhost\r\n"),
    "130 headers": getting(b"".join(b"X%d: y\r\n" % number for number in range(130))),
    "a header of 9000 bytes": getting(b"X: " + b"a" * 9000 + b"\r\n"),
    "line feeds only": asking(b"GET /healthz HTTP/1.1").replace(b"\r\n", b"\n"),
    "HTTP/2.0": asking(b"GET /healthz HTTP/2.0"),
    "HTTP/1.2": asking(b"GET /healthz HTTP/1.2"),
    "HTTP/0.9": asking(b"GET /healthz HTTP/0.9"),
    "HTTP/1.10": asking(b"GET /healthz HTTP/1.10"),
    "http/1.1": asking(b"GET /healthz http/1.1"),
    "no version": asking(b"GET /healthz"),
    "RTSP": asking(b"GET /healthz RTSP/1.0"),
    "two spaces": asking(b"GET  /healthz HTTP/1.1"),
    "a tab for a space": asking(b"GET\t/healthz\tHTTP/1.1"),
    "a space at the end": asking(b"GET /healthz HTTP/1.1 "),
    "get": asking(b"get /healthz HTTP/1.1"),
    "CONNECT": asking(b"CONNECT localhost:80 HTTP/1.1"),
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SECOND,
    "a path without a slash": asking(b"GET healthz HTTP/1.1"),
    "a fragment": asking(b"GET /healthz#a HTTP/1.1"),
    "NUL in the path": asking(b"GET /\0 HTTP/1.1"),
    "ESC in the path": asking(b"GET /\x1b[2J HTTP/1.1"),
    "an upgrade with a body": getting(
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 40\r\n"
    ).replace(b"/healthz", b"/ws", 1),
    "an upgrade of HTTP/1.0": getting(
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    ).replace(b"/healthz HTTP/1.1", b"/ws HTTP/1.0", 1),
}
WHOLE = {
    "a length with zeros in front": (posting(b"Content-Length: 002\r\n")[: -len(SECOND)], b" 201 "),
    "CHUNKED": (posting(b"Transfer-Encoding: CHUNKED\r\n", b"2\r\nhi\r\n0\r\n\r\n")[: -len(SECOND)], b" 201 "),
    "chunks of a byte": (chunked(b"1\r\nh\r\n1\r\ni\r\n0\r\n\r\n")[: -len(SECOND)], b" 201 "),
    "a chunk extension": (chunked(b"2;a=b\r\nhi\r\n0\r\n\r\n")[: -len(SECOND)], b" 201 "),
    "a trailer": (chunked(b"2\r\nhi\r\n0\r\nX: y\r\n\r\n")[: -len(SECOND)], b" 201 "),
    "empty lines in front": (b"\r\n\r\n" + GET + b"\r\n", b" 200 "),
    "its own whole address": (asking(b"GET http://localhost/healthz HTTP/1.1")[: -len(SECOND)], b" 200 "),
    "120 headers": (GET + b"".join(b"X%d: y\r\n" % number for number in range(120)) + b"\r\n", b" 200 "),
    "an answer may be expected first": (
        posting(b"Expect: 100-continue\r\nContent-Length: 2\r\n")[: -len(SECOND)],
        b" 100 ",
    ),
}


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """A room of the case's own."""
    return f"r{zlib.crc32(request.node.name.encode()):x}"


@pytest.fixture(scope="module", autouse=True)
def others_do_not_notice(shared: Gateway) -> object:
    """A canary runs during the whole file."""
    with canary(shared.tcp, shared.web) as bird:
        yield bird


def answer(port: int, *pieces: bytes) -> bytes:
    """What comes first after sending these, up to the end of a head."""
    with socket.create_connection((HOST, port), SECONDS) as sock:
        found = b""
        try:
            for piece in pieces:
                sock.sendall(piece)
            while b"\r\n\r\n" not in found and (more := sock.recv(65536)):
                found += more
        except (ConnectionResetError, BrokenPipeError):
            pass
        return found


@pytest.mark.parametrize("name", BROKEN)
def test_what_may_be_read_in_two_ways_is_refused_and_the_rest_not_served(shared: Gateway, name: str, room: str) -> None:
    found = answer(shared.web, BROKEN[name].replace(b"{room}", room.encode()))

    assert found[8:13] == (b" 431 " if name == "a header of 9000 bytes" else b" 400 "), found
    assert "smuggled" not in [message["text"] for message in messages(shared, room)]


def messages(gateway: Gateway, room: str) -> list[dict[str, object]]:
    """What the room holds; nothing where nobody has made it."""
    if request(gateway.web, "GET", f"/r/{room}/messages").status == 404:
        return []
    return history(gateway.web, room)


CUT = ["+2", "chunk 0x2", "two lengths", "gzip, chunked", "HTTP/2.0", "chunk size of 17 digits",
       "more in a chunk than its size", "a length in the trailer"]  # fmt: skip


@pytest.mark.parametrize("name", CUT)
def test_the_same_cut_at_any_byte(shared: Gateway, name: str, room: str) -> None:
    data = BROKEN[name].replace(b"{room}", room.encode())
    broken_at = len(data) - len(SECOND)
    socks = []
    for cut in range(broken_at - 24, broken_at, 3):
        sock = socket.create_connection((HOST, shared.web), SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(data[:cut])
        socks.append((sock, data[cut:]))
    time.sleep(0.05)
    for sock, rest in socks:
        with sock:
            sock.sendall(rest)
            assert sock.recv(65536)[8:13] == b" 400 "
    assert "smuggled" not in [message["text"] for message in messages(shared, room)]


@pytest.mark.parametrize("name", WHOLE)
def test_what_has_one_meaning_is_served(shared: Gateway, name: str, room: str) -> None:
    data, status = WHOLE[name]

    assert answer(shared.web, data.replace(b"{room}", room.encode()))[8:13] == status


@pytest.mark.parametrize(
    "target", [b"http://evil.example/rooms", b"http://a@localhost/rooms", b"https://localhost:1/rooms"]
)
def test_an_address_that_is_not_the_hosts_is_refused(shared: Gateway, target: bytes) -> None:
    assert answer(shared.web, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")[8:13] == b" 400 "


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"identity\r\nContent-Encoding: gzip", b"x"])
@pytest.mark.parametrize("path", [b"/r/room", b"/nowhere", b"/admin/login"])
def test_no_body_is_inflated_wherever_it_goes(shared: Gateway, path: bytes, encoding: bytes) -> None:
    head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: " + encoding

    assert answer(shared.web, head + b"\r\nContent-Length: 3\r\n\r\nabc")[8:13] == b" 415 "


@pytest.mark.parametrize(
    "path",
    ["/static/../../etc/passwd", "/static/%2e%2e%2f%2e%2e%2fetc/passwd", "/static/..%5c..%5cx", "/static/x/%00", "//x",
     "/static/x/%252e%252e%252fapp.py", "/static//etc/passwd", "/static/x/../../app.py", "/..;/app.py"],
)  # fmt: skip
def test_no_path_leads_out_of_the_static_files(shared: Gateway, path: str) -> None:
    found = answer(shared.web, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert found[8:13] in (b" 404 ", b" 400 ") and b"root:" not in found


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "X-Forwarded-Host"])
def test_what_a_stranger_forwards_is_not_believed(shared: Gateway, name: str) -> None:
    head = f"GET /rooms HTTP/1.1\r\nHost: attacker.example\r\n{name}: localhost\r\n\r\n"

    assert answer(shared.web, head.encode())[8:13] == b" 403 "


def test_a_body_that_breaks_after_its_answer_is_no_failure_of_ours(shared: Gateway) -> None:
    head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((HOST, shared.web), SECONDS) as sock:
        sock.sendall(head)
        assert sock.recv(65536)[8:13] == b" 404 "
        sock.sendall(b"zz\r\n" + SECOND)
        assert b"201" not in sock.recv(65536)
