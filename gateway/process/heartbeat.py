"""The heartbeat: the process's timers, which feed the sampler, measure how late the loop is, and time full collections.

What this costs. The beat wakes an idle process once a second, for about 0.1 ms: figures over time need a row a second
whether or not anything happens, and a fixed beat is the cheapest way to have one. The fast timer runs only after a
second in which something came in or went out; MEASURE_EVERY apart, it takes 50 wake-ups a second of 5 µs each. A stall
of an idle loop is noticed by the beat alone.
"""

import asyncio
from collections.abc import Callable

from gateway.core.hub import Hub
from gateway.core.stats.health import Reading
from gateway.errors import Refusal
from gateway.process.gc_policy import GcPolicy
from gateway.process.resources import Process

BEAT = 1.0
MEASURE_EVERY = 0.02
PROBE_BEATS = 2
"""Every second beat asks the journal whether it could store; while it could not, every beat does."""


class Heartbeat:
    """`alive` is called at each beat. `accept_queue` returns how full the fullest listening socket's accept queue is,
    as a share of its backlog."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        gc_policy: GcPolicy,
        alive: Callable[[], object],
        accept_queue: Callable[[], float],
    ) -> None:
        self._loop = loop
        self._hub = hub
        self._gc_policy = gc_policy
        self._alive = alive
        self._accept_queue = accept_queue
        self._process = Process()
        self._lates: list[float] = []
        self._beats = 0
        self._seen = 0
        self._busy = False
        self._due = 0.0
        self._beating: asyncio.TimerHandle | None = None
        self._measuring: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the timers."""
        self._due = self._hub.clock.now() + BEAT
        self._beating = self._loop.call_later(BEAT, self._beat)

    def stop(self) -> None:
        """Stop the timers."""
        for timer in (self._beating, self._measuring):
            if timer is not None:
                timer.cancel()

    def _beat(self) -> None:
        now = self._hub.clock.now()
        self._lates.append(max(0.0, now - self._due))
        self._due = max(self._due + BEAT, now + BEAT / 2)
        self._beating = self._loop.call_later(self._due - now, self._beat)
        self._beats += 1
        self._alive()
        if self._hub.stats.sampler.storage is not None or self._beats % PROBE_BEATS == 0:
            self._hub.commits.probe().then(self._probed)
        lates, self._lates = self._lates, []
        process = self._process
        self._hub.stats.sampler.sample(
            Reading(
                lates=lates,
                rss_bytes=process.resident_bytes(),
                fds=process.descriptors(),
                cpu_seconds=process.cpu_seconds(),
                accept_queue=self._accept_queue(),
            )
        )
        self._gc_policy.beat(self._hub.stats.sampler.cpu_seconds)
        traffic = self._hub.stats.counters.bytes_in + self._hub.stats.counters.bytes_out
        self._busy, self._seen = traffic != self._seen, traffic
        if self._busy and self._measuring is None:
            self._measure_later(now)

    def _probed(self, trouble: Refusal | None) -> None:
        self._hub.stats.sampler.storage = trouble

    def _measure_later(self, now: float) -> None:
        self._measuring = self._loop.call_later(MEASURE_EVERY, self._measure, now + MEASURE_EVERY)

    def _measure(self, due: float) -> None:
        now = self._hub.clock.now()
        self._lates.append(max(0.0, now - due))
        self._measuring = None
        if self._busy:
            self._measure_later(now)
