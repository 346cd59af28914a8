"""The index as a file: lost, damaged, of another journal, killed, full. It never harms and always comes back."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.core.answer import Answer
from gateway.core.ports.index import Found, SearchQuery
from gateway.core.ports.journal import RoomRecord
from gateway.core.protocol.message import Message
from gateway.errors import Code, JournalError, Refusal
from gateway.journal import fts5
from gateway.journal import index as index_module
from gateway.journal.disk import Disk
from gateway.journal.index import PARTS_BEGUN, SEARCH_NICENESS, SqliteIndex, connect
from tests.fakes import StandingClock, new_index
from tests.journal.conftest import ROOT, Turns


def told(answer: Answer[Any]) -> Any:
    """The value of an answer that is there."""
    values: list[Any] = []
    answer.then(values.append)
    (value,) = values
    return value


def messages(*texts: str, first: int = 1) -> list[Message]:
    return [Message("ops", 1000 * seq, "ana", "tcp", "say", text, seq=seq) for seq, text in enumerate(texts, first)]


def found(index: SqliteIndex, *words: str) -> list[int]:
    result = told(index.find(SearchQuery(("ops",), words)))
    assert isinstance(result, Found), result
    return [message.seq for message in result.messages]


RECORDS = [RoomRecord("ops", "epoch", 1, 3, "", ())]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite3"


@pytest.fixture
def index(path: Path) -> Iterator[SqliteIndex]:
    index = new_index(path)
    yield index
    index.close()


def filled(path: Path) -> Path:
    """The file of an index that is complete and was closed."""
    index = new_index(path)
    index.compare("w", RECORDS)
    index.add(messages("hello one", "two", "three"))
    index.close()
    return path


def test_a_closed_index_is_complete_when_it_is_opened_again(path: Path, index: SqliteIndex) -> None:
    filled(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert told(index.compare("w", RECORDS)) == {}
    assert found(index, "hello") == [1]


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def replace(path: Path) -> None:
    path.write_bytes(b"no database, but somebody's notes " * 999)


def age(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [os.unlink, cut, spoil, replace, age, empty])
def test_a_file_that_is_lost_or_damaged_is_made_anew(path: Path, index: SqliteIndex, harm: Any) -> None:
    harm(filled(path))
    missing = told(index.compare("w", RECORDS))
    if isinstance(missing, JournalError):  # damage that only shows when it is read
        missing = told(index.compare("w", RECORDS))
    assert missing == {"ops": 0}
    told(index.add(messages("hello one", "two", "three")))
    assert found(index, "hello") == [1]
    assert told(index.compare("w", RECORDS)) == {}


def test_damage_that_a_search_meets_empties_the_index(path: Path, index: SqliteIndex) -> None:
    big = new_index(path)
    big.add(messages(*(f"hello word{number} {'x' * 50}" for number in range(5000))))
    big.close()
    with path.open("r+b") as file:
        for page in range(20, path.stat().st_size // 4096):
            file.seek(4096 * page)
            file.write(b"\xff" * 4096)
    assert isinstance(told(index.find(SearchQuery(("ops",), ("hello",)))), JournalError)
    assert found(index, "hello") == []
    assert told(index.compare("w", RECORDS)) == {"ops": 0}


def test_an_index_of_another_journal_is_emptied(path: Path, index: SqliteIndex) -> None:
    filled(path)
    assert told(index.compare("another", RECORDS)) == {"ops": 0}
    assert found(index, "hello") == []
    assert told(index.removals()) == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from gateway.core.protocol.message import Message
from tests.fakes import new_index

index = new_index(Path(sys.argv[1]))
for seq in range(1, 100_000):
    index.add([Message("ops", seq, "ana", "tcp", "say", f"word{seq} " * 20, seq=seq)])
    print(seq, flush=True)
"""


def test_a_killed_index_knows_what_it_has(path: Path, index: SqliteIndex) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == 300:
                writer.kill()
                break
    missing = told(index.compare("", [RoomRecord("ops", "epoch", 1, 100_000, "", ())]))
    assert missing["ops"] >= 300
    assert found(index, "word300") == [300]
    assert found(index, f"word{missing['ops']}") == [missing["ops"]]
    assert found(index, f"word{missing['ops'] + 1}") == []


