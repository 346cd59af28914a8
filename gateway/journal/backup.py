"""A backup: a copy of the journal's database in a file of its own, which is complete or not there at all.

The gateway has its database to itself (`journal.open`), so while it runs no other program can copy it. It does so
itself with SQLite's backup API, in slices of PAGES pages, between which messages are committed. Facts this rests on:

- What the *same* connection commits meanwhile is written to the copy as well, if the page has been copied already. Only
  a commit by another connection makes SQLite begin anew, which never ends on a busy database; here is no other one. So
  the copy shows the moment of its last slice.
- `sqlite3.Connection.backup` is one call for the whole copy, with a callback after each slice. A thread of its own sits
  in that call. In the callback it flushes and rests, asks for the next turn, and waits until the journal's worker gives
  it (`Copy.step`). So one thread uses the connection at a time, as everywhere in the journal (SQLite's mutex would not
  keep results apart), and no message waits for the disk that the copy is written to.
- A copied page may hold remains of a text that was removed later (`journal.removals`): the copy is swept as well.

The copy is written beside its place under another name, flushed, and only then gets its own. A lock on it keeps a
second backup out of the same file; one without a lock was left behind by a process that died, and is overwritten.

A copy is not the journal it was taken from, which goes on: a mark that no file has makes a journal that is started from
it give every room a new epoch (`journal.epoch`). Its header says that it needs no write-ahead log, so that it is one
file, also where nothing can be written beside it.
"""

import errno
import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from threading import Semaphore, Thread

from gateway import wording
from gateway.core.quantity import short_size
from gateway.errors import JournalError
from gateway.journal.disk import SPARE_BYTES, sync_folder
from gateway.journal.removals import sweep

PAGES = 32
"""Pages of one slice: 128 KiB, which takes half a millisecond."""
FLUSH_PAGES = 4096
"""So much is written before it is flushed to the disk: a flush of gigabytes at the end would hold up everybody's."""
REST_SECONDS = 0.001
"""Between two slices, so that the loop does more than lend the connection."""
MARK = "backup"
VERSIONS_AT, WITHOUT_WAL = 18, b"\x01\x01"
"""In the header of a database (https://sqlite.org/fileformat2.html#file_format_version_numbers)."""
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
LONGEST_END = 20.0
"""Seconds that the end of the gateway waits for a backup whose last slice is copied."""

Done = Callable[[JournalError | None], object]


class LargeFile:
    """The file at `place` while it is written. Raises JournalError when it cannot be: it is there and `replace` is not
    wanted, it is no plain file, another command is writing it, or there is no space for as much as `database` is."""

    def __init__(self, place: Path, replace: bool, database: Path | None) -> None:
        self.place = Path(os.path.realpath(place))
        self.part = self.place.with_name(f".{self.place.name}.gateway-part")
        self._replace = replace
        self._check(database)
        try:
            self.descriptor = _open_part(self.part)
        except BlockingIOError:
            raise JournalError(wording.BACKUP_BEING_WRITTEN.format(place=self.place)) from None
        except OSError as error:
            raise self.failure(error) from error

    def _check(self, database: Path | None) -> None:
        folder, place = self.place.parent, self.place
        try:
            found = place.stat() if os.path.lexists(place) else None
            if not folder.is_dir():
                raise JournalError(wording.NO_FOLDER.format(folder=folder))
            space = os.statvfs(folder)
            needed = _needed(folder, database) if database is not None else 0
        except OSError as error:
            raise self.failure(error) from error
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise JournalError(wording.IS_A_FOLDER.format(place=place))
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise JournalError(wording.NO_PLAIN_FILE.format(place=place))
        if database is not None and place.is_relative_to(database.parent):
            raise JournalError(wording.IN_DATA_FOLDER.format(place=place))
        if found is not None and not self._replace:
            raise JournalError(wording.THERE_ALREADY.format(place=place))
        if space.f_bavail * space.f_frsize < needed:
            free = short_size(space.f_bavail * space.f_frsize)
            raise JournalError(wording.TOO_LITTLE_SPACE.format(folder=folder, free=free, needed=short_size(needed)))

    def failure(self, error: Exception) -> JournalError:
        """What went wrong while it was written, in words."""
        why = getattr(error, "strerror", None) or str(error)
        return JournalError(wording.CANNOT_WRITE.format(path=self.place, why=why))

    def complete(self) -> None:
        """All is written: give it its name. Raises OSError or JournalError."""
        os.fsync(self.descriptor)
        if self._replace:
            self.part.replace(self.place)
        else:
            self._take_place()
        sync_folder(self.place.parent)

    def _take_place(self) -> None:
        try:
            os.link(self.part, self.place)
        except FileExistsError:
            raise JournalError(wording.THERE_BY_NOW.format(place=self.place)) from None
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            self.part.rename(self.place)

    def close(self) -> None:
        """Remove what is left under the other name."""
        with suppress(OSError):
            if os.path.samestat(self.part.stat(), os.fstat(self.descriptor)):
                self.part.unlink()
        os.close(self.descriptor)


