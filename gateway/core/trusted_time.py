"""Trusted time, by which things expire: the wall clock, as long as nothing contradicts it.

Retention, bans, mutes, tokens, receipts are measured in ms since 1970, because they outlive the process. A wall clock
can be wrong for a moment (a machine without a battery that starts in 1970, a mistyped date, a guest that was restored
from a snapshot), and what is deleted at that moment is gone. So nothing ends by the wall clock itself, but by this one.

The model. Trusted time follows the wall clock while the two agree. When the wall jumps, trusted time goes on at the
speed of `elapsed` from where it was, as if the jump had not happened, and the log says what was seen. It follows again

- at once, when the wall clock agrees with it again: the clock was mended;
- or when the wall clock has run for SETTLE_MS without another jump: it was right, and the gateway had been stopped for
  long.

Across a stop it is not known how much time has passed. Up to STOPPED_MS is believed; more than that, or a step back,
is a jump, and no time is taken to have passed. A time before EARLIEST is never believed if there is any other. The
journal keeps the `TimeRecord` that the next start is compared with.

What this gives up: after a stop of more than STOPPED_MS everything lasts a day longer than it should.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

log = logging.getLogger(__name__)

EARLIEST = 1_735_689_600_000
"""2025-01-01 in ms since 1970: before that there was no such program."""
AGREE_MS = 5_000
"""A correction that is not worth a log line: what NTP steps by on a machine that drifts."""
STOPPED_MS = 7 * 86_400_000
"""The longest stop that is believed without further evidence."""
SETTLE_MS = 86_400_000
"""How long a wall clock that contradicts the journal must run on evenly before it is believed."""
LOOK_SECONDS = 60.0
"""Seconds between two looks at the wall clock."""


@dataclass(frozen=True, slots=True)
class TimeRecord:
    """What a look at the clock saw, all in ms since 1970: trusted time, the wall clock, and since when (by the wall
    clock) it has been doubted, 0 = it is not."""

    trusted: int
    wall: int
    since: int

    def __str__(self) -> str:
        return f"{self.trusted} {self.wall} {self.since}"

    @classmethod
    def parse(cls, text: str) -> "TimeRecord | None":
        """The record that was written as `text`; None when it is not one."""
        words = text.split(" ")
        if len(words) != 3 or not all(word.isascii() and word.isdigit() and len(word) <= 16 for word in words):
            return None
        return cls(*map(int, words))


class TrustedTime:
    """`wall` is ms since 1970 as the machine tells it, `elapsed` seconds that also count while the machine sleeps."""

    def __init__(self, wall: Callable[[], int], elapsed: Callable[[], float]) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._since = 0
        self._seen = wall()
        self._seen_at = self._passed()
        self._base = self._seen - self._seen_at

    def now(self) -> int:
        """Trusted time, ms since 1970."""
        return self._base + int(self._elapsed() * 1000)

    def seconds(self) -> float:
        """The same in seconds, for what lasts minutes."""
        return self.now() / 1000

    def start_from(self, record: TimeRecord | None, newest: int) -> None:
        """Compare the wall clock with what the journal knows: the last record, or the time of its newest message (0 =
        none) where a journal has no record."""
        wall = self._see()
        if record is None and newest >= EARLIEST:
            record = TimeRecord(newest, newest, 0)
        if record is None or _is_next(record.trusted, wall) or record.trusted < EARLIEST <= wall:
            self._follow(wall)
            if wall < EARLIEST:
                log.warning("the clock shows %s, which cannot be: set it. Nothing is deleted by it", _shown(wall))
        elif record.since and _is_next(record.wall, wall):
            self._since = record.since
            self._set(record.trusted + wall - record.wall)
            self._settle(wall)
        else:
            self._set(record.trusted)
            self._doubt(wall)

    def look(self) -> TimeRecord:
        """Look at the wall clock; return the record that the journal is to keep."""
        expected = self._seen - self._seen_at
        wall, trusted = self._see(), self.now()
        if abs(wall - trusted) <= AGREE_MS or trusted < EARLIEST <= wall:
            if self._since:
                log.warning("the clock shows %s again: it is believed", _shown(wall))
            self._follow(wall)
        elif not self._since or abs(wall - expected - self._seen_at) > AGREE_MS:
            self._doubt(wall)
        else:
            self._settle(wall)
        return TimeRecord(max(self.now(), 0), max(wall, 0), self._since)

    def _see(self) -> int:
        self._seen, self._seen_at = self._wall(), self._passed()
        return self._seen

    def _passed(self) -> int:
        return int(self._elapsed() * 1000)

    def _set(self, trusted: int) -> None:
        self._base = trusted - self._seen_at

    def _follow(self, wall: int) -> None:
        self._since = 0
        self._set(wall)

    def _doubt(self, wall: int) -> None:
        self._since = max(wall, 1)
        log.warning(
            "the clock shows %s, but by the journal it is about %s: nothing ends or is deleted by the new time "
            "until the clock is mended or has run on for a day",
            _shown(wall),
            _shown(self.now()),
        )

    def _settle(self, wall: int) -> None:
        if wall >= EARLIEST and wall - self._since >= SETTLE_MS:
            log.warning("the clock has shown its time for a day: %s is believed", _shown(wall))
            self._follow(wall)


def _is_next(before: int, now: int) -> bool:
    return before - AGREE_MS <= now <= before + STOPPED_MS


def _shown(moment: int) -> str:
    try:
        return f"{datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{moment} ms since 1970"
