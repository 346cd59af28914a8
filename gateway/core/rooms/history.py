"""History: a page of a room's messages, from its log in memory when that holds all of it, else from the journal."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.answer import Answer
from gateway.core.ports import Journal, Page, RoomRecord
from gateway.core.protocol.message import Message
from gateway.core.protocol.refusals import storage_refusal
from gateway.core.rooms.fanout import Room
from gateway.errors import Code, JournalError, Refusal

HISTORY_MESSAGES = 300
"""Messages on one page of history, at most."""


@dataclass(frozen=True, slots=True)
class Range:
    """Selects messages: the oldest `limit` with a number above `after`, else the latest below `before`, else the
    latest."""

    after: int | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Past:
    """A page of a room's history, oldest first; `more` as in `ports.Page`, `first`..`head` as in `RoomRecord`."""

    room: str
    epoch: str
    first: int
    head: int
    messages: list[Message]
    more: bool


class HistoryReader:
    """Reads the history of any room, in memory or not."""

    def __init__(self, journal: Journal, rooms: Mapping[str, Room]) -> None:
        self._journal = journal
        self._rooms = rooms

    def read(self, name: str, wanted: Range) -> Answer[Past | Refusal]:
        """At most HISTORY_MESSAGES messages, or a Refusal for an unknown room."""
        room = self._rooms.get(name)
        if room is None:
            return self._journal.open(name, 0).chain(lambda record: self._read_unopened(record, wanted))
        limit = min(wanted.limit, HISTORY_MESSAGES)
        held = room.held(wanted.after, wanted.before, limit)
        if held is not None:
            return Answer.of(Past(name, room.epoch, room.first, room.log.head, *held))
        return self._read_journal(RoomRecord(name, room.epoch, room.first, room.log.head, room.topic, ()), wanted)

    def _read_unopened(self, record: RoomRecord | JournalError, wanted: Range) -> Answer[Past | Refusal]:
        if isinstance(record, JournalError):
            return Answer.of(storage_refusal(record))
        if not record.head and not record.topic:
            return Answer.of(Refusal(Code.NO_SUCH_ROOM, f"there is no room {record.room}"))
        return self._read_journal(record, wanted)

    def _read_journal(self, record: RoomRecord, wanted: Range) -> Answer[Past | Refusal]:
        limit = min(wanted.limit, HISTORY_MESSAGES)
        page = self._journal.read(record.room, after=wanted.after, before=wanted.before, limit=limit)
        return page.map(lambda page: _past(record, page))


def _past(record: RoomRecord, page: Page | JournalError) -> Past | Refusal:
    if isinstance(page, JournalError):
        return storage_refusal(page)
    return Past(record.room, record.epoch, record.first, record.head, list(page.messages), page.more)
