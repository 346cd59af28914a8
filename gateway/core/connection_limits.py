"""Connection limits: at most so many connections in all, and so many from one address.

A connection counts towards the total from the moment it is accepted, and by address from the moment the address is
known: a proxy's header may tell it later, and one connection of a web proxy carries the requests of many peers.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from gateway import wording
from gateway.core.address import Remote
from gateway.core.protocol.close_reason import CloseReason


class LimitReached(NamedTuple):
    """Why a connection is rejected."""

    closing: CloseReason
    words: str


class Together(Protocol):
    """The counts of several processes that share the limits."""

    @property
    def all_connections(self) -> int: ...
    def connections(self, difference: int) -> None: ...
    def all_from(self, group: str) -> int: ...
    def address(self, group: str, difference: int) -> None: ...


class ConnectionLimits:
    """Counts live connections of every door. 0 = no limit. Limits may change at any time; nobody is disconnected.
    `together` is for processes that share the limits."""

    def __init__(self, connections: int, per_address: int, together: Together | None = None) -> None:
        self.connections = connections
        self.per_address = per_address
        self.count = 0
        self._together = together
        self._from: dict[str, int] = {}
        self._resting: dict[object, Callable[[], None]] = {}
        """Idle connections, the longest idle first, and the callback that closes each for a newcomer."""

    def enter(self) -> LimitReached | None:
        """Count one more connection; or return why it is rejected."""
        together = self._together
        count = self.count if together is None else together.all_connections
        if self.connections and count >= self.connections:
            if not self._resting:
                return LimitReached(CloseReason.FULL, wording.FULL)
            give_way = self._resting.pop(next(iter(self._resting)))
            give_way()
        self.count += 1
        if together is not None:
            together.connections(1)
        return None

    def leave(self) -> None:
        """A connection that has entered is over."""
        self.count -= 1
        if self._together is not None:
            self._together.connections(-1)

    def rest(self, connection: object, give_way: Callable[[], None]) -> None:
        """From now on `connection` is idle: `give_way` closes it when a newcomer needs its place."""
        self._resting[connection] = give_way

    def wake(self, connection: object) -> None:
        """`connection` is no longer idle, or gone."""
        self._resting.pop(connection, None)

    def come(self, remote: Remote) -> LimitReached | None:
        """Count `remote` by its address; or return why it is rejected."""
        group = remote.counted_as
        if group is not None:
            together = self._together
            count = self._from.get(group, 0) if together is None else together.all_from(group)
            if self.per_address and count >= self.per_address:
                return LimitReached(CloseReason.TOO_MANY, wording.TOO_MANY_CONNECTIONS.format(count=self.per_address))
            self._from[group] = self._from.get(group, 0) + 1
            if together is not None:
                together.address(group, 1)
        return None

    def go(self, remote: Remote) -> None:
        """A connection counted by `come` has ended."""
        self.go_as(remote.counted_as)

    def go_as(self, group: str | None) -> None:
        """The same of one that is counted as that (see `Remote.counted_as`)."""
        if group is not None and group in self._from:
            self._from[group] -= 1
            if self._together is not None:
                self._together.address(group, -1)
            if not self._from[group]:
                del self._from[group]
