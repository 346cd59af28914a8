"""Two nodes of one gateway, for the tests of what goes over nodes."""

import pytest

from tests.core.nodes import Nodes, started
from tests.core.world import World


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


@pytest.fixture
def here(nodes: Nodes) -> World:
    return started(nodes, "a")


@pytest.fixture
def there(nodes: Nodes, here: World) -> World:
    return started(nodes, "b")
