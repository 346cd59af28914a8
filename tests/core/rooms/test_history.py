"""Older messages: what a page of a room's history holds."""

from typing import Any

import pytest

from gateway.core.rooms.history import Past, Range
from gateway.errors import Refusal
from tests.core.world import Peer, World


def welcome(peer: Peer) -> dict[str, Any]:
    (found,) = peer.told("welcome")
    return found


def numbers(peer: Peer) -> list[object]:
    return [message["seq"] for message in peer.told("msg")]


def test_another_epoch_or_a_number_of_the_future_is_not_recovered() -> None:
    world = World()
    bob = world.terminal("bob")
    bob.says("1")
    epoch = world.hub.rooms["lobby"].epoch
    for place in ({"epoch": "other-epoch", "after": 1}, {"epoch": epoch, "after": 2}):
        objects = world.browser(rooms=[{"room": "lobby", **place}]).objects
        assert [each["recovered"] for each in objects if each["type"] == "joined"] == [False]
        assert [len(each["messages"]) for each in objects if each["type"] == "history"] == [1]


def test_a_bot_gets_objects_and_its_own_messages() -> None:
    world = World()
    bob = world.terminal("bob")
    bot = world.terminal("robot", quiet=False)
    bot.says("/bot", "beep")
    bob.says("hi robot")
    lines = bot.lines
    assert '"type":"joined"' in lines[0]
    assert ['"seq":1' in lines[1], '"text":"beep"' in lines[1], '"text":"hi robot"' in lines[2]] == [True] * 3


def test_typing_is_told_to_the_other_pages_only() -> None:
    world = World()
    bob, ana, cid = world.terminal("bob"), world.browser("ana"), world.browser("cid")
    cid.forget()
    ana.forget()
    ana.asks(type="typing", room="lobby")
    assert [each["nick"] for each in cid.told("typing")] == ["ana"]
    assert (ana.objects, bob.lines) == ([], [])


def page_at(world: World, moment: float, limit: int = 3) -> tuple[list[int], bool]:
    """The numbers around the first message from that moment on, in seconds, and whether there are older ones."""
    found: list[Past | Refusal] = []
    world.hub.history.read("lobby", Range(at=int(moment * 1000), limit=limit)).then(found.append)
    (past,) = found
    assert isinstance(past, Past)
    return [message.seq for message in past.messages], past.more


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_moment_is_found_in_the_log_and_in_the_journal(in_memory: bool) -> None:
    world = World(log_messages=10_000 if in_memory else 2)
    bob = world.terminal("bob")
    began = world.clock.now
    for number in range(1, 21):
        world.clock.now = began + 100 * number
        bob.says(f"m{number}")
    assert (world.hub.rooms["lobby"].log.first == 1) is in_memory
    assert page_at(world, began + 700) == ([6, 7, 8], True)
    assert page_at(world, began + 700.001) == ([7, 8, 9], True)
    assert page_at(world, 0) == ([1, 2, 3], False)
    assert page_at(world, began + 2000) == ([18, 19, 20], True)
    assert page_at(world, began + 9000) == ([18, 19, 20], True)


def test_a_moment_in_an_empty_room_shows_nothing() -> None:
    assert page_at(World(), 1000) == ([], False)
