"""The connections that have ended: the last KEPT of them, and how many ended for which reason since the start.

A row takes about 0.5 KiB; its texts are bounded, so all of them stay below 2 MiB whatever their peers did.
"""

from collections import Counter, deque

import msgspec

from gateway.core.closing import CloseReason
from gateway.core.message import Door
from gateway.core.session import Session

KEPT = 1000
ROOMS_KEPT = 8
WORDS_KEPT = 200


class Departure(msgspec.Struct, frozen=True, gc=False):
    """One connection as it was when it ended. Times are ms since 1970 UTC; `rooms` are its first ROOMS_KEPT."""

    number: int
    nick: str
    door: Door
    rooms: tuple[str, ...]
    address: str
    agent: str | None
    connected_at: int
    closed_at: int
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    skipped: int
    closing: CloseReason
    words: str
    proxy: str | None = None

    @property
    def id(self) -> str:
        """The number as people see it."""
        return f"{self.number:x}"


class RecentlyClosed:
    """`last` are the connections that ended last, the oldest first; `counts` also has those refused at a door."""

    def __init__(self) -> None:
        self.last: deque[Departure] = deque(maxlen=KEPT)
        self.counts: Counter[tuple[Door, CloseReason]] = Counter()

    def add(self, session: Session, closing: CloseReason, words: str, now: int) -> None:
        """The session has ended at `now`, ms since 1970; call it while its rooms are still known."""
        self.counts[session.door, closing] += 1
        self.last.append(
            Departure(
                session.number,
                session.nick,
                session.door,
                tuple(session.rooms)[:ROOMS_KEPT],
                session.address,
                session.agent,
                session.connected_at,
                now,
                session.messages_in,
                session.messages_out,
                session.bytes_in,
                session.bytes_out,
                session.skipped,
                closing,
                words[:WORDS_KEPT],
                session.proxy,
            )
        )
