"""What all workers of one machine count together: connections in all and by address, and what addresses have used of
their rates.

A block of memory that is mapped before the workers are forked, with a part for each of them. A worker writes only into
its own part and adds up all of them, so there is no lock: nothing waits, and a worker that is killed leaves nothing
locked. The price is that workers which admit somebody in the same microseconds may exceed a limit, each by one.

Addresses are counted in ROWS rows of BUCKETS counters each, in each row by other bits of the address's hash; the
smallest sum counts (a count-min sketch). So the memory is fixed however many addresses there are, and no address is
ever counted too low; too high only if all its counters are shared with busy ones. The hash of a text has a secret key
that is drawn at the start and inherited by the forked workers, so nobody can choose addresses that collide with a
victim's.

What is paid (`SharedPayments`) is in the same kind of cells, but every worker writes each of them: what two workers pay
in the same microsecond may count once. A payment raises the lower of an address's cells first (conservative update).
"""

import mmap
from collections.abc import Hashable, Iterator

from gateway.core.sessions.rate_limit import pay

ROWS = 2
BUCKET_BITS = 14
BUCKETS = 1 << BUCKET_BITS
ALIVE, CONNECTIONS, HEADER = 0, 1, 2
PART = HEADER + ROWS * BUCKETS
"""Counters of 4 bytes in one part: 128 KiB."""
MARGIN = 4
"""How many connections more than the least loaded worker a worker may have before it lets others accept."""


class SharedCounts:
    """The memory; `part(n)` is a worker's own. `parts` is the most workers that live at a time."""

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self.messages, self.attempts = SharedPayments(), SharedPayments()
        """By addresses for their messages, and for attempts at a password."""
        self.known = SharedKeys()
        """Who has given a right password."""
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


class SharedPayments:
    """Until when each payer has paid, for all workers (`core.sessions.rate_limit.Payments`)."""

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, ROWS * BUCKETS * 8)).cast("d")

    def until(self, payer: Hashable) -> float:
        """As `Payments.until`."""
        return min(self._cells[cell] for cell in _cells(payer))

    def pay(self, payer: Hashable, now: float, rate: float) -> None:
        """As `Payments.pay`."""
        until = pay(self.until(payer), now, rate)
        for cell in _cells(payer):
            self._cells[cell] = max(self._cells[cell], until)

    def give_back(self, payer: Hashable, rate: float) -> None:
        """As `Payments.give_back`."""
        until = self.until(payer)
        for cell in _cells(payer):
            if self._cells[cell] == until:  # a higher one is another payer's
                self._cells[cell] = until - 1 / rate

    def reprice(self, now: float, rate_before: float, rate: float, burst: float) -> None:
        """As `Payments.reprice`, but roughly, because each worker does it: nobody has used more than a whole burst."""
        most = now + max(burst, 1) / rate if rate > 0 else now
        for cell, until in enumerate(self._cells):
            if until > most:
                self._cells[cell] = most


class SharedKeys:
    """Keys that one worker has added and all workers find. Another key is found by mistake in one of hundred cases at
    the most: when KEYS are known all are forgotten."""

    KEYS = BUCKETS // 20

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, ROWS * BUCKETS))

    def add(self, key: Hashable) -> None:
        """Remember a key."""
        if bytes(self._cells).count(1) > ROWS * self.KEYS:
            self._cells[:] = bytes(ROWS * BUCKETS)
        for cell in _cells(key):
            self._cells[cell] = 1

    def __contains__(self, key: Hashable) -> bool:
        return all(self._cells[cell] for cell in _cells(key))


class WorkerCounts:
    """One worker's counts, and what they are together with those of the others."""

    def __init__(self, shared: SharedCounts, number: int) -> None:
        self._shared = shared
        self.messages, self.attempts, self.known = shared.messages, shared.attempts, shared.known
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
    """The counters of an address in a part, one in each row."""
    return (HEADER + cell for cell in _cells(group))


def _cells(key: Hashable) -> Iterator[int]:
    """The cells of a key, one in each row: different bits of one hash of its text. (The hashes of (0, key) and (1, key)
    differ by about the same for all keys, so who shares a cell with another would share both.)"""
    bits = hash(repr(key))
    return (row * BUCKETS + (bits >> (row * BUCKET_BITS)) % BUCKETS for row in range(ROWS))
