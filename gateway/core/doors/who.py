"""Who is here and who is who: /who, /rooms and /whois.

Of people at another node only the nick and the door are known here, and in a crowd only how many there are. For /whois
only the nodes to which somebody with that nick is connected are asked, which the store of the nodes knows. Each
describes the person by their latest connection there, and the latest of all tells where they are; rooms are those of
all their connections. A node that does not answer is left out as long as another one does. Addresses leave a node only
for operators. Of a person who has left, it is learned when, also from another node.
"""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.doors.private_messages import somebody
from gateway.core.hub import Hub
from gateway.core.ports.cluster import labels
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import people
from gateway.core.quantity import short_duration, short_size
from gateway.core.rooms.fanout import Room
from gateway.core.rooms.registry import ListedRoom
from gateway.core.sessions.session import Session
from gateway.errors import Code, JournalError, Refusal

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
    """The door and the idle time of the person's latest connection in the room."""
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


KIND = "whois"


class WhoisQuestion(msgspec.Struct, frozen=True):
    """What a node asks another for /whois; `operator`: an operator asks, who is told the address too."""

    nick: str
    operator: bool = False


_encode = msgspec.json.Encoder().encode


def whois(hub: Hub, asking: Session, nick: str) -> Answer[str | Refusal]:
    """What is known of the person with that nick. Raises Refusal where this gateway is alone."""
    operator = asking.operator is not None
    if not hub.cluster.node:
        return Answer.of(_words([seen_of(hub, somebody(hub, asking, nick))], operator))
    found = hub.nicks.sessions(nick)[-1:]
    here = [seen_of(hub, each) for each in found]

    def asked(nodes: Sequence[str] | Refusal) -> Answer[str | Refusal]:
        if isinstance(nodes, Refusal):
            if here:
                return Answer.of(_words(here, operator))
            return Answer[str | Refusal].of(nodes) if nodes.code is not Code.NO_SUCH_USER else _left(hub, asking, nick)
        question = _encode(WhoisQuestion(nick, operator))
        others = [node for node in nodes if node != hub.cluster.node]
        answers = [hub.cluster.ask(node, KIND, question) for node in others]
        return _all(answers).map(partial(_together, hub, here, others, operator=operator))

    return hub.directory.nodes_of(nick).chain(asked)


def serve_whois(hub: Hub) -> None:
    """Answer other nodes that ask for a person who is connected to this one."""

    def serve(asked: bytes) -> Answer[bytes | JournalError]:
        try:
            question = msgspec.json.decode(asked, type=WhoisQuestion)
        except msgspec.MsgspecError:
            return Answer.of(JournalError(wording.NODE_DIFFERS))
        found = [seen_of(hub, each) for each in hub.nicks.sessions(question.nick)[-1:]]
        if not question.operator:
            found = [msgspec.structs.replace(each, address="", lag=0) for each in found]
        return Answer.of(_encode(found))

    hub.cluster.serve(KIND, serve)


def _together(
    hub: Hub, here: list[PersonSeen], nodes: Sequence[str], answers: list[bytes | JournalError], *, operator: bool
) -> str | Refusal:
    seen, problem = list(here), None
    for node, answer in zip(nodes, answers, strict=True):
        try:
            if isinstance(answer, JournalError):
                raise answer
            seen += msgspec.json.decode(answer, type=list[PersonSeen])
        except (JournalError, msgspec.MsgspecError) as error:
            why = wording.NODE_DIFFERS if isinstance(error, msgspec.MsgspecError) else error
            label = labels(hub.cluster.cards()).get(node, node[:4])
            problem = Refusal(Code.BACKPLANE, wording.NODE_MISSING.format(node=label, why=why), retry_ms=2000)
    if seen:
        return _words(seen, operator)
    return problem or Refusal(Code.NO_SUCH_USER, wording.LEFT_JUST_NOW)


def _words(seen: Sequence[PersonSeen], operator: bool) -> str:
    latest = min(seen, key=lambda each: each.open_for)
    rooms = " ".join(dict.fromkeys(f"#{room}" for each in seen for room in each.rooms))
    return wording.WHOIS.format(
        nick=latest.nick,
        presence=presence(latest, operator=operator),
        time=short_duration(max(each.here_for for each in seen)),
        rooms=rooms or wording.NO_ROOM,
    )


def _left(hub: Hub, asking: Session, nick: str) -> Answer[str | Refusal]:
    """Nobody with that nick is connected to any node."""
    try:
        return Answer.of(_words([seen_of(hub, somebody(hub, asking, nick))], asking.operator is not None))
    except Refusal as refusal:
        if refusal.text != hub.nicks.absence(nick, None):  # more is known here: they have left, or only post
            return Answer.of(refusal)
    return hub.directory.absence(nick).map(partial(Refusal, Code.NO_SUCH_USER))


def _all(answers: Sequence[Answer[bytes | JournalError]]) -> Answer[list[bytes | JournalError]]:
    """All answers, in their order, once the last is there."""
    values: list[bytes | JournalError] = [b""] * len(answers)
    all_there: Answer[list[bytes | JournalError]] = Answer()
    waiting = [len(answers)]

    def taker(place: int) -> Callable[[bytes | JournalError], None]:
        def take(value: bytes | JournalError) -> None:
            values[place] = value
            waiting[0] -= 1
            if not waiting[0]:
                all_there.set(values)

        return take

    for place, answer in enumerate(answers):
        answer.then(taker(place))
    if not answers:
        all_there.set(values)
    return all_there
