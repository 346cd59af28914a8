"""What happened to one person within a second is one piece of news, or none."""

import random

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.rooms.presence import Presences
from tests.core.world import Peer, World


def test_a_listed_member_leaves_under_the_name_that_people_know() -> None:
    presences = Presences("lobby")
    presences.renamed("guest-4f2a", "zoe", announced=False, listed_as="guest-4f2a")
    presences.left("zoe", announced=False, listed_as="guest-4f2a")
    pages, _ = presences.take(1)
    assert (pages.left, pages.renamed) == (["guest-4f2a"], [])


def test_pages_that_know_different_names_of_somebody_all_follow_the_next_one() -> None:
    presences = Presences("lobby")
    presences.renamed("guest-4f2a", "nora", announced=False, listed_as="guest-4f2a")
    presences.renamed("nora", "noemi", announced=False, listed_as="nora")  # another page has just come and read a list
    presences.renamed("noemi", "nina", announced=False, listed_as="nora")
    pages, lines = presences.take(2)
    assert pages.left == [] and {(each.old, each.new) for each in pages.renamed} == {
        ("guest-4f2a", "nina"),
        ("nora", "nina"),
    }
    assert lines is not None and lines.renamed == []


class Page:
    """A page's list of members, kept as the protocol tells it."""

    def __init__(self, world: World) -> None:
        self.peer = world.browser()
        self.names: set[object] = set()
        self.look()

    def look(self) -> None:
        for event in self.peer.objects:
            if event["type"] == "joined":
                self.names = {each["nick"] for each in event["members"]}
            elif event["type"] == "presence":
                self.names -= set(event["left"])
                for change in event["renamed"]:
                    self.names.discard(change["from"])
                    self.names.add(change["to"])
                self.names |= {each["nick"] for each in event["joined"]}


@pytest.mark.parametrize("seed", range(4))
def test_lists_of_members_are_right_again_when_a_crowd_is_over(seed: int) -> None:
    dice, world = random.Random(seed), World()
    pages = [Page(world) for _ in range(3)]
    others: list[Peer] = []
    for size in (30, 60, 52, 45, 60, 20):
        while abs(len(others) - size) > 2:
            if len(others) > size or (others and dice.random() < 0.2):
                peer = others.pop(dice.randrange(len(others)))
                world.hub.disconnect(peer.session, CloseReason.LEFT)
            else:
                others.append(world.terminal(quiet=False) if dice.random() < 0.5 else world.browser())
            if others and dice.random() < 0.3:
                world.hub.rename(dice.choice(others).session, f"n{dice.randrange(10**6)}")
            if dice.random() < 0.2:
                world.later(dice.choice((0.05, 0.5, 1.0)))
        pages.append(Page(world))
        for page in pages:
            page.look()
    world.later(5)

    here = {session.nick for session in world.hub.sessions.values()}
    assert len(here) < 40
    for page in pages:
        page.look()
        assert page.names == here


def test_a_new_name_of_somebody_never_announced_is_told_to_pages_and_not_to_terminals() -> None:
    world = World()
    reader, newcomer = world.terminal("reader"), world.browser("early")
    page = world.browser("page")
    world.later(0.5)
    page.forget()
    newcomer.asks(type="nick", nick="later")
    world.later(1.2)
    assert [each["renamed"] for each in page.told("presence") if each["renamed"]] == [
        [{"from": "early", "to": "later"}]
    ]
    assert not [line for line in reader.lines if "early" in line]


def test_somebody_who_spoke_at_once_and_stays_has_new_names_told_to_terminals() -> None:
    world = World()
    reader, newcomer = world.terminal("reader"), world.terminal("early")
    newcomer.says("hello")
    world.later(4)
    newcomer.says("/nick later")
    world.later(2)
    world.hub.disconnect(newcomer.session, CloseReason.LEFT)
    world.later(2)
    assert reader.lines == ["early: hello", "-- early is now later", "-- later left"]


def test_a_terminal_that_takes_a_name_before_it_is_announced_is_news_to_pages_only_under_that_name() -> None:
    world = World()
    page = world.browser("page", rooms=[{"room": "ops"}])
    world.later(5)
    page.forget()
    newcomer = world.terminal()
    newcomer.says("/join ops", "/nick nina")  # it is told how many are here, and no names
    world.later(5)
    told = page.told("presence")
    assert [each["renamed"] for each in told] == [[]]
    assert [each["joined"] for each in told] == [[{"nick": "nina", "door": "tcp"}]]


def test_a_newcomer_that_speaks_while_its_join_waits_to_be_told_is_not_announced_behind_its_words() -> None:
    world = World()
    reader, page = world.terminal("reader"), world.browser("page")
    world.later(5)
    first = world.terminal("first")
    world.later(0.3)
    second = world.terminal("second")
    world.later(2.1)  # the first has been told just now, so the second, whose time has come, waits for a second
    page.forget()
    second.says("hello")
    world.later(2)
    lines = reader.lines
    assert "-- first joined (tcp)" in lines
    assert [line for line in lines if "second" in line] == ["second: hello"]
    assert {"nick": "second", "door": "tcp"} in [each for told in page.told("presence") for each in told["joined"]]
    world.hub.disconnect(second.session, CloseReason.LEFT)
    world.hub.disconnect(first.session, CloseReason.LEFT)
    world.later(2)
    assert reader.lines == ["-- first left"]


def named(page: Peer) -> list[str]:
    """The names in the list that came with the last room joined."""
    return [str(each["nick"]) for each in page.told("joined")[-1]["members"]]


def test_who_comes_into_a_full_room_gets_the_list_that_was_made_for_the_one_before() -> None:
    world = World()
    crowd = [world.terminal(f"n{number}", quiet=False) for number in range(210)]
    attendance = world.hub.rooms["lobby"].attendance
    assert named(world.browser()) == [f"n{number}" for number in range(200)]
    made = attendance.listed()
    world.browser()
    assert attendance.listed() is made
    world.hub.rename(crowd[3].session, "renamed")
    assert named(world.browser())[:5] == ["n0", "n1", "n2", "renamed", "n4"]
    world.hub.disconnect(crowd[0].session, CloseReason.LEFT)
    assert named(world.browser())[:3] == ["n1", "n2", "renamed"]
    assert named(world.browser())[-1] == "n200"


def test_the_list_puts_a_person_where_their_latest_connection_stands_also_in_a_full_room() -> None:
    world = World()
    ana = world.browser("ana")
    token = ana.told("welcome")[-1]["token"]
    for number in range(210):
        world.terminal(f"n{number}", quiet=False)
    assert named(world.browser())[0] == "ana"
    world.browser(token=token)
    assert named(world.browser())[0] == "n0"


def test_a_half_closed_peer_is_noted_as_listed_again_when_a_newcomer_is_shown_it() -> None:
    world = World()
    crowd = [world.terminal(f"n{number}", quiet=False) for number in range(210)]
    world.browser()
    world.journal.shut = True
    crowd[5].says("my last words")  # until they are stored it stays
    world.hub.half_closed(crowd[5].session)  # its leave is told now, to those who were shown its name
    member = world.hub.rooms["lobby"].members[crowd[5].session]
    assert member.listed_as is None
    assert "n5" in named(world.browser())
    assert member.listed_as == "n5"
