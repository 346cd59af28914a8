"""Gateways for the tests. A module shares one, which saves starts; a test that needs an empty lobby gets its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bridge.gateways import NO_PACE, Gateway, Start, starter


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts gateways; see `gateways.starter`."""
    with starter(tmp_path) as start:
        yield start


@pytest.fixture
def gateway(start: Start) -> Gateway:
    """A gateway for this test alone."""
    return start()


@pytest.fixture(scope="module")
def start_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts gateways that live as long as the module's tests."""
    with starter(tmp_path_factory.mktemp("shared")) as start:
        yield start


@pytest.fixture(scope="module")
def shared(start_shared: Start) -> Gateway:
    """One gateway for the tests of the module, without a limit of pace."""
    return start_shared(*NO_PACE)


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """A room for this test alone."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.lower())
    return name.removeprefix("test-").strip("-")[:60]
