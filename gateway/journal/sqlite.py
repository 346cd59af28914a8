"""The journal in a SQLite file: WAL, one connection, one process.

Threads. One connection does everything, so one thread uses it at a time: the caller's, or the one worker thread. A
commit with durability "process" syncs nothing, takes about 15 µs plus 2 µs a message and is done inline, answered
before the verb returns. Three things take longer than a turn of the loop may take, and go to the worker: a
checkpoint (10 to 40 ms, every 1,000 commits or so), a commit with durability "power" (0.7 ms and more: it syncs), and
the list of all rooms (18 µs each). While the worker has the connection the verbs queue here, and run in order when it
is done. The caller bounds the queue: the hub has one batch in flight.

Failures. A full disk leaves the connection usable: the transaction is rolled back and the next one tried afresh. After
any other error of SQLite it is suspect: before the next verb the database is closed, opened and examined as at a start.
If the end of a room is missing then, every room gets a new epoch and that verb reports `LostTail`.

What this gives up: an inline commit that the kernel blocks (a disk at its limit) stalls the loop. It is not moved to
the worker, because without a sync it only writes to the page cache.
"""

import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.clock import TimeRecord
from gateway.core.ports.journal import Expired, Memory, Page, Person, Removal, RoomRecord
from gateway.core.protocol.message import Message
from gateway.errors import JournalError, LostTail, StartError
from gateway.journal import removals
from gateway.journal.backup import BackupFile, Copy
from gateway.journal.disk import SPARE_BYTES, Disk, Replaced
from gateway.journal.epoch import Tail
from gateway.journal.ledger import SqliteLedger
from gateway.journal.open import SYNCHRONOUS, mark_clean, open_database, renew_epochs
from gateway.journal.store import Store

PATIENCE = 5.0
CHECKPOINT_PAGES = 2000

FAILURES = {
    sqlite3.SQLITE_FULL: wording.DISK_FULL,
    sqlite3.SQLITE_IOERR: wording.DISK_FAILED,
    sqlite3.SQLITE_READONLY: wording.DISK_READ_ONLY,
    sqlite3.SQLITE_CORRUPT: wording.JOURNAL_DAMAGED,
}

log = logging.getLogger(__name__)


class _Verb(msgspec.Struct, frozen=True):
    """A function of the store, the callback for its result, and whether the worker runs it."""

    work: Callable[[Store], Any]
    done: Callable[[Any], None]
    slow: bool


