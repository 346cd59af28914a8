"""Checks of the file system before the journal writes: is the file still ours, and is there space left."""

import os
from collections.abc import Callable
from pathlib import Path

from gateway import wording
from gateway.core.quantity import short_size
from gateway.errors import JournalError

LOOK_EVERY = 1.0
SPARE_BYTES = 50_000_000
SPARE_SHARE = 20


def sync_folder(folder: Path) -> None:
    """Make new names in `folder` survive power loss."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Replaced(JournalError):
    """Another file is in the database's place: it must be opened and checked before it is trusted."""


class Disk:
    """The place of one database.

    `spare` bytes stay free for the rest of the machine, but never more than a twentieth of the file system; 0 writes
    until it is full. A file deleted while the gateway runs is noticed within LOOK_EVERY seconds; what was committed in
    between is lost with it.
    """

    def __init__(self, path: Path, spare: int, clock: Callable[[], float]) -> None:
        found = path.stat()
        self._path = path
        self._identity = (found.st_dev, found.st_ino)
        self._spare = spare
        self._clock = clock
        self._due = clock()

    def open(self) -> int:
        """A descriptor of the file, to read and write."""
        return os.open(self._path, os.O_RDWR)

    def look(self) -> None:
        """Raise JournalError if nothing should be written now. While all is well, checks once a second."""
        now = self._clock()
        if now < self._due:
            return
        self._still_there()
        self._has_space()
        self._due = now + LOOK_EVERY

    def _still_there(self) -> None:
        try:
            found = self._path.stat()
        except OSError as error:
            raise JournalError(wording.JOURNAL_TAKEN_AWAY.format(path=self._path, why=error.strerror)) from error
        if (found.st_dev, found.st_ino) != self._identity:
            raise Replaced(wording.JOURNAL_REPLACED.format(path=self._path))

    def _has_space(self) -> None:
        if not self._spare:
            return
        system = os.statvfs(self._path)
        free = system.f_bavail * system.f_frsize
        wanted = min(self._spare, system.f_blocks * system.f_frsize // SPARE_SHARE)
        if free < wanted:
            folder, has, wants = self._path.parent, short_size(free), short_size(wanted)
            raise JournalError(wording.DISK_NEARLY_FULL.format(folder=folder, free=has, wanted=wants))
