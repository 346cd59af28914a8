"""What every ledger promises: the same suite against each of them."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.core.ports.journal import Journal
from gateway.core.ports.ledger import ENTRIES_LOOKED_AT, AuditPage, AuditQuery, Ledger, Measure, Sanction
from gateway.core.roles import AuditEntry
from gateway.errors import JournalError
from tests.journal.conftest import Ask, OpenSqlite


def ban(
    id: str = "b1", target: str = "bob", measure: Measure = Measure.BAN, created: int = 5, until: int | None = None
) -> Sanction:
    return Sanction(measure, id, "nick", target, "", "spam", "ana", created, until)


def entry(action: str = "ban", target: str = "bob", who: str = "ana", result: str = "done") -> AuditEntry:
    return AuditEntry(0, 1_790_000_000_123, who, "web 10.0.0.4", action, target, "spam", result)


@pytest.fixture
def ledger(journal: Journal) -> Ledger:
    return journal.ledger


def numbers(page: Any) -> list[int]:
    return [each.number for each in page.entries]


def test_a_new_ledger_is_empty(ledger: Ledger, ask: Ask) -> None:
    assert ask(ledger.sanctions, 0) == []
    assert ask(ledger.audit, AuditQuery()) == AuditPage([], None)


def test_a_sanction_and_its_entry_come_back_as_they_were(ledger: Ledger, ask: Ask) -> None:
    assert ask(ledger.record, [entry()], add=[ban(until=99)]) is None
    assert ask(ledger.sanctions, 0) == [ban(until=99)]
    assert ask(ledger.audit, AuditQuery()).entries == [msgspec.structs.replace(entry(), number=1)]


def test_bans_and_mutes_are_kept_apart_and_listed_by_age(ledger: Ledger, ask: Ask) -> None:
    later, earlier = ban(created=7), ban(measure=Measure.MUTE, created=6)
    ask(ledger.record, [], add=[later, earlier])
    assert ask(ledger.sanctions, 0) == [earlier, later]
    ask(ledger.record, [], lift=[later])
    assert ask(ledger.sanctions, 0) == [earlier]


def test_a_ban_is_replaced_by_another_at_once(ledger: Ledger, ask: Ask) -> None:
    ask(ledger.record, [entry()], add=[ban()])
    ask(ledger.record, [entry()], add=[ban("b2")], lift=[ban()])
    assert ask(ledger.sanctions, 0) == [ban("b2")]


def test_what_ended_long_ago_is_forgotten(ledger: Ledger, ask: Ask) -> None:
    ask(ledger.record, [], add=[ban("old", until=10), ban("new", until=20), ban("ever")])
    assert {each.id for each in ask(ledger.sanctions, 15)} == {"new", "ever"}
    assert {each.id for each in ask(ledger.sanctions, 0)} == {"new", "ever"}


def test_the_record_is_read_in_pages_newest_first(ledger: Ledger, ask: Ask) -> None:
    ask(ledger.record, [entry() for _ in range(5)])
    first = ask(ledger.audit, AuditQuery(limit=2))
    second = ask(ledger.audit, AuditQuery(int(first.cursor), 2))
    last = ask(ledger.audit, AuditQuery(int(second.cursor), 2))
    assert [numbers(first), numbers(second), numbers(last)] == [[5, 4], [3, 2], [1]]
    assert last.cursor is None
    assert ask(ledger.audit, AuditQuery(limit=5)).cursor is None


@pytest.mark.parametrize(
    ("terms", "wanted"),
    [
        ([("who", "ana")], [3, 1]), ([("who", "ana"), ("action", "kick")], [3]), ([("", "bob")], [2, 1]),
        ([("result", "refused")], [2]), ([("", "10.0.0.4")], [3, 2, 1]), ([("target", "%")], []),
        ([("who", "bob")], []),
    ],
)  # fmt: skip
def test_the_record_is_searched_by_words(ledger: Ledger, ask: Ask, terms: Any, wanted: Any) -> None:
    ask(ledger.record, [entry(), entry(who="Eve", result="refused: no"), entry("kick", "Cid", "Ana")])
    assert numbers(ask(ledger.audit, AuditQuery(terms=terms))) == wanted


def test_a_page_looks_at_a_bounded_number_of_entries(ledger: Ledger, ask: Ask) -> None:
    ask(ledger.record, [entry(target="needle"), *(entry() for _ in range(ENTRIES_LOOKED_AT))])
    first = ask(ledger.audit, AuditQuery(terms=[("target", "needle")]))
    assert (first.entries, first.cursor) == ([], "2")
    assert numbers(ask(ledger.audit, AuditQuery(int(first.cursor), terms=[("target", "needle")]))) == [1]


def test_what_cannot_be_stored_leaves_nothing(open_sqlite: OpenSqlite, ask: Ask) -> None:
    ledger = open_sqlite().ledger
    ask(ledger.record, [], add=[ban()])
    assert isinstance(ask(ledger.record, [entry()], add=[ban("b2"), ban()]), JournalError)
    assert ask(ledger.sanctions, 0) == [ban()]
    assert ask(ledger.audit, AuditQuery()).entries == []


def test_it_is_there_after_a_restart(open_sqlite: OpenSqlite, ask: Ask) -> None:
    journal = open_sqlite()
    ask(journal.ledger.record, [entry()], add=[ban()])
    journal.close()
    ledger = open_sqlite().ledger
    assert ask(ledger.sanctions, 0) == [ban()]
    assert numbers(ask(ledger.audit, AuditQuery())) == [1]


@pytest.mark.parametrize("sql", ["DELETE FROM audit", "UPDATE audit SET who = 'nobody'"])
def test_the_record_only_grows(open_sqlite: OpenSqlite, ask: Ask, path: Path, sql: str) -> None:
    journal = open_sqlite()
    ask(journal.ledger.record, [entry()])
    journal.close()
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError, match="only grows"):
        connection.execute(sql)


def test_the_stored_logins_are_those_written_last(ledger: Ledger, ask: Ask) -> None:
    assert ask(ledger.logins) == ""
    for text in ('[{"key":"a"}]', '[{"key":"b","seen":1.5}]'):
        assert ask(ledger.keep_logins, text) is None
    assert ask(ledger.logins) == '[{"key":"b","seen":1.5}]'
