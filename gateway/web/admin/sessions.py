"""The sessions of the dashboard: how long they last, how a cookie is checked, and which an operator may see and end.

Secrets are 192 random bits, of which only the SHA-256 is kept, so that neither a memory dump nor a line in a log can be
used to log in. The number of sessions is bounded. A session is looked up by its digest, so the timing of the lookup
reveals nothing about the secret.

A restart logs nobody out: the ledger keeps the sessions, by digest, with the times of `core.clock` and a proof of the
account they were opened by, so that an account that changed while the gateway was down loses its sessions. The CSRF
token is made from the secret, so it is not stored. The time of a session's last use is stored once a minute: if the
process is killed, up to a minute of use is forgotten.

Another node of the gateway (`core.ports.cluster`) opens and ends sessions in the same ledger; when it has, they are
read again, so that a cookie is good at every node.

Why by hand: aiohttp-session keeps sessions in the cookie or in a store that it never lists, and here an operator sees
and ends them, at every node.
"""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Container
from dataclasses import dataclass

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.ports.cluster import Cluster, Forgotten, LoginsChanged, Missed
from gateway.core.ports.ledger import Ledger
from gateway.core.protocol.events import storage_refusal
from gateway.core.roles import Operator, Role
from gateway.errors import Code, JournalError, Refusal

log = logging.getLogger("gateway.admin")

SESSION_IDLE = 30 * 60.0
SESSION_LIFE = 12 * 3600.0
SESSION_LIMIT = 256
SECRET_BYTES = 24
ID_BYTES = 8
AGENT_CHARACTERS = 200
STORED_AGAIN_AFTER = 5.0
"""Seconds after which what could not be stored is tried again, at the next request to the dashboard."""
WRITTEN_EVERY = 60.0
"""Seconds between two times that the sessions' last use is stored."""
BY_LINK = "link"
"""The name of an operator who used a one-time link, `link:ana` if they gave one; and the proof of such a session."""


def cookie_name(secure: bool, base_path: str) -> str:
    """The cookie's name; under TLS one that browsers tie to the host and never send without TLS. Such a cookie cannot
    have a path of its own, so the base path is part of the name, with "+" for its slashes."""
    return ("__Host-gateway" if secure else "gateway_session") + base_path.replace("/", "+")


def digest(secret: str) -> bytes:
    """The SHA-256 of a secret, which is all that is kept of it."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def same_secret(given: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(digest(given), digest(right))


def csrf_of(secret: str) -> str:
    """The CSRF token of a session: it cannot be made without the cookie."""
    return hmac.digest(secret.encode(), b"csrf", "sha256").hex()[: 2 * SECRET_BYTES]


@dataclass(slots=True, eq=False)
class AdminSession:
    """A login. `id` names the session but cannot be used to log in; `opened` and `seen` are seconds of trusted
    time. `proof` is the account's (`Accounts.proof`), or BY_LINK. `csrf` is known during a request."""

    id: str
    operator: Operator
    agent: str
    csrf: str
    opened: float
    seen: float
    proof: str


class KeptSession(msgspec.Struct, frozen=True):
    """A session as the ledger keeps it, under the digest of its secret in hex."""

    key: str
    id: str
    name: str
    role: str
    source: str
    agent: str
    opened: float
    seen: float
    proof: str


class SessionRow(msgspec.Struct, frozen=True):
    """A session for the list. Times are ms since 1970; `current`: the one that asks."""

    id: str
    name: str
    role: str
    address: str
    agent: str
    opened: int
    seen: int
    current: bool


