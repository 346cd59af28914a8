"""A node: one gateway of those that share a Redis, with everything of its own that speaks to it."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from gateway.core.answer import Answer
from gateway.errors import BackplaneError, StartError
from gateway.redis.backplane import Backplane
from gateway.redis.cluster import RedisCluster
from gateway.redis.feed import StreamFeed
from gateway.redis.journal import RedisJournal
from gateway.redis.ledger import RedisLedger
from gateway.redis.questions import Questions

SETTLED_SECONDS = 5.0
"""Two beats of a node, and a second."""
SETTLED_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Node:
    """The parts of one node, started. `token_key` signs the tokens of all nodes."""

    backplane: Backplane
    feed: StreamFeed
    journal: RedisJournal
    cluster: RedisCluster
    questions: Questions
    token_key: bytes

    @property
    def words(self) -> str:
        """Where the messages are, for people."""
        return f"Redis at {self.backplane.address}"

    async def close(self) -> None:
        """Let what was asked be answered, then close the connections. The node's leases are given back."""
        self.cluster.stop()
        await self.questions.close()
        await self.backplane.close()
        await self.feed.close()


async def join(url: str, kept: int, new_key: bytes) -> Node:
    """Become a node of those that share the Redis of `url`; about `kept` messages of each room stay in it; `new_key`
    signs tokens if they have no key yet. Raises StartError."""
    backplane = Backplane(url)
    await backplane.start()
    feed = StreamFeed(backplane)
    ledger = RedisLedger(backplane)
    journal = RedisJournal(backplane, feed, ledger, kept)
    feed.on_forgotten(ledger.forgotten)  # before the cluster tells of it
    questions = Questions(url, backplane.node)
    cluster = RedisCluster(backplane, feed, questions)
    feed.start()
    await _settled(backplane)
    key = await _value(cluster.begin(new_key))
    questions.start()  # not before: whoever listens is waited for
    if isinstance(key, BackplaneError):
        await questions.close()
        await backplane.close()
        await feed.close()
        raise StartError(str(key))
    return Node(backplane, feed, journal, cluster, questions, key)


async def _settled(backplane: Backplane) -> None:
    """Wait until the other nodes have told a Redis that has just forgotten something what they know, or this one would
    take a number that is in use, and sign with a key of its own. Those of another database are told apart by nothing
    but time: they say nothing, and are waited for SETTLED_SECONDS."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while time.monotonic() < deadline and await _value(backplane.do("settled")) == 0:
        await asyncio.sleep(SETTLED_PAUSE)


async def _value(answer: Answer[Any]) -> Any:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    answer.then(future.set_result)
    return await future
