"""The database's schema: tables, version, and how a new database is created.

A room's head is the larger of `floor` and its last message's number, so that appending touches one table only. Deleting
old messages first raises `floor` to the number of the last one deleted.
"""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from gateway.journal.disk import sync_folder
from gateway.journal.epoch import new_seed

APPLICATION_ID = 0x47617465
VERSION = 1
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

TABLES = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
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
        connection.executescript("BEGIN;" + TABLES)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", (FIRST_META | {"seed": new_seed()}).items())
        connection.commit()


def _link(fresh: Path, path: Path) -> None:
    try:
        os.link(fresh, path)
    except FileExistsError:
        return
    except OSError:
        fresh.replace(path)
    sync_folder(path.parent)
