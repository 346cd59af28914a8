"""All words that people read at a terminal or in the log stand in one table, and are filled in as it says."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import wording

ROOT = Path(__file__).parent.parent / "gateway"
TABLE = {name: text for name, text in vars(wording).items() if name.isupper()}
SOURCES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(ROOT.rglob("*.py"))
    if "bench" not in path.parts and path.name != "wording.py"
}
TERMINAL = tuple(name for name in SOURCES if name.startswith(("core/", "tcp/")))
PROSE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")
LOG_VERBS = {"debug", "info", "warning", "error", "critical", "exception"}


def calls(module: str) -> Iterator[ast.Call]:
    """Every call in a module."""
    yield from (node for node in ast.walk(SOURCES[module]) if isinstance(node, ast.Call))


def told(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call that a person reads, if it is such a call."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("Refusal", "answer"):
        return call.args
    return call.args[:1] if name == "Notice" else []


def prose(expressions: list[ast.expr]) -> list[str]:
    """The texts in some expressions that are words for people."""
    constants = [node for each in expressions for node in ast.walk(each) if isinstance(node, ast.Constant)]
    return [node.value for node in constants if isinstance(node.value, str) and PROSE.search(node.value)]


def fields(text: str) -> set[str]:
    """The names in braces."""
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("module", TERMINAL)
def test_a_terminal_is_told_only_words_of_the_table(module: str) -> None:
    assert [text for call in calls(module) for text in prose(told(call))] == []


@pytest.mark.parametrize("module", SOURCES)
def test_the_log_has_only_words_of_the_table(module: str) -> None:
    lines = [
        call
        for call in calls(module)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in LOG_VERBS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "log"
    ]

    assert [text for call in lines for text in prose(call.args)] == []


@pytest.mark.parametrize("module", SOURCES)
def test_what_varies_is_filled_in_by_the_names_that_the_table_has(module: str) -> None:
    for call in calls(module):
        said = call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr == "format" else None
        if isinstance(said, ast.Attribute) and getattr(said.value, "id", "") == "wording":
            assert {keyword.arg for keyword in call.keywords} == fields(TABLE[said.attr]), said.attr


def test_every_text_is_said_somewhere() -> None:
    said = {
        node.attr
        for tree in SOURCES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "wording"
    }

    assert sorted(TABLE.keys() - said) == []
