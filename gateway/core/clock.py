"""The clock: the time, jobs for later, and the request for the next tick. The core's only port to time.

The core never looks at a clock and never sleeps. Whoever builds the hub hands in two clocks and `schedule` ("call the
hub's tick in so many seconds"); every part that needs time takes the `Clock`, so a test moves time by hand.

- `now` is monotonic seconds: rates, waits, deadlines.
- `wall` is ms since 1970 by the machine's clock: what people read.
- `trusted` is ms since 1970 that a wrongly set clock does not upset (`core.trusted_time`): for what must last so many
  minutes or days, also across a restart.
"""

import heapq
from collections.abc import Callable
from itertools import count

from gateway.core.trusted_time import TrustedTime

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
    """The core's view of time. `elapsed` is monotonic seconds that go on while the machine sleeps, where the system has
    such a clock. `schedule` may call the tick earlier than asked, and more than once."""

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
        """Run `job` in so many seconds or soon after."""
        self._timers.add(self.now() + seconds, job)
        if not self._asked:
            self._schedule(seconds)

    def soon(self) -> None:
        """Ask for a tick as soon as the loop turns. Asking again before it comes costs nothing."""
        if not self._asked:
            self._asked = True
            self._schedule(0)

    def wake(self) -> None:
        """The tick has begun: run the jobs that are due."""
        self._asked = False
        self._timers.run(self.now())

    def rest(self) -> None:
        """The tick is over and left nothing to do: ask for the next one when the first job is due."""
        due = self._timers.next
        if due is not None and not self._asked:
            self._schedule(max(SHORTEST_SLEEP, due - self.now()))
