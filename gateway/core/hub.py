"""The hub: the sessions, the rooms, and the tick that carries messages from their senders to every reader.

A message comes in by `say` (a member of a room) or by HTTP (`core.doors.post`) and waits for the tick. The tick

    runs the timers that are due
    → commits the messages that have gathered to the journal, one batch in flight (`core.rooms.group_commit`); the
      journal's answer publishes them in their rooms' logs and acknowledges them, never earlier: what a crash would
      lose, nobody has seen
    → makes a bounded number of sends: first what is owed to sessions, then what the rooms' readers have not been
      offered (`core.delivery`, `core.rooms.fanout`); the rest waits for the next tick.

The hub is sans-I/O: time comes from the `Clock`, which also asks for the next tick; the journal and each session's
transport are ports (`core.ports`). One thread calls everything. Verbs that may need the journal report by a callback,
perhaps at once; meanwhile their session's input is held, so that what a peer sends next is handled next.

Operators are a layer above the hub (`core.operators`). Of theirs it holds only the bans and mutes, which are tables
here, and the gate, which decides whether a door lets newcomers in.
"""

import logging
import re
from collections.abc import Callable
from functools import partial

from gateway import wording
from gateway.core import name_rules
from gateway.core.answer import Answer
from gateway.core.clock import LOOK_SECONDS, Clock
from gateway.core.delivery import Delivery, Stalls
from gateway.core.gate import Gate
from gateway.core.ports.cluster import SESSION_BITS, Alone, Cluster
from gateway.core.ports.index import Index
from gateway.core.ports.journal import Feed, Journal, Memory, NoFeed
from gateway.core.ports.ledger import Measure
from gateway.core.ports.transport import Arrival, Transport
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Bye, Notice
from gateway.core.protocol.message import Door, Kind, Message, PasteSize
from gateway.core.protocol.wire import Wire
from gateway.core.quantity import short_duration
from gateway.core.remote_presence import RemotePresence
from gateway.core.rooms.catch_up import CatchUps
from gateway.core.rooms.fanout import Member, Room, members_of
from gateway.core.rooms.group_commit import Draft, GroupCommit
from gateway.core.rooms.history import HistoryReader
from gateway.core.rooms.idempotency import RECEIPT_SECONDS, Idempotency, Posted, acknowledge
from gateway.core.rooms.indexing import Search
from gateway.core.rooms.join_notices import ANNOUNCE_AFTER, JoinNotices
from gateway.core.rooms.pastes import Pastes
from gateway.core.rooms.registry import Rooms
from gateway.core.rooms.removals import Removals
from gateway.core.rooms.replication import Replication
from gateway.core.sessions.half_closed import HalfClosed
from gateway.core.sessions.identity import CONNECTIONS, IDENTITY_SECONDS, Identities
from gateway.core.sessions.identity_registry import IdentityRegistry
from gateway.core.sessions.nick_holders import Nicknames
from gateway.core.sessions.rate_limit import Limits, Payments, RateLimit
from gateway.core.sessions.remote_people import RemotePeople
from gateway.core.sessions.sanctions import Sanctions, standing_of, words_of
from gateway.core.sessions.session import Session
from gateway.core.stats.recent import Statistics
from gateway.errors import JournalError, Refusal

log = logging.getLogger(__name__)

FIRST_SESSION = 0x100
SESSION_ID = re.compile(r"[1-9a-f][0-9a-f]{0,15}")
"""An id has one spelling, so that `0x1_00` does not kick connection 100."""


