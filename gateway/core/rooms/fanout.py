"""The fan-out: a room is a log, a reader is a cursor.

What is true here:

- A `Member` is one session reading one room: a cursor into the room's log and nothing else. There is no queue per
  reader, so a reader that stops reading costs no memory, however long it stops.
- Members that read the same wire format share one `Readers`. After new messages each asks it for the *share* of its
  cursor: the messages from cursor to head, encoded once each, joined once, the same bytes object for every member at
  that cursor. So a tick costs messages + readers (not messages times readers), and one send per reader.
- A socket that takes less than its share blocks its session: the cursor moves to the message that was cut, the rest
  of that one message is owed to the session, everything after it stays in the log. When the socket can take more the
  session is unblocked and asks for its share like any other; once at the head it shares bytes with the others again.
- A cursor that the log's tail has passed gets a gap notice in front of its share and jumps over the gap.

Rules: the journal's answer calls `publish` and `core.delivery` calls `serve`, both within the tick. `serve` makes a
bounded number of sends and carries the rest of the turn over, so a room of 10,000 cannot stall the loop; no member is
offered twice in a turn.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Protocol, cast

from msgspec import UNSET

from gateway.core.delivery import Delivery
from gateway.core.ports.cluster import PeopleThere
from gateway.core.ports.journal import RoomRecord
from gateway.core.protocol.events import Joined, Listed
from gateway.core.protocol.message import Message
from gateway.core.protocol.wire import Wire
from gateway.core.rooms.log import RoomLog
from gateway.core.rooms.presence import MEMBERS_LISTED, Attendance, Presences
from gateway.core.rooms.shared_encoding import Excerpt, Readers, Share
from gateway.core.sessions.session import Session
from gateway.core.stats.counters import Counters

OWN_LOOKED_AT = 100
"""The latest messages, of which newcomers are told those that they said themselves."""
NOBODY: Mapping[str, PeopleThere] = MappingProxyType({})


class Member:
    """One session in one room. `cursor` is the number of the last message it has, `own` that of its own last one."""

    __slots__ = ("announced", "attached", "cursor", "introduced", "listed_as", "own", "readers", "room", "session")

    def __init__(self, session: Session, room: "Room", cursor: int) -> None:
        self.session = session
        self.room = room
        self.readers = room.readers_of(session.wire)
        self.cursor = cursor
        self.own = 0
        self.introduced = False
        """Whether the moment has come when the others are told of the person, or have heard of them otherwise."""
        self.announced = False
        """Whether the others have been told that the person is here."""
        self.listed_as: str | None = None
        """The person's nick in the last list of members that was sent to anybody."""
        self.attached = False
        """Whether it reads the log. A terminal that waits for its greeting does not yet."""

    @property
    def place(self) -> tuple[str, str, int]:
        """See `core.ports.transport.RoomReading`."""
        return self.room.name, self.room.epoch, self.cursor

    def lag(self) -> tuple[int, int]:
        """See `core.ports.transport.RoomReading`."""
        log = self.room.log
        behind = log.head - self.cursor
        return behind, log.lag_bytes(self.cursor) if behind else 0

    def unsent_since(self) -> int | None:
        """See `core.ports.transport.RoomReading`."""
        message = self.room.log.next_after(self.cursor)
        return None if message is None else message.ts

    def change_wire(self, wire: Wire) -> None:
        """Read in another wire format, from the first message after the head on."""
        self.session.use(wire)
        self.readers = self.room.readers_of(wire)
        self.cursor = self.room.log.head

    def offer(self) -> bool:
        """Offer the session its share: either all of it is taken, or the session is blocked. Return whether there is
        more for it right now."""
        session = self.session
        if session.owed:
            # The rest of a cut message, or a reply: a share sent before it would land in the middle of a line.
            session.flush()
            if session.blocked:
                return False
        if session.ending and self.own <= self.cursor and not session.pending:
            # Half-closed, and it has everything up to its own last message: it is not owed what others say later.
            return False
        # Its own messages lie ahead: a terminal does not get them back, and a half-closed peer gets nothing after them.
        # It gets stretches of the share. All other readers at this cursor get the same bytes object.
        if self.own > self.cursor and (session.ending or not session.echo):
            author = 0 if session.echo else session.number
            until = self.own if session.ending else self.room.log.head
            share: Share | Excerpt = self.readers.share_without(self.cursor, author, until)
        else:
            share = self.readers.share(self.cursor)
        try:
            taken = session.transport.send(share.data) if share.size else 0
        except Exception as problem:
            session.broke(problem)
            return False
        session.bytes_out += taken
        if share.skipped and taken:
            session.skip(share.skipped)
        if taken == share.size:
            # Only counted here; its messages and bytes are added up once for all readers (`Readers.forget`).
            share.given += 1
            self.cursor = share.last
            session.messages_out += share.count
            return share.last != self.room.log.head
        self._cut(share, taken)
        return False

    def _cut(self, share: Share | Excerpt, taken: int) -> None:
        """The socket took `taken` bytes: owe the rest of the message that was cut, leave the others in the log."""
        session, counters = self.session, self.session.counters
        session.block()
        counters.bytes_out += taken
        delivered = -1 if taken and share.skipped else 0
        for seq, part in zip(share.seqs, share.parts, strict=True):
            if taken <= 0:
                break
            if taken < len(part):
                session.owed = part[taken:]
            taken -= len(part)
            self.cursor = seq
            delivered += 1
        session.messages_out += delivered
        counters.deliveries += delivered


