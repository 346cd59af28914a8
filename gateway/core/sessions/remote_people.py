"""Remote people: what a node asks of the others about people and nicks, and what it hears of them (`ports.cluster`).

The rest of the core knows only people that this node knows, and decides at once. So whoever needs somebody or something
that another node may have asks here first, and goes on when the answer is there: with a token (`look_up`), a code
(`by_code`), an account (`look_up_account`) or a nick (`ask_for`). What was learned is then known here as if the person
had left this node a moment ago. A node alone knows everything, so all of these answer at once.

A person may be connected to several nodes. Each of them stores what changes (`IdentityRegistry`); the others hear it
and change the same: the nick, how far the person has read, the account. A nick that two nodes gave away while they
could not reach each other belongs to whoever the store says; the other becomes a guest, and is told.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway import wording
from gateway.core import name_rules, sanitize
from gateway.core.answer import Answer
from gateway.core.ports.cluster import Cluster, CodeUsed, Missed, PersonChanged, Whisper
from gateway.core.ports.journal import Person
from gateway.core.protocol.events import Notice, Private, Read, error_event, storage_refusal
from gateway.core.sessions.identity import letters_of
from gateway.core.sessions.identity_registry import IdentityRegistry
from gateway.core.sessions.nick_holders import Holder, Nicknames
from gateway.core.sessions.session import OWED_BYTES, Identity, Session
from gateway.errors import Code, JournalError, Refusal


class Rename(Protocol):
    """Gives the person of a session another nick, a guest's if it is None, and tells everybody; raises Refusal."""

    def __call__(self, session: Session, nick: str | None) -> None: ...


