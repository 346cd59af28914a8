"""What is typed survives whatever is typed, said, pasted, searched and resized: pyte's screen against a model."""

import random
import unicodedata
from typing import Any

import pyte
import pytest
from wcwidth import iter_graphemes, wcwidth

from tests.tcp.editor.test_editor import DOWN, ENTER, LEFT, PASTE, PASTED, PROMPT, UP, Typist

RIGHT, HOME, END, BACKSPACE, CUT, SEARCH, CANCEL = b"\x1b[C", b"\x01", b"\x05", b"\x7f", b"\x15", b"\x12", b"\x07"
WORDS = [
    "a",
    "hello ",
    "x" * 17,
    "日本語",
    "한글",
    "e\u0301",
    "o\u0308\u0323",
    "👍🏽",
    "👨‍👩‍👧",
    "❤️",
    "שלום",
    "مرحبا",
    "नमस्ते",
    "½",
    "ｱ",
    "  ",
]
"""Wide letters, marks, joined emoji, letters from right to left, half-width and doubtful ones."""


class Window(pyte.Screen):
    """pyte's screen, but for what it does otherwise than terminals: letters of no width of their own do not end what
    is drawn, and a lower window keeps the row of its cursor."""

    def draw(self, data: str) -> None:
        """See pyte."""
        super().draw("".join(letter for letter in data if wcwidth(letter) > 0 or unicodedata.combining(letter)))

    def fit(self, width: int, height: int) -> None:
        """Another size; rows that have become too long are cut off."""
        over = self.cursor.y - (height - 1)
        if over > 0:
            y, x = self.cursor.y, self.cursor.x
            self.cursor_position(0, 0)
            self.delete_lines(over)
            self.cursor.y, self.cursor.x = y - over, x
        self.resize(height, width)
        self.cursor.x = min(self.cursor.x, width - 1)


def inked(text: str) -> str:
    """The letters of a text that can be told apart on pyte's screen."""
    letters = unicodedata.normalize("NFKD", text)
    return "".join(
        each for each in letters if wcwidth(each) > 0 and not each.isspace() and not 0x1F3FB <= ord(each) <= 0x1F3FF
    )


class Storm:
    """A typist, and what must stand in the line and before its cursor."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.typist = Typist()
        self.window: Any = Window(60, 24)
        self.typist.emulator, self.typist.stream = self.window, pyte.Stream(self.window)
        self.typist.types("first", ENTER)
        self.before: list[str] = []
        self.behind: list[str] = []

    def text(self) -> str:
        """Something to type."""
        return "".join(self.dice.choice(WORDS) for _ in range(self.dice.randint(1, 4)))

    def resizes(self) -> None:
        """The window gets another size."""
        width, height = self.dice.randint(20, 200), self.dice.choice((12, 24, 50))
        self.window.fit(width, height)
        self.typist._write(self.typist.editor.resize(width, height, reflow=False))

    def disturbs(self) -> None:
        """Others talk, or the window changes."""
        if self.dice.random() < 0.6:
            self.typist.hears("bob: " + " ".join(self.text() for _ in range(self.dice.randint(1, 9))), "bob: end")
        else:
            self.resizes()

    def inserts(self, text: str) -> None:
        """Text has come into the line."""
        self.before = list(iter_graphemes("".join(self.before) + text))

    def types(self) -> None:
        """Letters, in one packet or cut anywhere."""
        text = self.text()
        raw = text.encode()
        cut = self.dice.randrange(len(raw) + 1)
        self.typist.types(raw[:cut], raw[cut:])
        self.inserts(text)

    def pastes(self) -> None:
        """One line, and others talk in the middle of it."""
        text = self.text()
        raw = PASTE + text.encode() + PASTED
        cut = self.dice.randrange(len(raw))
        self.typist.types(raw[:cut])
        self.disturbs()
        self.typist.types(raw[cut:])
        self.inserts(text)

    def moves(self) -> None:
        """The cursor goes elsewhere."""
        all, at = self.before + self.behind, len(self.before)
        key, to = self.dice.choice([(LEFT, max(at - 1, 0)), (RIGHT, at + 1), (HOME, 0), (END, len(all))])
        self.typist.types(key)
        self.before, self.behind = all[:to], all[to:]

    def erases(self) -> None:
        """A letter goes, or all before the cursor."""
        if self.dice.random() < 0.8:
            self.typist.types(BACKSPACE)
            self.before = self.before[:-1]
        else:
            self.typist.types(CUT)
            self.before = []

    def looks_back(self) -> None:
        """Up and down again, or a search that is given up; meanwhile the others go on."""
        there, back = self.dice.choice([(UP, DOWN), (SEARCH, CANCEL)])
        self.typist.types(there, *(["f", "i"] if there == SEARCH else []))
        self.disturbs()
        self.typist.types(back)
        if there == UP:
            self.before, self.behind = self.before + self.behind, []

    def sends(self) -> None:
        """Enter."""
        self.typist.types(ENTER)
        self.before, self.behind = [], []

    def looks(self) -> None:
        """The line stands below all others, once and whole, and the cursor is where it belongs."""
        rows, width = self.window.display, self.window.columns
        prompt = PROMPT if len(PROMPT) <= width // 2 else "> "
        whole = inked(prompt) + self._drawn(self.before + self.behind)
        first = max(at for at, row in enumerate(rows) if row.startswith(prompt.rstrip()))
        assert inked("".join(rows[first:])) == whole
        assert sum(row.startswith(prompt.rstrip()) for row in rows) == 1
        cursor = self.window.cursor
        up_to = inked("".join(rows[first : cursor.y]) + rows[cursor.y][: self._letters(cursor)])
        assert up_to == inked(prompt) + self._drawn(self.before)

    def _letters(self, cursor: Any) -> int:
        """How many letters of its row stand before the cursor."""
        return len("".join(self.window.buffer[cursor.y][column].data for column in range(cursor.x)))

    @staticmethod
    def _drawn(graphemes: list[str]) -> str:
        """Of joined emoji the first is drawn."""
        return "".join(inked(each[0] if "\u200d" in each and each[0] in "👨" else each) for each in graphemes)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_typed_survives_everything(seed: int) -> None:
    storm = Storm(seed)
    happenings = [storm.types] * 5 + [storm.moves] * 3 + [storm.disturbs] * 4
    happenings += [storm.erases, storm.pastes, storm.looks_back, storm.resizes]
    for _ in range(60):
        storm.dice.choice(happenings)()
        if len("".join(storm.before + storm.behind)) > 120:
            storm.sends()
        storm.looks()
