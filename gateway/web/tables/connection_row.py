"""The rows of the table of connections, open or closed, their columns and filter words; and samples for sparklines.

A sample holds the lag and the rates of every connection at one moment. It is four parallel arrays, in the order of the
sessions' numbers, instead of objects per connection: 60 samples of 10,000 connections take 14 MB, and while nobody
looks at the dashboard, nothing is kept.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from gateway.core.protocol.message import Door
from gateway.core.sessions.session import Session
from gateway.core.stats.recent import Departure
from gateway.web.tables import filter
from gateway.web.tables.filter import Vocabulary, Word

IDLE_MS = 5 * 60 * 1000
SLOW_BYTES = 64 * 1024
STATES = ("ok", "idle", "slow", "paced", "muted", "closing", "closed")
KERNEL = frozenset(("rtt", "retransmits", "unacked", "unsent_bytes"))
"""Columns that cost system calls: filled for the rows that are shown, for all when a filter or order needs them."""
TRAITS = frozenset(("local", "tls", "telnet", "terminal", "agent", "user"))
"""Columns that the door knows, filled in the same way."""

Muted = Callable[[Session], bool]


class Rates(NamedTuple):
    """Rates per second, between two samples at least a second apart."""

    messages_in: float
    messages_out: float
    bytes_in: float
    bytes_out: float


class ConnectionRow(msgspec.Struct, gc=False):
    """One connection as it was when the snapshot was made. Times: ms since 1970; durations: ms; rates: per second.
    None: unknown, or not filled yet (KERNEL, TRAITS). `node` is there where there are several."""

    id: str
    nick: str
    door: str
    room: str | None
    address: str
    connected_at: int
    idle: int | None
    rtt: float | None
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    lag_messages: int | None
    lag_bytes: int | None
    state: str
    up: int
    messages_in_rate: float | None
    messages_out_rate: float | None
    bytes_in_rate: float | None
    bytes_out_rate: float | None
    skipped: int
    unsent_ms: int | None
    agent: str | None
    rooms: tuple[str, ...]
    resumed: int | None
    proxy: str | None
    user: str | None = None
    local: str | None = None
    tls: bool | None = None
    telnet: tuple[str, ...] = ()
    terminal: str | None = None
    retransmits: int | None = None
    unacked: int | None = None
    unsent_bytes: int | None = None
    reason: str | UnsetType = UNSET
    closed_at: int | UnsetType = UNSET
    words: str | UnsetType = UNSET
    node: str | UnsetType = UNSET

    @property
    def number(self) -> int:
        """The session's number."""
        return int(self.id, 16)

    @property
    def address_order(self) -> str:
        """The address in a form in which 10.0.0.9 sorts before 10.0.0.10."""
        return filter.address_order(self.address)

    def fill(self, session: Session, attributes: frozenset[str]) -> None:
        """Fill the expensive columns, the kernel's and the door's, as far as they are among `attributes`."""
        if attributes & KERNEL:
            kernel = session.transport.kernel()
            if kernel is not None:
                self.rtt, self.retransmits, self.unacked, self.unsent_bytes = kernel[:4]
        if attributes & TRAITS:
            traits = session.transport.traits()
            self.local, self.telnet, self.terminal = traits.local, traits.telnet, traits.terminal
            self.tls = traits.tls or session.encrypted
            self.agent = self.agent or traits.agent
            self.user = user_of(session)


NODE = "node"
COLUMNS = tuple(field for field in ConnectionRow.__struct_fields__ if field != NODE)
"""The columns of a gateway that is alone; one of several nodes also has NODE."""
ORDERED_BY = {"id": "number", "address": "address_order"}
"""Columns that are not sorted by their text."""


def row_of(session: Session, now: float, wall: int, rates: Rates | None, muted: Muted) -> ConnectionRow:
    """The row of a session at `now` (monotonic seconds), which is `wall` (ms since 1970)."""
    lag_messages, lag_bytes = session.lag()
    idle = max(0, int((now - session.last_input) * 1000))
    unsent = session.unsent_since() if lag_messages else None
    rooms = tuple(session.rooms)
    identity = session.identity
    heard, told, received, sent = rates or (None, None, None, None)
    return ConnectionRow(
        f"{session.number:x}",
        session.nick,
        session.door.value,
        rooms[0] if rooms else None,
        session.address,
        session.connected_at,
        idle,
        None,
        session.messages_in,
        session.messages_out,
        session.bytes_in,
        session.bytes_out,
        lag_messages,
        lag_bytes,
        state_of(session, idle, lag_bytes, muted),
        max(0, wall - session.connected_at),
        heard,
        told,
        received,
        sent,
        session.skipped,
        max(0, wall - unsent) if unsent is not None else None,
        session.agent,
        rooms,
        identity.resumed if identity is not None else 0,
        session.proxy,
    )


