"""What a person may set at a terminal."""

import msgspec
import pytest

from gateway.core.protocol.line_style import UNSET
from gateway.core.protocol.message import Door
from gateway.web.rooms import PAGE_DATA
from tests.core.world import Peer, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ana(world: World) -> Peer:
    return world.terminal("ana")


def answer(peer: Peer, line: str) -> str:
    """The one line that answers a command."""
    peer.forget()
    peer.says(line)
    (line,) = peer.lines
    return line


@pytest.mark.parametrize("name", ["time", "color", "bell", "plain", "hold"])
def test_a_switch_is_set_asked_for_and_unset(ana: Peer, name: str) -> None:
    on = answer(ana, f"/{name} on")
    assert getattr(ana.session.preferences, name) is True
    assert answer(ana, f"/{name}") == on
    assert answer(ana, f"/{name} off") != on
    assert getattr(ana.session.preferences, name) is False
    assert answer(ana, f"/{name} maybe").startswith("!! bad_message: ")


def test_the_time_stands_before_live_messages_once_it_is_wanted(world: World, ana: Peer) -> None:
    bob = world.terminal("bob")
    bob.says("before")
    ana.says("/time on")
    bob.says("one", "/me waves")
    ana.says("/time off")
    bob.says("after")

    said = [line for line in ana.lines if "bob" in line]
    assert [said[0], said[-1]] == ["bob: before", "bob: after"]
    assert said[1].endswith(" bob: one") and said[2].endswith(" * bob waves") and said[1][2] == ":"


def test_times_stay_after_bot(world: World, ana: Peer) -> None:
    bob = world.terminal("bob")
    ana.says("/time on", "/bot", "/bot off")
    ana.forget()
    bob.says("one")

    (line,) = ana.lines
    assert line[2] == ":" and line.endswith(" bob: one")


def test_who_is_away_is_so_in_who_and_for_those_who_write(world: World, ana: Peer) -> None:
    bob = world.terminal("bob")
    ana.says("/away lunch")

    assert "away: lunch" in answer(bob, "/whois ana")
    bob.forget()
    bob.says("/msg ana hi")
    assert bob.lines == ["[you -> ana] hi", "-- ana is away: lunch"]
    ana.says("/back")
    assert "away" not in answer(bob, "/whois ana")


def test_somebody_is_ignored_and_seen_again(ana: Peer) -> None:
    assert "nobody" in answer(ana, "/ignore")
    assert answer(ana, "/ignore Bob").endswith(": bob")
    assert ana.session.preferences.ignored == {"bob"}
    ana.says("/unignore BOB")
    assert ana.session.preferences.ignored == frozenset()
    assert answer(ana, "/unignore bob").startswith("!! no_such_user: ")


def test_modes(ana: Peer) -> None:
    ana.says("/mode char")
    assert ana.session.preferences.keys
    ana.says("/mode line")
    assert not ana.session.preferences.keys
    assert answer(ana, "/mode").startswith("!! bad_message: ")


def test_a_page_has_its_own_settings(world: World) -> None:
    page = world.browser("bob")
    page.forget()
    page.asks(type="say", id="1", room="lobby", text="/hold on")

    assert [told["code"] for told in page.objects if told["type"] == "error"] == ["bad_message"]
    assert page.session.preferences is UNSET and page.session.door is Door.WEB


def test_a_page_is_offered_no_command_that_is_for_terminals() -> None:
    offered = {name for name, *_ in msgspec.json.decode(PAGE_DATA["chat/later/commands.json"])}

    assert {"away", "back", "ignore", "unignore", "join", "search"} <= offered
    for name in ("paste", "echo", "bot", "time", "color", "bell", "hold", "plain", "title", "mode"):
        assert name not in offered


def test_help_fits_a_terminal_and_has_an_example_for_each(ana: Peer) -> None:
    ana.forget()
    ana.says("/help")
    rows = ana.lines

    assert len(rows) <= 24 and all(len(row) <= 80 for row in rows)
    assert "/hold" in "".join(rows)
    ana.says("/help nc")
    assert any("rlwrap" in row for row in ana.lines)
    ana.says("/help hold")
    assert ana.lines[-1] == "-- for example: /hold on"
