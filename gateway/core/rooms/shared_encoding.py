"""Shares: what readers of a room get next, encoded and joined once for all that stand at one place.

A terminal does not get its own messages back, and a half-closed peer gets nothing after its last one. Such a reader
gets an `Excerpt`, cut out of the bytes that the others share.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from gateway.core.protocol.events import Gap
from gateway.core.protocol.message import Message
from gateway.core.protocol.wire import Wire
from gateway.core.rooms.log import RoomLog
from gateway.core.stats.counters import Counters

Stretch = tuple[int, int]
"""Neighbouring parts of a share: from one index up to, not including, another."""
SHARE_BYTES = 65536
"""Bytes that one reader is offered per turn. A single message may be longer."""


class Share:
    """Encoded `messages` in log order: `parts` with the numbers `seqs`, all of them joined as `data`. `count` of the
    parts are messages; if any were `skipped`, the first part is the gap notice."""

    __slots__ = ("_by_author", "_messages", "_starts", "_view", "count", "data", "given", "last", "parts", "seqs",
                 "size", "skipped")  # fmt: skip

    def __init__(self, parts: list[bytes], messages: Sequence[Message], last: int, skipped: int) -> None:
        self.parts = parts
        self.seqs = range(last + 1 - len(parts), last + 1)
        """Without holes: the notice of a gap has the number before the first message that is left."""
        self.last = last
        self.count = len(parts) - (1 if skipped else 0)
        self.skipped = skipped
        self.given = 0
        """How many readers took all of it. Added to the counters once for all (`Readers.forget`): this is the hot
        path."""
        self.data = parts[0] if len(parts) == 1 else b"".join(parts)
        self.size = len(self.data)
        self._messages = messages
        self._by_author: dict[int, list[Stretch]] = {}
        self._starts: list[int] = []
        self._view = memoryview(b"")

    def stretches_of(self, author: int) -> list[Stretch]:
        """The author's parts, in order: what somebody has said in one go is one stretch."""
        if not self._by_author:
            first = end = len(self.parts) - self.count
            last = self._messages[0].author if self._messages else author
            for each in self._messages:
                if each.author != last:
                    self._by_author.setdefault(last, []).append((first, end))
                    first, last = end, each.author
                end += 1
            self._by_author.setdefault(last, []).append((first, end))
        return self._by_author.get(author, [])

    def joined(self, stretches: list[Stretch]) -> bytes:
        """The parts of these stretches, joined."""
        if not self._starts:
            self._starts, self._view = [0, *accumulate(map(len, self.parts))], memoryview(self.data)
        starts, view = self._starts, self._view
        return b"".join([view[starts[first] : starts[end]] for first, end in stretches])


class Excerpt:
    """A share for one reader: without the messages of `author` (0: with all), and none after `until`.

    It is made of stretches of the common share's bytes, so that a room in which everybody talks costs an author its own
    messages only, not everybody's.
    """

    __slots__ = ("_counters", "_stretches", "count", "data", "last", "size", "skipped", "source")

    def __init__(self, source: Share, author: int, until: int, counters: Counters) -> None:
        end = len(source.parts) if until >= source.last else bisect_right(source.seqs, until)
        if source.skipped:
            end = max(end, 1)  # it is told of the gap, also when its last message is in there
        self.source = source
        self._counters = counters
        self._stretches: list[Stretch] = []
        first = count = 0
        for own, rest in source.stretches_of(author) if author else ():
            if own >= end:
                break
            if own > first:
                self._stretches.append((first, own))
                count += own - first
            first = rest
        if end > first:
            self._stretches.append((first, end))
            count += end - first
        self.skipped = source.skipped
        self.count = count - (1 if self.skipped else 0)
        self.last = min(source.last, max(until, source.seqs[0] if self.skipped else 0))
        self.data = source.joined(self._stretches)
        self.size = len(self.data)

    @property
    def parts(self) -> list[bytes]:
        """See `Share`."""
        return [part for first, end in self._stretches for part in self.source.parts[first:end]]

    @property
    def seqs(self) -> list[int]:
        """See `Share`."""
        return [seq for first, end in self._stretches for seq in self.source.seqs[first:end]]

    @property
    def given(self) -> int:
        """See `Share`; the one reader is counted at once."""
        return 0

    @given.setter
    def given(self, readers: int) -> None:
        self._counters.deliveries += readers * self.count
        self._counters.bytes_out += readers * self.size


class Readers:
    """The members of a room that read one wire format, and the shares encoded for them since the last `publish`."""

    __slots__ = ("_counters", "_encoded", "_shares", "log", "room", "wire")

    def __init__(self, room: str, log: RoomLog, wire: Wire, counters: Counters) -> None:
        self.room = room
        self.log = log
        self.wire = wire
        self._counters = counters
        self._shares: dict[int, Share] = {}
        self._encoded: dict[int, bytes] = {}

    def forget(self) -> None:
        """The head has moved, or everybody has been served: count the shares and drop them."""
        if not self._shares:
            return
        counters = self._counters
        for share in self._shares.values():
            given = share.given
            counters.deliveries += given * share.count
            counters.bytes_out += given * share.size
        self._shares.clear()
        self._encoded.clear()

    def share(self, cursor: int) -> Share:
        """What a reader at `cursor` gets next: at most SHARE_BYTES, or one message that is longer."""
        share = self._shares.get(cursor)
        if share is None:
            share = self._shares[cursor] = self._make(cursor)
        return share

    def share_without(self, cursor: int, author: int, until: int) -> Excerpt:
        """The same for one reader: without the messages of `author` (0: with all), and none after `until`."""
        return Excerpt(self.share(cursor), author, until, self._counters)

    def _make(self, cursor: int) -> Share:
        parts: list[bytes] = []
        messages: list[Message] = []
        size = skipped = 0
        last = cursor
        if cursor + 1 < self.log.first:
            last = self.log.first - 1
            skipped = last - cursor
            parts.append(self.wire.event(Gap(self.room, cursor + 1, last), ""))
        encoded, encode = self._encoded, self.wire.message
        for message in self.log.after(last):
            if size >= SHARE_BYTES:
                break
            last = message.seq
            part = encoded.get(last)
            if part is None:
                part = encoded[last] = encode(message)
            parts.append(part)
            messages.append(message)
            size += len(part)
        return Share(parts, messages, last, skipped)
