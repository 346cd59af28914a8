"""The editor: keys and what others say in, bytes for the screen out."""

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import wording
from gateway.core.sanitize import LINE_BYTES
from gateway.tcp.editor.editor import BELL, Editor
from gateway.tcp.editor.recall import Candidates

PROMPT = "[lobby] ana> "
ENTER, UP, DOWN, LEFT, TAB, ESCAPE = b"\r", b"\x1b[A", b"\x1b[B", b"\x1b[D", b"\t", b"\x1b"
PASTE, PASTED = b"\x1b[200~", b"\x1b[201~"


class Typist:
    """Somebody at a terminal, and the owner of what is typed there."""

    def __init__(self, width: int = 60, height: int = 12) -> None:
        self.prompt = PROMPT
        self.sent: list[str] = []
        self.pasted: list[list[str]] = []
        self.pasting = False
        self.names = ["bob", "bea"]
        self.asked = 0
        self.keeps = False
        self.editor = Editor(self)
        self.emulator = pyte.Screen(width, height)
        self.stream = pyte.Stream(self.emulator)
        self.written = b""
        self._write(self.editor.resize(width, height, reflow=False))

    def complete(self, before: str) -> Candidates:
        self.asked += 1
        start = before.rfind(" ") + 1
        return Candidates(start, [name + " " for name in self.names if name.startswith(before[start:])])

    def submit(self, line: str) -> bool:
        self.sent.append(line)
        return self.keeps

    def paste(self, lines: list[str]) -> None:
        self.pasted.append(lines)

    def types(self, *keys: bytes | str) -> "Typist":
        """Press keys, each in a packet of its own."""
        for key in keys:
            self.editor.feed(key.encode() if isinstance(key, str) else key)
            self._write(self.editor.draw())
        return self

    def hears(self, *lines: str) -> None:
        """Others say something."""
        self.editor.show(list(lines))
        self._write(self.editor.draw())

    def _write(self, data: bytes) -> None:
        self.written = data
        self.stream.feed(data.decode())

    @property
    def rows(self) -> list[str]:
        """What can be read."""
        return [row.rstrip() for row in self.emulator.display if row.strip()]

    @property
    def line(self) -> str:
        """The line being typed, with a bar for the cursor."""
        row = self.emulator.display[self.emulator.cursor.y]
        at = self.emulator.cursor.x
        return f"{row[:at]}|{row[at:].rstrip()}".removeprefix(PROMPT)


def test_a_line_is_sent_and_taken_from_the_screen() -> None:
    typist = Typist().types("hello", ENTER)

    assert typist.sent == ["hello"]
    assert typist.rows == [PROMPT.rstrip()]


def test_of_a_blank_line_only_enter_is_told() -> None:
    typist = Typist().types(ENTER, "  ", ENTER)

    assert typist.sent == ["", ""] and typist.rows == [PROMPT.rstrip()]


def test_what_the_owner_keeps_stays_as_it_was_typed() -> None:
    typist = Typist()
    typist.keeps = True
    typist.types("/who", ENTER)

    assert typist.rows == [PROMPT + "/who", PROMPT.rstrip()]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["one two", b"\x01", "x"], "x|one two"),
        (["one two", b"\x01", b"\x06", b"\x04"], "o|e two"),
        (["one two", b"\x17", b"\x19", b"\x19"], "one twotwo|"),
        (["one two", b"\x1bb", b"\x0b"], "one |"),
        (["one two", b"\x1bb", b"\x15"], "|two"),
        (["one two", b"\x01", b"\x1bd", b"\x05", b"\x19"], " twoone|"),
        (["ab", b"\x14"], "ba|"),
        (["日本", LEFT, b"\x7f"], "|本"),
        (["half", b"\x03"], "|"),
    ],
)
def test_keys_edit_the_line(keys: list[bytes | str], line: str) -> None:
    assert Typist().types(*keys).line == line


def test_what_others_say_leaves_the_line_and_its_cursor_alone() -> None:
    typist = Typist().types("half a line", LEFT, LEFT)
    typist.hears("bob: hello", "bob: again")

    assert typist.rows == ["bob: hello", "bob: again", PROMPT + "half a line"]
    assert typist.line == "half a li|ne"


def test_many_lines_are_one_write() -> None:
    typist = Typist()
    typist.editor.show([f"bob: {number}" for number in range(5)])

    assert typist.editor.draw().count(b"\x1b[J") == 1
    assert typist.editor.draw() == b""


def test_the_draft_waits_below_the_history() -> None:
    typist = Typist().types("one", ENTER, "two", ENTER, "draft", UP, UP)
    above = typist.line
    typist.types(DOWN, DOWN)

    assert (above, typist.line) == ("one|", "draft|")


