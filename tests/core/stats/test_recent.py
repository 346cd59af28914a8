"""What is kept of connections that have closed, and the feed of events."""

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.stats.recent import KEPT, REFUSALS_BURST, ROOMS_KEPT, WORDS_KEPT
from tests.core.world import World


def test_a_closed_connection_keeps_what_the_table_shows() -> None:
    world = World()
    ana = world.browser("ana", rooms=[{"room": "lobby"}, {"room": "ops"}])
    ana.asks(type="say", room="ops", text="hi")
    world.clock.now += 12
    world.hub.close(ana.session, CloseReason.KICKED, "spam")
    (row,) = world.hub.stats.closed.last
    assert (row.id, row.nick, row.door, row.rooms, row.address) == (
        ana.session.id, "ana", Door.WEB, ("lobby", "ops"), "127.0.0.1",
    )  # fmt: skip
    assert (row.closing, row.words, row.closed_at - row.connected_at) == (CloseReason.KICKED, "spam", 12_000)
    assert (row.messages_in, row.messages_out, row.bytes_out) == (1, 1, ana.session.bytes_out)


def test_only_the_last_thousand_are_kept_but_all_are_counted() -> None:
    world = World()
    for _ in range(KEPT + 5):
        world.hub.disconnect(world.terminal(quiet=False).session, CloseReason.LOST)
    assert len(world.hub.stats.closed.last) == KEPT
    assert world.hub.stats.closed.last[-1].number - world.hub.stats.closed.last[0].number == KEPT - 1
    assert world.hub.stats.closed.counts == {(Door.TCP, CloseReason.LOST): KEPT + 5}


def test_texts_of_a_row_are_bounded() -> None:
    world = World()
    ana = world.browser(rooms=[{"room": f"r{number}"} for number in range(50)])
    world.hub.close(ana.session, CloseReason.KICKED, "x" * 10_000)
    (row,) = world.hub.stats.closed.last
    assert (len(row.words), len(row.rooms)) == (WORDS_KEPT, ROOMS_KEPT)


def test_a_rejected_connection_is_counted_without_a_row() -> None:
    world = World()
    world.hub.stats.refused(Door.WEB, "192.0.2.1", CloseReason.TOO_MANY, "16 already")
    assert world.hub.stats.closed.counts == {(Door.WEB, CloseReason.TOO_MANY): 1}
    assert not world.hub.stats.closed.last


def test_the_feed_is_read_on_from_where_it_was_left() -> None:
    world = World()
    ring = world.hub.stats.recent
    for number in range(10):
        ring.note(0, "storage", str(number))
    first, found = ring.after(ring.last - 3, 2)
    assert (first, [each.detail for each in found]) == (ring.last - 2, ["7", "8"])
    assert ring.after(ring.last, 5)[1] == []


def test_the_feed_knows_what_has_left_it() -> None:
    world = World()
    ring = world.hub.stats.recent
    for number in range(10_000):
        ring.note(0, "storage", str(number))
    first, found = ring.after(0, 1)
    assert first == ring.last - len(ring) + 1 and len(found) == 1


def test_a_flood_of_refused_newcomers_does_not_wash_the_feed_out() -> None:
    world = World()
    for _ in range(5000):
        world.hub.stats.refused(Door.TCP, "10.0.0.1", CloseReason.FULL, "")
    found = [each for each in world.hub.stats.recent if each.event == "refused"]
    assert len(found) <= REFUSALS_BURST + 1
    world.later(60)
    world.hub.stats.refused(Door.TCP, "10.0.0.1", CloseReason.FULL, "")
    assert list(world.hub.stats.recent)[-1].detail.startswith("10.0.0.1 (tcp): full, and 49")


def test_the_feed_tells_when_the_journal_fails_and_when_it_works_again() -> None:
    world = World()
    bob = world.terminal("bob")
    world.journal.fail = True
    bob.says("one", "two")
    world.journal.fail = False
    world.later(10)
    bob.says("three")
    found = [each.detail for each in world.hub.stats.recent if each.event == "storage"]
    assert found == ["messages cannot be stored: disk full", "messages are stored again"]
