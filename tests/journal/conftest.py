"""A journal of each kind, and a stand-in for the loop that asks it."""

import asyncio
import queue
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import gateway
from gateway.core.ports.journal import Journal
from gateway.core.protocol.message import Message
from gateway.errors import JournalError
from gateway.journal.memory import MemoryJournal
from gateway.journal.sqlite import SqliteJournal
from gateway.redis.backplane import Backplane
from gateway.redis.feed import StreamFeed
from gateway.redis.journal import RedisJournal
from gateway.redis.ledger import RedisLedger
from tests.fakes import PATIENCE, until
from tests.redis.servers import RedisServer

ROOT = Path(gateway.__file__).parents[1]

Ask = Callable[..., Any]
OpenSqlite = Callable[..., SqliteJournal]
Say = Callable[..., Message]
Fill = Callable[..., list[Message]]
Texts = Callable[..., list[str]]
Epoch = Callable[..., str]
Alter = Callable[..., list[Any]]
Killed = Callable[..., list[int]]
"""The types of this folder's fixtures: each is a function that a test calls."""

WRITER = """
import os, queue, signal, sys
from pathlib import Path
from gateway.core.protocol.message import Message
from gateway.journal.sqlite import SqliteJournal

path, durability, texts = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
landed = queue.SimpleQueue()
journal = SqliteJournal(path, call_soon_threadsafe=landed.put, durability=durability)
for text in texts:
    journal.append([Message("lobby", 1, "ana", "tcp", "say", text)], lambda batch: print(batch[0].seq, flush=True))
    if durability == "power":
        landed.get(timeout=60)()
os.kill(os.getpid(), signal.SIGKILL)
"""


ENDLESS_WRITER = """
import queue, sys
from pathlib import Path
from gateway.core.protocol.message import Message
from gateway.journal.sqlite import SqliteJournal

landed = queue.SimpleQueue()
journal = SqliteJournal(
    Path(sys.argv[1]), call_soon_threadsafe=landed.put, durability=sys.argv[2], checkpoint_pages=20
)
answered = 0
def show(batch):
    global answered
    answered += 1
    for message in batch:
        print(message.seq, flush=True)
for asked in range(1, 1_000_000):
    journal.append([Message("lobby", 1, "ana", "tcp", "say", "x" * 300) for _ in range(4)], show)
    while answered < asked:
        landed.get(timeout=60)()
"""


class Turns:
    """Runs what other threads hand in, on the test's thread, when the test says so."""

    def __init__(self) -> None:
        self.handed_in: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.loop: asyncio.AbstractEventLoop | None = None
        """Of a journal that needs one: it turns only here."""

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        self.handed_in.put(callback)

    def until(self, condition: Callable[[], object]) -> None:
        until(condition, meanwhile=self._turn)

    def _turn(self) -> None:
        if self.loop is None:
            self.handed_in.get(timeout=PATIENCE)()
        else:
            self.loop.run_until_complete(asyncio.sleep(0.0005))


def into(messages: list[Any]) -> Callable[[list[Message] | JournalError], None]:
    """The callback of an append that must succeed: it adds what was committed to `messages`."""

    def add(committed: list[Message] | JournalError) -> None:
        assert not isinstance(committed, JournalError), committed
        messages.extend(committed)

    return add


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.db"


@pytest.fixture
def open_sqlite(turns: Turns, path: Path) -> Iterator[Callable[..., SqliteJournal]]:
    opened: list[SqliteJournal] = []

    def open_one(where: Path = path, **options: Any) -> SqliteJournal:
        journal = SqliteJournal(where, call_soon_threadsafe=turns.call_soon_threadsafe, **options)
        opened.append(journal)
        return journal

    yield open_one
    for journal in opened:
        journal.close()


