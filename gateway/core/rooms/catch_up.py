"""Catching up: a member that resumes from so far back that the room's log in memory does not reach there.

The member is not attached to the room yet. It is sent the missed messages from the journal page by page, the next page
when the last has gone out, until its cursor has reached what the log holds; then it is attached, and continues in the
log at the very next number. What the journal no longer holds either is reported as a gap. The tick serves a few pages
at a time, so that a thousand peers that resume at once delay nobody.
"""

from collections import deque

from gateway.core.clock import Clock
from gateway.core.protocol.events import Gap
from gateway.core.rooms.fanout import Member
from gateway.core.rooms.history import HISTORY_MESSAGES, HistoryReader, Past, Range
from gateway.errors import Refusal

PAGES_PER_TICK = 8
"""Pages of HISTORY_MESSAGES that one tick serves: about 8 ms."""


class CatchUps:
    """The members that are catching up; each is attached to its room when it is done."""

    def __init__(self, history: HistoryReader, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._waiting: deque[Member] = deque()

    def add(self, member: Member) -> None:
        """Bring the member, whose cursor is below what the log holds, up to the log."""
        first = member.room.first
        if member.cursor + 1 < first:
            member.session.tell(Gap(member.room.name, member.cursor + 1, first - 1))
            member.session.skip(first - 1 - member.cursor)
            member.cursor = first - 1
        self._waiting.append(member)
        self._clock.soon()

    @property
    def pending(self) -> bool:
        """A member is waiting for a page."""
        return bool(self._waiting)

    def serve(self) -> None:
        """Read one page for each of the next few members; part of the tick."""
        for _ in range(min(PAGES_PER_TICK, len(self._waiting))):
            member = self._waiting.popleft()
            if member.room.members.get(member.session) is not member:
                continue
            if member.cursor + 1 >= member.room.log.first:
                member.room.attach(member)
            else:
                self._read(member)

    def _read(self, member: Member) -> None:
        def read(past: Past | Refusal) -> None:
            if member.room.members.get(member.session) is not member:
                return
            if isinstance(past, Refusal) or not past.messages:
                member.room.attach(member)  # the share begins with a gap notice
                return
            session, wire = member.session, member.session.wire
            session.owe(b"".join([wire.message(message) for message in past.messages]))
            session.messages_out += len(past.messages)
            session.counters.deliveries += len(past.messages)
            member.cursor = past.messages[-1].seq
            session.when_flushed(lambda: self._next(member))

        wanted = Range(after=member.cursor, before=member.room.log.first, limit=HISTORY_MESSAGES)
        self._history.read(member.room.name, wanted).then(read)

    def _next(self, member: Member) -> None:
        self._waiting.append(member)
        self._clock.soon()
