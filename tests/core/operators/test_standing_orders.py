"""A node that starts, or was cut off, does what operators have ordered for all nodes before."""

from typing import Any

import pytest

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.gate import DoorState
from gateway.core.operators import standing_orders
from gateway.core.ports.cluster import Missed
from gateway.core.ports.ledger import AuditQuery
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator, Role
from gateway.errors import JournalError
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
    for _ in range(standing_orders.TRIES):
        nodes.settle()
        world.later(standing_orders.AGAIN_SECONDS)
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


@pytest.mark.parametrize("first", [0, 1])
def test_whoever_has_heard_is_followed_and_those_that_have_not_are_told(nodes: Nodes, first: int) -> None:
    nodes.worlds[first].operators.drain.begin(ADMIN, Door.WEB, 20, 2.0).then(lambda outcome: None)
    nodes.facts.clear()
    newcomer = started(nodes, nodes.start("c"))
    assert [drained(each) for each in (*nodes.worlds[:2], newcomer)] == [[Door.WEB]] * 3


def test_a_node_that_missed_what_was_ordered_asks_for_it(nodes: Nodes) -> None:
    here, there = nodes.worlds
    one = here.operators
    ordered(nodes, one.drain.begin(ADMIN, Door.TCP, 20, 2.0))
    for answer in (
        one.drain.cancel(ADMIN),
        one.drain.begin(ADMIN, Door.WEB, 20, 2.0),
        one.maintenance.switch(ADMIN, True, "back at noon"),
        one.log_level.change(ADMIN, "debug", 60),
    ):
        answer.then(lambda outcome: None)
    nodes.miss()
    assert drained(there) == [Door.WEB] and there.hub.gate.maintenance == "back at noon"
    assert there.levels[-1] == "debug"
    one.drain.cancel(ADMIN).then(lambda outcome: None)
    one.maintenance.switch(ADMIN, False, "").then(lambda outcome: None)
    one.log_level.change(ADMIN, "info", 60).then(lambda outcome: None)
    nodes.miss()
    assert drained(there) == [] and there.hub.gate.maintenance is None
    assert there.levels[-1] == "info"


def test_what_a_cut_off_node_was_ordered_is_told_when_it_is_back(nodes: Nodes) -> None:
    here, there = nodes.worlds
    cluster = nodes.clusters["b"]
    there.operators.drain.begin(ADMIN, Door.WEB, 20, 2.0).then(lambda outcome: None)
    there.operators.maintenance.switch(ADMIN, True, "cut off").then(lambda outcome: None)
    there.operators.log_level.change(ADMIN, "debug", 60).then(lambda outcome: None)
    nodes.facts.clear()
    cluster.hearers.tell(Missed())
    nodes.settle()
    assert drained(here) == [Door.WEB] and here.hub.gate.maintenance == "cut off" and here.levels[-1] == "debug"


def test_of_orders_that_cross_each_other_the_later_holds_everywhere(nodes: Nodes) -> None:
    here, there = nodes.worlds
    ordered(nodes, here.operators.drain.begin(ADMIN, Door.WEB, 20, 2.0))
    here.later(1)
    here.operators.drain.cancel(ADMIN).then(lambda outcome: None)
    here.operators.maintenance.switch(ADMIN, False, "").then(lambda outcome: None)
    there.operators.drain.begin(ADMIN, Door.WEB, 30, 2.0).then(lambda outcome: None)
    there.operators.drain.begin(ADMIN, Door.TCP, 30, 2.0).then(lambda outcome: None)
    there.operators.maintenance.switch(ADMIN, True, "earlier").then(lambda outcome: None)
    nodes.settle()
    assert drained(here) == drained(there) == [] and here.hub.gate.maintenance is there.hub.gate.maintenance is None


def test_a_restart_while_a_drain_stands_leaves_no_line_of_its_own_in_the_audit_log(nodes: Nodes) -> None:
    ordered(nodes, nodes.worlds[0].operators.drain.begin(ADMIN, Door.WEB, 20, 2.0))
    started(nodes, nodes.start("c")).later(3)
    nodes.settle()
    found: list[Any] = []
    nodes.ledger.audit(AuditQuery()).then(found.append)
    actions = [entry.action for entry in found[0].entries]
    assert actions.count("drain closed") == 1, "that of whoever ordered it"


def test_nodes_that_do_not_answer_or_only_start_are_left_out(nodes: Nodes) -> None:
    ordered(nodes, nodes.worlds[0].operators.drain.begin(ADMIN, Door.WEB, 20, 2.0))
    nodes.clusters["b"].away = True
    starting, newcomer = nodes.start("c"), nodes.start("d")
    assert drained(started(nodes, newcomer)) == [Door.WEB]
    assert drained(started(nodes, starting)) == [Door.WEB]


def test_a_node_that_is_gone_is_asked_once(nodes: Nodes) -> None:
    newcomer, asked = nodes.start("c"), list[str]()
    cluster: Any = nodes.clusters["c"]

    def ask(node: str, kind: str, question: bytes = b"") -> Answer[bytes | JournalError]:
        asked.append(node)
        return Answer.of(JournalError(wording.NODE_GONE))

    cluster.ask = ask
    learned: list[object] = []
    newcomer.operators.orders.learn().then(learned.append)
    assert learned == [None] and asked == ["a", "b"], "nothing was waited for"
