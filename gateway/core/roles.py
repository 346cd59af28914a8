"""Operators, their roles, and the entries of the audit log.

Dashboard, terminals (`/login`), the console and scripts with a token all act as an `Operator`, through the same verbs.
"""

from enum import IntEnum
from typing import NamedTuple, Protocol

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.errors import Code, Refusal


class Role(IntEnum):
    """The rights of an operator; a higher role may do all that a lower one may."""

    MEMBER = 0
    """None, and no dashboard: owns the account's name in the chat."""
    VIEWER = 1
    """Read."""
    OPERATOR = 2
    """Kick, mute, message."""
    ADMIN = 3
    """Ban, drain, announce, levels, accounts."""

    @property
    def word(self) -> str:
        """The role's name in settings and on pages."""
        return self.name.lower()


class Operator(NamedTuple):
    """A person or script that acts. `source` is the way they came and from where: `web 10.0.0.4`, `console`."""

    name: str
    role: Role
    source: str

    @property
    def address(self) -> str:
        """The address; empty at the console."""
        return self.source.partition(" ")[2]

    def check(self, least: Role) -> None:
        """Raise Refusal unless the role is at least `least`."""
        if self.role < least:
            raise Refusal(
                Code.FORBIDDEN, wording.ROLE_NEEDED.format(least=least.word, name=self.name, role=self.role.word)
            )

    def spare(self, other: "Operator | None", nick: str) -> None:
        """Raise Refusal unless this operator may act against the connection called `nick`, which `other` has logged in
        on: nobody acts against themselves, nor against an operator of the same or a higher role. The console may."""
        if other is None or self.source == "console":
            return
        if other == self:
            raise Refusal(Code.BAD_MESSAGE, wording.THAT_IS_YOU)
        if other.role >= self.role and other.name != self.name:
            words = wording.PEER_OF_YOURS.format(nick=nick, name=other.name, role=other.role.word)
            raise Refusal(Code.FORBIDDEN, words)


class AuditEntry(msgspec.Struct, frozen=True):
    """One attempt, done or refused. `number` counts from 1 and is 0 until it is stored; `at` in ms since 1970."""

    number: int
    at: int
    who: str
    source: str
    action: str
    target: str
    reason: str
    result: str


class PasswordCheck(Protocol):
    """Checks passwords, and slows down guessing."""

    def login(self, name: str, password: str, address: str) -> Answer[Operator | Refusal]:
        """The operator with that name (empty: the single administrator) and password; a Refusal for a wrong one, or for
        too many tries from `address`. Neither wording nor timing tells which names exist."""

    def guessed(self, what: str, address: str, right: bool) -> None:
        """Count a guess of another secret, `what` it is in one word. Raises Refusal after too many wrong ones from
        `address`; then a right one does not count either."""
