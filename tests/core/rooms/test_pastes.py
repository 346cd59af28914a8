"""Long texts: what others see of them, what they count for, and what bounds them."""

from typing import Any

import pytest

from gateway.core.answer import Answer
from gateway.core.doors.post import Post, Posting
from gateway.core.ports.index import Index, SearchQuery
from gateway.core.ports.journal import RoomRecord
from gateway.core.protocol.message import Message, PasteSize
from gateway.core.protocol.wire import PLAIN
from gateway.core.rooms.indexing import Search
from gateway.core.rooms.pastes import (
    HALF_TYPED_BYTES,
    READ_AT_ONCE,
    Pastes,
    WholePastes,
    escaped,
    messages_in,
    shortened,
)
from gateway.errors import Code, JournalError, Refusal
from tests.core.world import Peer, World
from tests.fakes import new_index

TRACE = "\n".join(f"line {number} " + "x" * 40 for number in range(1200))


def whole(world: World, seq: int) -> Any:
    found: list[Any] = []
    world.journal.paste("lobby", seq).then(found.append)
    return found[0]


def pastes(peer: Peer, *lines: str) -> None:
    """A terminal sends lines of a paste, all that its rate allows."""
    for line in lines:
        peer.world.terminals.line(peer.session, line.encode())
    peer.world.run()


def test_up_to_the_length_of_a_message_nothing_is_shortened() -> None:
    for text in ("x" * 4000, "é" * 2000, "\n".join("x" * 39 for _ in range(100))):
        assert shortened(text) == (text, None)


@pytest.mark.parametrize(
    ("text", "beginning", "size"),
    [
        ("x" * 4001, "x" * 1000, PasteSize(4001, 1)),
        ("é" * 2001, "é" * 500, PasteSize(4002, 1)),
        ("a\n" * 3000 + "b", "\n".join("aaaaaaaa"), PasteSize(6001, 3001)),
        (TRACE, "\n".join(TRACE.split("\n")[:8]), PasteSize(len(TRACE), 1200)),
        ("\n" * 2000 + "x" * 2001, "(begins with blank lines)", PasteSize(4001, 2001)),
        ("…" * 1400, "…" * 333, PasteSize(4200, 1)),
    ],
)
def test_the_beginning_is_eight_lines_and_at_most_1000_bytes(text: str, beginning: str, size: PasteSize) -> None:
    assert shortened(text) == (beginning, size)


def test_a_terminal_pastes_until_a_line_that_is_a_dot() -> None:
    world = World()
    ana, bob, eve = world.terminal("ana"), world.terminal("bob"), world.browser("eve")
    eve.forget()
    ana.says("/paste")
    assert ana.lines == ["-- paste now; a line that is only a dot ends it and sends it"]
    pastes(ana, "", "def f():", "    /quit", "..", "\x1b[31mred", *TRACE.split("\n"), ".", "and on")
    lines = bob.lines
    assert lines[:6] == [
        "ana: ",
        "ana| def f():",
        "ana|     /quit",
        "ana| .",
        "ana| red",
        f"ana| {TRACE.split()[0]} 0 " + "x" * 40,
    ]
    assert lines[-2:] == ["ana| … 1,197 more lines: /r/lobby/paste/1 at the web door", "ana: and on"]
    (first, second) = eve.told("msg")
    assert first["paste"] == {"bytes": len(whole(world, 1)), "lines": 1205}
    assert "paste" not in second
    assert whole(world, 1) == "\ndef f():\n    /quit\n.\nred\n" + TRACE
    assert whole(world, 2) is None


def test_readers_are_told_the_address_by_which_they_came() -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    member = next(iter(bob.session.rooms.values()))
    member.change_wire(PLAIN.at("http://10.0.0.5:8080"))  # type: ignore[attr-defined]
    ana.says("/paste")
    pastes(ana, *TRACE.split("\n"), ".")
    assert bob.lines[-1] == "ana| … 1,192 more lines: curl http://10.0.0.5:8080/r/lobby/paste/1"
    bob.says("/history")
    assert bob.lines[-1].endswith("ana| … 1,192 more lines: curl http://10.0.0.5:8080/r/lobby/paste/1")
    bob.says("/bot", "/bot off")
    ana.says("/paste")
    pastes(ana, "x" * 4001, ".")
    assert bob.lines[-1] == "ana| … 3,001 more bytes: curl http://10.0.0.5:8080/r/lobby/paste/2"


def test_a_short_paste_is_a_message_of_several_lines() -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    ana.says("/paste")
    pastes(ana, "one", "", "two", ".")
    assert bob.lines == ["ana: one", "ana| ", "ana| two"]


