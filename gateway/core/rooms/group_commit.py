"""Messages on their way to the journal: what has gathered goes as one batch, and one batch is in flight at a time.

Only its answer says what becomes of a message: it is published, then acknowledged, or it is refused. So nobody is shown
what a crash would lose. While too many wait, whoever sends one more is held until the next answer.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

from gateway.core.clock import Clock
from gateway.core.ports import Journal
from gateway.core.protocol.message import Message
from gateway.core.protocol.refusals import error_event, storage_refusal
from gateway.core.rooms.fanout import Member, Room
from gateway.core.rooms.idempotency import Answer, Posted
from gateway.core.rooms.registry import Rooms
from gateway.core.sessions.half_closed import HalfClosed
from gateway.core.sessions.session import Session
from gateway.core.stats.counters import Histogram
from gateway.core.stats.recent import RecentEvents
from gateway.errors import JournalError, Refusal

log = logging.getLogger(__name__)

INCOMING_MESSAGES = 10_000
"""Messages that may wait for the journal; from here on senders are held."""
FAILURE_SECONDS = 2.0
"""How long a batch that could not be stored counts, if no other comes."""


class Draft(NamedTuple):
    """A message on its way to the journal, the room it is for, and who waits for the answer."""

    room: Room
    message: Message
    member: Member | None
    done: Answer | None


class GroupCommit:
    """What waits for the journal. `took` counts how long each batch takes; `half_closed` hears of each message of an
    ending session that was committed or refused; `recent` of the moment when storing begins to fail, and works again.
    """

    def __init__(
        self,
        journal: Journal,
        rooms: Rooms,
        clock: Clock,
        *,
        took: Histogram,
        half_closed: HalfClosed,
        recent: RecentEvents,
    ) -> None:
        self._journal = journal
        self._rooms = rooms
        self._clock = clock
        self._took = took
        self._half_closed = half_closed
        self._recent = recent
        self._incoming: list[Draft] = []
        self._committing = False
        self._began = 0.0
        self._failure: Refusal | None = None
        self._failed_at = 0.0
        self._crowded_out: list[Session] = []
        self._waiting: list[tuple[Session, Callable[[], None]]] = []

    @property
    def crowded(self) -> bool:
        """So much waits for the journal that no more should be taken in."""
        return len(self._incoming) > INCOMING_MESSAGES

    @property
    def busy(self) -> bool:
        """Something is not committed yet."""
        return bool(self._incoming or self._committing)

    @property
    def due(self) -> bool:
        """There is a batch, and the journal is free."""
        return bool(self._incoming and not self._committing)

    def submit(self, draft: Draft) -> None:
        """Hand a message to the next tick's commit; its sender is held while it is crowded."""
        draft.room.pending += 1
        self._incoming.append(draft)
        if draft.member is not None:
            session = draft.member.session
            session.submitted()
            if self.crowded:
                session.hold()
                self._crowded_out.append(session)
        self._clock.soon()

    def begin(self) -> None:
        """Hand the journal what is due; part of the tick."""
        if self.due:
            drafts, self._incoming = self._incoming, []
            self._committing = True
            self._began = self._clock.now()
            batch = [draft.message for draft in drafts]
            self._journal.append(batch, lambda answer: self._answered(drafts, answer))

    def after_own(self, session: Session, job: Callable[[], None]) -> None:
        """Do `job` once every message of the session has been committed or refused; now, if none is on its way."""
        if session.pending:
            self._waiting.append((session, job))
        else:
            job()

    def probe(self, done: Callable[[Refusal | None], None]) -> None:
        """Answer what keeps messages from being stored, None if nothing does: a failure just now, or what the journal
        says to a batch of none, which looks at its disk and its file like any other."""
        if self._failure is not None and self._clock.now() < self._failed_at + FAILURE_SECONDS:
            done(self._failure)
            return

        def answered(answer: list[Message] | JournalError) -> None:
            done(storage_refusal(answer) if isinstance(answer, JournalError) else None)

        self._journal.append([], answered)

    def _tell(self, words: str) -> None:
        """Tell those who run the gateway, in its log and on the dashboard: once when it begins, once when it ends."""
        log.warning("storage: %s", words)
        self._recent.note(0, "storage", words)

    def _answered(self, drafts: list[Draft], answer: list[Message] | JournalError) -> None:
        self._committing = False
        self._took.add(self._clock.now() - self._began)
        if isinstance(answer, JournalError):
            if self._failure is None:
                self._tell(f"messages cannot be stored: {answer}")
            self._failure, self._failed_at = storage_refusal(answer), self._clock.now()
            self._refuse(drafts, self._failure)
        else:
            if self._failure is not None:
                self._tell("messages are stored again")
            self._failure = None
            self._show(drafts)
        waiting, self._waiting = self._waiting, []
        for session, job in waiting:
            self.after_own(session, job)
        released, self._crowded_out = self._crowded_out, []
        for session in released:
            session.release()
        self._clock.soon()

    def _show(self, drafts: list[Draft]) -> None:
        for room, message, member, done in drafts:
            room.pending -= 1
            room.publish(message, member)
            if member is not None:
                member.session.answered()
                if member.session.ending:
                    self._half_closed.committed(member.session)
            if done is not None:
                done(Posted(room.name, room.epoch, message.seq))
            if not room.members:
                # Posted from outside into a room where nobody is: nobody will leave it and so let it be forgotten.
                self._rooms.forget_if_idle(room)

    def _refuse(self, drafts: list[Draft], refusal: Refusal) -> None:
        for room, _, member, done in drafts:
            room.pending -= 1
            if member is not None:
                member.session.answered()
                if member.session.ending:
                    self._half_closed.committed(member.session)
            if done is not None:
                done(refusal)
            elif member is not None:
                member.session.tell(error_event(refusal))
            self._rooms.forget_if_idle(room)
