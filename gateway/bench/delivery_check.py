"""The check of delivery: was every message delivered, to every reader, once, and in one order?

The order that most readers saw is the reference (`reference`). `Judge` compares every reader with what was published
(nothing missing, nothing twice) and with that order (nothing early or late).

`ExpectedOrder` makes that cheap: it holds the order of one door's messages as bytes, so that most readers are verified
by one comparison of memory. All readers of a room behind one door are sent the same bytes, apart from their own events
between two messages (presence, pings, notices). So the first reader to get a message is read line by line, and its
messages, without the rest, become the expected order; every reader behind it only has to show the same bytes. With 500
readers that is one careful reading and 499 comparisons, whatever batches the bytes come in.

Rules. Offsets count from the start of the run and never change; `stream` holds the bytes from offset `base` on, older
ones are dropped when all readers have passed them. A reader that shows something else is read line by line from there
(`Reader`). The expected order judges nothing, and its first reader is not believed more than others: the majority
decides, at the end.

The streams are cut into lines and WebSocket frames without I/O. A piece keeps its end (line feed) or its header
(frame), so that the pieces of a stream, joined, are the stream. A server's frames are unmasked and not fragmented here;
a fragmented message would be counted as missing.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from gateway.bench.plan import NUMBER_BITS, key_of, number_of, writer_of

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA

Pieces = tuple[list[bytes], bytes]
Split = Callable[[bytes], Pieces]


def split_lines(stream: bytes) -> Pieces:
    """Whole lines, each with its line feed, and the rest that is not a whole line yet."""
    *lines, rest = stream.split(b"\n")
    return [line + b"\n" for line in lines], rest


def split_frames(stream: bytes) -> Pieces:
    """Whole frames, each with its header, and the rest that is not a whole frame yet."""
    frames = []
    start = 0
    while (end := _frame_end(stream, start)) is not None:
        frames.append(stream[start:end])
        start = end
    return frames, stream[start:]


def _frame_end(stream: bytes, start: int) -> int | None:
    """Where the server's frame that begins at `start` ends; None if it is not all there."""
    if len(stream) < start + 2:
        return None
    length = stream[start + 1] & 0x7F
    head = start + 2
    if length >= 126:
        head += 2 if length == 126 else 8
        length = int.from_bytes(stream[start + 2 : head], "big")
    end = head + length
    return end if len(stream) >= end else None


def payload(frame: bytes) -> bytes:
    """The payload of a server's whole frame."""
    length = frame[1] & 0x7F
    return frame[2 if length < 126 else 4 if length == 126 else 10 :]


def client_frame(text: bytes, opcode: int = TEXT) -> bytes:
    """One whole frame from client to server, masked with four zero bytes.

    That is a valid mask (RFC 6455 asks for an unpredictable one to protect proxies from scripts in pages, which this
    program is not), and it leaves the payload as it is.
    """
    length = len(text)
    if length < 126:
        head = bytes((0x80 | opcode, 0x80 | length))
    elif length < 1 << 16:
        head = bytes((0x80 | opcode, 0xFE)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0xFF)) + length.to_bytes(8, "big")
    return head + bytes(4) + text


NAMED = 5
FAULTS = ("missing", "repeated", "reordered", "foreign")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one reader's messages: how many, and the first of the missing as `writer/number`.

    `foreign`: of another room, or the reader's own ones though it did not ask for them.
    """

    missing: int = 0
    repeated: int = 0
    reordered: int = 0
    foreign: int = 0
    first_missing: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, kind) for kind in FAULTS)

    def __str__(self) -> str:
        words = [f"{getattr(self, kind)} {kind}" for kind in FAULTS if getattr(self, kind)]
        named = f" (first missing: {', '.join(self.first_missing)})" if self.first_missing else ""
        return ", ".join(words) + named


def reference(hearings: Iterable[bytes]) -> "array[int]":
    """The order that most readers saw. `hearings`: each reader's keys as the bytes of an array of 64-bit integers."""
    keys = array("Q")
    common = Counter(hearings).most_common(1)
    keys.frombytes(common[0][0] if common else b"")
    return keys


