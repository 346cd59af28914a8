"""The clock: the time, jobs for later, and the request for the next tick. The core's only port to time.

The core never reads the machine's clock and never sleeps. Whoever builds the hub passes in two clocks and `schedule`
("call the hub's tick in so many seconds"); every part that needs time takes the `Clock`, so a test moves time by hand.

- `now` is monotonic seconds: rates, waits, deadlines.
- `wall` is ms since 1970 by the machine's clock: what people read.
- `trusted` is ms since 1970 by `TrustedTime`, which a wrongly set clock does not upset: what must last a number of
  minutes or days, also across a restart (retention, bans, mutes, tokens, receipts).

Why trusted time. A wall clock can be wrong for a moment (a machine without a battery that starts in 1970, a mistyped
date, a guest that was restored from a snapshot), and what is deleted at that moment is gone.

The model. Trusted time follows the wall clock while the two agree. When the wall clock jumps, trusted time continues at
the speed of `elapsed` from where it was, as if the jump had not happened, and the log says what was seen. It follows
the wall clock again

- at once, when the wall clock agrees with it again: the wall clock was corrected;
- or when the wall clock has run for SETTLE_MS without another jump: it was right, and the gateway had been stopped for
  long.

Across a stop it is not known how much time has passed. Up to STOPPED_MS is believed; more than that, or a step back,
is a jump, and no time is taken to have passed. A time before EARLIEST is never believed if there is any other. The
journal keeps the `TimeRecord` that the next start is compared with.

What this gives up: after a stop of more than STOPPED_MS everything lasts a day longer than it should.
"""

import heapq
import logging
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Generic, TypeVar

from gateway import wording
from gateway.core.quantity import whole_number

log = logging.getLogger(__name__)

EARLIEST = 1_735_689_600_000
"""2025-01-01 in ms since 1970: a clock that shows an earlier time is wrong."""
AGREE_MS = 5_000
"""A correction that is not worth a log line: what NTP steps by on a machine that drifts."""
STOPPED_MS = 7 * 86_400_000
"""The longest stop that is believed without further evidence."""
SETTLE_MS = 86_400_000
"""How long a wall clock that contradicts the journal must run on evenly before it is believed."""
LOOK_SECONDS = 60.0
"""Seconds between two readings of the wall clock."""


@dataclass(frozen=True, slots=True)
class TimeRecord:
    """The result of a comparison of the clocks, all in ms since 1970: trusted time, the wall clock, and since when (by
    the wall clock) it has been doubted, 0 = it is not."""

    trusted: int
    wall: int
    since: int

    def __str__(self) -> str:
        return f"{self.trusted} {self.wall} {self.since}"

    @classmethod
    def parse(cls, text: str) -> "TimeRecord | None":
        """The record that was written as `text`; None when it is not one."""
        numbers = [whole_number(word, 16) for word in text.split(" ")]
        known = [number for number in numbers if number is not None]
        return cls(*known) if len(numbers) == len(known) == 3 else None


class TrustedTime:
    """`wall` returns ms since 1970 by the machine's clock, `elapsed` seconds that also count while the machine
    sleeps."""

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
                log.warning(wording.LOG_CLOCK_IMPOSSIBLE, _shown(wall))
        elif record.since and _is_next(record.wall, wall):
            self._since = record.since
            self._set(record.trusted + wall - record.wall)
            self._settle(wall)
        else:
            self._set(record.trusted)
            self._doubt(wall)

    def look(self) -> TimeRecord:
        """Read the wall clock; return the record that the journal is to keep."""
        expected = self._seen - self._seen_at
        wall, trusted = self._see(), self.now()
        if abs(wall - trusted) <= AGREE_MS or trusted < EARLIEST <= wall:
            if self._since:
                log.warning(wording.LOG_CLOCK_BELIEVED, _shown(wall))
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
        log.warning(wording.LOG_CLOCK_DOUBTED, _shown(wall), _shown(self.now()))

    def _settle(self, wall: int) -> None:
        if wall >= EARLIEST and wall - self._since >= SETTLE_MS:
            log.warning(wording.LOG_CLOCK_SETTLED, _shown(wall))
            self._follow(wall)


def _is_next(before: int, now: int) -> bool:
    return before - AGREE_MS <= now <= before + STOPPED_MS


def _shown(moment: int) -> str:
    try:
        return f"{datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{moment} ms since 1970"


Job = Callable[[], None]

SHORTEST_SLEEP = 0.001
"""Seconds. A shorter wait is rounded up: the tick would come just before its job is due, and have to come again."""


