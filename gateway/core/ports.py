"""The core's ports: what it needs from outside, a journal below it and a transport for each session.

`Kernel` and `Traits` are what the kernel and a door know of a connection. Chat itself has no use for them; they are
asked for when somebody looks at the connection.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from gateway.core.answer import Answer
from gateway.core.clock import TimeRecord
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Message
from gateway.core.roles import AuditEntry
from gateway.errors import JournalError, LostTail, Refusal


class Kernel(NamedTuple):
    """The kernel's figures of a TCP connection. None: this system does not tell."""

    rtt: float
    """The smoothed round trip, in ms."""
    retransmits: int | None
    """Segments sent again since the beginning."""
    unacked: int | None
    """Segments sent and not acknowledged yet."""
    unsent_bytes: int | None
    """Bytes in the kernel's buffer that have never been sent."""
    acked_bytes: int | None = None
    """Bytes the peer's machine has acknowledged since the beginning."""


class Traits(NamedTuple):
    """What hardly ever changes about a connection. `local` is the address the peer connected to, `host:port`; `telnet`
    are the options both sides agreed to, as words; `terminal` is its size, `80x24`; `agent` is the terminal's own name.
    None or empty: not known."""

    local: str | None = None
    tls: bool = False
    telnet: tuple[str, ...] = ()
    terminal: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class RoomRecord:
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


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a room's history, oldest first, without holes. `more`: within the bounds asked for there are older
    messages before the first one (asked without `after`), or newer ones after the last (asked with `after`). Messages
    read back have no `author`, but the `identity` of whoever said them."""

    messages: Sequence[Message]
    more: bool


@dataclass(frozen=True, slots=True)
class Person:
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


@dataclass(frozen=True, slots=True)
class Receipt:
    """The place of the message that `identity` sent under `id` at `ts` (ms since 1970)."""

    identity: str
    id: str
    room: str
    epoch: str
    seq: int
    ts: int


@dataclass(frozen=True, slots=True)
class Memory:
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


class Measure(StrEnum):
    """The kind of sanction: a ban keeps a user out, a mute keeps them silent."""

    BAN = "ban"
    MUTE = "mute"


class Sanction(NamedTuple):
    """One ban or one mute.

    `kind` is `nick` or `address`; `target` is the nick, or the address or range (CIDR). `identity` is that of the
    session that was meant, empty where there was none or it has none. `created` and `until` are ms since 1970 by the
    wall clock; `until` None = for ever.
    """

    measure: Measure
    id: str
    kind: str
    target: str
    identity: str
    reason: str
    author: str
    created: int
    until: int | None


AUDIT_FIELDS = ("who", "source", "action", "target", "reason", "result")
"""The texts of an entry, in which words are looked for."""


class AuditQuery(NamedTuple):
    """Selects the entries with a number below `before` (None = from the newest on) that match all of `terms`: (field,
    word), the field empty for a word that may be in any."""

    before: int | None = None
    limit: int = 50
    terms: Sequence[tuple[str, str]] = ()

    def matches(self, entry: AuditEntry) -> bool:
        """Whether the entry matches every term; upper and lower case are the same."""
        for field, word in self.terms:
            texts = [getattr(entry, name) for name in ((field,) if field else AUDIT_FIELDS)]
            if not any(word in text.lower() for text in texts):
                return False
        return True


class AuditPage(msgspec.Struct, frozen=True):
    """Some of the audit log, newest first. `cursor` asks for older entries, None at the end. A page may be short or
    even empty and still have a cursor: only a bounded number of entries is searched for one page."""

    entries: list[AuditEntry]
    cursor: str | None


class Ledger(Protocol):
    """Bans, mutes, the audit log and the dashboard's logins. Every verb reports to its callback as those of `Journal`
    do."""

    def sanctions(self, since: int) -> Answer[list[Sanction] | JournalError]:
        """All stored sanctions, the oldest first; those that ended before `since` (ms since 1970) are deleted."""

    def record(
        self,
        entries: Sequence[AuditEntry],
        *,
        add: Sequence[Sanction] = (),
        lift: Sequence[Sanction] = (),
    ) -> Answer[JournalError | None]:
        """Store the entries, numbered on from the last one, together with what they did, in one transaction.

        1. A recorded entry is never changed or deleted.
        2. On an error nothing of this call is stored.
        """

    def audit(self, query: AuditQuery) -> Answer[AuditPage | JournalError]:
        """One page of the audit log."""

    def logins(self) -> Answer[str | JournalError]:
        """What `keep_logins` was given last; "" at first."""

    def keep_logins(self, text: str) -> Answer[JournalError | None]:
        """Store who is logged in to the dashboard, in whatever form the dashboard writes it."""


class Journal(Protocol):
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

    def set_topic(self, room: str, topic: str) -> Answer[JournalError | None]:
        """Store the topic of a room."""

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


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is looked for: messages in one of `rooms` that have all `words` and were said by one of `nicks` (empty =
    anybody), from `since` on and before `before` (ms since 1970), with a number below `below`. A word that has several
    parts (`foo-bar`) is looked for as a phrase."""

    rooms: tuple[str, ...]
    words: tuple[str, ...]
    nicks: tuple[str, ...] = ()
    since: int | None = None
    before: int | None = None
    below: int | None = None
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, newest first. `more`: there are older ones."""

    messages: Sequence[Message]
    more: bool


class Index(Protocol):
    """A full-text index beside the journal: a copy that may lag, and may be lost without harm.

    It is fed from the journal, by room in the order of the numbers. Verbs are done in the order in which they were
    called, elsewhere, and are answered on the caller's thread. After a JournalError the index may be empty: `compare`
    tells what is missing.
    """

    def compare(self, witness: str, records: Sequence[RoomRecord]) -> Answer[Mapping[str, int] | JournalError]:
        """The rooms of which the index lacks the end, and the number after which it does. An index that was made from
        another journal, or an earlier state of this one, is emptied first: `witness` is the epoch of some room."""

    def add(self, batch: Sequence[Message], after: int | None = None) -> Answer[Mapping[str, int] | JournalError]:
        """Add committed messages. Those that do not follow the last one here are left out, and their rooms answered as
        by `compare`. With `after` they are all that the journal holds of one room next to that number."""

    def find(self, query: SearchQuery) -> Answer[Found | Refusal | JournalError]:
        """Look for messages; everything added before is found. Refused (busy) when it takes too long."""

    def removals(self) -> Answer[int | JournalError]:
        """The number of the last removal that the index has followed (see `Journal.removals`)."""

    def remove(self, places: Sequence[tuple[str, int]], number: int) -> Answer[JournalError | None]:
        """Forget the messages at these places, (room, seq): the removals up to `number`. When it is answered no word of
        them is left in any file; after a JournalError neither, because the whole index is gone."""

    def forget(self, firsts: Mapping[str, int]) -> Answer[JournalError | None]:
        """Retention has deleted all messages below these numbers: they are not found from now on, and are deleted."""

    def close(self) -> None:
        """Finish the verb in work and close the store. Nothing may be called afterwards."""


class Transport(Protocol):
    """One peer's connection as the hub sees it. No verb raises, blocks or calls the hub before it returns; all may be
    called after the peer has gone."""

    def send(self, data: bytes) -> int:
        """Take some prefix of `data` and return its length in bytes, perhaps 0.

        A transport that took less than all calls `hub.pump(session)` once when it can take more.
        """

    def resume(self) -> None:
        """The session takes input again (see `Session.held`): go on with what was received, soon."""

    def close(self, closing: CloseReason, words: str) -> None:
        """Write a farewell in the door's own way (`CloseReason.told`), then close, at the latest within 2 s; then call
        `hub.disconnect(session)`."""

    def kernel(self) -> Kernel | None:
        """What the kernel knows of the connection now; one or two system calls."""

    def traits(self) -> Traits:
        """What the door knows of the connection."""


class RoomReading(Protocol):
    """A room as a session reads it: the last number it has, and the number of its own last message."""

    cursor: int
    own: int

    @property
    def place(self) -> tuple[str, str, int]:
        """Name and epoch of the room, and the cursor."""

    def lag(self) -> tuple[int, int]:
        """How far the reader is behind: (messages, bytes)."""

    def unsent_since(self) -> int | None:
        """When the oldest message after the cursor was sent, in ms since 1970; None when there is none."""
