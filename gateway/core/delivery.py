"""Delivery: what still has to go out, and how much of it goes out in one tick.

Two queues: rooms with news (messages that some reader has not been offered) and sessions that are owed something of
their own (replies, errors, the tail of a message that their socket cut). A tick makes at most SENDS_PER_TICK sends, the
rest keeps its place for the next tick, so a room of 10,000 never blocks the loop.

What is owed goes first: a reply is what a person waits for, and nothing from a log may overtake it.

A session whose transport takes nothing is not served: it lags in the log and costs the others nothing. Only with
`limits.stall_seconds` set is it closed after a while (`Stalls`), by a timer that looks at the blocked sessions; the hot
path is not involved.

This file is below sessions and rooms and knows neither: both queue themselves here and are called in turn.
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
    """A session that is owed something."""

    def flush(self) -> None:
        """Offer everything owed at once; the part that is not taken waits for the transport, not for the next tick."""


class News(Protocol):
    """A room with messages that some reader has not been offered."""

    @property
    def served(self) -> bool:
        """Every reader has been offered everything."""

    def serve(self, sends: int) -> int:
        """Offer the news to at most `sends` readers, from where the last call stopped; return the sends left over."""


class Delivery:
    """The two queues, first in, first out."""

    __slots__ = ("_clock", "_news", "_owed", "failed")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._news: dict[News, None] = {}
        self._owed: dict[Owed, None] = {}
        self.failed: list[tuple[Owed, Exception]] = []
        """Whose transports raised, and what."""

    def has_news(self, room: News) -> None:
        """Serve the room's readers with the next tick."""
        self._news[room] = None
        self._clock.soon()

    def owes(self, session: Owed) -> None:
        """Flush the session with the next tick."""
        self._owed[session] = None
        self._clock.soon()

    def fails(self, session: Owed, problem: Exception) -> None:
        """The session cannot be written to; whoever calls `serve` ends it."""
        self.failed.append((session, problem))
        self._clock.soon()

    @property
    def pending(self) -> bool:
        """Something is queued for the next tick."""
        return bool(self._news or self._owed or self.failed)

    def serve(self) -> None:
        """Make one tick's sends; part of the tick."""
        self._serve_rooms(self._flush(SENDS_PER_TICK))

    def _flush(self, sends: int) -> int:
        """Flush at most `sends` of the sessions that are owed something; return the sends left over."""
        owed, self._owed = self._owed, {}
        for count, session in enumerate(owed):
            if count >= sends:
                # A flush may queue further sessions: they went to the end of the queue, behind those that are still in
                # it.
                self._owed = dict.fromkeys(chain(islice(owed, count, None), self._owed))
                return 0
            session.flush()
        return sends - len(owed)

    def _serve_rooms(self, sends: int) -> None:
        for room in list(self._news):
            if sends <= 0:
                break
            # Taken out first, so that a room that is not done goes to the end of the queue: no room starves another.
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
        """By session id: how much it had taken, and since when it has taken nothing."""

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
