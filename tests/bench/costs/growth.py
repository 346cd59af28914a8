"""How the gateway's costs grow: `python3 tests --growth`.

What one message, reader, author, room, newcomer, question or restart costs is measured while there are more and more of
them. The slope is that of the cost in a double-logarithmic plot, by least squares: 0 is a cost of one that stays what
it is, so that all of them together cost in proportion; 1 is a cost of all that grows with the square. Each step has a
gateway of its own, with SQLite, on a core of its own. Costs are its processor time.
"""

import argparse
import gc
import math
import queue
import selectors
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from socket import socket
from typing import Any

import httpx
import msgspec

from gateway.bench.chart import draw
from gateway.bench.compare import HOST, WAYS, Contender, started
from gateway.bench.delivery_check import client_frame, split_frames
from gateway.bench.machine import allow_descriptors, cores, cpu_seconds, machine_line, on_core
from gateway.bench.peer import dial
from gateway.bench.plan import BenchError, BenchTarget, LoadPlan
from gateway.bench.report import Chart, as_table
from gateway.core.answer import Answer
from gateway.core.ports.journal import Expired, Page
from gateway.core.ports.transport import Arrival
from gateway.core.protocol.message import Door, Message
from gateway.core.protocol.wire import PLAIN
from gateway.errors import JournalError
from gateway.journal.sqlite import SqliteJournal
from gateway.process.gc_policy import GcPolicy
from tests.bench.costs import readme
from tests.bench.costs.works import Sink
from tests.bench.side_by_side.works import loaded, read_until_quiet
from tests.core.world import World

PICTURE = readme.PICTURES / "growth.png"
HEAD = ("cost of", "while there are", "first, µs", "last, µs", "slope", "")
TCP, WEB = WAYS["gateway-tcp"], WAYS["gateway-web"]
TOLERATED = 0.2
"""From this slope on a cost is said to grow worse than in proportion: noise alone makes a tenth."""
ROUNDS = 100
SECONDS = 1.5
SPARE = 100
QUIET_SECONDS = 2.5
"""Longer than it takes until a newcomer is announced, which is a part of what they cost."""
ROOM = "full"
NO_LIMIT = ("--limits.connections", "0")
BATCH = 10_000
STORE_SECONDS = 60.0
OLD_MS = 7 * 86_400_000
EXPIRED = 500
"""Messages that retention deletes, whatever is left."""
COME_A_SECOND = 500
STORED = (1000, 10_000, 100_000, 1_000_000)
LOOK_SECONDS, IDLE_LOOKS, IDLE_SHARE = 0.5, 3, 0.05
"""A gateway that has computed for less than that share of each of so many looks is at rest."""


@dataclass(frozen=True, slots=True)
class Growth:
    """One cost: of what, while there are more of what, at which steps. `cost(step)` is in microseconds."""

    name: str
    more: str
    steps: Sequence[int]
    cost: Callable[[int], float]


def lines(plan: LoadPlan) -> float:
    """What a delivery to a terminal costs under that load."""
    with started(TCP, cores()[0]) as target:
        price = loaded(plan, TCP, target)
    if price.faults:
        raise BenchError(price.faults[0])
    return price.value


def spent(target: BenchTarget) -> float:
    """The gateway's processor time so far, in microseconds."""
    return (cpu_seconds(target.pid) or math.nan) * 1e6


@contextmanager
def crowd(server: Contender, target: BenchTarget, hellos: Sequence[bytes]) -> Iterator[list[socket]]:
    """Connections that have said these, while the block lasts; the gateway has come to rest."""
    allow_descriptors(len(hellos) + SPARE)
    peers: list[socket] = []
    with selectors.DefaultSelector() as selector:
        for number, hello in enumerate(hellos, 1):
            peer, _ = dial(target, server.door, server.dialect.path("lobby"))
            peer.send(hello)
            selector.register(peer, selectors.EVENT_READ, server.door)
            peers.append(peer)
            if number % 50 == 0:
                read_until_quiet(selector, 0)
        read_until_quiet(selector, QUIET_SECONDS)
        yield peers
        if len(selector.get_map()) < len(hellos):
            raise BenchError(f"{len(hellos) - len(selector.get_map())} connections were closed")
        for peer in peers:
            peer.close()


