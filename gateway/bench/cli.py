"""The command line of `gateway bench`: the target is found, the measurement is made, and its outcome is shown.

While a run lasts, a progress bar is shown on standard error, if that is a terminal.
"""

import argparse
import ipaddress
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from gateway.bench.compare import compare
from gateway.bench.kinds.idle import idle
from gateway.bench.kinds.newcomers import connect
from gateway.bench.kinds.readiness import selectors
from gateway.bench.kinds.series import LatencyReport, SlowReport, latency, one_load, slow
from gateway.bench.load import Progress as Tell
from gateway.bench.machine import listening_process, on_core, pin
from gateway.bench.options import COMPARE_SECONDS, IN_FLIGHT, NEEDS_NO_GATEWAY, parser, with_kind
from gateway.bench.plan import BenchError, BenchTarget, LoadPlan
from gateway.bench.report import BenchOutcome, Chart, Report, as_json
from gateway.core.sanitize import BYTE_ORDER_MARK

REDRAW_SECONDS = 0.25
SECONDS = 5.0
Run = Callable[[argparse.Namespace, BenchTarget, Tell], BenchOutcome]


@contextmanager
def progress_bar(title: str) -> Iterator[Tell]:
    """Yield a function `tell(what, share)` that is cheap enough to be called in every turn of a loop.

    The bar is redrawn from that call only: a thread of its own would disturb the measurement.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(
        *columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(title, total=1.0)
        drawn = 0.0

        def tell(what: str, share: float) -> None:
            nonlocal drawn
            now = time.monotonic()
            if now - drawn >= REDRAW_SECONDS:
                drawn = now
                bar.update(task, description=f"{title}: {what}", completed=share, refresh=True)

        yield tell


def main(argv: Sequence[str]) -> int:
    """`gateway bench …` with the words after `bench`. Returns the exit code; the report goes to standard output."""
    words = parser().parse_args(with_kind(argv))
    try:
        check(words)
    except ValueError as error:
        words.parser.error(str(error))
    try:
        draw = _drawing(words.plot)
        outcome = _measured(words)
        print(as_json(outcome) if words.json else outcome.text())
        if isinstance(outcome, Report | LatencyReport | SlowReport) and outcome.paced:
            advice = "start it with --limits.messages_per_second 0"
            print(
                f"gateway bench: the server paced the writers, so the figures are meaningless: {advice}",
                file=sys.stderr,
            )
        if draw is not None:
            draw(outcome.chart(), words.plot)
        return 0 if outcome.ok else 1
    except BenchError as error:
        print(f"gateway bench: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("gateway bench: interrupted", file=sys.stderr)
    return 1


def _measured(words: argparse.Namespace) -> BenchOutcome:
    with progress_bar(words.kind) as tell:
        if words.compare:
            return compare(plan_of(words), words.ways, words.turns, words.pin_server, words.pin_load, tell)
        target = BenchTarget("127.0.0.1", {}) if words.kind in NEEDS_NO_GATEWAY else target_of(words)
        if words.pin_server is not None:
            if target.pid is None:
                raise BenchError("--pin-server needs the server's process: give --ports-file or --pid")
            pin(target.pid, words.pin_server)
        with on_core(words.pin_load):
            return RUNS[words.kind](words, target, tell)


def _drawing(path: Path | None) -> Callable[[Chart, Path], None] | None:
    """The function that draws, looked for before anything is measured in vain."""
    if path is None:
        return None
    try:
        draw: Callable[[Chart, Path], None] = resolve_name("gateway.bench.chart:draw")
    except ModuleNotFoundError as error:
        raise BenchError(f"--plot needs {error.name}: pip install 'gateway[plot]'") from error
    return draw


def check(words: argparse.Namespace) -> None:
    """Raises ValueError with a message for the user where options do not go together."""
    if words.compare and (words.pin_server is None) != (words.pin_load is None):
        raise ValueError("--compare needs both --pin-server and --pin-load, or neither")
    if words.kind not in LOADS:
        return
    plan = plan_of(words)
    if plan.rate is None and plan.window < plan.all_writers:
        raise ValueError(
            f"--window {plan.window} must be at least one message for each of the {plan.all_writers} writers"
        )


def plan_of(words: argparse.Namespace) -> LoadPlan:
    """The plan of one load, from the options that its kind has."""
    given = vars(words)
    seconds = given["seconds"]
    if seconds is None and given.get("messages") is None:
        seconds = COMPARE_SECONDS if words.compare else SECONDS
    shape = LOADS[words.kind](words)
    writers = shape.get("rooms", 1) * shape["writers"]
    window = given.get("window")
    return LoadPlan(
        window=window if window is not None else writers * IN_FLIGHT.get(words.kind, 1),
        rate=given.get("rate"),
        size=words.size,
        seconds=seconds,
        messages=given.get("messages"),
        room=words.room or f"bench-{secrets.token_hex(3)}",
        patience=words.patience,
        **shape,
    )


LOADS = {
    "fanout": lambda words: {"readers": words.readers, "doors": words.doors, "writers": words.writers},
    "ingest": lambda words: {
        "rooms": words.writers,
        "readers": 0,
        "writers": 1,
        "doors": words.doors,
        "writing_doors": words.doors,
        "count_writers": True,
    },
    "talk": lambda words: {
        "readers": len(words.doors),
        "writers": words.writers,
        "doors": words.doors,
        "writing_doors": words.doors,
        "count_writers": True,
        "echo": False,
    },
    "rooms": lambda words: {
        "rooms": words.rooms,
        "readers": words.people - 1,
        "writers": 1,
        "doors": words.doors,
        "count_writers": True,
    },
    "slow": lambda words: {"readers": words.readers, "doors": words.doors, "writers": words.writers},
    "latency": lambda words: {"readers": 1, "doors": words.doors, "writers": 1},
}
"""Who is in which room, by kind."""

RUNS: dict[str, Run] = {
    **dict.fromkeys(
        ("fanout", "ingest", "talk", "rooms"),
        lambda words, target, tell: one_load(words.kind, plan_of(words), target, tell),
    ),
    "slow": lambda words, target, tell: slow(plan_of(words), words.stalled, words.turns, target, tell),
    "latency": lambda words, target, tell: latency(plan_of(words), target, tell),
    "connect": lambda words, target, tell: connect(
        target, words.doors, words.newcomers, words.window, words.patience, tell
    ),
    "idle": lambda words, target, tell: idle(target, words.doors, words.steps, words.patience, tell),
    "selectors": lambda words, _, tell: selectors(words.steps, words.rounds, tell),
}
"""How each kind is measured."""


def target_of(words: argparse.Namespace) -> BenchTarget:
    """Where the gateway is, and its process where that can be known. Raises BenchError for an unreadable file."""
    if words.ports_file is None:
        ports = {"tcp": words.tcp_port, "telnet": words.telnet_port, "web": words.web_port}
        return BenchTarget(words.host, ports, words.pid or _process(words.host, ports))
    try:
        told = msgspec.json.decode(
            words.ports_file.read_bytes().removeprefix(BYTE_ORDER_MARK), type=dict[str, int | None]
        )
    except OSError as error:
        raise BenchError(f"no gateway there: cannot read {words.ports_file}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise BenchError(f"{words.ports_file} is not a gateway's ports file: {error}") from error
    return BenchTarget(words.host, told, words.pid or told.get("pid"))


def _process(host: str, ports: dict[str, int]) -> int | None:
    try:
        here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = False
    return next(filter(None, (listening_process(port) for port in ports.values() if port > 0)), None) if here else None
