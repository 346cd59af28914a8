"""The commands on the store, where no gateway runs and where another one does: what is written, what is told."""

import json
import queue
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.core.protocol.message import Message
from gateway.journal.sqlite import SqliteJournal
from gateway.store import place
from tests.test_login_link import one_line, somebody


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of a gateway that has stopped, with two messages in the lobby."""
    folder = tmp_path / "data"
    handed_in: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    journal = SqliteJournal(folder / "journal.sqlite3", call_soon_threadsafe=handed_in.put)
    journal.append([Message("lobby", 1, "ana", "tcp", "say", text) for text in ("one", "two")], lambda _: None)
    journal.close()
    return folder


def asked(path: Path, sql: str) -> Any:
    """The first value that a database answers."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchone()[0]


def epoch(data: Path) -> Any:
    return asked(data / "journal.sqlite3", "SELECT epoch FROM rooms")


def test_the_store_of_a_stopped_gateway_is_copied(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = epoch(data)
    monkeypatch.chdir(tmp_path)
    assert main(["backup", "--data", str(data), "copy.sqlite3"]) == 0
    out, words = capsys.readouterr()
    assert out.startswith(f"{tmp_path}/copy.sqlite3: ") and words == ""
    assert asked(tmp_path / "copy.sqlite3", "SELECT count(*) FROM messages") == 2
    assert epoch(data) == before and not (data / "journal.sqlite3-tail").exists()


def test_a_file_that_is_there_takes_force(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy"
    copy.write_text("mine")
    assert main(["backup", str(copy), "--data", str(data)]) == 1
    assert "is there already" in one_line(capsys)
    assert main(["backup", str(copy), "--data", str(data), "--force"]) == 0


@pytest.mark.parametrize("words", [[], ["-"], [""], ["a", "b"], ["--memory", "a"], ["--url", "x", "a"]])
def test_backup_wants_one_file_and_a_store(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", *words]) == 2
    one_line(capsys)


@pytest.mark.parametrize("command", ["backup", "new-epoch"])
def test_without_a_journal_there_is_nothing_to_do_and_none_is_made(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "lobby", "--data", str(tmp_path / "nowhere")]) == 1
    assert "there is no journal in" in one_line(capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_locked_by_a_gateway_that_cannot_be_asked_is_left_alone(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "PATIENCE", 0.0)
    with somebody(404, b"{}") as page, closing(sqlite3.connect(data / "journal.sqlite3")) as other:
        (data / "running.json").write_text(json.dumps({"page": page, "secret": "s"}))
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        assert main(["backup", str(tmp_path / "copy"), "--data", str(data)]) == 1
    words = one_line(capsys)
    assert "is locked" in words and "is another one" in words


def test_a_file_of_a_gateway_that_was_killed_is_no_obstacle(data: Path, tmp_path: Path) -> None:
    (data / "running.json").write_text(json.dumps({"page": "http://127.0.0.1:1/", "secret": "s"}))
    assert main(["backup", str(tmp_path / "copy"), "--data", str(data)]) == 0


def test_a_room_of_a_stopped_gateway_gets_a_new_epoch(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = epoch(data)
    assert main(["new-epoch", "#Lobby", "--data", str(data)]) == 0
    assert capsys.readouterr().out == "#lobby has a new epoch\n"
    assert epoch(data) != before and asked(data / "journal.sqlite3", "SELECT max(seq) FROM messages") == 2


def test_a_room_that_is_not_there_has_no_new_epoch(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-epoch", "nowhere", "--data", str(data)]) == 1
    assert "nothing has been said in #nowhere" in one_line(capsys)
    assert main(["new-epoch", "no such room", "--data", str(data)]) == 2
    one_line(capsys)
