"""What other programs send, by which other servers were broken: a second set of reports, as tables of bytes. Each row
names where it was reported."""

import pytest

from tests.bridge.gateways import Gateway
from tests.bridge.peers import Browser, Terminal, history, post, raw, request
from tests.fakes import until

END = "Host: 127.0.0.1\r\nConnection: close\r\n\r\n"
UPGRADE = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nHost: 127.0.0.1\r\n\r\n"
KEYS = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
CLOSES = b"\x88\x80\0\0\0\0"

REQUESTS = {
    "HAProxy httpchk: no Host": ("GET /healthz HTTP/1.0\r\n\r\n", 200),
    "a probe by the pod's name": ("GET /healthz HTTP/1.1\r\nHost: g-0.svc.local\r\nConnection: close\r\n\r\n", 200),
    "a probe by an IPv6 address": ("GET /healthz HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n", 200),
    "eduard256/Strix#3: wget --spider": (f"HEAD /healthz HTTP/1.1\r\n{END}", 200),
    "steemit/jussi#164: HEAD /readyz": (f"HEAD /readyz HTTP/1.1\r\n{END}", 200),
    "HEAD of a stream ends": (f"HEAD /r/lobby/events HTTP/1.1\r\n{END}", 405),
    "the absolute form": (f"GET http://127.0.0.1/healthz HTTP/1.1\r\n{END}", 200),
    "an empty query": (f"GET /healthz? HTTP/1.1\r\n{END}", 200),
    "two slashes": (f"GET //healthz HTTP/1.1\r\n{END}", 404),
    "an Expect that nobody knows": (f"POST /r/lobby HTTP/1.1\r\nExpect: 200-ok\r\nContent-Length: 1\r\n{END}x", 417),
    "junk cookies of others on localhost": (f'GET / HTTP/1.1\r\nCookie: a=b; =; "x; gateway_session=\r\n{END}', 200),
    "a bearer in small letters": (f"GET /admin/api/summary HTTP/1.1\r\nAuthorization: bearer x\r\n{END}", 401),
    "a basic login": (f"GET /admin/api/summary HTTP/1.1\r\nAuthorization: Basic Og==\r\n{END}", 401),
    "digits of another script": (f"GET /r/lobby/messages?limit=%D9%A3 HTTP/1.1\r\n{END}", 400),
    "a limit as a float": (f"GET /r/lobby/messages?limit=1e3 HTTP/1.1\r\n{END}", 400),
    "a NUL in a name": (f"POST /r/lobby?nick=%00x HTTP/1.1\r\nContent-Length: 1\r\n{END}x", 400),
    "an LF in a room": (f"GET /r/lobby%0a HTTP/1.1\r\n{END}", 400),
    "a month that is none": (f"GET /r/lobby/log.txt?since=2026-13-40 HTTP/1.1\r\n{END}", 400),
    "jpillora/cloud-torrent#140: Upgrade: WebSocket": (
        f"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n{UPGRADE}",
        101,
    ),
    "amphp/http-server#70: Firefox's Connection": (
        f"GET /ws HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n{UPGRADE}",
        101,
    ),
    "robaho/httpserver#12: two Connections": (
        f"GET /ws HTTP/1.1\r\nConnection: keep-alive\r\n{KEYS}{UPGRADE}",
        101,
    ),
    "nori0428/mod_websocket#48: small letters": (f"GET /ws HTTP/1.1\r\n{KEYS.lower()}{UPGRADE}", 101),
    "vitejs/vite#22233: a dot behind the host": (
        "GET / HTTP/1.1\r\nHost: localhost.\r\nConnection: close\r\n\r\n",
        200,
    ),
    "the same of a socket, and its origin": (
        f"GET /ws HTTP/1.1\r\nOrigin: http://localhost.\r\n{KEYS}{UPGRADE.replace('127.0.0.1', 'localhost.')}",
        101,
    ),
    "OctoPrint/OctoPrint#3519: host and origin in another case": (
        f"GET /ws HTTP/1.1\r\nOrigin: http://LOCALHOST\r\n{KEYS}{UPGRADE.replace('127.0.0.1', 'LocalHost')}",
        101,
    ),
    "Safari's extensions": (
        f"GET /ws HTTP/1.1\r\nSec-WebSocket-Extensions: x-webkit-deflate-frame\r\n{KEYS}{UPGRADE}",
        101,
    ),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_a_request_of_another_program_is_served_or_told(shared: Gateway, case: str) -> None:
    request, status = REQUESTS[case]
    sent = request.encode() + (CLOSES if status == 101 else b"")
    answer = raw(shared.web, sent)

    assert answer.split(b" ", 2)[1] == b"%d" % status
    assert b"xtensions" not in answer
    if request.startswith("HEAD"):
        assert answer.endswith(b"\r\n\r\n")


SAID = {
    "irssi/irssi#1499: a tab": (b"a\tb\n", ["a\tb"]),
    "tput sgr0, which ends what a script colours": (b"\x1b[32mdone\x1b(B\x1b[m in 3 s\n", ["done in 3 s"]),
    "arrow keys of a terminal that an editor left behind": (b"\x1bOA\x1bOAhi\n", ["hi"]),
    "quotes and a backslash at the end": (b"C:\\dir\\\n\"x\n'y\n", ["C:\\dir\\", '"x', "'y"]),
    "/me and a tab": (b"/me\twaves\n", ["waves"]),
    "a command inside of a paste": (b"/paste\r\none\r\n/nick in\r\n..\r\n.\r\n", ["one\n/nick in\n."]),
    "cabal-club/cabal-cli#144: an emoji as a name": ("/nick 🌚\nhi\n".encode(), ["hi"]),
    "commands in capitals": (b"/NICK Capo\nhi\n", ["hi"]),
    "words that begin like other protocols": (
        b"PING\nEHLO to you all there\n*1 star\nget foo\n",
        ["PING", "EHLO to you all there", "*1 star", "get foo"],
    ),
    "NICK, and another sentence": (b"NICK Cave\nis great\n", ["NICK Cave", "is great"]),
}
TELNET = {
    "Mudlet/Mudlet#7058: SB ended by IAC SB": (b"\xff\xfb\x27\xff\xfa\x27\0\0USER\x01x\xff\xfa\xff\xf0hi\r\n", ["hi"]),
    "seanmiddleditch/libtelnet#21: MCCP1": (b"\xff\xfd\x55\xff\xfd\x56hi\r\n", ["hi"]),
    "the erasing commands of RFC 854": (b"helx\xff\xf7lo\r\nwrong\xff\xf8right\r\n", ["hello", "right"]),
    "ends of lines of all kinds": (b"a\r\0b\r\nc\nd\r\r\ne\r\n", ["a", "b", "c", "d", "e"]),
}


@pytest.mark.parametrize("case", SAID)
def test_what_people_type_is_said_as_they_mean_it(shared: Gateway, room: str, case: str) -> None:
    sent, said = SAID[case]
    with Terminal(shared.tcp) as peer:
        peer.send(f"/join {room}")
        peer.sock.sendall(sent)
        until(lambda: [each["text"] for each in history(shared.web, room)] == said, f"{said} is said")


@pytest.mark.parametrize("case", TELNET)
def test_what_telnet_clients_send_is_said_as_they_mean_it(shared: Gateway, room: str, case: str) -> None:
    sent, said = TELNET[case]
    raw(shared.telnet, f"/join {room}\r\n".encode() + sent, half_close=True)
    until(lambda: [each["text"] for each in history(shared.web, room)] == said, f"{said} is said")


@pytest.mark.parametrize("door", ["tcp", "telnet"])
@pytest.mark.parametrize(
    "opening",
    [
        b"*1\r\n$4\r\nPING\r\n",
        b"EHLO x\r\n",
        b"NICK a\r\nUSER a 0 * :a\r\n",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"set k 0 0 5\r\nhello\r\n",
    ],
)
def test_scanners_post_nothing_and_are_told(shared: Gateway, door: str, opening: bytes) -> None:
    before = history(shared.web, "lobby")

    answer = raw(getattr(shared, door), opening)

    assert b"nothing of" in answer
    assert history(shared.web, "lobby") == before


def test_an_id_over_json_is_a_text_of_1_to_64_letters(shared: Gateway, room: str) -> None:
    headers = {"Content-Type": 'Application/JSON ; Charset="UTF-8"'}
    wanted = {'"x"': 201, '"😀"': 201, "null": 201, '""': 400, "5": 400, '"' + "x" * 65 + '"': 400}
    for id, status in wanted.items():
        body = f'{{"text":"t","id":{id}}}'.encode()
        assert request(shared.web, "POST", f"/r/{room}?nick=ci", body, headers).status == status, id


def test_json_that_is_none_is_told_in_one_line(shared: Gateway, room: str) -> None:
    for body in (b'{"text":NaN}', b'{"text":"a",}', b'["a"]', b"[" * 100_000, b'{"text":{}}', b'{"text":"a"} x'):
        answer = request(shared.web, "POST", f"/r/{room}", body, {"Content-Type": "application/json"})
        assert answer.status in (400, 413) and answer.json["error"]["text"].count("\n") == 0


def test_a_place_that_is_none_is_not_recovered_from(shared: Gateway, room: str) -> None:
    """As Centrifugo's clients send it: without an epoch, with one of another room, beyond what a double holds."""
    post(shared.web, room, "one")
    for epoch, after in (("", 1), ("x" * 32, 1), ("ü" * 10, 1), ("x", 9007199254740993)):
        with Browser(shared.web, hello=False) as page:
            page.send(type="hello", rooms=[{"room": room, "epoch": epoch, "after": after}])
            assert page.next("joined")["recovered"] is False
