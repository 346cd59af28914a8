"""Exports of the journal's database, and filling an empty one from an export (the lines: `core.ports.export_format`).

Both work on a connection that nobody else uses, one line at a time, so that a million messages take no more memory than
ten. Filling is one transaction: a wrong line, an interrupt or a kill leaves the database as empty as it was.

What stays behind: who is logged in to the dashboard, and what the clock said.
"""

import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from gateway import wording
from gateway.core.ports.export_format import (
    FORMAT,
    AnyLine,
    AuditLine,
    BanLine,
    BeginLine,
    ExportLines,
    IdentityLine,
    KeysLine,
    MessageLine,
    MuteLine,
    ReceiptLine,
    RoomHeadLine,
    SanctionLine,
    Taken,
    WholePaste,
)
from gateway.core.protocol.message import Door, Kind
from gateway.errors import JournalError
from gateway.journal.open import mark_clean, open_database, renew_in

log = logging.getLogger(__name__)

ROWS = 500
"""Messages that are inserted at a time."""
TABLES = ("rooms", "messages", "receipts", "people", "bans", "mutes", "audit")
NAMES = {"people": "people", "audit": "audit entries"}

SELECT_ROOMS = """
    SELECT id, name, epoch, max(floor, (SELECT coalesce(max(seq), 0) FROM messages WHERE room = id)), topic
    FROM rooms ORDER BY name
"""
SELECT_MESSAGES = """
    SELECT messages.seq, ts, nick, door, kind, messages.text, author, paste_bytes, paste_lines, pastes.text,
           number, at, by, reason
    FROM messages
    LEFT JOIN pastes ON pastes.room = messages.room AND pastes.seq = messages.seq
    LEFT JOIN removals ON removals.room = messages.room AND removals.seq = messages.seq
    WHERE messages.room = ? ORDER BY messages.seq
"""
SELECT_RECEIPTS = """
    SELECT identity, receipts.id, name, seq, ts FROM receipts JOIN rooms ON rooms.id = room
    ORDER BY identity, receipts.id
"""
SELECT_PEOPLE = "SELECT identity, nick, rooms, seen, codes, reads, account FROM people ORDER BY identity"
SELECT_SANCTIONS = "SELECT id, kind, target, identity, reason, author, created, until FROM {table} ORDER BY id"
SELECT_AUDIT = "SELECT number, at, who, source, action, target, reason, result FROM audit ORDER BY number"
SELECT_LAST_REMOVAL = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'removals'"
INSERT_MESSAGE = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
SANCTIONS: dict[str, type[SanctionLine]] = {"bans": BanLine, "mutes": MuteLine}


def dump(connection: sqlite3.Connection, *, live: bool, token_key: bytes) -> Iterator[AnyLine]:
    """The lines of the database without the end. `live`: the journal goes on, and this is a copy of it; `token_key` is
    the key of the tokens, empty if there is none."""
    (last,) = connection.execute(SELECT_LAST_REMOVAL).fetchone()
    (seed,) = connection.execute("SELECT value FROM meta WHERE key = 'seed'").fetchone()
    yield BeginLine(FORMAT, live, last)
    yield KeysLine(seed, token_key.hex())
    for key, name, epoch, head, topic in connection.execute(SELECT_ROOMS):
        yield RoomHeadLine(name, epoch, head, topic)
        for row in connection.execute(SELECT_MESSAGES, (key,)):
            yield _message(name, *row)
    for row in connection.execute(SELECT_RECEIPTS):
        yield ReceiptLine(*row)
    for identity, nick, rooms, seen, codes, reads, account in connection.execute(SELECT_PEOPLE):
        places = ([tuple(place) for place in json.loads(each)] for each in (rooms, reads))
        yield IdentityLine(identity, nick, next(places), seen, codes.split(), next(places), account)
    for table, kind in SANCTIONS.items():
        for row in connection.execute(SELECT_SANCTIONS.format(table=table)):
            yield kind(*row)  # type: ignore[misc]
    for row in connection.execute(SELECT_AUDIT):
        yield AuditLine(*row)


def _message(
    room: str, seq: int, ts: int, nick: str, door: str, kind: str, text: str, identity: str, *more: Any
) -> MessageLine:
    size, lines, whole, number, at, by, reason = more
    return MessageLine(
        room,
        seq,
        ts,
        nick,
        Door(door),
        Kind(kind),
        text,
        identity,
        None if text else Taken(number, at, by, reason),
        None if size is None else WholePaste(size, lines, whole or ""),
    )


@contextmanager
def unused(path: Path, patience: float) -> Iterator[sqlite3.Connection]:
    """The database of a stopped gateway, for us alone. Raises StartError, if it is locked after `patience` seconds."""
    opened = open_database(path, "process", patience, time.sleep)
    if opened.broken is not None:
        log.warning(wording.LOG_NEW_EPOCHS, opened.broken)
    try:
        yield opened.connection
    finally:
        with suppress(sqlite3.Error, OSError):
            mark_clean(opened.connection, opened.tail)
        opened.connection.close()
        opened.tail.close()


