"""Section 5 of the contract: posting, history, rooms, health and the shape of errors over plain HTTP."""

import socket
import subprocess
import time
from collections.abc import Callable, Mapping

import pytest

from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import HOST, Answer, Browser, Terminal, history, post, post_json, raw, request
from tests.fakes import PATIENCE, at_best

CURL = {"User-Agent": "curl/8.0", "Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
BODY_BYTES = 4 * 65_536


def refused(answer: Answer) -> tuple[int, str]:
    """Status and code of an error in JSON."""
    assert set(answer.json) == {"error"}
    assert set(answer.json["error"]) == {"code", "text"}
    return answer.status, answer.json["error"]["code"]


def numbers(port: int, path: str) -> tuple[list[int], bool]:
    """The numbers of a page of history, and its `more`."""
    page = request(port, "GET", path).json
    return [message["seq"] for message in page["messages"]], page["more"]


# Posting


def test_a_post_is_stored_shown_and_answered_with_its_number(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room) as reader:
        answer = post(shared.web, room, "built", "ci")
        message = reader.next("msg")

    assert answer.status == 201
    assert answer.json == {"room": room, "epoch": reader.joined[room]["epoch"], "seq": 1}
    assert (message["nick"], message["door"], message["kind"], message["text"]) == ("ci", "http", "say", "built")


def test_a_post_without_a_nick_has_a_guest_name(shared: Gateway, room: str) -> None:
    post(shared.web, room, "anonymous")

    assert history(shared.web, room)[0]["nick"].startswith("guest-")


@pytest.mark.parametrize(
    "words", [["-d", "from curl"], ["--data-binary", "from curl"], ["--json", '{"text":"from curl"}']]
)
def test_curl_posts(shared: Gateway, program: Callable[[str], str], room: str, words: list[str]) -> None:
    url = f"http://{HOST}:{shared.web}/r/{room}?nick=ci"

    done = subprocess.run([program("curl"), "-sS", "-w", "%{http_code}", *words, url], capture_output=True, text=True)

    assert done.stdout.endswith("201")
    assert history(shared.web, room)[0]["text"] == "from curl"


def test_json_posts_its_fields(shared: Gateway, room: str) -> None:
    assert post_json(shared.web, room, nick="robot", text="a\nb", id="x1").status == 201

    assert [(each["nick"], each["text"]) for each in history(shared.web, room)] == [("robot", "a\nb")]


@pytest.mark.parametrize("text", ["/nick eve", "a=b&c=d", "100%25", '{"text":"x"}', "/quit"])
def test_any_other_body_is_text_as_it_stands_and_never_a_command(shared: Gateway, room: str, text: str) -> None:
    assert post(shared.web, room, text).status == 201
    assert [each["text"] for each in history(shared.web, room)] == [text]


def test_bytes_that_are_not_utf_8_become_the_replacement(shared: Gateway, room: str) -> None:
    assert request(shared.web, "POST", f"/r/{room}", b"a\xff\xfeb\n").status == 201
    assert history(shared.web, room)[0]["text"] == "a\ufffd\ufffdb"


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"text": ""}, (400, "bad_text")),
        ({"text": "\x07"}, (400, "bad_text")),
        ({"text": "a" * 65_537}, (413, "too_long")),
        ({"text": "x", "nick": "no nick"}, (400, "nick_invalid")),
        ({"text": "x", "nick": "admin"}, (409, "nick_taken")),
        ({"text": 5}, (400, "bad_message")),
        ({}, (400, "bad_message")),
        ({"text": "x", "id": ""}, (400, "bad_message")),
        ({"text": "x" * (BODY_BYTES + 1)}, (413, "too_long")),
    ],
)
def test_a_post_that_cannot_be_taken_is_refused(
    shared: Gateway, room: str, fields: dict[str, object], wanted: tuple[int, str]
) -> None:
    assert refused(post_json(shared.web, room, **fields)) == wanted
    assert request(shared.web, "GET", f"/r/{room}/messages").status == 404


def test_half_a_surrogate_pair_is_bad_text(shared: Gateway, room: str) -> None:
    answer = request(shared.web, "POST", f"/r/{room}", rb'{"text":"a\ud800"}', JSON)

    assert refused(answer) == (400, "bad_text")


def test_a_body_without_a_length_is_counted_too(shared: Gateway, room: str) -> None:
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    fields = "Host: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked"
    head = f"POST /r/{room} HTTP/1.1\r\n{fields}\r\n\r\n".encode()

    assert b" 413 " in raw(shared.web, head + chunk * 257 + b"0\r\n\r\n").split(b"\r\n")[0]


