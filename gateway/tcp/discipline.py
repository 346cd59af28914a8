"""The line discipline: what stands between a terminal connection's bytes and the lines of its session.

Theory of this file. On the plain door there is none until a peer speaks telnet. On the telnet door the peer is offered
what `tcp.negotiation` describes, OFFER_AFTER seconds after it came; one that sends text before that is a script and is
offered nothing. One that negotiates before that is asked first and offered the echo when it has answered: many MUD
clients begin so, and the echo would hide what is typed there. When the peer has answered everything, or ANSWER_SECONDS
later, it is greeted.

What the protocol itself has to say goes out through `write`, past the session: it may stand between any two lines, and
a peer that takes nothing must not find its window's size queued behind the room's log.
"""

from typing import Final, Protocol

from gateway import wording
from gateway.core.doors.terminal import Terminals
from gateway.core.hub import Hub
from gateway.core.ports import Traits
from gateway.core.sessions.session import Session
from gateway.tcp.negotiation import Negotiation
from gateway.tcp.server import Server
from gateway.tcp.telnet import IAC, NOP, Signal, Telnet, Violation

OFFER_AFTER = 0.03
"""Seconds: a script's first line comes sooner, and nobody types that fast."""
ANSWER_SECONDS = 0.5
"""A peer that has not answered by then is served like one at the plain door."""
NOP_EVERY = 60.0
"""Seconds between two NOPs, which keep a translated connection from being forgotten."""
UNSENT_BYTES = 1 << 17
"""Replies of the protocol that wait for a peer that reads nothing; what is more is not sent."""
ANSWERS: Final = {Signal.ARE_YOU_THERE: wording.STILL_HERE, Signal.INTERRUPT: wording.HOW_TO_LEAVE}


class Doorway(Protocol):
    """What a discipline needs of the door (`tcp.door`)."""

    server: Server
    hub: Hub
    terminals: Terminals


class Line(Protocol):
    """The connection, as far as its discipline needs it."""

    session: Session

    @property
    def door(self) -> Doorway:
        """The door it came by."""

    def transmit(self, data: bytes) -> int:
        """Write to the socket; the number of bytes it took. When it can take more, `Discipline.write` is called."""

    def receive_text(self, text: bytes) -> None:
        """Take text without telnet in it."""

    def pump(self) -> None:
        """The hub may send more."""

    def greet(self) -> None:
        """Greet the peer, unless that was done."""


class Discipline:
    """One connection's. `telnet` is the parser of a peer at the plain door that has begun to speak telnet."""

    __slots__ = ("_decided", "_keeping_alive", "_line", "_negotiation", "_offered", "_unsent")

    def __init__(self, line: Line, telnet: Telnet | None = None) -> None:
        self._line = line
        self._negotiation = Negotiation(telnet)
        self._offered = self._decided = telnet is not None
        self._keeping_alive = False
        self._unsent = b""
        """What the socket has not taken yet."""

    def begin(self) -> None:
        """The peer has connected to the telnet door."""
        self._line.door.server.later(OFFER_AFTER, self._offer)

    # What comes in

    def receive(self, data: bytes) -> None:
        """Take what was received."""
        session, terminals = self._line.session, self._line.door.terminals
        for piece in self._negotiation.feed(data):
            if isinstance(piece, bytes):
                self._line.receive_text(piece)
            elif isinstance(piece, Signal):
                terminals.notice(session, ANSWERS[piece])
            elif isinstance(piece, Violation):
                terminals.hang_up(session, piece.reason)
        if not self._offered and b"\xff" in data:
            self._ask()
        self._answer()
        if not self._decided and self._negotiation.settled:
            self._decide()

    def rest(self) -> bytes:
        """At the end of input: text that a command might have been cut from."""
        return self._negotiation.rest()

    # What goes out

    def send(self, data: bytes) -> int:
        """Send lines of the session; the number of bytes taken, as `core.ports.Transport.send`."""
        return self._line.transmit(data) if self.write() else 0

    def write(self, data: bytes = b"") -> bool:
        """Send bytes of the protocol, behind what waits already; return whether all has gone out."""
        if len(self._unsent) < UNSENT_BYTES:
            self._unsent += data
        if self._unsent:
            self._unsent = self._unsent[self._line.transmit(self._unsent) :]
        return not self._unsent

    def last_words(self, words: bytes) -> bytes:
        """What is written before the connection is closed: `words` behind what has not gone out."""
        return self._unsent + words

    def add_to(self, traits: Traits) -> Traits:
        """The traits of the connection with those of its terminal."""
        found = self._negotiation
        return traits._replace(telnet=found.agreed, terminal=found.size, agent=found.program)

    # Negotiating

    def _offer(self) -> None:
        """The peer has had time to speak first."""
        session = self._line.session
        if session.closed or self._offered:
            return
        if session.bytes_in:
            self._decide()
        else:
            self._negotiation.offer_echo()
            self._ask()

    def _ask(self) -> None:
        self._offered = True
        self._negotiation.ask()
        self._answer()
        self._line.door.server.later(ANSWER_SECONDS, self._decide)

    def _answer(self) -> None:
        replies = self._negotiation.replies()
        if replies:
            self.write(replies)

    def _decide(self) -> None:
        """Everything has been answered, or it is time: serve the peer as far as is known."""
        if self._decided or self._line.session.closed:
            return
        self._offered = self._decided = True
        if self._negotiation.agreed and not self._keeping_alive:
            self._keeping_alive = True
            self._line.door.server.later(NOP_EVERY, self._keep_alive)
        if self._negotiation.echoes:
            self._negotiation.take_back_echo()
            self._answer()
        self._line.greet()

    def _keep_alive(self) -> None:
        if not self._line.session.closed:
            if not self._unsent:
                self.write(bytes((IAC, NOP)))
            self._line.door.server.later(NOP_EVERY, self._keep_alive)
