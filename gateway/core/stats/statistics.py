"""Statistics of connections: one verb for each thing that happens to one, which counts, notes and logs it.

The parts: plain counts (`counters`), a ring of recent events (`recent`), the connections that closed (`closed`), lines
in the log (`access_log`), and figures over time with the gateway's health (`sampler`).
"""

from gateway.core.clock import Clock
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.sessions.session import Session
from gateway.core.stats.access_log import AccessLog
from gateway.core.stats.counters import Counters
from gateway.core.stats.recent import RecentEvents, RecentlyClosed
from gateway.core.stats.sampler import Ceilings, Sampler


class Statistics:
    """One per process. `ceilings` are the limits that figures are compared with."""

    def __init__(self, clock: Clock, ceilings: Ceilings) -> None:
        self._clock = clock
        self.counters = Counters()
        self.recent = RecentEvents(clock)
        self.closed = RecentlyClosed()
        self.access_log = AccessLog(clock)
        self.sampler = Sampler(self.counters, self.closed.counts, clock, ceilings)

    def came(self, session: Session, present: int) -> None:
        """A session has begun; now there are `present`."""
        self.recent.note(session.number, "came", session.door)
        self.counters.came(session.door, present)
        self.access_log.came(session)

    def went(self, session: Session, closing: CloseReason, words: str) -> None:
        """A session is over; call it while its rooms are still known."""
        self.recent.note(session.number, "gone", closing.word)
        self.counters.went(session.door, session)
        self.closed.add(session, closing, words, self._clock.wall())
        self.access_log.went(session, closing, words)

    def refused(self, door: Door, address: str, closing: CloseReason, words: str) -> None:
        """A connection was rejected at a door."""
        self.closed.counts[door, closing] += 1
        self.access_log.refused(door, address, closing, words)
        self.recent.refused(door, address, closing)
