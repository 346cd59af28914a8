"""What an operator does at one node of several holds at all of them."""

from typing import Any

import pytest

from gateway.core.operators.audit import Outcome
from gateway.core.operators.whom import Subject
from gateway.core.ports.cluster import Forgotten, Missed
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.roles import Operator, Role
from gateway.errors import Refusal
from tests.core.nodes import Nodes
from tests.core.world import World

ADMIN = Operator("ana", Role.ADMIN, "web 10.0.0.9")


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


def do(world: World, verb: str, *words: Any, **more: Any) -> Any:
    """Do it, tick, and return the outcome."""
    answers: list[Outcome | Refusal] = []
    getattr(world.operators.moderation, verb)(*words, **more).then(answers.append)
    world.run()
    cluster: Any = world.hub.cluster
    cluster.nodes.answer()  # who has the nick may be asked first
    world.run()
    (answer,) = answers
    return answer


def test_a_ban_closes_connections_at_the_other_node_and_keeps_out_there(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    bob, cid = there.terminal("bob"), there.terminal("cid")

    do(here, "ban", ADMIN, Subject(nick="bob"), "spam", 60)
    nodes.settle()

    assert bob.transport.closed is not None and bob.transport.closed[0] is CloseReason.BANNED
    assert cid.transport.closed is None
    with pytest.raises(Refusal, match="spam"):
        there.hub.rename(there.terminal().session, "bob")


def test_an_unban_at_the_other_node_lets_in_again(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    do(here, "ban", ADMIN, Subject(nick="bob"), "spam", 60)
    nodes.settle()

    do(there, "unban", ADMIN, "bob")
    nodes.settle()

    assert here.terminal("bob").session.nick == "bob"


def test_a_mute_at_another_node_is_told_and_so_is_its_end(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    bob = there.browser("bob")
    bob.forget()

    do(here, "mute", ADMIN, Subject(nick="bob"), "caps", 60)
    nodes.settle()
    bob.asks(type="say", room="lobby", text="HELLO", id="1")
    heard = bob.objects
    do(here, "unmute", ADMIN, "bob")
    nodes.settle()

    assert [(each["muted"], each["reason"]) for each in heard if each["type"] == "standing"] == [(True, "caps")]
    assert [each["code"] for each in heard if each["type"] == "error"] == ["muted"]
    assert [each["muted"] for each in bob.told("standing")] == [False]


def test_a_ban_in_place_of_another_leaves_one(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    do(here, "ban", ADMIN, Subject(nick="bob"), "spam", 60)
    nodes.settle()

    do(there, "ban", ADMIN, Subject(nick="bob"), "more spam", 600)
    nodes.settle()

    assert [each.reason for each in here.hub.bans.holding()] == ["more spam"]
    assert here.hub.bans.holding() == there.hub.bans.holding()


def test_facts_heard_twice_do_no_harm(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    bob = there.browser("bob")
    bob.forget()
    do(here, "mute", ADMIN, Subject(nick="bob"), "caps", 60)
    nodes.facts.extend(list(nodes.facts))
    nodes.settle()

    assert len(bob.told("standing")) == 1
    assert len(there.hub.mutes) == 1


def test_a_node_that_missed_facts_reads_again_what_holds(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    bob = there.terminal("bob")
    do(here, "ban", ADMIN, Subject(nick="cid"), "spam", 60)
    nodes.settle()
    do(here, "unban", ADMIN, "cid")
    do(here, "ban", ADMIN, Subject(nick="bob"), "spam", 60)

    nodes.miss()

    assert [each.target for each in there.hub.bans.holding()] == ["bob"]
    assert bob.transport.closed is not None and bob.transport.closed[0] is CloseReason.BANNED


def test_a_ban_that_could_not_be_stored_outlives_a_reading(nodes: Nodes, expected_errors: list[str]) -> None:
    expected_errors.append("not stored: ban by ana")
    here, there = nodes.start("a"), nodes.start("b")
    ledger: Any = here.journal.ledger.ledger
    ledger.fails = True
    assert isinstance(do(here, "ban", ADMIN, Subject(nick="bob"), "spam", 60), Refusal)
    ledger.fails = False
    do(there, "ban", ADMIN, Subject(nick="cid"), "spam", 60)

    nodes.miss()

    assert {each.target for each in here.hub.bans.holding()} == {"bob", "cid"}
    assert {each.target for each in there.hub.bans.holding()} == {"cid"}


def test_a_node_that_starts_knows_what_holds(nodes: Nodes) -> None:
    here = nodes.start("a")
    do(here, "ban", ADMIN, Subject(nick="bob"), "spam", 60)

    assert [each.target for each in nodes.start("b").hub.bans.holding()] == ["bob"]


def test_a_mute_stays_with_the_person_at_another_node_under_other_nicks(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    page, terminal = there.browser("bob"), there.terminal("cid")
    nodes.settle()
    for nick in ("bob", "cid"):
        do(here, "mute", ADMIN, Subject(nick=nick), "caps", 60)
        nodes.settle()
    page.asks(type="nick", nick="innocent")
    terminal.says("/nick harmless")
    nodes.settle()
    for peer in (page, terminal):
        peer.forget()
    page.asks(type="say", room="lobby", text="HELLO", id="1")
    terminal.says("HELLO")
    nodes.settle()

    assert (page.session.nick, terminal.session.nick) == ("innocent", "harmless")
    assert [each["code"] for each in page.told("error")] == ["muted"]
    assert terminal.lines[0].startswith("!! muted")


def test_a_store_that_forgets_everything_is_told_again_what_is_in_force(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    do(here, "ban", ADMIN, Subject(nick="bob"), "spam", 60)
    do(there, "mute", ADMIN, Subject(nick="cid"), "caps", None)
    nodes.settle()

    nodes.flush()

    for each in (here, there, nodes.start("c")):
        each.operators.moderation.start()
        assert [ban.target for ban in each.hub.bans.all()] == ["bob"]
        assert [mute.target for mute in each.hub.mutes.all()] == ["cid"]


@pytest.mark.parametrize("heard", [True, False])
def test_a_ban_that_a_store_has_forgotten_to_lift_is_lifted_again(nodes: Nodes, heard: bool) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    do(here, "ban", ADMIN, Subject(nick="bob"), "spam", 60)
    nodes.settle()
    ban = here.hub.bans.all()
    do(here, "unban", ADMIN, "bob")
    if heard:
        nodes.settle()
    else:
        nodes.facts.clear()
    stored: Any = nodes.ledger
    stored.record((), add=ban)  # as it was before

    for cluster in nodes.clusters.values():
        cluster.hearers.tell(Forgotten())
        cluster.hearers.tell(Missed())
    nodes.settle()

    for each in (here, there, nodes.start("c")):
        each.operators.moderation.start()
        assert each.hub.bans.all() == []


def test_what_the_store_cannot_be_told_again_stays_in_force_here(nodes: Nodes) -> None:
    here = nodes.start("a")
    do(here, "ban", ADMIN, Subject(nick="bob"), "spam", 60)
    ledger: Any = here.journal.ledger.ledger
    ledger.fails = True

    nodes.flush()

    assert [ban.target for ban in here.hub.bans.all()] == ["bob"]
