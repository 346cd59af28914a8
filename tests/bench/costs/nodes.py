"""What several gateways on one Redis cost: `python3 tests --nodes`.

Every figure stands beside that of one gateway with SQLite, taken in the same run. Costs are processor time, of the
gateways and of Redis: time on the wall would measure how many cores this machine has, and who else uses them. Only the
latencies are on the wall, of one message at a time. What is sent between nodes is counted by Redis.
"""

import argparse
import math
import selectors
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from socket import socket

import httpx

from gateway.bench.compare import HOST, WAYS, Contender, started
from gateway.bench.load import Load
from gateway.bench.machine import allow_descriptors, cpu_seconds, machine_line
from gateway.bench.peer import dial
from gateway.bench.plan import BenchError, BenchTarget, LoadPlan
from gateway.bench.report import as_table, summarise
from tests.bench.side_by_side.works import read_until_quiet
from tests.redis.servers import RedisServer

TCP, WEB = WAYS["gateway-tcp"], WAYS["gateway-web"]
TOKEN = "nodes"
TOKEN_HASH = "45978ecb2996bf78f07eed5be1b452a1dd2f2a93eda3aedb66f39ee36ccb2a79"  # of TOKEN
SPARE = 100
LOOK_SECONDS = 2.0
"""Between two questions of an open page of the dashboard."""
REST_SECONDS = 3.0
"""Longer than it takes until a newcomer is announced at all nodes."""


@dataclass(frozen=True, slots=True)
class House:
    """Running gateways and their Redis, None with SQLite."""

    nodes: Sequence[BenchTarget]
    redis: RedisServer | None

    def spent(self) -> float:
        """The processor time of all gateways, in microseconds."""
        return sum(cpu_seconds(node.pid) or math.nan for node in self.nodes) * 1e6

    def spent_by_redis(self) -> float:
        """That of Redis."""
        return 0.0 if self.redis is None else (cpu_seconds(self.redis.process.pid) or math.nan) * 1e6

    def sent(self) -> int:
        """Bytes that went into Redis and out of it."""
        found = {} if self.redis is None else self.redis.cli("INFO", "stats")
        return int(found.get("total_net_input_bytes", 0)) + int(found.get("total_net_output_bytes", 0))


@contextmanager
def house(nodes: int) -> Iterator[House]:
    """So many gateways on one Redis that writes a log once a second; 0: one with SQLite."""

    def command(way: Contender, folder: Path) -> list[str]:
        more = [] if redis is None else ["--redis", redis.url]
        return [*way.command(folder), *more, "--admin.tokens", f"{TOKEN}:admin:{TOKEN_HASH}"]

    with ExitStack() as stack:
        redis = RedisServer("--appendonly", "yes") if nodes else None
        if redis is not None:
            stack.callback(redis.remove)
        way = replace(TCP, command=partial(command, TCP))
        yield House([stack.enter_context(started(way, None)) for _ in range(max(1, nodes))], redis)


@contextmanager
def crowd(house: House, each: int, door: str = "tcp") -> Iterator[selectors.BaseSelector]:
    """So many readers at each node, who have come to rest."""
    allow_descriptors(each * len(house.nodes) + SPARE)
    way = TCP if door == "tcp" else WEB
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for number in range(each * len(house.nodes)):
            peer, _ = dial(house.nodes[number % len(house.nodes)], door, way.dialect.path("bench"))
            stack.callback(peer.close)
            peer.send(way.dialect.enter(door, "bench"))
            selector.register(peer, selectors.EVENT_READ, door)
            if number % 50 == 0:
                read_until_quiet(selector, 0)
        rest(selector, REST_SECONDS)
        yield selector


