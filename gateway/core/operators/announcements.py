"""Announcements: an operator tells everybody something, at all nodes."""

from gateway import wording
from gateway.core import sanitize
from gateway.core.clock import in_slices
from gateway.core.hub import Hub
from gateway.core.ports.cluster import AnnouncementMade
from gateway.core.protocol.events import Notice, too_fast
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import Wire
from gateway.core.sessions.rate_limit import pay, wait
from gateway.core.sessions.session import OWED_BYTES, Session

ANNOUNCEMENT_BYTES = 8_000
ANNOUNCEMENTS_PER_SECOND = 1.0
ANNOUNCEMENTS_BURST = 5


class Announcements:
    """Tells everybody, at a bounded rate."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._until = 0.0
        hub.cluster.hear(AnnouncementMade, self._tell)

    def make(self, words: str, door: Door | None, room: str | None) -> int:
        """Tell everybody, or everybody at a door, in a (valid) room or both; return how many are told at this node.
        Raises Refusal."""
        announced = AnnouncementMade(sanitize.lines(words, ANNOUNCEMENT_BYTES), door, room)
        now = self._hub.clock.now()
        seconds = wait(self._until, now, ANNOUNCEMENTS_PER_SECOND, ANNOUNCEMENTS_BURST)
        if seconds:
            raise too_fast(seconds)
        self._until = pay(self._until, now, ANNOUNCEMENTS_PER_SECOND)
        self._hub.cluster.tell(announced)
        return self._tell(announced)

    def _tell(self, announced: AnnouncementMade) -> int:
        said = Notice(wording.ANNOUNCEMENT.format(text=announced.text))
        heard = [each for each in self._hub.sessions.values() if _hears(each, announced.door, announced.room)]
        shapes: dict[Wire, bytes] = {}

        def tell(session: Session) -> None:
            if len(session.owed) < OWED_BYTES:
                shape = shapes.get(session.wire)
                if shape is None:
                    shape = shapes[session.wire] = session.wire.event(said, session.nick)
                session.owe(shape)

        in_slices(self._hub.clock, heard, tell)
        return len(heard)


def _hears(session: Session, door: str | None, room: str | None) -> bool:
    """Whether the session gets an announcement. A browser is told nothing before its welcome."""
    here = (door is None or session.door == door) and (room is None or room in session.rooms)
    return here and (session.greeted or session.door is not Door.WEB)
