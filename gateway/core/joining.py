"""Entering a room: what the session is told first, and from where it reads on.

History and live meet without gap or repeat because both are the same log: the session is shown messages up to a
number, its cursor is set to that number, and only then it is attached to the room.
"""

from dataclasses import dataclass

from gateway.core.events import History
from gateway.core.hub import Hub, error_event
from gateway.core.message import Door
from gateway.core.past import Past, Range
from gateway.core.room import Member, Room
from gateway.core.session import Session
from gateway.core.wire import as_msg
from gateway.errors import Code, Refusal

ROOMS_PER_SESSION = 50
"""Rooms a browser session is in at most; a terminal is in one at a time."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a session stopped reading a room: number `after` of `epoch`."""

    epoch: str
    after: int


def join(hub: Hub, session: Session, name: str, recent: int, position: Position | None = None) -> None:
    """Bring the session into the room `name` (valid), or tell it why not; its input is held meanwhile.

    It is told `joined`; then either what it missed since `position`, as live messages, or the last `recent` messages
    as one history.
    """
    session.hold()

    def opened(room: Room | Refusal) -> None:
        if isinstance(room, Refusal):
            refuse(room)
        elif position and position.epoch == room.epoch and 0 <= position.after <= room.log.head:
            done(_come_in(hub, session, room, position.after, recovered=True))
        else:
            hub.library.read(name, Range(limit=recent), lambda past: read(room, past))

    def read(room: Room, past: Past | Refusal) -> None:
        if isinstance(past, Refusal):
            refuse(past)
        elif not session.closed:
            cursor = past.messages[-1].seq if past.messages else room.log.head
            member = _come_in(hub, session, room, cursor, recovered=False)
            if member is not None:
                session.tell(History(name, [as_msg(message) for message in past.messages], past.more))
            done(member)

    def done(member: Member | None) -> None:
        if member is not None and member.cursor + 1 < member.room.log.first:
            hub.replays.add(member)
        elif member is not None:
            hub.attach(member)
        session.release()

    def refuse(refusal: Refusal) -> None:
        session.tell(error_event(refusal))
        session.release()

    hub.open_room(name, opened)


def _come_in(hub: Hub, session: Session, room: Room, cursor: int, recovered: bool) -> Member | None:
    """Make the session a member with that cursor and tell it `joined`; None when that is refused."""
    before = session.rooms.get(room.name)
    if before is not None:
        hub.leave(before)
    if session.door is Door.WEB:
        if len(session.rooms) >= ROOMS_PER_SESSION:
            limit = Refusal(Code.ROOM_LIMIT, f"you are in {ROOMS_PER_SESSION} rooms, part from one first")
            session.tell(error_event(limit))
            return None
    elif session.room is not None:
        hub.leave(session.room)
    member = hub.enter(session, hub.keep(room), cursor)
    if session.door is not Door.WEB:
        session.room = member
    session.tell(hub.joined(member.room, recovered))
    return member
