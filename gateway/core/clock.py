"""Things to do later, in order of time; the clock is the caller's."""

import heapq
from collections.abc import Callable
from itertools import count

Job = Callable[[], None]


class Timers:
    """A heap of jobs. Nothing is cancelled: a job looks itself whether it still makes sense."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Job]] = []
        self._order = count()

    def add(self, when: float, job: Job) -> None:
        """Do `job` at `when` (monotonic seconds) or soon after."""
        heapq.heappush(self._heap, (when, next(self._order), job))

    def run(self, now: float) -> None:
        """Do what is due, in order."""
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()

    @property
    def next(self) -> float | None:
        """When the first job is due; None when there is none."""
        return self._heap[0][0] if self._heap else None
