"""How messages leave the journal's database: one that is removed, those that are too old, and the text in its files.

A removal empties the message's text, deletes its paste, and notes who removed it and why under a number that only
grows: whoever keeps something of the journal elsewhere (an index) remembers the number it has got to and asks for those
above it.

That the text is gone from every later read is true with the commit; that no file holds it any more takes `erase`, on
the worker thread. What is true of SQLite's files (https://sqlite.org/fileformat2.html):

- The write-ahead log keeps old images of pages until it is truncated: a checkpoint that only starts it afresh leaves
  them behind its end.
- `secure_delete` overwrites a cell that is deleted or replaced, and every page that becomes free. But when a full page
  is divided, SQLite moves cells and leaves copies of some behind in the unused middle of a page (1 in 200 with texts of
  up to 4,000 bytes): deleting the cell does not overwrite its copy. A journal from a build without `secure_delete` has
  such remains everywhere.

So after truncating the log `erase` walks over the file and zeroes what the format says is in no use: the gap between a
page's cell pointers and its cells, its free blocks, and free pages. That is safe because the connection has the file
to itself, the write-ahead log is empty and the page cache has been emptied, so SQLite reads those pages again, and none
of the bytes means anything to it. The descriptor stays open as long as the connection: closing any descriptor of a file
ends the process's locks on it.

Until `erase` is through, `meta` says so: after a kill the next start does it.

What this gives up: the walk takes about 0.5 s a GB, during which messages wait for their commit. Page 1 is left out; it
holds the schema only. What fills the end of the last page of a long text was zeroed when the page was freed, unless the
build had no `secure_delete` then.
"""

import os
import sqlite3
import struct
from collections.abc import Iterator
from itertools import takewhile

from gateway import wording
from gateway.core.ports.journal import UNKNOWN_AGE_MS, Expired, Removal
from gateway.errors import JournalError
from gateway.journal.store import TABLES_BY_SEQ, Store

SELECT_REMOVALS = """
    SELECT removals.number, rooms.name, removals.seq, removals.at, removals.by, removals.reason
    FROM removals JOIN rooms ON rooms.id = removals.room
"""
PAGES_READ = 256
LEAF_HEADER, INTERIOR_HEADER = 8, 12
HEADER_BYTES = {2: INTERIOR_HEADER, 5: INTERIOR_HEADER, 10: LEAF_HEADER, 13: LEAF_HEADER}
"""By the type of a page of a tree; the pages of long texts begin with the high byte of a page number, which is 0."""
_PAGE_HEADER = struct.Struct(">xHHH")
_PAIR = struct.Struct(">HH")


def remove(store: Store, name: str, seq: int, at: int, by: str, reason: str) -> Removal | None:
    """As `Journal.remove`."""
    room = store.room(name)
    with store.writing() as connection:
        found = connection.execute("SELECT text FROM messages WHERE room = ? AND seq = ?", (room.key, seq)).fetchone()
        if found is not None and found[0]:
            connection.execute(
                "UPDATE messages SET text = '', paste_bytes = NULL, paste_lines = NULL WHERE room = ? AND seq = ?",
                (room.key, seq),
            )
            connection.execute("DELETE FROM pastes WHERE room = ? AND seq = ?", (room.key, seq))
            values = (room.key, seq, at, by, reason)
            connection.execute("INSERT INTO removals (room, seq, at, by, reason) VALUES (?, ?, ?, ?, ?)", values)
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('erasing', 'yes')")
            room.removed = True
    return next(iter(removed(store, name, seq - 1, seq)), None)


def removed(store: Store, name: str, after: int, upto: int) -> list[Removal]:
    """As `Journal.removed`."""
    condition = " WHERE removals.room = ? AND removals.seq > ? AND removals.seq <= ? ORDER BY removals.seq"
    rows = store.connection.execute(SELECT_REMOVALS + condition, (store.room(name).key, after, upto))
    return [Removal(*row) for row in rows]


def removals(store: Store, after: int, limit: int) -> list[Removal]:
    """As `Journal.removals`."""
    condition = " WHERE removals.number > ? ORDER BY removals.number LIMIT ?"
    return [Removal(*row) for row in store.connection.execute(SELECT_REMOVALS + condition, (after, limit))]


SELECT_NEXT_ROOMS = "SELECT id, name FROM rooms WHERE id > ? ORDER BY id LIMIT ?"
SELECT_OLDEST = "SELECT seq, ts FROM messages WHERE room = ? ORDER BY seq LIMIT 1"
SELECT_OLDEST_KNOWN = "SELECT seq, ts FROM messages WHERE room = ? AND ts >= ? ORDER BY seq LIMIT ?"
EXPIRED_PER_SLICE = 1_000
ROOMS_PER_SLICE = 500


