"""One person's connections at several nodes: each is told of the others, and there are not too many of them."""

from collections import Counter
from typing import Any

import msgspec

from gateway.core.ports.cluster import Missed, NodeGone
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.sessions.identity import CONNECTIONS
from tests.core.nodes import Nodes
from tests.core.world import Peer, World


def page(nodes: Nodes, world: World, **hello: Any) -> Peer:
    """A page that was welcomed, a second after everybody before it."""
    for each in nodes.worlds:
        each.later(1.0)
    peer = world.browser(**hello)
    nodes.settle()
    return peer


def token_of(peer: Peer) -> str:
    """What proves the page's person."""
    assert peer.session.identity is not None
    return peer.world.hub.identities.identities.token(peer.session.identity)


def told(nodes: Nodes) -> Counter[str]:
    """How many facts of each kind are on their way."""
    return Counter(msgspec.json.decode(fact)["type"] for _, fact in nodes.facts)


def closed(*peers: Peer) -> list[bool]:
    """Which of these are over."""
    return [peer.session.closed for peer in peers]


def test_a_connection_at_another_node_is_told_to_the_earlier_ones(nodes: Nodes, here: World, there: World) -> None:
    first = page(nodes, here, nick="ana")
    second = page(nodes, there, token=token_of(first))
    assert [each["text"] for each in first.told("notice")] == ["you have one more connection: web from 127.0.0.1"]
    assert second.told("notice") == []

    first.forget()
    third = page(nodes, here, token=token_of(first))
    assert len(first.told("notice")) == len(second.told("notice")) == 1
    assert third.told("notice") == []


def test_one_more_than_there_may_be_closes_the_earliest_at_whichever_node(
    nodes: Nodes, here: World, there: World
) -> None:
    first = page(nodes, here, nick="ana")
    more = [page(nodes, (there, here)[number % 2], token=token_of(first)) for number in range(CONNECTIONS)]
    assert closed(first, *more) == [True] + [False] * CONNECTIONS
    assert first.transport.closed is not None and first.transport.closed[0] is CloseReason.REPLACED

    last = page(nodes, there, token=token_of(first))
    assert closed(*more, last) == [True] + [False] * CONNECTIONS


def test_the_first_one_at_a_node_closes_the_earliest_at_the_other(nodes: Nodes, here: World, there: World) -> None:
    first = page(nodes, here, nick="ana")
    more = [page(nodes, here, token=token_of(first)) for _ in range(CONNECTIONS - 1)]
    last = page(nodes, there, token=token_of(first))
    assert closed(first, *more, last) == [True] + [False] * CONNECTIONS


def test_connections_that_have_ended_are_not_counted(nodes: Nodes, here: World, there: World) -> None:
    first = page(nodes, here, nick="ana")
    others = [page(nodes, there, token=token_of(first)) for _ in range(CONNECTIONS - 1)]
    for each in others:
        there.hub.disconnect(each.session, CloseReason.LEFT)
    nodes.settle()
    more = [page(nodes, here, token=token_of(first)) for _ in range(CONNECTIONS - 1)]
    assert not any(closed(first, *more))


def test_connections_to_a_node_that_died_are_not_counted(nodes: Nodes, here: World, there: World) -> None:
    first = page(nodes, here, nick="ana")
    for _ in range(CONNECTIONS - 1):
        page(nodes, there, token=token_of(first))
    del nodes.clusters["b"]
    nodes.worlds.remove(there)
    nodes.clusters["a"].hearers.tell(NodeGone("b"))
    more = [page(nodes, here, token=token_of(first)) for _ in range(CONNECTIONS - 1)]
    assert not any(closed(first, *more))


def test_what_was_missed_is_told_again(nodes: Nodes, here: World, there: World) -> None:
    first = page(nodes, here, nick="ana")
    second = page(nodes, there, token=token_of(first))
    more = [page(nodes, here, token=token_of(first)) for _ in range(CONNECTIONS - 2)]
    there.hub.disconnect(second.session, CloseReason.LEFT)
    there.run()
    nodes.facts.clear()
    back = page(nodes, there, token=token_of(first))
    for cluster in nodes.clusters.values():
        cluster.hearers.tell(Missed())
    nodes.settle()
    assert not any(closed(first, *more, back))


def test_a_person_at_one_node_costs_the_others_nothing(nodes: Nodes, here: World, there: World) -> None:
    first = page(nodes, here, nick="ana")
    here.browser(token=token_of(first))
    here.run()
    here.hub.disconnect(first.session, CloseReason.LEFT)
    here.run()
    assert told(nodes)["connections"] == 0
