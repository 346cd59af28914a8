"""Session: one peer of the gateway, whatever door it came through.

A session has no queue of messages: it reads the logs of its rooms by cursors (`core.rooms.fanout.Member`). What is owed
to it alone (replies, errors, the tail of a message its socket cut) is in `owed`, which always goes out before anything
from a log. While more than OWED_BYTES are owed its input is held, so `owed` is bounded by that and one reply.

A session is changed by its verbs. Two kinds of number are written from outside, because a call for each would cost
too much: the counts that the fan-out keeps per reader and per message (`core.rooms.fanout`, `core.rooms.catch_up`), and
`paid_until`, which belongs to the rate limit (`core.sessions.rate_limit`).

This file is below rooms: it sees its members only as `RoomReading`s, and `core.rooms.fanout` gives them back as
`Member`s.
"""

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from gateway.core.answer import Answer
from gateway.core.delivery import Delivery
from gateway.core.ports import Person, Transport
from gateway.core.protocol.events import Event, error_event
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import Wire
from gateway.core.roles import Operator
from gateway.core.stats.counters import Counters
from gateway.errors import Refusal

Value = TypeVar("Value")

OWED_BYTES = 65536
"""Bytes of output owed to one session above which its input is held and room-wide events are left out."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a door knows of a peer at the start. `proxy` is the address of the proxy that reported `address`; None: the
    peer itself is connected to us. `agent` is the program at the other end, as it names itself; `encrypted`: the
    connection is protected by TLS; `terminal`: it talks in lines, in one room at a time, whatever its door."""

    door: Door
    address: str
    proxy: str | None = None
    agent: str | None = None
    encrypted: bool = False
    terminal: bool = False


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


class Watcher(Protocol):
    """Receives what a session's peer sends (`core.sessions.trace`)."""

    def heard(self, data: bytes) -> None:
        """The peer has sent this."""


class Identity:
    """One user across connections (`core.sessions.identity`). `session` is the open connection, None while absent since
    `gone_at` (ms since 1970); `rooms` are name, epoch and last number read of each room it was in."""

    __slots__ = ("gone_at", "holds_nick", "id", "nick", "resumed", "rooms", "session")

    def __init__(self, id: str, nick: str, rooms: tuple[tuple[str, str, int], ...] = (), gone_at: int = 0) -> None:
        self.id = id
        self.nick = nick
        self.rooms = rooms
        self.gone_at = gone_at
        self.session: Session | None = None
        self.holds_nick = True
        self.resumed = 0
        """How often it has resumed on another connection, since the gateway started."""

    def note(self) -> None:
        """Remember its session's nick and rooms, for when it comes back."""
        session = self.session
        if session is not None:
            self.nick = session.nick
            self.rooms = tuple(each.place for each in session.rooms.values())

    def person(self) -> Person:
        """What the journal stores of it."""
        return Person(self.id, self.nick, self.rooms, 0 if self.session is not None else self.gone_at)


@dataclass(slots=True, eq=False, repr=False)
class Session:
    """What the hub knows of one connection. Only the hub changes it; doors read it."""

    number: int
    nick: str
    arrival: InitVar[Arrival]
    transport: Transport
    wire: Wire
    _delivery: Delivery
    counters: Counters
    door: Door = field(init=False)
    address: str = field(init=False)
    proxy: str | None = field(init=False)
    agent: str | None = field(init=False)
    encrypted: bool = field(init=False)
    terminal: bool = field(init=False)
    echo: bool = field(init=False)
    """Whether own messages come back. For terminals they do not, at first."""
    connected_at: int = 0  # milliseconds since 1970 UTC
    announce_at: float = 0.0
    """Monotonic seconds from which the session's join is announced."""
    last_input: float = 0.0
    """When the peer last sent something, in monotonic seconds."""
    last_line: float = float("-inf")
    """`last_input` as it was when the last line of a terminal was handled."""
    told_once: tuple[str, ...] = ()
    """Texts that a terminal is told only once, and has been told."""
    paid_until: float = 0.0
    """Monotonic seconds up to which the session has used its rate (see `core.sessions.rate_limit`)."""
    rooms: dict[str, RoomReading] = field(default_factory=dict)
    room: RoomReading | None = None
    """The room a terminal talks in; None for a browser session, which names a room each time."""
    owed: bytes = b""
    identity: Identity | None = None
    """Who the peer is across connections; a terminal has none until it asks for a code."""
    operator: Operator | None = None
    """The operator who has logged in on this connection."""
    _flushed: list[Callable[[], None]] | None = None
    blocked: bool = False
    """The transport took less than it was offered; it calls `hub.pump` when it can take more."""
    choked: bool = False
    """Whether so much is owed that input is held until it has gone out."""
    held: int = 0
    """How many things (rate, journal, output) input waits for; the door reads on when it is 0 again."""
    pending: int = 0
    """Own messages that are not committed yet."""
    greeted: bool = False
    """Whether a terminal got its greeting, or spoke first; or a browser has said hello."""
    ending: bool = False
    """Whether the peer has stopped sending: close when what it is owed has gone out."""
    closed: bool = False
    tap: Watcher | None = None
    """An operator watches: doors pass on to it what comes in."""
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    skipped: int = 0  # messages the session was told it missed

    def __post_init__(self, arrival: Arrival) -> None:
        self.door, self.address, self.proxy = arrival.door, arrival.address, arrival.proxy
        self.agent, self.encrypted, self.terminal = arrival.agent, arrival.encrypted, arrival.terminal
        self.echo = not arrival.terminal

    @property
    def id(self) -> str:
        """The session's number as people see it."""
        return f"{self.number:x}"

    # What happens to it

    def begin(self, wall: int, now: float, announce_at: float) -> None:
        """The session begins at `wall` (ms since 1970), `now` in monotonic seconds; announce it from `announce_at`
        on."""
        self.connected_at, self.last_input, self.announce_at = wall, now, announce_at

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
        """The peer is known to be this identity."""
        self.identity = identity

    def is_known(self) -> None:
        """The peer was connected a moment ago: its join need not be announced."""
        self.announce_at = 0.0

    def log_in(self, operator: Operator | None) -> None:
        """An operator has logged in on this connection; None: logged out."""
        self.operator = operator

    def enter(self, name: str, reading: RoomReading) -> None:
        """Read the room of that name; a terminal talks there from now on."""
        self.rooms[name] = reading
        if self.terminal:
            self.room = reading

    def leave(self, name: str) -> None:
        """Stop reading the room of that name."""
        self.rooms.pop(name, None)

    def end_input(self) -> None:
        """The peer has stopped sending."""
        self.ending = True

    def submitted(self) -> None:
        """An own message is on its way to the journal."""
        self.pending += 1

    def answered(self) -> None:
        """An own message was committed or refused."""
        self.pending -= 1

    def show_own(self, echo: bool) -> None:
        """Whether own messages come back."""
        self.echo = echo

    def use(self, wire: Wire) -> None:
        """Write in another wire format from now on."""
        self.wire = wire

    def watch(self, tap: Watcher | None, transport: Transport) -> None:
        """An operator watches what comes in (None: no longer), through `transport`, which wraps the session's own."""
        self.tap, self.transport = tap, transport

    # What it is sent

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
