"""Who operates the gateway, and the record of what they tried.

Dashboard, terminals (`/login`), the console and scripts with a token all act as an `Operator`, through the same verbs.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, Protocol

from gateway.errors import Code, Refusal


class Role(IntEnum):
    """What somebody may do; a higher role may do all that a lower one may."""

    VIEWER = 1
    """Read."""
    OPERATOR = 2
    """Kick, mute, message."""
    ADMIN = 3
    """Ban, drain, announce, levels, accounts."""

    @property
    def word(self) -> str:
        """As settings and pages spell it."""
        return self.name.lower()


class Operator(NamedTuple):
    """Somebody who acts. `source` says by which way and from where: `web 10.0.0.4`, `tcp 127.0.0.1`, `console`."""

    name: str
    role: Role
    source: str

    @property
    def address(self) -> str:
        """From which address; empty at the console."""
        return self.source.partition(" ")[2]

    def check(self, least: Role) -> None:
        """Raise Refusal unless this is at least a `least`."""
        if self.role < least:
            raise Refusal(Code.FORBIDDEN, f"only {least.word}s can do that; you are {self.name} ({self.role.word})")


class AuditEntry(NamedTuple):
    """One attempt. `number` counts from 1 and is 0 until it is stored; `at` in ms since 1970 UTC."""

    number: int
    at: int
    who: str
    source: str
    action: str
    target: str
    reason: str
    result: str


class PasswordCheck(Protocol):
    """Who knows the operators' passwords."""

    def login(self, name: str, password: str, address: str, done: Callable[[Operator | Refusal], None]) -> None:
        """Answer who logs in from `address` with that name (empty: the single administrator) and password, perhaps
        later; a Refusal for a wrong one, or for too many tries. Names and times tell nothing about who exists."""
