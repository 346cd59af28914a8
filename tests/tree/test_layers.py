"""Which module may import which, read from the source. A part is a folder or a file directly below gateway/."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # it reads the code and runs none of it
ROOT = Path(__file__).parents[2]

ALLOWED = {
    "__main__": set[str](),
    "errors": set[str](),
    "wording": set[str](),
    "checkout": set[str](),
    "core": {"errors"},
    "tls": {"errors"},
    "tcp": {"core", "tls", "errors"},
    "accounts": {"core", "errors"},
    "web": {"accounts", "core", "login_link", "tls", "errors"},
    "journal": {"core", "errors"},
    "redis": {"core", "errors"},
    "bench": {"core", "errors"},
    "process": {"core", "errors"},
    "config": {"core", "errors"},
    "login_link": {"process", "errors"},
    "listeners": {"tcp", "core", "process", "errors"},
    "shutdown": {"listeners", "tcp", "core", "errors"},
    "classic": {"tcp", "core", "process", "errors"},
    "reload": {"accounts", "config", "core", "errors", "process", "tcp", "tls", "web"},
    "server": {
        "accounts",
        "config",
        "core",
        "errors",
        "journal",
        "listeners",
        "login_link",
        "process",
        "redis",
        "reload",
        "shutdown",
        "tcp",
        "tls",
        "web",
    },
    "cli": {
        "accounts",
        "checkout",
        "config",
        "core",
        "errors",
        "journal",
        "listeners",
        "login_link",
        "process",
        "redis",
        "reload",
        "server",
        "tcp",
        "tls",
    },
}
"""Which other parts a part may import, besides the package's own name for its version.

`cli.main` and `__main__` name what they start instead of importing it.
"""
FOR_ALL = {"wording"}
"""What every part may import."""

ONLY = {
    "selectors": {"tcp", "bench", "classic", "process"},  # process waits for workers
    # listeners and web take sockets over; process asks for our address, and speaks with systemd
    "socket": {"tcp", "bench", "classic", "listeners", "server", "web", "process"},
    "aiohttp": {"web", "bench"},  # bench measures a bare aiohttp server beside the gateway
    "jinja2": {"web"},
    "argon2": {"accounts"},
    "sqlite3": {"journal"},
    "redis": {"redis"},
    "ssl": {"tls", "tcp", "web", "login_link", "cli"},
    "argparse": {"cli", "bench"},
}
"""Packages that belong to some parts."""

OUTSIDE_WORLD = {"socket", "selectors", "asyncio", "threading", "time", "os", "pathlib", "sqlite3", "subprocess", "io"}
PURE_PACKAGES = {"msgspec", "wcwidth", "precis_i18n", "confusable_homoglyphs"}


class Sources(Mapping[str, ast.Module]):
    """Every module of the package by its dotted name, parsed by whoever looks at it first: each of pytest's processes
    imports this file, and one runs it."""

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}
        for path in sorted((ROOT / "gateway").rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            self._paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path

    def __getitem__(self, name: str) -> ast.Module:
        return parsed(self._paths[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, name: object) -> bool:
        return name in self._paths


@cache
def parsed(path: Path) -> ast.Module:
    """A file of the package."""
    return ast.parse(path.read_text(encoding="utf-8"))


SOURCES = Sources()


@cache
def imports(tree: ast.AST) -> tuple[str, ...]:
    """The dotted names of the modules that `tree` imports, also for annotations alone (`if TYPE_CHECKING:`);
    `from gateway.core import text` is gateway.core.text."""
    return tuple(imported(tree))


def imported(tree: ast.AST) -> Iterator[str]:
    """The same, one after the other."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in SOURCES else node.module


def part(module: str) -> str:
    """The part that one of our modules belongs to."""
    return module.split(".")[1]


def foreign(module: str) -> set[str]:
    """The packages of others that a module imports."""
    return {name.split(".")[0] for name in imports(SOURCES[module])} - {"gateway"}


CORE = (
    {"answer", "confusables"},
    {"roles", "sanitize", "address", "quantity", "name_rules"},
    {"clock"},
    {"delivery"},
    {"protocol"},
    {"ports", "gate", "connection_limits"},
    {"sessions", "stats"},
    {"rooms"},
    {"remote_presence"},
    {"hub"},
    {"operators"},
    {"doors"},
)
"""The order inside the core, lowest first: a package or file imports only its own floor and those below. `stats` stands
beside `sessions`: sessions are counted, and what is kept of them is taken from them; their files make no circle."""

