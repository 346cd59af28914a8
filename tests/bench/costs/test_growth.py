"""How costs grow: the slope, and that each kind of cost is measured of what it says."""

from pathlib import Path

import pytest

from gateway.bench.plan import BenchError
from tests.bench.costs.growth import (
    EXPIRED,
    TCP,
    Growth,
    asked,
    chart,
    collector,
    filled,
    growths,
    newcomer,
    page_of_history,
    resumed,
    retention,
    row,
    slope,
)


def test_the_slope_is_the_exponent() -> None:
    assert slope([10, 20, 40], [5.0, 5.0, 5.0]) == pytest.approx(0.0)
    assert slope([10, 20, 40], [1.0, 4.0, 16.0]) == pytest.approx(2.0)


def test_what_grows_is_named() -> None:
    some = Growth("/who", "members", [10, 20, 40], float)

    assert row(some, [1.0, 1.0, 1.1])[-1] == ""
    assert row(some, [1.0, 2.0, 4.0])[-2:] == ["+1.00", "grows"]
    assert chart({"/who": [2.0, 2.0, 4.0]}, [some]).lines == {"/who (members), +0.50": [(1, 1), (2, 1), (4, 2)]}


def test_a_cost_is_that_of_the_gateway() -> None:
    assert newcomer(TCP, 3) > 0
    assert asked(b"/who\n", 3) > 0
    assert resumed(3) > 0
    assert collector(2000) > 0


def test_what_is_stored_is_made_once_and_stays_for_all_costs(tmp_path: Path) -> None:
    stored = EXPIRED + 100
    assert page_of_history(stored, tmp_path) > 0
    assert retention(stored, tmp_path) > 0
    made = (tmp_path / str(stored) / "token.key").stat().st_mtime_ns
    assert filled(stored, tmp_path) == tmp_path / str(stored)
    assert (tmp_path / str(stored) / "token.key").stat().st_mtime_ns == made


def test_a_gateway_that_closes_the_connection_has_no_cost() -> None:
    with pytest.raises(BenchError, match="closed"):
        asked(b"/quit\n", 2)


def test_costs_have_names_of_their_own_and_steps_that_rise(tmp_path: Path) -> None:
    costs = growths(tmp_path)
    assert len({growth.name for growth in costs}) == len(costs)
    assert all(list(growth.steps) == sorted(set(growth.steps)) for growth in costs)
