"""Watching a connection of another node, as lines of a terminal and as events of the dashboard."""

from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
import pytest

from gateway.core.answer import Answer
from gateway.core.operators import watch_relay
from gateway.core.operators.watch_relay import LEFT_SECONDS, LiveWatch, SeenSince
from gateway.core.ports.cluster import NodeGone
from gateway.core.ports.ledger import AuditQuery
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.roles import Operator, Role
from gateway.errors import Code, JournalError, Refusal
from tests.core.nodes import Nodes
from tests.core.world import Peer, World

ADMIN = Operator("root", Role.ADMIN, "web 10.0.0.9")


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


@pytest.fixture
def here(nodes: Nodes) -> World:
    return nodes.start("a", watch=True)


@pytest.fixture
def there(nodes: Nodes) -> World:
    return nodes.start("b", watch=True)


@pytest.fixture
def bob(nodes: Nodes, there: World) -> Peer:
    peer = there.terminal("bob")
    nodes.settle()
    return peer


def later(nodes: Nodes, seconds: float) -> None:
    """Let time pass at all nodes, and what is asked be answered meanwhile."""
    for _ in range(round(seconds / 0.05)):
        for world in nodes.worlds:
            world.later(0.05)
        nodes.settle()


def watched(nodes: Nodes, here: World, bob: Peer, news: Callable[[], object] = lambda: None) -> LiveWatch:
    """A watch of bob's, begun at the other node."""
    found = begun(nodes, here, bob.session.id, news)
    assert not isinstance(found, Refusal)
    return found


def begun(
    nodes: Nodes, here: World, id: str, news: Callable[[], object] = lambda: None, by: Operator = ADMIN
) -> LiveWatch | Refusal:
    """What comes of a wish to watch."""
    found: list[LiveWatch | Refusal] = []
    here.operators.watching.begin(by, id, news).then(found.append)
    nodes.settle()
    return found[0]


def texts(*parts: SeenSince) -> list[tuple[str, str]]:
    """What was seen."""
    return [(way, seen.text) for part in parts for way, seen in part.seen]


def entries(nodes: Nodes) -> list[tuple[str, str, str]]:
    """Who did what with which result, as the log of all nodes says; the oldest first."""
    found: list[Any] = []
    nodes.ledger.audit(AuditQuery()).then(found.append)
    return [(each.who, each.action, each.result) for each in found[0].entries][::-1]


def test_what_somebody_at_another_node_sends_and_gets_is_seen_without_secrets(
    nodes: Nodes, here: World, bob: Peer
) -> None:
    told: list[bool] = []
    watch = watched(nodes, here, bob, lambda: told.append(True))
    assert (watch.id, watch.nick) == (bob.session.id, "bob") and not told
    assert bob.session.tap is not None
    bob.session.tap.heard(b"/login bob hunter2\n/nope \x1b[31m\n")
    bob.says("/nope")
    later(nodes, 0.3)
    assert told
    seen = texts(watch.take())
    assert seen[0] == ("in", "/login •••\\n\n/nope \\e[31m\\n\n")
    assert seen[1][0] == "out" and seen[1][1].startswith("!! unknown_command: ")
    bob.says("/nope")
    later(nodes, 0.3)
    assert len(watch.take().seen) == 1
    here.operators.watching.end(ADMIN, watch, "time")
    nodes.settle()
    assert bob.session.tap is None
    assert entries(nodes) == [("root", "watch", "done"), ("root", "unwatch", "done: time")]


def test_a_terminal_watches_by_the_nick_or_the_id(nodes: Nodes, here: World, bob: Peer) -> None:
    root = here.terminal("root")
    nodes.settle()
    root.says("/login root right horse")
    nodes.settle()
    for words in ("bob", bob.session.id):
        root.forget()
        root.says(f"/watch {words}")
        nodes.settle()
        assert root.lines[0].startswith(f"-- you watch bob ({bob.session.id}) for 10 minutes")
        bob.says("/nope")
        later(nodes, 0.5)
        assert root.lines[0].startswith("-- bob< !! unknown_command: ")
        root.says("/watch off")
        nodes.settle()
        assert root.lines == ["-- you do not watch bob any more: as you wished"] and bob.session.tap is None
    root.says("/watch nobody")
    nodes.settle()
    assert root.lines == ["!! no_such_user: nobody here is called nobody"]


def test_a_watch_ends_with_the_connection_and_is_recorded_once(nodes: Nodes, here: World, bob: Peer) -> None:
    watch = watched(nodes, here, bob)
    bob.says("/nope")
    bob.world.hub.close(bob.session, CloseReason.KICKED, "spam")
    later(nodes, 1.5)
    over = watch.over()
    assert over is not None and (over.reason, over.words) == ("kicked", "spam")
    assert any("unknown_command" in text for _, text in texts(watch.take()))
    here.operators.watching.end(ADMIN, watch, over.reason)
    later(nodes, 2 * LEFT_SECONDS)
    assert entries(nodes) == [("root", "watch", "done"), ("root", "unwatch", "done: kicked")]


