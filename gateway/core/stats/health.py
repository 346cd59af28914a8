"""The gateway's health: OK, BUSY or OVERLOADED, and the causes, without flapping.

A look finds a cause (a late loop, memory near its limit, …) or none. One look tells little: a cause counts once every
look has found it for a while, and is over when none has for a while longer. A failure (storage) counts at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from gateway import wording
from gateway.errors import Refusal


class Level(IntEnum):
    """How bad it is."""

    OK = 0
    BUSY = 1
    OVERLOADED = 2

    @property
    def word(self) -> str:
        """The level's name in JSON."""
        return self.name.lower()


class Cause(NamedTuple):
    """A cause of bad health: `name` for programs, `text` for people."""

    name: str
    level: Level
    text: str


LATE_BUSY, LATE_OVERLOADED = 0.25, 1.0
"""Seconds by which the loop is late at worst, second after second."""
NEAR, AT = 0.8, 0.95
"""Shares of a limit from which it counts as near and as reached."""
QUEUE_BUSY, QUEUE_OVERLOADED = 0.5, 0.9
"""Shares of a listener's backlog that is filled."""
RISE_SECONDS = 5.0
FALL_SECONDS = 10.0
AT_ONCE = frozenset(("storage",))
"""Causes that count from the first look to the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was measured since the last sample. `lates` are the seconds by which timers came late, at least one.
    `accept_queue` is the filled share of the fullest backlog. None: this system does not tell."""

    lates: Sequence[float]
    rss_bytes: int | None = None
    fds: int | None = None
    cpu_seconds: float = 0.0
    accept_queue: float = 0.0


@dataclass(slots=True)
class Ceilings:
    """The limits that figures are compared with; 0 = no limit, or not known."""

    fds: int = 0
    rss_bytes: int = 0


def strains(reading: Reading, ceilings: Ceilings, storage: Refusal | None) -> list[Cause]:
    """The causes that one look finds; `storage` is what keeps messages from being stored."""
    found = []
    late = max(reading.lates)
    if late >= LATE_BUSY:
        level = Level.OVERLOADED if late >= LATE_OVERLOADED else Level.BUSY
        found.append(Cause("loop_lag", level, wording.LOOP_IS_LATE.format(ms=late * 1000)))
    for name, words, used, limit in (
        ("memory", wording.SHARE_OF_MEMORY, reading.rss_bytes, ceilings.rss_bytes),
        ("fds", wording.SHARE_OF_DESCRIPTORS, reading.fds, ceilings.fds),
    ):
        share = used / limit if used and limit else 0.0
        if share >= NEAR:
            level = Level.OVERLOADED if share >= AT else Level.BUSY
            found.append(Cause(name, level, words.format(share=share)))
    if reading.accept_queue >= QUEUE_BUSY:
        level = Level.OVERLOADED if reading.accept_queue >= QUEUE_OVERLOADED else Level.BUSY
        found.append(Cause("accept_queue", level, wording.ACCEPT_QUEUE.format(share=reading.accept_queue)))
    if storage is not None:
        found.append(Cause("storage", Level.OVERLOADED, storage.text))
    return found


class Latch:
    """One cause at one level: what the looks found, and what counts."""

    __slots__ = ("_changed", "_fall", "_found", "_rise", "cause", "on")

    def __init__(self, rise: float, fall: float) -> None:
        self._rise = rise
        self._fall = fall
        self._found = False
        self._changed = 0.0
        self.on = False
        self.cause: Cause | None = None
        """The cause as it was last found."""

    def look(self, now: float, cause: Cause | None) -> None:
        """The look at `now` has found it, or has not."""
        found = cause is not None
        if cause is not None:
            self.cause = cause
        if found != self._found:
            self._found, self._changed = found, now
        if found != self.on and now - self._changed >= (self._rise if found else self._fall):
            self.on = found


class Health:
    """Takes the results of looks (`look`); `causes` and `level` say what counts."""

    def __init__(self) -> None:
        self._latches: dict[tuple[str, Level], Latch] = {}

    def look(self, now: float, found: Iterable[Cause]) -> None:
        """Take in everything that one look at `now` (monotonic seconds) has found."""
        causes = {cause.name: cause for cause in found}
        for cause in causes.values():
            for level in (Level.BUSY, Level.OVERLOADED):
                if (cause.name, level) not in self._latches:
                    times = (0.0, 0.0) if cause.name in AT_ONCE else (RISE_SECONDS, FALL_SECONDS)
                    self._latches[cause.name, level] = Latch(*times)
        for (name, level), latch in self._latches.items():
            strain = causes.get(name)
            latch.look(now, strain if strain is not None and strain.level >= level else None)

    @property
    def causes(self) -> list[Cause]:
        """What counts now, the worst first, each cause once."""
        counting: dict[str, Cause] = {}
        for (name, level), latch in sorted(self._latches.items(), key=lambda item: -item[0][1]):
            if latch.on and latch.cause is not None:
                counting.setdefault(name, latch.cause._replace(level=level))
        return list(counting.values())

    @property
    def level(self) -> Level:
        """The worst level that counts."""
        return max((cause.level for cause in self.causes), default=Level.OK)
