"""How each connection did in the last minute: its lag and rates at every look somebody took.

Nothing is kept for a connection of its own. A look is four arrays side by side, in the order of the sessions' numbers,
so 60 looks at 10,000 connections are 14 MB, and nobody watching is nothing.
"""

from array import array
from bisect import bisect_left
from collections import deque

import msgspec

from gateway.web.rows import ConnectionRow, Rates

LOOK_APART = 1.0
LOOK_STALE = 15.0
LOOKS = 60
"""Looks kept, and for how many seconds."""

NAN = float("nan")
NOTHING = (0, 0, 0, 0)
STILL = Rates(0.0, 0.0, 0.0, 0.0)

Counts = tuple[int, int, int, int]


class Sample:
    """One moment: `at` in ms since 1970, `now` in monotonic seconds; the others by connection, in order of numbers."""

    __slots__ = ("at", "counts", "lag_bytes", "messages_in_rate", "messages_out_rate", "now", "numbers", "rates")

    def __init__(self, now: float, at: int) -> None:
        self.now = now
        self.at = at
        self.counts: dict[int, Counts] = {}
        self.rates: dict[int, Rates | None] = {}

    def complete(self, rows: list[ConnectionRow]) -> None:
        """All counts and rates are known: these are their rows. Four lists of numbers, each made in C."""
        self.numbers = array("Q", self.counts)
        self.lag_bytes = array("Q", [row.lag_bytes or 0 for row in rows])
        self.messages_in_rate = array("f", [NAN if rates is None else rates[0] for rates in self.rates.values()])
        self.messages_out_rate = array("f", [NAN if rates is None else rates[1] for rates in self.rates.values()])


class Sparkline(msgspec.Struct, gc=False):
    """The looks at one connection, oldest first. Times in ms since 1970; None: no look, or no rate yet."""

    at: list[int]
    lag_bytes: list[int | None]
    messages_in_rate: list[float | None]
    messages_out_rate: list[float | None]


class Samples:
    """The looks, and the rates between the last two. Moments are monotonic seconds."""

    def __init__(self) -> None:
        self._looks: deque[Sample] = deque(maxlen=LOOKS)
        self._last: Sample | None = None

    def rate(self, number: int, counts: Counts, age: float, now: float) -> Rates | None:
        """The rates of a session that has counted so far and is `age` seconds old; None when nobody has looked lately.
        They change at most every LOOK_APART."""
        last = self._last
        if last is None or now - last.now > LOOK_STALE:
            return None
        apart = now - last.now
        if apart < LOOK_APART:
            return last.rates.get(number)
        before = last.counts.get(number)
        if counts == before:
            return STILL
        if before is None:
            before, apart = NOTHING, max(LOOK_APART, min(apart, age))
        heard, told, received, sent = counts
        return Rates(
            round((heard - before[0]) / apart, 1),
            round((told - before[1]) / apart, 1),
            round((received - before[2]) / apart, 1),
            round((sent - before[3]) / apart, 1),
        )

    def begin(self, now: float, wall: int) -> Sample | None:
        """A new look, if the last is far enough away: note `counts` and `rates` of every session, then `keep` it."""
        if self._last is not None and now - self._last.now < LOOK_APART:
            return None
        return Sample(now, wall)

    def keep(self, look: Sample, rows: list[ConnectionRow]) -> None:
        """The look is over. Of the one before only the arrays are kept."""
        look.complete(rows)
        if self._last is not None:
            self._last.counts, self._last.rates = {}, {}
        self._last = look
        self._looks.append(look)
        while self._looks[0].now <= look.now - LOOKS:
            self._looks.popleft()

    def forget(self) -> None:
        """Nobody watches."""
        self._looks.clear()
        self._last = None

    def of(self, number: int) -> Sparkline:
        """What is known of one session."""
        line = Sparkline([], [], [], [])
        for look in self._looks:
            place = bisect_left(look.numbers, number)
            here = place < len(look.numbers) and look.numbers[place] == number
            line.at.append(look.at)
            line.lag_bytes.append(look.lag_bytes[place] if here else None)
            line.messages_in_rate.append(_known(look.messages_in_rate[place]) if here else None)
            line.messages_out_rate.append(_known(look.messages_out_rate[place]) if here else None)
        return line


def _known(value: float) -> float | None:
    return round(value, 1) if value == value else None
