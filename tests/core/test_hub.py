"""The hub as its sessions see it."""

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Notice
from gateway.core.rooms.fanout import member_of
from tests.core.world import World


def test_netcat_and_browser_read_each_other() -> None:
    world = World()
    bob, ana = world.terminal("bob"), world.browser("ana")
    bob.says("hello from netcat")
    ana.asks(type="say", room="lobby", text="hi bob")
    assert bob.lines == ["ana: hi bob"]
    messages = [(m["nick"], m["text"], m["seq"]) for m in ana.told("msg")]
    assert messages == [("bob", "hello from netcat", 1), ("ana", "hi bob", 2)]


def test_a_terminal_does_not_get_its_own_lines() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    bob.says("one", "two")
    assert bob.lines == []
    assert eve.lines == ["bob: one", "bob: two"]


def test_echo_on_gives_own_lines_back() -> None:
    world = World()
    bob = world.terminal("bob")
    bob.says("/echo on", "one")
    assert bob.lines[-1] == "bob: one"


def test_own_lines_are_cut_out_of_a_shared_batch() -> None:
    world = World()
    bob, eve, cid = world.terminal("bob"), world.terminal("eve"), world.terminal("cid")
    world.journal.shut = True
    bob.says("b1")
    eve.says("e1")
    bob.says("b2")
    world.journal.let()
    world.run()
    assert bob.lines == ["eve: e1"]
    assert eve.lines == ["bob: b1", "bob: b2"]
    assert cid.lines == ["bob: b1", "eve: e1", "bob: b2"]


def test_nobody_sees_or_is_acknowledged_a_message_before_the_commit() -> None:
    world = World()
    bob, ana = world.terminal("bob"), world.browser("ana")
    ana.forget()
    world.journal.shut = True
    ana.asks(type="say", room="lobby", text="hi", id="c1")
    assert (bob.lines, ana.objects) == ([], [])
    world.journal.let()
    world.run()
    assert bob.lines == ["ana: hi"]
    assert {each["type"] for each in ana.objects} == {"ack", "msg"}


def test_the_journal_gets_words_and_not_enumerated_values_which_cost_sqlite_more() -> None:
    world = World()
    bob, ana = world.terminal("bob"), world.browser("ana")
    bob.says("hi", "/me waves")
    ana.asks(type="say", room="lobby", text="hi bob")
    kept = world.hub.rooms["lobby"].log.last(3)
    assert [(m.door, m.kind) for m in kept] == [("tcp", "say"), ("tcp", "action"), ("web", "say")]
    assert {type(word) for m in kept for word in (m.door, m.kind)} == {str}


def test_a_failed_commit_is_told_to_its_sender_only() -> None:
    world = World()
    bob, ana = world.terminal("bob"), world.browser("ana")
    ana.forget()
    world.journal.fail = True
    ana.asks(type="say", room="lobby", text="hi", id="c1")
    assert bob.lines == []
    assert [(e["code"], e["id"]) for e in ana.told("error")] == [("storage", "c1")]
    world.journal.fail = False
    ana.asks(type="say", room="lobby", text="again")
    assert bob.lines == ["ana: again"]


def test_a_batch_is_one_send_for_each_reader() -> None:
    world = World()
    bob = world.terminal("bob")
    readers = [world.terminal() for _ in range(5)]
    world.journal.shut = True
    for number in range(64):
        bob.says(f"line {number}")
    before = [reader.transport.sends for reader in readers]
    world.journal.let()
    world.run()
    assert [reader.transport.sends for reader in readers] == [sends + 1 for sends in before]
    assert all(reader.lines == [f"bob: line {number}" for number in range(64)] for reader in readers)


def test_a_short_write_goes_on_at_the_very_byte() -> None:
    for room in range(1, 40):
        world = World()
        bob, eve = world.terminal("bob"), world.terminal("eve")
        world.journal.shut = True
        bob.says("first", "second", "third")
        eve.transport.room = room
        world.journal.let()
        world.run()
        eve.reads()
        assert eve.lines == ["bob: first", "bob: second", "bob: third"], room


