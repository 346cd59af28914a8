"""Nobody is told what a kill right after the reply would take back: names, codes, read positions, the record of what
was tried."""

from collections.abc import Callable

import pytest

from gateway.core.roles import Operator, Role
from tests.core.world import Peer, World

OTTO = Operator("otto", Role.ADMIN, "tcp 127.0.0.1")


def somebody_known(world: World) -> Peer:
    """At a terminal, with a code."""
    ana = world.terminal("ana")
    ana.says("/resume")
    ana.forget()
    return ana


def an_operator(world: World) -> Peer:
    otto = world.terminal("otto")
    otto.session.log_in(OTTO)
    return otto


def a_page(world: World) -> Peer:
    page = world.browser("eve")
    page.forget()
    return page


def stored_rooms(world: World, page: Peer) -> set[str]:
    """The rooms to which the page's token would bring it back after a kill."""
    assert page.session.identity is not None
    return {room for room, _, _ in world.journal.people[page.session.identity.id].rooms}


@pytest.mark.parametrize(
    ("who", "line", "told"),
    [
        (somebody_known, "/nick bo", "-- you are bo"),
        (somebody_known, "/quit", "-- bye, /resume "),
        (somebody_known, "/kick bob", "!! forbidden: "),
        (somebody_known, "/watch bob", "!! forbidden: "),
        (an_operator, "/kick nobody", "!! no_such_user: "),
        (an_operator, "/ban nobody", "-- nobody is banned"),
        (an_operator, "/redact 99", "!! no_such_message: "),
    ],
)
def test_a_terminal_is_told_once_it_is_stored(who: Callable[[World], Peer], line: str, told: str) -> None:
    world = World()
    peer = who(world)
    world.journal.frozen = True
    peer.says(line)
    assert not peer.lines

    world.journal.let()
    world.run()
    (line,) = peer.lines
    assert line.startswith(told)


@pytest.mark.parametrize(
    "ask", [{"type": "join", "room": "ops"}, {"type": "say", "room": "lobby", "text": "/join ops"}]
)
def test_a_page_is_told_that_it_is_in_a_room_once_a_restart_would_know(ask: dict[str, str]) -> None:
    world = World()
    page = a_page(world)
    world.journal.frozen = True
    page.asks(**ask)
    assert not page.objects

    world.journal.let()
    world.journal.frozen = True  # what follows on joining is not stored any more
    world.run()
    assert [each["room"] for each in page.told("joined")] == ["ops"]
    assert stored_rooms(world, page) == {"lobby", "ops"}


def test_a_welcomed_page_is_told_that_it_is_in_its_rooms_once_a_restart_would_know() -> None:
    world = World()
    world.journal.frozen = True
    page = world.browser("eve", rooms=[{"room": "ops"}, {"room": "B A D"}, {"room": "#Dev"}])
    assert not page.objects

    world.journal.let()
    world.journal.frozen = True
    world.run()
    told = [each.get("room", each["type"]) for each in page.objects if each["type"] != "history"]
    assert told == ["welcome", "error", "ops", "dev"]
    assert stored_rooms(world, page) == {"ops", "dev"}


def test_a_room_that_was_refused_is_not_stored_for_long() -> None:
    world = World(rooms=1)
    page = a_page(world)
    page.asks(type="join", room="ops")
    assert [each["code"] for each in page.told("error")] == ["room_limit"]
    page.asks(type="join", room="lobby")
    assert stored_rooms(world, page) == {"lobby"}


def test_a_page_joins_although_that_cannot_be_stored() -> None:
    world = World()
    page = a_page(world)
    world.journal.remembers = False
    page.asks(type="join", room="ops")
    assert [each["room"] for each in page.told("joined")] == ["ops"]


def test_a_page_is_told_its_new_name_once_it_is_stored() -> None:
    world = World()
    eve = a_page(world)
    world.journal.frozen = True
    eve.asks(type="nick", nick="evi", id="n1")
    assert not eve.told("notice")

    world.journal.let()
    world.run()
    assert [each["nick"] for each in eve.told("notice")] == ["evi"]


def test_another_tab_is_told_what_was_read_once_it_is_stored() -> None:
    world = World()
    eve = world.browser("eve")
    token = eve.told("welcome")[0]["token"]
    tab = world.browser(token=token)
    eve.asks(type="say", room="lobby", text="one")
    epoch = world.hub.rooms["lobby"].epoch
    tab.forget()
    world.journal.frozen = True
    eve.asks(type="read", room="lobby", epoch=epoch, seq=1)
    assert not tab.told("read")

    world.journal.let()
    world.run()
    assert [each["seq"] for each in tab.told("read")] == [1]


def test_whoever_used_a_code_is_welcomed_once_it_is_used_up() -> None:
    world = World()
    ana = world.terminal("ana")
    ana.says("/resume")
    code = ana.lines[0].split("/resume ")[1].split()[0].rstrip(".,:")
    bob = world.terminal("bob")
    bob.forget()
    world.journal.frozen = True
    bob.says(f"/resume {code}")
    assert not bob.lines

    world.journal.let()
    world.run()
    assert "welcome back" in bob.lines[0]


def test_an_author_is_told_that_it_is_taken_back_once_that_is_recorded() -> None:
    world = World()
    eve = world.browser("eve")
    eve.asks(type="say", room="lobby", text="secret")
    eve.forget()
    world.journal.frozen = True
    eve.asks(type="say", room="lobby", text="/delete", id="d1")
    assert not eve.told("ack")

    world.journal.let()
    world.run()
    assert [each["id"] for each in eve.told("ack")] == ["d1"]


def test_a_goodbye_without_a_code_where_it_cannot_be_stored() -> None:
    world = World()
    ana = somebody_known(world)
    world.journal.remembers = False
    ana.says("/quit")
    assert ana.lines == ["-- bye"] and ana.session.closed
