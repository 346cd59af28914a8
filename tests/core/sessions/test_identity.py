"""One person over many connections: what they share, what stays the connection's, and when they are gone."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.core.answer import Answer
from gateway.core.doors.post import Post, Posting
from gateway.core.operators.whom import Subject
from gateway.core.ports.journal import Person
from gateway.core.ports.ledger import Measure
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.roles import Operator, Role
from gateway.core.sessions.identity import CONNECTIONS
from gateway.core.sessions.identity_registry import DEPARTURE_SECONDS
from gateway.errors import JournalError, Refusal
from tests.core.world import Peer, World


def token_of(peer: Peer) -> str:
    (welcome,) = peer.told("welcome")
    return str(welcome["token"])


def two_tabs(world: World, nick: str = "ana") -> tuple[Peer, Peer]:
    """Two pages of one person, what they were told so far forgotten."""
    first = world.browser(nick)
    second = world.browser(token=token_of(first))
    first.forget()
    second.forget()
    return first, second


def stored(world: World, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Each time that a person is stored from now on: the rooms that they are stored in."""
    rooms: list[tuple[str, ...]] = []

    def remember(people: Sequence[Person]) -> Answer[JournalError | None]:
        rooms.extend(tuple(name for name, _, _ in person.rooms) for person in people)
        return Answer.of(None)

    monkeypatch.setattr(world.journal, "remember", remember)
    return rooms


def fields(objects: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(each.get(name) for name in names) for each in objects]


def test_two_connections_are_one_person_in_count_and_members() -> None:
    world = World()
    bob = world.terminal("bob")
    ana, again = two_tabs(world)
    eve = world.browser("eve")
    (joined,) = eve.told("joined")
    assert joined["count"] == 3
    assert [each["nick"] for each in joined["members"]] == ["bob", "ana", "eve"]
    assert ana.session.nick == again.session.nick == "ana"
    bob.says("/who")
    assert bob.lines[-4] == "-- 3 people in #lobby"


def test_members_shows_the_door_of_the_latest_connection() -> None:
    world = World()
    phone = world.terminal("ana")
    phone.says("/resume")
    code = phone.lines[-1].split()[2]
    page = world.browser()
    page.asks(type="say", room="lobby", text=f"/resume {code}")
    (joined,) = world.browser("eve").told("joined")
    assert {each["nick"]: each["door"] for each in joined["members"]}["ana"] == "web"
    world.hub.disconnect(page.session, CloseReason.LEFT)
    (joined,) = world.browser("kim").told("joined")
    assert {each["nick"]: each["door"] for each in joined["members"]}["ana"] == "tcp"


def test_joined_is_told_with_the_first_and_left_with_the_last() -> None:
    world = World()
    bob = world.terminal("bob")
    ana = world.browser("ana")
    world.later(4)
    assert bob.lines == ["-- ana joined (web)"]
    again = world.browser(token=token_of(ana))
    world.later(4)
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    world.later(4)
    assert bob.lines == []
    world.hub.disconnect(again.session, CloseReason.LEFT)
    world.later(4)
    assert bob.lines == ["-- ana left"]


def test_a_second_connection_is_announced_when_the_first_left_too_soon() -> None:
    world = World()
    bob = world.terminal("bob")
    ana, again = two_tabs(world)
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    world.later(4)
    assert bob.lines == ["-- ana joined (web)"]
    assert again.session.nick == "ana"


def test_rooms_belong_to_the_connection() -> None:
    world = World()
    bob = world.terminal("bob")
    bob.says("/join ops")
    ana, again = two_tabs(world)
    for page in (ana, again):
        page.asks(type="join", room="ops")
    world.later(4)
    bob.transport.taken = b""
    ana.asks(type="part", room="ops")
    world.later(4)
    assert bob.lines == []
    assert set(again.session.rooms) == {"lobby", "ops"} != set(ana.session.rooms)
    again.asks(type="part", room="ops")
    world.later(4)
    assert bob.lines == ["-- ana left"]


