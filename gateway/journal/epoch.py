"""Epochs: whether a journal is still the unbroken continuation of what it was when it was last open.

No (epoch, seq) may be used twice, so the question is not "is it a copy?" but "is it certainly not one?": if a file that
belongs beside the database is missing or unreadable, the database counts as a copy. Five facts decide:

- *How the last run ended* (`clean`). A clean stop synced everything. A killed process loses nothing either, since the
  kernel holds what was written; only the machine's end can take the tail, and it shows as another boot id. With
  durability "power" every commit was synced, so not even that matters.
- *Whether this is the database that was last open here, not a copy brought back.* Beside it lies a small file, the
  mark, with a token renewed at every opening; token, inode and change time of the mark are noted in the database. A
  restored database disagrees with the mark or has none, a restored folder has a mark with another inode or change time.
  Only a database that was never opened (`meta` holds no mark) needs none: nothing was promised with it.
- *Whether the last message is still there.* SQLite ends a write-ahead log at the first frame that does not match, and
  treats a missing log as one that never existed: a flipped bit or a deleted file loses the end silently. What is lost
  is always an end, so one number is enough: the tail file beside the database notes the message committed last.
- *Whether that note is there.* It exists from before `clean` becomes "no" until after it is "yes" again. So a database
  that was not stopped cleanly and has no readable note was copied without its companion files, or has lost them.
- A secret seed. A room's epoch is a keyed hash of its name, so that a room nobody has written to has a stable epoch
  without a row on the disk. Renewing the seed renews every epoch at once.

The note is written after the commit and before its messages are acknowledged. A kill in between leaves the note one
batch behind, never ahead. Only its creation is synced: after a crash of the machine the boot id decides, and with
durability "power" an old note is merely behind, as after a kill. A clean stop removes it.

What this gives up: a `chown -R` or `chmod -R` over the folder also changes the mark's change time and costs every room
its epoch. Clients then get the last 50 messages instead of a resume, and nothing is lost; to err the other way could
use a number twice. A snapshot of the whole file system, taken while the gateway was cleanly stopped and rolled back
later, restores inode and change time too, and is not noticed.
"""

import hashlib
import os
import secrets
import sqlite3
import struct
import subprocess
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gateway import wording
from gateway.journal.disk import sync_folder

LINUX_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
BSD_BOOT_NAMES = ("kern.bootsessionuuid", "kern.boottime")
EPOCH_BYTES = 12


def new_seed() -> str:
    """A fresh secret, from which the epochs of all rooms are derived."""
    return secrets.token_urlsafe(32)


def epoch_of(seed: str, room: str) -> str:
    """The epoch of a room under this seed: 16 characters of [A-Za-z0-9_-]."""
    key = urlsafe_b64decode(seed + "=" * (-len(seed) % 4))
    name = room.encode(errors="surrogatepass")
    return urlsafe_b64encode(hashlib.blake2b(name, digest_size=EPOCH_BYTES, key=key).digest()).decode()


def new_epoch() -> str:
    """A random epoch, for one room."""
    return secrets.token_urlsafe(EPOCH_BYTES)


def boot_id() -> str:
    """The id of this boot of the machine; where there is none, a value that equals no other."""
    try:
        return LINUX_BOOT_ID.read_text().strip()
    except OSError:
        return next(filter(None, map(_sysctl, BSD_BOOT_NAMES)), f"unknown {secrets.token_hex(8)}")


def _sysctl(name: str) -> str:
    try:
        return subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=2).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def mark_path(database: Path) -> Path:
    """The path of this database's mark."""
    return database.with_name(database.name + "-mark")


def read_mark(database: Path) -> str:
    """The mark as `token inode ctime`, or "" when there is none or it cannot be read."""
    path = mark_path(database)
    try:
        found = path.stat()
        return f"{path.read_text().strip()} {found.st_ino} {found.st_ctime_ns}"
    except (OSError, ValueError):
        return ""


def write_mark(database: Path, token: str) -> str:
    """Replace the mark atomically and return it as `read_mark` will."""
    path = mark_path(database)
    fresh = path.with_name(path.name + ".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)
    return read_mark(database)


def why_broken(meta: Mapping[str, str], boot: str, mark: str) -> str | None:
    """Why the journal's end may be missing, None when it cannot be.

    `mark_next` is the token that was about to be written: a process killed in between has either mark.
    """
    if meta["mark"] and mark != meta["mark"] and not _was_being_written(meta, mark):
        return wording.DATABASE_RESTORED if mark else wording.DATABASE_WITHOUT_MARK
    if meta["clean"] == "no" and meta["durability"] == "process" and boot != meta["boot"]:
        return wording.MACHINE_STOPPED_FIRST
    return None


def _was_being_written(meta: Mapping[str, str], mark: str) -> bool:
    token = mark.partition(" ")[0]
    return token != "" and token == meta["mark_next"]


NOTE = struct.Struct("<qq")
NOTHING = (0, 0)
SELECT_HEAD = "SELECT max(floor, (SELECT coalesce(max(seq), 0) FROM messages WHERE room = id)) FROM rooms WHERE id = ?"


def tail_path(database: Path) -> Path:
    """The path of this database's tail note."""
    return database.with_name(database.name + "-tail")


def why_missing(connection: sqlite3.Connection, database: Path, clean: bool) -> str | None:
    """Why the journal is broken if the message noted last is not in it; None if it is in it.

    `clean`: the last run ended with a clean stop, after which there need be no note.
    """
    try:
        room, seq = NOTE.unpack(tail_path(database).read_bytes())
    except (OSError, struct.error):
        return None if clean else wording.NOTE_MISSING
    if (room, seq) == NOTHING:
        return None
    head = connection.execute(SELECT_HEAD, (room,)).fetchone()
    return wording.END_MISSING if head is None or head[0] < seq else None


class Tail:
    """The tail note of an open database. Creating it may raise OSError and syncs its existence."""

    def __init__(self, database: Path) -> None:
        self._path = tail_path(database)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self._file).st_size != NOTE.size:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, NOTE.pack(*NOTHING), 0)
            os.fsync(self._file)
            sync_folder(self._path.parent)

    def note(self, room: int, seq: int) -> None:
        """Note that the last message committed is number `seq` of the room with that row. A failure is ignored: the
        note is behind then."""
        with suppress(OSError):
            os.pwrite(self._file, NOTE.pack(room, seq), 0)

    def forget(self) -> None:
        """Erase the note: the rooms have new epochs."""
        self.note(*NOTHING)

    def close(self) -> None:
        """Close the file. Closing it again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Delete the note: everything is synced."""
        self._path.unlink(missing_ok=True)
