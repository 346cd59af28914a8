"""Figures over time: what is kept, for how long, and how it becomes coarser."""

import pytest

from gateway.core.stats.timeseries import FOLDS, STEPS, Fold, Ring, Rings, Row, fold, fold_of


def filled(seconds: int) -> Rings:
    """A row a second: its number as the messages, one kick in every tenth."""
    rings = Rings()
    for second in range(seconds):
        row = {"messages_in": float(second), "lag_p99": float(second), "closed_kicked": float(second % 10 == 0)}
        rings.add(float(second), second * 1000, row)
    return rings


def test_a_ring_keeps_the_last_rows_in_their_order() -> None:
    ring = Ring(3)
    for number in range(7):
        ring.add(number, {"fds": float(number)})

    assert ring.since(None) == ([4, 5, 6], {"fds": [4, 5, 6]})


def test_a_reader_that_has_the_rest_is_told_only_what_is_newer() -> None:
    ring = Ring(5)
    for number in range(8):
        ring.add(number * 10, {"fds": float(number)})

    assert ring.since(60) == ([70], {"fds": [7]})
    assert ring.since(70) == ([], {"fds": []})
    assert ring.since(1)[0] == [30, 40, 50, 60, 70]
    assert ring.since(65)[0] == [70]


def test_a_reader_misses_nothing_while_the_clock_is_set_back() -> None:
    ring = Ring(10)
    for time in (5000, 6000, 7000, 100, 1100):
        ring.add(time, {"fds": 1.0})

    assert ring.since(7000)[0] == [100, 1100]
    assert ring.since(100)[0] == [1100]


@pytest.mark.parametrize("before", [2, 5])
def test_a_figure_that_shows_up_later_was_0_before(before: int) -> None:
    ring = Ring(4)
    for number in range(before):
        ring.add(number, {"fds": 1.0})
    ring.add(99, {"fds": 1.0, "closed_kicked": 2.0})

    times, figures = ring.since(None)
    assert figures["closed_kicked"] == [0.0] * (len(times) - 1) + [2.0]


def test_rows_are_folded_as_befits_each_figure() -> None:
    rows: list[Row] = [
        {"messages_in": 1.0, "lag_p99": 9.0, "closed_left": 2.0, "connections_tcp": 7.0},
        {"messages_in": 2.0, "lag_p99": 3.0, "closed_left": 1.0, "connections_tcp": 5.0},
    ]

    assert fold(rows) == {"messages_in": 1.5, "lag_p99": 9.0, "closed_left": 3.0, "connections_tcp": 5.0}
    assert fold_of("connections_web") is Fold.LAST and fold_of("closed_lost") is Fold.SUM and FOLDS["fds"] is Fold.MOST


def test_seconds_become_steps_of_ten_and_of_sixty() -> None:
    rings = filled(125)

    times, figures = rings.since("1h")
    assert times == [second * 1000 for second in range(9, 125, 10)]
    assert figures["messages_in"][:2] == [4.5, 14.5]
    assert figures["closed_kicked"] == [1.0] * 12
    by_minute = {"messages_in": [29.5, 89.5], "lag_p99": [59.0, 119.0], "closed_kicked": [6.0, 6.0]}
    assert rings.since("24h") == ([59_000, 119_000], by_minute)


def test_a_step_ends_in_time_although_rows_are_missing() -> None:
    rings = Rings()
    for second in (0, 1, 2, 9, 10, 11, 30, 31):
        rings.add(float(second), second * 1000, {"skipped": 1.0})

    assert rings.since("1h") == ([9000, 30000], {"skipped": [4.0, 3.0]})


def test_rings_are_bounded() -> None:
    rings = filled(24 * 3600 + 700)

    assert {span: len(rings.since(span)[0]) for span in STEPS} == {"5m": 300, "1h": 360, "24h": 1440}
