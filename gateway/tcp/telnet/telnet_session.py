"""A telnet session: what stands between the bytes of a terminal that speaks telnet and the lines of its chat.

Theory of this file. On the plain door there is none until a peer speaks telnet or sets something that changes how its
lines look (`core.protocol.line_style`). On the telnet door the peer is offered what `tcp.telnet.negotiation` describes,
OFFER_AFTER seconds after it came; one that sends text before that is a script and is offered nothing. One that
negotiates before that is asked first and offered the echo when it has answered: many MUD clients begin so, and the echo
would hide what is typed there. When the peer has answered everything, or ANSWER_SECONDS later, it is greeted.

What the protocol itself has to say goes out through `write`, past the session: it may stand between any two lines, and
a peer that takes nothing must not find its window's size queued behind the room's log.
"""

from typing import Final

from gateway import wording
from gateway.core.doors.preferences import use_lines
from gateway.core.ports.transport import Traits
from gateway.core.protocol.line_style import UNSET, LineStyle
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import clock
from gateway.tcp.editor.editor import BELL
from gateway.tcp.editor.session import EditorSession, Line
from gateway.tcp.telnet.negotiation import ANSWER_SECONDS, OFFER_AFTER, Negotiation
from gateway.tcp.telnet.parser import Event, Signal, Telnet, Violation
from gateway.tcp.telnet.q_method import IAC, NOP

NOP_EVERY = 60.0
"""Seconds between two NOPs, which keep a translated connection from being forgotten."""
HOLD_OPEN = 0.3
"""Seconds after a line in which what comes is shown with /hold on: the answer to the line, and what has waited."""
BELL_SECONDS = 5.0
UNSENT_BYTES = 1 << 17
"""Replies of the protocol that wait for a peer that reads nothing; what is more is not sent."""
ERASURES: Final = {Signal.ERASE_CHARACTER: b"\x7f", Signal.ERASE_LINE: b"\x15"}
"""The keys that do the same in the editor."""
ANSWERS: Final = {Signal.ARE_YOU_THERE: wording.STILL_HERE, Signal.INTERRUPT: wording.HOW_TO_LEAVE}


