"""The works whose instructions are counted: `works` names them.

The hub is the real one, from a terminal's line or a browser's frame to the bytes handed to every reader's transport;
the journal is in memory, the transports only count, and nothing waits. What a commit costs in SQLite, and what the
index costs, is a work of its own, without files.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from gateway.core.address import Remote
from gateway.core.connection_limits import ConnectionLimits
from gateway.core.ports.transport import Arrival
from gateway.core.protocol.message import Door, Message
from gateway.core.protocol.wire import FRAME, PLAIN
from gateway.journal.disk import Disk
from gateway.journal.epoch import Tail, new_seed
from gateway.journal.fts5 import IndexStore
from gateway.journal.index import connect, make_tables
from gateway.journal.schema import upgrade
from gateway.journal.store import Store
from gateway.tcp.connection import Connection
from gateway.tcp.door import TerminalDoor, arrival_of
from gateway.tcp.server import READ, Server
from tests.bench.costs.visits import browsers
from tests.core.world import Peer, World
from tests.fakes import RecordingTransport

READERS = 100
LINES_A_TICK = 4
POURED = 32
LINE = b"a line as people write it, and not a word of it is long\n"
TICKS = 6
NEWCOMERS = 16
ALONE = "lines of a terminal alone"


class Sink(RecordingTransport):
    """A transport that takes everything and keeps nothing."""

    def send(self, data: bytes) -> int:
        return len(data)


def reader(world: World, door: Door) -> Peer:
    """Somebody in the lobby whose transport is a sink."""
    sink = Sink()
    if door is Door.TCP:
        session = world.terminals.connect(sink, PLAIN, Arrival(door, "127.0.0.1", terminal=True))
        return Peer(world, session, sink)
    peer = Peer(world, world.hub.connect(sink, FRAME, Arrival(door, "127.0.0.1")), sink)
    peer.asks(type="hello")
    return peer


def room_of(door: Door, readers: int) -> World:
    """A hub with so many readers behind one door, at rest."""
    world = World(messages_per_second=0.0)
    for _ in range(readers):
        reader(world, door)
    return world


def says(world: World, lines: int, ticks: int) -> Callable[[], None]:
    """A terminal that says so many lines in every tick."""
    writer = reader(world, Door.TCP)
    world.later(3.0)
    batch = [f"a line as people write it, number {number}" for number in range(lines)]

    def work() -> None:
        for _ in range(ticks):
            writer.says(*batch)

    return work


def pours(world: World, lines: int, ticks: int) -> Callable[[], None]:
    """A terminal whose lines come together, so many in every tick."""
    writer = reader(world, Door.TCP)
    world.later(3.0)
    batch = [f"a line as people write it, number {number}".encode() for number in range(lines)]

    def work() -> None:
        for _ in range(ticks):
            world.terminals.spoke(writer.session)
            world.terminals.lines(writer.session, batch)
            world.run()

    return work


def asks(world: World, ticks: int) -> Callable[[], None]:
    """A browser that says something and is told that it was taken."""
    writer = reader(world, Door.WEB)
    world.later(3.0)
    numbers = iter(range(1_000_000))

    def work() -> None:
        for _ in range(ticks):
            writer.asks(type="say", room="lobby", id=f"id-{next(numbers)}", text="a line as people write it")

    return work


class NoServer:
    """A selector that waits for nothing, and a timer that never comes."""

    def watch(self, sock: object, events: int, callback: object) -> None:
        pass

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        pass


class EndedSocket:
    """A socket whose peer reads everything and has nothing more to send."""

    def recv(self, size: int) -> bytes:
        return b""

    def send(self, data: bytes) -> int:
        return len(data)

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 9999

    def close(self) -> None:
        pass


class LoudSocket:
    """A socket from which `said` is received, and that takes everything."""

    def __init__(self, said: bytes) -> None:
        self.said = said

    def recv(self, size: int) -> bytes:
        return self.said

    def send(self, data: bytes) -> int:
        return len(data)

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 9999


def all_talk(world: World, talkers: int, said: bytes, ticks: int) -> Callable[[], None]:
    """Terminals in one room, each of which sends that in every tick."""
    door = TerminalDoor(Door.TCP, cast(Server, NoServer()), world.terminals, ConnectionLimits(0, 0))
    arrival = Arrival(Door.TCP, "127.0.0.1", terminal=True)
    here = [Connection(door, cast(Any, LoudSocket(said)), arrival) for _ in range(talkers)]
    world.later(3.0)

    def work() -> None:
        for _ in range(ticks):
            for connection in here:
                connection.ready(READ)
            world.run()

    return work


class NoTail:
    """The note of the last message, which nobody writes."""

    def note(self, room: int, seq: int) -> None:
        pass


class NoDisk:
    """A file system without bounds."""

    def look(self) -> None:
        pass


def committed(people: int, lines: int, rooms: int) -> list[Message]:
    """A commit: so many lines of each of the people, who are in so many rooms."""
    return [
        Message(f"room-{number % rooms}", 1_790_000_000_000, f"guest-{number}", "tcp", "say",
                f"a line as people write it, number {line}", number + 1, 0, f"identity-{number}")
        for number in range(people) for line in range(lines)
    ]  # fmt: skip


def stores(people: int, lines: int, rooms: int, ticks: int) -> Callable[[], None]:
    """Such a commit in every tick."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    upgrade(connection)
    store = Store(connection, cast(Tail, NoTail()), new_seed(), cast(Disk, NoDisk()))
    batch = committed(people, lines, rooms)

    def work() -> None:
        for _ in range(ticks):
            store.append(batch)

    return work


