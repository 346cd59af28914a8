"""Recall: what need not be typed again. Lines of before, a search through them, and completion.

- The history is a list of lines with the draft behind them: going up puts the draft away, going down past the newest
  line brings it back as it was. It keeps HISTORY_LINES lines and HISTORY_LETTERS letters, because a search reads all.
- A search goes from the newest line back; asked again it goes on to an older one, and stays where it is when there is
  none.
- Completion goes round its candidates while Tab is pressed. They come from whoever knows names, rooms and commands.
"""

from collections.abc import Sequence
from dataclasses import dataclass

HISTORY_LINES = 200
HISTORY_LETTERS = 1 << 15
SECRET = "/login"
"""Lines that begin with it are not kept."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may stand in place of the last letters before the cursor: from `start` on, one of `words`."""

    start: int
    words: Sequence[str]


class SentLines:
    """The lines of one connection, the oldest first."""

    __slots__ = ("_at", "_draft", "_letters", "_lines")

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._letters = 0
        self._at = 0
        self._draft = ""

    def add(self, line: str) -> None:
        """Keep a line that was sent, unless it is the last one again or holds a password; go to the end."""
        if not line.lstrip().lower().startswith(SECRET) and self._lines[-1:] != [line]:
            self._lines.append(line)
            self._letters += len(line)
            while len(self._lines) > HISTORY_LINES or self._letters > HISTORY_LETTERS:
                self._letters -= len(self._lines.pop(0))
        self.leave()

    def leave(self) -> None:
        """The next line up is the newest; the draft is dropped."""
        self._at, self._draft = len(self._lines), ""

    def up(self, shown: str) -> str | None:
        """The line above; `shown` is what stands in the editor. None at the oldest."""
        if not self._at:
            return None
        if self._at == len(self._lines):
            self._draft = shown
        self._at -= 1
        return self._lines[self._at]

    def down(self) -> str | None:
        """The line below, at last the draft; None below that."""
        if self._at >= len(self._lines):
            return None
        self._at += 1
        return self._draft if self._at == len(self._lines) else self._lines[self._at]

    def find(self, words: str, below: int | None = None) -> int | None:
        """The place of the newest line, before the place `below`, that holds `words`; None if there is none."""
        last = len(self._lines) if below is None else below
        return next((at for at in range(last - 1, -1, -1) if words in self._lines[at]), None)

    def line(self, at: int) -> str:
        """The line at that place."""
        return self._lines[at]


class BackwardSearch:
    """A search backwards, as Ctrl-R begins it: `words` so far, and the line `found`, empty before there is one."""

    __slots__ = ("_at", "_history", "failed", "words")

    def __init__(self, history: SentLines) -> None:
        self._history = history
        self._at: int | None = None
        self.words = ""
        self.failed = False

    @property
    def found(self) -> str:
        """The line that was found last."""
        return "" if self._at is None else self._history.line(self._at)

    def type(self, words: str) -> None:
        """BackwardSearch for what was typed before and these letters."""
        self.words += words
        if self._at is None or self.words not in self.found:
            self._look(None)

    def backspace(self) -> None:
        """BackwardSearch for one letter less, from the newest line again."""
        self.words = self.words[:-1]
        self._at, self.failed = None, False
        if self.words:
            self._look(None)

    def again(self) -> None:
        """Look for an older line."""
        if self.words and not self.failed:
            self._look(self._at)

    def _look(self, below: int | None) -> None:
        at = self._history.find(self.words, below)
        self.failed = at is None
        if at is not None:
            self._at = at


class Completion:
    """A walk through candidates: `text` is what stands before the cursor now."""

    __slots__ = ("_at", "_found", "_head")

    def __init__(self, before: str, found: Candidates) -> None:
        self._head = before[: found.start]
        self._found = found.words
        self._at = -1

    @property
    def text(self) -> str:
        """What stands before the cursor with the present candidate."""
        return self._head + self._found[self._at]

    def step(self, by: int) -> str:
        """Go on to the next candidate (-1: back), round and round; return the new `text`."""
        self._at = (max(self._at, 0) if by < 0 and self._at < 0 else self._at) + by
        self._at %= len(self._found)
        return self.text
