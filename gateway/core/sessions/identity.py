"""Identity: who a peer is across connections, the token or code that proves it, and the nicknames in use.

A browser gets a token with its first hello and presents it when it comes back; a terminal gets a short code when it
asks for one or is disconnected by a drain. Either restores the nick and the rooms, for IDENTITY_SECONDS after the last
connection; the nick is kept from others for NICK_SECONDS. If one identity connects twice, the latest connection wins.

A token is the identity's id signed with a key in the data folder, so it cannot be forged; what belongs to the identity
is stored in the journal. A code has to be short enough to type, so guessing is made slow instead: each wrong code costs
the caller of `Identities.by_code` time.

`Nicknames` maps each nick to the session or the identity that holds it, so the two can never hold the same one.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from itertools import chain

from gateway import wording
from gateway.core import sanitize
from gateway.core.clock import Clock
from gateway.core.ports import Person
from gateway.core.sessions import nicknames
from gateway.core.sessions.session import Identity, Session
from gateway.errors import Code, Refusal

IDENTITY_SECONDS = 600.0
NICK_SECONDS = 120.0
IDENTITIES = 100_000
"""Absent identities, at most; the longest absent is forgotten first."""
SWEEP_SECONDS = 5.0
CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""No 0 O 1 I: a code is read from one screen and typed into another."""
CODE_LENGTH = 6


class Identities:
    """The identities that are connected or may come back. `key` signs tokens."""

    def __init__(self, key: bytes, clock: Clock, random_bits: Callable[[int], int]) -> None:
        self._key = key
        self._clock = clock
        self._random_bits = random_bits
        self._known: dict[str, Identity] = {}
        self._absent: dict[Identity, None] = {}

    def recall(self, people: Iterable[Person]) -> list[Identity]:
        """Load what the journal has stored, the longest absent first; return the identities."""
        now = self._clock.trusted.now()
        for person in people:
            identity = Identity(person.identity, person.nick, tuple(person.rooms), min(person.seen, now))
            self._known[identity.id] = identity
            self._absent[identity] = None
        return list(self._absent)

    def new(self, session: Session) -> Identity:
        """A new identity for a browser's session."""
        return self._add(f"{self._random_bits(64):016x}", session)

    def new_code(self, session: Session) -> Identity:
        """A new identity for a terminal's session; its id is the code."""
        while True:
            bits = self._random_bits(5 * CODE_LENGTH)
            code = "".join(CODE_LETTERS[bits >> 5 * place & 31] for place in range(CODE_LENGTH))
            if code not in self._known:
                return self._add(code, session)

    def token(self, identity: Identity) -> str:
        """The token that proves the identity."""
        return f"{identity.id}.{self._signature(identity.id)}"

    def by_token(self, token: str) -> Identity | None:
        """The identity that a token proves; None when the token is forged, unknown or expired."""
        id, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._signature(id).encode()):
            return None
        return self._living(id)

    def by_code(self, code: str) -> Identity | None:
        """The identity that a code proves, however it is typed; None when it is unknown or expired."""
        letters = code.upper().replace("-", "").replace(" ", "")
        return self._living(letters) if len(letters) == CODE_LENGTH else None

    def come(self, identity: Identity, session: Session) -> None:
        """The identity is connected through `session` from now on."""
        identity.session = session
        session.prove(identity)
        self._absent.pop(identity, None)

    def go(self, identity: Identity) -> None:
        """The identity's last connection has ended."""
        identity.note()
        identity.session = None
        identity.gone_at = self._clock.trusted.now()
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
            if identity.holds_nick:
                released.append(identity)
            if away >= IDENTITY_SECONDS or len(self._absent) > IDENTITIES:
                del self._absent[identity]
                del self._known[identity.id]
        return released, bool(self._absent)

    def _add(self, id: str, session: Session) -> Identity:
        identity = self._known[id] = Identity(id, session.nick)
        self.come(identity, session)
        return identity

    def _living(self, id: str) -> Identity | None:
        identity = self._known.get(id)
        if identity is None or identity.session is not None:
            return identity
        return identity if (self._clock.trusted.now() - identity.gone_at) / 1000 < IDENTITY_SECONDS else None

    def _signature(self, id: str) -> str:
        mac = hmac.new(self._key, id.encode("utf-8", "replace"), hashlib.sha256).digest()
        return urlsafe_b64encode(mac[:15]).decode()


def spelled(code: str) -> str:
    """A code as it is shown: `K7Q2-MX`."""
    return f"{code[:4]}-{code[4:]}"


GUESTS = 1 << 16


Holder = Session | Identity


class Nicknames:
    """The nicks of the sessions that are connected and of the identities that may come back.

    `random_bits` draws guest names.
    """

    def __init__(self, random_bits: Callable[[int], int]) -> None:
        self._random_bits = random_bits
        self._roster: nicknames.Roster[Holder] = nicknames.Roster()

    def claim(self, nick: str, holder: Holder) -> bool:
        """Give the holder a valid nick; return False when another has it or one that looks like it."""
        return self._roster.claim(nick, holder)

    def take(self, nick: str, holder: Holder) -> None:
        """As `claim`, but raise Refusal, which proposes a free nick."""
        if not self.claim(nick, holder):
            raise Refusal(Code.NICK_TAKEN, wording.NICK_TAKEN.format(nick=nick, other=self._variant(nick)))

    def release(self, nick: str, keep: str | None = None) -> None:
        """Free the nick, except where it looks like `keep`."""
        self._roster.release(nick, keep)

    def find(self, nick: str) -> Session:
        """The session with that nick. Raises Refusal."""
        holder = self._roster.holder(nick)
        session = holder.session if isinstance(holder, Identity) else holder
        if session is None:
            raise Refusal(Code.NO_SUCH_USER, wording.NOBODY_CALLED.format(nick=sanitize.shown(nick)))
        return session

    def sessions(self, nick: str) -> list[Session]:
        """The sessions whose nick is that one or looks like it."""
        holders = dict.fromkeys(self._roster.holders(nick))
        found = (holder.session if isinstance(holder, Identity) else holder for holder in holders)
        return [session for session in found if session is not None]

    def held(self, nick: str) -> bool:
        """Whether somebody has that nick or one that looks like it."""
        return self._roster.holder(nick) is not None

    def guest(self) -> str:
        """A free guest name. Raises Refusal when all are taken."""
        drawn = (nicknames.guest(self._random_bits(16)) for _ in range(64))
        for nick in chain(drawn, map(nicknames.guest, range(GUESTS))):
            if not self.held(nick):
                return nick
        raise Refusal(Code.FULL, wording.NO_GUEST_NAME, retry_ms=30_000)

    def _variant(self, nick: str) -> str:
        variants = (f"{nick[:29]}{number}" for number in range(2, 1000))
        return next((variant for variant in variants if not self.held(variant)), wording.NICK_TAKEN_OTHER)
