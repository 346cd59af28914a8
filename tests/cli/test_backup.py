"""The commands on the store, where no gateway runs and where another one does: what is written, what is told."""

import io
import json
import queue
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import wording
from gateway.cli import backup, store
from gateway.cli.main import main
from gateway.core.answer import Answer
from gateway.core.protocol.message import Message
from gateway.errors import JournalError, StartError
from gateway.journal.sqlite import SqliteJournal
from tests.cli.conftest import FakeGateway
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
    monkeypatch.setattr(store, "PATIENCE", 0.0)
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


# A gateway that runs does it itself


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def progress(file: Path | str, state: str, copied: int = 0, text: str = "") -> tuple[int, dict[str, Any]]:
    return 200, {"file": str(file), "state": state, "copied": copied, "total": 8, "text": text}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "POLL_SECONDS", 0.0)


def test_a_running_gateway_is_asked_and_its_progress_shown_on_a_terminal(
    data: Path,
    tmp_path: Path,
    running: FakeGateway,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal, copy = Terminal(), tmp_path / "copy"
    monkeypatch.setattr("sys.stderr", terminal)
    running.runs_on(data)
    running.answers["POST /admin/backup"] = [progress(copy, "running")]
    running.answers["GET /admin/backup"] = [progress(copy, "running", 2), progress(copy, "running", 2),
                                            progress(copy, "running", 6), progress(copy, "complete", 8)]  # fmt: skip
    running.on_request = lambda what, body: copy.write_bytes(bytes(2000))
    assert main(["backup", str(copy), "--data", str(data), "--force"]) == 0

    assert running.asked[0] == ("POST /admin/backup", {"file": str(copy), "replace": True})
    assert capsys.readouterr().out == f"{copy}: 2.0 kB\n"
    assert terminal.getvalue() == "\rgateway: 25 %  \rgateway: 75 %  \n"


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (progress("/other", "running"), "another backup has been begun since"),
        (progress("COPY", "failed", text="the disk is full"), "gateway: the disk is full\n"),
        ((404, {}), "the gateway went away before the backup was complete"),
        ((503, {"error": {"text": "it stops"}}), "gateway: it stops\n"),
    ],
)
def test_a_backup_that_does_not_come_to_its_end_is_told(
    data: Path,
    tmp_path: Path,
    running: FakeGateway,
    capsys: pytest.CaptureFixture[str],
    ending: tuple[int, dict[str, Any]],
    words: str,
) -> None:
    copy = tmp_path / "copy"
    if ending[1].get("file") == "COPY":
        ending[1]["file"] = str(copy)
    running.runs_on(data)
    running.answers = {"POST /admin/backup": [(200, {})], "GET /admin/backup": [progress(copy, "running"), ending]}
    assert main(["backup", str(copy), "--data", str(data)]) == 1
    assert words in one_line(capsys) and not copy.exists()


def test_ctrl_c_stops_the_backup_in_the_gateway_too(
    data: Path, tmp_path: Path, running: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    copy = tmp_path / "copy"
    monkeypatch.setattr(backup, "time", SimpleNamespace(sleep=interrupted))
    running.runs_on(data)
    running.answers = {"POST /admin/backup": [(200, {})], "GET /admin/backup": [progress(copy, "running")],
                       "DELETE /admin/backup": [(200, {})]}  # fmt: skip
    assert main(["backup", str(copy), "--data", str(data)]) == 130
    assert running.asked[-1][0] == "DELETE /admin/backup"


def test_a_running_gateway_gives_the_new_epoch(
    data: Path, running: FakeGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    before = epoch(data)
    running.runs_on(data)
    running.answers["POST /admin/new-epoch"] = [(200, {}), (404, {"error": {"code": "no_such_room", "text": "none"}})]
    assert main(["new-epoch", "lobby", "--data", str(data)]) == 0
    assert capsys.readouterr().out == "#lobby has a new epoch\n"
    assert main(["new-epoch", "ops", "--data", str(data)]) == 1
    assert one_line(capsys) == "gateway: none\n"
    assert [body for _, body in running.asked] == [{"room": "lobby"}, {"room": "ops"}] and epoch(data) == before


def test_a_store_that_fails_says_why(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteJournal, "copy", lambda *_: Answer.of(JournalError("no space left")))
    monkeypatch.setattr(SqliteJournal, "new_epoch", lambda *_: Answer.of(JournalError("the disk is gone")))
    for words, told in ((["backup", str(tmp_path / "copy")], "no space left"), (["new-epoch", "x"], "disk is gone")):
        assert main([*words, "--data", str(data)]) == 1
        assert told in one_line(capsys)


def test_without_the_package_redis_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name="redis")

    monkeypatch.setattr(store, "import_module", missing)
    with pytest.raises(StartError, match=re.escape(wording.NO_REDIS_PACKAGE)), store.redis_export("unix:///nowhere"):
        pass
