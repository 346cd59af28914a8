"""Private messages: from one person to another, to all connections of both.

They are never journaled, and are acknowledged once they are queued; at another node, once that node has the person.
"""

from functools import partial

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.hub import Hub
from gateway.core.ports.cluster import Whisper
from gateway.core.protocol.events import Notice, Private
from gateway.core.protocol.message import Door
from gateway.core.rooms.fanout import members_of
from gateway.core.rooms.idempotency import Posted, acknowledge
from gateway.core.sessions.session import OWED_BYTES, Session
from gateway.errors import Code, Refusal

RETRY_MS = 5000


def whisper(hub: Hub, session: Session, to: str, text: str, id: str | None) -> None:
    """Send sanitized `text` to the person called `to`; if the `id` is known already, only acknowledge it."""
    if id is None or session.identity is None:
        session.wait_for(_send(hub, session, to, text), lambda _: None, id)
        return
    answer, first = hub.idempotency.begin((session.identity.id, id))
    answer.then(partial(acknowledge, session, id))
    if not first:
        return
    sent = _send(hub, session, to, text)
    sent.then(lambda refusal: answer.set(Posted("", "", 0) if refusal is None else refusal))


def _send(hub: Hub, session: Session, to: str, text: str) -> Answer[Refusal | None]:
    """Deliver a private message, or refuse it; to somebody who is not here perhaps at another node."""
    try:
        _deliver(hub, session, to, text)
        return Answer.of(None)
    except Refusal as refusal:
        if refusal.code is not Code.NO_SUCH_USER or not hub.cluster.node:
            return Answer.of(refusal)

    def reached(nobody: Refusal | None) -> Refusal | None:
        if nobody is None:
            event = Private(session.nick, to, hub.clock.wall(), text)
            for each in session.connections:
                each.tell(event)
            hub.directory.write(Whisper(session.nick, to, event.ts, text))
        return nobody

    return hub.directory.reaches(to).map(reached)


POSTS_LOOKED_AT = 1000
"""Messages of a room in which the nick of a poster is looked for."""


def somebody(hub: Hub, session: Session, nick: str) -> Session:
    """The person called `nick`. Raises Refusal, with other words where that is only the name of a poster: the session
    reads its lines and cannot see that nobody is there."""
    try:
        return hub.nicks.find(nick)
    except Refusal as refusal:
        if hub.nicks.held(nick):
            raise
        wanted = nick.casefold()
        for member in members_of(session):
            for message in member.room.log.last(POSTS_LOOKED_AT):
                if message.door == Door.HTTP and message.nick.casefold() == wanted:
                    words = wording.POSTED_BY_HTTP.format(nick=message.nick)
                    raise Refusal(Code.NO_SUCH_USER, words) from refusal
        raise


def _deliver(hub: Hub, session: Session, to: str, text: str) -> None:
    hub.mutes.check(session)
    receiver = somebody(hub, session, to)
    readers = [each for each in receiver.connections if len(each.owed) < OWED_BYTES]
    if not readers:
        raise Refusal(Code.BUSY, wording.DOES_NOT_READ.format(nick=receiver.nick), retry_ms=RETRY_MS)
    event = Private(session.nick, receiver.nick, hub.clock.wall(), text)
    for each in dict.fromkeys([*readers, *session.connections]):
        each.tell(event)
    if hub.cluster.node and (receiver.identity is not None or session.identity is not None):
        hub.directory.write(Whisper(session.nick, receiver.nick, event.ts, text))
    for each in readers:
        hub.identities.wrote(session, each)
        if each.private_waits is not None:
            each.private_waits(session.nick)
    if receiver.preferences.away and receiver is not session:
        session.tell(Notice(wording.IS_AWAY.format(nick=receiver.nick, away=receiver.preferences.away)))
