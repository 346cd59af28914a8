"""Exports, and stores filled from them: the same to the byte, or nothing at all."""

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.core.ports.export_format import ExportLines, WrongLine, written
from gateway.core.ports.journal import Person
from gateway.core.ports.ledger import Measure, Sanction
from gateway.core.protocol.message import PasteSize
from gateway.core.roles import AuditEntry
from gateway.errors import JournalError
from gateway.journal.export import Filling, copied, dump, fill, unused
from tests.journal.conftest import Ask, OpenSqlite, Say, Texts

KEY = bytes(range(32))
BAN = Sanction(Measure.BAN, "b1", "nick", "eve", "", "spam", "otto", 5, None)
MUTE = Sanction(Measure.MUTE, "m1", "address", "10.0.0.0/8", "ab12", "caps", "otto", 5, 99)

Exported = Callable[..., bytes]
Filled = Callable[..., Filling]


@pytest.fixture
def full(open_sqlite: OpenSqlite, ask: Ask, say: Say, path: Path) -> Path:
    """A stopped journal that holds one of everything."""
    journal = open_sqlite()
    ask(journal.append, [say(f"{number} 'x' ünï\n\ttab", identity="ab12", id=f"c{number}") for number in range(1, 5)])
    paste = say("beginning", room="ops", kind="action", door="http", nick="bob")
    paste.paste, paste.whole = PasteSize(3000, 40), "whole\n" * 500
    ask(journal.append, [paste, say("old", room="old", ts=1000)])
    ask(journal.set_topic, "empty", "nothing yet")
    ask(journal.remove, "lobby", 2, 77, "otto", "spam")
    ask(journal.remove, "old", 1, 78, "otto", "spam")
    ask(journal.expire, 1500)
    people = [
        Person("ab12", "ana", [("lobby", "epoch-12", 3)], 5, ["ABC234", "DEF567"], [("lobby", "epoch-12", 2)], ""),
        Person("cd34", "bob", [], 0, [], [], "bob"),
    ]
    ask(journal.remember, people)
    entry = AuditEntry(0, 9, "otto", "web 10.0.0.1", "ban", "eve", "spam", "done")
    ask(journal.ledger.record, [entry, entry], add=[BAN, MUTE])
    journal.close()
    return path


@pytest.fixture
def exported() -> Exported:
    """The export of a stopped journal."""

    def exported(path: Path, live: bool = False, key: bytes = KEY) -> bytes:
        with unused(path, 0) as connection:
            return b"".join(written(dump(connection, live=live, token_key=key)))

    return exported


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    """Fill the journal `new` in a folder of its own from an export."""

    def filled(export: bytes, new_epochs: bool | None = None, keep_key: Any = lambda _: None) -> Filling:
        place = tmp_path / "new" / "journal.db"
        return fill(
            place, ExportLines(io.BytesIO(export).readline), new_epochs=new_epochs, patience=0, keep_key=keep_key
        )

    return filled


def kinds(export: bytes) -> list[str]:
    return [json.loads(line)["type"] for line in export.splitlines()]


def test_an_export_of_what_was_filled_from_an_export_is_the_same_to_the_byte(
    full: Path, exported: Exported, filled: Filled, tmp_path: Path
) -> None:
    export = exported(full)
    kept: list[bytes] = []
    loaded = filled(export, keep_key=kept.append)
    assert exported(tmp_path / "new" / "journal.db") == export and exported(full) == export
    assert kept == [KEY] and not loaded.renewed
    assert loaded.counts == {
        "gateway": 1, "keys": 1, "room": 4, "message": 5, "receipt": 4, "identity": 2, "ban": 1, "mute": 1, "audit": 2
    }  # fmt: skip


