"""/who, /whois and /rooms tell a terminal who is here."""

import pytest

from gateway.core.doors.who import WHO_PAGE
from tests.core.world import Peer, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ana(world: World) -> Peer:
    return world.terminal("ana")


def answers(peer: Peer, line: str) -> list[str]:
    """The lines that answer a command."""
    peer.forget()
    peer.says(line)
    return peer.lines


def test_an_operator_sees_addresses_and_lag_in_who(world: World, ana: Peer) -> None:
    bob = world.terminal("bob")
    ana.says("/login otto right horse")
    ana.forget()
    ana.says("/who")
    bob.forget()
    bob.says("/who")

    assert all(bob.session.address in line and "lag" in line for line in ana.lines[1:])
    assert not [line for line in bob.lines if bob.session.address in line]


def test_people_stand_page_by_page_in_the_order_of_their_names(world: World, ana: Peer) -> None:
    for number in range(WHO_PAGE):
        world.terminal(f"guest{number:02}")
    head, *rows, more = answers(ana, "/who")
    assert "21 people" in head and "ana (you)" in rows[0] and len(rows) == WHO_PAGE
    assert [row.split()[1] for row in rows[1:]] == [f"guest{number:02}" for number in range(WHO_PAGE - 1)]
    assert "/who 2" in more

    _, last = answers(ana, "/who 2")
    assert f"guest{WHO_PAGE - 1}" in last
    assert answers(ana, "/who 3") == ["!! bad_message: there is no page 3, the last one is 2"]


def test_who_says_nothing_for_a_while_is_idle(world: World, ana: Peer) -> None:
    world.terminal("bob")
    assert "active" in "".join(answers(ana, "/whois bob"))
    world.later(60)
    assert "idle" in "".join(answers(ana, "/whois bob"))


def test_rooms_are_listed_with_their_people_and_topics(world: World, ana: Peer) -> None:
    bob = world.terminal("bob")
    bob.says("/join ops", "/topic red alert")
    rows = answers(ana, "/rooms")
    assert any("#ops" in row and "1 person" in row and "red alert" in row for row in rows)
    bob.says("/join lobby", "said in the lobby")
    assert answers(ana, "/rooms 9") == ["-- no more rooms"]
