"""Readers that sleep and readers that do not read: neither costs the others, or the processor, anything."""

import re
import select
import threading
from collections.abc import Sequence

import pytest

from tests.bridge.canary import canary
from tests.bridge.gateways import NO_PACE, Gateway, Start
from tests.bridge.peers import Browser, Json, Terminal, needs_proc
from tests.fakes import until

STALLED = 20
ACTIVE = 30
MESSAGES = 900
WORDS = "w" * 1000
MEMORY_GROWTH = 24 << 20
QUIET_SECONDS = 3.0
SKIPPED = re.compile(r"-- (\d+) lines? skipped: /since (\d+) shows them")


def nobody_hears_anything(peers: Sequence[Terminal | Browser], seconds: float) -> bool:
    """Whether nothing comes for so many seconds."""
    sockets = [peer.sock if isinstance(peer, Terminal) else peer.socket.socket for peer in peers]
    return not select.select(sockets, [], [], seconds)[0]


@needs_proc
def test_no_processor_time_passes_when_nobody_talks(gateway: Gateway) -> None:
    terminals = [Terminal(gateway.tcp) for _ in range(20)]
    browsers = [Browser(gateway.web) for _ in range(20)]
    for terminal in terminals:
        terminal.until("/quit leaves|/help")
    for terminal in terminals:
        terminal.until("^-- guest-.* joined")
        terminal.send("/nick")
        terminal.until("you are")
    # What the greetings and the joins still cause comes within two seconds; then there is quiet.
    while not nobody_hears_anything(terminals, 2.5):
        for terminal in terminals:
            terminal.sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                while terminal.sock.recv(65536):
                    pass
    before = gateway.cpu_ticks()

    assert nobody_hears_anything(terminals, QUIET_SECONDS)
    assert gateway.cpu_ticks() - before <= 1
    for peer in browsers:
        peer.close()


class Reader(threading.Thread):
    """Reads until the last message and keeps the numbers, from a browser or a terminal."""

    def __init__(self, peer: Terminal | Browser) -> None:
        super().__init__(daemon=True)
        self.peer = peer
        self.seen: list[int] = []

    def run(self) -> None:
        while not self.seen or self.seen[-1] != MESSAGES:
            if isinstance(self.peer, Terminal):
                _, said, text = self.peer.line(30).partition(": ")
                if said and text.endswith(WORDS):
                    self.seen.append(int(text.split()[0]))
            else:
                found = self.peer.receive(30)
                if found["type"] == "msg":
                    self.seen.append(int(found["text"].split()[0]))


@needs_proc
@pytest.mark.timeout(120)
def test_stalled_readers_cost_the_others_nothing_and_are_told_what_they_missed(start: Start) -> None:
    gateway = start(*NO_PACE, "--limits.log_bytes", "256KiB", "--limits.log_messages", 200)
    stalled_terminals = [Terminal(gateway.tcp, receive_buffer=4096).named(f"st{n}") for n in range(STALLED)]
    stalled_browsers = [Browser(gateway.web, receive_buffer=4096) for _ in range(STALLED)]
    named = [Terminal(gateway.tcp).named(f"reader{number}") for number in range(ACTIVE)]
    peers: list[Terminal | Browser] = [*named, *(Browser(gateway.web) for _ in range(ACTIVE))]
    readers = [Reader(peer) for peer in peers]
    for reader in readers:
        reader.start()

    half = 0
    with canary(gateway.tcp, gateway.web), Browser(gateway.web, nick="writer") as writer:
        for number in range(1, MESSAGES + 1):
            writer.say(f"{number} {WORDS}")
            if number == MESSAGES // 2:
                half = gateway.memory()
        for reader in readers:
            reader.join(30)

    assert all(reader.seen == list(range(1, MESSAGES + 1)) for reader in readers)
    assert gateway.memory() - half < MEMORY_GROWTH
    for terminal in stalled_terminals:
        check_terminal(terminal)
    for browser in stalled_browsers:
        check_browser(browser)


def check_terminal(terminal: Terminal) -> None:
    """The lines and the gaps between them cover everything, in order; the connection lives."""
    covered, gaps = 0, 0
    while covered < MESSAGES:
        line = terminal.line()
        if skipped := SKIPPED.search(line):
            assert int(skipped[2]) == covered
            covered += int(skipped[1])
            gaps += 1
        elif line.endswith(WORDS):
            assert int(line.split()[1]) == covered + 1
            covered += 1
    assert gaps
    assert terminal.answer("/topic").startswith("-- no topic")


def check_browser(browser: Browser) -> None:
    """The same for a page."""
    covered, gaps = 0, 0
    while covered < MESSAGES:
        found: Json = browser.receive()
        if found["type"] == "gap":
            assert found["from"] == covered + 1
            covered = found["to"]
            gaps += 1
        elif found["type"] == "msg":
            assert found["seq"] == covered + 1
            covered = found["seq"]
    assert gaps
    browser.send(type="history", room="lobby", before=MESSAGES, limit=1)
    assert browser.next("history")["messages"][0]["seq"] == MESSAGES - 1


@needs_proc
def test_memory_does_not_grow_with_what_is_said(start: Start) -> None:
    gateway = start(*NO_PACE, "--limits.log_bytes", "256KiB", "--limits.log_messages", 200)
    with Browser(gateway.web) as writer:
        sizes = []
        for _ in range(3):
            for _ in range(500):
                writer.post(WORDS)
            writer.say("done")
            sizes.append(gateway.memory())

    assert sizes[2] - sizes[0] < MEMORY_GROWTH


@needs_proc
def test_connections_that_come_and_go_leave_nothing_behind(gateway: Gateway) -> None:
    def visit() -> None:
        for _ in range(50):
            with Terminal(gateway.tcp) as terminal:
                terminal.send("/nick")
                terminal.until("you are")
            with Browser(gateway.web, "visited"):
                pass

    visit()
    before = gateway.descriptors()
    visit()
    until(lambda: gateway.descriptors() <= before, "all descriptors are back")
