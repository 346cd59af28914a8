"""A hub in a world without sockets, loops or clocks: time moves when a test says so, wires are lists of bytes."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import msgspec

from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.doors.browser import BrowserDoor
from gateway.core.doors.join import Greeting
from gateway.core.doors.terminal import Terminals
from gateway.core.operators.assembly import operators_over
from gateway.core.ports.cluster import Cluster
from gateway.core.ports.index import Index
from gateway.core.ports.journal import Feed, Journal, Person
from gateway.core.ports.ledger import Ledger
from gateway.core.ports.transport import Arrival
from gateway.core.protocol.message import Door, Message
from gateway.core.protocol.wire import FRAME, PLAIN
from gateway.core.sessions.session import Session
from gateway.errors import JournalError, LostTail
from gateway.journal.memory import MemoryJournal
from tests.fakes import Listeners, Passwords, RecordingTransport, StandingClock, new_hub


class Peer:
    """One session and its transport."""

    def __init__(self, world: "World", session: Session, transport: RecordingTransport) -> None:
        self.world = world
        self.session = session
        self.transport = transport

    def says(self, *lines: str) -> None:
        """Lines of a terminal, handled one after the other, then the tick."""
        for line in lines:
            self.world.terminals.heard(self.session)
            self.world.terminals.spoke(self.session)
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
    def objects(self) -> list[dict[str, Any]]:
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

    def told(self, type: str) -> list[dict[str, Any]]:
        """The objects of one type among those since the last look."""
        return [each for each in self.objects if each["type"] == type]


class GatedLedger:
    """A ledger that records, and keeps logins, when its journal is let."""

    def __init__(self, gate: "Gated", ledger: Ledger) -> None:
        self._gate = gate
        self.ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    def record(self, *entries: Any, **changes: Any) -> Answer[JournalError | None]:
        return self._gate.once_let(lambda: self.ledger.record(*entries, **changes))

    def keep_logins(self, text: str) -> Answer[JournalError | None]:
        if self._gate.fail:
            return Answer.of(JournalError("disk full"))
        return self._gate.once_let(lambda: self.ledger.keep_logins(text))


class Gated:
    """A journal that is `shut` answers appends only when it is let, one that is `frozen` stores people and what
    operators do only then, too; `fail` makes it answer appends and logins with an error, without `remembers` people are
    not stored."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.ledger = GatedLedger(self, journal.ledger)
        self.waiting: list[Callable[[], None]] = []
        self.shut = self.frozen = False
        self.fail = False
        self.remembers = True
        self.people: dict[str, Person] = {}
        """By identity: what was stored last of each person."""
        self._lost_tail: Answer[LostTail] = Answer()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def append(self, batch: list[Message], done: Callable[[list[Message] | JournalError], None]) -> None:
        if self.fail:
            done(JournalError("disk full"))
        elif self.shut or self.frozen:
            self.waiting.append(lambda: self._journal.append(batch, done))
        else:
            self._journal.append(batch, done)

    def remember(self, people: Sequence[Person]) -> Answer[JournalError | None]:
        if not self.remembers:
            return Answer.of(JournalError("disk full"))

        def store() -> Answer[JournalError | None]:
            self.people |= {person.identity: person for person in people}
            return self._journal.remember(people)

        return self.once_let(store)

    def once_let(self, job: Callable[[], Answer[Any]]) -> Answer[Any]:
        """What the job answers, as soon as it may be done."""
        if not self.frozen:
            return job()
        answer: Answer[Any] = Answer()
        self.waiting.append(lambda: job().then(answer.set))
        return answer

    def lost_tail(self) -> Answer[LostTail]:
        return self._lost_tail

    def lose_tail(self) -> None:
        """Say that the end was found missing."""
        lost, self._lost_tail = self._lost_tail, Answer()
        lost.set(LostTail("its end is missing"))

    def let(self) -> None:
        """Answer what waits."""
        self.shut = self.frozen = False
        waiting, self.waiting = self.waiting, []
        for job in waiting:
            job()


class World:
    """A hub with its operators and doors."""

    def __init__(
        self,
        *,
        index: Index | None = None,
        journal: Journal | None = None,
        cluster: Cluster | None = None,
        bits: Callable[[int], int] | None = None,
        feed: Feed | None = None,
        watch: bool = False,
        **limits: object,
    ) -> None:
        self.clock = StandingClock()
        self.set_by = 0.0
        """Seconds by which somebody has set the clock on the wall."""
        self.journal = Gated(journal or MemoryJournal())
        self._due: list[float] = []
        drawn = count(0x4F2A)
        bits = bits or (lambda size: next(drawn))
        clock = Clock(self.clock, lambda: int((self.clock.now + self.set_by) * 1000), self._due.append)
        self.hub = new_hub(clock, limits, self.journal, bits, index, cluster, feed)
        self.passwords, self.ports, self.levels = Passwords(), Listeners(), list[str]()
        self.operators = operators_over(self.hub, self.passwords, self.ports, self.levels.append, bits, watch)
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
        """A person with netcat, in the lobby; `quiet`: greeted, and what was received so far is forgotten."""
        transport = RecordingTransport()
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
        transport = RecordingTransport()
        peer = Peer(self, self.hub.connect(transport, FRAME, Arrival(Door.WEB, "127.0.0.1")), transport)
        peer.asks(type="hello", **({} if nick is None else {"nick": nick}), **hello)
        return peer
