"""The journal in memory (`--memory`): rooms end with the process.

Bounded three ways (each a constructor argument): messages per room, bytes of text in all rooms together, rooms. The
oldest messages go first; over the last bound a new room is refused, since forgetting a room would use its numbers
again.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from itertools import islice, takewhile

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.clock import TimeRecord
from gateway.core.ports.journal import UNKNOWN_AGE_MS, Expired, Memory, Page, Person, Removal, RoomRecord
from gateway.core.protocol.message import PASTES_KEPT, Message
from gateway.errors import JournalError, LostTail
from gateway.journal.epoch import epoch_of, new_epoch, new_seed
from gateway.journal.ledger import MemoryLedger

MESSAGES_PER_ROOM = 10_000
BYTES = 256 * 1024 * 1024
ROOMS = 100_000


class _Room:
    """The end of one room's log: `messages` are dense up to `head`."""

    __slots__ = ("epoch", "head", "messages", "pastes", "removed", "topic")

    def __init__(self) -> None:
        self.epoch = ""
        """Given by an operator; empty: derived from the seed."""
        self.head = 0
        self.topic = ""
        self.messages: deque[Message] = deque()
        self.removed: dict[int, Removal] = {}
        self.pastes: dict[int, str] = {}

    @property
    def first(self) -> int:
        return self.head - len(self.messages) + 1

    def between(self, first: int, head: int) -> list[Message]:
        """Copies of the held messages from `first` to `head`, without their author, as read from a store."""
        start = max(first - self.first, 0)
        stop = max(head - self.first + 1, start)
        return [msgspec.structs.replace(message, author=0) for message in islice(self.messages, start, stop)]


