"""A hub in a world without sockets, loops or clocks: time moves when a test says so, wires are lists of bytes."""

from collections.abc import Callable
from itertools import count

import msgspec

from gateway.core.clock import Clock
from gateway.core.doors.browser import BrowserDoor
from gateway.core.doors.join import Greeting
from gateway.core.doors.terminal import Terminals
from gateway.core.hub import Hub
from gateway.core.operators.assembly import operators_over
from gateway.core.ports import Journal, Kernel
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door, Message
from gateway.core.protocol.wire import FRAME, PLAIN
from gateway.core.roles import Operator, Role
from gateway.core.sessions.rate_limit import Limits
from gateway.core.sessions.session import Arrival, Session
from gateway.core.stats.sampler import Ceilings
from gateway.core.stats.statistics import Statistics
from gateway.errors import Code, JournalError, Refusal
from gateway.journal.memory import MemoryJournal


class Wall:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Narrow:
    """A transport that takes `room` bytes (None = any number) and remembers what it took."""

    def __init__(self) -> None:
        self.taken = b""
        self.sends = 0
        self.room: int | None = None
        self.resumed = 0
        self.closed: tuple[CloseReason, str] | None = None
        self.acked: int | None = None
        """What the kernel tells of the bytes that have arrived; None: nothing."""

    def kernel(self) -> Kernel | None:
        return None if self.acked is None else Kernel(1.0, 0, 0, 0, self.acked)

    def send(self, data: bytes) -> int:
        self.sends += 1
        size = len(data) if self.room is None else min(self.room, len(data))
        self.taken += data[:size]
        if self.room is not None:
            self.room -= size
        return size

    def resume(self) -> None:
        self.resumed += 1

    def close(self, closing: CloseReason, words: str) -> None:
        self.closed = (closing, words)


class Peer:
    """One session and its transport."""

    def __init__(self, world: "World", session: Session, transport: Narrow) -> None:
        self.world = world
        self.session = session
        self.transport = transport

    def says(self, *lines: str) -> None:
        """Lines of a terminal, handled one after the other, then the tick."""
        for line in lines:
            self.world.terminals.heard(self.session)
            self.world.terminals.line(self.session, line.encode())
        self.world.run()

    def asks(self, **request: object) -> None:
        """One request of a browser, then the tick."""
        self.world.requests.receive(self.session, msgspec.json.encode(request).decode())
        self.world.run()

    def reads(self, room: int | None = None) -> None:
        """The transport takes so many bytes more (None = any number)."""
        self.transport.room = room
        self.world.hub.pump(self.session)
        self.world.run()

    @property
    def lines(self) -> list[str]:
        """What a terminal has got since the last look."""
        taken, self.transport.taken = self.transport.taken, b""
        return taken.decode().split("\n")[:-1]

    @property
    def objects(self) -> list[dict[str, object]]:
        """What a browser has got since the last look."""
        taken, self.transport.taken = self.transport.taken, b""
        found = []
        while taken:
            size, start = taken[1], 2
            if size == 126:
                size, start = int.from_bytes(taken[2:4], "big"), 4
            elif size == 127:
                size, start = int.from_bytes(taken[2:10], "big"), 10
            found.append(msgspec.json.decode(taken[start : start + size]))
            taken = taken[start + size :]
        return found

    def forget(self) -> None:
        """What was got so far does not matter."""
        self.transport.taken = b""

    def told(self, type: str) -> list[dict[str, object]]:
        """The objects of one type among those since the last look."""
        return [each for each in self.objects if each["type"] == type]


class Gated:
    """A journal that answers only when it is let; `fail` makes it answer appends with an error."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.waiting: list[Callable[[], None]] = []
        self.shut = False
        self.fail = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._journal, name)

    def append(self, batch: list[Message], done: Callable[[list[Message] | JournalError], None]) -> None:
        if self.fail:
            done(JournalError("disk full"))
        elif self.shut:
            self.waiting.append(lambda: self._journal.append(batch, done))
        else:
            self._journal.append(batch, done)

    def let(self) -> None:
        """Answer what waits."""
        self.shut = False
        waiting, self.waiting = self.waiting, []
        for job in waiting:
            job()


class Book:
    """The operators' passwords: everybody has the same."""

    def __init__(self) -> None:
        self.tried: list[tuple[str, str, str]] = []

    def login(self, name: str, password: str, address: str, done: Callable[[Operator | Refusal], None]) -> None:
        self.tried.append((name, password, address))
        if password == "right horse":
            done(Operator(name or "admin", Role.OPERATOR if name == "otto" else Role.ADMIN, "asked"))
        else:
            done(Refusal(Code.FORBIDDEN, "wrong"))


class Ports:
    """Listening sockets without sockets. Those of `taken` doors belong to somebody else once they are closed."""

    def __init__(self) -> None:
        self.closed: list[Door] = []
        self.taken: list[Door] = []

    def doors(self) -> list[Door]:
        return [Door.TCP, Door.WEB]

    def shut(self, door: Door) -> None:
        self.closed.append(door)

    def open(self, door: Door) -> None:
        if door in self.taken:
            raise Refusal(Code.BUSY, "port 9999: address in use")
        self.closed.remove(door)


class World:
    """A hub with its operators and doors."""

    def __init__(self, **limits: object) -> None:
        self.clock = Wall()
        self.set_by = 0.0
        """Seconds by which somebody has set the clock on the wall."""
        self.journal = Gated(MemoryJournal())
        self._due: list[float] = []
        bits = count(0x4F2A)
        clock = Clock(self.clock, lambda: int((self.clock.now + self.set_by) * 1000), self._due.append)
        self.hub = Hub(
            self.journal,
            Limits(**({"messages_per_second": 0} | limits)),
            clock,
            Statistics(clock, Ceilings()),
            random_bits=lambda size: next(bits),
            token_key=b"a key for tests only",
        )
        self.passwords, self.ports, self.levels = Book(), Ports(), list[str]()
        self.operators = operators_over(
            self.hub, self.passwords, self.ports, self.levels.append, lambda size: next(bits)
        )
        self.hub.start()
        self.operators.moderation.start()
        greeting = Greeting()
        self.terminals = Terminals(self.hub, self.operators, greeting)
        self.requests = BrowserDoor(self.hub, self.operators, greeting)

    def run(self) -> None:
        """Tick until nothing more is to be done now."""
        for _ in range(1000):
            soon, self._due[:] = [due for due in self._due if due <= 0], []
            if not soon:
                return
            self.hub.tick()
        raise AssertionError("the hub never comes to rest")

    def later(self, seconds: float) -> None:
        """Let time pass."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now = min(end, self.clock.now + 0.05)
            self.hub.tick()
            self.run()

    def terminal(self, nick: str | None = None, *, quiet: bool = True) -> Peer:
        """Somebody with netcat, in the lobby; `quiet`: greeted, and what he got so far is forgotten."""
        transport = Narrow()
        arrival = Arrival(Door.TCP, "127.0.0.1", terminal=True)
        peer = Peer(self, self.terminals.connect(transport, PLAIN, arrival), transport)
        if nick is not None:
            self.hub.rename(peer.session, nick)
        if quiet:
            self.later(0.2)
            transport.taken = b""
        return peer

    def browser(self, nick: str | None = None, **hello: object) -> Peer:
        """Somebody with a browser who has said hello."""
        transport = Narrow()
        peer = Peer(self, self.hub.connect(transport, FRAME, Arrival(Door.WEB, "127.0.0.1")), transport)
        peer.asks(type="hello", **({} if nick is None else {"nick": nick}), **hello)
        return peer
