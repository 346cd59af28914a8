"""Files that the gateway writes for others, and its own secret key: whole or not at all, in the place that was meant.

A file is written under another name and renamed, so that nobody reads half of it and a process that dies leaves the old
one. A rename would replace a link, a FIFO or a device, which somebody put there on purpose, by a plain file: so the
target of a link is replaced, and a FIFO or a device is written to.
"""

import errno
import fcntl
import os
import secrets
import stat
import tempfile
import time
from pathlib import Path

from gateway import wording
from gateway.errors import StartError

KEY_BYTES = 32
ADVICE: dict[int | None, str] = {
    errno.EROFS: wording.CHOOSE_ANOTHER_FOLDER,
    errno.ENOSPC: wording.FREE_SOME_SPACE,
    errno.EDQUOT: wording.FREE_SOME_SPACE,
}
"""What helps where a folder cannot be written to; otherwise its owner or mode is wrong."""
READER_SECONDS = 10.0
"""Seconds to wait until a FIFO has a reader."""
OUTPUTS = (1, 2)


def write_whole(path: Path, content: bytes, mode: int, *, sync: bool = False) -> None:
    """Write the file at `path`, with these permissions if it is a plain one; `sync`: it survives the loss of power.
    Raises OSError (RuntimeError for a circle of links)."""
    found = path.stat() if path.exists() else None
    own = [number for number in OUTPUTS if found and os.path.samestat(found, os.fstat(number))]
    if own:
        os.write(own[0], content)  # /dev/stdout: opened anew it would begin at the file's start
    elif found is None or stat.S_ISREG(found.st_mode):
        _replace(path.resolve(), content, mode, sync)
    else:
        _write_into(path, content)


def _replace(path: Path, content: bytes, mode: int, sync: bool) -> None:
    """Replace a plain file by a new one, in one step."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", delete=False) as file:
        fresh = Path(file.name)
        try:
            file.write(content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


def _write_into(path: Path, content: bytes) -> None:
    """Write to a FIFO or a device, which is never replaced. A FIFO accepts nothing until it has a reader."""
    end = time.monotonic() + READER_SECONDS
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            break
        except OSError as problem:
            if problem.errno != errno.ENXIO or time.monotonic() > end:
                raise
            time.sleep(0.02)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def hold_folder(folder: Path) -> int:
    """Keep every other process out of the folder, which is made if need be, as long as the returned descriptor is open.
    Raises StartError with advice."""
    folder = folder.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as problem:
        advice = ADVICE.get(problem.errno, wording.CHECK_FOLDER)
        raise StartError(
            wording.CANNOT_USE_FOLDER.format(folder=folder, why=problem.strerror, advice=advice)
        ) from problem
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        os.close(descriptor)
        raise StartError(wording.FOLDER_IN_USE.format(folder=folder)) from problem
    return descriptor


def kept_key(path: Path) -> bytes:
    """The secret key in the file at `path`, made there if there is none, readable by its owner only. Raises StartError
    with advice, and FileNotFoundError without a file name where the working folder is gone."""
    path = path.absolute()
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, secrets.token_bytes(KEY_BYTES), 0o600, sync=True)
        # Reading what is no plain file could wait for ever, or never end.
        key = path.read_bytes() if path.is_file() else b""
    except (OSError, RuntimeError) as problem:
        advice = ADVICE.get(problem.errno if isinstance(problem, OSError) else None, wording.CHECK_FOLDER)
        why = getattr(problem, "strerror", None) or problem
        raise StartError(wording.CANNOT_USE_KEY.format(path=path, why=why, advice=advice)) from problem
    if len(key) != KEY_BYTES:
        raise StartError(wording.NOT_A_KEY.format(path=path, size=KEY_BYTES))
    return key