class Hub:
    """One per process. Owns the sessions, the rooms in memory and the nicks in use. `random_bits` draws guest names
    and ids; `token_key` signs the tokens with which browsers resume; without an `index` nothing is found; without a
    `cluster` it is the only node; with a `feed` the journal is shared with others; `address_payments` are those of
    several processes."""

    def __init__(
        self,
        journal: Journal,
        limits: Limits,
        clock: Clock,
        stats: Statistics,
        *,
        random_bits: Callable[[int], int],
        token_key: bytes,
        index: Index | None = None,
        cluster: Cluster | None = None,
        feed: Feed | None = None,
        address_payments: Payments | None = None,
    ) -> None:
        self.journal = journal
        self.cluster = cluster or Alone()
        self.limits = limits
        self.clock = clock
        self.stats = stats
        self.gate = Gate()
        self.bans, self.mutes = Sanctions(Measure.BAN, clock), Sanctions(Measure.MUTE, clock)
        self.sessions: dict[int, Session] = {}
        self._next_number = (self.cluster.number << SESSION_BITS) + FIRST_SESSION
        self.nicks = Nicknames(random_bits, clock, self.cluster, lambda *lost: self.directory.lost(*lost))
        self._delivery = Delivery(clock)
        self.rooms = Rooms(journal, feed or NoFeed(), limits, self._delivery, stats.counters)
        self.history = HistoryReader(journal, self.rooms)
        self.search = Search(journal, index, self.history, self.rooms, clock, feed is not None)
        self.removals = Removals(journal, self.rooms, self.history, clock, self.search.removed)
        self.idempotency = Idempotency(clock)
        identities = Identities(token_key, clock, random_bits)
        self.identities = IdentityRegistry(
            journal, identities, self.nicks, clock, stats.recent, self._replace, self.cluster
        )
        self.directory = RemotePeople(self.cluster, self.identities, self.rename, self._renamed)
        self.catch_ups = CatchUps(self.history, clock)
        self.rate_limit = RateLimit(limits, clock, address_payments)
        self.pastes = Pastes(lambda: self.limits.top_paste_bytes)
        self._notices = JoinNotices(clock)
        self.remote_presence = RemotePresence(self.cluster, self.rooms, self._notices, clock)
        self._half_closed = HalfClosed(clock, self._over)
        self._stalls = Stalls(clock, stats.counters.blocked, self._stalled)
        self.commits = GroupCommit(
            journal, self.rooms, clock, stats, self._half_closed, self.search.committed, shared=feed is not None
        )
        if feed is not None:
            feed.follower = Replication(journal, self.rooms, self.commits, self.removals, self.search)

    # Coming and going

    def start(self) -> Answer[Room | Refusal]:
        """Load the identities that may come back; open the lobby and return it. Nobody may come in before it is
        there: a journal that repairs itself after a crash lets it wait."""
        self.clock.trusted.start_from(*self.journal.time_kept())
        self._look_at_clock()
        since = self.clock.trusted.now() - int(max(IDENTITY_SECONDS, RECEIPT_SECONDS) * 1000)
        self.journal.recall(since).then(self._recalled)
        self._stalls.limit(self.limits.stall_seconds)
        lobby = self.rooms.start()
        self.search.start()
        return lobby

    def connect(self, transport: Transport, wire: Wire, arrival: Arrival) -> Session:
        """A new session under a guest name, in no room yet."""
        number = self._next_number
        self._next_number += 1
        now, wall = self.clock.now(), self.clock.wall()
        session = Session(
            number, "", arrival, transport, wire, self._delivery, self.stats.counters, wall, now, now + ANNOUNCE_AFTER
        )
        session.call(self.nicks.take_guest(session))
        self.sessions[number] = session
        self.stats.came(session, len(self.sessions))
        self.directory.settle(session)
        return session

    def disconnect(self, session: Session, closing: CloseReason, words: str = "") -> None:
        """The session is over; `words` for people tell more. Calling it again does nothing."""
        if session.closed:
            return
        session.over()
        self.stats.went(session, closing, words)
        self.identities.went(session)
        for member in members_of(session):
            self.leave(member)
        self.sessions.pop(session.number, None)
        self._half_closed.forget(session)
        self.rate_limit.forget(session)
        self.pastes.forget(session)

    def close(
        self, session: Session, closing: CloseReason, words: str = "", retry_ms: int | None = None, *, aside: str = ""
    ) -> None:
        """Close the session from our side, with a farewell: `words` for people; the peer may come back in `retry_ms`.
        `aside` follows the words and is for the peer alone: it is neither logged nor stored."""
        if not session.closed:
            reason = closing.told(words + aside)
            session.tell(Bye(closing.code, reason) if retry_ms is None else Bye(closing.code, reason, retry_ms))
            session.flush()
            session.transport.close(closing, words)
            self.disconnect(session, closing, words)

    def turn_away(self, session: Session) -> bool:
        """Close the session if it is banned; return whether it was. A page is told its standing, to show until when."""
        ban = self.bans.on(session)
        if ban is not None:
            session.tell(standing_of(session, self.bans, self.mutes))
            self.close(session, CloseReason.BANNED, words_of(ban, self.clock.wall()))
        return ban is not None

    def half_closed(self, session: Session, closing: CloseReason = CloseReason.LEFT) -> None:
        """The peer has stopped sending, and everything it sent has been handled: close once it has received what it is
        owed (`core.sessions.half_closed`), at once if that is nothing. `closing` is LOST where the connection is known
        to be broken."""
        self._half_closed.begin(session, closing)
        if session.closed:
            return
        for member in members_of(session):
            if len(member.room.attendance.here(session)) == 1:
                self._notices.went(member)
        self.clock.soon()

    def find(self, session_id: str) -> Session | None:
        """The session with that id; None when there is none (any more)."""
        return self.sessions.get(int(session_id, 16)) if SESSION_ID.fullmatch(session_id) else None

    def rename(self, session: Session, nick: str | None) -> None:
        """Give the person of the session another nick, or a guest's (None); their other connections are told. Raises
        Refusal."""
        if nick == session.nick:
            return
        if nick is not None:
            self.bans.check_nick(name_rules.nick(nick))
        old = session.nick
        self.identities.rename(session, nick)
        self.stats.recent.note(session.number, "renamed", f"{old} to {session.nick}")
        self._renamed(session, old)

    def _renamed(self, session: Session, old: str) -> None:
        """The person of the session was called `old` until now: tell their rooms and their other connections."""
        for each in session.connections:
            if each is not session:
                each.tell(Notice(wording.YOU_ARE.format(nick=each.nick), nick=each.nick))
            for member in members_of(each):
                if member.room.attendance.first(member) is member:
                    self._notices.renamed(member, old)
                    self.remote_presence.changed(member.room.name, (old, session.nick))

    # Rooms

    def enter(self, session: Session, room: Room, cursor: int | None = None) -> Member:
        """Make the session a member whose cursor stands at `cursor` (the head if None); it reads once the room attaches
        it (`Room.attach`)."""
        member = Member(session, room, room.log.head if cursor is None else cursor)
        room.members[session] = member
        room.attendance.enter(member)
        session.enter(room.name, member)
        self.remote_presence.changed(room.name)
        self.stats.recent.note(session.number, "joined", room.name)
        self.identities.came_in(session, room.name)
        if session.door is not Door.HTTP:
            self._notices.came(member)
        return member

    def leave(self, member: Member) -> None:
        """Take the session out of the room."""
        session, room = member.session, member.room
        session.leave(room.name, member)
        if not session.closed:
            self.stats.recent.note(session.number, "parted", room.name)
        was_here = room.members.pop(session, None) is not None
        self.remote_presence.changed(room.name)
        member.attached = False
        if was_here and room.attendance.leave(member):
            self._notices.went(member)
        if not session.closed:
            self.identities.changed(session)
        self.rooms.forget_if_idle(room)

    def say(
        self,
        member: Member,
        texts: list[str],
        kind: Kind = Kind.SAY,
        id: str | None = None,
        paste: PasteSize | None = None,
        whole: str = "",
    ) -> None:
        """Post gated `texts` to the member's room, each as a message; the caller has checked the rate. A single one
        may be acknowledged under an `id`, and may be the beginning of a `paste`, `whole` then is all of it.

        An `id` that this identity has used before is acknowledged, not posted again. Raises Refusal.
        """
        session, room = member.session, member.room
        now, door, word, author = self.clock.wall(), str(session.door), str(kind), session.author or session.sign()
        name, nick, number = room.name, session.nick, session.number
        messages = []  # not by a comprehension, in which each of these names would cost a cell
        for text in texts:
            message = Message(name, now, nick, door, word, text, number, 0, author)
            messages.append(message)
        if paste is not None:
            message.paste, message.whole = paste, whole
        answer: Answer[Posted | Refusal] | None = None
        if id is not None and session.identity is not None:
            answer, first = self.idempotency.begin((session.identity.id, id))
            answer.then(partial(acknowledge, session, id))
            if not first:
                return
            message.identity, message.id = session.identity.id, id
        muted = self.mutes.refusal(self.mutes.on(session)) if self.mutes.by_id else None
        if muted is not None and answer is not None:
            answer.set(muted)
            return
        if muted is not None:
            raise muted
        self.commits.submit(Draft(room, messages, member, answer))

    def limit(self, limits: Limits) -> None:
        """Apply these limits from now on; a room's log shrinks with its next message."""
        before, self.limits = self.limits, limits
        self.rooms.limit(limits)
        self._stalls.limit(limits.stall_seconds)
        self.rate_limit.changed(before, limits, self.sessions.values())

    # The tick

    def pump(self, session: Session) -> None:
        """The session's transport can take more again: send what is owed, then serve it from the logs like the
        others."""
        if session.closed:
            return
        session.unblock()
        session.flush()
        if not session.blocked:
            for member in members_of(session):
                member.room.catch_up(member)
            if session.ending:
                self.clock.soon()

    @property
    def busy(self) -> bool:
        """Something that was received is not yet committed and offered to every reader."""
        return self.commits.busy or self._delivery.pending

    def tick(self) -> None:
        """Run the due timers, begin one commit, make a bounded number of sends; ask to be called again if more is
        left."""
        done = False
        try:
            self.clock.wake()
            self.commits.begin()
            self.identities.serve()
            self.catch_ups.serve()
            self._delivery.serve()
            if self._delivery.failed:
                self._end_failed()
            # After the sends, because a half-closed session is closed as soon as it has received what it is owed.
            self._half_closed.serve()
            # `due` and not `busy`: while a batch is in flight the journal's answer asks for the next tick, and until
            # then a tick would find nothing to do, again and again.
            left = self.commits.due or self._delivery.pending or self.catch_ups.pending or self.identities.pending
            done = not left
        finally:
            self.clock.rest(done)

    # What the parts call

    def _look_at_clock(self) -> None:
        self.journal.keep_time(self.clock.trusted.look())
        self.clock.later(LOOK_SECONDS, self._look_at_clock)

    def _recalled(self, memory: Memory | JournalError) -> None:
        if isinstance(memory, JournalError):
            log.error(wording.LOG_IDENTITIES_UNREAD, memory)
            return
        self.idempotency.recall(memory.receipts)
        self.identities.recall(memory.people)

    def _stalled(self, session_id: str, seconds: float) -> None:
        session = self.find(session_id)
        if session is not None:
            self.close(session, CloseReason.STALLED, wording.STALLED.format(time=short_duration(seconds)))

    def _replace(self, session: Session) -> None:
        self.close(session, CloseReason.REPLACED, wording.REPLACED.format(count=CONNECTIONS))

    def _end_failed(self) -> None:
        failed, self._delivery.failed = self._delivery.failed, []
        for session, reason in failed:
            if isinstance(session, Session) and not session.closed:
                log.error(wording.LOG_CANNOT_WRITE, session.id, session.address, reason)
                try:
                    session.transport.close(CloseReason.FAILED, "")
                except Exception as problem:
                    log.error(wording.LOG_CANNOT_CLOSE, session.id, session.address, problem)
                self.disconnect(session, CloseReason.FAILED)

    def _over(self, session: Session, closing: CloseReason) -> None:
        if self.gate.stopping and closing is CloseReason.LEFT:
            return  # it still reads, so it is told like everybody else (`gateway.shutdown`)
        self.disconnect(session, closing)
        session.transport.close(closing, "")
