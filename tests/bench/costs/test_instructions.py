"""A change that makes a delivery dearer is seen; see instructions.py."""

from collections.abc import Callable

from tests.bench.costs.instructions import Baseline, baseline, count, dearer
from tests.bench.costs.works import ALONE

COUNTS = {"yardstick": 1000, ALONE: 2000, "lines to 100 terminals": 4000}
BEFORE = Baseline("this one", COUNTS)


def after(interpreter: str, **grown: float) -> Baseline:
    """The same work with more instructions: of the yardstick, of a terminal's lines, of what the readers add."""
    alone = COUNTS[ALONE] * grown.get("lines", 1.0)
    counts = {
        "yardstick": round(COUNTS["yardstick"] * grown.get("yardstick", 1.0)),
        ALONE: round(alone),
        "lines to 100 terminals": round(alone + 2000 * grown.get("readers", 1.0)),
    }
    return Baseline(interpreter, counts)


def test_no_work_has_become_dearer(program: Callable[[str], str]) -> None:
    for name in ("valgrind", "cc"):
        program(name)
    advice = "cheaper code, or `python -m tests.bench.costs.instructions --write` and the reason in the commit"
    assert dearer(count(), baseline()) == [], advice


def test_some_per_cent_more_for_each_reader_are_seen() -> None:
    assert dearer(after("this one", readers=1.05), BEFORE) == [
        "lines to 100 terminals, the readers: +5.0%, tolerated +3%"
    ]


def test_noise_and_less_work_are_tolerated() -> None:
    assert dearer(after("this one", lines=1.01, readers=1.01), BEFORE) == []
    assert dearer(after("this one", lines=0.5, yardstick=2.0), BEFORE) == []


def test_another_interpreter_is_measured_in_yardsticks() -> None:
    assert dearer(after("another", yardstick=2.0, lines=2.1, readers=2.1), BEFORE) == []
    assert dearer(after("another", yardstick=2.0, lines=2.1, readers=2.8), BEFORE) == [
        "lines to 100 terminals, the readers: +40.0%, tolerated +25%"
    ]