class SqliteJournal:
    """A `Journal` in the file `path`. Raises StartError when it cannot be opened; may take `patience` seconds.

    `call_soon_threadsafe` must run a callback on the caller's thread, soon and in order. `durability` is "process" (a
    committed append survives the process) or "power" (it survives the machine). `patience` is how long to wait for a
    lock, in steps of `sleep`. `spare` bytes of the file system stay free (see `Disk`).
    """

    def __init__(
        self,
        path: Path,
        *,
        call_soon_threadsafe: Callable[[Callable[[], None]], object],
        durability: str = "process",
        patience: float = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        spare: int = SPARE_BYTES,
        checkpoint_pages: int = CHECKPOINT_PAGES,
    ) -> None:
        if durability not in SYNCHRONOUS:
            raise ValueError(f"durability is one of {', '.join(SYNCHRONOUS)}, not {durability}")
        # SQLite keeps its companion files beside what a link leads to; so do we, and a link stays one.
        self._path = Path(os.path.realpath(path))
        self._call_soon_threadsafe = call_soon_threadsafe
        self._durability = durability
        self._syncs = durability == "power"
        self._clock = clock
        self._spare = spare
        self._checkpoint_pages = checkpoint_pages
        self._suspect = False
        self._waiting: deque[_Verb] = deque()
        self._flight: tuple[Future[Any], _Verb] | None = None
        self._answering = False
        self._store, _ = self._open(patience, sleep)
        failure = self._attempt(removals.erase_if_due)
        if failure is not None:
            log.warning("%s", failure)
        self._time_kept = self._store.time_kept()
        self.ledger = SqliteLedger(self._do, self._syncs)
        """As `Journal.ledger`."""
        self._lost_tail: Answer[LostTail] = Answer()
        self._copy: Copy | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    def open(self, room: str, recent: int) -> Answer[RoomRecord | JournalError]:
        """As `Journal.open`."""
        return self._do(lambda store: store.open(room, recent), slow=False)

    def append(self, batch: list[Message], done: Callable[[list[Message] | JournalError], None]) -> None:
        """As `Journal.append`."""
        self._enter(_Verb(lambda store: store.append(batch), done, self._syncs))

    def read(self, room: str, *, after: int | None, before: int | None, limit: int) -> Answer[Page | JournalError]:
        """As `Journal.read`."""
        return self._do(lambda store: store.read(room, after, before, limit), slow=False)

    def set_topic(self, room: str, topic: str, by: str = "") -> Answer[JournalError | None]:
        """As `Journal.set_topic`."""
        return self._do(lambda store: store.set_topic(room, topic), self._syncs)

    def remember(self, people: Sequence[Person]) -> Answer[JournalError | None]:
        """As `Journal.remember`."""
        return self._do(lambda store: store.remember(people), self._syncs)

    def recall(self, since: int) -> Answer[Memory | JournalError]:
        """As `Journal.recall`."""
        return self._do(lambda store: store.recall(since), slow=False)

    def expire(self, before: int) -> Answer[Expired | JournalError]:
        """As `Journal.expire`, on the worker thread."""
        return self._do(lambda store: removals.expire(store, before), slow=True)

    def paste(self, room: str, seq: int) -> Answer[str | JournalError | None]:
        """As `Journal.paste`."""
        return self._do(lambda store: store.paste(room, seq), slow=False)

    def remove(self, room: str, seq: int, at: int, by: str, reason: str) -> Answer[Removal | JournalError | None]:
        """As `Journal.remove`."""
        return self._do(lambda store: removals.remove(store, room, seq, at, by, reason), self._syncs)

    def removed(self, room: str, after: int, upto: int) -> Answer[list[Removal] | JournalError]:
        """As `Journal.removed`."""
        return self._do(lambda store: removals.removed(store, room, after, upto), slow=False)

    def removals(self, after: int, limit: int) -> Answer[list[Removal] | JournalError]:
        """As `Journal.removals`."""
        return self._do(lambda store: removals.removals(store, after, limit), slow=False)

    def erase(self) -> Answer[JournalError | None]:
        """As `Journal.erase`, on the worker thread."""
        return self._do(removals.erase, slow=True)

    def copy(self, file: str, replace: bool, going: Callable[[int, int], bool]) -> Answer[JournalError | None]:
        """As `Journal.copy`, slice by slice on the worker thread; one copy at a time."""
        answer: Answer[JournalError | None] = Answer()

        def ready() -> None:
            self._hand_in(step)

        def done(failure: JournalError | None) -> None:
            self._hand_in(lambda: ended(failure))

        def ended(failure: JournalError | None) -> None:
            self._copy = None
            answer.set(failure)

        def step() -> None:
            if copy.over:
                return
            if going(copy.copied, copy.total):
                self._do(lambda _: copy.step(), slow=True)
            else:
                self._do(lambda _: copy.stop(JournalError(wording.BACKUP_STOPPED)), slow=True)

        if self._copy is not None:
            return Answer.of(JournalError(wording.BACKUP_RUNS))
        try:
            copy = self._copy = Copy(self._store.connection, BackupFile(Path(file), replace, self._path), ready, done)
        except JournalError as error:
            return Answer.of(error)
        return answer

    def _hand_in(self, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has been closed already: `close` fetches a result itself
            self._call_soon_threadsafe(callback)

    def new_epoch(self, room: str) -> Answer[bool | JournalError]:
        """As `Journal.new_epoch`."""
        return self._do(lambda store: store.new_epoch(room), self._syncs)

    def rooms(self) -> Answer[list[RoomRecord] | JournalError]:
        """As `Journal.rooms`."""
        return self._do(Store.rooms, slow=True)

    def lost_tail(self) -> Answer[LostTail]:
        """As `Journal.lost_tail`."""
        return self._lost_tail

    def time_kept(self) -> tuple[TimeRecord | None, int]:
        """As `Journal.time_kept`."""
        return self._time_kept

    def keep_time(self, record: TimeRecord) -> None:
        """As `Journal.keep_time`."""
        self._do(lambda store: store.keep_time(record), self._syncs)

    def close(self) -> None:
        """As `Journal.close`. Blocks until the worker has finished; queued verbs run here."""
        self._worker.shutdown(wait=True)
        self._answering = True
        if self._copy is not None:
            self._copy.stop(JournalError(wording.BACKUP_ENDED))
            self._copy.join()
        if self._flight is not None:
            future, verb = self._flight
            self._flight = None
            verb.done(future.result())
        while self._waiting:
            verb = self._waiting.popleft()
            verb.done(self._attempt(verb.work))
        self._let_go()

    def _let_go(self) -> None:
        try:
            if not self._suspect:
                mark_clean(self._store.connection, self._store.tail)
        except (sqlite3.Error, OSError) as error:
            log.warning(wording.LOG_STOP_NOT_NOTED, error)
        finally:
            self._store.close()

    def _do(self, work: Callable[[Store], Any], slow: bool) -> Answer[Any]:
        answer: Answer[Any] = Answer()
        self._enter(_Verb(work, answer.set, slow))
        return answer

    def _enter(self, verb: _Verb) -> None:
        self._waiting.append(verb)
        if self._flight is None and not self._answering:
            self._answer()

    def _answer(self) -> None:
        self._answering = True
        try:
            while self._waiting and self._flight is None:
                verb = self._waiting.popleft()
                if verb.slow:
                    self._launch(verb)
                else:
                    self._tell(verb, self._attempt(verb.work))
                    self._checkpoint_if_due()
        finally:
            self._answering = False
            if self._waiting and self._flight is None:  # a callback raised: the other verbs still run
                self._call_soon_threadsafe(self._answer)

    def _tell(self, verb: _Verb, answer: Any) -> None:
        verb.done(answer)
        if isinstance(answer, LostTail):
            lost, self._lost_tail = self._lost_tail, Answer()
            lost.set(answer)

    def _checkpoint_if_due(self) -> None:
        if self._store.wal_pages >= self._checkpoint_pages and not self._suspect:
            self._launch(_Verb(Store.checkpoint, lambda _: None, slow=True))

    def _launch(self, verb: _Verb) -> None:
        self._flight = self._worker.submit(self._aside, verb.work), verb

    def _aside(self, work: Callable[[Store], Any]) -> Any:
        try:
            return self._attempt(work)
        finally:
            self._hand_in(self._land)

    def _land(self) -> None:
        if self._flight is None:
            return
        future, verb = self._flight
        self._flight = None
        self._answering = True
        try:
            self._tell(verb, future.result())
        finally:
            self._answering = False
            self._checkpoint_if_due()
            self._answer()

    def _attempt(self, work: Callable[[Store], Any]) -> Any:
        try:
            if self._suspect:
                self._reopen()
            return work(self._store)
        except JournalError as error:
            self._suspect = self._suspect or isinstance(error, Replaced)
            return error
        except sqlite3.Error as error:
            return self._failure(error)
        except (ValueError, OverflowError) as error:
            return JournalError(wording.CANNOT_STORE_THIS.format(problem=error))

    def _failure(self, error: sqlite3.Error) -> JournalError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        self._suspect = self._suspect or code != sqlite3.SQLITE_FULL
        return JournalError(FAILURES.get(code, wording.JOURNAL_FAILED.format(problem=error)))

    def _reopen(self) -> None:
        earlier = self._store
        if self._copy is not None:
            self._copy.stop(JournalError(wording.BACKUP_REOPENED))
        earlier.close()
        if not self._path.exists():
            raise JournalError(wording.JOURNAL_PUT_BACK.format(path=self._path))
        try:
            store, broken = self._open(0, time.sleep)
        except StartError as error:
            raise JournalError(str(error)) from error
        try:
            if store.has_lost(earlier) and broken is None:
                broken = wording.END_MISSING
                seed = renew_epochs(store.connection)
                store.tail.forget()
                store = self._store_on(store.connection, store.tail, seed)
        except sqlite3.Error:
            store.close()
            raise
        store.time = earlier.time
        self._store = store
        self._suspect = False
        if broken is not None:
            raise LostTail(wording.NEW_EPOCHS_AFTER_LOSS.format(why=broken))

    def _open(self, patience: float, sleep: Callable[[float], None]) -> tuple[Store, str | None]:
        opened = open_database(self._path, self._durability, patience, sleep)
        if opened.broken is not None:
            log.warning(wording.LOG_NEW_EPOCHS, opened.broken)
        return self._store_on(opened.connection, opened.tail, opened.seed), opened.broken

    def _store_on(self, connection: sqlite3.Connection, tail: Tail, seed: str) -> Store:
        return Store(connection, tail, seed, Disk(self._path, self._spare, self._clock))
