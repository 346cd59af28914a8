"""A gateway behind nginx, HAProxy and Caddy, each with the configuration that the README prints.

Clients come to the proxy from an address of their own, CLIENT, so that the dashboard shows whose address arrived.
"""

import contextlib
import hashlib
import http.client
import json
import re
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.sync.client import ClientConnection, connect

from gateway.config.settings import Settings
from gateway.core.quantity import parse_duration
from tests.accounts.people import CHEAP, PASSWORD
from tests.bridge.gateways import ROOT, Gateway, Start
from tests.bridge.peers import HOST, SECONDS, Answer, Browser, Json, Terminal, post, request
from tests.bridge.proxies.proxy_programs import caddy, free_ports, haproxy, nginx
from tests.fakes import until
from tests.suite.programs import PROGRAMS, in_ci
from tests.tls_peers import Certificates

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")

NAME = "chat.example.org"
CLIENT = "127.0.0.9"
OTHER = "127.0.0.2"
"""Where the second gateway listens."""
PUBLIC = (80, 443, 9999, 9998, 2323)
TOKEN = "a token of these tests"
FLAGS = ("--web.hosts", f"https://{NAME}", "--web.trusted_proxies", HOST, "--proxy-protocol", HOST)
"""As the README starts the gateway."""
README = (ROOT / "README.md").read_text("utf-8").partition("### Behind a proxy")[2].partition("\n## ")[0]
PRINTED = {name: re.findall(rf"```{name}\n(.*?)```", README, re.DOTALL) for name in ("nginx", "haproxy", "caddy")}
NEEDED = {"nginx": ("nginx", "nginx-stream"), "haproxy": ("haproxy",), "caddy": ("caddy",)}


def test_the_gateway_is_started_as_the_readme_says() -> None:
    assert f"    gateway {' '.join(FLAGS)}\n" in README


class Ports(NamedTuple):
    """The proxy's ports in place of 80, 443, 9999, 9998 and 2323."""

    http: int
    https: int
    lines: int
    lines_tls: int
    telnet: int


class Site:
    """A proxy and the gateway behind it."""

    def __init__(self, name: str, ports: Ports, gateway: Gateway, trust: ssl.SSLContext) -> None:
        self.name = name
        self.ports = ports
        self.gateway = gateway
        self._trust = trust

    def dial(self, port: int, tls: bool) -> socket.socket:
        """A connection to the proxy, from CLIENT."""
        sock = socket.create_connection((HOST, port), SECONDS, source_address=(CLIENT, 0))
        return self._trust.wrap_socket(sock, server_hostname=NAME) if tls else sock

    def page(self, tls: bool) -> http.client.HTTPConnection:
        """A connection for requests."""
        port = self.ports.https if tls else self.ports.http
        connection = http.client.HTTPConnection(NAME, port, timeout=SECONDS)
        connection.sock = self.dial(port, tls)
        return connection

    def socket(self, tls: bool, path: str = "/ws") -> ClientConnection:
        """A WebSocket."""
        port = self.ports.https if tls else self.ports.http
        return connect(f"ws://{NAME}:{port}{path}", sock=self.dial(port, tls), compression=None, close_timeout=1)

    def terminal(self, port: int, tls: bool = False) -> Terminal:
        """A terminal."""
        return ProxiedTerminal(self.dial(port, tls))

    def row(self, q: str) -> Json:
        """The one row of the gateway's dashboard that matches."""
        path = f"/admin/api/connections?q={q.replace(' ', '+')}"
        (row,) = request(self.gateway.web, "GET", path, headers={"Authorization": f"Bearer {TOKEN}"}).json[
            "connections"
        ]
        found: Json = row
        return found


