"""The words of `gateway bench`: every kind of measurement with its help, its defaults, and the options it has."""

import argparse
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.bench.compare import WAYS
from gateway.bench.plan import DOORS, MAX_SIZE, MIN_SIZE, ROOM_WRITERS

ANYTHING = 1 << 40
HELP_WIDTH = 100
COMPARE_SECONDS = 3.0
DEFAULT_KIND = "fanout"

ABOUT = """\
Measures what the gateway costs and how fast it is, on your own machine. Start a gateway in one terminal:

  gateway serve --memory --limits.messages_per_second 0 --limits.connections 0

and any of these in another. All but `selectors` need it. Every run checks that each reader got every message once and
in order, and says whether the gateway or this program was the limit.
"""
ABOUT_END = """\
Without a kind it is `fanout`. `gateway bench KIND --help` says what a kind measures and how to change it.

examples:
  gateway bench                                    500 readers in one room, for 5 seconds
  gateway bench talk --writers 200 --json          everybody writes and reads; for scripts
  gateway bench selectors --plot selectors.svg     select, poll and epoll with 10 to 15,000 idle connections

Exit code: 0 everything delivered, 1 not, or no gateway there, 2 usage.
"""
SLOWED = (
    "\n\nThe gateway must not slow writers down: start it with --limits.messages_per_second 0 (a run that was slowed "
    "says so). Readers come from this machine's loopback, which the limit of connections per address does not count."
)
ENDING = """
Exit code: 0 everything delivered, 1 not, or no gateway there, 2 usage."""


@dataclass(frozen=True, slots=True)
class BenchKind:
    """A kind of measurement: what it is, what it does in more words, an example, and the defaults of its options.

    An option without a default here is not an option of that kind.
    """

    help: str
    about: str
    example: str
    defaults: dict[str, Any] = field(default_factory=dict)


LOADED: dict[str, Any] = {"seconds": 5.0, "messages": None, "room": None, "patience": 10.0, "size": 64}

