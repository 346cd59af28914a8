"""The editor's session: when what is typed and what the room says reach the screen.

- What the room says comes as it does to any reader of its log, as whole lines joined in one piece, and only here
  becomes rows above the line: the room does not know of editors. At most BATCHES_PER_SECOND pieces are taken; meanwhile
  the session counts as blocked and reads its log later, all at once.
- Lines that were typed go into the same line buffer as other peers' lines, so rates and order are the same.
- Own messages come back from the room, in their place among the others. Until then nothing is shown of them.
- A terminal whose window becomes narrower while a long line is being typed is asked where its cursor is, which shows
  whether it has wrapped the row (`screen`), or, when only rows above the cursor's were too long, what it is. Nothing is
  drawn until it has answered, or ANSWER_SECONDS have passed.
"""

import re
from collections.abc import Callable
from typing import Final, Protocol

from gateway.core.doors.commands import named_command
from gateway.core.doors.completion import Completer
from gateway.core.doors.terminal import Terminals
from gateway.core.hub import Hub
from gateway.core.rooms.fanout import talks_in
from gateway.core.rooms.pastes import END, FOLLOWS, escaped
from gateway.core.sessions.session import Session
from gateway.tcp.editor.editor import Editor
from gateway.tcp.editor.keys import Report, TerminalKind
from gateway.tcp.editor.recall import Candidates
from gateway.tcp.editor.screen import ASK_KIND, ASK_POSITION
from gateway.tcp.lines import LineBuffer
from gateway.tcp.server import Server

BATCHES_PER_SECOND = 20
ESCAPE_SECONDS = 0.1
"""An ESC that nothing follows for so long was the Escape key."""
RESIZE_SECONDS = 0.1
"""A window is resized in many steps: this long after the last one its size is used."""
ANSWER_SECONDS = 0.3
"""How long a terminal has to say where its cursor is."""
WRAPPING: Final = re.compile(
    r"tmux|screen|kitty|alacritty|foot|vte|gnome|konsole|wezterm|ghostty|ms-term", re.IGNORECASE
)
"""Terminals known to wrap rows that have become too long."""
CUTTING: Final = re.compile(r"41;|8[235];|0;136;")
"""What xterm, screen, rxvt and PuTTY call themselves, which cut such rows off."""
TITLED: Final = re.compile(
    r"$|xterm|rxvt|tmux|screen|kitty|alacritty|foot|vte|gnome|konsole|wezterm|ghostty|ms-term|putty|mintty",
    re.IGNORECASE,
)
"""Terminals known to have a window with a title; also one that has not said what it is: its user asks for the title."""
KEEP_TITLE, SET_TITLE, RESTORE_TITLE = "\x1b[22;2t", "\x1b]2;{title}\x1b\\", "\x1b[23;2t"
OPEN_PASTE, DOT = f"/paste {FOLLOWS}", END.decode()
_WHOLE_LINE = re.compile(rb"[^\x00-\x1f\x7f]{2,}(?:\r\n|\n)")


class Doorway(Protocol):
    """What is needed of the door (`tcp.door`)."""

    server: Server
    hub: Hub
    terminals: Terminals


class Line(Protocol):
    """The connection, as far as it is needed here."""

    session: Session
    lines: LineBuffer

    @property
    def door(self) -> Doorway:
        """The door it came by."""

    def transmit(self, data: bytes) -> int:
        """Write to the socket; the number of bytes it took. When it can take more, `TelnetSession.write` is called."""

    def receive_text(self, text: bytes) -> None:
        """Take text without telnet in it."""

    def pump(self) -> None:
        """The hub may send more."""

    def greet(self) -> None:
        """Greet the peer, unless that was done."""