@contextmanager
def copied(path: Path) -> Iterator[sqlite3.Connection]:
    """A backup, to be read where nobody writes it."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)) as connection:
        yield connection


def fill(
    path: Path, lines: ExportLines, *, new_epochs: bool | None, patience: float, keep_key: Callable[[bytes], None]
) -> "Filling":
    """Fill the database at `path`, which is created if there is none; what is created is removed again when it fails.
    `new_epochs`: give every room a new one; None: if the export is of a gateway that went on. `keep_key` is given the
    key of the tokens, empty if there is none, right before all of it is committed. Raises WrongLine, StartError, or
    JournalError, among others when the database is not empty."""
    is_new = not os.path.lexists(path)
    try:
        with unused(path, patience) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                loaded = _load(connection, lines, new_epochs)
                keep_key(loaded.token_key)
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
        return loaded
    except BaseException as problem:
        if is_new:
            for end in ("", "-wal", "-shm", "-mark", "-tail"):
                path.with_name(path.name + end).unlink(missing_ok=True)
        if isinstance(problem, sqlite3.Error):
            raise JournalError(wording.STORE_CANNOT_BE_FILLED.format(problem=problem)) from problem
        raise


def _load(connection: sqlite3.Connection, lines: ExportLines, new_epochs: bool | None) -> "Filling":
    held = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
    if any(held.values()):
        what = ", ".join(f"{count} {NAMES.get(table, table)}" for table, count in held.items() if count)
        raise JournalError(wording.STORE_NOT_EMPTY.format(what=what))
    loader = Filling(connection)
    try:
        for line in lines:
            loader.take(line)
        loader.flush()
    except sqlite3.IntegrityError as error:
        raise lines.wrong(wording.CONTRADICTS.format(problem=error)) from error
    if loader.live if new_epochs is None else new_epochs:
        renew_in(connection)
        loader.renewed = True
    return loader


class Filling:
    """Inserts lines, and counts them by what they are."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.counts: dict[str, int] = {}
        self.live = False
        self.renewed = False
        self.token_key = b""
        self._connection = connection
        self._rooms: dict[str, int] = {}
        self._key = 0
        self._rows: list[tuple[Any, ...]] = []

    def take(self, line: AnyLine) -> None:
        """Insert a line; messages a little later."""
        name = type(line).__struct_config__.tag
        self.counts[str(name)] = self.counts.get(str(name), 0) + 1
        execute = self._connection.execute
        match line:
            case MessageLine():
                self._take_message(line)
            case BeginLine():
                self.live = line.live
                execute("DELETE FROM sqlite_sequence WHERE name = 'removals'")
                execute("INSERT INTO sqlite_sequence VALUES ('removals', ?)", (line.removals,))
            case KeysLine():
                self.token_key = bytes.fromhex(line.tokens)
                execute("UPDATE meta SET value = ? WHERE key = 'seed'", (line.epochs,))
            case RoomHeadLine():
                self.flush()
                values = (line.room, line.epoch, line.head, line.topic)
                row = execute("INSERT INTO rooms (name, epoch, floor, topic) VALUES (?, ?, ?, ?)", values)
                self._key = self._rooms[line.room] = row.lastrowid or 0
            case ReceiptLine():
                receipt = (line.identity, line.id, self._rooms[line.room], line.seq, line.ts)
                execute("INSERT INTO receipts VALUES (?, ?, ?, ?, ?)", receipt)
            case IdentityLine():
                rooms, reads = json.dumps(line.rooms), json.dumps(line.reads)
                person = (line.identity, line.nick, rooms, line.seen, " ".join(line.codes), reads, line.account)
                execute("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)", person)
            case BanLine() | MuteLine():
                table = "bans" if isinstance(line, BanLine) else "mutes"
                sanction = (line.id, line.kind, line.target, line.identity, line.reason, line.author, line.created)
                execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*sanction, line.until))
            case AuditLine():
                entry = (line.number, line.at, line.who, line.source, line.action, line.target, line.reason)
                execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*entry, line.result))

    def _take_message(self, line: MessageLine) -> None:
        paste, removed = line.paste, line.removed
        size = (None, None) if paste is None else (paste.bytes, paste.lines)
        fields = (self._key, line.seq, line.ts, line.nick, line.door, line.kind, line.text, line.identity)
        self._rows.append((*fields, *size))
        if len(self._rows) >= ROWS:
            self.flush()
        if paste is not None and paste.whole:
            self._connection.execute("INSERT INTO pastes VALUES (?, ?, ?)", (self._key, line.seq, paste.whole))
        if removed is not None:
            row = (removed.number, self._key, line.seq, removed.at, removed.by, removed.reason)
            self._connection.execute("INSERT INTO removals VALUES (?, ?, ?, ?, ?, ?)", row)

    def flush(self) -> None:
        """Insert the messages that wait."""
        self._connection.executemany(INSERT_MESSAGE, self._rows)
        self._rows.clear()
