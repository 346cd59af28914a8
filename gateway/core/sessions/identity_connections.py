"""The connections of one identity, over all nodes (`ports.cluster`): how many there are at most, and who hears of them.

Everybody is told when they are connected once more, and has CONNECTIONS at most, over all nodes. So the nodes to which
a person is connected tell one another of those connections, whole and whenever one comes or goes: what was missed is
made good by the next. A node that hears of a person's connections for the first time tells its own. All of them then
know the same, and each closes those of its own that are too many.

A person who is connected to one node costs nothing: a node begins to tell when somebody comes of whom the store says
that they are connected elsewhere, the other when it hears that. When the last connection here has ended, what is known
of the others is dropped. A node that dies takes its connections with it.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate

from gateway import wording
from gateway.core.clock import Clock
from gateway.core.ports.cluster import Cluster, ConnectionsThere, Missed, NodeGone, shared_time
from gateway.core.protocol.events import Notice
from gateway.core.sessions.identity import CONNECTIONS, Identities
from gateway.core.sessions.session import Identity, Session

Since = Sequence[tuple[int, int]]
"""Connections of one node, the earliest first: since when each is there (ms since 1970 by Redis' clock), its number."""


class IdentityConnections:
    """What nodes tell each other of one person's connections. `replace` closes a connection that is one too many."""

    def __init__(
        self, cluster: Cluster, identities: Identities, clock: Clock, replace: Callable[[Session], None]
    ) -> None:
        self._cluster = cluster
        self._identities = identities
        self._clock = clock
        self._replace = replace
        self._elsewhere: dict[str, dict[str, Since]] = {}
        """By identity, of those who are connected here and perhaps elsewhere: the connections at each node."""
        cluster.hear(ConnectionsThere, self._heard)
        cluster.hear(NodeGone, lambda gone: self._gone(gone.node))
        cluster.hear(Missed, lambda missed: self._say_again())

    def came(self, identity: Identity, session: Session) -> None:
        """The session is one of the identity's connections from now on: tell its other ones, and close the earliest if
        there are too many."""
        others = [each for each in identity.connections if each is not session]
        for each in others[: max(0, len(others) + 1 - CONNECTIONS)]:
            self._replace(each)
        self._notify(others, session.door, session.address)
        if identity.roams or identity.id in self._elsewhere:
            self._elsewhere.setdefault(identity.id, {})
            self._tell(identity, session)
            self._close_surplus(identity)

    def went(self, identity: Identity) -> None:
        """A connection of the identity has ended."""
        if identity.id in self._elsewhere:
            self._tell(identity)
            if identity.latest is None:
                del self._elsewhere[identity.id]

    def _notify(self, sessions: Sequence[Session], door: str, address: str) -> None:
        for each in sessions:
            each.tell(Notice(wording.CONNECTED_TOO.format(door=door, address=address)))

    def _tell(self, identity: Identity, newest: Session | None = None) -> None:
        """Tell the other nodes of the connections here, of which the newest has just come."""
        door, address = ("", "") if newest is None else (str(newest.door), newest.address)
        self._cluster.tell(ConnectionsThere(self._cluster.node, identity.id, self._here(identity), door, address))

    def _here(self, identity: Identity) -> Since:
        sessions = identity.connections
        ahead = shared_time(self._cluster, 0)
        # A terminal may become somebody's connection long after it came: no connection is older than the one before it.
        since = accumulate((each.connected_at + ahead for each in sessions), max)
        return [(at, each.number) for at, each in zip(since, sessions, strict=True)]

    def _close_surplus(self, identity: Identity) -> None:
        here = {each.number: each for each in identity.connections}
        everywhere = [*self._here(identity), *(each for at in self._elsewhere[identity.id].values() for each in at)]
        for _, number in sorted(everywhere)[:-CONNECTIONS]:
            if number in here:
                self._replace(here[number])

    # What others tell

    def _heard(self, there: ConnectionsThere) -> None:
        identity = self._identities.by_id(there.identity)
        if identity is None or identity.latest is None:
            return
        known = self._elsewhere.setdefault(there.identity, {})
        is_new = there.node not in known
        known.pop(there.node, None)
        if not there.connections:
            return
        known[there.node] = there.connections
        if there.door:
            self._notify(identity.connections, there.door, there.address)
        if is_new:
            self._tell(identity)
        self._close_surplus(identity)

    def _gone(self, node: str) -> None:
        for known in self._elsewhere.values():
            known.pop(node, None)

    def _say_again(self) -> None:
        """Others may have missed what was told."""
        for identity in map(self._identities.by_id, self._elsewhere):
            if identity is not None:
                self._tell(identity)
