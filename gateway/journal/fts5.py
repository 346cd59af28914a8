"""The full-text index in an open database: verbs that work at once or raise sqlite3.Error, with nothing half done.

It is a copy: whatever is wrong with it, the file is thrown away and filled again from the journal. It holds a second
copy of every text (of pastes the whole), because what finds a message must be able to forget it when the journal has.

Words. FTS5's tokenizer unicode61 finds words by blanks and punctuation, and compares them without upper case and
accents. It takes a sentence of Chinese, Japanese or Thai for one word. So a control character (SEAM), which the gate
lets into no message, is put on both sides of every character of a script without blanks (and of Hangul, for its
particles): each is a word then, and a run of them in a query a phrase. Without its seams a text is the original.

Parts. Messages go into parts of at most PART_MESSAGES, each a table of texts and an FTS5 table that knows their words
only (contentless). Why not one table:

1. Forgetting. FTS5 deletes by writing a marker; the word itself stays in older segments until they are merged, and
   `secure-delete` needs SQLite 3.42. A part is small enough to be rebuilt from its remaining texts in a tenth of a
   second. With `secure_delete` freed pages are zeroed, and a truncating checkpoint leaves nothing in the WAL.
2. Newest first. Parts are asked from the last to the first, and most queries end in the first one or two.
3. A bound. FTS5 cannot be interrupted while it looks for a phrase that is nowhere, so the time is looked at between
   two parts, none of which takes long.
4. Retention. What expires is mostly whole parts, which are dropped.

In one room the order of the rows is that of the numbers, because each room is fed in order. Across rooms it is not:
after a rebuild the rooms stand one behind the other. So several rooms are asked one by one and merged by time.

A message of ten words costs 2.5 µs where many come together, and a third more if a transaction ended before the part
does (what FTS5 writes at a commit it merges later), if each text stood beside its author's name, or if places were put
in order sooner. The interpreter's lock is held for 0.6 µs, 8 µs for twenty Chinese characters.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from itertools import islice

from gateway.core.ports.index import Found, SearchQuery
from gateway.core.ports.journal import RoomRecord
from gateway.core.protocol.message import Message, PasteSize
from gateway.journal.inserts import Rows

PART_MESSAGES = 10_000
PART_CHARACTERS = 2_000_000
"""Texts in one part; a part is closed with the first one that goes beyond."""
SEAM = "\x1f"
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3105-\u318e\u31a0-\u31bf"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc"
    "\U00020000-\U0003ffff"
)
"""Characters that are words of their own: Han, Kana, Bopomofo, Hangul, and the scripts of Southeast Asia."""
_RUN = re.compile(f"[{_ALONE}]+")
_BEGINNING = re.compile(f'[^\\W_{_ALONE}]{{3}}"$')  # what begins with fewer letters is too many words

PART_TABLES = (
    "CREATE TABLE authors_{0} (id INTEGER PRIMARY KEY, nick TEXT, door TEXT, kind TEXT, key TEXT)",
    """CREATE TABLE lines_{0} (
        id INTEGER PRIMARY KEY, room INTEGER, seq INTEGER, ts INTEGER, author INTEGER, text TEXT, paste TEXT
    )""",
    """CREATE VIRTUAL TABLE words_{0} USING fts5(
        key, text, content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2'
    )""",
)
"""An author is a nick in a room, with door and kind; `key` has a word for the room and one for the nick. One may stand
there twice."""
ORDER_PLACES = "CREATE INDEX IF NOT EXISTS places_{0} ON lines_{0} (room, seq)"
STORE_PART = "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)"
INSERT_AUTHOR = "INSERT INTO authors_{0} (nick, door, kind, key) VALUES (?, ?, ?, ?)"
INSERT_LINES = "INSERT INTO lines_{0} (room, seq, ts, author, text, paste)"
INSERT_WORDS = """
    INSERT INTO words_{0} (rowid, key, text) SELECT lines_{0}.id, key, text
    FROM lines_{0} CROSS JOIN authors_{0} ON authors_{0}.id = author WHERE lines_{0}.id > ?
"""
SELECT_FOUND = """
    SELECT seq, ts, nick, door, kind, iif(paste IS NULL, lines_{0}.text, ''), paste
    FROM words_{0} CROSS JOIN lines_{0} ON lines_{0}.id = words_{0}.rowid
    CROSS JOIN authors_{0} ON authors_{0}.id = author
    WHERE words_{0} MATCH ? AND ts >= ? AND ts < ? AND seq >= ? AND seq < ?
    ORDER BY words_{0}.rowid DESC LIMIT ?
