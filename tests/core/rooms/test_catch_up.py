"""Catching up: what was missed comes once and in order, then what is said now."""

from typing import Any

from gateway.core.protocol.close_reason import CloseReason
from tests.core.world import Peer, World


def welcome(peer: Peer) -> dict[str, Any]:
    (found,) = peer.told("welcome")
    return found


def numbers(peer: Peer) -> list[object]:
    return [message["seq"] for message in peer.told("msg")]


def test_missed_messages_come_in_order_and_live_goes_on() -> None:
    world = World()
    bob, ana = world.terminal("bob"), world.browser("ana")
    bob.says("1", "2")
    epoch = world.hub.rooms["lobby"].epoch
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    bob.says("3", "4")
    again = world.browser("ana2", rooms=[{"room": "lobby", "epoch": epoch, "after": 2}])
    bob.says("5")
    objects = again.objects
    assert [each["recovered"] for each in objects if each["type"] == "joined"] == [True]
    assert [each["seq"] for each in objects if each["type"] == "msg"] == [3, 4, 5]
    assert not [each for each in objects if each["type"] in ("history", "gap")]


def test_what_the_log_has_dropped_is_read_from_the_journal_without_gap_or_repeat() -> None:
    world = World(log_messages=100)
    bob = world.terminal("bob")
    for number in range(1, 1500):
        bob.says(str(number))
    epoch = world.hub.rooms["lobby"].epoch
    ana = world.browser("ana", rooms=[{"room": "lobby", "epoch": epoch, "after": 7}])
    bob.says("live")
    assert numbers(ana) == list(range(8, 1501))


def test_a_replay_meets_a_burst_at_the_seam() -> None:
    world = World(log_messages=100)
    bob = world.terminal("bob")
    for number in range(1, 1000):
        bob.says(str(number))
    epoch = world.hub.rooms["lobby"].epoch
    ana = world.browser(rooms=[])
    ana.transport.room = 20_000
    ana.asks(type="join", room="lobby", epoch=epoch, after=0)
    for number in range(1000, 1400):
        bob.says(str(number))
        ana.reads(2_000)
    ana.reads()
    assert numbers(ana) == list(range(1, 1400))
