"""Nodes without doors or rooms: a journal on a real Redis, and what its feed tells."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from gateway.core.ports.journal import Removal, RoomRecord
from gateway.core.protocol.message import Message
from gateway.errors import JournalError
from gateway.journal.ledger import MemoryLedger
from gateway.redis.backplane import Backplane
from gateway.redis.feed import StreamFeed
from gateway.redis.journal import RedisJournal
from tests.fakes import PATIENCE


class Told:
    """A `Follower` that writes down what it is told."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.places: list[tuple[str, str, int]] = []
        self.problems: list[str] = []
        self.records: list[RoomRecord] = []
        self.topics: list[tuple[str, str, str]] = []
        self.removals: list[Removal] = []
        self.misses = self.forgets = 0

    def arrived(self, room: str, messages: Sequence[Message]) -> None:
        self.messages += messages

    def known(self, message: Message, room: str, epoch: str, seq: int) -> None:
        self.places.append((room, epoch, seq))

    def refused(self, message: Message, problem: JournalError) -> None:
        self.problems.append(str(problem))

    def renewed(self, record: RoomRecord) -> None:
        self.records.append(record)

    def topic_set(self, room: str, topic: str, by: str) -> None:
        self.topics.append((room, topic, by))

    def removed(self, removal: Removal) -> None:
        self.removals.append(removal)

    def forgotten(self) -> None:
        self.forgets += 1

    def missed(self) -> None:
        self.misses += 1

    @property
    def texts(self) -> list[str]:
        """What was said, in order."""
        return [message.text for message in self.messages]

    @property
    def numbers(self) -> list[int]:
        """Under which numbers."""
        return [message.seq for message in self.messages]


class LittleNode:
    """One node. It follows the rooms that were `read`."""

    def __init__(self, url: str, kept: int = 10_000) -> None:
        self.told = Told()
        self.backplane = Backplane(url)
        self.feed = StreamFeed(self.backplane)
        self.feed.follower = self.told
        self.journal = RedisJournal(self.backplane, self.feed, MemoryLedger(), kept)

    async def read(self, room: str = "lobby", recent: int = 0) -> RoomRecord:
        """Open the room and follow it."""
        record: RoomRecord = await self.ask(self.journal.open, room, recent)
        self.feed.follow(record)
        return record

    def said(self, room: str, text: str, **fields: Any) -> Message:
        """A message of ana's."""
        usual: dict[str, Any] = {"ts": 1_790_000_000_123, "nick": "ana", "door": "tcp", "kind": "say"}
        return Message(room, text=text, **(usual | fields))

    async def say(self, *texts: str, room: str = "lobby", **fields: Any) -> list[Message] | JournalError:
        """Append messages in one batch; the answer."""
        return await self.append([self.said(room, text, **fields) for text in texts])

    async def append(self, batch: list[Message]) -> list[Message] | JournalError:
        """Append messages; the answer."""
        answer: asyncio.Future[list[Message] | JournalError] = asyncio.get_running_loop().create_future()
        self.journal.append(batch, answer.set_result)
        return await asyncio.wait_for(answer, PATIENCE)

    async def ask(self, verb: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """What a verb answers."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        verb(*arguments, **more).then(answer.set_result)
        return await asyncio.wait_for(answer, PATIENCE)


async def soon(condition: Callable[[], Any]) -> Any:
    """The first true value of `condition`."""
    async with asyncio.timeout(PATIENCE):
        while not (found := condition()):
            await asyncio.sleep(0.005)
    return found


@asynccontextmanager
async def nodes(url: str, count: int = 1, kept: int = 10_000) -> AsyncIterator[list[LittleNode]]:
    """So many started nodes."""
    made = [LittleNode(url, kept) for _ in range(count)]
    try:
        for each in made:
            await each.backplane.start()
            each.feed.start()
        yield made
    finally:
        for each in made:
            await each.backplane.close()
            await each.feed.close()
