"""The hub: who is here, what was said, and the tick that carries it from the journal to every reader.

A message comes in by `say` (a member of a room) or by HTTP (`core.doors.post`) and waits for the tick. The tick

    commits what has gathered to the journal, one batch in flight (`core.rooms.group_commit`)
    → publishes the answer in the rooms' logs and acknowledges it: never before, so nobody sees what a crash would lose
    → lets every room serve its readers (`core.rooms.fanout`), a bounded number of sends, the rest in the next tick.

The hub is sans-I/O: `clock` (monotonic seconds), `wall` (ms since 1970), `elapsed` (seconds that also count while the
machine sleeps) and `schedule` (call `tick` after so many seconds, 0 = soon) are handed in, the journal and each
session's transport are ports (`core.ports`). One thread calls everything. Verbs that may need the journal answer by a
callback, perhaps at once; their session is held meanwhile, so what a peer sends next is handled next.
"""

import logging
import re
from collections.abc import Callable
from functools import partial
from itertools import islice

from gateway.core.clock import Timers
from gateway.core.operators.audit import Audit
from gateway.core.operators.maintenance import DoorControl
from gateway.core.operators.moderation import Moderation
from gateway.core.operators.roles import PasswordCheck
from gateway.core.operators.sanctions import Sanctions, words_of
from gateway.core.ports import Journal, Measure, Transport
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Bye, Joined, Listed, Notice
from gateway.core.protocol.message import Door, Kind, Message
from gateway.core.protocol.refusals import acknowledge, storage_refusal
from gateway.core.protocol.wire import Wire
from gateway.core.rooms.catch_up import CatchUps
from gateway.core.rooms.fanout import Member, Room
from gateway.core.rooms.group_commit import Draft, GroupCommit
from gateway.core.rooms.history import HistoryReader
from gateway.core.rooms.idempotency import Answer, Idempotency
from gateway.core.rooms.join_notices import JoinNotices, tell_room
from gateway.core.rooms.presence import ANNOUNCE_AFTER
from gateway.core.rooms.registry import LOBBY, Rooms
from gateway.core.sessions import nicknames
from gateway.core.sessions.half_closed import HalfClosed
from gateway.core.sessions.identity import Identities
from gateway.core.sessions.rate_limit import Limits, RateLimit
from gateway.core.sessions.resume import IdentityRegistry
from gateway.core.sessions.roster import Nicknames
from gateway.core.sessions.session import Session
from gateway.core.stats.access_log import AccessLog
from gateway.core.stats.counters import Counters
from gateway.core.stats.recent import RecentEvents, RecentlyClosed
from gateway.core.stats.sampler import Sampler
from gateway.core.trusted_time import LOOK_SECONDS, TrustedTime
from gateway.errors import JournalError, Refusal

log = logging.getLogger(__name__)

