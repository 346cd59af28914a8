"""The time, what is to be done later, and the asking for the next tick: the core's one port to both.

The core never looks at a clock and never sleeps. Whoever builds the hub hands in two clocks and `schedule` ("call the
hub's tick in so many seconds"); every part that needs time takes the `Clock`, so a test moves time by hand.

- `now` is monotonic seconds: rates, waits, deadlines.
- `wall` is ms since 1970, as the machine tells it now: what people read, and the end of a ban.
- `trusted` is ms since 1970 that no setting of the machine's clock upsets (`core.trusted_time`): what must last so many
  minutes or days, across a restart too.
"""

import heapq
from collections.abc import Callable
from itertools import count

from gateway.core.trusted_time import TrustedTime

Job = Callable[[], None]

SHORTEST_SLEEP = 0.001
"""Seconds: a timer that is due sooner is rounded up, or a tick would come just before its job is due, and again."""


class Timers:
    """A heap of jobs by their moment. Nothing is cancelled: a job checks for itself that it is still wanted."""

    __slots__ = ("_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Job]] = []
        self._order = count()

    def add(self, when: float, job: Job) -> None:
        """Do `job` at `when` (monotonic seconds) or soon after; jobs of one moment in the order in which they came."""
        heapq.heappush(self._heap, (when, next(self._order), job))

    def run(self, now: float) -> None:
        """Do what is due, in order."""
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()

    @property
    def next(self) -> float | None:
        """When the first job is due; None when there is none."""
        return self._heap[0][0] if self._heap else None


class Clock:
    """`elapsed` is seconds that also count while the machine sleeps, where there is such a clock. `schedule` may call
    the tick earlier than asked, and more than once."""

    __slots__ = ("_asked", "_schedule", "_timers", "now", "trusted", "wall")

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

    def later(self, seconds: float, job: Job) -> None:
        """Do `job` in so many seconds or soon after."""
        self._timers.add(self.now() + seconds, job)
        if not self._asked:
            self._schedule(seconds)

    def soon(self) -> None:
        """Ask for a tick as soon as the loop turns. Asking again before it comes costs nothing."""
        if not self._asked:
            self._asked = True
            self._schedule(0)

    def wake(self) -> None:
        """The tick has come: do what is due."""
        self._asked = False
        self._timers.run(self.now())

    def rest(self) -> None:
        """The tick is over and nothing is left to do: ask for the next one when the first job is due."""
        due = self._timers.next
        if due is not None and not self._asked:
            self._schedule(max(SHORTEST_SLEEP, due - self.now()))
