"""Which message was committed last, in a small file beside the database: so a missing end is seen, whatever took it.

SQLite ends a write-ahead log at the first frame that does not fit, and takes one that is gone for one that never was:
a flipped bit or a deleted file loses the end without a word. What is lost is always an end, so the last message alone
tells whether it is still there.

The note is written after the commit and before anybody is answered. A kill in between leaves it behind by a batch,
never ahead. It is not synced: after the machine's end the boot id decides (`continuity`). A clean stop removes it.
"""

import os
import sqlite3
import struct
from contextlib import suppress
from pathlib import Path

NOTE = struct.Struct("<qq")
NOTHING = (0, 0)
SELECT_HEAD = "SELECT max(floor, (SELECT coalesce(max(seq), 0) FROM messages WHERE room = id)) FROM rooms WHERE id = ?"


def tail_path(database: Path) -> Path:
    """Where the note of this database lies."""
    return database.with_name(database.name + "-tail")


def why_missing(connection: sqlite3.Connection, database: Path) -> str | None:
    """Why the journal is broken if the message that was noted last is not in it, None if it is."""
    try:
        room, seq = NOTE.unpack(tail_path(database).read_bytes())
    except (OSError, struct.error):
        return None
    if (room, seq) == NOTHING:
        return None
    head = connection.execute(SELECT_HEAD, (room,)).fetchone()
    return "its end is missing" if head is None or head[0] < seq else None


class Tail:
    """The note of an open database. May raise OSError when made."""

    def __init__(self, database: Path) -> None:
        self._path = tail_path(database)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self._file).st_size != NOTE.size:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, NOTE.pack(*NOTHING), 0)

    def note(self, room: int, seq: int) -> None:
        """The last message committed is number `seq` of the room with that row. A failure leaves the note behind."""
        with suppress(OSError):
            os.pwrite(self._file, NOTE.pack(room, seq), 0)

    def forget(self) -> None:
        """What was noted does not count any more: the rooms have new epochs."""
        self.note(*NOTHING)

    def close(self) -> None:
        """Let go of the file. Closing again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Everything is synced: the note is of no more use."""
        self._path.unlink(missing_ok=True)
