"""Who may take a message back, until when, and the record of it.

An operator may remove any message. Its author may within AUTHOR_SECONDS, and the author is the identity that said it:
the person who holds the token, or this very connection where there is none (a terminal). A POST without a token has no
author.

Every removal is in the audit log, never with the text. What authors remove of their own is recorded up to a bound, as
strangers' attempts are, because the record never shrinks.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import NamedTuple

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.hub import Hub
from gateway.core.operators.audit import Audit, Outcome, reason_of
from gateway.core.ports.journal import Removal
from gateway.core.protocol.message import Message
from gateway.core.quantity import whole_number
from gateway.core.roles import Operator, Role
from gateway.core.rooms.history import HISTORY_MESSAGES, Past, Range
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal

AUTHOR_SECONDS = 600.0
REMOVED = "removed"
"""The reason where none is given."""
PAGES_SEARCHED = 10
"""Pages of history in which an author's last message is searched for."""


class MessagePlace(NamedTuple):
    """A message: number `seq` of a valid `room`; another `epoch` than this is refused, if one is given."""

    room: str
    seq: int
    epoch: str | None = None

    @property
    def text(self) -> str:
        """As the record shows it."""
        return f"#{self.room} {self.seq}"


class Author(NamedTuple):
    """Somebody who takes back what they said: the `identities` under which they have spoken, their nick, and the door
    and address they act from."""

    identities: Collection[str]
    nick: str
    source: str


class Redaction:
    """The verbs. A refusal is answered, not raised. `mark` is called with what an operator did, in words."""

    def __init__(self, hub: Hub, audit: Audit, mark: Callable[[str], None]) -> None:
        self._hub = hub
        self._audit = audit
        self._mark = mark

    def redact(self, operator: Operator, place: MessagePlace, reason: str) -> Answer[Outcome | Refusal]:
        """Remove a message as an operator."""
        try:
            operator.check(Role.OPERATOR)
            words = reason_of(reason) or REMOVED
        except Refusal as refusal:
            return self._refused(operator, place, reason, refusal)

        def found(message: Message | Refusal) -> Answer[Removal | Refusal]:
            return Answer.of(message) if isinstance(message, Refusal) else self._remove(message, operator.name, words)

        removed = self._hub.removals.find(*place).chain(found)
        return removed.chain(partial(self._redacted, operator, place, words))

    def _redacted(
        self, operator: Operator, place: MessagePlace, reason: str, removal: Removal | Refusal
    ) -> Answer[Outcome | Refusal]:
        if isinstance(removal, Refusal):
            return self._refused(operator, place, reason, removal)
        outcome = Outcome(wording.REDACTED.format(seq=place.seq, room=place.room), place.text)
        self._mark(f"{operator.name}: redact {place.text}")

        def recorded(failure: Refusal | None) -> Outcome | Refusal:
            if failure is None:
                return outcome
            words = wording.NOT_IN_AUDIT.format(words=outcome.words, problem=failure.text)
            return Refusal(failure.code, words, failure.retry_ms)

        return self._audit.record([self._audit.entry(operator, "redact", place.text, reason, "done")]).map(recorded)

    def _refused(
        self, operator: Operator, place: MessagePlace, reason: str, refusal: Refusal
    ) -> Answer[Outcome | Refusal]:
        self._audit.note(operator, "redact", place.text, reason, f"refused: {refusal.text}")
        return self._audit.once_stored(refusal)

    def delete(self, session: Session, room: str, words: str) -> Answer[Removal | Refusal]:
        """`/delete [SEQ]`: what the session said last in the room, or the message with that number."""
        author = Author(session.authors, session.nick, f"{session.door} {session.address}")
        seq = whole_number(words)
        if words and seq is None:
            return Answer.of(Refusal(Code.BAD_MESSAGE, wording.SAY_WHICH_MESSAGE))

        def committed(_: None) -> Answer[Removal | Refusal]:
            if seq is not None:
                return self.take_back(author, MessagePlace(room, seq))
            return self._last_said(author, room, None, PAGES_SEARCHED).chain(partial(self._take_back, author, REMOVED))

        return self._hub.commits.after_own(session).chain(committed)

    def take_back(self, author: Author, place: MessagePlace, reason: str = "") -> Answer[Removal | Refusal]:
        """Remove a message as its author."""
        try:
            words = reason_of(reason) or REMOVED
        except Refusal as refusal:
            return Answer.of(refusal)
        return self._hub.removals.find(*place).chain(partial(self._take_back, author, words))

    def _take_back(self, author: Author, reason: str, message: Message | Refusal) -> Answer[Removal | Refusal]:
        if isinstance(message, Refusal):
            return Answer.of(message)
        place = MessagePlace(message.room, message.seq)
        if message.identity not in author.identities:
            words = wording.NOT_YOURS.format(seq=message.seq)
            refusal = self._audit.stranger(author.nick, author.source, "delete", place.text, words)
            return self._audit.once_stored(refusal)
        if self._hub.clock.wall() - message.ts > AUTHOR_SECONDS * 1000:
            return Answer.of(Refusal(Code.FORBIDDEN, wording.TOO_LATE.format(seq=message.seq)))

        def record(removal: Removal | Refusal) -> Answer[Removal | Refusal]:
            if isinstance(removal, Removal):
                self._audit.own(author.nick, author.source, "delete", place.text, reason)
            return self._audit.once_stored(removal)

        return self._remove(message, author.nick, reason).chain(record)

    def _last_said(self, author: Author, room: str, before: int | None, pages: int) -> Answer[Message | Refusal]:
        """What the author said last and has not removed."""

        def search(past: Past | Refusal) -> Answer[Message | Refusal]:
            if isinstance(past, Refusal):
                return Answer.of(past)
            for message in reversed(past.messages):
                if message.identity in author.identities and not message.redacted:
                    return Answer.of(message)
            if past.more and past.messages and pages > 1:
                return self._last_said(author, room, past.messages[0].seq, pages - 1)
            return Answer.of(Refusal(Code.NO_SUCH_MESSAGE, wording.NOTHING_SAID))

        return self._hub.history.read(room, Range(before=before, limit=HISTORY_MESSAGES)).chain(search)

    def _remove(self, message: Message, by: str, reason: str) -> Answer[Removal | Refusal]:
        return self._hub.removals.remove(message, by, reason)
