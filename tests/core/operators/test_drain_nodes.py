"""A drain is of all nodes, or of the one that is named."""

from typing import Any

import msgspec
import pytest

from gateway.core.gate import DoorState
from gateway.core.operators.audit import Outcome
from gateway.core.ports.ledger import AuditQuery
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator, Role
from gateway.errors import Code, Refusal
from tests.core.nodes import Nodes
from tests.core.world import World

ADMIN = Operator("ana", Role.ADMIN, "web 10.0.0.9")


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


def settled(nodes: Nodes, answer: Any, seconds: float = 0.0) -> Any:
    """The outcome, once every node has heard of it and so much time has passed."""
    found: list[Any] = []
    answer.then(found.append)
    nodes.settle()
    for world in nodes.worlds:
        world.later(seconds)
    nodes.settle()
    return found[0]


def begin(nodes: Nodes, world: World, *, rate: int = 20, node: str = "", seconds: float = 2.0) -> Any:
    return settled(nodes, world.operators.drain.begin(ADMIN, Door.WEB, rate, 2.0, node), seconds)


def states(nodes: Nodes) -> list[DoorState]:
    """The state of each node's web door."""
    return [world.hub.gate.drain_state(Door.WEB) for world in nodes.worlds]


def test_all_nodes_drain_together_at_one_rate_and_open_together(nodes: Nodes) -> None:
    here, there = nodes.start("a"), nodes.start("b")
    peers = [world.browser() for world in (here, there) for _ in range(10)]

    begun = begin(nodes, here, seconds=0.5)

    assert isinstance(begun, Outcome) and begun.words.startswith("door web of all nodes")
    sent = [world.operators.drain.progress()[-1].sent for world in (here, there)]
    assert sent[0] == sent[1] and 3 <= sent[0] <= 6, "half of the rate each"
    settled(nodes, there.operators.drain.cancel(ADMIN))
    assert states(nodes) == [DoorState.READY] * 2
    begin(nodes, there)
    assert states(nodes) == [DoorState.CLOSED] * 2
    assert all(each.transport.closed is not None and each.transport.closed[0] is CloseReason.DRAINING for each in peers)
    assert here.ports.closed == there.ports.closed == [Door.WEB]
    found: list[Any] = []
    nodes.ledger.audit(AuditQuery()).then(found.append)
    actions = [entry.action for entry in found[0].entries]
    assert actions.count("drain") == 2 and {entry.who for entry in found[0].entries} == {"ana"}


@pytest.mark.parametrize("asked", [0, 1])
def test_one_node_is_drained_by_its_name_whichever_is_asked(nodes: Nodes, asked: int) -> None:
    worlds = [nodes.start(name) for name in "ab"]
    kept, gone = worlds[0].browser(), worlds[1].browser()
    begun = begin(nodes, worlds[asked], node="b")
    assert begun.words.startswith("door web of b")
    assert states(nodes) == [DoorState.READY, DoorState.CLOSED]
    assert kept.transport.closed is None and gone.transport.closed is not None
    settled(nodes, worlds[0].operators.drain.cancel(ADMIN))
    assert states(nodes) == [DoorState.READY] * 2


def test_a_node_that_is_not_there_is_refused_with_those_that_are(nodes: Nodes) -> None:
    here, _ = nodes.start("a"), nodes.start("b")
    refused = begin(nodes, here, node="c")
    assert isinstance(refused, Refusal) and refused.code is Code.BAD_MESSAGE
    assert "there are a, b" in refused.text and states(nodes) == [DoorState.READY] * 2


def test_a_door_that_the_named_node_does_not_have_is_refused_with_those_that_it_has(nodes: Nodes) -> None:
    here, _ = nodes.start("a"), nodes.start("b")
    cluster = nodes.clusters["b"]
    cluster.card = msgspec.structs.replace(cluster.card, doors=("tcp",))
    refused = begin(nodes, here, node="b")
    assert isinstance(refused, Refusal) and refused.text.endswith("there is no door web to drain: tcp")


def test_a_port_that_another_node_cannot_open_again_stays_closed_there(
    nodes: Nodes, expected_errors: list[str]
) -> None:
    expected_errors.append("cannot listen again after the drain: web: port 9999")
    here, there = nodes.start("a"), nodes.start("b")
    begin(nodes, here)
    there.ports.taken = [Door.WEB]
    settled(nodes, here.operators.drain.cancel(ADMIN))
    assert states(nodes) == [DoorState.READY, DoorState.CLOSED]
