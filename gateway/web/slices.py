"""Long work in short slices, so that chat never waits for an operator."""

import asyncio
from time import perf_counter

SLICE_SECONDS = 0.003
"""What the work may take before the loop turns; with the rows between two looks at the clock a slice is below 5 ms."""
ROWS = 64
"""Rows between two looks."""


class Slices:
    """One piece of long work: call `turn` every ROWS rows. Work that nobody waits for has a `pause` between its slices,
    in seconds, so that it takes but a part of the loop's time."""

    def __init__(self, pause: float = 0.0) -> None:
        self._pause = pause
        self._began = perf_counter()

    async def turn(self) -> None:
        """Let the loop turn if the slice is over."""
        if perf_counter() - self._began >= SLICE_SECONDS:
            await self.rest()

    async def rest(self) -> None:
        """Let the loop turn: what comes is a slice of its own."""
        await asyncio.sleep(self._pause)
        self._began = perf_counter()
