"""The EventSource clients of npm read a room, and come back by themselves after the gateway was away."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bridge.gateways import Gateway
from tests.bridge.peers import SECONDS, Running, post
from tests.fakes import until
from tests.foreign.conftest import Program

SCRIPT = Path(__file__).with_name("event_source.mjs")
LONGEST_RETRY = 45.0
"""Seconds within which a client tries again."""


def shows(reader: Running, words: str) -> Callable[[], bool]:
    return lambda: any(line.endswith(words) for line in reader.lines())


@pytest.mark.parametrize("client", ["event-source-polyfill", "eventsource"])
def test_a_client_reads_a_room_and_misses_nothing_of_a_restart(
    gateway: Gateway, program: Program, node_modules: Path, client: str
) -> None:
    url = f"http://127.0.0.1:{gateway.web}/r/lobby/events"
    with Running([program("node"), str(SCRIPT), client, url, str(node_modules)]) as reader:
        until(shows(reader, "open"), "the connection", SECONDS)
        assert post(gateway.web, "lobby", "one", "ci").status == 201
        until(shows(reader, " one"), "the first message", SECONDS)
        gateway.restart()
        assert post(gateway.web, "lobby", "two", "ci").status == 201
        until(shows(reader, " two"), "the message after the restart", LONGEST_RETRY)

    texts = [line.partition(" ")[2] for line in reader.lines() if line.endswith((" one", " two"))]
    assert texts == ["one", "two"]