class AdminSessions:
    """The open sessions of the dashboard: 30 minutes without use end one, 12 hours in any case. `clock` returns seconds
    of trusted time, `proof` the proof of an account."""

    def __init__(
        self, clock: Callable[[], float], ledger: Ledger, proof: Callable[[str], str], cluster: Cluster
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._proof = proof
        self._sessions: dict[bytes, AdminSession] = {}
        self._written = 0.0
        self._changes = 0
        self._stored: Answer[Refusal | None] = Answer.of(None)
        self._failed = False
        """Whether the ledger holds something else, because it could not store what there is."""
        cluster.hear(LoginsChanged, lambda changed: self.start())
        cluster.hear(Forgotten, lambda forgotten: self._keep())
        cluster.hear(Missed, lambda missed: self.start())

    def start(self) -> None:
        """Load the stored sessions, in place of those known now."""
        changes = self._changes
        self._ledger.logins().then(lambda text: self._recalled(text, changes))

    def _recalled(self, text: str | JournalError, changes: int) -> None:
        if changes != self._changes:
            self.start()  # what was read is older than what has been stored from here meanwhile
            return
        try:
            if isinstance(text, JournalError):
                raise ValueError(text)
            kept = msgspec.json.decode(text or "[]", type=list[KeptSession])
        except ValueError as problem:
            log.warning(wording.LOG_LOGINS_UNREAD, problem)
            return
        known, self._sessions = self._sessions, {}
        for each in kept[:SESSION_LIMIT]:
            if each.role.upper() in Role.__members__ and each.proof and each.proof == self._proof_of(each.name):
                operator = Operator(each.name, Role[each.role.upper()], each.source)
                key, seen = bytes.fromhex(each.key), each.seen
                if key in known:
                    seen = max(seen, known[key].seen)
                self._sessions[key] = AdminSession(each.id, operator, each.agent, "", each.opened, seen, each.proof)
        self._sweep()

    def _proof_of(self, name: str) -> str:
        return self._proof(name) or (BY_LINK if name.partition(":")[0] == BY_LINK else "")

    def _keep(self) -> None:
        self._written = self._clock()
        self._changes += 1
        kept = [
            KeptSession(
                key.hex(), each.id, each.operator.name, each.operator.role.word, each.operator.source, each.agent,
                each.opened, each.seen, each.proof,
            )
            for key, each in self._sessions.items()
        ]  # fmt: skip
        self._stored = self._ledger.keep_logins(msgspec.json.encode(kept).decode()).map(self._kept)

    def _kept(self, failure: JournalError | None) -> Refusal | None:
        self._failed = failure is not None
        if failure is None:
            return None
        log.warning(wording.LOG_LOGINS_UNSTORED, failure)
        return storage_refusal(failure)

    def stored(self) -> Answer[Refusal | None]:
        """Comes once the sessions are stored as they are, or with the refusal when they could not be: before that,
        after a kill, a new cookie would be worth nothing and an ended one something."""
        return self._stored

    def open(self, operator: Operator, agent: str) -> tuple[str, AdminSession]:
        """Log an operator in; return the secret for the cookie, and the session. Above SESSION_LIMIT the session unused
        for longest ends."""
        self._sweep()
        while len(self._sessions) >= SESSION_LIMIT:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].seen)]
        secret, now = secrets.token_urlsafe(SECRET_BYTES), self._clock()
        agent = "".join(filter(str.isprintable, agent[:AGENT_CHARACTERS]))
        proof = self._proof_of(operator.name)
        session = AdminSession(secrets.token_hex(ID_BYTES), operator, agent, csrf_of(secret), now, now, proof)
        self._sessions[digest(secret)] = session
        self._keep()
        return secret, session

    def find(self, secret: str | None) -> AdminSession | None:
        """The session of a cookie; this counts as use."""
        session = self.look(secret)
        if session is not None:
            session.seen = self._clock()
            if session.seen - self._written >= WRITTEN_EVERY:
                self._keep()
        return session

    def look(self, secret: str | None) -> AdminSession | None:
        """The session of a cookie in a request that a page made by itself, which does not count as use."""
        self._sweep()
        session = self._sessions.get(digest(secret)) if secret else None
        if session is not None and secret:
            session.csrf = csrf_of(secret)
        return session

    def all(self) -> list[AdminSession]:
        """The open sessions, the oldest first."""
        self._sweep()
        return list(self._sessions.values())

    def seen_by(self, operator: Operator) -> list[AdminSession]:
        """The sessions that an operator may see, and end: an admin all of them, others those under their own name."""
        return [each for each in self.all() if _may_see(operator, each)]

    def end_by(self, operator: Operator, id: str) -> AdminSession:
        """End a session that the operator may see. Raises Refusal: forbidden for those who may not see all, otherwise
        no_such_user."""
        for session in self.seen_by(operator):
            if session.id == id:
                self.end(session)
                return session
        operator.check(Role.ADMIN)
        raise Refusal(Code.NO_SUCH_USER, wording.NO_SUCH_SESSION)

    def row(self, session: AdminSession, current: AdminSession | None, wall: int) -> SessionRow:
        """A session as it is shown at `wall` (ms since 1970)."""
        moment = wall - self._clock() * 1000
        return SessionRow(
            id=session.id,
            name=session.operator.name,
            role=session.operator.role.word,
            address=session.operator.source.rpartition(" ")[2],
            agent=session.agent,
            opened=int(moment + session.opened * 1000),
            seen=int(moment + session.seen * 1000),
            current=session is current,
        )

    def close(self, secret: str | None) -> None:
        """Log out. An unknown secret does nothing."""
        if secret and self._sessions.pop(digest(secret), None) is not None:
            self._keep()

    def end(self, session: AdminSession) -> None:
        """End a session, not necessarily the one that asks."""
        for key, each in list(self._sessions.items()):
            if each is session:
                del self._sessions[key]
        self._keep()

    def revoke(self, names: Container[str]) -> None:
        """End the sessions of these accounts (casefolded names)."""
        for session in list(self._sessions.values()):
            if session.operator.name.casefold() in names:
                self.end(session)

    def _sweep(self) -> None:
        now = self._clock()
        if self._failed and now - self._written >= STORED_AGAIN_AFTER:
            self._keep()
        for key, session in list(self._sessions.items()):
            if now - session.seen > SESSION_IDLE or now - session.opened > SESSION_LIFE:
                del self._sessions[key]


def _may_see(operator: Operator, session: AdminSession) -> bool:
    return operator.role >= Role.ADMIN or operator.name == session.operator.name
