"""Requests that no honest browser sends: each is answered, and nothing else happens."""

import pytest

from gateway.core.doors.join import ROOMS_PER_SESSION
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.rooms.fanout import OWN_LOOKED_AT
from tests.core.world import Peer, World


@pytest.fixture
def browser() -> Peer:
    peer = World().browser("ana")
    peer.forget()
    return peer


def receives(peer: Peer, frame: str) -> dict[str, object]:
    peer.world.requests.receive(peer.session, frame)
    peer.world.run()
    return peer.objects[-1]


def test_half_a_surrogate_pair_is_bad_text_and_keeps_its_id(browser: Peer) -> None:
    answer = receives(browser, '{"type":"say","room":"lobby","text":"\\ud800","id":"c1"}')
    assert (answer["code"], answer["id"]) == ("bad_text", "c1")


@pytest.mark.parametrize("deep", ['{"type":"say","x":' + "[" * 30_000, '{"a":' * 12_000])
def test_a_very_deep_request_is_a_bad_message(browser: Peer, deep: str) -> None:
    assert receives(browser, deep)["code"] == "bad_message"


def test_an_empty_nick_is_refused_like_any_malformed_one(browser: Peer) -> None:
    assert [receives(browser, f'{{"type":"nick","nick":"{nick}"}}')["code"] for nick in ("", " ", "a b")] == [
        "nick_invalid"
    ] * 3


@pytest.mark.parametrize("id", ["0x100", "1_00", " 100", "0100", "100 ", "-1", ""])
def test_a_session_has_only_one_id(browser: Peer, id: str) -> None:
    assert browser.session.id == "100"
    assert browser.world.hub.find(id) is None
    assert browser.world.hub.find("100") is browser.session


def test_a_page_that_comes_back_is_told_which_of_the_latest_messages_it_said() -> None:
    world = World()
    ana, bob = world.browser("ana"), world.terminal("bob")
    token = ana.told("welcome")[0]["token"]
    ana.asks(type="say", room="lobby", text="one")
    bob.says("two")
    ana.asks(type="say", room="lobby", text="three")
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    assert world.browser(token=token).told("joined")[0]["own"] == [1, 3]
    world.later(1000)
    assert "own" not in world.browser("ana").told("joined")[0]  # somebody else, under that name


def test_older_messages_come_with_the_numbers_of_those_that_the_person_said() -> None:
    world = World()
    ana, bob = world.browser("ana"), world.terminal("bob")
    token = ana.told("welcome")[0]["token"]
    ana.asks(type="say", room="lobby", text="one")
    for number in range(OWN_LOOKED_AT):
        bob.says(f"line {number}")
    again = world.browser(token=token)
    assert "own" not in again.told("joined")[0]
    again.asks(type="history", room="lobby", before=3)
    assert again.told("history")[-1]["own"] == [1]
    other = world.browser("cy")
    other.asks(type="history", room="lobby", before=3)
    assert "own" not in other.told("history")[-1]


def test_a_join_by_command_is_acknowledged_or_refused_but_never_both() -> None:
    world = World()
    eve = world.browser("eve")
    eve.asks(type="say", id="j0", room="lobby", text="/join ops")
    assert [each["id"] for each in eve.told("ack")] == ["j0"]

    for number in range(ROOMS_PER_SESSION - 2):
        eve.asks(type="join", room=f"r{number}")
    eve.forget()
    eve.asks(type="say", id="j1", room="lobby", text="/join one-more")
    (answer,) = [each for each in eve.objects if each.get("id") == "j1"]
    assert (answer["type"], answer["code"]) == ("error", "room_limit")
