"""The summary and the metrics of several nodes: sums, the worst, and who is missing."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from prometheus_client import core
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.core.ports.cluster import NodeCard
from gateway.core.protocol.close_reason import CloseReason
from gateway.errors import Code, Refusal
from gateway.web.admin.summary import Summary, SummaryEndpoints
from gateway.web.monitoring import Monitoring
from gateway.web.settings import ListenerState, WebOptions
from gateway.web.tables.ask_nodes import Survey
from tests.core.nodes import Nodes
from tests.core.world import World
from tests.web.tables.test_connections_nodes import settled


class NodeWithSummary:
    """One node, and what it says of itself. `card` is what the others know of it."""

    def __init__(self, nodes: Nodes, id: str, **card: Any) -> None:
        self.nodes = nodes
        self.world = nodes.start(id)
        cluster: Any = self.world.hub.cluster
        cluster.card = NodeCard(id, cluster.number, **{"name": id} | card)
        self.trouble: Refusal | None = None
        self.state = "ready"
        options = WebOptions(
            templates=Path(),
            connection_limit=lambda: 100,
            ready=lambda: self.trouble,
            listeners=lambda: [ListenerState("tcp", "0.0.0.0:9999", 9999, self.state)],
            workers=2,
        )
        hub = self.world.hub
        self.survey = Survey(hub.cluster)
        self.summary = SummaryEndpoints(hub, self.world.operators, options, self.survey)
        self.monitoring = Monitoring(hub, options, self.survey)

    async def now(self) -> Summary:
        """What it shows, at a moment of its own."""
        self.world.clock.now += 1
        return await settled(self.nodes, self.summary.now())


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


async def test_figures_are_sums_and_limits_are_those_of_machines(nodes: Nodes) -> None:
    first, second, alone = (
        NodeWithSummary(nodes, "a1", name="a", worker=1, family="f"),
        NodeWithSummary(nodes, "a2", name="a", worker=2, family="f"),
        NodeWithSummary(nodes, "b"),
    )
    for node, count in ((first, 1), (second, 2), (alone, 3)):
        for _ in range(count):
            node.world.terminal()
    gone = alone.world.terminal("gone")
    alone.world.hub.disconnect(gone.session, CloseReason.LEFT)

    found = await second.now()

    connections = found.tiles["connections"]
    assert (connections.now, connections.limit, connections.peak) == (6, 200, None)
    assert (found.tiles["connections_tcp"].now, found.tiles["connections_tcp"].total) == (6, 7)
    assert found.closed == {"left": 1} and [each.nick for each in found.last_closed] == ["gone"]
    assert found.nodes is not UNSET
    assert [(each.node, each.connections, each.here) for each in found.nodes] == [
        ("a/1", 1, False), ("a/2", 2, True), ("b", 3, False),
    ]  # fmt: skip
    assert [(each.address, each.state) for each in found.listeners] == [("0.0.0.0:9999", "ready")]


async def test_the_worst_node_is_the_health_and_its_causes_say_whose_they_are(nodes: Nodes) -> None:
    here, there = NodeWithSummary(nodes, "a"), NodeWithSummary(nodes, "b")
    there.trouble, there.state = Refusal(Code.DRAINING, "closed for now"), "draining"

    found = await here.now()

    assert found.health == "draining" and [each.text for each in found.causes] == ["b: closed for now"]
    assert [each.state for each in found.listeners] == ["draining"]


async def test_a_node_that_does_not_answer_is_shown_with_the_reason(nodes: Nodes) -> None:
    here = NodeWithSummary(nodes, "a")
    NodeWithSummary(nodes, "b")
    nodes.clusters["b"].away = True

    found = await here.now()

    assert found.health == "busy" and [each.name for each in found.causes] == ["node"]
    assert found.nodes is not UNSET and [each.health for each in found.nodes] == ["ok", None]
    assert "b does not answer" in (found.nodes[1].missing or "")


async def test_nodes_with_one_name_are_told_apart(nodes: Nodes) -> None:
    here, _ = NodeWithSummary(nodes, "aaaa1", name="x:1"), NodeWithSummary(nodes, "bbbb2", name="x:1")
    found = await here.now()
    assert found.nodes is not UNSET and [each.node for each in found.nodes] == ["x:1~aaaa", "x:1~bbbb"]


async def test_all_who_look_in_the_same_second_share_one_question(nodes: Nodes) -> None:
    here = NodeWithSummary(nodes, "a")
    NodeWithSummary(nodes, "b")
    asked: list[bytes] = []
    serve = nodes.clusters["b"].served["summary"]

    def counted(question: bytes) -> Any:
        asked.append(question)
        return serve(question)

    nodes.clusters["b"].served["summary"] = counted
    await here.now()
    for _ in range(3):
        await settled(nodes, here.summary.now())
    assert len(asked) == 1
    await here.now()
    assert len(asked) == 2


async def test_alone_nobody_is_asked_and_no_node_is_shown() -> None:
    world = World()
    options = WebOptions(templates=Path())
    summary = SummaryEndpoints(world.hub, world.operators, options, Survey(world.hub.cluster))
    assert (await summary.now()).nodes is UNSET


async def scraped(node: NodeWithSummary) -> dict[tuple[str, ...], float]:
    """By name and labels: what /metrics has."""
    card = node.survey.own_card()
    assert card is not None
    collector = await settled(node.nodes, node.monitoring.of_all_workers(card, core))
    families: list[Metric] = list(text_string_to_metric_families(generate_latest(collector).decode()))
    assert len({family.name for family in families}) == len(families)
    return {
        (each.name, each.labels.get("node", ""), each.labels.get("worker", ""), each.labels.get("door", "")): each.value
        for family in families
        for each in family.samples
    }


async def test_one_scrape_has_all_workers_of_a_machine_and_no_other_machine(nodes: Nodes) -> None:
    first, second = (NodeWithSummary(nodes, f"a{n}", name="a:1", worker=n, family="f") for n in (1, 2))
    other = NodeWithSummary(nodes, "b")
    for node in (first, second, second, other):
        node.world.terminal()

    for asked in (first, second):
        found = await scraped(asked)
        assert found["gateway_connections", "a:1", "1", "tcp"] == 1
        assert found["gateway_connections", "a:1", "2", "tcp"] == 2
        assert found["gateway_worker_up", "a:1", "2", ""] == 1
        assert not [key for key in found if key[1] == "b"]


async def test_a_worker_that_does_not_answer_is_not_up_and_the_others_are_there(nodes: Nodes) -> None:
    first = NodeWithSummary(nodes, "a1", name="a:1", worker=1, family="f")
    NodeWithSummary(nodes, "a2", name="a:1", worker=2, family="f")
    nodes.clusters["a2"].away = True
    found = await scraped(first)
    assert (found["gateway_worker_up", "a:1", "1", ""], found["gateway_worker_up", "a:1", "2", ""]) == (1, 0)
    assert ("gateway_connections", "a:1", "2", "tcp") not in found


async def test_while_a_worker_is_replaced_its_successor_is_scraped(nodes: Nodes) -> None:
    old, new = (NodeWithSummary(nodes, name, name="a:1", worker=1, family="f") for name in ("old", "new"))
    new.world.terminal()
    for asked in (old, new):
        assert (await scraped(asked))["gateway_connections", "a:1", "1", "tcp"] == 1
