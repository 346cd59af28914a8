"""People in a room at other nodes: seen, counted and announced like those who are here."""

import sys
from types import FrameType

from gateway.core.ports.cluster import Missed, NodeGone, PeopleThere
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.remote_presence import LISTED
from gateway.core.rooms.presence import CROWD_ABOVE, MEMBERS_LISTED
from tests.core.nodes import Nodes, named
from tests.core.world import World


def wait(nodes: Nodes, seconds: float = 6.0) -> None:
    """Let time pass at all nodes, and what they tell arrive."""
    for _ in range(int(seconds * 4)):
        for world in nodes.worlds:
            world.later(0.25)
        nodes.settle()


def test_people_at_another_node_are_announced_and_counted(nodes: Nodes, here: World, there: World) -> None:
    ana = named(nodes, here, "ana")
    page = here.browser("kim")
    nodes.settle()
    bob = named(nodes, there, "bob")
    wait(nodes)
    assert "-- bob joined (tcp)" in ana.lines
    presence = page.told("presence")[-1]
    assert (presence["joined"], presence["count"]) == ([{"nick": "bob", "door": "tcp"}], 3)

    bob.says("/nick bo")
    nodes.settle()
    wait(nodes)
    assert ana.lines == ["-- bob is now bo"]
    there.hub.disconnect(bob.session, CloseReason.LEFT)
    wait(nodes)
    assert ana.lines == ["-- bo left"]
    assert page.told("presence")[-1]["count"] == 2


def test_a_newcomer_is_shown_the_people_at_another_node(nodes: Nodes, here: World, there: World) -> None:
    named(nodes, here, "ana")
    wait(nodes)
    page = there.browser("kim")
    nodes.settle()
    (joined,) = page.told("joined")
    assert joined["count"] == 2
    assert sorted(each["nick"] for each in joined["members"]) == ["ana", "kim"]


def test_a_room_that_is_opened_later_knows_who_is_there(nodes: Nodes, here: World, there: World) -> None:
    ana = named(nodes, here, "ana")
    ana.says("/join ops")
    nodes.settle()
    wait(nodes)
    page = there.browser("kim", rooms=[{"room": "ops"}])
    nodes.settle()
    (joined,) = page.told("joined")
    assert (joined["count"], sorted(each["nick"] for each in joined["members"])) == (2, ["ana", "kim"])


def test_who_and_rooms_are_of_all_nodes(nodes: Nodes, here: World, there: World) -> None:
    ana, bob = named(nodes, here, "ana"), named(nodes, there, "bob")
    wait(nodes)
    ana.forget()
    ana.says("/who")
    assert ana.lines == [
        "-- 2 people in #lobby",
        "-- ana (you)  >_ tcp     active",
        "-- bob        >_ tcp     at another node",
    ]
    bob.says("/join ops")
    nodes.settle()
    wait(nodes)
    ana.forget()
    ana.says("/rooms")
    nodes.settle()
    assert ana.lines[0] == "-- #lobby  1 person"


def test_one_person_at_two_nodes_counts_once(nodes: Nodes, here: World, there: World) -> None:
    page = here.browser("ana")
    nodes.settle()
    token = page.told("welcome")[0]["token"]
    wait(nodes)
    again = there.browser(token=token)
    nodes.settle()
    wait(nodes)
    assert (here.hub.rooms["lobby"].count, there.hub.rooms["lobby"].count) == (1, 1)
    page.forget()
    there.hub.disconnect(again.session, CloseReason.LEFT)
    wait(nodes)
    assert page.told("presence") == []


def test_a_dead_node_takes_its_people_with_it(nodes: Nodes, here: World, there: World) -> None:
    ana = named(nodes, here, "ana")
    named(nodes, there, "bob")
    wait(nodes)
    ana.forget()
    nodes.clusters["a"].hearers.tell(NodeGone("b"))
    wait(nodes)
    assert ana.lines[0] == "-- bob left"


def test_what_is_told_is_bounded_and_only_what_changed(nodes: Nodes, here: World, there: World) -> None:
    bob = named(nodes, there, "bob")
    wait(nodes)
    told: list[PeopleThere] = []
    nodes.clusters["a"].hear(PeopleThere, told.append)
    for number in range(20):
        bob.says(f"/nick bob{number}")
        nodes.settle()
    wait(nodes, 1.5)
    assert len(told) == 1
    bob.says("/nick bob19", "hello")
    wait(nodes)
    assert len(told) == 1


def test_a_crowd_at_another_node_is_only_counted(nodes: Nodes, here: World, there: World) -> None:
    page = here.browser("kim")
    nodes.settle()
    for _ in range(CROWD_ABOVE + 5):
        there.terminal(quiet=False)
    nodes.settle()
    wait(nodes)
    presence = page.told("presence")[-1]
    assert (presence["joined"], presence["count"]) == ([], CROWD_ABOVE + 6)
    assert len(here.hub.rooms["lobby"].people_elsewhere()) <= LISTED


def test_a_node_that_missed_something_asks_again(nodes: Nodes, here: World, there: World) -> None:
    named(nodes, there, "bob")
    there.later(4)
    nodes.facts.clear()
    there.later(4)
    nodes.facts.clear()
    assert here.hub.rooms["lobby"].count == 0
    nodes.clusters["a"].hearers.tell(Missed())
    wait(nodes)
    assert here.hub.rooms["lobby"].count == 1


def test_a_newcomer_to_a_crowd_is_not_compared_with_everybody_in_it(nodes: Nodes, here: World, there: World) -> None:
    named(nodes, there, "bob")
    wait(nodes)
    for number in range(MEMBERS_LISTED + 100):
        here.browser(f"user-{number}")
    nodes.settle()
    looks = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal looks
        looks += event == "call" and frame.f_code.co_name == "_is_latest"

    sys.setprofile(count)
    try:
        page = here.browser("kim")
        nodes.settle()
    finally:
        sys.setprofile(None)
    assert page.told("joined")[0]["count"] == MEMBERS_LISTED + 102
    assert looks < 20


def test_who_is_typing_is_told_at_the_other_node(nodes: Nodes, here: World, there: World) -> None:
    ana, kim = here.browser("ana"), there.browser("kim")
    reader = named(nodes, there, "bob")
    wait(nodes)
    reader.forget()
    ana.asks(type="typing", room="lobby")
    nodes.settle()
    assert kim.told("typing") == [{"type": "typing", "room": "lobby", "nick": "ana"}]
    assert (ana.told("typing"), reader.lines) == ([], [])


def test_typing_is_told_to_no_node_where_nobody_reads(nodes: Nodes, here: World, there: World) -> None:
    ana = here.browser("ana")
    wait(nodes)
    ana.asks(type="typing", room="lobby")
    here.run()
    assert not nodes.facts
