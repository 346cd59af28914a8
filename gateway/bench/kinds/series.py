"""Measurements made of loads: one alone, one for each pair of doors, or with and without readers that have stalled.

On a noisy machine a single run says little about tails, so the runs with and without stalled readers take turns and
medians are compared.
"""

import statistics
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from gateway.bench.load import Load, Progress
from gateway.bench.machine import machine_line
from gateway.bench.peer import GatewayDialect, Percentiles
from gateway.bench.plan import BenchTarget, LoadPlan
from gateway.bench.report import (
    PERCENTILES,
    Chart,
    Report,
    as_table,
    latency_cells,
    latency_chart,
    limit_lines,
    summarise,
    verdict,
)

PROGRAMS = {"tcp": "netcat", "telnet": "telnet", "web": "browser"}
LATENCY_HEAD = tuple(f"{name} ms" for name in PERCENTILES)


def one_load(kind: str, plan: LoadPlan, target: BenchTarget, progress: Progress) -> Report:
    """Run one load and report it. Raises BenchError when it could not be made."""
    load = Load(plan, target, GatewayDialect(), progress)
    return summarise(load, load.run(), kind)


class DoorPair(msgspec.Struct, frozen=True, kw_only=True):
    """Messages from a writer behind one door to a reader behind another. `limit`: who kept them from being faster."""

    writer: str
    reader: str
    messages: int
    latency_ms: Percentiles | None
    limit: str

    @property
    def title(self) -> str:
        """The programs that people use at these doors."""
        return f"{PROGRAMS[self.writer]} to {PROGRAMS[self.reader]}"


class LatencyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The latency at rest between each two doors. `ok`: every message came once and in order."""

    ok: bool
    rate: float
    size: int
    pairs: list[DoorPair]
    paced: bool
    faults: list[str]
    machine: str

    def text(self) -> str:
        """The pairs as a table."""
        rows = [[pair.title, f"{pair.messages:,}", *latency_cells(pair.latency_ms)] for pair in self.pairs]
        return "\n".join(
            [
                f"one writer, one reader, {self.rate:g} messages/s of {self.size} bytes",
                as_table(("from, to", "messages", *LATENCY_HEAD), rows),
                *limit_lines({pair.title: pair.limit for pair in self.pairs}),
                *(f"FAULT    {fault}" for fault in self.faults),
                f"verdict  {verdict(self.ok)}",
                f"machine  {self.machine}",
            ]
        )

    def chart(self) -> Chart:
        """A line for each pair."""
        return latency_chart("Latency at rest", {pair.title: pair.latency_ms for pair in self.pairs})


def latency(plan: LoadPlan, target: BenchTarget, progress: Progress) -> LatencyReport:
    """Measure each pair of the plan's doors, one after the other."""
    pairs: list[DoorPair] = []
    faults: list[str] = []
    paced = False
    ways = [(writer, reader) for writer in plan.doors for reader in plan.doors]
    for place, (writer, reader) in enumerate(ways):
        one = replace(plan, doors=(reader,), writing_doors=(writer,), room=f"{plan.room}-{place}")
        report = one_load("latency", one, target, _part(progress, place, len(ways)))
        paced = paced or report.paced
        seen = report.doors[reader].latency_ms if report.doors else None
        pair = DoorPair(writer=writer, reader=reader, messages=report.messages, latency_ms=seen, limit=report.limit)
        pairs.append(pair)
        faults += [f"{pairs[-1].title}: {fault}" for fault in report.faults or ([] if report.ok else ["nothing came"])]
    return LatencyReport(
        ok=not faults,
        rate=plan.rate or 0.0,
        size=plan.size,
        pairs=pairs,
        paced=paced,
        faults=faults,
        machine=machine_line(),
    )


