"""Several nodes of one gateway in one process: worlds whose clusters hear each other and share one store.

Facts go over the wire as they do in Redis, as JSON. They, and the store's answers, arrive when a test lets them
(`Nodes.settle`), in the order in which they were sent.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from gateway.core.answer import Answer
from gateway.core.ports.cluster import (
    CodeUsed,
    Fact,
    Forgotten,
    LoginsChanged,
    Missed,
    NodeCard,
    PeopleThere,
    PersonChanged,
    SanctionsChanged,
    Serve,
)
from gateway.core.ports.journal import Person
from gateway.core.ports.ledger import AuditPage, AuditQuery, Sanction
from gateway.core.roles import AuditEntry
from gateway.errors import JournalError
from gateway.journal.ledger import MemoryLedger
from gateway.journal.memory import MemoryJournal
from gateway.redis.cluster import Hearers
from tests.core.world import Peer, World

F = TypeVar("F", bound=Fact)


class LinkedCluster:
    """A node's end of the cluster. While it is `away` from the store everything is answered with an error."""

    def __init__(self, nodes: "Nodes", node: str) -> None:
        self.nodes = nodes
        self.node, self.number = node, len(nodes.worlds) + 1
        self.away = False
        self.served: dict[str, Serve] = {}
        self.card = NodeCard(node, self.number, node, doors=("tcp", "telnet", "web"))
        self.hearers = Hearers()

    def tell(self, fact: Fact) -> None:
        """See `Cluster`."""
        for each in self.nodes.clusters.values():
            if each is not self:
                self.nodes.facts.append((each, msgspec.json.encode(fact)))

    def hear(self, kind: type[F], use: Callable[[F], object]) -> None:
        """See `Cluster`."""
        self.hearers.add(kind, use)

    def person(self, id: str) -> Answer[Person | JournalError | None]:
        """See `Cluster`."""
        return self._later(lambda: self.nodes.stored(id, self.node))

    def person_of(self, account: str) -> Answer[Person | JournalError | None]:
        """See `Cluster`."""
        found = (id for id, person in self.nodes.people.items() if person.account == account)
        return self._later(lambda: self.nodes.stored(next(found, ""), self.node))

    def use_code(self, code: str, own: str) -> Answer[Person | JournalError | None]:
        """See `Cluster`."""

        def use() -> Person | None:
            id = self.nodes.codes.get(code, own)
            if id == own:
                return None
            del self.nodes.codes[code]
            self.tell(CodeUsed(id, code))
            return self.nodes.stored(id, self.node)

        return self._later(use)

    def keep_code(self, code: str, id: str) -> None:
        """See `Cluster`."""
        self.nodes.codes[code] = id

    def claim(self, keys: Sequence[str], owner: str, before: str = "") -> Answer[bool | JournalError]:
        """See `Cluster`."""

        def take() -> bool:
            names = self.nodes.names
            if any(names.get(key, owner) not in (owner, before) for key in keys):
                return False
            names.update(dict.fromkeys(keys, owner))
            return True

        return self._later(take)

    def release(self, keys: Sequence[str], owner: str, away: bool = False) -> None:
        """See `Cluster`."""
        elsewhere = self.nodes.connected.get(owner, set()) - {self.node}
        for key in keys:
            if self.nodes.names.get(key) == owner and not (away and elsewhere):
                del self.nodes.names[key]

    def held(self, keys: Sequence[str]) -> Answer[bool | JournalError]:
        """See `Cluster`."""
        return self._later(lambda: any(key in self.nodes.names for key in keys))

    def holder(self, keys: Sequence[str]) -> Answer[str | JournalError]:
        """See `Cluster`."""
        return self._later(lambda: next((self.nodes.names[key] for key in keys if key in self.nodes.names), ""))

    def reached(self, keys: Sequence[str]) -> Answer[Sequence[str] | JournalError]:
        """See `Cluster`."""

        def nodes() -> list[str]:
            owners = [self.nodes.names[key] for key in keys if key in self.nodes.names]
            found = [
                [each[1:].partition(":")[0]] if each[:1] == "~" else sorted(self.nodes.connected.get(each, ()))
                for each in owners
            ]
            return list(dict.fromkeys(node for each in found for node in each))

        return self._later(nodes)

    def show(self, there: PeopleThere) -> None:
        """See `Cluster`."""
        self.nodes.there[self.node, there.room] = there
        self.tell(there)

    def shown(self, room: str) -> Answer[list[PeopleThere] | JournalError]:
        """See `Cluster`."""
        there = self.nodes.there.values()
        return self._later(lambda: [each for each in there if each.room == room and each.node != self.node])

    def counts(self) -> Answer[Mapping[str, int] | JournalError]:
        """See `Cluster`."""
        return self._later(
            lambda: {each.room: each.count for each in self.nodes.there.values() if each.node != self.node}
        )

    def introduce(self, card: NodeCard) -> None:
        """See `Cluster`; the nodes of tests know each other."""

    def cards(self) -> Sequence[NodeCard]:
        """See `Cluster`."""
        return [each.card for each in self.nodes.clusters.values()]

    def ask(self, node: str, kind: str, question: bytes = b"") -> Answer[bytes | JournalError]:
        """See `Cluster`; a node that is away does not answer."""
        answer: Answer[bytes | JournalError] = Answer()
        other = self.nodes.clusters.get(node)

        def carry() -> None:
            if other is None or other.away or kind not in other.served:
                answer.set(JournalError("nothing has come in time"))
            else:
                other.served[kind](question).then(answer.set)

        self.nodes.asked.append(carry)
        return answer

    def serve(self, kind: str, use: Serve) -> None:
        """See `Cluster`."""
        self.served[kind] = use

    def _later(self, work: Callable[[], Any]) -> Answer[Any]:
        answer: Answer[Any] = Answer()
        self.nodes.asked.append(lambda: answer.set(JournalError("no Redis") if self.away else work()))
        return answer


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
        if self.fails:
            return Answer.of(JournalError("no Redis"))
        self._cluster.tell(LoginsChanged())
        return self._stored.keep_logins(text)