def closed_row(departure: Departure, node: str | UnsetType = UNSET) -> ConnectionRow:
    """The row of a connection that has closed. `up` is how long it lasted."""
    rooms = departure.rooms
    return ConnectionRow(
        departure.id,
        departure.nick,
        departure.door.value,
        rooms[0] if rooms else None,
        departure.address,
        departure.connected_at,
        None,
        None,
        departure.messages_in,
        departure.messages_out,
        departure.bytes_in,
        departure.bytes_out,
        None,
        None,
        "closed",
        max(0, departure.closed_at - departure.connected_at),
        None,
        None,
        None,
        None,
        departure.skipped,
        None,
        departure.agent,
        rooms,
        None,
        departure.proxy,
        reason=departure.closing.word,
        closed_at=departure.closed_at,
        words=departure.words,
        node=node,
    )


def state_of(session: Session, idle: int, lag_bytes: int, muted: Muted) -> str:
    """The most important of STATES that applies. `idle` in ms."""
    if session.ending:
        return "closing"
    if session.blocked or lag_bytes > SLOW_BYTES:
        return "slow"
    if muted(session):
        return "muted"
    if session.held:
        return "paced"
    return "idle" if idle > IDLE_MS else "ok"


def user_of(session: Session) -> str | None:
    """A name for the user across connections. Not the identity itself: a terminal's is its resume code, and readers of
    the dashboard must not be able to resume as somebody else."""
    if session.identity is None:
        return None
    return hashlib.sha256(session.identity.id.encode()).hexdigest()[:12]


def _columns(**also: Any) -> dict[str, Word]:
    return {
        **also,
        "messages_in": Word("messages_in", filter.COUNT, "messages_in>100"),
        "messages_out": Word("messages_out", filter.COUNT, "messages_out>10k"),
        "bytes_in": Word("bytes_in", filter.SIZE, "bytes_in>1m"),
        "bytes_out": Word("bytes_out", filter.SIZE, "bytes_out>1m"),
        "retransmits": Word("retransmits", filter.COUNT, "retransmits>0"),
        "unacked": Word("unacked", filter.COUNT, "unacked>10"),
        "unsent": Word("unsent_bytes", filter.SIZE, "unsent>64k"),
        "resumed": Word("resumed", filter.COUNT, "resumed>2"),
        "telnet": Word("telnet", filter.MEMBER, 'telnet:"peer NAWS"'),
        "terminal": Word("terminal", filter.TEXT, "terminal:80x24"),
        "local": Word("local", filter.TEXT, "local:127.0.0.1:9999"),
        "proxy": Word("proxy", filter.ADDRESS, "proxy:10.0.0.1"),
        "tls": Word("tls", filter.YES, "tls:yes"),
        "user": Word("user", filter.TEXT, "user:3f2a*"),
        "reason": Word("reason", filter.TEXT, "reason:kicked"),
    }


def _words(**also: Word) -> Vocabulary:
    words = _columns(
        nick=Word("nick", filter.TEXT, "nick:al*"),
        ip=Word("address", filter.ADDRESS, "ip:10.0.0.0/8"),
        door=Word("door", filter.choice(*(door.value for door in Door)), "door:web"),
        room=Word("rooms", filter.MEMBER, "room:lobby"),
        state=Word("state", filter.choice(*STATES), "state:slow"),
        idle=Word("idle", filter.DURATION, "idle>5m"),
        lag=Word("lag_bytes", filter.SIZE, "lag>64k"),
        rtt=Word("rtt", filter.MOMENT, "rtt>200ms"),
        up=Word("up", filter.DURATION, "up>2h"),
        age=Word("unsent_ms", filter.DURATION, "age>10s"),
        agent=Word("agent", filter.PART, "agent:firefox"),
        id=Word("id", filter.TEXT, "id:9f2"),
        skipped=Word("skipped", filter.COUNT, "skipped>0"),
        **{
            "in": Word("messages_in_rate", filter.COUNT, "in>10"),
            "out": Word("messages_out_rate", filter.COUNT, "out>1k"),
        },
    )
    return Vocabulary(words | also, plain="nick")


