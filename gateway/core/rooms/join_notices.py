"""Tells the people of a room about joins, leaves and renames: not too soon, not too often, and not their own."""

from collections.abc import Callable

from gateway.core.clock import Clock, Delay
from gateway.core.protocol.events import Event
from gateway.core.rooms import presence
from gateway.core.rooms.fanout import Member, Room
from gateway.core.sessions.session import OWED_BYTES

ANNOUNCE_AFTER = 2.0
"""A join is announced so many seconds after the connection began, if it is still open both ways."""
JUST_NOW = 0.05
"""Seconds for which a connection is new: most enter a room by then, and their joins are announced so much later."""


class JoinNotices:
    """Tells a room about joins, leaves and renames."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._newcomers = Delay(clock, ANNOUNCE_AFTER, self._announce)
        self.introduced: Callable[[str], object] = str
        """Called with the room in which somebody has stayed long enough to be told of; set where there are other nodes
        to tell."""

    def came(self, member: Member) -> None:
        """The session has entered; tell the room once it is to be announced, if it is still there then."""
        seconds = member.session.announce_at - self._clock.now()
        if seconds > ANNOUNCE_AFTER - JUST_NOW:
            self._newcomers.add(member)
        else:
            self._clock.later(max(0.0, seconds), lambda: self._announce(member))

    def went(self, member: Member) -> None:
        """The person has left with their last connection, or will send nothing more. Calling it again does nothing."""
        member.room.presences.left(member.session.nick, member.announced, member.listed_as)
        member.room.attendance.gone(member.listed_as)
        member.announced, member.listed_as = False, None
        self._tell_later(member.room)

    def renamed(self, member: Member, old: str) -> None:
        """The person was called `old` until now; `member` is the earliest of their connections in the room."""
        if member.introduced and member.own:
            member.announced = True  # people at terminals have read what `old` said, and must know who says the rest
        member.room.presences.renamed(old, member.session.nick, member.announced, member.listed_as)
        member.room.attendance.renamed()
        self._tell_later(member.room)

    def _announce(self, member: Member) -> None:
        session, room = member.session, member.room
        session.is_known()
        if room.members.get(session) is not member or session.ending:
            return
        known = room.attendance.first(member)
        if known.introduced:
            return
        known.introduced = True
        self.introduced(room.name)
        if member.own or session.pending:
            known.listed_as = session.nick
            room.presences.listed(session.nick, session.door)
        else:
            known.announced = True
            room.presences.joined(session.nick, session.door)
        self.tell_soon(room)

    def tell_soon(self, room: Room) -> None:
        """A join has waited long enough to prove that it stays: tell the room now, unless it was told just before."""
        presences = room.presences
        self._tell_in(room, max(0.0, presences.told_at + presences.interval - self._clock.now()))

    def _tell_later(self, room: Room) -> None:
        """Tell the room after a moment, because a leave or a new nick may be undone by then."""
        if not room.presences.scheduled:
            self._tell_in(room, room.presences.interval)

    def _tell_in(self, room: Room, seconds: float) -> None:
        presences = room.presences
        if presences.pending and not presences.scheduled:
            presences.scheduled = True
            self._clock.later(seconds, lambda: self._tell(room))

    def _tell(self, room: Room) -> None:
        room.presences.told_at = self._clock.now()
        for member in room.members.values():
            if member.announced and member.own and room.presences.spoke(member.session.nick):
                member.announced, member.listed_as = False, member.session.nick
        pages, lines = room.presences.take(room.count)
        shared = Encoded(pages)
        for member in room.members.values():
            session = member.session
            if not member.attached or len(session.owed) >= OWED_BYTES:
                continue
            if session.wire.objects:
                session.owe(shared.for_member(member))
            elif lines is not None:
                session.tell(presence.for_others(lines, session.nick))


class Encoded:
    """An event that is the same for every member, encoded once per wire format."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._bytes: dict[str, bytes] = {}

    def for_member(self, member: Member) -> bytes:
        """The event in the member's wire format."""
        wire = member.session.wire
        if wire.name not in self._bytes:
            self._bytes[wire.name] = wire.event(self._event, "")
        return self._bytes[wire.name]


def tell_room(room: Room, event: Event) -> None:
    """Send every member an event that is not a message; one that is far behind misses it."""
    encoded = Encoded(event)
    for member in room.members.values():
        if member.attached and len(member.session.owed) < OWED_BYTES:
            member.session.owe(encoded.for_member(member))
