"""The ledger in Redis: bans, mutes, the audit log and the dashboard's logins of all nodes.

Each verb that changes something is one call of the script, which stores the change and tells it to the other nodes as a
fact of the cluster: what is in force at one node is in force at all of them, or the operator is told that it was not
stored. A call may be done twice, so each carries an id.

The audit log is a stream whose entries are numbered 1, 2, 3, …; the gateway never deletes from it. It takes about 300
bytes of Redis' memory for an entry.

Logins are one field each, because every node writes its own: `keep_logins` sends what has changed since this node last
read or wrote. Only a field that is still there is changed, so that a node which notes a session's use does not bring it
back after it was ended at another.
"""

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.core.answer import Answer
from gateway.core.ports.cluster import LoginsChanged, SanctionsChanged
from gateway.core.ports.ledger import ENTRIES_LOOKED_AT, AuditPage, AuditQuery, Sanction
from gateway.core.roles import AuditEntry
from gateway.errors import JournalError
from gateway.redis.backplane import Argument, Backplane
from gateway.redis.cluster import packed


class RedisLedger:
    """A `Ledger` of all nodes."""

    def __init__(self, backplane: Backplane) -> None:
        self._backplane = backplane
        self._logins: dict[str, str] = {}
        """By key: the logins as this node last read or wrote them."""

    def forgotten(self) -> None:
        """Redis has lost what it held: the logins that are kept next are new to it."""
        self._logins = {}

    def sanctions(self, since: int) -> Answer[list[Sanction] | JournalError]:
        """As `Ledger.sanctions`."""
        return self._backplane.do("sanctions", (since,), _sanctions)

    def record(
        self,
        entries: Sequence[AuditEntry],
        *,
        add: Sequence[Sanction] = (),
        lift: Sequence[Sanction] = (),
    ) -> Answer[JournalError | None]:
        """As `Ledger.record`; the other nodes hear of `add` and `lift`."""
        fact = packed(SanctionsChanged(add, lift)) if add or lift else b""
        words: list[Argument] = [secrets.token_hex(8), self._backplane.node, fact, len(entries), len(add)]
        words += [msgspec.json.encode(msgspec.structs.astuple(entry)[1:]) for entry in entries]
        for each in add:
            words += [each.measure, each.id, msgspec.json.encode(each)]
        for each in lift:
            words += [each.measure, each.id]
        return self._backplane.do("record", words, lambda _: None)

    def audit(self, query: AuditQuery) -> Answer[AuditPage | JournalError]:
        """As `Ledger.audit`."""
        most = ENTRIES_LOOKED_AT if query.terms else query.limit
        before = "+" if query.before is None else f"({query.before}-0"
        return self._backplane.do("audit", (before, most + 1), lambda found: query.page(map(_entry, found)))

    def logins(self) -> Answer[str | JournalError]:
        """As `Ledger.logins`: those that any node has stored."""

        def read(found: list[bytes]) -> str:
            pairs = [each.decode() for each in found]
            self._logins = dict(zip(pairs[::2], pairs[1::2], strict=True))
            return f"[{','.join(self._logins.values())}]" if self._logins else ""

        return self._backplane.do("logins", (), read)

    def keep_logins(self, text: str) -> Answer[JournalError | None]:
        """As `Ledger.keep_logins`; those that another node has stored stay."""
        logins = {str(each["key"]): msgspec.json.encode(each).decode() for each in msgspec.json.decode(text)}
        words: list[Argument] = [self._backplane.node, packed(LoginsChanged())]
        changed = {key: login for key, login in logins.items() if self._logins.get(key) != login}
        gone = [key for key in self._logins if key not in logins]
        for key, login in changed.items():
            words += ["change" if key in self._logins else "open", key, login]
        for key in gone:
            words += ["end", key, ""]

        def kept(reply: Any) -> None:
            self._logins |= changed
            for key in gone:
                self._logins.pop(key, None)

        return self._backplane.do("keep_logins", words, kept)


def _sanctions(found: list[bytes]) -> list[Sanction]:
    sanctions = [msgspec.json.decode(each, type=Sanction) for each in found]
    return sorted(sanctions, key=lambda each: each.created)


def _entry(found: list[bytes]) -> AuditEntry:
    number, fields = found
    return AuditEntry(int(number), *msgspec.json.decode(fields))
