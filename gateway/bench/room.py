"""One room of a run: its peers, the order of its messages behind each door, and whether everything has come.

The peers of a room behind one door are sent the same bytes, so they share one expected order. What was published there,
and by whom, is what the verdict asks for; a message of another room's writer is a fault.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from gateway.bench.delivery_check import ExpectedOrder, Fault, Judge, Split, reference
from gateway.bench.peer import LoadConnection
from gateway.bench.reader import AuthorReader


class BenchRoom:
    """A room with its peers. Writers come first; their numbers are the run's, one after the other. `probes`: how many
    were said in it. `split`: how the stream of each door is cut."""

    def __init__(self, name: str, split: Callable[[str], Split]) -> None:
        self.name = name
        self._split = split
        self.peers: list[LoadConnection] = []
        self.orders: dict[str, ExpectedOrder] = {}
        self.probes = 0

    def order(self, door: str) -> ExpectedOrder:
        """The order of this room's messages behind a door."""
        if door not in self.orders:
            self.orders[door] = ExpectedOrder(self._split(door))
        return self.orders[door]

    @property
    def writers(self) -> list[LoadConnection]:
        """The peers that write."""
        return [peer for peer in self.peers if peer.writing is not None]

    def published(self) -> dict[int, int]:
        """How many messages were published here, by writer."""
        return {peer.writing.number: len(peer.writing.times) for peer in self.peers if peer.writing is not None}

    def total(self) -> int:
        """How many messages were published here."""
        return sum(len(peer.writing.times) for peer in self.peers if peer.writing is not None)

    def waiting(self) -> list[LoadConnection]:
        """The peers that are not known to be in the room yet."""
        return [peer for peer in self.peers if not peer.reader.ready]

    def prober(self) -> LoadConnection:
        """Who says the next probe: the writers in turn, because some are not sent what they say themselves."""
        writers = self.writers
        self.probes += 1
        return writers[self.probes % len(writers)]

    def is_complete(self) -> bool:
        """Whether every peer that is connected and reads has received as many messages as were published."""
        total = self.total()
        return all(peer.reader.seen() >= total for peer in self.peers if peer.open and not peer.stalled)

    def has_the_end(self, peer: LoadConnection) -> bool:
        """Whether a peer that had stopped reading has received the newest message, or never will."""
        order, seen = peer.reader.order.heard, peer.reader.seen()
        if not peer.open or not len(order):
            return True
        return seen > 0 and peer.reader.heard().keys[seen - 1] == order.keys[-1]

    def trim(self) -> None:
        """Drop the bytes that every reader has passed."""
        for order in self.orders.values():
            if order.wants_trim():
                standing = [peer.reader for peer in self.peers if peer.open and peer.reader.order is order]
                order.trim(min((reader.at for reader in standing if reader.own is None), default=order.end))

    def judged(self) -> Iterator[tuple[LoadConnection, Fault]]:
        """Every peer with what is wrong with its messages.

        What a peer that had stopped reading was told to have missed is not missing.
        """
        hearings = [peer.reader.heard().keys[: peer.reader.seen()].tobytes() for peer in self.peers]
        heard = list(zip(self.peers, hearings, strict=True))
        judge = Judge(self.published(), reference(hearing for peer, hearing in heard if not peer.stalled))
        for peer, hearing in heard:
            fault = judge.judge(hearing, self._left_out(peer))
            told = peer.reader.skipped if peer.stalled else 0
            yield peer, replace(fault, missing=max(0, fault.missing - told)) if told else fault

    @staticmethod
    def _left_out(peer: LoadConnection) -> int | None:
        """The author whose own messages are not in what it received; as long as it agrees with the order they are."""
        return peer.reader.number if isinstance(peer.reader, AuthorReader) and peer.reader.own is not None else None
