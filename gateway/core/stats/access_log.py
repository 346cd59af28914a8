"""The access log: a line when a connection opens, one when it closes, and one for each connection that is rejected.

As JSON, each line also has its facts as fields. At most LINES_PER_SECOND are written, because ten thousand connections
may arrive in one second; one more line says how many were left out.
"""

import logging

from gateway import wording
from gateway.core.clock import Clock
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.sessions.session import Session

LINES_PER_SECOND = 50

log = logging.getLogger("gateway.connections")


class AccessLog:
    """Writes the lines, to the log."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = 0.0
        self._room = 0
        self._left_out = 0

    def came(self, session: Session) -> None:
        """The session has begun."""
        if self._has_room():
            facts = _facts("opened", session)
            log.info(wording.LOG_OPENED, session.id, _who(session), extra={"fields": facts})

    def went(self, session: Session, closing: CloseReason, words: str) -> None:
        """The session has ended."""
        if self._has_room():
            lasted = max(0, self._clock.wall() - session.connected_at)
            facts = _facts("closed", session) | {
                "reason": closing.word,
                "words": words,
                "lasted_ms": lasted,
                "messages_in": session.messages_in,
                "messages_out": session.messages_out,
                "bytes_in": session.bytes_in,
                "bytes_out": session.bytes_out,
            }
            log.info(
                wording.LOG_CLOSED,
                session.id,
                _who(session),
                f"{closing.word}: {words}" if words else closing.word,
                lasted // 1000,
                session.messages_in,
                session.messages_out,
                extra={"fields": facts},
            )

    def refused(self, door: Door, address: str, closing: CloseReason, words: str) -> None:
        """A connection was rejected."""
        if self._has_room():
            facts = {"event": "refused", "door": door.value, "address": address, "reason": closing.word, "words": words}
            said = f"{closing.word}: {words}" if words else closing.word
            log.info(wording.LOG_REFUSED, address, door.value, said, extra={"fields": facts})

    def tell(self) -> None:
        """Say how many lines were left out, if any."""
        if self._left_out:
            log.info(wording.LOG_LEFT_OUT, self._left_out, extra={"fields": {"event": "left_out"}})
            self._left_out = 0

    def _has_room(self) -> bool:
        if not log.isEnabledFor(logging.INFO):
            return False
        now = self._clock.now()
        if now >= self._until:
            self._until = now + 1.0
            self._room = LINES_PER_SECOND
        if self._room:
            self._room -= 1
            return True
        if not self._left_out:
            self._clock.later(self._until - now, self.tell)
        self._left_out += 1
        return False


def _who(session: Session) -> str:
    return f"{session.nick} ({session.door.value}, {session.address})"


def _facts(event: str, session: Session) -> dict[str, str | int]:
    return {
        "event": event,
        "connection": session.id,
        "nick": session.nick,
        "door": session.door.value,
        "address": session.address,
    }
