"""Inputs on which other servers failed, byte for byte as they were reported; the numbers are the catalogue's."""

import hashlib
import http.client
import json
import re
import socket
from collections.abc import Mapping

import pytest

from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import HOST, SECONDS, Browser, history, raw, request
from tests.fakes import until

TOKEN = "probe-token-0123456789"
ORIGIN = "https://app.example"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def chat(start_shared: Start) -> Gateway:
    """A gateway with a name and a friend."""
    return start_shared(
        "--web.hosts", "chat.example", "--web.origins", f"{ORIGIN},https://chat.example:8443", data="named"
    )


def upgrade(port: int, **headers: str) -> bytes:
    """What a handshake with these headers is answered."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((HOST, port), SECONDS) as sock:
        sock.sendall(
            f"GET /ws HTTP/1.1\r\n{lines}Upgrade: websocket\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        return sock.recv(65536)


def texts(gateway: Gateway, room: str) -> list[str]:
    return [message["text"] for message in history(gateway.web, room)]


# PC-26


@pytest.mark.parametrize(
    ("host", "origin"),
    [("chat.example", "https://chat.example:9443"), ("chat.example:80", "https://chat.example")],
)
def test_pc_26_a_proxy_that_changes_the_host_is_told_both_values_and_the_cure(
    start: Start, host: str, origin: str
) -> None:
    gateway = start("--web.hosts", "chat.example")
    for _ in range(3):
        answer = upgrade(gateway.web, Host=host, Origin=origin).decode()
        assert answer.startswith("HTTP/1.1 403 ")
        for words in (f"'{host}'", f"'{origin}'", "web.origins", "pass Host on"):
            assert words in answer
    assert len(re.findall(f"Origin is '{origin}'.*'{host}'.*web.origins", gateway.stderr)) == 1


def test_pc_26_an_origin_with_its_own_port_can_be_configured(chat: Gateway) -> None:
    answer = upgrade(chat.web, Host="chat.example", Origin="https://chat.example:8443")
    assert answer.startswith(b"HTTP/1.1 101 ")


def test_pc_26_what_is_quoted_of_a_header_passes_the_gate(start: Start) -> None:
    gateway = start()
    evil = "https://a.example/\x9b31m\u202e" + "x" * 500
    with socket.create_connection((HOST, gateway.web), SECONDS) as sock:
        head = f"POST /r/lobby HTTP/1.1\r\nHost: localhost\r\nOrigin: {evil}\r\nContent-Length: 1\r\n\r\nx"
        sock.sendall(head.encode())
        answer = sock.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 403 ")
    for told in (answer, gateway.stderr):
        assert "https://a.example/" in told
        assert not re.search("[\x80-\x9f\u202e]", told)
        assert "x" * 200 not in told


def test_a_foreign_host_is_told_by_value_and_cure(chat: Gateway) -> None:
    answer = request(chat.web, "GET", "/rooms", headers={"Host": "rebound.example"})
    assert answer.status == 403
    assert "'rebound.example'" in answer.json["error"]["text"]
    assert "web.hosts" in answer.json["error"]["text"]
    until(lambda: "'rebound.example'" in chat.stderr, "the log tells it")


# PC-29


def test_pc_29_a_connection_that_is_idle_for_longer_than_a_head_may_take_is_kept(start: Start) -> None:
    gateway = start()
    connection = http.client.HTTPConnection(HOST, gateway.web, timeout=SECONDS)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read()
    mine = connection.sock
    connection.request("POST", "/r/lobby", "x", {"Content-Type": "text/plain"})
    assert connection.getresponse().status == 201
    assert connection.sock is mine


# PC-30


@pytest.mark.parametrize("path", ["/rooms", "/r/lobby/messages"])
@pytest.mark.parametrize("origin", [ORIGIN, "https://evil.example", "null", None])
def test_pc_30_configured_origins_may_read_the_rooms(chat: Gateway, path: str, origin: str | None) -> None:
    answer = request(chat.web, "GET", path, headers={"Origin": origin} if origin else {})

    assert answer.headers.get("Access-Control-Allow-Origin") == (ORIGIN if origin == ORIGIN else None)
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_pc_30_so_may_event_sources(chat: Gateway) -> None:
    with socket.create_connection((HOST, chat.web), SECONDS) as sock:
        sock.sendall(f"GET /r/lobby/events HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\n\r\n".encode())
        head = sock.recv(4096).partition(b"\r\n\r\n")[0].decode()
    assert f"Access-Control-Allow-Origin: {ORIGIN}" in head
    assert "Vary: Origin" in head


def preflight(gateway: Gateway, path: str, origin: str) -> tuple[int, Mapping[str, str]]:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = request(gateway.web, "OPTIONS", path, headers=headers)
    return answer.status, answer.headers


def test_pc_30_a_preflight_of_a_configured_origin_is_granted(chat: Gateway) -> None:
    status, headers = preflight(chat, "/r/lobby", ORIGIN)

    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE"
    assert headers["Access-Control-Allow-Headers"] == "content-type, authorization, last-event-id"
    assert headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("path", "origin"),
    [("/r/lobby", "https://evil.example"), ("/admin/api/bans", ORIGIN), ("/admin", ORIGIN), ("/readyz", ORIGIN)],
)
def test_pc_30_no_other_preflight_is(chat: Gateway, path: str, origin: str) -> None:
    status, headers = preflight(chat, path, origin)

    assert status >= 400
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_pc_30_an_error_can_be_read_by_a_configured_origin_too(chat: Gateway) -> None:
    answer = request(chat.web, "POST", "/r/lobby", "", {"Origin": ORIGIN})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (400, ORIGIN)


def test_pc_30_an_app_of_a_phone_has_an_origin_of_its_own_scheme(start: Start) -> None:
    gateway = start("--web.origins", "capacitor://localhost")
    answer = request(gateway.web, "GET", "/rooms", headers={"Origin": "capacitor://localhost"})
    assert answer.headers["Access-Control-Allow-Origin"] == "capacitor://localhost"
    upgraded = upgrade(gateway.web, Host=f"{HOST}:{gateway.web}", Origin="capacitor://localhost")
    assert upgraded.startswith(b"HTTP/1.1 101 ")


def test_pc_30_a_public_page_may_ask_for_a_gateway_at_home(chat: Gateway) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    home = asked | {"Access-Control-Request-Private-Network": "true"}
    allowed = "Access-Control-Allow-Private-Network"
    assert request(chat.web, "OPTIONS", "/r/lobby", headers=home).headers[allowed] == "true"
    assert allowed not in request(chat.web, "OPTIONS", "/r/lobby", headers=asked).headers
    assert allowed not in request(chat.web, "OPTIONS", "/admin/api/bans", headers=home).headers


# PC-31


def test_pc_31_an_event_source_that_cannot_be_served_now_is_told_when_to_come_back(start: Start) -> None:
    gateway = start("--admin.tokens", f"probe:admin:{hashlib.sha256(TOKEN.encode()).hexdigest()}")
    key = {"Authorization": f"Bearer {TOKEN}", **JSON}
    assert request(gateway.web, "GET", "/r/no%20room/events").status == 400
    assert request(gateway.web, "POST", "/admin/api/drain", '{"per_second":50}', key).status < 300

    def events() -> str:
        answer = request(gateway.web, "GET", "/r/lobby/events", headers={"Accept": "text/event-stream"})
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        return answer.body.decode()

    found = re.fullmatch(r"retry: (\d+)\n\nevent: bye\ndata: (.*)\n\n", events())
    assert found is not None
    bye = json.loads(found[2])
    assert (bye["type"], bye["code"], bye["retry_ms"]) == ("bye", 4001, int(found[1]))


# PC-33, PC-34, PC-35, PC-12


def test_pc_33_multipart_is_told_how_to_post(shared: Gateway, room: str) -> None:
    body = '--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nbuild 17 is green\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x", "User-Agent": "curl/8.0"}
    answer = request(shared.web, "POST", f"/r/{room}?nick=ci", body, headers)

    assert answer.status == 415
    assert answer.body.count(b"\n") == 1
    assert b"--data-binary" in answer.body
    assert request(shared.web, "GET", f"/r/{room}/messages").status == 404


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"Gr\xfc\xdfe", "text/plain; charset=ISO-8859-1", "Grüße"),
        (b"Gr\xfc\xdfe", 'text/plain; charset="windows-1252"', "Grüße"),
        ("Grüße".encode(), "text/plain; charset=UTF-8", "Grüße"),
        ("Grüße".encode(), "text/plain; charset=utf8", "Grüße"),
        (b"Gr\xfc\xdfe", "text/plain", "Gr\ufffd\ufffde"),
        ("Grüße".encode("utf-16-le"), "text/plain; charset=utf-16le", "Grüße"),
        ("\ufeffhi\r\n".encode("utf-16-le"), "application/x-www-form-urlencoded", "hi"),
        ("\ufeffhi".encode("utf-16-be"), "text/plain", "hi"),
        ("\ufeffhi".encode(), "text/plain", "hi"),
        ("日本".encode("shift_jis"), "text/plain; charset=Shift_JIS", "日本"),
        ("да".encode("koi8-r"), "text/plain; charset=koi8-r", "да"),
    ],
)
def test_pc_34_the_charset_that_is_declared_is_believed(
    shared: Gateway, room: str, body: bytes, kind: str, text: str
) -> None:
    assert request(shared.web, "POST", f"/r/{room}?nick=ps", body, {"Content-Type": kind}).status == 201
    assert texts(shared, room)[-1:] == [text]


@pytest.mark.parametrize(
    "charset", ["klingon", "idna", "base64", "rot13", "unicode_escape", "utf-7", "a\u00e9", "x" * 500]
)
def test_pc_34_an_unknown_charset_is_refused(shared: Gateway, room: str, charset: str) -> None:
    kind = f"text/plain; charset={charset}"
    answer = request(shared.web, "POST", f"/r/{room}", b"hi", {"Content-Type": kind})

    assert answer.status == 415
    assert "UTF-8" in answer.json["error"]["text"]
    assert request(shared.web, "GET", f"/r/{room}/messages").status == 404


def test_pc_35_a_byte_order_mark_before_json_counts_for_nothing(shared: Gateway, room: str) -> None:
    body = b'\xef\xbb\xbf{"nick":"ci","text":"hi"}'

    assert request(shared.web, "POST", f"/r/{room}", body, JSON).status == 201
    assert [(each["nick"], each["text"]) for each in history(shared.web, room)] == [("ci", "hi")]


def test_pc_35_nor_does_it_before_an_order_of_an_operator(start: Start) -> None:
    gateway = start("--admin.tokens", f"probe:admin:{hashlib.sha256(TOKEN.encode()).hexdigest()}")
    body = b'\xef\xbb\xbf{"address":"203.0.113.7","seconds":60}'
    answer = request(gateway.web, "POST", "/admin/api/bans", body, JSON | {"Authorization": f"Bearer {TOKEN}"})

    assert answer.status == 201
    assert answer.json["ban"]["target"] == "203.0.113.7"


# PC-36


@pytest.mark.parametrize(
    ("accept", "zipped"),
    [
        ("gzip", True), ("GZIP", True), ("gzip;q=0.5", True), ("deflate, gzip;q=1.0, *;q=0.5", True), ("*", True),
        ("br, , gzip ; q=0.1", True), ("x-gzip", True), ("*;q=0, gzip", True),
        ("gzip;q=0", False), ("gzip; q=0.000", False), ("identity, *;q=0", False), ("x-gzip-like", False),
        ("gzipped", False), ("", False), ("gzip;q=0, *", False), ("gzip;q=abc", False), ('"gzip"', False),
    ],
)  # fmt: skip
def test_pc_36_the_list_of_encodings_is_read_as_a_list(shared: Gateway, accept: str, zipped: bool) -> None:
    page = request(shared.web, "GET", "/").body.decode()
    script = re.search(r"/static/[^\"]+chat\.js", page)
    assert script is not None
    answer = request(shared.web, "GET", script[0], headers={"Accept-Encoding": accept})

    assert answer.status == 200
    assert (answer.headers.get("Content-Encoding") == "gzip") is zipped
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("text/html, application/json;q=0", "text/html"),
        ("text/html;q=0", "application/json"),
        ("text/html;q=0.9, */*;q=0.1", "text/html"),
        ("application/problem+json", "application/json"),
    ],
)
def test_pc_36_so_is_the_list_of_types(shared: Gateway, accept: str, kind: str) -> None:
    assert request(shared.web, "GET", "/nowhere", headers={"Accept": accept}).headers["Content-Type"].startswith(kind)


# PC-42


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/login/", "/docs/", "/r/lobby/", "/rooms/", "/rooms///", "/r/a/raw/"]
)
def test_pc_42_a_slash_at_the_end_leads_to_the_address_without_it(shared: Gateway, path: str) -> None:
    answer = request(shared.web, "GET", path + "?limit=1&q=%2F")

    assert answer.status == 308
    assert answer.headers["Location"] == path.rstrip("/") + "?limit=1&q=%2F"


@pytest.mark.parametrize(
    "path",
    ["//evil.example/", "//rooms/", "/\\evil.example/", "/nowhere/", "/%2F/evil.example/", "/./rooms/x/"],
)
def test_pc_42_it_never_leads_elsewhere(shared: Gateway, path: str) -> None:
    head = raw(shared.web, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()).decode()

    assert head.startswith(("HTTP/1.1 404 ", "HTTP/1.1 400 "))
    assert "location:" not in head.lower()


# L8


@pytest.mark.parametrize(
    ("room", "text", "code"),
    [("elsewhere", "hi", "not_joined"), ("lobby", "\x07", "bad_text"), ("lobby", "/nosuch", "unknown_command")],
)
def test_l8_ten_refused_messages_in_a_minute_close(shared: Gateway, room: str, text: str, code: str) -> None:
    with Browser(shared.web) as browser:
        for _ in range(9):
            assert browser.say(text, room)["code"] == code
        assert browser.say("fine")["type"] == "ack"
        browser.post(text, room)
        assert browser.closed()[0] == 1008
