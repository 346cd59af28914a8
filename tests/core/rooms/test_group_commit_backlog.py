"""A slow journal: the session that asked may be gone when it answers."""

from gateway.core.answer import Answer
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.rooms.history import Past, Range
from gateway.errors import Refusal
from tests.core.world import World


def test_a_session_that_left_while_its_room_opened_is_not_in_it() -> None:
    world = World()
    bob = world.terminal("bob")
    bob.says("/join ops", "1", "2")
    epoch = world.hub.rooms["ops"].epoch
    bob.says("/join lobby")
    ana, opens = world.browser("ana"), []
    really_open = world.journal.open

    def open_later(room: str, recent: int) -> Answer[object]:
        later: Answer[object] = Answer()
        opens.append(lambda: really_open(room, recent).then(later.set))
        return later

    world.journal.open = open_later  # type: ignore[attr-defined]
    ana.asks(type="join", room="ops", epoch=epoch, after=1)
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    opens[0]()
    world.run()

    assert "ops" not in world.hub.rooms


def test_a_session_that_changed_rooms_while_greeted_is_not_shown_the_lobby() -> None:
    world = World()
    bob, reads = world.terminal("bob"), []
    bob.says("old")
    eve = world.terminal("eve", quiet=False)
    really_read = world.hub.history.read

    def read_later(name: str, wanted: Range) -> Answer[Past | Refusal]:
        later: Answer[Past | Refusal] = Answer()
        reads.append(lambda: really_read(name, wanted).then(later.set))
        return later

    world.hub.history.read = read_later  # type: ignore[method-assign]
    world.later(0.2)
    world.hub.history.read = really_read  # type: ignore[method-assign]
    eve.says("/join ops")
    reads[0]()
    world.run()

    assert not any("bob: old" in line for line in eve.lines)
