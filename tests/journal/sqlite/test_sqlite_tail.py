"""A journal that lost its end, for whatever reason: it gets new epochs, and no number is used twice under one epoch."""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import StartError
from gateway.journal import open as opening
from tests.journal.conftest import Ask, Fill, Killed, OpenSqlite, Texts

FRAME = 24 + 4096
HEADER = 32
TEXTS = [str(number) * 700 for number in range(1, 9)]
SEED = int(os.environ.get("JOURNAL_SEED", random.SystemRandom().randrange(10**9)))


@pytest.fixture
def killed(
    open_sqlite: OpenSqlite,
    kill_after_writing: Killed,
    ask: Ask,
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Iterator[Path], str]:
    """(Copies of a journal that was killed after TEXTS, its epoch). The copies pass for the original."""
    journal = open_sqlite()
    epoch = ask(journal.open, "lobby", 0).epoch
    journal.close()
    monkeypatch.setattr(opening, "why_broken", lambda meta, boot, mark: None)
    assert kill_after_writing(*TEXTS) == list(range(1, len(TEXTS) + 1))

    def copies() -> Iterator[Path]:
        number = 0
        while True:
            number += 1
            folder = tmp_path / f"copy-{number}"
            shutil.copytree(path.parent, folder)
            yield folder / path.name

    return copies(), epoch


@pytest.fixture
def found(
    open_sqlite: OpenSqlite, ask: Ask, texts: Texts, fill: Fill
) -> Callable[[Path], tuple[list[str], str] | None]:
    """What a journal holds and its epoch, None if it is refused; that it is sound and goes on is seen to."""

    def found(path: Path) -> tuple[list[str], str] | None:
        try:
            journal = open_sqlite(path)
        except StartError:
            return None
        held, epoch = texts(journal), ask(journal.open, "lobby", 0).epoch
        assert fill(journal, 1)[0].seq == len(held) + 1
        journal.close()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        again = open_sqlite(path)
        assert ask(again.open, "lobby", 0).epoch == epoch
        return held, epoch

    return found


def check(seen: tuple[list[str], str] | None, epoch: str) -> int:
    """Nothing is lost without a new epoch; returns how many messages were left, -1 if the journal was refused."""
    if seen is None:
        return -1
    held, now = seen
    assert held == TEXTS[: len(held)]
    assert (now == epoch) == (held == TEXTS), f"{len(held)} of {len(TEXTS)} left"
    return len(held)


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def test_a_log_cut_between_any_two_frames_or_anywhere_else(
    killed: Any, found: Callable[[Path], tuple[list[str], str] | None]
) -> None:
    copies, epoch = killed
    dice = random.Random(SEED)
    print(f"seed {SEED}: run again with JOURNAL_SEED={SEED}")
    size = wal_of(next(copies)).stat().st_size
    cuts = [*range(HEADER, size + 1, FRAME), *(dice.randrange(size) for _ in range(8))]
    left = set()
    for cut, path in zip(cuts, copies, strict=False):
        os.truncate(wal_of(path), cut)
        left.add(check(found(path), epoch))
    assert {0, 4, len(TEXTS)} <= left


def test_a_bit_flipped_anywhere_in_the_log(killed: Any, found: Callable[[Path], tuple[list[str], str] | None]) -> None:
    copies, epoch = killed
    dice = random.Random(SEED)
    print(f"seed {SEED}: run again with JOURNAL_SEED={SEED}")
    content = bytearray(wal_of(next(copies)).read_bytes())
    left = set()
    for path, _ in zip(copies, range(16), strict=False):
        spoilt = bytearray(content)
        spoilt[dice.randrange(len(spoilt))] ^= 1 << dice.randrange(8)
        wal_of(path).write_bytes(spoilt)
        left.add(check(found(path), epoch))
    assert len(left) > 1


def test_a_log_that_was_deleted(killed: Any, found: Callable[[Path], tuple[list[str], str] | None]) -> None:
    copies, epoch = killed
    path = next(copies)
    wal_of(path).unlink()
    assert check(found(path), epoch) == 0


@pytest.mark.parametrize("log", ["whole", "cut", "gone"])
@pytest.mark.parametrize("content", [None, b"", b"torn"], ids=["missing", "empty", "torn"])
def test_a_killed_journal_without_a_readable_note_gets_new_epochs(
    killed: Any, found: Callable[[Path], tuple[list[str], str] | None], content: bytes | None, log: str
) -> None:
    copies, epoch = killed
    path = next(copies)
    tail = path.with_name(path.name + "-tail")
    tail.unlink() if content is None else tail.write_bytes(content)
    if log == "cut":
        os.truncate(wal_of(path), HEADER + 5 * FRAME)
    elif log == "gone":
        wal_of(path).unlink()
    seen = found(path)
    assert seen is not None
    held, now = seen
    assert now != epoch
    assert held == (TEXTS if log == "whole" else TEXTS[: len(held)])


def test_what_retention_took_is_not_missing(
    killed: Any, found: Callable[[Path], tuple[list[str], str] | None], open_sqlite: OpenSqlite, ask: Ask
) -> None:
    copies, epoch = killed
    path = next(copies)
    journal = open_sqlite(path)
    ask(journal.expire, 2000)
    assert ask(journal.open, "lobby", 0).head == len(TEXTS)
    journal._store.close()
    assert ask(open_sqlite(path).open, "lobby", 0).epoch == epoch
