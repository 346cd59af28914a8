"""Delivery: what has still to go out, and how much of it goes in one tick.

Two things wait here by name: rooms with news (messages that some reader has not been offered) and sessions that are
owed something of their own (answers, errors, the tail of a message their socket cut). A tick sends at most
SENDS_PER_TICK times, the rest keeps its place for the next one, so a room of 10,000 never holds up the loop.

What is owed goes first: it is what somebody waits for, and nothing from a log may overtake it.

A session whose transport takes nothing is not served: it lags in the log, at nobody's cost. Only where
`limits.stall_seconds` says so is it closed after a while (`Stalls`), by a timer that looks at the blocked sessions;
the hot path knows nothing of it.

This file stands below sessions and rooms and knows neither: both put themselves in line, and are called when it is
their turn.
"""

from collections.abc import Callable, Collection
from itertools import chain, islice
from typing import Protocol

from gateway.core.clock import Clock

SENDS_PER_TICK = 1000
"""About 10 ms of sends: what a tick spends before the loop turns."""


LOOKS = 8
"""How often a blocked session is looked at within `limits.stall_seconds`."""
LONGEST_LOOK, SHORTEST_LOOK = 15.0, 0.1
"""Seconds between two looks."""


class Owed(Protocol):
    """Somebody who is owed something."""

    def flush(self) -> None:
        """Offer all of it at once; what is not taken waits for the transport, not for the next tick."""


class News(Protocol):
    """A room with something that not every reader has been offered."""

    @property
    def served(self) -> bool:
        """Everybody has been offered all there is."""

    def serve(self, sends: int) -> int:
        """Offer it to at most `sends` readers, going on where the last call stopped; return how many sends are left."""


class Delivery:
    """What waits to go out, each in the order in which it came."""

    __slots__ = ("_clock", "_news", "_owed")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._news: dict[News, None] = {}
        self._owed: dict[Owed, None] = {}

    def has_news(self, room: News) -> None:
        """Serve the room's readers with the next tick."""
        self._news[room] = None
        self._clock.soon()

    def owes(self, session: Owed) -> None:
        """Flush the session with the next tick."""
        self._owed[session] = None
        self._clock.soon()

    @property
    def pending(self) -> bool:
        """Something waits for the next tick."""
        return bool(self._news or self._owed)

    def serve(self) -> None:
        """Send what one tick may; part of the tick."""
        self._serve_rooms(self._flush(SENDS_PER_TICK))

    def _flush(self, sends: int) -> int:
        """Flush at most `sends` of those who are owed something; return how many sends are left."""
        owed, self._owed = self._owed, {}
        for count, session in enumerate(owed):
            if count >= sends:
                # Whoever came to owe something meanwhile was put in line behind these.
                self._owed = dict.fromkeys(chain(islice(owed, count, None), self._owed))
                return 0
            session.flush()
        return sends - len(owed)

    def _serve_rooms(self, sends: int) -> None:
        for room in list(self._news):
            if sends <= 0:
                break
            # Taken out first, so that a room that is not done goes to the end of the line: no room starves another.
            del self._news[room]
            sends = room.serve(sends)
            if not room.served:
                self._news[room] = None


class Blocked(Protocol):
    """A session whose transport took less than it was offered."""

    @property
    def id(self) -> str: ...

    def taken(self) -> tuple[int, int | None]:
        """The bytes its transport has taken, and those its peer has acknowledged; they only grow."""


class Stalls:
    """Closes readers that take nothing for `stall_seconds` while something is owed to them. `blocked` are those that
    are behind; `end` closes the one of that id.

    What counts is what the peer's machine acknowledges, where the kernel tells: a transport that buffers takes
    nothing new for as long as a slow but living reader needs to empty its buffer.
    """

    def __init__(self, clock: Clock, blocked: Collection[Blocked], end: Callable[[str, float], None]) -> None:
        self._clock = clock
        self._blocked = blocked
        self._end = end
        self._seconds = 0.0
        self._looking = False
        self._looked = 0.0
        self._seen: dict[str, tuple[tuple[int, int | None], float]] = {}
        """By session id: what it had taken, and since when it has taken no more."""

    def limit(self, seconds: float) -> None:
        """Close after so many seconds from now on; 0 = never."""
        self._seconds = seconds
        if seconds and not self._looking:
            self._looking, self._looked = True, self._clock.now()
            self._look_later()

    @property
    def _every(self) -> float:
        return min(LONGEST_LOOK, max(SHORTEST_LOOK, self._seconds / LOOKS))

    def _look_later(self) -> None:
        self._clock.later(self._every, self._look)

    def _look(self) -> None:
        if not self._seconds:
            self._looking = False
            self._seen.clear()
            return
        now = self._clock.now()
        if now - self._looked > 2 * self._every + 1:
            # We were stopped, not they: time that nobody could use is held against nobody.
            self._seen.clear()
        self._looked = now
        before, self._seen = self._seen, {}
        for session in list(self._blocked):
            taken = session.taken()
            found = before.get(session.id)
            since = found[1] if found is not None and found[0] == taken else now
            if now - since >= self._seconds:
                self._end(session.id, now - since)
            else:
                self._seen[session.id] = (taken, since)
        self._look_later()
