"""What the features cost that every message pays for, used or not: `python -m tests.bench.costs.features`.

The same work is counted in instructions (`tests.bench.costs.instructions`) with the code as it is and with a feature
taken out: its lines are left out of the source of the functions that all messages pass, and these are compiled anew. So
a ratio of 1.02 says that without the feature the work would take 2 % less. With `--write` the table goes into the
README.

The work: a terminal's lines, as they come from its socket, to READERS terminals.
"""

import ctypes
import gc
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import NamedTuple

from gateway.core.hub import Hub
from gateway.core.protocol.message import Door
from gateway.core.rooms.fanout import Member, Room
from gateway.core.rooms.group_commit import GroupCommit
from gateway.core.sessions.rate_limit import RateLimit
from gateway.core.sessions.session import Session
from gateway.tcp.connection import Connection
from tests.bench.costs import readme
from tests.bench.costs.instructions import counted_by
from tests.bench.costs.works import LINE, LINES_A_TICK, READERS, TICKS, all_talk, room_of
from tests.core.world import World

WITH, WITHOUT = "with ", "without "
WARM_UP = 12
"""Rounds before the one that counts: the interpreter adapts changed functions, and what calls them, anew."""


class Cut(NamedTuple):
    """A piece of a method's source, indented as in a function, and what stands in its place without the feature."""

    owner: type
    method: str
    text: str
    instead: str = ""


FEATURES: dict[str, tuple[str, Sequence[Cut]]] = {
    "accounting": (
        "messages and bytes, in and out, of each session and of all",
        (
            Cut(Member, "offer", "    session.bytes_out += taken\n"),
            Cut(Member, "offer", "        share.given += 1\n"),
            Cut(Member, "offer", "        session.messages_out += share.count\n"),
            Cut(Room, "publish", "    self.counters.messages_in += count\n"),
            Cut(Room, "publish", "            author.session.messages_in += len(each.messages)\n"),
            Cut(RateLimit, "pay", "        self.heard += most\n"),
            Cut(Session, "received", "    self.bytes_in += size\n    self.counters.bytes_in += size\n"),
        ),
    ),
    "taps": (
        "an operator may watch a connection",
        (Cut(Connection, "_heard", "    if self.session.tap is not None:\n        self.session.tap.heard(data)\n"),),
    ),
    "closings": (
        "a half-closed peer still gets what it is owed, and no more",
        (
            Cut(Member, "offer", "session.ending and self.own <= self.cursor and not session.pending", "False"),
            Cut(Member, "offer", "(session.ending or not session.echo)", "not session.echo"),
            Cut(Member, "offer", "self.own if session.ending else self.room.log.head", "self.room.log.head"),
            Cut(
                GroupCommit,
                "_show",
                "                if session.ending:\n                    self._half_closed.committed(session)\n",
            ),
            Cut(Hub, "tick", "    self._half_closed.serve()\n"),
        ),
    ),
    "sanctions": (
        "somebody may be muted",
        (Cut(Hub, "say", "self.mutes.refusal(self.mutes.on(session)) if self.mutes.by_id else None", "None"),),
    ),
}


@contextmanager
def taken_out(cuts: Sequence[Cut], *, kept: bool = False) -> Iterator[None]:
    """The methods without these pieces, or with them (`kept`) but compiled anew as well, while the block lasts. Raises
    ValueError when a piece is not there any more."""
    before = {(cut.owner, cut.method): vars(cut.owner)[cut.method] for cut in cuts}
    try:
        for owner, method in before:
            pieces = [cut for cut in cuts if (cut.owner, cut.method) == (owner, method) and not kept]
            setattr(owner, method, _without(before[owner, method], pieces))
        yield
    finally:
        for (owner, method), function in before.items():
            setattr(owner, method, function)


def _without(function: Callable[..., object], cuts: Sequence[Cut]) -> object:
    source = textwrap.dedent(inspect.getsource(function))
    for cut in cuts:
        if source.count(cut.text) != 1:
            raise ValueError(f"{cut.owner.__name__}.{cut.method} has {source.count(cut.text)} times: {cut.text}")
        source = source.replace(cut.text, cut.instead)
    made: dict[str, object] = {}
    module = vars(sys.modules[function.__module__])
    exec(compile(source, inspect.getfile(function), "exec"), module, made)
    return made[function.__name__]


def lines_from_a_socket(world: World) -> Callable[[], None]:
    """A terminal that says some lines in every tick to those who are in the world."""
    return all_talk(world, 1, LINE * LINES_A_TICK, TICKS)


def do_all(library: str) -> None:
    """In the process that is counted: do the work as it is, and without each feature."""
    marks = ctypes.CDLL(library)
    for name, prefix in product(FEATURES, (WITH, WITHOUT)):
        with taken_out(FEATURES[name][1], kept=prefix == WITH):
            work = lines_from_a_socket(room_of(Door.TCP, READERS))
            for _ in range(WARM_UP):
                work()
            gc.collect()
            gc.disable()
            marks.begin()
            work()
            marks.end((prefix + name).encode())
            gc.enable()


def ratios() -> dict[str, float]:
    """By feature, the instructions of the work divided by those without it."""
    counted = counted_by("tests.bench.costs.features")
    return {name: counted[WITH + name] / counted[WITHOUT + name] for name in FEATURES}


def main() -> int:
    """Print the ratios; with `--write`, put them into the README."""
    found = ratios()
    head = ("what all pay for", "what it does", "instructions, with it to without")
    rows = [(name, FEATURES[name][0], f"{ratio:.3f}") for name, ratio in found.items()]
    for cells in (head, *rows):
        print("  ".join(cells))
    if "--write" in sys.argv:
        readme.replace(readme.FEATURES, readme.table(head, rows))
    return 0


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].endswith(".so"):
        do_all(sys.argv[1])
    else:
        sys.exit(main())
