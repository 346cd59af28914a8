"""The log level that an operator sets for a while. It goes back by itself, and applies to all nodes: each tells the
others what is switched.

No level shows what people say: no message's text is ever logged, not even at debug.
"""

from collections.abc import Callable

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.operators.audit import Outcome
from gateway.core.operators.moderation import Moderation
from gateway.core.ports.cluster import Cluster, LogLevelSet, ordered_at
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal

LEVELS = ("debug", "info", "warning", "error")
SECONDS = 900
"""How long a level holds where the order says nothing."""
LONGEST_SECONDS = 24 * 3600


class LogLevelControl:
    """The log level; `turn` sets it."""

    def __init__(self, clock: Clock, moderation: Moderation, turn: Callable[[str], object], cluster: Cluster) -> None:
        self.level: str | None = None
        """The temporary level; None when the usual one is in force."""
        self.until: int | None = None
        """When the usual level returns, in ms since 1970."""
        self.usual = "info"
        self.ordered_at = 0
        """When an operator set it last, as far as this node knows; see `ports.cluster`."""
        self._clock = clock
        self._moderation = moderation
        self._turn = turn
        self._changes = 0
        self._cluster = cluster
        cluster.hear(LogLevelSet, self.join)

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
            self.ordered_at = ordered_at(self._cluster, self._clock.wall(), self.ordered_at)
            self._set(level, seconds)
            self._cluster.tell(LogLevelSet(level, seconds, self.ordered_at))
            return Outcome(wording.LEVEL_IS.format(level=level), level)

        return self._moderation.perform(operator, Role.ADMIN, "log level", level, f"{seconds} s", act)

    def standing(self) -> LogLevelSet | None:
        """The temporary level, for the time that is left, if there is one."""
        if self.level is None or self.until is None:
            return None
        return LogLevelSet(self.level, max(1, (self.until - self._clock.wall()) // 1000), self.ordered_at)

    def join(self, told: LogLevelSet) -> None:
        """Log as another node does, unless something else was ordered since."""
        if told.at >= self.ordered_at:
            self.ordered_at = told.at
            self._set(told.level, told.seconds)

    def follow(self, level: LogLevelSet | None, at: int) -> None:
        """Log as another node does, where that was ordered later than what this node knows."""
        if at > self.ordered_at and level is not None:
            self.join(level)
        elif at > self.ordered_at:
            self.ordered_at = at
            self.settle(self.usual)

    def tell_again(self) -> None:
        """Tell what holds to nodes that have not heard it."""
        self._cluster.tell(self.standing() or LogLevelSet(self.usual, SECONDS, self.ordered_at))

    def _set(self, level: str, seconds: int) -> None:
        if level == self.usual:
            self.settle(level)
            return
        self._changes += 1
        change = self._changes
        self.level, self.until = level, self._clock.wall() + seconds * 1000
        self._turn(level)
        self._clock.later(seconds, lambda: self._back(change))

    def _back(self, change: int) -> None:
        if change == self._changes:
            self.settle(self.usual)
