"""A journal that cannot be trusted or taken is refused with advice, and stays as it was."""

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.errors import StartError
from gateway.journal import epoch
from gateway.journal import open as opening
from gateway.journal.schema import APPLICATION_ID, VERSION
from tests.journal.conftest import Alter, Fill, Killed, OpenSqlite, Texts

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA locking_mode = " + sys.argv[2])
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""

OPEN = """
import sys
from pathlib import Path
from gateway.errors import StartError
from gateway.journal.sqlite import SqliteJournal
try:
    SqliteJournal(Path(sys.argv[1]), call_soon_threadsafe=lambda land: land())
except StartError as error:
    print(error)
"""

# Root gives up its right to write whatever the mode says (Linux: CAP_DAC_OVERRIDE and the like).
LIKE_ANYBODY = """
import ctypes, os
if os.geteuid() == 0:
    none = (ctypes.c_uint32 * 6)()
    version_3 = (ctypes.c_uint32 * 2)(0x20080522, 0)
    assert ctypes.CDLL(None).capset(version_3, none) == 0
"""


@pytest.fixture
def written(open_sqlite: OpenSqlite, fill: Fill, path: Path) -> Path:
    """A cleanly stopped journal of many pages."""
    journal = open_sqlite()
    for _ in range(20):
        fill(journal, 100)
    journal.close()
    return path


@pytest.fixture
def killed(written: Path, kill_after_writing: Killed) -> Path:
    """The same, and then two messages that are in its write-ahead log alone."""
    kill_after_writing("a", "b")
    return written


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


@pytest.fixture
def held(written: Path) -> Callable[..., AbstractContextManager[subprocess.Popen[bytes]]]:
    """Another process that has the database: one that locks it for as long as it lives, or a mere visitor."""

    @contextmanager
    def held(mode: str = "EXCLUSIVE") -> Iterator[subprocess.Popen[bytes]]:
        holder = [sys.executable, "-c", HOLDER, str(written), mode]
        with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None and process.stdout is not None
            process.stdout.readline()
            yield process
            process.stdin.close()

    return held


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def flip(path: Path, offset: int) -> None:
    overwrite(path, offset, bytes([path.read_bytes()[offset] ^ 0xFF]))