"""
SELECT_OLDEST = "SELECT min(seq) FROM lines_{0} WHERE room = ?"
DELETE_SILENT = "DELETE FROM authors_{0} WHERE id NOT IN (SELECT author FROM lines_{0})"
DELETE_BELOW_FLOOR = "DELETE FROM lines_{0} WHERE seq < (SELECT floor FROM rooms WHERE id = room)"
NUMBER_LIMIT = 2**63 - 1

Author = tuple[int, str, str, str]  # the room's key, nick, door and kind


class Outdated(Exception):
    """The index was made from another journal, or from one that has lost its end since."""


@dataclass(slots=True)
class _Part:
    """A part's row: how many messages and characters of text it has been given, and the span of their times."""

    number: int
    messages: int
    size: int
    oldest: int
    newest: int

    @property
    def full(self) -> bool:
        return self.messages >= PART_MESSAGES or self.size >= PART_CHARACTERS


@dataclass(slots=True)
class _IndexedRoom:
    """What the index has of a room: all messages from `floor` (or the first held) up to `head`."""

    key: int
    head: int
    floor: int


def split(text: str) -> str:
    """The text with its seams."""
    return text if text.isascii() else _RUN.sub(lambda run: f"{SEAM}{SEAM.join(run[0])}{SEAM}", text)


def _shown(text: str, paste: str | None) -> tuple[str, PasteSize | None]:
    """What is shown of a text that is found; a paste has it behind the numbers of its bytes and lines."""
    size, lines, shown = ("", "", "") if paste is None else paste.split(" ", 2)
    return (shown, PasteSize(int(size), int(lines))) if size else (text.replace(SEAM, ""), None)


def _author(nick: str) -> str:
    return "n" + nick.casefold().encode().hex()  # hexadecimal, because a nick may have several words


def _expression(query: SearchQuery) -> str:
    """The query without its room in FTS5's language. Every word is quoted, so none of them is syntax; one of
    three letters or more also finds those that begin so."""
    words = [f'{{text}} : "{split(word).replace(chr(34), chr(34) * 2)}"' for word in query.words]
    words = [f"{word} *" if _BEGINNING.search(word) else word for word in words]
    authors = " OR ".join(f"{{key}} : {_author(nick)}" for nick in query.nicks)
    return " AND ".join([*words, f"({authors})"] if authors else words)