WORDS = _words()
"""The filter words of connections."""
NODE_WORDS = _words(node=Word(NODE, filter.TEXT, "node:chat-1*"))
"""The same where there are several nodes."""


LOOK_APART = 1.0
LOOK_STALE = 15.0
LOOKS = 60
"""Samples that are kept; one is taken per second at most."""

NAN = float("nan")
NOTHING = (0, 0, 0, 0)
STILL = Rates(0.0, 0.0, 0.0, 0.0)

Counts = tuple[int, int, int, int]


class Sample:
    """One moment: `at` in ms since 1970, `now` in monotonic seconds; the others by connection, in order of numbers."""

    __slots__ = ("at", "counts", "lag_bytes", "messages_in_rate", "messages_out_rate", "now", "numbers", "rates")

    def __init__(self, now: float, at: int) -> None:
        self.now = now
        self.at = at
        self.counts: dict[int, Counts] = {}
        self.rates: dict[int, Rates | None] = {}

    def complete(self, rows: list[ConnectionRow]) -> None:
        """Make the four arrays from these rows, once all counts and rates are known; each is made in C."""
        self.numbers = array("Q", self.counts)
        self.lag_bytes = array("Q", [row.lag_bytes or 0 for row in rows])
        self.messages_in_rate = array("f", [NAN if rates is None else rates[0] for rates in self.rates.values()])
        self.messages_out_rate = array("f", [NAN if rates is None else rates[1] for rates in self.rates.values()])


class Sparkline(msgspec.Struct, gc=False):
    """The samples of one connection, oldest first. Times in ms since 1970; None: no sample, or no rate yet."""

    at: list[int]
    lag_bytes: list[int | None]
    messages_in_rate: list[float | None]
    messages_out_rate: list[float | None]


class Samples:
    """The samples, and the rates between the last two. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._looks: deque[Sample] = deque(maxlen=LOOKS)
        self._last: Sample | None = None

    def rate(self, number: int, counts: Counts, age: float, now: float) -> Rates | None:
        """The rates of a session with these counts that is `age` seconds old; None when there is no recent sample. They
        change at most every LOOK_APART."""
        last = self._last
        if last is None or now - last.now > LOOK_STALE:
            return None
        apart = now - last.now
        if apart < LOOK_APART:
            return last.rates.get(number)
        before = last.counts.get(number)
        if counts == before:
            return STILL
        if before is None:
            before, apart = NOTHING, max(LOOK_APART, min(apart, age))
        heard, told, received, sent = counts
        return Rates(
            round((heard - before[0]) / apart, 1),
            round((told - before[1]) / apart, 1),
            round((received - before[2]) / apart, 1),
            round((sent - before[3]) / apart, 1),
        )

    def begin(self, now: float, wall: int) -> Sample | None:
        """Begin a new sample, if the last is old enough: note `counts` and `rates` of every session, then `keep` it."""
        if self._last is not None and now - self._last.now < LOOK_APART:
            return None
        return Sample(now, wall)

    def keep(self, look: Sample, rows: list[ConnectionRow]) -> None:
        """Keep a finished sample. Of the one before only the arrays are kept."""
        look.complete(rows)
        if self._last is not None:
            self._last.counts, self._last.rates = {}, {}
        self._last = look
        self._looks.append(look)
        while self._looks[0].now <= look.now - LOOKS:
            self._looks.popleft()

    def forget(self) -> None:
        """Drop all samples, because nobody looks at the dashboard."""
        self._looks.clear()
        self._last = None

    def of(self, number: int) -> Sparkline:
        """The samples of one session."""
        line = Sparkline([], [], [], [])
        for look in self._looks:
            place = bisect_left(look.numbers, number)
            here = place < len(look.numbers) and look.numbers[place] == number
            line.at.append(look.at)
            line.lag_bytes.append(look.lag_bytes[place] if here else None)
            line.messages_in_rate.append(_known(look.messages_in_rate[place]) if here else None)
            line.messages_out_rate.append(_known(look.messages_out_rate[place]) if here else None)
        return line


def _known(value: float) -> float | None:
    return round(value, 1) if value == value else None
