"""A secret key in the data folder: made once, readable by its owner only, the same after a restart."""

import os
import secrets
from pathlib import Path

from gateway.errors import StartError

KEY_BYTES = 32


def kept_key(path: Path) -> bytes:
    """The key in the file at `path`, made there if there is none. Raises StartError with advice."""
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as problem:
        advice = "check its folder's owner and mode"
        raise StartError(f"cannot use the key {path}: {problem.strerror}; {advice}") from problem
    if len(key) != KEY_BYTES:
        raise StartError(f"{path} is no key of {KEY_BYTES} bytes: restore it, or delete it and all tokens with it")
    return key


def _make(path: Path) -> None:
    """Write it under another name and link it into place: a process that dies here leaves no half a key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