def unlimited(server: Contender) -> Contender:
    """The same server for as many connections as there are descriptors."""
    return replace(server, command=lambda folder: [*server.command(folder), *NO_LIMIT])


def newcomer(server: Contender, count: int) -> float:
    """What each of so many costs who come at once into one room and stay."""
    with started(unlimited(server), cores()[0]) as target:
        before = spent(target)
        with crowd(server, target, [server.dialect.enter(server.door, "lobby")] * count):
            return (spent(target) - before) / count


def asked(question: bytes, count: int) -> float:
    """What a terminal's question costs in a room of so many."""
    with started(unlimited(TCP), cores()[0]) as target, crowd(TCP, target, [b"/join lobby\n"] * count) as peers:
        asking = peers[-1]
        asking.setblocking(True)
        before = spent(target)
        for _ in range(ROUNDS):
            asking.sendall(question)
            if not asking.recv(64 << 10):
                raise BenchError("the gateway closed the connection")
        return (spent(target) - before) / ROUNDS


def filled(count: int, shelf: Path) -> Path:
    """The data of a gateway that holds so many messages of one room, and whose index knows them; made once."""
    data = shelf / str(count)
    if not data.exists():
        data.mkdir()
        with journal_in(data) as (journal, wait):
            for start in range(0, count, BATCH):
                told = Answer[object]()
                journal.append(talk(start, min(count, start + BATCH)), told.set)
                wait(told)
        with started(keeping(data), cores()[0]) as target:
            rest(target)
    return data


def talk(start: int, end: int) -> list[Message]:
    """Messages with these places, one a millisecond, the last of all just now."""
    now = time.time_ns() // 1_000_000
    return [
        Message(ROOM, now - OLD_MS + place, f"guest-{place % 97:04x}", "tcp", "say", f"said at place {place}")
        for place in range(start, end)
    ]


@contextmanager
def journal_in(data: Path) -> Iterator[tuple[SqliteJournal, Callable[[Answer[Any]], object]]]:
    """The journal of that folder, and what waits for an answer of it."""
    jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    journal = SqliteJournal(data / "journal.sqlite3", call_soon_threadsafe=jobs.put)

    def wait(answer: Answer[Any]) -> object:
        found: list[object] = []
        answer.then(found.append)
        while not found:
            jobs.get(timeout=STORE_SECONDS)()
        if isinstance(found[0], JournalError):
            raise BenchError(str(found[0]))
        return found[0]

    try:
        yield journal, wait
    finally:
        journal.close()


def keeping(data: Path, *more: str) -> Contender:
    """A gateway whose data is in that folder."""

    def command(folder: Path) -> list[str]:
        return [str(data) if word == str(folder / "data") else word for word in TCP.command(folder)] + list(more)

    return replace(TCP, command=command)


def rest(target: BenchTarget) -> None:
    """Wait until the gateway computes next to nothing: what it does after its start, as its index, is over."""
    before, idle = spent(target), 0
    while idle < IDLE_LOOKS:
        time.sleep(LOOK_SECONDS)
        now = spent(target)
        idle = idle + 1 if now - before < LOOK_SECONDS * 1e6 * IDLE_SHARE else 0
        before = now


def page_of_history(count: int, shelf: Path) -> float:
    """What a page from the middle of so many stored messages costs over HTTP."""
    with (
        started(keeping(filled(count, shelf)), cores()[0]) as target,
        httpx.Client(base_url=f"http://{HOST}:{target.port('web')}") as client,
    ):
        address = f"/r/{ROOM}/messages?before={count // 2}&limit=50"
        client.get(address)
        before = spent(target)
        for _ in range(ROUNDS):
            if len(client.get(address).json()["messages"]) != 50:
                raise BenchError("a page is not whole")
        return (spent(target) - before) / ROUNDS


