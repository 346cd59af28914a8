"""A node: one gateway of those that share a Redis, with everything of its own that speaks to it."""

import asyncio
from dataclasses import dataclass

from gateway.core.answer import Answer
from gateway.errors import BackplaneError, StartError
from gateway.redis.backplane import Backplane
from gateway.redis.cluster import RedisCluster
from gateway.redis.feed import StreamFeed
from gateway.redis.journal import RedisJournal
from gateway.redis.ledger import RedisLedger
from gateway.redis.questions import Questions


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
    questions.start()
    key = await _value(cluster.begin(new_key))
    if isinstance(key, BackplaneError):
        await questions.close()
        await backplane.close()
        await feed.close()
        raise StartError(str(key))
    return Node(backplane, feed, journal, cluster, questions, key)


async def _value(answer: Answer[bytes | BackplaneError]) -> bytes | BackplaneError:
    future: asyncio.Future[bytes | BackplaneError] = asyncio.get_running_loop().create_future()
    answer.then(future.set_result)
    return await future
