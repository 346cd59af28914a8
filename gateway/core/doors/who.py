"""Who is here: the texts of /who, /whois and /rooms.

Of people at another node only the nick and the door are known here, and in a crowd only how many there are.
"""

from collections.abc import Sequence

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


def whois(hub: Hub, asking: Session, found: Session) -> str:
    """What is known of the person of a session."""
    rooms = " ".join(dict.fromkeys(f"#{name}" for each in found.connections for name in each.rooms))
    since = min(each.connected_at for each in found.connections)
    here = short_duration(max(0, hub.clock.wall() - since) / 1000)
    presence = _presence(hub, asking, found)
    return wording.WHOIS.format(nick=found.nick, presence=presence, time=here, rooms=rooms or wording.NO_ROOM)


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
    """Where somebody is and what they do; for operators also from where, and how far behind they read."""
    idle = hub.clock.now() - session.last_input
    state = wording.IDLE.format(time=short_duration(idle)) if idle >= 60 else wording.ACTIVE
    away = session.preferences.away
    state += wording.AND_AWAY.format(away=away) if away else ""
    if asking.operator is not None:
        state += wording.FOR_OPERATORS.format(address=session.address, lag=short_size(session.lag()[1]))
    return f"{GLYPHS[session.door]} {session.door:<6}  {state}"


def _presence_elsewhere(door: Door) -> str:
    return f"{GLYPHS[door]} {door:<6}  {wording.AT_ANOTHER_NODE}"
