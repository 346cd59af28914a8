"""The sampler: turns counters and measurements into figures over time, their highest since the start, and the health.

Once a second `process.heartbeat` measures the process and calls `sample`. The cost of a sample does not grow with the
number of sessions, only with that of the sessions that are behind, up to LAGS_LOOKED_AT: a session that takes what it
is offered has no lag and is not looked at (`Counters.blocked` holds the others).
"""

from collections import deque
from collections.abc import Mapping, Sequence
from math import ceil

import msgspec

from gateway.core.clock import Clock
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.stats.counters import Counters, Histogram, Lagging
from gateway.core.stats.health import Ceilings, Health, Level, Reading, strains
from gateway.core.stats.timeseries import Rings
from gateway.errors import Code, Refusal

LAGS_LOOKED_AT = 500
"""If more sessions are behind, only every second, third, … is looked at: about 1 ms in all."""
SLOWEST = 5
MARKS = 200
MARK_CHARACTERS = 200
LAG_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds. Below 1 ms a lag is the timer's own resolution."""
COUNTED = ("messages_in", "deliveries", "bytes_in", "bytes_out")


class Mark(msgspec.Struct, frozen=True):
    """Something an operator or the gateway did, in words; `at` in ms since 1970."""

    at: int
    text: str


class Sampler:
    """One per process. `closed` counts the connections that closed since the start. Figures are compared with
    `ceilings`."""

    def __init__(
        self,
        counters: Counters,
        closed: Mapping[tuple[Door, CloseReason], int],
        clock: Clock,
        ceilings: Ceilings,
    ) -> None:
        self._counters = counters
        self._closed = closed
        self._clock = clock
        self.started_at = clock.wall()
        self.ceilings = ceilings
        self.rings = Rings()
        self.health = Health()
        self.loop_lag = Histogram(LAG_BOUNDS)
        self.current: dict[str, float] = {}
        """The last row of figures."""
        self.peaks: dict[str, float] = {}
        """The highest of each figure since the start."""
        self.cpu_seconds = 0.0
        self.accept_queue = 0.0
        self.storage: Refusal | None = None
        """What keeps messages from being stored; set from outside after each probe of the journal."""
        self.slowest: list[tuple[Lagging, int]] = []
        """The sessions furthest behind, with their lag in bytes, as of the last sample."""
        self.marks: deque[Mark] = deque(maxlen=MARKS)
        self._sampled = clock.now()
        self._seen = dict.fromkeys((*COUNTED, "skipped"), 0)
        self._closed_before: dict[str, int] = {}

    def mark(self, text: str) -> None:
        """Note something that an operator or the gateway did; charts show it. `text` is plain and has passed the
        gate."""
        self.marks.append(Mark(self._clock.wall(), text[:MARK_CHARACTERS]))

    def sample(self, reading: Reading) -> None:
        """Take a row of figures, about once a second."""
        now = self._clock.now()
        row = self._traffic(max(0.001, now - self._sampled)) | self._closings() | self._lag() | self._process(reading)
        self._sampled = now
        self.current = row
        self.rings.add(now, self._clock.wall(), row)
        for figure, value in row.items():
            if value > self.peaks.get(figure, -1.0):
                self.peaks[figure] = value
        self.health.look(now, strains(reading, self.ceilings, self.storage))

    def marks_since(self, time: int) -> list[Mark]:
        """The marks after `time` (ms since 1970)."""
        return [mark for mark in self.marks if mark.at > time]

    def refusal(self) -> Refusal | None:
        """Why load balancers should send nobody here now; None: all is well, or no worse than busy. Storage is not
        counted: ask `GroupCommit.probe` for that."""
        worst = [
            cause.text for cause in self.health.causes if cause.level is Level.OVERLOADED and cause.name != "storage"
        ]
        return Refusal(Code.BUSY, f"overloaded: {', '.join(worst)}", retry_ms=5000) if worst else None

    def _traffic(self, seconds: float) -> dict[str, float]:
        counters = self._counters
        row: dict[str, float] = {f"connections_{door}": float(counters.present[door]) for door in Door}
        for name in COUNTED:
            count = getattr(counters, name)
            row[name] = round((count - self._seen[name]) / seconds, 1)
            self._seen[name] = count
        row["skipped"] = counters.skipped - self._seen["skipped"]
        self._seen["skipped"] = counters.skipped
        return row

    def closed_by_reason(self) -> dict[str, int]:
        """How many connections closed since the start, by the reason's word."""
        counts: dict[str, int] = {}
        for (_, closing), count in self._closed.items():
            counts[closing.word] = counts.get(closing.word, 0) + count
        return counts

    def _closings(self) -> dict[str, float]:
        before, self._closed_before = self._closed_before, self.closed_by_reason()
        return {f"closed_{word}": count - before.get(word, 0) for word, count in self._closed_before.items()}

    def _lag(self) -> dict[str, float]:
        """The median and the 99th percentile over all sessions; those that are not blocked have none."""
        blocked = list(self._counters.blocked)
        apart = -(-len(blocked) // LAGS_LOOKED_AT) or 1
        behind = sorted(((session.lag()[1], session) for session in blocked[::apart]), key=lambda pair: pair[0])
        self.slowest = [(session, lag) for lag, session in reversed(behind[-SLOWEST:]) if lag]
        lags = [lag for lag, _ in behind]
        here = max(sum(self._counters.present.values()) // apart, len(lags))
        return {
            "lag_p50": percentile(lags, here, 0.5),
            "lag_p99": percentile(lags, here, 0.99),
            "slow": len(blocked),
        }

    def _process(self, reading: Reading) -> dict[str, float]:
        lates = sorted(reading.lates)
        for late in lates:
            self.loop_lag.add(late)
        self.cpu_seconds, self.accept_queue = reading.cpu_seconds, reading.accept_queue
        row = {
            "loop_lag_p99_ms": round(percentile(lates, len(lates), 0.99) * 1000, 1),
            "loop_lag_max_ms": round(lates[-1] * 1000, 1),
        }
        if reading.rss_bytes is not None:
            row["rss_bytes"] = reading.rss_bytes
        if reading.fds is not None:
            row["fds"] = reading.fds
        return row


def percentile(known: Sequence[float], count: int, share: float) -> float:
    """The nearest-rank percentile of `count` numbers: `known`, ascending, are the highest of them, the rest is 0."""
    rank = max(1, ceil(share * count)) - (count - len(known))
    return known[rank - 1] if known and rank > 0 else 0.0
