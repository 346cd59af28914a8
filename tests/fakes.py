"""Fakes of the gateway's surroundings for the tests of every room: time, transports, passwords, listeners.

A fake that a second room needs belongs here. Those that stay in their room differ in kind: the worlds around a hub
(tests/core/world.py has no loop, tests/tcp/house.py turns the server's own loop, tests/web/little_chat.py lives in
asyncio's), the gateway as a process (tests/bridge/gateways.py), and the peers that speak to it (tests/bridge/peers.py).
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, TypeVar

from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators, operators_over
from gateway.core.ports.cluster import Cluster
from gateway.core.ports.index import Index
from gateway.core.ports.journal import Feed, Journal
from gateway.core.ports.transport import Kernel, Traits
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.core.roles import Operator, Role
from gateway.core.sessions.rate_limit import Limits
from gateway.core.stats.health import Ceilings
from gateway.core.stats.recent import Statistics
from gateway.errors import Code, Refusal
from gateway.journal.index import SqliteIndex
from gateway.journal.memory import MemoryJournal

PATIENCE = 60.0
"""Seconds for which anything is waited for: a limit that no test reaches, also where others use the machine as well."""
Found = TypeVar("Found")


def pause() -> None:
    """Let other threads and processes run."""
    time.sleep(0.01)


def until(
    condition: Callable[[], Found | None],
    what: str = "the condition",
    seconds: float = PATIENCE,
    meanwhile: Callable[[], object] = pause,
) -> Found:
    """The first true value of `condition`; `meanwhile` runs between two looks. AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        meanwhile()
    return found


def at_best(measure: Callable[[], float], seconds: float, tries: int = 5) -> None:
    """What `measure` returns is less than so many seconds, if not at once then when it is tried again: a busy machine
    delays some tries, a timer that the gateway should not have waited for delays each of them."""
    took: list[float] = []
    while not took or took[-1] >= seconds:
        assert len(took) < tries, f"each time it took {seconds} s or more: {took}"
        took.append(measure())


async def eventually(condition: Callable[[], Found | None], seconds: float = PATIENCE) -> Found:
    """The same for a condition that the running asyncio loop makes true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.005)
    return found


class StandingClock:
    """Seconds that pass only when a test sets `now`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class SkippingClock:
    """Monotonic seconds, as real sockets need them, that a test can push forward by `skipped`."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped


class RecordingTransport:
    """A transport that takes `room` bytes (None = any number) and remembers what it took."""

    def __init__(self) -> None:
        self.taken = b""
        self.sends = 0
        self.room: int | None = None
        self.resumed = 0
        self.closed: tuple[CloseReason, str] | None = None
        self.acked: int | None = None
        """What the kernel tells of the bytes that have arrived; None: nothing."""

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

    def kernel(self) -> Kernel | None:
        return None if self.acked is None else Kernel(1.0, 0, 0, 0, self.acked)

    def traits(self) -> Traits:
        return Traits()


class Passwords:
    """The operators' passwords: everybody has the same."""

    def __init__(self) -> None:
        self.tried: list[tuple[str, str, str]] = []
        self.roles = {"otto": Role.OPERATOR}
        self.guesses: list[tuple[str, str, bool]] = []

    def login(self, name: str, password: str, address: str) -> Answer[Operator | Refusal]:
        self.tried.append((name, password, address))
        if password == "right horse":
            return Answer.of(Operator(name or "admin", self.roles.get(name, Role.ADMIN), "asked"))
        return Answer.of(Refusal(Code.FORBIDDEN, "wrong"))

    def guessed(self, what: str, address: str, right: bool) -> None:
        self.guesses.append((what, address, right))


class Listeners:
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


class Inline(Executor):
    """An executor without a thread: it does everything at once."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*args, **options))
        return done


def new_index(path: Path | None = None, **options: Any) -> SqliteIndex:
    """An index that answers at once, in memory unless it is given a file."""
    return SqliteIndex(path, call_soon_threadsafe=lambda job: job(), worker=Inline(), **options)


def new_hub(
    clock: Clock,
    limits: Mapping[str, Any],
    journal: Journal | None = None,
    random_bits: Callable[[int], int] = secrets.randbits,
    index: Index | None = None,
    cluster: Cluster | None = None,
    feed: Feed | None = None,
) -> Hub:
    """A hub with a journal in memory unless one is given, and without a rate unless `limits` name one; not started."""
    return Hub(
        journal or MemoryJournal(),
        Limits(**({"messages_per_second": 0} | dict(limits))),
        clock,
        Statistics(clock, Ceilings()),
        random_bits=random_bits,
        token_key=b"a key for tests only",
        index=index,
        cluster=cluster,
        feed=feed,
    )


def new_operators(hub: Hub) -> Operators:
    """The operators over a hub whose passwords, listeners and log levels no test looks at."""
    return operators_over(hub, Passwords(), Listeners(), list[str]().append, secrets.randbits)
