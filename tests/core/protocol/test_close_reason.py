"""Why connections end: what peers read, what is kept, what is logged, and how sessions are disconnected."""

import json

import pytest

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.operators.drain import send_away
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.errors import JournalError
from tests.core.world import Peer, World

EDGES = {1000, 1001, 1002, 1003, 1006, 1007, 1008, 1009, 1011, 4001, 4012, 4013, 4500, 4501, 4503, 4504, 4505}


def sent_away(world: World, *peers: Peer, codes: bool = True) -> bool:
    """Disconnect them and run what that starts; return whether it is done."""
    done: list[None] = []
    sessions = [peer.session for peer in peers]
    send_away(world.hub, sessions, lambda: 1500, wording.RESTARTING, codes=codes).then(done.append)
    world.run()
    return bool(done)


def test_the_codes_are_the_contract_s_and_every_word_is_its_own() -> None:
    assert {each.code for each in CloseReason} == EDGES
    assert len({each.word for each in CloseReason}) == len(CloseReason)


@pytest.mark.parametrize(
    ("closing", "words", "told"),
    [
        (CloseReason.KICKED, "spam", "kicked: spam"),
        (CloseReason.KICKED, "", "kicked"),
        (CloseReason.LEFT, "", "bye"),
        (CloseReason.LEFT, "bye, come again", "bye, come again"),
        (CloseReason.BAD_TELNET, "why", "bad_message: why"),
        (CloseReason.TOO_MANY, "16 already", "full: 16 already"),
    ],
)
def test_a_peer_reads_the_reason_in_the_words_of_its_door(closing: CloseReason, words: str, told: str) -> None:
    assert closing.told(words) == told


@pytest.mark.parametrize("closing", [CloseReason.LEFT, CloseReason.LOST])
def test_a_half_closed_peer_ends_for_the_reason_its_input_ended(closing: CloseReason) -> None:
    world = World()
    bob = world.terminal("bob")
    world.hub.half_closed(bob.session, closing)
    world.run()
    assert world.hub.stats.closed.counts == {(Door.TCP, closing): 1}


# Sending away

GOODBYE = "!! draining: the gateway is restarting; reconnect in 2 s"


def test_a_named_terminal_gets_a_code_that_works_later() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    bob.says("/join ops")
    bob.forget()
    assert sent_away(world, bob)
    (line,) = bob.lines
    code = line.removeprefix(f"{GOODBYE}, then /resume ")
    eve.says("/join ops", "missed")
    again = world.terminal()
    again.says(f"/resume {code}")
    lines = again.lines
    assert lines[0] == "-- welcome back, bob"
    assert lines[-1].endswith("eve: missed")


def test_a_terminal_that_spoke_gets_a_code_and_a_silent_one_none() -> None:
    world = World()
    bob, silent = world.terminal(), world.terminal()
    bob.says("hi")
    silent.forget()
    sent_away(world, bob, silent)
    assert "/resume " in bob.lines[0]
    assert silent.lines == [GOODBYE]


def test_programs_are_told_in_fields() -> None:
    world = World()
    bot, ana = world.terminal("robot"), world.browser("ana")
    bot.says("/bot", "beep")
    ana.forget()
    sent_away(world, bot, ana)
    bye = {"type": "bye", "code": 4001, "reason": "draining", "retry_ms": 1500}
    assert json.loads(bot.lines[-1]) == bye
    assert ana.told("bye") == [bye]


def test_a_code_that_could_not_be_stored_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    bob = world.terminal("bob")
    monkeypatch.setattr(world.journal, "remember", lambda people: Answer.of(JournalError("disk full")), raising=False)
    assert sent_away(world, bob)
    assert bob.lines == [GOODBYE]


def test_all_codes_are_stored_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    peers = [world.terminal(f"n{number}") for number in range(40)]
    stored: list[int] = []

    def remember(people: list[object]) -> Answer[None]:
        stored.append(len(people))
        return Answer.of(None)

    monkeypatch.setattr(world.journal, "remember", remember, raising=False)
    assert sent_away(world, *peers)
    assert stored == [40, 40]  # the codes; then that their owners are gone


def test_a_second_sending_of_the_same_people_says_nothing_more() -> None:
    world = World()
    bob = world.terminal("bob")
    sent_away(world, bob, codes=False)
    sent_away(world, bob)
    assert bob.lines == [GOODBYE]
