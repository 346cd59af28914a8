"""The log level for a while: an operator turns it up to see more, and it goes back by itself.

No level shows what people say: the program logs no message's text, at debug neither.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.core.operations import Outcome
from gateway.core.operators import Operator, Role
from gateway.errors import Code, Refusal

if TYPE_CHECKING:
    from gateway.core.hub import Hub

LEVELS = ("debug", "info", "warning", "error")
SECONDS = 900
LONGEST_SECONDS = 24 * 3600


class LogLevelControl:
    """The level now. `turn` sets it and answers the one before; it is put in place by whoever logs."""

    def __init__(self, hub: "Hub") -> None:
        self.turn: Callable[[str], str] = lambda level: level
        self.level: str | None = None
        """The level for a while; None: the usual one."""
        self.until: int | None = None
        """When it goes back, in ms since 1970."""
        self.usual = "info"
        self._hub = hub
        self._changes = 0

    @property
    def now(self) -> str:
        """The level that holds."""
        return self.level or self.usual

    def settle(self, level: str) -> None:
        """The settings say `level`: it holds from now on."""
        self._changes += 1
        self.usual, self.level, self.until = level, None, None
        self.turn(level)

    def change(self, operator: Operator, level: str, seconds: int, done: Callable[[Outcome | Refusal], None]) -> None:
        """Log at `level` for so many seconds; the usual level: from now on."""

        def act() -> Outcome:
            if level not in LEVELS:
                raise Refusal(Code.BAD_MESSAGE, f"level is one of {', '.join(LEVELS)}")
            if not 1 <= seconds <= LONGEST_SECONDS:
                raise Refusal(Code.BAD_MESSAGE, f"seconds are from 1 to {LONGEST_SECONDS}")
            if level == self.usual:
                self.settle(level)
            else:
                self._changes += 1
                change = self._changes
                self.level, self.until = level, self._hub.wall() + seconds * 1000
                self.turn(level)
                self._hub.later(seconds, lambda: self._back(change))
            return Outcome(f"the log level is {level}", level)

        self._hub.operations.perform(operator, Role.ADMIN, "log level", level, f"{seconds} s", act, done)

    def _back(self, change: int) -> None:
        if change == self._changes:
            self.settle(self.usual)
