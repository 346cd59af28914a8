"""Every example of `/docs`, taken from the page that a running gateway serves, does what the page says."""

import hashlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pexpect
import pytest
from websockets.sync.client import connect

from tests.bridge.gateways import NO_PACE, Gateway, Start
from tests.bridge.peers import SECONDS, Running, history, post, request, subprotocols
from tests.fakes import until

PATIENCE = 45.0
TOKEN = "a-token"
BROWSER_TESTS = Path(__file__).parents[2] / "web" / "browser" / "test_browser_docs.py"

Program = Callable[[str], str]


class Examples(HTMLParser):
    """The blocks of a page that have a `data-example`, by its value."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._name: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._name = dict(attrs).get("data-example")

    def handle_endtag(self, tag: str) -> None:
        self._name = None

    def handle_data(self, data: str) -> None:
        if self._name is not None:
            self.found[self._name] = self.found.get(self._name, "") + data


class Site:
    """The gateway, its page's examples, and the programs they need."""

    def __init__(self, gateway: Gateway, program: Program) -> None:
        self.gateway = gateway
        self.program = program
        self.examples = Examples(request(gateway.web, "GET", "/docs").body.decode()).found

    def shell(self, words: str) -> list[str]:
        """The command that runs an example in a shell whose `nc` is the one that knows `-N`."""
        programs = {name: self.program(name) for name in ("curl", "telnet") if name in words}
        if re.search(r"\bnc ", words):
            programs["nc"] = self.program("nc.openbsd")
        functions = "".join(f'{name}() {{ {path} "$@"; }}\n' for name, path in programs.items())
        return [self.program("bash"), "-c", functions + words]

    def run(self, name: str, **variables: str) -> str:
        """What an example prints. It must end well."""
        return self.run_words(self.examples[name], **variables)

    def run_words(self, words: str, **variables: str) -> str:
        settings = "".join(f"{key}={value}\n" for key, value in variables.items())
        done = subprocess.run(self.shell(settings + words), capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, name: str) -> Running:
        """An example that does not end by itself."""
        return Running(self.shell(self.examples[name]))

    def heard(self, nick: str, text: str) -> None:
        """Wait until it has been said in the lobby."""
        until(lambda: (nick, text) in self.said(), f"{nick}: {text}", PATIENCE)

    def said(self) -> list[tuple[str, str]]:
        """Who said what in the lobby."""
        return [(each["nick"], each["text"]) for each in history(self.gateway.web, "lobby")]

    def say_until(self, text: str, nick: str, shown: Callable[[], bool]) -> None:
        """Say it, and again while it is not shown: a program that has just been started may not listen yet."""

        def said_and_shown() -> bool:
            assert post(self.gateway.web, "lobby", text, nick).status == 201
            try:
                until(shown, text, 0.5)
            except AssertionError:
                return False
            return True

        until(said_and_shown, f"{text!r} is shown", PATIENCE)


@pytest.fixture(scope="module")
def described(start_shared: Start) -> Gateway:
    return start_shared(*NO_PACE, "--admin.tokens", f"t:viewer:{hashlib.sha256(TOKEN.encode()).hexdigest()}")


@pytest.fixture
def site(described: Gateway, program: Program) -> Site:
    return Site(described, program)


def test_nc(site: Site) -> None:
    with site.start("nc") as nc:
        nc.send("/nick nina", "hello from nc")
        site.heard("nina", "hello from nc")
        nc.send("/help")
        until(lambda: any(line.startswith("-- /help") for line in nc.lines()), "the commands", PATIENCE)
        nc.send("quit")
        until(lambda: nc.lines()[-1].startswith("-- bye"), "the farewell", PATIENCE)


def test_a_pipe_through_nc(site: Site) -> None:
    site.run("nc-pipe")

    assert site.said().count(("ci", "build 17 is green")) == 1


def test_telnet(site: Site) -> None:
    path, *words = shlex.split(site.examples["telnet"])
    child = pexpect.spawn(site.program(path), words, encoding="utf-8", timeout=PATIENCE)
    child.expect("/help")
    child.send("/nick tess\rhello from telnet\r")
    site.heard("tess", "hello from telnet")
    child.close(force=True)


def test_curl_posts(site: Site) -> None:
    stored = json.loads(site.run("curl-post"))

    assert history(site.gateway.web, "lobby")[-1]["seq"] == stored["seq"]
    assert site.said()[-1] == ("ci", "build 17 is green")


def test_curl_posts_once(site: Site) -> None:
    assert site.run("curl-once") == site.run("curl-once")
    assert site.said().count(("ci", "build 18 is red")) == 1


def test_curl_reads(site: Site) -> None:
    assert post(site.gateway.web, "lobby", "to be read", "ci").status == 201

    assert json.loads(site.run("curl-history"))["messages"][-1]["text"] == "to be read"
    assert "lobby" in [each["room"] for each in json.loads(site.run("curl-rooms"))]


@pytest.mark.parametrize(
    ("name", "line"),
    [("curl-raw", "ci: live"), ("curl-events", "event: msg"), ("shell-loop", r"\d\d:\d\d:\d\d ci: live")],
)
def test_a_room_is_followed(site: Site, name: str, line: str) -> None:
    with site.start(name) as follower:
        site.say_until("live", "ci", lambda: any(re.fullmatch(line, each) for each in follower.lines()))


def test_cron(site: Site) -> None:
    *moment, command = site.examples["cron"].split(" ", 5)
    assert moment == ["0", "7", "*", "*", "*"]

    site.run_words(command)

    assert site.said()[-1][0] == "cron" and "%" in site.said()[-1][1]


def test_websocat_and_wscat(site: Site) -> None:
    """Neither is installed where the tests run: `websockets` does what their words ask for."""
    websocat, option, protocol, address = shlex.split(site.examples["websocat"])
    assert (websocat, option) == ("websocat", "--protocol")
    assert shlex.split(site.examples["wscat"]) == ["wscat", "-s", protocol, "-c", address]

    with connect(address, subprotocols=subprotocols(protocol), compression=None) as socket:
        socket.send("/nick wes")
        socket.send("hello from websocat")
        site.heard("wes", "hello from websocat")
        while socket.recv(timeout=SECONDS) != "-- you are wes":
            pass


def test_python_with_nothing_but_a_socket(site: Site) -> None:
    with Running([sys.executable, "-c", site.examples["python-socket"]]):
        site.heard("robby", "say ping")
        site.say_until("ping", "ci", lambda: ("robby", "pong") in site.said())


def test_python_with_websockets(site: Site) -> None:
    words = [sys.executable, "-c", site.examples["python-websockets"]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)

    assert re.fullmatch(r"stored as \d+\n", done.stdout), done.stderr
    assert ("robin", "hello from Python") in site.said()


def test_a_script_with_a_token_asks_the_admin_api(site: Site) -> None:
    assert "connections" in json.loads(site.run("admin", TOKEN=TOKEN))


def test_no_example_is_left_out(site: Site) -> None:
    tests = Path(__file__).read_text() + BROWSER_TESTS.read_text()

    assert [name for name in site.examples if f'"{name}"' not in tests] == []
