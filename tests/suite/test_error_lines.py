"""The watch itself: an error that was not announced is found, whatever its form, and reported once."""

import ast
import logging
import sys
from pathlib import Path

import pytest

from tests.suite.error_lines import ErrorWatch, errors

STAMP = "2026-11-23T14:01:02.123Z"
UNWATCHED = {
    "command.py": "it starts no gateway, only what checks its files",
    "fork_server.py": "what it starts writes into files that tests/bridge/gateways.py follows",
    "test_classic.py": "its only gateway of this kind has no standard error",
    "test_machines.py": "its tests read all of standard error themselves",
}
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\nOSError: [Errno 107]'


@pytest.mark.parametrize(
    "entry",
    [
        f"{STAMP} error web: request failed: OSError\n{TRACEBACK}",
        f"{STAMP} critical process.logs: the program failed",
        f'{{"ts": "{STAMP}", "level": "error", "logger": "gateway.web", "msg": "x"}}',
        f"{STAMP} warning py.warnings: x.py:1: ResourceWarning: unclosed <socket>",
        f"{STAMP} warning tcp.server: something\n{TRACEBACK}",
        TRACEBACK,
        "Exception ignored in: <function f>",
    ],
)
def test_an_error_is_found_among_harmless_lines(entry: str) -> None:
    before, after = f"{STAMP} info a: error is only a word here", f"{STAMP} warning b: a hint"
    assert errors(f"{before}\n{after}") == []
    (found,) = [each.removeprefix(before).lstrip("\n") for each in errors(f"{before}\n{entry}\n{after}")]
    assert found == entry


def test_a_file_is_read_on_from_its_last_whole_line(tmp_path: Path) -> None:
    watch, log = ErrorWatch(), tmp_path / "stderr"
    watch.follow(log)
    assert watch.take() == []
    log.write_text(f"{STAMP} error a: first\n{STAMP} error a: sec")
    assert [each.rpartition(" ")[2] for each in watch.take()] == ["first"]
    log.write_text(log.read_text() + "ond\n")
    assert [each.rpartition(" ")[2] for each in watch.take()] == ["second"]
    assert watch.take() == []


def test_what_is_announced_is_not_told() -> None:
    watch = ErrorWatch()
    watch.handle(logging.LogRecord("a", logging.ERROR, __file__, 1, "the disk is full", (), None))
    watch.handle(logging.LogRecord("a", logging.ERROR, __file__, 1, "something else", (), None))
    (left,) = watch.take(["disk is full"])
    assert left.endswith("something else")


def test_only_the_known_race_of_the_test_client_is_passed_over() -> None:
    def told(name: str, error: type[Exception], words: str) -> list[str]:
        watch = ErrorWatch()
        try:
            raise error(words)
        except error:
            watch.handle(logging.LogRecord(name, logging.ERROR, "", 1, "unexpected internal error", (), sys.exc_info()))
        return watch.take()

    assert told("websockets.client", EOFError, "stream ended") == []
    assert told("websockets.client", EOFError, "something else")
    assert told("websockets.client", ValueError, "stream ended")
    assert told("websockets.server", EOFError, "stream ended")


def test_an_error_in_this_process_is_seen_by_the_watch_of_every_test(expected_errors: list[str]) -> None:
    logging.getLogger("gateway.tcp.server").error("a test says so")
    expected_errors.append("a test says so")


def test_every_gateway_that_a_test_starts_is_watched() -> None:
    """Where a process is started that stays (`Popen`), and the program is the gateway, its log is followed."""
    for path in Path(__file__).parents[1].rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "Popen" not in text:
            continue
        tree = ast.parse(text)
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        if path.name not in UNWATCHED and "Popen" in names and {"-m", "gateway"} <= words:
            assert "WATCH" in text, f"{path} starts a gateway whose log nobody looks at"
