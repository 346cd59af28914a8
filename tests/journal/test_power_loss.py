"""Power loss at any moment: what was not synced is there or not, sector by sector, whatever the order of writing.

A writer runs with its disk calls written down (`disk_log.c`). From that log the disk is rebuilt as it may have been
at some moment: everything before a file's last sync, and of the rest whichever sectors chance kept.
"""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.journal import open as opening
from tests.fakes import PATIENCE
from tests.journal.conftest import ROOT, Ask, Fill, OpenSqlite

SECTOR = 512
SEED = int(os.environ.get("JOURNAL_SEED", random.SystemRandom().randrange(10**9)))
BATCHES = 400
LOSSES = 300
WRITER = """
import os, queue, sys
from pathlib import Path
from gateway.core.protocol.message import Message
from gateway.journal import open as opening
from gateway.journal.sqlite import SqliteJournal

opening.write_mark = lambda path, token: "the same"
opening.read_mark = lambda path: "the same"
landed = queue.SimpleQueue()
journal = SqliteJournal(
    Path(sys.argv[1]), call_soon_threadsafe=landed.put, durability=sys.argv[2], checkpoint_pages=60
)
for asked in range(int(sys.argv[3])):
    batch = [Message("lobby", 1, "ana", "tcp", "say", "x" * 300) for _ in range(4)]
    answers = []
    journal.append(batch, answers.append)
    while not answers:
        landed.get(timeout=60)()
    os.write(1, b"%d\\n" % answers[0][-1].seq)
os._exit(0)
"""


@dataclass(slots=True)
class Disk:
    """What is surely on the disk, and what was written since the last sync of each file."""

    files: dict[str, bytearray] = field(default_factory=dict)
    unsynced: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)

    def write(self, path: str, offset: int, data: bytes) -> None:
        self.unsynced.setdefault(path, []).append((offset, data))

    def sync(self, path: str) -> None:
        content = self.files.setdefault(path, bytearray())
        for offset, data in self.unsynced.pop(path, ()):
            put(content, offset, data)

    def truncate(self, path: str, size: int) -> None:
        """Taken as synced: only a clean stop and a new file do it."""
        self.sync(path)
        del self.files[path][size:]

    def rename(self, old: str, new: str) -> None:
        self.sync(old)
        self.files[new] = self.files.pop(old)

    def remove(self, path: str) -> None:
        self.files.pop(path, None)
        self.unsynced.pop(path, None)

    def after_power_loss(self, dice: random.Random) -> dict[str, bytes]:
        """One of the disks that may be found."""
        found = {path: bytearray(content) for path, content in self.files.items()}
        keep = dice.choice((0.0, 0.5, 0.95, 1.0))
        for path, writes in self.unsynced.items():
            content = found.setdefault(path, bytearray())
            for offset, data in writes:
                for start in range(0, len(data), SECTOR):
                    if dice.random() < keep:
                        put(content, offset + start, data[start : start + SECTOR])
        return {path: bytes(content) for path, content in found.items()}


def put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def moments(log: bytes, disk: Disk) -> Iterator[int]:
    """Play the log on the disk; after every step, the last number that was answered."""
    at = answered = 0
    while at < len(log):
        end = log.index(b"\n", at)
        what, *words = log[at:end].decode().split(" ")
        at = end + 1
        if what == "W":
            size = int(words[2])
            disk.write(words[0], int(words[1]), log[at : at + size])
            at += size
        elif what == "A":
            size = int(words[0])
            answered = int(log[at : at + size])
            at += size
        else:
            if what == "S":
                disk.sync(words[0])
            elif what == "D":
                disk.remove(words[0])
            elif what == "R":
                disk.rename(*words)
            elif what == "T":
                disk.truncate(words[0], int(words[1]))
        yield answered


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`disk_log.c`, compiled."""
    compiler = shutil.which("cc") or pytest.skip("needs a C compiler")
    library = tmp_path_factory.mktemp("shim") / "disk_log.so"
    source = Path(__file__).with_name("disk_log.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture
def written(
    open_sqlite: OpenSqlite, ask: Ask, path: Path, shim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[dict[str, bytes], bytes, str]]:
    """Let a journal be written under the log: (the disk before, the log, the epoch)."""
    monkeypatch.setattr(opening, "write_mark", lambda path, token: "the same")
    monkeypatch.setattr(opening, "read_mark", lambda path: "the same")
    journal = open_sqlite()
    epoch = ask(journal.open, "lobby", 0).epoch
    journal.close()
    before = {str(file): file.read_bytes() for file in path.parent.iterdir()}

    def written(durability: str) -> tuple[dict[str, bytes], bytes, str]:
        log = tmp_path / "log"
        environment = os.environ | {
            "LD_PRELOAD": str(shim), "DISK_LOG": str(log), "DISK_FOLDER": str(path.parent)
        }  # fmt: skip
        command = [sys.executable, "-c", WRITER, str(path), durability, str(BATCHES)]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)
        return before, log.read_bytes(), epoch

    return written


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("durability", ["process", "power"])
def test_whatever_the_disk_kept_nothing_is_corrupt_and_no_number_is_used_twice(
    written: Any,
    open_sqlite: OpenSqlite,
    ask: Ask,
    fill: Fill,
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    durability: str,
) -> None:
    print(f"seed {SEED}: run again with JOURNAL_SEED={SEED}")
    dice = random.Random(SEED)
    before, log, epoch = written(durability)
    steps = sum(1 for _ in moments(log, Disk({name: bytearray(content) for name, content in before.items()})))
    chosen = sorted(dice.sample(range(steps), LOSSES))
    monkeypatch.setattr(opening, "boot_id", lambda: "another boot")
    disk = Disk({name: bytearray(content) for name, content in before.items()})
    lost = kept = 0
    for step, answered in enumerate(moments(log, disk)):
        place = bisect_left(chosen, step)
        if place == len(chosen) or chosen[place] != step:
            continue
        folder = tmp_path / "found"
        folder.mkdir()
        for name, content in disk.after_power_loss(dice).items():
            (folder / Path(name).name).write_bytes(content)
        journal = open_sqlite(folder / path.name)
        record = ask(journal.open, "lobby", 0)
        lost += record.head < answered
        kept += record.head >= answered
        if durability == "power":
            assert record.head >= answered and record.epoch == epoch
        assert record.epoch != epoch or record.head >= answered
        assert fill(journal, 1)[0].seq == record.head + 1
        journal.close()
        with closing(sqlite3.connect(folder / path.name)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            (count,) = connection.execute("SELECT count(*) FROM messages").fetchone()
            assert count == record.head + 1
        shutil.rmtree(folder)
    print(f"{durability}: {LOSSES} losses of power in {steps} steps, {lost} lost an end, {kept} lost nothing")
    assert lost if durability == "process" else not lost
