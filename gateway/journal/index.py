"""The index in a file of its own beside the journal, or in memory, and the threads that work on it, one at a time.

The journal's file is locked to one connection, whose thread is the loop's; so the index has its own file, connection
and thread, and is fed with messages that are committed. It may lag, fail or be lost without harm to the journal:
everything in it can be read from there again. So nothing is repaired here. A file that is damaged, belongs to another
journal or refuses to forget a message is deleted, and an empty one takes its place; whoever feeds the index finds out
by `compare` what is missing. Only a full disk leaves the file as it is, because deleting would not help.

Verbs are done in the order of the calls. An answer comes on the caller's thread.

Searches have a thread of their own, because only a thread as a whole can be given a lower priority, and none can raise
its own again. What a search costs others is not the interpreter's lock (SQLite works without it) but the processor: the
loop, woken by a message, had to wait until the search was taken off. On two busy cores, while somebody searched without
a pause, sending a message to 500 readers took up to (90 % of the times) 2.4 ms without searches, 5.9 ms with them, 3.9
ms with them at SEARCH_NICENESS. At 19 it is 2.1 ms, but then searches are not over in time where there is nothing to
spare. Feeding and forgetting keep the usual priority: they too must come to an end within a second.
"""

import logging
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.ports.index import Found, SearchQuery
from gateway.core.ports.journal import RoomRecord
from gateway.core.protocol.message import Message
from gateway.errors import Code, JournalError, Refusal, StoreCloses
from gateway.journal.disk import SPARE_BYTES, Disk
from gateway.journal.fts5 import IndexStore, Outdated

