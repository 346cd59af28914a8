"""Who may import whom, read from the source. A part is a folder or a file directly below gateway/."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ALLOWED = {
    "__main__": set[str](),
    "errors": set[str](),
    "checkout": set[str](),
    "core": {"errors"},
    "tcp": {"core", "errors"},
    "accounts": {"core", "errors"},
    "web": {"accounts", "core", "errors"},
    "journal": {"core", "errors"},
    "bench": {"core", "errors"},
    "process": {"core", "errors"},
    "config": {"core", "errors"},
    "login_link": {"errors"},
    "status": {"core", "login_link", "errors"},
    "listeners": {"tcp", "core", "errors"},
    "shutdown": {"listeners", "tcp", "core", "errors"},
    "classic": {"tcp", "core", "process", "errors"},
    "server": {
        "accounts",
        "config",
        "core",
        "errors",
        "journal",
        "listeners",
        "login_link",
        "process",
        "shutdown",
        "tcp",
        "web",
    },
    "cli": {"config", "errors"},
}
"""Which other parts a part may import, besides the package's own name for its version.

`cli` and `__main__` name what they start instead of importing it.
"""

ONLY = {
    "selectors": {"tcp", "bench", "classic"},
    "socket": {"tcp", "bench", "classic", "server", "web", "process"},  # web takes over; process asks for our address
    "aiohttp": {"web", "bench"},  # bench measures a bare aiohttp server beside the gateway
    "jinja2": {"web"},
    "argon2": {"accounts"},
    "sqlite3": {"journal"},
    "argparse": {"cli", "bench"},
}
"""Packages that belong to some parts."""

OUTSIDE_WORLD = {"socket", "selectors", "asyncio", "threading", "time", "os", "pathlib", "sqlite3", "subprocess", "io"}
PURE_PACKAGES = {"msgspec", "wcwidth", "precis_i18n", "confusable_homoglyphs"}


def sources() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


SOURCES = sources()


def imports(tree: ast.AST) -> Iterator[str]:
    """The dotted names of the modules that `tree` imports; `from gateway.core import text` is gateway.core.text."""
    named_only = {id(node) for block in ast.walk(tree) if is_type_checking(block) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in named_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in SOURCES else node.module


def is_type_checking(node: ast.AST) -> bool:
    """`if TYPE_CHECKING:` names two things for each other's annotations; nothing is imported at run time."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def part(module: str) -> str:
    """The part that one of our modules belongs to."""
    return module.split(".")[1]


def foreign(module: str) -> set[str]:
    """The packages of others that a module imports."""
    return {name.split(".")[0] for name in imports(SOURCES[module])} - {"gateway"}


each_module = pytest.mark.parametrize("module", [name for name in SOURCES if name != "gateway"])


@each_module
def test_a_module_imports_only_parts_below_its_own(module: str) -> None:
    assert part(module) in ALLOWED, f"{part(module)} is new: give it a row in ALLOWED"
    below = {part(name) for name in imports(SOURCES[module]) if name.startswith("gateway.")}

    assert below - {part(module)} <= ALLOWED[part(module)]


@each_module
def test_packages_stay_in_the_parts_they_belong_to(module: str) -> None:
    assert not [name for name in foreign(module) if part(module) not in ONLY.get(name, {part(module)})]


@pytest.mark.parametrize("module", [name for name in SOURCES if name.startswith("gateway.core")])
def test_the_core_is_blind_and_deaf(module: str) -> None:
    assert not foreign(module) & OUTSIDE_WORLD
    assert foreign(module) - sys.stdlib_module_names <= PURE_PACKAGES


@each_module
def test_nothing_is_imported_inside_a_function(module: str) -> None:
    functions = [node for node in ast.walk(SOURCES[module]) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    assert not [function.name for function in functions if list(imports(function))]


def test_imports_make_no_circle() -> None:
    graph = {name: {other for other in imports(tree) if other in SOURCES} for name, tree in SOURCES.items()}

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" < ".join(circle.args[1]))


def test_what_runs_before_the_packages_are_installed_needs_only_the_standard_library() -> None:
    for module in ("gateway", "gateway.__main__", "gateway.checkout"):
        assert foreign(module) <= sys.stdlib_module_names


def test_the_top_level_holds_only_its_fixed_names() -> None:
    fixed = {"pyproject.toml", "README.md", "gateway", "templates", "tests", "build", "dist", "__pycache__"}

    assert {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} <= fixed
