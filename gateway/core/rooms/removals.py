"""Removing messages: a message that is taken back keeps its number, and its text goes everywhere at once.

In this order, because only the journal decides: the journal removes the text; the room's log gets the message without
it; what was encoded for the next readers is dropped; those who have it already are told by a `redacted`; the journal
overwrites what is left in its files.

A reader is never moved. One whose cursor is before the message gets it without its text, like everybody later. One that
stands inside it, with half of it written, is owed the rest as it was, for a cut line or frame would break the stream;
the `redacted` follows. A reader so far behind with what it is owed that nothing may be added is told when that has gone
out, from the journal's list: what waits for it is one number.

The files are cleaned at once, but never more often than every ERASE_SECONDS: it takes the journal some ten
milliseconds, and somebody who says and deletes all day would stop the others.
"""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.ports.journal import Journal, Page, Removal
from gateway.core.protocol.events import Redacted, storage_refusal
from gateway.core.protocol.message import Message
from gateway.core.rooms.fanout import Member, Room
from gateway.core.rooms.history import HistoryReader, Past, Range
from gateway.core.rooms.join_notices import Encoded
from gateway.core.rooms.registry import Rooms
from gateway.core.sessions.session import OWED_BYTES
from gateway.errors import Code, JournalError, Refusal

log = logging.getLogger(__name__)

ERASE_SECONDS = 0.4
ERASE_AGAIN_SECONDS = 10.0
"""After a failure."""
RECENT_REMOVALS = 1000
RESUMED_MESSAGES = 1000
"""Of so many messages up to its place a peer that resumes is told which were removed."""


class Removals:
    """Finds and removes messages, and tells the rooms. `removed` is told of each: the search."""

    def __init__(
        self,
        journal: Journal,
        rooms: Rooms,
        history: HistoryReader,
        clock: Clock,
        removed: Callable[[Removal], None],
    ) -> None:
        self._journal = journal
        self._rooms = rooms
        self._history = history
        self._clock = clock
        self._hide = removed
        self._erasing = False
        self._again = False
        self._recent: deque[tuple[Removal, int]] = deque(maxlen=RECENT_REMOVALS)
        """The last, each with the time of its message."""
        self._untold: dict[Member, int] = {}
        """Readers that are still to be told of the removals above that number, once what they are owed has gone out."""

    def find(self, room: str, seq: int, epoch: str | None = None) -> Answer[Message | Refusal]:
        """The message with that number; a Refusal when the room has another `epoch` or does not hold it."""

        def found(past: Past | Refusal) -> Message | Refusal:
            if isinstance(past, Refusal):
                return past
            if epoch is not None and epoch != past.epoch:
                return Refusal(Code.EPOCH_CHANGED, wording.EPOCH_CHANGED)
            if not past.messages:
                return Refusal(Code.NO_SUCH_MESSAGE, wording.NO_SUCH_MESSAGE.format(seq=seq, room=room))
            return past.messages[0]

        return self._history.read(room, Range(after=seq - 1, before=seq + 1, limit=1)).map(found)

    def remove(self, message: Message, by: str, reason: str) -> Answer[Removal | Refusal]:
        """Remove the message in the name of `by`; one that has been removed before stays as it is."""
        removed = self._journal.remove(message.room, message.seq, self._clock.wall(), by, reason)
        return removed.map(partial(self._removed, message))

    def _removed(self, message: Message, removal: Removal | JournalError | None) -> Removal | Refusal:
        if isinstance(removal, JournalError):
            return storage_refusal(removal)
        if removal is None:  # it has expired meanwhile
            words = wording.NO_SUCH_MESSAGE.format(seq=message.seq, room=message.room)
            return Refusal(Code.NO_SUCH_MESSAGE, words)
        self.apply(removal)
        self._erase()
        return removal

    def apply(self, removal: Removal) -> None:
        """A message was removed from the journal, here or on another node: take it from the room's log and the search,
        and tell the room."""
        room = self._rooms.get(removal.room)
        if room is not None:
            message = room.log.next_after(removal.seq - 1)
            if message is not None and message.seq == removal.seq:
                self._recent.append((removal, message.ts))
            room.removed = True
            room.log.remove(removal.seq, removal.reason)
            for readers in room.readers.values():
                readers.forget()
            self._tell_room(room, removal)
        self._hide(removal)

    def remove_again(self) -> None:
        """The journal has lost its end, and may hold again what was removed a moment ago."""
        for removal, ts in list(self._recent):
            page = self._journal.read(removal.room, after=removal.seq - 1, before=None, limit=1)
            page.then(partial(self._look_again, removal, ts))

    def _look_again(self, removal: Removal, ts: int, page: Page | JournalError) -> None:
        found = page.messages[0] if isinstance(page, Page) and page.messages else None
        # Its number may belong to another message by now.
        if found is not None and (found.seq, found.ts) == (removal.seq, ts) and found.text:
            removed = self._journal.remove(removal.room, removal.seq, removal.at, removal.by, removal.reason)
            removed.then(partial(self._removed, found))

    def tell_resumed(self, member: Member, after: int) -> None:
        """The member has come back to its place `after`: tell it what was removed before that, as it may have it."""
        room = member.room
        if room.removed:
            found = self._journal.removed(room.name, max(after - RESUMED_MESSAGES, 0), after)
            found.then(partial(self._tell, member))

    def _tell_room(self, room: Room, removal: Removal) -> None:
        encoded = Encoded(_event(room, removal))
        message = room.log.next_after(removal.seq - 1)
        author = message.author if message is not None and message.seq == removal.seq else 0
        self._untold = {each: number for each, number in self._untold.items() if not each.session.closed}
        for member in room.members.values():
            session = member.session
            unread = member.cursor < removal.seq and (session.echo or session.number != author)
            if unread or not session.greeted:  # a terminal never reads its own message: it is told now or not at all
                continue
            if len(session.owed) < OWED_BYTES:
                session.owe(encoded.for_member(member))
            elif member not in self._untold:
                self._untold[member] = removal.number - 1
                session.when_flushed(partial(self._tell_late, member))

    def _tell_late(self, member: Member) -> None:
        after = self._untold.pop(member, None)
        if after is not None:
            self._journal.removals(after, RESUMED_MESSAGES).then(partial(self._tell, member))

    def _tell(self, member: Member, found: list[Removal] | JournalError) -> None:
        if isinstance(found, JournalError):
            log.warning(wording.LOG_REMOVALS_UNREAD, found)
            return
        for removal in found:
            if removal.room == member.room.name and removal.seq <= member.cursor:
                member.session.tell(_event(member.room, removal))

    def _erase(self) -> None:
        if self._erasing:
            self._again = True
            return
        self._erasing, self._again = True, False
        self._journal.erase().then(self._erased)

    def _erased(self, failure: JournalError | None) -> None:
        if failure is not None:
            log.warning(wording.LOG_NOT_ERASED, failure)
            self._again = True
        self._clock.later(ERASE_SECONDS if failure is None else ERASE_AGAIN_SECONDS, self._rested)

    def _rested(self) -> None:
        self._erasing = False
        if self._again:
            self._erase()


def _event(room: Room, removal: Removal) -> Redacted:
    return Redacted(room.name, room.epoch, removal.seq, removal.by, removal.reason)
