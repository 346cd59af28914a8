"""Joining a room: what the session is shown of its history, and from where it reads on. Also /history and /since.

History and live messages meet without gap or repeat because both are the same log: the session is shown messages up to
a number, its cursor is set to that number, and only then is it attached to the room.
"""

from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

from msgspec import UNSET
from msgspec.structs import replace

from gateway import wording
from gateway.core.address import WaysIn
from gateway.core.answer import Answer
from gateway.core.hub import Hub
from gateway.core.protocol.events import Ack, History, Notice, PageShown, error_event
from gateway.core.protocol.wire import as_msg, day
from gateway.core.rooms.fanout import Member, Room, member_of, said_by, talks_in
from gateway.core.rooms.history import Past, Position, Range
from gateway.core.sessions.session import Session
from gateway.errors import Code, JournalError, Refusal

TERMINAL_RECENT = 20
"""Messages that a terminal is shown when it joins a room."""


def show_history(hub: Hub, session: Session, past: Past, shape: type[History] = History) -> None:
    """Send the session some history as events of that shape. Lines show the time of day only, so a line with the date
    is sent wherever it changes, and before the first message if that is not from today."""
    shown = [as_msg(message) for message in past.messages]
    if session.wire.objects:
        own = said_by(session, past.messages) or UNSET if session.author else UNSET
        session.tell(shape(past.room, shown, past.more, own))
        return
    today = day(hub.clock.wall())
    for of, messages in groupby(shown, key=lambda message: day(message.ts)):
        if of != today:
            session.tell(Notice(of))
        today = of
        session.tell(shape(past.room, list(messages), past.more))


def show_page(hub: Hub, session: Session, room: str, wanted: Range, since: int, id: str | None) -> None:
    """Show the session a page of the room's history, without messages older than `since` (ms since 1970), in reply to
    the command with that id; its own messages are committed first. Its input is held meanwhile."""

    def answer(words: str) -> None:
        session.tell(Notice(words, room=room) if id is None else Notice(words, room=room, id=id))

    def read(past: Past) -> None:
        found = [message for message in past.messages if message.ts >= since]
        left_out = past.more and len(found) == len(past.messages)
        show_history(hub, session, replace(past, messages=found, more=left_out), PageShown)
        if id is not None:
            session.tell(Ack(id))
        if not found:
            answer(wording.NOTHING_THERE)
        elif left_out and wanted.after is not None:
            answer(wording.MORE_SINCE.format(seq=found[-1].seq))
        elif left_out and since:
            answer(wording.LAST_OF_MORE.format(count=len(found), seq=found[0].seq))

    page = hub.commits.after_own(session).chain(lambda _: hub.history.read(room, wanted))
    session.wait_for(page, read, id)


MISSED_LINES = 200
"""How many of the messages it missed a terminal is shown."""
UNSURE_LINES = 20
"""How far back a terminal is referred: what was written to it may have been in flight when it was disconnected."""
BEHIND_PAUSE, BEHIND_WAITS = 0.02, 50
"""Seconds, and how often, a node waits for what a session has read at another one."""
ROOMS_PER_SESSION = 50
"""Rooms a browser session is in at most; a terminal is in one at a time."""


@dataclass(slots=True)
class Greeting:
    """What a new session is told besides its name: `ways_in` is how others can connect, known once the doors listen,
    `motd` the message of the day, sanitized; empty = none. Both may be replaced at any time."""

    motd: str = ""
    ways_in: WaysIn = field(default_factory=WaysIn)


def join(
    hub: Hub, session: Session, name: str, recent: int, position: Position | None = None, id: str | None = None
) -> Answer[bool]:
    """Join the session to the room `name` (valid), or tell it why not in reply to the request with that id; its input
    is held meanwhile. Answer whether it is in.

    It is told `joined`; then either what it missed since `position`, as live messages, or the last `recent` messages
    as one history. Raises Refusal, before the room is opened, for a browser that is in as many rooms as it may be.
    """
    if not session.terminal and len(session.rooms) >= ROOMS_PER_SESSION and name not in session.rooms:
        raise too_many_rooms()
    session.hold()
    joining = _Joining(hub, session, name, recent, position, id, BEHIND_WAITS if hub.cluster.node else 0)
    hub.identities.stored_entering(session, name).then(joining.begin)
    return joining.answer


