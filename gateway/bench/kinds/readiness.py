"""What it costs to wait: select, poll, epoll and kqueue while more and more connections are idle.

The article this project comes from says of them: select watches at most 1024 descriptors; it looks through all of them
each time, so that it gets slower as they become more; epoll has no such limit and need not look through them; and
`selectors.DefaultSelector` is the best there is. `claims` holds each against what was measured.

What is measured is one turn of a server's loop as the article writes it: `select()` of the standard library's selector,
with one connection ready among many idle ones. Each idle connection is a real one: connected to a listener that never
accepts it, which leaves one descriptor for each in this process.
"""

import math
import selectors as standard
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import msgspec

from gateway.bench.load import Progress
from gateway.bench.machine import LIMIT_ADVICE, machine_line, most_connections
from gateway.bench.plan import BenchError
from gateway.bench.report import Chart, as_table

BACKLOG = 100
"""Connections that a listener which never accepts is given: every system keeps that many."""
SPARE = 16
WARM_UP = 5
FEWEST = 15
STEP_SECONDS = 0.8
GROWS = 0.5
"""From this slope in the double-logarithmic plot a cost is said to grow with the connections."""

SELECTORS: dict[str, type[standard.BaseSelector]] = {
    name: getattr(standard, kind)
    for name, kind in (
        ("select", "SelectSelector"),
        ("poll", "PollSelector"),
        ("epoll", "EpollSelector"),
        ("kqueue", "KqueueSelector"),
    )
    if hasattr(standard, kind)
}


class SelectorLine(msgspec.Struct, frozen=True, kw_only=True):
    """One selector. `micros`: median microseconds of a turn for each number of idle connections; None: it cannot.

    `slope`: the exponent with which the cost grows from the middle of the steps on (0: not at all, 1: in proportion);
    None: too few points. `why`: what it said where it cannot.
    """

    name: str
    default: bool
    micros: list[float | None]
    slope: float | None
    why: str


class SelectorsReport(msgspec.Struct, frozen=True, kw_only=True):
    """All selectors of this system. `ok`: each found what was ready, and only that, in every turn."""

    ok: bool
    idle: list[int]
    rounds: int
    lines: list[SelectorLine]
    claims: list[str]
    notes: list[str]
    faults: list[str]
    machine: str

    def text(self) -> str:
        """The table, and what it says about the article."""
        head = ("idle connections", *(f"{line.name} us" for line in self.lines))
        rows = [
            [f"{count:,}", *("cannot" if line.micros[n] is None else f"{line.micros[n]:,.1f}" for line in self.lines)]
            for n, count in enumerate(self.idle)
        ]
        return "\n".join(
            [
                f"one becomes ready among idle ones; CPU time of select(), median of at most {self.rounds} turns",
                as_table(head, rows),
                *(f"claim    {claim}" for claim in self.claims),
                *(f"note     {note}" for note in self.notes),
                *(f"FAULT    {fault}" for fault in self.faults),
                f"verdict  {'what was ready was found, once, and nothing else' if self.ok else 'see the faults'}",
                f"machine  {self.machine}",
            ]
        )

    def chart(self) -> Chart:
        """A line for each selector."""
        lines = {
            line.name: [(float(x), y) for x, y in zip(self.idle, line.micros, strict=True) if y is not None]
            for line in self.lines
        }
        return Chart(
            "One ready connection among idle ones",
            "idle connections",
            "microseconds of processor time for one select()",
            lines,
            log_x=True,
            log_y=True,
        )


