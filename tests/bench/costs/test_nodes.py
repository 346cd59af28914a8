"""What several gateways on one Redis cost: that each figure is of what it says."""

from collections.abc import Iterator

import pytest

from gateway.bench.plan import BenchError, LoadPlan
from tests.bench.costs.nodes import HEADS, House, heard, house, latency, load, look, spread, terminal, traffic


@pytest.fixture(scope="module")
def pair() -> Iterator[House]:
    """Two gateways on one Redis."""
    with house(2) as running:
        yield running


def test_a_message_reaches_the_other_node(pair: House) -> None:
    assert latency(pair, 1, 3) > 0


def test_a_message_costs_both_nodes_and_redis(pair: House) -> None:
    of_nodes, of_redis = spread(pair, 1, 20, 200)
    assert of_nodes > of_redis > 0


def test_what_is_sent_between_nodes_is_counted(pair: House) -> None:
    assert traffic(pair, 0.1, lambda: look(pair.nodes[0])) > 0


def test_one_gateway_with_sqlite_has_no_redis() -> None:
    with house(0) as running:
        assert (running.redis, running.sent(), running.spent_by_redis()) == (None, 0, 0.0)
        messages, delivery, message, redis = load(running, LoadPlan(readers=1, writers=1, seconds=0.1))
    assert messages > 0 and message > delivery > 0 and redis == 0


def test_a_gateway_that_closes_the_connection_is_said(pair: House) -> None:
    with terminal(pair.nodes[0]) as peer, pytest.raises(BenchError, match="closed"):
        peer.sendall(b"/quit\n")
        heard(peer, b"what nobody says")


def test_every_table_has_heads_of_its_own() -> None:
    assert all(len(set(head)) >= len(head) - 1 for head in HEADS.values())
