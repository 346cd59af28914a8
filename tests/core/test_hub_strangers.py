"""Strangers who have come and gone: nothing of them is left in memory but what rings of a fixed length hold."""

import gc
from collections import deque
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import pytest

from gateway.core.doors import post
from gateway.core.ports.transport import Arrival
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import FRAME, PLAIN
from gateway.core.rooms.idempotency import RECEIPT_SECONDS
from gateway.core.sessions import rate_limit
from gateway.core.sessions.identity import IDENTITY_SECONDS
from gateway.core.stats.recent import KEPT
from tests.core.nodes import Nodes
from tests.core.world import Peer, World
from tests.fakes import RecordingTransport

STRANGERS = 40


def held(world: World, nodes: Nodes | None = None) -> int:
    """How many entries all collections have that the hub, its operators and its doors hold on to: what is stored, also
    in what `nodes` share, is no part of it."""
    beside = (world, world.clock, world.passwords, world.hub.cluster, world.journal, *vars(world.journal).values())
    shared = () if nodes is None else (nodes, *vars(nodes).values(), *nodes.worlds)
    seen, entries = {id(each) for each in (*beside, *shared)}, 0
    waiting: list[Any] = [world.hub, world.operators, world.terminals, world.requests]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type | ModuleType):
            continue
        seen.add(id(each))
        if isinstance(each, FunctionType):
            waiting += [each.__closure__, each.__defaults__]
            continue
        if isinstance(each, deque) and each.maxlen is not None:
            continue
        if isinstance(each, dict | list | set | deque):
            entries += len(each)
        waiting += gc.get_referents(each)
    return entries


def come_and_go(world: World, first: int, settle: Callable[[], None]) -> None:
    """Strangers, each of another address, at both doors: with names, rooms, ids, tokens, codes and private words of
    their own, and a few wrong ones."""
    people: list[Peer] = []
    for number in range(first, first + STRANGERS):
        door = Door.WEB if number % 2 else Door.TCP
        arrival = Arrival(
            door, f"10.0.{number // 250}.{number % 250}", agent=f"agent/{number}", terminal=door is Door.TCP
        )
        transport = RecordingTransport()
        if door is Door.TCP:
            peer = Peer(world, world.terminals.connect(transport, PLAIN, arrival), transport)
            for line in (f"nick t{number}", "resume AAAA-BB", "code", f"join own{number}", f"msg t{number - 2} psst",
                         f"topic about {number}", "/said aloud", "who", f"find {number}", "nope"):  # fmt: skip
                peer.says(f"/{line}")
                settle()
        else:
            peer = Peer(world, world.hub.connect(transport, FRAME, arrival), transport)
            for request in (
                {"type": "hello", "nick": f"w{number}", "rooms": [{"room": f"own{number}"}], "token": f"{number:x}.no"},
                {"type": "say", "id": f"c{number}", "room": f"own{number}", "text": "said aloud"},
                {"type": "msg", "id": f"p{number}", "to": f"t{number - 1}", "text": "psst"},
                {"type": "read", "room": f"own{number}", "seq": 1},
                {"type": f"nonsense {number}"},
            ):
                peer.asks(**request)
                settle()
        people.append(peer)
    for wait in (3.0, 3.0, 10.0):
        world.later(wait)
        settle()
        for peer in people:
            world.hub.disconnect(peer.session, CloseReason.LOST)
        people.clear()
        settle()
    world.clock.now += max(IDENTITY_SECONDS, RECEIPT_SECONDS)
    world.later(10.0)
    settle()


@pytest.fixture(autouse=True)
def few_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses that have used nothing of their rate are forgotten when more than a few are kept."""
    for module, name in ((rate_limit, "ADDRESSES"), (post, "POSTERS")):
        monkeypatch.setattr(module, name, 10)


def test_nothing_but_rings_remembers_strangers_who_have_gone() -> None:
    world, counts = World(), list[int]()
    for start in (0, STRANGERS, 2 * STRANGERS):
        come_and_go(world, start, world.run)
        counts.append(held(world))
    assert not world.hub.sessions
    assert len(world.hub.stats.closed.last) == 3 * STRANGERS < KEPT
    assert counts[1] == counts[2], counts


def test_nothing_but_rings_remembers_strangers_at_any_of_two_nodes() -> None:
    nodes = Nodes()
    here, there = nodes.start("a"), nodes.start("b")
    counts = list[int]()
    for start in (0, STRANGERS, 2 * STRANGERS):
        come_and_go(here, start, nodes.settle)
        there.later(IDENTITY_SECONDS)
        counts.append(held(here, nodes) + held(there, nodes))
    assert counts[1] == counts[2], counts
