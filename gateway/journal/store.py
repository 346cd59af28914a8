"""The rooms in an open database: verbs that work at once or raise sqlite3.Error, with nothing half done.

The hot path is `append`: one transaction, no SELECT, many rows in a statement (`journal.inserts`). For that, the heads
of the rooms in use are held in memory, at most ROOMS_HELD of them; a room beyond that is looked up again. A head held
here changes only after COMMIT, and a message gets its `seq` then: a failed append leaves no trace.

A checkpoint copies the WAL's pages into the database file. It takes many milliseconds, so it runs on the worker thread.
Three facts about it:

- With one connection and no open reader, PASSIVE always completes. The WAL then keeps its length and is overwritten
  from its beginning, which costs a commit 11 µs; a WAL that is truncated and extended anew costs 17.
- The first commit after that writes a new WAL header and, even with synchronous NORMAL, syncs it: 5 to 100 ms. So one
  dummy commit follows the checkpoint at once, on the worker, where it stalls nobody.
- SQLite skips writing a row that stays the same, so the dummy commit must change something.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.core.clock import TimeRecord
from gateway.core.ports.journal import Memory, Page, Person, Receipt, RoomRecord
from gateway.core.protocol.message import PASTES_KEPT, Message, PasteSize
from gateway.journal.disk import Disk
from gateway.journal.epoch import Tail, epoch_of, new_epoch
from gateway.journal.inserts import Place, insert_messages


def checkpoint(connection: sqlite3.Connection) -> None:
    """Bring everything committed into the database file, synced, so that the next commit syncs nothing."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'checkpoints'")


ROOMS_HELD = 16_384

INSERT_PASTE = "INSERT INTO pastes VALUES (?, ?, ?)"
SELECT_PASTE = "SELECT text FROM pastes WHERE room = ? AND seq = ?"
DELETE_OLD_PASTES = """
    DELETE FROM pastes WHERE room = ? AND seq <= (
        SELECT seq FROM pastes WHERE room = ? ORDER BY seq DESC LIMIT 1 OFFSET ?
    )
"""
UPDATE_PASTE = "UPDATE messages SET paste_bytes = ?, paste_lines = ? WHERE room = ? AND seq = ?"
INSERT_ROOM = "INSERT INTO rooms (name, epoch) VALUES (?, ?)"
SELECT_ROOMS = """
    SELECT name, epoch, topic, id, floor,
           (SELECT min(seq) FROM messages WHERE room = rooms.id),
           (SELECT max(seq) FROM messages WHERE room = rooms.id),
           EXISTS (SELECT 1 FROM removals WHERE room = rooms.id)
    FROM rooms
"""
SELECT_LAST = "SELECT name, (SELECT ts FROM messages WHERE room = rooms.id ORDER BY seq DESC LIMIT 1) FROM rooms"
SELECT_MESSAGES = """
    SELECT ts, nick, door, kind, text, 0, seq, author, '',
           CASE WHEN text = '' THEN (SELECT reason FROM removals WHERE room = messages.room AND seq = messages.seq)
           ELSE '' END, paste_bytes, paste_lines
    FROM messages WHERE room = ? AND seq > ? AND seq < ?
"""

INSERT_RECEIPT = "INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?, ?)"
INSERT_PERSON = "INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?, ?, ?, ?)"
SELECT_PEOPLE = "SELECT identity, nick, rooms, seen, codes, reads, account FROM people ORDER BY seen"
SELECT_RECEIPTS = """
    SELECT receipts.identity, receipts.id, rooms.name, rooms.epoch, receipts.seq, receipts.ts
    FROM receipts JOIN rooms ON rooms.id = receipts.room ORDER BY receipts.ts
"""
TABLES_BY_SEQ = "messages", "removals", "pastes"
RECEIPTS_KEPT_MS = 120_000
"""How long a retry is recognized; a checkpoint drops older receipts."""
DELETE_OLD_RECEIPTS = "DELETE FROM receipts WHERE ts < ? OR (ts > ? AND ts < ?)"
"""Receipts bear the wall clock's time. While that is ahead of trusted time there are two ages to measure."""
SELECT_NEWEST = """
    SELECT max((SELECT ts FROM messages WHERE room = rooms.id ORDER BY seq DESC LIMIT 1)) FROM rooms
"""
TIME_WRITTEN_EVERY_MS = 3_600_000
"""The record of the time is for the next start, which believes a stop of a week: an hour more is nothing."""


