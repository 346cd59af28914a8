"""Counters: what has gone through the hub since the start, the sessions by door, and the sessions that are behind.

Plain numbers, counted as things happen. The sampler (`core.stats.sampler`) reads them once a second for figures over
time; nothing walks all sessions for one. `Histogram` counts durations in buckets, in the shape that Prometheus reads.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Protocol

from gateway.core.protocol.message import Door


class Histogram:
    """Counts of seconds. `bounds` are the upper ends of the buckets, ascending; one more takes what is above all."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Something took so long."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    @property
    def count(self) -> int:
        """How many durations were added."""
        return sum(self.counts)

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Each bound, and how many took at most that long; the last bound is infinite."""
        return zip((*self.bounds, float("inf")), accumulate(self.counts), strict=True)


COMMIT_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Seconds: a commit takes from 20 µs (in memory) to the stall of a full disk."""


class Lagging(Protocol):
    """A session whose transport took less than it was offered."""

    @property
    def id(self) -> str: ...

    @property
    def nick(self) -> str: ...

    @property
    def door(self) -> Door: ...

    @property
    def address(self) -> str: ...

    def lag(self) -> tuple[int, int]:
        """How far it is behind: (messages, bytes)."""

    def taken(self) -> tuple[int, int | None]:
        """See `core.delivery.Blocked`."""


class Counters:
    """One per hub. Messages: `messages_in` were committed, `deliveries` written to a reader, `skipped` not sent to one
    that was too far behind. `bytes_in` and `bytes_out` are those of sessions. `opened` and `present` count sessions by
    door, `connections_peak` is the most that were open at once."""

    __slots__ = ("blocked", "bytes_in", "bytes_out", "commits", "connections_peak", "deliveries", "messages_in",
                 "opened", "present", "skipped")  # fmt: skip

    def __init__(self) -> None:
        self.connections_peak = self.messages_in = self.deliveries = self.skipped = 0
        self.bytes_in = self.bytes_out = 0
        self.opened = dict.fromkeys(Door, 0)
        self.present = dict.fromkeys(Door, 0)
        self.blocked: dict[Lagging, None] = {}
        """The sessions whose transport took less than it was offered: only they can be far behind."""
        self.commits = Histogram(COMMIT_BOUNDS)
        """How long the journal took for each batch, in seconds."""

    def came(self, door: Door, present: int) -> None:
        """A session began; now there are `present`."""
        self.opened[door] += 1
        self.present[door] += 1
        self.connections_peak = max(self.connections_peak, present)

    def went(self, door: Door, session: Lagging) -> None:
        """A session is over."""
        self.present[door] -= 1
        self.blocked.pop(session, None)
