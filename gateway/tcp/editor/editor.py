"""The line editor: what is typed at a terminal that sends every key, edited, and sent line by line.

Sans-I/O: `feed` takes bytes and changes the state, `show` takes lines that others have caused, and `draw` returns, in
one piece, all that has to be written for both. Whoever holds the socket calls `draw` when it can write, so that a peer
that reads slowly is drawn less often and nothing is queued for it. What a line means is the `Owner`'s affair.

One thing is being done at a time: editing, answering a question (`_question`), or searching backwards (`_search`).

A library was looked for first. prompt_toolkit, the one with all of these keys, draws through its own renderer onto an
asyncio application, asks the terminal for its cursor before each prompt, and needs a thread's context per session; what
is left of it without those is a buffer class. readline and its ports own standard input. So this is by hand, with
wcwidth for what is hard: widths and graphemes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from gateway import wording
from gateway.tcp.editor.keys import CursorPosition, Keyboard, KeyPress, Pasted, Report, TerminalKind, Typed
from gateway.tcp.editor.line import EditLine
from gateway.tcp.editor.recall import SECRET, BackwardSearch, Candidates, Completion, SentLines
from gateway.tcp.editor.screen import CLEAR_ALL, PASTE_OFF, PASTE_ON, Screen, wrapped

ASKED_LINES = 5
"""A paste of more lines than this is asked about, and sent as one message."""
PENDING_ROWS = 500
"""Rows that wait to be shown, at most; the oldest are dropped."""
BELL = "\a"


class Owner(Protocol):
    """The connection that a line is typed for."""

    @property
    def prompt(self) -> str:
        """The prompt before the line."""

    def complete(self, before: str) -> Candidates:
        """What the last word before the cursor may become."""

    def submit(self, line: str) -> bool:
        """Take a line that was typed, empty where only Enter was pressed; return whether it is to stay on the screen as
        it was typed."""

    @property
    def pasting(self) -> bool:
        """Whether the lines that are sent are being gathered for one message."""

    def paste(self, lines: list[str]) -> None:
        """Take pasted lines, blank ones among them, for the message being gathered, else as one message."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question that `y` answers with `yes`."""

    words: str
    yes: Callable[[], None]


