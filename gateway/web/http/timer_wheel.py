"""The timer wheel: one timer for all connections. Each waits in the slot of its due time; an empty wheel has no timer.

A timer per connection would cost a handle, a heap entry and a wake-up each; here 10,000 connections cost one wake-up
per slot that is not empty. Due times are rounded up to a slot, so callbacks come up to one slot late, never early. A
crowded slot is handled in slices, so that the loop turns between them.

`EqualDeadlines` is for those that all wait equally long and mostly not to the end. They stand in a queue, and the first
is the next one that is due: to come and to leave is a place in a dict.

`PacedClose` limits how many WebSockets are torn down per turn of the loop: a cable that is cut ends thousands of
connections in one turn, each teardown takes about 0.1 ms, and in a row they would keep everybody else waiting for a
second.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import takewhile
from typing import Generic, Protocol, TypeVar

SLICE = 250


class Waiter(Protocol):
    """Something with a due time. `slot` belongs to the wheel; -1 means not waiting."""

    slot: int

    def due(self, now: float, late: float) -> float | None:
        """The due time has come, `late` seconds ago. Return the next one, None for never. Must not raise."""


class TimerWheel:
    """Calls its waiters at about their due time. Times are the loop's, in seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, grain: float) -> None:
        self._loop = loop
        self._grain = grain
        self._slots: dict[int, set[Waiter]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0

    @property
    def idle(self) -> bool:
        """Whether nothing waits, and no timer runs."""
        return self._timer is None and not self._slots

    def put(self, waiter: Waiter, when: float) -> None:
        """Call `waiter` at `when`, and no longer at its earlier due time."""
        self.drop(waiter)
        slot = int(when / self._grain) + 1
        waiter.slot = slot
        self._slots.setdefault(slot, set()).add(waiter)
        if self._timer is None or slot < self._next:
            self._arm(slot)

    def drop(self, waiter: Waiter) -> None:
        """Do not call `waiter`. May be called for one that is not waiting."""
        waiting = self._slots.get(waiter.slot)
        if waiting is not None:
            waiting.discard(waiter)
            if not waiting:
                del self._slots[waiter.slot]
                if not self._slots:
                    self.stop()
        waiter.slot = -1

    def stop(self) -> None:
        """Forget all waiters."""
        self._slots.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = slot
        self._timer = self._loop.call_at(slot * self._grain, self._turn)

    def _turn(self) -> None:
        self._timer = None
        now = self._loop.time()
        slot, left = self._next, SLICE
        waiting = self._slots.get(slot, set())
        late = now - slot * self._grain
        while waiting and left:
            left -= 1
            waiter = waiting.pop()
            waiter.slot = -1
            when = waiter.due(now, late)
            if when is not None:
                self.put(waiter, max(when, now))
        if not waiting:
            self._slots.pop(slot, None)
        if self._slots and (self._timer is None or self._next > min(self._slots)):
            self._arm(min(self._slots))


Item = TypeVar("Item")


class EqualDeadlines(Generic[Item]):
    """Does one `job`, which must not raise, for each item that is still here so many `seconds` after it was put. Times
    are the loop's, in seconds."""

    def __init__(self, seconds: float, job: Callable[[Item], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._job = job
        self._due: dict[Item, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due)

    def put(self, item: Item) -> None:
        """Begin to wait for an item that does not wait yet."""
        self._due[item] = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._turn)

    def drop(self, item: Item) -> float:
        """Wait for it no longer; return when it would have been due. Now, for one that does not wait."""
        due = self._due.pop(item, None)
        return self._loop.time() if due is None else due

    def stop(self) -> list[Item]:
        """Forget all that wait, and return them."""
        waiting, self._due = list(self._due), {}
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return waiting

    def _turn(self) -> None:
        """The first may be due. The timer is not cancelled when its item leaves, so it may come for nothing."""
        now = self._loop.time()
        for item, _ in list(takewhile(lambda waiting: waiting[1] <= now, self._due.items())):
            self.drop(item)
            self._job(item)
        left = next((due - now for due in self._due.values()), None)
        self._timer = None if left is None else self._loop.call_later(left, self._turn)


AT_ONCE = 100
"""Teardowns per turn of the loop: about 10 ms."""


class PacedClose:
    """The queue of teardowns, first come, first served."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._line: deque[Callable[[], None]] = deque()
        self._turning = False
        """Whether there is to be a next turn."""

    def turn(self, job: Callable[[], None]) -> None:
        """Do `job`, which must not raise, in a turn of the loop that has a place left; never before this returns."""
        self._line.append(job)
        if not self._turning:
            self._turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        for _ in range(min(AT_ONCE, len(self._line))):
            self._line.popleft()()
        self._turning = bool(self._line)
        if self._turning:
            self._loop.call_soon(self._turn)
