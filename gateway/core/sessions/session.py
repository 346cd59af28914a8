"""One peer of the gateway, whatever door he came through.

A session owns no queue of messages: it reads the logs of its rooms by cursors (`core.rooms.fanout.Member`). What is
owed to it alone (answers, errors, the tail of a message its socket cut) stands in `owed`, which always goes out before
anything from a log. While more than OWED_BYTES are owed its input is held, so `owed` is bounded by that and one answer.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.core.delivery import Delivery
from gateway.core.ports import Transport
from gateway.core.protocol.events import Event
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import Wire
from gateway.core.stats.counters import Counters

if TYPE_CHECKING:
    from gateway.core.roles import Operator
    from gateway.core.rooms.fanout import Member
    from gateway.core.sessions.identity import Identity
    from gateway.core.sessions.trace import Trace

OWED_BYTES = 65536
"""Per-session output in user space, in bytes, from which input is held and room-wide events are left out."""


class Session:
    """What the hub knows of one connection. Only the hub changes it; doors read it."""

    __slots__ = (
        "_delivery",
        "_flushed",
        "address",
        "agent",
        "announce_at",
        "blocked",
        "bytes_in",
        "bytes_out",
        "choked",
        "closed",
        "connected_at",
        "door",
        "echo",
        "encrypted",
        "ending",
        "greeted",
        "held",
        "identity",
        "last_input",
        "messages_in",
        "messages_out",
        "nick",
        "number",
        "operator",
        "owed",
        "paid_until",
        "pending",
        "proxy",
        "room",
        "rooms",
        "skipped",
        "tap",
        "terminal",
        "totals",
        "transport",
        "wire",
    )

    def __init__(
        self,
        number: int,
        nick: str,
        door: Door,
        address: str,
        transport: Transport,
        wire: Wire,
        delivery: Delivery,
        totals: Counters,
    ) -> None:
        self.number = number
        self.nick = nick
        self.door = door
        self.address = address
        self.proxy: str | None = None
        """The address of the proxy that told ours; None: the peer is connected to us."""
        self.transport = transport
        self.wire = wire
        self._delivery = delivery
        self.totals = totals
        self.connected_at = 0
        """Milliseconds since 1970 UTC."""
        self.announce_at = 0.0
        """Monotonic seconds from which the session's coming is news."""
        self.last_input = 0.0
        """Monotonic seconds."""
        self.paid_until = 0.0
        """Monotonic seconds up to which the session has used its rate (see `core.sessions.rate_limit`)."""
        self.rooms: dict[str, Member] = {}
        self.room: Member | None = None
        """The room a terminal talks in; None for a browser session, which names a room each time."""
        self.terminal = False
        """Talks in lines, in one room at a time, whatever door it came by."""
        self.owed = b""
        self.identity: Identity | None = None
        """Who the peer is across connections; a terminal has none until it asks for a code."""
        self.operator: Operator | None = None
        """Who has logged in here."""
        self.encrypted = False
        """The connection is protected by TLS."""
        self._flushed: list[Callable[[], None]] | None = None
        self.blocked = False
        """The transport took less than it was offered; it calls `hub.pump` when it can take more."""
        self.choked = False
        """So much is owed that input is held until it has gone out."""
        self.held = 0
        """Input waits for that many things (rate, journal, output); the door reads on when it is 0 again."""
        self.pending = 0
        """Own messages that are not committed yet."""
        self.echo = True
        """Own messages come back. Terminals start without."""
        self.greeted = False
        """A terminal got its greeting, or spoke first; a browser has said hello."""
        self.ending = False
        """The peer sends no more: close when what is owed to it has gone out."""
        self.closed = False
        self.agent: str | None = None
        """The program at the other end, as it calls itself; one text for all who call themselves the same."""
        self.tap: Trace | None = None
        """Somebody watches: doors tell it what comes in."""
        self.messages_in = self.messages_out = self.bytes_in = self.bytes_out = 0
        self.skipped = 0
        """Messages the session was told it missed."""

    @property
    def id(self) -> str:
        """The session's number as people see it."""
        return f"{self.number:x}"

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
        """Offer what is owed. Afterwards either nothing is owed or the session is blocked."""
        if self.owed and not self.blocked:
            taken = self.transport.send(self.owed)
            self.bytes_out += taken
            self.totals.bytes_out += taken
            self.owed = self.owed[taken:]
            if self.owed:
                self.block()
            elif self.choked or self._flushed:
                self._all_out()

    def block(self) -> None:
        """The transport took less than it was offered."""
        self.blocked = True
        self.totals.blocked[self] = None

    def unblock(self) -> None:
        """The transport can take more again."""
        self.blocked = False
        self.totals.blocked.pop(self, None)

    def skip(self, messages: int) -> None:
        """Count messages that the peer is told to have missed."""
        self.skipped += messages
        self.totals.skipped += messages

    def received(self, size: int) -> None:
        """Count `size` bytes that came in."""
        self.bytes_in += size
        self.totals.bytes_in += size

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

    def hold(self) -> None:
        """Take no input until `release` has been called as often as `hold`."""
        self.held += 1

    def release(self) -> None:
        """Undo one `hold`."""
        self.held -= 1
        if not self.held and not self.closed:
            self.transport.resume()

    def lag(self) -> tuple[int, int]:
        """How far the session is behind: (messages, bytes)."""
        messages = 0
        size = len(self.owed)
        for member in self.rooms.values():
            behind = member.room.log.head - member.cursor
            if behind:
                messages += behind
                size += member.room.log.lag_bytes(member.cursor)
        return messages, size

    def unsent_since(self) -> int | None:
        """When the oldest message that the session has not got was said, in ms since 1970; None when it has all."""
        oldest = None
        for member in self.rooms.values():
            message = member.room.log.next_after(member.cursor)
            if message is not None and (oldest is None or message.ts < oldest):
                oldest = message.ts
        return oldest
