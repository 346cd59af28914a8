"""What the word before the cursor may become."""

import pytest

from gateway.core.doors.completion import Completer
from tests.core.world import Peer, World


@pytest.fixture
def ana() -> Peer:
    """Somebody in a room with bob, Bea and carl; Bea spoke last, and dan is elsewhere."""
    world = World()
    ana, bob, bea, carl, dan = (world.terminal(name) for name in ("ana", "bob", "Bea", "carl", "dan"))
    dan.says("/join ops")
    carl.says("first")
    bob.says("hi")
    bea.says("last")
    return ana


def completed(peer: Peer, before: str) -> list[str]:
    """The texts that the line before the cursor may become."""
    start, words = Completer(peer.world.hub, peer.session).complete(before)
    return [before[:start] + word for word in words]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ["Bea: ", "bob: ", "carl: "]),
        ("b", ["Bea: ", "bob: "]),
        ("hi B", ["hi Bea ", "hi bob "]),
        ("@b", ["@Bea ", "@bob "]),
        ("d", []),
        ("/w", ["/who ", "/whois "]),
        ("/hist", ["/history "]),
        ("/ki", []),
        ("/msg c", ["/msg carl "]),
        ("/msg carl hi b", ["/msg carl hi Bea ", "/msg carl hi bob "]),
        ("/join o", ["/join ops "]),
        ("/join #o", ["/join #ops "]),
        ("see #o", ["see #ops "]),
        ("/echo o", ["/echo on ", "/echo off "]),
        ("/nosuch x", []),
        ("//b", []),
    ],
)
def test_words(ana: Peer, before: str, after: list[str]) -> None:
    assert completed(ana, before) == after


def test_an_operator_reaches_people_in_all_rooms(ana: Peer) -> None:
    ana.says("/login otto right horse")

    assert completed(ana, "/kic") == ["/kick "]
    assert completed(ana, "/kick d") == ["/kick dan "]
