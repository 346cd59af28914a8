"""Doors that are drained, maintenance, the log level and campaigns, on the real program with netcat and browsers."""

import hashlib
import json
from contextlib import ExitStack
from typing import Any

import pytest

from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import Answer, Browser, Running, Terminal, raw, request
from tests.fakes import until

TOKEN = "a token of this test"
SECONDS = 45.0
"""How long anything is waited for that takes a second or two: the machine is busy."""


def ask(gateway: Gateway, method: str, path: str, **body: Any) -> Answer:
    """One request of a script."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    return request(gateway.web, method, f"/admin/api/{path}", json.dumps(body) if body else None, headers)


def door(gateway: Gateway, name: str) -> Any:
    """How far a door is drained."""
    (found,) = (each for each in ask(gateway, "GET", "drain").json["doors"] if each["door"] == name)
    return found


@pytest.fixture(scope="module")
def kept(start_shared: Start) -> Gateway:
    """A gateway that a script administers. Every test leaves it open."""
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    return start_shared("--admin.tokens", f"robot:admin:{digest}", "--limits.messages_per_second", "0")


def ready(gateway: Gateway) -> int:
    """What a load balancer is told."""
    return request(gateway.web, "GET", "/readyz", None, {}).status


def test_a_drained_terminal_door_sends_everybody_away_and_refuses_newcomers_until_it_opens(kept: Gateway) -> None:
    command = ["nc", "127.0.0.1", str(kept.tcp)]
    with ExitStack() as here, Browser(kept.web, nick="eve") as eve, Running(command) as bob:
        terminals = [here.enter_context(Terminal(kept.tcp)) for _ in range(40)]
        bob.send("/nick bob", "hello from netcat")
        eve.texts_until("hello from netcat")
        until(lambda: door(kept, "tcp")["left"] == 41, "all are here", SECONDS)
        told = ask(kept, "POST", "drain", door="tcp", per_second=50)
        assert (told.status, told.json["state"], told.json["per_second"]) == (202, "draining", 50)
        assert ready(kept) == 503
        with pytest.raises(ConnectionRefusedError):
            Terminal(kept.tcp)
        farewells = [terminal.rest(SECONDS).splitlines()[-1] for terminal in terminals]
        assert all(words.startswith("!! draining: this door closes for a while; reconnect in ") for words in farewells)
        until(lambda: bob.lines()[-1:] and "/resume" in bob.lines()[-1], "bob is told how to come back", SECONDS)
        until(lambda: door(kept, "tcp")["state"] == "closed", "the door is empty", SECONDS)
        assert door(kept, "tcp") == {"door": "tcp", "state": "closed", "total": 41, "sent": 41, "left": 0}
        assert eve.say("still here")["type"] == "ack"
        assert ask(kept, "DELETE", "drain").json["state"] == "ready"
        assert ready(kept) == 200
        code = bob.lines()[-1].partition("/resume ")[2].split()[0]
    with Terminal(kept.tcp) as again:
        again.send(f"/resume {code}")
        again.until("bob")


def test_a_drain_of_the_web_door_is_cancelled_halfway(kept: Gateway) -> None:
    with ExitStack() as here:
        browsers = [here.enter_context(Browser(kept.web)) for _ in range(10)]
        ask(kept, "POST", "drain", door="web", per_second=1)
        bye = browsers[0].next("bye")
        assert bye["code"] == 4001 and 500 <= bye["retry_ms"] <= 2500
        refused = Browser(kept.web, hello=False)
        assert refused.next("bye")["code"] == 4001
        assert refused.closed()[0] == 4001
        assert request(kept.web, "GET", "/", None, {}).status == 503
        assert ask(kept, "DELETE", "drain").status == 200
        left = door(kept, "web")["left"]
        assert 1 <= left <= 9
        assert browsers[-1].say("still here")["type"] == "ack"
        with Browser(kept.web):
            assert door(kept, "web")["left"] == left + 1


def test_maintenance_turns_newcomers_away_and_leaves_the_others(kept: Gateway) -> None:
    with Terminal(kept.tcp) as ana:
        ana.named("ana")
        ask(kept, "POST", "maintenance", on=True, text="back at nine")
        assert ready(kept) == 503
        assert raw(kept.tcp, b"hello\n") == b"!! busy: back at nine\n"
        refused = Browser(kept.web, hello=False)
        assert refused.closed() == (4013, "busy: back at nine")
        assert ana.answer("/who").startswith("-- ")
        assert ask(kept, "GET", "maintenance").json["text"] == "back at nine"
        assert ask(kept, "POST", "maintenance", on=False).json["on"] is False
    with Terminal(kept.tcp) as bob:
        bob.named("bob2")


def test_debug_shows_nothing_that_was_said_and_goes_back_by_itself(kept: Gateway) -> None:
    assert ask(kept, "POST", "log-level", level="debug", seconds=2).json["level"] == "debug"
    with Terminal(kept.tcp) as ana, Browser(kept.web) as eve:
        ana.send("a secret in a line")
        eve.texts_until("a secret in a line")
        eve.say("another secret")
        request(kept.web, "POST", "/r/lobby", "the third secret", {"Content-Type": "text/plain"})
    until(lambda: ask(kept, "GET", "log-level").json["until"] is None, "it is over", SECONDS)
    assert ask(kept, "GET", "log-level").json["level"] == "info"
    assert "secret" not in kept.stderr


def test_a_campaign_kicks_all_that_match_and_the_feed_tells_of_it(kept: Gateway) -> None:
    after = ask(kept, "GET", "events").json["cursor"]
    with ExitStack() as here, Browser(kept.web) as eve:
        terminals = [here.enter_context(Terminal(kept.tcp)) for _ in range(12)]
        order = {"action": "kick", "q": "door:tcp", "reason": "too many", "per_second": 50}
        until(lambda: door(kept, "tcp")["left"] == 12, "all are here", SECONDS)
        assert ask(kept, "POST", "campaigns", **order, expected=11).status == 409
        begun = ask(kept, "POST", "campaigns", **order, expected=12)
        assert begun.status == 202
        assert all_end(terminals) == {"!! kicked: too many"}
        path = f"campaigns/{begun.json['id']}"
        until(lambda: ask(kept, "GET", path).json["state"] == "finished", "it is over", SECONDS)
        assert ask(kept, "GET", path).json["done"] == 12
        assert eve.say("still here")["type"] == "ack"
    kicks = ask(kept, "GET", "audit?limit=500&q=action:kick").json["entries"]
    assert sum(entry["action"] == "kick" and entry["result"] == "done" for entry in kicks) == 12
    events = ask(kept, "GET", f"events?after={after}&limit=500").json["events"]
    assert sum((each["event"], each["detail"]) == ("gone", "kicked") for each in events) == 12


def all_end(terminals: list[Terminal]) -> set[str]:
    """Their last lines."""
    return {terminal.rest(SECONDS).splitlines()[-1] for terminal in terminals}