class IndexStore:
    """The index in a connection, which has `begun` so many parts. Beyond `most_parts` the oldest goes; 0 = never."""

    def __init__(self, connection: sqlite3.Connection, most_parts: int = 0) -> None:
        self.connection = connection
        self.begun = 0
        self._most_parts = most_parts
        self._rooms: dict[str, _IndexedRoom] = {}
        self._parts: list[_Part] = []
        self._authors: dict[Author, int] = {}  # of the last part, since it was begun or read
        self._load()

    @property
    def removals(self) -> int:
        """The number of the last removal that was followed."""
        return int(self._meta("removals"))

    def compare(self, witness: str, records: Sequence[RoomRecord]) -> dict[str, int]:
        """Compare with the journal's rooms; return those whose end is missing here, and after which number. `witness`
        is the epoch of one room: epochs change when the journal has lost its end. Raises Outdated when this index
        belongs to another journal."""
        known = {record.room: record for record in records}
        if self._meta("witness") not in ("", witness):
            raise Outdated
        if any(name not in known or room.head > known[name].head for name, room in self._rooms.items()):
            raise Outdated
        with self._writing():
            self.connection.execute("UPDATE meta SET value = ? WHERE key = 'witness'", (witness,))
            for record in records:
                self._raise_floor(self._room(record.room), record.first)
        return {
            name: max(room.head, known[name].first - 1)
            for name, room in self._rooms.items()
            if max(room.head, known[name].first - 1) < known[name].head
        }

    def add(self, batch: Sequence[Message], after: int | None) -> dict[str, int]:
        """Index the messages that follow what is here; return the rooms of those that do not, and the number after
        which messages are missing there. With `after` they are all those the journal has of one room after that number,
        however many numbers may be missing in between."""
        behind: dict[str, int] = {}
        done = 0
        while done < len(batch):
            with self._writing():
                done = self._fill(batch, done, after if done == 0 else None, behind)
        return behind

    def find(self, query: SearchQuery, out_of_time: Callable[[], bool]) -> Found:
        """The newest messages that match. Raises TimeoutError."""
        found: list[Message] = []
        for name in query.rooms:
            room = self._rooms.get(name)
            if room is not None:
                found += self._find_in(name, room, query, out_of_time)
        if len(query.rooms) > 1:
            found.sort(key=lambda message: -message.ts)
        return Found(found[: query.limit], more=len(found) > query.limit)

    def remove(self, places: Sequence[tuple[str, int]], number: int) -> bool:
        """Forget the messages at these places, (room, seq), which are the removals up to `number`; return whether any
        was here. No word of them is in any file afterwards."""
        wanted = [(self._rooms[name].key, seq) for name, seq in places if name in self._rooms]
        found = 0
        with self._writing():
            for part in self._parts if wanted else ():
                values = ", ".join(f"({key}, {seq})" for key, seq in wanted)
                gone = self.connection.execute(
                    f"DELETE FROM lines_{part.number} WHERE (room, seq) IN (VALUES {values})"
                ).rowcount
                if gone:
                    self._rebuild(part.number)
                found += gone
            self.connection.execute("UPDATE meta SET value = max(value, ?) WHERE key = 'removals'", (number,))
        if found:
            self.checkpoint()
        return found > 0

    def forget(self, firsts: Mapping[str, int]) -> list[int]:
        """Messages below these numbers are not found any more; return the parts that `sweep` is to look at."""
        with self._writing():
            for name, first in firsts.items():
                if name in self._rooms:
                    self._raise_floor(self._rooms[name], first)
        return [part.number for part in self._parts]

    def sweep(self, number: int) -> None:
        """Delete from one part what `forget` was told of."""
        part = next((part for part in self._parts if part.number == number), None)
        if part is None:
            return
        with self._writing():
            gone = self.connection.execute(DELETE_BELOW_FLOOR.format(number)).rowcount
            if gone:
                rest = self.connection.execute(f"SELECT 1 FROM lines_{number} LIMIT 1").fetchone()
                if rest is None:
                    self._drop(part)
                else:
                    self._rebuild(number)
        if gone:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Bring everything into the database file and leave the WAL empty."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _find_in(
        self, name: str, room: _IndexedRoom, query: SearchQuery, out_of_time: Callable[[], bool]
    ) -> list[Message]:
        here = f"{{key}} : r{room.key}"
        words = _expression(query)
        match = f"{words} AND {here}" if words else here
        since = -NUMBER_LIMIT if query.since is None else query.since
        before = NUMBER_LIMIT if query.before is None else query.before
        below = NUMBER_LIMIT if query.below is None else query.below
        found: list[Message] = []
        for part in reversed(self._parts):
            if out_of_time():
                raise TimeoutError
            if part.newest < since or part.oldest >= before or self._all_above(part, room, query.below):
                continue
            wanted = query.limit + 1 - len(found)
            rows = self.connection.execute(
                SELECT_FOUND.format(part.number), (match, since, before, room.floor, below, wanted)
            )
            for seq, ts, nick, door, kind, *texts in rows:
                text, size = _shown(*texts)
                found.append(Message(name, ts, nick, door, kind, text, seq=seq, paste=size))
            if len(found) > query.limit:
                break
        return found

    def _all_above(self, part: _Part, room: _IndexedRoom, below: int | None) -> bool:
        """Whether a part has no message of the room below that number: one that goes on far down in many results need
        not look at those above again."""
        if below is None:
            return False
        (oldest,) = self.connection.execute(SELECT_OLDEST.format(part.number), (room.key,)).fetchone()
        return oldest is None or oldest >= below

    def _fill(self, batch: Sequence[Message], start: int, after: int | None, behind: dict[str, int]) -> int:
        """Index the messages from that place on until the part is full; return how far that is."""
        if not self._parts or self._parts[-1].full:
            self._begin_part()
        part, authors = self._parts[-1], self._authors
        number, size, left = part.number, part.size, PART_MESSAGES - part.messages
        lines, values = Rows(INSERT_LINES.format(number), columns=6), list[int | str | None]()
        last = self.connection.execute(f"SELECT max(id) FROM lines_{number}").fetchone()[0] or 0
        times, rooms = list[int](), dict[str, _IndexedRoom]()
        name, room, done = "", _IndexedRoom(0, 0, 0), start
        for message in islice(batch, start, None):
            done += 1
            if message.room != name:
                name = message.room
                room = rooms[name] = self._room(name)
            seq = message.seq
            if seq != room.head + 1:
                if seq <= room.head:
                    continue
                if after is None or room.head < after:
                    behind.setdefault(name, room.head)
                    continue
            room.head, after = seq, None
            if not (text := message.whole or message.text):
                continue
            who = (room.key, message.nick, message.door, message.kind)
            author = authors.get(who) or self._introduce(number, who)
            text, whole = split(text), message.paste
            paste = None if whole is None else f"{whole.bytes} {whole.lines} {message.text}"
            values += (room.key, seq, message.ts, author, text, paste)
            times.append(message.ts)
            size += len(text)
            if len(values) == lines.most:  # SQLite goes without the interpreter's lock, for which the loop may wait
                lines.insert(self.connection, values)
                values.clear()
            if len(times) == left or size >= PART_CHARACTERS:
                break
        lines.insert(self.connection, values)
        for room in rooms.values():
            self._store_room(room)
        if times:
            self.connection.execute(INSERT_WORDS.format(number), (last,))
            span = min(part.oldest, *times), max(part.newest, *times)
            self._parts[-1] = part = _Part(number, part.messages + len(times), size, *span)
            self.connection.execute(STORE_PART, astuple(part))
        return done

    def _introduce(self, number: int, who: Author) -> int:
        """The id of an author who has not been heard in the part yet."""
        row = (*who[1:], f"r{who[0]} {_author(who[1])}")
        self._authors[who] = self.connection.execute(INSERT_AUTHOR.format(number), row).lastrowid or 0
        return self._authors[who]

    def _begin_part(self) -> None:
        if self._parts:
            full = self._parts[-1].number  # in one segment a word that is not there is missed by one look
            self.connection.execute(f"INSERT INTO words_{full} (words_{full}) VALUES ('optimize')")
            self.connection.execute(ORDER_PLACES.format(full))
        part = _Part(self._parts[-1].number + 1 if self._parts else 1, 0, 0, NUMBER_LIMIT, -NUMBER_LIMIT)
        for statement in PART_TABLES:
            self.connection.execute(statement.format(part.number))
        self.connection.execute(STORE_PART, astuple(part))
        self._parts.append(part)
        self._authors.clear()
        self.begun += 1
        while self._most_parts and len(self._parts) > self._most_parts:
            self._drop(self._parts[0])

    def _drop(self, part: _Part) -> None:
        self.connection.execute(f"DROP TABLE words_{part.number}")
        self.connection.execute(f"DROP TABLE lines_{part.number}")
        self.connection.execute(f"DROP TABLE authors_{part.number}")
        self.connection.execute("DELETE FROM parts WHERE number = ?", (part.number,))
        self._parts.remove(part)

    def _rebuild(self, number: int) -> None:
        """Make the words of a part anew from the texts that are left."""
        self.connection.execute(f"INSERT INTO words_{number} (words_{number}) VALUES ('delete-all')")
        self.connection.execute(DELETE_SILENT.format(number))
        self._authors.clear()
        self.connection.execute(INSERT_WORDS.format(number), (0,))

    def _room(self, name: str) -> _IndexedRoom:
        room = self._rooms.get(name)
        if room is None:
            key = self.connection.execute("INSERT INTO rooms VALUES (NULL, ?, 0, 0)", (name,)).lastrowid
            room = self._rooms[name] = _IndexedRoom(key or 0, 0, 0)
        return room

    def _raise_floor(self, room: _IndexedRoom, first: int) -> None:
        if first > room.floor:
            room.floor = first
            self._store_room(room)

    def _store_room(self, room: _IndexedRoom) -> None:
        self.connection.execute("UPDATE rooms SET head = ?, floor = ? WHERE id = ?", (room.head, room.floor, room.key))

    def _meta(self, key: str) -> str | int:
        value: str | int = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]
        return value

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction. If it fails, what is held in memory is read again."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
            self._load()
            raise

    def _load(self) -> None:
        rooms = self.connection.execute("SELECT name, id, head, floor FROM rooms")
        self._rooms = {name: _IndexedRoom(*row) for name, *row in rooms}
        self._parts = [_Part(*row) for row in self.connection.execute("SELECT * FROM parts ORDER BY number")]
        self._authors.clear()
