"""Searching: what is found from a terminal and a page, and how the index follows the journal."""

import re
from typing import Any

import pytest

from gateway.core.answer import Answer
from gateway.core.rooms import indexing
from gateway.core.rooms.retention import Retention
from gateway.errors import JournalError
from gateway.journal.index import SqliteIndex
from tests.core.world import Peer, World
from tests.fakes import new_index


def searching(**limits: Any) -> tuple[World, Peer]:
    world = World(index=new_index(), **limits)
    return world, world.terminal("bob")


def shown(peer: Peer) -> list[str]:
    return [re.sub(r"\[\w{3} \d+ \w{3} \d\d:\d\d\]", "[then]", line) for line in peer.lines]


def test_what_was_just_said_is_found_with_its_number() -> None:
    _, bob = searching()
    bob.says("first deploy", "/me deploys", "another", "/search DEPLOY", "/search deploys")
    both = ["#2 [then] * bob deploys", "#1 [then] bob: first deploy"]  # a word is found by its beginning too
    assert shown(bob) == [*both, "#2 [then] * bob deploys"]


def test_results_are_the_newest_twenty_newest_first() -> None:
    _, bob = searching()
    bob.says(*(f"word {number}" for number in range(1, 26)), "/search word")
    lines = shown(bob)
    assert lines[0] == "#25 [then] bob: word 25"
    assert lines[19] == "#6 [then] bob: word 6"
    assert lines[20].startswith("-- these are the newest 20: ")
    assert len(lines) == 21


def test_a_page_gets_the_same_lines_as_a_notice() -> None:
    world, bob = searching()
    bob.says("a word")
    ana = world.browser("ana")
    ana.asks(type="say", room="lobby", text="several\nlines with a word")
    ana.forget()
    ana.asks(type="say", room="lobby", text="/search word", id="s1")
    (notice,) = ana.told("notice")
    assert re.sub(r"\[.*?\]", "[then]", notice["text"]) == (
        "#2 [then] ana: several lines with a word\n#1 [then] bob: a word"
    )
    assert (notice["id"], notice["room"]) == ("s1", "lobby")
    ana.asks(type="say", room="lobby", text="/search nothing-like-it", id="s2")
    assert [each["text"] for each in ana.told("notice")] == ["nothing found"]


def test_another_room_is_named_and_must_exist() -> None:
    world, bob = searching()
    bob.says("/join ops", "a word", "/join lobby")
    world.later(1)
    bob.says("word here")
    world.later(1)
    bob.forget()
    bob.says("/search word room:ops room:lobby", "/search word room:ops", "/search word room:nowhere", "/search")
    lines = shown(bob)
    assert lines[:3] == ["#1 [then] bob: word here", "ops#1 [then] bob: a word", "ops#1 [then] bob: a word"]
    assert lines[3].startswith("!! no_such_room: ")
    assert lines[4] == "!! bad_message: say which words to look for, as in /search deploy failed from:ana since:3d"


def test_an_index_that_comes_later_is_filled_from_the_journal() -> None:
    world = World()
    bob = world.terminal("bob")
    bob.says(*(f"word {number}" for number in range(1, 701)), "/join ops", "a word of ops", "/join lobby")
    world.hub.search = indexing.Search(world.journal, new_index(), world.hub.history, world.hub.rooms, world.hub.clock)
    world.hub.search.start()
    bob.forget()
    bob.says("/search word 650")
    assert shown(bob) == ["-- the index is being made from the journal: not everything is found yet"]
    world.later(1)
    bob.forget()
    bob.says("/search word 1 room:lobby", "/search word 700", "/search word room:ops", "/search word 350")
    assert shown(bob) == [
        "#1 [then] bob: word 1", "#700 [then] bob: word 700", "ops#1 [then] bob: a word of ops",
        "#350 [then] bob: word 350",
    ]  # fmt: skip


