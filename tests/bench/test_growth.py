"""How costs grow: the slope, and that each kind of cost is measured of what it says."""

import pytest

from gateway.bench.plan import BenchError
from tests.bench.growth import GROWTHS, TCP, Growth, asked, chart, newcomer, page_of_history, resumed, row, slope


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
    assert page_of_history(200) > 0
    assert resumed(3) > 0


def test_a_gateway_that_closes_the_connection_has_no_cost() -> None:
    with pytest.raises(BenchError, match="closed"):
        asked(b"/quit\n", 2)


def test_costs_have_names_of_their_own_and_steps_that_rise() -> None:
    assert len({growth.name for growth in GROWTHS}) == len(GROWTHS)
    assert all(list(growth.steps) == sorted(set(growth.steps)) for growth in GROWTHS)