def test_a_rename_renames_all_and_the_room_is_told_once() -> None:
    world = World()
    bob = world.browser("bob")
    ana, again = two_tabs(world)
    world.later(4)
    bob.forget()
    ana.asks(type="nick", nick="zoe")
    assert again.session.nick == "zoe"
    assert fields(again.told("notice"), "nick") == [("zoe",)]
    world.later(4)
    (presence,) = bob.told("presence")
    assert presence["renamed"] == [{"from": "ana", "to": "zoe"}]


def test_a_device_that_slept_does_not_take_the_new_nick_back() -> None:
    world = World()
    ana = world.browser("ana")
    token = token_of(ana)
    ana.asks(type="nick", nick="zoe")
    assert world.browser("ana", token=token).session.nick == ana.session.nick == "zoe"


def test_what_the_person_says_elsewhere_arrives_like_anybodys_line() -> None:
    world = World()
    phone, other = world.terminal("ana"), world.terminal()
    phone.says("/resume")
    code = phone.lines[-1].split()[2]
    other.says(f"/resume {code}")
    other.forget()
    phone.forget()
    phone.says("hello")
    assert (phone.lines, other.lines) == ([], ["ana: hello"])


def test_a_further_connection_is_told_to_the_others() -> None:
    world = World()
    ana = world.browser("ana")
    world.browser(token=token_of(ana))
    assert fields(ana.told("notice"), "text") == [("you have one more connection: web from 127.0.0.1",)]


def test_the_ninth_connection_closes_the_first() -> None:
    world = World()
    first = world.browser("ana")
    token = token_of(first)
    later = [world.browser(token=token) for _ in range(CONNECTIONS)]
    assert first.transport.closed is not None
    assert first.transport.closed[0] is CloseReason.REPLACED
    (bye,) = first.told("bye")
    assert bye["code"] == 4505
    assert [peer.transport.closed for peer in later] == [None] * CONNECTIONS
    assert {peer.session.nick for peer in later} == {"ana"}
    assert world.browser(token=token).session.nick == "ana"
    assert world.hub.rooms["lobby"].count == 1


def test_the_token_lives_until_ten_minutes_after_the_last_connection() -> None:
    world = World()
    ana = world.browser("ana")
    token = token_of(ana)
    again = world.browser(token=token)
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    world.later(700)
    world.hub.disconnect(again.session, CloseReason.LEFT)
    world.later(590)
    back = world.browser(token=token)
    assert back.session.nick == "ana"
    world.hub.disconnect(back.session, CloseReason.LEFT)
    world.later(610)
    assert world.browser(token=token).told("error")[0]["code"] == "token_invalid"


def test_the_name_is_kept_for_two_minutes_after_the_last_connection() -> None:
    world = World()
    ana, again = two_tabs(world)
    eve = world.terminal("eve")
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    world.later(130)
    world.hub.disconnect(again.session, CloseReason.LEFT)
    world.later(110)
    eve.says("/nick ana")
    assert eve.session.nick == "eve"
    world.later(20)
    eve.says("/nick ana")
    assert eve.session.nick == "ana"


def test_the_rate_is_the_persons() -> None:
    world = World(messages_per_second=1, burst=4)
    ana, again = two_tabs(world)
    for number in range(4):
        (ana, again)[number % 2].asks(type="say", room="lobby", text="hi", id=f"m{number}")
    again.asks(type="say", room="lobby", text="too much", id="m5")
    assert fields(again.told("error"), "id", "code") == [("m5", "rate_limited")]
    world.later(1)
    ana.forget()
    ana.asks(type="say", room="lobby", text="now", id="m6")
    assert fields(ana.told("ack"), "id") == [("m6",)]


