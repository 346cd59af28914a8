"""Who is here: the texts of /who and /rooms, and how a person is described (also by /whois, `doors.whois`).

Of people at another node only the nick and the door are known here, and in a crowd only how many there are.
"""

from collections.abc import Sequence

import msgspec

from gateway import wording
from gateway.core.hub import Hub
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import people
from gateway.core.quantity import short_duration, short_size
from gateway.core.rooms.fanout import Room
from gateway.core.rooms.registry import ListedRoom
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal

WHO_PAGE = ROOMS_PAGE = 20
GLYPHS = {Door.TCP: ">_", Door.TELNET: "⌨", Door.WEB: "◍", Door.HTTP: "⇄"}


def who(hub: Hub, asking: Session, room: Room, page: int) -> str:
    """One page of the people in the room, by nick. Raises Refusal for a page that there is not."""
    nicks = room.attendance.nicks()
    elsewhere = room.people_elsewhere() if room.elsewhere else {}
    if elsewhere:
        nicks = sorted([*nicks, *elsewhere], key=str.casefold)
    last = max(1, -(-len(nicks) // WHO_PAGE))
    if page > last:
        raise Refusal(Code.BAD_MESSAGE, wording.NO_PAGE.format(page=page, last=last))
    own = {each.nick for each in asking.connections}
    rows = []
    for nick in nicks[(page - 1) * WHO_PAGE : page * WHO_PAGE]:
        name = wording.YOURSELF.format(nick=nick) if nick in own else nick
        known = (
            _presence_elsewhere(Door(elsewhere[nick])) if nick in elsewhere else _presence_here(hub, asking, room, nick)
        )
        rows.append((name, known))
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"{name:<{width}}  {known}" for name, known in rows]
    lines += [wording.MORE_WHO.format(page=page + 1)] if page < last else []
    return "\n".join([wording.WHO_HEAD.format(people=people(room.count), room=room.name), *lines])


def rooms_of(hub: Hub, listed: Sequence[ListedRoom], page: int) -> str:
    """One page of the rooms, in the order of the list."""
    rows = [_room_row(hub, room) for room in listed[(page - 1) * ROOMS_PAGE : page * ROOMS_PAGE]]
    if len(listed) > page * ROOMS_PAGE:
        rows.append(wording.MORE_ROOMS.format(page=page + 1))
    return "\n".join(rows) or wording.NO_MORE_ROOMS


def _room_row(hub: Hub, room: ListedRoom) -> str:
    here = people(room.count) if room.count else wording.EMPTY_ROOM
    if not room.count and room.last_ts is not None:
        ago = short_duration(max(0, hub.clock.wall() - room.last_ts) / 1000)
        here = wording.EMPTY_ROOM_SINCE.format(ago=ago)
    return "  ".join(filter(None, (f"#{room.room}", here, room.topic)))


def _presence_here(hub: Hub, asking: Session, room: Room, nick: str) -> str:
    """Of the person's connections in the room the latest tells."""
    return _presence(hub, asking, room.attendance.here(hub.identities.nicks.find(nick))[-1].session)


def _presence(hub: Hub, asking: Session, session: Session) -> str:
    return presence(seen_of(hub, session), operator=asking.operator is not None)


class PersonSeen(msgspec.Struct, frozen=True):
    """A person by their latest connection: how long it has been open, and how long all of them have; since when nothing
    was typed there; `address` and `lag` (bytes) are for operators. Times are in seconds, because clocks differ."""

    nick: str
    door: Door
    open_for: float
    here_for: float
    idle: float
    rooms: list[str]
    away: str = ""
    address: str = ""
    lag: int = 0


def seen_of(hub: Hub, session: Session) -> PersonSeen:
    """The person of a session, by that connection."""
    now, people = hub.clock.wall(), session.connections
    since = min(each.connected_at for each in people)
    return PersonSeen(
        session.nick,
        session.door,
        max(0, now - session.connected_at) / 1000,
        max(0, now - since) / 1000,
        hub.clock.now() - session.last_input,
        list(dict.fromkeys(room for each in people for room in each.rooms)),
        session.preferences.away,
        session.address,
        session.lag()[1],
    )


def presence(person: PersonSeen, *, operator: bool) -> str:
    """Where somebody is and what they do; for operators also from where, and how far behind they read."""
    state = wording.IDLE.format(time=short_duration(person.idle)) if person.idle >= 60 else wording.ACTIVE
    state += wording.AND_AWAY.format(away=person.away) if person.away else ""
    if operator:
        state += wording.FOR_OPERATORS.format(address=person.address, lag=short_size(person.lag))
    return f"{GLYPHS[person.door]} {person.door:<6}  {state}"


def _presence_elsewhere(door: Door) -> str:
    return f"{GLYPHS[door]} {door:<6}  {wording.AT_ANOTHER_NODE}"
