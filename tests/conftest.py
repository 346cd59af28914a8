"""What every folder of tests shares."""

import os
from collections.abc import Callable

import pytest
from hypothesis import settings

from tests.programs import PROGRAMS, in_ci


@pytest.fixture
def program() -> Callable[[str], str]:
    """`program("socat")` is the path of socat. Without it the test is skipped, in CI it fails."""

    def find(name: str) -> str:
        path = PROGRAMS[name].path
        if path is None:
            (pytest.fail if in_ci() else pytest.skip)(f"{name} is not installed")
        return path

    return find


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own GATEWAY_ variables do not reach the tests."""
    for variable in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(variable)


settings.register_profile("default", deadline=None)
settings.register_profile("long", deadline=None, max_examples=20_000)
settings.load_profile("default")
