"""Identity: who a peer is across connections, and the token or code that proves it.

One person may be connected several times: tabs, a telephone, a terminal. All of those are one identity with one nick
and one rate; each connection has rooms of its own. A browser gets a token with its first hello and presents it in every
tab and whenever it comes back. A terminal gets a short code when it asks for one or is disconnected by a drain, and
whoever enters that code, at a terminal or in a page, is that person too. Both are good until IDENTITY_SECONDS after the
last connection, a code only once; the nick is kept from others for NICK_SECONDS after it.

A token is the identity's id signed with a key in the data folder, so it cannot be forged; what belongs to the identity
is stored in the journal. A code has to be short enough to type, so guessing is made slow instead: each wrong code costs
the caller of `Identities.by_code` time, and is counted like a wrong password.

The names of accounts (`admin.accounts`) are kept for those who log in. An account has one identity, so that its owner
is one person on all devices; that one is never forgotten.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Container, Iterable

from gateway.core.clock import Clock
from gateway.core.ports.journal import Person
from gateway.core.sessions.nick_holders import NICK_SECONDS
from gateway.core.sessions.session import NOTHING_READ, Identity, Session

IDENTITY_SECONDS = 600.0
IDENTITIES = 100_000
"""Absent identities, at most; the longest absent is forgotten first."""
SWEEP_SECONDS = 5.0
CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""No 0 O 1 I: a code is read from one screen and typed into another."""
CODE_LENGTH = 6
CODES = 8
"""Codes of one identity that can be used at a time; the earliest is forgotten first."""
CONNECTIONS = 8
"""Connections of one identity; the earliest is closed when one more comes."""


