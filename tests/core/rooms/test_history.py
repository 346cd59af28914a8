"""Identities, receipts and resuming: what a peer finds when it comes back."""

from typing import Any

import pytest

from gateway.core.doors.post import Post, Posting
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.rooms.history import Past, Range
from gateway.core.sessions.identity import letters_of
from gateway.core.sessions.identity_registry import ANSWERS_PER_TICK
from gateway.errors import Refusal
from tests.core.world import Peer, World


def welcome(peer: Peer) -> dict[str, Any]:
    (found,) = peer.told("welcome")
    return found


def numbers(peer: Peer) -> list[object]:
    return [message["seq"] for message in peer.told("msg")]


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


def test_another_epoch_or_a_number_of_the_future_is_not_recovered() -> None:
    world = World()
    bob = world.terminal("bob")
    bob.says("1")
    epoch = world.hub.rooms["lobby"].epoch
    for place in ({"epoch": "other-epoch", "after": 1}, {"epoch": epoch, "after": 2}):
        objects = world.browser(rooms=[{"room": "lobby", **place}]).objects
        assert [each["recovered"] for each in objects if each["type"] == "joined"] == [False]
        assert [len(each["messages"]) for each in objects if each["type"] == "history"] == [1]


def test_a_second_try_gets_the_first_ones_ack_and_is_not_shown() -> None:
    world = World()
    bob, ana = world.terminal("bob"), world.browser("ana")
    token = welcome(ana)["token"]
    ana.asks(type="say", room="lobby", text="hi", id="c1")
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    again = world.browser(token=token)
    again.forget()
    again.asks(type="say", room="lobby", text="other words", id="c1")
    assert [(each["id"], each["seq"]) for each in again.told("ack")] == [("c1", 1)]
    assert bob.lines == ["ana: hi"]


def test_a_second_try_waits_for_the_first() -> None:
    world = World()
    ana = world.browser("ana")
    ana.forget()
    world.journal.shut = True
    ana.asks(type="say", room="lobby", text="hi", id="c1")
    ana.asks(type="say", room="lobby", text="hi", id="c1")
    assert ana.objects == []
    world.journal.let()
    world.run()
    objects = ana.objects
    assert [each["type"] for each in objects].count("ack") == 2
    assert [each["type"] for each in objects].count("msg") == 1


def test_a_refused_try_is_not_remembered() -> None:
    world = World()
    ana = world.browser("ana")
    world.journal.fail = True
    ana.asks(type="say", room="lobby", text="hi", id="c1")
    world.journal.fail = False
    ana.forget()
    ana.asks(type="say", room="lobby", text="hi", id="c1")
    assert [each["seq"] for each in ana.told("ack")] == [1]


def test_an_id_lives_two_minutes() -> None:
    world = World()
    ana = world.browser("ana")
    ana.asks(type="say", room="lobby", text="hi", id="c1")
    world.later(121)
    ana.forget()
    ana.asks(type="say", room="lobby", text="hi", id="c1")
    assert [each["seq"] for each in ana.told("ack")] == [2]


def test_a_private_message_is_not_queued_twice() -> None:
    world = World()
    bob, ana = world.terminal("bob"), world.browser("ana")
    for _ in range(2):
        ana.asks(type="say", room="lobby", text="/msg bob psst", id="p1")
    assert bob.lines == ["[ana -> you] psst"]
    assert len(ana.told("ack")) == 2


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


def test_a_bot_gets_objects_and_its_own_messages() -> None:
    world = World()
    bob = world.terminal("bob")
    bot = world.terminal("robot", quiet=False)
    bot.says("/bot", "beep")
    bob.says("hi robot")
    lines = bot.lines
    assert '"type":"joined"' in lines[0]
    assert ['"seq":1' in lines[1], '"text":"beep"' in lines[1], '"text":"hi robot"' in lines[2]] == [True] * 3


def test_typing_is_told_to_the_other_pages_only() -> None:
    world = World()
    bob, ana, cid = world.terminal("bob"), world.browser("ana"), world.browser("cid")
    cid.forget()
    ana.forget()
    ana.asks(type="typing", room="lobby")
    assert [each["nick"] for each in cid.told("typing")] == ["ana"]
    assert (ana.objects, bob.lines) == ([], [])


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


def page_at(world: World, moment: float, limit: int = 3) -> tuple[list[int], bool]:
    """The numbers around the first message from that moment on, in seconds, and whether there are older ones."""
    found: list[Past | Refusal] = []
    world.hub.history.read("lobby", Range(at=int(moment * 1000), limit=limit)).then(found.append)
    (past,) = found
    assert isinstance(past, Past)
    return [message.seq for message in past.messages], past.more


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_moment_is_found_in_the_log_and_in_the_journal(in_memory: bool) -> None:
    world = World(log_messages=10_000 if in_memory else 2)
    bob = world.terminal("bob")
    began = world.clock.now
    for number in range(1, 21):
        world.clock.now = began + 100 * number
        bob.says(f"m{number}")
    assert (world.hub.rooms["lobby"].log.first == 1) is in_memory
    assert page_at(world, began + 700) == ([6, 7, 8], True)
    assert page_at(world, began + 700.001) == ([7, 8, 9], True)
    assert page_at(world, 0) == ([1, 2, 3], False)
    assert page_at(world, began + 2000) == ([18, 19, 20], True)
    assert page_at(world, began + 9000) == ([18, 19, 20], True)


def test_a_moment_in_an_empty_room_shows_nothing() -> None:
    assert page_at(World(), 1000) == ([], False)
