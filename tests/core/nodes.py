"""Several nodes of one gateway in one process: worlds whose clusters hear each other and share one ledger.

Facts go over the wire as they do in Redis, as JSON, and arrive when a test lets them.
"""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, TypeVar

import msgspec

from gateway.core.answer import Answer
from gateway.core.ports.cluster import Fact, Hearers, LoginsChanged, Missed, SanctionsChanged
from gateway.core.ports.ledger import AuditPage, AuditQuery, Sanction
from gateway.core.roles import AuditEntry
from gateway.errors import JournalError
from gateway.journal.ledger import MemoryLedger
from gateway.journal.memory import MemoryJournal
from tests.core.world import World

F = TypeVar("F", bound=Fact)


class LinkedCluster:
    """A node's end of the cluster."""

    def __init__(self, nodes: "Nodes", node: str) -> None:
        self._nodes = nodes
        self.node = node
        self.hearers = Hearers()

    def tell(self, fact: Fact, node: str = "") -> None:
        """See `Cluster`."""
        for each in self._nodes.clusters.values():
            if each is not self and node in ("", each.node):
                self._nodes.on_the_way.append((self.node, each, msgspec.json.encode(fact)))

    def hear(self, kind: type[F], use: Callable[[str, F], object]) -> None:
        """See `Cluster`."""
        self.hearers.add(kind, use)


class SharedLedger:
    """A node's view of the ledger that all of them share; `fails` makes it store nothing."""

    def __init__(self, stored: MemoryLedger, cluster: LinkedCluster) -> None:
        self._stored = stored
        self._cluster = cluster
        self.fails = False

    def record(
        self, entries: Sequence[AuditEntry], *, add: Sequence[Sanction] = (), lift: Sequence[Sanction] = ()
    ) -> Answer[JournalError | None]:
        """See `Ledger`."""
        if self.fails:
            return Answer.of(JournalError("no Redis"))
        if add or lift:
            self._cluster.tell(SanctionsChanged(add, lift))
        return self._stored.record(entries, add=add, lift=lift)

    def sanctions(self, since: int) -> Answer[list[Sanction] | JournalError]:
        """See `Ledger`."""
        return self._stored.sanctions(since)

    def audit(self, query: AuditQuery) -> Answer[AuditPage | JournalError]:
        """See `Ledger`."""
        return self._stored.audit(query)

    def logins(self) -> Answer[str | JournalError]:
        """See `Ledger`."""
        return self._stored.logins()

    def keep_logins(self, text: str) -> Answer[JournalError | None]:
        """See `Ledger`."""
        self._cluster.tell(LoginsChanged())
        return self._stored.keep_logins(text)


class Nodes:
    """The nodes, by name."""

    def __init__(self) -> None:
        self.clusters: dict[str, LinkedCluster] = {}
        self.on_the_way: deque[tuple[str, LinkedCluster, bytes]] = deque()
        self.ledger = MemoryLedger()
        self.worlds: list[World] = []
        self._bits = count(0x4F2A)

    def start(self, name: str, **more: Any) -> World:
        """One more node."""
        cluster = self.clusters[name] = LinkedCluster(self, name)
        journal: Any = MemoryJournal()
        journal.ledger = SharedLedger(self.ledger, cluster)
        world = World(journal=journal, cluster=cluster, bits=lambda size: next(self._bits), **more)
        self.worlds.append(world)
        return world

    def settle(self) -> None:
        """Let every fact arrive, and all that follows from it."""
        for world in self.worlds:
            world.run()
        while self.on_the_way:
            node, cluster, fact = self.on_the_way.popleft()
            cluster.hearers.tell(node, msgspec.json.decode(fact, type=Fact))
            for world in self.worlds:
                world.run()

    def miss(self) -> None:
        """All facts on the way are lost, and the nodes are told that they may have missed some."""
        lost = {cluster.node: cluster for _, cluster, _ in self.on_the_way}
        self.on_the_way.clear()
        for cluster in lost.values():
            cluster.hearers.tell("", Missed())
        self.settle()
