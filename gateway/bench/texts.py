"""The texts of one run: every one says who wrote it and which number it is, and can be told from all other texts.

    gwb5f0c1a m003 0000000042 abcdefgh…        writer 3, its message 42 (counted from 0), padded to the wanted size
    gwb5f0c1a probe                             "is everybody in the room?", sent until every reader has seen one

The six hex digits are the run's own, so that a room with a past (`--room`) confuses nobody. Only characters that no
door escapes or cleans away are used, and a text never begins with `/`.
"""

import re
import secrets
from string import ascii_lowercase

NUMBER_BITS = 40
MAX_WRITERS = 255
MIN_SIZE = 32
MAX_SIZE = 4000

_HEAD = "{marker} m{writer:03d} {number:010d} "


def key_of(writer: int, number: int) -> int:
    """One integer for one message of a run: `writer` 0 to 254, `number` below 2**40."""
    return writer << NUMBER_BITS | number


def writer_of(key: int) -> int:
    """The writer of the message with that key."""
    return key >> NUMBER_BITS


def number_of(key: int) -> int:
    """Which message of its writer the key means, counted from 0."""
    return key & (1 << NUMBER_BITS) - 1


class Payload:
    """Writes the texts of one run and finds them again in what a door delivers.

    `size` is the length of every message in bytes, `MIN_SIZE` to `MAX_SIZE`.
    """

    def __init__(self, size: int, run: str | None = None) -> None:
        self.marker = f"gwb{run or secrets.token_hex(3)}"
        self.probe = f"{self.marker} probe".encode()
        head = len(_HEAD.format(marker=self.marker, writer=0, number=0))
        pad = (ascii_lowercase * (size // 26 + 1))[: size - head]
        self._form = f"{self.marker} m%03d %010d {pad}"
        self._pattern = re.compile(rb'%s m(\d{3}) (\d{10}) %s(?=[\r\n"]|\Z)' % (self.marker.encode(), pad.encode()))

    def write(self, writer: int, number: int) -> bytes:
        """The text of one message."""
        return (self._form % (writer, number)).encode()

    def find(self, piece: bytes) -> int | None:
        """The key of the message in a line or frame, None if no whole and unaltered message of this run is in it."""
        found = self._pattern.search(piece)
        return None if found is None else key_of(int(found[1]), int(found[2]))
