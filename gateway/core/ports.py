"""What the core asks of the outside: a journal below it, a transport beside it.

What a door and the kernel know of a connection and chat has no use for; asked for when somebody looks at it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Message
from gateway.core.roles import AuditEntry
from gateway.core.trusted_time import TimeRecord
from gateway.errors import JournalError


class Kernel(NamedTuple):
    """TCP as the kernel sees it. None: this system does not tell."""

    rtt: float
    """The smoothed round trip, in ms."""
    retransmits: int | None
    """Segments sent again since the beginning."""
    unacked: int | None
    """Segments on their way."""
    unsent_bytes: int | None
    """Bytes in the kernel's buffer that have never been sent."""
    acked_bytes: int | None = None
    """Bytes the peer's machine has acknowledged since the beginning."""


class Traits(NamedTuple):
    """What stays the same, or nearly so. `local` is the address the peer reached, `host:port`; `telnet` are the options
    both sides agreed to, as words; `terminal` is its size, `80x24`; `agent` is the terminal's own name. None or empty:
    not known."""

    local: str | None = None
    tls: bool = False
    telnet: tuple[str, ...] = ()
    terminal: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class RoomRecord:
    """A room as the journal knows it when the room is opened.

    `head` is the last number used in the room (0 = none yet), `first` the oldest number still held (head + 1 when
    nothing is held). `recent` are the last messages, oldest first, at most the number asked for.
    """

    room: str
    epoch: str
    first: int
    head: int
    topic: str
    recent: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a room's history, oldest first, no holes. `more`: within the bounds asked for, older messages exist
    before the first one (asked without `after`), newer ones after the last (asked with `after`). Messages read back
    have no author."""

    messages: Sequence[Message]
    more: bool


@dataclass(frozen=True, slots=True)
class Person:
    """What is kept of an identity: its nick, the rooms it is in with their epochs and the number it has read up
    to in each, and when its last connection ended (ms since 1970; 0 = it is connected, or was at a crash)."""

    identity: str
    nick: str
    rooms: Sequence[tuple[str, str, int]]
    seen: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where the message stands that was sent under `id` by `identity` at `ts` (ms since 1970)."""

    identity: str
    id: str
    room: str
    epoch: str
    seq: int
    ts: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Who may come back, and what they need not say twice."""

    people: Sequence[Person]
    receipts: Sequence[Receipt]


@dataclass(frozen=True, slots=True)
class Expired:
    """One slice of forgetting: the number of the oldest message now held in each room that lost some, and whether
    there may be `more` to forget."""

    firsts: Mapping[str, int]
    more: bool


UNKNOWN_AGE_MS = 10 * 365 * 86_400_000
"""No message is that much older than what is kept: 1970 is what a machine shows whose clock was never set."""


class Measure(StrEnum):
    """What operators do to somebody for a while: a ban keeps out, a mute keeps silent."""

    BAN = "ban"
    MUTE = "mute"


class Sanction(NamedTuple):
    """One ban or one mute.

    `kind` is `nick` or `address`; `target` is the nick, or the address or range (CIDR). `identity` is whose session was
    meant, where one was and has an identity, else empty. `created` and `until` are ms since 1970 by the wall clock;
    `until` None = for ever.
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


class AuditQuery(NamedTuple):
    """Which entries: those with a number below `before` (None = the newest) that have every one of `terms`: (field,
    word), the field empty for a word that may stand in any."""

    before: int | None = None
    limit: int = 50
    terms: Sequence[tuple[str, str]] = ()

    def matches(self, entry: AuditEntry) -> bool:
        """Whether the entry has every term, whatever the case of its letters."""
        for field, word in self.terms:
            texts = (getattr(entry, field),) if field else (entry.who, entry.source, *entry[4:])
            if not any(word in text.lower() for text in texts):
                return False
        return True


class AuditPage(NamedTuple):
    """Entries, newest first. `cursor`: older ones are asked for with `before=cursor`; None at the end. A page may be
    short, even empty, and have a cursor: no more than a bounded number of entries is looked at for one."""

    entries: Sequence[AuditEntry]
    cursor: int | None


