"""Standing orders: what operators have ordered for all nodes and is in force (a drain, maintenance, a log level), for a
node that starts after the order was given.

Such a node asks the others before its doors open, and does what they all say. What they do not say alike was just given
or just ended: it hears that itself, or, if it was told before it could hear, asks again until the others agree.

- A node that has not learned the orders itself does not tell any: of nodes that start together none asks another.
- One that does not answer is asked TRIES times and then left out: a gateway starts beside a node that stands still.
- What is meant for one node ends with it. When the last node ends, no order is left.
"""

from collections.abc import Sequence
from functools import partial

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.operators.drain import Drain
from gateway.core.operators.maintenance import LogLevelControl, Maintenance
from gateway.core.ports.cluster import Cluster, DrainBegun, DrainEnded, LogLevelSet, Maintained
from gateway.errors import JournalError, Refusal

KIND = "orders"
TRIES = 3
AGAIN_SECONDS = 2.0
"""Seconds until nodes are asked again that do not agree; others hear of an order within a second."""
MOST_AGAIN = 5


class Orders(msgspec.Struct, frozen=True):
    """What is in force at a node for all nodes."""

    drains: list[DrainBegun] = []
    maintenance: str | None = None
    level: LogLevelSet | None = None


_encode = msgspec.json.Encoder().encode


class StandingOrders:
    """Learns the orders of the other nodes, and tells them those of this one."""

    def __init__(
        self, cluster: Cluster, clock: Clock, drain: Drain, maintenance: Maintenance, log_level: LogLevelControl
    ) -> None:
        self._cluster = cluster
        self._drain = drain
        self._maintenance = maintenance
        self._log_level = log_level
        self._clock = clock
        self._learned = False
        self._again = MOST_AGAIN
        self._found: list[Orders] = []
        self._heard: set[type] = set()
        """The kinds of orders that were given, or ended, while this node asked."""
        for kind in (DrainEnded, Maintained, LogLevelSet):
            cluster.hear(kind, lambda told: self._heard.add(type(told)))
        cluster.serve(KIND, lambda asked: Answer.of(self._told()))

    def learn(self) -> Answer[Refusal | None]:
        """Ask the other nodes; the answer is there when they have answered, or will not."""
        others = [card.id for card in self._cluster.cards() if card.id != self._cluster.node]
        return self._ask(others, TRIES)

    def apply(self) -> None:
        """The doors are open: do what was heard meanwhile, and what all others have said."""
        self._learned = True
        found, self._found = self._found, []
        for drain in self._drain.standing():
            self._drain.join(drain)
        if not found:
            return
        first, *others = found
        if any(_kinds(each) != _kinds(first) for each in others) and self._again:
            self._again -= 1
            self._clock.later(AGAIN_SECONDS, lambda: self.learn().then(lambda _: self.apply()))
        if DrainEnded not in self._heard:
            for drain in first.drains:
                if all(drain.door in {each.door for each in other.drains} for other in others):
                    self._drain.take_over(drain)
        alike = all(each.maintenance == first.maintenance for each in others)
        if first.maintenance is not None and alike and Maintained not in self._heard:
            self._maintenance.join(Maintained(first.maintenance))
        level = first.level
        alike = all(each.level is not None and level is not None and each.level.level == level.level for each in others)
        if level is not None and alike and LogLevelSet not in self._heard:
            self._log_level.join(level)

    def _told(self) -> bytes | JournalError:
        if not self._learned:
            return JournalError(wording.NODE_STARTS)
        level = self._log_level.standing()
        return _encode(Orders(self._drain.standing(), self._maintenance.words, level))

    def _ask(self, nodes: Sequence[str], tries: int) -> Answer[Refusal | None]:
        if not nodes or not tries:
            return Answer.of(None)
        silent: list[str] = []
        left = [len(nodes)]
        done: Answer[list[str]] = Answer()

        def heard(node: str, answer: bytes | JournalError) -> None:
            try:
                if isinstance(answer, JournalError):
                    raise answer
                self._found.append(msgspec.json.decode(answer, type=Orders))
            except (JournalError, msgspec.MsgspecError):
                silent.append(node)
            left[0] -= 1
            if not left[0]:
                done.set(silent)

        for node in nodes:
            self._cluster.ask(node, KIND).then(partial(heard, node))
        return done.chain(lambda again: self._ask(again, tries - 1))


def _kinds(orders: Orders) -> tuple[object, ...]:
    """What nodes that have heard the same say alike; the time that a level lasts differs."""
    level = None if orders.level is None else orders.level.level
    return {each.door for each in orders.drains}, orders.maintenance, level