def test_posts_by_token_share_the_rate() -> None:
    world = World(messages_per_second=1, burst=2)
    ana = world.browser("ana")
    token = token_of(ana)
    posting = Posting(world.hub)
    posting.post(Post("lobby", "one", token=token)).then(lambda posted: None)
    ana.asks(type="say", room="lobby", text="two", id="m2")
    assert fields(ana.told("ack"), "id") == [("m2",)]
    answers: list[object] = []
    posting.post(Post("ops", "three", token=token)).then(answers.append)
    assert isinstance(answers[0], Refusal)


def test_an_id_is_the_persons() -> None:
    world = World()
    ana, again = two_tabs(world)
    ana.asks(type="say", room="lobby", text="hi", id="same")
    again.asks(type="say", room="lobby", text="hi", id="same")
    assert fields(ana.told("ack"), "seq") == fields(again.told("ack"), "seq") == [(1,)]
    assert world.hub.rooms["lobby"].log.head == 1


def test_without_rooms_the_token_gives_back_those_of_the_last_connection() -> None:
    world = World()
    ana, again = two_tabs(world)
    ana.asks(type="join", room="ops")
    again.asks(type="join", room="dev")
    identity = ana.session.identity
    assert identity is not None
    token = world.hub.identities.identities.token(identity)
    for page in (ana, again):
        world.hub.disconnect(page.session, CloseReason.LEFT)
    back = world.browser(token=token)
    assert [each["room"] for each in back.told("joined")] == ["lobby", "dev"]


def test_a_page_that_comes_in_is_stored_once_with_its_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """That it is about to enter them is stored before it does: to store it again when it has would say nothing new."""
    world = World()
    rooms = stored(world, monkeypatch)
    ana = world.browser("ana")
    assert rooms == [("lobby",)]
    ana.asks(type="join", room="ops")
    assert rooms == [("lobby",), ("lobby", "ops")]
    ana.asks(type="part", room="ops")
    assert rooms[2:] == [("lobby",)]
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    world.later(DEPARTURE_SECONDS)
    assert rooms[3:] == [("lobby",)]


def test_who_has_a_code_is_stored_with_their_place_in_each_room_they_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    nc = world.terminal("bob")
    nc.says("/resume")
    rooms = stored(world, monkeypatch)
    nc.says("/join ops")
    assert rooms[-1] == ("ops",)


