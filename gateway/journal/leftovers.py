"""What looking into a database leaves beside it: an empty write-ahead log and a shared-memory index.

SQLite makes them for whoever reads a database in WAL mode, and a reader that may not write cannot take them away again.
Unlinking them is right only when nobody else has the database open, who would go on with files that have no name. Each
connection holds a shared lock on the database's lock bytes (https://sqlite.org/fileformat2.html#the_lock_byte_page), so
whoever locks those for himself is alone, and nobody comes in meanwhile.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK_BYTES = 512
LOCK_OFFSET = 0x40000000


@contextmanager
def none_left_over(path: Path) -> Iterator[None]:
    """On an error: take away what was not there before, if nobody else has the database at `path` open.

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
