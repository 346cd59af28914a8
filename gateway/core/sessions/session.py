"""Session: one peer of the gateway, whatever door it came through.

A session has no queue of messages: it reads the logs of its rooms by cursors (`core.rooms.fanout.Member`). What is owed
to it alone (replies, errors, the tail of a message its socket cut) is in `owed`, which always goes out before anything
from a log. While more than OWED_BYTES are owed its input is held, so `owed` is bounded by that and one reply.

A session is changed by its verbs. Three kinds of number are written from outside, because a call for each would cost
too much: the counts that the fan-out keeps per reader and per message (`core.rooms.fanout`, `core.rooms.catch_up`),
`pending`, which belongs to the group commit (`core.rooms.group_commit`), and `paid_until`, which belongs to the rate
limit (`core.sessions.rate_limit`).

This file is below rooms: it sees its members only as `RoomReading`s, and `core.rooms.fanout` gives them back as
`Member`s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from gateway.core.address import counted_as
from gateway.core.answer import Answer
from gateway.core.delivery import Delivery
from gateway.core.ports.transport import Arrival, RoomReading, Transport, Watcher
from gateway.core.protocol.events import Event, error_event
from gateway.core.protocol.line_style import UNSET, Preferences
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import Wire
from gateway.core.roles import Operator
from gateway.core.stats.counters import Counters
from gateway.errors import Refusal

Value = TypeVar("Value")

NOTHING_READ: Mapping[str, tuple[str, int]] = MappingProxyType({})
"""What is shared by the many people of whom nothing is known; a dict for each would cost them memory."""
READS = 500
"""Rooms of which a person's place is remembered; those read longest ago are forgotten first."""
OWED_BYTES = 65536
"""Bytes of output owed to one session above which its input is held and room-wide events are left out."""


class Identity:
    """One person across connections (`core.sessions.identity`). `latest` of the open connections came after the
    `earlier` ones, and is None while the person is absent since `gone_at` (ms since 1970). `rooms` are name, epoch and
    last number sent of each room they were in; `reads` is, by room, the epoch and the number of the last message that
    the person has really seen."""

    __slots__ = ("account", "codes", "earlier", "gone_at", "holds_nick", "id", "latest", "nick", "paid_until", "reads",
                 "resumed", "roams", "rooms")  # fmt: skip

    def __init__(self, id: str, nick: str, rooms: tuple[tuple[str, str, int], ...] = (), gone_at: int = 0) -> None:
        self.id = id
        self.nick = nick
        self.rooms = rooms
        self.gone_at = gone_at
        self.latest: Session | None = None
        self.earlier: tuple[Session, ...] = ()
        self.paid_until = 0.0
        """As a session's, over all connections."""
        self.holds_nick = True
        self.account = ""
        """The account that the person is logged in to, as it is spelled in the settings; empty for everybody else."""
        self.codes: tuple[str, ...] = ()
        """The codes that have been given out and not used, the earliest first."""
        self.reads = NOTHING_READ
        self.resumed, self.roams = 0, False
        """How often it has resumed on another connection; whether it was connected to another node when it came."""

    @property
    def connections(self) -> list["Session"]:
        return [] if self.latest is None else [*self.earlier, self.latest]

    def connect(self, sessions: list["Session"]) -> None:
        """These are the open connections from now on, the earliest first."""
        self.latest = sessions[-1] if sessions else None
        self.earlier = tuple(sessions[:-1])

    @property
    def owns_nick(self) -> bool:
        """Whether the nick is the name of the person's own account."""
        return self.account.casefold() == self.nick.casefold()

    def note(self) -> None:
        """Remember the nick and the rooms of its connections, the latest connection's first, for when it comes back."""
        if self.latest is not None:
            self.nick = self.latest.nick
            places: dict[str, tuple[str, str, int]] = {}
            for session in reversed(self.connections):
                for name, reading in session.rooms.items():
                    places.setdefault(name, reading.place)
            self.rooms = tuple(places.values())

    def read(self, room: str, epoch: str, seq: int) -> bool:
        """The person has seen the room up to `seq`; return whether that is further than before."""
        known = self.reads.get(room)
        if known is not None and known[0] == epoch and known[1] >= seq:
            return False
        reads = {name: place for name, place in self.reads.items() if name != room}
        if len(reads) >= READS:
            del reads[next(iter(reads))]
        self.reads = {**reads, room: (epoch, seq)}
        return True


