"""The line being typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from gateway.core.sanitize import LINE_BYTES
from gateway.tcp.editor.line import EditLine


def line(text: str) -> EditLine:
    """A line whose cursor stands where the text has a bar, else at the end."""
    before, _, behind = text.partition("|")
    found = EditLine()
    found.insert(before + behind)
    found.move(-len(list(iter_graphemes(behind))))
    return found


def shown(found: EditLine) -> str:
    """The line with a bar for its cursor."""
    return found.before + "|" + "".join(found.cells[found.at :])


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [
        ("home", "one two|", "|one two"),
        ("end", "|one two", "one two|"),
        ("word_left", "one two|", "one |two"),
        ("word_left", "one, |two", "|one, two"),
        ("word_right", "|one two", "one| two"),
        ("backspace", "e\u0301|x", "|x"),
        ("delete", "a|👨‍👩‍👧b", "a|b"),
        ("kill_left", "one |two", "|two"),
        ("kill_right", "one |two", "one |"),
        ("kill_word_left", "a-b|", "a-|"),
        ("kill_argument", "x a-b |", "x |"),
        ("kill_word_right", "|one two", "| two"),
        ("transpose", "ab|c", "acb|"),
        ("transpose", "abc|", "acb|"),
        ("transpose", "|abc", "|abc"),
        ("transpose", "a|", "a|"),
    ],
)
def test_verbs(verb: str, before: str, after: str) -> None:
    found = line(before)
    getattr(found, verb)()

    assert shown(found) == after


def test_cuts_one_after_the_other_come_back_together() -> None:
    found = line("one two three|")
    found.kill_argument()
    found.kill_argument()
    found.home()
    found.yank()

    assert shown(found) == "two three|one "


def test_a_cut_after_something_else_begins_afresh() -> None:
    found = line("one two|")
    found.kill_argument()
    found.move(-1)
    found.kill_left()
    found.yank()

    assert shown(found) == "one| "


def test_an_accent_joins_the_letter_before_it() -> None:
    found = line("e|x")
    found.insert("\u0301")
    found.move(-1)

    assert shown(found) == "|e\u0301x"


def test_a_line_takes_no_more_than_its_bytes_and_no_half_letter() -> None:
    found = EditLine()

    assert not found.insert("é" * LINE_BYTES)
    assert found.text == "é" * (LINE_BYTES // 2)
    found.backspace()
    assert found.insert("é") and not found.insert("a")


@given(st.lists(st.tuples(st.sampled_from("ae\u0301\u200d👨🇩日\t "), st.integers(-3, 3))))
def test_inserting_anywhere_cuts_no_grapheme(steps: list[tuple[str, int]]) -> None:
    found = EditLine()
    for letter, by in steps:
        found.insert(letter)
        found.move(by)

        assert 0 <= found.at <= len(found.cells)
        assert all(found.cells)
