import selectors as standard

import pytest

from gateway.bench.kinds.readiness import SELECTORS, selectors, slope


def tell(what: str, share: float) -> None:
    pass


def test_every_selector_of_this_system_is_measured_with_its_slope() -> None:
    report = selectors([5, 20, 150], 20, tell)
    assert report.ok
    assert [line.name for line in report.lines] == list(SELECTORS)
    assert all(took is not None and took > 0 for line in report.lines for took in line.micros)
    assert [line.name for line in report.lines if line.default] == [
        name for name, kind in SELECTORS.items() if kind is standard.DefaultSelector
    ]
    assert all(line.slope is not None for line in report.lines)
    assert list(report.chart().lines) == list(SELECTORS)


def test_select_is_said_to_end_at_1024() -> None:
    report = selectors([10, 1100], 5, tell)
    select = next(line for line in report.lines if line.name == "select")
    assert select.micros[0] is not None
    assert select.micros[1] is None
    assert "10 idle ones work, 1,100 do not" in report.claims[0]
    assert "cannot" in report.text()


def test_a_selector_that_finds_something_else_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    class Blind(standard.SelectSelector):
        def select(self, timeout: float | None = None) -> list[tuple[standard.SelectorKey, int]]:
            return []

    monkeypatch.setattr("gateway.bench.kinds.readiness.SELECTORS", {"blind": Blind})
    report = selectors([3], 5, tell)
    assert not report.ok
    assert report.faults == ["blind with 3 idle: one was ready, 0 were found"]


def test_fewer_descriptors_shorten_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.bench.kinds.readiness.most_connections", lambda wanted: 118)
    report = selectors([10, 5000], 5, tell)
    assert report.idle == [10, 100]
    assert "100 idle connections are as many as this program may open" in report.notes[0]


def test_the_slope_is_the_power_of_growth() -> None:
    assert slope([1, 10, 100, 1000], [5.0, 5.0, 50.0, 500.0]) == 1.0
    assert slope([10, 100, 1000], [4.0, 4.0, 4.0]) == 0.0
    assert slope([10, 100], [4.0, None]) is None
