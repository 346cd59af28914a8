"""/whois of people at other nodes."""

import msgspec
import pytest

from gateway.core.doors import who
from gateway.core.protocol.close_reason import CloseReason
from tests.core.nodes import Nodes
from tests.core.world import Peer, World


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


@pytest.fixture
def worlds(nodes: Nodes) -> list[World]:
    return [nodes.start(name) for name in "abc"]


def asked(nodes: Nodes, peer: Peer, command: str) -> str:
    """The only line that the command is answered with."""
    peer.forget()
    peer.says(command)
    nodes.settle()
    (line,) = peer.lines
    return line


def test_a_person_at_another_node_is_described_and_only_operators_see_where_from(
    nodes: Nodes, worlds: list[World]
) -> None:
    here, there, _ = worlds
    ana, bob = here.terminal("ana"), there.terminal("bob")
    nodes.settle()
    bob.says("/away lunch", "/join ops")
    nodes.settle()
    there.later(90)
    said = asked(nodes, ana, "/whois bob")
    assert said.startswith("-- bob  >_ tcp     idle 1m, away: lunch, here for 1m") and said.endswith("in #ops")
    assert "127.0.0.1" not in said
    ana.says("/login ana right horse")
    nodes.settle()
    assert "  127.0.0.1  lag " in asked(nodes, ana, "/whois bob")


def test_the_connections_of_one_person_are_told_together_by_the_latest(nodes: Nodes, worlds: list[World]) -> None:
    first = worlds[0].browser("kim", rooms=[{"room": "ops"}])
    nodes.settle()
    token = first.told("welcome")[0]["token"]
    for world in worlds:
        world.later(120)
    worlds[1].browser(token=token, rooms=[{"room": "dev"}, {"room": "ops"}])
    nodes.settle()
    ana = worlds[2].terminal("ana")
    nodes.settle()
    for peer in (ana, ana):
        said = asked(nodes, peer, "/whois kim")
        assert said.startswith("-- kim  ◍ web     active, here for 2m") and said.endswith(", in #ops #dev")
    nodes.clusters["a"].away = True
    said = asked(nodes, ana, "/whois kim")
    assert "here for 0" in said and said.endswith("in #dev #ops"), "without what does not answer"
    nodes.clusters["b"].away = True
    assert asked(nodes, ana, "/whois kim").startswith("!! backplane: b does not answer: ")


def test_who_has_left_another_node_is_told_when(nodes: Nodes, worlds: list[World]) -> None:
    kim = worlds[1].browser("kim")
    ana = worlds[0].terminal("ana")
    nodes.settle()
    worlds[1].hub.disconnect(kim.session, CloseReason.LEFT)
    for world in worlds:
        world.later(3)
    nodes.settle()
    assert asked(nodes, ana, "/whois kim").startswith("!! no_such_user: kim left ")
    assert asked(nodes, ana, "/whois nobody") == "!! no_such_user: nobody here is called nobody"


def test_one_who_leaves_meanwhile_or_a_node_of_another_version_is_told(nodes: Nodes, worlds: list[World]) -> None:
    ana, _bob = worlds[0].terminal("ana"), worlds[1].terminal("bob")
    nodes.settle()
    served = nodes.clusters["b"].served
    other = served[who.KIND]
    served[who.KIND] = lambda asked: other(msgspec.json.encode({}))
    assert asked(nodes, ana, "/whois bob") == "!! backplane: b does not answer: it runs another version"
    served[who.KIND] = lambda asked: other(msgspec.json.encode({"nick": "nobody"}))
    assert asked(nodes, ana, "/whois bob") == "!! no_such_user: they have just left"
    nodes.clusters["a"].away = True
    assert asked(nodes, ana, "/whois bob").startswith("!! backplane") or asked(nodes, ana, "/whois ana")
