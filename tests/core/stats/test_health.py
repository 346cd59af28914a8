"""The gateway's health, and that it does not change every second."""

import pytest

from gateway.core.stats.health import FALL_SECONDS, RISE_SECONDS, Cause, Health, Level

LATE = Cause("loop_lag", Level.BUSY, "late")
VERY_LATE = Cause("loop_lag", Level.OVERLOADED, "very late")


def looked(health: Health, since: float, *looks: list[Cause]) -> float:
    """A look a second; returns the moment after the last."""
    for number, found in enumerate(looks):
        health.look(since + number, found)
    return since + len(looks)


def level_after(health: Health, now: float, *found: Cause) -> Level:
    """The level once one more look has found these."""
    health.look(now, list(found))
    return health.level


def test_one_bad_second_is_no_overload() -> None:
    health = Health()
    looked(health, 0, [VERY_LATE], [], [VERY_LATE], [], [VERY_LATE])

    assert health.level is Level.OK and health.causes == []


def test_a_strain_that_lasts_counts_and_is_named() -> None:
    health = Health()
    now = looked(health, 0, *[[VERY_LATE]] * int(RISE_SECONDS))
    assert health.level is Level.OK

    assert level_after(health, now, VERY_LATE) is Level.OVERLOADED and health.causes == [VERY_LATE]


def test_a_strain_is_over_when_it_has_not_been_seen_for_a_while() -> None:
    health = Health()
    now = looked(health, 0, *[[LATE]] * 10)
    now = looked(health, now, *[[]] * int(FALL_SECONDS))
    assert health.level is Level.BUSY

    assert level_after(health, now) is Level.OK


def test_a_strain_that_comes_and_goes_does_not_flap() -> None:
    health = Health()
    now = looked(health, 0, *[[LATE]] * 10)
    for _ in range(20):
        now = looked(health, now, [], [], [LATE], [LATE])
        assert health.level is Level.BUSY


def test_an_overload_that_eases_is_still_busy() -> None:
    health = Health()
    now = looked(health, 0, *[[VERY_LATE]] * 10)
    looked(health, now, *[[LATE]] * int(FALL_SECONDS + 1))

    assert health.causes == [LATE]


def test_storage_counts_at_once_and_is_forgiven_at_once() -> None:
    health = Health()
    assert level_after(health, 0, Cause("storage", Level.OVERLOADED, "the disk is full")) is Level.OVERLOADED
    assert level_after(health, 1) is Level.OK


@pytest.mark.parametrize("first", [LATE, Cause("memory", Level.OVERLOADED, "80 % of memory")])
def test_the_worst_cause_comes_first(first: Cause) -> None:
    health = Health()
    looked(health, 0, *[[first, Cause("fds", Level.BUSY, "many")]] * 10)

    assert next(cause.name for cause in health.causes) == (
        first.name if first.level is Level.OVERLOADED else "loop_lag"
    )
    assert len(health.causes) == 2
