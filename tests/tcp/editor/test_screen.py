"""The line on a terminal's screen (pyte's), whatever is typed, said and resized."""

import random
import unicodedata
from collections.abc import Sequence

import pyte
import pytest
from wcwidth import iter_graphemes

from gateway.tcp.editor.screen import Screen, cell, width_of, wrapped

PROMPT = "[lobby] ana> "


class Terminal:
    """A screen of some size, and what is drawn there."""

    def __init__(self, width: int = 40, height: int = 12) -> None:
        self.emulator = pyte.Screen(width, height)
        self.stream = pyte.Stream(self.emulator)
        self.screen = Screen()
        self.screen.resize(width, height, reflow=False)

    def draws(self, text: str, at: int | None = None, prompt: str = PROMPT) -> None:
        """Show this line with the cursor before that grapheme (None: at the end)."""
        cells = list(iter_graphemes(text))
        self.stream.feed(self.screen.draw(self.screen.layout(prompt, cells, len(cells) if at is None else at)))

    def says(self, *rows: str) -> None:
        """Print rows above the line, which has to be drawn again."""
        self.stream.feed(self.screen.erase() + "".join(f"{row}\r\n" for row in rows))

    @property
    def rows(self) -> list[str]:
        """What can be read, without empty rows at the end."""
        rows = [row.rstrip() for row in self.emulator.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column."""
        return self.emulator.cursor.y, self.emulator.cursor.x


def test_a_line_is_wrapped_before_the_last_column() -> None:
    terminal = Terminal(20)
    terminal.draws("abcdefghijklmnopqrstuvwxyz", prompt="> ")

    assert terminal.rows == ["> abcdefghijklmnopq", "rstuvwxyz"]
    assert terminal.cursor == (1, 9)


def test_letters_at_the_end_cost_only_themselves() -> None:
    terminal = Terminal()
    terminal.draws("hell")
    cells = list("hello")

    assert terminal.screen.draw(terminal.screen.layout(PROMPT, cells, 5)) == "o"


def test_a_shorter_line_leaves_nothing_behind() -> None:
    terminal = Terminal(20)
    terminal.draws("x" * 100)
    terminal.draws("short", prompt="> ")

    assert terminal.rows == ["> short"]


def test_wide_letters_and_accents_take_their_cells() -> None:
    terminal = Terminal(20)
    terminal.draws("日本語e\u0301x" * 3, at=4, prompt="> ")

    assert terminal.cursor == (0, 2 + 7)
    terminal.draws("日本語e\u0301x" * 3, prompt="> ")
    assert terminal.cursor == (1, 8)


def test_of_joined_emoji_the_first_is_drawn() -> None:
    assert cell("👨‍👩‍👧") == ("👨", 2, True)
    assert cell("👍🏽")[:2] == ("👍", 2)


def test_a_prompt_too_long_for_the_window_is_cut() -> None:
    terminal = Terminal(20)
    terminal.draws("hi", prompt="[a-room-with-a-long-name] somebody> ")

    assert terminal.rows == ["> hi"]


def test_what_others_say_stands_above_the_line() -> None:
    terminal = Terminal(20)
    terminal.draws("half a line that wraps", at=3, prompt="> ")
    terminal.says("bob: hello", "bob: again")
    terminal.draws("half a line that wraps", at=3, prompt="> ")

    assert terminal.rows == ["bob: hello", "bob: again", "> half a line that", "wraps"]
    assert terminal.cursor == (2, 5)


def test_a_line_taller_than_the_window_shows_what_is_around_the_cursor() -> None:
    terminal = Terminal(20, 6)
    text = "".join(chr(ord("a") + number // 10 % 26) for number in range(400))
    for at in (400, 0, 200):
        terminal.draws(text, at=at)
        terminal.says("bob: hello")
        terminal.draws(text, at=at)

        assert terminal.rows[0] == "bob: hello"
        assert len(terminal.rows) == 6


@pytest.mark.parametrize("width", [20, 33, 80, 200])
def test_messages_are_wrapped_at_blanks_and_indented(width: int) -> None:
    rows = wrapped("bob: " + "words of some length " * 20, width)

    assert all(width_of(row) <= width for row in rows)
    assert all(row.startswith("  ") and not row[2:].startswith(" ") for row in rows[1:])
    assert "".join(" ".join(rows).split()) == "".join(("bob: " + "words of some length " * 20).split())


def test_nobody_can_begin_a_row_like_somebody_else() -> None:
    text = "bob: " + "x" * 14 + " -- the server says so !! kicked: you\tana: me"
    for width in range(20, 60):
        assert not [row for row in wrapped(text, width)[1:] if not row.startswith("  ")]


def test_a_word_longer_than_a_row_is_cut() -> None:
    rows = wrapped("bob: " + "日" * 50, 21)

    assert all(width_of(row) <= 21 for row in rows)
    assert "".join(rows).count("日") == 50


def wraps(rows: Sequence[str], width: int) -> list[str]:
    """Rows as a terminal shows them that wraps what has become too long."""
    return [row[at : at + width] for row in rows for at in range(0, max(1, len(row)), width)]


@pytest.mark.parametrize("reflow", [True, False])
def test_a_narrower_window_leaves_one_line(reflow: bool) -> None:
    text = "abcdefghij" * 9
    terminal = Terminal(60, 20)
    terminal.says("bob: hello")
    terminal.draws(text)
    shown = terminal.rows
    terminal.emulator.resize(20, 30)
    if reflow:
        terminal.emulator.reset()
        terminal.stream.feed("\r\n".join(wraps(shown, 30)))
    terminal.stream.feed(terminal.screen.resize(30, 20, reflow))
    terminal.draws(text)

    assert terminal.rows == ["bob: hello", *[(PROMPT + text)[at : at + 29] for at in range(0, len(PROMPT + text), 29)]]


LETTERS = "abc defgh 日本語 é e\u0301 ü w"


@pytest.mark.parametrize("seed", range(8))
def test_the_line_survives_whatever_happens(seed: int) -> None:
    dice = random.Random(seed)
    width = dice.randint(20, 200)
    terminal = Terminal(width, 24)
    cells: list[str] = []
    at = 0
    for step in range(100):
        what = dice.random()
        if what < 0.5:
            new = [dice.choice(list(iter_graphemes(LETTERS))) for _ in range(dice.randint(1, 9))]
            cells[at:at] = new
            at += len(new)
        elif what < 0.6 and cells:
            at = dice.randrange(len(cells) + 1)
            del cells[at : at + dice.randint(1, 40)]
        elif what < 0.7:
            at = dice.randrange(len(cells) + 1)
        elif what < 0.9:
            said = [
                row
                for _ in range(dice.randint(1, 3))
                for row in wrapped(f"bob: {'hello ' * dice.randint(1, 60)}", width)
            ]
            terminal.says(*said, f"bob: step {step}")
        else:
            width = dice.randint(20, 200)
            terminal.emulator.resize(24, width)
            terminal.stream.feed(terminal.screen.resize(width, 24, reflow=False))
        if width_of("".join(cells)) > 250:
            cells, at = [], 0
        terminal.draws("".join(cells), at)
        prompt = PROMPT if width_of(PROMPT) <= width // 2 else "> "
        drawn = terminal.screen.layout(PROMPT, cells, at)
        shown = terminal.emulator.display
        first = terminal.cursor[0] - drawn.row
        line = "".join(row.rstrip() for row in shown[first:])

        typed = unicodedata.normalize("NFC", prompt + "".join(cells))  # pyte does so
        assert "".join(line.split()) == "".join(typed.split())
        assert sum(row.count(">") for row in shown) == 1
        assert terminal.cursor[1] == drawn.up_to.width < width