def with_sql(sql: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(sql)

    return spoil


BAD = {
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "text": (lambda path: path.write_text("dear diary\n" * 500), "not a SQLite database"),
    "a few bytes": (lambda path: path.write_bytes(b"SQLite format 3\0"), "not a SQLite database"),
    "half": (lambda path: os.truncate(path, path.stat().st_size // 2), "is cut short"),
    "one byte short": (lambda path: os.truncate(path, path.stat().st_size - 1), "is cut short"),
    "magic flipped": (lambda path: flip(path, 0), "not a SQLite database"),
    "page size flipped": (lambda path: flip(path, 16), "damaged header"),
    "fractions flipped": (lambda path: flip(path, 21), "damaged header"),
    "encoding flipped": (lambda path: flip(path, 59), "damaged header"),
    "schema format flipped": (lambda path: flip(path, 47), "cannot be used"),
    "pages scribbled over": (lambda path: overwrite(path, 4096 * 5, b"\x55" * 4096 * 3), "is damaged"),
    "newer": (with_sql(f"PRAGMA user_version = {VERSION + 1}"), "newer gateway"),
    "older than the first": (with_sql("PRAGMA user_version = 0"), "unknown schema"),
    "another program's": (with_sql("PRAGMA application_id = 7"), "another program"),
    "a table missing": (with_sql("DROP TABLE messages"), "no such table"),
}


@pytest.mark.parametrize(("spoil", "words"), BAD.values(), ids=BAD)
def test_a_bad_database_is_refused_and_left_untouched(
    written: Any, open_sqlite: OpenSqlite, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(written)
    before = contents(written)
    with pytest.raises(StartError, match=words) as refused:
        open_sqlite()
    assert contents(written) == before
    assert "\n" not in str(refused.value) and str(written) in str(refused.value)


BAD_AFTER_A_KILL = {
    "log without database": (lambda path: path.unlink(), "write-ahead log is there"),
    "log's salt flipped": (lambda path: flip(path.with_name("journal.db-wal"), 17), "damaged header"),
    "log's magic flipped": (lambda path: flip(path.with_name("journal.db-wal"), 0), "damaged header"),
    "log's page size flipped": (lambda path: flip(path.with_name("journal.db-wal"), 10), "damaged header"),
    "half": (lambda path: os.truncate(path, path.stat().st_size // 2), "is cut short"),
    "text": (lambda path: path.write_text("dear diary\n" * 500), "not a SQLite database"),
}


@pytest.mark.parametrize(("spoil", "words"), BAD_AFTER_A_KILL.values(), ids=BAD_AFTER_A_KILL)
def test_a_bad_database_with_a_log_is_refused_and_left_untouched(
    killed: Any, open_sqlite: OpenSqlite, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(killed)
    before = contents(killed)
    with pytest.raises(StartError, match=words):
        open_sqlite()
    assert contents(killed) == before


def test_what_a_visitor_uses_is_not_taken_away(written: Any, open_sqlite: OpenSqlite) -> None:
    with_sql(f"PRAGMA user_version = {VERSION + 1}")(written)
    with closing(sqlite3.connect(written)) as visitor:
        visitor.execute("SELECT * FROM rooms").fetchall()
        before = contents(written)
        assert "journal.db-shm" in before
        refusal = subprocess.run([sys.executable, "-c", OPEN, str(written)], capture_output=True, check=True)
        assert b"newer gateway" in refusal.stdout
        assert contents(written) == before


TORN = {
    "no log": b"",
    "less than a header": b"\x37\x7f\x06",
    "a header of zeros": bytes(64),
}


@pytest.mark.parametrize("log", TORN.values(), ids=TORN)
def test_a_log_that_holds_nothing_is_no_damage(written: Any, open_sqlite: OpenSqlite, texts: Texts, log: str) -> None:
    written.with_name("journal.db-wal").write_bytes(log)
    assert len(texts(open_sqlite())) == 2000


def test_a_torn_last_transaction_is_no_damage(killed: Any, open_sqlite: OpenSqlite, texts: Texts) -> None:
    log = killed.with_name("journal.db-wal")
    os.truncate(log, log.stat().st_size - 100)
    assert texts(open_sqlite())[-2:] == ["100", "a"]


def test_a_folder_in_the_databases_place_is_refused(open_sqlite: OpenSqlite, path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StartError, match="is not a file"):
        open_sqlite()


def test_a_file_in_the_folders_place_is_refused(open_sqlite: OpenSqlite, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StartError, match="cannot be used"):
        open_sqlite()


@pytest.mark.parametrize("mode", ["EXCLUSIVE", "NORMAL"])
def test_a_lock_is_waited_for_and_then_named(
    written: Any,
    open_sqlite: OpenSqlite,
    held: Callable[..., AbstractContextManager[subprocess.Popen[bytes]]],
    mode: str,
) -> None:
    pauses: list[float] = []
    with held(mode):
        before = contents(written)
        with pytest.raises(StartError, match="another gateway on this data folder"):
            open_sqlite(sleep=pauses.append)
        assert contents(written) == before
    assert 5 <= sum(pauses) < 5.1


def test_a_lock_that_is_let_go_in_time_is_taken(
    open_sqlite: OpenSqlite, texts: Texts, held: Callable[..., AbstractContextManager[subprocess.Popen[bytes]]]
) -> None:
    with held() as process:
        journal = open_sqlite(sleep=lambda _: process.communicate())
    assert len(texts(journal)) == 2000


def test_damage_seen_while_another_gateway_writes_is_called_a_lock(
    open_sqlite: OpenSqlite,
    held: Callable[..., AbstractContextManager[subprocess.Popen[bytes]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "damage", lambda path: "is cut short")
    with held(), pytest.raises(StartError, match="another gateway"):
        open_sqlite(patience=0)


@pytest.mark.parametrize("lock_out", [lambda path: path.chmod(0o444), lambda path: path.parent.chmod(0o555)])
def test_a_person_who_may_not_write_is_told_so(written: Any, lock_out: Callable[[Path], None]) -> None:
    lock_out(written)
    run = subprocess.run(
        [sys.executable, "-c", LIKE_ANYBODY + OPEN, str(written)], capture_output=True, text=True, timeout=30
    )
    written.parent.chmod(0o700)
    assert "read-only" in run.stdout or "cannot be used" in run.stdout, run.stderr


def test_a_read_only_file_system_is_named(
    open_sqlite: OpenSqlite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As root sees it: access() allows everything, and SQLite cannot open the file."""

    def fail(path: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(opening, "create", fail)
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(StartError, match="is on a read-only file system: choose another folder with --data"):
        open_sqlite()


def test_an_unknown_durability_is_a_mistake_of_ours(open_sqlite: OpenSqlite) -> None:
    with pytest.raises(ValueError, match="process, power"):
        open_sqlite(durability="maybe")


def test_a_new_journal_says_whose_it_is(open_sqlite: OpenSqlite, path: Path, alter: Alter) -> None:
    open_sqlite().close()
    assert alter(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert alter(path, "PRAGMA journal_mode") == [("wal",)]


def test_where_no_boot_id_is_known_every_boot_is_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(epoch, "LINUX_BOOT_ID", tmp_path / "missing")
    monkeypatch.setattr(epoch, "BSD_BOOT_NAMES", ())
    assert epoch.boot_id() != epoch.boot_id()


def test_elsewhere_the_boot_is_asked_of_sysctl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers = {"kern.bootsessionuuid": "", "kern.boottime": "{ sec = 5 }"}
    monkeypatch.setattr(epoch, "LINUX_BOOT_ID", tmp_path / "missing")
    monkeypatch.setattr(epoch, "_sysctl", answers.get)
    assert epoch.boot_id() == "{ sec = 5 }"