@dataclass(slots=True)
class StoredRoom:
    """What is held of a room. `key` is its row's id, 0 when it is not stored: then `epoch` is derived from the seed."""

    name: str
    key: int
    epoch: str
    topic: str
    first: int
    head: int
    removed: bool = False

    def record(self, recent: list[Message]) -> RoomRecord:
        return RoomRecord(self.name, self.epoch, self.first, self.head, self.topic, recent, self.removed)


class Store:
    """One connection's rooms. `wal_pages` estimates what the WAL has grown by since the last checkpoint: too high for
    short texts, up to five times too low for the longest."""

    def __init__(self, connection: sqlite3.Connection, tail: Tail, seed: str, disk: Disk) -> None:
        self.connection = connection
        self.tail = tail
        self.wal_pages = 0
        self._seed = seed
        self._disk = disk
        self._held: dict[str, StoredRoom] = {}
        self.expired_up_to = 0
        """The row of the room at which `removals.expire` stopped."""
        self.time: TimeRecord | None = None
        """The record that `keep_time` got last."""
        self._time_written: TimeRecord | None = None
        self._descriptor = -1

    def descriptor(self) -> int:
        """A descriptor of the database's file, which stays open until the connection is closed."""
        if self._descriptor < 0:
            self._descriptor = self._disk.open()
        return self._descriptor

    def close(self) -> None:
        """Close the database. Closing it again does nothing."""
        self.connection.close()
        self.tail.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def time_kept(self) -> tuple[TimeRecord | None, int]:
        """As `Journal.time_kept`; the newest message is searched for only without a record (18 µs a room)."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = 'time'").fetchone()
        record = TimeRecord.parse(row[0]) if row else None
        newest = None if record else self.connection.execute(SELECT_NEWEST).fetchone()[0]
        return record, newest or 0

    def keep_time(self, record: TimeRecord) -> None:
        """As `Journal.keep_time`. Written when an hour has passed, or when the clock begins or ceases to be doubted."""
        self.time = record
        last = self._time_written
        if last is None or last.since != record.since or record.trusted - last.trusted >= TIME_WRITTEN_EVERY_MS:
            with self.writing() as connection:
                connection.execute("INSERT OR REPLACE INTO meta VALUES ('time', ?)", (str(record),))
            self._time_written = record

    def room(self, name: str) -> StoredRoom:
        """What is known of the room of that name."""
        return self._held.get(name) or self._look_up(name)

    def open(self, name: str, recent: int) -> RoomRecord:
        """As `Journal.open`."""
        room = self._hold(self._look_up(name))
        return room.record(self._newest(room, 0, room.head + 1, recent))

    def append(self, batch: list[Message]) -> list[Message]:
        """As `Journal.append`."""
        self._disk.look()
        created: list[StoredRoom] = []
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            heads, places, more = self._number(batch, created)
            insert_messages(self.connection, places if len(heads) == 1 else sorted(places))
            for key, seq, message in more:
                if message.id:
                    self.connection.execute(INSERT_RECEIPT, (message.identity, message.id, key, seq, message.ts))
                if message.whole:
                    self._keep_paste(message, key, seq)
            self.connection.execute("COMMIT")
        except BaseException:
            self._roll_back(created)
            raise
        for _, seq, message in places:
            message.seq = seq
        for _, _, message in more:
            message.whole = ""
        for room, head in heads.values():
            room.head = head
        if places:
            self.tail.note(*places[-1][:2])
        self.wal_pages += 1 + len(heads) + len(batch) // 4
        return batch

    def _keep_paste(self, message: Message, room: int, seq: int) -> None:
        """Store the whole of a paste, and drop those that it makes too many of the room's."""
        assert message.paste is not None
        self.connection.execute(INSERT_PASTE, (room, seq, message.whole))
        self.connection.execute(UPDATE_PASTE, (message.paste.bytes, message.paste.lines, room, seq))
        self.connection.execute(DELETE_OLD_PASTES, (room, room, PASTES_KEPT))
        self.wal_pages += len(message.whole) // 4096

    def paste(self, name: str, seq: int) -> str | None:
        """As `Journal.paste`."""
        found = self.connection.execute(SELECT_PASTE, (self.room(name).key, seq)).fetchone()
        return None if found is None else str(found[0])

    def read(self, name: str, after: int | None, before: int | None, limit: int) -> Page:
        """As `Journal.read`."""
        room = self.room(name)
        low = max(after or 0, 0)
        high = room.head + 1 if before is None else min(before, room.head + 1)
        if low >= high or limit < 1:
            return Page([], more=False)
        if after is None:
            found = self._newest(room, low, high, limit + 1)
            return Page(found[-limit:], more=len(found) > limit)
        rows = self.connection.execute(SELECT_MESSAGES + " ORDER BY seq LIMIT ?", (room.key, low, high, limit + 1))
        found = _messages(name, rows)
        return Page(found[:limit], more=len(found) > limit)

    def set_topic(self, name: str, topic: str) -> None:
        """As `Journal.set_topic`."""
        self._disk.look()
        created: list[StoredRoom] = []
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            room = self._stored(name, created)
            self.connection.execute("UPDATE rooms SET topic = ? WHERE id = ?", (topic, room.key))
            self.connection.execute("COMMIT")
        except BaseException:
            self._roll_back(created)
            raise
        self.wal_pages += 2

    def new_epoch(self, name: str) -> bool:
        """As `Journal.new_epoch`."""
        epoch = new_epoch()
        with self.writing() as connection:
            changed = connection.execute("UPDATE rooms SET epoch = ? WHERE name = ?", (epoch, name)).rowcount
        if name in self._held and changed:
            self._held[name].epoch = epoch
        return bool(changed)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that adds something."""
        self._disk.look()
        with self.transaction() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction; without `writing`'s look at the disk, for what frees space."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException:
            self._roll_back([])
            raise
        self.wal_pages += 2

    def remember(self, people: Sequence[Person]) -> None:
        """As `Journal.remember`."""
        rows = [
            (it.identity, it.nick, _json(it.rooms), it.seen, " ".join(it.codes), _json(it.reads), it.account)
            for it in people
        ]
        with self.writing() as connection:
            connection.executemany(INSERT_PERSON, rows)
        self.wal_pages += len(rows) // 4

    def recall(self, since: int) -> Memory:
        """As `Journal.recall`."""
        self.connection.execute("UPDATE people SET seen = ? WHERE seen = 0", (self._now(),))
        self.connection.execute("DELETE FROM people WHERE seen < ? AND account = ''", (since,))
        self.connection.execute("DELETE FROM receipts WHERE ts < ?", (since,))
        people = [
            Person(identity, nick, _places(rooms), seen, codes.split(), _places(reads), account)
            for identity, nick, rooms, seen, codes, reads, account in self.connection.execute(SELECT_PEOPLE)
        ]
        return Memory(people, [Receipt(*row) for row in self.connection.execute(SELECT_RECEIPTS)])

    def rooms(self) -> list[RoomRecord]:
        """As `Journal.rooms`."""
        last = dict(self.connection.execute(SELECT_LAST))
        rows = self.connection.execute(SELECT_ROOMS + " ORDER BY name")
        return [msgspec.structs.replace(_room(row).record([]), last_ts=last[row[0]] or 0) for row in rows]

    def checkpoint(self) -> None:
        """Start the WAL afresh."""
        self.wal_pages = 0
        now = self._now()
        wall = now if self.time is None else self.time.wall
        bounds = now - RECEIPTS_KEPT_MS, now + RECEIPTS_KEPT_MS, wall - RECEIPTS_KEPT_MS
        self.connection.execute(DELETE_OLD_RECEIPTS, bounds)
        checkpoint(self.connection)

    def _now(self) -> int:
        return time.time_ns() // 1_000_000 if self.time is None else self.time.trusted

    def has_lost(self, earlier: "Store") -> bool:
        """Whether the end of any room `earlier` held is missing here.

        Messages that are here and not there were reported as failed, and are removed: a transaction whose sync failed
        may have been complete in the WAL.
        """
        lost = False
        for known in list(earlier._held.values()):
            room = self._look_up(known.name)
            lost = lost or room.head < known.head
            if room.head > known.head:
                beyond = (room.key, known.head)
                for table in (*TABLES_BY_SEQ, "receipts"):
                    self.connection.execute(f"DELETE FROM {table} WHERE room = ? AND seq > ?", beyond)
        self._held.clear()
        return lost

    def _number(
        self, batch: list[Message], created: list[StoredRoom]
    ) -> tuple[dict[str, tuple[StoredRoom, int]], list[Place], list[Place]]:
        """The heads of the rooms after the batch, the places of its messages, and those with a receipt or a paste."""
        heads: dict[str, tuple[StoredRoom, int]] = {}
        places: list[Place] = []
        more: list[Place] = []
        name, room, seq = "", None, 0
        for each in batch:
            if room is None or each.room != name:
                if room is not None:
                    heads[name] = room, seq
                name = each.room
                room, seq = heads.get(name) or self._last_of(name, created)
            seq += 1
            places.append((room.key, seq, each))
            if each.id or each.whole:
                more.append((room.key, seq, each))
        if room is not None:
            heads[name] = room, seq
        return heads, places, more

    def _last_of(self, name: str, created: list[StoredRoom]) -> tuple[StoredRoom, int]:
        room = self._stored(name, created)
        return room, room.head

    def _stored(self, name: str, created: list[StoredRoom]) -> StoredRoom:
        room = self._held.get(name) or self._hold(self._look_up(name))
        if not room.key:
            room.key = self.connection.execute(INSERT_ROOM, (name, room.epoch)).lastrowid or 0
            created.append(room)
        return room

    def _roll_back(self, created: list[StoredRoom]) -> None:
        for room in created:
            room.key = 0
        with suppress(sqlite3.Error):
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def _look_up(self, name: str) -> StoredRoom:
        row = self.connection.execute(SELECT_ROOMS + " WHERE name = ?", (name,)).fetchone()
        return _room(row) if row else StoredRoom(name, 0, epoch_of(self._seed, name), "", 1, 0)

    def _hold(self, room: StoredRoom) -> StoredRoom:
        if len(self._held) >= ROOMS_HELD and room.name not in self._held:
            del self._held[next(iter(self._held))]
        self._held[room.name] = room
        return room

    def _newest(self, room: StoredRoom, low: int, high: int, limit: int) -> list[Message]:
        order = " ORDER BY seq DESC LIMIT ?"
        rows = self.connection.execute(SELECT_MESSAGES + order, (room.key, low, high, max(limit, 0)))
        return _messages(room.name, rows)[::-1]


def _json(places: Sequence[tuple[str, str, int]]) -> str:
    return msgspec.json.encode(places).decode() if places else "[]"


def _places(text: str) -> list[tuple[str, str, int]]:
    return [(room, epoch, seq) for room, epoch, seq in json.loads(text)]


def _room(row: tuple[str, str, str, int, int, int | None, int | None, int]) -> StoredRoom:
    name, epoch, topic, key, floor, first, last, removed = row
    head = max(floor, last or 0)
    return StoredRoom(name, key, epoch, topic, first or head + 1, head, bool(removed))


def _messages(room: str, rows: Iterable[tuple[Any, ...]]) -> list[Message]:
    found = []
    for *fields, size, lines in rows:
        message = Message(room, *fields)
        if size is not None:
            message.paste = PasteSize(size, lines)
        found.append(message)
    return found
