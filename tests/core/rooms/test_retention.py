"""Messages that are too old are deleted everywhere."""

from gateway.core.rooms.retention import Retention
from tests.core.world import World


def test_old_messages_leave_the_journal_and_the_log() -> None:
    world = World()
    keeper = Retention(world.journal, world.hub.rooms, 60, world.hub.clock)
    keeper.start()
    bob = world.terminal("bob")
    bob.says("old")
    world.later(50)
    bob.says("young")
    world.later(20)
    bob.says("/history")
    assert [line.partition("] ")[2] for line in bob.lines] == ["bob: young"]
    ana = world.browser("ana")
    assert [(each["first"], each["head"]) for each in ana.told("joined")] == [(2, 2)]


def test_a_resume_over_what_was_forgotten_is_told_the_gap() -> None:
    world = World()
    bob = world.terminal("bob")
    bob.says("1", "2")
    epoch = world.hub.rooms["lobby"].epoch
    world.later(50)
    bob.says("3")
    Retention(world.journal, world.hub.rooms, 30, world.hub.clock).start()
    ana = world.browser("ana", rooms=[{"room": "lobby", "epoch": epoch, "after": 1}])
    told = [each for each in ana.objects if each["type"] in ("gap", "msg")]
    assert [(each["type"], each.get("from"), each.get("seq")) for each in told] == [("gap", 2, None), ("msg", None, 3)]
