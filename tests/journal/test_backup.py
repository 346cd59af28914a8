"""Backups: complete or not there, of a journal that goes on, and never taken for it."""

import fcntl
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import JournalError
from gateway.journal import backup
from gateway.journal.sqlite import SqliteJournal
from tests.journal.conftest import Alter, Ask, Fill, OpenSqlite, Say, Texts

SECRET = "hunter2-is-not-a-good-password"
Copied = Callable[..., Any]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "backup.sqlite3"


@pytest.fixture
def copied(ask: Ask, place: Path) -> Copied:
    """Make a backup at `place`, and return what the journal answers; `going` is called between slices."""

    def copied(
        journal: Any, where: Path = place, replace: bool = False, going: Callable[[], object] = lambda: None
    ) -> Any:
        return ask(journal.copy, str(where), replace, lambda *_: going() is not False)

    return copied


def beside(place: Path) -> list[str]:
    """The files in the backup's folder."""
    return sorted(path.name for path in place.parent.iterdir() if path.is_file())


def told(answer: Any) -> str:
    """The words of a failure."""
    assert isinstance(answer, JournalError)
    return str(answer)


def test_a_backup_holds_all_and_a_journal_on_it_goes_on_under_a_new_epoch(
    open_sqlite: OpenSqlite, fill: Fill, copied: Copied, place: Path, ask: Ask, texts: Texts, tmp_path: Path
) -> None:
    journal = open_sqlite()
    fill(journal, 5)
    ask(journal.set_topic, "lobby", "tea")
    assert copied(journal) is None
    fill(journal, 1)
    (tmp_path / "other").mkdir()
    place.rename(tmp_path / "other" / "journal.db")
    restored = open_sqlite(tmp_path / "other" / "journal.db")
    assert texts(restored) == ["1", "2", "3", "4", "5"] and len(texts(journal)) == 6
    before, after = ask(journal.open, "lobby", 0), ask(restored.open, "lobby", 0)
    assert (after.topic, after.head) == ("tea", 5) and after.epoch != before.epoch


def test_a_backup_put_back_in_the_place_it_was_taken_from_has_a_new_epoch_too(
    open_sqlite: OpenSqlite, fill: Fill, copied: Copied, place: Path, path: Path, ask: Ask, alter: Alter
) -> None:
    """H1: no number is given out twice, also where mark and tail still lie beside it and nothing was said since."""
    journal = open_sqlite()
    fill(journal, 2)
    epoch = ask(journal.open, "lobby", 0).epoch
    copied(journal)
    alter(place, "UPDATE meta SET value = 'yes' WHERE key = 'clean'")
    journal.close()
    path.write_bytes(place.read_bytes())
    assert ask(open_sqlite().open, "lobby", 0).epoch != epoch


