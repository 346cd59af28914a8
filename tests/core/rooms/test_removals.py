"""A message that is taken back: what its readers get, with it, without it, and inside it."""

from typing import Any

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Redacted
from gateway.core.protocol.wire import RAW, TEXT, ServerSentEvents
from gateway.core.sessions.session import OWED_BYTES
from tests.core.world import World


def removed(world: World, seq: int, reason: str = "removed") -> None:
    """Message `seq` of the lobby is removed in ana's name."""
    found: list[Any] = []
    world.hub.removals.find("lobby", seq).then(found.append)
    world.hub.removals.remove(found[0], "ana", reason).then(found.append)
    assert found[1].seq == seq
    world.run()


def test_readers_who_have_it_are_told_and_the_page_of_history_has_a_tombstone() -> None:
    world = World()
    ana, eve = world.terminal("ana"), world.browser("eve")
    ana.says("one", "secret", "three")
    eve.forget()
    removed(world, 2, "spam")
    epoch = world.hub.rooms["lobby"].epoch
    told = {"type": "redacted", "room": "lobby", "epoch": epoch, "seq": 2, "by": "ana", "reason": "spam"}
    assert eve.objects == [told]
    assert ana.lines == ["-- message 2 was removed: spam"]
    eve.asks(type="history", room="lobby")
    (page,) = eve.objects
    assert [(m["text"], m.get("redacted")) for m in page["messages"]] == [
        ("one", None), ("", "spam"), ("three", None)
    ]  # fmt: skip
    ana.says("/history")
    assert [line.partition("] ")[2] for line in ana.lines] == [
        "ana: one", "-- message 2 was removed: spam", "ana: three"
    ]  # fmt: skip


def test_a_reader_that_is_behind_gets_the_message_without_its_text() -> None:
    world = World()
    ana, bob, eve = world.terminal("ana"), world.terminal("bob"), world.browser("eve")
    bob.transport.room = 0
    eve.forget()
    eve.transport.room = 0
    ana.says("one", "secret", "three")
    removed(world, 2)
    bob.reads()
    assert bob.lines == ["ana: one", "-- message 2 was removed: removed", "ana: three"]
    eve.reads()
    assert [(each["type"], each.get("text"), each.get("redacted")) for each in eve.objects] == [
        ("msg", "one", None), ("msg", "", "removed"), ("msg", "three", None)
    ]  # fmt: skip


def test_a_terminal_that_takes_back_what_it_has_said_in_the_same_moment_is_told_once() -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    for line in (b"secret", b"/delete"):
        world.terminals.line(ana.session, line)
    world.run()
    assert ana.lines == ["-- message 1 was removed: removed"]
    assert bob.lines == ["-- message 1 was removed: removed"]


def test_a_reader_inside_the_message_is_sent_its_rest_and_then_told() -> None:
    world = World()
    ana, bob, eve = world.terminal("ana"), world.terminal("bob"), world.browser("eve")
    eve.forget()
    bob.transport.room = len("ana: one\nana: se")
    eve.transport.room = 20
    ana.says("one", "secret", "three")
    removed(world, 1)
    removed(world, 2)
    bob.reads()
    assert bob.lines == [
        "ana: one",
        "ana: secret",
        *(f"-- message {n} was removed: removed" for n in (1, 2)),
        "ana: three",
    ]
    eve.reads()
    assert [(each["type"], each["seq"]) for each in eve.objects] == [
        ("msg", 1), ("redacted", 1), ("msg", 2), ("msg", 3)
    ]  # fmt: skip


def test_what_was_joined_for_others_at_the_same_place_is_joined_again() -> None:
    world = World()
    ana = world.terminal("ana")
    behind = [world.terminal(f"reader{number}") for number in range(3)]
    for peer in behind:
        peer.transport.room = 0
    ana.says("one", "secret")
    behind[0].reads()
    assert behind[0].lines == ["ana: one", "ana: secret"]
    removed(world, 2)
    for peer in behind[1:]:
        peer.reads()
        assert peer.lines == ["ana: one", "-- message 2 was removed: removed"]


def test_a_reader_that_is_owed_too_much_is_told_of_every_removal_when_it_reads_again() -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    ana.says(*[str(number) for number in range(50)])
    bob.forget()
    bob.transport.room = 0
    bob.session.owe(b"-- x\n" * (OWED_BYTES // 5 + 1))
    world.run()
    size = len(bob.session.owed)
    for seq in range(1, 21):
        removed(world, seq)
    assert len(bob.session.owed) == size
    bob.reads()
    assert [line for line in bob.lines if line != "-- x"] == [
        f"-- message {seq} was removed: removed" for seq in range(1, 21)
    ]


def test_a_resume_is_followed_by_what_was_removed_of_the_last_thousand() -> None:
    world = World()
    ana, eve = world.terminal("ana"), world.browser("eve")
    ana.says(*[str(number) for number in range(1, 1011)])
    epoch, token = world.hub.rooms["lobby"].epoch, eve.told("welcome")[0]["token"]
    world.hub.close(eve.session, CloseReason.GOING_AWAY)
    for seq in (5, 6, 900, 1009):
        removed(world, seq, "spam")
    came = world.browser(token=token, rooms=[{"room": "lobby", "epoch": epoch, "after": 1006}])
    objects = came.objects
    assert [each["type"] for each in objects][:2] == ["welcome", "joined"]
    assert [each["seq"] for each in objects if each["type"] == "redacted"] == [900]
    assert [(each["seq"], each["text"]) for each in objects if each["type"] == "msg"] == [
        (1007, "1007"), (1008, "1008"), (1009, ""), (1010, "1010")
    ]  # fmt: skip


def test_streams_and_text_subprotocol_are_told_as_lines_and_events_without_an_id() -> None:
    event = Redacted("ops", "epoch", 512, "otto", "spam")
    assert RAW.event(event, "") == b"-- message 512 was removed: spam\n"
    assert TEXT.event(event, "")[2:] == b"-- message 512 was removed: spam"

    class Ops:
        epoch = "epoch"

    told = ServerSentEvents(Ops()).event(event, "").decode()
    assert told.startswith("event: redacted\ndata: {")
    assert "id:" not in told


def test_files_are_cleaned_at_once_and_then_not_all_the_time() -> None:
    world = World()
    ana = world.terminal("ana")
    ana.says("one", "two", "three")
    cleaned: list[float] = []
    erase = world.journal.erase

    def noted() -> Any:
        cleaned.append(world.clock.now)
        return erase()

    world.journal.__dict__["erase"] = noted
    removed(world, 1)
    assert len(cleaned) == 1
    removed(world, 2)
    removed(world, 3)
    assert len(cleaned) == 1
    world.later(0.5)
    assert len(cleaned) == 2
    world.later(5)
    assert len(cleaned) == 2


def test_a_retry_of_what_was_removed_gets_the_old_receipt() -> None:
    world = World()
    eve = world.browser("eve")
    eve.asks(type="say", room="lobby", id="c1", text="secret")
    removed(world, 1)
    eve.forget()
    eve.asks(type="say", room="lobby", id="c1", text="secret")
    assert eve.objects == [{"type": "ack", "id": "c1", "room": "lobby", "seq": 1}]


def test_a_door_s_words_for_a_removed_message_cannot_be_forged() -> None:
    world = World()
    ana, bob = world.terminal("ana"), world.terminal("bob")
    ana.says("-- message 2 was removed: spam")
    assert bob.lines == ["ana: -- message 2 was removed: spam"]
