"""The sessions of the dashboard: how long they last, how a cookie is checked, and who may see and end whose.

Secrets are 192 random bits and kept as their SHA-256 only, so a memory dump or a slip in a log gives nobody a login.
The collection is bounded. A session is looked up by its digest: what the time of that tells is of no use.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Container
from dataclasses import dataclass

import msgspec

from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal

SESSION_IDLE = 30 * 60.0
SESSION_LIFE = 12 * 3600.0
SESSION_LIMIT = 256
SECRET_BYTES = 24
ID_BYTES = 8
AGENT_CHARACTERS = 200


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def same_secret(given: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(digest(given), digest(right))


@dataclass(slots=True, eq=False)
class AdminSession:
    """Somebody who is logged in. `id` names the session and opens nothing; `opened` and `seen` are monotonic
    seconds."""

    id: str
    operator: Operator
    agent: str
    csrf: str
    opened: float
    seen: float


class SessionRow(msgspec.Struct, frozen=True):
    """A session as it is shown. Times are ms since 1970; `current`: the one that asks."""

    id: str
    name: str
    role: str
    address: str
    agent: str
    opened: int
    seen: int
    current: bool


class AdminSessions:
    """The open sessions of the dashboard: 30 minutes without use end one, 12 hours in any case. `clock` returns
    monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sessions: dict[bytes, AdminSession] = {}

    def open(self, operator: Operator, agent: str) -> tuple[str, AdminSession]:
        """Log somebody in; the secret for the cookie, and the session. Over SESSION_LIMIT whoever was away longest
        is logged out."""
        self._sweep()
        while len(self._sessions) >= SESSION_LIMIT:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].seen)]
        secret, now = secrets.token_urlsafe(SECRET_BYTES), self._clock()
        csrf = secrets.token_urlsafe(SECRET_BYTES)
        agent = "".join(filter(str.isprintable, agent[:AGENT_CHARACTERS]))
        session = AdminSession(secrets.token_hex(ID_BYTES), operator, agent, csrf, now, now)
        self._sessions[digest(secret)] = session
        return secret, session

    def find(self, secret: str | None) -> AdminSession | None:
        """The session of a cookie, which is thereby used."""
        session = self.look(secret)
        if session is not None:
            session.seen = self._clock()
        return session

    def look(self, secret: str | None) -> AdminSession | None:
        """The session of a cookie that a page sent by itself: that is no use of it."""
        self._sweep()
        return self._sessions.get(digest(secret)) if secret else None

    def all(self) -> list[AdminSession]:
        """The open sessions, the oldest first."""
        self._sweep()
        return list(self._sessions.values())

    def seen_by(self, operator: Operator) -> list[AdminSession]:
        """Those that an operator may see, and end: an admin all of them, others those under their own name."""
        return [each for each in self.all() if _may_see(operator, each)]

    def end_by(self, operator: Operator, id: str) -> AdminSession:
        """End a session that the operator may see. Raises Refusal: forbidden for those who may not see all, otherwise
        no_such_user."""
        for session in self.seen_by(operator):
            if session.id == id:
                self.end(session)
                return session
        operator.check(Role.ADMIN)
        raise Refusal(Code.NO_SUCH_USER, "there is no such session: it may be over already")

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
        """Log out. An unknown secret is nobody."""
        if secret:
            self._sessions.pop(digest(secret), None)

    def end(self, session: AdminSession) -> None:
        """Log somebody out who need not be asking."""
        for key, each in list(self._sessions.items()):
            if each is session:
                del self._sessions[key]

    def revoke(self, names: Container[str]) -> None:
        """Log out whoever logged in by one of these names (casefolded)."""
        for session in list(self._sessions.values()):
            if session.operator.name.casefold() in names:
                self.end(session)

    def _sweep(self) -> None:
        now = self._clock()
        for key, session in list(self._sessions.items()):
            if now - session.seen > SESSION_IDLE or now - session.opened > SESSION_LIFE:
                del self._sessions[key]


def _may_see(operator: Operator, session: AdminSession) -> bool:
    return operator.role >= Role.ADMIN or operator.name == session.operator.name
