"""What newcomers cost: a connection that comes, is let in, and leaves.

A newcomer connects, makes itself known, waits until the gateway has let it in, takes its leave and waits for the end of
the connection; a fixed number of them are on their way at any time. What a newcomer says and is answered is the
dialect's.
"""

import base64
import errno
import os
import secrets
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from gateway.bench.delivery_check import CLOSE, client_frame
from gateway.bench.load import Progress
from gateway.bench.machine import allow_descriptors, cpu_seconds, machine_line, waiting_seconds
from gateway.bench.peer import UPGRADE, Dialect, GatewayDialect, Percentiles, dial, percentiles, unreachable
from gateway.bench.plan import BenchError, BenchTarget
from gateway.bench.report import PERCENTILES, Chart, as_table, latency_cells, latency_chart, limit_lines, limited_by

READ_BYTES = 64 << 10
TURN_SECONDS = 0.1
NAMED = 5
ROOM = "newcomers"
GATEWAY = GatewayDialect()


class Newcomer:
    """One connection on its way in and out. `step` tells what it waits for."""

    def __init__(self, target: BenchTarget, door: str, port: int, dialect: Dialect) -> None:
        self.began = time.perf_counter()
        self.door = door
        self.step = "connect"
        self.heard = b""
        self.joined_after: float | None = None
        self.fault = ""
        self._host = (target.host, port)
        self._dialect = dialect
        self.sock = socket.socket(socket.AF_INET6 if ":" in target.host else socket.AF_INET)
        self.sock.setblocking(False)
        if (error := self.sock.connect_ex(self._host)) not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            self.sock.close()
            raise BenchError(unreachable(*self._host, door, OSError(error, os.strerror(error))))

    def go_on(self) -> bool:
        """Do what can be done now. Returns whether it has left."""
        try:
            if self.step == "connect":
                self._speak()
                return False
            chunk = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            self.fault = error.strerror or str(error)
            return True
        self.heard += chunk
        if self.step == "upgrade" and b"\r\n\r\n" in self.heard:
            self.heard = b""
            self._introduce()
        if self.step == "join" and self._dialect.arrived in self.heard:
            self.joined_after = time.perf_counter() - self.began
            self._leave()
        if not chunk and self.step != "leave":
            self.fault = f"closed before it was let in, after {self.heard[-80:].decode('utf-8', 'replace')!r}"
        return not chunk

    def _speak(self) -> None:
        if error := self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise BenchError(unreachable(*self._host, self.door, OSError(error, os.strerror(error))))
        if self.door == "web":
            key = base64.b64encode(secrets.token_bytes(16)).decode()
            path = self._dialect.path(ROOM)
            self.sock.send(UPGRADE.format(path=path, host="localhost", port=self._host[1], key=key).encode())
            self.step = "upgrade"
        else:
            self._introduce()

    def _introduce(self) -> None:
        self.sock.send(self._dialect.arrive(self.door))
        self.step = "join"

    def _leave(self) -> None:
        self.step = "leave"
        if self.door == "web":
            self.sock.send(client_frame((1000).to_bytes(2, "big"), CLOSE))
        else:
            self.sock.shutdown(socket.SHUT_WR)


class ConnectRow(msgspec.Struct, frozen=True, kw_only=True):
    """The newcomers of one door. `joined_ms`: from connecting to being let in."""

    door: str
    newcomers: int
    per_second: float
    joined_ms: Percentiles | None
    server_cpu_us: float | None
    server_busy: float | None
    load_busy: float
    limit: str


class ConnectReport(msgspec.Struct, frozen=True, kw_only=True):
    """`ok`: every newcomer was let in, and its connection ended when it left."""

    ok: bool
    in_flight: int
    rows: list[ConnectRow]
    faults: list[str]
    machine: str

    def text(self) -> str:
        """A row for each door."""
        head = ("door", "newcomers", "a second", "server CPU us each", *(f"{name} ms" for name in PERCENTILES))
        rows = [
            [
                row.door,
                f"{row.newcomers:,}",
                f"{row.per_second:,.0f}",
                "n/a" if row.server_cpu_us is None else f"{row.server_cpu_us:.0f}",
                *latency_cells(row.joined_ms),
            ]
            for row in self.rows
        ]
        whole = "every newcomer was let in and left" if self.ok else "not every newcomer was let in"
        return "\n".join(
            [
                f"connect, be let in, leave; {self.in_flight} at a time",
                as_table(head, rows),
                *limit_lines({row.door: row.limit for row in self.rows}),
                *(f"FAULT    {fault}" for fault in self.faults),
                f"verdict  {whole}",
                f"machine  {self.machine}",
            ]
        )

    def chart(self) -> Chart:
        """How long it took to be let in."""
        return latency_chart("From connecting to being let in", {row.door: row.joined_ms for row in self.rows})


