"""Rows that go in together are the rows that would have gone in one by one."""

import sqlite3
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.protocol.message import Message
from gateway.journal.inserts import ROWS, RUN, Place, Rows, insert_messages
from gateway.journal.schema import upgrade

COLUMNS = "room, seq, ts, nick, door, kind, text, author"


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    upgrade(connection)
    return connection


def stored(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT {COLUMNS} FROM messages ORDER BY room, seq").fetchall()


def said(seq: int) -> Message:
    return Message("ops", 5, "ana", "tcp", "say", f"text {seq}", identity="i")


def row(place: Place) -> tuple[Any, ...]:
    key, seq, it = place
    return key, seq, it.ts, it.nick, it.door, it.kind, it.text, it.identity


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9, 10, 49, 50, 51, 163])
def test_any_number_of_rows_goes_in_by_a_few_statements(count: int) -> None:
    connection, seen = sqlite3.connect(":memory:", isolation_level=None), set[int]()
    connection.execute("CREATE TABLE pairs (one, two)")
    connection.set_trace_callback(lambda sql: seen.add(sql.count("), (") + 1))
    Rows("INSERT INTO pairs", columns=2).insert(connection, [*range(2 * count)])
    assert seen <= set(ROWS)
    found = connection.execute("SELECT * FROM pairs ORDER BY rowid").fetchall()
    assert found == [*zip(range(0, 2 * count, 2), range(1, 2 * count, 2), strict=True)]


@given(
    runs=st.lists(
        st.tuples(
            st.integers(1, 3), st.sampled_from(("ana", "bob")), st.sampled_from(("say", "action")),
            st.sampled_from(("tcp", "web")), st.sampled_from(("", "i1", "i2")), st.integers(1, 2),
            st.integers(1, 3 * RUN),
        ),
        max_size=6,
    ),
    ordered=st.booleans(),
)  # fmt: skip
def test_messages_are_stored_as_they_are_however_they_come_together(
    runs: list[tuple[int, str, str, str, str, int, int]], ordered: bool
) -> None:
    heads: dict[int, int] = {}
    places: list[Place] = []
    for key, nick, kind, door, identity, ts, count in runs:
        for _ in range(count):
            heads[key] = heads.get(key, 0) + 1
            text = f"text {heads[key]} of {key} ?1 ' \x00"
            places.append((key, heads[key], Message("ops", ts, nick, door, kind, text, identity=identity)))
    connection = database()
    insert_messages(connection, sorted(places, key=lambda place: place[:2]) if ordered else places)
    assert stored(connection) == sorted(map(row, places))


@pytest.mark.parametrize("stranger", [0, 1, RUN // 2, RUN - 2, RUN - 1])
@pytest.mark.parametrize("field", ["ts", "nick", "door", "kind", "identity"])
def test_one_who_is_different_in_the_middle_of_a_run_stays_so(stranger: int, field: str) -> None:
    places = [(7, seq, said(seq)) for seq in range(1, RUN + 1)]
    setattr(places[stranger][2], field, 6 if field == "ts" else "other")
    connection = database()
    insert_messages(connection, places)
    assert stored(connection) == [row(place) for place in places]


def test_a_run_takes_one_statement_and_binds_what_it_has_in_common_once() -> None:
    connection, seen = database(), list[str]()
    connection.set_trace_callback(seen.append)
    insert_messages(connection, [(1, seq, said(seq)) for seq in range(1, 2 * RUN + 1)])
    assert len(seen) == 2
    assert [seq for _, seq, *_ in stored(connection)] == [*range(1, 2 * RUN + 1)]


def test_what_failed_in_the_middle_is_undone_with_the_transaction() -> None:
    connection = database()
    places = [(1, seq, said(seq)) for seq in range(1, RUN + 11)]
    insert_messages(connection, [places[20], places[RUN + 5]])
    before = stored(connection)
    for some in (places[:RUN], places[RUN:]):
        connection.execute("BEGIN")
        with pytest.raises(sqlite3.IntegrityError):
            insert_messages(connection, some)
        connection.execute("ROLLBACK")
        assert stored(connection) == before
    assert all(earlier < later for earlier, later in pairwise(before))
