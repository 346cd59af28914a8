"""The rooms in memory, by name: opened from the journal when somebody needs one, forgotten when nobody does."""

import logging
from collections.abc import Callable
from functools import partial

from gateway.core.ports import Journal, RoomRecord
from gateway.core.protocol.refusals import storage_refusal
from gateway.core.rooms.fanout import Room
from gateway.core.rooms.log import RoomLog
from gateway.core.sessions.rate_limit import Limits
from gateway.core.stats.counters import Counters
from gateway.errors import Code, JournalError, Refusal

log = logging.getLogger(__name__)

LOBBY = "lobby"
"""Where everybody comes in; it stays in memory."""
RECENT_MESSAGES = 50
"""What a room's log begins with: what a browser is shown on joining."""


class Rooms(dict[str, Room]):
    """A mapping of names to rooms, with the verbs that fill and empty it."""

    def __init__(self, journal: Journal, limits: Limits, totals: Counters) -> None:
        super().__init__()
        self._journal = journal
        self._limits = limits
        self._totals = totals

    def limit(self, limits: Limits) -> None:
        """Keep these limits from now on; a log that is too long is cut with its next message."""
        self._limits = limits
        for room in self.values():
            room.log.max_messages, room.log.max_bytes = limits.top_log_messages, limits.top_log_bytes

    def open(self, name: str, done: Callable[[Room | Refusal], None]) -> None:
        """The room with that (valid) name, from memory, from the journal, or new."""
        room = self.get(name)
        if room is not None:
            done(room)
        elif len(self) >= self._limits.top_rooms:
            done(Refusal(Code.ROOM_LIMIT, f"there are {len(self)} rooms already", retry_ms=60_000))
        else:
            self._journal.open(name, RECENT_MESSAGES, lambda record: done(self._opened(name, record)))

    def _opened(self, name: str, record: RoomRecord | JournalError) -> Room | Refusal:
        room = self.get(name)
        if room is not None:
            return room
        if isinstance(record, JournalError):
            return storage_refusal(record)
        if not record.head and not self._limits.create_rooms and name != LOBBY:
            return Refusal(Code.NO_SUCH_ROOM, f"there is no room {name}, and making rooms is switched off")
        limits = self._limits
        messages = RoomLog(record.head, max_messages=limits.top_log_messages, max_bytes=limits.top_log_bytes)
        messages.restart(record.head, record.recent)
        room = self[name] = Room(name, record.epoch, record.first, record.topic, messages, self._totals)
        return room

    def keep(self, room: Room) -> Room:
        """The room of that name that is in memory now: `room`, if it was forgotten meanwhile."""
        return self.setdefault(room.name, room)

    def forget_if_idle(self, room: Room) -> None:
        """An empty unread room leaves memory; the journal keeps it."""
        if not room.members and not room.pending and room.name != LOBBY and self.get(room.name) is room:
            del self[room.name]

    def begin_new_epochs(self, begun: Callable[[Room], None]) -> None:
        """The journal came back without its end: read every room afresh; `begun` is called for each."""
        for name in list(self):
            self._journal.open(name, RECENT_MESSAGES, partial(self._reopened, name, begun))

    def _reopened(self, name: str, begun: Callable[[Room], None], record: RoomRecord | JournalError) -> None:
        room = self.get(name)
        if room is None:
            return
        if isinstance(record, JournalError):
            log.error("room %s could not be read again: %s", name, record)
            return
        room.begin_epoch(record)
        begun(room)
