"""The hub: who is here, what was said, and the tick that carries it from the journal to every reader.

A message comes in by `say` (a member of a room) or `submit` (HTTP, by `core.posting`) and waits for the tick. The tick

    commits what has gathered to the journal, one batch in flight
    → publishes the answer in the rooms' logs and acknowledges it: never before, so nobody sees what a crash would lose
    → lets every room serve its readers (`core.room`), a bounded number of sends, the rest in the next tick.

The hub is sans-I/O: `clock` (monotonic seconds), `wall` (ms since 1970) and `schedule` (call `tick` after so many
seconds, 0 = soon) are handed in, the journal and each session's transport are ports (`core.ports`). One thread calls
everything. Verbs that may need the journal answer by a callback, perhaps at once; their session is held meanwhile, so
what a peer sends next is handled next.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

from gateway.core import names
from gateway.core.answers import acknowledge, error_event, storage_refusal
from gateway.core.attendance import Attendance, tell_room
from gateway.core.audit import Audit
from gateway.core.bans import Sanctions, words_of
from gateway.core.closed import Closed
from gateway.core.closing import Closing
from gateway.core.endings import Endings
from gateway.core.events import Bye, Joined, Listed, Notice, Private
from gateway.core.happenings import Happenings
from gateway.core.identity import Identities
from gateway.core.limits import Limits
from gateway.core.message import Door, Kind, Message
from gateway.core.nicks import Nicks
from gateway.core.operations import Operations
from gateway.core.operators import Doorkeeper
from gateway.core.pace import Pace
from gateway.core.past import Library
from gateway.core.ports import Journal, Measure, Transport
from gateway.core.presence import ANNOUNCE_AFTER
from gateway.core.receipts import Answer, Posted, Receipts
from gateway.core.reception import Reception
from gateway.core.replay import Replays
from gateway.core.room import Member, Room
from gateway.core.rooms import LOBBY, Rooms
from gateway.core.session import OWED_BYTES, Session
from gateway.core.timers import Timers
from gateway.core.visits import Visits
from gateway.core.wire import Wire
from gateway.errors import Code, JournalError, LostTail, Refusal

log = logging.getLogger(__name__)

SENDS_PER_TICK = 1000
"""About 10 ms of sends: what a tick spends before the loop turns."""
INCOMING_MESSAGES = 10_000
"""Messages that may wait for the journal; from here on senders are held."""
MEMBERS_LISTED = 200
FAILURE_SECONDS = 2.0
"""How long a batch that could not be stored counts, if no other comes."""
FIRST_SESSION = 0x100
SESSION_ID = re.compile(r"[1-9a-f][0-9a-f]{0,15}")
"""An id has one spelling, so that `0x1_00` does not kick whoever has 100."""


class Draft(NamedTuple):
    """A message on its way to the journal, and who waits for the answer."""

    message: Message
    member: Member | None
    done: Answer | None


@dataclass(slots=True)
class Totals:
    """What closed sessions and posts have added up to since the start; live sessions count for themselves."""

    connections_peak: int = 0
    messages_in: int = 0
    deliveries: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    skipped: int = 0


class Hub:
    """One per process. Owns the sessions, the rooms in memory and the nicks in use."""

    def __init__(
        self,
        journal: Journal,
        limits: Limits,
        *,
        clock: Callable[[], float],
        wall: Callable[[], int],
        schedule: Callable[[float], None],
        random_bits: Callable[[int], int],
        token_key: bytes,
    ) -> None:
        self.journal = journal
        self.limits = limits
        self.clock = clock
        self.wall = wall
        self.timers = Timers()
        self.sessions: dict[int, Session] = {}
        self.rooms = Rooms(journal, limits)
        self.totals = Totals()
        self.happenings = Happenings(wall)
        self.invitation = ""
        """How others can come, in one line of words; the gateway fills it in when its doors listen."""
        self.bans = Sanctions(Measure.BAN, wall)
        self.mutes = Sanctions(Measure.MUTE, wall)
        self.doorkeeper: Doorkeeper | None = None
        """Who answers /login; None: nobody can log in there."""
        self.audit = Audit(journal.ledger, wall, clock, self.begin_new_epochs)
        self.operations = Operations(self, self.audit, random_bits)
        self._schedule = schedule
        self.nicks = Nicks(random_bits)
        self.library = Library(journal, self.rooms)
        self.receipts = Receipts(wall)
        self.reception = Reception(
            journal,
            Identities(token_key, wall, random_bits),
            self.nicks,
            self.receipts,
            wall=wall,
            later=self.later,
            wake=self._wake,
            happenings=self.happenings,
            replace=lambda session: self.close(session, Closing.REPLACED, "you came back by another connection"),
        )
        self.replays = Replays(self.library, self.attach, self._wake)
        self.pace = Pace(lambda: self.limits, clock, self.later)
        self.closed = Closed()
        self.visits = Visits(clock, wall, self.later)
        self._attendance = Attendance(self.later, clock)
        self._endings = Endings(self.later, self._over)
        self._next_number = FIRST_SESSION
        self._incoming: list[Draft] = []
        self._committing = False
        self._failure: Refusal | None = None
        self._failed_at = 0.0
        self._awake = False
        self._unflushed: dict[Session, None] = {}
        self._dirty: dict[Room, None] = {}
        self._crowded_out: list[Session] = []
        self._waiting: list[tuple[Session, Callable[[], None]]] = []

    # Coming and going

    def start(self) -> None:
        """Recall who may come back and who may not; open the lobby, which stays in memory."""
        self.operations.start()
        self.reception.start()
        self.rooms.open(LOBBY, lambda room: None)

    def connect(self, transport: Transport, door: Door, address: str, wire: Wire) -> Session:
        """A new session under a guest name, in no room yet."""
        number = self._next_number
        self._next_number += 1
        nick = self.nicks.guest()
        session = Session(number, nick, door, address, transport, wire, self._flush_later)
        session.connected_at = self.wall()
        session.last_input = self.clock()
        session.announce_at = session.last_input + ANNOUNCE_AFTER
        self.sessions[number] = session
        self.nicks.take(nick, session)
        self.happenings.note(number, "came", door)
        self.totals.connections_peak = max(self.totals.connections_peak, len(self.sessions))
        self.visits.came(session)
        return session

    def disconnect(self, session: Session, closing: Closing, words: str = "") -> None:
        """The session is over; `words` for people tell more. Calling it again does nothing."""
        if session.closed:
            return
        session.closed = session.blocked = True
        self.happenings.note(session.number, "gone", closing.word)
        self.closed.add(session, closing, words, self.wall())
        self.visits.went(session, closing, words)
        self.reception.went(session)
        for member in list(session.rooms.values()):
            self.leave(member)
        self.sessions.pop(session.number, None)
        self._endings.forget(session)
        self.pace.forget(session)
        totals = self.totals
        totals.messages_in += session.messages_in
        totals.deliveries += session.messages_out
        totals.bytes_in += session.bytes_in
        totals.bytes_out += session.bytes_out
        totals.skipped += session.skipped

    def close(
        self, session: Session, closing: Closing, words: str = "", retry_ms: int | None = None, *, aside: str = ""
    ) -> None:
        """Say goodbye and close from our side. `words` are for people; in `retry_ms` the peer may come back. `aside` is
        what only the peer may read, right behind the words: it is neither logged nor kept."""
        if not session.closed:
            reason = closing.told(words + aside)
            session.tell(Bye(closing.code, reason) if retry_ms is None else Bye(closing.code, reason, retry_ms))
            session.flush()
            session.transport.close(closing, words)
            self.disconnect(session, closing, words)

    def find(self, session_id: str) -> Session | None:
        """The session with that id; None if there is none (any more)."""
        return self.sessions.get(int(session_id, 16)) if SESSION_ID.fullmatch(session_id) else None

    def turn_away(self, session: Session) -> bool:
        """Close the session if it is banned; whether it was."""
        ban = self.bans.on(session)
        if ban is not None:
            self.close(session, Closing.BANNED, words_of(ban, self.wall()))
        return ban is not None

    def refused(self, door: Door, address: str, closing: Closing, words: str) -> None:
        """Somebody was not let in at a door."""
        self.closed.counts[door, closing] += 1
        self.visits.refused(door, address, closing, words)

    def half_closed(self, session: Session, closing: Closing = Closing.LEFT) -> None:
        """The peer sends no more, and all it sent has been handled: it gets what is owed to it, then goodbye
        (`core.endings`). Nothing owed: at once. `closing` is LOST where the connection is known to be broken."""
        self._endings.begin(session, closing)
        for member in session.rooms.values():
            self._attendance.went(member)
        self._wake()

    def rename(self, session: Session, nick: str) -> None:
        """Give the session another nick. Raises Refusal."""
        if nick == session.nick:
            return
        self.bans.check_nick(names.nick(nick))
        old = session.nick
        self.reception.rename(session, nick)
        self.happenings.note(session.number, "renamed", f"{old} to {session.nick}")
        for member in session.rooms.values():
            self._attendance.renamed(member, old)

    # Rooms

    def enter(self, session: Session, room: Room, cursor: int | None = None) -> Member:
        """Make the session a member whose cursor stands at `cursor` (the head if None); it reads once attached."""
        member = Member(session, room, room.log.head if cursor is None else cursor)
        session.rooms[room.name] = room.members[session] = member
        self.happenings.note(session.number, "joined", room.name)
        self.reception.changed(session)
        if session.door is Door.HTTP:
            room.streams += 1
        else:
            self._attendance.came(member, max(0.0, session.announce_at - self.clock()))
        return member

    def attach(self, member: Member) -> None:
        """Let the member read the room's log from its cursor on."""
        member.room.attach(member)
        self._touch(member.room)

    def leave(self, member: Member) -> None:
        """Take the session out of the room."""
        session, room = member.session, member.room
        session.rooms.pop(room.name, None)
        if not session.closed:
            self.happenings.note(session.number, "parted", room.name)
        if room.members.pop(session, None) is not None and session.door is Door.HTTP:
            room.streams -= 1
        member.attached = False
        self._attendance.went(member)
        self.reception.changed(session)
        self.rooms.forget_if_idle(room)

    def joined(self, room: Room, recovered: bool) -> Joined:
        """The event that tells a session what the room is."""
        members = room.people(MEMBERS_LISTED)
        for member in members:
            member.listed_as = member.session.nick
        listed = [Listed(member.session.nick, member.session.door) for member in members]
        return Joined(room.name, room.epoch, room.first, room.log.head, recovered, room.topic, room.count, listed)

    def set_topic(self, session: Session, room: Room, topic: str, done: Callable[[Refusal | None], None]) -> None:
        """Store the topic, then tell the room."""

        def stored(failure: JournalError | None) -> None:
            if failure is None:
                room.topic = topic
                words = f"{session.nick} set the topic: {topic}" if topic else f"{session.nick} cleared the topic"
                tell_room(room, Notice(words, room=room.name, topic=topic))
            done(storage_refusal(failure) if failure else None)

        self.journal.set_topic(room.name, topic, stored)

    # Saying

    def say(self, member: Member, text: str, kind: Kind = Kind.SAY, id: str | None = None) -> None:
        """Post gated `text` to the member's room; the ack goes to `id`. The rate is the caller's to keep.

        An `id` of the same identity that is known already is acknowledged, not posted. Raises Refusal.
        """
        session, room = member.session, member.room
        message = Message(room.name, self.wall(), session.nick, session.door, kind, text, author=session.number)
        done: Answer | None = None
        if id is not None and session.identity is not None:
            done = self.receipts.begin((session.identity.id, id), partial(acknowledge, session, id))
            if done is None:
                return
            message.identity, message.id = session.identity.id, id
        muted = self.mutes.refusal(self.mutes.on(session))
        if muted is not None and done is not None:
            done(muted)
            return
        if muted is not None:
            raise muted
        session.pending += 1
        self.submit(Draft(message, member, done), room)
        if self.crowded:
            session.hold()
            self._crowded_out.append(session)

    def whisper(self, session: Session, to: str, text: str, id: str | None = None) -> None:
        """Send gated `text` to one person. Not journaled; acknowledged once queued. Raises Refusal."""
        if id is not None and session.identity is not None:
            settle = self.receipts.begin((session.identity.id, id), partial(acknowledge, session, id))
            if settle is None:
                return
            try:
                self._whisper(session, to, text)
            except Refusal as refusal:
                settle(refusal)
            else:
                settle(Posted("", "", 0))
        else:
            self._whisper(session, to, text)

    def _whisper(self, session: Session, to: str, text: str) -> None:
        self.mutes.check(session)
        receiver = self.nicks.find(to)
        if len(receiver.owed) >= OWED_BYTES:
            raise Refusal(Code.BUSY, f"{receiver.nick} does not read at the moment, try again", retry_ms=5000)
        event = Private(session.nick, receiver.nick, self.wall(), text)
        receiver.tell(event)
        if receiver is not session:
            session.tell(event)

    def after_own(self, session: Session, job: Callable[[], None]) -> None:
        """Do `job` once every message of the session has been committed or refused; now, if none is on its way."""
        if session.pending:
            self._waiting.append((session, job))
        else:
            job()

    # The tick

    def pump(self, session: Session) -> None:
        """The session's transport can take more again: send what is owed, serve it from the logs with the others."""
        if session.closed:
            return
        session.blocked = False
        session.flush()
        if not session.blocked:
            for member in session.rooms.values():
                if member.attached and member.cursor != member.room.log.head:
                    member.room.catch_up(member)
                    self._touch(member.room)
            if session.ending:
                self._wake()

    @property
    def crowded(self) -> bool:
        """So much waits for the journal that no more should be taken in."""
        return len(self._incoming) > INCOMING_MESSAGES

    @property
    def busy(self) -> bool:
        """Something that was received is not committed and offered yet."""
        return bool(self._incoming or self._committing or self._dirty or self._unflushed)

    def tick(self) -> None:
        """Do what is due: timers, one commit, a bounded number of sends; ask to be called again if there is more."""
        self._awake = False
        self.timers.run(self.clock())
        if self._incoming and not self._committing:
            drafts, self._incoming = self._incoming, []
            self._committing = True
            batch = [draft.message for draft in drafts]
            self.journal.append(batch, lambda answer: self._committed(drafts, answer))
        if self.reception.pending:
            self.reception.store()
        self.replays.serve()
        sends = self._flush(SENDS_PER_TICK)
        self._serve(sends)
        self._endings.serve()
        more = self._dirty or self._unflushed or self.replays.pending or self.reception.pending
        if more or (self._incoming and not self._committing):
            self._wake()
        elif self.timers.next is not None:
            self._schedule(max(0.001, self.timers.next - self.clock()))

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        """Do `job` in so many seconds."""
        self.timers.add(self.clock() + seconds, job)
        if not self._awake:
            self._schedule(seconds)

    def probe(self, done: Callable[[Refusal | None], None]) -> None:
        """Answer what keeps messages from being stored, None if nothing does: a failure just now, or what the journal
        says to a batch of none, which looks at its disk and its file like any other."""
        if self._failure is not None and self.clock() < self._failed_at + FAILURE_SECONDS:
            done(self._failure)
            return

        def answered(answer: list[Message] | JournalError) -> None:
            if isinstance(answer, LostTail):
                self.begin_new_epochs()
            done(storage_refusal(answer) if isinstance(answer, JournalError) else None)

        self.journal.append([], answered)

    def submit(self, draft: Draft, room: Room) -> None:
        """Hand a message for the room to the next tick's commit."""
        room.pending += 1
        self._incoming.append(draft)
        self._wake()

    def _committed(self, drafts: list[Draft], answer: list[Message] | JournalError) -> None:
        self._committing = False
        if isinstance(answer, JournalError):
            self._failure, self._failed_at = storage_refusal(answer), self.clock()
            self._refuse(drafts, self._failure)
            if isinstance(answer, LostTail):
                self.begin_new_epochs()
        else:
            self._failure = None
            for draft in drafts:
                self._publish(draft)
        waiting, self._waiting = self._waiting, []
        for session, job in waiting:
            self.after_own(session, job)
        released, self._crowded_out = self._crowded_out, []
        for session in released:
            session.release()
        self._wake()

    def _publish(self, draft: Draft) -> None:
        message, member, done = draft
        room = self.rooms[message.room]
        room.pending -= 1
        room.publish(message, member)
        self._dirty[room] = None
        if member is not None:
            session = member.session
            session.pending -= 1
            session.messages_in += 1
            self._endings.committed(session)
        else:
            self.totals.messages_in += 1
        if done is not None:
            done(Posted(room.name, room.epoch, message.seq))

    def begin_new_epochs(self) -> None:
        """The journal came back without its end: tell everybody where their rooms stand now."""

        def begun(room: Room) -> None:
            for member in room.members.values():
                member.session.tell(self.joined(room, recovered=False))

        self.rooms.begin_new_epochs(begun)

    def _refuse(self, drafts: list[Draft], refusal: Refusal) -> None:
        for message, member, done in drafts:
            room = self.rooms[message.room]
            room.pending -= 1
            if member is not None:
                member.session.pending -= 1
                self._endings.committed(member.session)
            if done is not None:
                done(refusal)
            elif member is not None:
                member.session.tell(error_event(refusal))
            self.rooms.forget_if_idle(room)

    def _flush(self, sends: int) -> int:
        unflushed, self._unflushed = self._unflushed, {}
        for count, session in enumerate(unflushed):
            if count >= sends:
                self._unflushed |= dict.fromkeys(islice(unflushed, count, None))
                return 0
            session.flush()
        return sends - len(unflushed)

    def _serve(self, sends: int) -> None:
        for room in list(self._dirty):
            if sends <= 0:
                break
            del self._dirty[room]
            sends = room.serve(sends)
            if not room.served:
                self._dirty[room] = None
            else:
                self.rooms.forget_if_idle(room)

    def _over(self, session: Session, closing: Closing) -> None:
        session.transport.close(closing, "")
        self.disconnect(session, closing)

    def _touch(self, room: Room) -> None:
        self._dirty[room] = None
        self._wake()

    def _flush_later(self, session: Session) -> None:
        self._unflushed[session] = None
        self._wake()

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            self._schedule(0)
