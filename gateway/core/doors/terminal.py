"""Terminals: what a whole line from netcat or telnet means, and what such a peer is told without asking.

A terminal is in the lobby the moment it connects and talks in one room at a time. A peer that waits is greeted; one
that sends first is a script and gets no greeting. A peer that sends too fast is read more slowly, never refused.

New users type `help` or `exit` and mean a command; a script that posts the word `help` means the word. A person types
one line at a time: such a word is asked about, once, when no other line came within ALONE_SECONDS before or after it
and the peer has not half-closed. Otherwise it is a message like any other.
"""

from collections.abc import Sequence

from gateway import wording
from gateway.core import sanitize
from gateway.core.clock import Delay
from gateway.core.doors import commands
from gateway.core.doors.join import TERMINAL_RECENT, Greeting, show_history
from gateway.core.doors.post import say_at_length
from gateway.core.doors.who import serve_whois
from gateway.core.hub import Hub
from gateway.core.operators.assembly import Operators
from gateway.core.ports.transport import Arrival, Transport
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.events import Error, Notice, error_event
from gateway.core.protocol.message import Door
from gateway.core.protocol.wire import Lines, besides
from gateway.core.rooms.fanout import Member, talks_in
from gateway.core.rooms.history import Past, Range
from gateway.core.rooms.registry import LOBBY
from gateway.core.sessions.session import Session
from gateway.errors import Code, Refusal

GREET_AFTER = 0.1
"""Seconds without input after which a peer is greeted. All that reaches us of a peer is posted; but one that waits
longer before its first byte, never reads and closes both ways (`exec 3<>/dev/tcp/…; sleep 1; for …; exec 3>&-`) may
lose lines after the first ten or so: with our greeting unread its kernel answers the close with a reset, and throws
away what it has not sent yet because we had not acknowledged what came before. That cannot be mended from here but by
not greeting; every netcat reads, and loses nothing."""
ALONE_SECONDS = 0.1
"""Seconds: a line with no other line this close to it was typed by a person."""
QUESTIONS = {
    "help": wording.MEANT_HELP,
    "?": wording.MEANT_QUESTION_MARK,
    "exit": wording.MEANT_EXIT,
}
"""The question about a line that consists of this word only."""
WORDS = frozenset({"quit", *QUESTIONS})
WORD_LENGTH = 16
"""Characters; a line that long is none of the words that mean something without a slash."""
LEAVING_KEYS = ("\x03", "\x04")
"""^C and ^D, where the terminal sends them instead of ending the program."""