def connect(
    target: BenchTarget,
    doors: Sequence[str],
    newcomers: int,
    in_flight: int,
    patience: float,
    progress: Progress,
    dialect: Dialect = GATEWAY,
) -> ConnectReport:
    """Let newcomers come and go through each door in turn."""
    allow_descriptors(in_flight)
    rows: list[ConnectRow] = []
    faults: list[str] = []
    for door in doors:
        port = target.port(door)
        if port is None:
            raise BenchError(f"the {door} door is closed there: choose other --doors, or open it")
        dial(target, door, dialect.path(ROOM))[0].close()
        waiting = waiting_seconds(0) + waiting_seconds(target.pid or 0)
        server, own, began = cpu_seconds(target.pid), time.process_time(), time.perf_counter()
        come = partial(Newcomer, target, door, port, dialect)
        came = _come_and_go(come, newcomers, in_flight, patience, partial(progress, door))
        took, now = time.perf_counter() - began, cpu_seconds(target.pid)
        waited = (waiting_seconds(0) + waiting_seconds(target.pid or 0) - waiting) / took
        used = None if server is None or now is None else now - server
        times = [one.joined_after for one in came if one.joined_after is not None]
        busy, load_busy = None if used is None else round(used / took, 3), round((time.process_time() - own) / took, 3)
        rows.append(
            ConnectRow(
                door=door,
                newcomers=len(times),
                per_second=round(len(times) / took, 1),
                joined_ms=percentiles(times, max(times, default=0.0)),
                server_cpu_us=None if used is None or not times else round(used / len(times) * 1e6, 1),
                server_busy=busy,
                load_busy=load_busy,
                limit=limited_by(busy, load_busy, waited, by_the_clock=False),
            )
        )
        faults += _faults(door, came, newcomers)
    return ConnectReport(ok=not faults, in_flight=in_flight, rows=rows, faults=faults, machine=machine_line())


def _faults(door: str, came: Sequence[Newcomer], wanted: int) -> list[str]:
    bad = [one.fault or f"left waiting for {one.step}" for one in came if one.fault or one.joined_after is None]
    lost = wanted - len(came)
    named = [f"{door} newcomer: {words}" for words in dict.fromkeys(bad)][:NAMED]
    more = [f"{door}: {len(bad)} of {wanted} newcomers in all"] if len(bad) > len(named) else []
    return [*named, *more, *([f"{door}: {lost} newcomers never came to an end"] if lost else [])]


def _come_and_go(
    come: Callable[[], Newcomer], wanted: int, in_flight: int, patience: float, tell: Callable[[float], None]
) -> list[Newcomer]:
    """All newcomers that came and went; fewer than wanted when nothing has moved for too long."""
    came: list[Newcomer] = []
    here: set[Newcomer] = set()
    moved_at = time.perf_counter()
    try:
        with selectors.DefaultSelector() as selector:
            while len(came) < wanted and time.perf_counter() - moved_at < patience:
                while len(here) < in_flight and len(here) + len(came) < wanted:
                    one = come()
                    here.add(one)
                    selector.register(one.sock, selectors.EVENT_WRITE, one)
                for key, _ in selector.select(TURN_SECONDS):
                    moved_at = time.perf_counter()
                    if _move(selector, key.data):
                        here.discard(key.data)
                        came.append(key.data)
                tell(len(came) / wanted)
    except BenchError as error:
        raise BenchError(f"after {len(came)} newcomers: {error}" if came else str(error)) from error
    finally:
        for one in here:
            one.sock.close()
    return came


def _move(selector: selectors.BaseSelector, one: Newcomer) -> bool:
    """Let one newcomer go on. Returns whether it has left."""
    connecting = one.step == "connect"
    if one.go_on():
        selector.unregister(one.sock)
        one.sock.close()
        return True
    if connecting:
        selector.modify(one.sock, selectors.EVENT_READ, one)
    return False