FLOOR = {name: floor for floor, names in enumerate(CORE) for name in names}
SAME_FLOOR = {frozenset({"sessions", "stats"})}


def room_of(module: str) -> str:
    """The package or file of the core that one of its modules stands in."""
    return module.split(".")[2]


each_module = pytest.mark.parametrize("module", [name for name in SOURCES if name != "gateway"])


@each_module
def test_a_module_imports_only_parts_below_its_own(module: str) -> None:
    assert part(module) in ALLOWED, f"{part(module)} is new: give it a row in ALLOWED"
    below = {part(name) for name in imports(SOURCES[module]) if name.startswith("gateway.")}

    assert below - {part(module)} <= ALLOWED[part(module)] | FOR_ALL


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


@pytest.mark.parametrize("module", [name for name in SOURCES if name.count(".") > 1 and part(name) == "core"])
def test_the_core_has_an_order(module: str) -> None:
    own = room_of(module)
    assert own in FLOOR, f"{own} is new in the core: give it a floor in CORE"
    for name in imports(SOURCES[module]):
        other = room_of(name) if name.startswith("gateway.core.") else own
        below = FLOOR[other] < FLOOR[own] or other == own or frozenset({own, other}) in SAME_FLOOR
        assert below, f"{module} imports {name}, which stands above it or beside it"


def test_nothing_below_operators_and_doors_knows_the_hub() -> None:
    knowing = {name for name, tree in SOURCES.items() if "gateway.core.hub" in imports(tree) and part(name) == "core"}

    assert {room_of(name) for name in knowing} <= {"operators", "doors"}


def methods(module: str, owner: str) -> list[ast.FunctionDef]:
    """The functions of one of our classes."""
    (found,) = [node for node in SOURCES[module].body if isinstance(node, ast.ClassDef) and node.name == owner]
    return [node for node in found.body if isinstance(node, ast.FunctionDef)]


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How long a function is."""
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def test_the_hub_stays_small() -> None:
    verbs = methods("gateway.core.hub", "Hub")
    (begin,) = [verb for verb in verbs if verb.name == "__init__"]
    body = lines(begin) - (begin.body[0].lineno - begin.lineno)

    assert body <= 35
    assert len([verb for verb in verbs if not verb.name.startswith("_")]) <= 15


def test_no_function_is_longer_than_a_page() -> None:
    functions = [
        (module, node)
        for module, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert [f"{module}.{node.name}" for module, node in functions if lines(node) > 80] == []


def test_no_file_is_longer_than_sight_reaches() -> None:
    sizes = {path: len(path.read_text("utf-8").splitlines()) for path in (ROOT / "gateway").rglob("*.py")}

    assert [str(path.relative_to(ROOT)) for path, size in sizes.items() if size >= 400] == []


FILES = 237
"""How many modules there are at most: a new noun takes the place of an old one, or is argued here. The last three:
`journal.inserts`, how many rows go in together, is what the journal and its index have in common; catching up
(`rooms.catch_up`) and the log level (`operators.log_level`) were looked for under their own names by people who had
only the list of files, and stood in files about history and maintenance."""


def test_a_package_has_three_to_fifteen_files() -> None:
    files = Counter(path.parent for path in (ROOT / "gateway").rglob("*.py") if path.name != "__init__.py")
    assert not [folder for folder, count in files.items() if not 3 <= count <= 15]
    assert len(list((ROOT / "gateway").rglob("*.py"))) <= FILES


def test_a_class_name_means_one_thing() -> None:
    names = Counter(node.name for tree in SOURCES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))

    assert not [name for name, count in names.items() if count > 1]


SESSION_IS_WRITTEN_BY = {
    "sessions/session.py",
    "sessions/rate_limit.py",
    "rooms/fanout.py",
    "rooms/catch_up.py",
    "rooms/group_commit.py",
}
"""Who may set what a session holds; the reasons stand at the head of session.py."""


def test_a_session_changes_by_its_verbs() -> None:
    written = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        if path.as_posix().endswith(tuple(SESSION_IS_WRITTEN_BY)) or "bench" in path.parts or "web/admin" in str(path):
            continue  # the dashboard has sessions of its own
        for node in ast.walk(parsed(path)):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) else ():
                if isinstance(target, ast.Attribute) and ast.unparse(target.value).split(".")[-1] == "session":
                    written.add(f"{path.relative_to(ROOT)}:{target.lineno}")

    assert written == set()


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