def test_what_is_said_between_two_slices_is_answered_then_and_is_in_the_backup(
    open_sqlite: OpenSqlite,
    ask: Ask,
    say: Say,
    copied: Copied,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backup, "PAGES", 1)
    journal = open_sqlite()
    ask(journal.append, [say("x" * 3000) for _ in range(30)])
    committed: list[Any] = []

    def talk() -> None:
        if len(committed) < 20:
            journal.append([say(f"meanwhile {len(committed)}")], committed.append)

    assert copied(journal, going=talk) is None
    with closing(sqlite3.connect(place)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (found,) = connection.execute("SELECT count(*) FROM messages WHERE text LIKE 'meanwhile%'").fetchone()
    assert len(committed) == 20 and found >= 19  # the last may come after the last slice


def test_a_text_that_is_removed_while_it_is_copied_is_in_no_byte_of_the_backup(
    open_sqlite: OpenSqlite, ask: Ask, say: Say, copied: Copied, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES", 1)
    journal = open_sqlite()
    ask(journal.append, [say(f"{SECRET} {number}") for number in range(40)])
    removals: list[Any] = []

    def remove() -> None:
        if len(removals) < 40:
            journal.remove("lobby", len(removals) + 1, 5, "otto", "spam").then(removals.append)
            journal.erase()

    assert copied(journal, going=remove) is None
    gone = sum(removal is not None for removal in removals)
    with closing(sqlite3.connect(place)) as connection:
        (left,) = connection.execute("SELECT count(*) FROM messages WHERE text != ''").fetchone()
    assert gone > 5 and place.read_bytes().count(SECRET.encode()) == left


def test_one_file_is_enough_where_nothing_can_be_written_beside_it(
    open_sqlite: OpenSqlite, fill: Fill, copied: Copied, place: Path
) -> None:
    journal = open_sqlite()
    fill(journal, 3)
    copied(journal)
    assert place.stat().st_mode & 0o777 == 0o600 and beside(place) == ["backup.sqlite3"]
    with closing(sqlite3.connect(f"{place.as_uri()}?immutable=1", uri=True)) as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (3,)


def test_a_file_that_is_there_is_left_alone_unless_it_is_to_be_replaced(
    open_sqlite: OpenSqlite, copied: Copied, place: Path
) -> None:
    place.write_text("mine")
    journal = open_sqlite()
    assert "is there already: name another file, or add --force" in told(copied(journal))
    assert place.read_text() == "mine"
    assert copied(journal, replace=True) is None
    assert place.read_bytes().startswith(b"SQLite format 3")


def test_a_link_leads_to_the_file_and_stays_a_link(
    open_sqlite: OpenSqlite, copied: Copied, place: Path, tmp_path: Path
) -> None:
    (tmp_path / "far").mkdir()
    place.symlink_to(tmp_path / "far" / "b.sqlite3")
    assert copied(open_sqlite()) is None
    assert place.is_symlink() and (tmp_path / "far" / "b.sqlite3").stat().st_size


def test_what_cannot_be_a_backups_file_is_told_and_nothing_is_left(
    open_sqlite: OpenSqlite, copied: Copied, tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    journal = open_sqlite()
    assert "is a folder: name a file in it" in told(copied(journal, tmp_path))
    assert "is no plain file" in told(copied(journal, tmp_path / "pipe", replace=True))
    (tmp_path / "loop").symlink_to("loop")
    assert "Too many levels of symbolic links" in told(copied(journal, tmp_path / "loop"))
    assert "there is no folder" in told(copied(journal, tmp_path / "nowhere" / "b"))
    assert "File name too long" in told(copied(journal, tmp_path / ("n" * 300)))
    assert "would be in the gateway's own data folder" in told(copied(journal, path, replace=True))
    little = os.statvfs_result((4096, 4096, 100, 10, 10, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: little)
    assert "has 40.9 kB free, 50" in told(copied(journal, tmp_path / "b"))
    assert beside(tmp_path / "b") == []


def test_two_backups_do_not_meet_in_one_file_and_a_dead_ones_rest_is_taken_over(
    open_sqlite: OpenSqlite, copied: Copied, place: Path
) -> None:
    journal = open_sqlite()
    rest = place.with_name(".backup.sqlite3.gateway-part")
    rest.write_bytes(b"half a backup" * 10_000)
    with rest.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "another command is writing" in told(copied(journal))
    assert copied(journal) is None
    assert beside(place) == ["backup.sqlite3"]


def test_a_disk_that_is_full_leaves_no_half_backup_and_the_journal_unharmed(
    open_sqlite: OpenSqlite,
    copied: Copied,
    ask: Ask,
    say: Say,
    fill: Fill,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = open_sqlite()
    ask(journal.append, [say("x" * 3000) for _ in range(300)])
    connect = backup.BackupFile.connect

    def small(self: backup.BackupFile) -> sqlite3.Connection:
        connection = connect(self)
        connection.execute("PRAGMA max_page_count = 3")
        return connection

    monkeypatch.setattr(backup.BackupFile, "connect", small)
    assert "cannot write" in told(copied(journal)) and "full" in told(copied(journal))
    assert beside(place) == []
    assert fill(journal, 1)[0].seq == 301


def test_a_file_that_came_meanwhile_is_left_alone(open_sqlite: OpenSqlite, copied: Copied, place: Path) -> None:
    def come() -> None:
        place.write_text("mine")

    assert "is there by now" in told(copied(open_sqlite(), going=come))
    assert place.read_text() == "mine"


def test_a_backup_that_is_stopped_or_whose_journal_ends_leaves_nothing(
    open_sqlite: OpenSqlite, copied: Copied, fill: Fill, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES", 1)
    journal = open_sqlite()
    assert "stopped before it was complete" in told(copied(journal, going=lambda: False))
    assert beside(place) == []
    answers: list[Any] = []
    journal.copy(str(place), False, lambda *_: True).then(answers.append)
    journal.copy(str(place), False, lambda *_: True).then(answers.append)
    assert "another backup is being written" in told(answers[0])
    journal.close()
    assert beside(place) == []
    assert fill(open_sqlite(), 1)[0].seq == 1


def test_a_journal_that_is_opened_again_meanwhile_ends_the_backup_and_goes_on(
    open_sqlite: OpenSqlite, copied: Copied, fill: Fill, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES", 1)
    journal = open_sqlite()
    fill(journal, 1)

    def suspect() -> None:
        journal._suspect = True

    assert "the journal had to be opened again" in told(copied(journal, going=suspect))
    assert fill(journal, 1)[0].seq == 2
    assert copied(journal) is None


def test_a_room_gets_a_new_epoch_and_its_numbers_go_on(journal: Any, fill: Fill, ask: Ask, texts: Texts) -> None:
    fill(journal, 2)
    fill(journal, 1, "ops")
    before, other = ask(journal.open, "lobby", 0).epoch, ask(journal.open, "ops", 0).epoch
    assert ask(journal.new_epoch, "lobby") is True
    after = ask(journal.open, "lobby", 0)
    assert after.epoch != before and ask(journal.rooms)[0].epoch == after.epoch
    assert ask(journal.open, "ops", 0).epoch == other
    assert fill(journal, 1)[0].seq == 3 and len(texts(journal)) == 3


def test_a_room_in_which_nothing_was_said_has_no_epoch_to_renew(journal: Any, ask: Ask) -> None:
    assert ask(journal.new_epoch, "lobby") is False


def test_a_new_epoch_survives_the_journals_end(open_sqlite: OpenSqlite, fill: Fill, ask: Ask) -> None:
    journal: SqliteJournal = open_sqlite()
    fill(journal, 1)
    ask(journal.new_epoch, "lobby")
    epoch = ask(journal.open, "lobby", 0).epoch
    journal.close()
    assert ask(open_sqlite().open, "lobby", 0).epoch == epoch
