"""Messages taken back: gone from every read and every file, under numbers that go on; and journals of before."""

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.core.ports.journal import Removal
from gateway.core.protocol.message import PASTES_KEPT, Message, PasteSize
from gateway.journal.schema import VERSION
from tests.fakes import PATIENCE
from tests.journal.conftest import ROOT, Alter, Ask, Fill, OpenSqlite, Say

SECRET = "hunter2-is-not-a-good-password"

REMOVER = """
import os, queue, signal, sys
from pathlib import Path
from gateway.core.protocol.message import Message
from gateway.journal.sqlite import SqliteJournal

journal = SqliteJournal(Path(sys.argv[1]), call_soon_threadsafe=queue.SimpleQueue().put)
journal.append([Message("lobby", 1, "ana", "tcp", "say", sys.argv[2])], lambda batch: None)
journal.remove("lobby", 1, 5, "ana", "removed").then(lambda removal: print(removal.seq, flush=True))
os.kill(os.getpid(), signal.SIGKILL)
"""


def held(folder: Path, words: str) -> list[str]:
    """The files of a folder in which the words stand."""
    return [path.name for path in folder.iterdir() if words.encode() in path.read_bytes()]


def test_a_removed_message_keeps_its_number_and_nothing_else_of_what_was_said(journal: Any, ask: Ask, say: Say) -> None:
    ask(journal.append, [say("one"), say(SECRET, identity="ab12"), say("three")])
    removal = ask(journal.remove, "lobby", 2, 77, "otto", "spam")
    assert removal == Removal(removal.number, "lobby", 2, 77, "otto", "spam")
    messages = ask(journal.read, "lobby", after=0, before=None, limit=9).messages
    assert [(m.seq, m.text, m.redacted) for m in messages] == [(1, "one", ""), (2, "", "spam"), (3, "three", "")]
    assert messages[1].identity == "ab12"
    assert [m.text for m in ask(journal.open, "lobby", 9).recent] == ["one", "", "three"]


def test_the_author_of_a_message_is_told_by_its_identity(journal: Any, ask: Ask, say: Say) -> None:
    ask(journal.append, [say("mine", identity="ab12"), say("nobody's")])
    messages = ask(journal.read, "lobby", after=0, before=None, limit=9).messages
    assert [m.identity for m in messages] == ["ab12", ""]


def test_a_message_is_removed_once(journal: Any, ask: Ask, fill: Fill) -> None:
    fill(journal, 1)
    first = ask(journal.remove, "lobby", 1, 5, "ana", "removed")
    assert ask(journal.remove, "lobby", 1, 9, "otto", "spam") == first


def test_what_is_not_held_cannot_be_removed(journal: Any, ask: Ask, fill: Fill) -> None:
    fill(journal, 1)
    assert ask(journal.remove, "lobby", 2, 5, "ana", "removed") is None
    assert ask(journal.remove, "nowhere", 1, 5, "ana", "removed") is None
    assert ask(journal.removals, 0, 9) == []


def test_removals_are_listed_by_numbers_that_only_grow(journal: Any, ask: Ask, fill: Fill) -> None:
    fill(journal, 5)
    fill(journal, 2, "ops")
    for room, seq in (("lobby", 4), ("ops", 1), ("lobby", 2)):
        ask(journal.remove, room, seq, 5, "otto", "spam")
    listed = ask(journal.removals, 0, 9)
    assert [(each.room, each.seq) for each in listed] == [("lobby", 4), ("ops", 1), ("lobby", 2)]
    assert ask(journal.removals, listed[0].number, 1) == [listed[1]]
    assert [each.seq for each in ask(journal.removed, "lobby", 1, 4)] == [2, 4]
    assert [each.seq for each in ask(journal.removed, "lobby", 2, 3)] == []


def test_a_removal_expires_with_its_message_and_its_number_is_not_used_again(journal: Any, ask: Ask, say: Say) -> None:
    ask(journal.append, [say("old", ts=1000), say("young", ts=5000)])
    first = ask(journal.remove, "lobby", 1, 5, "otto", "spam")
    assert ask(journal.open, "lobby", 0).removed
    ask(journal.expire, 2000)
    assert ask(journal.removals, 0, 9) == []
    assert ask(journal.remove, "lobby", 2, 5, "otto", "spam").number > first.number


def test_a_room_tells_whether_something_was_removed(journal: Any, ask: Ask, fill: Fill) -> None:
    fill(journal, 2)
    assert not ask(journal.open, "lobby", 0).removed
    ask(journal.remove, "lobby", 1, 5, "otto", "spam")
    assert ask(journal.open, "lobby", 0).removed


def test_a_removed_text_is_in_no_file(open_sqlite: OpenSqlite, ask: Ask, say: Say, path: Path) -> None:
    journal = open_sqlite()
    ask(journal.append, [say("before"), say(SECRET), say("after")])
    assert held(path.parent, SECRET)
    ask(journal.remove, "lobby", 2, 5, "otto", "spam")
    assert ask(journal.erase) is None
    assert not held(path.parent, SECRET)
    ask(journal.append, [say("later")])
    journal.close()
    assert not held(path.parent, SECRET)