class BackupFile(LargeFile):
    """The file of a backup."""

    def connect(self) -> sqlite3.Connection:
        """A connection that writes to it: without locks, since nobody else has it, and without syncs."""
        connection = sqlite3.connect(
            f"{self.part.as_uri()}?nolock=1", uri=True, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def complete(self) -> None:
        """All is copied: make it a file of its own, and give it its name. Raises sqlite3.Error, OSError or
        JournalError."""
        os.pwrite(self.descriptor, WITHOUT_WAL, VERSIONS_AT)
        with closing(self.connect()) as connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'mark'", (MARK,))
            connection.execute("UPDATE meta SET value = '' WHERE key = 'mark_next'")
        sweep(self.descriptor)
        super().complete()


def _needed(folder: Path, database: Path) -> int:
    """The bytes that have to be free in `folder`: so many that the journal can go on, if it shares the disk."""
    found = database.stat()
    return found.st_size + (SPARE_BYTES if folder.stat().st_dev == found.st_dev else 0)


def _open_part(path: Path) -> int:
    """An empty file that is ours alone. Raises OSError, BlockingIOError when another process writes it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
                os.ftruncate(descriptor, 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # whoever had it has just finished: it has another name now


class _Stopped(Exception):
    """The copy is not wanted any more."""


class Copy:
    """One copy of the database of `source`, made in turns. Both callbacks come on the thread of the copy: `ready` when
    it could use a turn, then it wants one `step`; `done` once, with None when the file is complete, or with what went
    wrong, and then there is no file."""

    def __init__(self, source: sqlite3.Connection, file: BackupFile, ready: Callable[[], object], done: Done) -> None:
        self.copied = 0
        self.total = 0
        """Pages, known after the first turn."""
        self.over = False
        """The source is not needed any more."""
        self._source = source
        self._file = file
        self._ready = ready
        self._done = done
        self._turn = Semaphore(0)
        self._rest = Semaphore(0)
        self._why: JournalError | None = None
        self._thread = Thread(target=self._run, name="backup", daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Copy a slice; the caller has the connection, and lends it until this returns."""
        if not self.over:
            self._turn.release()
            self._rest.acquire()

    def stop(self, why: JournalError) -> None:
        """Stop using the source; a copy that lacks its last slice fails for this reason."""
        self._why = self._why or why
        self.step()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join(LONGEST_END)

    def _run(self) -> None:
        failure: JournalError | None = None
        try:
            self._copy()
            self._file.complete()
        except _Stopped:
            failure = self._why
        except JournalError as error:
            failure = error
        except (sqlite3.Error, OSError) as error:
            failure = self._file.failure(error)
        finally:
            self._give_back()
            self._file.close()
        self._done(failure)

    def _copy(self) -> None:
        try:
            with closing(self._file.connect()) as target:
                self._wait()
                self._source.backup(target, pages=PAGES, progress=self._pause, sleep=0)
        finally:
            self._give_back()

    def _give_back(self) -> None:
        if not self.over:
            self.over = True
            self._rest.release()

    def _pause(self, status: int, remaining: int, total: int) -> None:
        before, self.copied, self.total = self.copied, total - remaining, total
        if remaining == 0:
            return
        self._rest.release()
        if before // FLUSH_PAGES != self.copied // FLUSH_PAGES:
            os.fdatasync(self._file.descriptor)
        time.sleep(REST_SECONDS)
        self._wait()

    def _wait(self) -> None:
        self._ready()
        self._turn.acquire()
        if self._why is not None:
            raise _Stopped
