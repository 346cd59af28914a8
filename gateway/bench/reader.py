"""One reader's stream, verified as it arrives. Sans-I/O: bytes in, `replies` out.

A terminal is not sent its own lines, so the bytes of an author are the room's without some messages. An `AuthorReader`
skips its own in the expected order, at the price of a comparison for each of its own messages. It cannot lead, because
it does not know where its own messages stand: it waits until a reader who only reads has extended the order.

Whatever a server sends besides the run's messages is counted as `Noise`; texts that explain a bad run are kept.
"""

import re

from gateway.bench.delivery_check import CLOSE, PING, PONG, ExpectedOrder, Heard, client_frame, payload, split_frames
from gateway.bench.plan import Payload

KEPT = 8
TELLING = re.compile(rb'^!! |^-- \d+ lines? skipped|"type":"(?:error|gap|bye)"', re.MULTILINE)
PACING = re.compile(rb"rate_limited")
SKIPPED = re.compile(rb'^-- (\d+) lines? skipped|"type":"gap".*?"from":(\d+),"to":(\d+)')


def skipped_messages(piece: bytes) -> int:
    """How many messages a line or a frame says were skipped for this reader."""
    told = SKIPPED.search(piece)
    if told is None:
        return 0
    return int(told[1]) if told[1] else int(told[3]) - int(told[2]) + 1


class Noise:
    """Everything that is not a message of the run: presence, notices, pings, refusals, gaps."""

    def __init__(self) -> None:
        self.count = 0
        self.paced = False
        self.kept: dict[str, int] = {}

    def note(self, piece: bytes) -> None:
        """Count one line or one frame's payload that is not a message of the run."""
        self.count += 1
        if TELLING.search(piece):
            self.paced = self.paced or PACING.search(piece) is not None
            self.keep(piece.decode("utf-8", "replace").strip())

    def keep(self, words: str) -> None:
        """Keep a text for the report; the same text only once, and not too many in all."""
        if words in self.kept or len(self.kept) < KEPT:
            self.kept[words] = self.kept.get(words, 0) + 1


class Reader:
    """How far one connection agrees with the expected order of its door, or what it received instead.

    `ready`: has seen a probe, so it is in the room. `at`: the offset in the order up to which it showed the same bytes.
    `own`: None while it agrees; from the first disagreement on, everything it received from the beginning.
    `order`: the door's. `replies`: bytes to send, pongs; the owner of the socket empties it. `skipped`: messages that
    the server said it left out.
    """

    __slots__ = ("_rest", "_texts", "at", "order", "own", "ready", "remarks", "replies", "skipped")

    def __init__(self, order: ExpectedOrder, texts: Payload, remarks: Noise) -> None:
        self.order = order
        self._texts = texts
        self._rest = b""
        self.remarks = remarks
        self.ready = False
        self.at = 0
        self.own: Heard | None = None
        self.replies = b""
        self.skipped = 0

    def take(self, chunk: bytes | memoryview) -> None:
        """Take bytes as the socket delivered them, cut anywhere."""
        order = self.order
        if not self._rest and self.own is None and order.stream.startswith(chunk, self.at - order.base):
            self.at += len(chunk)
        else:
            self._examine(bytes(chunk))

    def seen(self) -> int:
        """How many messages came in whole so far, repeated ones included."""
        return self.order.count(self.at) if self.own is None else len(self.own)

    def heard(self) -> Heard:
        """What `seen()` counts: the first that many of this are this reader's."""
        return self.order.heard if self.own is None else self.own

    def _examine(self, chunk: bytes) -> None:
        """Read from the last boundary on, piece by piece, then try to agree with the expected order again."""
        order = self.order
        boundary = order.start(order.count(self.at))
        pieces, self._rest = order.split(order.cut(boundary, self.at) + self._rest + chunk)
        self.at = boundary
        for piece in pieces:
            key = self._texts.find(piece)
            if key is None:
                self._remark(piece)
            else:
                self._hear(key, piece)
        if self.own is None and order.stream.startswith(self._rest, self.at - order.base):
            self.at += len(self._rest)
            self._rest = b""

    def _hear(self, key: int, piece: bytes) -> None:
        order = self.order
        if self.own is not None:
            self.own.append(key)
        elif self.at == order.end:
            order.extend(key, piece)
            self.at = order.end
        elif order.heard.keys[index := order.count(self.at)] == key:
            self.at = order.ends[index]
        else:
            self.own = order.heard.copy(index)
            self.own.append(key)

    def _remark(self, piece: bytes) -> None:
        if self._texts.probe in piece:
            self.ready = True
            return
        self.skipped += skipped_messages(piece)
        if self.order.split is not split_frames:
            self.remarks.note(piece)
            return
        opcode, words = piece[0] & 0x0F, payload(piece)
        if opcode == PING:
            self.replies += client_frame(words, PONG)
        elif opcode == CLOSE:
            self.remarks.keep(f"closed with {int.from_bytes(words[:2], 'big')} {words[2:].decode('utf-8', 'replace')}")
        else:
            self.remarks.note(words)


class AuthorReader(Reader):
    """A writer that is sent what others say, and not its own messages. `number`: which writer of the run it is."""

    __slots__ = ("number",)

    def __init__(self, order: ExpectedOrder, texts: Payload, remarks: Noise, number: int) -> None:
        super().__init__(order, texts, remarks)
        self.number = number

    def take(self, chunk: bytes | memoryview) -> None:
        """Take bytes as the socket delivered them, cut anywhere."""
        self._rest += chunk
        self.settle()

    def settle(self) -> None:
        """Agree with the order as far as it has grown meanwhile."""
        order = self.order
        while self.own is None:
            index = order.next_of(self.number, self.at)
            stop = order.end if index is None else order.start(index)
            stretch = self._rest[: stop - self.at]
            if not order.stream.startswith(stretch, self.at - order.base):
                break
            self.at += len(stretch)
            self._rest = self._rest[len(stretch) :]
            if index is None or self.at < stop:
                break
            self.at = order.ends[index]
        if self._rest:
            self._line_by_line()

    def finish(self) -> None:
        """The order grows no more: what is still ahead of it was not to come."""
        if self.own is None and self.order.split(self._rest)[0]:
            self.own = self.order.heard.copy(self.seen()).without(self.number)
            self._line_by_line()

    def _line_by_line(self) -> None:
        order = self.order
        boundary = order.start(order.count(self.at))
        lines, rest = order.split(order.cut(boundary, self.at) + self._rest)
        self.at = boundary
        for place, line in enumerate(lines):
            key = self._texts.find(line)
            if key is None:
                self._remark(line)
            elif self.own is None and self.at == order.end:
                rest = b"".join(lines[place:]) + rest
                break
            else:
                self._hear(key, line)
                self._skip_own()
        self._rest = rest

    def _hear(self, key: int, piece: bytes) -> None:
        index = self.order.count(self.at)
        if self.own is None and self.order.heard.keys[index] != key:
            self.own = self.order.heard.copy(index).without(self.number)
        super()._hear(key, piece)

    def _skip_own(self) -> None:
        """Pass own messages that stand next in the order."""
        order = self.order
        while self.own is None and order.next_of(self.number, self.at) == (index := order.count(self.at)):
            self.at = order.ends[index]
