"""When the garbage collector walks over everything: not during a rush, and not over the same survivors again."""

import pytest

from gateway.process import gc_policy
from gateway.process.gc_policy import MUCH, QUIET, TOO_MUCH, WHOLE, GcPolicy


class Counted:
    """A fake of the module gc: remembers what it was asked for."""

    def __init__(self) -> None:
        self.aged = 0
        self.asked: list[str] = []

    def get_count(self) -> tuple[int, int, int]:
        return 0, 0, self.aged

    def collect(self) -> None:
        self.asked.append("collect")

    def freeze(self) -> None:
        self.asked.append("freeze")

    def unfreeze(self) -> None:
        self.asked.append("unfreeze")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    fake = Counted()
    monkeypatch.setattr(gc_policy, "gc", fake)
    return fake


@pytest.mark.parametrize(
    ("aged", "busy", "walks"),
    [(MUCH - 1, 0.0, False), (MUCH, 0.0, True), (MUCH, QUIET, False), (TOO_MUCH, 1.0, True)],
)
def test_it_walks_in_a_quiet_second_or_when_it_has_waited_too_long(
    counted: Counted, aged: int, busy: float, walks: bool
) -> None:
    counted.aged = aged
    GcPolicy().beat(busy)
    assert counted.asked == (["collect", "freeze"] if walks else [])


def test_what_has_survived_is_looked_at_again_once_in_a_while(counted: Counted) -> None:
    counted.aged = MUCH
    one = GcPolicy()
    for _ in range(WHOLE):
        one.beat(0.0)
    assert counted.asked == ["collect", "freeze"] * (WHOLE - 1) + ["unfreeze", "collect", "freeze"]
