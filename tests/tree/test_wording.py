"""All words that people read outside the pages stand in one table, and are filled in as it says."""

import ast
import re
import string
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from gateway import wording

pytestmark = pytest.mark.no_cover  # it reads the code and runs none of it
ROOT = Path(__file__).parents[2] / "gateway"
TABLE = {name: text for name, text in vars(wording).items() if name.isupper()}
PARTS = {
    path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "wording").glob("[a-z]*.py"))
}
PROSE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")
LOG_VERBS = {"debug", "info", "warning", "error", "critical", "exception"}
OUR_ERRORS = re.compile(r"\w*(?:Refusal|Error|Misread|WrongValue|Wrong|BadWord|NoHome|HTTP\w+|error|wrong)")
PROGRAMMING = {
    "ValueError",
    "TypeError",
    "KeyError",
    "AssertionError",
    "BlockingIOError",
    "ConnectionError",
    "DatabaseError",
}
"""Errors that tell a programmer, or the code above, and that nobody reads."""
FILLED_IN = {"gateway passwd", "gateway passwd "}
"""What people type, filled into a text of the table."""


@cache
def nodes() -> list[tuple[str, ast.AST]]:
    """All that the gateway's modules are made of, with the module, read by the first test of this file: every worker
    imports it, and one runs it."""
    return [
        (str(path.relative_to(ROOT)), node)
        for path in sorted(ROOT.rglob("*.py"))
        if not {"bench", "wording"} & set(path.parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]


@cache
def calls() -> list[tuple[str, ast.Call]]:
    """All calls, with their module."""
    return [(module, node) for module, node in nodes() if isinstance(node, ast.Call)]


@cache
def uses() -> list[ast.Attribute]:
    """Where a text of the table is used."""
    attributes = [node for _, node in nodes() if isinstance(node, ast.Attribute)]
    return [node for node in attributes if getattr(node.value, "id", "") == "wording"]


def called(call: ast.Call) -> str:
    """The name of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def told(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call that a person at a terminal reads, if it is such a call."""
    name = called(call)
    if name in ("Refusal", "answer"):
        return call.args
    return call.args[:1] if name == "Notice" else []


def logged(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call that logs a line."""
    verb = call.func if isinstance(call.func, ast.Attribute) and call.func.attr in LOG_VERBS else None
    return call.args if verb is not None and getattr(verb.value, "id", "") == "log" else []


def prose(expressions: list[ast.expr]) -> list[str]:
    """The texts in some expressions that are words for people."""
    constants = [node for each in expressions for node in ast.walk(each) if isinstance(node, ast.Constant)]
    return [node.value for node in constants if isinstance(node.value, str) and PROSE.search(node.value)]


def fields(text: str) -> set[str]:
    """The names in braces."""
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


def test_errors_have_only_words_of_the_table() -> None:
    """Refusals, wrong settings, starts that fail: whatever is raised for a person, and argparse's own errors."""
    said = [(module, call, called(call)) for module, call in calls()]
    errors = [(module, call) for module, call, name in said if OUR_ERRORS.fullmatch(name) and name not in PROGRAMMING]

    assert len(errors) > 200
    assert [(module, text) for module, call in errors for text in prose(call.args) if text not in FILLED_IN] == []


def test_each_text_is_said_by_one_name() -> None:
    names = Counter(
        target.id
        for tree in PARTS.values()
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in ast.walk(node.targets[0])
        if isinstance(target, ast.Name)
    )

    assert len(PARTS) > 5
    assert [name for name, count in names.items() if count > 1] == []
    assert names.keys() == TABLE.keys()


def test_a_terminal_is_told_only_words_of_the_table() -> None:
    terminal = [(module, call) for module, call in calls() if module.startswith(("core/", "tcp/"))]

    assert [(module, text) for module, call in terminal for text in prose(told(call))] == []


def test_the_log_has_only_words_of_the_table() -> None:
    assert [(module, text) for module, call in calls() for text in prose(logged(call))] == []


def test_what_varies_is_filled_in_by_the_names_that_the_table_has() -> None:
    for module, call in calls():
        said = call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr == "format" else None
        if said in uses() and isinstance(said, ast.Attribute):
            assert {keyword.arg for keyword in call.keywords} == fields(TABLE[said.attr]), f"{module}: {said.attr}"


def test_every_text_is_said_somewhere() -> None:
    assert sorted(TABLE.keys() - {use.attr for use in uses()}) == []


def test_the_labels_of_the_status_screen_are_words_of_the_table() -> None:
    shown = {"grid", "Text", "assemble", "add_row", "Group"}
    drawn = [call for module, call in calls() if module == "cli/status.py" and called(call) in shown]
    labels = [node.value for call in drawn for each in call.args for node in _texts(each)]
    assert len(drawn) > 10
    assert labels == []


def _texts(expression: ast.expr) -> list[ast.Constant]:
    """The texts with letters in an argument, without keys of what the gateway answers and styles."""
    keys = {
        id(part)
        for node in ast.walk(expression)
        if isinstance(node, ast.Subscript | ast.Call)
        for part in ([node.slice] if isinstance(node, ast.Subscript) else node.args[1:])
    }
    found = [node for node in ast.walk(expression) if isinstance(node, ast.Constant) and id(node) not in keys]
    return [node for node in found if isinstance(node.value, str) and re.search("[A-Za-z]{2}", node.value)]
