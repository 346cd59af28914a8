"""Foreign clients meet a real gateway: the fixtures of tests/bridge, and the programs that come from npm."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bridge.conftest import gateway, room, shared, start, start_shared
from tests.suite.programs import NPM, in_ci

__all__ = ["gateway", "node_modules", "room", "shared", "start", "start_shared"]


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder of what `python3 tests` gets from npm. Without it the test is skipped, in CI it fails."""
    if not NPM.ready:
        (pytest.fail if in_ci() else pytest.skip)("the packages of npm are not installed: python3 tests installs them")
    return NPM.modules


Program = Callable[[str], str]
