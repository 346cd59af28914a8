"""What operators do to the gateway itself: a log level for a while, closing it to newcomers, a backup, a new epoch.

The log level and maintenance apply to all nodes: each tells the others what is switched. The log level goes back by
itself.
No level shows what people say: no message's text is ever logged, not even at debug.

A backup takes a while, so it is begun, watched and perhaps stopped, one at a time; the record of it is made when it has
ended, with what came of it. It goes on when whoever began it has gone.
"""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from gateway import wording
from gateway.core import name_rules
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.gate import Gate
from gateway.core.hub import Hub
from gateway.core.operators.audit import Audit, Outcome, reason_of
from gateway.core.operators.moderation import Moderation
from gateway.core.ports.cluster import Cluster, LogLevelSet, Maintained, ordered_at
from gateway.core.roles import Operator, Role
from gateway.errors import Code, JournalError, Refusal

LEVELS = ("debug", "info", "warning", "error")
SECONDS = 900
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


class Maintenance:
    """Maintenance: newcomers are refused with a text, sessions stay connected, /admin stays open. A restart of
    all nodes ends it."""

    def __init__(self, gate: Gate, clock: Clock, moderation: Moderation, cluster: Cluster) -> None:
        self.since: int | None = None
        """When it began, in ms since 1970; None when it is off."""
        self.ordered_at = 0
        """When an operator switched it last, as far as this node knows; see `ports.cluster`."""
        self._gate = gate
        self._clock = clock
        self._moderation = moderation
        self._cluster = cluster
        cluster.hear(Maintained, self.join)

    @property
    def words(self) -> str | None:
        """What newcomers are told; None when it is off."""
        return self._gate.maintenance

    def switch(self, operator: Operator, on: bool, words: str) -> Answer[Outcome | Refusal]:
        """Turn it on, with a text for newcomers, or off."""

        def act() -> Outcome:
            said = (reason_of(words) or wording.MAINTENANCE) if on else None
            self.ordered_at = ordered_at(self._cluster, self._clock.wall(), self.ordered_at)
            self._set(said)
            self._cluster.tell(Maintained(said, self.ordered_at))
            return Outcome(wording.MAINTENANCE_BEGUN, "on") if on else Outcome(wording.MAINTENANCE_OVER, "off")

        return self._moderation.perform(operator, Role.ADMIN, "maintenance", "on" if on else "off", words, act)

    def join(self, told: Maintained) -> None:
        """Be in maintenance, or not, as another node is, unless something else was ordered since."""
        if told.at >= self.ordered_at:
            self.ordered_at = told.at
            if told.words != self.words:
                self._set(told.words)

    def tell_again(self) -> None:
        """Tell what holds to nodes that have not heard it."""
        self._cluster.tell(Maintained(self.words, self.ordered_at))

    def _set(self, words: str | None) -> None:
        begun = self._clock.wall() if self.words is None else self.since
        self.since = None if words is None else begun
        self._gate.maintain(words)


class BackupState(StrEnum):
    """How far a backup is."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"


class BackupReport(msgspec.Struct, frozen=True):
    """A backup since the start: of `total` pages so many are `copied`; `text` says why it has failed."""

    file: str
    state: BackupState
    copied: int = 0
    total: int = 0
    text: str = ""


class StoreMaintenance:
    """The verbs. A refusal is answered, not raised. `mark` is called with what was done, in words."""

    def __init__(self, hub: Hub, audit: Audit, moderation: Moderation, mark: Callable[[str], None]) -> None:
        self.backup: BackupReport | None = None
        """The backup that was begun last."""
        self._hub = hub
        self._audit = audit
        self._moderation = moderation
        self._mark = mark
        self._halted = False

    def begin_backup(self, operator: Operator, file: str, replace: bool) -> Answer[BackupReport | Refusal]:
        """Begin to write a backup into the file, given by its whole path; see `ports.export.Whole.copy`."""
        try:
            operator.check(Role.ADMIN)
            if not file.startswith("/") or "\0" in file:
                raise Refusal(Code.BAD_MESSAGE, wording.BACKUP_ABSOLUTE)
            if self._running is not None:
                raise Refusal(Code.BUSY, wording.BACKUP_RUNS, retry_ms=1000)
        except Refusal as refusal:
            self._audit.note(operator, "backup", file, "", f"refused: {refusal.text}")
            return self._audit.once_stored(refusal)
        self.backup, self._halted = BackupReport(file, BackupState.RUNNING), False

        def going(copied: int, total: int) -> bool:
            self.backup = BackupReport(file, BackupState.RUNNING, copied, total)
            return not self._halted

        def ended(failure: JournalError | None) -> None:
            state = BackupState.COMPLETE if failure is None else BackupState.FAILED
            assert self.backup is not None, "it was begun"
            self.backup = msgspec.structs.replace(self.backup, state=state, text=str(failure or ""))
            self._mark(f"{operator.name}: backup ({state})")
            result = "done" if failure is None else f"failed: {failure}"
            self._audit.note(operator, "backup", file, "", result)

        self._hub.journal.copy(file, replace, going).then(ended)
        return Answer.of(self.backup)

    def stop_backup(self, operator: Operator) -> Answer[Outcome | Refusal]:
        """Stop the backup that is being written; there will be no file."""

        def act() -> Outcome:
            running = self._running
            if running is None:
                raise Refusal(Code.BAD_MESSAGE, wording.BACKUP_NONE)
            self._halted = True
            return Outcome(wording.BACKUP_HALTED, running.file)

        return self._moderation.perform(operator, Role.ADMIN, "backup stop", "", "", act)

    @property
    def _running(self) -> BackupReport | None:
        running = self.backup is not None and self.backup.state is BackupState.RUNNING
        return self.backup if running else None

    def new_epoch(self, operator: Operator, room: str) -> Answer[Outcome | Refusal]:
        """Give a room a new epoch: its readers begin anew, and its numbers go on."""

        def renewed(known: bool | Refusal) -> Answer[Outcome | Refusal]:
            def act() -> Outcome:
                if isinstance(known, Refusal):
                    raise known
                if not known:
                    raise Refusal(Code.NO_SUCH_ROOM, wording.NO_SUCH_STORED_ROOM.format(room=name))
                return Outcome(wording.EPOCH_RENEWED.format(room=name), f"#{name}")

            return self._moderation.perform(operator, Role.ADMIN, "new epoch", f"#{name}", "", act)

        try:
            operator.check(Role.ADMIN)
            name = name_rules.room(room)
        except Refusal as refusal:
            self._audit.note(operator, "new epoch", room, "", f"refused: {refusal.text}")
            return self._audit.once_stored(refusal)
        return self._hub.rooms.renew_epoch(name).chain(renewed)