class Timers:
    """A heap of jobs by due time. Nothing is cancelled: a job checks for itself that it is still wanted."""

    __slots__ = ("_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Job]] = []
        self._order = count()

    def add(self, when: float, job: Job) -> None:
        """Run `job` at `when` (monotonic seconds) or soon after; jobs due together run in the order they were added."""
        heapq.heappush(self._heap, (when, next(self._order), job))

    def run(self, now: float) -> None:
        """Run the jobs that are due, in order."""
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()

    @property
    def next(self) -> float | None:
        """When the next job is due; None when there is none."""
        return self._heap[0][0] if self._heap else None


class Clock:
    """The core's view of time. `elapsed` is monotonic seconds that continue while the machine sleeps, where the system
    has such a clock. `schedule` may call the tick earlier than asked, and more than once."""

    __slots__ = ("_asked", "_due", "_schedule", "_ticking", "_timers", "now", "trusted", "wall")

    def __init__(
        self,
        now: Callable[[], float],
        wall: Callable[[], int],
        schedule: Callable[[float], None],
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        self.now = now
        self.wall = wall
        self._schedule = schedule
        self.trusted = TrustedTime(wall, elapsed or now)
        self._timers = Timers()
        self._asked = False
        self._ticking = False
        self._due = math.inf
        """When the next tick is asked for because of a job; to ask for a later one costs more than to keep the job."""

    def later(self, seconds: float, job: Job) -> None:
        """Run `job` in that many seconds or soon after."""
        when = self.now() + seconds
        self._timers.add(when, job)
        if not self._asked and not self._ticking and when < self._due:
            self._due = when
            self._schedule(seconds)

    def soon(self) -> None:
        """Ask for a tick as soon as the loop turns. Asking again before it comes costs nothing; neither does asking
        within a tick, which decides at its end whether it has left anything to do."""
        if not self._asked and not self._ticking:
            self._asked = True
            self._schedule(0)

    def wake(self) -> None:
        """The tick has begun: run the jobs that are due. `rest` must follow, whatever happens in between."""
        self._asked, self._ticking, self._due = False, True, math.inf
        self._timers.run(self.now())

    def rest(self, done: bool) -> None:
        """The tick is over: ask for the next one when the first job is due; at once if this one was not `done`."""
        self._ticking = False
        if not done:
            self.soon()
            return
        due = self._timers.next
        if due is not None and due < self._due:
            seconds = due - self.now()
            if seconds <= 0:  # added within the tick
                self.soon()
            else:
                self._due = due
                self._schedule(max(SHORTEST_SLEEP, seconds))


Item = TypeVar("Item")

TOGETHER = 0.001
"""Seconds."""


class Delay(Generic[Item]):
    """Does one `job` for each of many items, so many seconds after it was added. Because all wait equally long they
    stand in a queue that needs one timer, instead of a function and a place in the heap for each. Those added within
    TOGETHER count as added at once, so that a crowd's share one number."""

    __slots__ = ("_added", "_clock", "_items", "_job", "_seconds", "_waits")

    def __init__(self, clock: Clock, seconds: float, job: Callable[[Item], object]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._job = job
        self._items: deque[Item] = deque()
        self._added: deque[float] = deque()
        """When each item was added, in monotonic seconds."""
        self._waits = False
        """Whether a timer is set."""

    def add(self, item: Item) -> None:
        """Do the job for `item` in `seconds` or soon after. Nothing is cancelled, as with `Clock.later`."""
        now, added = self._clock.now(), self._added
        added.append(added[-1] if added and now - added[-1] < TOGETHER else now)
        self._items.append(item)
        if not self._waits:
            self._waits = True
            self._clock.later(self._seconds, self._run)

    def _run(self) -> None:
        items, added, now = self._items, self._added, self._clock.now()
        try:
            while added and added[0] + self._seconds <= now:
                added.popleft()
                self._job(items.popleft())
        finally:  # a job that fails takes nothing from those behind it
            self._waits = bool(added)
            if added:
                self._clock.later(added[0] + self._seconds - now, self._run)


SLICE = 200
"""Sessions told or closed in one turn of the loop: about 5 ms."""


def in_slices(clock: Clock, items: list[Item], job: Callable[[Item], object]) -> None:
    """Do the `job` for each item, SLICE of them now and as many in each later turn of the loop, so that work on all
    sessions keeps nobody waiting."""
    for item in items[:SLICE]:
        job(item)
    if len(items) > SLICE:
        clock.later(0, lambda: in_slices(clock, items[SLICE:], job))