def members_of(session: Session) -> list[Member]:
    """The session in each of its rooms. (A session knows them only as `RoomReading`s: it stands below.)"""
    rooms = (session.room,) if session.terminal else session.rooms.values()
    return [member for member in rooms if isinstance(member, Member)]


def said_by(session: Session, messages: Sequence[Message]) -> list[int]:
    """The numbers of those messages that the peer has said."""
    authors = session.authors
    return [message.seq for message in messages if message.identity in authors]


def member_of(session: Session, room: str) -> Member | None:
    """The session in one of its rooms; None when it is not in that room."""
    member = session.rooms.get(room)
    return member if isinstance(member, Member) else None


def talks_in(session: Session) -> Member | None:
    """A terminal in the room where it talks; None for a page, which names a room each time."""
    member = session.room
    return member if isinstance(member, Member) else None


class Said(Protocol):
    """Messages of the room and the member who said them, None if nobody in the room did."""

    messages: list[Message]
    member: Member | None


class Room:
    """A room in memory: its log, its members, and the state of the current turn of serving them."""

    __slots__ = ("_again", "_authors", "_delivery", "_turn", "_turn_head", "attendance", "counters", "elsewhere",
                 "epoch", "first", "log", "members", "name", "pending", "presences",
                 "readers", "removed", "topic")  # fmt: skip

    def __init__(self, record: RoomRecord, log: RoomLog, delivery: Delivery, counters: Counters) -> None:
        self.name = record.room
        self.epoch = record.epoch
        self.first = record.first
        """The oldest number the journal holds."""
        self.topic = record.topic
        self.removed = record.removed
        """Whether messages have been removed from it."""
        self.log = log
        self.counters = counters
        self._delivery = delivery
        self.members: dict[Session, Member] = {}
        self.attendance = Attendance(self.members)
        self.readers: dict[str, Readers] = {}
        self.presences = Presences(record.room)
        self.elsewhere: Mapping[str, PeopleThere] = NOBODY
        """By node: who is here at other nodes."""
        self.pending = 0
        """Messages for this room that are not committed yet."""
        self._turn: list[Member] = []
        self._again: list[Member] = []
        self._authors: dict[Member, None] = {}
        self._turn_head = log.head

    def begin_epoch(self, record: RoomRecord) -> None:
        """Continue from what the journal says of the room; all of its readers continue there as well."""
        self.epoch, self.first = record.epoch, record.first
        self.log.restart(record.head, record.recent)
        self._turn, self._again, self._turn_head = [], [], record.head
        self._authors.clear()
        for readers in self.readers.values():
            readers.forget()
        for member in self.members.values():
            member.cursor = record.head
            member.own = 0

    def skip_to(self, first: int) -> None:
        """The messages between the head and `first`, which comes next, are no longer held anywhere: readers are told
        of the gap."""
        self.first = first
        self.log.restart(first - 1, ())
        for readers in self.readers.values():
            readers.forget()

    def forget_below(self, first: int) -> None:
        """The journal holds nothing below `first` any more."""
        self.first = max(self.first, first)
        self.log.forget_below(first)

    @property
    def count(self) -> int:
        """People in the room, at all nodes."""
        return self.attendance.count if not self.elsewhere else self.attendance.count + self._besides()

    def _besides(self) -> int:
        """People who are in the room at other nodes only. In a crowd, who is there at several nodes counts at each."""
        count, here = 0, self.here() if self.attendance.count <= MEMBERS_LISTED else set()
        for there in self.elsewhere.values():
            count += there.count - len(here.intersection(there.people))
            here.update(there.people)
        return count

    def here(self) -> set[str]:
        """The nicks of the people in the room at this node."""
        return {each.session.nick for each in self.attendance.people()}

    def people_elsewhere(self) -> dict[str, str]:
        """The nicks and doors of those who are in the room at other nodes only, as far as they are listed."""
        found = {nick: door for there in self.elsewhere.values() for nick, door in there.people.items()}
        return {nick: found[nick] for nick in found.keys() - self.here()} if found else found

    def held(self, after: int | None, before: int | None, limit: int) -> tuple[list[Message], bool] | None:
        """A page of history (see `ports.Journal.read`) and its `more`, if the log in memory holds all of it; else
        None."""
        log = self.log
        whole = log.first <= self.first
        if after is not None:
            if after + 1 < log.first and not whole:
                return None
            found = log.between(after, before or log.head + 1)
            return found[:limit], len(found) > limit
        found = log.between(0, before or log.head + 1)
        if len(found) < limit and not whole:
            return None
        return found[-limit:] if limit else [], len(found) > limit or not whole

    def readers_of(self, wire: Wire) -> Readers:
        """The readers of one wire format."""
        readers = self.readers.get(wire.name)
        if readers is None:
            readers = self.readers[wire.name] = Readers(self.name, self.log, wire, self.counters)
        return readers

    def joined(self, session: Session, recovered: bool) -> Joined:
        """The event that describes the room to a session; `recovered`: it missed nothing. Terminals read how many are
        here and not the list: who is in it counts as known by name."""
        # Clients, and the types of the protocol, know a list: JSON that is made already is written in its place.
        listed = cast("list[Listed]", self.attendance.encoded()) if session.wire.objects else []
        # A full list takes nobody else; looking for them costs a crowd.
        if self.elsewhere and session.wire.objects and (here := len(self.attendance.listed())) < MEMBERS_LISTED:
            others = (Listed(nick, door) for nick, door in sorted(self.people_elsewhere().items()))
            listed = [*self.attendance.listed(), *islice(others, MEMBERS_LISTED - here)]
        epoch, seq = ("", 0) if session.identity is None else session.identity.reads.get(self.name, ("", 0))
        read = UNSET if session.identity is None else seq if epoch == self.epoch else 0
        # Most have just come, and have said nothing that would have to be looked for.
        own = said_by(session, self.log.last(OWN_LOOKED_AT)) or UNSET if session.author else UNSET
        head, topic = self.log.head, self.topic
        return Joined(self.name, self.epoch, self.first, head, recovered, topic, self.count, listed, read, own)

    def attach(self, member: Member) -> None:
        """Let the member read from its cursor on."""
        member.attached = True
        if member.cursor != self.log.head:
            self._again.append(member)
        self._delivery.has_news(self)

    def publish(self, said: Sequence["Said"]) -> int:
        """Add committed messages to the log; return how many."""
        messages: list[Message] = []
        for each in said:
            messages += each.messages
            author = each.member
            if author is not None:
                author.own = each.messages[-1].seq
                author.session.messages_in += len(each.messages)
                self._authors[author] = None
        count = len(messages)
        self.counters.messages_in += count
        self.log.extend(messages)
        for readers in self.readers.values():
            readers.forget()
        self._delivery.has_news(self)
        return count

    def catch_up(self, member: Member) -> None:
        """The member's session can take more again: serve it in the next turn if it is behind."""
        if member.attached and member.cursor != self.log.head:
            self._again.append(member)
            self._delivery.has_news(self)

    @property
    def served(self) -> bool:
        """Everybody has been offered all there is."""
        return not (self._turn or self._again) and self._turn_head == self.log.head

    def serve(self, sends: int) -> int:
        """Offer members what they have not seen, at most `sends` of them; return how many sends are left.

        Goes on where the last call stopped; begins a new turn only when the last one is over. Every second turn runs
        backwards, so that no member is always last; but the authors are served first, so that what they say next
        arrives while the others are being served, and goes out with the next turn.
        """
        if not self._turn:
            self._turn, self._again = self._again, []
            if self._turn_head != self.log.head:
                # There are new messages: every member gets a turn, which includes those that asked for one
                # (`catch_up`).
                self._turn = list(self.members.values())
                if self.log.head & 1:
                    self._turn.reverse()
                self._turn += self._authors
                self._authors.clear()
                self._turn_head = self.log.head
        turn = self._turn
        head = self.log.head
        while turn and sends > 0:
            member = turn.pop()
            # It has everything (served as an author, or joined since), waits for its own socket (`Hub.pump` brings it
            # back), or is not attached yet (its greeting or its history comes first): none of these costs a send.
            if member.cursor == head or member.session.blocked or not member.attached:
                continue
            sends -= 1
            if member.offer():
                self._again.append(member)
        if self.served:
            for readers in self.readers.values():
                readers.forget()
        return sends
