"""Strict WebSocket frames: the rules for frames from a peer, checked before aiohttp sees the bytes.

What aiohttp 3.14 does: it reads masked and unmasked frames alike, accepts a new text frame after an empty first
fragment, takes any number of fragments and the close code 1006, and closes on an error at once, so that the peer's
unread bytes turn our close frame into a reset. Its queue hands pings and pongs over only when the handler reads, which
a paced session does not.

So `StrictFrames` sits between the protocol and aiohttp's parser, where every WebSocket byte passes once (also those
that came in one packet with the upgrade):

1. It follows the frame headers and skips payloads: nothing is copied or kept but a header of at most 13 bytes, or a
   close frame of at most 130, until it is whole. What aiohttp has seen ends within a frame's payload or between frames.
2. On the first broken rule it reports which (a `CloseReason`), and gives aiohttp a close frame in its place, so that
   what came before is still handled, in order. Everything after that, or after the peer's own close, is dropped.
3. It counts frames and complete pongs, and knows since when a frame is incomplete.
"""

from typing import Protocol

from gateway.core.protocol.close_reason import CloseReason

MESSAGE_LIMIT = 64 * 1024
FRAGMENT_LIMIT = 1024

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_KNOWN = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_LENGTH_BYTES = {126: 2, 127: 8}
_CLOSE_CODES = frozenset((*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)))
_END = b"\x88\x80\0\0\0\0"


class Parser(Protocol):
    """What comes after the checker: aiohttp's frame parser."""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]: ...
    def feed_eof(self) -> None: ...


class Watched(Protocol):
    """The WebSocket that is told what comes in."""

    def received(self, count: int) -> float:
        """So many bytes have come; return the time."""

    def violated(self, closing: CloseReason) -> None:
        """The peer broke a rule; what is passed on next ends with a close frame that it did not send."""


class StrictFrames:
    """Follows the frames of one peer. `began` is when the incomplete frame began (None: between frames)."""

    __slots__ = ("_fragments", "_head", "_left", "_opcode", "_parser", "_size", "_watched", "began", "frames", "over",
                 "pongs")  # fmt: skip

    def __init__(self, parser: Parser, watched: Watched) -> None:
        self._parser = parser
        self._watched = watched
        self._head = b""
        self._left = 0
        self._opcode = CONTINUATION
        self._fragments = 0
        self._size = 0
        self.over = False
        """Whether the peer has closed, or broken a rule: what still comes is dropped."""
        self.began: float | None = None
        self.frames = 0
        self.pongs = 0

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what came, in any pieces. Return what aiohttp's parsers return: (the end?, unused bytes)."""
        now = self._watched.received(len(data))
        if self.over:
            return False, b""
        if self._head:
            data = self._head + data
            self._head = b""
        good, closing = self._follow(data)
        if closing is not None:
            self.over = True
            self._watched.violated(closing)
            data, good = data[:good] + _END, good + len(_END)
        if self.over:
            self.began = None
        elif self._head or self._left:
            self.began = now if self.began is None else self.began
        return self._parser.feed_data(data[:good] if good < len(data) else data)

    def feed_eof(self) -> None:
        """The connection has ended."""
        self._parser.feed_eof()

    def _follow(self, data: bytes) -> tuple[int, CloseReason | None]:
        """Follow the frames in `data`; return how many bytes may be passed on, and the broken rule."""
        at, end = 0, len(data)
        while at < end:
            if not self._left:
                size, closing = self._header(data, at)
                if closing is not None:
                    return at, closing
                if not size:
                    self._head = data[at:]
                    return at, None
                at += size
                self.frames += 1
                if self.over:
                    return at, None
            step = min(self._left, end - at)
            at += step
            self._left -= step
            if self._left:
                break
            self.began = None
            if self._opcode == PONG:
                self.pongs += 1
        return end, None

    def _header(self, data: bytes, at: int) -> tuple[int, CloseReason | None]:
        """Read the header at `at`; return its length (0 when it is incomplete) and the rule that it breaks. A close
        frame counts as a header, including its payload."""
        have = len(data) - at
        first = data[at]
        opcode = first & 0x0F
        if first & 0x70 or opcode not in _KNOWN:
            return 0, CloseReason.BAD_FRAME
        if have < 2:
            return 0, None
        length = data[at + 1] & 0x7F
        if data[at + 1] < 0x80 or (opcode >= CLOSE and (length > 125 or first < 0x80)):
            return 0, CloseReason.BAD_FRAME
        more = _LENGTH_BYTES.get(length, 0)
        if have < 2 + more:
            return 0, None
        if more:
            length = int.from_bytes(data[at + 2 : at + 2 + more], "big")
        if opcode < CLOSE and self._size + length > MESSAGE_LIMIT:
            return 0, CloseReason.TOO_BIG
        if have < 6 + more:
            return 0, None
        if opcode == CLOSE:
            return self._close(data[at + 2 : at + 6 + length], length)
        self._left = length
        self._opcode = opcode
        return 6 + more, self._message(opcode, first >= 0x80, length)

    def _message(self, opcode: int, last: bool, length: int) -> CloseReason | None:
        """Check how frames form messages: text only, no message inside another, not in too many pieces."""
        if opcode >= CLOSE:
            return None
        if opcode == BINARY:
            return CloseReason.BINARY
        if (opcode == CONTINUATION) != bool(self._fragments):
            return CloseReason.BAD_FRAME
        if last:
            self._fragments = self._size = 0
            return None
        self._fragments += 1
        self._size += length
        return CloseReason.FRAGMENTS if self._fragments > FRAGMENT_LIMIT else None

    def _close(self, mask_and_payload: bytes, length: int) -> tuple[int, CloseReason | None]:
        """Read a close frame: it is empty, or has a code that may be sent and a reason in UTF-8."""
        if len(mask_and_payload) < 4 + length:
            return 0, None
        mask = mask_and_payload[:4] * 32
        words = bytes(byte ^ key for byte, key in zip(mask_and_payload[4:], mask, strict=False))
        if words and (len(words) < 2 or int.from_bytes(words[:2], "big") not in _CLOSE_CODES):
            return 0, CloseReason.BAD_FRAME
        try:
            words[2:].decode()
        except UnicodeDecodeError:
            return 0, CloseReason.BAD_UTF8
        self.over = True
        return 6 + length, None
