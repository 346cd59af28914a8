"""The ledger: bans, mutes, the audit log and the dashboard's logins, in the journal's database or in memory.

That the audit log only grows is enforced twice: the verbs here only insert into it, and triggers in the database refuse
everything else. Its entries stay as long as the file: at 150 bytes each, a million of them take 150 MB.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gateway.core.answer import Answer
from gateway.core.ports.ledger import ENTRIES_LOOKED_AT, AuditPage, AuditQuery, Measure, Sanction
from gateway.core.roles import AuditEntry
from gateway.errors import JournalError
from gateway.journal.store import Store

ENTRIES_IN_MEMORY = 10_000

TABLES = {Measure.BAN: "bans", Measure.MUTE: "mutes"}
INSERT_ENTRY = "INSERT INTO audit (at, who, source, action, target, reason, result) VALUES (?, ?, ?, ?, ?, ?, ?)"
SELECT_ENTRIES = "SELECT * FROM audit WHERE number < ? ORDER BY number DESC LIMIT ?"
NO_NUMBER = 2**63 - 1

Do = Callable[[Callable[[Store], Any], bool], Answer[Any]]
"""Runs a function of the store and answers with its result; on the worker thread if it is slow."""


class SqliteLedger:
    """A `Ledger` in the journal's database."""

    def __init__(self, do: Do, syncs: bool) -> None:
        self._do = do
        self._syncs = syncs

    def sanctions(self, since: int) -> Answer[list[Sanction] | JournalError]:
        """As `Ledger.sanctions`."""
        return self._do(lambda store: _sanctions(store, since), False)

    def record(
        self,
        entries: Sequence[AuditEntry],
        *,
        add: Sequence[Sanction] = (),
        lift: Sequence[Sanction] = (),
    ) -> Answer[JournalError | None]:
        """As `Ledger.record`."""
        return self._do(lambda store: _record(store, entries, add, lift), self._syncs)

    def audit(self, query: AuditQuery) -> Answer[AuditPage | JournalError]:
        """As `Ledger.audit`, on the worker thread."""
        return self._do(lambda store: _audit(store, query), True)

    def logins(self) -> Answer[str | JournalError]:
        """As `Ledger.logins`."""
        return self._do(_logins, False)

    def keep_logins(self, text: str) -> Answer[JournalError | None]:
        """As `Ledger.keep_logins`."""
        return self._do(lambda store: _keep_logins(store, text), self._syncs)


class MemoryLedger:
    """A `Ledger` that survives nothing and forgets all but the last ENTRIES_IN_MEMORY entries."""

    def __init__(self) -> None:
        self._sanctions: dict[tuple[Measure, str], Sanction] = {}
        self._entries: deque[AuditEntry] = deque(maxlen=ENTRIES_IN_MEMORY)
        self._logins = ""

    def sanctions(self, since: int) -> Answer[list[Sanction] | JournalError]:
        """As `Ledger.sanctions`."""
        stored = self._sanctions.values()
        self._sanctions = {each[:2]: each for each in stored if each.until is None or each.until >= since}
        return Answer.of(sorted(self._sanctions.values(), key=lambda each: each.created))

    def record(
        self,
        entries: Sequence[AuditEntry],
        *,
        add: Sequence[Sanction] = (),
        lift: Sequence[Sanction] = (),
    ) -> Answer[JournalError | None]:
        """As `Ledger.record`."""
        for each in lift:
            self._sanctions.pop(each[:2], None)
        self._sanctions |= {each[:2]: each for each in add}
        for entry in entries:
            last = self._entries[-1].number if self._entries else 0
            self._entries.append(msgspec.structs.replace(entry, number=last + 1))
        return Answer.of(None)

    def audit(self, query: AuditQuery) -> Answer[AuditPage | JournalError]:
        """As `Ledger.audit`."""
        before = NO_NUMBER if query.before is None else query.before
        return Answer.of(query.page(entry for entry in reversed(self._entries) if entry.number < before))

    def logins(self) -> Answer[str | JournalError]:
        """As `Ledger.logins`."""
        return Answer.of(self._logins)

    def keep_logins(self, text: str) -> Answer[JournalError | None]:
        """As `Ledger.keep_logins`."""
        self._logins = text
        return Answer.of(None)


def _sanctions(store: Store, since: int) -> list[Sanction]:
    found = []
    for measure, table in TABLES.items():
        store.connection.execute(f"DELETE FROM {table} WHERE until < ?", (since,))
        found += [Sanction(measure, *row) for row in store.connection.execute(f"SELECT * FROM {table}")]
    return sorted(found, key=lambda each: each.created)


def _record(store: Store, entries: Sequence[AuditEntry], add: Sequence[Sanction], lift: Sequence[Sanction]) -> None:
    with store.writing() as connection:
        for each in lift:
            connection.execute(f"DELETE FROM {TABLES[each.measure]} WHERE id = ?", (each.id,))
        for each in add:
            connection.execute(f"INSERT INTO {TABLES[each.measure]} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", each[1:])
        connection.executemany(INSERT_ENTRY, [msgspec.structs.astuple(entry)[1:] for entry in entries])


def _logins(store: Store) -> str:
    row = store.connection.execute("SELECT value FROM meta WHERE key = 'logins'").fetchone()
    return "" if row is None else str(row[0])


def _keep_logins(store: Store, text: str) -> None:
    with store.writing() as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('logins', ?)", (text,))


def _audit(store: Store, query: AuditQuery) -> AuditPage:
    before = NO_NUMBER if query.before is None else query.before
    rows = store.connection.execute(SELECT_ENTRIES, (before, ENTRIES_LOOKED_AT + 1))
    return query.page(AuditEntry(*row) for row in rows)
