"""The report of a run: figures and verdict, for people and for scripts."""

from collections.abc import Iterator

import msgspec

from gateway.bench.load import Load, Span
from gateway.bench.machine import machine_line
from gateway.bench.peer import LoadConnection, Percentiles
from gateway.bench.verdict import Fault, Judge, reference

NAMED_READERS = 5
PACED_LATENCY_MS = 500.0
PACED_BUSY = 0.3
PACED_RATE = 50.0
FREE_MESSAGES = 100


class DoorReport(msgspec.Struct, frozen=True, kw_only=True):
    """The readers behind one door. The last three count messages, summed over its readers."""

    readers: int
    deliveries: int
    deliveries_per_s: float
    latency_ms: Percentiles | None
    messages_per_read: float | None
    missing: int
    repeated: int
    reordered: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `ok`: every reader got every message once and in one order. `*_busy`: share of one core; None: unknown.

    `waited`: the share of the time that server and load, added up, could have run but other processes had the cores.
    """

    ok: bool
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
    paced: bool
    doors: dict[str, DoorReport]
    faults: list[str]
    remarks: dict[str, int]
    machine: str


def summarise(load: Load, span: Span) -> Report:
    """Judge every reader, count what was delivered to those that only read, and calculate the costs."""
    judged = _judged(load)
    doors = {door: _door_report(load, door, judged, span) for door in load.plan.doors}
    deliveries = sum(door.deliveries for door in doors.values())
    latency = _slowest([door.latency_ms for door in doors.values()])
    messages = sum(load.published)
    cost = None if span.server_cpu is None or not deliveries else span.server_cpu / deliveries * 1e6
    busy = None if span.server_cpu is None else round(span.server_cpu / span.seconds, 3)
    return Report(
        ok=messages > 0 and not any(fault for _, fault in judged),
        readers=load.plan.readers,
        writers=load.plan.writers,
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
        load_busy=round(span.load_cpu / span.seconds, 3),
        waited=round(span.waited / span.seconds, 3),
        paced=load.remarks.paced or _looks_paced(load, latency, span),
        doors=doors,
        faults=list(_named_faults(load, judged)),
        remarks=load.remarks.kept,
        machine=machine_line(),
    )


def _judged(load: Load) -> list[tuple[LoadConnection, Fault]]:
    hearings = [peer.reader.heard().keys[: peer.reader.seen()].tobytes() for peer in load.peers]
    judge = Judge(load.published, reference(hearings))
    return [(peer, judge.judge(hearing)) for peer, hearing in zip(load.peers, hearings, strict=True)]


def _door_report(load: Load, door: str, judged: list[tuple[LoadConnection, Fault]], span: Span) -> DoorReport:
    here = [(peer, fault) for peer, fault in judged if peer.door == door and peer.writing is None]
    published = sum(load.published)
    deliveries = sum(published - fault.missing for _, fault in here)
    return DoorReport(
        readers=len(here),
        deliveries=deliveries,
        deliveries_per_s=round(deliveries / span.seconds),
        latency_ms=load.samples[door].summarise([peer.writing.times for peer in load.writers if peer.writing]),
        messages_per_read=load.samples[door].messages_per_read(),
        missing=sum(fault.missing for _, fault in here),
        repeated=sum(fault.repeated for _, fault in here),
        reordered=sum(fault.reordered for _, fault in here),
    )


def _slowest(each: list[Percentiles | None]) -> Percentiles | None:
    """At every percentile the worst of several doors: no door was slower than that."""
    known = [latency for latency in each if latency is not None]
    if not known:
        return None
    return Percentiles(*(max(getattr(one, name) for one in known) for name in Percentiles.__struct_fields__))


def _looks_paced(load: Load, latency: Percentiles | None, span: Span) -> bool:
    """In a closed loop one side is always busy; messages that wait long while both are idle wait for a rate limit.

    The first messages of a writer are usually free, so the slow end of the latencies decides. On a machine that
    other processes keep busy both sides look idle too, but then they wait for a core.
    """
    slow = latency is None or latency.p99 > PACED_LATENCY_MS
    idle = span.load_cpu + (span.server_cpu or 0.0) + span.waited < PACED_BUSY * span.seconds
    few = sum(max(0, count - FREE_MESSAGES) for count in load.published) / span.seconds < PACED_RATE * len(
        load.published
    )
    return load.plan.rate is None and slow and idle and few


def _named_faults(load: Load, judged: list[tuple[LoadConnection, Fault]]) -> Iterator[str]:
    bad = [(number, peer, fault) for number, (peer, fault) in enumerate(judged) if fault]
    for number, peer, fault in bad[:NAMED_READERS]:
        who = f"writer {number}" if peer.writing is not None else f"reader {number - load.plan.writers}"
        yield f"{peer.door} {who}: {fault}"
    if len(bad) > NAMED_READERS:
        yield f"and {len(bad) - NAMED_READERS} more of {len(judged)} connections"


def as_json(report: msgspec.Struct) -> str:
    """A report or a comparison as one JSON object, indented."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def as_text(report: Report) -> str:
    """One screen for people."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    load = f"{report.rate:g} messages/s" if report.rate else f"{report.in_flight} messages in flight"
    yield f"{report.readers} readers, {report.writers} writers, {load}, {report.size} bytes, {report.seconds:.1f} s"
    yield f"{report.deliveries_per_s:,} deliveries/s ({report.messages_per_s:,.0f} messages/s)"
    yield f"latency  {_latency(report.latency_ms)}"
    if report.server_cpu_us_per_delivery is None:
        yield "server   CPU unknown: give --ports-file or --pid"
    else:
        price = f"{report.server_cpu_us_per_delivery:.3f} us CPU per delivery"
        yield f"server   {price}, {report.server_busy:.0%} of a core"
    yield f"load     {report.load_busy:.0%} of a core; others kept both from their cores for {report.waited:.0%}"
    for name, door in report.doors.items():
        yield f"{name:<8} {door.readers} readers, {door.deliveries_per_s:,} deliveries/s, {_joined(door)}"
        yield f"         {_latency(door.latency_ms)}"
    yield from (f"said     {words} (x{count})" for words, count in report.remarks.items())
    if report.paced:
        yield "PACED    the server slows the writers: start it with --limits.messages_per_second 0"
    yield from (f"FAULT    {fault}" for fault in report.faults)
    whole = "every reader got every message once, in one order" if report.ok else "not everything arrived as published"
    yield f"verdict  {whole}"
    yield f"machine  {report.machine}"


def _joined(door: DoorReport) -> str:
    return "nothing read" if door.messages_per_read is None else f"{door.messages_per_read:.1f} messages a read"


def _latency(latency: Percentiles | None) -> str:
    if latency is None:
        return "latency unknown"
    return (
        "  ".join(f"{name.replace('_', '.')} {getattr(latency, name):.2f}" for name in latency.__struct_fields__)
        + " ms"
    )
