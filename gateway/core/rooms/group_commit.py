"""Group commit: messages that have gathered go to the journal as one batch, with one batch in flight at a time.

Why batches: a commit costs about the same for one message as for a thousand, so under load the batch grows by itself to
what arrives during one commit, and nothing waits for a timer. Why one at a time: the journal numbers messages in the
order of its batches, and a failed batch must not be overtaken by one that was sent after it.

With a journal that several nodes share, what is shown and in which order is decided by its feed (`core.ports.journal`):
`arrived` and `settle` take each message of a batch singly, and the journal's answer only ends the batch.

Only the journal's answer decides what becomes of a message: it is published and then acknowledged, or it is refused. So
nobody is shown what a crash would lose. While too many messages wait, a session that sends one more is held until the
next answer.
"""

import logging
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.ports.journal import Journal
from gateway.core.protocol.events import error_event, storage_refusal
from gateway.core.protocol.message import Message
from gateway.core.rooms.fanout import Member, Room
from gateway.core.rooms.idempotency import Posted
from gateway.core.rooms.registry import Rooms
from gateway.core.sessions.half_closed import HalfClosed
from gateway.core.sessions.session import Session
from gateway.core.stats.recent import Statistics
from gateway.errors import JournalError, Refusal

log = logging.getLogger(__name__)

INCOMING_MESSAGES = 10_000
"""Messages that may wait for the journal; beyond that, senders are held."""
INCOMING_PASTE_BYTES = 32 << 20
"""The same for pastes, in bytes."""
FAILURE_SECONDS = 2.0
"""How long a failed batch counts as a storage failure, if no other comes."""


class Draft(msgspec.Struct, gc=False):
    """What somebody has said in one go, on its way to the journal: one message or several, in order, their room, and
    the session or callback that waits for the outcome. An `answer` is that to the only message."""

    room: Room
    messages: list[Message]
    member: Member | None
    answer: Answer[Posted | Refusal] | None


_room_of = attrgetter("room")


