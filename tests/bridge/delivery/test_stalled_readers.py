"""A hundred readers that do not read, beside five hundred that do: what the others wait, and the memory it takes.

The others' delivery is measured in turns without and with the stalled ones, in one run, so that what else the machine
does counts for both. The test judges the p99 of a typical second, so that a few seconds in which the machine was
busy with something else do not decide. What the stalled are told when they read again: `test_readers`.
"""

import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean, median, quantiles

import pytest

from tests.bridge.crowds import reader
from tests.bridge.gateways import NO_PACE, Gateway, Start
from tests.bridge.peers import HOST, needs_proc
from tests.fakes import PATIENCE

READERS = 500
STALLED = 100
PER_SECOND = 20
WORDS = b"w" * 500
FILL = 600
"""Messages that fill every buffer between the gateway and a reader that does not read."""
TURNS = 8
MOST_RATIO = 1.25
MOST_GROWTH = 2 << 20
STAMP = re.compile(rb"at=(\d+) ")
STAMP_BYTES = 30
PING, PONG = b"\x89\x00", b"\x8a\x80\x00\x00\x00\x00"


class Crowd(threading.Thread):
    """Reads for everybody who reads; while `delays` is a list, how long each message took to each of them, in ms."""

    def __init__(self, socks: list[socket.socket]) -> None:
        super().__init__(daemon=True)
        self.socks = {sock.fileno(): sock for sock in socks}
        self.delays: list[float] = []
        self.heard = 0
        self.over = False
        self._rest = dict.fromkeys(self.socks, b"")

    def run(self) -> None:
        poll = select.epoll()
        for number in self.socks:
            poll.register(number, select.EPOLLIN)
        while not self.over:
            for number, _ in poll.poll(0.2):
                now = time.monotonic_ns()
                more = self.socks[number].recv(1 << 18)
                if PING in more:
                    self.socks[number].sendall(PONG)
                data = self._rest[number] + more
                end = 0
                for stamp in STAMP.finditer(data):
                    self.heard += 1
                    self.delays.append((now - int(stamp[1])) / 1e6)
                    end = stamp.end()
                self._rest[number] = data[max(end, len(data) - STAMP_BYTES) :]
        poll.close()


@contextmanager
def crowd_of(gateway: Gateway) -> Iterator[Crowd]:
    """READERS that read."""
    crowd = Crowd([reader(gateway, number) for number in range(READERS)])
    crowd.start()
    try:
        yield crowd
    finally:
        crowd.over = True
        crowd.join()
        for sock in crowd.socks.values():
            sock.close()


class Writer:
    """Says PER_SECOND messages with the moment they left, and looks at the gateway's memory once a second."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.said = 0
        self._sock = socket.create_connection((HOST, gateway.tcp))

    def say(self) -> None:
        """One message."""
        self.said += 1
        self._sock.sendall(b"at=%d " % time.monotonic_ns() + WORDS + b"\n")

    def talk(self, seconds: float) -> list[int]:
        """Talk for so long; the gateway's memory in bytes, once a second."""
        sizes = []
        began = time.monotonic()
        for number in range(int(seconds * PER_SECOND)):
            time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
            self.say()
            if number % PER_SECOND == 0:
                sizes.append(self.gateway.memory())
        return sizes

    def fill(self) -> None:
        """Say enough to fill every buffer of the readers that have stalled."""
        for _ in range(FILL):
            self.say()
            time.sleep(0.005)


def heard_by_all(crowd: Crowd, writer: Writer) -> None:
    """Wait until everybody has everything."""
    deadline = time.monotonic() + PATIENCE
    while crowd.heard < writer.said * READERS:
        assert time.monotonic() < deadline, f"{crowd.heard} of {writer.said * READERS} messages came"
        time.sleep(0.05)


def p99_of_each_second(delays: list[float]) -> list[float]:
    """The p99 of every PER_SECOND messages to everybody."""
    size = PER_SECOND * READERS
    return [quantiles(delays[at : at + size], n=100)[98] for at in range(0, len(delays) - size + 1, size)]


def measure(gateway: Gateway, seconds: float) -> None:
    """Take turns without and with stalled readers; the others' p99 and the gateway's memory hold."""
    delays: dict[bool, list[float]] = {False: [], True: []}
    processor = {False: 0, True: 0}
    growth = []
    writer = Writer(gateway)
    with crowd_of(gateway) as crowd:
        for turn in range(TURNS):
            with_stalled = bool(turn % 2)
            stalled = [reader(gateway, number, 4096) for number in range(STALLED if with_stalled else 0)]
            writer.fill()
            heard_by_all(crowd, writer)
            crowd.delays = delays[with_stalled]
            before = gateway.cpu_ticks()
            sizes = writer.talk(seconds / TURNS)
            heard_by_all(crowd, writer)
            processor[with_stalled] += gateway.cpu_ticks() - before
            crowd.delays = []
            quarter = max(1, len(sizes) // 4)
            growth.append((with_stalled, fmean(sizes[-quarter:]) - fmean(sizes[:quarter]), seconds / TURNS))
            for sock in stalled:
                sock.close()
    cuts = {kind: quantiles(found, n=1000) for kind, found in delays.items()}
    for kind, found in cuts.items():
        words = "with" if kind else "without"
        print(f"{words:8} stalled: p50 {found[499]:.2f} ms, p99 {found[989]:.2f} ms, p99.9 {found[998]:.2f} ms")
    for kind, grown, length in growth:
        print(f"memory {'with' if kind else 'without'} stalled: {grown / 1024:+.0f} KiB in {length:.0f} s")
    typical = {kind: median(p99_of_each_second(found)) for kind, found in delays.items()}
    print(f"p99 of a typical second: {typical[True]:.2f} ms with, {typical[False]:.2f} ms without stalled")
    ratio = typical[True] / typical[False]
    print(f"ratio of that: {ratio:.3f}, of all: {cuts[True][989] / cuts[False][989]:.3f}")
    print(f"ratio of the gateway's processor time: {processor[True] / processor[False]:.3f}")
    assert max(grown for kind, grown, _ in growth if kind) < MOST_GROWTH
    assert ratio <= MOST_RATIO


LIMITS = (*NO_PACE, "--limits.log_bytes", "512KiB", "--limits.connections_per_ip", 0)


@needs_proc
@pytest.mark.soak
@pytest.mark.timeout(300)
def test_in_two_minutes_a_hundred_stalled_readers_cost_the_others_nothing(start: Start) -> None:
    measure(start(*LIMITS), 120)


@needs_proc
@pytest.mark.soak
@pytest.mark.timeout(900)
def test_in_ten_minutes_a_hundred_stalled_readers_cost_the_others_nothing(start: Start) -> None:
    measure(start(*LIMITS), 600)
