"""The command line of `gateway bench`: its arguments are parsed and checked, and the run is started.

While a run lasts, a progress bar is shown on standard error, if that is a terminal.
"""

import argparse
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from gateway.bench.compare import Comparison, as_table, compare
from gateway.bench.contenders import WAYS
from gateway.bench.load import Load
from gateway.bench.load import Progress as Tell
from gateway.bench.machine import on_core, pin
from gateway.bench.peer import GatewayDialect
from gateway.bench.plan import DOORS, MAX_SIZE, MAX_WRITERS, MIN_SIZE, BenchError, BenchTarget, LoadPlan
from gateway.bench.report import Report, as_json, as_text, summarise
from gateway.core.sanitize import BYTE_ORDER_MARK

REDRAW_SECONDS = 0.25


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


SECONDS = 5.0
COMPARE_SECONDS = 3.0

DESCRIPTION = """\
Load a running gateway with readers and writers, check that every reader got every message once and in one order, and
report deliveries per second, latency from publishing to delivery, and the server's CPU time per delivery.

The gateway under test must not slow writers down: start it with --limits.messages_per_second 0 (a run that was slowed
says so). Readers come from this machine's loopback, which the limit of connections per address does not count. The
writers take the plain door (with /echo on, so that they see their own lines come back), or the web door where that
one is closed. Plain ports only, no TLS. Latency includes this program's own way to each reader's socket.
"""
EPILOG = """\
example:
  gateway serve --memory --ports-file ports.json --limits.messages_per_second 0 &
  gateway bench fanout --ports-file ports.json --readers 500 --doors tcp,web
  gateway bench fanout --compare        starts everything itself: naive servers in C and Python, and the gateway

Exit code: 0 everything delivered, 1 not, or no gateway there, 2 usage.
"""