@pytest.mark.parametrize("secure", ["ON", "OFF"])
def test_no_copy_is_left_behind_by_the_pages_that_were_divided(
    open_sqlite: OpenSqlite, ask: Ask, say: Say, path: Path, alter: Alter, secure: str
) -> None:
    """Long and short texts in several rooms; a build without `secure_delete` leaves far more behind."""
    journal = open_sqlite()
    journal._store.connection.execute(f"PRAGMA secure_delete = {secure}").fetchall()
    draw = random.Random(3)
    said: list[Message] = []
    for number in range(1200):
        text = f"<{number:06}|" + chr(97 + number % 26) * draw.choice((10, 40, 900, 3900))
        said += ask(journal.append, [say(text, f"room{draw.randrange(4)}", ts=number + 1)])
    ask(journal.expire, 100)  # free pages as well
    gone = draw.sample(said[300:], 60)
    for message in gone:
        assert ask(journal.remove, message.room, message.seq, 5, "otto", "spam")
    ask(journal.erase)
    files = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert [message.text[:8] for message in gone if message.text[:8].encode() in files] == []
    assert all(message.text[:8].encode() in files for message in said[300:] if message not in gone)
    for message in gone:  # pages that were read again have to be written again without the remains
        ask(journal.append, [say("x" * 2000, message.room)])
    journal.close()
    files = path.read_bytes()
    assert [message.text[:8] for message in gone if message.text[:8].encode() in files] == []
    assert alter(path, "PRAGMA integrity_check") == [("ok",)]
    assert alter(path, "SELECT count(*) FROM messages") == [(1200 - 99 + 60,)]


def test_a_kill_before_the_files_were_cleaned_is_made_up_for(open_sqlite: OpenSqlite, ask: Ask, path: Path) -> None:
    command = [sys.executable, "-c", REMOVER, str(path), SECRET]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "1\n", done.stderr
    assert held(path.parent, SECRET)
    journal = open_sqlite()
    assert not held(path.parent, SECRET)
    assert [m.redacted for m in ask(journal.open, "lobby", 9).recent] == ["removed"]


def test_a_journal_of_version_1_is_brought_up_to_date_and_keeps_epochs_and_numbers(
    open_sqlite: OpenSqlite, ask: Ask, say: Say, path: Path, alter: Alter
) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((Path(__file__).parent / "version_1.sql").read_text())
    journal = open_sqlite()
    lobby, ops = ask(journal.open, "lobby", 9), ask(journal.open, "ops", 9)
    assert (lobby.epoch, lobby.head, ops.epoch, ops.topic) == ("CdnCWtqcr59johN-", 3, "wSJoOqoSFK1BciNF", "deploy day")
    assert [(m.text, m.identity) for m in lobby.recent] == [("line 1", ""), ("line 2", ""), ("line 3", "")]
    assert ask(journal.append, [say("next", identity="ab12")])[0].seq == 4
    assert ask(journal.remove, "lobby", 2, 5, "otto", "spam").seq == 2
    assert ask(journal.open, "lobby", 9).epoch == "CdnCWtqcr59johN-"
    assert len(ask(journal.recall, 0).receipts) == 3
    assert len(ask(journal.ledger.sanctions, 0)) == 1
    journal.close()
    assert alter(path, "PRAGMA user_version") == [(VERSION,)]
    again = open_sqlite()
    assert [m.text for m in ask(again.open, "lobby", 9).recent] == ["line 1", "", "line 3", "next"]


def paste(say: Say, whole: str, room: str = "lobby") -> Message:
    size = PasteSize(len(whole), whole.count("\n") + 1)
    return say(whole[:20], room, identity="ab12", id=whole[:20], paste=size, whole=whole)


def test_a_paste_is_kept_whole_beside_its_message(journal: Any, ask: Ask, say: Say) -> None:
    whole = "first line\n" + "x" * 60_000
    (stored, _) = ask(journal.append, [paste(say, whole), say("short")])
    assert (stored.whole, stored.paste) == ("", PasteSize(60_011, 2))
    found = ask(journal.read, "lobby", after=0, before=None, limit=9).messages
    assert [(m.text, m.paste) for m in found] == [(whole[:20], PasteSize(60_011, 2)), ("short", None)]
    assert ask(journal.paste, "lobby", 1) == whole
    assert ask(journal.paste, "lobby", 2) is None
    assert ask(journal.paste, "nowhere", 1) is None


def test_a_paste_is_removed_and_expires_with_its_message(journal: Any, ask: Ask, say: Say) -> None:
    ask(journal.append, [paste(say, f"{number} {'x' * 5000}") for number in range(2)])
    ask(journal.remove, "lobby", 2, 5, "ana", "removed")
    assert ask(journal.paste, "lobby", 2) is None
    assert [m.paste for m in ask(journal.open, "lobby", 9).recent] == [PasteSize(5002, 1), None]
    assert ask(journal.paste, "lobby", 1) is not None
    ask(journal.expire, 1_790_000_000_124)
    assert ask(journal.paste, "lobby", 1) is None


def test_the_oldest_pastes_of_a_room_are_not_kept_whole(journal: Any, ask: Ask, say: Say) -> None:
    ask(journal.append, [paste(say, f"{number} text") for number in range(PASTES_KEPT + 3)])
    assert [ask(journal.paste, "lobby", seq) for seq in (3, 4)] == [None, "3 text"]
    assert ask(journal.read, "lobby", after=0, before=None, limit=1).messages[0].paste == PasteSize(6, 1)


def test_the_text_of_a_removed_paste_is_in_no_file(open_sqlite: OpenSqlite, ask: Ask, say: Say, path: Path) -> None:
    journal = open_sqlite()
    ask(journal.append, [paste(say, "\n".join(f"{SECRET} {number}" for number in range(1500)))])
    ask(journal.remove, "lobby", 1, 5, "ana", "removed")
    ask(journal.erase)
    assert not held(path.parent, SECRET)