def indexes(people: int, lines: int, rooms: int) -> Callable[[], None]:
    """What such a commit costs the index."""
    store = IndexStore(make_tables(connect(":memory:")))
    heads, batch = Counter[str](), committed(people, lines, rooms)

    def work() -> None:
        for message in batch:
            heads[message.room] += 1
            message.seq = heads[message.room]
        assert store.add(batch, None) == {}

    return work


def come_and_go(world: World, newcomers: int) -> Callable[[], None]:
    """So many terminals that come together, wait to be greeted, and leave."""
    door = TerminalDoor(Door.TCP, cast(Server, NoServer()), world.terminals, ConnectionLimits(0, 0))

    def work() -> None:
        here: list[Connection] = []
        for _ in range(newcomers):
            remote = Remote("127.0.0.1")
            assert door.admission.enter() is None and door.admit(remote) is None
            here.append(Connection(door, cast(Any, EndedSocket()), arrival_of(door.door, remote, False)))
        world.later(0.2)
        for connection in here:
            assert connection.session.greeted
            connection.ready(READ)
        world.later(0.2)
        assert not world.hub.sessions

    return work


def yardstick() -> None:
    """What never changes: calls, attributes, dictionaries, lists, bytes and arithmetic."""
    table: dict[int, bytes] = {}
    for number in range(300):
        table[number % 97] = b"%d:%s" % (number, table.get(number % 89, b"")[:8])
        if number % 11 == 0:
            pieces = [piece.strip() for piece in b" ".join(table.values()).split(b":")]
            table[number % 97] = max(pieces, key=len)[:16]


def works() -> dict[str, Callable[[], None]]:
    """What is counted, by name."""
    many = f"{READERS} terminals"
    return {
        "nothing": lambda: None,
        "yardstick": yardstick,
        ALONE: says(room_of(Door.TCP, 0), LINES_A_TICK, TICKS),
        f"{POURED} lines together of a terminal alone": pours(room_of(Door.TCP, 0), POURED, TICKS),
        f"lines to {many}": says(room_of(Door.TCP, READERS), LINES_A_TICK, TICKS),
        f"lines to {READERS} browsers": says(room_of(Door.WEB, READERS), LINES_A_TICK, TICKS),
        f"single lines to {many}": says(room_of(Door.TCP, READERS), 1, TICKS),
        f"lines of {many} that all talk": all_talk(room_of(Door.TCP, 0), READERS, LINE * LINES_A_TICK, TICKS),
        "lines poured into SQLite": stores(10, 64, 10, TICKS),
        "single lines into SQLite": stores(READERS, 1, 10, TICKS),
        "lines into the index": indexes(20, 50, 10),
        "frames of a browser alone": asks(room_of(Door.WEB, 0), TICKS),
        "terminals that come and go": come_and_go(room_of(Door.TCP, 0), NEWCOMERS),
        "browsers that come and go": browsers(room_of(Door.WEB, 0), NEWCOMERS),
        "a browser that comes and goes alone": browsers(room_of(Door.WEB, 0), 1),
    }