def main(argv: Sequence[str]) -> int:
    """`gateway bench …` with the words after `bench`. Returns the exit code; the report goes to standard output."""
    parser = _parser()
    words = parser.parse_args(argv)
    try:
        plan = _plan(words)
    except ValueError as error:
        words.parser.error(str(error))
    try:
        return _compare(words, plan) if words.compare else _load(words, plan)
    except BenchError as error:
        print(f"gateway bench: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("gateway bench: interrupted", file=sys.stderr)
    return 1


def _load(words: argparse.Namespace, plan: LoadPlan) -> int:
    target = _target(words)
    if words.pin_server is not None:
        if target.pid is None:
            raise BenchError("--pin-server needs the server's process: give --ports-file or --pid")
        pin(target.pid, words.pin_server)
    with on_core(words.pin_load), progress_bar("fanout") as progress:
        load = Load(plan, target, GatewayDialect(), progress)
        report = summarise(load, load.run())
    print(as_json(report) if words.json else as_text(report))
    _warn(report)
    return 0 if report.ok else 1


def _warn(report: Report) -> None:
    if report.paced:
        print("gateway bench: the server paced the writers, so the figures are meaningless", file=sys.stderr)


def _compare(words: argparse.Namespace, plan: LoadPlan) -> int:
    with progress_bar("compare") as progress:
        comparison: Comparison = compare(plan, words.ways, words.turns, words.pin_server, words.pin_load, progress)
    print(as_json(comparison) if words.json else as_table(comparison), end="\n" if words.json else "")
    return 0 if comparison.ok else 1


def _plan(words: argparse.Namespace) -> LoadPlan:
    """The plan. Raises ValueError with a message for the user."""
    if words.window < words.writers:
        raise ValueError(
            f"--window {words.window} must be at least one message for each of the {words.writers} writers"
        )
    if words.compare and (words.pin_server is None) != (words.pin_load is None):
        raise ValueError("--compare needs both --pin-server and --pin-load, or neither")
    seconds = words.seconds
    if seconds is None and words.messages is None:
        seconds = COMPARE_SECONDS if words.compare else SECONDS
    return LoadPlan(
        readers=words.readers,
        doors=words.doors,
        writers=words.writers,
        window=words.window,
        rate=words.rate,
        size=words.size,
        seconds=seconds,
        messages=words.messages,
        room=words.room or f"bench-{secrets.token_hex(3)}",
        patience=words.patience,
    )


def _target(words: argparse.Namespace) -> BenchTarget:
    if words.ports_file is None:
        ports = {"tcp": words.tcp_port, "telnet": words.telnet_port, "web": words.web_port}
        return BenchTarget(words.host, ports, words.pid)
    try:
        told = msgspec.json.decode(
            words.ports_file.read_bytes().removeprefix(BYTE_ORDER_MARK), type=dict[str, int | None]
        )
    except OSError as error:
        raise BenchError(f"no gateway there: cannot read {words.ports_file}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise BenchError(f"{words.ports_file} is not a gateway's ports file: {error}") from error
    return BenchTarget(words.host, told, words.pid or told.get("pid"))


# Parsing of values


def _doors(words: str) -> tuple[str, ...]:
    doors = tuple(dict.fromkeys(word.strip() for word in words.split(",")))
    if unknown := [door for door in doors if door not in DOORS]:
        raise argparse.ArgumentTypeError(f"no door {unknown[0]!r}, the doors are {', '.join(DOORS)}")
    return doors


def _ways(words: str) -> tuple[str, ...]:
    ways = tuple(word.strip() for word in words.split(","))
    if unknown := [way for way in ways if way not in WAYS]:
        raise argparse.ArgumentTypeError(f"no way {unknown[0]!r}, the ways are {', '.join(WAYS)}")
    return ways


def _positive(word: str) -> float:
    if not 0 < (value := float(word)) < float("inf"):
        raise argparse.ArgumentTypeError(f"{word} is not above 0")
    return value


class _Count:
    """A whole number between two bounds."""

    def __init__(self, lowest: int, highest: int) -> None:
        self.bounds = lowest, highest

    def __call__(self, word: str) -> int:
        lowest, highest = self.bounds
        if not lowest <= (value := int(word)) <= highest:
            raise argparse.ArgumentTypeError(f"{word} is not between {lowest} and {highest}")
        return value

    def __repr__(self) -> str:
        return "whole number"


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="gateway bench",
        description="Load a running gateway and report.",
        epilog="example: gateway bench fanout --ports-file ports.json --readers 500",
    )
    kinds = top.add_subparsers(metavar="fanout", required=True)
    parser = kinds.add_parser(
        "fanout",
        help="many readers, a few writers, one room",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(parser=parser)
    _add_where(parser.add_argument_group("where"))
    _add_load(parser.add_argument_group("load"))
    _add_ways(parser.add_argument_group("how to run and report"))
    return top


def _add_where(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--ports-file", type=Path, metavar="FILE", help="what `gateway serve --ports-file` wrote")
    group.add_argument("--host", default="127.0.0.1", help="default %(default)s")
    for door, port in (("tcp", 9999), ("telnet", 2323), ("web", 8080)):
        group.add_argument(
            f"--{door}-port", type=_Count(-1, 65535), default=port, metavar="N", help="default %(default)s"
        )
    group.add_argument("--pid", type=_Count(1, 1 << 31), help="the server's process, to measure its CPU time")


def _add_load(group: argparse._ArgumentGroup) -> None:
    anything = 1 << 40
    group.add_argument("--readers", type=_Count(1, 1_000_000), default=500, metavar="N", help="default %(default)s")
    group.add_argument(
        "--doors",
        type=_doors,
        default=("tcp", "web"),
        metavar="A,B",
        help="tcp, web, telnet; the readers take turns: tcp,web",
    )
    group.add_argument("--writers", type=_Count(1, MAX_WRITERS), default=4, metavar="N", help="default %(default)s")
    group.add_argument(
        "--window",
        type=_Count(1, 1 << 20),
        default=64,
        metavar="N",
        help="messages in flight in all, default %(default)s",
    )
    group.add_argument("--rate", type=_positive, metavar="N", help="messages per second in all, instead of --window")
    group.add_argument(
        "--size", type=_Count(MIN_SIZE, MAX_SIZE), default=64, metavar="BYTES", help="of each text, default %(default)s"
    )
    group.add_argument(
        "--seconds", type=_positive, metavar="S", help=f"default {SECONDS:g}; {COMPARE_SECONDS:g} a turn in --compare"
    )
    group.add_argument("--messages", type=_Count(1, anything), metavar="N", help="stop after that many in all")
    group.add_argument("--room", help="default: a new one with a random name")
    group.add_argument(
        "--patience",
        type=_positive,
        default=10.0,
        metavar="S",
        help="give up after that many seconds without a message, default %(default)g",
    )


def _add_ways(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--pin-server", type=_Count(0, 4095), metavar="CORE", help="keep the server on that core")
    group.add_argument("--pin-load", type=_Count(0, 4095), metavar="CORE", help="keep this program on that core")
    group.add_argument("--json", action="store_true", help="the report as one JSON object")
    group.add_argument(
        "--compare", action="store_true", help="start naive servers and the gateway in turn, and compare"
    )
    group.add_argument(
        "--ways", type=_ways, default=tuple(WAYS), metavar="A,B", help=f"only these in --compare: {','.join(WAYS)}"
    )
    group.add_argument("--turns", type=_Count(1, 99), default=3, help="of every way in --compare, default %(default)s")