def restart(count: int, shelf: Path) -> float:
    """What a start costs with so many stored messages, until all doors listen."""
    took = []
    for _ in range(3):
        with started(keeping(filled(count, shelf)), cores()[0]) as target:
            took.append(spent(target))
    return statistics.median(took)


def retention(count: int, shelf: Path) -> float:
    """What it costs to delete each of the oldest EXPIRED among so many stored messages."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        shutil.copytree(filled(count, shelf), data)
        with journal_in(data) as (journal, wait):
            page = wait(journal.read(ROOM, after=EXPIRED, before=None, limit=1))
            assert isinstance(page, Page)
            before, more = time.process_time(), True
            while more:
                told = wait(journal.expire(page.messages[0].ts))
                assert isinstance(told, Expired)
                more = told.more
            return (time.process_time() - before) / EXPIRED * 1e6


def collector(count: int) -> float:
    """What the collector of cyclic garbage costs each of so many who come into one room, as the gateway runs it."""
    world, policy, walks = World(messages_per_second=0.0), GcPolicy(), Walks()
    thresholds = gc.get_threshold()
    gc.callbacks.append(walks)
    try:
        policy.start()
        for number in range(count):
            world.terminals.connect(Sink(), PLAIN, Arrival(Door.TCP, "127.0.0.1", terminal=True))
            if number % COME_A_SECOND == 0:
                world.run()
                policy.beat(number / COME_A_SECOND)
        return walks.seconds / count * 1e6
    finally:
        gc.callbacks.remove(walks)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        gc.collect()


class Walks:
    """How much processor time the collector has taken."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        now = time.process_time()
        self.seconds += now if phase == "stop" else -now


def tokens(target: BenchTarget, count: int) -> list[str]:
    """The tokens of so many browsers, each of which has come in and gone."""
    found = []
    for _ in range(count):
        peer, _ = dial(target, "web", "/ws")
        with peer:
            peer.setblocking(True)
            peer.sendall(client_frame(b'{"type":"hello"}'))
            said = b""
            while not (pieces := split_frames(said := said + peer.recv(64 << 10))[0]):
                continue
            welcome = pieces[0]
            found.append(msgspec.json.decode(welcome[welcome.index(b"{") :])["token"])
    return found


def resumed(count: int) -> float:
    """What it costs to take up again each of so many that come back at once after a restart."""
    with tempfile.TemporaryDirectory() as folder:
        server = replace(keeping(Path(folder), *NO_LIMIT), door="web")
        with started(server, cores()[0]) as target:
            known = tokens(target, count)
        hellos = [client_frame(msgspec.json.encode({"type": "hello", "token": token})) for token in known]
        with started(server, cores()[0]) as target:
            before = spent(target)
            with crowd(server, target, hellos):
                return (spent(target) - before) / count


def doubling(first: int, times: int) -> list[int]:
    """Steps that double."""
    return [first << place for place in range(times)]


