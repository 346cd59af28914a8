"""The rooms in memory, by name: opened from the journal when one is needed, forgotten when it is not."""

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.delivery import Delivery
from gateway.core.ports.journal import Feed, Journal, RoomRecord
from gateway.core.protocol.events import Notice, storage_refusal
from gateway.core.rooms.fanout import Room
from gateway.core.rooms.join_notices import tell_room
from gateway.core.rooms.log import LogBudget, RoomLog
from gateway.core.sessions.rate_limit import Limits
from gateway.core.sessions.session import Session
from gateway.core.stats.counters import Counters
from gateway.errors import Code, JournalError, LostTail, Refusal

log = logging.getLogger(__name__)

LOBBY = "lobby"
"""The room that newcomers are in; it stays in memory."""
RECENT_MESSAGES = 50
"""Messages that a room's log begins with: as many as a browser is shown on joining."""
NO_COUNTS: Mapping[str, int] = MappingProxyType({})


class ListedRoom(msgspec.Struct, gc=False):
    """One line of the list of rooms; `count` people are in it, `head` is the number of its last message, `last_ts`
    when that was sent (ms since 1970; null when it is not held any more)."""

    room: str
    topic: str
    count: int
    head: int
    last_ts: int | None = None


class Rooms(Mapping[str, Room]):
    """Room names to rooms, with the verbs that open and forget them."""

    def __init__(self, journal: Journal, feed: Feed, limits: Limits, delivery: Delivery, counters: Counters) -> None:
        self._rooms: dict[str, Room] = {}
        self._opening: dict[str, Answer[Room | Refusal]] = {}
        """Rooms that were asked for and are not there yet: whoever else asks waits for the same answer."""
        self._journal = journal
        self._feed = feed
        self._limits = limits
        self._delivery = delivery
        self._counters = counters
        self._budget = LogBudget(limits.top_logs_bytes)
        self.look: Callable[[Room | Refusal], Answer[Room | Refusal]] | None = None
        """Learns who is in a room at other nodes, before it is entered here; set where there are any."""

    def __getitem__(self, name: str) -> Room:
        return self._rooms[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rooms)

    def __len__(self) -> int:
        return len(self._rooms)

    def limit(self, limits: Limits) -> None:
        """Apply these limits from now on; a log that is too long is cut with its next message."""
        self._limits = limits
        for room in self._rooms.values():
            room.log.max_messages, room.log.max_bytes = limits.top_log_messages, limits.top_log_bytes
        self._budget.limit(limits.top_logs_bytes)

    def start(self) -> Answer[Room | Refusal]:
        """Open the lobby, which stays in memory, and return it; from now on, reopen every room whenever the journal
        has lost its end."""
        self._journal.lost_tail().then(self._begin_new_epochs)
        return self.open(LOBBY)

    def open(self, name: str) -> Answer[Room | Refusal]:
        """The room with that (valid) name, from memory, from the journal, or new."""
        room = self._rooms.get(name)
        if room is not None:
            return Answer.of(room)
        if name in self._opening:
            return self._opening[name]
        if len(self) >= self._limits.top_rooms:
            return Answer.of(Refusal(Code.ROOM_LIMIT, wording.TOO_MANY_ROOMS.format(count=len(self)), retry_ms=60_000))
        opened = self._journal.open(name, RECENT_MESSAGES).map(partial(self._opened, name))
        if self.look is not None:
            opened = opened.chain(self.look)
        self._opening[name] = opened
        opened.then(lambda _: self._opening.pop(name))
        return opened

    def _opened(self, name: str, record: RoomRecord | JournalError) -> Room | Refusal:
        room = self._rooms.get(name)
        if room is not None:
            return room
        if isinstance(record, JournalError):
            return storage_refusal(record)
        if not record.head and not self._limits.create_rooms and name != LOBBY:
            return Refusal(Code.NO_SUCH_ROOM, wording.NO_NEW_ROOMS.format(room=name))
        limits = self._limits
        messages = RoomLog(
            record.head,
            max_messages=limits.top_log_messages,
            max_bytes=limits.top_log_bytes,
            budget=self._budget,
        )
        messages.restart(record.head, record.recent)
        room = self._rooms[name] = Room(record, messages, self._delivery, self._counters)
        self._feed.follow(record)
        return room

    def listed(self, counts: Mapping[str, int] = NO_COUNTS) -> Answer[list[ListedRoom] | Refusal]:
        """Every room, in memory or only stored, those with the most people first, then by name. `counts`: people at
        other nodes."""

        def of(stored: list[RoomRecord] | JournalError) -> list[ListedRoom] | Refusal:
            if isinstance(stored, JournalError):
                return storage_refusal(stored)
            listed = (
                ListedRoom(each.room, each.topic, counts.get(each.room, 0), each.head, each.last_ts or None)
                for each in stored
            )
            found = {each.room: each for each in listed}
            for name, room in self.items():
                known = room.log.last_ts or (found[name].last_ts if name in found else None)
                found[name] = ListedRoom(name, room.topic, room.count, room.log.head, known)
            return sorted(found.values(), key=lambda room: (-room.count, room.room))

        return self._journal.rooms().map(of)

    def keep(self, room: Room) -> Room:
        """The room of that name in memory: `room` itself, put back, if it was forgotten meanwhile."""
        kept = self._rooms.setdefault(room.name, room)
        kept.log.come_back()
        self._feed.follow(RoomRecord(kept.name, kept.epoch, kept.first, kept.log.head, kept.topic, ()))
        return kept

    def forget_if_idle(self, room: Room) -> None:
        """An empty unread room leaves memory; the journal keeps it."""
        if not room.members and not room.pending and room.name != LOBBY and self._rooms.get(room.name) is room:
            del self._rooms[room.name]
            room.log.leave()
            self._feed.leave(room.name)

    def set_topic(self, session: Session, room: Room, topic: str) -> Answer[Refusal | None]:
        """Store a topic (gated) that the session has given the room, then tell the room."""

        def stored(failure: JournalError | None) -> Refusal | None:
            if failure is not None:
                return storage_refusal(failure)
            self.topic_set(room, topic, session.nick)
            return None

        return self._journal.set_topic(room.name, topic, session.nick).map(stored)

    def topic_set(self, room: Room, topic: str, by: str) -> None:
        """`by` has given the room a topic that is stored: tell the room."""
        room.topic = topic
        said = wording.TOPIC_SET if topic else wording.TOPIC_CLEARED
        tell_room(room, Notice(said.format(nick=by, topic=topic), room=room.name, topic=topic))

    def renew_epoch(self, name: str) -> Answer[bool | Refusal]:
        """Give a room a new epoch, and tell its members; False: nothing was ever said in a room of that name."""

        def renewed(known: bool | JournalError) -> bool | Refusal:
            if isinstance(known, JournalError):
                return storage_refusal(known)
            if known:
                log.warning(wording.LOG_NEW_EPOCH, name)
                self._journal.open(name, RECENT_MESSAGES).then(reopened)
            return known

        def reopened(record: RoomRecord | JournalError) -> None:
            if not isinstance(record, RoomRecord) or name not in self or self[name].epoch != record.epoch:
                self._reopened(name, record)  # else a feed has brought the news already

        return self._journal.new_epoch(name).map(renewed)

    def _begin_new_epochs(self, loss: LostTail) -> None:
        """Read every room afresh, and tell its members its new epoch."""
        self._journal.lost_tail().then(self._begin_new_epochs)
        for name in list(self._rooms):
            self._journal.open(name, RECENT_MESSAGES).then(partial(self._reopened, name))

    def _reopened(self, name: str, record: RoomRecord | JournalError) -> None:
        if isinstance(record, JournalError):
            log.error(wording.LOG_ROOM_UNREAD, name, record)
        else:
            self.renewed(record)

    def renewed(self, record: RoomRecord) -> None:
        """The room, if it is in memory, continues from there; its members are told its new epoch."""
        room = self._rooms.get(record.room)
        if room is None:
            return
        room.begin_epoch(record)
        self._feed.leave(room.name)
        self._feed.follow(record)
        for member in room.members.values():
            member.session.tell(room.joined(member.session, recovered=False))