KINDS = {
    "fanout": BenchKind(
        "many readers, a few writers, one room",
        "Loads a room with readers and writers, and reports deliveries per second, latency from publishing to "
        "delivery, and the server's CPU time per delivery. The writers take the plain door (with /echo on, so "
        "that they see their own lines come back), or the web door where that one is closed. Latency includes "
        "this program's own way to each reader's socket." + SLOWED,
        "gateway bench fanout --ports-file ports.json --readers 500 --doors tcp,web\n"
        "  gateway bench fanout --compare      starts all servers itself: naive ones in C and Python, and the gateway",
        LOADED | {"readers": 500, "doors": ("tcp", "web"), "writers": 4, "window": 64, "rate": None, "compare": True},
    ),
    "ingest": BenchKind(
        "many writers, each alone in a room: what taking in a message costs",
        "Each writer is alone in its room and sends as fast as its messages come back to it, so that every "
        "message is read, stored, and delivered once. Look at messages/s and at the CPU time per delivery." + SLOWED,
        "gateway bench ingest --writers 200 --seconds 10",
        LOADED | {"doors": ("tcp",), "writers": 50, "window": None, "rate": None},
    ),
    "talk": BenchKind(
        "everybody in one room writes and reads",
        "A room in which everybody talks, as people do: terminals are not sent their own lines. One listener "
        "for each door hears everything, and its latencies are reported. A delivery should cost about what it "
        "costs in `fanout`." + SLOWED,
        "gateway bench talk --writers 200",
        LOADED | {"doors": ("tcp",), "writers": 100, "window": None, "rate": None},
    ),
    "rooms": BenchKind(
        "1,000 rooms of 4: many small conversations at once",
        "In every room one person writes and the others read. Nothing can be joined here: a message has few "
        "readers, and a room has few messages. A message that turns up in another room is a fault." + SLOWED,
        "gateway bench rooms --rooms 200 --people 10",
        LOADED | {"rooms": 1000, "people": 4, "doors": ("tcp", "web"), "window": None, "rate": None},
    ),
    "connect": BenchKind(
        "connect, be greeted, leave: how many newcomers a second",
        "Each newcomer connects, joins a room, waits for the answer and leaves; --window of them are on their "
        "way at any time. Each door has its turn. A newcomer that is not answered is a fault.",
        "gateway bench connect --newcomers 5000 --doors web",
        {"newcomers": 2000, "doors": ("tcp", "web"), "window": 32, "patience": 10.0},
    ),
    "idle": BenchKind(
        "1,000, 5,000, 15,000 connections that do nothing: memory, CPU time, and the latency of two who talk",
        "Connections are opened up to each step and held; none of them says anything. Reported for each step "
        "are the gateway's memory per connection, the CPU time it spends while nobody talks, and the latency "
        "of one message a twentieth of a second in another room. Steps that this machine has no descriptors "
        "for are shortened, and said so; the gateway needs --limits.connections 0 and the descriptors too.",
        "gateway bench idle --steps 1000,9000 --doors web",
        {"steps": (1000, 5000, 15000), "doors": ("tcp",), "patience": 10.0},
    ),
    "slow": BenchKind(
        "readers that stop reading: what they cost the others",
        "The same room with and without readers that stop reading, in turns. Reported is the latency of the "
        "others, and by how much the gateway's memory grew. Then the stalled ones read on, and each must get "
        "every message once and in order, or be told how many it missed." + SLOWED,
        "gateway bench slow --stalled 300",
        {
            "readers": 100,
            "stalled": 100,
            "doors": ("tcp", "web"),
            "writers": 4,
            "rate": 300.0,
            "size": 1000,
            "seconds": 2.0,
            "turns": 2,
            "room": None,
            "patience": 10.0,
        },
    ),
    "latency": BenchKind(
        "from netcat to the browser and back, at rest",
        "One writer and one reader, a message now and then, for each pair of doors: the time from a line "
        "leaving one program to its arrival in the other, in milliseconds. Nothing waits for anything else "
        "here." + SLOWED,
        "gateway bench latency --rate 5 --seconds 20 --plot latency.svg",
        {"doors": ("tcp", "web"), "rate": 20.0, "seconds": 3.0, "size": 64, "room": None, "patience": 10.0},
    ),
    "selectors": BenchKind(
        "select, poll and epoll while idle connections grow from 10 to 15,000 (needs no gateway)",
        "The claims of the article this project comes from, measured: select holds at most 1024 descriptors, "
        "select and poll look through all of them each time, epoll only at those that are ready. One "
        "connection among many idle ones becomes ready again and again, and the time until the selector has "
        "found it is reported.",
        "gateway bench selectors --plot selectors.png",
        {"steps": (10, 100, 500, 1000, 5000, 15000), "rounds": 300},
    ),
}
NEEDS_NO_GATEWAY = {"selectors"}
IN_FLIGHT = {"ingest": 64, "talk": 4, "rooms": 1}
"""Messages in flight for each writer, by kind, where --window does not say how many in all."""


