"""Two nodes and two workers, real ones, on one dashboard: every view and every act is of all of them."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.bridge.gateways import NO_PACE, ROOT, Gateway, starter
from tests.bridge.peers import Terminal, request
from tests.fakes import PATIENCE, until
from tests.redis.servers import RedisServer

TOKEN = "a token of this test"
ROBOT = f"robot:admin:{hashlib.sha256(TOKEN.encode()).hexdigest()}"
KEY = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def house(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Gateway]]:
    """Two gateways, and one of two workers."""
    redis_server.cli("FLUSHALL")
    flags = ("--redis", redis_server.url, *NO_PACE, "--admin.tokens", ROBOT, "--admin.watch")
    with starter(tmp_path_factory.mktemp("house")) as start:
        workers = start(*flags, "--workers", "2", data="w")
        yield [start(*flags, data="a"), start(*flags, data="b"), workers]
        assert workers.stop() == 0  # a kill would leave the workers to the tests that use this Redis next


@pytest.fixture(autouse=True)
def as_before(house: list[Gateway]) -> Iterator[None]:
    """Before a test all know each other; after it, also if it failed, every node runs and every door is open."""
    until(partial(acquainted, house), "all know each other")
    yield
    for each in house:
        each.thaw()
        if each.running.poll() is not None:
            each.start()
    api(house[0], "drain", "DELETE")
    until(partial(ready, house), "all are ready")


def acquainted(house: list[Gateway]) -> bool:
    """Whether every node, whichever worker is asked, has answers from all four."""
    return all(
        [each["missing"] for each in nodes(gateway).values()] == [None] * 4 for gateway in house for _ in range(4)
    )


def ready(house: list[Gateway]) -> bool:
    """Whether every node says that no door of any node is drained."""
    return all(api(each, "drain").get("state") == "ready" for each in house)


def api(gateway: Gateway, path: str, method: str = "GET", **body: Any) -> Any:
    """One request of a script; its JSON."""
    return request(gateway.web, method, f"/admin/api/{path}", json.dumps(body) if body else None, KEY).json


def rows(gateway: Gateway, q: str = "", **query: object) -> list[dict[str, Any]]:
    """All rows, two at a time."""
    words = f"connections?limit=2&{urlencode({'q': q} | query)}"
    page = api(gateway, words)
    found: list[dict[str, Any]] = page["connections"]
    while page["cursor"]:
        page = api(gateway, f"{words}&cursor={page['cursor']}")
        found += page["connections"]
    return found


@contextmanager
def watching(gateway: Gateway, id: str) -> Iterator[Iterator[tuple[str, str]]]:
    """The events of a watch: each with what was seen, the nick, or why it ended."""
    connection = HTTPConnection("127.0.0.1", gateway.web, timeout=PATIENCE)
    connection.request("GET", f"/admin/api/connections/{id}/watch", headers=KEY)
    response = connection.getresponse()
    assert response.status == 200, response.read()
    lines = (line.decode().rstrip("\n") for line in response)
    names = (line.partition(": ")[2] for line in lines if line.startswith("event: "))
    told = ((name, json.loads(next(lines).partition(": ")[2])) for name in names)
    yield ((name, what.get("text") or what.get("nick") or what.get("reason")) for name, what in told)
    connection.close()


def audited(gateway: Gateway, action: str) -> list[str]:
    """The actions of that kind in the audit log, the newest first."""
    entries = api(gateway, "audit?limit=500")["entries"]
    return [each["action"] for each in entries if action in each["action"]]


def shows(gateway: Gateway, names: list[str]) -> bool:
    """Whether exactly these people are in its table."""
    return [row["nick"] for row in rows(gateway, sort="nick")] == names


def missing(gateway: Gateway) -> list[str]:
    """The nodes that have not answered for its table."""
    return [each["node"] for each in api(gateway, "connections")["missing"]]


def nodes(gateway: Gateway) -> dict[str, dict[str, Any]]:
    """The nodes of the summary, by name."""
    return {each["node"]: each for each in api(gateway, "summary")["nodes"]}


def test_one_table_has_everybody_and_any_node_acts_on_any_connection(house: list[Gateway]) -> None:
    here, there, workers = house
    with ExitStack() as stack:
        people = [
            stack.enter_context(Terminal(gateway.tcp)).named(f"{name}{number}")
            for name, gateway in zip("abw", house, strict=True)
            for number in range(3)
        ]
        names = sorted(f"{name}{number}" for name in "abw" for number in range(3))
        for gateway in house:
            until(partial(shows, gateway, names), "everybody")
        page = api(there, "connections?q=nick:a*&limit=1")
        assert (page["total"], page["of"], page["missing"]) == (3, 9, [])
        (node,) = {row["node"] for row in rows(here, "nick:a*")}
        assert node.endswith(f":{here.web}")
        assert [row["nick"] for row in rows(workers, f"node:{node}", sort="-nick")] == ["a2", "a1", "a0"]
        csv = request(here.web, "GET", "/admin/api/connections.csv", headers=KEY).body.decode().splitlines()
        assert csv[0].startswith("node,id,nick") and len(csv) == 10

        people[0].send("/whois b0")
        people[0].until(r"-- b0  >_ tcp .* in #lobby")
        victim, muted, *_ = rows(here, "nick:w*", sort="nick")
        detail = api(there, f"connections/{victim['id']}")
        assert (detail["connection"]["nick"], detail["rooms"][0]["room"]) == ("w0", "lobby")
        watch = stack.enter_context(watching(there, victim["id"]))
        assert next(watch) == ("began", "w0")
        people[6].send("//nope")
        assert next(watch) == ("in", "//nope\\n\n")
        assert api(here, f"connections/{victim['id']}", "DELETE", reason="spam")["kicked"]
        people[6].until("!! kicked: spam")
        assert [each for each in watch if each[0] == "ended"] == [("ended", "kicked")]
        until(lambda: len(audited(there, "watch")) == 2, "its end is recorded")
        assert audited(here, "watch") == ["unwatch", "watch"], "once, whichever node is asked"
        assert api(there, f"connections/{muted['id']}/message", "POST", text="hello you")["told"]
        people[7].until("hello you")
        assert api(here, "mutes", "POST", connection=muted["id"], reason="caps")["mute"]["target"] == "w1"
        people[7].send("HELLO")
        people[7].until("!! muted")
        until(lambda: [row["nick"] for row in rows(here, "nick:w0", state="closed")] == ["w0"], "it is told who left")
        begun = api(there, "campaigns", "POST", action="kick", q="nick:a*", expected=3, reason="all out")
        assert begun["total"] == 3
        for each in people[:3]:
            each.until("!! kicked: all out")
        until(lambda: api(workers, f"campaigns/{begun['id']}")["state"] == "finished", "known at every node")
        until(lambda: [each["id"] for each in api(here, "campaigns")["campaigns"]] == [begun["id"]], "listed once")
        until(lambda: api(here, f"campaigns/{begun['id']}", "DELETE").get("done") == 3, "three are done")
        assert request(here.web, "GET", "/admin/api/campaigns/0", headers=KEY).status == 404


def test_a_drain_is_of_all_nodes_or_of_the_one_that_is_named(house: list[Gateway]) -> None:
    here, there, workers = house
    with ExitStack() as stack:
        people = [stack.enter_context(Terminal(each.tcp)).named(f"d{each.tcp}") for each in (here, there, workers)]
        until(lambda: len(rows(here, "nick:d*")) == 3, "all are there")
        name = next(each for each in nodes(here) if each.endswith(f":{there.web}"))
        one = api(workers, "drain", "POST", door="tcp", node=name, per_second=1000)
        assert one["per_second"] == 1000, "the node has heard it before the answer is given"
        people[1].until("closes for a while")
        until(lambda: api(here, "drain")["state"] == "closed", "it is drained")
        until(lambda: len(rows(here, "nick:d*")) == 2, "the others are still there")
        assert api(here, "drain", "POST", door="tcp", node="nowhere")["error"]["code"] == "bad_message"
        api(here, "drain", "POST", door="tcp", per_second=1000)
        for each in (people[0], people[2]):
            each.until("closes for a while")
        until(lambda: api(workers, "drain")["state"] == "closed", "all are drained")
        assert api(there, "drain", "DELETE")["state"] == "ready", "all are open again, for every node that is asked"
        until(partial(ready, house), "every node says so")
    for gateway in house:
        with Terminal(gateway.tcp).named(f"back{gateway.tcp}"):
            pass


def test_a_node_or_worker_that_restarts_does_what_was_ordered_for_all(house: list[Gateway]) -> None:
    here, there, workers = house
    api(here, "drain", "POST", door="tcp", per_second=1000)
    until(lambda: api(workers, "drain")["state"] == "closed", "all are drained")
    api(here, "maintenance", "POST", on=True, text="back at noon")
    for gateway in house:
        until(lambda: all(api(gateway, "maintenance")["on"] for _ in range(4)), "all have heard")  # noqa: B023
    there.restart()
    workers.restart()
    for gateway in (there, workers):
        for _ in range(4):  # whichever worker is asked
            doors = {each["door"]: each["state"] for each in api(gateway, "drain")["doors"]}
            assert doors == {"tcp": "closed", "telnet": "ready", "web": "ready"}
            assert api(gateway, "maintenance")["text"] == "back at noon"
    api(workers, "drain", "DELETE")
    api(workers, "maintenance", "POST", on=False)
    until(lambda: all(api(each, "drain")["state"] == "ready" for each in house for _ in range(2)), "all are open")
    for gateway in house:
        until(lambda: not api(gateway, "maintenance")["on"], "maintenance is over")  # noqa: B023
        with Terminal(gateway.tcp).named(f"back{gateway.tcp}"):
            pass


def test_a_node_that_stands_still_is_named_and_one_that_died_is_forgotten(house: list[Gateway]) -> None:
    here, there, _ = house
    name = next(each for each in nodes(here) if each.endswith(f":{there.web}"))
    with Terminal(there.tcp).named("frozen"):
        until(lambda: rows(here, "nick:frozen"), "it is listed")
        there.freeze()
        until(lambda: missing(here) == [name], "the table names it")
        until(lambda: rows(here) == [], "and shows nobody of it")
        until(lambda: nodes(here)[name]["missing"], "the summary names it")
        until(lambda: api(here, "summary")["health"] == "busy", "the health shows it")
        there.thaw()
        until(lambda: rows(here, "nick:frozen"), "it is back")
        there.kill()
        until(lambda: missing(here) == [], "no ghosts")
    until(lambda: name not in nodes(here), "it is forgotten")
    assert not rows(here, "nick:frozen")
    there.start()
    until(lambda: name in nodes(here), "it is there again under the same name")


def test_one_scrape_and_one_status_have_all_workers(house: list[Gateway]) -> None:
    workers = house[2]
    with ExitStack() as stack:
        for number in range(4):
            stack.enter_context(Terminal(workers.tcp)).named(f"s{number}")
        until(lambda: len(rows(workers, "nick:s*")) == 4, "all are there")
        for _ in range(4):  # whichever worker is asked
            text = request(workers.web, "GET", "/metrics").body.decode()
            found = [each for family in text_string_to_metric_families(text) for each in family.samples]
            tcp = [each for each in found if each.name == "gateway_connections" and each.labels["door"] == "tcp"]
            assert sorted(each.labels["worker"] for each in tcp) == ["1", "2"] and sum(each.value for each in tcp) == 4
            assert {each.labels["node"].rpartition(":")[2] for each in tcp} == {str(workers.web)}
            assert [each.value for each in found if each.name == "gateway_worker_up"] == [1, 1]
        command = [sys.executable, "-m", "gateway", "status", "--data", str(workers.folder / "data")]
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert f":{workers.web}/1 " in shown and f":{workers.web}/2 " in shown and f":{house[0].web} " in shown
