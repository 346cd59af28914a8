"""Many rows in one INSERT.

What a row costs besides SQLite's own work is a call for each statement (2 µs with Python's module), the binding of each
value (0.07 µs for a text, which SQLite copies) and the interpreter's lock, which `executemany` takes at every row. So
rows go in by statements of several sizes, each of which is compiled once and kept (up to 28 KB).

Two things more about messages on their way into the journal:

- What a person has poured in follows one another there and differs in the texts only: a run. What the messages of a run
  have in common is bound once for all of them, which saves each 0.3 of 2 µs.
- A statement with several rows may fail in the middle. SQLite keeps a copy of every page that it changes, to undo that,
  unless it is told not to (`OR FAIL`): whoever inserts undoes the whole transaction then. Where every message of a
  commit belongs to another room, this saves a quarter of its price.
"""

import sqlite3
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from gateway.core.protocol.message import Message

ROWS = (50, 10, 3, 1)
"""Rows in one statement, the most first."""
RUN = 32
"""Messages of a run in one statement. Fewer are as cheap together with others' rows."""
_INTO_MESSAGES = "INSERT OR FAIL INTO messages (room, seq, ts, nick, door, kind, author, text)"
_INSERT_RUN = f"{_INTO_MESSAGES} VALUES " + ", ".join(
    f"(?1, ?2 + {at}, ?3, ?4, ?5, ?6, ?7, ?{8 + at})" for at in range(RUN)
)
_SHARED = attrgetter("ts", "nick", "door", "kind", "identity")

Place = tuple[int, int, Message]
"""A room's row, a number there, and the message."""


class Rows:
    """Rows of so many values each; `insert` is the statement up to VALUES. `most` values go in at once."""

    __slots__ = ("_statements", "most")

    def __init__(self, insert: str, columns: int) -> None:
        row = f"({', '.join('?' * columns)})"
        self._statements = [(size * columns, f"{insert} VALUES {', '.join([row] * size)}") for size in ROWS]
        self.most = self._statements[0][0]

    def insert(self, connection: sqlite3.Connection, values: Sequence[Any]) -> None:
        """Insert rows whose values stand in one line, row after row."""
        at, end = 0, len(values)
        for size, statement in self._statements:
            while end - at >= size:
                connection.execute(statement, values[at : at + size])
                at += size


_MESSAGES = Rows(_INTO_MESSAGES, columns=8)


def insert_messages(connection: sqlite3.Connection, places: Sequence[Place]) -> None:
    """Insert messages, best in the order of their places. If this fails the transaction must be undone."""
    rows: list[int | str] = []
    for at in range(0, len(places), RUN):
        some = places[at : at + RUN]
        (key, seq, first), last = some[0], some[-1]
        if last[2].nick == first.nick and last[:2] == (key, seq + RUN - 1):  # a look that costs others next to nothing
            shared = _SHARED(first)
            if [_SHARED(each) for _, _, each in some].count(shared) == RUN:
                connection.execute(_INSERT_RUN, (key, seq, *shared, *[each.text for _, _, each in some]))
                continue
        for key, seq, each in some:
            rows += (key, seq, each.ts, each.nick, each.door, each.kind, each.identity, each.text)
    _MESSAGES.insert(connection, rows)
