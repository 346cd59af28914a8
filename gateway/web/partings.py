"""Who parts when many go at once: so many in a turn of the loop, the others wait in line.

A cable that is cut ends thousands of connections in one turn. Each ending takes about 0.1 ms; in a row they would keep
everybody else waiting for a second.
"""

import asyncio
from collections import deque

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
