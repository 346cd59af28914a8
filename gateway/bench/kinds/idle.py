"""What connections cost that stay and say nothing: memory, CPU time at rest, and the latency of others.

A silent terminal is in the lobby when it is greeted, a browser when its hello is answered. From then on they only
answer pings. Two who talk in another room show what the crowd costs others.
"""

import secrets
import selectors
import time
from collections.abc import Sequence

import msgspec

from gateway.bench.delivery_check import ExpectedOrder, client_frame, split_frames, split_lines
from gateway.bench.kinds.series import one_load
from gateway.bench.load import Progress
from gateway.bench.machine import (
    LIMIT_ADVICE,
    cpu_seconds,
    descriptor_limit,
    machine_line,
    memory_bytes,
    most_connections,
    waiting_seconds,
)
from gateway.bench.peer import GatewayDialect, LoadConnection, Percentiles, dial
from gateway.bench.plan import BenchError, BenchTarget, LoadPlan, Payload
from gateway.bench.reader import Noise, Reader
from gateway.bench.report import PERCENTILES, Chart, Report, as_table, latency_cells, limit_lines, limited_by

HELD_BYTES = 256 << 10
TURN_SECONDS = 0.1
QUIET_SECONDS = 0.5
SETTLE_SECONDS = 4.0
IDLE_SECONDS = 1.0
TALK_SECONDS = 1.0
TALK_RATE = 20.0
OPENED_A_TURN = 50
SPARE_SERVER_DESCRIPTORS = 80
KIB = 1 << 10
LEAST_KIB = 1.0
"""No connection costs less."""


class IdleRow(msgspec.Struct, frozen=True, kw_only=True):
    """One step. `memory_kib`: of the gateway for each connection. `cpu_ms`: its CPU time in a second at rest.

    `latency_ms`: of two who talk in another room meanwhile. None: unknown. `opening_limit`, `talk_limit`: who kept the
    connections from being opened faster, and the messages from arriving sooner (None: nobody talked).
    """

    connections: int
    opened_per_second: float
    memory_kib: float | None
    cpu_ms: float | None
    latency_ms: Percentiles | None
    opening_limit: str
    talk_limit: str | None


class IdleReport(msgspec.Struct, frozen=True, kw_only=True):
    """`ok`: no connection was lost, and what the two said arrived. `notes`: why a step is smaller than wanted."""

    ok: bool
    doors: list[str]
    rows: list[IdleRow]
    notes: list[str]
    faults: list[str]
    machine: str

    def text(self) -> str:
        """A row for each step."""
        head = (
            "connections",
            "opened a second",
            "KiB each",
            "CPU ms a second",
            *(f"{name} ms" for name in PERCENTILES),
        )
        rows = [
            [
                f"{row.connections:,}",
                f"{row.opened_per_second:,.0f}",
                "n/a" if row.memory_kib is None else f"{row.memory_kib:.1f}",
                "n/a" if row.cpu_ms is None else f"{row.cpu_ms:.1f}",
                *latency_cells(row.latency_ms),
            ]
            for row in self.rows
        ]
        whole = (
            "all stayed connected, and what the two said arrived" if self.ok else "connections or messages were lost"
        )
        return "\n".join(
            [
                f"idle connections ({', '.join(self.doors)}), and the latency of two who talk in another room",
                as_table(head, rows),
                *limit_lines({f"{row.connections:,} opened": row.opening_limit for row in self.rows}),
                *limit_lines({f"beside {row.connections:,}": row.talk_limit for row in self.rows if row.talk_limit}),
                *(f"note     {note}" for note in self.notes),
                *(f"FAULT    {fault}" for fault in self.faults),
                f"verdict  {whole}",
                f"machine  {self.machine}",
            ]
        )

    def chart(self) -> Chart:
        """Memory for each connection, and CPU time at rest, by the number of connections."""
        figures: dict[str, list[tuple[int, float | None]]] = {
            "KiB for each connection": [(row.connections, row.memory_kib) for row in self.rows],
            "CPU ms in a second at rest": [(row.connections, row.cpu_ms) for row in self.rows],
            "p50 ms of two who talk": [
                (row.connections, None if row.latency_ms is None else row.latency_ms.p50) for row in self.rows
            ],
        }
        lines = {name: [(float(x), float(y)) for x, y in points if y is not None] for name, points in figures.items()}
        return Chart("Idle connections", "connections", "KiB, ms", lines, log_x=True)