def test_a_malformed_room_is_room_invalid(shared: Gateway) -> None:
    assert refused(request(shared.web, "POST", "/r/no%20room", "x", JSON))[1] == "room_invalid"
    assert refused(request(shared.web, "GET", "/r/-x/messages"))[1] == "room_invalid"


def test_a_post_cannot_take_the_name_of_somebody_here(shared: Gateway, room: str) -> None:
    with Browser(shared.web, nick="alice"):
        assert refused(post_json(shared.web, room, text="x", nick="ALICE")) == (409, "nick_taken")


@pytest.mark.parametrize("foreign", ["https://evil.example", "null", f"http://{HOST}.evil.example"])
def test_a_page_of_another_site_cannot_post(shared: Gateway, room: str, foreign: str) -> None:
    answer = request(shared.web, "POST", f"/r/{room}", "x", {"Origin": foreign})

    assert refused(answer) == (403, "forbidden")
    assert request(shared.web, "GET", f"/r/{room}/messages").status == 404


def test_posts_too_fast_are_refused_with_the_time_to_wait(start: Start) -> None:
    gateway = start("--limits.burst", 2, "--limits.messages_per_second", 1)
    answers = [post(gateway.web, "lobby", f"m{number}", "ci") for number in range(3)]

    assert [answer.status for answer in answers] == [201, 201, 429]
    assert int(answers[2].headers["Retry-After"]) >= 1
    assert refused(answers[2]) == (429, "rate_limited")
    assert len(history(gateway.web, "lobby")) == 2


# Reading


@pytest.fixture(scope="module")
def hundreds(shared: Gateway) -> str:
    """The path of the history of a room with 310 messages."""
    for number in range(310):
        assert post(shared.web, "hundreds", f"m{number}", "ci").status == 201
    return "/r/hundreds/messages"


@pytest.mark.parametrize(
    ("query", "first", "last", "more"),
    [
        ("", 11, 310, True),
        ("?limit=5", 306, 310, True),
        ("?after=0", 1, 300, True),
        ("?after=300", 301, 310, False),
        ("?after=10&limit=3", 11, 13, True),
        ("?before=4", 1, 3, False),
        ("?before=11&limit=4", 7, 10, True),
        ("?after=5&before=9", 6, 8, False),
        ("?limit=9999", 11, 310, True),
    ],
)
def test_history_is_read_in_pages(
    shared: Gateway, hundreds: str, query: str, first: int, last: int, more: bool
) -> None:
    assert numbers(shared.web, hundreds + query) == (list(range(first, last + 1)), more)


def test_history_beyond_the_head_is_empty(shared: Gateway, hundreds: str) -> None:
    assert numbers(shared.web, hundreds + "?after=310") == ([], False)
    assert numbers(shared.web, hundreds + "?before=1") == ([], False)


def test_history_of_another_epoch_is_a_conflict(shared: Gateway, hundreds: str) -> None:
    page = request(shared.web, "GET", hundreds).json

    assert set(page) == {"room", "epoch", "messages", "more"}
    assert request(shared.web, "GET", f"{hundreds}?epoch={page['epoch']}&after=3").status == 200
    assert refused(request(shared.web, "GET", f"{hundreds}?epoch=another1&after=3")) == (409, "epoch_changed")


def test_history_of_an_unknown_room_is_not_found(shared: Gateway) -> None:
    assert refused(request(shared.web, "GET", "/r/never-heard-of/messages")) == (404, "no_such_room")


@pytest.mark.parametrize("query", ["?limit=0", "?limit=x", "?after=-1", "?before=1.5", "?after=99999999999999999999"])
def test_bounds_that_are_no_numbers_are_refused(shared: Gateway, hundreds: str, query: str) -> None:
    assert refused(request(shared.web, "GET", hundreds + query)) == (400, "bad_message")


def test_the_rooms_are_listed_with_people_and_topic(shared: Gateway, room: str) -> None:
    with Browser(shared.web, room) as browser:
        browser.say("/topic what it is about", room)
        browser.say("hi", room)
        listed = {each["room"]: each for each in request(shared.web, "GET", "/rooms").json}

    last = history(shared.web, room)[-1]["ts"]
    assert listed[room] == {"room": room, "topic": "what it is about", "count": 1, "head": 1, "last_ts": last}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_told_to_anybody(shared: Gateway, path: str) -> None:
    assert request(shared.web, "GET", path, headers={"Host": "probe.internal"}).status == 200


# Pages and errors


