"""Things to do later, in order of time; the clock is the caller's."""

import heapq
from collections.abc import Callable
from itertools import count

Job = Callable[[], None]


def steady_wall(clock: Callable[[], float], wall: Callable[[], int]) -> Callable[[], int]:
    """The time in ms since 1970 as `wall` tells it now, carried on by `clock` (monotonic seconds): what lasts so many
    minutes by it lasts so long, also when somebody sets the machine's clock."""
    began = wall() - int(clock() * 1000)
    return lambda: began + int(clock() * 1000)


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
