"""Standing orders: what operators have ordered for all nodes and is in force (a drain, maintenance, a log level), for a
node that was not told of it: it started after the order was given, was cut off, or fell behind.

Such a node asks all others, one that starts before its doors open. Every order has the time at which it was given, by
the one clock that the nodes share, and the later one holds: so it does not matter whom a node asks first, what it hears
meanwhile, and whether some that answer have not heard themselves. One that finds that it knows more tells it again.

- A node that has not learned the orders itself does not tell any: of nodes that start together none asks another.
- One that does not answer is asked TRIES times and then left out: a gateway starts beside a node that stands still.
  One that is gone is not asked again: after a crash that is what this node was before.
- What is meant for one node ends with it. When the last node ends, no order is left.
"""

from collections.abc import Sequence
from functools import partial

import msgspec

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.operators.drain import Drain
from gateway.core.operators.log_level import LogLevelControl
from gateway.core.operators.maintenance import Maintenance
from gateway.core.ports.cluster import Cluster, DrainBegun, LogLevelSet, Maintained, Missed
from gateway.errors import JournalError, Refusal

KIND = "orders"
TRIES = 3
AGAIN_SECONDS = 0.5
"""Until those that did not answer are asked again: after Redis was away each needs a moment to be reached."""


class Orders(msgspec.Struct, frozen=True):
    """What is in force at a node for all nodes, and when it was ordered."""

    drains: list[DrainBegun] = []
    drains_ended_at: int = 0
    maintenance: str | None = None
    maintenance_at: int = 0
    level: LogLevelSet | None = None
    level_at: int = 0


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
        self._found: list[Orders] = []
        cluster.hear(Missed, lambda missed: self._learn_again())
        cluster.serve(KIND, lambda asked: Answer.of(self._told()))

    def learn(self) -> Answer[Refusal | None]:
        """Ask the other nodes; the answer is there when they have answered, or will not."""
        others = [card.id for card in self._cluster.cards() if card.id != self._cluster.node]
        return self._ask(others, TRIES)

    def apply(self) -> None:
        """The doors are open: do what was heard meanwhile, and what the others have said."""
        self._learned = True
        found, self._found = self._found, []
        for drain in self._drain.standing():
            self._drain.join(drain)
        self._follow(found)

    def _learn_again(self) -> None:
        """Something may have been missed here, and what was ordered here may not have been heard elsewhere."""

        def learned(_: Refusal | None) -> None:
            found, self._found = self._found, []
            self._follow(found)

        if self._learned:
            self.learn().then(learned)

    def _follow(self, found: Sequence[Orders]) -> None:
        for each in found:
            self._drain.follow(each.drains, each.drains_ended_at)
            self._maintenance.join(Maintained(each.maintenance, each.maintenance_at))
            self._log_level.follow(each.level, each.level_at)
        for each in found:
            if _drained_at(each) < self._drain.ordered_at:
                self._drain.tell_again()
            if each.maintenance_at < self._maintenance.ordered_at:
                self._maintenance.tell_again()
            if each.level_at < self._log_level.ordered_at:
                self._log_level.tell_again()

    def _told(self) -> bytes | JournalError:
        if not self._learned:
            return JournalError(wording.NODE_STARTS)
        drain, maintenance, level = self._drain, self._maintenance, self._log_level
        drained = drain.standing(), drain.ended_at
        return _encode(Orders(*drained, maintenance.words, maintenance.ordered_at, level.standing(), level.ordered_at))

    def _ask(self, nodes: Sequence[str], tries: int) -> Answer[Refusal | None]:
        if not nodes:
            return Answer.of(None)
        silent: list[str] = []
        left = [len(nodes)]
        done: Answer[list[str]] = Answer()

        def heard(node: str, answer: bytes | JournalError) -> None:
            try:
                if isinstance(answer, JournalError):
                    raise answer
                self._found.append(msgspec.json.decode(answer, type=Orders))
            except (JournalError, msgspec.MsgspecError) as problem:
                if str(problem) != wording.NODE_GONE:
                    silent.append(node)
            left[0] -= 1
            if not left[0]:
                done.set(silent)

        for node in nodes:
            self._cluster.ask(node, KIND).then(partial(heard, node))
        return done.chain(lambda again: self._ask_again(again, tries - 1))

    def _ask_again(self, nodes: Sequence[str], tries: int) -> Answer[Refusal | None]:
        if not nodes or not tries:
            return Answer.of(None)
        answer: Answer[Refusal | None] = Answer()
        self._clock.later(AGAIN_SECONDS, lambda: self._ask(nodes, tries).then(answer.set))
        return answer


def _drained_at(orders: Orders) -> int:
    return max(orders.drains_ended_at, *(each.at for each in orders.drains), 0)
