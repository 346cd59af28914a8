"""A browser in as many rooms as allowed, and the list of rooms."""

from gateway.core.answer import Answer
from gateway.core.doors.join import ROOMS_PER_SESSION
from gateway.core.ports.journal import RoomRecord
from gateway.errors import JournalError
from gateway.journal.memory import MemoryJournal
from tests.core.world import Peer, World

FULL = [{"room": f"r{number}"} for number in range(ROOMS_PER_SESSION)]


def browser_in_every_room_it_may_have() -> Peer:
    peer = World().browser("ana", rooms=FULL)
    peer.forget()
    return peer


def test_a_refused_join_leaves_no_room_behind() -> None:
    peer = browser_in_every_room_it_may_have()
    peer.asks(type="join", room="one-more")
    assert [answer["code"] for answer in peer.told("error")] == ["room_limit"]
    assert "one-more" not in peer.world.hub.rooms


def test_a_room_it_is_in_can_be_joined_again() -> None:
    peer = browser_in_every_room_it_may_have()
    peer.asks(type="join", room="r7")
    assert [answer["room"] for answer in peer.told("joined")] == ["r7"]


def test_hello_with_too_many_rooms_enters_those_it_may() -> None:
    peer = World().browser("ana", rooms=[*FULL, {"room": "one-more"}])
    types = [answer["type"] for answer in peer.objects]
    assert (types.count("joined"), types.count("error")) == (ROOMS_PER_SESSION, 1)


def test_hello_is_told_every_error_before_the_first_room() -> None:
    peer = World().browser("ana", rooms=[*FULL, {"room": "-no-name"}])
    assert [answer["type"] for answer in peer.objects][:3] == ["welcome", "error", "joined"]

    peer = World().browser("ana", rooms=[*FULL, {"room": "one-more"}])
    assert [answer["type"] for answer in peer.objects][:3] == ["welcome", "error", "joined"]


def test_an_empty_room_says_when_it_was_talked_in_last() -> None:
    world = World()
    ana = world.terminal("ana")
    ana.says("/join ops", "the release is out", "/join void", "/topic nothing yet", "/join lobby")
    world.clock.now += 2 * 86_400 + 60
    ana.forget()
    ana.says("/rooms")
    assert ana.lines == ["-- #lobby  1 person", "-- #ops  empty, last word 2d 00h ago", "-- #void  empty  nothing yet"]


def test_a_room_that_many_ask_for_at_once_is_read_once() -> None:
    journal = MemoryJournal()
    held: list[tuple[str, Answer[RoomRecord | JournalError]]] = []
    read = journal.open

    def open_later(room: str, recent: int) -> Answer[RoomRecord | JournalError]:
        answer: Answer[RoomRecord | JournalError] = Answer()
        held.append((room, answer))
        return answer

    world = World(journal=journal)
    journal.open = open_later  # type: ignore[method-assign]
    pages = [world.browser(nick, rooms=[{"room": "ops"}]) for nick in ("ana", "bob")]
    assert [room for room, _ in held] == ["ops"]
    read("ops", 0).then(held[0][1].set)
    world.run()
    assert [page.told("joined")[0]["room"] for page in pages] == ["ops", "ops"]
    world.browser("kim", rooms=[{"room": "void"}])
    assert [room for room, _ in held] == ["ops", "void"]