def test_half_closing_ends_a_paste() -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    ana.says("/paste")
    pastes(ana, "one", "two")
    world.terminals.half_closed(ana.session)
    world.run()
    assert bob.lines == ["ana: one", "ana| two"]
    assert world.hub.pastes.used == 0


def test_a_peer_that_goes_in_the_middle_has_pasted_nothing() -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    ana.says("/paste")
    pastes(ana, "one", "two")
    assert world.hub.pastes.used == 8
    ana.says("/x")
    world.hub.half_closed(ana.session)
    world.later(3)
    assert world.hub.pastes.used == 0
    assert not [line for line in bob.lines if line.startswith("ana:")]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["\x1b[0m", "  "], "!! bad_text: that text is empty; not sent"),
        (["x" * 4000] * 17, "!! too_long: 68,016 bytes, limit 65,536; not sent"),
        (["x" * 4000] * 70, "!! too_long: 264,066 bytes, limit 65,536; not sent"),
    ],
)
def test_what_cannot_be_a_paste_is_refused_once_and_none_of_it_is_said(lines: list[str], said: str) -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    ana.says("/paste")
    ana.forget()
    pastes(ana, *lines, ".", "and on")
    assert ana.lines == [said]
    assert bob.lines == ["ana: and on"]
    assert world.hub.pastes.used == 0


def test_a_long_line_comes_in_pieces_and_a_dot_behind_them_ends_nothing() -> None:
    world = World()
    ana = world.terminal("ana")
    ana.says("/paste")
    pastes(ana, "one")
    world.terminals.too_long(ana.session, b"x" * 5000, ends=False)
    pastes(ana, ".", "two")
    world.terminals.too_long(ana.session, b"y" * 5000)
    pastes(ana, ".")
    assert whole(world, 1) == f"one\n{'x' * 5000}.\ntwo\n{'y' * 5000}"


def test_every_line_of_dots_can_be_pasted() -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    lines = ["." * count for count in range(1, 9)]
    assert "..." in map(escaped, lines)
    ana.says("/paste")
    pastes(ana, *map(escaped, lines), ".")
    assert bob.lines == [f"ana: {lines[0]}", *(f"ana| {line}" for line in lines[1:])]


def test_a_line_too_long_outside_of_a_paste_is_no_message() -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    world.terminals.too_long(ana.session, b"x" * 5000)
    ana.says("and on")
    assert ana.lines == ["!! too_long: more than 4,096 bytes in a line, limit 4,000 of text; not sent"]
    assert bob.lines == ["ana: and on"]


def test_all_incomplete_pastes_have_one_bound() -> None:
    held = Pastes(lambda: 65536, top=100_000)
    world = World()
    first, second = world.terminal(), world.terminal()
    held.begin(first.session)
    held.begin(second.session)
    for _ in range(24):
        held.add(first.session, b"x" * 4000)
    held.add(second.session, b"y" * 4000)
    assert held.used == 24 * 4001
    with pytest.raises(Refusal) as refused:
        held.end(second.session)
    assert refused.value.code is Code.BUSY
    held.forget(first.session)
    assert held.used == 0
    assert HALF_TYPED_BYTES == 64 << 20


def test_a_paste_counts_as_one_message_for_each_4000_bytes() -> None:
    assert [messages_in(size) for size in (1, 4000, 4001, 65536)] == [1, 1, 2, 17]
    world = World(messages_per_second=10, burst=100)
    ana, eve = world.terminal("ana"), world.browser("eve")
    before = world.hub.rate_limit.heard
    ana.says("/paste")
    pastes(ana, *["x" * 3999] * 4, ".")
    assert world.hub.rate_limit.heard - before == 4  # the command is the first of them
    eve.asks(type="say", room="lobby", text="x" * 12_001, id="c1")
    assert world.hub.rate_limit.heard - before == 8
    posting = Posting(world.hub)
    answers: list[Any] = []
    for _ in range(8):
        posting.post(Post("lobby", "x" * 60_000, "ci")).then(answers.append)
    world.run()
    assert sorted(str(getattr(each, "code", "")) for each in answers) == [""] * 7 + [Code.RATE_LIMITED]


def test_a_page_says_a_long_text_and_an_action_is_never_a_paste() -> None:
    world = World()
    eve = world.browser("eve")
    eve.asks(type="say", room="lobby", text=TRACE[:60_000], id="c1")
    eve.asks(type="say", room="lobby", text="x" * 4001, kind="action", id="c2")
    eve.asks(type="say", room="lobby", text="x" * 65_537, id="c3")
    eve.asks(type="say", room="lobby", text="/paste", id="c4")
    assert sorted((each["id"], each.get("code")) for each in eve.objects if "id" in each) == [
        ("c1", None),
        ("c2", "too_long"),
        ("c3", "too_long"),
        ("c4", "bad_message"),
    ]
    assert whole(world, 1) == TRACE[:60_000]


