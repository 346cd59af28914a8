"""Integrity: examines a database's files without touching them, before SQLite does, and then its pages by SQLite.

Why not leave it to SQLite: it takes an empty file for a new database, silently drops a WAL whose header does not match,
and on closing writes the WAL back into the very file that an operator may want to rescue.

A kill at any moment may leave the following, so it is not damage:

- the WAL is missing, empty or shorter than its header; a complete header is valid, because SQLite syncs it first
- frames of an earlier round (other salts) follow the frames of this one; the last transaction may be torn
- the file is shorter than the database while the WAL still holds the pages that are missing from it

Not checked: flipped bits inside a page or in the middle of the WAL. SQLite has no page checksums; it ends a WAL at the
first frame that does not match, and the missing end is noticed by the tail note (`journal.epoch`).
"""

import sqlite3
import struct
from dataclasses import dataclass
from pathlib import Path

from gateway import wording
from gateway.journal.schema import wrong_version

MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
PAYLOAD_FRACTIONS = b"\x40\x20\x20"
UTF_8 = 1
WAL_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
PAGE_SIZES = {1 << power for power in range(9, 17)}
QUICK_CHECK_BYTES = 32 * 1024 * 1024
"""Up to this size every page is checked at the start, 90 ms; a larger database opens in 20 ms and shows a bad page when
that page is read."""


@dataclass(frozen=True, slots=True)
class _Wal:
    """The pages that a WAL holds, and the size of the database after it (0 = it holds no transaction)."""

    pages: frozenset[int]
    total: int


def wal_path(path: Path) -> Path:
    """The path of this database's WAL."""
    return path.with_name(path.name + "-wal")


def damage(path: Path) -> str | None:
    """The damage of the database at `path`, as the end of a sentence that begins with its name; None if there is
    none. A database that is not there at all is not damaged."""
    if not path.exists():
        return wording.DATABASE_GONE if _read(wal_path(path), 1) else None
    if not path.is_file():
        return wording.DATABASE_NOT_A_FILE
    header = _read(path, HEADER_BYTES)
    return _wrong_header(header) or _wrong_version(header) or _wrong_size(path, header)


def _read(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except FileNotFoundError:
        return b""


def _wrong_header(header: bytes) -> str | None:
    if not header:
        return wording.DATABASE_EMPTY
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        return wording.DATABASE_NOT_SQLITE
    (encoding,) = struct.unpack_from(">I", header, 56)
    if _page_size(header) not in PAGE_SIZES or header[21:24] != PAYLOAD_FRACTIONS or encoding != UTF_8:
        return wording.DATABASE_HEADER
    return None


def _wrong_version(header: bytes) -> str | None:
    (version,) = struct.unpack_from(">I", header, 60)
    (application,) = struct.unpack_from(">I", header, 68)
    return wrong_version(application, version)


def _wrong_size(path: Path, header: bytes) -> str | None:
    page_size = _page_size(header)
    wal = _read_wal(wal_path(path), page_size)
    if isinstance(wal, str):
        return wal
    (pages,) = struct.unpack_from(">I", header, 28)
    whole = path.stat().st_size // page_size
    if all(page in wal.pages for page in range(whole + 1, (wal.total or pages) + 1)):
        return None
    return wording.DATABASE_SHORT.format(whole=whole, total=wal.total or pages)


def _page_size(header: bytes) -> int:
    (size,) = struct.unpack_from(">H", header, 16)
    return 65536 if size == 1 else int(size)


def quick_check(connection: sqlite3.Connection, path: Path) -> str | None:
    """What is wrong with the pages of the database at `path`, as SQLite finds it; None: nothing, or it is too large."""
    if path.stat().st_size > QUICK_CHECK_BYTES:
        return None
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    return None if verdict == "ok" else wording.JOURNAL_IS_DAMAGED.format(problem=" ".join(verdict.split()))


def _read_wal(path: Path, page_size: int) -> _Wal | str:
    header = _read(path, WAL_HEADER_BYTES)
    if len(header) < WAL_HEADER_BYTES or not any(header):
        return _Wal(frozenset(), 0)
    magic, _, wal_page_size, _, _, _, sum_1, sum_2 = struct.unpack(">8I", header)
    order = WAL_MAGIC.get(magic)
    if order is None or wal_page_size != page_size or _checksum(header[:24], order) != (sum_1, sum_2):
        return wording.DATABASE_WAL_HEADER
    return _committed(path, page_size, salts=header[16:24])


def _checksum(words: bytes, order: str) -> tuple[int, int]:
    one = two = 0
    for even, odd in struct.iter_unpack(f"{order}2I", words):
        one = (one + even + two) & 0xFFFFFFFF
        two = (two + odd + one) & 0xFFFFFFFF
    return one, two


def _committed(path: Path, page_size: int, salts: bytes) -> _Wal:
    pages: set[int] = set()
    total = 0
    with path.open("rb", buffering=0) as file:
        file.seek(WAL_HEADER_BYTES)
        while len(frame := file.read(FRAME_HEADER_BYTES)) == FRAME_HEADER_BYTES and frame[8:16] == salts:
            page, size = struct.unpack_from(">2I", frame)
            pages.add(page)
            if size:
                total = size
            file.seek(page_size, 1)
    return _Wal(frozenset(pages) if total else frozenset(), total)
