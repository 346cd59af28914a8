"""Who may see the dashboard: one-time login links, and the sessions they open.

Secrets are 192 random bits and kept as their SHA-256 only, so a memory dump or a slip in a log gives nobody a login.
They are looked up by comparing with every live one in constant time; both collections are small and bounded.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

LINK_LIFE = 15 * 60.0
SESSION_IDLE = 30 * 60.0
SESSION_LIFE = 12 * 3600.0
LINK_LIMIT = 32
SESSION_LIMIT = 256
SECRET_BYTES = 24


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def same_secret(given: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(_digest(given), _digest(right))


def _find(wanted: bytes, held: dict[bytes, float]) -> bytes | None:
    found = None
    for digest in held:
        if hmac.compare_digest(digest, wanted):
            found = digest
    return found


class LoginLinks:
    """One-time tokens. `clock` answers monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: dict[bytes, float] = {}

    def mint(self) -> str:
        """A fresh token, good once within 15 minutes. Of very many unused ones the oldest goes."""
        self._forget()
        while len(self._ends) >= LINK_LIMIT:
            del self._ends[next(iter(self._ends))]
        token = secrets.token_urlsafe(SECRET_BYTES)
        self._ends[_digest(token)] = self._clock() + LINK_LIFE
        return token

    def holds(self, token: str) -> bool:
        """Whether `token` would log in. Does not use it up."""
        self._forget()
        return _find(_digest(token), self._ends) is not None

    def use(self, token: str) -> bool:
        """Use `token` up: True once."""
        self._forget()
        found = _find(_digest(token), self._ends)
        if found is None:
            return False
        del self._ends[found]
        return True

    def _forget(self) -> None:
        now = self._clock()
        self._ends = {digest: end for digest, end in self._ends.items() if end > now}


@dataclass(slots=True)
class AdminSession:
    """Somebody who is logged in. `opened` and `seen` are monotonic seconds."""

    name: str
    csrf: str
    opened: float
    seen: float


class AdminSessions:
    """The open sessions of the dashboard: 30 minutes without a request end one, 12 hours in any case."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sessions: dict[bytes, AdminSession] = {}

    def open(self, name: str) -> str:
        """Log `name` in; answers the secret for the cookie."""
        self._forget()
        while len(self._sessions) >= SESSION_LIMIT:
            del self._sessions[min(self._sessions, key=lambda digest: self._sessions[digest].seen)]
        secret, now = secrets.token_urlsafe(SECRET_BYTES), self._clock()
        self._sessions[_digest(secret)] = AdminSession(name, secrets.token_urlsafe(SECRET_BYTES), now, now)
        return secret

    def find(self, secret: str | None) -> AdminSession | None:
        """The session of a cookie, which is thereby used."""
        self._forget()
        session = self._sessions.get(_digest(secret)) if secret else None
        if session is not None:
            session.seen = self._clock()
        return session

    def close(self, secret: str | None) -> None:
        """Log out. An unknown secret is nobody."""
        if secret:
            self._sessions.pop(_digest(secret), None)

    def _forget(self) -> None:
        now = self._clock()
        for digest, session in list(self._sessions.items()):
            if now - session.seen > SESSION_IDLE or now - session.opened > SESSION_LIFE:
                del self._sessions[digest]
