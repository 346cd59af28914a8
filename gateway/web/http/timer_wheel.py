"""One timer for all connections: each waits in the slot of its next moment, and an empty wheel has no timer.

A timer per connection would cost a handle, a heap entry and a wake-up each; here 10,000 connections cost one wake-up
per slot that has somebody in it. Moments are rounded up to a slot, so things happen up to one slot late, never early.
A slot with very many is worked off in slices, so that the loop turns between them.

Who parts when many go at once: so many in a turn of the loop, the others wait in line.

A cable that is cut ends thousands of connections in one turn. Each ending takes about 0.1 ms; in a row they would keep
everybody else waiting for a second.
"""

import asyncio
from collections import deque
from typing import Protocol

SLICE = 250


class Waiter(Protocol):
    """Somebody with a next moment. `slot` belongs to the wheel: -1 is nowhere."""

    slot: int

    def due(self, now: float, late: float) -> float | None:
        """The moment has come, `late` seconds ago. Answers the next one, None for never. Must not raise."""


class TimerWheel:
    """Calls its waiters at about their moment. Times are the loop's, in seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, grain: float) -> None:
        self._loop = loop
        self._grain = grain
        self._slots: dict[int, set[Waiter]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0

    @property
    def idle(self) -> bool:
        """Nobody waits, and no timer runs."""
        return self._timer is None and not self._slots

    def put(self, waiter: Waiter, when: float) -> None:
        """Call `waiter` at `when` instead of whenever it was to be called before."""
        self.drop(waiter)
        slot = int(when / self._grain) + 1
        waiter.slot = slot
        self._slots.setdefault(slot, set()).add(waiter)
        if self._timer is None or slot < self._next:
            self._arm(slot)

    def drop(self, waiter: Waiter) -> None:
        """Call `waiter` no more. May be called for one that is not waiting."""
        waiting = self._slots.get(waiter.slot)
        if waiting is not None:
            waiting.discard(waiter)
            if not waiting:
                del self._slots[waiter.slot]
                if not self._slots:
                    self.stop()
        waiter.slot = -1

    def stop(self) -> None:
        """Forget everybody."""
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


AT_ONCE = 100
"""About 10 ms."""


class PacedClose:
    """The line, first come first served."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = AT_ONCE
        self._line: deque[asyncio.Future[None]] = deque()

    async def turn(self) -> None:
        """Wait for a place in some turn of the loop; this one, if it has one left."""
        if self._left == AT_ONCE:
            self._loop.call_soon(self._next)
        if self._left:
            self._left -= 1
            return
        place = self._loop.create_future()
        self._line.append(place)
        await place

    def _next(self) -> None:
        called = min(AT_ONCE, len(self._line))
        self._left = AT_ONCE - called
        if called:
            self._loop.call_soon(self._next)
        for _ in range(called):
            place = self._line.popleft()
            if not place.done():
                place.set_result(None)
