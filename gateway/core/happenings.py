"""What happened to connections lately, without a word of what was said: one ring for all of them.

A ring for each would cost every idle connection. So the last events of a quiet connection leave when others are busy
coming and going: with 10,000 that all join one room, theirs are what is left.
"""

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from gateway.core.closing import CloseReason
from gateway.core.message import Door
from gateway.core.pace import pay, wait

HAPPENINGS = 8192
"""About 1 MB when full."""
REFUSALS_PER_SECOND = 2.0
REFUSALS_BURST = 60
"""A flood of newcomers who are refused must not wash out the rest: so many are noted, the others are counted."""


class Happening(NamedTuple):
    """Something that happened at `at` (ms since 1970) to the session with the number `session`. `event` is one of
    came, joined, parted, renamed, resumed and gone; `detail` is a door, a room, a nick or a reason.

    What happened to no session has the number 0: refused (somebody was not let in), operator (what one did or tried),
    storage (the journal failed or works again); `detail` says it in words."""

    at: int
    session: int
    event: str
    detail: str


class RecentEvents(deque[Happening]):
    """The ring, oldest first. `wall` is ms since 1970."""

    def __init__(self, wall: Callable[[], int]) -> None:
        super().__init__(maxlen=HAPPENINGS)
        self.last = 0
        """The number of the latest; the first ever had 1."""
        self._wall = wall
        self._refused_until = 0.0
        self._refused = 0

    def note(self, session: int, event: str, detail: str) -> None:
        """It happened just now."""
        self.last += 1
        self.append(Happening(self._wall(), session, event, detail))

    def refused(self, door: Door, address: str, closing: CloseReason, now: float) -> None:
        """Somebody was not let in; `now` is in monotonic seconds."""
        if wait(self._refused_until, now, REFUSALS_PER_SECOND, REFUSALS_BURST):
            self._refused += 1
            return
        self._refused_until = pay(self._refused_until, now, REFUSALS_PER_SECOND)
        more, self._refused = self._refused, 0
        also = f", and {more} more before" if more else ""
        self.note(0, "refused", f"{address} ({door}): {closing.word}{also}")

    def after(self, number: int, limit: int) -> tuple[int, list[Happening]]:
        """At most `limit` that came after the one with that number and are still known, and the number of the first."""
        first = max(number + 1, self.last - len(self) + 1)
        start = first - (self.last - len(self) + 1)
        return first, list(islice(self, start, start + limit))

    def of(self, session: int, limit: int) -> list[Happening]:
        """The last `limit` of one session, newest first."""
        found: list[Happening] = []
        for happening in reversed(self):
            if happening.session == session:
                found.append(happening)
                if len(found) == limit:
                    break
        return found