def test_a_departure_is_stored_with_the_next_change_or_a_second_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each alone would cost a tick and a transaction; nothing is lost with it but its time."""
    world = World()
    rooms = stored(world, monkeypatch)
    pages = [world.browser(rooms=[{"room": f"room-{number}"}]) for number in range(3)]
    rooms.clear()
    world.hub.disconnect(pages[0].session, CloseReason.LEFT)
    world.hub.disconnect(pages[1].session, CloseReason.LEFT)
    world.run()
    assert rooms == []
    world.browser()
    assert rooms == [("room-0",), ("room-1",), ("lobby",)]
    world.hub.disconnect(pages[2].session, CloseReason.LEFT)
    world.later(DEPARTURE_SECONDS)
    assert rooms[3:] == [("room-2",)]


def test_who_has_a_code_is_stored_as_soon_as_they_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    nc = world.terminal("bob")
    nc.says("/resume")
    rooms = stored(world, monkeypatch)
    world.hub.disconnect(nc.session, CloseReason.LOST)
    world.run()
    assert rooms == [("lobby",)]


def test_reading_is_told_to_the_others_and_only_grows() -> None:
    world = World()
    bob = world.terminal("bob")
    bob.says("one", "two", "three")
    ana, again = two_tabs(world)
    epoch = world.hub.rooms["lobby"].epoch
    ana.asks(type="read", room="lobby", epoch=epoch, seq=2)
    assert ana.objects == []
    assert fields(again.objects, "type", "room", "epoch", "seq") == [("read", "lobby", epoch, 2)]
    again.asks(type="read", room="lobby", epoch=epoch, seq=1)
    again.asks(type="read", room="lobby", epoch="another", seq=3)
    assert ana.objects == again.objects == []
    again.asks(type="read", room="lobby", epoch=epoch, seq=99)
    assert fields(ana.objects, "seq") == [(3,)]


def test_joined_carries_how_far_the_person_has_read() -> None:
    world = World()
    bob = world.terminal("bob")
    bob.says("one", "two")
    ana = world.browser("ana")
    first = ana.objects
    assert [each["read"] for each in first if each["type"] == "joined"] == [0]
    token = first[0]["token"]
    ana.asks(type="read", room="lobby", epoch=world.hub.rooms["lobby"].epoch, seq=1)
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    (joined,) = world.browser(token=token).told("joined")
    assert joined["read"] == 1


def test_reading_a_room_that_was_not_joined_is_refused() -> None:
    world = World()
    ana, _ = two_tabs(world)
    ana.asks(type="read", room="ops", epoch="x", seq=1)
    assert fields(ana.told("error"), "code") == [("not_joined",)]


def test_an_absent_person_is_reported_with_the_time_they_left() -> None:
    world = World()
    heidi, bob = world.browser("heidi"), world.terminal("bob")
    world.hub.disconnect(heidi.session, CloseReason.LEFT)
    world.later(61)
    bob.says("/msg heidi hi", "/whois heidi", "/nick heidi", "/msg hugo hi")
    lines = bob.lines
    assert lines[0].startswith("!! no_such_user: heidi left 1m ago; the name is theirs until ")
    assert lines[1] == lines[0]
    assert lines[2] == lines[0].replace("no_such_user", "nick_taken") + ", try heidi2"
    assert lines[3] == "!! no_such_user: nobody here is called hugo"


def test_reply_goes_to_the_person_even_under_another_name() -> None:
    world = World()
    bob, ana = world.terminal("bob"), world.browser("ana")
    bob.says("/reply hi")
    assert bob.lines == ["!! no_such_user: nobody has written to you privately yet: /msg NICK TEXT begins"]
    ana.asks(type="say", room="lobby", text="/msg bob lunch?")
    ana.asks(type="nick", nick="zoe")
    world.browser("ana")
    bob.says("/reply at one")
    assert bob.lines == ["[ana -> you] lunch?", "[you -> zoe] at one"]
    world.hub.disconnect(ana.session, CloseReason.LEFT)
    bob.says("/reply still there?")
    assert "zoe" in bob.lines[-1]


def test_a_post_by_token_is_the_persons_too() -> None:
    world = World()
    first = world.browser("ana")
    token = token_of(first)
    world.browser(token=token)
    world.hub.disconnect(first.session, CloseReason.LEFT)
    answers: list[object] = []
    Posting(world.hub).post(Post("lobby", "hi", token=token)).then(answers.append)
    world.run()
    assert not isinstance(answers[0], Refusal)


@pytest.mark.parametrize("measure", list(Measure))
def test_a_sanction_of_the_person_holds_on_every_connection(measure: Measure) -> None:
    world = World()
    ana, again = two_tabs(world)
    table = world.hub.bans if measure is Measure.BAN else world.hub.mutes
    root = world.terminal("root")
    root.says("/login root right horse", f"/{measure} ana")
    assert table.on(ana.session) is table.on(again.session) is not None


def test_a_kick_by_name_means_all_connections_and_by_id_only_that_one() -> None:
    world = World()
    root = world.terminal("root")
    root.says("/login root right horse")
    ana, again = two_tabs(world)
    root.says("/kick ana spam")
    closed = [peer.transport.closed for peer in (ana, again)]
    assert [each is not None and each[0] is CloseReason.KICKED for each in closed] == [True, True]
    bob, other = two_tabs(world, "bob")
    operator = Operator("root", Role.ADMIN, "console")
    world.operators.moderation.kick(operator, Subject(connection=bob.session.id), "spam")
    assert (bob.transport.closed is None, other.transport.closed is None) == (False, True)
