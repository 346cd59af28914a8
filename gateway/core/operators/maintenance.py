"""What operators do to the gateway itself: raise the log level for a while, and close it to newcomers for maintenance.

The log level goes back by itself. No level shows what people say: no message's text is ever logged, not even at debug.
"""

from collections.abc import Callable

from gateway import wording
from gateway.core import sanitize
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.gate import Gate
from gateway.core.operators.audit import REASON_BYTES
from gateway.core.operators.moderation import Moderation, Outcome
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal

LEVELS = ("debug", "info", "warning", "error")
SECONDS = 900
LONGEST_SECONDS = 24 * 3600


class LogLevelControl:
    """The log level; `turn` sets it."""

    def __init__(self, clock: Clock, moderation: Moderation, turn: Callable[[str], object]) -> None:
        self.level: str | None = None
        """The temporary level; None when the usual one is in force."""
        self.until: int | None = None
        """When the usual level returns, in ms since 1970."""
        self.usual = "info"
        self._clock = clock
        self._moderation = moderation
        self._turn = turn
        self._changes = 0

    @property
    def now(self) -> str:
        """The level in force."""
        return self.level or self.usual

    def settle(self, level: str) -> None:
        """The settings say `level`: it is in force from now on."""
        self._changes += 1
        self.usual, self.level, self.until = level, None, None
        self._turn(level)

    def change(self, operator: Operator, level: str, seconds: int) -> Answer[Outcome | Refusal]:
        """Log at `level` for so many seconds; the usual level stays from now on."""

        def act() -> Outcome:
            if level not in LEVELS:
                raise Refusal(Code.BAD_MESSAGE, wording.LEVELS.format(levels=", ".join(LEVELS)))
            if not 1 <= seconds <= LONGEST_SECONDS:
                raise Refusal(Code.BAD_MESSAGE, wording.LEVEL_SECONDS.format(most=LONGEST_SECONDS))
            if level == self.usual:
                self.settle(level)
            else:
                self._changes += 1
                change = self._changes
                self.level, self.until = level, self._clock.wall() + seconds * 1000
                self._turn(level)
                self._clock.later(seconds, lambda: self._back(change))
            return Outcome(wording.LEVEL_IS.format(level=level), level)

        return self._moderation.perform(operator, Role.ADMIN, "log level", level, f"{seconds} s", act)

    def _back(self, change: int) -> None:
        if change == self._changes:
            self.settle(self.usual)


class Maintenance:
    """Maintenance: newcomers are refused with a text, sessions stay connected, /admin stays open. A restart ends it."""

    def __init__(self, gate: Gate, clock: Clock, moderation: Moderation) -> None:
        self.since: int | None = None
        """When it began, in ms since 1970; None when it is off."""
        self._gate = gate
        self._clock = clock
        self._moderation = moderation

    @property
    def words(self) -> str | None:
        """What newcomers are told; None when it is off."""
        return self._gate.maintenance

    def switch(self, operator: Operator, on: bool, words: str) -> Answer[Outcome | Refusal]:
        """Turn it on, with a text for newcomers, or off."""

        def act() -> Outcome:
            if not on:
                self._gate.maintain(None)
                self.since = None
                return Outcome(wording.MAINTENANCE_OVER, "off")
            said = sanitize.line(words, REASON_BYTES) if words.strip() else wording.MAINTENANCE
            self.since = self._clock.wall() if self.words is None else self.since
            self._gate.maintain(said)
            return Outcome(wording.MAINTENANCE_BEGUN, "on")

        return self._moderation.perform(operator, Role.ADMIN, "maintenance", "on" if on else "off", words, act)