def growths(shelf: Path) -> list[Growth]:
    """All costs; what is stored is kept on that shelf."""
    return [
        Growth("a delivery", "messages", doubling(4000, 5),
               lambda n: lines(LoadPlan(readers=100, seconds=None, messages=n))),
        Growth("a delivery, 100 messages a second", "readers", doubling(125, 5),
               lambda n: lines(LoadPlan(readers=n, writers=2, rate=100.0, seconds=SECONDS))),
        Growth("a delivery, everybody talks", "authors", doubling(15, 5),
               lambda n: lines(LoadPlan(readers=1, writers=n, window=4 * n, seconds=SECONDS, echo=False,
                                        count_writers=True))),
        Growth("a delivery in rooms of 4", "rooms", doubling(60, 5),
               lambda n: lines(LoadPlan(rooms=n, readers=3, writers=1, window=n, seconds=SECONDS, count_writers=True))),
        Growth("a terminal that joins and stays", "members", doubling(625, 5), partial(newcomer, TCP)),
        Growth("a browser that joins and stays", "members", doubling(625, 5), partial(newcomer, WEB)),
        Growth("/who", "members", doubling(625, 5), partial(asked, b"/who\n")),
        Growth("/whois", "members", doubling(625, 5), partial(asked, b"/whois nobody-of-that-name\n")),
        Growth("a page of history", "stored messages", STORED, partial(page_of_history, shelf=shelf)),
        Growth("a restart", "stored messages", STORED, partial(restart, shelf=shelf)),
        Growth("deleting an old message", "stored messages", STORED, partial(retention, shelf=shelf)),
        Growth("the collector, a newcomer", "members", doubling(625, 5), collector),
        Growth("a resume after a restart", "people who come back", doubling(625, 5), resumed),
    ]  # fmt: skip


def slope(steps: Sequence[int], costs: Sequence[float]) -> float:
    """The exponent with which a cost grows."""
    logs = ([math.log(value) for value in values] for values in (steps, costs))
    return statistics.linear_regression(*logs).slope


def figure(cost: float) -> str:
    """A cost with three digits or more."""
    return f"{cost:,.0f}" if cost >= 100 else f"{cost:.3g}"


def row(growth: Growth, costs: Sequence[float]) -> list[str]:
    """One cost in a table."""
    grows = slope(growth.steps, costs)
    spans = (f"{growth.steps[0]:,} to {growth.steps[-1]:,} {growth.more}", *map(figure, (costs[0], costs[-1])))
    return [growth.name, *spans, f"{grows:+.2f}", "grows" if grows > TOLERATED else ""]


def chart(costs: dict[str, list[float]], wanted: Sequence[Growth]) -> Chart:
    """Each cost relative to that of the first step, by how many times more there are."""
    curves = {
        f"{each.name} ({each.more}), {slope(each.steps, costs[each.name]):+.2f}": [
            (step / each.steps[0], cost / costs[each.name][0])
            for step, cost in zip(each.steps, costs[each.name], strict=True)
        ]
        for each in wanted
    }
    title = "What one costs when there are more (slope in the legend)"
    return Chart(title, "times as many", "times the cost of the first step", curves, log_x=True, log_y=True, line=1.0)


def main(arguments: list[str]) -> int:
    """Measure and print. Return 1 when something grows that must not."""
    parser = argparse.ArgumentParser(prog="python3 tests --growth", description=__doc__)
    parser.add_argument("--only", default="", help="measure those whose name begins with this")
    parser.add_argument("--plot", type=Path, help="draw into this PNG or SVG file")
    parser.add_argument("--write", action="store_true", help="put the table and the picture into the README")
    words = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="gateway-growth-") as shelf, on_core(cores()[-1]):
        wanted = [growth for growth in growths(Path(shelf)) if growth.name.startswith(words.only)]
        costs = {growth.name: measured(growth) for growth in wanted}
    rows = [row(growth, costs[growth.name]) for growth in wanted]
    print(as_table(HEAD, rows), machine_line(), sep="\n")
    if words.write:
        readme.replace(readme.GROWTH, [*readme.table(HEAD, rows), "", f"{machine_line()}."])
    for path in filter(None, [words.plot, PICTURE if words.write else None]):
        draw(chart(costs, wanted), path)
    return 1 if any(each[-1] for each in rows) else 0


def measured(growth: Growth) -> list[float]:
    """The cost at each step."""
    costs = []
    for step in growth.steps:
        print(f"{growth.name}: {step:,} {growth.more}", file=sys.stderr, flush=True)
        costs.append(growth.cost(step))
    print(" ".join(f"{cost:.4g}" for cost in costs), file=sys.stderr, flush=True)
    return costs


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
