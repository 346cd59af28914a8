"""What the table of connections shows: one row, open or closed, its columns and its filter words."""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from gateway.core.closed import Departure
from gateway.core.message import Door
from gateway.core.session import Session
from gateway.web import words
from gateway.web.words import Vocabulary, Word

IDLE_MS = 5 * 60 * 1000
SLOW_BYTES = 64 * 1024
STATES = ("ok", "idle", "slow", "paced", "muted", "closing", "closed")
KERNEL = frozenset(("rtt", "retransmits", "unacked", "unsent_bytes"))
"""Columns that cost system calls: looked at for the rows that are shown, for all when a filter or order needs them."""
TRAITS = frozenset(("local", "tls", "telnet", "terminal", "agent", "user"))
"""Columns that the door knows, filled in like those."""

Muted = Callable[[Session], bool]


class Rates(NamedTuple):
    """Per second, between two looks at least a second apart."""

    messages_in: float
    messages_out: float
    bytes_in: float
    bytes_out: float


class ConnectionRow(msgspec.Struct, gc=False):
    """One connection as it was when the snapshot was made. Times: ms since 1970; durations: ms; rates: per second.
    None: unknown, or not looked at yet (KERNEL, TRAITS)."""

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

    @property
    def number(self) -> int:
        """The session's."""
        return int(self.id, 16)

    @property
    def address_order(self) -> str:
        """The address so that 10.0.0.9 comes before 10.0.0.10."""
        return words.address_order(self.address)

    def fill(self, session: Session, attributes: frozenset[str]) -> None:
        """Look at what costs more: the kernel's and the door's columns, as far as they are among `attributes`."""
        if attributes & KERNEL:
            kernel = session.transport.kernel()
            if kernel is not None:
                self.rtt, self.retransmits, self.unacked, self.unsent_bytes = kernel
        if attributes & TRAITS:
            traits = session.transport.traits()
            self.local, self.telnet, self.terminal = traits.local, traits.telnet, traits.terminal
            self.tls = traits.tls or session.encrypted
            self.agent = self.agent or traits.agent
            self.user = user_of(session)


COLUMNS = ConnectionRow.__struct_fields__
ORDERED_BY = {"id": "number", "address": "address_order"}
"""Columns whose text is not their order."""


def row_of(session: Session, now: float, wall: int, rates: Rates | None, muted: Muted) -> ConnectionRow:
    """What the table shows of a session at `now` (monotonic seconds), which is `wall` (ms since 1970)."""
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


def closed_row(departure: Departure) -> ConnectionRow:
    """What the table shows of a connection that has ended. `up` is how long it lasted."""
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
    )


def state_of(session: Session, idle: int, lag_bytes: int, muted: Muted) -> str:
    """The most telling of STATES. `idle` in ms."""
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
    """A name for whoever this is across connections. Not the identity itself: a terminal's is the code by which it
    comes back, and who reads the dashboard must not be able to come back as somebody else."""
    if session.identity is None:
        return None
    return hashlib.sha256(session.identity.id.encode()).hexdigest()[:12]


def _columns(**also: Any) -> dict[str, Word]:
    return {
        **also,
        "messages_in": Word("messages_in", words.COUNT, "messages_in>100"),
        "messages_out": Word("messages_out", words.COUNT, "messages_out>10k"),
        "bytes_in": Word("bytes_in", words.SIZE, "bytes_in>1m"),
        "bytes_out": Word("bytes_out", words.SIZE, "bytes_out>1m"),
        "retransmits": Word("retransmits", words.COUNT, "retransmits>0"),
        "unacked": Word("unacked", words.COUNT, "unacked>10"),
        "unsent": Word("unsent_bytes", words.SIZE, "unsent>64k"),
        "resumed": Word("resumed", words.COUNT, "resumed>2"),
        "telnet": Word("telnet", words.MEMBER, 'telnet:"peer NAWS"'),
        "terminal": Word("terminal", words.TEXT, "terminal:80x24"),
        "local": Word("local", words.TEXT, "local:127.0.0.1:9999"),
        "proxy": Word("proxy", words.ADDRESS, "proxy:10.0.0.1"),
        "tls": Word("tls", words.YES, "tls:yes"),
        "user": Word("user", words.TEXT, "user:3f2a*"),
        "reason": Word("reason", words.TEXT, "reason:kicked"),
    }


WORDS = Vocabulary(
    _columns(
        nick=Word("nick", words.TEXT, "nick:al*"),
        ip=Word("address", words.ADDRESS, "ip:10.0.0.0/8"),
        door=Word("door", words.choice(*(door.value for door in Door)), "door:web"),
        room=Word("rooms", words.MEMBER, "room:lobby"),
        state=Word("state", words.choice(*STATES), "state:slow"),
        idle=Word("idle", words.DURATION, "idle>5m"),
        lag=Word("lag_bytes", words.SIZE, "lag>64k"),
        rtt=Word("rtt", words.MOMENT, "rtt>200ms"),
        up=Word("up", words.DURATION, "up>2h"),
        age=Word("unsent_ms", words.DURATION, "age>10s"),
        agent=Word("agent", words.PART, "agent:firefox"),
        id=Word("id", words.TEXT, "id:9f2"),
        skipped=Word("skipped", words.COUNT, "skipped>0"),
        **{
            "in": Word("messages_in_rate", words.COUNT, "in>10"),
            "out": Word("messages_out_rate", words.COUNT, "out>1k"),
        },
    ),
    plain="nick",
)
"""What a filter of connections may say."""
