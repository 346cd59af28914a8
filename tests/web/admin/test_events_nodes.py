"""The feed of events over several nodes: by time, each once, whichever nodes are asked one after the other."""

import random
from typing import Any

import pytest

from gateway.core.ports.cluster import NodeCard
from gateway.web.admin.maintenance import EventLines, MaintenanceEndpoints
from gateway.web.tables.ask_nodes import Survey
from tests.core.nodes import Nodes
from tests.web.tables.test_connections_nodes import settled


class Feed:
    """Three nodes, of which one has a clock that is a minute off."""

    def __init__(self) -> None:
        self.nodes = Nodes()
        self.endpoints: list[MaintenanceEndpoints] = []
        for name, clock in (("a", 0), ("b", 60_000), ("c", 0)):
            world = self.nodes.start(name)
            world.set_by = -clock / 1000
            cluster: Any = world.hub.cluster
            cluster.card = NodeCard(name, cluster.number, name, clock_ms=clock)
            self.endpoints.append(MaintenanceEndpoints(world.hub, world.operators, Survey(cluster)))

    def happens(self, node: int, words: str) -> None:
        self.nodes.worlds[node].hub.stats.recent.note(0, "operator", words)

    def later(self, seconds: float = 0.001) -> None:
        for world in self.nodes.worlds:
            world.clock.now = round(world.clock.now + seconds, 6)

    async def ask(self, node: int, after: int | None = None, limit: int = 50) -> EventLines:
        return await settled(self.nodes, self.endpoints[node].events_of_all(after, limit))


@pytest.fixture
def feed() -> Feed:
    return Feed()


def words(lines: EventLines) -> list[str]:
    return [each.detail for each in lines.events]


async def test_events_of_all_nodes_are_in_the_order_in_which_they_happened(feed: Feed) -> None:
    for number in range(9):
        feed.later()
        feed.happens(number % 3, f"{number}")
    feed.later()
    found = await feed.ask(1)
    assert words(found)[-9:] == [f"{number}" for number in range(9)]
    assert len({each.number for each in found.events}) == len(found.events)
    assert words(await feed.ask(0, limit=4)) == ["5", "6", "7", "8"]
    first, other = (await feed.ask(0)).events[-1].at, found.events[-1].at
    assert first - other == 60_000, "in the time of the node that is asked"


@pytest.mark.parametrize("limit", [1, 3, 500])
async def test_none_is_missed_and_none_comes_twice(feed: Feed, limit: int) -> None:
    dice = random.Random(limit)
    feed.later()
    cursor = (await feed.ask(0)).cursor
    said, seen = list[str](), list[str]()
    for number in range(60):
        if dice.random() < 0.7:  # several may happen in the same ms, also after somebody has asked
            feed.later()
        feed.happens(dice.randrange(3), f"{number}")
        said.append(f"{number}")
        if dice.random() < 0.4:
            lines = await feed.ask(dice.randrange(3), cursor, limit)
            cursor, seen = lines.cursor, seen + words(lines)
    feed.later()
    for _ in range(80):
        lines = await feed.ask(dice.randrange(3), cursor, limit)
        cursor, seen = lines.cursor, seen + words(lines)
    assert sorted(seen, key=int) == said


async def test_the_page_shows_the_latest_first_also_without_a_node_that_does_not_answer(feed: Feed) -> None:
    for node in range(3):
        feed.later()
        feed.happens(node, "abc"[node])
    feed.later()
    feed.nodes.clusters["c"].away = True
    latest = await settled(feed.nodes, feed.endpoints[0].latest(2))
    assert [each.detail for each in latest] == ["b", "a"]
