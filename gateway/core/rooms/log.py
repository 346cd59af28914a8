"""The log of one room: its last messages in memory, numbered without holes, bounded in count and bytes.

Readers hold nothing but a cursor, the number of the last message they have; what is between cursor and head is their
lag. The log never waits for them: what its tail passes leaves memory, and a reader whose cursor was there is told of
the gap.

A message leaves the log the moment a bound is passed, but the list behind the log is cut only when an eighth of it is
dead: cutting moves everything that stays, so it is done rarely and costs next to nothing per message.

All logs together have a bound as well, the budget. The message that passes it makes room for many: the logs whose last
message is the oldest are emptied first, down to KEPT_OF_BUDGET, so that the next messages cost an addition and a
comparison again. Readers of an emptied log are told like any whom the tail has passed; the journal has the messages.
"""

from collections.abc import Iterable, Sequence

import msgspec

from gateway.core.protocol.message import Message

MESSAGE_BYTES = 300
"""Bytes of memory that a message takes besides its text (CPython 3.11: the object and its strings' headers)."""


def cost(messages: Sequence[Message]) -> int:
    """Bytes of memory that messages take at most: one wide character makes CPython store a whole text wide."""
    size = MESSAGE_BYTES * len(messages)
    for message in messages:
        text = message.text
        size += len(text) if text.isascii() else 4 * len(text)
    return size


KEPT_OF_BUDGET = 7 / 8
HARD_BUDGET = 1 << 40
"""Bytes; the budget of a log that shares none with others."""


class LogBudget:
    """The memory of all logs together: `used` bytes, at most `top`."""

    __slots__ = ("logs", "top", "used")

    def __init__(self, top: int) -> None:
        self.top = top
        self.used = 0
        self.logs: set[RoomLog] = set()

    def limit(self, top: int) -> None:
        """Allow at most so many bytes from now on."""
        self.top = top
        self.enforce()

    def enforce(self) -> None:
        """If more is used, empty the coldest logs down to their last message; if that is not enough, completely."""
        if self.used <= self.top:
            return
        target = int(self.top * KEPT_OF_BUDGET)
        coldest = sorted(self.logs, key=lambda log: log.last_ts)
        for held in (1, 0):
            for log in coldest:
                if self.used <= target:
                    return
                log.give_back(self.used - target, held)


class RoomLog:
    """Messages `first`..`head`; `first` = `head` + 1 when none is held."""

    __slots__ = ("_base", "_budget", "_messages", "bytes", "first", "head", "max_bytes", "max_messages")

    def __init__(self, head: int, *, max_messages: int, max_bytes: int, budget: LogBudget | None = None) -> None:
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.bytes = 0
        self._budget = budget or LogBudget(HARD_BUDGET)
        self._budget.logs.add(self)
        self.restart(head, ())

    def restart(self, head: int, recent: Sequence[Message]) -> None:
        """Forget what is held; hold `recent` instead, the last messages up to `head`, oldest first."""
        self.head = head - len(recent)
        self.first = self._base = self.head + 1
        self._budget.used -= self.bytes
        self.bytes = 0
        self._messages: list[Message] = []
        self.extend(recent)

    def append(self, message: Message) -> None:
        """Add one message; see `extend`."""
        self.extend((message,))

    def extend(self, messages: Sequence[Message]) -> None:
        """Add messages after the head; their numbers must follow on it without a hole. Those of a commit come together:
        what is the same for all of them is done once."""
        seq = self.head
        for message in messages:
            seq += 1
            if message.seq != seq:
                raise ValueError(f"message {message.seq} cannot follow {seq - 1} in {message.room}")
        size = cost(messages)
        self._messages += messages
        self.head = seq
        self.bytes += size
        self._budget.used += size
        if self.head - self.first >= self.max_messages or self.bytes > self.max_bytes:
            self._shrink()
        if self._budget.used > self._budget.top:
            self._budget.enforce()

    def _shrink(self) -> None:
        """Drop the oldest messages that are too many; the last one stays."""
        self._forget(min(self.head - self.first, max(0, self.head - self.first + 1 - self.max_messages)))
        while self.bytes > self.max_bytes and self.first < self.head:
            self._forget(1)
        self._cut()

    def remove(self, seq: int, reason: str) -> None:
        """Hold the message with that number without its text, if it is held at all; no reader's place changes."""
        if self.first <= seq <= self.head:
            place = seq - self._base
            message = self._messages[place]
            tombstone = self._messages[place] = msgspec.structs.replace(message, text="", redacted=reason, paste=None)
            saved = cost([message]) - cost([tombstone])
            self.bytes -= saved
            self._budget.used -= saved

    @property
    def last_ts(self) -> int:
        """When the last message was sent, in ms since 1970; 0 when none is held."""
        return self._messages[-1].ts if self.first <= self.head else 0

    def give_back(self, size: int, held: int) -> None:
        """Drop the oldest messages until `size` bytes are free or only `held` messages are left."""
        stop = self.bytes - size
        while self.bytes > stop and self.head - self.first >= held:
            self._forget(1)
        dead = self.first - self._base
        del self._messages[:dead]
        self._base = self.first

    def leave(self) -> None:
        """The room leaves memory: give its bytes back to the budget."""
        if self in self._budget.logs:
            self._budget.logs.remove(self)
            self._budget.used -= self.bytes

    def come_back(self) -> None:
        """The room stays in memory after all: count its bytes again. Calling it twice does nothing."""
        if self not in self._budget.logs:
            self._budget.logs.add(self)
            self._budget.used += self.bytes

    def forget_below(self, first: int) -> None:
        """Hold no message with a number below `first`."""
        self._forget(max(0, min(first, self.head + 1) - self.first))
        self._cut()

    def _forget(self, count: int) -> None:
        """Drop so many of the oldest messages; they are held."""
        dead = self.first - self._base
        size = cost(self._messages[dead : dead + count])
        self.bytes -= size
        self._budget.used -= size
        self.first += count

    def _cut(self) -> None:
        dead = self.first - self._base
        if dead * 8 > len(self._messages) and dead > 64:
            del self._messages[:dead]
            self._base = self.first

    def after(self, cursor: int) -> Iterable[Message]:
        """The messages held with a number above `cursor`, oldest first, without copying the log."""
        start = max(cursor + 1, self.first) - self._base
        messages = self._messages
        return map(messages.__getitem__, range(start, len(messages)))

    def next_after(self, cursor: int) -> Message | None:
        """The oldest message held with a number above `cursor`."""
        seq = max(cursor + 1, self.first)
        return self._messages[seq - self._base] if seq <= self.head else None

    def last(self, count: int) -> list[Message]:
        """The last `count` messages held, oldest first."""
        return list(self.after(max(self.head - count, self.first - 1)))

    def between(self, after: int, before: int) -> list[Message]:
        """The messages held with after < number < before, oldest first."""
        start = max(after + 1, self.first) - self._base
        return self._messages[start : max(start, before - self._base)]

    def lag_bytes(self, cursor: int) -> int:
        """About how many bytes of memory a reader at `cursor` is behind."""
        held = self.head - self.first + 1
        behind = min(self.head - cursor, held)
        return 0 if not held else self.bytes * behind // held