class ProxiedTerminal(Terminal):
    """A terminal on a connection to a proxy."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = b""


def adapted(text: str, public: Ports, gateway: Gateway, certificates: Certificates, both: Path) -> str:
    """A printed configuration with this machine's ports and files."""
    public_ports = dict(zip(PUBLIC, public, strict=True))
    own = {8080: gateway.web, 9999: gateway.tcp, 2323: gateway.telnet}
    text = re.sub(r"203\.0\.113\.7:(\d+)", lambda at: f"{HOST}:{public_ports[int(at[1])]}", text)
    text = re.sub(r"(?<=127\.0\.0\.[12]:)(8080|9999|2323)\b", lambda at: str(own[int(at[1])]), text)
    text = text.replace("check port 8080", f"check port {gateway.web}")
    files = {"fullchain": certificates.pair.cert, "privkey": certificates.pair.key, "both": both}
    return re.sub(r"/etc/ssl/chat/(\w+)\.pem", lambda at: str(files[at[1]]), text)


def proxy(name: str, folder: Path, ports: Ports, texts: list[str]) -> AbstractContextManager[None]:
    """The program with its configuration."""
    if name == "nginx":
        http_part, stream = texts
        return nginx(folder, ports.telnet, http_part, stream)
    (text,) = texts
    if name == "haproxy":
        return haproxy(folder, ports.telnet, text)
    return caddy(folder, ports.https, text, f"http_port {ports.http}", f"https_port {ports.https}")


@pytest.fixture(scope="module")
def gateway(start_shared: Start) -> Gateway:
    """The gateway behind all proxies. It is shown below a path as well, and asked without it."""
    token = f"ops:admin:{hashlib.sha256(TOKEN.encode()).hexdigest()}"
    account = f"ana:operator:{CHEAP}"
    return start_shared(*FLAGS, "--web.base_path", "/chat", "--admin.tokens", token, "--admin.accounts", account)


@pytest.fixture(scope="module")
def begin(gateway: Gateway, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[
    Callable[..., Site]
]:  # fmt: skip
    """`begin("nginx")` starts a proxy, once for all tests; `begin("nginx", gateway)` one before another gateway."""
    both = tmp_path_factory.mktemp("both") / "both.pem"
    both.write_bytes(certificates.pair.cert.read_bytes() + certificates.pair.key.read_bytes())
    running: dict[tuple[str, Gateway], Site] = {}
    with ExitStack() as open_ones:

        def begin(name: str, before: Gateway = gateway) -> Site:
            for program in NEEDED[name]:
                if PROGRAMS[program].path is None:
                    (pytest.fail if in_ci() else pytest.skip)(f"{program} is not installed")
            if (name, before) not in running:
                ports = Ports(*free_ports(len(PUBLIC)))
                texts = [adapted(text, ports, before, certificates, both) for text in PRINTED[name]]
                open_ones.enter_context(proxy(name, tmp_path_factory.mktemp(name), ports, texts))
                running[name, before] = Site(name, ports, before, certificates.trust())
            return running[name, before]

        yield begin


@pytest.fixture(params=PRINTED)
def site(request: pytest.FixtureRequest, begin: Callable[..., Site]) -> Site:
    """Each of the proxies."""
    return begin(request.param)


@pytest.fixture(params=["nginx", "haproxy"])
def terminal_site(request: pytest.FixtureRequest, begin: Callable[..., Site]) -> Site:
    """Each of those that proxy terminals."""
    return begin(request.param)


both_ways = pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])


def hello(socket: ClientConnection, nick: str) -> None:
    """Come in."""
    socket.send(json.dumps({"type": "hello", "nick": nick}))
    hear(socket, '"joined"')


def hear(socket: ClientConnection, words: str) -> str:
    """The first frame with the words."""
    while words not in (frame := socket.recv(SECONDS, decode=True)):
        pass
    return frame


def asked(connection: http.client.HTTPConnection, method: str, path: str, body: str = "", **headers: str) -> Answer:
    """A request on a connection that is kept."""
    connection.request(method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read())


