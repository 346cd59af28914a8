"""The cluster: the other nodes of one gateway, as the core sees them.

Several processes may serve one journal, and together they are one gateway. What each of them holds in memory (bans and
mutes, who is logged in to the dashboard) is told to the others as *facts*:

- A fact is told after it is true where it was made. Whoever hears it makes it true there too, without telling it on.
- Each node hears the facts of another in the order they were told in. It may hear one twice, so hearing one again must
  do no harm.
- A node that may have missed facts (it was cut off for long, or the store forgot them) hears `Missed` and reads again
  everything that facts are about.

What is stored in the ledger is told by the ledger, in the transaction that stores it: what is not stored is not told.

One node alone is `Alone`: nothing is told, nothing is ever heard, and every verb returns at once.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from gateway.core.ports.ledger import Sanction


class Missed(msgspec.Struct, frozen=True, tag="missed"):
    """Facts may have been missed: read again what they are about. Never told, only heard."""


class SanctionsChanged(msgspec.Struct, frozen=True, tag="sanctions"):
    """These bans and mutes were put in force, and these lifted, and the ledger has stored it."""

    add: Sequence[Sanction] = ()
    lift: Sequence[Sanction] = ()


class LoginsChanged(msgspec.Struct, frozen=True, tag="logins"):
    """The ledger has stored other logins to the dashboard."""


Fact = Missed | SanctionsChanged | LoginsChanged
F = TypeVar("F", bound=Fact)
Hear = Callable[[str, Any], object]


class Cluster(Protocol):
    """The nodes. No verb blocks or raises."""

    @property
    def node(self) -> str:
        """The id of this node; empty when it is alone."""

    def tell(self, fact: Fact, node: str = "") -> None:
        """Tell all other nodes, or one of them, in the order of the calls. While the others cannot be reached facts
        wait; those that cannot wait any longer are lost, and the others hear `Missed`."""

    def hear(self, kind: type[F], use: Callable[[str, F], object]) -> None:
        """Call `use` with the teller's id and each fact of that kind that another node tells."""


class Hearers:
    """Who wants to hear which facts; for implementations of `Cluster`."""

    def __init__(self) -> None:
        self._by_kind: dict[type, list[Hear]] = {}

    def add(self, kind: type[F], use: Callable[[str, F], object]) -> None:
        """As `Cluster.hear`."""
        self._by_kind.setdefault(kind, []).append(use)

    def tell(self, node: str, fact: Fact) -> None:
        """Hand a fact that `node` has told to those who want to hear it."""
        for use in self._by_kind.get(type(fact), ()):
            use(node, fact)


class Alone:
    """The `Cluster` of a single node."""

    node = ""

    def tell(self, fact: Fact, node: str = "") -> None:
        """As `Cluster.tell`; there is nobody."""

    def hear(self, kind: type[F], use: Callable[[str, F], object]) -> None:
        """As `Cluster.hear`; there is nothing."""
