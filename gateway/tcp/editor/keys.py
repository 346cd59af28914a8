"""Keys: the bytes a terminal sends for what is typed, as text, keys and pastes.

Theory of this file. Bytes become text first (UTF-8, cut anywhere), then text is cut into tokens by one pattern: a run
of printable characters, a control character, or an escape sequence. What is incomplete at the end waits for the next
bytes; only a lone ESC may be the Escape key, so `escape` reports it when nothing has followed for a while.

- A line ends at CR or LF. The NUL or LF behind a CR and the CR behind an LF belong to the same end.
- The same key has several sequences: CSI (`ESC [ D`) and SS3 (`ESC O D`, in application mode), `1~` and `H`, with
  modifiers as in `1;5D` or without. Sequences of unknown keys are dropped whole, so that no `~` is typed.
- In a bracketed paste (`ESC [200~` to `ESC [201~`) nothing is a key. It is kept up to PASTE_BYTES.
- Reports of the cursor's position (`ESC [ row ; column R`) and of the terminal's kind (`ESC [ > kind ; version c`)
  answer our questions; nobody types them. Other reports answer the program that was there before, which may have left
  the mouse switched on as well: of the mouse, of colours and of versions (OSC, DCS, APC). They are dropped whole.

prompt_toolkit's vt100 parser was looked at: it is bound to its own key bindings and event loop's flush timer, reports
keys one character at a time (a flood of 16 KiB costs 40 ms), and would bring 30,000 lines for these 150.
"""

import codecs
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PASTE_BYTES = 1 << 16
"""How much of a paste is kept, in characters."""
SEQUENCE_LETTERS = 32
"""The longest escape sequence that is waited for."""
REPORT_LETTERS = 1024
"""The same of a report that is a string with an end of its own."""


class KeyPress(StrEnum):
    """What a key means, whatever bytes it sends."""

    ENTER = "enter"
    LEFT = "left"
    RIGHT = "right"
    WORD_LEFT = "word left"
    WORD_RIGHT = "word right"
    HOME = "home"
    END = "end"
    UP = "up"
    DOWN = "down"
    PAGE_UP = "page up"
    BACKSPACE = "backspace"
    DELETE = "delete"
    DELETE_OR_LEAVE = "delete, or leave"
    KILL_WORD_LEFT = "kill word left"
    KILL_WORD_RIGHT = "kill word right"
    KILL_LEFT = "kill to the start"
    KILL_RIGHT = "kill to the end"
    KILL_ARGUMENT = "kill back to a blank"
    YANK = "yank"
    TRANSPOSE = "transpose"
    COMPLETE = "complete"
    COMPLETE_BACK = "complete backwards"
    SEARCH = "search"
    REDRAW = "redraw"
    INTERRUPT = "interrupt"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Pasted:
    """A bracketed paste; `whole` is false when it was longer than PASTE_BYTES."""

    text: str
    whole: bool


@dataclass(frozen=True, slots=True)
class CursorPosition:
    """Where the terminal says its cursor is, from 1 on."""

    row: int
    column: int


@dataclass(frozen=True, slots=True)
class TerminalKind:
    """What the terminal says it is: `kind;version;…` in numbers."""

    numbers: str


Report = CursorPosition | TerminalKind
Typed = str | KeyPress | Pasted | Report

_CONTROLS: Final = {
    "\x01": KeyPress.HOME,
    "\x02": KeyPress.LEFT,
    "\x03": KeyPress.INTERRUPT,
    "\x04": KeyPress.DELETE_OR_LEAVE,
    "\x05": KeyPress.END,
    "\x06": KeyPress.RIGHT,
    "\x07": KeyPress.CANCEL,
    "\x08": KeyPress.BACKSPACE,
    "\x09": KeyPress.COMPLETE,
    "\x0b": KeyPress.KILL_RIGHT,
    "\x0c": KeyPress.REDRAW,
    "\x0e": KeyPress.DOWN,
    "\x10": KeyPress.UP,
    "\x12": KeyPress.SEARCH,
    "\x14": KeyPress.TRANSPOSE,
    "\x15": KeyPress.KILL_LEFT,
    "\x17": KeyPress.KILL_ARGUMENT,
    "\x19": KeyPress.YANK,
    "\x7f": KeyPress.BACKSPACE,
}
_LETTERS: Final = {
    "A": KeyPress.UP,
    "B": KeyPress.DOWN,
    "C": KeyPress.RIGHT,
    "D": KeyPress.LEFT,
    "F": KeyPress.END,
    "H": KeyPress.HOME,
    "M": KeyPress.ENTER,
    "Z": KeyPress.COMPLETE_BACK,
}
"""By the last letter of a CSI or SS3 sequence; as CSI an M is the mouse's."""
_NUMBERS: Final = {
    "1": KeyPress.HOME,
    "3": KeyPress.DELETE,
    "4": KeyPress.END,
    "5": KeyPress.PAGE_UP,
    "7": KeyPress.HOME,
    "8": KeyPress.END,
}
"""By the first number of a CSI sequence that ends in `~`."""
_WITH_MODIFIER: Final = {
    KeyPress.LEFT: KeyPress.WORD_LEFT,
    KeyPress.RIGHT: KeyPress.WORD_RIGHT,
    KeyPress.DELETE: KeyPress.KILL_WORD_RIGHT,
}
_ALT: Final = {
    "b": KeyPress.WORD_LEFT,
    "f": KeyPress.WORD_RIGHT,
    "d": KeyPress.KILL_WORD_RIGHT,
    "\x7f": KeyPress.KILL_WORD_LEFT,
    "\x08": KeyPress.KILL_WORD_LEFT,
}
_PRIVATE: Final = frozenset("<=>?")
"""What begins the parameters of a report, and of no key."""
_MODIFIED = re.compile(r"(?:\d*;)?[2-8]")