class EditorSession:
    """One terminal in the line editor. `write` sends bytes behind those that wait, and returns whether all has gone
    out; `terminal` is the terminal's type, as far as it is known."""

    __slots__ = ("_completer", "_drawn_at", "_editor", "_fed", "_line", "_pump_due", "_reflows", "_resizing", "_size",
                 "_stale", "_step", "_title", "_titled", "_typed", "_write", "keys_seen")  # fmt: skip

    def __init__(self, line: Line, write: Callable[[bytes], bool], size: tuple[int, int], terminal: str) -> None:
        self._line = line
        self._write = write
        self._editor = Editor(self)
        self._editor.screen.resize(*size, reflow=False)
        self._size = size
        self._completer = Completer(line.door.hub, line.session)
        self._reflows: bool | None = True if WRAPPING.search(terminal) else None
        """Whether the terminal wraps rows that have become too long; None: not known."""
        self._titled = TITLED.match(terminal) is not None
        self._title = ""
        """What we have made the window's title; empty: it has its own."""
        self._resizing = False
        self._step = 0
        """Counts what a resize waits for; a timer of an earlier step does nothing."""
        self._typed: list[str] = []
        self._fed = 0
        self._drawn_at = float("-inf")
        self._pump_due = self._stale = False
        self.keys_seen = False
        """Whether something came that only a peer sends that sends every key."""
        line.session.show_own(True)

    # The editor's owner

    @property
    def prompt(self) -> str:
        """See `editor.Owner`."""
        session = self._line.session
        member = talks_in(session)
        return f"[{member.room.name if member is not None else '-'}] {session.nick}> "

    def complete(self, before: str) -> Candidates:
        """See `editor.Owner`."""
        start, words = self._completer.complete(before)
        return Candidates(start, words)

    def submit(self, line: str) -> bool:
        """See `editor.Owner`."""
        session = self._line.session
        if line or session.preferences.hold or self.pasting:
            self._typed.append(line)
        return named_command(line) or not self._line.session.echo

    @property
    def pasting(self) -> bool:
        """See `editor.Owner`."""
        return self._line.session in self._line.door.hub.pastes.drafts

    def paste(self, lines: list[str]) -> None:
        """See `editor.Owner`. A dot that more lines follow is text: the rest must not be taken for messages."""
        text = [escaped(line) for line in lines]
        if self.pasting:
            self._typed += text[:-1] + lines[-1:]
        elif talks_in(self._line.session) is None:
            self._typed.append(OPEN_PASTE)  # which is refused, and nothing may follow that
        else:
            self._typed += [OPEN_PASTE, *text, DOT]

    # What comes in

    def is_whole_line(self, text: bytes) -> bool:
        """Whether the first that came is a whole line, as only a peer sends it that has its own editor."""
        return not self.keys_seen and _WHOLE_LINE.fullmatch(text) is not None

    def receive(self, text: bytes) -> None:
        """Take what was typed."""
        self.keys_seen = True
        self._fed += 1
        self._editor.feed(text)
        if self._editor.half:
            fed = self._fed
            self._line.door.server.later(ESCAPE_SECONDS, lambda: self._escape(fed))
        if self._editor.garbled:
            self._line.door.terminals.not_utf8(self._line.session)
        if self._editor.report is not None and self._resizing:
            self._answered(self._editor.report)
        self._editor.report = None
        self._after_keys()

    def interrupt(self) -> None:
        """Telnet's own Ctrl-C."""
        self._editor.interrupt()
        self._after_keys()

    def _escape(self, fed: int) -> None:
        if fed == self._fed and not self._line.session.closed:
            self._editor.escape()
            self._after_keys()

    def _after_keys(self) -> None:
        typed, self._typed = self._typed, []
        self.draw()
        if typed:
            self._line.receive_text("".join(f"{line}\n" for line in typed).encode("utf-8", "replace"))

    # What goes out

    @property
    def ready(self) -> bool:
        """Whether lines may be shown now; if not, the hub is asked again when they may."""
        hub = self._line.door.hub
        wait = 0.0 if hub.gate.stopping else self._drawn_at + 1 / BATCHES_PER_SECOND - hub.clock.now()
        if not self._resizing and wait > 0 and not self._pump_due:
            self._pump_due = True
            self._line.door.server.later(wait, self._pump)
        return not self._resizing and wait <= 0

    def show(self, lines: list[str], rings: bool) -> None:
        """Show lines above what is typed, and ring the bell."""
        self._drawn_at = self._line.door.hub.clock.now()
        self._editor.show(lines)
        if rings:
            self._editor.ring()
        self.draw()

    def draw(self) -> None:
        """Write what has changed, now or when the socket takes more."""
        if self._resizing or not self._write(b""):
            self._stale = True
            return
        self._stale = False
        self._write(self._new_title() + self._editor.draw())

    def _new_title(self) -> bytes:
        """What makes the window's title the wanted one, if it is another one."""
        session, before = self._line.session, self._title
        member = talks_in(session) if self._titled and session.preferences.title else None
        self._title = f"{member.room.name} · {session.nick}" if member is not None else ""
        if self._title == before:
            return b""
        change = SET_TITLE.format(title=self._title) if self._title else RESTORE_TITLE
        return (change if before else KEEP_TITLE + change).encode()

    def drained(self) -> None:
        """All has gone out: draw what has changed meanwhile."""
        if self._stale:
            self.draw()

    def close(self, last: list[str]) -> bytes:
        """What to write at the end, `last` being the last lines."""
        restore = RESTORE_TITLE.encode() if self._title else b""
        self._title = ""
        return restore + self._editor.close(last)

    def _pump(self) -> None:
        self._pump_due = False
        self._line.pump()

    # The window

    def resize(self, width: int, height: int) -> None:
        """The window has changed."""
        if (width, height) != self._size:
            self._size = (width, height)
            self._resizing = True
            self._wait(RESIZE_SECONDS, self._settled)

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        """Do `then` after so many seconds, unless something else is waited for by then."""
        self._step += 1
        step = self._step

        def go_on() -> None:
            if step == self._step and self._resizing and not self._line.session.closed:
                then()

        self._line.door.server.later(seconds, go_on)

    def _settled(self) -> None:
        """The window's size does not change any more: find out what the terminal did with rows that were too long."""
        splits_cursor, splits_above = self._editor.screen.splits(self._size[0] or self._editor.screen.width)
        if self._reflows is None and (splits_cursor or splits_above):
            self._write((ASK_POSITION if splits_cursor else ASK_KIND).encode())
            self._wait(ANSWER_SECONDS, lambda: self._finish(reflow=False))
        else:
            self._finish(reflow=bool(self._reflows))

    def _answered(self, report: Report) -> None:
        """The terminal has told where its cursor is, or what it is."""
        if isinstance(report, TerminalKind):
            self._reflows = not CUTTING.match(report.numbers)
            self._finish(self._reflows)
            return
        width = self._size[0]
        wrapped = self._editor.screen.column % width if width else 0
        if wrapped != width - 1:
            self._reflows = report.column - 1 == wrapped
        self._finish(reflow=report.column - 1 == wrapped)

    def _finish(self, reflow: bool) -> None:
        self._resizing = False
        self._write(self._editor.resize(*self._size, reflow=reflow))
        self._line.pump()