@both_ways
def test_a_websocket_goes_through_with_its_clients_address(site: Site, tls: bool) -> None:
    nick = f"ws-{site.name}-{tls}"
    with site.socket(tls) as browser:
        hello(browser, nick)
        browser.send(json.dumps({"type": "say", "id": "c1", "room": "lobby", "text": f"from {nick}"}))
        hear(browser, '"ack"')
        row = site.row(f"nick:{nick}")
        assert (row["address"], row["proxy"], row["door"]) == (CLIENT, HOST, "web")
        post(site.gateway.web, "lobby", f"to {nick}")
        hear(browser, f"to {nick}")


@both_ways
def test_the_page_knows_how_it_was_asked_for(site: Site, tls: bool) -> None:
    page = site.page(tls)
    docs = asked(page, "GET", "/docs").body.decode()
    port = site.ports.https if tls else site.ports.http
    assert f"{'https' if tls else 'http'}://{NAME}:{port}/chat" in docs
    form = f"name=ana&password={PASSWORD.replace(' ', '+')}"
    answer = asked(page, "POST", "/admin/login", form, Content_Type="application/x-www-form-urlencoded")
    assert answer.status == 303 and ("Secure" in answer.headers["set-cookie"]) == tls
    page.close()


def test_below_a_path_page_and_socket_are_found(site: Site) -> None:
    page = site.page(tls=False)
    assert b'data-base="/chat"' in asked(page, "GET", "/chat/").body
    assert asked(page, "GET", "/chat/r/lobby/messages?limit=1").status == 200
    page.close()
    with site.socket(False, "/chat/ws") as browser:
        hello(browser, f"below-{site.name}")


@both_ways
@pytest.mark.parametrize("stream", ["events", "raw"])
def test_a_stream_is_not_held_back(site: Site, stream: str, tls: bool) -> None:
    room = f"{stream}-{site.name}-{tls}".lower()
    page = site.page(tls)
    post(site.gateway.web, room, "makes the room")
    page.request("GET", f"/r/{room}/{stream}", headers={"Accept-Encoding": "gzip"})
    answer = page.getresponse()
    assert answer.getheader("Content-Encoding") is None
    for number in range(3):
        post(site.gateway.web, room, f"piece {number}")
        while f"piece {number}".encode() not in (line := answer.readline()):
            assert line, "it ended"
    row = site.row(f"door:http room:{room}")
    assert (row["address"], row["proxy"]) == (CLIENT, HOST)
    page.close()


def test_requests_share_a_connection_that_ends_before_the_gateways(site: Site) -> None:
    page = site.page(tls=False)
    for number in range(5):
        assert asked(page, "POST", "/r/kept?nick=ci", f"message {number}").status == 201
    page.close()
    kept = re.search(r"keepalive (\d+s);?|for (\d+ s)|http-keep-alive (\d+s)", "\n".join(PRINTED[site.name]))
    assert kept and parse_duration(next(filter(None, kept.groups()))) < Settings().web.keepalive


def test_what_is_silent_is_not_cut_off() -> None:
    """The proxies' limits are longer than anything that is silent on purpose, and each is said."""
    hour = 3600.0
    limits = re.findall(r"(proxy_read_timeout|proxy_timeout|timeout client|timeout server) (\w+)", README)
    assert {name for name, _ in limits} == {"proxy_read_timeout", "proxy_timeout", "timeout client", "timeout server"}
    assert all(parse_duration(limit) >= hour for _, limit in limits)


def test_terminals_are_known_by_their_own_address(terminal_site: Site) -> None:
    ports = terminal_site.ports
    for door, port, tls in (
        ("tcp", ports.lines, False),
        ("tcp", ports.lines_tls, True),
        ("telnet", ports.telnet, False),
    ):
        with terminal_site.terminal(port, tls) as terminal:
            terminal.until("You are guest-")
            nick = f"t-{terminal_site.name}-{port}"
            terminal.named(nick)
            row = terminal_site.row(f"nick:{nick}")
            assert (row["address"], row["proxy"], row["door"]) == (CLIENT, HOST, door)


