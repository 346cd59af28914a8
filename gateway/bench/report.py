"""The report of a run: figures and verdict, for people, for scripts, and as lines to be plotted.

A `BenchOutcome` is what every kind of measurement ends with. A figure means what it says only while the server was the
limit, so a report also says who was: the server, this program, or the plan.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
from rich.console import Console
from rich.table import Table

from gateway.bench.delivery_check import Fault
from gateway.bench.load import Load, Span
from gateway.bench.machine import machine_line
from gateway.bench.peer import LoadConnection, Percentiles, summarise_latency
from gateway.bench.reader import AuthorReader

NAMED_READERS = 5
PACED_LATENCY_MS = 500.0
PACED_BUSY = 0.3
PACED_RATE = 50.0
FREE_MESSAGES = 100
FULLY_BUSY = 0.9
MUCH_WAITED = 0.3
TABLE_WIDTH = 120
MIB = 1 << 20
PERCENTILES = tuple(name.replace("_", ".") for name in Percentiles.__struct_fields__)


@dataclass(frozen=True, slots=True)
class Chart:
    """What is plotted: `lines` of points by name. `ticks`: names for the x values 0, 1, 2 … that are no numbers.

    `points`: they are not joined, because nothing lies between two of them. `line`: a level to compare with.
    """

    title: str
    x: str
    y: str
    lines: dict[str, list[tuple[float, float]]]
    log_x: bool = False
    log_y: bool = False
    ticks: tuple[str, ...] = ()
    points: bool = False
    line: float | None = None
    note: str = field(default_factory=machine_line)


class BenchOutcome(Protocol):
    """A measurement that has been made. `ok`: all that was promised to arrive has arrived."""

    @property
    def ok(self) -> bool:
        """Whether the exit code is 0."""

    def text(self) -> str:
        """One screen for people."""

    def chart(self) -> Chart:
        """What `--plot` draws."""


def as_table(head: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> str:
    """A table without colours, its first column aligned to the left."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, words in enumerate(head):
        table.add_column(words, justify="right" if number else "left", no_wrap=not number)
    for row in rows:
        table.add_row(*row)
    page = io.StringIO()
    Console(file=page, width=TABLE_WIDTH, color_system=None).print(table)
    return page.getvalue().rstrip("\n")


def limited_by(server_busy: float | None, load_busy: float, waited: float, by_the_clock: bool) -> str:
    """Who kept the figures from being better, as one sentence. Shares of one core, as in a report."""
    if load_busy >= FULLY_BUSY and (server_busy is None or server_busy < load_busy):
        other = "unknown" if server_busy is None else f"{server_busy:.0%}"
        return f"this program was the limit ({load_busy:.0%} of a core, the gateway {other}): the gateway could do more"
    if server_busy is None:
        return "unknown, because the gateway's CPU time is not known"
    if server_busy >= FULLY_BUSY:
        return f"the gateway was the limit ({server_busy:.0%} of a core, this program {load_busy:.0%})"
    if waited >= MUCH_WAITED:
        return f"other processes had the cores for {waited:.0%} of the time: measure again when this machine is quiet"
    if by_the_clock:
        return "neither was the limit: messages left by the clock"
    return f"neither was fully busy: the gateway {server_busy:.0%} of a core, this program {load_busy:.0%}"


def limit_lines(limits: Mapping[str, str]) -> list[str]:
    """Who was the limit in each part of a measurement; said once where it was the same everywhere."""
    if len(set(limits.values())) == 1:
        return [f"limit    {next(iter(limits.values()))}"]
    return [f"limit    {part}: {words}" for part, words in limits.items()]


