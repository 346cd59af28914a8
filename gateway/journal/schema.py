"""The database's schema: tables, version, how a new database is created, and how an older one is brought up to date.

The schema grows by STEPS, each of which makes the next version. A new database runs all of them, an older one those
that it lacks, in the transaction that opens it: a process killed meanwhile leaves the version that was there. A step
that has been released is never changed, a new one goes to the end. It must be quick whatever the size: SQLite adds a
column and creates a table without reading a row.

A room's head is the larger of `floor` and its last message's number, so that appending touches one table only. Deleting
old messages first raises `floor` to the number of the last one deleted.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from gateway import wording
from gateway.journal.disk import sync_folder
from gateway.journal.epoch import new_seed

APPLICATION_ID = 0x47617465
SANCTION = """
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    identity TEXT NOT NULL,
    reason TEXT NOT NULL,
    author TEXT NOT NULL,
    created INTEGER NOT NULL,
    until INTEGER
"""
REFUSE = "SELECT RAISE(ABORT, 'the audit log only grows')"

VERSION_1 = f"""
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE rooms (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    floor INTEGER NOT NULL DEFAULT 0,
    topic TEXT NOT NULL DEFAULT ''
);
CREATE TABLE messages (
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    nick TEXT NOT NULL,
    door TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (room, seq)
) WITHOUT ROWID;
CREATE TABLE receipts (
    identity TEXT NOT NULL,
    id TEXT NOT NULL,
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    PRIMARY KEY (identity, id)
) WITHOUT ROWID;
CREATE TABLE people (
    identity TEXT PRIMARY KEY,
    nick TEXT NOT NULL,
    rooms TEXT NOT NULL,
    seen INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE bans ({SANCTION}) WITHOUT ROWID;
CREATE TABLE mutes ({SANCTION}) WITHOUT ROWID;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    source TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    result TEXT NOT NULL
);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN {REFUSE}; END;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit BEGIN {REFUSE}; END;
"""

REMOVALS_AND_PASTES = """
ALTER TABLE messages ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN paste_bytes INTEGER;
ALTER TABLE messages ADD COLUMN paste_lines INTEGER;
CREATE TABLE removals (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (room, seq)
);
CREATE TABLE pastes (
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (room, seq)
) WITHOUT ROWID;
"""
"""`author` is an identity, empty where there is none. A removed message keeps its row, with an empty text; numbers of
removals only grow and are never used again, also after those of expired messages are deleted. A message whose text is
the beginning of a paste has the size of the whole, which stands in `pastes`."""

PEOPLE_OVER_TIME = """
ALTER TABLE people ADD COLUMN codes TEXT NOT NULL DEFAULT '';
ALTER TABLE people ADD COLUMN reads TEXT NOT NULL DEFAULT '[]';
ALTER TABLE people ADD COLUMN account TEXT NOT NULL DEFAULT '';
UPDATE people SET codes = identity WHERE length(identity) = 6;
"""
"""`codes` are the unused resume codes, with blanks between them: in version 1 a terminal's only one was its identity.
`reads` is as `rooms`. There are never many people: they are forgotten ten minutes after they have left, but for those
that own an `account`."""

STEPS = (VERSION_1, REMOVALS_AND_PASTES, PEOPLE_OVER_TIME)
VERSION = len(STEPS)

FIRST_META = {
    "seed": "",
    "boot": "",
    "clean": "yes",
    "durability": "process",
    "mark": "",
    "mark_next": "",
    "checkpoints": "0",
    "time": "",
}
"""`time` is a `TimeRecord`, empty when none has been kept."""


def wrong_version(application: int, version: int) -> str | None:
    """Why a database with these numbers in its header cannot be opened, as the end of a sentence that begins with its
    name; None if it can be, perhaps after an `upgrade`."""
    if application != APPLICATION_ID:
        return wording.DATABASE_OF_ANOTHER
    if version > VERSION:
        return wording.DATABASE_NEWER.format(version=version, known=VERSION)
    return None if version >= 1 else wording.DATABASE_UNKNOWN.format(version=version)


def create(path: Path) -> None:
    """Create the database and, if need be, its folder.

    It is completed under another name and linked into place: a process killed meanwhile leaves no half-made database,
    and of two processes that start at once one creates it and both find it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=path.name + ".", suffix=".new", dir=path.parent)
    os.close(handle)
    try:
        _fill(Path(name))
        _link(Path(name), path)
    finally:
        Path(name).unlink(missing_ok=True)


def _fill(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        upgrade(connection)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", (FIRST_META | {"seed": new_seed()}).items())
        connection.commit()


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring the schema to VERSION; part of the caller's transaction, which must be open."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, step in enumerate(STEPS[version:], version + 1):
        for statement in _statements(step):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one, because `executescript` would commit first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _link(fresh: Path, path: Path) -> None:
    try:
        os.link(fresh, path)
    except FileExistsError:
        return
    except OSError:
        fresh.replace(path)
    sync_folder(path.parent)