class Terminals:
    """The terminal doors' side of the hub."""

    def __init__(self, hub: Hub, operators: Operators, greeting: Greeting) -> None:
        self.hub = hub
        self._operators = operators
        self.greeting = greeting
        self._drafts = hub.pastes.drafts
        self._questions: dict[Session, str] = {}
        """Words that may be meant as commands, until it is known that they came alone."""
        self._silent: Delay[Session] = Delay(hub.clock, GREET_AFTER, self.greet)
        serve_whois(hub)

    def connect(self, transport: Transport, wire: Lines, arrival: Arrival, local: str | None = None) -> Session:
        """A new session in the lobby; `arrival` says `terminal`. It reads the room once it is greeted or has sent
        something. `local` is the address at which the peer reached us, if it is the peer that is connected to us."""
        session = self.hub.connect(transport, wire.at(self.greeting.ways_in.address(local)), arrival)
        self.hub.enter(session, self.hub.rooms[LOBBY])
        if arrival.door is not Door.TELNET:  # there the greeting waits until it is known what the terminal can do
            self._silent.add(session)
        return session

    def heard(self, session: Session) -> None:
        """The peer has sent something, perhaps no more than its telnet client's negotiation."""
        session.heard(self.hub.clock.now())

    def spoke(self, session: Session) -> None:
        """The peer has sent text. One that has not been greeted yet is a script: it wants no greeting."""
        if not session.greeted:
            session.greet()
            member = talks_in(session)
            if member is not None:
                member.room.attach(member)

    def line(self, session: Session, line: bytes) -> None:
        """Handle one line, without its end. Afterwards the session may be held: pass in no more until it resumes."""
        if self._drafts and session in self._drafts:
            self._paste(session, line)
            return
        self.hub.rate_limit.pay(session)
        if self._questions and session in self._questions:
            self._say_after_all(session)
        if line:
            try:
                self._understand(session, line)
            except Refusal as refusal:
                session.tell(error_event(refusal))
            session.note_line()
        self.hub.rate_limit.slow_down(session)

    def lines(self, session: Session, lines: Sequence[bytes]) -> int:
        """Handle together as many of the first lines as are nothing but messages; return how many, perhaps none. What
        comes of them is what would have come of `line` for each, at a third of the price."""
        member = talks_in(session)
        if member is None or session in self._drafts:
            return 0
        texts = sanitize.unchanged(lines)
        longer = min(map(len, texts), default=0) >= WORD_LENGTH
        for count, text in enumerate(() if longer and "/" not in "".join(texts) else texts):
            if ("/" in text and (text[0] == "/" or commands.named_command(text))) or (
                len(text) < WORD_LENGTH and text.rstrip().casefold() in WORDS
            ):
                del texts[count:]
                break
        if not texts:
            return 0
        del texts[self.hub.rate_limit.pay(session, len(texts)) :]
        if self._questions and session in self._questions:
            self._say_after_all(session)
        try:
            self.hub.say(member, texts)
        except Refusal as refusal:
            for _ in texts:
                session.tell(error_event(refusal))
        session.note_line()
        self.hub.rate_limit.slow_down(session)
        return len(texts)

    def half_closed(self, session: Session) -> None:
        """The peer has half-closed, and all its lines have been handled."""
        if session in self._questions:
            self._say_after_all(session)
        if session in self.hub.pastes.drafts:
            self._paste_all(session)

    def pastes(self, session: Session) -> bool:
        """Whether the session's lines are those of a paste, which may be of any length."""
        return session in self._drafts

    def too_long(self, session: Session, text: bytes | None, ends: bool = True) -> None:
        """A line was longer than sanitize.LINE_BYTES. `text` is the line, or a piece of it that does not end it; None:
        it is skipped."""
        if text is not None and session in self._drafts:
            self._paste(session, text, ends)
            return
        self.hub.rate_limit.pay(session)
        words = wording.LINE_TOO_LONG.format(line=sanitize.LINE_BYTES, limit=sanitize.TEXT_BYTES)
        session.tell(Error(Code.TOO_LONG, words))
        self.hub.rate_limit.slow_down(session)

    def _paste(self, session: Session, line: bytes, ends: bool = True) -> None:
        """One line of a paste, or a piece of one; it counts as a message for each TEXT_BYTES that have begun."""
        messages = self.hub.pastes.add(session, line, ends)
        if messages is None:
            self._paste_all(session)
        for _ in range(messages or 0):
            self.hub.rate_limit.pay(session)
        session.note_line()
        self.hub.rate_limit.slow_down(session)

    def _paste_all(self, session: Session) -> None:
        """The paste is complete: say it."""
        try:
            text, member = self.hub.pastes.end(session), talks_in(session)
            if member is None:
                raise Refusal(Code.NOT_JOINED, wording.JOIN_LOBBY_FIRST)
            say_at_length(self.hub, member, text)
        except Refusal as refusal:
            session.tell(error_event(refusal))

    def notice(self, session: Session, words: str) -> None:
        """Tell the session something in the server's voice."""
        session.tell(Notice(words))

    def not_utf8(self, session: Session) -> None:
        """Something that the peer sent was not UTF-8, or its terminal says that it will not be."""
        self._tell_once(session, wording.NOT_UTF8)

    def hang_up(self, session: Session, reason: str) -> None:
        """Close a session whose peer broke the protocol of its door."""
        self.hub.close(session, CloseReason.BAD_TELNET, reason)

    def _understand(self, session: Session, raw: bytes) -> None:
        try:
            line = raw.decode()
        except UnicodeDecodeError:  # the peer is told so once, for it cannot see what others see
            self.not_utf8(session)
            line = sanitize.decode(raw)
        member = talks_in(session)
        if line[0] == "\ufeff":
            line = line.lstrip("\ufeff")
        if "/" in line and commands.named_command(line):
            commands.run(self.hub, self._operators, session, member, line)
        elif len(line) < WORD_LENGTH and self._is_word(session, member, line):
            return
        elif member is None:
            raise Refusal(Code.NOT_JOINED, wording.JOIN_LOBBY_FIRST)
        elif line:
            self.hub.say(member, [sanitize.line(line.removeprefix("/") if line.startswith("//") else line)])

    def _is_word(self, session: Session, member: Member | None, line: str) -> bool:
        """Whether the line is a single word that means something without a slash; then that has been done."""
        word = line.rstrip()
        if word == "quit":
            commands.run(self.hub, self._operators, session, member, "/quit")
        elif word in LEAVING_KEYS:
            session.tell(Notice(wording.HOW_TO_LEAVE))
        elif word.casefold() in QUESTIONS and self._may_ask(session, word.casefold()):
            self._questions[session] = line
            self.hub.clock.later(ALONE_SECONDS, lambda: self._ask(session))
        else:
            return False
        return True

    def _may_ask(self, session: Session, word: str) -> bool:
        """Whether the line, so far, came alone from somebody who has not been asked about the word before."""
        alone = session.last_input - session.last_line >= ALONE_SECONDS and not session.ending
        return alone and not session.wire.objects and QUESTIONS[word] not in session.told_once

    def _ask(self, session: Session) -> None:
        if session not in self._questions or session.closed:
            self._questions.pop(session, None)
        elif session.held:
            self.hub.clock.later(ALONE_SECONDS, lambda: self._ask(session))  # more lines may wait behind what holds it
        else:
            word = self._questions.pop(session).rstrip().casefold()
            self._tell_once(session, QUESTIONS[word])

    def _say_after_all(self, session: Session) -> None:
        """The word did not come alone: it is a message."""
        line = self._questions.pop(session)
        member = talks_in(session)
        if member is not None and not session.closed:
            try:
                self.hub.say(member, [sanitize.line(line)])
            except Refusal as refusal:
                session.tell(error_event(refusal))

    def _tell_once(self, session: Session, words: str) -> None:
        if words not in session.told_once:
            session.note_told(words)
            session.tell(Notice(words))

    def greet(self, session: Session) -> None:
        """Greet the session and show it the room's last messages, unless it was greeted or has spoken first."""
        member = talks_in(session)
        if session.closed or session.greeted or member is None:
            return
        session.greet()
        here = besides(member.room.count) + "."
        if member.room.count == 1:
            here = f"{here}\n{self.greeting.ways_in.invitation(reached_at(session))}".rstrip()
        hint = wording.GREETING_HINT_NETCAT if session.door is Door.TCP else wording.GREETING_HINT_TELNET
        session.tell(Notice(wording.GREETING.format(nick=session.nick, room=member.room.name, here=here, hint=hint)))
        if self.greeting.motd:
            session.tell(Notice(self.greeting.motd))

        def read(past: Past | Refusal) -> None:
            if session.room is not member:
                return
            if isinstance(past, Past) and past.messages:
                show_history(self.hub, session, past)
                member.cursor = past.messages[-1].seq
            member.room.attach(member)

        self.hub.history.read(LOBBY, Range(limit=TERMINAL_RECENT)).then(read)


def reached_at(session: Session) -> str | None:
    """The address at which the peer reached us; None where a proxy is connected to us instead, or nobody any more."""
    local = session.transport.traits().local if session.proxy is None else None
    return None if local is None else local.rpartition(":")[0].strip("[]")
