"""Terminals: what a whole line from netcat or telnet means, and what such a peer is told unasked.

A terminal is in the lobby the moment it connects and talks in one room at a time. Somebody who waits is greeted; who
speaks first is a script and gets no greeting. Who speaks too fast is read more slowly, never refused.
"""

from gateway.core import sanitize
from gateway.core.doors import commands
from gateway.core.doors.join import Greeting
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.ports import Transport
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Error, History, Notice
from gateway.core.protocol.message import Door
from gateway.core.protocol.refusals import error_event
from gateway.core.protocol.wire import Wire, as_msg, people
from gateway.core.rooms.fanout import talks_in
from gateway.core.rooms.history import Past, Range
from gateway.core.rooms.registry import LOBBY
from gateway.core.sessions.session import Arrival, Session
from gateway.errors import Code, Refusal

GREET_AFTER = 0.1
"""Seconds without input after which a peer is greeted."""


class Terminals:
    """The terminal doors' side of the hub."""

    def __init__(self, hub: Hub, operators: Operators, greeting: Greeting) -> None:
        self.hub = hub
        self._operators = operators
        self._greeting = greeting

    def connect(self, transport: Transport, wire: Wire, arrival: Arrival) -> Session:
        """A new session in the lobby; `arrival` says `terminal`. It reads once it is greeted or has spoken."""
        session = self.hub.connect(transport, wire, arrival)
        self.hub.enter(session, self.hub.rooms[LOBBY])
        self.hub.clock.later(GREET_AFTER, lambda: self._greet(session))
        return session

    def heard(self, session: Session) -> None:
        """The peer has sent something."""
        session.heard(self.hub.clock.now())
        if not session.greeted:
            session.greet()
            member = talks_in(session)
            if member is not None:
                member.room.attach(member)

    def line(self, session: Session, line: bytes) -> None:
        """Handle one line, without its end. Afterwards the session may be held: hand in no more until it resumes."""
        self.hub.pace.pay(session)
        if line:
            try:
                self._understand(session, sanitize.decode(line))
            except Refusal as refusal:
                session.tell(error_event(refusal))
        self.hub.pace.slow_down(session)

    def too_long(self, session: Session, size: int) -> None:
        """A line was longer than text.LINE_BYTES and has been skipped; `size` bytes of it were seen so far."""
        self.hub.pace.pay(session)
        words = f"more than {sanitize.LINE_BYTES:,} bytes in a line, limit {sanitize.TEXT_BYTES:,} of text; not sent"
        session.tell(Error(Code.TOO_LONG, words))
        self.hub.pace.slow_down(session)

    def notice(self, session: Session, words: str) -> None:
        """Tell the session something in the server's voice."""
        session.tell(Notice(words))

    def hang_up(self, session: Session, reason: str) -> None:
        """Close a session whose peer broke the protocol of its door."""
        self.hub.close(session, CloseReason.BAD_TELNET, reason)

    def _understand(self, session: Session, line: str) -> None:
        member = talks_in(session)
        if member is None:
            raise Refusal(Code.NOT_JOINED, "join a room first: /join lobby")
        if line == "quit":
            commands.run(self.hub, self._operators, session, member, "/quit")
        elif commands.named_command(line):
            commands.run(self.hub, self._operators, session, member, line)
        else:
            self.hub.say(member, sanitize.line(line.removeprefix("/") if line.startswith("//") else line))

    def _greet(self, session: Session) -> None:
        member = talks_in(session)
        if session.closed or session.greeted or member is None:
            return
        session.greet()
        others = member.room.count - 1
        here = f"{people(others)} besides you." if others else f"you are alone.\n{self._greeting.invitation()}".rstrip()
        session.tell(
            Notice(
                f"You are {session.nick} in #{member.room.name}: {here}\n"
                "/nick NAME names you, /help lists the rest, /quit leaves.\n"
                + ("A line got in the way of yours? Ctrl-R shows it again." if session.door is Door.TCP else
                   "Type and press Enter: everybody in the room reads it.")
            )
        )  # fmt: skip
        if self._greeting.motd:
            session.tell(Notice(self._greeting.motd))

        def read(past: Past | Refusal) -> None:
            if session.room is not member:
                return
            if isinstance(past, Past) and past.messages:
                session.tell(History(LOBBY, [as_msg(message) for message in past.messages], past.more))
                member.cursor = past.messages[-1].seq
            member.room.attach(member)

        self.hub.library.read(LOBBY, Range(limit=commands.TERMINAL_RECENT), read)
