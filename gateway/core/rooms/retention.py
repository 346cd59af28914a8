"""Retention: deletes messages that are too old, in slices, in the journal first and then in the rooms' logs."""

import logging
from collections.abc import Callable, Mapping

from gateway import wording
from gateway.core.clock import Clock
from gateway.core.ports.journal import Expired, Journal
from gateway.core.rooms.fanout import Room
from gateway.errors import JournalError

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.05
"""Between two slices, so that chat goes first."""
ROUNDS = 20
"""Runs within the time that messages are kept; at least one in an hour."""
LEAST_SECONDS = 1.0
MOST_SECONDS = 3600.0


class Retention:
    """Keeps messages for `keep_seconds` (0 = for ever); `expired` is told the first number that is left in each room
    that lost some."""

    def __init__(
        self,
        journal: Journal,
        rooms: Mapping[str, Room],
        keep_seconds: float,
        clock: Clock,
        expired: Callable[[Mapping[str, int]], None] = lambda firsts: None,
    ) -> None:
        self._journal = journal
        self._rooms = rooms
        self._keep = keep_seconds
        self._clock = clock
        self._tell = expired
        self._round = 0
        """Counts the changes of the retention: a run that began before the last change ends."""

    def start(self) -> None:
        """Delete old messages now, and again and again from now on."""
        if self._keep > 0:
            self._look(self._round)

    def keep(self, seconds: float) -> None:
        """Keep messages for so long from now on; `start` has been called."""
        self._keep = seconds
        self._round += 1
        self.start()

    def _look(self, round: int) -> None:
        if round == self._round:
            before = self._clock.trusted.now() - int(self._keep * 1000)
            self._journal.expire(before).then(lambda answer: self._expired(answer, round))

    def _expired(self, answer: Expired | JournalError, round: int) -> None:
        if isinstance(answer, JournalError):
            log.warning(wording.LOG_OLD_STAY, answer)
        else:
            self._tell(answer.firsts)
            for name, first in answer.firsts.items():
                room = self._rooms.get(name)
                if room is not None:
                    room.forget_below(first)
        more = isinstance(answer, Expired) and answer.more
        self._clock.later(
            PAUSE_SECONDS if more else min(MOST_SECONDS, max(LEAST_SECONDS, self._keep / ROUNDS)),
            lambda: self._look(round),
        )
