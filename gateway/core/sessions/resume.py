"""Resuming: gives newcomers a guest name and returning peers their identity, and remembers those that have left.

A nick is held by the identity, or by the session where there is none (a terminal, until it asks for a code). Changes of
identities are stored with the next tick, all in one transaction; a welcome waits for that.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.ports import Journal, Person
from gateway.core.sessions import nicknames
from gateway.core.sessions.identity import NICK_SECONDS, SWEEP_SECONDS, Identities, Nicknames
from gateway.core.sessions.session import Identity, Session
from gateway.core.stats.recent import RecentEvents
from gateway.errors import Code, JournalError, Refusal

log = logging.getLogger(__name__)

ANSWERS_PER_TICK = 50
"""Mostly welcomes: each takes about 0.2 ms in a full room."""


class IdentityRegistry:
    """The hub's identities. `replace` closes the older connection of an identity."""

    def __init__(
        self,
        journal: Journal,
        identities: Identities,
        nicks: Nicknames,
        clock: Clock,
        recent: RecentEvents,
        replace: Callable[[Session], None],
    ) -> None:
        self.identities = identities
        self.nicks = nicks
        self._journal = journal
        self._clock = clock
        self._recent = recent
        self._replace = replace
        self._changed: dict[Identity, None] = {}
        self._waiting: list[Answer[JournalError | None]] = []
        self._answers: deque[tuple[Answer[JournalError | None], JournalError | None]] = deque()
        self._sweeping = False

    def recall(self, people: Iterable[Person]) -> None:
        """Load the identities that may come back, from before a restart, the longest absent first."""
        now = self._clock.trusted.now()
        for identity in self.identities.recall(people):
            identity.holds_nick = (now - identity.gone_at) / 1000 < NICK_SECONDS and self.nicks.claim(
                identity.nick, identity
            )
        self._sweep_later()

    def settle(self, session: Session, token: str | None) -> Refusal | None:
        """Give the session the identity that its token proves, or a new one; return what could not be done, if
        anything."""
        identity = self.identities.by_token(token) if token is not None else None
        if identity is not None:
            return self.take_over(session, identity)
        self._hand_over(session, self.identities.new(session))
        if token is None:
            return None
        return Refusal(Code.TOKEN_INVALID, wording.TOKEN_INVALID_NEW)

    def take_over(self, session: Session, identity: Identity) -> Refusal | None:
        """The session is the identity's from now on; its older connection is closed."""
        if identity.session is not None and identity.session is not session:
            self._replace(identity.session)
        self._let_go(session.identity, identity)
        guest = session.nick
        session.is_known()
        self.nicks.release(guest)
        self.identities.come(identity, session)
        identity.resumed += 1
        self._recent.note(session.number, "resumed", identity.nick)
        self._changed[identity] = None
        if self.nicks.claim(identity.nick, identity):
            session.call(identity.nick)
            identity.holds_nick = True
            return None
        lost, identity.nick = identity.nick, guest
        identity.holds_nick = self.nicks.claim(guest, identity)
        return Refusal(Code.NICK_TAKEN, wording.NICK_LOST.format(lost=lost, nick=guest))

    def _let_go(self, earlier: Identity | None, identity: Identity) -> None:
        """The session had another identity until now, which is absent from here on and loses the nick."""
        if earlier is not None and earlier is not identity:
            earlier.holds_nick = False
            self.identities.go(earlier)
            self._changed[earlier] = None
            self._sweep_later()

    def code(self, session: Session) -> str:
        """The code with which a terminal comes back."""
        if session.identity is None:
            self._hand_over(session, self.identities.new_code(session))
            self._clock.soon()
        assert session.identity is not None
        return session.identity.id

    def rename(self, session: Session, nick: str) -> None:
        """Give the session another nick. Raises Refusal."""
        old, nick = session.nick, nicknames.nick(nick)
        self.nicks.take(nick, session.identity or session)
        self.nicks.release(old, keep=nick)
        session.call(nick)
        self.changed(session)

    def changed(self, session: Session) -> None:
        """The session's nick or rooms have changed: store them."""
        if session.identity is not None:
            self._changed[session.identity] = None
            self._clock.soon()

    def went(self, session: Session) -> None:
        """The session is over; call it while its rooms are still known."""
        identity = session.identity
        if identity is None:
            self.nicks.release(session.nick)
        elif identity.session is session:
            self.identities.go(identity)
            self._changed[identity] = None
            self._sweep_later()
            self._clock.soon()

    def stored(self) -> Answer[JournalError | None]:
        """Comes when all changes so far are stored, with an error if they could not be."""
        answer: Answer[JournalError | None] = Answer()
        self._waiting.append(answer)
        self._clock.soon()
        return answer

    @property
    def pending(self) -> bool:
        """There is something to store, or a callback to call."""
        return bool(self._changed or self._waiting or self._answers)

    def serve(self) -> None:
        """Store what has changed, and call some of the callbacks whose changes are stored; part of the tick."""
        if self._changed or self._waiting:
            self._store()
        for _ in range(min(len(self._answers), ANSWERS_PER_TICK)):
            answer, failure = self._answers.popleft()
            answer.set(failure)

    def _store(self) -> None:
        for identity in self._changed:
            identity.note()
        people = [identity.person() for identity in self._changed]
        waiting = self._waiting
        self._changed, self._waiting = {}, []

        def stored(failure: JournalError | None) -> None:
            if failure is not None:
                log.warning(wording.LOG_PEOPLE_UNSTORED, len(people), failure)
            self._answers += [(answer, failure) for answer in waiting]
            self._clock.soon()

        self._journal.remember(people).then(stored)

    def _hand_over(self, session: Session, identity: Identity) -> None:
        self.nicks.release(session.nick)
        self.nicks.claim(session.nick, identity)
        self._changed[identity] = None

    def _sweep_later(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._clock.later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = False
        released, more = self.identities.sweep()
        for identity in released:
            identity.holds_nick = False
            self.nicks.release(identity.nick)
        if more:
            self._sweep_later()