SENDS_PER_TICK = 1000
"""About 10 ms of sends: what a tick spends before the loop turns."""
MEMBERS_LISTED = 200
FIRST_SESSION = 0x100
SESSION_ID = re.compile(r"[1-9a-f][0-9a-f]{0,15}")
"""An id has one spelling, so that `0x1_00` does not kick whoever has 100."""


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
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        self.journal = journal
        self.limits = limits
        self.clock = clock
        self.wall = wall
        self.trusted = TrustedTime(wall, elapsed or clock)
        self.timers = Timers()
        journal.lost_tail = self._begin_new_epochs
        self.sessions: dict[int, Session] = {}
        self.totals = Counters()
        self.rooms = Rooms(journal, limits, self.totals)
        self.happenings = RecentEvents(wall)
        self.invitation = ""
        """How others can come, in one line of words; the gateway fills it in when its doors listen."""
        self.motd = ""
        """Gated words for everybody who comes; empty = none."""
        self.bans = Sanctions(Measure.BAN, self.trusted.now)
        self.mutes = Sanctions(Measure.MUTE, self.trusted.now)
        self.doorkeeper: PasswordCheck | None = None
        """Who answers /login; None: nobody can log in there."""
        self.audit = Audit(
            journal.ledger, wall, clock, happened=lambda words: self.happenings.note(0, "operator", words)
        )
        self.operations = Moderation(self, self.audit, random_bits, mark=lambda words: self.meters.mark(words))
        self.upkeep = DoorControl(self, random_bits)
        self._schedule = schedule
        self.nicks = Nicknames(random_bits)
        self.library = HistoryReader(journal, self.rooms)
        steady = self.trusted.now
        self.receipts = Idempotency(steady)
        self.reception = IdentityRegistry(
            journal,
            Identities(token_key, steady, random_bits),
            self.nicks,
            self.receipts,
            wall=steady,
            later=self.later,
            wake=self._wake,
            happenings=self.happenings,
            replace=lambda session: self.close(session, CloseReason.REPLACED, "you came back by another connection"),
        )
        self.replays = CatchUps(self.library, self.attach, self._wake)
        self.pace = RateLimit(limits, clock, self.later)
        self.closed = RecentlyClosed()
        self.meters = Sampler(self.totals, self.closed.counts, clock, wall)
        self.visits = AccessLog(clock, wall, self.later)
        self._attendance = JoinNotices(self.later, clock)
        self._endings = HalfClosed(self.later, self._over)
        self.commits = GroupCommit(
            journal,
            self.rooms,
            clock,
            took=self.totals.commits,
            wake=self._wake,
            publish=self._publish,
            settled=self._endings.committed,
            happened=lambda words: self.happenings.note(0, "storage", words),
        )
        self._next_number = FIRST_SESSION
        self._awake = False
        self._unflushed: dict[Session, None] = {}
        self._dirty: dict[Room, None] = {}

    # Coming and going

    def start(self) -> None:
        """Recall who may come back and who may not; open the lobby, which stays in memory."""
        self.trusted.start_from(*self.journal.time_kept())
        self._look_at_clock()
        self.operations.start()
        self.reception.start()
        self.rooms.open(LOBBY, lambda room: None)

    def _look_at_clock(self) -> None:
        self.journal.keep_time(self.trusted.look())
        self.later(LOOK_SECONDS, self._look_at_clock)

    def connect(self, transport: Transport, door: Door, address: str, wire: Wire, proxy: str | None = None) -> Session:
        """A new session under a guest name, in no room yet; `proxy` is the address of who told its address."""
        number = self._next_number
        self._next_number += 1
        nick = self.nicks.guest()
        session = Session(number, nick, door, address, transport, wire, self._flush_later, self.totals)
        session.proxy = proxy
        session.connected_at = self.wall()
        session.last_input = self.clock()
        session.announce_at = session.last_input + ANNOUNCE_AFTER
        self.sessions[number] = session
        self.nicks.take(nick, session)
        self.happenings.note(number, "came", door)
        self.totals.came(session, len(self.sessions))
        self.visits.came(session)
        return session

    def disconnect(self, session: Session, closing: CloseReason, words: str = "") -> None:
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
        self.totals.went(session)

    def close(
        self, session: Session, closing: CloseReason, words: str = "", retry_ms: int | None = None, *, aside: str = ""
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
            self.close(session, CloseReason.BANNED, words_of(ban, self.wall()))
        return ban is not None

    def turn_newcomer_away(self, session: Session) -> None:
        """Close the session, which has come just now, if nobody is let in at its door or it is banned."""
        denial = self.upkeep.denial(session.door)
        if denial is not None:
            self.close(session, denial.closing, denial.words, denial.retry_ms)
        else:
            self.turn_away(session)

    def refused(self, door: Door, address: str, closing: CloseReason, words: str) -> None:
        """Somebody was not let in at a door."""
        self.closed.counts[door, closing] += 1
        self.visits.refused(door, address, closing, words)
        self.happenings.refused(door, address, closing, self.clock())

    def half_closed(self, session: Session, closing: CloseReason = CloseReason.LEFT) -> None:
        """The peer sends no more, and all it sent has been handled: it gets what is owed to it, then goodbye
        (`core.sessions.half_closed`). Nothing owed: at once. `closing` is LOST where the connection is known to be
        broken."""
        self._endings.begin(session, closing)
        for member in session.rooms.values():
            self._attendance.went(member)
        self._wake()

    def rename(self, session: Session, nick: str) -> None:
        """Give the session another nick. Raises Refusal."""
        if nick == session.nick:
            return
        self.bans.check_nick(nicknames.nick(nick))
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
        muted = self.mutes.refusal(self.mutes.on(session)) if self.mutes else None
        if muted is not None and done is not None:
            done(muted)
            return
        if muted is not None:
            raise muted
        self.commits.submit(Draft(message, member, done), room)

    def limit(self, limits: Limits) -> None:
        """Keep these limits from now on; a room's log shrinks with its next message."""
        before, self.limits = self.limits, limits
        self.rooms.limit(limits)
        self.pace.changed(before, limits, self.sessions.values())

    # The tick

    def pump(self, session: Session) -> None:
        """The session's transport can take more again: send what is owed, serve it from the logs with the others."""
        if session.closed:
            return
        session.unblock()
        session.flush()
        if not session.blocked:
            for member in session.rooms.values():
                if member.attached and member.cursor != member.room.log.head:
                    member.room.catch_up(member)
                    self._touch(member.room)
            if session.ending:
                self._wake()

    @property
    def busy(self) -> bool:
        """Something that was received is not committed and offered yet."""
        return bool(self.commits.busy or self._dirty or self._unflushed)

    def tick(self) -> None:
        """Do what is due: timers, one commit, a bounded number of sends; ask to be called again if there is more."""
        self._awake = False
        self.timers.run(self.clock())
        self.commits.begin()
        self.reception.serve()
        self.replays.serve()
        sends = self._flush(SENDS_PER_TICK)
        self._serve(sends)
        self._endings.serve()
        more = self._dirty or self._unflushed or self.replays.pending or self.reception.pending
        if more or self.commits.due:
            self._wake()
        elif self.timers.next is not None:
            self._schedule(max(0.001, self.timers.next - self.clock()))

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        """Do `job` in so many seconds."""
        self.timers.add(self.clock() + seconds, job)
        if not self._awake:
            self._schedule(seconds)

    def _begin_new_epochs(self) -> None:
        """The journal came back without its end: tell everybody where their rooms stand now."""

        def begun(room: Room) -> None:
            for member in room.members.values():
                member.session.tell(self.joined(room, recovered=False))

        self.rooms.begin_new_epochs(begun)

    def _publish(self, room: Room, message: Message, member: Member | None) -> None:
        room.publish(message, member)
        self.totals.messages_in += 1
        self._dirty[room] = None
        if member is not None:
            member.session.messages_in += 1

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

    def _over(self, session: Session, closing: CloseReason) -> None:
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
