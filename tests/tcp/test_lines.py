"""Bytes to lines, cut at every place."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sanitize import LINE_BYTES
from gateway.tcp.lines import LineBuffer, TooLong

CHUNK = 65_536


def lines_of(*chunks: bytes, turn: int = 64) -> list[bytes | TooLong]:
    buffer = LineBuffer()
    lines: list[bytes | TooLong] = []
    for chunk in chunks:
        buffer.feed(chunk)
        while buffer.pending():
            lines += buffer.take(turn)
    rest = buffer.rest()
    return lines if rest is None else [*lines, b"rest:" + rest]


def one_byte_each(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


ENDS = [b"\n", b"\r\n", b"\r\0", b"\n\r", b"\r\r\n", b"\r\r\0", b"\r\n\r"]


@pytest.mark.parametrize("end", ENDS)
def test_pc_08_each_way_to_end_a_line_ends_it(end: bytes) -> None:
    assert lines_of(b"one" + end + b"two" + end) == [b"one", b"two"]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\rb\n", [b"a\rb"]),
        (b"a\r\r\r\nb\n", [b"a", b"b"]),
        (b"\ra\r\n", [b"a"]),
        (b"a\n\r\0b\n", [b"a", b"", b"b"]),
        (b"a\n\r\r\0b\n", [b"a", b"", b"b"]),
        (b"a\r\n\0b\n", [b"a", b"\0b"]),
        (b"\n\r\n\r\0", [b"", b"", b""]),
        (b"a\x0b\x1c\xc2\x85\xe2\x80\xa8b\n", [b"a\x0b\x1c\xc2\x85\xe2\x80\xa8b"]),
        (b"a\nlast", [b"a", b"rest:last"]),
        (b"a\nlast\r", [b"a", b"rest:last"]),
        (b"a\n\r", [b"a"]),
        (b"", []),
    ],
)
def test_line_ends_mean_the_same_wherever_the_input_is_cut(data: bytes, lines: list[bytes]) -> None:
    assert lines_of(data) == lines_of(*one_byte_each(data)) == lines
    for cut in range(len(data)):
        assert lines_of(data[:cut], data[cut:]) == lines


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\0", b"a", b"bc"]), max_size=40), st.data())
def test_any_cutting_gives_the_same_lines(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    cut = data.draw(st.integers(0, len(whole)))
    assert lines_of(*parts) == lines_of(whole) == lines_of(whole[:cut], whole[cut:], turn=1)


def test_utf8_cut_between_chunks_is_whole_again() -> None:
    assert lines_of(b"\xf0\x9f", b"\x98\x80\n") == ["\U0001f600".encode()]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("size", [LINE_BYTES - 1, LINE_BYTES])
def test_line_up_to_the_limit_passes_whatever_its_end(size: int, end: bytes) -> None:
    line = b"x" * size
    assert lines_of(line + end + b"next\n") == lines_of(*one_byte_each(line + end + b"next\n")) == [line, b"next"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("size", [LINE_BYTES + 1, LINE_BYTES + 2, 3 * LINE_BYTES])
def test_line_over_the_limit_is_told_once_and_skipped_wherever_it_is_cut(size: int, end: bytes) -> None:
    data = b"before\n" + b"x" * size + end + b"next\n"
    assert lines_of(data) == [b"before", TooLong(size), b"next"]
    for cut in (9, LINE_BYTES + 6, LINE_BYTES + 7, LINE_BYTES + 8, LINE_BYTES + 9, size + 7, size + 8):
        before, told, after = lines_of(data[:cut], data[cut:])
        assert (before, after) == (b"before", b"next")
        assert isinstance(told, TooLong) and LINE_BYTES < told.size <= size + 1
    assert [type(line) for line in lines_of(*one_byte_each(data))] == [bytes, TooLong, bytes]


def test_long_line_that_ends_in_content_cr_is_too_long() -> None:
    assert lines_of(b"x" * LINE_BYTES + b"\r", b"y\n", b"next\n") == [TooLong(LINE_BYTES + 2), b"next"]


def test_crs_without_end_are_no_memory_and_no_line() -> None:
    buffer = LineBuffer()
    for _ in range(100):
        buffer.feed(b"x" * LINE_BYTES if not buffer.last_byte else b"\r" * CHUNK)
        assert len(buffer._partial) <= LINE_BYTES + 1
    buffer.feed(b"\n")
    assert buffer.take(64) == [b"x" * LINE_BYTES]

    buffer.feed(b"\r" * CHUNK)
    assert len(buffer._partial) == 1
    buffer.feed(b"next\n")
    assert buffer.take(64) == [b"next"]


def test_long_unfinished_line_leaves_no_rest() -> None:
    assert lines_of(b"x" * 5_000) == [TooLong(5_000)]
    assert lines_of(b"x" * 5_000, b"tail") == [TooLong(5_000)]


def test_skipped_line_ends_at_cr_nul_cut_in_two() -> None:
    assert lines_of(b"x" * 5_000, b"x\r", b"\0next\n") == [TooLong(5_000), b"next"]
    assert lines_of(b"x" * 5_000 + b"\r", b"\nnext\n") == [TooLong(5_000), b"next"]


def test_100_mb_without_an_end_are_one_event_and_no_memory() -> None:
    buffer, chunk = LineBuffer(), b"x" * CHUNK
    for _ in range(1_600):
        buffer.feed(chunk)
        told = buffer.take(64)
        assert not buffer._partial and not buffer._ready
    assert told == []
    buffer.feed(b"\nnext\n")
    assert buffer.take(64) == [b"next"]


def test_long_line_fed_before_the_lines_ahead_were_taken_keeps_its_place() -> None:
    buffer = LineBuffer()
    for chunk in (b"a\nb\n" + b"x" * 5_000, b"x" * 5_000, b"\nc\n"):
        buffer.feed(chunk)
    assert buffer.take(64) == [b"a", b"b", TooLong(10_000), b"c"]


@pytest.mark.parametrize("size", [LINE_BYTES, LINE_BYTES + 1, 3 * CHUNK])
@pytest.mark.parametrize("chunk", [7, LINE_BYTES, CHUNK])
def test_a_long_line_comes_in_pieces_while_they_are_wanted(size: int, chunk: int) -> None:
    long = b"0123456789" * (size // 10) + b"x" * (size % 10)
    data = b"before\n" + long + b"\r\nnext\n"
    buffer, text = LineBuffer(), b""
    for at in range(0, len(data), chunk):
        buffer.feed(data[at : at + chunk])
        while buffer.pending():
            for line in buffer.take(1):
                buffer.in_pieces = True
                text += line + b"|" if isinstance(line, bytes) else (line.text or b"") + b"|" * line.ends
        assert len(buffer._partial) <= LINE_BYTES
    assert text == b"before|" + long + b"|next|"


def test_no_more_lines_are_taken_than_asked_for() -> None:
    buffer = LineBuffer()
    buffer.feed(b"1\n2\n3\n4")
    assert buffer.take(2) == [b"1", b"2"] and buffer.pending()
    assert buffer.take(2) == [b"3"] and not buffer.pending()
    assert buffer.take(2) == []


def test_empty_lines_are_lines() -> None:
    buffer = LineBuffer()
    buffer.feed(b"\n" * CHUNK)
    turns = 0
    while buffer.pending():
        assert buffer.take(64) == [b""] * 64
        turns += 1
    assert turns == CHUNK // 64


def test_buffer_between_lines_holds_nothing() -> None:
    buffer = LineBuffer()
    buffer.feed(b"hello\n" * 1_000)
    while buffer.pending():
        buffer.take(64)
    assert buffer._ready == buffer._partial == b""
    assert sys.getsizeof(buffer) < 100


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        (b"abc", b"ab"),
        ("dé".encode(), b"d"),
        ("x😀".encode(), b"x"),
        (b"", b""),
        (b"\xbf" * 5, b"\xbf" * 4),
        (b"one\na", b""),
    ],
)
def test_the_last_character_of_the_unfinished_line_can_be_erased(typed: bytes, left: bytes) -> None:
    buffer = LineBuffer()
    buffer.feed(typed)
    buffer.erase(whole=False)
    buffer.feed(b"!\n")

    assert buffer.take(9)[-1] == left + b"!"


def test_an_unfinished_line_can_be_erased_and_no_other() -> None:
    buffer = LineBuffer()
    buffer.feed(b"one\ntwo")
    buffer.erase(whole=True)
    buffer.erase(whole=False)
    buffer.feed(b"three\n")

    assert buffer.take(9) == [b"one", b"three"]


def test_erasing_a_line_that_is_too_long_does_not_begin_another() -> None:
    buffer = LineBuffer()
    buffer.feed(b"x" * (LINE_BYTES + 2))
    buffer.erase(whole=True)
    buffer.feed(b"rest\nnext\n")

    assert [line for line in buffer.take(9) if isinstance(line, bytes)] == [b"next"]
