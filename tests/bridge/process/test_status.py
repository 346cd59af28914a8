"""`gateway status`, and what load balancers and Prometheus are told by a real gateway."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.bridge.gateways import ROOT, Gateway
from tests.bridge.peers import HOST, Json, Terminal, request
from tests.fakes import PATIENCE, until


def status(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """`gateway status` with its flags."""
    command = [sys.executable, "-m", "gateway", "status", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


def summary(gateway: Gateway) -> Json:
    """What `--json` prints."""
    done = status("--data", gateway.folder / "data", "--json")
    assert done.returncode == 0, done.stderr
    found: Json = json.loads(done.stdout)
    return found


@pytest.fixture
def kept(gateway: Gateway) -> Iterator[http.client.HTTPConnection]:
    """A connection to the web door that stays, as a load balancer's does."""
    connection = http.client.HTTPConnection(HOST, gateway.web, timeout=PATIENCE)
    connection.connect()
    yield connection
    connection.close()


def readiness(kept: http.client.HTTPConnection) -> tuple[int, str]:
    kept.request("GET", "/readyz")
    answer = kept.getresponse()
    return answer.status, answer.read().decode()


def test_one_screen_about_a_running_gateway(shared: Gateway) -> None:
    with Terminal(shared.tcp) as bob:
        bob.send("hello")
        until(lambda: summary(shared)["tiles"]["messages_in"]["peak"], "the message is in the figures")
        screen = status("--data", shared.folder / "data")

    assert screen.returncode == 0 and screen.stdout.startswith("OK  gateway ")
    assert f"{HOST}:{shared.tcp}" in screen.stdout and "loop lag" in screen.stdout


def test_json_is_the_summary_with_what_happened(shared: Gateway) -> None:
    with Terminal(shared.tcp) as bob:
        bob.send("hello")
        found = until(lambda: told if (told := summary(shared))["tiles"]["fds"]["now"] else None, "a first row")

    assert found["health"] == "ok" and {each["state"] for each in found["listeners"]} == {"ready"}
    assert found["tiles"]["connections_tcp"]["now"] >= 1
    assert 0 < found["tiles"]["fds"]["now"] < found["tiles"]["fds"]["limit"]


def test_where_nothing_runs_one_line_says_so(tmp_path: Path) -> None:
    done = status("--data", tmp_path)

    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("gateway: no gateway with a web door runs on ") and done.stderr.count("\n") == 1


def test_an_address_needs_a_token(shared: Gateway) -> None:
    secret = json.loads((shared.folder / "data" / "running.json").read_text())["secret"]
    url = f"http://{HOST}:{shared.web}"

    assert re.fullmatch("[0-9a-f]{48}", secret), "a `-` at its beginning would be taken for an option"
    assert status("--url", url, "--token", secret).stdout.startswith("OK  gateway ")
    refused = status("--url", url, "--token", "guessed")
    assert (refused.returncode, refused.stdout) == (1, "") and "refused: this token is not known here" in refused.stderr


def test_readiness_ends_while_newcomers_are_not_accepted(gateway: Gateway, kept: http.client.HTTPConnection) -> None:
    assert readiness(kept)[0] == 200
    gateway.running.send_signal(signal.SIGUSR2)
    until(lambda: readiness(kept)[0] == 503, "not ready")
    assert "not accepted" in readiness(kept)[1]
    gateway.running.send_signal(signal.SIGUSR2)
    until(lambda: readiness(kept)[0] == 200, "ready again")


def test_prometheus_scrapes_from_this_machine(gateway: Gateway) -> None:
    with Terminal(gateway.tcp) as bob:
        bob.send("hello")
        until(
            lambda: b"gateway_messages_received_total 1" in request(gateway.web, "GET", "/metrics").body, "counted", 20
        )
        with urllib.request.urlopen(f"http://{HOST}:{gateway.web}/metrics", timeout=PATIENCE) as answer:
            families = {each.name: each for each in text_string_to_metric_families(answer.read().decode())}

    doors = {sample.labels["door"]: sample.value for sample in families["gateway_connections"].samples}
    assert doors == {"tcp": 1, "telnet": 0, "web": 0, "http": 0}
    assert families["gateway_journal_append_seconds"].type == "histogram"
    assert request(gateway.web, "GET", "/metrics", headers={"X-Forwarded-For": "10.0.0.1"}).status == 401


def test_what_is_piped_is_not_cut_to_the_width_of_a_terminal(shared: Gateway) -> None:
    """hassette#1855, kernel/cli#148: `status | grep NAME` found nothing where the name was cut."""
    long = "a-name-of-thirty-two-letters-xyz"
    with Terminal(shared.tcp) as bob:
        bob.send(f"/nick {long}")
        bob.until(f"you are .*{long}|{long}")
    environ = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    command = [sys.executable, "-m", "gateway", "status", "--data", str(shared.folder / "data")]

    def shown() -> bool:
        done = subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        return any(long in line and "left" in line and "127.0.0.1" in line for line in done.stdout.splitlines())

    until(shown, "who has left, in one whole line")