class LoopedRedis(RedisJournal):
    """A journal in Redis whose loop turns while somebody waits for it."""

    def __init__(self, url: str, turns: Turns) -> None:
        self.loop = turns.loop = asyncio.new_event_loop()
        backplane = self.loop.run_until_complete(self._started(url))
        super().__init__(backplane, self.feed, RedisLedger(backplane))

    async def _started(self, url: str) -> Backplane:
        backplane = Backplane(url)
        await backplane.start()
        self.feed = StreamFeed(backplane)
        self.feed.start()
        return backplane

    def close(self) -> None:
        if not self.loop.is_closed():
            self.loop.run_until_complete(self.feed.close())
            self.loop.run_until_complete(self.backplane.close())
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()


@pytest.fixture
def open_redis(turns: Turns, redis_server: RedisServer) -> Iterator[Callable[[], LoopedRedis]]:
    redis_server.cli("FLUSHALL")
    opened: list[LoopedRedis] = []

    def open_one() -> LoopedRedis:
        opened.append(LoopedRedis(redis_server.url, turns))
        return opened[-1]

    yield open_one
    for journal in opened:
        journal.close()


KINDS: dict[str, dict[str, Any] | None] = {
    "memory": None,
    "redis": {},
    "sqlite": {},
    "sqlite power": {"durability": "power"},
    "sqlite checkpoints always": {"checkpoint_pages": 1},
}


@pytest.fixture(params=KINDS)
def journal(request: pytest.FixtureRequest) -> Journal:
    options = KINDS[request.param]
    if options is None:
        return MemoryJournal()
    kind = "open_redis" if request.param == "redis" else "open_sqlite"
    made: Journal = request.getfixturevalue(kind)(**options)
    return made


@pytest.fixture
def say() -> Say:
    usual: dict[str, Any] = {"ts": 1_790_000_000_123, "nick": "ana", "door": "tcp", "kind": "say"}

    def make(text: str, room: str = "lobby", **fields: Any) -> Message:
        return Message(room, text=text, **(usual | fields))

    return make


@pytest.fixture
def ask(turns: Turns) -> Ask:
    """Call a verb and wait for its answer."""

    def ask(verb: Callable[..., Any], *arguments: Any, **bounds: Any) -> Any:
        answers: list[Any] = []
        if verb.__name__ == "append":  # the one verb with a callback
            verb(*arguments, answers.append)
        else:
            verb(*arguments, **bounds).then(answers.append)
        turns.until(lambda: answers)
        return answers[0]

    return ask


@pytest.fixture
def fill(ask: Ask, say: Say) -> Fill:
    """Append messages with the texts 1 … `count`."""

    def fill(journal: Journal, count: int, room: str = "lobby") -> list[Message]:
        batch: list[Message] = ask(journal.append, [say(str(number), room) for number in range(1, count + 1)])
        return batch

    return fill


@pytest.fixture
def texts(ask: Ask) -> Texts:
    """The texts a room holds, oldest first."""

    def texts(journal: Journal, room: str = "lobby") -> list[str]:
        page = ask(journal.read, room, after=0, before=None, limit=100_000)
        return [message.text for message in page.messages]

    return texts


@pytest.fixture
def alter() -> Alter:
    """Run SQL on a journal nobody has open."""

    def alter(path: Path, sql: str, *parameters: Any) -> list[Any]:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            return connection.execute(sql, parameters).fetchall()

    return alter


@pytest.fixture
def kill_while_writing(path: Path) -> Callable[..., list[int]]:
    """Let another process append batches without end, and kill it when it has been answered `lines` numbers."""

    def write(lines: int, durability: str) -> list[int]:
        command = [sys.executable, "-c", ENDLESS_WRITER, str(path), durability]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            seen = [int(process.stdout.readline()) for _ in range(lines)]
            process.kill()
            rest = process.stdout.read()
        return seen + [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]

    return write


@pytest.fixture
def kill_after_writing(path: Path) -> Killed:
    """Let another process append texts one by one and kill itself; the numbers it was answered."""

    def write(*texts: str, durability: str = "process") -> list[int]:
        command = [sys.executable, "-c", WRITER, str(path), durability, *texts]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == -9, done.stderr
        return [int(line) for line in done.stdout.split()]

    return write
