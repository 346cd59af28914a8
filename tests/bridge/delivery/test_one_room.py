"""Every kind of peer in one room: all of them read the same messages in the same order."""

import contextlib
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pexpect
import pytest

from tests.bridge.gateways import Gateway
from tests.bridge.peers import HOST, Browser, Running, Terminal, history, post
from tests.fakes import PATIENCE, until

TERMINALS = {
    "openbsd": ["nc.openbsd", HOST, "PORT"],
    "traditional": ["nc.traditional", HOST, "PORT"],
    "ncat": ["ncat", HOST, "PORT"],
    "socat": ["socat", "-", f"TCP:{HOST}:PORT"],
    "bash": ["bash", "-c", f"exec 3<>/dev/tcp/{HOST}/PORT; cat <&3 & cat >&3"],
}
CODES = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
"""What a line editor writes besides text."""
LINES_EACH = 30
SAID = re.compile(r"(?:^|\r|\n)(?:\[\d\d:\d\d\] )?\w+: (\w+ says \d+)")
Program = Callable[[str], str]


class Telnet:
    """The real telnet program on a terminal of its own."""

    def __init__(self, path: str, port: int) -> None:
        self.child: Any = pexpect.spawn(path, [HOST, str(port)], encoding="utf-8", echo=False, timeout=PATIENCE)
        self.child.expect("Escape character is")
        self.output = ""

    def __enter__(self) -> "Telnet":
        return self

    def __exit__(self, *problem: object) -> None:
        self.child.close(force=True)

    def send(self, *lines: str) -> None:
        """Type whole lines."""
        for line in lines:
            self.child.send(f"{line}\r")

    def lines(self) -> list[str]:
        """What it has shown so far."""
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
            while True:
                self.output += self.child.read_nonblocking(65536, timeout=0)
        return CODES.sub("", self.output).replace("\r\n", "\n").replace("\r", "\n").split("\n")


Peer = Running | Telnet


def shows(peer: Peer, text: str) -> bool:
    return text in "\n".join(peer.lines())


def said(lines: list[str]) -> list[str]:
    """The messages of this test among what a terminal has shown."""
    return [found[1] for line in lines if (found := SAID.search(line))]


def has_read(peer: Peer, count: int) -> bool:
    return len(said(peer.lines())) >= count


@pytest.fixture
def terminals(gateway: Gateway, program: Program) -> Iterator[dict[str, Peer]]:
    """One of each program, named after itself, with its own lines echoed by the gateway."""
    with contextlib.ExitStack() as stack:
        peers: dict[str, Peer] = {}
        for name, (path, *arguments) in TERMINALS.items():
            words = [word.replace("PORT", str(gateway.tcp)) for word in arguments]
            peers[name] = stack.enter_context(Running([program(path), *words]))
        peers["telnettcp"] = stack.enter_context(Telnet(program("telnet"), gateway.tcp))
        peers["telnet"] = stack.enter_context(Telnet(program("telnet"), gateway.telnet))
        for name, peer in peers.items():
            peer.send(f"/nick {name}", "/echo on")
        for name, peer in peers.items():
            until(partial(shows, peer, "come back to you"), f"{name} is in the room")
        yield peers


def test_all_doors_show_one_order_while_everybody_talks(
    gateway: Gateway, terminals: dict[str, Peer], program: Program
) -> None:
    def talk(name: str, send: Callable[[str], object]) -> None:
        for number in range(LINES_EACH):
            send(f"{name} says {number}")

    def curl(text: str) -> None:
        url = f"http://{HOST}:{gateway.web}/r/lobby?nick=curl"
        subprocess.run([program("curl"), "-sS", "-d", text, url], check=True, capture_output=True)

    with Browser(gateway.web, nick="one") as one, Browser(gateway.web, nick="two") as two:
        writers: dict[str, Callable[[str], object]] = {name: peer.send for name, peer in terminals.items()}
        writers |= {"one": one.post, "two": two.post, "curl": curl}
        threads = [threading.Thread(target=talk, args=writer) for writer in writers.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        total = len(writers) * LINES_EACH
        until(lambda: len(history(gateway.web, "lobby")) == total, "everything has arrived")
        one.say("one says enough", kind="action")
        held = history(gateway.web, "lobby")
        order = [message["text"] for message in held][:total]
        for name, peer in terminals.items():
            until(partial(has_read, peer, total), f"{name} has read everything")
        shown = {name: said(peer.lines()) for name, peer in terminals.items()}
        objects = [found for found in two.until(lambda found: found.get("text") == "one says enough")]

    assert len(order) == total
    for name in writers:
        mine = [text for text in order if text.startswith(f"{name} ")]
        assert mine == [f"{name} says {number}" for number in range(LINES_EACH)]
    assert [message["seq"] for message in held] == list(range(1, total + 2))
    assert [found["text"] for found in objects if found["type"] == "msg"][:total] == order
    assert [found["seq"] for found in objects if found["type"] == "msg"] == list(range(1, total + 2))
    for name, texts in shown.items():
        assert texts == order, name


def test_every_door_is_named_with_its_message(gateway: Gateway) -> None:
    with Browser(gateway.web, nick="web") as browser, Terminal(gateway.tcp) as tcp, Terminal(gateway.telnet) as telnet:
        tcp.send("/nick nc", "from netcat")
        browser.texts_until("from netcat")
        telnet.send("/nick tn", "from telnet")
        browser.texts_until("from telnet")
        browser.say("from the page")
        post(gateway.web, "lobby", "from curl", "ci")

    doors = {message["nick"]: message["door"] for message in history(gateway.web, "lobby")}
    assert doors == {"nc": "tcp", "tn": "telnet", "web": "web", "ci": "http"}


def test_the_plain_door_sends_no_telnet_byte_and_ends_lines_with_a_line_feed(gateway: Gateway) -> None:
    with Terminal(gateway.tcp) as reader, Terminal(gateway.telnet) as telnet:
        telnet.send("/nick tn", "hello")
        reader.until("tn: hello")
        reader.send("/help", "/quit")

        rest = reader.rest()
    assert "\xff" not in rest and "\r" not in rest and "\x1b" not in rest


def test_a_slow_character_comes_out_whole(gateway: Gateway) -> None:
    with Terminal(gateway.tcp) as writer, Browser(gateway.web) as reader:
        writer.sock.sendall(b"\xf0\x9f")
        reader.say("meanwhile")
        writer.sock.sendall(b"\x98\x80\n")

        assert reader.texts_until("\U0001f600") == ["meanwhile", "\U0001f600"]


def test_a_message_of_several_lines_carries_its_author_on_each(gateway: Gateway) -> None:
    with Terminal(gateway.tcp).named("ana") as terminal, Browser(gateway.web, nick="bob") as browser:
        browser.say("first\nserver: second\n-- third")

        assert terminal.until("third") == ["bob: first", "bob| server: second", "bob| -- third"]


def test_history_and_topic_are_there_after_a_restart_on_the_same_ports(gateway: Gateway) -> None:
    with Browser(gateway.web, "ops") as browser:
        browser.say("/topic release day", "ops")
        browser.say("before", "ops")
        joined = browser.joined["ops"]
    ports = dict(gateway.ports)
    gateway.restart()
    with Browser(gateway.web, "ops") as browser:
        again = browser.joined["ops"]
        browser.say("after", "ops")

    assert gateway.ports == ports
    assert (again["epoch"], again["head"], again["topic"]) == (joined["epoch"], 1, "release day")
    found = [(message["seq"], message["text"]) for message in history(gateway.web, "ops")]
    assert found == [(1, "before"), (2, "after")]
