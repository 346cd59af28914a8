"""Recent activity of connections: their last events, and the connections closed last.

`Statistics` is the face: one verb for each thing that happens to a connection. The verb counts it (`counters`), notes
it here, and logs it (`stats.access_log`). Nothing here holds what was said.

- `RecentEvents` is one ring for all connections, because a ring for each would cost memory for every idle one. So the
  last events of a quiet connection are pushed out while others are busy coming and going.
- `RecentlyClosed` holds the last KEPT connections that have closed, and how many closed for which reason since the
  start. A row takes about 0.5 KiB; its texts are bounded, so all of them stay below 2 MiB whatever the peers did.
"""

from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice

import msgspec

from gateway.core.clock import Clock
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.sessions.rate_limit import pay, wait
from gateway.core.sessions.session import Session
from gateway.core.stats.access_log import AccessLog
from gateway.core.stats.counters import Counters
from gateway.core.stats.health import Ceilings
from gateway.core.stats.sampler import Sampler

HAPPENINGS = 8192
"""About 1 MB when full."""
REFUSALS_PER_SECOND = 2.0
REFUSALS_BURST = 60
"""Rejections that are noted one by one, the others are only counted: a flood must not push out the rest."""


class Happening(msgspec.Struct, frozen=True, gc=False):
    """Something that happened at `at` (ms since 1970) to the session with the number `session`. `event` is one of
    came, joined, parted, renamed, resumed and gone; `detail` is a door, a room, a nick or a reason.

    Events without a session have the number 0: refused (a connection was rejected), operator (what one did or tried),
    storage (the journal failed or works again); `detail` says it in words."""

    at: int
    session: int
    event: str
    detail: str


class RecentEvents:
    """The ring of events, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._ring: deque[Happening] = deque(maxlen=HAPPENINGS)
        self.last = 0
        """The number of the latest event; the first ever had 1."""
        self._clock = clock
        self._refused_until = 0.0
        self._refused = 0

    def note(self, session: int, event: str, detail: str) -> None:
        """Note an event that happened just now."""
        self.last += 1
        self._ring.append(Happening(self._clock.wall(), session, event, detail))

    def came(self, session: Session) -> None:
        """A session has begun just now."""
        self.last += 1
        self._ring.append(Happening(session.connected_at, session.number, "came", session.door))

    def refused(self, door: Door, address: str, closing: CloseReason) -> None:
        """A connection was rejected."""
        now = self._clock.now()
        if wait(self._refused_until, now, REFUSALS_PER_SECOND, REFUSALS_BURST):
            self._refused += 1
            return
        self._refused_until = pay(self._refused_until, now, REFUSALS_PER_SECOND)
        more, self._refused = self._refused, 0
        also = f", and {more} more before" if more else ""
        self.note(0, "refused", f"{address} ({door}): {closing.word}{also}")

    def __iter__(self) -> Iterator[Happening]:
        return iter(self._ring)

    def __len__(self) -> int:
        return len(self._ring)

    def after(self, number: int, limit: int) -> tuple[int, list[Happening]]:
        """At most `limit` events after the one with that number, as far as they are still held, and the number of
        the first of them."""
        first = max(number + 1, self.last - len(self._ring) + 1)
        start = first - (self.last - len(self._ring) + 1)
        return first, list(islice(self._ring, start, start + limit))

    def of(self, session: int, limit: int) -> list[Happening]:
        """The last `limit` events of one session, newest first."""
        found: list[Happening] = []
        for happening in reversed(self._ring):
            if happening.session == session:
                found.append(happening)
                if len(found) == limit:
                    break
        return found


KEPT = 1000
ROOMS_KEPT = 8
WORDS_KEPT = 200


class Departure(msgspec.Struct, frozen=True, gc=False):
    """One connection as it was when it closed. Times are ms since 1970 UTC; `rooms` are its first ROOMS_KEPT."""

    number: int
    nick: str
    door: Door
    rooms: tuple[str, ...]
    address: str
    agent: str | None
    connected_at: int
    closed_at: int
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    skipped: int
    closing: CloseReason
    words: str
    proxy: str | None = None

    @property
    def id(self) -> str:
        """The number as people see it."""
        return f"{self.number:x}"


class RecentlyClosed:
    """`last` are the connections that closed last, the oldest first; `counts` also has those that were rejected."""

    def __init__(self) -> None:
        self.last: deque[Departure] = deque(maxlen=KEPT)
        self.counts: Counter[tuple[Door, CloseReason]] = Counter()

    def add(self, session: Session, closing: CloseReason, words: str, now: int) -> None:
        """The session has ended at `now`, ms since 1970; call it while its rooms are still known."""
        self.counts[session.door, closing] += 1
        arrival = session.arrival
        self.last.append(
            Departure(
                session.number,
                session.nick,
                session.door,
                session.room_names[:ROOMS_KEPT],
                arrival.address,
                arrival.agent,
                session.connected_at,
                now,
                session.messages_in,
                session.messages_out,
                session.bytes_in,
                session.bytes_out,
                session.skipped,
                closing,
                words[:WORDS_KEPT],
                arrival.proxy,
            )
        )


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
        self.recent.came(session)
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
