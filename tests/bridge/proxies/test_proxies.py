"""A running gateway behind proxies: the peer that the proxy names is counted, shown and refused."""

import http.client
import json
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import Any

import pytest

from tests.bridge.gateways import ROOT, Gateway, Start
from tests.bridge.peers import HOST, SECONDS, Browser, Json, Terminal, history, raw, request
from tests.fakes import PATIENCE, until

V2 = b"\r\n\r\n\x00\r\nQUIT\n"
PER_ADDRESS = 16
LIMIT = ("--limits.connections_per_ip", str(PER_ADDRESS))


def line(address: str) -> bytes:
    """A header of version 1."""
    other = "2001:db8::1" if ":" in address else "192.0.2.1"
    return f"PROXY TCP{6 if ':' in address else 4} {address} {other} 40000 9999\r\n".encode()


def binary(address: str) -> bytes:
    """A header of version 2, with an extension."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    rest = socket.inet_pton(family, address) * 2 + b"\x9c\x40\x27\x0f" + b"\x04\x00\x02hi"
    return V2 + bytes((0x21, 0x21 if ":" in address else 0x11)) + len(rest).to_bytes(2, "big") + rest


class Introduced(Terminal):
    """A terminal that a proxy introduces."""

    def __init__(self, port: int, head: bytes) -> None:
        super().__init__(port)
        self.sock.sendall(head)


class Operator:
    """Somebody at the dashboard, directly connected or by a proxy."""

    def __init__(self, gateway: Gateway, head: bytes = b"") -> None:
        self.connection = http.client.HTTPConnection(HOST, gateway.web, timeout=SECONDS)
        self.connection.connect()
        self.connection.sock.sendall(head)
        token = re.search(r"login\?token=([\w-]+)", gateway.stdout)
        assert token is not None
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._ask("POST", "/admin/login", f"token={token[1]}", form)
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        self.body = answer.read()
        return answer

    def rows(self) -> list[Json]:
        """All connections."""
        self._ask("GET", "/admin/api/connections?limit=500&sort=id", None, {"Cookie": self.cookie})
        rows: list[Json] = json.loads(self.body)["connections"]
        return rows

    def addresses(self) -> list[tuple[str, str | None]]:
        """Whose they are, and by which proxy, in the order they came."""
        return [(row["address"], row["proxy"]) for row in self.rows()]


@pytest.fixture(scope="module")
def behind(start_shared: Start) -> Gateway:
    """A gateway behind a proxy of connections on this machine."""
    return start_shared("--proxy-protocol", f"{HOST}/32,10.0.0.0/8", "--host", "127.0.0.1", *LIMIT, data="behind")


@pytest.fixture(scope="module")
def trusting(start_shared: Start) -> Gateway:
    """A gateway behind an HTTP proxy on this machine."""
    return start_shared("--web.trusted_proxies", HOST, *LIMIT, data="trusting")


def test_every_door_takes_the_address_a_proxy_tells(behind: Gateway) -> None:
    with ExitStack() as open_ones:
        for port, head in ((behind.tcp, line("203.0.113.1")), (behind.telnet, binary("2001:db8::1"))):
            terminal = open_ones.enter_context(Introduced(port, head))
            terminal.until("You are guest-")
        sock = socket.create_connection((HOST, behind.web), SECONDS)
        open_ones.enter_context(sock)
        head = binary("203.0.113.3")
        sock.sendall(head[:20])
        sock.sendall(head[20:] + upgrade(behind.web))
        assert sock.recv(4096).startswith(b"HTTP/1.1 101 ")

        operator = Operator(behind, b"PROXY UNKNOWN\r\n")
        until(lambda: len(operator.rows()) == 3, "all are there")
        assert operator.addresses() == [
            ("203.0.113.1", HOST), ("2001:db8::1", HOST), ("203.0.113.3", HOST)
        ]  # fmt: skip
        assert "(tcp, 203.0.113.1) opened" in behind.stderr


def test_a_login_link_can_be_had_on_the_machine_of_the_proxy(behind: Gateway) -> None:
    command = [sys.executable, "-m", "gateway", "login-link", "--data", str(behind.folder / "data")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)

    assert f"http://{HOST}:{behind.web}/admin/login?token=" in done.stdout, done.stderr


@pytest.mark.parametrize(("first", "other"), [("203.0.113.16", "203.0.113.17"), ("2001:db8:0:16::", "2001:db8:0:17::")])
def test_the_seventeenth_of_an_address_is_refused_with_one_line(behind: Gateway, first: str, other: str) -> None:
    def address(number: int) -> str:
        return f"{first}{number:x}:1" if ":" in first else first

    with ExitStack() as open_ones:
        terminals = [
            open_ones.enter_context(Introduced(behind.tcp, (line, binary)[number % 2](address(number))))
            for number in range(PER_ADDRESS)
        ]
        for terminal in terminals:
            terminal.until("You are guest-")
        refusal = "!! full: 16 connections from your address already\n"
        assert Introduced(behind.tcp, line(address(99)) + b"hello\n").rest() == refusal
        bare = raw(behind.web, line(address(98)) + b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert bare.startswith(b"HTTP/1.1 503 ") and b"16 connections from your address" in bare
        assert b"\x88" in raw(behind.web, line(address(97)) + upgrade(behind.web)).partition(b"\r\n\r\n")[2]
        with Introduced(behind.tcp, line(other + "1" if ":" in other else other)) as neighbour:
            neighbour.until("You are guest-")
        terminals[0].sock.close()
        until(lambda: greeted(behind.tcp, line(address(1))), "there is room again")


def greeted(port: int, head: bytes) -> bool:
    with Introduced(port, head) as terminal:
        return terminal.line().startswith("-- You are")


@pytest.mark.parametrize("door", ["tcp", "telnet", "web"])
def test_a_proxy_that_introduces_nobody_is_refused(behind: Gateway, door: str) -> None:
    assert raw(behind.port(door), b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""
    until(lambda: f"no PROXY header from {HOST}" in behind.stderr, "it is logged")


@pytest.mark.parametrize("header", [line("203.0.113.9"), binary("203.0.113.9")])
def test_no_other_peer_can_introduce_itself(trusting: Gateway, header: bytes) -> None:
    for port in (trusting.tcp, trusting.telnet):
        assert b"!! bad_message: no proxy is expected" in raw(port, header + b"hello\n")
    assert b" 400 " in raw(trusting.web, header + b"GET / HTTP/1.1\r\n\r\n")[:13]

    assert not history(trusting.web, "lobby")
    assert "203.0.113.9" not in trusting.stderr


def upgrade(port: int, *headers: str) -> bytes:
    """The bytes of a WebSocket handshake."""
    more = "".join(f"{header}\r\n" for header in headers)
    return (
        f"GET /ws HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    ).encode()


def forwarded(gateway: Gateway, address: str, **options: Any) -> Browser:
    """A browser that comes by the proxy."""
    return Browser(gateway.web, additional_headers={"X-Forwarded-For": f"198.51.100.66, {address}"}, **options)


@pytest.mark.parametrize("address", ["203.0.113.20", "2001:db8:0:20::1"])
def test_the_seventeenth_browser_of_an_address_is_told_4504(trusting: Gateway, address: str) -> None:
    neighbours = {"203.0.113.20": "203.0.113.21", "2001:db8:0:20::1": "2001:db8:0:21::1"}
    last = "203.0.113.20:4711" if "." in address else "[2001:db8:0:20:ffff::]:4711"
    with ExitStack() as open_ones:
        browsers = [open_ones.enter_context(forwarded(trusting, address)) for _ in range(PER_ADDRESS)]
        with forwarded(trusting, last, hello=False) as one_too_many:
            assert one_too_many.closed() == (4504, "full: 16 connections from your address already")
        answer = request(trusting.web, "GET", "/rooms", headers={"X-Forwarded-For": last})
        assert (answer.status, answer.json["error"]["code"]) == (503, "full")
        with forwarded(trusting, neighbours[address]) as neighbour:
            assert neighbour.nick
        browsers[0].close()
        until(
            lambda: request(trusting.web, "GET", "/rooms", headers={"X-Forwarded-For": last}).status == 200,
            "there is room again",
        )


def test_a_browser_without_a_proxy_is_on_loopback_and_not_counted(trusting: Gateway) -> None:
    with ExitStack() as open_ones:
        for _ in range(PER_ADDRESS + 1):
            open_ones.enter_context(Browser(trusting.web))


def test_what_untrusted_peers_forward_changes_nothing(behind: Gateway) -> None:
    headers = ("X-Forwarded-For: 192.0.2.5", "Forwarded: for=192.0.2.6", "X-Real-IP: 192.0.2.7")

    def is_logged() -> bool:
        """The log leaves lines out of a second in which too many came."""
        with socket.create_connection((HOST, behind.web), SECONDS) as sock:
            sock.sendall(line("203.0.113.30") + upgrade(behind.web, *headers))
            assert sock.recv(4096).startswith(b"HTTP/1.1 101 ")
        return "(web, 203.0.113.30) opened" in behind.stderr

    until(is_logged, "it is logged")
    assert not re.search(r"192\.0\.2\.[567]", behind.stderr)


# An address has one rate, whatever its names and connections


def status_of_post(gateway: Gateway, address: str, nick: str) -> int:
    """POST as a proxy at loopback passes it on."""
    return request(gateway.web, "POST", f"/r/lobby?nick={nick}", "x", {"X-Forwarded-For": address}).status


def test_m2_a_new_nick_for_each_post_does_not_buy_a_new_rate(start: Start) -> None:
    flags = ("--web.trusted_proxies", "127.0.0.1", "--limits.address_messages_per_second", 1)
    gateway = start(*flags, "--limits.address_burst", 50)
    statuses = [status_of_post(gateway, f"2001:db8::{number:x}", f"n{number}") for number in range(1, 101)]
    assert statuses[:50] == [201] * 50
    assert statuses.count(429) >= 30
    refused = request(gateway.web, "POST", "/r/lobby?nick=late", "x", {"X-Forwarded-For": "2001:db8::1"})
    assert (refused.status, refused.json["error"]["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) >= 1
    assert status_of_post(gateway, "2001:db8:0:1::1", "another") == 201
    assert request(gateway.web, "POST", "/r/lobby?nick=local", "x").status == 201


def test_m2_many_terminals_of_one_address_are_slowed_and_lose_nothing(start: Start) -> None:
    flags = ("--proxy-protocol", "127.0.0.0/8", "--limits.address_messages_per_second", 100)
    gateway = start(*flags, "--limits.address_burst", 20, "--limits.messages_per_second", 0)
    with ExitStack() as open_ones:
        peers = [open_ones.enter_context(Introduced(gateway.tcp, line("203.0.113.7"))) for _ in range(4)]
        for number, peer in enumerate(peers):
            peer.sock.sendall(b"".join(b"%d of %d\n" % (count, number) for count in range(30)))
        until(lambda: len(lobby_texts(gateway)) >= 120, "all of them are said")
        texts = lobby_texts(gateway)
        for number in range(4):
            mine = [text for text in texts if text.endswith(f" of {number}")]
            assert mine == [f"{count} of {number}" for count in range(30)]


def lobby_texts(gateway: Gateway) -> list[str]:
    with socket.create_connection((HOST, gateway.web), timeout=SECONDS) as sock:
        sock.sendall(b"PROXY UNKNOWN\r\nGET /r/lobby/messages?after=0&limit=300 HTTP/1.1\r\nHost: localhost\r\n"
                     b"Connection: close\r\n\r\n")  # fmt: skip
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    return [message["text"] for message in json.loads(answer.partition(b"\r\n\r\n")[2])["messages"]]
