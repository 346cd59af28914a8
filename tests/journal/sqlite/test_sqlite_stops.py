"""Epochs and numbers after a stop, a kill, a lost machine and a restored backup."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.core.clock import TimeRecord
from gateway.journal import open as opening
from tests.journal.conftest import Alter, Ask, Epoch, Fill, Killed, OpenSqlite, Say, Texts


@pytest.fixture
def another_boot(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    return lambda: monkeypatch.setattr(opening, "boot_id", lambda: "another boot")


@pytest.fixture
def epoch(ask: Ask) -> Callable[..., Any]:
    return lambda journal, room="lobby": ask(journal.open, room, 0).epoch


def test_a_clean_stop_changes_neither_epoch_nor_numbers(
    open_sqlite: OpenSqlite, fill: Fill, epoch: Epoch, texts: Texts
) -> None:
    journal = open_sqlite()
    fill(journal, 3)
    before = epoch(journal)
    journal.close()
    again = open_sqlite()
    assert (epoch(again), texts(again), fill(again, 1)[0].seq) == (before, ["1", "2", "3"], 4)


def test_a_clean_stop_leaves_one_whole_file(open_sqlite: OpenSqlite, fill: Fill, path: Path) -> None:
    journal = open_sqlite()
    fill(journal, 3)
    journal.close()
    assert sorted(file.name for file in path.parent.iterdir()) == ["journal.db", "journal.db-mark"]


def test_a_topic_survives_a_restart(open_sqlite: OpenSqlite, ask: Ask) -> None:
    journal = open_sqlite()
    ask(journal.set_topic, "lobby", "tea")
    journal.close()
    assert ask(open_sqlite().open, "lobby", 0).topic == "tea"


def test_a_room_nobody_wrote_to_keeps_its_epoch_over_a_restart(open_sqlite: OpenSqlite, epoch: Epoch) -> None:
    journal = open_sqlite()
    before = epoch(journal, "quiet")
    journal.close()
    assert epoch(open_sqlite(), "quiet") == before


@pytest.mark.parametrize("durability", ["process", "power"])
def test_an_answered_message_survives_a_kill(
    open_sqlite: OpenSqlite, kill_after_writing: Killed, path: Path, texts: Texts, durability: str
) -> None:
    assert kill_after_writing("a", "b", "c", durability=durability) == [1, 2, 3]
    journal = open_sqlite()
    assert texts(journal) == ["a", "b", "c"]
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("lines", [1, 50, 333, 1000])
def test_whatever_was_answered_before_a_kill_in_the_middle_is_there(
    open_sqlite: OpenSqlite,
    ask: Ask,
    kill_while_writing: Callable[..., list[int]],
    path: Path,
    lines: int,
    durability: str,
) -> None:
    answered = kill_while_writing(lines, durability)
    journal = open_sqlite()
    record = ask(journal.open, "lobby", 0)
    assert answered == list(range(1, len(answered) + 1))
    assert record.head >= len(answered)
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (record.head,)


def test_a_kill_changes_neither_epoch_nor_numbers(
    open_sqlite: OpenSqlite, kill_after_writing: Killed, epoch: Epoch
) -> None:
    kill_after_writing("a")
    journal = open_sqlite()
    before = epoch(journal)
    journal.close()
    assert kill_after_writing("b") == [2]
    assert epoch(open_sqlite()) == before


def test_a_lost_machine_gives_every_room_a_new_epoch_and_numbers_go_on(
    open_sqlite: OpenSqlite, fill: Fill, epoch: Epoch, kill_after_writing: Killed, another_boot: Callable[[], None]
) -> None:
    journal = open_sqlite()
    fill(journal, 2, "ops")
    before = {room: epoch(journal, room) for room in ("lobby", "ops", "quiet")}
    journal.close()
    kill_after_writing("a")
    another_boot()
    again = open_sqlite()
    assert all(epoch(again, room) != was for room, was in before.items())
    assert (fill(again, 1)[0].seq, fill(again, 1, "ops")[0].seq) == (2, 3)


def test_the_new_epoch_stays_after_that(
    open_sqlite: OpenSqlite, kill_after_writing: Killed, another_boot: Callable[[], None], epoch: Epoch
) -> None:
    kill_after_writing("a")
    another_boot()
    journal = open_sqlite()
    renewed = epoch(journal)
    journal.close()
    assert epoch(open_sqlite()) == renewed


@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_clean_stop_before_the_machine_stopped_changes_nothing(
    open_sqlite: OpenSqlite, fill: Fill, epoch: Epoch, another_boot: Callable[[], None], durability: str
) -> None:
    journal = open_sqlite(durability=durability)
    fill(journal, 1)
    before = epoch(journal)
    journal.close()
    another_boot()
    assert epoch(open_sqlite(durability=durability)) == before


def test_a_lost_machine_cannot_harm_a_journal_that_synced_every_commit(
    open_sqlite: OpenSqlite, kill_after_writing: Killed, epoch: Epoch, another_boot: Callable[[], None]
) -> None:
    kill_after_writing("a", durability="power")
    journal = open_sqlite(durability="power")
    before = epoch(journal)
    journal.close()
    kill_after_writing("b", durability="power")
    another_boot()
    assert epoch(open_sqlite()) == before


@pytest.fixture
def grown_after_backup(open_sqlite: OpenSqlite, fill: Fill, epoch: Epoch, path: Path, tmp_path: Path) -> str:
    """A journal of 5 messages with a backup of its folder from when it had 2; the epoch both had."""
    journal = open_sqlite()
    fill(journal, 2)
    before = epoch(journal)
    journal.close()
    shutil.copytree(path.parent, tmp_path / "backup")
    journal = open_sqlite()
    fill(journal, 3)
    journal.close()
    return before


def restore_the_database(backup: Path, folder: Path) -> None:
    shutil.copy2(backup / "journal.db", folder / "journal.db")


def restore_into_the_folder(backup: Path, folder: Path) -> None:
    shutil.copytree(backup, folder, dirs_exist_ok=True)


def restore_the_folder(backup: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)


@pytest.mark.parametrize("restore", [restore_the_database, restore_into_the_folder, restore_the_folder])
def test_a_restored_backup_gives_a_new_epoch(
    grown_after_backup: str,
    open_sqlite: OpenSqlite,
    epoch: Epoch,
    fill: Fill,
    path: Path,
    tmp_path: Path,
    restore: Callable[[Path, Path], None],
) -> None:
    restore(tmp_path / "backup", path.parent)
    journal = open_sqlite()
    assert epoch(journal) != grown_after_backup
    assert fill(journal, 1)[0].seq == 3


def copied(path: Path, copy: Path) -> None:
    shutil.copy(path, copy)


def backed_up(path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def vacuumed(path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))


COPIED = pytest.mark.parametrize("copied", [copied, backed_up, vacuumed])


@pytest.fixture
def stopped(open_sqlite: OpenSqlite, fill: Fill, epoch: Epoch) -> str:
    """A journal of 2 messages that was stopped cleanly; its epoch."""
    journal = open_sqlite()
    fill(journal, 2)
    before = epoch(journal)
    journal.close()
    return before


def companions(path: Path) -> list[Path]:
    return [file for file in path.parent.iterdir() if file != path]


@COPIED
@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_database_put_back_without_its_companions_gives_a_new_epoch(
    stopped: str,
    open_sqlite: OpenSqlite,
    kill_after_writing: Killed,
    epoch: Epoch,
    fill: Fill,
    path: Path,
    tmp_path: Path,
    copied: Callable[[Path, Path], None],
    end: str,
) -> None:
    if end == "killed":
        kill_after_writing("3")
    kept = 2 + (end == "killed" and copied.__name__ != "copied")
    copied(path, tmp_path / "backup")
    journal = open_sqlite()
    fill(journal, 2)
    journal.close()
    for file in path.parent.glob("journal.db*"):
        file.unlink()
    shutil.copy(tmp_path / "backup", path)
    again = open_sqlite()
    assert epoch(again) != stopped
    assert fill(again, 1)[0].seq == kept + 1


@COPIED
def test_a_database_taken_to_another_folder_alone_gives_a_new_epoch(
    stopped: str,
    open_sqlite: OpenSqlite,
    epoch: Epoch,
    fill: Fill,
    path: Path,
    tmp_path: Path,
    copied: Callable[[Path, Path], None],
) -> None:
    (tmp_path / "elsewhere").mkdir()
    copied(path, tmp_path / "elsewhere" / "journal.db")
    assert epoch(open_sqlite(tmp_path / "elsewhere" / "journal.db")) != stopped
    assert epoch(open_sqlite()) == stopped


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"caf\xe9\n", b"another\n"])
def test_a_mark_that_is_missing_unreadable_or_another_gives_a_new_epoch(
    stopped: str, open_sqlite: OpenSqlite, epoch: Epoch, path: Path, content: bytes | None
) -> None:
    mark = path.with_name("journal.db-mark")
    mark.unlink() if content is None else mark.write_bytes(content)
    assert epoch(open_sqlite()) != stopped


def test_a_database_copied_while_it_was_open_is_no_cleanly_stopped_one(
    open_sqlite: OpenSqlite, fill: Fill, epoch: Epoch, path: Path, tmp_path: Path
) -> None:
    journal = open_sqlite(checkpoint_pages=1)
    fill(journal, 2)
    shutil.copy(path, tmp_path / "backup")
    fill(journal, 2)
    before = epoch(journal)
    journal.close()
    path.write_bytes((tmp_path / "backup").read_bytes())
    assert epoch(open_sqlite()) != before


def test_an_epoch_renewed_for_a_lost_mark_stays_after_that(
    stopped: str, open_sqlite: OpenSqlite, epoch: Epoch, path: Path
) -> None:
    path.with_name("journal.db-mark").unlink()
    journal = open_sqlite()
    renewed = epoch(journal)
    journal.close()
    assert epoch(open_sqlite()) == renewed != stopped


def test_a_journal_killed_before_its_first_note_stays_sound(
    stopped: str, open_sqlite: OpenSqlite, epoch: Epoch, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("_note", "write_mark", "checkpoint"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(opening, step, killed)
            open_sqlite()
    assert epoch(open_sqlite()) == stopped


def test_what_the_release_before_leaves_at_a_clean_stop_keeps_its_epoch(
    stopped: str, open_sqlite: OpenSqlite, epoch: Epoch, path: Path, alter: Alter
) -> None:
    """A database with a mark beside it and no note of the last message; meta as it is written since the first one."""
    assert companions(path) == [path.with_name("journal.db-mark")]
    assert {key for (key,) in alter(path, "SELECT key FROM meta")} == {
        "seed", "boot", "clean", "durability", "mark", "mark_next", "checkpoints", "time",
    }  # fmt: skip
    assert epoch(open_sqlite()) == stopped


def test_a_moved_folder_is_no_restored_backup(
    grown_after_backup: str, open_sqlite: OpenSqlite, epoch: Epoch, path: Path, tmp_path: Path
) -> None:
    path.parent.rename(tmp_path / "moved")
    assert epoch(open_sqlite(tmp_path / "moved" / path.name)) == grown_after_backup


def test_a_kill_between_the_new_mark_and_its_note_changes_nothing(
    grown_after_backup: str, open_sqlite: OpenSqlite, epoch: Epoch, path: Path, alter: Alter
) -> None:
    token = path.with_name("journal.db-mark").read_text().strip()
    alter(path, "UPDATE meta SET value = ? WHERE key = 'mark_next'", token)
    alter(path, "UPDATE meta SET value = 'the mark before' WHERE key = 'mark'")
    assert epoch(open_sqlite()) == grown_after_backup


def test_after_the_oldest_are_deleted_first_moves_and_numbers_go_on(
    open_sqlite: OpenSqlite, ask: Ask, fill: Fill, path: Path, alter: Alter, texts: Texts
) -> None:
    journal = open_sqlite()
    fill(journal, 5)
    journal.close()
    alter(path, "DELETE FROM messages WHERE seq <= 3")
    again = open_sqlite()
    record = ask(again.open, "lobby", 50)
    assert (record.first, record.head, texts(again), fill(again, 1)[0].seq) == (4, 5, ["4", "5"], 6)


def test_after_all_are_deleted_the_floor_keeps_the_head(
    open_sqlite: OpenSqlite, ask: Ask, fill: Fill, path: Path, alter: Alter
) -> None:
    journal = open_sqlite()
    fill(journal, 5)
    journal.close()
    alter(path, "UPDATE rooms SET floor = 5")
    alter(path, "DELETE FROM messages")
    again = open_sqlite()
    record = ask(again.open, "lobby", 50)
    assert (record.first, record.head, fill(again, 1)[0].seq) == (6, 5, 6)


def test_the_files_are_for_their_owner_alone(open_sqlite: OpenSqlite, fill: Fill, path: Path) -> None:
    fill(open_sqlite(), 1)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert set(modes) == {"journal.db", "journal.db-wal", "journal.db-mark", "journal.db-tail"}
    assert set(modes.values()) == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_record_of_the_time_is_there_at_the_next_start(open_sqlite: OpenSqlite, fill: Fill, path: Path) -> None:
    journal = open_sqlite()
    assert journal.time_kept() == (None, 0)
    journal.keep_time(TimeRecord(1_790_000_000_000, 1_790_000_000_000, 0))
    journal.keep_time(TimeRecord(1_790_000_060_000, 1_790_000_060_000, 0))
    journal.keep_time(TimeRecord(1_790_000_120_000, 1_830_000_000_000, 1_829_999_999_000))
    journal.close()
    assert open_sqlite().time_kept()[0] == TimeRecord(1_790_000_120_000, 1_830_000_000_000, 1_829_999_999_000)


def test_a_journal_without_a_record_of_the_time_tells_its_newest_message(
    open_sqlite: OpenSqlite, ask: Ask, say: Say, path: Path, alter: Alter
) -> None:
    journal = open_sqlite()
    ask(journal.append, [say("1", ts=2000), say("2", ts=1000), say("3", "ops", ts=1500)])
    journal.close()
    alter(path, "DELETE FROM meta WHERE key = 'time'")
    assert open_sqlite().time_kept() == (None, 1500)


def test_receipts_are_dropped_by_trusted_time_also_while_the_wall_clock_is_ahead(
    open_sqlite: OpenSqlite, ask: Ask, say: Say, alter: Alter, path: Path
) -> None:
    now, ahead = 1_790_000_000_000, 1_830_000_000_000
    journal = open_sqlite(checkpoint_pages=1)
    journal.keep_time(TimeRecord(now, ahead, ahead - 1))
    for id, ts in (("old", now - 121_000), ("right", now - 1000), ("wrong-old", ahead - 121_000), ("wrong", ahead)):
        ask(journal.append, [say(id, ts=ts, identity="ana", id=id)])
    journal.close()
    assert {id for (id,) in alter(path, "SELECT id FROM receipts")} >= {"right", "wrong"}
    again = open_sqlite()
    again.keep_time(TimeRecord(now, ahead, ahead - 1))
    again._store.checkpoint()
    again.close()
    assert {id for (id,) in alter(path, "SELECT id FROM receipts")} == {"right", "wrong"}


@pytest.mark.parametrize("there", [True, False])
def test_a_linked_database_stays_a_link_and_goes_on_where_it_stood(
    open_sqlite: OpenSqlite, path: Path, ask: Ask, say: Say, there: bool
) -> None:
    """SQLite puts its companions beside what the link leads to (sqlite's howtocorrupt, 3.10): ours lie there too."""
    real = path.parent.parent / "elsewhere" / "real.db"
    real.parent.mkdir()
    path.parent.mkdir()
    if there:
        open_sqlite(real).close()
    path.symlink_to(real)
    for number in (1, 2):
        journal = open_sqlite(path)
        epoch = ask(journal.open, "lobby", 10).epoch
        assert ask(journal.append, [say("hello")])[0].seq == number
        journal.close()
    assert path.is_symlink() and [each.name for each in path.parent.iterdir()] == [path.name]
    assert ask(open_sqlite(real).open, "lobby", 10).epoch == epoch