def test_a_removed_paste_is_gone_whole() -> None:
    world = World()
    ana, eve = world.terminal("ana"), world.browser("eve")
    ana.says("/paste")
    pastes(ana, *TRACE.split("\n"), ".")
    eve.forget()
    ana.says("/delete")
    assert whole(world, 1) is None
    eve.asks(type="history", room="lobby")
    (message,) = eve.told("history")[0]["messages"]
    assert (message["text"], message["redacted"], "paste" in message) == ("", "removed", False)


def found_by(index: Index, word: str) -> list[int]:
    answers: list[Any] = []
    index.find(SearchQuery(("lobby",), (word,))).then(answers.append)
    return [message.seq for message in answers[0].messages]


def test_a_paste_is_found_by_all_of_its_words_and_by_none_once_it_is_taken_back() -> None:
    index = new_index()
    world = World(index=index)
    ana = world.terminal("ana")
    ana.says("/paste", *(["nothing to see"] * 400), "the needle is here", ".")
    ana.forget()
    ana.says("/search needle")
    (line,) = ana.lines
    assert line.startswith("#1 [") and line.endswith("] ana: " + " ".join(["nothing to see"] * 8))
    ana.says("/delete 1", "/search needle")
    assert ana.lines[-1] == "-- nothing found"
    assert found_by(index, "needle") == []


def test_an_index_that_is_made_anew_has_all_of_the_pastes_too() -> None:
    world = World(messages_per_second=0)
    ana = world.terminal("ana")
    for number in range(READ_AT_ONCE + 3):
        ana.says("/paste", "x" * 4000, f"needle{number:03}", ".", f"after{number:03}")
    index = new_index()
    Search(world.journal, index, world.hub.history, world.hub.rooms, world.hub.clock).start()
    world.later(1)
    for number in range(READ_AT_ONCE + 3):
        assert found_by(index, f"needle{number:03}") == [2 * number + 1]
        assert found_by(index, f"after{number:03}") == [2 * number + 2]


class SlowPastes:
    """A journal whose pastes come when they are let."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, Answer[str | JournalError | None]]] = []

    def paste(self, room: str, seq: int) -> Answer[str | JournalError | None]:
        self.asked.append((seq, Answer()))
        return self.asked[-1][1]


def long(seq: int) -> Message:
    return Message("lobby", seq, "ana", "tcp", "say", "beginning", seq=seq, paste=PasteSize(5000, 1))


def short(seq: int) -> Message:
    return Message("lobby", seq, "ana", "tcp", "say", "short", seq=seq)


def test_what_is_asked_of_the_index_while_pastes_are_read_comes_after_them_in_its_order() -> None:
    journal, index = SlowPastes(), new_index()
    whole = WholePastes(journal, index)  # type: ignore[arg-type]
    first, done = list[object](), list[object]()
    whole.add([short(1), long(2)]).then(first.append)
    whole.add([short(3)]).then(lambda behind: done.append(("second", behind)))
    whole.find(SearchQuery(("lobby",), ("needle",))).then(lambda found: done.append(len(found.messages)))  # type: ignore[union-attr]
    whole.remove([("lobby", 2)], 1).then(done.append)
    whole.find(SearchQuery(("lobby",), ("needle",))).then(lambda found: done.append(len(found.messages)))  # type: ignore[union-attr]
    whole.add([long(4)]).then(lambda behind: done.append(("third", behind)))
    assert done == [] and [seq for seq, _ in journal.asked] == [2]
    journal.asked[0][1].set("beginning and a needle")
    assert (first, done) == ([{}], [("second", {}), 1, None, 0])
    journal.asked[1][1].set(None)  # not held whole any more: found by its beginning
    assert done[-1] == ("third", {})
    assert found_by(index, "beginning") == [4]


def test_a_paste_that_cannot_be_read_is_missing_in_the_index_until_it_is_asked_for_again() -> None:
    journal, index = SlowPastes(), new_index()
    whole = WholePastes(journal, index)  # type: ignore[arg-type]
    done: list[object] = []
    whole.add([short(1), *(long(seq) for seq in range(2, READ_AT_ONCE + 4))]).then(done.append)
    for at in range(READ_AT_ONCE):
        journal.asked[at][1].set("needle")
    failure = JournalError("disk full")
    journal.asked[READ_AT_ONCE][1].set(failure)
    assert done == [failure]
    assert len(found_by(index, "needle")) == 20
    record = RoomRecord("lobby", "epoch", 1, READ_AT_ONCE + 3, "", [])
    whole.compare("epoch", [record]).then(done.append)
    assert done[-1] == {"lobby": READ_AT_ONCE + 1}