@dataclass(slots=True, eq=False, repr=False)
class Session:
    """What the hub knows of one connection. Only the hub changes it; doors read it."""

    number: int
    nick: str
    arrival: Arrival
    transport: Transport
    wire: Wire
    _delivery: Delivery
    counters: Counters
    connected_at: int = 0  # milliseconds since 1970 UTC
    last_input: float = 0.0  # when the peer last sent something, in monotonic seconds
    announce_at: float = 0.0  # monotonic seconds from which the session's join is announced
    door: Door = field(init=False)  # the arrival's, as the next two: these are asked for with each message
    terminal: bool = field(init=False)
    counted_as: str | None = field(init=False)  # see `Remote.counted_as`
    echo: bool = field(init=False)  # whether own messages come back. For terminals they do not, at first
    author: str = ""  # the identity of what is said now, once something is; `sign` returns it in any case
    last_line: float = float("-inf")
    """`last_input` as it was when the last line of a terminal was handled."""
    told_once: tuple[str, ...] = ()  # texts that a terminal is told only once, and has been told
    paid_until: float = 0.0
    """Monotonic seconds up to which the session has used its rate (`core.sessions.rate_limit`), while it has no
    identity."""
    _rooms: Mapping[str, RoomReading] | None = None  # a page's; for a terminal's one a dict would cost 200 bytes
    room: RoomReading | None = None  # where a terminal talks; None for a page, which names a room each time
    owed: bytes = b""
    identity: Identity | None = None
    """Who the peer is across connections; a terminal has none until it asks for a code."""
    preferences: Preferences = UNSET
    private_waits: Callable[[str], None] | None = None
    """To be called with the sender's name when something private has come, where the door may keep it back (/hold)."""
    operator: Operator | None = None  # who has logged in on this connection
    _flushed: list[Callable[[], None]] | None = None
    blocked: bool = False  # the transport took less than it was offered; it calls `hub.pump` when it can take more
    choked: bool = False  # whether so much is owed that input is held until it has gone out
    held: int = 0  # how many things (rate, journal, output) input waits for; the door reads on when it is 0 again
    pending: int = 0  # own messages that are not committed yet
    greeted: bool = False  # a terminal got its greeting, or spoke first; or a browser has said hello
    ending: bool = False  # whether the peer has stopped sending: close when what it is owed has gone out
    closed: bool = False
    tap: Watcher | None = None  # an operator watches: doors pass on to it what comes in
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    skipped: int = 0  # messages the session was told it missed

    def __post_init__(self) -> None:
        arrival = self.arrival
        self.door, self.terminal, self.echo = arrival.door, arrival.terminal, not arrival.terminal
        self.counted_as = counted_as(arrival.address, arrival.proxy)

    @property
    def address(self) -> str:
        """See `Arrival`."""
        return self.arrival.address

    @property
    def proxy(self) -> str | None:
        """See `Arrival`."""
        return self.arrival.proxy

    @property
    def agent(self) -> str | None:
        """See `Arrival`."""
        return self.arrival.agent

    @property
    def encrypted(self) -> bool:
        """See `Arrival`."""
        return self.arrival.encrypted

    @property
    def id(self) -> str:
        """The session's number as people see it."""
        return f"{self.number:x}"

    @property
    def connections(self) -> list["Session"]:
        """The same person's connections, the earliest first."""
        return [self] if self.identity is None else self.identity.connections

    @property
    def own_id(self) -> str:
        """The identity of what is said before the peer is known."""
        return f"~{self.number:x}-{self.connected_at:x}"

    @property
    def authors(self) -> tuple[str, str]:
        """The identities under which the peer has spoken on this connection."""
        return self.own_id, self.sign()

    def sign(self) -> str:
        """The identity of what is said now. Made when it is first asked for: most connections only read."""
        if not self.author:
            self.author = self.own_id
        return self.author

    def over(self) -> None:
        """The session has ended: nothing is sent or taken any more."""
        self.closed = self.blocked = True

    def heard(self, now: float) -> None:
        """The peer has sent something at `now`, monotonic seconds."""
        self.last_input = now

    def greet(self) -> None:
        """The peer has received its greeting, or wants none."""
        self.greeted = True

    def call(self, nick: str) -> None:
        """The session has this nick from now on."""
        self.nick = nick

    def prove(self, identity: Identity) -> None:
        """The peer is known to be this identity, whose connections share one rate."""
        identity.paid_until = max(identity.paid_until, self.paid_until)
        self.identity, self.author = identity, identity.id

    def is_known(self) -> None:
        """The peer was connected a moment ago, or has been for long enough: its next join need not wait."""
        self.announce_at = 0.0

    def log_in(self, operator: Operator | None) -> None:
        """An operator has logged in on this connection; None: logged out."""
        self.operator = operator

    @property
    def rooms(self) -> Mapping[str, RoomReading]:
        """What the session reads, by the names of the rooms."""
        return self._rooms or {} if self.room is None else {self.room.place[0]: self.room}

    @property
    def room_names(self) -> tuple[str, ...]:
        """The names of those rooms."""
        return tuple(self._rooms or ()) if self.room is None else (self.room.place[0],)

    def enter(self, name: str, reading: RoomReading) -> None:
        """Read the room of that name; a terminal talks there from now on, and has left where it was."""
        if self.terminal:
            self.room = reading
        else:
            self._rooms = {**self.rooms, name: reading}

    def leave(self, name: str, reading: RoomReading) -> None:
        """Stop reading the room of that name."""
        if self.room is reading:
            self.room = None
        elif not self.terminal:
            self._rooms = {each: reading for each, reading in self.rooms.items() if each != name}

    def end_input(self) -> None:
        """The peer has stopped sending."""
        self.ending = True

    def show_own(self, echo: bool) -> None:
        """Whether own messages come back."""
        self.echo = echo

    def prefer(self, preferences: Preferences) -> None:
        """The person has set something."""
        self.preferences = preferences

    def when_private_waits(self, tell: Callable[[str], None] | None) -> None:
        """See `private_waits`."""
        self.private_waits = tell

    def use(self, wire: Wire) -> None:
        """Write in another wire format from now on."""
        self.wire = wire

    def watch(self, tap: Watcher | None, transport: Transport) -> None:
        """An operator watches what comes in (None: no longer), through `transport`, which wraps the session's own."""
        self.tap, self.transport = tap, transport

    def tell(self, event: Event) -> None:
        """Owe the session an event; it goes out at the end of this tick."""
        self.owe(self.wire.event(event, self.nick))

    def owe(self, data: bytes) -> None:
        """Owe the session bytes in its wire format."""
        if data and not self.closed:
            self.owed += data
            self._delivery.owes(self)
            if len(self.owed) >= OWED_BYTES and not self.choked:
                self.choked = True
                self.hold()

    def flush(self) -> None:
        """Offer what is owed to the transport. Afterwards either nothing is owed or the session is blocked."""
        if self.owed and not self.blocked:
            try:
                taken = self.transport.send(self.owed)
            except Exception as problem:
                self.broke(problem)
                return
            self.bytes_out += taken
            self.counters.bytes_out += taken
            self.owed = self.owed[taken:]
            if self.owed:
                self.block()
            elif self.choked or self._flushed:
                self._all_out()

    def broke(self, problem: Exception) -> None:
        """The transport raised, which none should: that ends this session only."""
        self.block()
        self._delivery.fails(self, problem)

    def block(self) -> None:
        """The transport took less than it was offered."""
        self.blocked = True
        self.counters.blocked[self] = None

    def unblock(self) -> None:
        """The transport can take more again."""
        self.blocked = False
        self.counters.blocked.pop(self, None)

    def skip(self, messages: int) -> None:
        """Count messages that the peer is told to have missed."""
        self.skipped += messages
        self.counters.skipped += messages

    def received(self, size: int) -> None:
        """Count `size` bytes that came in."""
        self.bytes_in += size
        self.counters.bytes_in += size

    def when_flushed(self, job: Callable[[], None]) -> None:
        """Do `job` once when nothing is owed any more; something is owed now."""
        self._flushed = [*(self._flushed or ()), job]

    def _all_out(self) -> None:
        if self.choked:
            self.choked = False
            self.release()
        jobs, self._flushed = self._flushed or (), None
        for job in jobs:
            job()

    def note_line(self) -> None:
        """A terminal's line was handled."""
        self.last_line = self.last_input

    def note_told(self, words: str) -> None:
        """The terminal has been told a text that is told only once."""
        self.told_once = (*self.told_once, words)

    def hold(self) -> None:
        """Take no input until `release` has been called as often as `hold`."""
        self.held += 1

    def release(self) -> None:
        """Undo one `hold`."""
        self.held -= 1
        if not self.held and not self.closed:
            self.transport.resume()

    def wait_for(self, answer: Answer[Value | Refusal], use: Callable[[Value], object], id: str | None = None) -> None:
        """Take no input until the answer is there and has been handed to `use`. A Refusal is told instead, in answer to
        the request with that id."""
        self.hold()
        answer.then(partial(self._answered, use, id))

    def _answered(self, use: Callable[[Value], object], id: str | None, value: Value | Refusal) -> None:
        if isinstance(value, Refusal):
            self.tell(error_event(value, id))
        else:
            use(value)
        self.release()

    def lag(self) -> tuple[int, int]:
        """How far the session is behind: (messages, bytes)."""
        messages = 0
        size = len(self.owed)
        for reading in self.rooms.values():
            behind, its_bytes = reading.lag()
            messages += behind
            size += its_bytes
        return messages, size

    def taken(self) -> tuple[int, int | None]:
        """See `core.delivery.Blocked`; one or two system calls."""
        kernel = self.transport.kernel()
        return self.bytes_out, None if kernel is None else kernel.acked_bytes

    def unsent_since(self) -> int | None:
        """When the oldest message the session has not received was sent, in ms since 1970; None when it has all."""
        found = (reading.unsent_since() for reading in self.rooms.values())
        return min((ts for ts in found if ts is not None), default=None)
