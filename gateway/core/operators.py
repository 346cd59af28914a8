"""Who operates the gateway, and the record of what they tried.

Dashboard, terminals (`/login`), the console and scripts with a token all act as an `Operator`, through the same verbs.
"""

from enum import IntEnum
from typing import NamedTuple

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
