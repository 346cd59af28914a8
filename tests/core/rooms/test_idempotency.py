"""What is sent again under the same id is one message."""

from typing import Any

from gateway.core.protocol.close_reason import CloseReason
from tests.core.world import Peer, World


def welcome(peer: Peer) -> dict[str, Any]:
    (found,) = peer.told("welcome")
    return found


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
