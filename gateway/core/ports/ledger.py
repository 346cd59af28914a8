"""The ledger's port: bans, mutes, the audit log and the dashboard's logins, in the journal's own store."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from gateway.core.answer import Answer
from gateway.core.roles import AuditEntry
from gateway.errors import JournalError


class Measure(StrEnum):
    """The kind of sanction: a ban keeps a user out, a mute keeps them silent."""

    BAN = "ban"
    MUTE = "mute"


class Sanction(NamedTuple):
    """One ban or one mute.

    `kind` is `nick` or `address`; `target` is the nick, or the address or range (CIDR). `identity` is that of the
    session that was meant, empty where there was none or it has none. `created` and `until` are ms since 1970 by the
    wall clock; `until` None = for ever.
    """

    measure: Measure
    id: str
    kind: str
    target: str
    identity: str
    reason: str
    author: str
    created: int
    until: int | None


ENTRIES_LOOKED_AT = 5_000
"""Entries searched for one page, at most: about 15 ms."""
AUDIT_FIELDS = ("who", "source", "action", "target", "reason", "result")
"""The texts of an entry, in which words are looked for."""


class AuditQuery(NamedTuple):
    """Selects the entries with a number below `before` (None = from the newest on) that match all of `terms`: (field,
    word), the field empty for a word that may be in any."""

    before: int | None = None
    limit: int = 50
    terms: Sequence[tuple[str, str]] = ()

    def matches(self, entry: AuditEntry) -> bool:
        """Whether the entry matches every term; upper and lower case are the same."""
        for field, word in self.terms:
            texts = [getattr(entry, name) for name in ((field,) if field else AUDIT_FIELDS)]
            if not any(word in text.lower() for text in texts):
                return False
        return True

    def page(self, entries: Iterable[AuditEntry]) -> "AuditPage":
        """A page of the first entries that match; `entries` are the newest first, and begin below `before`."""
        found: list[AuditEntry] = []
        last = 0
        for looked_at, entry in enumerate(entries):
            if len(found) == self.limit or looked_at == ENTRIES_LOOKED_AT:
                return AuditPage(found, str(last))
            last = entry.number
            if self.matches(entry):
                found.append(entry)
        return AuditPage(found, None)


class AuditPage(msgspec.Struct, frozen=True):
    """Some of the audit log, newest first. `cursor` asks for older entries, None at the end. A page may be short or
    even empty and still have a cursor: only a bounded number of entries is searched for one page."""

    entries: list[AuditEntry]
    cursor: str | None


class Ledger(Protocol):
    """Bans, mutes, the audit log and the dashboard's logins. Every verb reports to its callback as those of `Journal`
    do."""

    def sanctions(self, since: int) -> Answer[list[Sanction] | JournalError]:
        """All stored sanctions, the oldest first; those that ended before `since` (ms since 1970) are deleted."""

    def record(
        self,
        entries: Sequence[AuditEntry],
        *,
        add: Sequence[Sanction] = (),
        lift: Sequence[Sanction] = (),
    ) -> Answer[JournalError | None]:
        """Store the entries, numbered on from the last one, together with what they did, in one transaction.

        1. A recorded entry is never changed or deleted.
        2. On an error nothing of this call is stored.
        """

    def audit(self, query: AuditQuery) -> Answer[AuditPage | JournalError]:
        """One page of the audit log."""

    def logins(self) -> Answer[str | JournalError]:
        """What `keep_logins` was given last; "" at first."""

    def keep_logins(self, text: str) -> Answer[JournalError | None]:
        """Store who is logged in to the dashboard: a list of JSON objects, each with its own `key`."""