class Judge:
    """Compares the readers of a room with `published` (messages by writer) and the reference order.

    Readers that received the same are judged once.
    """

    def __init__(self, published: Mapping[int, int], order: "array[int]") -> None:
        self._published = published
        self._position = {key: place for place, key in enumerate(order)}
        self._known: dict[tuple[bytes, int | None], Fault] = {}

    def judge(self, hearing: bytes, author: int | None = None) -> Fault:
        """Judge one reader: `hearing` is its keys as the bytes of an array of 64-bit integers.

        `author`: the writer who received that and was not to receive its own messages.
        """
        if (hearing, author) not in self._known:
            keys = array("Q")
            keys.frombytes(hearing)
            published = {writer: count for writer, count in self._published.items() if writer != author}
            self._known[hearing, author] = self._judge(keys, published)
        return self._known[hearing, author]

    def _judge(self, keys: "array[int]", published: Mapping[int, int]) -> Fault:
        mine = [key for key in keys if writer_of(key) in published]
        once = dict.fromkeys(mine)
        missing = sum(published.values()) - len(once)
        return Fault(
            missing=missing,
            repeated=len(mine) - len(once),
            reordered=self._late(once),
            foreign=len(keys) - len(mine),
            first_missing=tuple(islice(_missing(once, published), NAMED)) if missing else (),
        )

    def _late(self, once: dict[int, None]) -> int:
        """Messages that came after one which they should have preceded: in the reference, or by their own writer."""
        late = furthest = 0
        newest: dict[int, int] = {}
        for key in once:
            place = self._position.get(key, furthest)
            writer, number = writer_of(key), number_of(key)
            late += place < furthest or number < newest.get(writer, 0)
            furthest = max(furthest, place)
            newest[writer] = max(number, newest.get(writer, 0))
        return late


def _missing(once: Mapping[int, None], published: Mapping[int, int]) -> Iterable[str]:
    for writer, count in published.items():
        yield from (f"{writer}/{number}" for number in range(count) if key_of(writer, number) not in once)


TRIM_BYTES = 4 << 20


class Heard:
    """Messages in the order a reader received them: 9 bytes a message. `writers`: the low bytes of their numbers, which
    tell the writers of one room apart."""

    def __init__(self) -> None:
        self.keys = array("Q")
        self.writers = bytearray()

    def __len__(self) -> int:
        return len(self.keys)

    def append(self, key: int) -> None:
        """Add a message."""
        self.keys.append(key)
        self.writers.append(key >> NUMBER_BITS & 0xFF)

    def copy(self, count: int) -> "Heard":
        """A copy of the first `count` messages."""
        twin = Heard()
        twin.keys = self.keys[:count]
        twin.writers = self.writers[:count]
        return twin

    def without(self, writer: int) -> "Heard":
        """A copy without what one writer said."""
        twin = Heard()
        for key in self.keys:
            if writer_of(key) != writer:
                twin.append(key)
        return twin


class ExpectedOrder:
    """The messages behind one door: `heard` what, `ends` where each ends, `stream` the bytes from `base` on."""

    def __init__(self, split: Split) -> None:
        self.split = split
        self.heard = Heard()
        self.ends = array("Q")
        self.stream = bytearray()
        self.base = 0
        self._trim_at = TRIM_BYTES

    @property
    def end(self) -> int:
        """The offset after the newest message."""
        return self.base + len(self.stream)

    def extend(self, key: int, piece: bytes) -> None:
        """Add the next message, with its bytes."""
        self.stream += piece
        self.heard.append(key)
        self.ends.append(self.end)

    def count(self, offset: int) -> int:
        """How many messages end at or before the offset."""
        return bisect_right(self.ends, offset)

    def start(self, index: int) -> int:
        """The offset at which message `index` begins."""
        return self.ends[index - 1] if index else 0

    def next_of(self, writer: int, offset: int) -> int | None:
        """The first message by that writer that ends after the offset; None: there is none yet."""
        found = self.heard.writers.find(writer & 0xFF, self.count(offset))
        return None if found < 0 else found

    def cut(self, first: int, last: int) -> bytes:
        """The bytes between two offsets, both still held."""
        return bytes(self.stream[first - self.base : last - self.base])

    def wants_trim(self) -> bool:
        """Whether so much is held that it is worth looking for the slowest reader."""
        return len(self.stream) > self._trim_at

    def trim(self, slowest: int) -> None:
        """Drop what all readers have passed. `slowest`: the lowest offset of a reader."""
        keep = self.start(self.count(slowest))
        del self.stream[: keep - self.base]
        self.base = keep
        self._trim_at = len(self.stream) + TRIM_BYTES