class MemoryJournal:
    """A `Journal` that calls back at once and stores nothing."""

    def __init__(self, *, messages_per_room: int = MESSAGES_PER_ROOM, total_bytes: int = BYTES, rooms: int = ROOMS):
        self._messages_per_room = messages_per_room
        self._spare_bytes = total_bytes
        self._most_rooms = rooms
        self._rooms: dict[str, _Room] = {}
        self._written: OrderedDict[str, _Room] = OrderedDict()
        self._seed = new_seed()
        self._removals = 0
        self.ledger = MemoryLedger()
        """As `Journal.ledger`."""

    def open(self, room: str, recent: int) -> Answer[RoomRecord | JournalError]:
        """As `Journal.open`."""
        log = self._rooms.get(room) or _Room()
        return Answer.of(self._record(room, log, log.between(log.head - recent + 1, log.head)))

    def append(self, batch: list[Message], done: Callable[[list[Message] | JournalError], None]) -> None:
        """As `Journal.append`."""
        if self._too_many({message.room for message in batch}):
            done(JournalError(wording.MEMORY_ROOMS.format(most=self._most_rooms)))
            return
        for message in batch:
            self._keep(message)
        done(batch)

    def read(self, room: str, *, after: int | None, before: int | None, limit: int) -> Answer[Page | JournalError]:
        """As `Journal.read`."""
        log = self._rooms.get(room) or _Room()
        first = log.first if after is None else max(log.first, after + 1)
        head = log.head if before is None else min(log.head, before - 1)
        found = max(head - first + 1, 0)
        if after is None:
            first = max(first, head - limit + 1)
        else:
            head = min(head, first + limit - 1)
        return Answer.of(Page(log.between(first, head), more=found > limit))

    def set_topic(self, room: str, topic: str, by: str = "") -> Answer[JournalError | None]:
        """As `Journal.set_topic`."""
        if self._too_many({room}):
            return Answer.of(JournalError(wording.MEMORY_ROOMS.format(most=self._most_rooms)))
        self._rooms.setdefault(room, _Room()).topic = topic
        return Answer.of(None)

    def remember(self, people: Sequence[Person]) -> Answer[JournalError | None]:
        """As `Journal.remember`; stores nothing, because nothing outlives the process."""
        return Answer.of(None)

    def recall(self, since: int) -> Answer[Memory | JournalError]:
        """As `Journal.recall`; there is nothing."""
        return Answer.of(Memory((), ()))

    def expire(self, before: int) -> Answer[Expired | JournalError]:
        """As `Journal.expire`, everything in one slice."""
        firsts: dict[str, int] = {}
        for name, log in self._rooms.items():
            old = list(takewhile(lambda message: message.ts < before, log.messages))
            while old and old[-1].ts < before - UNKNOWN_AGE_MS:
                old.pop()
            for _ in old:
                self._forget_oldest(name)
                firsts[name] = log.first
        return Answer.of(Expired(firsts, more=False))

    def paste(self, room: str, seq: int) -> Answer[str | JournalError | None]:
        """As `Journal.paste`."""
        log = self._rooms.get(room) or _Room()
        return Answer.of(log.pastes.get(seq))

    def remove(self, room: str, seq: int, at: int, by: str, reason: str) -> Answer[Removal | JournalError | None]:
        """As `Journal.remove`."""
        log = self._rooms.get(room) or _Room()
        if not log.first <= seq <= log.head:
            return Answer.of(None)
        if seq not in log.removed:
            self._removals += 1
            log.removed[seq] = Removal(self._removals, room, seq, at, by, reason)
            place = seq - log.first
            self._spare_bytes += len(log.messages[place].text) + len(log.pastes.pop(seq, ""))
            log.messages[place] = msgspec.structs.replace(log.messages[place], text="", redacted=reason, paste=None)
        return Answer.of(log.removed[seq])

    def removed(self, room: str, after: int, upto: int) -> Answer[list[Removal] | JournalError]:
        """As `Journal.removed`."""
        log = self._rooms.get(room) or _Room()
        return Answer.of([each for seq, each in sorted(log.removed.items()) if after < seq <= upto])

    def removals(self, after: int, limit: int) -> Answer[list[Removal] | JournalError]:
        """As `Journal.removals`."""
        found = (each for log in self._rooms.values() for each in log.removed.values() if each.number > after)
        return Answer.of(sorted(found)[:limit])

    def erase(self) -> Answer[JournalError | None]:
        """As `Journal.erase`; there are no files."""
        return Answer.of(None)

    def copy(self, file: str, replace: bool, going: Callable[[int, int], bool]) -> Answer[JournalError | None]:
        """As `Journal.copy`; there is nothing to copy."""
        return Answer.of(JournalError(wording.BACKUP_OF_MEMORY))

    def new_epoch(self, room: str) -> Answer[bool | JournalError]:
        """As `Journal.new_epoch`."""
        if room in self._rooms:
            self._rooms[room].epoch = new_epoch()
        return Answer.of(room in self._rooms)

    def rooms(self) -> Answer[list[RoomRecord] | JournalError]:
        """As `Journal.rooms`."""
        found = []
        for room, log in sorted(self._rooms.items()):
            newest = log.messages[-1].ts if log.messages else 0
            found.append(msgspec.structs.replace(self._record(room, log, ()), last_ts=newest))
        return Answer.of(found)

    def lost_tail(self) -> Answer[LostTail]:
        """As `Journal.lost_tail`; it never comes."""
        return Answer()

    def time_kept(self) -> tuple[TimeRecord | None, int]:
        """As `Journal.time_kept`; there is nothing."""
        return None, 0

    def keep_time(self, record: TimeRecord) -> None:
        """As `Journal.keep_time`; stores nothing, because nothing outlives the process."""

    def close(self) -> None:
        """As `Journal.close`."""
        self._rooms.clear()
        self._written.clear()

    def _record(self, room: str, log: _Room, recent: Sequence[Message]) -> RoomRecord:
        epoch = log.epoch or epoch_of(self._seed, room)
        return RoomRecord(room, epoch, log.first, log.head, log.topic, recent, bool(log.removed))

    def _too_many(self, rooms: set[str]) -> bool:
        return len(self._rooms) + len(rooms - self._rooms.keys()) > self._most_rooms

    def _keep(self, message: Message) -> None:
        log = self._rooms.setdefault(message.room, _Room())
        log.head += 1
        message.seq = log.head
        log.messages.append(message)
        self._written[message.room] = log
        self._written.move_to_end(message.room)
        self._spare_bytes -= _weight(message) + len(message.whole)
        if message.whole:
            log.pastes[message.seq], message.whole = message.whole, ""
            if len(log.pastes) > PASTES_KEPT:
                self._spare_bytes += len(log.pastes.pop(next(iter(log.pastes))))
        if len(log.messages) > self._messages_per_room:
            self._forget_oldest(message.room)
        while self._spare_bytes < 0 and self._written:
            self._forget_oldest(next(iter(self._written)))

    def _forget_oldest(self, room: str) -> None:
        log = self._written[room]
        forgotten = log.messages.popleft()
        log.removed.pop(forgotten.seq, None)
        self._spare_bytes += _weight(forgotten) + len(log.pastes.pop(forgotten.seq, ""))
        if not log.messages:
            del self._written[room]


def _weight(message: Message) -> int:
    return len(message.text) + len(message.nick) + 200
