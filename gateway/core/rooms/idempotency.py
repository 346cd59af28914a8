"""Idempotency: a message that is sent again under the same id is one message, and gets the first one's receipt.

A key is (identity, id). It is kept RECEIPT_SECONDS from the first try, across reconnects and, because the journal
stores receipts in the message's own transaction, across restarts. A retry that comes while the first try is on its way
waits for the same outcome. A refused try is not remembered.
"""

from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from gateway import wording
from gateway.core.answer import Answer
from gateway.core.clock import Clock
from gateway.core.ports.journal import Receipt
from gateway.core.protocol.events import Ack, error_event
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal

RECEIPT_SECONDS = 120.0
IDS_PER_IDENTITY = 10_000
IDS = 1_000_000

Key = tuple[str, str]


class Posted(NamedTuple):
    """The place of a message; no room and `seq` 0: it was private and is queued."""

    room: str
    epoch: str
    seq: int


class Entry:
    """One key: when its first try began, and its outcome."""

    __slots__ = ("answer", "began", "posted")

    def __init__(self, began: float, answer: Answer[Posted | Refusal], posted: bool) -> None:
        self.began = began
        self.answer = answer
        self.posted = posted


class Idempotency:
    """The live keys. Their age is counted in trusted ms since 1970, not in monotonic seconds: a restart must not make
    them live longer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[Key, Entry] = {}
        self._of: Counter[str] = Counter()

    def recall(self, receipts: Iterable[Receipt]) -> None:
        """Load the receipts that the journal stored, the oldest first; those that are too old are left out."""
        now = self._clock.trusted.now() / 1000
        for each in receipts:
            if now - each.ts / 1000 >= RECEIPT_SECONDS:
                continue
            posted: Answer[Posted | Refusal] = Answer.of(Posted(each.room, each.epoch, each.seq))
            self._entries[each.identity, each.id] = Entry(min(each.ts / 1000, now), posted, True)
            self._of[each.identity] += 1

    def begin(self, key: Key) -> tuple[Answer[Posted | Refusal], bool]:
        """Begin a try: the outcome of the first try with that key, and whether this is the first, whose caller has to
        set it. Raises Refusal when the identity has too many live ids."""
        now = self._clock.trusted.now() / 1000
        self._forget_old(now)
        entry = self._entries.get(key)
        if entry is not None:
            return entry.answer, False
        self._require_space(key)
        answer: Answer[Posted | Refusal] = Answer()
        entry = self._entries[key] = Entry(now, answer, False)
        self._of[key[0]] += 1
        answer.then(partial(self._settle, key, entry))
        return answer, True

    def _settle(self, key: Key, entry: Entry, outcome: Posted | Refusal) -> None:
        if isinstance(outcome, Refusal):
            self._forget(key)
        else:
            entry.posted = True

    def _require_space(self, key: Key) -> None:
        if self._of[key[0]] >= IDS_PER_IDENTITY or len(self._entries) >= IDS:
            raise Refusal(Code.BUSY, wording.TOO_MANY_IDS.format(limit=IDS_PER_IDENTITY), 5000)

    def _forget_old(self, now: float) -> None:
        while self._entries:
            key = next(iter(self._entries))
            entry = self._entries[key]
            if not entry.posted or now - entry.began < RECEIPT_SECONDS:
                return
            self._forget(key)

    def _forget(self, key: Key) -> None:
        del self._entries[key]
        self._of[key[0]] -= 1
        if not self._of[key[0]]:
            del self._of[key[0]]


def acknowledge(session: Session, id: str, outcome: Posted | Refusal) -> None:
    """Tell the session the outcome of what it sent under `id`."""
    if isinstance(outcome, Refusal):
        session.tell(error_event(outcome, id))
    else:
        session.tell(Ack(id, outcome.room, outcome.seq) if outcome.seq else Ack(id))