class GroupCommit:
    """The messages that wait for the journal. `stats` counts how long each batch takes, and is told when storing begins
    to fail and when it works again; `half_closed` is told of each message of an ending session that was committed or
    refused; `committed` gets each batch. `shared`: the journal has a feed."""

    def __init__(
        self,
        journal: Journal,
        rooms: Rooms,
        clock: Clock,
        stats: Statistics,
        half_closed: HalfClosed,
        committed: Callable[[list[Message]], None],
        shared: bool = False,
    ) -> None:
        self._journal = journal
        self._rooms = rooms
        self._clock = clock
        self._took, self._recent = stats.counters.commits, stats.recent
        self._half_closed = half_closed
        self._committed = committed
        self._shared = shared
        self._sent: dict[int, Draft] = {}
        """With a feed: those of the batch in flight that are not settled, by the identity of their message."""
        self._incoming: list[Draft] = []
        self._count = self._paste_bytes = 0
        """Their messages, and the bytes of the pastes among them."""
        self._committing = False
        self._began = 0.0
        self._failure: Refusal | None = None
        self._failed_at = 0.0
        self._crowded_out: list[Session] = []
        self._waiting: list[tuple[Session, Answer[None]]] = []

    @property
    def crowded(self) -> bool:
        """Whether too many messages wait for the journal to accept more."""
        return self._count > INCOMING_MESSAGES or self._paste_bytes > INCOMING_PASTE_BYTES

    @property
    def busy(self) -> bool:
        """A message is not committed yet."""
        return bool(self._incoming or self._committing)

    @property
    def due(self) -> bool:
        """Messages are waiting, and no batch is in flight."""
        return bool(self._incoming and not self._committing)

    def submit(self, draft: Draft) -> None:
        """Queue messages for the next tick's commit; while it is crowded, hold their sender."""
        if not self._incoming:
            self._clock.soon()
        self._incoming.append(draft)
        count = len(draft.messages)
        self._count += count
        draft.room.pending += count
        if whole := draft.messages[0].whole:
            self._paste_bytes += len(whole)
        if draft.member is not None:
            session = draft.member.session
            session.pending += count
            if self._count > INCOMING_MESSAGES or self._paste_bytes > INCOMING_PASTE_BYTES:
                session.hold()
                self._crowded_out.append(session)

    def begin(self) -> None:
        """Hand the journal a batch, if one is due; part of the tick."""
        if self.due:
            drafts, self._incoming, self._count, self._paste_bytes = self._incoming, [], 0, 0
            self._committing = True
            self._began = self._clock.now()
            batch: list[Message] = []
            for draft in drafts:
                batch += draft.messages
            if self._shared:
                self._sent = {
                    id(each): Draft(it.room, [each], it.member, it.answer) for it in drafts for each in it.messages
                }
            self._journal.append(batch, lambda answer: self._answered(drafts, answer))

    def after_own(self, session: Session) -> Answer[None]:
        """Comes once every message of the session has been committed or refused; at once, if none is on its way."""
        answer: Answer[None] = Answer()
        self._answer_after(session, answer)
        return answer

    def _answer_after(self, session: Session, answer: Answer[None]) -> None:
        if session.pending:
            self._waiting.append((session, answer))
        else:
            answer.set(None)

    def probe(self) -> Answer[Refusal | None]:
        """What keeps messages from being stored, None if nothing does: a recent failure, or the journal's answer to an
        empty batch, which checks its disk and its file like any other."""
        if self._failure is not None and self._clock.now() < self._failed_at + FAILURE_SECONDS:
            return Answer.of(self._failure)
        probed: Answer[list[Message] | JournalError] = Answer()
        self._journal.append([], probed.set)
        return probed.map(lambda found: storage_refusal(found) if isinstance(found, JournalError) else None)

    def _tell(self, words: str) -> None:
        """Tell operators, in the log and on the dashboard: once when a failure begins, once when it ends."""
        log.warning(wording.LOG_STORAGE, words)
        self._recent.note(0, "storage", words)

    def arrived(self, room: Room, message: Message) -> None:
        """The feed hands on the room's next message, somebody's or one that was sent from here."""
        draft = self._sent.pop(id(message), None)
        if draft is None:
            room.publish([Draft(room, [message], None, None)])
        else:
            self._show([draft])

    def settle(self, message: Message, outcome: Posted | Refusal) -> None:
        """A message that was sent from here does not arrive: it was stored before, or is refused."""
        draft = self._sent.pop(id(message), None)
        if draft is not None:
            self._end([draft], outcome)

    def _answered(self, drafts: list[Draft], answer: list[Message] | JournalError) -> None:
        self._committing = False
        if self._shared:
            drafts, self._sent = list(self._sent.values()), {}
        self._took.add(self._clock.now() - self._began)
        if isinstance(answer, JournalError):
            if self._failure is None:
                self._tell(wording.STORAGE_FAILS.format(problem=answer))
            self._failure, self._failed_at = storage_refusal(answer), self._clock.now()
            self._end(drafts, self._failure)
        else:
            if self._failure is not None:
                self._tell(wording.STORAGE_WORKS)
            self._failure = None
            self._show(drafts)
            if not self._shared:
                self._committed(answer)
        waiting, self._waiting = self._waiting, []
        for session, own in waiting:
            self._answer_after(session, own)
        released, self._crowded_out = self._crowded_out, []
        for session in released:
            session.release()
        self._clock.soon()

    def _show(self, drafts: list[Draft]) -> None:
        for room, its in groupby(drafts, key=_room_of):
            said = list(its)
            room.pending -= room.publish(said)
            for draft in said:
                member = draft.member
                if member is not None:
                    session = member.session
                    session.pending -= len(draft.messages)
                    if session.ending:
                        self._half_closed.committed(session)
                if draft.answer is not None:
                    draft.answer.set(Posted(room.name, room.epoch, draft.messages[0].seq))
            if not room.members:
                # Posted by HTTP into an empty room: nobody will leave it, which is when a room is usually forgotten.
                self._rooms.forget_if_idle(room)

    def _end(self, drafts: list[Draft], outcome: Posted | Refusal) -> None:
        """Tell the senders of drafts that are not shown."""
        for draft in drafts:
            room, member, count = draft.room, draft.member, len(draft.messages)
            room.pending -= count
            if member is not None:
                member.session.pending -= count
                if member.session.ending:
                    self._half_closed.committed(member.session)
            if draft.answer is not None:
                draft.answer.set(outcome)
            elif member is not None and isinstance(outcome, Refusal):
                for _ in draft.messages:
                    member.session.tell(error_event(outcome))
            self._rooms.forget_if_idle(room)