@pytest.mark.parametrize("path", ["/", "/r/lobby", "/r/ops", "/admin/login"])
def test_pages_are_html(shared: Gateway, path: str) -> None:
    answer = request(shared.web, "GET", path, headers={"Accept": "text/html"})

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/", "/r/ops", "/rooms", "/healthz", "/nothing", "/admin", "/admin/login", "/ws"])
def test_every_answer_has_its_security_headers(shared: Gateway, path: str) -> None:
    headers = request(shared.web, "GET", path).headers
    policy = headers["Content-Security-Policy"]

    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy and "unsafe-eval" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "aiohttp" not in headers.get("Server", "").lower() and "python" not in headers.get("Server", "").lower()
    assert ("no-store" in headers.get("Cache-Control", "")) == path.startswith("/admin")


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"User-Agent": "curl/8.0", "Accept": "*/*"}, "text/plain"),
        ({"Accept": "application/json"}, "application/json"),
        ({"Accept": "text/html"}, "text/html"),
        ({}, "application/json"),
    ],
)
def test_an_error_has_the_shape_its_asker_reads(shared: Gateway, headers: Mapping[str, str], kind: str) -> None:
    answer = request(shared.web, "GET", "/r/unheard-of/messages", headers=headers)

    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith(kind)
    if kind == "text/plain":
        assert answer.body.startswith(b"!! no_such_room: ")
        assert answer.body.count(b"\n") == 1


def test_curl_reads_one_line_when_its_post_is_refused(shared: Gateway, room: str) -> None:
    answer = request(shared.web, "POST", f"/r/{room}", "x" * 65_537, CURL)

    assert (answer.status, answer.body[:13], answer.body.count(b"\n")) == (413, b"!! too_long: ", 1)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("PUT", "/r/lobby", 405),
        ("DELETE", "/", 405),
        ("GET", "/static/../../etc/passwd", 404),
        ("GET", "/static/%2e%2e/%2e%2e/pyproject.toml", 404),
        ("GET", "/static/x/..%5c..%5cserver.py", 404),
        ("GET", "/static/x/%00", 404),
        ("GET", "//etc/passwd", 404),
    ],
)
def test_a_missing_page_is_not_found(shared: Gateway, method: str, path: str, status: int) -> None:
    assert request(shared.web, method, path).status == status


def test_a_host_that_is_not_ours_is_refused(shared: Gateway) -> None:
    assert request(shared.web, "GET", "/", headers={"Host": "attacker.example"}).status == 403
    assert request(shared.web, "GET", "/", headers={"Host": "localhost:1"}).status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Content-Length: +5",
        b"Content-Length: 0x5",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        b"X-Folded: a\r\n b",
        b"X-Space : a",
        b"X-Nul: a\x00b",
    ],
)
def test_a_request_of_two_meanings_is_refused_and_its_rest_not_served(shared: Gateway, head: bytes) -> None:
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = raw(shared.web, b"POST /r/lobby HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n" + smuggled)

    assert answer.startswith(b"HTTP/1.1 400 ") or answer.startswith(b"HTTP/1.0 400 ")
    assert answer.count(b"HTTP/1.") == 1


def test_a_peer_that_shuts_down_its_side_is_answered(shared: Gateway, program: Callable[[str], str], room: str) -> None:
    nc = [program("nc.openbsd"), "-N", HOST, str(shared.web)]
    asked = subprocess.run(nc, input=b"GET /healthz HTTP/1.0\r\n\r\n", capture_output=True, timeout=PATIENCE)
    head = f"POST /r/{room} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n".encode()
    posted = raw(shared.web, head + b"by nc", half_close=True)

    assert (asked.stdout[:13], posted[:13]) == (b"HTTP/1.0 200 ", b"HTTP/1.1 201 ")
    assert raw(shared.web, head + b"cut", half_close=True)[:13] in (b"", b"HTTP/1.1 400 ")


def test_a_peer_that_has_its_answer_and_leaves_is_let_go_at_once(shared: Gateway) -> None:
    def leave() -> float:
        with socket.create_connection((HOST, shared.web), timeout=PATIENCE) as peer:
            peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 OK" in peer.recv(4096)
            peer.shutdown(socket.SHUT_WR)
            began = time.monotonic()
            assert peer.recv(4096) == b""
            return time.monotonic() - began

    at_best(leave, 1)


def test_a_compressed_body_is_refused_unread(shared: Gateway, room: str) -> None:
    for path in (f"/r/{room}", "/nothing"):
        assert request(shared.web, "POST", path, b"\x1f\x8b", {"Content-Encoding": "gzip"}).status in (413, 415)


def test_a_topic_set_on_a_terminal_is_seen_on_every_door(shared: Gateway, room: str) -> None:
    with Terminal(shared.tcp) as terminal, Browser(shared.web, room) as browser:
        terminal.send(f"/join {room}", "/topic \x1b[31mred\x1b[0m letter day")
        assert browser.until(lambda found: found["type"] == "notice")[-1]["text"].endswith("red letter day")
        listed = {each["room"]: each["topic"] for each in request(shared.web, "GET", "/rooms").json}

    assert listed[room] == "red letter day"
