"""The registry of identities: makes a connection one of a person's connections, and remembers people who have left.

A nick is held by the identity, or by the session where there is none (a terminal, until it asks for a code). A
connection that proves to be somebody else leaves what it was: an identity without any other connection loses its nick
at once. Changes of identities are stored with the next tick, all in one transaction; a welcome waits for that.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from gateway import wording
from gateway.core import name_rules
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.ports.cluster import Cluster
from gateway.core.ports.journal import Journal, Person
from gateway.core.protocol.events import storage_refusal
from gateway.core.sessions.identity import SWEEP_SECONDS, Identities, letters_of, person_of
from gateway.core.sessions.identity_connections import IdentityConnections
from gateway.core.sessions.nick_holders import NICK_SECONDS, Nicknames
from gateway.core.sessions.session import Identity, Session
from gateway.core.stats.recent import RecentEvents
from gateway.errors import Code, JournalError, Refusal

log = logging.getLogger(__name__)

ANSWERS_PER_TICK = 50
"""Mostly welcomes: each takes about 0.2 ms in a full room."""

DEPARTURE_SECONDS = 1.0
"""A departure is stored with the next change, at the latest after so long. A crash loses only its time: people who
were connected then count as gone since. At once where other nodes are to know it, and where a code is to bring a
terminal back to its place."""


class IdentityRegistry:
    """The hub's identities. `replace` closes a connection of an identity that has too many."""

    def __init__(
        self,
        journal: Journal,
        identities: Identities,
        nicks: Nicknames,
        clock: Clock,
        recent: RecentEvents,
        replace: Callable[[Session], None],
        cluster: Cluster,
    ) -> None:
        self.identities = identities
        self.nicks = nicks
        self._journal = journal
        self._clock = clock
        self._recent = recent
        self._connections = IdentityConnections(cluster, identities, clock, replace)
        self._cluster = cluster
        self._changed: dict[Identity, None] = {}
        self._waiting: list[Answer[JournalError | None]] = []
        self._answers: deque[tuple[Answer[JournalError | None], JournalError | None]] = deque()
        self._sweeping = False
        self._departing = False
        """Whether a tick has been asked for that stores departures."""
        self._codes: dict[Session, str] = {}
        self._entering: dict[Session, list[str]] = {}
        """Rooms that are stored with the person's before a page is told that it is in them."""
        self._writers: dict[Session, Session | Identity | str] = {}

    def recall(self, people: Iterable[Person]) -> None:
        """Load the identities that may come back, from before a restart, the longest absent first."""
        now = self._clock.trusted.now()
        for identity in self.identities.recall(people):
            is_kept = identity.owns_nick or (now - identity.gone_at) / 1000 < NICK_SECONDS
            identity.holds_nick = is_kept and self.nicks.claim(identity.nick, identity)
        self._sweep_later()

    def reserve(self, accounts: Iterable[str]) -> None:
        """Only those who log in to these accounts have their names from now on."""
        names = list(accounts)
        self.nicks.reserve(names)
        for identity in self.identities.disown({name.casefold() for name in names}):
            self.release(identity)

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
        """The session, which is in no room, is one of the identity's connections from now on; return what could not be
        done, if anything. Its other connections are told, and the earliest is closed when there are too many."""
        guest = session.nick
        self._let_go(session, identity)
        session.is_known()
        self.identities.come(identity, session)
        identity.resumed += 1
        self._recent.note(session.number, "resumed", identity.nick)
        self._changed[identity] = None
        lost = "" if self.nicks.claim(identity.nick, identity) else identity.nick
        if lost:
            identity.nick = self.nicks.guest() if self.nicks.held(guest) else guest
            self.nicks.take(identity.nick, identity)
        identity.holds_nick = True
        session.call(identity.nick)
        self._connections.came(identity, session)
        return Refusal(Code.NICK_TAKEN, wording.NICK_LOST.format(lost=lost, nick=identity.nick)) if lost else None

    def _let_go(self, session: Session, identity: Identity) -> None:
        """The session was somebody else until now, who loses the nick unless another connection remains."""
        earlier = session.identity
        if earlier is None:
            self.nicks.release(session.nick)
        elif earlier is not identity:
            self._go(earlier, session)
            self._changed[earlier] = None
            if earlier.latest is None:
                self.release(earlier)
                self._sweep_later()

    def _go(self, identity: Identity, session: Session) -> None:
        self.identities.go(identity, session)
        self._connections.went(identity)

    def renew(self, account: str) -> list[Session]:
        """See `Identities.renew`; return the connections of who owned the account until now."""
        earlier = self.identities.renew(account)
        if earlier is None:
            return []
        self._changed[earlier] = None
        if earlier.latest is None:
            self.release(earlier)
        return earlier.connections

    def begin_anew(self, session: Session) -> None:
        """The session, which is in no room, is somebody new under a guest's name."""
        assert session.identity is not None
        self._go(session.identity, session)
        if session.identity.latest is None:
            self.release(session.identity)
        session.call(self.nicks.guest())
        self._hand_over(session, self.identities.new(session))

    def call(self, identity: Identity, nick: str) -> None:
        """An absent identity has this nick from now on; nobody else has it."""
        if identity.latest is None and identity.nick != nick:
            self.release(identity)
            identity.nick = nick

    def learn(self, person: Person) -> None:
        """What another node has stored of a person who is not connected here."""
        identity = self.identities.by_id(person.identity)
        if identity is not None:
            self.call(identity, person.nick)
        self.identities.learn(person)
        self._sweep_later()

    def follow(self, identity: Identity, nick: str) -> bool:
        """The person, who is connected here, has taken another nick at another node; return whether it is free here."""
        old = identity.connections[-1].nick
        if not self.nicks.claim(nick, identity):
            return False
        self.nicks.release(old, keep=nick)
        for each in identity.connections:
            each.call(nick)
        return True

    def remember_again(self) -> None:
        """Store again what belongs to everybody who is connected."""
        self._changed |= dict.fromkeys(self.identities.here())
        self._clock.soon()

    def release(self, identity: Identity) -> None:
        """An absent identity loses its nick, unless it is its own account's name."""
        if identity.holds_nick and not identity.owns_nick:
            identity.holds_nick = False
            self.nicks.release(identity.nick)

    def code(self, session: Session) -> str:
        """A code with which somebody becomes the person of this session; the same until it is used."""
        if session.identity is None:
            self._hand_over(session, self.identities.new(session))
        identity = session.identity
        assert identity is not None
        code = self._codes.get(session)
        if code is None or code not in identity.codes:
            code = self._codes[session] = self.identities.new_code(identity)
            self._cluster.keep_code(code, identity.id)
            self.changed(session)
        return code

    def stored_code(self, session: Session) -> Answer[str | Refusal]:
        """As `code`, once it is stored: until then another node, or this one after a kill, would not know it."""
        code = self.code(session)
        return self.stored().map(lambda failure: code if failure is None else storage_refusal(failure))

    def wrote(self, sender: Session | str, receiver: Session) -> None:
        """The sender, at another node if it is a nick, has written to the receiver privately: /reply goes there."""
        self._writers[receiver] = sender if isinstance(sender, str) else sender.identity or sender

    def writer(self, session: Session) -> Session | Identity | str | None:
        """Who has written to the session privately last; the nick of somebody at another node."""
        return self._writers.get(session)

    def by_code(self, session: Session, code: str) -> Identity | None:
        """The person that the code proves, who the session is not yet; None otherwise."""
        identity = self.identities.by_code(letters_of(code))
        return None if identity is session.identity else identity

    def use_up(self, identity: Identity, code: str) -> None:
        """The code has been used: it proves nothing any more."""
        self.identities.use_up(identity, letters_of(code))
        self._changed[identity] = None

    def rename(self, session: Session, nick: str | None) -> None:
        """Give the person of the session another nick, or a guest's (None). Raises Refusal."""
        old, nick = session.nick, self.nicks.guest() if nick is None else name_rules.nick(nick)
        self.nicks.take(nick, session.identity or session)
        self.nicks.release(old, keep=nick)
        for each in session.connections:
            each.call(nick)
        self.changed(session)

    def read(self, session: Session, room: str, epoch: str, seq: int) -> bool:
        """The person of the session has seen the room up to `seq`; return whether that is further than before."""
        if session.identity is None or not session.identity.read(room, epoch, seq):
            return False
        self.changed(session)
        return True

    def enters(self, session: Session, rooms: Iterable[str]) -> None:
        """The session, a page, is about to enter these rooms."""
        self._entering[session] = list(rooms)
        self.changed(session)

    def stored_entering(self, session: Session, room: str) -> Answer[JournalError | None]:
        """Comes when it is stored that the session is about to enter the room, or that has failed: people can still
        read then. Comes at once for those who are in it, and for terminals, which nobody brings back by a token."""
        known = self._entering.get(session, ())
        if session.terminal or session.identity is None or room in session.rooms or room in known:
            return Answer.of(None)
        self.enters(session, [*known, room])
        return self.stored()

    def entered(self, session: Session, room: str) -> None:
        """The session is in the room, or was refused."""
        rooms = [each for each in self._entering.pop(session, ()) if each != room]
        if rooms:
            self._entering[session] = rooms

    def changed(self, session: Session) -> None:
        """Note that what is stored of the session's person has changed."""
        if session.identity is not None:
            self._changed[session.identity] = None
            self._clock.soon()

    def came_in(self, session: Session, room: str) -> None:
        """The session is a member of the room now. Where it is stored already that it was about to be, only its place
        there is new: that is stored with the next change, at once only if a code is to bring a terminal back to it."""
        identity = session.identity
        if identity is not None and (identity.codes or room not in self._entering.get(session, ())):
            self.changed(session)

    def went(self, session: Session) -> None:
        """The session is over; call it while its rooms are still known."""
        self._codes.pop(session, None)
        self._entering.pop(session, None)
        self._writers.pop(session, None)
        identity = session.identity
        if identity is None:
            self.nicks.release(session.nick)
        elif session in identity.connections:
            self._go(identity, session)
            self._changed[identity] = None
            if identity.codes or self._cluster.node:
                self._clock.soon()
            elif not self._departing:
                self._departing = True
                self._clock.later(DEPARTURE_SECONDS, self._departed)
            if identity.latest is None:
                self._sweep_later()

    def _departed(self) -> None:
        self._departing = False  # the tick that calls this stores what has changed

    def stored(self) -> Answer[JournalError | None]:
        """Comes when all changes so far are stored, with an error if they could not be."""
        answer: Answer[JournalError | None] = Answer()
        self._waiting.append(answer)
        self._clock.soon()
        return answer

    @property
    def pending(self) -> bool:
        """Whether there is something to store, or a callback to call."""
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
        people = [self._person(identity) for identity in self._changed]
        waiting = self._waiting
        self._changed, self._waiting = {}, []

        def stored(failure: JournalError | None) -> None:
            if failure is not None:
                log.warning(wording.LOG_PEOPLE_UNSTORED, len(people), failure)
            self._answers += [(answer, failure) for answer in waiting]
            self._clock.soon()

        self._journal.remember(people).then(stored)

    def _person(self, identity: Identity) -> Person:
        person = person_of(identity)
        entering = [room for each in identity.connections for room in self._entering.get(each, ())]
        if not entering:
            return person
        known = {room for room, _, _ in person.rooms}
        more = tuple((room, "", 0) for room in dict.fromkeys(entering) if room not in known)
        return replace(person, rooms=(*person.rooms, *more)) if more else person

    def _hand_over(self, session: Session, identity: Identity) -> None:
        self.nicks.hand_over(session.nick, session, identity)
        self._changed[identity] = None

    def _sweep_later(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._clock.later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = False
        released, more = self.identities.sweep()
        for identity in released:
            self.release(identity)
        if more:
            self._sweep_later()