class IdleCrowd:
    """Connections that are held open. `refused`: what the gateway said to one that it did not let in. `lost`: how many
    it closed without a word."""

    def __init__(self, target: BenchTarget, doors: Sequence[str], patience: float, progress: Progress) -> None:
        self.target = target
        self.doors = doors
        self.patience = patience
        self.progress = progress
        self.peers: list[LoadConnection] = []
        self.refused = ""
        self.lost = 0
        self._silent: dict[LoadConnection, None] = {}
        self._texts = Payload(64)
        self._selector = selectors.DefaultSelector()
        self._buffer = memoryview(bytearray(HELD_BYTES))
        self._heard_at = time.perf_counter()

    def grow(self, count: int) -> None:
        """Open connections until there are so many, and wait until each was greeted; stop when one is refused."""
        while len(self.peers) < count and not self.refused:
            self._open(self.doors[len(self.peers) % len(self.doors)])
            if len(self.peers) % OPENED_A_TURN == 0:
                self.turn(0)
                self.progress("connecting", len(self.peers) / count)
        self._heard_at = time.perf_counter()
        while self._silent and time.perf_counter() - self._heard_at < self.patience:
            self.turn(TURN_SECONDS)
        if self._silent and not self.refused:
            raise BenchError(f"{len(self._silent)} of {len(self.peers)} connections were not greeted")

    def settle(self) -> None:
        """Read until nothing has come for a while: joins are announced later, and counts go round."""
        until = time.perf_counter() + SETTLE_SECONDS
        while (now := time.perf_counter()) < until and now - self._heard_at < QUIET_SECONDS:
            self.turn(TURN_SECONDS)
            self.progress("settling", 1 - (until - now) / SETTLE_SECONDS)

    def close(self) -> None:
        """Leave."""
        for peer in self.peers:
            peer.sock.close()
        self._selector.close()

    def turn(self, seconds: float) -> None:
        """Read what has come, and answer pings."""
        for key, _ in self._selector.select(seconds):
            peer: LoadConnection = key.data
            self._heard_at = time.perf_counter()
            if peer.read(self._buffer) == 0:
                self._lose(peer)
                continue
            self._silent.pop(peer, None)
            if peer.reader.replies:
                peer.write([peer.reader.replies])
                peer.reader.replies = b""

    def _open(self, door: str) -> None:
        try:
            sock, first = dial(self.target, door, GatewayDialect().path(""))
        except BenchError as error:
            if not self.peers:
                raise
            self.refused = str(error)
            return
        order = ExpectedOrder(split_frames if door == "web" else split_lines)
        peer = LoadConnection(sock, door, Reader(order, self._texts, Noise()))
        self.peers.append(peer)
        self._silent[peer] = None
        self._selector.register(sock, selectors.EVENT_READ, peer)
        peer.reader.take(first)
        if door == "web":
            peer.write([client_frame(b'{"type":"hello"}')])

    def _lose(self, peer: LoadConnection) -> None:
        self._selector.unregister(peer.sock)
        peer.sock.close()
        self.peers.remove(peer)
        self._silent.pop(peer, None)
        if said := peer.reader.remarks.kept:
            self.refused = next(iter(said))
        else:
            self.lost += 1
        if not self.peers:
            raise BenchError(f"the gateway closed all idle connections: {self.refused or 'without a word'}")


