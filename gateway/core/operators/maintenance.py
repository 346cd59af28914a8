"""What operators do to the gateway itself: closing it to newcomers, a backup, a new epoch.

Maintenance applies to all nodes: each tells the others when it is switched.

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
from gateway.core.ports.cluster import Cluster, Maintained, ordered_at
from gateway.core.roles import Operator, Role
from gateway.errors import Code, JournalError, Refusal


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