APPLICATION_ID = 0x47617449
VERSION = 4
TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, head INTEGER NOT NULL, floor INTEGER NOT NULL);
CREATE TABLE parts (
    number INTEGER PRIMARY KEY,
    messages INTEGER NOT NULL,
    size INTEGER NOT NULL,
    oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL
);
INSERT INTO meta VALUES ('witness', ''), ('removals', 0);
"""
SEARCH_SECONDS = 1.0
SEARCH_NICENESS = 10
SPARE = 2 * SPARE_BYTES
"""Bytes of the file system that stay free: the journal may still write when the index does not any more."""
PARTS_IN_MEMORY = 20
STATEMENTS, STATEMENTS_IN_MEMORY = 1024, 256
"""Statements that a connection keeps prepared: about two for a part that is searched, five more for one that is filled.
In memory those of parts that have gone must make room."""
PARTS_BEGUN = 8
"""Parts that are begun until the file is opened anew. Only that gives back what was prepared to fill a part, and FTS5's
own state: 0.11 MB for each part, and so for 10,000 messages; 0.01 MB after that."""

Value = TypeVar("Value")

log = logging.getLogger(__name__)


class SqliteIndex:
    """An `Index` in the file `path`, which is created if there is none; None: in memory. Nothing is opened before the
    first verb. `call_soon_threadsafe` as for the journal; `worker` runs the verbs in place of threads."""

    def __init__(
        self,
        path: Path | None,
        call_soon_threadsafe: Callable[[Callable[[], None]], object],
        *,
        worker: Executor | None = None,
        clock: Callable[[], float] = time.monotonic,
        spare: int = SPARE,
    ) -> None:
        self._path = path and Path(os.path.realpath(path))
        self._call_soon_threadsafe = call_soon_threadsafe
        self._worker = worker or ThreadPoolExecutor(max_workers=1, thread_name_prefix="index")
        self._searcher = worker or ThreadPoolExecutor(1, thread_name_prefix="search", initializer=_yield_to_others)
        self._clock = clock
        self._spare = spare
        self._store: IndexStore | None = None
        self._disk: Disk | None = None
        self._closing = False

    def compare(self, witness: str, records: Sequence[RoomRecord]) -> Answer[Mapping[str, int] | JournalError]:
        """As `Index.compare`."""

        def work(store: IndexStore) -> Mapping[str, int]:
            try:
                return store.compare(witness, records)
            except Outdated:
                log.warning(wording.LOG_INDEX_ANEW, wording.INDEX_OUTDATED)
                self._throw_away()
                return self._opened().compare(witness, records)

        return self._do(work)

    def add(self, batch: Sequence[Message], after: int | None = None) -> Answer[Mapping[str, int] | JournalError]:
        """As `Index.add`."""

        def work(store: IndexStore) -> Mapping[str, int]:
            if self._disk is not None:
                self._disk.look()
            return store.add(batch, after)

        return self._do(work)

    def find(self, query: SearchQuery) -> Answer[Found | Refusal | JournalError]:
        """As `Index.find`."""

        def work(store: IndexStore) -> Found | Refusal:
            until = self._clock() + SEARCH_SECONDS
            try:
                return store.find(query, lambda: self._clock() > until)
            except TimeoutError:
                return Refusal(Code.BUSY, wording.SEARCH_STOPPED)

        return self._do(work, reads=True)

    def removals(self) -> Answer[int | JournalError]:
        """As `Index.removals`."""
        return self._do(lambda store: store.removals)

    def remove(self, places: Sequence[tuple[str, int]], number: int) -> Answer[JournalError | None]:
        """As `Index.remove`."""

        def work(store: IndexStore) -> None:
            try:
                store.remove(places, number)
            except sqlite3.Error:
                self._throw_away()  # whatever the reason, also a full disk: the words must go
                raise

        return self._do(work)

    def forget(self, firsts: Mapping[str, int]) -> Answer[JournalError | None]:
        """As `Index.forget`."""

        def sweep(parts: Sequence[int] | JournalError) -> Answer[JournalError | None]:
            if isinstance(parts, JournalError):
                return Answer.of(parts)
            if not parts:
                return Answer.of(None)
            # One by one, so that searches get their turn in between.
            swept = self._do(lambda store: store.sweep(parts[0]))
            return swept.chain(lambda failure: sweep(parts[1:]) if failure is None else Answer.of(failure))

        return self._do(lambda store: store.forget(firsts)).chain(sweep)

    def close(self) -> None:
        """As `Index.close`."""
        self._closing = True
        self._worker.submit(self._let_go)
        self._worker.shutdown(wait=True)
        self._searcher.shutdown(wait=True)

    def _let_go(self) -> None:
        if self._store is not None:
            with suppress(sqlite3.Error):
                self._store.checkpoint()
            self._store.connection.close()

    def _do(self, work: Callable[[IndexStore], Value], reads: bool = False) -> Answer[Value | JournalError]:
        if self._closing:  # the journal's last answers come after that
            return Answer.of(StoreCloses("the index is being closed"))
        answer: Answer[Value | JournalError] = Answer()

        def run() -> None:
            # The worker waits for a search, so that the next verb follows it.
            found = self._searcher.submit(self._attempt, work, reads).result() if reads else self._attempt(work, reads)
            with suppress(RuntimeError):  # the loop has been closed already: nobody waits
                self._call_soon_threadsafe(lambda: answer.set(found))

        self._worker.submit(run)
        return answer

    def _attempt(self, work: Callable[[IndexStore], Value], reads: bool) -> Value | JournalError:
        if self._closing:
            return StoreCloses("the index is being closed")
        try:
            done = work(self._opened())
            self._open_anew_later()
            return done
        except JournalError as error:
            return error
        except (sqlite3.Error, OSError) as error:
            return self._failed(error, reads)
        except Exception as error:  # the edge of a thread: whoever waits must get an answer
            log.error(wording.LOG_SEARCH, repr(error))
            return JournalError(wording.INDEX_FAILED.format(problem=error))

    def _open_anew_later(self) -> None:
        """Close a file in which many parts were begun; the next verb opens it."""
        if self._path is not None and self._store is not None and self._store.begun >= PARTS_BEGUN:
            self._let_go()
            self._store = None

    def _failed(self, error: sqlite3.Error | OSError, reads: bool) -> JournalError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return JournalError(wording.INDEX_FAILED.format(problem=error))
        if reads and code == sqlite3.SQLITE_ERROR:  # the fault of what was asked, not of the file
            log.error(wording.LOG_SEARCH, error)
            return JournalError(wording.INDEX_FAILED.format(problem=error))
        log.warning(wording.LOG_INDEX_ANEW, error)
        self._throw_away()
        return JournalError(wording.INDEX_FAILED.format(problem=error))

    def _opened(self) -> IndexStore:
        if self._store is None:
            self._store = self._open()
        return self._store

    def _throw_away(self) -> None:
        if self._store is not None:
            with suppress(sqlite3.Error):
                self._store.connection.close()
        self._store = None
        if self._path is not None:
            for end in ("", "-wal", "-shm", "-journal"):
                try:
                    self._path.with_name(self._path.name + end).unlink(missing_ok=True)
                except OSError as error:
                    log.error(wording.LOG_SEARCH, error)

    def _open(self) -> IndexStore:
        require_fts5()
        if self._path is None:
            return IndexStore(make_tables(connect(":memory:", STATEMENTS_IN_MEMORY)), PARTS_IN_MEMORY)
        try:
            return self._open_file(self._path)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise
            log.warning(wording.LOG_INDEX_ANEW, error)
            self._throw_away()
            return self._open_file(self._path)

    def _open_file(self, path: Path) -> IndexStore:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = connect(path)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            connection.execute("PRAGMA synchronous = NORMAL")
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if not tables:
                make_tables(connection)
            _check(connection)
            store = IndexStore(connection)
            store.checkpoint()  # a removal may have been cut off before its own
            self._disk = Disk(path, self._spare, self._clock)
        except BaseException:
            connection.close()
            raise
        return store


def _yield_to_others() -> None:
    """Give the calling thread a lower priority than the others, where that is possible: on Linux a thread has its own,
    elsewhere the number of a thread may be that of another process."""
    with suppress(OSError):  # a sandbox may forbid it
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), SEARCH_NICENESS)


def require_fts5() -> None:
    """Raise JournalError if this Python's SQLite was built without FTS5."""
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
        except sqlite3.OperationalError as error:
            raise JournalError(wording.INDEX_FAILED.format(problem=error)) from error


def connect(where: Path | str, statements: int = STATEMENTS) -> sqlite3.Connection:
    """A connection to an index; a path or `:memory:`."""
    connection = sqlite3.connect(
        where, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=statements
    )
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def make_tables(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Make an empty database an index; returns the connection."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.executescript(f"BEGIN;{TABLES}COMMIT;")
    return connection


def _check(connection: sqlite3.Connection) -> None:
    """Raise DatabaseError unless it is an index of this version."""
    marks = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    if marks != [APPLICATION_ID, VERSION]:
        raise sqlite3.DatabaseError("not an index of this version")