class Editor:
    """The editor of one terminal."""

    __slots__ = ("_bell", "_completed", "_completion", "_history", "_keyboard", "_line", "_owner", "_question", "_rows",
                 "_search", "_start", "report", "screen")  # fmt: skip

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._keyboard = Keyboard()
        self._line = EditLine()
        self._history = SentLines()
        self.screen = Screen()
        self._rows: list[str] = []
        """To be shown above the line."""
        self._question: Question | None = None
        self._search: BackwardSearch | None = None
        self._completion: Completion | None = None
        self._completed = False
        """Whether candidates have been asked for since the last bytes came: names may be many."""
        self._bell = False
        self._start = PASTE_ON
        self.report: Report | None = None
        """What the terminal has last told of itself."""

    # What comes in

    def feed(self, data: bytes) -> None:
        """Take what was typed. Does not raise, whatever it is."""
        self._completed = False
        for typed in self._keyboard.feed(data):
            self._take(typed)

    def escape(self) -> None:
        """Nothing has been typed for a while: an ESC was the Escape key."""
        for typed in self._keyboard.escape():
            self._take(typed)

    @property
    def half(self) -> bool:
        """Whether `escape` is to be called soon."""
        return self._keyboard.half

    @property
    def garbled(self) -> bool:
        """Whether something that was typed is not UTF-8."""
        return self._keyboard.garbled

    def interrupt(self) -> None:
        """Ctrl-C, however it came."""
        self._take(KeyPress.INTERRUPT)

    # What goes out

    def show(self, lines: list[str]) -> None:
        """Show lines above the one being typed, with the next `draw`."""
        for line in lines:
            self._rows += wrapped(line, self.screen.width)
        if len(self._rows) > PENDING_ROWS:
            del self._rows[:-PENDING_ROWS]

    def ring(self) -> None:
        """Ring the bell with the next `draw`."""
        self._bell = True

    def draw(self) -> bytes:
        """What to write now, in one piece."""
        written, self._start = self._start, ""
        if self._bell:
            self._bell = False
            written += BELL
        if self._rows:
            written += self.screen.erase() + "".join(row + "\r\n" for row in self._rows)
            self._rows.clear()
        return (written + self._drawn_line()).encode("utf-8", "replace")

    def resize(self, width: int, height: int, reflow: bool) -> bytes:
        """The window has changed; see `Screen.resize`."""
        return self.screen.resize(width, height, reflow).encode() + self.draw()

    def close(self, last: list[str]) -> bytes:
        """The end: the line is taken away, and `last` are the last rows."""
        self.show(last)
        written = self.screen.erase() + "".join(row + "\r\n" for row in self._rows)
        return (written + ("" if self._start else PASTE_OFF)).encode("utf-8", "replace")

    def _drawn_line(self) -> str:
        cells, at, prompt = self._line.cells, self._line.at, self._owner.prompt
        if self._question is not None:
            prompt, cells, at = self._question.words, [], 0
        elif self._search is not None:
            prompt = wording.SEARCH[self._search.failed].format(words=self._search.words)
            cells, at = list(self._search.found), len(self._search.found)
        elif is_secret(self._line.text):
            cells = masked(cells)
        return self.screen.draw(self.screen.layout(prompt, cells, at))

    # Keys

    def _take(self, typed: Typed) -> None:
        if isinstance(typed, CursorPosition | TerminalKind):
            self.report = typed
        elif self._question is not None:
            self._answer(typed)
        elif isinstance(typed, Pasted):
            self._stop_search()
            self._paste(typed)
        elif self._search is not None:
            self._go_on_searching(self._search, typed)
        else:
            self._edit(typed)

    def _edit(self, typed: str | KeyPress) -> None:
        line = self._line
        if typed not in (KeyPress.COMPLETE, KeyPress.COMPLETE_BACK):
            self._completion = None
        if not isinstance(typed, KeyPress):
            self._bell |= not line.insert(typed)
        elif (plain := _PLAIN.get(typed)) is not None:
            plain(line)
        elif (special := _SPECIAL.get(typed)) is not None:
            special(self)

    def enter(self) -> None:
        """Send the line."""
        text = self._line.text
        self._line.set("")
        self._history.leave()
        if text.strip():
            self._send(text)
        else:
            self._owner.submit("")

    def _send(self, text: str) -> None:
        self._history.add(text)
        if self._owner.submit(text):
            shown = "".join(masked(list(text))) if is_secret(text) else text
            self.show([self._owner.prompt + shown])

    def backspace(self) -> None:
        """Delete the grapheme before the cursor."""
        self._bell |= not self._line.backspace()

    def yank(self) -> None:
        """Insert what was cut last."""
        self._bell |= not self._line.yank()

    def delete_or_leave(self) -> None:
        """Ctrl-D: delete; in an empty line it is the end of input."""
        if self._line.cells:
            self._line.delete()
        else:
            self._owner.submit("/quit")

    def interrupted(self) -> None:
        """Ctrl-C: drop the line; in an empty line ask whether to leave."""
        if self._line.cells:
            self._line.set("")
            self._history.leave()
        else:
            self._question = Question(wording.ASK_LEAVE, self._leave)

    def _leave(self) -> None:
        self._owner.submit("/quit")

    def up(self) -> None:
        """The line before."""
        self._recall(self._history.up(self._line.text))

    def down(self) -> None:
        """The line after, at last the draft."""
        self._recall(self._history.down())

    def _recall(self, line: str | None) -> None:
        if line is None:
            self._bell = True
        else:
            self._line.set(line)

    def search(self) -> None:
        """Begin to search backwards."""
        self._search = BackwardSearch(self._history)

    def redraw(self) -> None:
        """Clear the screen."""
        self.screen.forget()
        self._start += CLEAR_ALL

    def page_up(self) -> None:
        """Show older messages."""
        self._owner.submit("/history")

    def complete(self) -> None:
        """The next candidate for the word before the cursor."""
        self._complete(1)

    def complete_back(self) -> None:
        """The one before."""
        self._complete(-1)

    def _complete(self, by: int) -> None:
        if self._completion is None and not self._completed:
            self._completed = True
            found = self._owner.complete(self._line.before)
            if found.words:
                self._completion = Completion(self._line.before, found)
        if self._completion is None:
            self._bell = True
            return
        behind = "".join(self._line.cells[self._line.at :])
        self._line.set(self._completion.step(by) + behind)
        self._line.move(-len(self._line.cells))
        self._line.at = self._place(self._completion.text)

    def _place(self, before: str) -> int:
        """How many graphemes of the line `before` takes."""
        size, at = 0, 0
        while size < len(before) and at < len(self._line.cells):
            size += len(self._line.cells[at])
            at += 1
        return at

    # Searching

    def _go_on_searching(self, search: BackwardSearch, typed: str | KeyPress) -> None:
        if not isinstance(typed, KeyPress):
            search.type(typed)
        elif typed is KeyPress.BACKSPACE:
            search.backspace()
        elif typed is KeyPress.SEARCH:
            search.again()
        elif typed in (KeyPress.CANCEL, KeyPress.INTERRUPT):
            self._search = None
        else:
            self._stop_search()
            self._edit(typed)

    def _stop_search(self) -> None:
        """Take what was found into the line."""
        if self._search is not None:
            if self._search.found:
                self._line.set(self._search.found)
            self._search = None

    # Pasting and questions

    def _paste(self, pasted: Pasted) -> None:
        self._completion = None
        lines = pasted.text.replace("\r\n", "\n").replace("\n\r", "\n").replace("\r", "\n").split("\n")
        if not pasted.whole:
            self.show([wording.PASTE_CUT])
        if len(lines) == 1:
            self._bell |= not self._line.insert(_printable(lines[0]))
            return
        lines[0] = self._line.before + lines[0]
        rest = "".join(self._line.cells[self._line.at :])
        *whole, last = map(_printable, lines)
        self._line.set(last + rest)
        self._line.at = self._place(last)
        filled = [line for line in whole if line.strip()]
        if self._owner.pasting:
            self._owner.paste(whole)
        elif len(filled) + bool(last.strip()) > ASKED_LINES:
            whole += [last + rest] if (last + rest).strip() else []
            self._line.set("")
            self._question = Question(wording.ASK_PASTE.format(lines=len(whole)), lambda: self._owner.paste(whole))
        else:
            for line in filled:
                self._send(line)

    def _answer(self, typed: Typed) -> None:
        question = self._question
        if question is None or not isinstance(typed, str):
            return
        if not isinstance(typed, KeyPress) and typed[:1] in ("y", "Y"):
            self._question = None
            question.yes()
        elif (
            typed is KeyPress.INTERRUPT
            or typed is KeyPress.CANCEL
            or (not isinstance(typed, KeyPress) and typed[:1] in ("n", "N"))
        ):
            self._question = None