class Identities:
    """The identities that are connected or may come back. `key` signs tokens."""

    def __init__(self, key: bytes, clock: Clock, random_bits: Callable[[int], int]) -> None:
        self._mac = hmac.new(key, digestmod="sha256")
        """Copied for each token: beginning anew with the key costs three times as much."""
        self._clock = clock
        self._random_bits = random_bits
        self._known: dict[str, Identity] = {}
        self._codes: dict[str, Identity] = {}
        self._accounts: dict[str, Identity] = {}
        self._absent: dict[Identity, None] = {}

    def recall(self, people: Iterable[Person]) -> list[Identity]:
        """Load what the journal has stored, the longest absent first; return the identities."""
        for person in people:
            identity = self.learn(person)
            identity.codes = tuple(person.codes)
            self._codes |= dict.fromkeys(person.codes, identity)
        return list(self._absent)

    def learn(self, person: Person) -> Identity:
        """This is what is stored of a person who is not connected here, but perhaps at another node."""
        identity = self._known.get(person.identity)
        if identity is None:
            identity = self._known[person.identity] = Identity(person.identity, person.nick)
            identity.holds_nick = False
        now = self._clock.trusted.now()
        identity.roams = not person.seen
        identity.nick, identity.rooms, identity.gone_at = person.nick, tuple(person.rooms), min(person.seen or now, now)
        identity.reads = {room: (epoch, seq) for room, epoch, seq in person.reads} or NOTHING_READ
        self.own(identity, person.account)
        self._absent.pop(identity, None)
        self._absent[identity] = None
        return identity

    def own(self, identity: Identity, account: str) -> None:
        """The identity is that of the account, if it is not empty."""
        identity.account = account
        if account:
            self._accounts[account.casefold()] = identity

    def new(self, session: Session) -> Identity:
        """A new identity for a session."""
        identity = Identity(f"{self._random_bits(64):016x}", session.nick)
        self._known[identity.id] = identity
        self.come(identity, session)
        return identity

    def of_account(self, name: str) -> Identity:
        """The identity of an account, new and absent if it has none yet."""
        identity = self._accounts.get(name.casefold())
        if identity is None:
            identity = Identity(f"{self._random_bits(64):016x}", name, gone_at=self._clock.trusted.now())
            identity.holds_nick = False
            self._known[identity.id] = self._accounts[name.casefold()] = identity
            self._absent[identity] = None
        identity.account = name
        return identity

    def disown(self, accounts: Container[str]) -> list[Identity]:
        """There are no accounts but these (casefolded): the others' owners are like everybody else from now on. Return
        those who are absent."""
        disowned = [self._accounts.pop(name) for name in list(self._accounts) if name not in accounts]
        for identity in disowned:
            identity.account = ""
        return [identity for identity in disowned if identity.latest is None]

    def by_id(self, id: str) -> Identity | None:
        """The identity with that id, also if its token proves nothing any more; None when it is forgotten."""
        return self._known.get(id)

    def renew(self, account: str) -> Identity | None:
        """What proved the owner of the account (casefolded) until now no longer does; return who that was, None
        if nobody has logged in yet. The next login finds how far the owner has read."""
        earlier = self._accounts.pop(account, None)
        if earlier is not None:
            self.of_account(earlier.account).reads = earlier.reads
            earlier.account, earlier.reads, earlier.codes = "", NOTHING_READ, ()
            self._known.pop(earlier.id)
            self._codes = {code: each for code, each in self._codes.items() if each is not earlier}
        return earlier

    def new_code(self, identity: Identity) -> str:
        """One more code that proves the identity."""
        while True:
            bits = self._random_bits(5 * CODE_LENGTH)
            code = "".join(CODE_LETTERS[bits >> 5 * place & 31] for place in range(CODE_LENGTH))
            if code not in self._codes:
                break
        for earliest in identity.codes[: max(0, len(identity.codes) + 1 - CODES)]:
            self.use_up(identity, earliest)
        identity.codes = (*identity.codes, code)
        self._codes[code] = identity
        return code

    def use_up(self, identity: Identity, code: str) -> None:
        """The code has been used: it proves nothing any more."""
        identity.codes = tuple(each for each in identity.codes if each != code)
        self._codes.pop(code, None)

    def token(self, identity: Identity) -> str:
        """The token that proves the identity."""
        return f"{identity.id}.{self._signature(identity.id)}"

    def here(self) -> list[Identity]:
        """Those that are connected."""
        return [each for each in self._known.values() if each.latest is not None]

    def proven(self, token: str) -> str | None:
        """The id that a token proves, perhaps of an identity that is unknown or expired; None when it is forged."""
        id, _, signature = token.partition(".")
        right = hmac.compare_digest(signature.encode("utf-8", "replace"), self._signature(id).encode())
        return id if right else None

    def by_token(self, token: str) -> Identity | None:
        """The identity that a token proves; None when the token is forged, unknown or expired."""
        id = self.proven(token)
        return None if id is None else self._living(id)

    def by_code(self, code: str) -> Identity | None:
        """The identity that a code (`letters_of`) proves; None when it is unknown, used or expired."""
        identity = self._codes.get(code)
        return None if identity is None else self._living(identity.id)

    def come(self, identity: Identity, session: Session) -> None:
        """The identity is connected through `session` as well from now on."""
        identity.connect([*identity.connections, session])
        session.prove(identity)
        self._absent.pop(identity, None)

    def go(self, identity: Identity, session: Session) -> None:
        """A connection of the identity has ended, or belongs to another one now; call it while the session's rooms are
        still known."""
        identity.note()
        identity.connect([each for each in identity.connections if each is not session])
        if identity.latest is None:
            # One that proves nothing any more is stored as gone for ever, so that no restart brings it back.
            identity.gone_at = self._clock.trusted.now() if identity.id in self._known else 1
            self._absent[identity] = None

    def sweep(self) -> tuple[list[Identity], bool]:
        """Forget the identities that have been absent too long. Return those whose nick is to be released, and whether
        any is still absent."""
        now = self._clock.trusted.now()
        released = []
        for identity in list(self._absent):
            away = (now - identity.gone_at) / 1000
            if away < NICK_SECONDS and len(self._absent) <= IDENTITIES:
                break
            if identity.holds_nick and not identity.owns_nick:
                released.append(identity)
            if away >= IDENTITY_SECONDS or len(self._absent) > IDENTITIES:
                self._forget(identity)
        return released, bool(self._absent)

    def _forget(self, identity: Identity) -> None:
        """Its token and its codes prove nothing any more. What belongs to an account stays for its next login."""
        del self._absent[identity]
        for code in identity.codes:
            self.use_up(identity, code)
        if not identity.account:
            self._known.pop(identity.id, None)

    def _living(self, id: str) -> Identity | None:
        identity = self._known.get(id)
        if identity is None or identity.latest is not None:
            return identity
        return identity if (self._clock.trusted.now() - identity.gone_at) / 1000 < IDENTITY_SECONDS else None

    def _signature(self, id: str) -> str:
        mac = self._mac.copy()
        mac.update(id.encode("utf-8", "replace"))
        return urlsafe_b64encode(mac.digest()[:15]).decode()


def person_of(identity: Identity) -> Person:
    """What the journal stores of an identity."""
    reads = [(room, *place) for room, place in identity.reads.items()]
    seen = 0 if identity.latest is not None else identity.gone_at
    return Person(identity.id, identity.nick, identity.rooms, seen, identity.codes, reads, identity.account)


def letters_of(code: str) -> str:
    """A code without regard to how it was typed: `K7Q2MX`."""
    return code.upper().replace("-", "").replace(" ", "")


def spelled(code: str) -> str:
    """A code as it is shown: `K7Q2-MX`."""
    return f"{code[:4]}-{code[4:]}"
