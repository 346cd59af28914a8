"""What happened to connections lately, without a word of what was said: one ring for all of them.

A ring for each would cost every idle connection. So the last events of a quiet connection leave when others are busy
coming and going: with 10,000 that all join one room, theirs are what is left.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

HAPPENINGS = 8192
"""About 1 MB when full."""


class Happening(NamedTuple):
    """Something that happened at `at` (ms since 1970) to the session with the number `session`. `event` is one of
    came, joined, parted, renamed, resumed and gone; `detail` is a door, a room, a nick or a reason."""

    at: int
    session: int
    event: str
    detail: str


class Happenings(deque[Happening]):
    """The ring, oldest first. `wall` is ms since 1970."""

    def __init__(self, wall: Callable[[], int]) -> None:
        super().__init__(maxlen=HAPPENINGS)
        self._wall = wall

    def note(self, session: int, event: str, detail: str) -> None:
        """It happened just now."""
        self.append(Happening(self._wall(), session, event, detail))

    def of(self, session: int, limit: int) -> list[Happening]:
        """The last `limit` of one session, newest first."""
        found: list[Happening] = []
        for happening in reversed(self):
            if happening.session == session:
                found.append(happening)
                if len(found) == limit:
                    break
        return found
