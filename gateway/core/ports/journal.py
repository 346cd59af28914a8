"""The journal's port: the ordered durable log behind the rooms, and the facts that are read from it.

Without a feed the journal is this process's own, and its answer to an append is all there is to know. With one, rooms
change only by what the feed hands on, in the journal's one order; a message of our own comes back that way too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec

from gateway.core.answer import Answer
from gateway.core.clock import TimeRecord
from gateway.core.ports.export_format import Whole
from gateway.core.ports.ledger import Ledger
from gateway.core.protocol.message import Message
from gateway.errors import JournalError, LostTail


class RoomRecord(msgspec.Struct, frozen=True):
    """A room as the journal knows it when the room is opened.

    `head` is the last number used in the room (0 = none yet), `first` the oldest number still held (head + 1 when
    nothing is held). `recent` are the last messages, oldest first, at most the number asked for. `removed`: some of its
    messages have been removed. `last_ts` is when the newest message held was sent (ms since 1970; 0 = none is held, or
    not asked for: only `Journal.rooms` tells it).
    """

    room: str
    epoch: str
    first: int
    head: int
    topic: str
    recent: Sequence[Message]
    removed: bool = False
    last_ts: int = 0


class Page(msgspec.Struct, frozen=True):
    """A page of a room's history, oldest first, without holes. `more`: within the bounds asked for there are older
    messages before the first one (asked without `after`), or newer ones after the last (asked with `after`). Messages
    read back have no `author`, but the `identity` of whoever said them."""

    messages: Sequence[Message]
    more: bool


class Person(msgspec.Struct, frozen=True):
    """What is stored of an identity: its nick, its rooms with their epochs and the last number sent in each, and when
    its last connection ended (ms since 1970; 0 = it is connected, or was when the process died); its unused codes, the
    rooms with the last number that the person has seen, and the account they have logged in to, empty for none."""

    identity: str
    nick: str
    rooms: Sequence[tuple[str, str, int]]
    seen: int
    codes: Sequence[str] = ()
    reads: Sequence[tuple[str, str, int]] = ()
    account: str = ""


class Receipt(msgspec.Struct, frozen=True):
    """The place of the message that `identity` sent under `id` at `ts` (ms since 1970)."""

    identity: str
    id: str
    room: str
    epoch: str
    seq: int
    ts: int


class Memory(msgspec.Struct, frozen=True):
    """The stored identities that may come back, and the receipts of what they sent."""

    people: Sequence[Person]
    receipts: Sequence[Receipt]


class Removal(NamedTuple):
    """A message that was removed `at` (ms since 1970). `number` counts the removals in all rooms; it only grows, and
    numbers are missing where removals have expired with their messages. `by` is a nick or an operator's name, `reason`
    is never empty."""

    number: int
    room: str
    seq: int
    at: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Expired:
    """One slice of expiry: the number of the oldest message now held in each room that lost some, and whether there
    may be `more` to delete."""

    firsts: Mapping[str, int]
    more: bool


UNKNOWN_AGE_MS = 10 * 365 * 86_400_000
"""No message is that much older than the retention: such a time (1970) comes from a clock that was never set."""


class Journal(Whole, Protocol):
    """The ordered durable log behind the rooms; the only way into a room's log.

    Every verb is answered exactly once, in the order in which the verbs were called, on the caller's thread, perhaps
    before the verb returns. The answer is the result, or a JournalError in its place: a verb raises nothing, and after
    an error the next verb is tried afresh.
    """

    @property
    def ledger(self) -> Ledger:
        """The ledger, in the same store."""

    def open(self, room: str, recent: int) -> Answer[RoomRecord | JournalError]:
        """The record of a room; an unknown room gets a new random epoch and head 0.

        A room without any message or topic need not be stored.
        """

    def append(self, batch: list[Message], done: Callable[[list[Message] | JournalError], None]) -> None:
        """Commit `batch` in one transaction, then give `done` the same messages in the same order, `seq` set.

        1. Numbers are dense per room: head + 1, head + 2, … in the order of the batch.
        2. When `done` is called with messages they survive a kill of the process.
        3. On an error nothing of the batch is stored and every `seq` is 0 again.
        4. The receipt of each message with an `id` is stored in the same transaction.
        """

    def read(self, room: str, *, after: int | None, before: int | None, limit: int) -> Answer[Page | JournalError]:
        """At most `limit` messages with after < seq < before. With `after` the oldest such, else the newest."""

    def set_topic(self, room: str, topic: str, by: str = "") -> Answer[JournalError | None]:
        """Store the topic that the person called `by` has given a room."""

    def remember(self, people: Sequence[Person]) -> Answer[JournalError | None]:
        """Store some identities, each in place of what was stored of it before."""

    def recall(self, since: int) -> Answer[Memory | JournalError]:
        """The identities that were connected, and the receipts of messages sent, after `since` (ms since 1970); older
        ones are deleted, but for identities of accounts. Called once, before the first append. Identities that were
        connected when the process died count as having left just now."""

    def paste(self, room: str, seq: int) -> Answer[str | JournalError | None]:
        """The whole of a paste; None: it is not held, because there is no such paste, or PASTES_KEPT newer ones."""

    def remove(self, room: str, seq: int, at: int, by: str, reason: str) -> Answer[Removal | JournalError | None]:
        """Take a message back: its number stays, its text is gone from every later read. Of one that was removed
        before, the first removal is the answer; None: the journal does not hold the message."""

    def removed(self, room: str, after: int, upto: int) -> Answer[list[Removal] | JournalError]:
        """The removals of the messages of a room with after < seq <= upto, by seq."""

    def removals(self, after: int, limit: int) -> Answer[list[Removal] | JournalError]:
        """At most `limit` removals with a number above `after`, in all rooms, by number: an index follows by these."""

    def erase(self) -> Answer[JournalError | None]:
        """Overwrite what is left of removed texts in the store's files. After a kill the next start makes up for it."""

    def expire(self, before: int) -> Answer[Expired | JournalError]:
        """Delete some of the oldest messages that were sent before `before` (ms since 1970); in a room always from its
        beginning. A message that is UNKNOWN_AGE_MS older bears the time of a wrong clock: it is deleted only together
        with a later one whose age is known. A room keeps its epoch and its numbers also when no message is left."""

    def rooms(self) -> Answer[list[RoomRecord] | JournalError]:
        """Every stored room (without recent messages), by name."""

    def lost_tail(self) -> Answer[LostTail]:
        """Comes right after the next verb that is answered by a LostTail: open every room again for its new epoch."""

    def time_kept(self) -> tuple[TimeRecord | None, int]:
        """The last record of the time from before the journal was opened, None if there is none; then the time of its
        newest message (ms since 1970; 0 = not known)."""

    def keep_time(self, record: TimeRecord) -> None:
        """Take note of the time: what the journal deletes on its own is measured by it, and the next start finds this
        record, or one that is up to an hour older."""

    def close(self) -> None:
        """Finish what was begun, mark a clean stop, and close the store. Nothing may be called afterwards."""


