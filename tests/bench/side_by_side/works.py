"""The works that every peer does, and what each costs: the processor time of the server for one unit of the work, or
its memory for a connection. Time on the wall would measure the load generator too."""

import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from gateway.bench.compare import Contender
from gateway.bench.delivery_check import PING, PONG, client_frame, payload, split_frames
from gateway.bench.kinds.newcomers import connect
from gateway.bench.load import Load
from gateway.bench.machine import allow_descriptors, memory_bytes
from gateway.bench.peer import GatewayDialect, dial
from gateway.bench.plan import BenchError, BenchTarget, LoadPlan
from gateway.bench.report import summarise

PATIENCE = 20.0
QUIET_SECONDS = 0.5
AT_ONCE = 200
KIB = 1 << 10


@dataclass(frozen=True, slots=True)
class Price:
    """What one turn cost. `faults`: what was not delivered as it should have been. `overloaded`: the load generator was
    the limit, so that less was joined than the server could have joined."""

    value: float
    faults: tuple[str, ...] = ()
    overloaded: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """One work. `alone`: everybody has a room of their own. `measure(server, target)` does it once."""

    name: str
    about: str
    unit: str
    measure: Callable[[Contender, BenchTarget], Price]
    alone: bool = False


def loaded(plan: LoadPlan, server: Contender, target: BenchTarget) -> Price:
    """Publish, and check that everybody got everything once and in order. Only the gateway can spare a terminal its own
    lines."""
    doors = (server.door,)
    echo = plan.echo or not isinstance(server.dialect, GatewayDialect)
    one = replace(plan, echo=echo, doors=doors, writing_doors=doors, patience=PATIENCE)
    load = Load(one, target, server.dialect, lambda what, share: None)
    report = summarise(load, load.run())
    if report.server_cpu_us_per_delivery is None:
        raise BenchError("the server's processor time is not known here")
    faults = report.faults or ([] if report.ok else ["nothing was delivered"])
    busy = report.limit.startswith("this program")
    return Price(report.server_cpu_us_per_delivery, tuple(faults), busy)


def newcomers(count: int, server: Contender, target: BenchTarget) -> Price:
    """Come, be let in, leave."""
    report = connect(target, [server.door], count, 32, PATIENCE, lambda what, share: None, server.dialect)
    price = report.rows[0].server_cpu_us
    if price is None:
        raise BenchError(f"nobody was let in: {report.faults}")
    return Price(price, tuple(report.faults), report.rows[0].limit.startswith("this program"))


def idle(count: int, server: Contender, target: BenchTarget) -> Price:
    """Come in and say nothing: by how much the server's memory grew for each, in KiB."""
    allow_descriptors(count + AT_ONCE)
    before = memory_bytes(target.pid)
    peers = []
    with selectors.DefaultSelector() as selector:
        for number in range(count):
            sock, _ = dial(target, server.door, server.dialect.path("idle"))
            sock.send(server.dialect.enter(server.door, "idle"))
            selector.register(sock, selectors.EVENT_READ, server.door)
            peers.append(sock)
            if number % AT_ONCE == AT_ONCE - 1:
                read_until_quiet(selector, 0.02)
        read_until_quiet(selector, QUIET_SECONDS)
        after, lost = memory_bytes(target.pid), count - len(selector.get_map())
        for sock in peers:
            sock.close()
    if before is None or after is None:
        raise BenchError("the server's memory is not known here")
    return Price((after - before) / KIB / count, (f"{lost} connections were closed",) if lost else ())


def read_until_quiet(selector: selectors.BaseSelector, seconds: float) -> None:
    """Read what the server says until it has said nothing for so long, and answer pings; who was closed is forgotten.

    The data of a key says whether frames are read.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and (ready := selector.select(seconds)):
        for key, _ in ready:
            try:
                said = key.fileobj.recv(64 * KIB)  # type: ignore[union-attr]
            except ConnectionError:
                said = b""
            if not said:
                selector.unregister(key.fileobj)
            for frame in split_frames(said)[0] if key.data == "web" else ():
                if frame[0] & 0x0F == PING:
                    key.fileobj.send(client_frame(payload(frame), PONG))  # type: ignore[union-attr]


DELIVERY = "µs a delivery"


def works(scale: float = 1.0) -> list[Work]:
    """All works. `scale`: a smaller one makes everything smaller, for a test of the peers."""

    def some(count: int) -> int:
        return max(2, round(count * scale))

    seconds = max(0.1, 2.0 * scale)
    fanout = LoadPlan(readers=some(500), writers=4, window=64, seconds=seconds)
    rest = LoadPlan(readers=some(1000), writers=2, rate=100.0, seconds=seconds)
    crowd = LoadPlan(readers=some(9000), writers=1, window=1, seconds=None, messages=some(20))
    talk = LoadPlan(readers=1, writers=some(100), window=4 * some(100), seconds=seconds, echo=False, count_writers=True)
    ingest = LoadPlan(rooms=some(50), readers=0, writers=1, window=64 * some(50), seconds=seconds, count_writers=True)
    return [
        Work("fan-out", f"{fanout.readers:,} readers, 64 messages in flight", DELIVERY, partial(loaded, fanout)),
        Work("at rest", f"{rest.readers:,} readers, 100 messages a second", DELIVERY, partial(loaded, rest)),
        Work("a crowd", f"{crowd.readers:,} readers, one message at a time", DELIVERY, partial(loaded, crowd)),
        Work("talk", f"{talk.writers:,} in a room, all write", DELIVERY, partial(loaded, talk)),
        Work("ingest", f"{ingest.rooms:,} writers, each alone", "µs a message", partial(loaded, ingest), alone=True),
        Work("connect", "come, be let in, leave", "µs each", partial(newcomers, some(2000)), alone=True),
        Work("idle", f"{some(5000):,} say nothing", "KiB each", partial(idle, some(5000))),
    ]
