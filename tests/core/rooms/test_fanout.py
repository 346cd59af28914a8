"""What one peer sends is handled in that order, even if one part waits for the journal."""

import re

import pytest

from gateway.core.doors.post import Post, Posting
from gateway.core.rooms.idempotency import Posted
from gateway.errors import Refusal
from tests.core.world import World


@pytest.mark.parametrize("asked", ["/history 1", "/since 0"])
def test_history_after_a_message_shows_that_message(asked: str) -> None:
    peer = World().terminal("bob")
    peer.says("hello", asked)
    assert [re.sub(r"\d\d:\d\d", "14:01", line) for line in peer.lines] == ["#1 [14:01] bob: hello"]


def test_history_of_a_browser_waits_for_its_message_as_well() -> None:
    world = World()
    peer = world.browser("ana")
    peer.forget()
    world.journal.shut = True
    peer.asks(type="say", room="lobby", text="hello")
    peer.asks(type="history", room="lobby")
    assert peer.told("history") == []
    world.journal.let()
    world.run()
    assert [len(answer["messages"]) for answer in peer.told("history")] == [1]


def test_history_after_a_refused_message_is_still_answered() -> None:
    world = World()
    peer = world.terminal("bob")
    world.journal.fail = True
    peer.says("hello", "/history 1")
    assert [line[:10] for line in peer.lines] == ["!! storage", "-- nothing"]


def test_quitting_is_no_refusal() -> None:
    peer = World().terminal("bob")
    peer.says("quit")
    assert peer.lines == ["-- bye"]


def test_posts_without_a_name_share_one_rate() -> None:
    world = World(messages_per_second=1, burst=3)
    posting = Posting(world.hub)
    answers: list[Posted | Refusal] = []
    for _ in range(4):
        posting.post(Post("ops", "hi")).then(answers.append)
    world.run()
    assert sorted(getattr(answer, "code", "posted") for answer in answers) == ["posted"] * 3 + ["rate_limited"]
