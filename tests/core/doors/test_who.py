"""/who, /whois and /rooms tell a terminal who is here."""

import random

import pytest

from gateway.core.doors.who import WHO_PAGE
from gateway.core.protocol.close_reason import CloseReason
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


def happens(world: World, chance: random.Random, others: list[Peer], number: int) -> None:
    """Somebody comes, goes, takes another nick, logs in, goes on at another connection, or changes rooms."""
    some = chance.choice(others) if others else world.terminal()
    match chance.randrange(8) if others else 0:
        case 0 | 1:
            others.append(world.terminal(f"n{chance.choice('aBcD')}{number}"))
        case 2:
            others.remove(some)
            world.hub.disconnect(some.session, CloseReason.LEFT)
        case 3:
            some.says(f"/nick {chance.choice('xYz')}{number}")
        case 4:
            some.says("/join ops" if "lobby" in some.session.rooms else "/join lobby")
        case 5:
            some.forget()
            some.says("/resume")
            others.append(world.terminal())
            others[-1].says(f"/resume {some.lines[-1].split()[2]}")
        case 6:
            some.says("/login otto right horse")
        case 7:
            world.hub.half_closed(some.session)
            others.remove(some)


def test_everybody_is_listed_by_name_whatever_has_happened(world: World, ana: Peer) -> None:
    chance, others, seen = random.Random(7), list[Peer](), set[int]()
    for number in range(400):
        happens(world, chance, others, number)
        room = world.hub.rooms["lobby"]
        expected = sorted({each.session.nick for each in room.attendance.people()}, key=str.casefold)
        assert room.attendance.nicks() == expected, number
        rows = answers(ana, "/who")[1 : WHO_PAGE + 1]
        assert [row.split()[1] for row in rows] == expected[:WHO_PAGE]
        world.later(0.5)
        seen.add(len(expected))
    assert max(seen) > WHO_PAGE