class TelnetSession:
    """One connection's. `telnet` is the parser of a peer at the plain door that has begun to speak telnet."""

    __slots__ = ("_decided", "_editor", "_line", "_negotiation", "_offered", "_opened", "_rang",
                 "_sends_lines", "_set", "_style", "_told_of_private", "_unsent")  # fmt: skip

    def __init__(self, line: Line, telnet: Telnet | None = None) -> None:
        self._line = line
        self._negotiation = Negotiation(telnet)
        self._offered = self._decided = telnet is not None
        self._sends_lines = False
        self._editor: EditorSession | None = None
        self._style = LineStyle()
        self._set = UNSET
        """What the person had set when it was last looked at."""
        self._opened = self._rang = float("-inf")
        """When a line was last taken, and when the bell was last rung, in monotonic seconds."""
        self._told_of_private = False
        """Whether it has been said, since Enter was last pressed, that a private message waits."""
        self._unsent = b""
        """What the socket has not taken yet."""

    def begin(self) -> None:
        """The peer has connected to the telnet door."""
        self._line.door.server.later(OFFER_AFTER, self._offer)

    # What comes in

    def receive(self, data: bytes) -> None:
        """Take what was received."""
        for piece in self._negotiation.feed(data):
            if isinstance(piece, bytes):
                self._take_text(piece)
            else:
                self._take_event(piece)
        if not self._offered and b"\xff" in data:
            self._ask()
        self._answer()
        if self._decided:
            self._change_echo()
        elif self._offered and self._negotiation.settled:
            self._decide()
        if self._editor is not None:
            self._editor.resize(self._negotiation.width, self._negotiation.height)

    def _take_text(self, text: bytes) -> None:
        """Text goes into the editor; without one, and of a peer that turns out to have its own, to the session."""
        if self._editor is None:
            self._sends_lines |= b"\n" in text and not self._decided and not self._negotiation.echo_offered
        elif self._editor.is_whole_line(text):
            self._sends_lines = True
            self._change_echo()
        else:
            self._editor.receive(text)
            return
        self._line.receive_text(text)

    def _take_event(self, event: Event) -> None:
        session, terminals = self._line.session, self._line.door.terminals
        if event is Signal.INTERRUPT and self._editor is not None:
            self._editor.interrupt()
        elif isinstance(event, Signal) and event in ERASURES:
            if self._editor is not None:
                self._editor.receive(ERASURES[event])
            else:
                self._line.lines.erase(whole=event is Signal.ERASE_LINE)
        elif isinstance(event, Signal):
            terminals.notice(session, ANSWERS[event])
        elif isinstance(event, Violation):
            terminals.hang_up(session, event.reason)

    def rest(self) -> bytes:
        """At the end of input: text that a command might have been cut from."""
        return self._negotiation.rest()

    # What goes out

    def send(self, data: bytes) -> int:
        """Send lines of the session; the number of bytes taken, as `core.ports.transport.Transport.send`."""
        session, set = self._line.session, self._line.session.preferences
        if not self.write() or self._holds_back:
            return 0
        if self._editor is not None and not self._editor.ready:
            return 0
        if session.wire.objects or (set is UNSET and self._editor is None):
            return self._line.transmit(data)
        end = "\n" if session.door is Door.TCP else "\r\n"
        lines = self._style.apply(data.decode("utf-8", "replace").removesuffix(end).split(end), session.nick, set)
        rings = self._style.rings and self._rings(set.bell)
        if self._editor is not None:
            self._editor.show(lines, rings)
        else:
            self.write((BELL * rings + "".join(line + end for line in lines)).encode("utf-8", "replace"))
        return len(data)

    def after_lines(self) -> None:
        """The session has taken lines, commands among them."""
        set, before = self._line.session.preferences, self._set
        if set is not before:
            self._set = set
            if before.plain and not set.plain and self._style.by_minute:
                self._negotiation.offer_echo()
            self._line.session.when_private_waits(self._tell_of_private if set.hold else None)
            self._change_echo()
        self._told_of_private = False
        if set.hold or before.hold:
            self._opened = self._now()
            self._line.pump()

    @property
    def _holds_back(self) -> bool:
        """Whether what comes now waits for Enter."""
        return self._line.session.preferences.hold and self._now() - self._opened > HOLD_OPEN

    def _tell_of_private(self, sender: str) -> None:
        """A private message has come: if it waits, say so, once until Enter is pressed."""
        session = self._line.session
        seen = sender.casefold() not in session.preferences.ignored and not session.wire.objects
        if self._told_of_private or not seen or not self._holds_back:
            return
        self._told_of_private = True
        words, rings = f"-- {wording.PRIVATE_WAITS}", self._rings(session.preferences.bell)
        if self._editor is not None:
            self._editor.show([words], rings)
        else:
            end = "\n" if session.door is Door.TCP else "\r\n"
            self.write((BELL * rings + words + end).encode())

    def _now(self) -> float:
        return self._line.door.hub.clock.now()

    def _rings(self, wanted: bool | None) -> bool:
        """Whether to ring the bell for what came: by itself only in the editor, and not again within BELL_SECONDS."""
        ringing = (self._editor is not None if wanted is None else wanted) and self._now() - self._rang >= BELL_SECONDS
        if ringing:
            self._rang = self._now()
        return ringing

    def write(self, data: bytes = b"") -> bool:
        """Send bytes of the protocol, behind what waits already; return whether all has gone out."""
        if len(self._unsent) < UNSENT_BYTES:
            self._unsent += data
        if self._unsent:
            self._unsent = self._unsent[self._line.transmit(self._unsent) :]
        return not self._unsent

    def drain(self) -> bool:
        """The socket can take more; return whether the session may write to it."""
        drained = self.write()
        if drained and self._editor is not None:
            self._editor.drained()
        return not self._unsent

    def last_words(self, words: bytes) -> bytes:
        """What is written before the connection is closed: `words` behind what has not gone out."""
        if self._editor is None:
            return self._unsent + words
        lines = words.decode("utf-8", "replace").replace("\r\n", "\n").removesuffix("\n").split("\n")
        return self._unsent + self._editor.close(lines if words else [])

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
            self._sends_lines = True
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
        if self._negotiation.agreed:
            self._line.door.server.later(NOP_EVERY, self._keep_alive)
            session = self._line.session
            session.prefer(session.preferences.changed(timed=True, plain=self._negotiation.reads_aloud))
            use_lines(session)
        own_editor = self._sends_lines or self._negotiation.sends_lines or self._line.session.ending
        if not own_editor and not self._negotiation.echo_offered:
            self._negotiation.offer_echo()
        self._change_echo()
        if self._negotiation.other_charset:
            self._line.door.terminals.not_utf8(self._line.session)
        self._line.greet()

    def _change_echo(self) -> None:
        """Begin or end the editor, as the options are now."""
        found, set = self._negotiation, self._line.session.preferences
        possible = found.moves_cursor and not (self._sends_lines or found.sends_lines or set.plain)
        if found.echoes_by_half or (found.echoes and not possible):
            found.take_back_echo()
        self._answer()
        wanted = (possible and found.echoes) or set.keys
        self._style.colors = found.shows_colors or (wanted and not found.no_color and not found.terminal)
        if self._editor is None and wanted:
            self._style.by_minute = self._style.words_first = True
            self._style.minute = self._style.minute or clock(self._line.door.hub.clock.wall())
            self._editor = EditorSession(self._line, self.write, (found.width, found.height), found.terminal)
            self._editor.keys_seen = set.keys
            half = self._line.lines.rest()
            if half:
                self._editor.receive(half)
            self._editor.draw()
        elif self._editor is not None and not wanted:
            self.write(self._editor.close([]))
            self._line.session.show_own(False)
            self._style.words_first = False
            self._editor = None

    def _keep_alive(self) -> None:
        if not self._line.session.closed:
            if not self._unsent:
                self.write(bytes((IAC, NOP)))
            self._line.door.server.later(NOP_EVERY, self._keep_alive)