def test_a_search_finds_and_sends() -> None:
    typist = Typist().types("git pull", ENTER, "ls", ENTER, b"\x12", "git")
    shown = typist.rows[-1]
    typist.types(ENTER)

    assert shown == "(search) git: git pull"
    assert typist.sent[-1] == "git pull"


def test_a_search_can_be_left_with_the_line_as_it_was() -> None:
    typist = Typist().types("ls", ENTER, "draft", b"\x12", "l", b"\x07")

    assert typist.line == "draft|"


def test_tab_goes_round_the_names_and_asks_for_them_once() -> None:
    typist = Typist().types("hi b", TAB)
    first = typist.line
    typist.types(TAB, "x", TAB)

    assert first == "hi bob |"
    assert typist.line == "hi bea x|" and typist.asked == 2
    assert typist.written == BELL.encode()


def test_a_flood_of_tabs_asks_once_a_packet() -> None:
    typist = Typist()
    typist.types(b"\tx" * 1000)

    assert typist.asked == 1


def test_a_short_paste_is_sent_and_its_last_line_stays() -> None:
    typist = Typist().types("say: ", PASTE + b"one\r\ntwo\rthree" + PASTED)

    assert typist.sent == ["say: one", "two"]
    assert typist.line == "three|"


def test_a_long_paste_is_asked_about() -> None:
    lines = [str(number) for number in range(12)]
    typist = Typist().types(PASTE + "\n".join(lines).encode() + PASTED)
    asked, pasted = typist.rows[-1], list(typist.pasted)
    typist.types("y")

    assert asked + " " == wording.ASK_PASTE.format(lines=12) and not pasted
    assert typist.pasted == [lines] and not typist.sent and typist.line == "|"


def test_while_lines_are_gathered_a_paste_is_taken_as_it_is() -> None:
    typist = Typist()
    typist.pasting = True
    typist.types("say: ", PASTE + b"one\r\n\r\n" + b"x\n" * 6 + b"last" + PASTED)

    assert typist.pasted == [["say: one", "", *"xxxxxx"]] and not typist.sent
    assert typist.line == "last|"


def test_a_paste_that_is_refused_is_not_sent() -> None:
    typist = Typist().types(PASTE + b"x\n" * 12 + PASTED, "x", "n")

    assert not typist.sent and not typist.pasted and typist.line == "|"


def test_a_paste_cannot_press_keys() -> None:
    typist = Typist().types(PASTE + b"a\x03\x1b[Ab" + PASTED)

    assert typist.line == "a[Ab|"


def test_ctrl_c_in_an_empty_line_asks_whether_to_leave() -> None:
    typist = Typist().types("x", b"\x03", b"\x03")
    asked = typist.rows[-1]
    typist.types("n")
    stays = list(typist.sent)
    typist.types(b"\x03", "y")

    assert asked + " " == wording.ASK_LEAVE
    assert stays == [] and typist.sent == ["/quit"]


def test_ctrl_d_in_an_empty_line_leaves() -> None:
    assert Typist().types("x", b"\x01", b"\x04", b"\x04").sent == ["/quit"]


def test_a_password_is_never_shown() -> None:
    typist = Typist()
    typist.keeps = True
    typist.types("/login secret")
    hidden = typist.rows[-1]
    typist.types(ENTER, UP)

    assert typist.sent == ["/login secret"]
    assert hidden == PROMPT + "/login ******"
    assert "secret" not in "".join(typist.rows)


def test_a_line_is_full_at_its_bytes() -> None:
    typist = Typist().types("x" * (LINE_BYTES + 100))
    assert BELL.encode() in typist.written
    typist.types(ENTER)

    assert typist.sent == ["x" * LINE_BYTES]


def test_a_lone_escape_ends_a_question() -> None:
    typist = Typist().types(b"\x03", ESCAPE)
    assert typist.editor.half
    typist.editor.escape()
    typist.types("x")

    assert typist.line == "x|" and typist.sent == []


def test_at_the_end_the_line_goes_and_pastes_are_plain_again() -> None:
    typist = Typist().types("half")
    typist._write(typist.editor.close(["-- bye"]))

    assert typist.rows == ["-- bye"]
    assert typist.written.endswith(b"\x1b[?2004l")


@given(st.lists(st.tuples(st.binary(max_size=40), st.text(max_size=60), st.integers(0, 70)), max_size=12))
@settings(max_examples=60, deadline=None)
def test_no_bytes_do_any_harm(steps: list[tuple[bytes, str, int]]) -> None:
    typist = Typist(20)
    for data, said, width in steps:
        typist.editor.feed(data)
        typist.editor.escape()
        typist.editor.show([said.replace("\x1b", "")])
        typist.editor.draw()
        typist.editor.resize(width, width, reflow=bool(width % 2))
    typist.editor.feed(PASTED + b"\x18\x03\x03")
    typist.editor.draw()
    typist.editor.close(["-- bye"])
