"""Acts on connections of other nodes: the node that has the connection does them."""

from typing import Any

import msgspec
import pytest

from gateway.core.answer import Answer
from gateway.core.operators.audit import Outcome
from gateway.core.operators.bulk import Action, BulkPlan
from gateway.core.operators.relay import RelayedAct
from gateway.core.operators.whom import BanBy, Subject
from gateway.core.ports.cluster import SESSION_BITS
from gateway.core.ports.ledger import AuditQuery, Measure
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal
from tests.core.nodes import Nodes
from tests.core.world import World

ADMIN = Operator("ana", Role.ADMIN, "web 10.0.0.9")


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


def act(nodes: Nodes, world: World, verb: str, *words: Any, **more: Any) -> Any:
    """The outcome, once all nodes have done their part."""
    answers: list[Outcome | Refusal] = []
    getattr(world.operators.moderation, verb)(*words, **more).then(answers.append)
    nodes.settle()
    (answer,) = answers
    return answer


def entries(nodes: Nodes) -> list[tuple[str, str, str]]:
    """Who did what with which result, as the log of all nodes says; the oldest first."""
    found: list[Any] = []
    nodes.ledger.audit(AuditQuery()).then(found.append)
    return [(each.who, each.action, each.result) for each in found[0].entries][::-1]


def test_a_connection_of_another_node_is_kicked_by_its_id_and_recorded_once(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    bob, cid = there.terminal("bob"), there.terminal("cid")

    outcome = act(nodes, here, "kick", ADMIN, Subject(bob.session.id), "spam")

    assert isinstance(outcome, Outcome) and (outcome.words, outcome.connections) == ("bob is kicked", 1)
    assert bob.transport.closed == (CloseReason.KICKED, "spam") and cid.transport.closed is None
    assert entries(nodes) == [("ana", "kick", "done")]


def test_a_ban_a_mute_and_a_message_by_id_reach_the_other_node(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    bob, cid = there.browser("bob"), there.browser("cid")

    told = act(nodes, here, "message", ADMIN, Subject(cid.session.id), "hello you")
    muted = act(nodes, here, "mute", ADMIN, Subject(cid.session.id), "caps", 60)
    banned = act(nodes, here, "ban", ADMIN, Subject(bob.session.id, by=BanBy.NAME), "spam", None)

    assert told.words == "cid is told" and muted.words.startswith("cid is muted until")
    assert any("hello you" in each.get("text", "") for each in cid.told("notice"))
    assert banned.sanctions[0].measure is Measure.BAN and banned.sanctions[0].target == "bob"
    assert bob.transport.closed is not None and here.hub.bans.all() and here.hub.mutes.all()


def test_what_is_refused_there_is_refused_here_with_the_same_words(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    bob, vera = there.terminal("bob"), there.terminal("vera")
    vera.session.operator = Operator("vera", Role.ADMIN, "telnet 10.0.0.1")
    viewer = Operator("vic", Role.VIEWER, "web 10.0.0.9")

    refused = act(nodes, here, "kick", viewer, Subject(bob.session.id), "")
    spared = act(nodes, here, "kick", ADMIN, Subject(vera.session.id), "")
    gone = act(nodes, here, "kick", ADMIN, Subject(f"{(2 << SESSION_BITS) + 0xFFFF:x}"), "")

    assert [each.code for each in (refused, spared, gone)] == [Code.FORBIDDEN, Code.FORBIDDEN, Code.NO_SUCH_USER]
    assert [result.partition(":")[0] for _, _, result in entries(nodes)] == ["refused", "refused", "gone"]


def test_a_node_that_does_not_answer_is_named_and_one_that_is_gone_has_no_connections(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    bob = there.terminal("bob")
    nodes.clusters["b"].away = True
    unknown = act(nodes, here, "kick", ADMIN, Subject(bob.session.id), "")
    del nodes.clusters["b"]
    gone = act(nodes, here, "kick", ADMIN, Subject(bob.session.id), "")

    assert (unknown.code, gone.code) == (Code.BACKPLANE, Code.NO_SUCH_USER)
    assert unknown.text.startswith("b does not answer")
    assert [result.partition(":")[0] for _, _, result in entries(nodes)] == ["unknown", "gone"]


@pytest.mark.parametrize("asked", [b"", b"{}", b"garbage"])
def test_what_another_version_asks_is_answered_not_raised(nodes: Nodes, asked: bytes) -> None:
    nodes.start("a")
    answers: list[Any] = []
    nodes.clusters["a"].served["act"](asked).then(answers.append)
    assert "another version" in str(answers[0])


def test_an_act_for_a_connection_of_neither_is_not_handed_on_for_ever(nodes: Nodes) -> None:
    nodes.start("a")
    nodes.start("b")
    act = RelayedAct("kick", ADMIN, Subject(f"{(2 << SESSION_BITS) + 0x100:x}"), "")
    answers: list[Any] = []
    nodes.clusters["a"].served["act"](msgspec.json.encode(act)).then(answers.append)
    assert "another version" in str(answers[0])


def test_an_answer_of_another_version_is_unknown(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    nodes.clusters["b"].served["act"] = lambda asked: Answer.of(b'["x"]')
    assert act(nodes, here, "kick", ADMIN, Subject(there.terminal("bob").session.id), "").code is Code.BACKPLANE


def test_a_campaign_reaches_connections_of_all_nodes(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    peers = [world.terminal(f"p{number}") for number, world in enumerate((here, there, here, there))]
    vera = there.terminal("vera")
    ids = [each.session.id for each in (*peers, vera)]
    plan = BulkPlan(Action.KICK, "", ids, frozenset(), 5, operators=frozenset([vera.session.id]))

    begun: list[Any] = []
    here.operators.bulk.begin(ADMIN, plan).then(begun.append)
    here.later(1.0)
    nodes.settle()

    assert all(each.transport.closed is not None for each in peers) and vera.transport.closed is None
    assert (begun[0].done, begun[0].spared, begun[0].state) == (4, 1, "finished")
