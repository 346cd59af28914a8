"""The commands on the store, where no gateway runs and where another one does: what is written, what is told."""

import json
import queue
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway import store_commands
from gateway.cli import main
from gateway.core.protocol.message import Message
from gateway.journal.sqlite import SqliteJournal
from tests.test_cli import ROOT
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
    monkeypatch.setattr(store_commands, "PATIENCE", 0.0)
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


# Export and import


def test_an_export_fills_an_empty_store_and_nothing_else(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "token.key").write_bytes(bytes(range(32)))
    monkeypatch.chdir(tmp_path)
    assert main(["export", "chat.jsonl", "--data", str(data)]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path}/chat.jsonl: ")
    assert (tmp_path / "chat.jsonl").stat().st_mode & 0o777 == 0o600
    assert main(["import", "chat.jsonl", "--data", "new"]) == 0
    out, words = capsys.readouterr()
    assert (out, words) == ("1 rooms, 2 messages, 0 people, 0 bans, 0 mutes, 0 audit entries\n", "")
    assert epoch(tmp_path / "new") == epoch(data)
    assert (tmp_path / "new" / "token.key").read_bytes() == bytes(range(32))
    assert main(["import", "chat.jsonl", "--data", "new"]) == 1
    assert "nothing was imported: the store is not empty (1 rooms, 2 messages)" in one_line(capsys)
    assert main(["export", "chat.jsonl", "--data", str(data)]) == 1
    assert "is there already" in one_line(capsys)


def piped(*words: str | Path, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """The real program, whose streams are pipes."""
    command = [sys.executable, "-m", "gateway", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, timeout=60)


def test_an_export_goes_through_pipes_and_comes_back_the_same(data: Path, tmp_path: Path) -> None:
    export = piped("export", "--data", data)
    assert export.stderr == b"" and export.stdout.count(b"\n") == 6
    done = piped("import", "--data", tmp_path / "new", given=export.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert piped("export", "-", "--data", tmp_path / "new").stdout == export.stdout
    cut = piped("import", "--data", tmp_path / "other", given=export.stdout[:-30])
    assert cut.returncode == 1 and cut.stderr.startswith(b"gateway: nothing was imported: line 5: ")
    assert list((tmp_path / "other").iterdir()) == []


def test_a_reader_that_has_enough_ends_the_export_without_a_word(data: Path) -> None:
    words = f"{sys.executable} -m gateway export --data {data} | head -c 9; echo; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ('{"type":"\n', "")
    assert asked(data / "journal.sqlite3", "SELECT value FROM meta WHERE key = 'clean'") == "yes"


@pytest.mark.parametrize("words", [["export", "--memory"], ["export", "a", "b"], ["import", "--memory", "a"]])
def test_export_and_import_want_a_store_and_one_file_at_most(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    one_line(capsys)


def test_what_cannot_be_read_or_written_is_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (
        (["import", str(tmp_path / "nowhere")], "No such file"),
        (["import", str(tmp_path)], "Is a directory"),
        (["export", str(tmp_path), "--data", str(data)], "is a folder: name a file in it"),
        (["export", str(data / "x"), "--data", str(data)], "would be in the gateway's own data folder"),
        (["export", "/dev/full", "--data", str(data)], "No space left on device"),
        (["export", "--data", str(tmp_path / "nowhere")], "there is no journal in"),
    ):
        assert main([*words, "--data", str(tmp_path / "new")] if "--data" not in words else words) == 1
        assert told in one_line(capsys)
