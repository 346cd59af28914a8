"""Readers that take nothing: they lag, and are closed only where `limits.stall_seconds` says so."""

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.sessions.rate_limit import Limits
from tests.core.world import Peer, World

STALL = 20.0


def stalled(world: World) -> Peer:
    """A reader whose transport takes nothing, with something in the room that it has not got."""
    reader = world.terminal("bob")
    reader.transport.room = 0
    world.browser("ana").asks(type="say", room="lobby", text="hello")
    assert reader.session.blocked
    return reader


def test_without_the_setting_a_stalled_reader_is_never_closed() -> None:
    world = World()
    reader = stalled(world)
    world.later(600)
    assert reader.transport.closed is None


def test_a_reader_that_takes_nothing_is_closed_with_the_reason_in_words() -> None:
    world = World(stall_seconds=STALL)
    reader = stalled(world)
    world.later(STALL - 1)
    assert reader.transport.closed is None
    world.later(STALL / 2)
    assert reader.transport.closed == (CloseReason.STALLED, "nothing was read for 20s")
    assert [row.closing for row in world.hub.stats.closed.last] == [CloseReason.STALLED]


def test_a_reader_that_takes_a_little_now_and_then_is_kept() -> None:
    world = World(stall_seconds=STALL)
    reader = stalled(world)
    for _ in range(5):
        world.later(STALL - 5)
        reader.reads(1)
    assert reader.transport.closed is None and reader.session.blocked


def test_what_the_kernel_says_has_arrived_counts_as_taken() -> None:
    world = World(stall_seconds=STALL)
    reader = stalled(world)
    for arrived in range(5):
        reader.transport.acked = arrived
        world.later(STALL - 5)
    assert reader.transport.closed is None
    world.later(STALL + 5)
    assert reader.transport.closed is not None


def test_a_reader_that_is_owed_nothing_is_kept_however_silent() -> None:
    world = World(stall_seconds=STALL)
    reader = world.terminal("bob")
    world.later(5 * STALL)
    assert reader.transport.closed is None


def test_our_own_standstill_is_held_against_nobody() -> None:
    world = World(stall_seconds=STALL)
    reader = stalled(world)
    world.later(STALL / 2)
    world.clock.now += 10 * STALL
    world.hub.tick()
    world.later(STALL / 2)
    assert reader.transport.closed is None


@pytest.mark.parametrize("first", [0.0, STALL])
def test_the_setting_can_change_while_readers_are_stalled(first: float) -> None:
    world = World(stall_seconds=first)
    reader = stalled(world)
    world.later(STALL / 2)
    world.hub.limit(Limits(stall_seconds=STALL - first))
    world.later(STALL * 2)
    assert (reader.transport.closed is None) is bool(first)
