"""One reader's stream, verified as it arrives. Sans-I/O: bytes in, `replies` out.

Whatever a server sends besides the run's messages is counted as `Noise`; texts that explain a bad run are kept.
"""

import re

from gateway.bench.plan import Payload
from gateway.bench.verdict import CLOSE, PING, PONG, ExpectedOrder, Heard, client_frame, payload, split_frames

KEPT = 8
TELLING = re.compile(rb'^!! |^-- \d+ lines? skipped|"type":"(?:error|gap|bye)"', re.MULTILINE)
PACING = re.compile(rb"rate_limited")


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
    `order`: the door's. `replies`: bytes to send, pongs; the owner of the socket empties it.
    """

    __slots__ = ("_rest", "_texts", "at", "order", "own", "ready", "remarks", "replies")

    def __init__(self, order: ExpectedOrder, texts: Payload, remarks: Noise) -> None:
        self.order = order
        self._texts = texts
        self._rest = b""
        self.remarks = remarks
        self.ready = False
        self.at = 0
        self.own: Heard | None = None
        self.replies = b""

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
