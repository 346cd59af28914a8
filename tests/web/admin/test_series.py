"""The series of several nodes as one: rows of the same step are added, by one clock."""

from typing import Any

import pytest

from gateway.core.ports.cluster import NodeCard
from gateway.core.stats.health import Reading
from gateway.core.stats.sampler import Mark
from gateway.web.admin.series import OtherSeries, Series, SeriesEndpoints, SeriesQuestion, together
from gateway.web.tables.ask_nodes import Survey
from tests.core.nodes import Nodes
from tests.web.tables.test_connections_nodes import settled

START = 1_790_000_000_000


def series(times: list[int], marks: list[Mark] | None = None, **figures: list[float]) -> Series:
    return Series("5m", 1000, [START + time for time in times], figures, marks or [])


def test_rows_of_the_same_second_are_added_and_of_delays_the_worst_counts() -> None:
    own = series([100, 1100, 2100], connections_tcp=[1, 2, 3], lag_p99=[5, 5, 5])
    other = series([900, 1900, 2900], connections_tcp=[10, 20, 30], lag_p99=[9, 1, 7], closed_kicked=[0, 1, 0])
    found = together(own, [OtherSeries(other, 0)])
    assert found.t == own.t and found.figures == {
        "connections_tcp": [11, 22, 33], "lag_p99": [9, 5, 7], "closed_kicked": [0, 1, 0],
    }  # fmt: skip


def test_a_row_that_is_not_there_yet_is_that_of_the_step_before_and_older_ones_are_nothing() -> None:
    own = series([0, 1000, 2000, 3000], slow=[1, 1, 1, 1])
    other = series([1000, 2000], slow=[5, 7])
    assert together(own, [OtherSeries(other, 0)]).figures == {"slow": [1, 6, 8, 8]}


@pytest.mark.parametrize("ahead", [-90_000, 0, 120_000])
def test_clocks_may_differ_by_minutes(ahead: int) -> None:
    own = series([0, 1000], [Mark(START, "ours")], messages_in=[1, 1])
    other = series([ahead, 1000 + ahead], [Mark(START + 500 + ahead, "theirs")], messages_in=[4, 6])
    found = together(own, [OtherSeries(other, ahead)])
    assert found.figures == {"messages_in": [5, 7]}
    assert found.marks == [Mark(START, "ours"), Mark(START + 500, "theirs")]


async def test_the_charts_of_any_node_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes, endpoints = Nodes(), list[SeriesEndpoints]()
    for name, clock, people in (("a", 0, 2), ("b", -50_000, 3)):
        world = nodes.start(name)
        world.set_by = -clock / 1000  # its clock is as far ahead as Redis' is behind
        cluster: Any = world.hub.cluster
        cluster.card = NodeCard(name, cluster.number, name, clock_ms=clock)
        endpoints.append(SeriesEndpoints(world.hub, Survey(world.hub.cluster)))
        for _ in range(people):
            world.terminal()
    for second in range(4):
        for world in nodes.worlds:
            world.clock.now = 2000.0 + second
            world.hub.stats.sampler.sample(Reading(lates=[0.001]))

    first, second_one = [await settled(nodes, each.of_all(SeriesQuestion("5m", None))) for each in endpoints]
    assert first.figures["connections_tcp"] == second_one.figures["connections_tcp"] == [5.0] * 4
    assert second_one.t[0] - first.t[0] == 50_000

    rest = await settled(nodes, endpoints[0].of_all(SeriesQuestion("5m", first.t[1])))
    assert rest.t == first.t[2:] and rest.figures["connections_tcp"] == [5.0] * 2
