"""The plan of a run: what it does and against which server, and the texts of its messages.

Every text says who wrote it and which number it is, and can be told from all other texts:

    gwb5f0c1a m00003 0000000042 abcdefgh…      writer 3, its message 42 (counted from 0), padded to the wanted size
    gwb5f0c1a probe                             "is everybody in the room?", sent until every reader has seen one

The six hex digits are the run's own, so that older messages of a room (`--room`) are not counted. Writers are numbered
over all rooms, so that a message in the wrong room is recognised. Only characters that
no door escapes or removes are used, and a text never begins with `/`. `BenchError` says why a measurement could not be
made.
"""

import re
import secrets
from dataclasses import dataclass
from string import ascii_lowercase

from gateway.errors import GatewayError

NUMBER_BITS = 40
ROOM_WRITERS = 255
"""Writers of one room at most: the reader of an order finds its writers by one byte each."""
MAX_WRITERS = 65_535
MIN_SIZE = 32
MAX_SIZE = 4000

_HEAD = "{marker} m{writer:05d} {number:010d} "


def key_of(writer: int, number: int) -> int:
    """One integer for one message of a run: `writer` below `MAX_WRITERS`, `number` below 2**40."""
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
        self._form = f"{self.marker} m%05d %010d {pad}"
        self._pattern = re.compile(rb'%s m(\d{5}) (\d{10}) %s(?=[\r\n"]|\Z)' % (self.marker.encode(), pad.encode()))

    def write(self, writer: int, number: int) -> bytes:
        """The text of one message."""
        return (self._form % (writer, number)).encode()

    def find(self, piece: bytes) -> int | None:
        """The key of the message in a line or frame, None if no whole and unaltered message of this run is in it."""
        found = self._pattern.search(piece)
        return None if found is None else key_of(int(found[1]), int(found[2]))


DOORS = ("tcp", "web", "telnet")


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The load: in each of `rooms` rooms `writers` peers write and `readers` only read, through `doors` in turn.

    `rate` (messages/s in all) None: closed loop with `window` messages in flight in all. `seconds` None: until
    `messages` are published. `size` is the text in bytes, `patience` the seconds without any progress after which the
    run is given up. `writing_doors` empty: the open door that costs the server least. `echo`: writers on terminals ask
    for their own lines; without it, as people have it, they are sent only what others say. `count_writers`: what
    writers are sent counts as deliveries too. `stalled` further readers of the first room stop reading when the
    measurement begins, and go on when it is over.
    """

    readers: int = 500
    doors: tuple[str, ...] = ("tcp", "web")
    writers: int = 4
    window: int = 64
    rate: float | None = None
    size: int = 64
    seconds: float | None = 5.0
    messages: int | None = None
    room: str = "bench"
    patience: float = 10.0
    rooms: int = 1
    writing_doors: tuple[str, ...] = ()
    echo: bool = True
    count_writers: bool = False
    stalled: int = 0

    @property
    def all_writers(self) -> int:
        """The writers of all rooms."""
        return self.rooms * self.writers

    @property
    def connections(self) -> int:
        """How many connections the run needs."""
        return self.rooms * (self.readers + self.writers) + self.stalled

    def room_name(self, number: int) -> str:
        """The name of one of the rooms."""
        return self.room if self.rooms == 1 else f"{self.room}-{number}"

    def share_of_window(self, writer: int) -> int:
        """How many messages one writer may have in flight: the shares differ by one at most and add up to `window`."""
        return self.window * (writer + 1) // self.all_writers - self.window * writer // self.all_writers


@dataclass(frozen=True, slots=True)
class BenchTarget:
    """A running server: its `ports` by door (None, absent or -1: closed) and, where known, its process."""

    host: str
    ports: dict[str, int | None]
    pid: int | None = None

    def port(self, door: str) -> int | None:
        """Where the door listens, None if it is closed."""
        port = self.ports.get(door)
        return port if port is not None and port > 0 else None

    def writing_door(self) -> str | None:
        """The door the writers take: plain lines cost the server least, frames come next."""
        return next((door for door in ("tcp", "web") if self.port(door)), None)


class BenchError(GatewayError):
    """Nothing was measured: no gateway there, a door closed, no answer. One line with advice; exit code 1."""
