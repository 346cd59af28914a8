"""The comparison: the same load on naive servers and on the gateway in one run, and the table of their costs.

On a noisy machine a single figure is worthless: every server gets several turns, interleaved (A B C A B C …) so that a
slow minute affects all, and the median counts. The server runs on one core, the load on another.

`WAYS` are the servers: how each is started, where it listens, and which dialect it speaks.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from gateway.bench.load import Load, Progress
from gateway.bench.machine import cores, machine_line, on_core
from gateway.bench.peer import Dialect, GatewayDialect, NaiveDialect
from gateway.bench.plan import BenchError, BenchTarget, LoadPlan
from gateway.bench.report import Chart, Report, as_table, summarise

HOST = "127.0.0.1"
START_SECONDS = 45.0
STOP_SECONDS = 5.0
PACKAGE_HOME = Path(__file__).resolve().parents[2]
C_SOURCE = Path(__file__).with_name("naive_line_server.c")


class NoCompilerError(BenchError):
    """There is no C compiler here: the servers in C cannot be measured."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One server. `command(folder)` returns its command line; `folder` is its own, empty, and removed afterwards.

    `ports(process, folder)` waits until it listens and returns its ports by door.
    """

    title: str
    door: str
    dialect: Dialect
    command: Callable[[Path], list[str]]
    ports: Callable[["subprocess.Popen[bytes]", Path], dict[str, int | None]]


@contextmanager
def started(way: Contender, core: int | None) -> Iterator[BenchTarget]:
    """Run the server, on that core, while the block lasts. Raises BenchError with its last line of output if it
    dies."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        folder = Path(name)
        command = way.command(folder)
        with (folder / "stderr").open("wb") as errors, on_core(core):
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=_environment()
            )
        try:
            yield BenchTarget(HOST, way.ports(process, folder), process.pid)
        finally:
            _stop(process)


def _environment() -> dict[str, str]:
    """The environment in which the servers in Python find this package, installed or not."""
    paths = [str(PACKAGE_HOME), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _last_words(folder: Path) -> str:
    lines = (folder / "stderr").read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "without a word"


def printed_port(door: str) -> Callable[["subprocess.Popen[bytes]", Path], dict[str, int | None]]:
    """How to read the port of a naive server, which prints it as its first line."""

    def wait(process: "subprocess.Popen[bytes]", folder: Path) -> dict[str, int | None]:
        line = process.stdout.readline() if process.stdout is not None else b""
        if not line.strip().isdigit():
            process.wait(STOP_SECONDS)
            raise BenchError(f"did not start: {_last_words(folder)}")
        return {door: int(line)}

    return wait


def _ports_file(process: "subprocess.Popen[bytes]", folder: Path) -> dict[str, int | None]:
    """The gateway's ports, from the file that it writes once all doors listen."""
    ports, deadline = folder / "ports", time.monotonic() + START_SECONDS
    while not ports.exists():
        if process.poll() is not None:
            raise BenchError(f"the gateway did not start (exit code {process.returncode}): {_last_words(folder)}")
        if time.monotonic() > deadline:
            raise BenchError(f"the gateway was not ready in {START_SECONDS:g} s")
        time.sleep(0.02)
    return msgspec.json.decode(ports.read_bytes(), type=dict[str, int | None])


def compiled(mode: str) -> Callable[[Path], list[str]]:
    """The command line of the server in C, made on the spot. Its command raises NoCompilerError."""

    def command(folder: Path) -> list[str]:
        compiler = next(filter(None, map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))), None)
        if compiler is None:
            raise NoCompilerError("no C compiler (cc, gcc, clang) here")
        program = folder / "line_server"
        made = subprocess.run([compiler, "-O2", "-o", program, C_SOURCE], capture_output=True, text=True, check=False)
        if made.returncode:
            raise NoCompilerError(f"{compiler} cannot compile it here: {made.stderr.strip().splitlines()[0]}")
        return [str(program), mode, "0"]

    return command