def test_a_reader_that_was_stuck_rejoins_the_others() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    eve.transport.room = 3
    bob.says("one")
    bob.says("two")
    assert eve.session.blocked
    eve.reads()
    bob.says("three")
    assert eve.lines == ["bob: one", "bob: two", "bob: three"]
    assert eve.session.lag() == (0, 0)


def test_a_stuck_reader_costs_the_others_nothing_and_is_told_what_it_missed() -> None:
    world = World(log_messages=100)
    bob, eve, cid = world.terminal("bob"), world.terminal("eve"), world.terminal("cid")
    eve.transport.room = 0
    for number in range(250):
        bob.says(f"{number}")
    assert cid.lines == [f"bob: {number}" for number in range(250)]
    assert eve.session.owed == b""
    eve.reads()
    first, *rest = eve.lines
    assert first == "-- 150 lines skipped: /since 0 shows them"
    assert rest == [f"bob: {number}" for number in range(150, 250)]


def test_a_share_is_bounded_and_the_rest_follows() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    world.journal.shut = True
    for _ in range(40):
        bob.says("x" * 4000)
    before = eve.transport.sends
    world.journal.let()
    world.run()
    assert len(eve.lines) == 40
    assert eve.transport.sends - before == 3


def test_half_close_delivers_what_is_owed_and_ends() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    world.journal.shut = True
    eve.says("before")
    bob.says("/nick rob", "mine")
    eve.says("after")
    world.hub.half_closed(bob.session)
    world.run()
    assert bob.transport.closed is None
    world.journal.let()
    world.run()
    assert bob.lines == ["-- you are rob", "eve: before"]
    assert bob.transport.closed == (CloseReason.LEFT, "")


def test_half_close_with_nothing_owed_ends_at_once() -> None:
    world = World()
    bob = world.terminal(quiet=False)
    world.hub.half_closed(bob.session)
    world.run()
    assert bob.transport.closed == (CloseReason.LEFT, "")
    assert bob.lines == []


def test_half_close_gives_a_peer_that_does_not_read_two_seconds() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    bob.transport.room = 0
    eve.says("for bob")
    bob.says("mine")
    world.hub.half_closed(bob.session)
    world.later(1.9)
    assert bob.transport.closed is None
    world.later(0.2)
    assert bob.transport.closed == (CloseReason.LEFT, "")


def test_too_fast_a_terminal_is_held_and_nothing_is_lost() -> None:
    world = World(messages_per_second=10, burst=3)
    bob, eve = world.terminal("bob"), world.terminal("eve")
    for number in range(3):
        bob.says(str(number))
    assert bob.session.held
    world.later(0.15)
    assert not bob.session.held
    assert bob.transport.resumed == 1
    bob.says("3")
    assert eve.lines == ["bob: 0", "bob: 1", "bob: 2", "bob: 3"]


def test_too_fast_a_browser_is_refused_and_told_when() -> None:
    world = World(messages_per_second=10, burst=3)
    ana = world.browser("ana")
    for number in range(4):
        ana.asks(type="say", room="lobby", text=str(number), id=f"c{number}")
    objects = ana.objects
    assert [m["text"] for m in objects if m["type"] == "msg"] == ["0", "1", "2"]
    (error,) = [e for e in objects if e["type"] == "error"]
    assert (error["id"], error["code"]) == ("c3", "rate_limited")
    assert 0 < error["retry_ms"] <= 101


def test_a_second_room_has_its_own_numbers_and_readers() -> None:
    world = World()
    bob, ana = world.terminal("bob"), world.browser("ana", rooms=[{"room": "lobby"}, {"room": "ops"}])
    bob.says("/join ops", "in ops")
    assert bob.lines == ["-- you are in #ops, 1 person besides you"]
    ana.asks(type="say", room="lobby", text="in the lobby")
    assert [(m["room"], m["seq"]) for m in ana.told("msg")] == [("ops", 1), ("lobby", 1)]
    assert bob.lines == []


