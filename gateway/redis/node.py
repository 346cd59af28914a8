"""A node: one gateway of those that share a Redis, with everything of its own that speaks to it."""

from dataclasses import dataclass

from gateway.core.ports.ledger import Ledger
from gateway.redis.connection import Backplane
from gateway.redis.feed import StreamFeed
from gateway.redis.journal import RedisJournal


@dataclass(frozen=True, slots=True)
class Node:
    """The parts of one node, started."""

    backplane: Backplane
    feed: StreamFeed
    journal: RedisJournal

    @property
    def words(self) -> str:
        """Where the messages are, for people."""
        return f"Redis at {self.backplane.address}"

    async def close(self) -> None:
        """Let what was asked be answered, then close the connections. The node's leases are given back."""
        await self.backplane.close()
        await self.feed.close()


async def join(url: str, kept: int, ledger: Ledger) -> Node:
    """Become a node of those that share the Redis of `url`; about `kept` messages of each room stay in it. Raises
    StartError."""
    backplane = Backplane(url)
    await backplane.start()
    feed = StreamFeed(backplane)
    journal = RedisJournal(backplane, feed, ledger, kept)
    feed.start()
    return Node(backplane, feed, journal)
