"""Tests mirror the rooms: a module's tests are found by its name, in the same room."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # it reads the code and runs none of it
ROOT = Path(__file__).parents[2]
LONG = 60
"""Lines from which a module has a test of its own name."""

TRIED_BY = {
    "bench": {"peer", "plan", "naive_aiohttp", "naive_selectors"},
    "bridge/process": {"ready", "resources", "shutdown"},
    "bridge/http": {"dispatch", "endpoints", "origin_policy", "protocol", "reject"},
    "cli": {"flags"},
    "config": {"values"},
    "core": {"events", "gate", "message", "transport", "wire"},
    "core/operators": {"assembly", "audit", "roles"},
    "core/rooms": {"join_notices", "post", "join"},
    "core/sessions": {"nick_holders"},
    "core/stats": {"counters"},
    "journal": {"disk", "epoch", "integrity", "open", "schema", "store"},
    "tcp": {"door"},
    "web": {"app", "authorize", "websocket_timers", "summary", "watch"},
    "web/http": {"request"},
    "web/tables": {"connection_row"},
    "": {"command_line", "errors", "operators"},
}
"""Modules that are tried only together with others, through what these promise as a whole, by the room of those tests:
the parts of one journal through the journal's contract, a row through the table that it stands in. It only shrinks."""


def has_tests(module: Path) -> bool:
    """Whether a file of tests has the module's name, or begins with it."""
    stem = f"test_{module.stem}"
    return any(path.stem == stem or path.stem.startswith(f"{stem}_") for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize(
    "module", sorted((ROOT / "gateway").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_a_module_has_tests_of_its_name(module: Path) -> None:
    if len(module.read_text(encoding="utf-8").splitlines()) <= LONG or has_tests(module):
        return
    rooms = [room for room, modules in TRIED_BY.items() if module.stem in modules]
    assert rooms, f"no tests/**/test_{module.stem}*.py, and TRIED_BY does not say who tries it"


def test_what_is_said_to_be_tried_by_others_is_there_and_has_no_tests_of_its_own() -> None:
    modules = {path.stem: path for path in (ROOT / "gateway").rglob("*.py")}
    for room, stems in TRIED_BY.items():
        assert list((ROOT / "tests" / room).glob("test_*.py")), room
        assert stems <= set(modules), stems - set(modules)
