"""A node that starts does what operators have ordered for all nodes before."""

from typing import Any

import pytest

from gateway.core.gate import DoorState
from gateway.core.operators import standing_orders
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator, Role
from tests.core.nodes import Nodes
from tests.core.world import World

ADMIN = Operator("ana", Role.ADMIN, "web 10.0.0.9")


@pytest.fixture
def nodes() -> Nodes:
    """Two nodes that run."""
    found = Nodes()
    for name in "ab":
        started(found, found.start(name))
    return found


def started(nodes: Nodes, world: World) -> World:
    """It has asked the others, and opened its doors."""
    learned: list[object] = []
    world.operators.orders.learn().then(learned.append)
    nodes.settle()
    assert learned == [None]
    world.operators.orders.apply()
    nodes.settle()
    return world


def ordered(nodes: Nodes, answer: Any) -> None:
    """An order has been carried out by all."""
    answer.then(lambda outcome: None)
    nodes.settle()
    for world in nodes.worlds:
        world.later(0.1)


def drained(world: World) -> list[Door]:
    return [door for door in (Door.TCP, Door.WEB) if world.hub.gate.drain_state(door) is not DoorState.READY]


def test_a_newcomer_drains_is_in_maintenance_and_logs_like_the_others(nodes: Nodes) -> None:
    one = nodes.worlds[0].operators
    ordered(nodes, one.drain.begin(ADMIN, Door.WEB, 20, 2.0))
    ordered(nodes, one.maintenance.switch(ADMIN, True, "back at noon"))
    ordered(nodes, one.log_level.change(ADMIN, "debug", 60))
    newcomer = started(nodes, nodes.start("c"))
    assert drained(newcomer) == [Door.WEB] and newcomer.ports.closed == [Door.WEB]
    assert newcomer.hub.gate.maintenance == "back at noon"
    assert newcomer.levels[-1] == "debug" and newcomer.operators.drain.per_second >= 20
    later = started(nodes, nodes.start("d"))
    nodes.worlds[:2] = []
    assert drained(later) == [Door.WEB], "it is handed on"
    ordered(nodes, later.operators.drain.cancel(ADMIN))
    ordered(nodes, later.operators.maintenance.switch(ADMIN, False, ""))
    assert drained(newcomer) == [] and newcomer.hub.gate.maintenance is None
    assert drained(started(nodes, nodes.start("e"))) == []
    newcomer.later(61)
    assert newcomer.levels[-1] == "info"


def test_what_is_meant_for_one_node_is_not_handed_on(nodes: Nodes) -> None:
    ordered(nodes, nodes.worlds[0].operators.drain.begin(ADMIN, None, 20, 2.0, "a"))
    ordered(nodes, nodes.worlds[0].operators.drain.begin(ADMIN, None, 20, 2.0, "b"))
    assert drained(started(nodes, nodes.start("c"))) == []


@pytest.mark.parametrize("end", [False, True])
def test_an_order_that_is_given_or_ended_meanwhile_is_right_in_the_end(nodes: Nodes, end: bool) -> None:
    one = nodes.worlds[0].operators
    if end:
        ordered(nodes, one.drain.begin(ADMIN, Door.WEB, 20, 2.0))
        ordered(nodes, one.maintenance.switch(ADMIN, True, "soon"))
    newcomer = nodes.start("c")
    newcomer.operators.orders.learn()
    while nodes.asked:  # the others have answered
        nodes.answer()
    if end:
        ordered(nodes, one.drain.cancel(ADMIN))
        ordered(nodes, one.maintenance.switch(ADMIN, False, ""))
    else:
        ports: Any = newcomer.ports
        ports.doors = list  # none is open yet
        ordered(nodes, one.drain.begin(ADMIN, Door.WEB, 20, 2.0))
        del ports.doors
    newcomer.operators.orders.apply()
    assert drained(newcomer) == ([] if end else [Door.WEB]) and newcomer.hub.gate.maintenance is None


def test_nodes_that_have_not_heard_yet_are_asked_again(nodes: Nodes) -> None:
    nodes.worlds[0].operators.drain.begin(ADMIN, Door.WEB, 20, 2.0).then(lambda outcome: None)
    late = list(nodes.facts)
    nodes.facts.clear()
    newcomer = started(nodes, nodes.start("c"))
    assert drained(newcomer) == []
    nodes.facts.extend(late)
    nodes.settle()
    newcomer.later(standing_orders.AGAIN_SECONDS + 0.1)
    nodes.settle()
    assert drained(newcomer) == [Door.WEB]


def test_nodes_that_do_not_answer_or_only_start_are_left_out(nodes: Nodes) -> None:
    ordered(nodes, nodes.worlds[0].operators.drain.begin(ADMIN, Door.WEB, 20, 2.0))
    nodes.clusters["b"].away = True
    starting, newcomer = nodes.start("c"), nodes.start("d")
    assert drained(started(nodes, newcomer)) == [Door.WEB]
    assert drained(started(nodes, starting)) == [Door.WEB]