@dataclass(slots=True)
class _Joining:
    """A join that is under way, step by step. (Functions within functions that call one another would be a reference
    cycle, which keeps each session until the garbage collector comes.)"""

    hub: Hub
    session: Session
    name: str
    recent: int
    position: Position | None
    id: str | None
    waits: int
    answer: Answer[bool] = field(default_factory=Answer)

    def begin(self, unstored: JournalError | None) -> None:
        """It is stored that the session is going to be in the room: a kill after `joined` takes nothing back."""
        self.hub.rooms.open(self.name).then(self.opened)

    def opened(self, room: Room | Refusal) -> None:
        """The room is there: read what the newcomer is to be shown of it."""
        hub, session, position = self.hub, self.session, self.position
        if isinstance(room, Refusal):
            self._refuse(room)
        elif session.closed:
            hub.rooms.forget_if_idle(room)
        elif self.waits and position and position.epoch == room.epoch and position.after > room.log.head:
            self.waits -= 1  # it has been shown more by a node that was faster than this one
            hub.clock.later(BEHIND_PAUSE, lambda: hub.rooms.open(self.name).then(self.opened))
        elif position and position.continues(room):
            member = _come_in(hub, session, room, position.after, recovered=True, id=self.id)
            if member is not None:
                hub.removals.tell_resumed(member, position.after)
            self._done(member)
        else:
            hub.history.read(self.name, Range(limit=self.recent)).then(partial(self._read, room))

    def _read(self, room: Room, past: Past | Refusal) -> None:
        hub, session = self.hub, self.session
        if isinstance(past, Refusal) or session.closed:
            hub.rooms.forget_if_idle(room)
        if isinstance(past, Refusal):
            self._refuse(past)
        elif not session.closed:
            cursor = past.messages[-1].seq if past.messages else room.log.head
            member = _come_in(hub, session, room, cursor, recovered=False, id=self.id)
            if member is not None:
                show_history(hub, session, past)
            self._done(member)

    def _done(self, member: Member | None) -> None:
        if member is not None and member.cursor + 1 < member.room.log.first:
            self.hub.catch_ups.add(member)
        elif member is not None:
            member.room.attach(member)
        self._end(member is not None)

    def _refuse(self, refusal: Refusal) -> None:
        self.session.tell(error_event(refusal, self.id))
        self._end(False)

    def _end(self, joined: bool) -> None:
        self.hub.identities.entered(self.session, self.name)
        self.answer.set(joined)
        self.session.release()


def rejoin(hub: Hub, session: Session, name: str, position: Position) -> None:
    """Bring a terminal back into the room it left at `position`, with the last MISSED_LINES of what it missed.

    Only what was written to a terminal is known, not what it has read: so it is told from which message it is shown.
    """
    session.hold()

    def opened(room: Room | Refusal) -> None:
        if isinstance(room, Refusal):
            session.tell(error_event(room))
            session.release()
            return
        known = position.continues(room)
        after = max(position.after if known else 0, room.log.head - MISSED_LINES)
        if known and after > position.after:
            session.tell(Notice(wording.LEFT_OUT.format(count=after - position.after, seq=position.after)))
        hub.history.read(name, Range(after=after, limit=MISSED_LINES)).then(partial(read, room))

    def read(room: Room, past: Past | Refusal) -> None:
        if isinstance(past, Refusal) or session.closed:
            hub.rooms.forget_if_idle(room)
        if isinstance(past, Refusal):
            session.tell(error_event(past))
        elif not session.closed:
            member = _come_in(hub, session, room, past.messages[-1].seq if past.messages else room.log.head, True, None)
            if member is not None and position.after and position.continues(room):
                hub.removals.tell_resumed(member, position.after)
                again = max(0, position.after - UNSURE_LINES)
                known = wording.SENT_UP_TO.format(seq=position.after, again=again)
                nothing = wording.NOTHING_NEW.format(seq=position.after)
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
    session.tell(member.room.joined(session, recovered))
    return member


def too_many_rooms() -> Refusal:
    """The refusal for a browser session that is in as many rooms as it may be."""
    return Refusal(Code.ROOM_LIMIT, wording.IN_TOO_MANY_ROOMS.format(count=ROOMS_PER_SESSION))