class RemotePeople:
    """What the nodes know together. `rename` is the hub's, `renamed` tells everybody that the person of a session was
    called differently until now."""

    def __init__(
        self,
        cluster: Cluster,
        registry: IdentityRegistry,
        rename: Rename,
        renamed: Callable[[Session, str], None],
    ) -> None:
        self._cluster = cluster
        self._registry = registry
        self._nicks: Nicknames = registry.nicks
        self._rename = rename
        self._renamed = renamed
        cluster.hear(PersonChanged, lambda fact: self._changed(fact.person))
        cluster.hear(CodeUsed, lambda fact: self._used(fact.identity, fact.code))
        cluster.hear(Whisper, self._written)
        cluster.hear(Missed, lambda fact: self._say_again())

    # Asking

    def settle(self, session: Session) -> None:
        """A new session has drawn a guest name: take no input until it is certain that it is nobody else's."""
        if self._cluster.node:
            session.hold()
            self._nicks.ask(session.nick, session).then(lambda theirs: session.release())

    def look_up(self, token: str | None) -> Answer[Refusal | None]:
        """Learn who the token proves; a Refusal when that cannot be said now."""
        id = None if token is None else self._registry.identities.proven(token)
        if id is None or self._is_here(self._registry.identities.by_id(id)):
            return Answer.of(None)
        return self._cluster.person(id).map(self._learn)

    def look_up_account(self, account: str) -> Answer[Refusal | None]:
        """Learn whose account that is."""
        return self._cluster.person_of(account).map(self._learn)

    def absence(self, nick: str) -> Answer[str]:
        """Why nobody with that nick is to be found at any node: perhaps somebody has left, and when."""

        def known(id: str) -> Answer[Person | JournalError | None]:
            return self._cluster.person(id) if id else self._cluster.person_of(nick)

        def words(person: Person | JournalError | None) -> str:
            self._learn(person)
            holder = self._registry.identities.by_id(person.identity) if isinstance(person, Person) else None
            return self._nicks.absence(nick, holder)

        return self.identity_of(nick).chain(known).map(words)

    def by_code(self, session: Session, code: str) -> Answer[Identity | Refusal | None]:
        """The person that the code proves, who the session is not yet. It can be used only now."""
        if not self._cluster.node:
            return Answer.of(self._registry.by_code(session, code))

        def used(person: Person | JournalError | None) -> Identity | Refusal | None:
            failed = self._learn(person)
            known = self._registry.identities
            return failed or (known.by_id(person.identity) if isinstance(person, Person) else None)

        own = "" if session.identity is None else session.identity.id
        return self._cluster.use_code(letters_of(code), own).map(used)

    def ask_for(self, session: Session, nick: str) -> Answer[Refusal | None]:
        """Make sure that nobody at another node has the nick that the session is going to take. What is wrong with it
        otherwise is not looked at."""
        try:
            wanted = name_rules.nick(nick)
        except Refusal as refusal:
            return Answer.of(refusal)
        if not self._cluster.node or wanted == session.nick or self._nicks.held(wanted):
            return Answer.of(None)
        holder = session.identity or session

        def answered(theirs: bool | JournalError) -> Refusal | None:
            if theirs is True:
                self._nicks.give_back(wanted, holder)
            return self._refusal(wanted, not theirs, theirs)

        return self._nicks.ask(wanted, holder).map(answered)

    def is_free(self, nick: str) -> Answer[Refusal | None]:
        """Make sure that nobody at another node has the (valid) nick."""
        return self._cluster.held(name_rules.keys(nick)).map(lambda held: self._refusal(nick, bool(held), held))

    def _refusal(self, nick: str, taken: bool, answer: bool | JournalError) -> Refusal | None:
        if isinstance(answer, JournalError):
            return storage_refusal(answer)
        return self._nicks.taken(nick) if taken else None

    def reaches(self, nick: str) -> Answer[Refusal | None]:
        """Make sure that somebody with that nick is connected to another node."""
        return self.nodes_of(nick).map(lambda found: found if isinstance(found, Refusal) else None)

    def nodes_of(self, nick: str) -> Answer[Sequence[str] | Refusal]:
        """The ids of the nodes to which the person with that nick is connected, at least one; a Refusal when there is
        nobody, or when that cannot be told now."""
        try:
            keys = name_rules.keys(name_rules.any_nick(nick))
        except Refusal:
            keys = ()

        def reached(found: Sequence[str] | JournalError) -> Sequence[str] | Refusal:
            if isinstance(found, JournalError):
                return storage_refusal(found)
            nobody = wording.NOBODY_CALLED.format(nick=sanitize.shown(nick))
            return found or Refusal(Code.NO_SUCH_USER, nobody)

        return self._cluster.reached(keys).map(reached)

    def identity_of(self, nick: str) -> Answer[str]:
        """The id of the identity at another node that has the nick; empty when none has, or nobody can be asked."""
        try:
            keys = name_rules.keys(name_rules.any_nick(nick))
        except Refusal:
            return Answer.of("")

        def known(owner: str | JournalError) -> str:
            return "" if isinstance(owner, JournalError) or owner.startswith("~") else owner

        return self._cluster.holder(keys).map(known)

    def write(self, whisper: Whisper) -> None:
        """Send a private message to the connections of both at other nodes."""
        self._cluster.tell(whisper)

    def lost(self, nick: str, holder: Holder) -> None:
        """Somebody at another node has the nick of a person here, who becomes a guest."""
        if isinstance(holder, Identity) and holder.latest is None:
            self._registry.release(holder)
            return
        session = holder.connections[-1]
        self._rename(session, None)
        if not name_rules.is_guest(nick):
            session.tell(error_event(self._nicks.taken(nick)))

    # Hearing

    def _is_here(self, identity: Identity | None) -> bool:
        return identity is not None and identity.latest is not None

    def _learn(self, person: Person | JournalError | None) -> Refusal | None:
        if isinstance(person, JournalError):
            return storage_refusal(person)
        if person is not None and not self._is_here(self._registry.identities.by_id(person.identity)):
            self._registry.learn(person)
        return None

    def _changed(self, person: Person) -> None:
        identity = self._registry.identities.by_id(person.identity)
        if identity is None:
            return
        if identity.latest is None:
            self._registry.learn(person)
            return
        self._registry.identities.own(identity, person.account)
        for room, epoch, seq in person.reads:
            if identity.read(room, epoch, seq):
                for each in identity.connections:
                    if room in each.rooms and each.wire.objects and len(each.owed) < OWED_BYTES:
                        each.tell(Read(room, epoch, seq))
        old = identity.latest.nick
        if old != person.nick and self._registry.follow(identity, person.nick):
            identity.latest.tell(Notice(wording.YOU_ARE.format(nick=person.nick), nick=person.nick))
            self._renamed(identity.latest, old)

    def _used(self, id: str, code: str) -> None:
        identity = self._registry.identities.by_id(id)
        if identity is not None:
            self._registry.identities.use_up(identity, code)

    def _written(self, whisper: Whisper) -> None:
        event = Private(whisper.sender, whisper.to, whisper.ts, whisper.text)
        readers = [each for each in self._nicks.sessions(whisper.to) if len(each.owed) < OWED_BYTES]
        for each in dict.fromkeys([*readers, *self._nicks.sessions(whisper.sender)]):
            each.tell(event)
        for each in readers:
            self._registry.wrote(whisper.sender, each)
            if each.private_waits is not None:
                each.private_waits(whisper.sender)

    def _say_again(self) -> None:
        """What this node had told may be forgotten: tell it again."""
        self._registry.remember_again()
        self._nicks.claim_again()
