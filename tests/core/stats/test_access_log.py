"""Lines about connections in the log."""

import json
import logging

import pytest

from gateway import wording
from gateway.core.operators.drain import send_away
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.stats.access_log import LINES_PER_SECOND
from gateway.process.logs import JsonFormatter
from tests.core.world import World


def test_a_connection_is_logged_when_it_comes_and_when_it_goes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.connections")
    world = World()
    caplog.clear()
    bob = world.terminal("bob")
    bob.says("hi")
    world.hub.close(bob.session, CloseReason.KICKED, "spam")
    assert caplog.messages == [
        "connection 100 of guest-4f2a (tcp, 127.0.0.1) opened",
        "connection 100 of bob (tcp, 127.0.0.1) closed: kicked: spam; lasted 0 s, messages: 1 in, 0 out",
    ]
    line = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert (line["event"], line["connection"], line["nick"], line["reason"]) == ("closed", "100", "bob", "kicked")
    assert (line["words"], line["messages_in"], line["logger"]) == ("spam", 1, "gateway.connections")


def test_a_storm_costs_fifty_lines_a_second_and_one_that_counts_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.connections")
    world = World()
    caplog.clear()
    for _ in range(500):
        world.hub.stats.refused(Door.TCP, "192.0.2.1", CloseReason.FULL, "try again in 30 s")
    assert len(caplog.messages) == LINES_PER_SECOND
    world.later(1.1)
    assert caplog.messages[LINES_PER_SECOND:] == ["450 lines about connections were left out"]
    world.hub.stats.refused(Door.TCP, "192.0.2.1", CloseReason.FULL, "try again in 30 s")
    assert len(caplog.messages) == LINES_PER_SECOND + 2


def test_the_code_to_come_back_is_neither_logged_nor_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.connections")
    world = World()
    bob, eve = world.terminal("bob"), world.terminal("eve")
    bob.says("/resume", "/quit")
    send_away(world.hub, [eve.session], lambda: 1500, wording.RESTARTING, codes=True).then(lambda _: None)
    world.run()
    told = [bob.lines[-1], eve.lines[-1]]
    assert all("/resume " in line for line in told)
    assert not [line for line in caplog.messages if "/resume" in line]
    assert not [row for row in world.hub.stats.closed.last if "/resume" in row.words]
