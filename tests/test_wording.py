"""All words that people read at a terminal or in the log stand in one table, and are filled in as it says."""

import ast
import re
import string
from pathlib import Path

from gateway import wording

ROOT = Path(__file__).parent.parent / "gateway"
TABLE = {name: text for name, text in vars(wording).items() if name.isupper()}
SOURCES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(ROOT.rglob("*.py"))
    if "bench" not in path.parts and path.name != "wording.py"
}
PROSE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")
LOG_VERBS = {"debug", "info", "warning", "error", "critical", "exception"}
CALLS = [(module, node) for module, tree in SOURCES.items() for node in ast.walk(tree) if isinstance(node, ast.Call)]
USES = [
    node
    for tree in SOURCES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "wording"
]


def told(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call that a person at a terminal reads, if it is such a call."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
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


def test_a_terminal_is_told_only_words_of_the_table() -> None:
    terminal = [(module, call) for module, call in CALLS if module.startswith(("core/", "tcp/"))]

    assert [(module, text) for module, call in terminal for text in prose(told(call))] == []


def test_the_log_has_only_words_of_the_table() -> None:
    assert [(module, text) for module, call in CALLS for text in prose(logged(call))] == []


def test_what_varies_is_filled_in_by_the_names_that_the_table_has() -> None:
    for module, call in CALLS:
        said = call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr == "format" else None
        if said in USES and isinstance(said, ast.Attribute):
            assert {keyword.arg for keyword in call.keywords} == fields(TABLE[said.attr]), f"{module}: {said.attr}"


def test_every_text_is_said_somewhere() -> None:
    assert sorted(TABLE.keys() - {use.attr for use in USES}) == []
