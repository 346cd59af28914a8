"""What a session tells the table of connections: messages skipped, what is unsent and since when, coming back."""

from tests.core.world import World


def test_what_a_session_was_told_it_missed_is_counted_once() -> None:
    world = World(log_messages=100)
    bob, eve = world.terminal("bob"), world.terminal("eve")
    eve.transport.room = 0
    for number in range(250):
        bob.says(f"{number}")
    assert eve.session.skipped == 0
    eve.reads()
    assert (eve.session.skipped, bob.session.skipped) == (150, 0)
    bob.says("more")
    assert eve.session.skipped == 150


def test_what_neither_memory_nor_journal_holds_is_counted_on_coming_back() -> None:
    world = World(log_messages=10)
    bob = world.browser("bob")
    for number in range(30):
        bob.asks(type="say", room="lobby", text=f"{number}")
    room = world.hub.rooms["lobby"]
    room.forget_below(21)
    eve = world.browser("eve", rooms=[{"room": "lobby", "epoch": room.epoch, "after": 5}])
    (gap,) = eve.told("gap")
    assert (gap["from"], gap["to"], eve.session.skipped) == (6, 20, 15)


def test_the_oldest_message_that_waits_tells_its_moment() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    assert eve.session.unsent_since() is None
    eve.transport.room = 0
    bob.says("first")
    said = world.hub.clock.wall()
    world.later(5.0)
    bob.says("second")
    assert eve.session.unsent_since() == said
    eve.reads()
    assert eve.session.unsent_since() is None


def test_coming_back_is_counted_by_the_identity() -> None:
    world = World()
    token = world.browser("ana").told("welcome")[0]["token"]
    again = world.browser(token=token)
    assert again.session.identity is not None and again.session.identity.resumed == 1
    assert [each.event for each in world.hub.stats.recent.of(again.session.number, 9)][-2:] == ["resumed", "came"]
