"""Everybody in a room talks from a terminal: each gets what the others said, in order, whatever its socket takes."""

import random

import pytest

from gateway.core.rooms import shared_encoding
from tests.core.world import Peer, World

PEOPLE = 6
ROUNDS = 40


def said_by_others(order: list[tuple[str, str]], name: str) -> list[str]:
    """The lines that `name` is shown of what was said."""
    return [f"{author}: {text}" for author, text in order if author != name]


def messages(peer: Peer) -> list[str]:
    """The messages among what the peer has got since the last look."""
    return [line for line in peer.lines if not line.startswith("--")]


@pytest.mark.parametrize("seed", range(8))
def test_each_gets_what_the_others_said_in_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_encoding, "SHARE_BYTES", 120)  # shares end in the middle of what there is
    chance = random.Random(seed)
    world = World(messages_per_second=0, burst=0)
    peers = {name: world.terminal(name) for name in (f"p{number}" for number in range(PEOPLE))}
    world.later(3)
    for peer in peers.values():
        peer.transport.taken = b""
    order: list[tuple[str, str]] = []
    for _ in range(ROUNDS):
        for name in chance.choices(list(peers), k=chance.randrange(8)):
            for _ in range(chance.choice((1, 1, 4))):
                order.append((name, f"{len(order)} {'x' * chance.randrange(30)}".rstrip()))
                world.terminals.line(peers[name].session, order[-1][1].encode())
        for peer in peers.values():
            if chance.random() < 0.3:
                peer.reads(chance.choice([0, 1, 7, 50, 400]))
        world.run()
    for peer in peers.values():
        peer.reads()
    world.run()

    for name, peer in peers.items():
        assert messages(peer) == said_by_others(order, name)
    counted = sum(peer.session.messages_out for peer in peers.values())
    assert counted == world.hub.stats.counters.deliveries == sum(len(said_by_others(order, name)) for name in peers)


def test_what_a_half_closed_talker_is_owed_ends_with_its_last_message() -> None:
    world = World()
    bob, ana = world.terminal("bob"), world.terminal("ana")
    bob.reads(0)
    ana.says("one")
    bob.says("mine")
    ana.says("two")
    bob.session.end_input()
    bob.reads()

    assert messages(bob) == ["ana: one"]


def test_a_talker_whose_own_messages_have_left_the_log_is_told_of_the_gap() -> None:
    world = World(log_messages=4, messages_per_second=0, burst=0)
    bob, ana = world.terminal("bob"), world.terminal("ana")
    bob.reads(0)
    for number in range(12):
        (ana if number % 2 else bob).says(f"line {number}")
    bob.reads()

    assert messages(bob)[-2:] == ["ana: line 9", "ana: line 11"]