def parser() -> argparse.ArgumentParser:
    """The parser of everything after `bench`."""
    top = argparse.ArgumentParser(
        prog="gateway bench", description=ABOUT, epilog=ABOUT_END, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = top.add_subparsers(metavar="KIND", dest="kind", required=True)
    for name, kind in KINDS.items():
        one = kinds.add_parser(
            name,
            help=kind.help,
            description=_wrapped(kind.about),
            epilog=f"example:\n  {kind.example}\n{ENDING}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(parser=one, compare=False, pin_server=None)
        if name not in NEEDS_NO_GATEWAY:
            _add_where(one.add_argument_group("where the gateway is"))
        _add_load(one.add_argument_group("what to do"), kind.defaults)
        _add_report(one.add_argument_group("how to report"))
        if "compare" in kind.defaults:
            _add_compare(one.add_argument_group("how to compare"))
    return top


def _wrapped(words: str) -> str:
    return "\n\n".join(textwrap.fill(paragraph, HELP_WIDTH) for paragraph in words.split("\n\n"))


def with_kind(argv: Sequence[str]) -> list[str]:
    """The words with the kind that is meant when none is given."""
    asked = not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help"))
    return [DEFAULT_KIND, *argv] if asked else list(argv)


# Values


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


def _steps(words: str) -> tuple[int, ...]:
    count = Count(1, 1_000_000)
    try:
        steps = [count(word.strip().replace("_", "")) for word in words.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{words!r} is not a list of whole numbers, as in 1000,5000") from error
    return tuple(sorted(set(steps)))


def _picture(word: str) -> Path:
    path = Path(word)
    if path.suffix.lower() not in (".png", ".svg"):
        raise argparse.ArgumentTypeError(f"{word} ends neither in .png nor in .svg")
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.absolute().parent}")
    return path


def _positive(word: str) -> float:
    if not 0 < (value := float(word)) < float("inf"):
        raise argparse.ArgumentTypeError(f"{word} is not above 0")
    return value


class Count:
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


CORE = Count(0, 4095)

# Options


def _add_where(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--ports-file", type=Path, metavar="FILE", help="what `gateway serve --ports-file` wrote")
    group.add_argument("--host", default="127.0.0.1", help="default %(default)s")
    for door, port in (("tcp", 9999), ("telnet", 2323), ("web", 8080)):
        group.add_argument(
            f"--{door}-port", type=Count(-1, 65535), default=port, metavar="N", help="default %(default)s"
        )
    group.add_argument(
        "--pid",
        type=Count(1, 1 << 31),
        help="the server's process, to measure its CPU time; found by its port on Linux",
    )
    group.add_argument("--pin-server", type=CORE, metavar="CORE", help="keep the server on that core")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of the load: how its value is read, and its help."""

    read: Callable[[str], Any]
    metavar: str
    help: str


OPTIONS = {
    "readers": Option(Count(1, 1_000_000), "N", "who only read"),
    "stalled": Option(Count(1, 1_000_000), "N", "further readers, who stop reading"),
    "rooms": Option(Count(1, 10_000), "N", "how many rooms"),
    "people": Option(Count(2, 10_000), "N", "people in each room"),
    "newcomers": Option(Count(1, ANYTHING), "N", "how many come through each door"),
    "steps": Option(_steps, "N,N", "so many idle connections, one step after the other"),
    "doors": Option(_doors, "A,B", "tcp, web, telnet; people take them in turn"),
    "writers": Option(Count(1, ROOM_WRITERS), "N", "who write"),
    "window": Option(Count(1, 1 << 20), "N", "messages (for connect: newcomers) in flight in all"),
    "rate": Option(_positive, "N", "messages per second in all, by the clock"),
    "size": Option(Count(MIN_SIZE, MAX_SIZE), "BYTES", "of each text"),
    "seconds": Option(_positive, "S", "how long each measurement takes"),
    "messages": Option(Count(1, ANYTHING), "N", "stop after that many in all"),
    "rounds": Option(Count(1, 100_000), "N", "how often something becomes ready in each step"),
    "turns": Option(Count(1, 99), "N", "turns with and without stalled readers; medians are reported"),
    "room": Option(str, "NAME", "the room's name"),
    "patience": Option(_positive, "S", "give up after that many seconds without a message"),
}
"""Every option of what to do; a kind has those that it has a default for."""
UNSET = {
    "window": "some for each writer",
    "rate": "instead of --window",
    "seconds": f"5; {COMPARE_SECONDS:g} a turn in --compare",
    "messages": "no end",
    "room": "a new one with a random name",
}


def _add_load(group: argparse._ArgumentGroup, defaults: dict[str, Any]) -> None:
    for name, option in OPTIONS.items():
        if name not in defaults:
            continue
        usual = defaults[name]
        words = (
            UNSET[name] if usual is None else ",".join(map(str, usual)) if isinstance(usual, tuple) else f"{usual:g}"
        )
        group.add_argument(
            f"--{name}", type=option.read, default=usual, metavar=option.metavar, help=f"{option.help} [{words}]"
        )


def _add_report(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--pin-load", type=CORE, metavar="CORE", help="keep this program on that core")
    group.add_argument("--json", action="store_true", help="the report as one JSON object")
    group.add_argument("--plot", type=_picture, metavar="FILE", help="draw the report into a .png or .svg file")


def _add_compare(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--compare", action="store_true", help="start naive servers and the gateway in turn, and compare"
    )
    group.add_argument(
        "--ways", type=_ways, default=tuple(WAYS), metavar="A,B", help=f"only these in --compare: {','.join(WAYS)}"
    )
    group.add_argument("--turns", type=Count(1, 99), default=3, help="of every way in --compare [%(default)s]")
