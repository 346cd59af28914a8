"""Rooms on a journal that nodes share: two hubs over one log, without Redis between them."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from gateway.core.ports.journal import Follower, RoomRecord
from gateway.core.protocol.message import Message
from gateway.errors import BackplaneError, JournalError
from gateway.journal.memory import MemoryJournal
from tests.core.world import World


class Shared:
    """One log, and the nodes that share it."""

    def __init__(self) -> None:
        self.memory = MemoryJournal()
        self.feeds: list[LoggedFeed] = []

    def node(self) -> tuple[World, "LoggedFeed"]:
        """One more node."""
        feed = LoggedFeed()
        self.feeds.append(feed)
        return World(journal=SharedJournal(self, feed), feed=feed), feed


class LoggedFeed:
    """Hands on what it is given; `held` keeps it back meanwhile."""

    def __init__(self) -> None:
        self.follower: Follower | None = None
        self.followed: set[str] = set()
        self.held: list[Message] | None = None

    def follow(self, record: RoomRecord) -> None:
        self.followed.add(record.room)

    def leave(self, room: str) -> None:
        self.followed.discard(room)

    @property
    def told(self) -> Follower:
        assert self.follower is not None
        return self.follower

    def give(self, message: Message) -> None:
        if message.room not in self.followed:
            return
        if self.held is not None:
            self.held.append(message)
        else:
            self.told.arrived(message.room, [message])


class SharedJournal:
    def __init__(self, shared: Shared, feed: LoggedFeed) -> None:
        self._shared = shared
        self._feed = feed
        self.lose: str | None = None
        """Instead of storing: "refuse" or "known"."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shared.memory, name)

    def append(self, batch: list[Message], done: Callable[[list[Message] | JournalError], None]) -> None:
        if self.lose == "refuse":
            for message in batch:
                self._feed.told.refused(message, BackplaneError("Redis is full", "db:6379"))
        elif self.lose == "known":
            for message in batch:
                self._feed.told.known(message, message.room, "earlier-epoch", 41)
        else:
            self._shared.memory.append(batch, lambda _: None)
            for message in batch:
                for feed in self._shared.feeds:
                    own = feed is self._feed
                    feed.give(message if own else msgspec.structs.replace(message, author=0, id=""))
        done(batch)


def test_what_is_said_on_one_node_is_read_on_both_and_acknowledged_by_its_own() -> None:
    shared = Shared()
    (here, _), (there, _) = shared.node(), shared.node()
    ana, bob = here.browser("ana"), there.terminal("bob")
    ana.forget()
    ana.asks(type="say", id="c1", room="lobby", text="hi")
    there.run()
    assert [each["type"] for each in ana.objects] == ["ack", "msg"]
    assert bob.lines == ["ana: hi"]


def test_a_terminal_does_not_get_its_own_line_back_from_the_stream() -> None:
    shared = Shared()
    here, _ = shared.node()
    bob = here.terminal("bob")
    bob.says("hi")
    assert bob.lines == []


def test_a_message_that_was_given_up_and_comes_all_the_same_is_shown_to_its_sender_too() -> None:
    shared = Shared()
    here, feed = shared.node()
    bob = here.terminal("bob")
    feed.told.arrived("lobby", [Message("lobby", 1, "bob", "tcp", "say", "late", seq=1)])
    here.run()
    assert bob.lines == ["bob: late"]


def test_a_message_stored_before_is_acknowledged_with_its_place_and_not_shown() -> None:
    shared = Shared()
    here, _ = shared.node()
    ana = here.browser("ana")
    ana.forget()
    here.journal._journal.lose = "known"  # type: ignore[attr-defined]
    ana.asks(type="say", id="c1", room="lobby", text="hi")
    assert ana.objects == [{"type": "ack", "id": "c1", "room": "lobby", "seq": 41}]
    assert not here.hub.busy


def test_a_refused_message_is_told_without_the_address_of_redis() -> None:
    shared = Shared()
    here, _ = shared.node()
    ana, bob = here.browser("ana"), here.terminal("bob")
    ana.forget()
    here.journal._journal.lose = "refuse"  # type: ignore[attr-defined]
    ana.asks(type="say", id="c1", room="lobby", text="hi")
    bob.says("hi")
    (error,) = ana.objects
    assert (error["code"], error["id"]) == ("backplane", "c1")
    assert "db:6379" not in error["text"]
    assert bob.lines == ["!! backplane: Redis is full; what you sent may not have been posted"]


def test_a_batch_that_redis_did_not_answer_is_refused_and_may_come_later() -> None:
    shared = Shared()
    here, feed = shared.node()
    bob = here.terminal("bob")
    here.journal.fail = True
    bob.says("hi")
    assert [line.partition(":")[0] for line in bob.lines] == ["!! storage"]
    feed.told.arrived("lobby", [Message("lobby", 1, "bob", "tcp", "say", "hi", seq=1)])
    here.run()
    assert bob.lines == ["bob: hi"]


