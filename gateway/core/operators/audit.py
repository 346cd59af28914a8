"""The audit log: every attempt to operate, by operators and by strangers, in the ledger and as a log line.

Strangers' attempts are recorded one by one up to STRANGERS_BURST, then six a minute; further ones are only counted, and
the next entry carries their number. So strangers add at most 8,640 entries a day to a record that never shrinks.

A target is recorded as it was given, after the text gate and cut to a length.

Nobody is told what came of an attempt before it is stored: a kill right after the reply would lose the record of what
somebody has read. Whoever records an attempt and replies at once replies with `once_stored`.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import msgspec

from gateway import wording
from gateway.core import sanitize
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.ports.ledger import AuditPage, AuditQuery, Ledger, Sanction
from gateway.core.protocol.events import storage_refusal, told
from gateway.core.roles import AuditEntry, Operator, Role
from gateway.core.sessions.rate_limit import pay, wait
from gateway.errors import Code, JournalError, Refusal

log = logging.getLogger("gateway.audit")

STRANGERS_PER_SECOND = 0.1
STRANGERS_BURST = 60
TARGET_CHARACTERS = 100
REASON_BYTES = 300
RESULT_CHARACTERS = 300

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done: in `words`, the `target` as the record shows it, and the result: the bans or mutes now in force,
    those that were lifted, and the number of connections that were told or closed."""

    words: str
    target: str
    sanctions: Sequence[Sanction] = ()
    lifted: Sequence[Sanction] = ()
    connections: int = 0
    also: Sequence[tuple[str, str]] = field(default=())
    """Further entries of the record: action and target."""


class _Bounded:
    """Lets STRANGERS_BURST entries through at once and a few a minute after that, and counts the others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = 0.0
        self._left_out = 0

    def admitted(self) -> int | None:
        """How many were left out since the last entry; None: leave this one out as well."""
        now = self._clock.now()
        if wait(self._until, now, STRANGERS_PER_SECOND, STRANGERS_BURST):
            self._left_out += 1
            return None
        self._until = pay(self._until, now, STRANGERS_PER_SECOND)
        left_out, self._left_out = self._left_out, 0
        return left_out


class Audit:
    """Writes and reads the audit log. `happened` is called with each attempt in words."""

    def __init__(self, ledger: Ledger, clock: Clock, happened: Callable[[str], None]) -> None:
        self.ledger = ledger
        self._clock = clock
        self._happened = happened
        self._strangers = _Bounded(clock)
        self._own = _Bounded(clock)
        self._latest: Answer[Refusal | None] = Answer.of(None)

    def entry(self, operator: Operator, action: str, target: str, reason: str, result: str) -> AuditEntry:
        """An attempt as it is recorded: `result` is `done`, `gone` or `refused: words`."""
        shown = _shown(target, TARGET_CHARACTERS), _shown(reason, REASON_BYTES), _shown(result, RESULT_CHARACTERS)
        return AuditEntry(0, self._clock.wall(), operator.name, operator.source, action, *shown)

    def record(
        self,
        entries: Sequence[AuditEntry],
        add: Sequence[Sanction] = (),
        lift: Sequence[Sanction] = (),
    ) -> Answer[Refusal | None]:
        """Store what was tried and what came of it; a Refusal if it could not be stored."""
        for each in entries:
            shown = msgspec.structs.asdict(each)
            del shown["number"], shown["at"]
            words = " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in shown.items())
            log.info("%s", words, extra={"fields": {"audit": shown}})
            self._happened(" ".join(filter(None, (each.who, each.action, each.target, f"({each.result})"))))

        self._latest = self.ledger.record(entries, add=add, lift=lift).map(partial(self._recorded, entries[0]))
        return self._latest

    def once_stored(self, value: Value) -> Answer[Value]:
        """The value, once every attempt recorded so far is stored or has failed to be: the ledger keeps their order."""
        return self._latest.map(lambda _: value)

    def _recorded(self, entry: AuditEntry, failure: JournalError | None) -> Refusal | None:
        if failure is None:
            return None
        log.error(wording.LOG_AUDIT_UNSTORED, entry.action, entry.who, failure)
        return storage_refusal(failure)

    def note(self, operator: Operator, action: str, target: str, reason: str, result: str) -> None:
        """Record an attempt that changed nothing in the ledger."""
        self.enter(self.entry(operator, action, target, reason, result))

    def enter(self, entry: AuditEntry) -> None:
        """Record an attempt that was made elsewhere: a login."""
        self.record([entry])

    def stranger(self, who: str, source: str, action: str, target: str, words: str = wording.ONLY_OPERATORS) -> Refusal:
        """Record an attempt by somebody who is not allowed to, or not known; return the refusal for them."""
        before = self._strangers.admitted()
        if before is not None:
            reason = wording.MORE_ATTEMPTS.format(count=before) if before else ""
            self.note(Operator(who, Role.VIEWER, source), action, target, reason, f"refused: {words}")
        return Refusal(Code.FORBIDDEN, words)

    def own(self, who: str, source: str, action: str, target: str, reason: str) -> None:
        """Record what somebody did to what is their own; as few as of strangers, because everybody can."""
        if self._own.admitted() is not None:
            self.note(Operator(who, Role.VIEWER, source), action, target, reason, "done")

    def read(self, operator: Operator, query: AuditQuery) -> Answer[AuditPage | Refusal]:
        """A page of the audit log. Raises Refusal if the operator may not read it."""
        operator.check(Role.VIEWER)
        return self.ledger.audit(query).map(told)


def reason_of(words: str) -> str:
    """The reason of an act, as it is recorded and told to whom it concerns; at most REASON_BYTES, may be empty. Raises
    Refusal for one that the text gate refuses."""
    return sanitize.line(words, REASON_BYTES) if words.strip() else ""


def _shown(words: str, limit: int) -> str:
    return sanitize.shown(words, limit) if words.strip() else ""
