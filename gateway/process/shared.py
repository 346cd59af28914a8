"""Counts that all workers of one machine share: connections in all, and by address.

A block of memory that is mapped before the workers are forked, with a part for each of them. A worker writes only into
its own part and adds up all of them, so there is no lock: nothing waits, and a worker that is killed leaves nothing
locked. The price is that workers which admit somebody in the same microseconds may exceed a limit, each by one.

Addresses are counted in ROWS rows of BUCKETS counters each, by a hash of the address with a different key in each row;
the smallest sum counts (a count-min sketch). So the memory is fixed however many addresses there are, and no address is
ever counted too low; too high only if all its counters are shared with busy ones. `hash` has a secret key that is drawn
at the start and inherited by the forked workers, so nobody can choose addresses that collide with a victim's.
"""

import mmap
from collections.abc import Iterator

ROWS = 2
BUCKETS = 1 << 14
ALIVE, CONNECTIONS, HEADER = 0, 1, 2
PART = HEADER + ROWS * BUCKETS
"""Counters of 4 bytes in one part: 128 KiB."""
MARGIN = 4
"""How many connections more than the least loaded worker a worker may have before it lets others accept."""


class SharedCounts:
    """The memory; `part(n)` is a worker's own. `parts` is the most workers that live at a time."""

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self._cells = memoryview(mmap.mmap(-1, parts * PART * 4)).cast("i")

    def part(self, number: int) -> "WorkerCounts":
        """The part with that number."""
        return WorkerCounts(self, number)

    def cell(self, part: int, offset: int) -> int:
        """One counter."""
        return self._cells[part * PART + offset]

    def add(self, part: int, offset: int, difference: int) -> None:
        """Change one counter; only the worker of that part does."""
        self._cells[part * PART + offset] += difference

    def total(self, offset: int) -> int:
        """One counter, over all parts."""
        return sum(self._cells[offset::PART])

    def wipe(self, part: int) -> None:
        """The worker of that part has ended, or has not begun."""
        self._cells[part * PART : (part + 1) * PART] = memoryview(bytes(PART * 4)).cast("i")


class WorkerCounts:
    """One worker's counts, and what they are together with those of the others."""

    def __init__(self, shared: SharedCounts, number: int) -> None:
        self._shared = shared
        self.number = number

    def accepts(self, accepting: bool) -> None:
        """Whether this worker takes newcomers, so that others may leave them to it."""
        self._shared.add(self.number, ALIVE, int(accepting) - self._shared.cell(self.number, ALIVE))

    def connections(self, difference: int) -> None:
        """One connection more, or less."""
        self._shared.add(self.number, CONNECTIONS, difference)

    def address(self, group: str, difference: int) -> None:
        """One connection more, or less, from an address."""
        for offset in _offsets(group):
            self._shared.add(self.number, offset, difference)

    @property
    def all_connections(self) -> int:
        """The connections of all workers."""
        return self._shared.total(CONNECTIONS)

    def all_from(self, group: str) -> int:
        """The connections of all workers from an address."""
        return min(self._shared.total(offset) for offset in _offsets(group))

    def busier(self) -> bool:
        """Whether another worker that accepts has clearly fewer connections."""
        shared, own = self._shared, self._shared.cell(self.number, CONNECTIONS)
        return any(
            shared.cell(part, ALIVE) and shared.cell(part, CONNECTIONS) + MARGIN < own for part in range(shared.parts)
        )


def _offsets(group: str) -> Iterator[int]:
    """The counters of an address, one in each row."""
    for row in range(ROWS):
        yield HEADER + row * BUCKETS + hash((row, group)) % BUCKETS
