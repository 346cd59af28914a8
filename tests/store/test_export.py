"""`gateway export` and `gateway import`, between files, pipes, stores and Redis."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import main
from tests.store.test_backup import asked, data, epoch
from tests.test_cli import ROOT
from tests.test_login_link import one_line

__all__ = ["data"]


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