def idle(
    target: BenchTarget, doors: Sequence[str], steps: Sequence[int], patience: float, progress: Progress
) -> IdleReport:
    """Open connections up to each step and measure there."""
    possible, notes = _possible(target, steps)
    rows: list[IdleRow] = []
    faults: list[str] = []
    crowd = IdleCrowd(target, doors, patience, progress)
    bare = memory_bytes(target.pid)
    try:
        for step in possible:
            rows.append(_idle_row(crowd, step, bare, faults))
            if crowd.refused:
                advice = "start it with --limits.connections 0, and raise its `ulimit -n`"
                notes.append(f"the gateway let in {len(crowd.peers):,} connections, then: {crowd.refused}; {advice}")
                break
    finally:
        crowd.close()
    if any(row.memory_kib is not None and row.memory_kib < LEAST_KIB for row in rows):
        notes.append("memory of connections that have left was used again: start the gateway afresh for that figure")
    if crowd.lost:
        faults.append(f"{crowd.lost} idle connections were closed by the gateway")
    return IdleReport(ok=not faults, doors=list(doors), rows=rows, notes=notes, faults=faults, machine=machine_line())


def _possible(target: BenchTarget, steps: Sequence[int]) -> tuple[list[int], list[str]]:
    """The steps that the descriptors of both sides suffice for, and why others are smaller."""
    most, notes = most_connections(max(steps) + 2), []
    if most - 2 < max(steps):
        notes.append(f"this program may open {most:,} connections: {LIMIT_ADVICE}")
    theirs = descriptor_limit(target.pid) if target.pid is not None else None
    if theirs is not None and theirs - SPARE_SERVER_DESCRIPTORS < max(steps):
        notes.append(f"the gateway may open {theirs:,} files: raise `ulimit -n` in the shell that starts it")
        most = min(most, theirs - SPARE_SERVER_DESCRIPTORS)
    if most - 2 < 1:
        raise BenchError(notes[-1])
    return sorted({min(step, most - 2) for step in steps}), notes


def _idle_row(crowd: IdleCrowd, step: int, bare: int | None, faults: list[str]) -> IdleRow:
    """Grow up to the step and measure. `bare`: the gateway's memory before the first came."""
    before, pid = len(crowd.peers), crowd.target.pid
    began, server, own, waited = time.perf_counter(), cpu_seconds(pid), time.process_time(), waiting_seconds(0)
    crowd.grow(step)
    took, used = time.perf_counter() - began, cpu_seconds(pid)
    busy = None if server is None or used is None else (used - server) / took
    load_busy, waited = (time.process_time() - own) / took, (waiting_seconds(0) - waited) / took
    crowd.settle()
    full, cpu, since = memory_bytes(pid), cpu_seconds(pid), time.perf_counter()
    while (passed := time.perf_counter() - since) < IDLE_SECONDS:
        crowd.turn(IDLE_SECONDS - passed)
    now, there = cpu_seconds(pid), len(crowd.peers)
    report = None if crowd.refused else _two_talk(crowd)
    faults += [f"two who talk beside {there:,} idle: {fault}" for fault in (report.faults if report else [])]
    return IdleRow(
        connections=there,
        opened_per_second=round((there - before) / took, 1),
        memory_kib=None if full is None or bare is None else round((full - bare) / there / KIB, 2),
        cpu_ms=None if cpu is None or now is None else round((now - cpu) / IDLE_SECONDS * 1e3, 2),
        latency_ms=None if report is None else report.latency_ms,
        opening_limit=limited_by(busy, load_busy, waited, by_the_clock=False),
        talk_limit=None if report is None else report.limit,
    )


def _two_talk(crowd: IdleCrowd) -> Report:
    plan = LoadPlan(
        readers=1,
        writers=1,
        doors=tuple(crowd.doors[:1]),
        writing_doors=tuple(crowd.doors[:1]),
        rate=TALK_RATE,
        seconds=TALK_SECONDS,
        room=f"bench-{secrets.token_hex(3)}",
        patience=crowd.patience,
    )
    return one_load("idle", plan, crowd.target, crowd.progress)
