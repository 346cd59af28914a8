"""Line framing: bytes of a terminal door in, whole lines out.

Theory of this file. A line ends at LF or at CR NUL, and a CR beside its end belongs to the end: CR LF is what telnet
and Windows send, LF CR what clients of the Diku family send, CR CR LF what a text-mode pipe makes of CR LF. Any other
CR is content (the gate deals with it). A line is at most LINE_BYTES long without its end. What is here costs nothing
per byte and little per line: a chunk is searched and cut by the C of `bytes`, never walked in Python.

- `_ready` holds complete lines whose ends are LF, perhaps with CRs beside it, so taking a few of them is one `split`
  with a limit. The rest is copied by it, at most a chunk's length each time: 64 lines of 64 KiB a turn, 2 µs.
- `_partial` is the unfinished line, raw, because its last byte may be a CR whose meaning the next chunk decides. CRs
  after a line of full length tell nothing new: one of them is kept.
- A line that outgrows the limit unfinished counts as pending. `take` returns it once the lines before it are taken,
  and `_skipping` drops bytes until its real end comes. So one over-long line is one TooLong, in its place among the
  others, whatever its length and however it was cut into chunks.
- A paste has no limit for its lines. While `in_pieces`, which the lines before it decide, an over-long line is not
  skipped but comes in pieces, each a TooLong with its text, and its rest as a line.

Between lines all of these are the empty `bytes` object: an idle connection holds nothing.

What is read of a peer before its session takes it (see `tcp.connection`) waits in a `ReadAhead`, as it came: a telnet
command in it is answered in its turn.

Simple on purpose: a chunk fed while lines are pending is appended to them by copying. Read again only when `pending` is
false, and memory is one chunk and one line.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from gateway.core.sanitize import LINE_BYTES

READ_AHEAD = 1 << 20
"""Bytes that are read of a peer before its session takes them."""
ALL_READ_AHEAD = 64 << 20
"""The same for all peers of a door together."""


_LAST_CHARACTER = re.compile(rb"[^\x80-\xbf][\x80-\xbf]{0,3}\Z|.\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line over LINE_BYTES. `size` is how many of its bytes had come by then, `text` what they are unless the line is
    skipped; a piece of a line does not end it."""

    size: int
    text: bytes | None = field(default=None, compare=False)
    ends: bool = field(default=True, compare=False)


SHORT_PAUSE_SECONDS = 0.02
FEW_BYTES = 4096
"""A peer that has sent no more than that in its whole life has to pause for SHORT_PAUSE_SECONDS only."""
PAUSE_SECONDS = 0.1
LONG_PAUSE_SECONDS = 1.0
"""The same of a peer whose input waits: it is over its rate, and a busy machine may stop it in the middle."""


def pause_of(bytes_in: int, waiting: bool) -> float:
    """Seconds without input after which a peer has paused that may close both ways, and lose what it has sent, when it
    is written to. The less there is to lose the sooner: a script that waits for its first answer gets it at once."""
    if waiting:
        return LONG_PAUSE_SECONDS
    return SHORT_PAUSE_SECONDS if bytes_in <= FEW_BYTES else PAUSE_SECONDS