_TOKEN = re.compile(
    r"""(?P<text> [^\x00-\x1f\x7f-\x9f]+ )
      | \x1b\[M [^\x00-\x1f\x7f]{3}
      | \x1b\[ (?!M) (?P<params> [0-?]{0,32}) [\ -/]* (?P<final> [@-Z\\-~])
      | \x1b\[\[ [A-E]
      | \x1bO (?P<letter> [A-Za-z])
      | \x1b[\]PX^_] [^\x00-\x1f\x7f-\x9f]{0,1024}+ (?: \x07 | \x1b\\ )
      | \x1b (?P<alt> [^\x1b\[O\]PX^_])
      | (?P<control> [\x00-\x1a\x1c-\x1f\x7f-\x9f])
    """,
    re.VERBOSE,
)
_INCOMPLETE = re.compile(
    r"\x1b(?:\[[0-?]{0,32}[ -/]{0,4}|\[\[|O|\[M[^\x00-\x1f\x7f]{0,2}|(?P<report>[\]PX^_][^\x00-\x1f\x7f-\x9f]*\x1b?))?"
)
_REPORTS = ("\x1b]", "\x1bP", "\x1bX", "\x1b^", "\x1b_")
_PASTE_END = "\x1b[201~"
_ENDS = ("\r", "\n")
_SAME_END = frozenset({"\r\n", "\r\0", "\n\r"})


class Keyboard:
    """Decodes what one terminal sends."""

    __slots__ = ("_decoder", "_held", "_last_end", "_pasted", "_room", "_whole", "garbled")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        """The beginning of a sequence; in a paste, of its end."""
        self._last_end = ""
        self._pasted: list[str] | None = None
        self._room, self._whole = PASTE_BYTES, True
        self.garbled = False
        """Whether something was not UTF-8."""

    def feed(self, data: bytes) -> list[Typed]:
        """What these bytes add. Does not raise, whatever they are."""
        text = self._decoder.decode(data)
        self.garbled = self.garbled or "\ufffd" in text
        text, self._held = self._held + text, ""
        typed: list[Typed] = []
        at = 0
        while at < len(text):
            if self._pasted is not None:
                at = self._paste(text, at, typed)
                continue
            token = _TOKEN.match(text, at)
            if token is not None:
                at = token.end()
                self._read(token, typed)
            elif self._begins(text, at):
                self._held = text[at:]
                break
            else:
                at += 2 if text.startswith(_REPORTS, at) else 1
        return typed

    @staticmethod
    def _begins(text: str, at: int) -> bool:
        """Whether the rest of the text is the beginning of a sequence."""
        begun = _INCOMPLETE.fullmatch(text, at)
        return begun is not None and len(text) - at <= (REPORT_LETTERS if begun["report"] else SEQUENCE_LETTERS)

    @property
    def half(self) -> bool:
        """Whether the beginning of a sequence is held; call `escape` when nothing follows it."""
        return bool(self._held) and self._pasted is None

    def escape(self) -> list[Typed]:
        """Nothing has followed: what is held was the Escape key."""
        held, self._held = self._held, ""
        return [KeyPress.CANCEL] if held == "\x1b" else []

    def _read(self, token: re.Match[str], typed: list[Typed]) -> None:
        last_end, self._last_end = self._last_end, ""
        text, control = token["text"], token["control"]
        if text is not None:
            typed.append(text)
        elif control in _ENDS:
            if last_end + control not in _SAME_END:
                typed.append(KeyPress.ENTER)
                self._last_end = control
        elif control is not None:
            if control in _CONTROLS:
                typed.append(_CONTROLS[control])
        elif token["final"] is not None:
            self._sequence(token["params"], token["final"], typed)
        else:
            key = _ALT.get(token["alt"].lower()) if token["alt"] else _LETTERS.get(token["letter"] or "")
            if key is not None:
                typed.append(key)

    def _sequence(self, params: str, final: str, typed: list[Typed]) -> None:
        first, _, rest = params.partition(";")
        if final == "~" and first == "200":
            self._pasted, self._room, self._whole = [], PASTE_BYTES, True
            return
        if final == "R" and first.isdecimal() and rest.isdecimal():
            typed.append(CursorPosition(int(first), int(rest)))
            return
        if final == "c" and first.startswith(">"):
            typed.append(TerminalKind(params[1:]))
            return
        if final == "M" or params[:1] in _PRIVATE:
            return
        key = _NUMBERS.get(first) if final == "~" else _LETTERS.get(final)
        if key is not None:
            modified = bool(rest if final == "~" else _MODIFIED.fullmatch(params))
            typed.append(_WITH_MODIFIER.get(key, key) if modified else key)

    def _paste(self, text: str, at: int, typed: list[Typed]) -> int:
        """Go on with a paste; return from where the text is not part of it."""
        assert self._pasted is not None
        end = text.find(_PASTE_END, at)
        upto = end if end >= 0 else len(text)
        if end < 0:  # the end's own first characters may have come
            for size in range(min(len(_PASTE_END) - 1, len(text) - at), 0, -1):
                if text.endswith(_PASTE_END[:size]):
                    upto -= size
                    self._held = text[upto:]
                    break
        kept = text[at : min(upto, at + self._room)]
        self._whole = self._whole and upto - at == len(kept)
        self._room -= len(kept)
        self._pasted.append(kept)
        if end < 0:
            return len(text)
        typed.append(Pasted("".join(self._pasted), self._whole))
        self._pasted = None
        return end + len(_PASTE_END)
