"""The screen: prompt and line as the last rows of a terminal, and what others say above them.

Theory of this file. The terminal cannot be read, so what stands there is known only by having written it. `Screen`
keeps the rows it has drawn and where it left the cursor, and turns a change into as few bytes as it can: letters added
at the end are just written, otherwise rows that differ are written anew.

- No row is filled to its last column: a cursor behind the last column is somewhere else on each terminal.
- Rows are ended by CR LF, never by the terminal's own wrapping, and no position is absolute: the rows may stand at any
  height. At most the window's height less one row is shown, around the cursor, because no cursor goes up further.
- Terminals do not agree on how wide joined emoji are. In the line only the first of them is shown, which all draw
  alike. Other clusters of doubtful width are counted at their widest, and behind them the cursor is placed by writing
  the row again up to it, never by a number of columns.
- Messages are wrapped at blanks, and what is wrapped is indented: a row that begins like somebody else's line would
  otherwise be for everybody to write. They are printed above in the same write that draws the line again.
- A window that becomes narrower either cuts rows off or wraps them (`reflow`), and nobody says which. Where it matters
  the caller finds out before it calls `resize`.

wcwidth gives widths and graphemes; its `wrap` was looked at and knows no hanging indent and no doubtful clusters.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from wcwidth import iter_graphemes, wcswidth, wcwidth

WIDTH, HEIGHT = 80, 24
"""The window where nothing is known of it."""
NARROWEST = 8
INDENT = "  "
CLEAR_ROW, CLEAR_BELOW, CLEAR_ALL = "\x1b[K", "\x1b[J", "\x1b[H\x1b[2J"
ASK_POSITION, ASK_KIND = "\x1b[6n", "\x1b[>c"
PASTE_ON, PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"

_STYLE = re.compile(r"\x1b\[[\d;]*m")
"""Bold and colours; nothing else in a line begins with ESC."""
_JOINING: Final = re.compile("[\u200d\ufe0f\U0001f3fb-\U0001f3ff]")
_WORD = re.compile(r"\s*[^\s]+|\s+$")


@lru_cache(maxsize=4096)
def cell(grapheme: str) -> tuple[str, int, bool]:
    """What is drawn for a grapheme of the line, how many columns it takes at most, and whether all terminals agree."""
    if grapheme == "\t" or (not grapheme.isprintable() and len(grapheme) == 1):
        return " ", 1, True
    if _JOINING.search(grapheme, 1):
        grapheme = grapheme[0]
    apart = sum(max(wcwidth(each), 0) for each in grapheme)
    together = max(wcswidth(grapheme), 0)
    return grapheme, max(apart, together), apart == together


def width_of(text: str) -> int:
    """The columns of a text, each cluster at its widest."""
    text = _STYLE.sub("", text) if "\x1b" in text else text
    return len(text) if text.isascii() else sum(cell(each)[1] for each in iter_graphemes(text))


def wrapped(line: str, width: int) -> list[str]:
    """A line as rows of at most `width` columns, cut at blanks, all but the first indented."""
    line = line.expandtabs() if "\t" in line else line
    if width_of(line) <= width:
        return [line]
    rows, row, used = [], "", 0
    for word in _WORD.findall(line):
        size = width_of(word)
        if used + size > width and used > len(INDENT):
            rows.append(row)
            word = word.lstrip()
            row, used, size = INDENT, len(INDENT), width_of(word)
        if used + size <= width:
            row, used = row + word, used + size
            continue
        for each in iter_graphemes(_STYLE.sub("", word)):
            size = cell(each)[1]
            if used + size > width:
                rows.append(row)
                row, used = INDENT, len(INDENT)
            row, used = row + each, used + size
    return [*rows, row]


class Row:
    """One drawn row: its `text`, its `width` in columns, and whether all terminals agree on that (`sure`)."""

    __slots__ = ("sure", "text", "width")

    def __init__(self) -> None:
        self.text = ""
        self.width = 0
        self.sure = True

    def add(self, text: str, width: int, sure: bool) -> None:
        """Append a cell."""
        self.text += text
        self.width += width
        self.sure = self.sure and sure


class Layout:
    """Prompt and line cut into `rows` for a width, and where the cursor is: its `row`, and the row `up_to` there."""

    __slots__ = ("row", "rows", "up_to")

    def __init__(self, prompt: str, cells: Sequence[str], at: int, width: int, most: int) -> None:
        rows = [Row()]
        self.row, self.up_to = 0, Row()
        shown = [*iter_graphemes(prompt)]
        cursor = len(shown) + at
        for place, (text, size, sure) in enumerate(map(cell, (*shown, *cells))):
            if rows[-1].width + size > width - 1:
                rows.append(Row())
            if place == cursor:
                self._put_cursor(rows)
            rows[-1].add(text, size, sure)
        if cursor == len(shown) + len(cells):
            self._put_cursor(rows)
        first = min(max(0, self.row - most + 1), max(0, len(rows) - most))
        if self.row - first >= most:
            first = self.row - most + 1
        self.rows = rows[first : first + most]
        self.row -= first

    def _put_cursor(self, rows: list[Row]) -> None:
        self.row = len(rows) - 1
        self.up_to.add(rows[-1].text, rows[-1].width, rows[-1].sure)


class Screen:
    """What one terminal shows of the line being typed. `draw` and its like return what is to be written for it."""

    __slots__ = ("_laid_out", "_row", "_rows", "column", "height", "width")

    def __init__(self) -> None:
        self.width, self.height = WIDTH, HEIGHT
        self._rows: list[Row] = []
        """What is drawn; none before the first time and after `erase`."""
        self._laid_out: tuple[tuple[object, ...], Layout] | None = None
        """What `layout` returned last, and for what: under what others say the line mostly stays as it is."""
        self._row = 0
        self.column = 0
        """Where it left the cursor."""

    def layout(self, prompt: str, cells: Sequence[str], at: int) -> Layout:
        """Where prompt and line come to stand. A prompt that takes half the width is cut short."""
        asked = (prompt, at, self.width, self.height, list(cells))
        if self._laid_out is None or self._laid_out[0] != asked:
            if width_of(prompt) > self.width // 2:
                prompt = "> "
            self._laid_out = asked, Layout(prompt, cells, at, self.width, max(1, self.height - 1))
        return self._laid_out[1]

    def draw(self, new: Layout) -> str:
        """Show the line; what was drawn of it before is replaced."""
        old, rows = self._rows, new.rows
        if not old:
            written = "\r\n".join(row.text for row in rows)
            return self._leave(rows, new, written, len(rows) - 1, rows[-1].width)
        same = next((at for at, (a, b) in enumerate(zip(old, rows, strict=False)) if a.text != b.text), -1)
        if same < 0 and len(old) == len(rows):
            return self._leave(rows, new, "", self._row, self.column)
        same = min(len(old), len(rows)) - 1 if same < 0 else same
        added = rows[same].text[len(old[same].text) :]
        if (
            same == self._row == len(old) - 1 == len(rows) - 1
            and old[same].sure
            and self.column == old[same].width
            and rows[same].text.startswith(old[same].text)
        ):
            return self._leave(rows, new, added, same, rows[same].width)
        written = self._go_up_or_down(same) + "\r"
        for at in range(same, len(rows)):
            written += ("" if at == same else "\r\n") + rows[at].text + CLEAR_ROW
        if len(rows) < len(old):
            written += CLEAR_BELOW
        return self._leave(rows, new, written, len(rows) - 1, rows[-1].width)

    def erase(self) -> str:
        """Take the line away: the cursor is where its first row began."""
        if not self._rows:
            return ""
        written = self._go_up_or_down(0) + "\r" + CLEAR_BELOW + "\r"  # so that what comes next is seen to begin a row
        self._rows, self._row, self.column = [], 0, 0
        return written

    def forget(self) -> None:
        """Nothing of the line is on the terminal any more, and the cursor is at the start of a row."""
        self._rows, self._row, self.column = [], 0, 0

    def splits(self, width: int) -> tuple[bool, bool]:
        """For a window that will be so wide: whether a wrapping terminal would wrap the row of the cursor before it,
        and whether it would wrap any row above."""
        above = any(row.width > width for row in self._rows[: self._row])
        return self.column >= width, above

    def resize(self, width: int, height: int, reflow: bool) -> str:
        """The window has another size, 0 = not known; take away what is left of the line. `reflow`: the terminal has
        wrapped rows that were too long, so that they are more now."""
        new = max(NARROWEST, width or WIDTH)
        if reflow and self._rows:
            above = sum(max(1, -(-row.width // new)) for row in self._rows[: self._row])
            self._row = above + self.column // new
        self._row = min(self._row, max(1, height or HEIGHT) - 1)
        self.width, self.height = new, max(2, height or HEIGHT)
        return self.erase()

    def _go_up_or_down(self, to: int) -> str:
        by = self._row - to
        return "" if not by else f"\x1b[{by}A" if by > 0 else f"\x1b[{-by}B"

    def _leave(self, rows: list[Row], new: Layout, written: str, row: int, column: int) -> str:
        """Take note of what is drawn, and go from (row, column) to where the cursor belongs."""
        self._rows, self._row = rows, row
        target = new.up_to
        if (row, column) != (new.row, target.width) or not rows[new.row].sure:
            written += self._go_up_or_down(new.row) + "\r"
            if not target.sure:
                written += target.text
            elif target.width:
                written += f"\x1b[{target.width}C"
        self._row, self.column = new.row, target.width
        return written