class Ledger(Protocol):
    """Bans, mutes and the record of what operators tried. Every verb answers as those of `Journal` do."""

    def sanctions(self, since: int, done: Callable[[list[Sanction] | JournalError], None]) -> None:
        """All that are stored, the oldest first; what ended before `since` (ms since 1970) is forgotten."""

    def record(
        self,
        entries: Sequence[AuditEntry],
        done: Callable[[JournalError | None], None],
        *,
        add: Sequence[Sanction] = (),
        lift: Sequence[Sanction] = (),
    ) -> None:
        """Store the entries, whose numbers go on from the last, and what they did, in one transaction.

        1. What was recorded is never changed or taken away.
        2. On an error nothing of it is stored.
        """

    def audit(self, query: AuditQuery, done: Callable[[AuditPage | JournalError], None]) -> None:
        """One page of the record."""


class Journal(Protocol):
    """The ordered durable log behind the rooms; the only door into a room's log.

    Every verb answers by its callback, exactly once, in the order the verbs were called, on the caller's thread;
    perhaps before the verb returns. An answer is the result, or the JournalError that stands for it: a verb raises
    nothing, and after an error the next verb is tried afresh.
    """

    lost_tail: Callable[[], None]
    """Called after an answer that was a LostTail: every room must be opened again, its epoch is new."""

    @property
    def ledger(self) -> Ledger:
        """What operators did, in the same place."""

    def open(self, room: str, recent: int, done: Callable[[RoomRecord | JournalError], None]) -> None:
        """The record of a room, made with a new random epoch and head 0 if nobody knows it yet.

        A room that nobody has written to (no message, no topic) need not be stored.
        """

    def append(self, batch: list[Message], done: Callable[[list[Message] | JournalError], None]) -> None:
        """Commit `batch` in one transaction, then answer with the same messages in the same order, `seq` set.

        1. Numbers are dense per room: head + 1, head + 2, … in the order of the batch.
        2. When `done` is called with messages they survive a kill of the process.
        3. On an error nothing of the batch is stored and every `seq` is 0 again.
        4. The receipt of each message with an `id` is stored in the same transaction.
        """

    def read(
        self,
        room: str,
        *,
        after: int | None,
        before: int | None,
        limit: int,
        done: Callable[[Page | JournalError], None],
    ) -> None:
        """At most `limit` messages with after < seq < before. With `after` the oldest such, else the newest."""

    def set_topic(self, room: str, topic: str, done: Callable[[JournalError | None], None]) -> None:
        """Store the topic of a room, then answer."""

    def remember(self, people: Sequence[Person], done: Callable[[JournalError | None], None]) -> None:
        """Store what is known of some identities, each replacing what was known before."""

    def recall(self, since: int, done: Callable[[Memory | JournalError], None]) -> None:
        """What was stored of the people seen, and of the messages sent, after `since` (ms since 1970); the older is
        forgotten. Called once, before the first append. People who were connected when the process died are counted
        as seen now."""

    def expire(self, before: int, done: Callable[[Expired | JournalError], None]) -> None:
        """Forget some of the oldest messages that were sent before `before` (ms since 1970), never one after a younger
        one of its room. A message that is UNKNOWN_AGE_MS older bears the time of a wrong clock: it goes only together
        with a later one whose age is known. Numbers and epoch of a room stay, also when nothing is left of it."""

    def rooms(self, done: Callable[[list[RoomRecord] | JournalError], None]) -> None:
        """Every stored room (without recent messages), by name."""

    def time_kept(self) -> tuple[TimeRecord | None, int]:
        """The record of the time that was kept last before the journal was opened, None if there is none; then when
        its newest message was sent (ms since 1970; 0 = not known)."""

    def keep_time(self, record: TimeRecord) -> None:
        """The time is this now: what the journal deletes on its own is measured by it, and it is there at the next
        start, perhaps in an older state of up to an hour."""

    def close(self) -> None:
        """Finish what was begun, mark a clean stop, and let go of the store. Nothing may be called afterwards."""


class Transport(Protocol):
    """One peer's connection as the hub sees it. No verb raises, blocks or calls back into the hub before it
    returns; all may be called when the peer has gone."""

    def send(self, data: bytes) -> int:
        """Take some prefix of `data` and answer its length in bytes, 0 included.

        Whoever takes less than all calls `hub.pump(session)` once when it can take more.
        """

    def resume(self) -> None:
        """The session takes input again (see `Session.held`): go on with what was received, soon."""

    def close(self, closing: CloseReason, words: str) -> None:
        """Say farewell in the door's own way (`CloseReason.told`), then close, at the latest within 2 s.
        Calls `hub.disconnect(session)` when it has."""

    def kernel(self) -> Kernel | None:
        """What the kernel knows of the connection now; one or two system calls."""

    def traits(self) -> Traits:
        """What the door knows of the connection."""