def is_secret(line: str) -> bool:
    """Whether the line holds a password."""
    return line.startswith(SECRET + " ")


def masked(cells: list[str]) -> list[str]:
    """The line with its password hidden."""
    return [*cells[: len(SECRET) + 1], *("*" * len(cells[len(SECRET) + 1 :]))]


def _printable(text: str) -> str:
    """A pasted line without control characters, which are keys and would not be seen."""
    return "".join(each for each in text if each == "\t" or each.isprintable() or ord(each) > 0x9F)


_PLAIN: Final[dict[KeyPress, Callable[[EditLine], object]]] = {
    KeyPress.LEFT: lambda line: line.move(-1),
    KeyPress.RIGHT: lambda line: line.move(1),
    KeyPress.WORD_LEFT: EditLine.word_left,
    KeyPress.WORD_RIGHT: EditLine.word_right,
    KeyPress.HOME: EditLine.home,
    KeyPress.END: EditLine.end,
    KeyPress.DELETE: EditLine.delete,
    KeyPress.KILL_LEFT: EditLine.kill_left,
    KeyPress.KILL_RIGHT: EditLine.kill_right,
    KeyPress.KILL_WORD_LEFT: EditLine.kill_word_left,
    KeyPress.KILL_WORD_RIGHT: EditLine.kill_word_right,
    KeyPress.KILL_ARGUMENT: EditLine.kill_argument,
    KeyPress.TRANSPOSE: EditLine.transpose,
}
"""Keys that concern the line alone."""
_SPECIAL: Final[dict[KeyPress, Callable[[Editor], None]]] = {
    KeyPress.ENTER: Editor.enter,
    KeyPress.BACKSPACE: Editor.backspace,
    KeyPress.DELETE_OR_LEAVE: Editor.delete_or_leave,
    KeyPress.INTERRUPT: Editor.interrupted,
    KeyPress.UP: Editor.up,
    KeyPress.DOWN: Editor.down,
    KeyPress.SEARCH: Editor.search,
    KeyPress.REDRAW: Editor.redraw,
    KeyPress.PAGE_UP: Editor.page_up,
    KeyPress.YANK: Editor.yank,
    KeyPress.COMPLETE: Editor.complete,
    KeyPress.COMPLETE_BACK: Editor.complete_back,
}