def test_the_index_is_fed_when_it_is_calm_or_somebody_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "RUSH", 10)
    monkeypatch.setattr(indexing, "KEPT", 50)
    index = new_index()
    world = World(index=index)
    ana, bob = world.browser("ana"), world.terminal("bob")
    fed: list[int] = []
    add = index.add

    def noted(batch: list[Any], after: int | None = None) -> Any:
        fed.append(len(batch))
        return add(batch, after)

    monkeypatch.setattr(index, "add", noted)

    def say(count: int) -> None:
        for _ in range(count):
            ana.asks(type="say", room="lobby", text="a word")

    say(3)
    world.later(0.6)
    assert fed == [3]
    for _ in range(3):
        say(12)
        world.later(0.5)
    assert fed == [3]
    bob.says("/search word")
    assert fed == [3, 36]
    say(60)
    assert fed == [3, 36, 50]
    world.later(1.2)
    assert fed == [3, 36, 50, 10]


def test_what_came_too_fast_for_the_index_is_found_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "MOST_KEPT", 50)
    world, bob = searching()
    ana = world.browser("ana")
    for number in range(120):
        ana.asks(type="say", room="lobby", text=f"word{number:03}")
    world.later(2)
    bob.forget()
    bob.says("/search word003", "/search word090", "/search word119")
    assert shown(bob) == ["#4 [then] ana: word003", "#91 [then] ana: word090", "#120 [then] ana: word119"]


def test_a_lost_end_begins_a_new_index() -> None:
    world, bob = searching()
    bob.says("a lost word")
    bob.says("/search word")
    assert len(bob.lines) == 1
    rooms: Any = world.journal._journal
    rooms._rooms["lobby"].messages.clear()
    rooms._rooms["lobby"].head = 0
    world.journal.lose_tail()
    world.later(1)
    bob.forget()
    bob.says("a new word", "/search word")
    assert shown(bob) == ["#1 [then] bob: a new word"]


def test_expired_messages_are_not_found() -> None:
    world, bob = searching()
    Retention(world.journal, world.hub.rooms, 60, world.hub.clock, world.hub.search.expired).start()
    bob.says("old word", "/join ops", "old word of ops", "/join lobby")
    world.later(50)
    bob.says("young word")
    world.later(20)
    bob.forget()
    bob.says("/search word", "/search word room:ops")
    assert shown(bob) == ["#2 [then] bob: young word", "-- nothing found"]


def test_removed_messages_are_not_found_while_the_index_still_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    index = new_index()
    world = World(index=index)
    bob = world.terminal("bob")
    bob.says("secret word", "open word", "another word", "one more word")
    waiting: list[tuple[Any, Answer[JournalError | None]]] = []
    remove = index.remove

    def later(places: Any, number: int) -> Answer[JournalError | None]:
        waiting.append((places, Answer()))
        return waiting[-1][1]

    monkeypatch.setattr(index, "remove", later)
    bob.says("/delete 1", "/delete 3", "/delete 4")
    bob.forget()
    bob.says("/search word")
    assert shown(bob) == ["#2 [then] bob: open word"]
    monkeypatch.undo()
    assert [places for places, _ in waiting] == [[("lobby", 1)]]
    remove(waiting[0][0], 1)
    waiting[0][1].set(None)  # the others go together now
    bob.says("/search word", "/search secret", "/search more")
    assert shown(bob) == ["#2 [then] bob: open word", "-- nothing found", "-- nothing found"]
    assert world.hub.search._gone == []


def test_an_index_that_was_away_follows_the_removals() -> None:
    index = new_index()
    world = World(index=index)
    bob = world.terminal("bob")
    bob.says("secret one", "secret two", "secret three", "/search secret")
    assert len(bob.lines) == 3
    for seq in (1, 3):
        world.journal.remove("lobby", seq, 0, "op", "spam")
    world.hub.search.start()
    bob.says("/search secret")
    assert shown(bob) == ["#2 [then] bob: secret two"]
    numbers: list[object] = []
    index.removals().then(numbers.append)
    assert numbers == [2]


def test_an_index_that_fails_says_so_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world, bob = searching()
    bob.says("a word")
    with monkeypatch.context() as failing:
        failing.setattr(SqliteIndex, "_attempt", lambda *_: JournalError("the index failed: no disk"))
        bob.says("/search word", "more words")
        world.later(1)
        assert bob.lines == ["!! storage: the journal failed: the index failed: no disk"]
    world.later(12)
    bob.says("/search word", "/search words")
    both = ["#2 [then] bob: more words", "#1 [then] bob: a word"]
    assert shown(bob) == [*both, "#2 [then] bob: more words"]