def _python(module: str) -> Callable[[Path], list[str]]:
    return lambda folder: [sys.executable, "-m", f"gateway.bench.naive_{module}", "0"]


def _gateway(folder: Path) -> list[str]:
    doors = ["--tcp-port", "0", "--web-port", "0", "--telnet-port", "-1", "--ports-file", str(folder / "ports")]
    rest = ["--data", str(folder / "data"), "--limits.messages_per_second", "0"]
    return [sys.executable, "-m", "gateway", "serve", *doors, *rest]


REFERENCE = "c-tick"
WAYS = {
    REFERENCE: Contender("C, one send per tick", "tcp", NaiveDialect(), compiled("tick"), printed_port("tcp")),
    "c-message": Contender("C, one send per message", "tcp", NaiveDialect(), compiled("message"), printed_port("tcp")),
    "selectors": Contender(
        "selectors, one send per message",
        "tcp",
        NaiveDialect(),
        _python("selectors"),
        printed_port("tcp"),
    ),
    "aiohttp": Contender(
        "aiohttp, one send_str per message", "web", NaiveDialect(), _python("aiohttp"), printed_port("web")
    ),
    "gateway-tcp": Contender("gateway, plain lines, SQLite", "tcp", GatewayDialect(), _gateway, _ports_file),
    "gateway-web": Contender("gateway, WebSocket, SQLite", "web", GatewayDialect(), _gateway, _ports_file),
}

HEADINGS = ("way", "CPU us", "low-high", "ratio", "msgs/read", "deliveries/s", "p99 ms", "server", "load", "waited")


class ComparedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One server: medians of its turns. `ratio` is its cost relative to C's; None: not known, `why` says the reason.

    `prices` are the single turns' figures: their spread shows how reliable the medians are.
    """

    way: str
    title: str
    ok: bool
    turns: int = 0
    server_cpu_us_per_delivery: float | None = None
    prices: list[float] = []
    ratio: float | None = None
    messages_per_read: float | None = None
    deliveries_per_s: float | None = None
    latency_p99_ms: float | None = None
    server_busy: float | None = None
    load_busy: float | None = None
    waited: float | None = None
    why: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run. `ok`: every server that could be started delivered everything."""

    ok: bool
    readers: int
    writers: int
    window: int
    rate: float | None
    size: int
    server_core: int | None
    load_core: int | None
    rows: list[ComparedRow]
    machine: str

    def text(self) -> str:
        """The table and, below it, the conditions of the measurement."""
        return "\n".join([as_table(HEADINGS, [[row.title, *_cells(row)] for row in self.rows]), *_footing(self)])

    def chart(self) -> Chart:
        """What a delivery costs each server."""
        known = [row for row in self.rows if row.server_cpu_us_per_delivery is not None]
        points = [(float(place), row.server_cpu_us_per_delivery or 0.0) for place, row in enumerate(known)]
        ticks = tuple(row.title for row in known)
        return Chart("CPU time per delivery", "server", "microseconds", {"median": points}, log_y=True, ticks=ticks)


def compare(
    plan: LoadPlan, ways: Sequence[str], turns: int, server_core: int | None, load_core: int | None, progress: Progress
) -> Comparison:
    """Run the load `turns` times on each of the `ways`, in turn. Cores None: the first two this process may use."""
    allowed = cores()
    if server_core is None and load_core is None and len(allowed) > 1:
        server_core, load_core = allowed[:2]
    reports: dict[str, list[Report]] = {way: [] for way in ways}
    troubles: dict[str, BenchError] = {}
    with on_core(load_core):
        for number, way in enumerate([*ways] * turns):
            if way in troubles:
                continue
            progress(WAYS[way].title, number / turns / len(ways))
            try:
                reports[way].append(_one_turn(plan, WAYS[way], server_core))
            except BenchError as error:
                troubles[way] = error
    rows = [_row(way, reports[way], troubles.get(way)) for way in ways]
    return Comparison(
        ok=all(row.ok for row in rows),
        readers=plan.readers,
        writers=plan.writers,
        window=plan.window,
        rate=plan.rate,
        size=plan.size,
        server_core=server_core,
        load_core=load_core,
        rows=_with_ratios(rows),
        machine=machine_line(),
    )


