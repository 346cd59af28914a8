"""The disk fails while the journal runs: an error for the sender, nothing half stored, and it recovers by itself."""

import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.errors import JournalError, LostTail
from gateway.journal.disk import Disk
from tests.journal.conftest import Alter, Ask, Fill, OpenSqlite, Say, Texts


class FailsToCommit:
    """A connection whose COMMIT fails as a sync does; `after_close` runs once it has been closed."""

    def __init__(
        self, connection: sqlite3.Connection, code: int, after_close: Callable[[], None] = lambda: None
    ) -> None:
        self.connection = connection
        self.code = code
        self.after_close = after_close

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self.code
            raise error
        return self.connection.execute(sql, *parameters)

    def close(self) -> None:
        self.connection.close()
        self.after_close()
        self.after_close = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


@pytest.fixture
def break_next_commit() -> Callable[..., None]:
    def break_it(
        journal: Any, code: int = sqlite3.SQLITE_IOERR_FSYNC, after_close: Callable[[], None] = lambda: None
    ) -> None:
        journal._store.connection = FailsToCommit(journal._store.connection, code, after_close)

    return break_it


@contextmanager
def room_for(journal: Any, pages: int) -> Iterator[None]:
    """The database may have so many pages, as on a disk that is full."""
    connection = journal._store.connection
    (most,) = connection.execute("PRAGMA max_page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    yield
    connection.execute(f"PRAGMA max_page_count = {most}")


def test_on_a_full_disk_the_sender_is_told_and_numbers_are_taken_back(
    open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask
) -> None:
    journal = open_sqlite()
    fill(journal, 1)
    batch = [say("x" * 4000) for _ in range(50)]
    with room_for(journal, pages=10):
        answer = ask(journal.append, batch)
    assert isinstance(answer, JournalError) and "disk is full" in str(answer)
    assert {message.seq for message in batch} == {0}


def test_reading_goes_on_while_the_disk_is_full(
    open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask, texts: Texts
) -> None:
    journal = open_sqlite()
    fill(journal, 3)
    with room_for(journal, pages=10):
        ask(journal.append, [say("x" * 4000) for _ in range(50)])
        assert texts(journal) == ["1", "2", "3"]


def test_when_there_is_space_again_numbers_go_on_without_a_hole(
    open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask, texts: Texts
) -> None:
    journal = open_sqlite()
    fill(journal, 1)
    epoch = ask(journal.open, "lobby", 0).epoch
    with room_for(journal, pages=10):
        ask(journal.append, [say("x" * 4000) for _ in range(50)])
    assert fill(journal, 2)[-1].seq == 3
    assert (texts(journal), ask(journal.open, "lobby", 0).epoch) == (["1", "1", "2"], epoch)


def test_a_room_whose_first_message_failed_is_stored_with_the_next(
    open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask, texts: Texts
) -> None:
    journal = open_sqlite()
    with room_for(journal, pages=10):
        ask(journal.append, [say("x" * 4000, "new") for _ in range(50)])
    assert (fill(journal, 1, "new")[0].seq, texts(journal, "new")) == (1, ["1"])


def test_a_topic_is_refused_on_a_full_disk(open_sqlite: OpenSqlite, ask: Ask) -> None:
    journal = open_sqlite()
    with room_for(journal, pages=7):
        assert isinstance(ask(journal.set_topic, "lobby", "x" * 100_000), JournalError)
    assert ask(journal.set_topic, "lobby", "tea") is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_real_disk_fills_and_is_freed_again(
    small_disk: Path, open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask, texts: Texts
) -> None:
    journal = open_sqlite(small_disk / "journal.db", spare=0)
    fill(journal, 2)
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    answers = [ask(journal.append, [say("x" * 4000)]) for _ in range(10)]
    assert isinstance(answers[-1], JournalError) and "disk is full" in str(answers[-1])
    ballast.unlink()
    stored = sum(not isinstance(answer, JournalError) for answer in answers)
    assert fill(journal, 1)[0].seq == 3 + stored
    journal.close()


def test_writing_stops_before_the_disk_is_full(
    small_disk: Path, open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask
) -> None:
    now = SimpleNamespace(seconds=0.0)
    journal = open_sqlite(small_disk / "journal.db", clock=lambda: now.seconds)
    fill(journal, 1)
    (small_disk / "ballast").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - 40_000))
    now.seconds = 1.1
    words = str(ask(journal.append, [say("a")]))
    assert "nearly full" in words and " 0 MB" not in words and " 0 B" not in words
    assert " kB free" in words
    (small_disk / "ballast").unlink()
    assert ask(journal.append, [say("a")])[0].seq == 2
    journal.close()


