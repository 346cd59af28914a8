"""The line being typed: graphemes, a cursor between them, and the text that was cut last.

Theory of this file. What a person sees as one character may be several code points (a letter and its accent, a family
of emoji), so the line is a list of graphemes (UAX 29, by wcwidth) and the cursor an index into it: no key can stop
inside one. Inserting looks only at the graphemes next to the cursor, so a key costs the same in a long line.

Cuts that follow one another gather in one piece, as in readline: Ctrl-W Ctrl-W Ctrl-Y gives both words back.
"""

from collections.abc import Callable

from wcwidth import iter_graphemes

from gateway.core.sanitize import LINE_BYTES


class EditLine:
    """One line of at most LINE_BYTES in UTF-8, and the cursor `at` so many graphemes from its start."""

    __slots__ = ("_cut", "_cutting", "_size", "at", "cells")

    def __init__(self) -> None:
        self.cells: list[str] = []
        self.at = 0
        self._size = 0
        self._cut = ""
        self._cutting = False
        """Whether the last change was a cut, which the next one joins."""

    @property
    def text(self) -> str:
        """The whole line."""
        return "".join(self.cells)

    @property
    def before(self) -> str:
        """The text left of the cursor."""
        return "".join(self.cells[: self.at])

    def set(self, text: str) -> None:
        """Replace the line, with the cursor at its end; what does not fit is left out."""
        self.cells, self.at, self._size = [], 0, 0
        self.insert(text)

    def insert(self, text: str) -> bool:
        """Insert at the cursor; return whether all of it fitted."""
        self._cutting = False
        room = LINE_BYTES - self._size
        raw = text.encode("utf-8", "replace")
        if len(raw) > room:
            text = raw[:room].decode("utf-8", "ignore")
        left, right = self.cells[self.at - 1 : self.at], self.cells[self.at : self.at + 1]
        if text.isascii() and all(map(str.isascii, (*left, *right))):  # each letter is a grapheme: the usual case
            self.cells[self.at : self.at] = text
            self.at += len(text)
            self._size += len(text)
        else:
            self._join(text, left, right)
        return len(raw) <= room

    def _join(self, text: str, left: list[str], right: list[str]) -> None:
        """Insert text whose first or last letters may join the graphemes beside the cursor."""
        if text:
            new = list(iter_graphemes("".join(left) + text))
            if right and len(joined := list(iter_graphemes(new[-1] + right[0]))) == 1:
                new[-1:], right = joined, []
                self.cells.pop(self.at)
            self.cells[self.at - len(left) : self.at] = new
            self.at += len(new) - len(left)
            self._size += len(text.encode())

    # Moving

    def move(self, by: int) -> None:
        """Move the cursor by so many graphemes, as far as the line goes."""
        self._cutting = False
        self.at = min(max(self.at + by, 0), len(self.cells))

    def home(self) -> None:
        """Move the cursor to the start."""
        self.move(-len(self.cells))

    def end(self) -> None:
        """Move the cursor to the end."""
        self.move(len(self.cells))

    def word_left(self) -> None:
        """Move to the start of the word at or before the cursor."""
        self.move(self._word_start(str.isalnum) - self.at)

    def word_right(self) -> None:
        """Move to the end of the word at or behind the cursor."""
        self.move(self._word_end() - self.at)

    # Deleting and cutting

    def backspace(self) -> bool:
        """Delete the grapheme before the cursor; return whether there was one."""
        self._cutting = False
        return bool(self._remove(self.at - 1, self.at)) if self.at else False

    def delete(self) -> bool:
        """Delete the grapheme behind the cursor; return whether there was one."""
        self._cutting = False
        return bool(self._remove(self.at, self.at + 1))

    def kill_left(self) -> None:
        """Cut all before the cursor."""
        self._kill(0, self.at)

    def kill_right(self) -> None:
        """Cut all behind the cursor."""
        self._kill(self.at, len(self.cells))

    def kill_word_left(self) -> None:
        """Cut back to the start of a word."""
        self._kill(self._word_start(str.isalnum), self.at)

    def kill_argument(self) -> None:
        """Cut back to a blank."""
        self._kill(self._word_start(lambda cell: not cell.isspace()), self.at)

    def kill_word_right(self) -> None:
        """Cut as far as the end of a word."""
        self._kill(self.at, self._word_end())

    def yank(self) -> bool:
        """Insert what was cut last; return whether all of it fitted."""
        return self.insert(self._cut)

    def transpose(self) -> None:
        """Swap the two graphemes around the cursor, or the last two at the end, and go behind them."""
        self._cutting = False
        if self.at and len(self.cells) > 1:
            self.at -= self.at == len(self.cells)
            self.cells[self.at - 1 : self.at + 1] = reversed(self.cells[self.at - 1 : self.at + 1])
            self.at += 1

    def _remove(self, start: int, end: int) -> str:
        gone = "".join(self.cells[start:end])
        del self.cells[start:end]
        self._size -= len(gone.encode())
        self.at = min(self.at, start)
        return gone

    def _kill(self, start: int, end: int) -> None:
        backwards = start < self.at
        cut = self._remove(start, end)
        if not self._cutting:
            self._cut = ""
        self._cut = cut + self._cut if backwards else self._cut + cut
        self._cutting = True

    def _word_start(self, in_word: Callable[[str], bool]) -> int:
        at = self.at
        while at and not in_word(self.cells[at - 1][:1]):
            at -= 1
        while at and in_word(self.cells[at - 1][:1]):
            at -= 1
        return at

    def _word_end(self) -> int:
        at = self.at
        while at < len(self.cells) and not self.cells[at][:1].isalnum():
            at += 1
        while at < len(self.cells) and self.cells[at][:1].isalnum():
            at += 1
        return at
