"""Who may see the dashboard: one-time login links, and the sessions they open.

Secrets are 192 random bits and kept as their SHA-256 only, so a memory dump or a slip in a log gives nobody a login.
Both collections are bounded. A session is looked up by its digest: what the time of that tells is of no use.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Container
from dataclasses import dataclass

from gateway.core.operators.roles import Operator

LINK_LIFE = 15 * 60.0
SESSION_IDLE = 30 * 60.0
SESSION_LIFE = 12 * 3600.0
LINK_LIMIT = 32
SESSION_LIMIT = 256
SECRET_BYTES = 24
ID_BYTES = 8
AGENT_CHARACTERS = 200


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def same_secret(given: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(_digest(given), _digest(right))


@dataclass(slots=True)
class _Link:
    ends: float
    used: bool = False


class LoginLinks:
    """One-time tokens. `clock` answers monotonic seconds. The last LINK_LIMIT links are remembered, also when they are
    used up, so that people can be told what is wrong with theirs."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._links: dict[bytes, _Link] = {}

    def mint(self) -> str:
        """A fresh token, good once within 15 minutes."""
        while len(self._links) >= LINK_LIMIT:
            del self._links[next(iter(self._links))]
        token = secrets.token_urlsafe(SECRET_BYTES)
        self._links[_digest(token)] = _Link(self._clock() + LINK_LIFE)
        return token

    def problem(self, token: str) -> str | None:
        """Why `token` would not log in: "unknown", "used" or "expired". None: it would. Does not use it up."""
        link = self._find(token)
        if link is None:
            return "unknown"
        if link.used:
            return "used"
        return "expired" if self._clock() > link.ends else None

    def use(self, token: str) -> str | None:
        """Use `token` up, if there is no `problem` with it, which is answered."""
        problem = self.problem(token)
        link = self._find(token)
        if problem is None and link is not None:
            link.used = True
        return problem

    def _find(self, token: str) -> _Link | None:
        wanted, found = _digest(token), None
        for digest, link in self._links.items():
            if hmac.compare_digest(digest, wanted):
                found = link
        return found


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


class AdminSessions:
    """The open sessions of the dashboard: 30 minutes without use end one, 12 hours in any case."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sessions: dict[bytes, AdminSession] = {}

    def open(self, operator: Operator, agent: str) -> tuple[str, AdminSession]:
        """Log somebody in; the secret for the cookie, and the session. Over SESSION_LIMIT whoever was away longest
        is logged out."""
        self._sweep()
        while len(self._sessions) >= SESSION_LIMIT:
            del self._sessions[min(self._sessions, key=lambda digest: self._sessions[digest].seen)]
        secret, now = secrets.token_urlsafe(SECRET_BYTES), self._clock()
        csrf = secrets.token_urlsafe(SECRET_BYTES)
        agent = "".join(filter(str.isprintable, agent[:AGENT_CHARACTERS]))
        session = AdminSession(secrets.token_hex(ID_BYTES), operator, agent, csrf, now, now)
        self._sessions[_digest(secret)] = session
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
        return self._sessions.get(_digest(secret)) if secret else None

    def all(self) -> list[AdminSession]:
        """The open sessions, the oldest first."""
        self._sweep()
        return list(self._sessions.values())

    def close(self, secret: str | None) -> None:
        """Log out. An unknown secret is nobody."""
        if secret:
            self._sessions.pop(_digest(secret), None)

    def end(self, session: AdminSession) -> None:
        """Log somebody out who need not be asking."""
        for digest, each in list(self._sessions.items()):
            if each is session:
                del self._sessions[digest]

    def revoke(self, names: Container[str]) -> None:
        """Log out whoever logged in by one of these names (casefolded)."""
        for session in list(self._sessions.values()):
            if session.operator.name.casefold() in names:
                self.end(session)

    def _sweep(self) -> None:
        now = self._clock()
        for digest, session in list(self._sessions.items()):
            if now - session.seen > SESSION_IDLE or now - session.opened > SESSION_LIFE:
                del self._sessions[digest]
