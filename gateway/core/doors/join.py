"""Entering a room: what the session is told first, and from where it reads on.

History and live meet without gap or repeat because both are the same log: the session is shown messages up to a
number, its cursor is set to that number, and only then it is attached to the room.
"""

from dataclasses import dataclass, field
from functools import partial

from gateway.core.address import WaysIn
from gateway.core.doors.replay import show_history
from gateway.core.hub import Hub
from gateway.core.protocol.events import Notice
from gateway.core.protocol.refusals import error_event
from gateway.core.rooms.fanout import Member, Room, member_of, talks_in
from gateway.core.rooms.history import Past, Range
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal

MISSED_LINES = 200
"""What a terminal is shown of what it missed."""
UNSURE_LINES = 20
"""How far back a terminal is pointed: what was written to it may have been on its way when it was cut."""
ROOMS_PER_SESSION = 50
"""Rooms a browser session is in at most; a terminal is in one at a time."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a session stopped reading a room: number `after` of `epoch`."""

    epoch: str
    after: int


@dataclass(slots=True)
class Greeting:
    """What a newcomer is told besides its name: `ways_in` is how others can come, known once the doors listen,
    `motd` the message of the day, gated; empty = none. Both may be replaced at any time."""

    motd: str = ""
    ways_in: WaysIn = field(default_factory=WaysIn)


def join(
    hub: Hub, session: Session, name: str, recent: int, position: Position | None = None, id: str | None = None
) -> None:
    """Bring the session into the room `name` (valid), or tell it why not in answer to the request with that id; its
    input is held meanwhile.

    It is told `joined`; then either what it missed since `position`, as live messages, or the last `recent` messages
    as one history. Raises Refusal, before the room is opened, for a browser that is in as many rooms as it may be.
    """
    if not session.terminal and len(session.rooms) >= ROOMS_PER_SESSION and name not in session.rooms:
        raise too_many_rooms()
    session.hold()

    def opened(room: Room | Refusal) -> None:
        if isinstance(room, Refusal):
            refuse(room)
        elif session.closed:
            hub.rooms.forget_if_idle(room)
        elif position and position.epoch == room.epoch and 0 <= position.after <= room.log.head:
            done(_come_in(hub, session, room, position.after, recovered=True, id=id))
        else:
            hub.history.read(name, Range(limit=recent)).then(partial(read, room))

    def read(room: Room, past: Past | Refusal) -> None:
        if isinstance(past, Refusal) or session.closed:
            hub.rooms.forget_if_idle(room)
        if isinstance(past, Refusal):
            refuse(past)
        elif not session.closed:
            cursor = past.messages[-1].seq if past.messages else room.log.head
            member = _come_in(hub, session, room, cursor, recovered=False, id=id)
            if member is not None:
                show_history(hub, session, past)
            done(member)

    def done(member: Member | None) -> None:
        if member is not None and member.cursor + 1 < member.room.log.first:
            hub.catch_ups.add(member)
        elif member is not None:
            member.room.attach(member)
        session.release()

    def refuse(refusal: Refusal) -> None:
        session.tell(error_event(refusal, id))
        session.release()

    hub.rooms.open(name).then(opened)


def rejoin(hub: Hub, session: Session, name: str, position: Position) -> None:
    """Bring a terminal back into the room it left at `position`, with the last MISSED_LINES of what it missed.

    What a terminal has read nobody knows, only what was written to it: so it is told from where on it is shown more.
    """
    session.hold()

    def opened(room: Room | Refusal) -> None:
        if isinstance(room, Refusal):
            session.tell(error_event(room))
            session.release()
            return
        known = position.epoch == room.epoch and position.after <= room.log.head
        after = max(position.after if known else 0, room.log.head - MISSED_LINES)
        if known and after > position.after:
            session.tell(Notice(f"{after - position.after} lines left out: /since {position.after} shows them"))
        hub.history.read(name, Range(after=after, limit=MISSED_LINES)).then(partial(read, room))

    def read(room: Room, past: Past | Refusal) -> None:
        if isinstance(past, Refusal) or session.closed:
            hub.rooms.forget_if_idle(room)
        if isinstance(past, Refusal):
            session.tell(error_event(past))
        elif not session.closed:
            member = _come_in(hub, session, room, past.messages[-1].seq if past.messages else room.log.head, True, None)
            if position.epoch == room.epoch and 0 < position.after <= room.log.head:
                again = max(0, position.after - UNSURE_LINES)
                known = f"you had been sent all up to {position.after}: /since {again} shows its end again"
                nothing = f"nothing new since you left (message {position.after}). /history shows the last ones"
                session.tell(Notice(known if past.messages else nothing))
            show_history(hub, session, past)
            if member is not None:
                member.room.attach(member)
        session.release()

    hub.rooms.open(name).then(opened)


def _come_in(hub: Hub, session: Session, room: Room, cursor: int, recovered: bool, id: str | None) -> Member | None:
    """Make the session a member with that cursor and tell it `joined`; None when that is refused."""
    before, talked_in = member_of(session, room.name), talks_in(session)
    if before is not None:
        hub.leave(before)
    if not session.terminal:
        if len(session.rooms) >= ROOMS_PER_SESSION:
            session.tell(error_event(too_many_rooms(), id))
            hub.rooms.forget_if_idle(room)
            return None
    elif talked_in is not None:
        hub.leave(talked_in)
    member = hub.enter(session, hub.rooms.keep(room), cursor)
    session.tell(member.room.joined(recovered))
    return member


def too_many_rooms() -> Refusal:
    """What a browser session is told that is in as many rooms as it may be."""
    return Refusal(Code.ROOM_LIMIT, f"you are in {ROOMS_PER_SESSION} rooms, part from one first")
