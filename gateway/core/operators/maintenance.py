"""What operators do to the gateway itself and to many at once: drains, maintenance, the log level, campaigns.

The log level for a while: an operator turns it up to see more, and it goes back by itself.

No level shows what people say: the program logs no message's text, at debug neither.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.core.operators.moderation import Outcome
from gateway.core.operators.roles import Operator, Role
from gateway.errors import Code, Refusal

if TYPE_CHECKING:
    from gateway.core.hub import Hub
from typing import TYPE_CHECKING

from gateway.core import sanitize
from gateway.core.operators.audit import REASON_BYTES
from gateway.core.operators.bulk import BulkActions
from gateway.core.operators.drain import DOORS, Denial, DoorState, Drain
from gateway.core.operators.moderation import Moderation
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door

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


MAINTENANCE_MS = 30_000
"""When a newcomer may try again."""
NO_WORDS = "maintenance, try again later"


class Maintenance:
    """Newcomers are refused with words, who is here stays, and /admin stays open. A restart ends it."""

    def __init__(self, hub: "Hub") -> None:
        self.words: str | None = None
        """None: it is off."""
        self.since: int | None = None
        """In ms since 1970."""
        self._hub = hub

    @property
    def denial(self) -> Denial | None:
        """What newcomers are told; None: they may come."""
        return None if self.words is None else Denial(CloseReason.MAINTENANCE, self.words, MAINTENANCE_MS)

    def switch(self, operator: Operator, on: bool, words: str, done: Callable[[Outcome | Refusal], None]) -> None:
        """Turn it on, with words for those who come, or off."""

        def act() -> Outcome:
            if not on:
                self.words = self.since = None
                return Outcome("maintenance is over", "off")
            said = sanitize.line(words, REASON_BYTES) if words.strip() else NO_WORDS
            self.since = self._hub.wall() if self.words is None else self.since
            self.words = said
            return Outcome("maintenance has begun", "on")

        self._hub.operations.perform(operator, Role.ADMIN, "maintenance", "on" if on else "off", words, act, done)


class DoorControl:
    """One per hub."""

    def __init__(self, hub: "Hub", random_bits: Callable[[int], int]) -> None:
        self.campaigns = BulkActions(hub, Moderation(hub, hub.audit, random_bits, mark=lambda words: None), random_bits)
        self.draining = Drain(hub, random_bits)
        self.maintenance = Maintenance(hub)
        self.loudness = LogLevelControl(hub)

    def denial(self, door: Door) -> Denial | None:
        """Why nobody is let in at a door; None: everybody may come."""
        return self.draining.denial(door) or self.maintenance.denial

    def trouble(self) -> Refusal | None:
        """Why nobody should be sent here; None: all is well."""
        doors = [door for door in DOORS if self.draining.state(door) is not DoorState.READY]
        if doors:
            denial = self.draining.denial(doors[0])
            assert denial is not None
            return Refusal(denial.refusal.code, f"closed for now: {', '.join(doors)}", denial.retry_ms)
        return None if self.maintenance.denial is None else self.maintenance.denial.refusal
