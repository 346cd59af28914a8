"""What the tests run is measured, each thing once."""

from types import SimpleNamespace

import pytest

from tests import measuring


class Tracer:
    """Stands for coverage's, which is on."""

    def __init__(self) -> None:
        self.on = True

    def current(self) -> "Tracer | None":
        return self if self.on else None

    def stop(self) -> None:
        self.on = False

    def start(self) -> None:
        self.on = True


@pytest.fixture
def tracer(monkeypatch: pytest.MonkeyPatch) -> Tracer:
    tracer = Tracer()
    monkeypatch.setattr(measuring, "Coverage", tracer)
    return tracer


def item(name: str, **attributes: object) -> pytest.Item:
    return SimpleNamespace(nodeid=name, **attributes)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "parameters", "tells"),
    [
        ("tests/core/test_hub.py::test_x", None, True),
        ("tests/web/test_rooms.py::test_x[asyncio-3]", "asyncio-3", True),
        ("tests/web/test_rooms.py::test_x[uvloop-3]", "uvloop-3", False),
        ("tests/web/browser/test_browser_chat.py::test_x", None, False),
    ],
)
def test_what_shows_nothing_new_is_not_measured(name: str, parameters: str | None, tells: bool) -> None:
    attributes = {} if parameters is None else {"callspec": SimpleNamespace(id=parameters)}

    assert measuring.tells_something(item(name, **attributes)) is tells


def test_a_property_is_tried_with_all_inputs_and_measured_with_the_first(tracer: Tracer) -> None:
    measured: list[bool] = []
    given = SimpleNamespace(inner_test=lambda: measured.append(tracer.on))
    own = given.inner_test

    with measuring.first_examples_measured(item("test_x", obj=SimpleNamespace(hypothesis=given))):
        for _ in range(100):
            given.inner_test()

    assert measured == [True] * measuring.EXAMPLES + [False] * (100 - measuring.EXAMPLES)
    assert tracer.on and given.inner_test is own


def test_measuring_goes_on_after_a_pause_that_ended_in_an_error(tracer: Tracer) -> None:
    with pytest.raises(ValueError), measuring.unmeasured():
        assert not tracer.on
        raise ValueError

    assert tracer.on