class DoorReport(msgspec.Struct, frozen=True, kw_only=True):
    """The readers behind one door. The last four count messages, summed over its readers."""

    readers: int
    deliveries: int
    deliveries_per_s: float
    latency_ms: Percentiles | None
    messages_per_read: float | None
    missing: int
    repeated: int
    reordered: int
    foreign: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `ok`: every reader got every message once and in one order. `*_busy`: share of one core; None: unknown.

    `waited`: the share of the time that server and load, added up, could have run but other processes had the cores.
    `limit`: who kept the figures from being better. `skipped`: messages that stalled readers were told to have missed.
    """

    kind: str
    ok: bool
    rooms: int
    readers: int
    writers: int
    in_flight: int | None
    rate: float | None
    size: int
    seconds: float
    messages: int
    messages_per_s: float
    deliveries: int
    deliveries_per_s: float
    latency_ms: Percentiles | None
    server_cpu_us_per_delivery: float | None
    server_busy: float | None
    load_busy: float
    waited: float
    limit: str
    paced: bool
    server_memory_growth_mib: float | None
    skipped: int
    doors: dict[str, DoorReport]
    faults: list[str]
    remarks: dict[str, int]
    machine: str

    def text(self) -> str:
        """One screen for people."""
        return "\n".join(_lines(self))

    def chart(self) -> Chart:
        """The latencies behind each door."""
        return latency_chart(
            f"{self.kind}: {self.deliveries_per_s:,.0f} deliveries/s",
            {name: door.latency_ms for name, door in self.doors.items()},
        )


def latency_chart(title: str, latencies: dict[str, Percentiles | None]) -> Chart:
    """A chart with one line of percentiles for each name."""
    known = {name: latency for name, latency in latencies.items() if latency is not None}
    lines = {
        name: [(float(place), value) for place, value in enumerate(msgspec.structs.astuple(latency))]
        for name, latency in known.items()
    }
    return Chart(title, "percentile", "milliseconds", lines, log_y=True, ticks=PERCENTILES)


def summarise(load: Load, span: Span, kind: str = "fanout") -> Report:
    """Judge every reader, count what was delivered to those that count, and calculate the costs."""
    judged = _judged(load)
    here = dict.fromkeys([*load.plan.doors, *(peer.door for peer in load.peers)])
    doors = {door: _door_report(load, door, judged, span) for door in here}
    doors = {door: report for door, report in doors.items() if report.readers}
    deliveries = sum(door.deliveries for door in doors.values())
    latency = _slowest([door.latency_ms for door in doors.values()])
    messages = sum(load.published)
    cost = None if span.server_cpu is None or not deliveries else span.server_cpu / deliveries * 1e6
    busy = None if span.server_cpu is None else round(span.server_cpu / span.seconds, 3)
    load_busy = round(span.load_cpu / span.seconds, 3)
    return Report(
        kind=kind,
        ok=messages > 0 and not any(fault for _, fault in judged),
        rooms=load.plan.rooms,
        readers=load.plan.rooms * load.plan.readers,
        writers=load.plan.all_writers,
        in_flight=None if load.plan.rate else load.plan.window,
        rate=load.plan.rate,
        size=load.plan.size,
        seconds=round(span.seconds, 3),
        messages=messages,
        messages_per_s=round(messages / span.seconds, 1),
        deliveries=deliveries,
        deliveries_per_s=round(deliveries / span.seconds),
        latency_ms=latency,
        server_cpu_us_per_delivery=None if cost is None else round(cost, 4),
        server_busy=busy,
        load_busy=load_busy,
        waited=round(span.waited / span.seconds, 3),
        limit=limited_by(busy, load_busy, span.waited / span.seconds, load.plan.rate is not None),
        paced=load.remarks.paced or _looks_paced(load, latency, span),
        server_memory_growth_mib=None if span.memory is None else round(span.memory / MIB, 2),
        skipped=sum(peer.reader.skipped for peer in load.peers if peer.stalled),
        doors=doors,
        faults=list(_named_faults(load, judged)),
        remarks=load.remarks.kept,
        machine=machine_line(),
    )


def _judged(load: Load) -> list[tuple[LoadConnection, Fault]]:
    """Every peer with its fault, in the order in which they were connected."""
    faults = {peer: fault for room in load.rooms for peer, fault in room.judged()}
    return [(peer, faults[peer]) for peer in load.peers]


def _door_report(load: Load, door: str, judged: list[tuple[LoadConnection, Fault]], span: Span) -> DoorReport:
    here = [(peer, fault) for peer, fault in judged if peer.door == door and load.counts(peer)]
    deliveries = sum(_meant_for(load, peer) - fault.missing for peer, fault in here)
    times = {peer.writing.number: peer.writing.times for peer in load.peers if peer.writing is not None}
    latency, joined = summarise_latency([peer.samples for peer, _ in here if peer.samples is not None], times)
    return DoorReport(
        readers=len(here),
        deliveries=deliveries,
        deliveries_per_s=round(deliveries / span.seconds),
        latency_ms=latency,
        messages_per_read=joined,
        missing=sum(fault.missing for _, fault in here),
        repeated=sum(fault.repeated for _, fault in here),
        reordered=sum(fault.reordered for _, fault in here),
        foreign=sum(fault.foreign for _, fault in here),
    )


def _meant_for(load: Load, peer: LoadConnection) -> int:
    """How many messages that peer is to receive."""
    own = len(peer.writing.times) if peer.writing is not None and isinstance(peer.reader, AuthorReader) else 0
    return load.room_of[peer].total() - own


def _slowest(each: list[Percentiles | None]) -> Percentiles | None:
    """At every percentile the worst of several doors: no door was slower than that."""
    known = [latency for latency in each if latency is not None]
    if not known:
        return None
    return Percentiles(*(max(getattr(one, name) for one in known) for name in Percentiles.__struct_fields__))


def _looks_paced(load: Load, latency: Percentiles | None, span: Span) -> bool:
    """In a closed loop one side is always busy; messages that wait long while both are idle wait for a rate limit. In
    an open loop both may be idle, but not while many messages are late.

    The first messages of a writer are usually free, so the slow end of the latencies decides. On a machine that
    other processes keep busy both sides look idle too, but then they wait for a core.
    """
    slow = latency is None or latency.p99 > PACED_LATENCY_MS
    idle = span.load_cpu + (span.server_cpu or 0.0) + span.waited < PACED_BUSY * span.seconds
    few = sum(max(0, count - FREE_MESSAGES) for count in load.published) / span.seconds < PACED_RATE * len(
        load.published
    )
    behind = load.plan.rate is None or (latency is not None and latency.p90 > PACED_LATENCY_MS)
    return behind and slow and idle and few


def _named_faults(load: Load, judged: list[tuple[LoadConnection, Fault]]) -> Iterator[str]:
    bad = [(number, peer, fault) for number, (peer, fault) in enumerate(judged) if fault]
    for number, peer, fault in bad[:NAMED_READERS]:
        who = f"writer {number}" if peer.writing is not None else f"reader {number - load.plan.all_writers}"
        yield f"{peer.door} {who}: {fault}"
    if len(bad) > NAMED_READERS:
        yield f"and {len(bad) - NAMED_READERS} more of {len(judged)} connections"


def as_json(report: BenchOutcome) -> str:
    """A report or a comparison as one JSON object, indented."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def _lines(report: Report) -> Iterator[str]:
    load = f"{report.rate:g} messages/s" if report.rate else f"{report.in_flight} messages in flight"
    rooms = f"{report.rooms} rooms, " if report.rooms > 1 else ""
    people = f"{report.readers} readers, {report.writers} writers"
    yield f"{rooms}{people}, {load}, {report.size} bytes, {report.seconds:.1f} s"
    yield f"{report.deliveries_per_s:,} deliveries/s ({report.messages_per_s:,.0f} messages/s)"
    rows = [
        [name, f"{door.readers:,}", f"{door.deliveries_per_s:,}", *_cells(door)] for name, door in report.doors.items()
    ]
    yield as_table(
        ("door", "receivers", "deliveries/s", "messages a read", *(f"{name} ms" for name in PERCENTILES)), rows
    )
    if report.server_cpu_us_per_delivery is None:
        yield "server   CPU unknown: give --ports-file or --pid"
    else:
        price = f"{report.server_cpu_us_per_delivery:.3f} us CPU per delivery"
        yield f"server   {price}, {report.server_busy:.0%} of a core"
    yield f"load     {report.load_busy:.0%} of a core; others kept both from their cores for {report.waited:.0%}"
    yield f"limit    {report.limit}"
    yield from (f"said     {words} (x{count})" for words, count in report.remarks.items())
    if report.paced:
        yield "PACED    the server slows the writers: start it with --limits.messages_per_second 0"
    yield from (f"FAULT    {fault}" for fault in report.faults)
    yield f"verdict  {verdict(report.ok)}"
    yield f"machine  {report.machine}"


def verdict(ok: bool) -> str:
    """Whether everything arrived, in words."""
    return "every reader got every message once, in one order" if ok else "not everything arrived as published"


def _cells(door: DoorReport) -> list[str]:
    joined = "n/a" if door.messages_per_read is None else f"{door.messages_per_read:.1f}"
    return [joined, *latency_cells(door.latency_ms)]


def latency_cells(latency: Percentiles | None) -> list[str]:
    """The percentiles as words for a table."""
    if latency is None:
        return ["n/a"] * len(PERCENTILES)
    return [f"{value:.2f}" for value in msgspec.structs.astuple(latency)]
