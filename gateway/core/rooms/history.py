"""Older messages of a room: pages of its history, and the place where a session stopped reading.

`HistoryReader` returns a page of messages from the room's log in memory when the log holds all of it, otherwise from
the journal. The page around a message is known by its numbers, because a room has no holes. The page around a moment
is found by halving the room's numbers, one message read for each step: a million messages take twenty. Where a clock
was set back there are several places that fit, and one of them is found.
"""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.ports.journal import Journal, Page, RoomRecord
from gateway.core.protocol.events import storage_refusal
from gateway.core.protocol.message import Message
from gateway.core.rooms.fanout import Room
from gateway.errors import Code, JournalError, Refusal

HISTORY_MESSAGES = 300
"""Messages on one page of history, at most."""


class Range(msgspec.Struct, frozen=True):
    """Selects messages: the oldest `limit` with a number above `after`; otherwise the latest below `before`;
    otherwise the `limit` messages around the number `around`; otherwise those around the first one sent `at` that
    moment (ms since 1970) or later; otherwise the latest."""

    after: int | None = None
    before: int | None = None
    limit: int = 50
    around: int | None = None
    at: int | None = None


class Position(msgspec.Struct, frozen=True):
    """Where a session stopped reading a room: number `after` of `epoch`."""

    epoch: str
    after: int

    def continues(self, room: Room) -> bool:
        """Whether the session can read on from there and miss nothing. In another epoch, or beyond the room's head, the
        number names another message: then it is shown the latest ones instead (`core.doors.join`)."""
        return self.epoch == room.epoch and 0 <= self.after <= room.log.head


class Past(msgspec.Struct, frozen=True):
    """A page of a room's history, oldest first; `more` as in `ports.Page`, but around a number or moment always of
    older messages; `first`..`head` as in `RoomRecord`."""

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
        if wanted.after is None and wanted.before is None:
            if wanted.around is not None:
                return self._read_around(name, wanted.around, wanted.limit)
            if wanted.at is not None:
                return self._read_at(name, wanted.at, wanted.limit)
        room = self._rooms.get(name)
        if room is None:
            return self._journal.open(name, 0).chain(lambda record: self._read_unopened(record, wanted))
        limit = min(wanted.limit, HISTORY_MESSAGES)
        held = room.held(wanted.after, wanted.before, limit)
        if held is not None:
            return Answer.of(Past(name, room.epoch, room.first, room.log.head, *held))
        return self._read_journal(RoomRecord(name, room.epoch, room.first, room.log.head, room.topic, ()), wanted)

    def _read_around(self, name: str, seq: int, limit: int) -> Answer[Past | Refusal]:
        limit = min(limit, HISTORY_MESSAGES)

        def read(ends: Past | Refusal) -> Answer[Past | Refusal]:
            if isinstance(ends, Refusal):
                return Answer.of(ends)
            start = max(ends.first, min(seq - limit // 2, ends.head - limit + 1))
            page = self.read(name, Range(after=start - 1, limit=limit))
            return page.map(lambda past: past if isinstance(past, Refusal) else replace(past, more=start > past.first))

        return self.read(name, Range(limit=1)).chain(read)

    def _read_at(self, name: str, moment: int, limit: int) -> Answer[Past | Refusal]:
        def halve(low: int, high: int) -> Answer[Past | Refusal]:
            """The page around the first message from the moment on: it is one of `low`..`high`."""
            if low >= high:
                return self._read_around(name, low, limit)
            middle = (low + high) // 2

            def look(past: Past | Refusal) -> Answer[Past | Refusal]:
                if isinstance(past, Refusal):
                    return Answer.of(past)
                # None: retention has just deleted all up to there, and what is sought comes later.
                earlier = not past.messages or past.messages[0].ts < moment
                return halve(middle + 1, high) if earlier else halve(low, middle)

            return self.read(name, Range(after=middle - 1, limit=1)).chain(look)

        ends = self.read(name, Range(limit=1))
        return ends.chain(
            lambda past: Answer.of(past) if isinstance(past, Refusal) else halve(past.first, past.head + 1)
        )

    def _read_unopened(self, record: RoomRecord | JournalError, wanted: Range) -> Answer[Past | Refusal]:
        if isinstance(record, JournalError):
            return Answer.of(storage_refusal(record))
        if not record.head and not record.topic:
            return Answer.of(Refusal(Code.NO_SUCH_ROOM, wording.NO_SUCH_ROOM.format(room=record.room)))
        return self._read_journal(record, wanted)

    def _read_journal(self, record: RoomRecord, wanted: Range) -> Answer[Past | Refusal]:
        limit = min(wanted.limit, HISTORY_MESSAGES)
        page = self._journal.read(record.room, after=wanted.after, before=wanted.before, limit=limit)
        return page.map(lambda page: _past(record, page))


def _past(record: RoomRecord, page: Page | JournalError) -> Past | Refusal:
    if isinstance(page, JournalError):
        return storage_refusal(page)
    return Past(record.room, record.epoch, record.first, record.head, list(page.messages), page.more)