def test_a_lost_answer_comes_again_and_nothing_is_shown_twice(nodes: Nodes, here: World, bob: Peer) -> None:
    watch = watched(nodes, here, bob)
    assert bob.session.tap is not None
    served, asked = nodes.clusters["b"].served, count()
    answer = served[watch_relay.MORE]

    def lossy(question: bytes) -> Answer[bytes | JournalError]:
        given = answer(question)
        return given.map(lambda found: JournalError("nothing has come in time") if next(asked) % 3 else found)

    served[watch_relay.MORE] = lossy
    seen: list[tuple[str, str]] = []
    for number in range(40):
        nodes.clusters["b"].away = number % 10 == 3  # then the question is lost
        bob.session.tap.heard(f"{number}\n".encode())
        later(nodes, 0.2)
        seen += texts(watch.take())
    nodes.clusters["b"].away = False
    for _ in range(3):
        later(nodes, 3)
        seen += texts(watch.take())
    assert "".join(text for _, text in seen) == "".join(f"{number}\\n\n" for number in range(40))


def test_what_nobody_takes_is_dropped_and_counted_where_the_connection_is(nodes: Nodes, here: World, bob: Peer) -> None:
    watch = watched(nodes, here, bob)
    assert bob.session.tap is not None
    for _ in range(6):
        for _ in range(500):
            bob.session.tap.heard(b"x" * 1000 + b"\n")
        later(nodes, 0.5)
    parts = []
    for _ in range(4):
        parts.append(watch.take())
        later(nodes, 1.5)
    chars = sum(len(text) for _, text in texts(*parts))
    dropped = sum(part.dropped.count for part in parts if part.dropped is not None)
    assert chars < 3 * 256 * 1024 and len(texts(*parts)) + dropped == 3000


def test_a_watch_whose_node_is_gone_is_over_and_recorded_here(nodes: Nodes, here: World, bob: Peer) -> None:
    watch = watched(nodes, here, bob)
    nodes.clusters["b"].away = True
    later(nodes, 5)
    assert watch.over() is None
    del nodes.clusters["b"]
    later(nodes, 2)
    over = watch.over()
    assert over is not None and over.reason == "node_gone"
    here.operators.watching.end(ADMIN, watch, over.reason)
    assert entries(nodes)[-1] == ("root", "unwatch", "done: node_gone")


@pytest.mark.parametrize("gone", [True, False])
def test_a_watch_ends_when_its_watcher_is_gone_or_asks_no_more(
    nodes: Nodes, here: World, bob: Peer, gone: bool
) -> None:
    watched(nodes, here, bob)
    nodes.worlds.remove(here)  # it stands still
    if gone:
        nodes.clusters["b"].hearers.tell(NodeGone("a"))
    else:
        bob.says("/nope")
        later(nodes, LEFT_SECONDS - 2)
        assert bob.session.tap is not None
        later(nodes, 4)
    assert bob.session.tap is None
    assert entries(nodes)[-1] == ("root", "unwatch", "done: the watcher has gone")


def test_the_node_of_the_connection_decides(nodes: Nodes, here: World, bob: Peer) -> None:
    otto = Operator("otto", Role.OPERATOR, "web 10.0.0.9")
    refused = begun(nodes, here, bob.session.id, by=otto)
    assert isinstance(refused, Refusal) and refused.code is Code.FORBIDDEN
    watched(nodes, here, bob)
    refused = begun(nodes, here, bob.session.id)
    assert isinstance(refused, Refusal) and refused.code is Code.BUSY and refused.retry_ms == 60_000
    shut = nodes.start("c", watch=False).terminal("cid")
    refused = begun(nodes, here, shut.session.id)
    assert isinstance(refused, Refusal) and "admin.watch" in refused.text
    nodes.clusters["c"].away = True
    refused = begun(nodes, here, shut.session.id)
    assert isinstance(refused, Refusal) and refused.text == "c does not answer: nothing has come in time"
    refused = begun(nodes, here, f"{9 << 32 | 0x100:x}")
    assert isinstance(refused, Refusal) and refused.code is Code.NO_SUCH_USER


@pytest.mark.parametrize("kind", [watch_relay.BEGIN, watch_relay.MORE, watch_relay.END])
def test_a_question_of_another_version_is_an_error(nodes: Nodes, here: World, there: World, kind: str) -> None:
    found: list[Any] = []
    here.hub.cluster.ask("b", kind, b"{}").then(found.append)
    nodes.settle()
    assert str(found[0]) == "it runs another version"


def test_an_answer_of_another_version_ends_the_watch(nodes: Nodes, here: World, bob: Peer) -> None:
    watch = watched(nodes, here, bob)
    served = nodes.clusters["b"].served
    other = served[watch_relay.MORE]
    served[watch_relay.MORE] = lambda asked: other(asked).map(lambda _: msgspec.json.encode(["new"]))
    bob.says("/nope")
    later(nodes, 1)
    watch.take()
    later(nodes, 3)
    over = watch.over()
    assert over is not None and over.reason == "lost"
