"""Farewells that must arrive: the code at a stop, the reason at a full door; and what the log says of both."""

import json
import re
import signal
import subprocess

from websockets.sync.client import connect

from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import HOST, Terminal, history, raw, request
from tests.fakes import PATIENCE, until

FAREWELL = re.compile(r"!! draining: the gateway is restarting; reconnect in \d+ s, then (/resume \S+)")
FULL = "full: try again in 30 s"


def test_the_code_of_the_farewell_brings_a_terminal_back_after_the_restart(gateway: Gateway) -> None:
    with Terminal(gateway.tcp) as ana:
        ana.send("/nick ana", "/join ops")
        ana.until("in #ops")
        gateway.running.send_signal(signal.SIGTERM)
        farewell = FAREWELL.fullmatch(ana.rest().splitlines()[-1])
    assert farewell
    assert gateway.running.wait(PATIENCE) == 0
    gateway.start()

    with Terminal(gateway.tcp) as again:
        again.send(farewell[1])
        assert again.until("in #ops")[0] == "-- welcome back, ana"
    assert farewell[1] not in gateway.stderr


def test_a_netcat_that_has_sent_its_end_is_told_of_the_stop_too(start: Start) -> None:
    """Its lines wait for their rate: all of them are posted before the gateway ends."""
    gateway = start("--limits.burst", 5, "--limits.messages_per_second", 1)
    lines = "".join(f"{number}\n" for number in range(30))
    with subprocess.Popen(["nc.openbsd", "-N", HOST, str(gateway.tcp)], stdin=-1, stdout=-1, text=True) as netcat:
        assert netcat.stdin is not None
        netcat.stdin.write(lines)
        netcat.stdin.close()
        netcat.stdin = None
        until(lambda: request(gateway.web, "GET", "/rooms").json[0]["head"], "the first are posted")
        assert gateway.stop() == 0
        told, _ = netcat.communicate(timeout=PATIENCE)
    assert FAREWELL.fullmatch(told.splitlines()[-1])
    gateway.start()
    assert [message["text"] for message in history(gateway.web, "lobby")] == lines.split()


def test_a_full_gateway_says_so_on_every_door(start: Start) -> None:
    gateway = start("--limits.connections", 1, "--log-format", "json", "--memory")
    with Terminal(gateway.tcp) as first:
        first.send("/nick ana")
        first.until("you are ana")

        assert raw(gateway.tcp, b"many lines\n" * 20_000, half_close=True) == f"!! {FULL}\n".encode()
        assert raw(gateway.web, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 503 ")
        with connect(f"ws://{HOST}:{gateway.web}/ws") as browser:
            bye = json.loads(browser.recv())
            assert (bye["code"], bye["reason"], bye["retry_ms"] >= 30_000) == (4013, FULL, True)
        assert (browser.close_code, browser.close_reason) == (4013, FULL)

    lines = until(lambda: log if '"event": "closed"' in (log := gateway.stderr) else None, "the line of its end")
    told = [(line["event"], line["door"], line.get("reason")) for line in map(json.loads, lines.splitlines())]
    refused = [("refused", door, "full") for door in ("tcp", "web", "web")]
    assert told == [("opened", "tcp", None), *refused, ("closed", "tcp", "left")]
