"""`gateway backup` and `gateway new-epoch` on a gateway that runs and talks."""

import os
import subprocess
import sys
from pathlib import Path

from tests.bridge.gateways import ROOT, Gateway, Start
from tests.bridge.peers import post
from tests.fakes import PATIENCE


def command(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    """A command that ends by itself."""
    done = [sys.executable, "-m", "gateway", *map(str, words)]
    return subprocess.run(done, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


def test_a_backup_of_a_talking_gateway_becomes_a_gateway_with_a_new_epoch(
    start: Start, gateway: Gateway, tmp_path: Path
) -> None:
    """H1: what is said after the backup, and again on the restored one, are different numbers of different epochs."""
    first = post(gateway.web, "lobby", "one").json
    copy = tmp_path / "copy.sqlite3"
    done = command("backup", copy, "--data", gateway.folder / "data")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith(f"{copy}: ")
    assert post(gateway.web, "lobby", "two").json["epoch"] == first["epoch"]
    gateway.kill()
    other = start(data="other", running=False)
    (other.folder / "data").mkdir()
    os.rename(copy, other.folder / "data" / "journal.sqlite3")
    other.start()
    again = post(other.web, "lobby", "again").json
    assert again["seq"] == 2 and again["epoch"] != first["epoch"]
    assert "every room gets a new epoch" in other.stderr


def test_a_room_gets_a_new_epoch_while_people_are_in_it(gateway: Gateway) -> None:
    before = post(gateway.web, "lobby", "one").json
    done = command("new-epoch", "lobby", "--data", gateway.folder / "data")
    assert (done.returncode, done.stdout, done.stderr) == (0, "#lobby has a new epoch\n", "")
    after = post(gateway.web, "lobby", "two").json
    assert after["seq"] == 2 and after["epoch"] != before["epoch"]
    assert "room lobby gets a new epoch" in gateway.stderr
    assert command("new-epoch", "nowhere", "--data", gateway.folder / "data").returncode == 1


def test_the_export_of_a_talking_gateway_is_of_one_moment_and_gives_new_epochs(
    start: Start, gateway: Gateway, tmp_path: Path
) -> None:
    first = post(gateway.web, "lobby", "one").json
    data = gateway.folder / "data"
    export = command("export", "--data", data)
    assert export.stderr == "" and export.stdout.startswith('{"type":"gateway","format":1,"live":true')
    done = command("export", tmp_path / "chat.jsonl", "--data", data)
    assert (done.returncode, done.stderr) == (0, "")
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["chat.jsonl"]
    assert not list(tmp_path.glob(".gateway*"))
    other = start(data="other", running=False)
    done = command("import", tmp_path / "chat.jsonl", "--data", other.folder / "data")
    assert done.returncode == 0 and "Every room has a new epoch, because" in done.stdout
    assert post(other.start().web, "lobby", "two").json["epoch"] != first["epoch"]
    assert "is locked, probably by another gateway" in command("import", tmp_path / "chat.jsonl", "--data", data).stderr
