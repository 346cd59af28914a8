"""The gate: what may be shown to others, and what it makes of everything else."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core import sanitize
from gateway.errors import Code, Refusal

FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f\ud800-\udfff]"
)
SPICE = [
    *("\x1b", "\x1b[", "\x1b]", "\x1bP", "\x1b\\", "\x9b", "\x9d", "\x90", "\x9c", "\x07", "\x18"),
    *("[", "]", "31m", "\\", "0;t"),
    *("\r", "\n", "\r\n", "\t", "\x00", "\u2028", "\u202e", "\u2066", "\ufeff", "\U000e0041", "\ud800", "a", " "),
]
HOSTILE = st.lists(st.one_of(st.sampled_from(SPICE), st.text(max_size=3)), max_size=30).map("".join)


def refusal_of(raw: str, limit: int = sanitize.TEXT_BYTES) -> Refusal:
    with pytest.raises(Refusal) as caught:
        sanitize.lines(raw, limit)
    return caught.value


def passes(raw: str) -> str | None:
    try:
        return sanitize.lines(raw)
    except Refusal:
        return None


@pytest.mark.parametrize(
    "plain",
    [
        *("hi", "  indented", "a\tb", "\u00e9\u00df\u4f60\u597d", "\u0646\u200c\u0627", "\ufffd\uffff\ue000"),
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    ],
)
def test_ordinary_text_passes_unchanged(plain: str) -> None:
    assert sanitize.lines(plain) == sanitize.line(plain) == plain


@pytest.mark.parametrize("separator", list("\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"))
def test_what_some_reader_takes_for_a_line_end_is_a_space(separator: str) -> None:
    assert sanitize.lines(f"a{separator}[admin] b") == "a [admin] b"


@pytest.mark.parametrize(
    "gone",
    [
        *map(chr, [*range(9), *range(0x0E, 0x1C), *range(0x7F, 0x85), *range(0x86, 0xA0), 0xFEFF]),
        *map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xE0000, 0xE0080)]),
    ],
)
def test_controls_overrides_and_tags_go(gone: str) -> None:
    assert sanitize.lines(f"a{gone}{gone}\u00e9") == "a\u00e9"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        *[("a\x1b[31mred\x1b[0m", "ared"), ("a\u009b31mb", "ab"), ("a\x1b[6nb\x1b[cc", "abc"), ("a\x1b[?25 qb", "ab")],
        *[("a\x1b]0;title\x07b", "ab"), ("a\x1b]8;;http://x\x1b\\b", "ab"), ("a\x9d0;t\x9cb", "ab")],
        *[('a\x1bP$q"p\x1b\\b', "ab"), ("a\x90q\x07\x9cb", "ab"), ("a\x1b_G\x1b\\b\x1b^x\x9cc\x1bXy\x1b\\d", "abcd")],
        *[("a\x1b(B\x1b[mb", "ab"), ("a\x1b%Gb", "ab"), ("a\x1b #8b", "ab"), ("a\x1bOA\x1bOQb", "ab")],
        *[(f"a\x1b{letter}b", "ab") for letter in map(chr, range(0x30, 0x7F)) if letter not in "[]PX^_"],
    ],
)
def test_whole_sequences_go(raw: str, shown: str) -> None:
    assert sanitize.lines(raw) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        *[
            ("a\x1b[31", "a"),
            ("a\x1b[", "a"),
            ("a\x1b", "a"),
            ("a\x1b(", "a("),
            ("a\x1b\u00e9b", "a\u00e9b"),
            ("a\x1b[31\nb", "a\nb"),
        ],
        *[("a\x1b]0;words", "a]0;words"), ("a\x9d0;words", "a0;words"), ("a\x1bPx\ny\x1b\\", "aPx\ny")],
        *[("a\x1b]0;b\x1b[1mc\x07", "a]0;bc"), ("a\x1b]0;b\x18c\x07", "a]0;bc")],
    ],
)
def test_unfinished_sequence_loses_its_control_but_not_the_words_after_it(raw: str, shown: str) -> None:
    assert sanitize.lines(raw) == shown


@pytest.mark.parametrize("raw", ["a\x1b\x1b[m[31mb", "a\x1b\x1b]0;\x07[31mb", "a\x1b\u202e[31mb", "a\x9b\x1b[m31mb"])
def test_sequence_that_another_ones_removal_would_form_has_no_escape(raw: str) -> None:
    assert not FORBIDDEN.search(sanitize.lines(raw))


def test_lines_are_separated_by_lf_alone_and_do_not_end_in_one() -> None:
    assert sanitize.lines("a\r\nb\n\n  c\rd\r\n\n") == "a\nb\n\n  c d"


def test_a_line_has_no_line_feed() -> None:
    assert sanitize.line("a\r\nb\nc\n") == "a b c"


@pytest.mark.parametrize("raw", ["a\ud800", "\udfff", "a\x1b]0;\ud800\x07", "\ud83d\x00\ude00"])
def test_lone_surrogate_is_refused(raw: str) -> None:
    assert refusal_of(raw).code is Code.BAD_TEXT


@pytest.mark.parametrize(
    "raw",
    [
        *("", " ", "\t", "\n\n", " \r\n ", "\x1b[31m", "\x00\x07", "\u200b\u200d\ufe0f", "\u2066\u2069"),
        *("\u00a0\u3000", "\u2800\u3164", "\ufeff"),
    ],
)
def test_nothing_visible_is_refused(raw: str) -> None:
    assert refusal_of(raw).code is Code.BAD_TEXT


@pytest.mark.parametrize("character", ["a", "\u00e9", "\u4f60", "\U0001f600"])
def test_limit_is_counted_in_bytes_of_utf8(character: str) -> None:
    fitting = 4_000 // len(character.encode())
    assert sanitize.lines(character * fitting) == character * fitting
    assert refusal_of(character * (fitting + 1)).code is Code.TOO_LONG


def test_limit_counts_what_is_left_by_the_gate() -> None:
    assert sanitize.lines("\x00" * 9_000 + "a" * 4_000) == "a" * 4_000


def test_refusal_says_both_sizes() -> None:
    assert refusal_of("a" * 5_120).text == "5,120 bytes, limit 4,000; not sent"
    assert refusal_of("\u00e9" * 151, sanitize.TOPIC_BYTES).text == "302 bytes, limit 300; not sent"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        *[(b"\xff\xfe\xfd x", "\ufffd\ufffd\ufffd x"), (b"\xc0\xaf", "\ufffd\ufffd"), (b"\xed\xa0\x80", "\ufffd" * 3)],
        *[(b"\xf4\x90\x80\x80", "\ufffd" * 4), (b"a\xf0\x9f\x98", "a\ufffd"), (b"\x9b31m", "\ufffd31m")],
    ],
)
def test_bad_utf8_becomes_replacement_characters(raw: bytes, shown: str) -> None:
    assert sanitize.lines(sanitize.decode(raw)) == shown


@given(HOSTILE)
@example("\r\x00\n")
@example("\r\x1b[m\n")
@example("\n\x00")
def test_what_left_the_gate_is_clean_and_passes_it_unchanged(raw: str) -> None:
    shown = passes(raw)
    if shown is not None:
        assert not FORBIDDEN.search(shown)
        assert len(shown.encode()) <= sanitize.TEXT_BYTES
        assert sanitize.lines(shown) == shown
        assert sanitize.line(sanitize.line(raw)) == sanitize.line(raw)


@given(st.binary(max_size=60))
def test_any_bytes_are_shown_or_refused(raw: bytes) -> None:
    shown = passes(sanitize.decode(raw))
    assert shown is None or not FORBIDDEN.search(shown)


@given(HOSTILE, HOSTILE)
def test_what_comes_after_an_unfinished_sequence_never_joins_it(one: str, other: str) -> None:
    shown, next_shown = passes(one), passes(other)
    if shown is not None and next_shown is not None:
        assert sanitize.lines(shown + "\n" + next_shown) == shown + "\n" + next_shown


LINE = st.one_of(st.just("a line"), HOSTILE, st.text(max_size=8), st.just("x" * sanitize.TEXT_BYTES + "x"))


@given(st.lists(LINE.map(lambda text: text.replace("\n", "")).map(lambda text: text.encode("utf-8", "surrogatepass"))))
@example([])
@example([b"", b"a"])
@example([b"a", b" b", b"c"])
@example([b"a", b""])
@example(["é".encode(), b"\xff"])
def test_lines_are_unchanged_as_far_as_the_gate_says_so_of_each(lines: list[bytes]) -> None:
    found = sanitize.unchanged(lines)

    assert [text.encode() for text in found] == lines[: len(found)]
    assert [sanitize.line(text) for text in found] == found
    if b"".join(lines).decode("utf-8", "ignore").encode() == b"".join(lines) and len(found) < len(lines):
        shown = passes(lines[len(found)].decode())
        assert shown is None or shown.encode() != lines[len(found)]


@pytest.mark.timeout(10)
@pytest.mark.parametrize("unit", ["\x1b]", "\x9d", "\x1bP", "\x90a", "\x1b[", "\x1b[1;", "\x1b", "\r", "\x00"])
def test_64_kib_of_anything_are_gated_in_linear_time(unit: str) -> None:
    passes("a" + unit * (65_536 // len(unit)))


BORDERS = [*range(0x300), *range(0x2000, 0x2100), *range(0xFEF0, 0x10000), *range(0xDFFF0, 0xE0100)]


def test_every_character_about_a_border_is_kept_or_touched_as_the_rule_says() -> None:
    for point in BORDERS:
        shown = sanitize.lines(f"a{chr(point)}b")
        assert (chr(point) in shown) is not bool(FORBIDDEN.search(chr(point))), hex(point)
