"""Redis and nodes killed, frozen and cut off at random while peers talk on every door of two nodes: one order, nothing
twice, nothing lost that was acknowledged or shown. The soak does it for SOAK_MINUTES (60) with three."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bridge.gateways import DOORS, NO_PACE, Gateway, Start, starter
from tests.bridge.peers import Terminal, history, request
from tests.bridge.records import Held, Records, ambiguous, misread, violations
from tests.bridge.talkers import Talkers
from tests.fakes import until
from tests.redis.servers import RedisServer

SEED = int(os.environ.get("BRIDGE_SEED", random.SystemRandom().randrange(10**9)))
FLAGS = (*NO_PACE, "--journal.stream_messages", "0")


@pytest.fixture
def start_nodes(tmp_path: Path) -> Iterator[Start]:
    with starter(tmp_path) as start:
        yield start


def ready(gateway: Gateway) -> bool:
    return request(gateway.web, "GET", "/readyz").status == 200


def held(gateway: Gateway) -> list[Held]:
    """The lobby's final history."""
    return [Held(message["epoch"], message["seq"], message["text"]) for message in history(gateway.web, "lobby")]


class Storm:
    """Nodes, peers on all their doors, and what happens to them."""

    def __init__(self, server: RedisServer, *nodes: Gateway) -> None:
        print(f"seed {SEED}: run again with BRIDGE_SEED={SEED}")
        self.dice = random.Random(SEED)
        self.server, self.nodes = server, nodes
        self.records = Records()
        self.talkers = [Talkers(each, self.records, self.dice.getrandbits(32)) for each in nodes]
        self._moment = threading.Event()

    def wait(self, least: float, most: float) -> None:
        self._moment.wait(self.dice.uniform(least, most))

    def talk(self, cycle: int, fault: Callable[[], None]) -> None:
        """Let everybody talk, let something happen in the middle, and go on until it is over."""
        for index, each in enumerate(self.talkers):
            each.begin(10 * cycle + index)
        self.wait(0.3, 0.8)
        fault()
        until(lambda: all(map(ready, self.nodes)), "all nodes are ready")
        self.wait(0.3, 0.8)
        for each in self.talkers:
            each.over.set()
        for each in self.talkers:
            each.end()

    def restart_redis(self) -> None:
        self.server.kill()
        self.wait(0.0, 1.5)
        self.server.start()

    def freeze_redis(self) -> None:
        self.server.freeze()
        self.wait(0.2, 4.0)
        self.server.thaw()

    def cut_everybody_off(self) -> None:
        for kind in ("normal", "pubsub", "normal"):
            self.server.cli("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    def kill_a_node(self) -> None:
        index = self.dice.randrange(1, len(self.nodes))
        self.talkers[index].expect_death()
        self.nodes[index].kill()
        self.nodes[index].ports = dict.fromkeys(DOORS, 0)
        self.nodes[index].start()

    def freeze_a_node(self) -> None:
        node = self.nodes[self.dice.randrange(1, len(self.nodes))]
        node.freeze()
        self.wait(0.5, 3.0)
        node.thaw()

    @property
    def faults(self) -> list[Callable[[], None]]:
        """All that can happen, in a new order each time."""
        found = [self.restart_redis, self.freeze_redis, self.cut_everybody_off, self.kill_a_node, self.freeze_a_node]
        self.dice.shuffle(found)
        return found


@pytest.mark.timeout(170)
def test_nothing_is_lost_repeated_or_reordered_whatever_breaks(
    start_redis: Callable[..., RedisServer], start_nodes: Start
) -> None:
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    here, there = (start_nodes("--redis", server.url, *FLAGS, data=name) for name in "ab")
    storm = Storm(server, here, there)
    for cycle, fault in enumerate(storm.faults):
        print(fault.__name__)
        storm.talk(cycle, fault)
    final = held(here)
    acked, shown = (len(storm.records.of(operation)) for operation in ("acked", "shown"))
    print(f"{len(final)} messages held, {acked} acknowledged, {shown} shown")
    assert acked > 100
    assert violations(storm.records.rows, final) == []
    assert {each.epoch for each in final} | storm.talkers[0].epochs | storm.talkers[1].epochs == {final[0].epoch}
    assert held(there) == final
    for each in (here, there):
        assert "Traceback" not in each.stderr


@pytest.mark.timeout(120)
def test_a_redis_that_forgets_its_end_changes_the_epoch_and_uses_no_number_twice(
    start_redis: Callable[..., RedisServer], start_nodes: Start
) -> None:
    server = start_redis()
    here, there = (start_nodes("--redis", server.url, *FLAGS, data=name) for name in "ab")
    storm = Storm(server, here, there)

    def forget() -> None:
        server.cli("SAVE")
        storm.wait(0.1, 0.4)
        storm.restart_redis()

    storm.talk(0, forget)
    final = held(here)
    epochs = storm.talkers[0].epochs | storm.talkers[1].epochs
    assert len(epochs) == 2
    assert [*ambiguous(storm.records.rows, ()), *misread(storm.records.rows)] == []
    assert [each.seq for each in final] == list(range(1, len(final) + 1))
    assert held(there) == final


def people(terminal: Terminal) -> list[str]:
    """Who is in the lobby, as the terminal is told."""
    terminal.send("/who")
    count = int(terminal.until(r"^-- \d+ (people|person) in")[-1].split()[1])
    return sorted(terminal.line().split()[1] for _ in range(count))


@pytest.mark.timeout(120)
def test_a_node_that_is_paused_longer_than_its_lease_comes_back_with_its_people_once(
    start_redis: Callable[..., RedisServer], start_nodes: Start
) -> None:
    server = start_redis()
    here, there = (start_nodes("--redis", server.url, *FLAGS, data=name) for name in "ab")
    with Terminal(there.tcp).named("bob") as paused, Terminal(here.tcp).named("ana") as ana:
        until(lambda: people(ana) == ["ana", "bob"], "bob is seen at the other node")
        there.freeze()
        until(lambda: ana.answer("/nick bob", "^(-- you are|!!)") == "-- you are bob", "the lease has ended")
        until(lambda: people(ana) == ["bob"], "the people of the paused node are gone")
        ana.send(*(f"line {number}" for number in range(50)))
        there.thaw()
        lines = [line.partition(": ")[2] for line in paused.until("bob: line 49") if ": line " in line]
        assert lines == [f"line {number}" for number in range(50)]
        until(lambda: len(people(ana)) == 2 and people(ana) == people(paused), "both know the two")
        assert people(ana).count("bob") == 1
    assert "Traceback" not in here.stderr + there.stderr


def used(gateway: Gateway) -> tuple[int, int]:
    """The resident memory of a node in KiB, and its open descriptors."""
    process = Path(f"/proc/{gateway.running.pid}")
    status = (process / "status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]), len(list((process / "fd").iterdir()))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_three_nodes_stand_an_hour_of_faults(start_redis: Callable[..., RedisServer], start_nodes: Start) -> None:
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    nodes = [start_nodes("--redis", server.url, *FLAGS, data=name) for name in "abc"]
    storm = Storm(server, *nodes)
    began = time.monotonic()
    end = began + 60 * float(os.environ.get("SOAK_MINUTES", "60"))
    figures: list[tuple[int, int]] = []
    cycle = 0
    while time.monotonic() < end or len(figures) < 2:
        for fault in storm.faults:
            print(cycle, fault.__name__)
            storm.talk(cycle, fault)
            cycle += 1
        memory, files = used(nodes[0])  # the one that is never killed
        figures.append((memory, files))
        print(f"minute {(time.monotonic() - began) / 60:.0f}: {memory} KiB, {files} descriptors")
        assert violations(storm.records.rows, held(nodes[0])) == []
    (memory, files), (last_memory, last_files) = figures[len(figures) // 2], figures[-1]
    assert last_memory < memory * 1.1 and last_files < files + 20, figures
    final = held(nodes[0])
    assert all(held(each) == final for each in nodes)
    assert {each.epoch for each in final} == {final[0].epoch}
    assert not any("Traceback" in each.stderr for each in nodes)