def test_a_failed_write_is_answered_and_the_next_succeeds(
    open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask, texts: Texts, path: Path
) -> None:
    journal = open_sqlite()
    fill(journal, 3)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name("journal.db-wal").stat().st_size, hard))
    try:
        answer = ask(journal.append, [say("x" * 4000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(answer, JournalError) and "disk failed" in str(answer)
    assert (fill(journal, 1)[0].seq, texts(journal)) == (4, ["1", "2", "3", "1"])


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT])
def test_after_an_error_of_the_disk_the_database_is_opened_anew(
    open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask, break_next_commit: Callable[..., None], code: int
) -> None:
    journal = open_sqlite()
    epoch = ask(journal.open, "lobby", 0).epoch
    fill(journal, 2)
    break_next_commit(journal, code)
    batch = [say("lost")]
    assert isinstance(ask(journal.append, batch), JournalError)
    assert batch[0].seq == 0
    assert fill(journal, 1)[0].seq == 3
    assert ask(journal.open, "lobby", 0).epoch == epoch


def test_what_was_refused_and_yet_reached_the_disk_is_removed(
    open_sqlite: OpenSqlite,
    fill: Fill,
    say: Say,
    ask: Ask,
    break_next_commit: Callable[..., None],
    alter: Alter,
    path: Path,
) -> None:
    journal = open_sqlite()
    fill(journal, 2)
    columns = "ts, nick, door, kind"
    reached = f"INSERT INTO messages (room, seq, {columns}, text) SELECT room, 3, {columns}, 'refused' FROM messages"
    reached += " WHERE seq = 2"
    break_next_commit(journal, after_close=lambda: alter(path, reached))
    ask(journal.append, [say("refused")])
    page = ask(journal.read, "lobby", after=0, before=None, limit=9)
    assert [(m.seq, m.text) for m in page.messages] == [(1, "1"), (2, "2")]
    assert fill(journal, 1)[0].seq == 3


def test_a_missing_end_is_told_once_and_gives_new_epochs(
    open_sqlite: OpenSqlite,
    fill: Fill,
    say: Say,
    ask: Ask,
    break_next_commit: Callable[..., None],
    alter: Alter,
    path: Path,
) -> None:
    journal = open_sqlite()
    fill(journal, 5)
    fill(journal, 1, "ops")
    before = {room: ask(journal.open, room, 0).epoch for room in ("lobby", "ops", "quiet")}
    break_next_commit(journal, after_close=lambda: alter(path, "DELETE FROM messages WHERE seq > 3"))
    ask(journal.append, [say("x")])
    told = []
    journal.lost_tail().then(lambda loss: told.append("epochs"))
    assert isinstance(ask(journal.set_topic, "lobby", "new"), LostTail)
    assert told == ["epochs"]
    records = {room: ask(journal.open, room, 0) for room in before}
    assert all(records[room].epoch != before[room] for room in before)
    assert (records["lobby"].head, fill(journal, 1)[0].seq) == (3, 4)


def test_while_the_database_is_damaged_every_verb_is_refused_with_advice(
    open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask, break_next_commit: Callable[..., None], path: Path
) -> None:
    journal = open_sqlite()
    fill(journal, 2)
    kept = []

    def spoil() -> None:
        kept.append(path.read_bytes())
        path.write_bytes(b"")

    break_next_commit(journal, after_close=spoil)
    answers = [ask(journal.append, [say("x")]) for _ in range(3)]
    assert all(isinstance(answer, JournalError) for answer in answers) and "is empty" in str(answers[-1])
    path.write_bytes(kept[0])
    assert fill(journal, 1)[0].seq == 3


def test_a_file_taken_away_is_noticed_and_may_be_put_back(
    open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask, path: Path
) -> None:
    now = SimpleNamespace(seconds=0.0)
    journal = open_sqlite(clock=lambda: now.seconds)
    fill(journal, 1)
    path.rename(path.with_name("elsewhere"))
    now.seconds = 1.1
    assert "put it back" in str(ask(journal.append, [say("a")]))
    path.with_name("elsewhere").rename(path)
    assert ask(journal.append, [say("a")])[0].seq == 2


def test_another_file_in_its_place_is_a_restored_backup(
    open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask, path: Path
) -> None:
    now = SimpleNamespace(seconds=0.0)
    journal = open_sqlite(clock=lambda: now.seconds)
    epoch = ask(journal.open, "lobby", 0).epoch
    shutil.copy2(path, path.with_name("backup"))
    fill(journal, 2)
    path.with_name("backup").rename(path)
    path.with_name("journal.db-wal").unlink()
    now.seconds = 1.1
    assert "replaced" in str(ask(journal.append, [say("a")]))
    assert isinstance(ask(journal.append, [say("a")]), LostTail)
    assert ask(journal.open, "lobby", 0).epoch != epoch
    assert fill(journal, 1)[0].seq >= 1


def test_text_no_database_can_hold_is_an_error_and_no_exception(
    open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask
) -> None:
    journal = open_sqlite()
    for bad in (say("lone \ud800"), say("x", ts=2**70), say("x", "\udfff")):
        assert isinstance(ask(journal.append, [say("good"), bad]), JournalError)
    assert fill(journal, 1)[0].seq == 1


def test_closing_after_a_failure_says_nothing_clean(
    open_sqlite: OpenSqlite, say: Say, ask: Ask, break_next_commit: Callable[..., None], alter: Alter, path: Path
) -> None:
    journal = open_sqlite()
    break_next_commit(journal)
    ask(journal.append, [say("x")])
    journal.close()
    assert alter(path, "SELECT value FROM meta WHERE key = 'clean'") == [("no",)]


def test_the_disk_is_looked_at_once_a_second_while_all_is_well(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.touch()
    now = SimpleNamespace(seconds=0.0)
    disk = Disk(path, spare=0, clock=lambda: now.seconds)
    disk.look()
    path.unlink()
    now.seconds = 0.9
    disk.look()
    now.seconds = 1.0
    with pytest.raises(JournalError, match="put it back"):
        disk.look()


def test_a_database_is_sound_after_every_failure_here(
    open_sqlite: OpenSqlite, fill: Fill, say: Say, ask: Ask, break_next_commit: Callable[..., None], path: Path
) -> None:
    journal = open_sqlite()
    for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY) * 3:
        break_next_commit(journal, code)
        ask(journal.append, [say("x")])
        if code == sqlite3.SQLITE_FULL:
            broken: Any = journal._store.connection
            journal._store.connection = broken.connection
        fill(journal, 5)
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*), max(seq) FROM messages").fetchone() == (45, 45)