class Nodes:
    """The nodes, by name."""

    def __init__(self) -> None:
        self.clusters: dict[str, LinkedCluster] = {}
        self.facts: deque[tuple[LinkedCluster, bytes]] = deque()
        self.asked: deque[Callable[[], None]] = deque()
        self.ledger = MemoryLedger()
        self.people: dict[str, Person] = {}
        self.connected: dict[str, set[str]] = {}
        self.knowing: dict[str, set[str]] = {}
        self.codes: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.there: dict[tuple[str, str], PeopleThere] = {}
        self.worlds: list[World] = []
        self._bits = count(0x4F2A)

    def start(self, name: str, bits: Callable[[int], int] | None = None, **more: Any) -> World:
        """One more node; `bits` draws its guest names."""
        cluster = self.add(name)
        journal: Any = MemoryJournal()
        journal.ledger = SharedLedger(self.ledger, cluster)
        journal.remember = lambda people: self._remember(cluster, people)
        world = World(journal=journal, cluster=cluster, bits=bits or (lambda size: next(self._bits)), **more)
        self.worlds.append(world)
        return world

    def add(self, name: str) -> LinkedCluster:
        """The cluster of one more node that has no hub."""
        cluster = self.clusters[name] = LinkedCluster(self, name)
        return cluster

    def answer(self) -> None:
        """Let the store's answers arrive, but no facts."""
        while self.asked:
            self.asked.popleft()()

    def settle(self) -> None:
        """Let every fact and answer arrive, and all that follows from them."""
        while True:
            for world in self.worlds:
                world.run()
            if self.asked:
                self.asked.popleft()()
            elif self.facts:
                cluster, fact = self.facts.popleft()
                cluster.hearers.tell(msgspec.json.decode(fact, type=Fact))
            else:
                return

    def miss(self) -> None:
        """All facts on the way are lost, and the nodes are told that they may have missed some."""
        lost = {cluster.node: cluster for cluster, _ in self.facts}
        self.facts.clear()
        for cluster in lost.values():
            cluster.hearers.tell(Missed())
        self.settle()

    def flush(self) -> None:
        """The store has forgotten everything."""
        for each in (self.people, self.connected, self.knowing, self.codes, self.names):
            each.clear()
        stored: Any = self.ledger
        stored._sanctions, stored._logins = {}, ""
        for cluster in self.clusters.values():
            cluster.hearers.tell(Forgotten())
            cluster.hearers.tell(Missed())
        self.settle()

    def stored(self, id: str, node: str) -> Person | None:
        """What is stored of a person, for a node that knows them from now on."""
        person = self.people.get(id)
        if person is None:
            return None
        self.knowing.setdefault(id, set()).add(node)
        return replace(person, seen=0) if self.connected.get(id) else person

    def _remember(self, cluster: LinkedCluster, people: Sequence[Person]) -> Answer[JournalError | None]:
        if cluster.away:
            return Answer.of(JournalError("no Redis"))
        for person in people:
            id = person.identity
            here = self.connected.setdefault(id, set())
            here.discard(cluster.node) if person.seen else here.add(cluster.node)
            self.people[id] = person
            if self.knowing.setdefault(id, set()) - {cluster.node}:
                cluster.tell(PersonChanged(person))
            self.knowing[id].add(cluster.node)
        return Answer.of(None)


def started(nodes: Nodes, name: str) -> World:
    """One more node, whose lobby is open."""
    world = nodes.start(name)
    nodes.settle()
    return world


def named(nodes: Nodes, world: World, nick: str) -> Peer:
    """A terminal in the lobby."""
    peer = world.terminal(quiet=False)
    nodes.settle()
    world.later(0.2)
    peer.says(f"/nick {nick}")
    nodes.settle()
    peer.forget()
    return peer
