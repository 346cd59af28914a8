"""What a change of limits does to what was used of a rate."""

import pytest

from gateway.core.sessions.rate_limit import Limits, pay, repriced, wait

NOW = 1000.0


def used(messages: int, rate: float) -> float:
    """`paid_until` after so many messages at once."""
    paid = 0.0
    for _ in range(messages):
        paid = pay(paid, NOW, rate)
    return paid


@pytest.mark.parametrize(("rate", "burst", "left"), [(10, 10, 6), (1000, 10, 6), (1, 10, 6), (10, 5, 1), (10, 4, 0)])
def test_as_many_messages_are_used_as_before(rate: float, burst: int, left: int) -> None:
    limits = Limits(messages_per_second=rate, burst=burst)
    paid = repriced(used(4, 10), NOW, 10, limits)

    for _ in range(left):
        assert not wait(paid, NOW, rate, burst)
        paid = pay(paid, NOW, rate)
    assert wait(paid, NOW, rate, burst) == pytest.approx(1 / rate)


def test_a_long_debt_shrinks_to_one_burst() -> None:
    paid = repriced(used(1000, 1), NOW, 1, Limits(messages_per_second=10, burst=20))

    assert wait(paid, NOW, 10, 20) == pytest.approx(0.1)


@pytest.mark.parametrize(("before", "rate"), [(0, 10), (10, 0), (0, 0)])
def test_without_a_rate_nothing_was_used(before: float, rate: float) -> None:
    assert repriced(used(50, before), NOW, before, Limits(messages_per_second=rate)) == 0.0
