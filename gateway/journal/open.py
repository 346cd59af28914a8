"""Opening a journal: refuse a damaged one, take the lock, decide whether the epochs are still valid.

In this order, so that a refused journal is left as it was: examine the files (`damage`), read them through a connection
that cannot write, and only then open the connection that can. That one holds the lock for as long as it is open;
`locking_mode = EXCLUSIVE` also avoids the shared-memory index of the WAL.

The note that the journal is in use is synced before the first commit: otherwise a power loss could bring back a journal
that says it was stopped cleanly.

Reading a database in WAL mode makes SQLite create an empty write-ahead log and a shared-memory index beside it, and a
connection that may not write cannot remove them again. Unlinking them is right only while no other process has the
database open, because that one would go on with files that have no name. Each connection holds a shared lock on the
database's lock bytes (https://sqlite.org/fileformat2.html#the_lock_byte_page), so a process that gets an exclusive lock
on them is alone, and no other connection can open the database meanwhile.
"""

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway import wording
from gateway.errors import StartError
from gateway.journal.epoch import Tail, boot_id, epoch_of, new_seed, read_mark, why_broken, why_missing, write_mark
from gateway.journal.integrity import damage, quick_check
from gateway.journal.schema import FIRST_META, create, upgrade
from gateway.journal.store import checkpoint

LOCK_BYTES = 512
LOCK_OFFSET = 0x40000000


@contextmanager
def none_left_over(path: Path) -> Iterator[None]:
    """On an error, remove the files that reading has created, if no other process has the database at `path` open.

    No connection of this process may be open then: closing any descriptor of a file ends the locks of the process.
    """
    beside = [path.with_name(path.name + end) for end in ("-wal", "-shm")]
    before = [file.exists() for file in beside]
    try:
        yield
    except Exception:
        new = [file for file, was in zip(beside, before, strict=True) if not was and file.exists()]
        if new:
            with suppress(OSError):
                _remove(path, new)
        raise


def _remove(path: Path, files: list[Path]) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCK_BYTES, LOCK_OFFSET)
        for file in files:
            if file.suffix.endswith("-shm") or not file.stat().st_size:
                file.unlink()
    finally:
        os.close(descriptor)


SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}
PAUSE = 0.05
FIRST_COLUMNS = {
    "meta": "key, value",
    "rooms": "id, name, epoch, floor, topic",
    "messages": "room, seq, ts, nick, door, kind, text",
    "receipts": "identity, id, room, seq, ts",
    "people": "identity, nick, rooms, seen",
    "bans": "id, kind, target, identity, reason, author, created, until",
    "mutes": "id, kind, target, identity, reason, author, created, until",
    "audit": "number, at, who, source, action, target, reason, result",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A sound database, ready to be written. `broken` says why every room got a new epoch, None if none did."""

    connection: sqlite3.Connection
    tail: Tail
    seed: str
    broken: str | None


def open_database(path: Path, durability: str, patience: float, sleep: Callable[[float], None]) -> Opened:
    """Open the journal at `path`, created if there is none. Raises StartError, one line with advice.

    Waits `patience` seconds in all for a lock that another program holds.
    """
    waited = 0.0
    while True:
        try:
            return _open(path, durability)
        except OSError as error:
            raise StartError(_advice(path, error.strerror or str(error))) from error
        except sqlite3.Error as error:
            if not _is_locked(error):
                raise StartError(_explain(path, error)) from error
            if waited >= patience:
                raise StartError(wording.JOURNAL_LOCKED.format(path=path)) from error
        sleep(PAUSE)
        waited += PAUSE


def mark_clean(connection: sqlite3.Connection, tail: Tail) -> None:
    """Sync everything and note a clean stop."""
    connection.execute("UPDATE meta SET value = 'yes' WHERE key = 'clean'")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    tail.remove()


def _is_locked(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _explain(path: Path, error: sqlite3.Error) -> str:
    if isinstance(error, sqlite3.OperationalError):
        return _advice(path, str(error))
    return _refusal(path, wording.JOURNAL_IS_DAMAGED.format(problem=error))


def _advice(path: Path, trouble: str) -> str:
    if _on_read_only_system(path):
        return wording.JOURNAL_ON_READ_ONLY.format(path=path)
    return wording.JOURNAL_CANNOT_BE_USED.format(path=path, trouble=trouble)


def _on_read_only_system(path: Path) -> bool:
    folder = next(above for above in path.absolute().parents if above.exists())
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _refusal(path: Path, fault: str) -> str:
    return wording.JOURNAL_LEFT_ALONE.format(path=path, fault=fault)


def _open(path: Path, durability: str) -> Opened:
    with none_left_over(path):
        fault = damage(path)
        if path.is_file():
            fault = _examine(path, fault)
        if fault is not None:
            raise StartError(_refusal(path, fault))
    if not path.exists():
        create(path)
    _require_writable(path)
    connection = _connect(path, durability)
    try:
        return _begin(connection, path, durability)
    except BaseException:
        connection.close()
        raise


def _examine(path: Path, fault: str | None) -> str | None:
    """The `fault`, unless the lock shows that another process is writing the files right now; else SQLite's own
    finding."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=0)) as connection:
        _raise_if_locked(connection)
        return fault or _fault_inside(connection, path)


def _raise_if_locked(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        if _is_locked(error):
            raise


def _fault_inside(connection: sqlite3.Connection, path: Path) -> str | None:
    for table, columns in FIRST_COLUMNS.items():
        connection.execute(f"SELECT {columns} FROM {table} LIMIT 1").fetchall()
    return quick_check(connection, path)


def _require_writable(path: Path) -> None:
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)):
        words = wording.JOURNAL_ON_READ_ONLY if _on_read_only_system(path) else wording.JOURNAL_READ_ONLY
        raise StartError(words.format(path=path))


def _connect(path: Path, durability: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StartError(wording.JOURNAL_NO_WAL.format(path=path))
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA secure_delete = ON").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _begin(connection: sqlite3.Connection, path: Path, durability: str) -> Opened:
    connection.execute("BEGIN IMMEDIATE")
    upgrade(connection)
    meta = FIRST_META | dict(connection.execute("SELECT key, value FROM meta"))
    boot, token = boot_id(), secrets.token_hex(8)
    broken = why_broken(meta, boot, read_mark(path)) or why_missing(connection, path, meta["clean"] == "yes")
    # While the epochs are valid the note must exist before `clean` becomes "no", which requires one; a broken journal
    # gets its note after its new epochs are stored, or a kill in between would make it look unbroken.
    if broken is None:
        Tail(path).close()
    else:
        meta["seed"] = renew_in(connection)
    _note(connection, {"clean": "no", "boot": boot, "durability": durability, "mark_next": token})
    connection.execute("COMMIT")
    _note(connection, {"mark": write_mark(path, token), "mark_next": ""})
    checkpoint(connection)
    tail = Tail(path)
    if broken is not None:
        tail.forget()
    path.with_name(path.name + "-shm").unlink(missing_ok=True)  # `_examine` left it; under our lock nobody uses it
    return Opened(connection, tail, meta["seed"], broken)


def renew_epochs(connection: sqlite3.Connection) -> str:
    """Give every room a new epoch; return the seed that they are derived from."""
    connection.execute("BEGIN IMMEDIATE")
    seed = renew_in(connection)
    connection.execute("COMMIT")
    return seed


def renew_in(connection: sqlite3.Connection) -> str:
    """As `renew_epochs`, in the transaction that is open."""
    seed = new_seed()
    rooms = connection.execute("SELECT id, name FROM rooms").fetchall()
    epochs = [(epoch_of(seed, name), key) for key, name in rooms]
    connection.executemany("UPDATE rooms SET epoch = ? WHERE id = ?", epochs)
    _note(connection, {"seed": seed})
    return seed


def _note(connection: sqlite3.Connection, meta: dict[str, str]) -> None:
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