def expire(store: Store, before: int) -> Expired:
    """As `Journal.expire`: at most EXPIRED_PER_SLICE messages of the next ROOMS_PER_SLICE rooms."""
    rooms = store.connection.execute(SELECT_NEXT_ROOMS, (store.expired_up_to, ROOMS_PER_SLICE)).fetchall()
    firsts: dict[str, int] = {}
    left = EXPIRED_PER_SLICE
    upto = store.expired_up_to
    with store.transaction() as connection:
        for key, name in rooms:
            old = _old_messages(connection, key, before, left)
            if old:
                connection.execute("UPDATE rooms SET floor = max(floor, ?) WHERE id = ?", (old[-1], key))
                for table in TABLES_BY_SEQ:
                    connection.execute(f"DELETE FROM {table} WHERE room = ? AND seq <= ?", (key, old[-1]))
                firsts[name] = old[-1] + 1
                left -= len(old)
            if left <= 0:
                break
            upto = key
    for name, first in firsts.items():
        store.room(name).first = first
    store.wal_pages += len(firsts) + (EXPIRED_PER_SLICE - left) // 4
    more = left <= 0 or len(rooms) == ROOMS_PER_SLICE
    store.expired_up_to = upto if more else 0
    return Expired(firsts, more)


def _old_messages(connection: sqlite3.Connection, room: int, before: int, limit: int) -> list[int]:
    oldest = connection.execute(SELECT_OLDEST, (room,)).fetchone()
    if oldest is None or oldest[1] >= before:
        return []
    rows = connection.execute(SELECT_OLDEST_KNOWN, (room, before - UNKNOWN_AGE_MS, limit)).fetchall()
    return [seq for seq, _ in takewhile(lambda row: row[1] < before, rows)]


def erase_if_due(store: Store) -> None:
    """As `erase`, if a removal says that it has not been done."""
    if store.connection.execute("SELECT 1 FROM meta WHERE key = 'erasing' AND value = 'yes'").fetchone():
        erase(store)


def erase(store: Store) -> None:
    """As `Journal.erase`. Takes many milliseconds."""
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    store.connection.execute("PRAGMA shrink_memory")
    try:
        sweep(store.descriptor())
    except OSError as error:
        raise JournalError(wording.REMOVED_TEXTS_STAY.format(why=error.strerror)) from error
    # This first commit after a truncation also syncs the new log's header, so that the next batch need not wait for it.
    store.connection.execute("INSERT OR REPLACE INTO meta VALUES ('erasing', 'no')")
    store.wal_pages = 0


def sweep(file: int) -> None:
    """Zero the bytes of the database that are in no use."""
    header = os.pread(file, 100, 0)
    (size,) = struct.unpack_from(">H", header, 16)
    size = 65536 if size == 1 else size
    free = _free_pages(file, size, header)
    pages = os.fstat(file).st_size // size
    zeros = bytes(size)
    swept = False
    for first in range(0, pages, PAGES_READ):
        chunk = os.pread(file, PAGES_READ * size, first * size)
        for number in range(max(first, 1), first + len(chunk) // size):
            page = chunk[(number - first) * size : (number - first + 1) * size]
            for start, stop in free.get(number + 1) or _unused(page, size):
                if page[start:stop] != zeros[: stop - start]:
                    os.pwrite(file, zeros[: stop - start], number * size + start)
                    swept = True
    if swept:
        os.fsync(file)


def _free_pages(file: int, size: int, header: bytes) -> dict[int, list[tuple[int, int]]]:
    """The free pages by number, each with the ranges of it that are in no use."""
    found: dict[int, list[tuple[int, int]]] = {}
    (trunk,) = struct.unpack_from(">I", header, 32)
    while trunk and trunk not in found:
        page = os.pread(file, size, (trunk - 1) * size)
        following, count = struct.unpack_from(">II", page)
        count = min(count, size // 4 - 2)
        found[trunk] = [(8 + 4 * count, size)]
        found |= {leaf: [(0, size)] for leaf in struct.unpack_from(f">{count}I", page, 8)}
        trunk = following
    return found


def _unused(page: bytes, size: int) -> Iterator[tuple[int, int]]:
    """The ranges of a page of a tree that are in no use; none of any other page."""
    header = HEADER_BYTES.get(page[0])
    if header is None:
        return
    block, cells, content = _PAGE_HEADER.unpack_from(page)
    if not header + 2 * cells <= content <= size:
        return
    yield header + 2 * cells, content
    while content <= block <= size - 4:
        following, length = _PAIR.unpack_from(page, block)
        if length < 4 or block + length > size:
            return
        yield block + 4, block + length
        if following <= block:
            return
        block = following