def selectors(steps: Sequence[int], rounds: int, progress: Progress) -> SelectorsReport:
    """Measure every selector of this system at every step."""
    wanted = max(steps) + max(steps) // BACKLOG + SPARE
    most = most_connections(wanted)
    fit = max(steps) if most == wanted else (most - SPARE) * BACKLOG // (BACKLOG + 1)
    notes = (
        [f"{fit:,} idle connections are as many as this program may open: {LIMIT_ADVICE}"] if fit < max(steps) else []
    )
    idle = sorted({min(step, fit) for step in steps})
    micros: dict[str, list[float | None]] = {name: [] for name in SELECTORS}
    why: dict[str, str] = {}
    faults: list[str] = []
    with ExitStack() as stack:
        crowd: list[socket.socket] = []
        for place, count in enumerate(idle):
            stack.enter_context(idle_connections(count - len(crowd), crowd))
            for name, kind in SELECTORS.items():
                progress(f"{name}, {count:,} idle", place / len(idle))
                try:
                    micros[name].append(_turn(kind, crowd, rounds))
                except BenchError as error:
                    faults.append(f"{name} with {count:,} idle: {error}")
                    micros[name].append(None)
                except (ValueError, OSError) as error:
                    why[name] = str(error)
                    micros[name].append(None)
    lines = [
        SelectorLine(
            name=name,
            default=kind is standard.DefaultSelector,
            micros=micros[name],
            slope=slope(idle, micros[name]),
            why=why.get(name, ""),
        )
        for name, kind in SELECTORS.items()
    ]
    return SelectorsReport(
        ok=not faults,
        idle=idle,
        rounds=rounds,
        lines=lines,
        claims=list(claims(idle, {line.name: line for line in lines})),
        notes=notes,
        faults=faults,
        machine=machine_line(),
    )


@contextmanager
def idle_connections(count: int, crowd: list[socket.socket]) -> Iterator[None]:
    """So many more connections in the crowd while the block lasts, on which nothing ever comes."""
    with ExitStack() as stack:
        for number in range(count):
            if number % BACKLOG == 0:
                listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=BACKLOG))
            crowd.append(stack.enter_context(socket.create_connection(listener.getsockname())))
        yield


def _turn(kind: type[standard.BaseSelector], idle: Sequence[socket.socket], rounds: int) -> float:
    """The median microseconds of processor time in which the selector finds the one that is ready.

    It never has to wait, so processor time is all there is, and other processes do not add to it.
    """
    here, there = socket.socketpair()
    took: list[float] = []
    with here, there, kind() as selector:
        for sock in idle:
            selector.register(sock, standard.EVENT_READ)
        selector.register(here, standard.EVENT_READ)
        until = time.monotonic() + STEP_SECONDS
        while len(took) < WARM_UP + rounds and (len(took) < FEWEST or time.monotonic() < until):
            there.send(b"x")
            began = time.thread_time()
            ready = selector.select()
            took.append(time.thread_time() - began)
            if [key.fileobj for key, _ in ready] != [here]:
                raise BenchError(f"one was ready, {len(ready)} were found")
            here.recv(1)
    return round(statistics.median(took[WARM_UP:]) * 1e6, 3)


def slope(idle: Sequence[int], micros: Sequence[float | None]) -> float | None:
    """The exponent of growth over the upper half of the points, by least squares of the logarithms."""
    points = [(math.log(x), math.log(y)) for x, y in zip(idle, micros, strict=True) if y is not None]
    points = points[min(len(points) // 2, max(0, len(points) - 2)) :]
    if len(points) < 2:
        return None
    return round(statistics.linear_regression(*zip(*points, strict=True)).slope, 2)


def claims(idle: Sequence[int], lines: dict[str, SelectorLine]) -> Iterator[str]:
    """The article's claims, each with what was seen here."""
    if select := lines.get("select"):
        can = max((count for count, took in zip(idle, select.micros, strict=True) if took is not None), default=0)
        refused = next((count for count, took in zip(idle, select.micros, strict=True) if took is None), None)
        seen = f"{can:,} idle ones work"
        seen += f", {refused:,} do not: {select.why}" if refused is not None else "; no limit was reached here"
        yield f"select watches at most 1024: {seen}"
    for name, says, grows in (
        ("select", "looks through all, so it gets slower", True),
        ("poll", "looks through all, so it gets slower", True),
        ("epoll", "looks only at what is ready", False),
        ("kqueue", "looks only at what is ready", False),
    ):
        if (line := lines.get(name)) is not None and line.slope is not None:
            seen = "so it is" if (line.slope >= GROWS) is grows else "not so here"
            yield f"{name} {says}: {seen}, the cost grows with the power {line.slope:.2f} of the idle connections"
    best = min((line for line in lines.values() if line.micros[-1] is not None), key=_last, default=None)
    if best is not None:
        default = next((line.name for line in lines.values() if line.default), "none of these")
        yield f"DefaultSelector is the best there is: it is {default}; {best.name} is fastest at {idle[-1]:,}"


def _last(line: SelectorLine) -> float:
    return line.micros[-1] or math.inf