class Follower(Protocol):
    """What the feed tells of the rooms that are followed."""

    def arrived(self, room: str, messages: Sequence[Message]) -> None:
        """The next messages of the room, by number, without holes among them; where they do not follow the last one
        that was told, those between are no longer held. A message that this node has appended, and that still waits
        for its outcome, is the very object that was appended."""

    def known(self, message: Message, room: str, epoch: str, seq: int) -> None:
        """A message that this node has appended was stored before, there, under its id: it does not arrive."""

    def refused(self, message: Message, problem: JournalError) -> None:
        """A message that this node has appended was not stored, unlike others of its batch: it does not arrive."""

    def renewed(self, record: RoomRecord) -> None:
        """The room has another epoch or has lost its end: what was told of it no longer holds."""

    def topic_set(self, room: str, topic: str, by: str) -> None:
        """On another node, `by` has given a room a topic."""

    def removed(self, removal: Removal) -> None:
        """On another node, a message was removed."""

    def missed(self) -> None:
        """Topics and removals of other nodes may have been missed for good."""

    def forgotten(self) -> None:
        """The journal has lost its end, or all: what it did not get back by `renewed` can be told again."""


class Feed(Protocol):
    """Follows rooms for one follower."""

    follower: Follower | None

    def follow(self, record: RoomRecord) -> None:
        """Tell what comes after the record's head, from now on. Does nothing for a room that is followed already."""

    def leave(self, room: str) -> None:
        """Stop telling of the room."""


class NoFeed:
    """A `Feed` for a journal of our own: there is nothing to tell."""

    follower: Follower | None = None

    def follow(self, record: RoomRecord) -> None:
        """As `Feed.follow`."""

    def leave(self, room: str) -> None:
        """As `Feed.leave`."""