class SlowReport(msgspec.Struct, frozen=True, kw_only=True):
    """The others' latency without and with stalled readers, each the median of `turns` turns.

    `ratio`: of the two p99; None: unknown. `skipped`: messages that the stalled readers missed and were told about.
    `memory_growth_mib`: of the gateway, at most in a turn with stalled readers; None: unknown.
    """

    ok: bool
    readers: int
    stalled: int
    rate: float
    size: int
    turns: int
    messages: int
    without: Percentiles | None
    with_stalled: Percentiles | None
    ratio: float | None
    skipped: int
    memory_growth_mib: float | None
    limit: str
    paced: bool
    faults: list[str]
    machine: str

    def text(self) -> str:
        """Both latencies, and what became of the stalled readers."""
        grown = "unknown" if self.memory_growth_mib is None else f"{self.memory_growth_mib:.1f} MiB"
        ratio = "unknown" if self.ratio is None else f"{self.ratio:.2f}"
        rows = [
            ["without", *latency_cells(self.without)],
            [f"with {self.stalled}", *latency_cells(self.with_stalled)],
        ]
        return "\n".join(
            [
                f"{self.readers} readers, {self.rate:g} messages/s of {self.size} bytes, medians of {self.turns} turns",
                as_table(("stalled readers", *LATENCY_HEAD), rows),
                f"ratio    {ratio} (p99 with to without)",
                f"memory   of the gateway grew by {grown} meanwhile",
                f"stalled  {self._stalled_got()}",
                f"limit    {self.limit}",
                *(f"FAULT    {fault}" for fault in self.faults),
                f"verdict  {verdict(self.ok)}",
                f"machine  {self.machine}",
            ]
        )

    def _stalled_got(self) -> str:
        if not self.ok:
            return "see the faults"
        if self.skipped:
            return f"read on, were told of {self.skipped:,} skipped messages, and got all others once and in order"
        return "read on, and got every message once and in order"

    def chart(self) -> Chart:
        """Both latencies."""
        return latency_chart(
            "Readers that stop reading, and the others",
            {"none stalled": self.without, f"{self.stalled} stalled": self.with_stalled},
        )


def slow(plan: LoadPlan, stalled: int, turns: int, target: BenchTarget, progress: Progress) -> SlowReport:
    """Run the load without and with stalled readers in turn."""
    reports: dict[int, list[Report]] = {0: [], stalled: []}
    for place, count in enumerate([0, stalled] * turns):
        one = replace(plan, stalled=count, room=f"{plan.room}-{place}")
        reports[count].append(one_load("slow", one, target, _part(progress, place, 2 * turns)))
    every = reports[0] + reports[stalled]
    without, others = median_latency(reports[0]), median_latency(reports[stalled])
    grown = [r.server_memory_growth_mib for r in reports[stalled] if r.server_memory_growth_mib is not None]
    return SlowReport(
        ok=all(report.ok for report in every),
        readers=plan.readers,
        stalled=stalled,
        rate=plan.rate or 0.0,
        size=plan.size,
        turns=turns,
        messages=sum(report.messages for report in every),
        without=without,
        with_stalled=others,
        ratio=None if without is None or others is None else round(others.p99 / without.p99, 2),
        skipped=sum(report.skipped for report in every),
        memory_growth_mib=max(grown, default=None),
        limit=max(reports[stalled], key=lambda report: report.load_busy).limit,
        paced=any(report.paced for report in every),
        faults=[fault for report in every for fault in report.faults],
        machine=machine_line(),
    )


def median_latency(reports: Sequence[Report]) -> Percentiles | None:
    """At every percentile the median of several runs."""
    known = [msgspec.structs.astuple(report.latency_ms) for report in reports if report.latency_ms is not None]
    return Percentiles(*map(statistics.median, zip(*known, strict=True))) if known else None


def _part(progress: Progress, place: int, parts: int) -> Progress:
    """The progress of one of several runs as that of all."""
    return lambda what, share: progress(f"{place + 1} of {parts}, {what}", (place + share) / parts)
