"""Latency from publishing to delivery, at some readers: percentiles of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.bench.peer import LoadConnection
from gateway.bench.plan import number_of, writer_of
from gateway.bench.verdict import ExpectedOrder

SAMPLED_READERS = 32
KEPT_LATENCIES = 200_000


class Percentiles(msgspec.Struct, frozen=True):
    """Latencies in milliseconds."""

    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float


def percentiles(seconds: Sequence[float], longest: float) -> Percentiles | None:
    """By nearest rank: the smallest value that at least p percent do not exceed. None of nothing."""
    if not seconds:
        return None
    ranked = sorted(seconds)

    def at(percent: float) -> float:
        return round(ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)] * 1000, 3)

    return Percentiles(at(50), at(90), at(99), at(99.9), round(longest * 1000, 3))


@dataclass(slots=True)
class LatencySamples:
    """When some readers of one door got which part of its order: (offset before, offset after, time)."""

    order: ExpectedOrder
    chunks: list[tuple[int, int, float]] = field(default_factory=list)

    def summarise(self, times: Sequence[Sequence[float]]) -> Percentiles | None:
        """`times[writer][number]`: when each message was published.

        Every so-manieth message counts, so that a long run does not end in a long calculation; the longest latency is
        exact, because a chunk's oldest message is its first.
        """
        spans = self._spans()
        stride = 1 + sum(last - first for first, last, _ in spans) // KEPT_LATENCIES
        kept: list[float] = []
        longest = phase = 0.0
        for first, last, now in spans:
            start = first + int(phase)
            kept += [now - self._published(index, times) for index in range(start, last, stride)]
            phase = (start - last) % stride
            longest = max(longest, now - self._published(first, times))
        return percentiles(kept, longest)

    def messages_per_read(self) -> float | None:
        """How many messages a reader got at a time: what the server, the kernel and we joined together."""
        spans = self._spans()
        return round(sum(last - first for first, last, _ in spans) / len(spans), 2) if spans else None

    def _spans(self) -> list[tuple[int, int, float]]:
        """The chunks in which messages ended: (first message, behind the last, time)."""
        spans = [(self.order.count(first), self.order.count(last), now) for first, last, now in self.chunks]
        return [span for span in spans if span[0] < span[1]]

    def _published(self, index: int, times: Sequence[Sequence[float]]) -> float:
        key = self.order.heard.keys[index]
        return times[writer_of(key)][number_of(key)]


def choose_sampled(peers: Sequence[LoadConnection]) -> None:
    """Spread the sampled readers evenly: the server may serve the first ones first."""
    for peer in peers[:: max(1, len(peers) // SAMPLED_READERS)]:
        peer.sampled = True
