"""`gateway export` and `gateway import`, between files, pipes, stores and Redis."""

import io
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.cli import export
from gateway.cli.main import main
from gateway.errors import StartError
from gateway.journal.backup import LargeFile
from tests.cli.conftest import FakeGateway
from tests.cli.test_backup import asked, data, epoch, no_pauses
from tests.cli.test_main import ROOT
from tests.fakes import PATIENCE
from tests.redis.servers import RedisServer
from tests.test_login_link import one_line

__all__ = ["data", "no_pauses"]


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
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, timeout=PATIENCE)


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
    done = subprocess.run(["bash", "-c", words], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
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


def test_an_export_without_a_folder_for_temporary_files_names_the_cure(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "nowhere")])

    assert main(["export", "--data", str(data)]) == 1
    assert "set TMPDIR" in one_line(capsys)


# In this process


def export_of(data: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> bytes:
    """What an export to standard output is."""
    assert main(["export", "--data", str(data)]) == 0
    out, words = capsysbinary.readouterr()
    assert out.endswith(b"\n") and words == b""
    return out


def test_a_fifo_and_standard_output_get_the_same_lines(
    data: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    out = export_of(data, capsysbinary)
    assert out.count(b"\n") == 6 and b'"text":"two"' in out
    fifo, got = tmp_path / "fifo", list[bytes]()
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    assert main(["export", str(fifo), "--data", str(data)]) == 0
    reader.join(30)
    assert got == [out] and capsysbinary.readouterr() == (b"", b"")


def test_an_import_reads_standard_input_if_it_is_no_terminal(
    data: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = io.BytesIO(export_of(data, capsysbinary))
    for stdin in (None, SimpleNamespace(isatty=lambda: True)):
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["import", "--data", str(tmp_path / "new")]) == 2
        assert b"name the file of an export, or pipe one in" in capsysbinary.readouterr().err
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False, buffer=given))
    assert main(["import", "--data", str(tmp_path / "new")]) == 0
    assert capsysbinary.readouterr().out.startswith(b"1 rooms, 2 messages")
    assert epoch(tmp_path / "new") == epoch(data)


def test_without_standard_output_a_file_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(StartError, match="name a file"), export.written_to("-"):
        pass


def test_a_running_gateway_writes_the_copy_that_is_exported(
    data: Path, tmp_path: Path, running: FakeGateway, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    out = export_of(data, capsysbinary)
    copies: list[Path] = []

    def copied(what: str, body: dict[str, str] | None) -> None:
        if body is not None:
            copies.append(Path(body["file"]))
            copies[-1].write_bytes((data / "journal.sqlite3").read_bytes())
            running.answers["GET /admin/backup"] = [(200, {"file": body["file"], "state": "complete"})]

    running.runs_on(data)
    running.answers["POST /admin/backup"] = [(200, {})]
    running.on_request = copied
    live = export_of(data, capsysbinary)
    assert live == out.replace(b'"live":false', b'"live":true', 1) != out
    file = tmp_path / "chat.jsonl"
    assert main(["export", str(file), "--data", str(data)]) == 0
    assert file.read_bytes() == live
    beside = [copy.parent.parent == tmp_path for copy in copies]
    assert beside == [False, True] and not [copy for copy in copies if copy.parent.exists()]

    capsysbinary.readouterr()
    for words, renewed in (("--no-new-epochs", False), ("--new-epochs", True), ("", True)):
        new = tmp_path / f"new{words}"
        assert main(["import", str(file), "--data", str(new), *filter(None, [words])]) == 0
        assert (epoch(new) != epoch(data)) == renewed
        assert (b"Every room has a new epoch, because" in capsysbinary.readouterr().out) == (words == "")


def test_a_gateway_whose_temporary_files_are_its_own_is_told(
    data: Path, running: FakeGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """PrivateTmp= of a unit: what it wrote to /tmp is not in ours."""

    def told(what: str, body: dict[str, str] | None) -> None:
        if body is not None:
            running.answers["GET /admin/backup"] = [(200, {"file": body["file"], "state": "complete"})]

    running.runs_on(data)
    running.answers["POST /admin/backup"] = [(200, {})]
    running.on_request = told
    assert main(["export", "--data", str(data)]) == 1
    assert "of its own: name a file elsewhere" in one_line(capsys)


def test_a_key_of_tokens_that_cannot_be_read_or_written_is_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (data / "token.key").write_bytes(bytes(32))
    assert main(["export", str(tmp_path / "chat"), "--data", str(data)]) == 0
    capsys.readouterr()
    monkeypatch.setattr(export, "write_whole", refuse)
    assert main(["import", str(tmp_path / "chat"), "--data", str(tmp_path / "new")]) == 1
    assert f"cannot write {tmp_path}/new/token.key: Permission denied" in one_line(capsys)
    assert not list((tmp_path / "new").glob("journal*")), "all or nothing"
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert main(["export", str(tmp_path / "other"), "--data", str(data)]) == 1
    assert "token.key: Permission denied" in one_line(capsys)


def test_a_full_disk_leaves_no_half_of_an_export(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: LargeFile) -> None:
        raise self.failure(OSError(28, "No space left on device"))

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(LargeFile, "complete", full)
    assert main(["export", str(tmp_path / "out" / "chat"), "--data", str(data)]) == 1
    assert "No space left on device" in one_line(capsys) and not list((tmp_path / "out").iterdir())


def test_a_store_goes_into_redis_and_out_again_through_streams(
    data: Path, tmp_path: Path, redis_server: RedisServer, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    redis_server.cli("FLUSHALL")
    (tmp_path / "chat").write_bytes(export_of(data, capsysbinary))
    to_redis = ["--redis", redis_server.url, "--journal-stream-messages", "1"]
    assert main(["import", str(tmp_path / "chat"), *to_redis]) == 0
    out, words = capsysbinary.readouterr()
    assert out.startswith(b"1 rooms, 2 messages")
    assert b"A room has 2 messages, and Redis will keep about 1: raise journal.stream_messages" in words
    assert main(["export", "-", *to_redis]) == 0
    assert b'"text":"two"' in capsysbinary.readouterr().out
    assert main(["export", str(tmp_path / "again"), *to_redis]) == 0
    assert b'"text":"two"' in (tmp_path / "again").read_bytes()