def test_a_journal_that_was_filled_goes_on_where_the_exported_one_ended(
    full: Path,
    exported: Exported,
    filled: Filled,
    open_sqlite: OpenSqlite,
    ask: Ask,
    say: Say,
    texts: Texts,
    tmp_path: Path,
) -> None:
    filled(exported(full))
    old, new = open_sqlite(), open_sqlite(tmp_path / "new" / "journal.db")
    assert ask(new.rooms) == ask(old.rooms)
    assert ask(new.open, "never used", 0).epoch == ask(old.open, "never used", 0).epoch
    assert [each.head for each in ask(new.rooms)] == [0, 4, 1, 1] and texts(new) == texts(old)
    assert ask(new.paste, "ops", 1) == "whole\n" * 500
    assert ask(new.removals, 0, 9) == ask(old.removals, 0, 9)
    assert ask(new.remove, "lobby", 1, 5, "otto", "x").number == 3  # 2 has expired, and is not used again
    mine, theirs = ask(new.recall, 0), ask(old.recall, 0)
    assert mine.receipts == theirs.receipts and mine.people[0] == theirs.people[0] and len(mine.people) == 2
    assert ask(new.ledger.sanctions, 0) == [BAN, MUTE]
    assert ask(new.append, [say("next")])[0].seq == 5


def test_the_export_of_a_gateway_that_goes_on_gives_new_epochs_unless_they_are_wanted(
    full: Path, filled: Filled, open_sqlite: OpenSqlite, ask: Ask, tmp_path: Path
) -> None:
    """Else two gateways would use the same numbers of one epoch (P2)."""
    place = tmp_path / "new" / "journal.db"
    journal = open_sqlite()
    epochs = {each.room: each.epoch for each in ask(journal.rooms)}
    journal.close()

    def imported(export: bytes, new_epochs: bool | None) -> dict[str, str]:
        place.unlink(missing_ok=True)
        filled(export, new_epochs)
        with closing(sqlite3.connect(place)) as connection:
            return dict(connection.execute("SELECT name, epoch FROM rooms").fetchall())

    with copied(full) as connection:
        going = b"".join(written(dump(connection, live=True, token_key=b"")))
        ended = b"".join(written(dump(connection, live=False, token_key=b"")))
    assert imported(going, False) == epochs and imported(ended, None) == epochs
    for export, wanted in ((going, None), (ended, True)):
        assert not set(imported(export, wanted).values()) & set(epochs.values())


def test_a_store_that_is_not_empty_is_left_alone(full: Path, exported: Exported) -> None:
    export = exported(full)
    with pytest.raises(JournalError, match=r"not empty \(4 rooms, 5 messages, 4 receipts, 2 people, 1 bans"):
        fill(full, ExportLines(io.BytesIO(export).readline), new_epochs=None, patience=0, keep_key=lambda _: None)
    assert exported(full) == export


def test_a_store_that_was_only_started_is_filled(
    full: Path, exported: Exported, filled: Filled, open_sqlite: OpenSqlite, tmp_path: Path
) -> None:
    open_sqlite(tmp_path / "new" / "journal.db").close()
    export = exported(full)
    filled(export)
    assert exported(tmp_path / "new" / "journal.db") == export


def changed(export: bytes, kind: str, **fields: Any) -> bytes:
    """The export with other fields in its first line of that type."""
    lines = export.splitlines(keepends=True)
    place = kinds(export).index(kind)
    lines[place] = json.dumps(json.loads(lines[place]) | fields).encode() + b"\n"
    return b"".join(lines)


def without(export: bytes, place: int) -> bytes:
    lines = export.splitlines(keepends=True)
    del lines[place]
    return b"".join(lines)


def twice(export: bytes, kind: str) -> bytes:
    lines = export.splitlines(keepends=True)
    place = kinds(export).index(kind)
    return b"".join([*lines[: place + 1], *lines[place:]])


