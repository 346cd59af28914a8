"""Who comes back: tokens, codes and nicks, and what a person is given back."""

from typing import Any

import pytest

from gateway.core.doors.post import Post, Posting
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.sessions.identity import letters_of
from gateway.core.sessions.identity_registry import ANSWERS_PER_TICK
from gateway.errors import Refusal
from tests.core.world import Peer, World


def welcome(peer: Peer) -> dict[str, Any]:
    (found,) = peer.told("welcome")
    return found


def test_a_token_gives_back_nick_and_rooms() -> None:
    world = World()
    ana = world.browser("ana", rooms=[{"room": "lobby"}, {"room": "ops"}])
    token = welcome(ana)["token"]
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    again = world.browser(token=token)
    told = again.objects
    assert [(each["type"], each.get("nick"), each.get("token")) for each in told[:1]] == [("welcome", "ana", token)]
    assert [each["room"] for each in told if each["type"] == "joined"] == ["lobby", "ops"]


def test_a_further_connection_is_noticed_by_nobody_else() -> None:
    world = World()
    bob, ana = world.terminal("bob"), world.browser("ana")
    token = welcome(ana)["token"]
    world.later(4)
    bob.transport.taken = b""
    again = world.browser(token=token)
    assert ana.transport.closed is None
    assert welcome(again)["nick"] == "ana"
    world.later(5)
    assert bob.lines == []


@pytest.mark.parametrize("token", ["", "x", "0000000000000000.AAAA", "é.ü", "." * 500])
def test_a_token_that_proves_nothing_makes_a_new_guest(token: str) -> None:
    told = World().browser(token=token).objects
    assert [each["type"] for each in told[:3]] == ["welcome", "error", "joined"]
    assert told[1]["code"] == "token_invalid"
    assert told[0]["token"] != token


def test_a_token_expires_ten_minutes_after_its_last_connection() -> None:
    world = World()
    ana = world.browser("ana")
    token = welcome(ana)["token"]
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    world.later(599)
    again = world.browser(token=token)
    assert welcome(again)["nick"] == "ana"
    world.hub.disconnect(again.session, CloseReason.LEFT)
    world.later(601)
    assert [each["code"] for each in world.browser(token=token).told("error")] == ["token_invalid"]


def test_a_nick_is_kept_for_two_minutes_after_its_owner_left() -> None:
    world = World()
    ana, eve = world.browser("ana"), world.terminal("eve")
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    world.later(100)
    eve.says("/nick ana")
    assert any("nick_taken" in line for line in eve.lines)
    world.later(30)
    eve.says("/nick ana")
    assert eve.lines == ["-- you are ana"]


def test_a_taken_nick_is_told_and_replaced_by_a_guest_name() -> None:
    world = World()
    ana, eve = world.browser("ana"), world.terminal("eve")
    token = welcome(ana)["token"]
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    world.later(130)
    eve.says("/nick ana")
    told = world.browser(token=token).objects
    assert str(told[0]["nick"]).startswith("guest-")
    assert told[1]["code"] == "nick_taken"


def test_a_code_brings_a_terminal_back_with_what_it_missed() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    bob.says("/join ops", "/resume")
    code = bob.lines[-1].split()[2]
    world.hub.disconnect(bob.session, CloseReason.LEFT)
    eve.says("/join ops", "one", "two")
    again = world.terminal()
    again.says(f"/resume {code.lower()}")
    lines = again.lines
    assert lines[0] == "-- welcome back, bob"
    assert [line[8:] for line in lines[-2:]] == ["eve: one", "eve: two"]
    assert again.session.nick == "bob"


def test_a_resume_as_another_person_frees_the_name_of_before() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    bob.says("/resume")
    eve.says("/resume")
    code, earlier = bob.lines[-1].split()[2], eve.lines[-1].split()[2]
    world.hub.disconnect(bob.session, CloseReason.LEFT)
    eve.says(f"/resume {code}")
    assert eve.session.nick == "bob"
    world.terminal().says("/nick eve")
    assert world.hub.nicks.find("eve") is not eve.session
    assert world.hub.identities.identities.by_code(letters_of(earlier)) is not None
    world.later(620)
    assert world.hub.identities.identities.by_code(letters_of(earlier)) is None


def test_nobody_posts_by_token_under_a_nick_that_is_somebody_elses_now() -> None:
    world = World()
    ana, eve = world.browser("ana"), world.terminal("eve")
    token = str(welcome(ana)["token"])
    posting = Posting(world.hub)
    answers: list[object] = []
    posting.post(Post("ops", "as myself", token=token)).then(answers.append)
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    world.later(130)
    eve.says("/nick ana")
    with pytest.raises(Refusal, match="taken while you were away"):
        posting.post(Post("ops", "as eve", token=token)).then(answers.append)
    assert len(answers) == 1


def test_a_wrong_code_costs_a_second() -> None:
    world = World()
    bob = world.terminal("bob")
    bob.says("/resume AAAA-AA")
    assert bob.lines == ["!! token_invalid: this code is unknown, used or older than 10 minutes"]
    assert bob.session.held


def test_a_crowd_that_comes_at_once_is_welcomed_in_several_ticks() -> None:
    world = World()
    world.hub.identities.stored().then(lambda failure: answers.append(0))
    answers: list[int] = []
    for number in range(1, 2 * ANSWERS_PER_TICK):
        world.hub.identities.stored().then(lambda failure, number=number: answers.append(number))  # type: ignore[misc]
    world.hub.tick()
    assert answers == list(range(ANSWERS_PER_TICK)) and world.hub.identities.pending
    world.run()
    assert answers == list(range(2 * ANSWERS_PER_TICK)) and not world.hub.identities.pending