def test_a_removal_that_was_cut_off_before_its_checkpoint_is_finished_at_the_start(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = new_index(filled(path))
    with monkeypatch.context() as cut_off:
        cut_off.setattr("gateway.journal.fts5.IndexStore.checkpoint", lambda store: None)
        index.add(messages("zebra secret", first=4))
        index.remove([("ops", 4)], 7)
    left = tmp_path / "left"
    left.mkdir()
    for file in tmp_path.glob("index.sqlite3*"):
        (left / file.name).write_bytes(file.read_bytes())
    index.close()
    assert any(b"zebra" in file.read_bytes() for file in left.iterdir())
    index = new_index(left / path.name)
    assert told(index.removals()) == 7
    assert not any(b"zebra" in file.read_bytes() for file in left.iterdir())
    assert found(index, "hello") == [1]
    index.close()


def test_a_full_disk_keeps_what_there_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = new_index(filled(path))

    def look(disk: Disk) -> None:
        raise JournalError("the disk is nearly full")

    monkeypatch.setattr(Disk, "look", look)
    assert isinstance(told(index.add(messages("four", first=4))), JournalError)
    assert found(index, "hello") == [1]
    monkeypatch.undo()
    assert told(index.add(messages("four", first=4))) == {}
    assert found(index, "four") == [4]
    index.close()


def test_what_cannot_be_removed_goes_with_the_whole_index(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = new_index(filled(path))

    def remove(*args: object) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("gateway.journal.fts5.IndexStore.remove", remove)
    assert isinstance(told(index.remove([("ops", 1)], 1)), JournalError)
    assert not path.exists() or b"hello" not in path.read_bytes()
    assert told(index.compare("w", RECORDS)) == {"ops": 0}
    index.close()


def test_a_long_search_is_stopped_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StandingClock()
    index = new_index(clock=clock)
    index.add(messages(*(["word"] * 30)))

    def find(store: object, query: SearchQuery, out_of_time: Any) -> Found:
        assert not out_of_time()
        clock.now += 1.01
        assert out_of_time()
        raise TimeoutError

    monkeypatch.setattr("gateway.journal.fts5.IndexStore.find", find)
    refusal = told(index.find(SearchQuery(("ops",), ("word",))))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, "stopped after 1 s" in refusal.text) == (Code.BUSY, True)
    index.close()


def test_without_fts5_searches_are_refused_and_no_file_is_touched(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class WithoutFts5(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            return super().execute(statement.replace("fts5", "nofts5"), *values)

    def connect(*args: object, **options: object) -> sqlite3.Connection:
        return WithoutFts5(":memory:")

    monkeypatch.setattr("gateway.journal.index.sqlite3.connect", connect)
    index = new_index(path)
    for _ in range(2):
        refused = told(index.compare("w", RECORDS))
        assert isinstance(refused, JournalError)
        assert "no such module" in str(refused)
    assert not path.exists()
    index.close()


def test_a_fault_of_ours_is_answered_too(monkeypatch: pytest.MonkeyPatch, expected_errors: list[str]) -> None:
    expected_errors.append("search: ZeroDivisionError")

    def find(*args: object) -> Found:
        raise ZeroDivisionError("never")

    index = new_index()
    monkeypatch.setattr("gateway.journal.fts5.IndexStore.find", find)
    assert isinstance(told(index.find(SearchQuery(("ops",), ("word",)))), JournalError)
    index.close()


def test_verbs_are_done_elsewhere_and_answered_here(turns: Turns, path: Path) -> None:
    index = SqliteIndex(path, call_soon_threadsafe=turns.call_soon_threadsafe)
    answers: list[Any] = []
    index.add(messages("hello")).then(answers.append)
    index.find(SearchQuery(("ops",), ("hello",))).then(answers.append)
    index.forget({"ops": 2}).then(answers.append)
    assert answers == []
    turns.until(lambda: len(answers) == 3)
    assert answers[0] == {}
    assert [message.text for message in answers[1].messages] == ["hello"]
    assert answers[2] is None
    index.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_a_search_leaves_the_processor_to_others(turns: Turns, path: Path) -> None:
    index = SqliteIndex(path, call_soon_threadsafe=turns.call_soon_threadsafe)
    answers: list[Any] = []
    index.add(messages("hello")).then(answers.append)
    index.find(SearchQuery(("ops",), ("hello",))).then(answers.append)
    turns.until(lambda: len(answers) == 2)
    niceness = {
        thread.name.split("_")[0]: os.getpriority(os.PRIO_PROCESS, thread.native_id or 0)
        for thread in threading.enumerate()
    }
    index.close()
    assert niceness["search"] == SEARCH_NICENESS
    assert niceness["index"] == niceness["MainThread"]


def test_closing_does_not_wait_for_what_is_queued(turns: Turns, path: Path) -> None:
    index = SqliteIndex(path, call_soon_threadsafe=turns.call_soon_threadsafe)
    answers: list[Any] = []
    for _ in range(50):
        index.add(messages(*(["x " * 500] * 300))).then(answers.append)
    index.close()
    turns.until(lambda: len(answers) == 50)
    assert isinstance(answers[-1], JournalError)


def test_what_was_prepared_for_full_parts_is_given_back(
    path: Path, index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[sqlite3.Connection] = []

    def remembered(where: Path) -> sqlite3.Connection:
        opened.append(connect(where))
        return opened[-1]

    monkeypatch.setattr(index_module, "connect", remembered)
    monkeypatch.setattr(fts5, "PART_MESSAGES", 1)
    for number in range(1, 3 * PARTS_BEGUN + 1):
        told(index.add(messages(f"{number}th", first=number)))
    assert len(opened) == 3
    for each in opened:  # with a connection goes all that it has prepared
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            each.execute("SELECT 1")
    assert found(index, "1th") == [1]
    assert told(index.compare("w", [RoomRecord("ops", "epoch", 1, 3 * PARTS_BEGUN, "", ())])) == {}
