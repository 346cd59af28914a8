"""What is typed, from the bytes a terminal sends for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tcp.editor.keys import PASTE_BYTES, CursorPosition, Keyboard, KeyPress, Pasted, TerminalKind, Typed


def typed(*chunks: bytes) -> list[Typed]:
    """What these bytes say, with the text in one piece."""
    keyboard = Keyboard()
    found: list[Typed] = []
    for chunk in chunks:
        for each in keyboard.feed(chunk):
            if type(each) is str and found and type(found[-1]) is str:
                found[-1] += each
            else:
                found.append(each)
    return found


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"\x1b[D", KeyPress.LEFT),
        (b"\x1bOD", KeyPress.LEFT),
        (b"\x1b[1;5D", KeyPress.WORD_LEFT),
        (b"\x1b[5D", KeyPress.WORD_LEFT),
        (b"\x1bb", KeyPress.WORD_LEFT),
        (b"\x1b[1~", KeyPress.HOME),
        (b"\x1b[7~", KeyPress.HOME),
        (b"\x1b[H", KeyPress.HOME),
        (b"\x1bOF", KeyPress.END),
        (b"\x1b[3~", KeyPress.DELETE),
        (b"\x1b[3;5~", KeyPress.KILL_WORD_RIGHT),
        (b"\x1b[5~", KeyPress.PAGE_UP),
        (b"\x1b[Z", KeyPress.COMPLETE_BACK),
        (b"\x1b\x7f", KeyPress.KILL_WORD_LEFT),
        (b"\x7f", KeyPress.BACKSPACE),
        (b"\x08", KeyPress.BACKSPACE),
        (b"\x12", KeyPress.SEARCH),
        (b"\r", KeyPress.ENTER),
    ],
)
def test_a_key_is_known_by_each_of_its_sequences_however_they_are_cut(data: bytes, key: KeyPress) -> None:
    for cut in range(len(data) + 1):
        assert typed(b"a" + data[:cut], data[cut:] + b"b") == ["a", key, "b"]


@pytest.mark.parametrize(
    "data",
    [
        b"\x1b[20~",
        b"\x1b[[A",
        b"\x1bOP",
        b"\x1b[?1;2c",
        b"\x1bx",
        b"\x1b[<0;10;5M",  # a mouse that a program before has left switched on
        b"\x1b[<0;10;5m",
        b"\x1b[M !!",
        b"\x1b[32;10;5M",
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1b]11;rgb:ffff/0000/0000\x07",
        b"\x1bP>|xterm(390)\x1b\\",
        b"\x1b_Gi=1;OK\x1b\\",
        b"\x1b[?2026;2$y",
    ],
)
def test_unknown_keys_and_reports_type_nothing_however_they_are_cut(data: bytes) -> None:
    for cut in range(len(data) + 1):
        assert "".join(str(each) for each in typed(b"a" + data[:cut], data[cut:] + b"b")) == "ab", cut


def test_what_only_begins_like_a_report_is_typed_on() -> None:
    keyboard = Keyboard()

    assert keyboard.feed(b"\x1b]") == [] and keyboard.half
    assert keyboard.escape() == []
    assert keyboard.feed(b"hi") == ["hi"]
    assert typed(b"\x1b]hi\r") == ["hi", KeyPress.ENTER]
    assert typed(b"\x1b]" + b"x" * 5000) == ["x" * 5000]
    assert typed(b"\x00") == []


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\n\r", b"\r\0"])
def test_each_end_of_a_line_is_one_enter(end: bytes) -> None:
    for cut in range(len(end) + 1):
        assert typed(b"a" + end[:cut], end[cut:] + b"b") == ["a", KeyPress.ENTER, "b"]


def test_letters_cut_in_the_middle_of_their_bytes_are_whole() -> None:
    raw = "é日".encode()
    for cut in range(len(raw)):
        assert typed(raw[:cut], raw[cut:]) == ["é日"]


def test_what_is_not_utf_8_is_noticed() -> None:
    keyboard = Keyboard()
    keyboard.feed(b"gr\xfc\xdfe")

    assert keyboard.garbled


def test_a_lone_escape_is_a_key_when_nothing_follows() -> None:
    keyboard = Keyboard()

    assert keyboard.feed(b"\x1b") == [] and keyboard.half
    assert keyboard.escape() == [KeyPress.CANCEL] and not keyboard.half


def test_a_paste_is_one_piece_however_it_is_cut() -> None:
    data = b"a\x1b[200~one\r\ntwo\x1b[Dthree\x1b[201~b"
    for cut in range(len(data) + 1):
        assert typed(data[:cut], data[cut:]) == ["a", Pasted("one\r\ntwo\x1b[Dthree", True), "b"]


def test_of_a_paste_that_is_too_long_the_beginning_is_kept() -> None:
    (pasted,) = typed(b"\x1b[200~", *[b"x" * 10_000] * 10, b"\x1b[201~")

    assert pasted == Pasted("x" * PASTE_BYTES, False)


def test_a_terminal_reports_its_cursor_and_its_kind() -> None:
    assert typed(b"\x1b[12;34R") == [CursorPosition(12, 34)]
    assert typed(b"\x1b[>84;0;0c") == [TerminalKind("84;0;0")]


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_any_bytes_do_no_harm(chunks: list[bytes]) -> None:
    keyboard = Keyboard()
    for chunk in chunks:
        keyboard.feed(chunk)
        keyboard.escape()
    keyboard.feed(b"\x1b[201~\x18\x18")

    assert len(keyboard.feed(b"a")) <= 2
