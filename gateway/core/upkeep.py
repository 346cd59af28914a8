"""What operators do to the gateway itself and to many at once: drains, maintenance, the log level, campaigns."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.core import text
from gateway.core.audit import REASON_BYTES
from gateway.core.campaigns import BulkActions
from gateway.core.closing import CloseReason
from gateway.core.draining import DOORS, Denial, DoorState, Drain
from gateway.core.loudness import LogLevelControl
from gateway.core.message import Door
from gateway.core.operations import Moderation, Outcome
from gateway.core.operators import Operator, Role
from gateway.errors import Refusal

if TYPE_CHECKING:
    from gateway.core.hub import Hub

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
            said = text.line(words, REASON_BYTES) if words.strip() else NO_WORDS
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
