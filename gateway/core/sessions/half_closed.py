"""Half-closed sessions: a peer that has stopped sending still receives what it is owed, for HALF_CLOSED_SECONDS.

It is owed the replies to what it sent, and the room's messages up to its own last one. The time begins when that one is
committed, so that a slow journal takes nothing from it.
"""

from collections.abc import Callable

from gateway.core.clock import Clock
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.sessions.session import Session

HALF_CLOSED_SECONDS = 2.0
"""How long a half-closed peer may take to read what it is owed, after its own last message is committed."""


class HalfClosed:
    """The half-closed sessions, and the reason that each will be closed with. `end` closes one."""

    def __init__(self, clock: Clock, end: Callable[[Session, CloseReason], None]) -> None:
        self._clock = clock
        self._end = end
        self._closings: dict[Session, CloseReason] = {}

    def begin(self, session: Session, closing: CloseReason) -> None:
        """The peer has stopped sending, all it sent is handled: owed nothing, it is closed at once (`end` may wait)."""
        session.end_input()
        if _has_all(session):
            self._end(session, closing)
        if not session.closed:
            self._closings[session] = closing
            self.committed(session)

    def committed(self, session: Session) -> None:
        """A message of the session was committed or refused; after the last one its time begins."""
        if session in self._closings and not session.pending:
            self._clock.later(HALF_CLOSED_SECONDS, lambda: self._over(session))

    def serve(self) -> None:
        """Close the sessions that have received everything they are owed; part of the tick."""
        for session in list(self._closings):
            if _has_all(session):
                self._over(session)

    def forget(self, session: Session) -> None:
        """The session is over."""
        self._closings.pop(session, None)

    def _over(self, session: Session) -> None:
        closing = self._closings.get(session)
        if closing is not None:
            self._end(session, closing)


def _has_all(session: Session) -> bool:
    """Whether the session has received everything it is owed."""
    if session.pending or session.owed or session.held:
        return False
    room = session.room
    return room.cursor >= room.own if room is not None else all(it.cursor >= it.own for it in session.rooms.values())