def test_what_nobody_can_read_any_more_is_told_as_a_gap() -> None:
    shared = Shared()
    here, feed = shared.node()
    ana = here.browser("ana")
    ana.forget()
    feed.told.arrived("lobby", [Message("lobby", 1, "eve", "tcp", "say", "one", seq=1)])
    here.run()
    feed.told.arrived("lobby", [Message("lobby", 1, "eve", "tcp", "say", "nine", seq=9)])
    here.run()
    told = [(each["type"], each.get("seq"), each.get("from"), each.get("to")) for each in ana.objects]
    assert told == [("msg", 1, None, None), ("gap", None, 2, 8), ("msg", 9, None, None)]


def test_a_renewed_room_is_told_as_joined_again() -> None:
    shared = Shared()
    here, feed = shared.node()
    ana = here.browser("ana")
    ana.forget()
    feed.told.renewed(RoomRecord("lobby", "another-epoch", 1, 0, "", ()))
    here.run()
    (joined,) = ana.told("joined")
    assert (joined["epoch"], joined["recovered"]) == ("another-epoch", False)


def test_topics_and_removals_of_another_node_are_told_here() -> None:
    shared = Shared()
    (here, _), (there, feed) = shared.node(), shared.node()
    here.terminal("eve").says("secret")
    there.run()
    bob = there.terminal("bob")
    shared.memory.remove("lobby", 1, 5, "ana", "spam").then(feed.told.removed)  # type: ignore[arg-type]
    feed.told.topic_set("lobby", "tea", "ana")
    there.run()
    assert bob.lines == ["-- message 1 was removed: spam", "-- ana set the topic: tea"]
    assert there.hub.rooms["lobby"].log.last(1)[0].text == ""


def test_what_was_missed_of_topics_and_removals_is_read_afresh() -> None:
    shared = Shared()
    (here, _), (there, feed) = shared.node(), shared.node()
    here.terminal("eve").says("secret", "kept")
    bob = there.terminal("bob")
    bob.transport.taken = b""
    shared.memory.remove("lobby", 1, 5, "ana", "spam")
    shared.memory.set_topic("lobby", "tea")
    for _ in range(2):
        feed.told.missed()
        there.run()
    assert bob.lines == ["-- somebody on another node set the topic: tea", "-- message 1 was removed: spam"]


def test_a_removal_that_the_store_has_lost_is_made_again_and_no_other_message_is_removed() -> None:
    shared = Shared()
    (here, _), (there, other) = shared.node(), shared.node()
    here.terminal("eve").says("secret", "mistake")
    there.run()
    for seq in (1, 2):
        shared.memory.remove("lobby", seq, 5, "ana", "spam").then(other.told.removed)  # type: ignore[arg-type]
    held = shared.memory._rooms["lobby"]
    held.removed.clear()
    held.messages[0].text, held.messages[0].redacted = "secret", ""
    held.messages[1].text, held.messages[1].redacted, held.messages[1].ts = "said since under its number", "", 9

    other.told.forgotten()

    assert [each.text for each in held.messages] == ["", "said since under its number"]
    assert held.removed[1].reason == "spam"


@pytest.mark.parametrize("comes", [True, False])
def test_a_page_that_has_read_more_than_this_node_goes_on_when_the_node_has_it_too(comes: bool) -> None:
    shared = Shared()
    (here, _), (there, feed) = shared.node(), shared.node()
    feed.held = []
    here.terminal("eve").says("one", "two")
    cluster: Any = SimpleNamespace(node="b")
    there.hub.cluster = cluster
    page = there.browser(rooms=[{"room": "lobby", "epoch": there.hub.rooms["lobby"].epoch, "after": 2 if comes else 9}])
    there.later(0.1)
    assert not page.told("joined")
    feed.told.arrived("lobby", feed.held)
    there.later(0.1 if comes else 3.0)
    (joined,) = page.told("joined")
    assert (joined["head"], joined["recovered"]) == (2, comes)


def test_only_rooms_in_memory_are_followed() -> None:
    shared = Shared()
    here, feed = shared.node()
    bob = here.terminal("bob")
    assert feed.followed == {"lobby"}
    bob.says("/join ops")
    assert feed.followed == {"lobby", "ops"}
    bob.says("/join lobby")
    assert feed.followed == {"lobby"}
    feed.told.arrived("ops", [Message("ops", 1, "eve", "tcp", "say", "late", seq=1)])  # it was on its way


def test_a_room_that_is_put_back_goes_on_where_it_was(monkeypatch: Any) -> None:
    shared = Shared()
    here, feed = shared.node()
    followed: list[RoomRecord] = []
    monkeypatch.setattr(feed, "follow", followed.append)
    room = here.hub.rooms["lobby"]
    here.hub.rooms.keep(room)
    assert [(each.room, each.head) for each in followed] == [("lobby", 0)]
    assert replace(followed[0], recent=()) == RoomRecord("lobby", room.epoch, 1, 0, "", ())


def test_a_topic_that_the_store_has_lost_is_stored_again() -> None:
    shared = Shared()
    here, feed = shared.node()
    here.terminal("bob").says("/topic tea at five")
    shared.memory.set_topic("lobby", "")

    feed.told.renewed(RoomRecord("lobby", "another-epoch", 1, 0, "", ()))
    feed.told.forgotten()

    stored: list[Any] = []
    shared.memory.open("lobby", 0).then(stored.append)
    assert stored[0].topic == here.hub.rooms["lobby"].topic == "tea at five"