def rest(selector: selectors.BaseSelector, seconds: float) -> None:
    """Read what comes for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        read_until_quiet(selector, min(0.1, seconds))
        time.sleep(min(0.02, seconds))


def terminal(node: BenchTarget) -> socket:
    """Somebody in the room at that node, who is sent their own lines and waits for them."""
    peer, _ = dial(node, "tcp", "")
    peer.setblocking(True)
    peer.settimeout(20)
    peer.sendall(b"/join bench\n/echo on\n")
    return peer


def heard(peer: socket, words: bytes) -> None:
    """Read up to these words. Raises BenchError."""
    found = b""
    while words not in found:
        said = peer.recv(1 << 16)
        if not said:
            raise BenchError("the gateway closed the connection")
        found = found[-len(words) :] + said


def latency(house: House, there: int, count: int) -> float:
    """Milliseconds from a terminal at the first node to one at the node `there`, one message at a time: the median."""
    took = []
    with terminal(house.nodes[0]) as ana, terminal(house.nodes[there]) as bob:
        for number in range(count):
            words = b"message %d of this run\n" % number
            began = time.perf_counter()
            ana.sendall(words)
            heard(bob, words)
            took.append(time.perf_counter() - began)
            heard(ana, words)
            time.sleep(0.005)
    return statistics.median(took) * 1e3


def load(house: House, plan: LoadPlan) -> tuple[float, float, float, float]:
    """Messages a second; the gateway's time for a delivery, and for a message; and Redis' for a message."""
    before, redis = house.spent(), house.spent_by_redis()
    run = Load(replace(plan, doors=("tcp",), writing_doors=("tcp",)), house.nodes[0], TCP.dialect, lambda *_: None)
    report = summarise(run, run.run())
    if not report.ok or report.server_cpu_us_per_delivery is None:
        raise BenchError(f"not everything was delivered: {report.faults}")
    spent, by_redis = house.spent() - before, house.spent_by_redis() - redis
    count = report.messages
    return report.messages_per_s, report.server_cpu_us_per_delivery, spent / count, by_redis / count


def spread(house: House, each: int, messages: int, rate: float) -> tuple[float, float]:
    """The time of all gateways, and of Redis, for one message at a fixed rate with so many readers at each node."""
    with crowd(house, each) as selector, terminal(house.nodes[0]) as writer:
        rest(selector, 1.0)
        before, redis = house.spent(), house.spent_by_redis()
        began = time.monotonic()
        for number in range(messages):
            writer.sendall(b"%064d\n" % number)
            read_until_quiet(selector, 0)
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        heard(writer, b"%064d\n" % (messages - 1))
        rest(selector, 0.2)
        return (house.spent() - before) / messages, (house.spent_by_redis() - redis) / messages


def traffic(house: House, seconds: float, meanwhile: Callable[[], object] = lambda: None) -> float:
    """Bytes a second between the nodes and Redis."""
    before, began = house.sent(), time.monotonic()
    while time.monotonic() < began + seconds:
        meanwhile()
        time.sleep(min(LOOK_SECONDS, seconds))
    return (house.sent() - before) / (time.monotonic() - began)


def look(node: BenchTarget) -> None:
    """What an open page of the dashboard asks for."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"http://{HOST}:{node.port('web')}", headers=headers) as client:
        for path in ("/admin/api/connections", "/admin/api/summary"):
            client.get(path).raise_for_status()


def messages(scale: float) -> Iterator[Sequence[str]]:
    """Latency, throughput and cost of a message: SQLite beside Redis."""
    count = max(5, round(200 * scale))
    one = LoadPlan(readers=1, writers=4, window=256, seconds=4 * scale)
    many = replace(one, rooms=50, readers=0, writers=1, window=50 * 16, count_writers=True)
    fan = replace(one, readers=max(2, round(500 * scale)), window=64)
    for name, nodes in (("SQLite", 0), ("Redis, one node", 1)):
        with house(nodes) as running:
            took = latency(running, 0, count)
            in_one, in_many, wide = (load(running, plan) for plan in (one, many, fan))
        yield (
            name, f"{took:.2f}", f"{in_one[0]:,.0f}", f"{in_one[2]:.1f} + {in_one[3]:.1f}", f"{in_many[0]:,.0f}",
            f"{in_many[2]:.1f} + {in_many[3]:.1f}", f"{wide[1]:.3f}",
        )  # fmt: skip
    with house(2) as running:
        yield "Redis, to another node", f"{latency(running, 1, count):.2f}", *([""] * 5)


def nodes_added(scale: float) -> Iterator[Sequence[str]]:
    """What one message costs while nodes are added, each with as many readers."""
    each, count = max(2, round(100 * scale)), max(20, round(600 * scale))
    for nodes in (0, 1, 2, 4):
        with house(nodes) as running:
            alone = spread(running, 0, count, 200)
            read = spread(running, each, count, 200)
        yield str(nodes) if nodes else "SQLite", *(f"{value:.0f}" for value in (*alone, *read))


def between(scale: float) -> Iterator[Sequence[str]]:
    """Bytes between nodes and Redis besides messages."""
    each, seconds = max(2, round(300 * scale)), 8 * scale
    for nodes in (1, 3):
        with house(nodes) as running:
            time.sleep(REST_SECONDS * min(1.0, scale * 2))
            empty = traffic(running, seconds) / nodes
            before = running.sent()
            with crowd(running, each, "web") as selector:
                come = (running.sent() - before) / (each * nodes)
                there = traffic(running, seconds, partial(rest, selector, 0.0)) / nodes
                seen = traffic(running, seconds, partial(look, running.nodes[0])) / nodes
        yield str(nodes), *(f"{value:,.0f}" for value in (empty, come, there, seen))


HEADS: Mapping[Callable[[float], Iterator[Sequence[str]]], Sequence[str]] = {
    messages: (
        "messages", "ms at rest", "one room, a second", "µs: gateway + Redis", "50 rooms, a second",
        "µs: gateway + Redis", "µs a delivery, 500 readers",
    ),
    nodes_added: ("nodes", "µs a message, nobody reads", "Redis", "µs a message, 100 readers each", "Redis"),
    between: ("nodes", "bytes/s of an idle node", "bytes a newcomer", "bytes/s with 300 pages", "with a dashboard"),
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(prog="python3 tests --nodes", description="What several gateways on Redis cost.")
    parser.add_argument("--scale", type=float, default=1.0, help="a smaller one measures less, and faster")
    options = parser.parse_args(arguments)
    print(machine_line(), flush=True)
    try:
        for table, head in HEADS.items():
            print(f"\n{as_table(head, list(table(options.scale)))}", flush=True)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
