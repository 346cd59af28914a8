"""The README's tables on the origin name only what exists."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # it reads the code and runs none of it
ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Where it comes from")[2].partition("\n## ")[0]
ROWS = [line for line in SECTION.splitlines() if line.startswith("| ")]


@cache
def names(path: str) -> frozenset[str]:
    """What a module defines: `function`, `Class`, `Class.method`, `CONSTANT`."""
    return frozenset(defined(ast.parse((ROOT / path).read_text(encoding="utf-8")).body))


def defined(body: list[ast.stmt], within: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield within + node.name
        if isinstance(node, ast.ClassDef):
            yield from defined(node.body, f"{node.name}.")
        if isinstance(node, ast.Assign | ast.AnnAssign):
            yield from (each.id for each in ast.walk(node) if isinstance(each, ast.Name))


def named_places() -> list[tuple[str, str]]:
    """(file, name) of every place in the last column: a name belongs to the file that was named last before it."""
    places = []
    for row in ROWS:
        path = ""
        for word in re.findall(r"`([\w./:]+)`", row.split(" | ")[-1]):
            if word.endswith(".py"):
                path = word
            else:
                places.append(tuple(word.split("::")) if "::" in word else (path, word))
    return places


@pytest.mark.parametrize(("path", "name"), named_places())
def test_what_the_tables_name_exists(path: str, name: str) -> None:
    assert name in names(path)


def test_both_tables_are_read() -> None:
    files = {path for path, _ in named_places()}

    assert {"gateway/tcp/server.py", "gateway/process/console.py", "tests/tcp/test_classic.py"} <= files
    assert len(named_places()) > 30
