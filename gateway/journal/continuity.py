"""Whether a journal is still the unbroken run it was when it was last open: what an epoch stands for.

Three facts decide, and each of them lies in the database's `meta` table (a fourth, whether the last message is still
there, in `tail`):

- *How the last run ended.* A clean stop synced everything. A killed process loses nothing either, since the kernel
  holds what was written; only the machine's end can take the tail, and it shows as another boot id. With durability
  "power" every commit was synced, so not even that matters.
- *Whether this is the database that was last open here, not a copy brought back.* Beside it lies a small file, the
  mark, with a token renewed at every opening; token, inode and change time of the mark are noted in the database. A
  restored database disagrees with the mark, a restored folder has a mark with another inode or change time.
- A secret seed. A room's epoch is a keyed hash of its name, so that a room nobody has written to has a stable epoch
  without a row on the disk. Renewing the seed renews every epoch at once.

What we gave up: a `chown -R` or `chmod -R` over the folder also changes the mark's change time and costs every room
its epoch. Clients then get the last 50 messages instead of a resume, and nothing is lost; the other way round a number
could be used twice.
"""

import hashlib
import os
import secrets
import subprocess
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from gateway.journal.disk import sync_folder

LINUX_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
BSD_BOOT_NAMES = ("kern.bootsessionuuid", "kern.boottime")
EPOCH_BYTES = 12


def new_seed() -> str:
    """A fresh secret from which the epochs of all rooms follow."""
    return secrets.token_urlsafe(32)


def epoch_of(seed: str, room: str) -> str:
    """The epoch of a room under this seed: 16 characters of [A-Za-z0-9_-]."""
    key = urlsafe_b64decode(seed + "=" * (-len(seed) % 4))
    name = room.encode(errors="surrogatepass")
    return urlsafe_b64encode(hashlib.blake2b(name, digest_size=EPOCH_BYTES, key=key).digest()).decode()


def boot_id() -> str:
    """Which run of the machine this is. Where nobody can say, an answer that equals no other."""
    try:
        return LINUX_BOOT_ID.read_text().strip()
    except OSError:
        return next(filter(None, map(_sysctl, BSD_BOOT_NAMES)), f"unknown {secrets.token_hex(8)}")


def _sysctl(name: str) -> str:
    try:
        return subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=2).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def mark_path(database: Path) -> Path:
    """Where the mark of this database lies."""
    return database.with_name(database.name + "-mark")


def read_mark(database: Path) -> str:
    """The mark as `token inode ctime`, or "" when there is none."""
    path = mark_path(database)
    try:
        found = path.stat()
        return f"{path.read_text().strip()} {found.st_ino} {found.st_ctime_ns}"
    except (OSError, ValueError):
        return ""


def write_mark(database: Path, token: str) -> str:
    """Replace the mark atomically, then answer it as `read_mark` will."""
    path = mark_path(database)
    fresh = path.with_name(path.name + ".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)
    return read_mark(database)


def why_broken(meta: Mapping[str, str], boot: str, mark: str) -> str | None:
    """Why the journal's end may be missing, None when it cannot be.

    `mark_next` is the token that was about to be written: a process killed in between has either mark.
    """
    if meta["mark"] and mark != meta["mark"] and mark.partition(" ")[0] != meta["mark_next"]:
        return "the database is a restored copy"
    if meta["clean"] == "no" and meta["durability"] == "process" and boot != meta["boot"]:
        return "the machine stopped before the journal did"
    return None