def test_terminals_are_told_the_pages_address_as_the_proxy_shows_it(begin: Callable[..., Site]) -> None:
    site = begin("haproxy")
    with site.terminal(site.ports.lines) as terminal:
        terminal.send("GET / HTTP/1.1", "")
        assert f"The chat page is at https://{NAME}/chat/\n" in terminal.rest()


def test_a_script_that_half_closes_gets_its_answers(terminal_site: Site) -> None:
    with terminal_site.terminal(terminal_site.ports.lines) as terminal:
        terminal.send("/nick half", "through the proxy", "/who")
        terminal.sock.shutdown(socket.SHUT_WR)
        rest = terminal.rest()
    assert "-- you are half" in rest and "through the proxy" not in rest
    assert "#lobby" in rest
    texts = [m["text"] for m in request(terminal_site.gateway.web, "GET", "/r/lobby/messages").json["messages"]]
    assert "through the proxy" in texts


def test_login_works_where_the_proxy_tells_that_the_client_came_by_tls(begin: Callable[..., Site]) -> None:
    site = begin("haproxy")
    for port, tls, wanted in (
        (site.ports.lines_tls, True, "-- you are ana"),
        (site.ports.lines, False, "!! forbidden"),
    ):
        with site.terminal(port, tls) as terminal:
            assert terminal.answer(f"/login ana {PASSWORD}", "^(-- you|!!|-- .*ana)").startswith(wanted)


def listens(port: int) -> bool:
    """Whether a connection is taken there."""
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection((HOST, port), SECONDS):
        return True
    return False


def test_newcomers_and_those_who_come_back_are_sent_to_the_gateway_that_stays(
    start: Start, begin: Callable[..., Site]
) -> None:
    """Behind HAProxy one gateway of two is stopped: nobody is refused at any moment."""
    one = start(*FLAGS, data="one")
    two = start(*FLAGS, "--host", OTHER, f"--web-port={one.web}", f"--tcp-port={one.tcp}",
                f"--telnet-port={one.telnet}", data="two")  # fmt: skip
    site = begin("haproxy", one)
    with ExitStack() as open_ones:
        tries = count()

        def halved() -> tuple[Terminal, Terminal, ClientConnection, ClientConnection] | None:
            """A terminal at `one` and one at `two`, and two such pages; None if a gateway was just taken for busy."""
            with ExitStack() as these:
                mark = next(tries)
                lines = [these.enter_context(site.terminal(site.ports.lines)) for _ in range(2)]
                pages = [these.enter_context(site.socket(False)) for _ in range(2)]
                for number, (line, page) in enumerate(zip(lines, pages, strict=True)):
                    line.until("You are guest-")
                    line.named(f"line-{number}-{mark}")
                    hello(page, f"page-{number}-{mark}")
                with Browser(one.web) as inside:
                    there = {member["nick"] for member in inside.joined["lobby"]["members"]}
                line_there = [number for number in range(2) if f"line-{number}-{mark}" in there]
                page_there = [number for number in range(2) if f"page-{number}-{mark}" in there]
                if len(line_there) != 1 or len(page_there) != 1:
                    return None
                open_ones.push(these.pop_all())
                return lines[line_there[0]], lines[1 - line_there[0]], pages[page_there[0]], pages[1 - page_there[0]]

        terminal, other, browser, stays = until(halved, "half of them are at each")
        one.running.send_signal(signal.SIGTERM)
        until(lambda: not listens(one.tcp), "the ports are closed")
        while one.running.poll() is None:
            with site.terminal(site.ports.lines) as newcomer:
                newcomer.until("You are guest-")
            page = site.page(tls=False)
            assert asked(page, "GET", "/rooms").status == 200
            page.close()
        assert "draining" in hear(browser, '"bye"')
        assert "!! draining" in terminal.rest()
        with site.socket(False) as again:
            hello(again, "again")
        assert other.answer("/who")
        stays.send('{"type":"ping","id":"p1"}')
        hear(stays, '"p1"')
    assert two.running.poll() is None and one.running.returncode == 0