class LineBuffer:
    """Frames the input of one connection."""

    __slots__ = ("_outgrown", "_partial", "_ready", "_skipping", "in_pieces")

    def __init__(self) -> None:
        self._ready = b""
        self._partial = b""
        self._outgrown = self._skipping = False
        self.in_pieces = False
        """Whether lines over LINE_BYTES are wanted too, in pieces."""

    def pending(self) -> bool:
        """Whether there are lines to take."""
        return self._outgrown or bool(self._ready)

    @property
    def last_byte(self) -> bytes:
        """The last byte of the unfinished line; empty at the start of a line."""
        return self._partial[-1:]

    def feed(self, chunk: bytes) -> None:
        """Add what was received. Feed again when `pending` is false, else memory grows by each chunk."""
        data = self._partial + chunk if self._partial else chunk
        if data.find(b"\r\0") >= 0:  # `in` costs five times as much: it first tries to take a number for a byte
            data = data.replace(b"\r\0", b"\n")
        if self._skipping:
            data = self._after_skipped(data)
        cut = data.rfind(b"\n") + 1
        if cut:
            self._ready = self._ready + data[:cut] if self._ready else data[:cut]
        partial = data[cut:]
        if partial.startswith(b"\r"):
            partial = partial.lstrip(b"\r") or b"\r"
        self._partial = partial
        self._outgrown = len(partial) > LINE_BYTES and self._is_long_without_crs()

    def erase(self, whole: bool) -> None:
        """Take back the last character of the unfinished line, or the whole of it; nothing of a line that is too
        long."""
        if self._skipping or self._outgrown:
            return
        last = None if whole else _LAST_CHARACTER.search(self._partial[-4:])
        if whole:
            self._partial = b""
        elif last is not None:
            self._partial = self._partial[: -len(last[0])]

    def take(self, limit: int) -> list[bytes | TooLong]:
        """The next lines, at most `limit` (1 or more), in order and without their ends; empty ones are among them."""
        if not self._ready:
            return [self._long_line()] if self._outgrown else []
        found = self._ready.split(b"\n", limit)
        crs = self._ready.find(b"\r") >= 0
        self._ready = found.pop()
        if crs:
            found = [line.strip(b"\r") for line in found]
        if max(map(len, found)) > LINE_BYTES:
            return [TooLong(len(line), line) if len(line) > LINE_BYTES else line for line in found]
        return [*found]

    @staticmethod
    def whole(taken: Sequence[bytes | TooLong]) -> list[bytes]:
        """What was taken, if no line of it is too long; else nothing."""
        return [] if TooLong in set(map(type, taken)) else cast("list[bytes]", taken)

    def rest(self) -> bytes | None:
        """At the end of input: the last line if it was not ended, else None. CRs at its end are half a line end and
        go."""
        partial, self._partial = self._partial, b""
        if self._skipping or not partial:
            return None
        return partial.strip(b"\r") or None

    def _after_skipped(self, data: bytes) -> bytes:
        end = data.find(b"\n")
        if end < 0:
            return b"\r" if data.endswith(b"\r") else b""
        self._skipping = False
        return data[end + 1 :]

    def _is_long_without_crs(self) -> bool:
        if len(self._partial.rstrip(b"\r")) > LINE_BYTES:
            return True
        self._partial = self._partial[: LINE_BYTES + 1]
        return False

    def _long_line(self) -> TooLong:
        text = self._partial.rstrip(b"\r")
        self._partial = b"\r" if len(text) < len(self._partial) else b""
        self._outgrown = False
        self._skipping = not self.in_pieces
        return TooLong(len(text), text, ends=False) if self.in_pieces else TooLong(len(text))


class Allowance:
    """How much connections may read ahead together, and how much of that is used."""

    __slots__ = ("bytes", "used")

    def __init__(self, bytes: int = ALL_READ_AHEAD) -> None:
        self.bytes = bytes
        self.used = 0


class ReadAhead:
    """Input of one connection that its session does not take yet, as it came: true while there is any. Most connections
    have none, and share an empty one."""

    __slots__ = ("_allowance", "held")

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self.held: bytearray | None = None
        """Never empty. A bytearray, because bytes are added at one end and taken from the other without copying."""

    def __bool__(self) -> bool:
        return self.held is not None

    @property
    def has_room(self) -> bool:
        """Whether more may be read. What is then received at once is not looked at again."""
        used = 0 if self.held is None else len(self.held)
        return used < READ_AHEAD and self._allowance.used < self._allowance.bytes

    def add(self, data: bytes) -> "ReadAhead":
        """Keep what was received; return what holds it: not this one if it is empty, because others share it."""
        self._allowance.used += len(data)
        if self.held is not None:
            self.held += data
            return self
        ahead = ReadAhead(self._allowance)
        ahead.held = bytearray(data)
        return ahead

    def take(self, most: int) -> bytes:
        """The oldest bytes, at most so many."""
        if self.held is None:
            return b""
        taken = bytes(self.held[:most])
        self._drop(0, most)
        return taken

    def cut_half_line(self) -> None:
        """Drop what stands behind the last end of a line."""
        if self.held is not None:
            ends = (self.held.rfind(end) + len(end) for end in (b"\n", b"\r\0") if end in self.held)
            self._drop(max(ends, default=0), len(self.held))

    def drop(self) -> None:
        """Drop all of it."""
        if self.held is not None:
            self._drop(0, len(self.held))

    def _drop(self, start: int, end: int) -> None:
        assert self.held is not None
        before = len(self.held)
        del self.held[start:end]
        self._allowance.used -= before - len(self.held)
        self.held = self.held or None