WRONG: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda _: b"", "line 1: the export ends before its `end`"),
    "something else": (lambda _: b"hello\n", "line 1: this is not an export of a gateway"),
    "another beginning": (lambda export: without(export, 0), "line 1: an export begins with its line of type gateway"),
    "compressed": (lambda _: b"\x1f\x8b\x08\0\n", "line 1: this is not an export of a gateway"),
    "a later format": (
        lambda export: changed(export, "gateway", format=2),
        "line 1: it is of format 2, and this",
    ),
    "an unknown type": (lambda export: changed(export, "keys", type="more"), "line 2: Invalid value 'more'"),
    "an unknown field": (lambda export: changed(export, "room", colour=1), "line 3: .*unknown field `colour`"),
    "a text for a number": (lambda export: changed(export, "room", head="1"), "line 3: Expected `int`, got `str`"),
    "a number too large": (lambda export: changed(export, "message", ts=2**70), "line 5: "),
    "half a character": (lambda export: export.replace("ü".encode(), b"\xc3"), "line 5: "),
    "brackets without end": (lambda export: export.split(b"\n")[0] + b"\n" + b"[" * 99_999 + b"\n", "line 2: "),
    "a room name": (lambda export: changed(export, "room", room="No Room"), "line 3: Expected `str` matching"),
    "an epoch with a line feed": (lambda export: changed(export, "room", epoch="epoch-12\n"), "line 3: Expected `str`"),
    "a hole": (lambda export: without(export, 5), "line 6: message 3 comes after message 1: numbers have no holes"),
    "a missing last message": (lambda export: without(export, 7), "line 8: the messages of room lobby end with 3"),
    "a message of no room": (
        lambda export: without(export, 3),
        "line 4: a message of room lobby stands",
    ),
    "a room twice": (lambda export: twice(export, "room"), "line 4: room empty comes after room empty"),
    "a message twice": (lambda export: twice(export, "message"), "line 6: message 1 comes after message 1"),
    "a person twice": (lambda export: twice(export, "identity"), r"line 17: it contradicts an earlier line"),
    "a beginning twice": (
        lambda export: twice(export, "gateway"),
        "line 2: an export begins with its line",
    ),
    "a lost line": (lambda export: without(export, -2), "line 21: 21 lines should stand before it, but 20 do"),
    "a cut at a line": (lambda export: without(export, -1), "line 22: the export ends before its `end`"),
    "a cut in a line": (lambda export: export[:-9], "line 22: the export ends in the middle of it"),
    "something after the end": (lambda export: export + b"{}\n", "line 23: there is more after the `end`"),
    "a receipt of no message": (
        lambda export: changed(export, "receipt", seq=9),
        "there is no message 9 in",
    ),
    "an escape sequence": (lambda export: changed(export, "message", text="a\x1b[2Jb"), "line 5: its text has control"),
    "a nick of two lines": (lambda export: changed(export, "message", nick="a\nserver"), "line 5: a field has control"),
    "no text and no removal": (lambda export: changed(export, "message", text=""), "line 5: a message has either"),
    "an audit entry twice": (lambda export: twice(export, "audit"), "entry 1 comes after entry 1"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_line_is_named_and_nothing_is_left(
    full: Path, exported: Exported, filled: Filled, tmp_path: Path, what: str
) -> None:
    break_it, words = WRONG[what]
    with pytest.raises(WrongLine, match=words) as told:
        filled(break_it(exported(full)))
    assert "\n" not in str(told.value) and len(str(told.value)) < 300
    assert list((tmp_path / "new").glob("*")) == []


def test_a_byte_order_mark_and_windows_line_ends_are_no_harm(
    full: Path, exported: Exported, filled: Filled, tmp_path: Path
) -> None:
    export = exported(full)
    filled(b"\xef\xbb\xbf" + export.replace(b"\n", b"\r\n"))
    assert exported(tmp_path / "new" / "journal.db") == export


def test_a_key_that_cannot_be_kept_leaves_the_store_empty(
    full: Path, exported: Exported, filled: Filled, tmp_path: Path
) -> None:
    def refuse(key: bytes) -> None:
        raise JournalError("no space")

    with pytest.raises(JournalError, match="no space"):
        filled(exported(full), keep_key=refuse)
    assert list((tmp_path / "new").glob("*")) == []


def test_an_export_that_is_broken_off_leaves_the_journal_stopped_cleanly(full: Path) -> None:
    """`gateway export | head`: otherwise a reboot would cost every room its epoch."""
    with pytest.raises(BrokenPipeError), unused(full, 0):
        raise BrokenPipeError
    with closing(sqlite3.connect(full)) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'clean'").fetchone() == ("yes",)
