"""Strict WebSocket frames: takes the bytes of a peer in any pieces, and gives its frames one at a time.

The owner asks for the next frame when it can handle one, so that what a held session has sent stays bytes, and the
owner decides how much is kept of them. The rules are RFC 6455's, read strictly, and those of this door: text only,
messages of MESSAGE_LIMIT bytes in at most FRAGMENT_LIMIT pieces.

1. What can be refused by its header is refused before its payload has come.
2. A broken rule (`broken`), or the peer's own close, is the last frame: it is given as a close, in order, behind what
   came before. Everything after it is dropped.
3. Complete frames and pongs are counted, and it is known since when a frame is incomplete.
"""

from gateway.core.protocol.close_reason import CloseReason

MESSAGE_LIMIT = 64 * 1024
FRAGMENT_LIMIT = 1024

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_KNOWN = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_LENGTH_BYTES = {126: 2, 127: 8}
_CLOSE_CODES = frozenset((*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)))
_UNMASKED = b"\0\0\0\0"


class StrictFrames:
    """The frames of one peer. `broken`: the rule it has broken; `began`: when the incomplete frame began, None between
    frames; `over`: the last frame has been given."""

    __slots__ = ("_at", "_fed_at", "_fragments", "_input", "_need", "_pieces", "began", "broken", "frames", "over",
                 "pongs")  # fmt: skip

    def __init__(self) -> None:
        self._input: bytes | bytearray = b""
        self._at = 0
        """How much of the input has been given."""
        self._need = 1
        """Bytes from there on without which there is nothing to give."""
        self._fed_at = 0.0
        self._fragments = 0
        self._pieces = b""
        self.began: float | None = None
        self.broken: CloseReason | None = None
        self.over = False
        self.frames = 0
        self.pongs = 0

    @property
    def left(self) -> int:
        """Bytes that have come and not been given."""
        return len(self._input) - self._at

    def feed(self, data: bytes, now: float) -> None:
        """Take what came at `now`, in monotonic seconds."""
        if self.over:
            return
        self._fed_at = now
        if self._at == len(self._input):
            self._input, self._at = data, 0
        elif self._at or isinstance(self._input, bytes):
            self._input, self._at = bytearray(self._input[self._at :]) + data, 0
        else:  # in place: a large frame that comes in many small pieces would be copied for each
            self._input += data

    def drop(self) -> None:
        """Forget what has come, and take nothing any more."""
        self.over = True
        self._input, self._at, self._pieces = b"", 0, b""
        self.began = None

    def next(self) -> tuple[int, bytes] | None:
        """The next frame's opcode and payload; None until one is complete. TEXT has the whole message, CONTINUATION
        stands for a piece of one that is not complete, CLOSE has the peer's code (two bytes or none)."""
        data, at = self._input, self._at
        have = len(data) - at
        if have < self._need or self.over:
            self._wait(have, self._need)
            return None
        first = data[at]
        opcode = first & 0x0F
        if first & 0x70 or opcode not in _KNOWN:
            return self._break(CloseReason.BAD_FRAME)
        if have < 2:
            self._wait(have, 2)
            return None
        length = data[at + 1] & 0x7F
        if data[at + 1] < 0x80 or (opcode >= CLOSE and (length > 125 or first < 0x80)):
            return self._break(CloseReason.BAD_FRAME)
        start = at + 6
        if length > 125:
            more = _LENGTH_BYTES[length]
            if have < 2 + more:
                self._wait(have, 2 + more)
                return None
            length = int.from_bytes(data[at + 2 : at + 2 + more], "big")
            start += more
        problem = self._problem(opcode, first >= 0x80, length) if opcode < CLOSE else None
        if problem is not None:
            return self._break(problem)
        end = start + length
        if len(data) < end:
            self._wait(have, end - at)
            return None
        payload = unmasked(data[start - 4 : start], data[start:end])
        self._given(end)
        if opcode == PONG:
            self.pongs += 1
        elif opcode == CLOSE:
            return self._close(payload)
        elif opcode < CLOSE:
            return self._message(payload, first >= 0x80)
        return opcode, payload

    def _given(self, end: int) -> None:
        self.frames += 1
        self.began = None
        self._need = 1
        if end == len(self._input):
            self._input, self._at = b"", 0
        else:
            self._at = end

    def _wait(self, have: int, need: int) -> None:
        self._need = need
        if have and self.began is None:
            self.began = self._fed_at

    def _break(self, problem: CloseReason) -> tuple[int, bytes]:
        self.broken = problem
        self.drop()
        return CLOSE, b""

    def _problem(self, opcode: int, last: bool, length: int) -> CloseReason | None:
        """Check how frames form messages: text only, no message inside another, not too large, not in too many
        pieces."""
        if len(self._pieces) + length > MESSAGE_LIMIT:
            return CloseReason.TOO_BIG
        if opcode == BINARY:
            return CloseReason.BINARY
        if (opcode == CONTINUATION) != bool(self._fragments):
            return CloseReason.BAD_FRAME
        return CloseReason.FRAGMENTS if not last and self._fragments == FRAGMENT_LIMIT else None

    def _message(self, payload: bytes, last: bool) -> tuple[int, bytes]:
        if not last:
            self._fragments += 1
            self._pieces += payload
            return CONTINUATION, b""
        if self._fragments:
            payload = self._pieces + payload
            self._fragments, self._pieces = 0, b""
        return TEXT, payload

    def _close(self, words: bytes) -> tuple[int, bytes]:
        """Check a close frame: it is empty, or has a code that may be sent and a reason in UTF-8."""
        if words and (len(words) < 2 or int.from_bytes(words[:2], "big") not in _CLOSE_CODES):
            return self._break(CloseReason.BAD_FRAME)
        try:
            words[2:].decode()
        except UnicodeDecodeError:
            return self._break(CloseReason.BAD_UTF8)
        self.drop()
        return CLOSE, words[:2]


def unmasked(mask: bytes | bytearray, payload: bytes | bytearray) -> bytes:
    """The payload as it was before its sender masked it (RFC 6455, 5.3)."""
    size = len(payload)
    if mask == _UNMASKED:
        return bytes(payload)
    key = bytes(mask) * (size // 4 + 1)
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key[:size], "little")).to_bytes(size, "little")