def _one_turn(plan: LoadPlan, way: Contender, core: int | None) -> Report:
    with started(way, core) as target:
        load = Load(replace(plan, doors=(way.door,)), target, way.dialect, _tell_nobody)
        return summarise(load, load.run())


def _tell_nobody(what: str, share: float) -> None:
    """A comparison's bar moves from server to server, not within a run."""


def _row(way: str, reports: list[Report], trouble: BenchError | None) -> ComparedRow:
    """The row of one server. A missing compiler is not a failure: its row has no figures and does not cause exit code
    1."""
    title = WAYS[way].title
    if trouble is not None:
        return ComparedRow(way=way, title=title, ok=isinstance(trouble, NoCompilerError), why=str(trouble))
    faults = [fault for report in reports if not report.ok for fault in report.faults or ["nothing was delivered"]]
    return ComparedRow(
        way=way,
        title=title,
        ok=not faults,
        turns=len(reports),
        server_cpu_us_per_delivery=_median([report.server_cpu_us_per_delivery for report in reports]),
        prices=[report.server_cpu_us_per_delivery for report in reports if report.server_cpu_us_per_delivery],
        messages_per_read=_median([door.messages_per_read for report in reports for door in report.doors.values()]),
        deliveries_per_s=_median([report.deliveries_per_s for report in reports]),
        latency_p99_ms=_median([report.latency_ms.p99 for report in reports if report.latency_ms is not None]),
        server_busy=_median([report.server_busy for report in reports]),
        load_busy=_median([report.load_busy for report in reports]),
        waited=_median([report.waited for report in reports]),
        why=faults[0] if faults else "paced by the server" if any(report.paced for report in reports) else "",
    )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _with_ratios(rows: list[ComparedRow]) -> list[ComparedRow]:
    base = next((row.server_cpu_us_per_delivery for row in rows if row.way == REFERENCE), None)
    return [msgspec.structs.replace(row, ratio=_ratio(row.server_cpu_us_per_delivery, base)) for row in rows]


def _ratio(price: float | None, base: float | None) -> float | None:
    return round(price / base, 2) if price is not None and base else None


def _cells(row: ComparedRow) -> list[str]:
    figures = (
        ("{:.3f}", row.server_cpu_us_per_delivery),
        ("{:.2f}", row.ratio),
        ("{:.1f}", row.messages_per_read),
        ("{:,.0f}", row.deliveries_per_s),
        ("{:.2f}", row.latency_p99_ms),
        ("{:.0%}", row.server_busy),
        ("{:.0%}", row.load_busy),
        ("{:.0%}", row.waited),
    )
    price, *others = ["n/a" if value is None else form.format(value) for form, value in figures]
    return [price, f"{min(row.prices):.3f}-{max(row.prices):.3f}" if row.prices else "n/a", *others]


def _footing(comparison: Comparison) -> list[str]:
    load = f"{comparison.rate:g} messages/s" if comparison.rate else f"{comparison.window} messages in flight"
    pinned = comparison.server_core is not None and comparison.load_core is not None
    cores_used = (
        f"server on core {comparison.server_core}, load on core {comparison.load_core}" if pinned else "not pinned"
    )
    turns = max((row.turns for row in comparison.rows), default=0)
    lines = [f"{row.title}: {row.why}" for row in comparison.rows if row.why]
    return [
        *lines,
        "CPU us: the server's processor time per delivery, median and lowest-highest turn; ratio: to C per tick",
        "server, load: share of a core; waited: share of the time that both, added up, lacked a core to run on",
        f"{comparison.readers} readers, {comparison.writers} writers, {load}, {comparison.size} bytes; "
        f"medians of {turns} turns, interleaved; {cores_used}",
        comparison.machine,
    ]