def test_an_empty_room_leaves_memory_and_keeps_its_history() -> None:
    world = World()
    bob = world.terminal("bob")
    bob.says("/join ops", "remember", "/join lobby")
    assert "ops" not in world.hub.rooms
    ana = world.browser("ana", rooms=[{"room": "ops"}])
    objects = ana.objects
    (joined,) = [o for o in objects if o["type"] == "joined"]
    assert (joined["head"], joined["recovered"]) == (1, False)
    assert [m["text"] for o in objects if o["type"] == "history" for m in o["messages"]] == ["remember"]


def test_a_kick_says_goodbye_and_frees_the_nick() -> None:
    world = World()
    bob = world.terminal("bob")
    world.hub.close(bob.session, CloseReason.KICKED, "spam")
    assert bob.lines == ["!! kicked: spam"]
    assert bob.transport.closed == (CloseReason.KICKED, "spam")
    assert world.hub.find(bob.session.id) is None
    world.terminal("bob")


def test_a_disconnected_session_is_offered_nothing_more() -> None:
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    world.journal.shut = True
    bob.says("hi")
    world.hub.disconnect(eve.session, CloseReason.LEFT)
    world.hub.disconnect(bob.session, CloseReason.LEFT)
    world.journal.let()
    world.run()
    assert (bob.lines, eve.lines) == ([], [])
    assert world.hub.rooms["lobby"].log.head == 1


def test_a_large_room_is_served_in_slices() -> None:
    world = World()
    readers = [world.terminal(quiet=False) for _ in range(1500)]
    world.later(0.2)
    readers[0].says("hi")
    assert all(reader.lines[-1].endswith(": hi") for reader in readers[1:])


def test_flooding_senders_are_held_while_the_journal_is_behind() -> None:
    world = World()
    bob = world.terminal("bob")
    world.journal.shut = True
    bob.says("first")
    for _ in range(10_002):
        world.terminals.line(bob.session, b"x")
    assert bob.session.held
    world.journal.let()
    world.run()
    assert not bob.session.held
    assert world.hub.rooms["lobby"].log.head == 10_003


def asked_for(world: World) -> list[float]:
    """When the next ticks are due, as they were asked for."""
    return [due for due in world._due if due <= 0]


def test_a_tick_that_leaves_nothing_to_do_asks_for_no_other() -> None:
    world = World()
    world.browser("ana")
    bob = world.terminal("bob")
    world.terminals.line(bob.session, b"hello")
    assert asked_for(world) == [0]
    world._due.clear()
    world.hub.tick()
    assert asked_for(world) == []
    assert world.hub.rooms["lobby"].log.head == 1


def test_what_is_asked_for_within_a_tick_and_not_done_in_it_gets_another() -> None:
    """An answer to what was said makes its author say more, after the commit of that tick."""
    world = World()
    ana = world.browser("ana")
    member = member_of(ana.session, "lobby")
    assert member is not None
    world.hub.say(member, ["first"], id="1")
    world.hub.idempotency.begin((str(ana.session.author), "1"))[0].then(lambda _: world.hub.say(member, ["second"]))
    world._due.clear()
    world.hub.tick()
    assert asked_for(world) == [0]
    world.run()
    assert world.hub.rooms["lobby"].log.head == 2


def test_a_tick_that_fails_does_not_stop_those_after_it() -> None:
    world = World()
    ana = world.browser("ana")

    def fails() -> None:
        ana.session.tell(Notice("told before it failed"))
        raise RuntimeError("a job fails")

    world.hub.clock.later(0, fails)
    world._due.clear()
    with pytest.raises(RuntimeError):
        world.hub.tick()
    world.run()
    assert ana.told("notice")[-1]["text"] == "told before it failed"
    world._due.clear()
    world.hub.clock.soon()
    assert asked_for(world) == [0]
