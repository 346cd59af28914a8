"""The log of one room: its last messages in memory, numbered without holes, bounded in count and bytes.

Readers hold nothing but a cursor, the number of the last message they have; what is between cursor and head is their
lag. The log never waits for them: what its tail passes is gone from memory, and a reader who was there is told.

Numbers leave the log the moment a bound is passed; the list behind them is cut only when an eighth of it is dead, so
that a cut costs nothing per message.
"""

from collections.abc import Iterable, Sequence

from gateway.core.protocol.message import Message

MESSAGE_BYTES = 300
"""What a message costs in memory besides its text, in bytes (CPython 3.11: the object, its strings' headers)."""


def cost(message: Message) -> int:
    """What a message takes in memory, in bytes, at most: CPython stores a text with one wide character wide."""
    text = message.text
    return MESSAGE_BYTES + (len(text) if text.isascii() else 4 * len(text))


class RoomLog:
    """Messages `first`..`head`; `first` = `head` + 1 when none is held."""

    __slots__ = ("_base", "_messages", "bytes", "first", "head", "max_bytes", "max_messages")

    def __init__(self, head: int, *, max_messages: int, max_bytes: int) -> None:
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.restart(head, ())

    def restart(self, head: int, recent: Sequence[Message]) -> None:
        """Forget what is held; hold `recent` instead, the last messages up to `head`, oldest first."""
        self.head = head - len(recent)
        self.first = self._base = self.head + 1
        self.bytes = 0
        self._messages: list[Message] = []
        for message in recent:
            self.append(message)

    def append(self, message: Message) -> None:
        """Add the message after the head; its number must be head + 1."""
        if message.seq != self.head + 1:
            raise ValueError(f"message {message.seq} cannot follow {self.head} in {message.room}")
        self._messages.append(message)
        self.head = message.seq
        self.bytes += cost(message)
        while self.head - self.first >= self.max_messages or self.bytes > self.max_bytes:
            if self.first == self.head:
                break
            self._forget_first()
        self._cut()

    def forget_below(self, first: int) -> None:
        """Hold no message with a number below `first`."""
        while self.first < first and self.first <= self.head:
            self._forget_first()
        self._cut()

    def _forget_first(self) -> None:
        self.bytes -= cost(self._messages[self.first - self._base])
        self.first += 1

    def _cut(self) -> None:
        dead = self.first - self._base
        if dead * 8 > len(self._messages) and dead > 64:
            del self._messages[:dead]
            self._base = self.first

    def after(self, cursor: int) -> Iterable[Message]:
        """The messages held with a number above `cursor`, oldest first, without a copy of the log."""
        start = max(cursor + 1, self.first) - self._base
        messages = self._messages
        return (messages[index] for index in range(start, len(messages)))

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
