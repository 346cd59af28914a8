"""Log lines for machines: one JSON object each, whatever is logged and by whom."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.process import logs

PROGRAM = """
import logging, sys, threading, warnings
from gateway.process import logs
logs.start("info", "json")
log = logging.getLogger("gateway.tcp.server")
log.info("two\\nlines %s", 1, extra={"fields": {"door": "tcp", "ts": "forged", "odd": {1, }}})
log.debug("not at this level")
logs.set_level("debug")
log.debug("now it is")
logs.set_level("info")
log.debug("no longer")
warnings.warn("old thing", DeprecationWarning, stacklevel=1)
warnings.warn("a careless library")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it failed")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
class Sad:
    def __del__(self):
        raise ValueError("in a finaliser")
Sad()
logging.getLogger("asyncio").error("of another library \\udc80")
raise RuntimeError("nobody caught this")
"""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, object]]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 1
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_line_is_an_object_with_the_four_keys(lines: list[dict[str, object]]) -> None:
    for line in lines:
        assert list(line)[:4] == ["ts", "level", "logger", "msg"]
        assert (
            isinstance(line["ts"], str)
            and line["ts"].endswith("Z")
            and len(line["ts"]) == len("2026-11-23T14:01:02.123Z")
        )


def test_a_records_fields_stand_beside_its_words_and_forge_nothing(lines: list[dict[str, object]]) -> None:
    first = lines[0]
    assert (first["msg"], first["level"], first["logger"]) == ("two\nlines 1", "info", "gateway.tcp.server")
    assert (first["door"], first["odd"]) == ("tcp", "{1}") and first["ts"] != "forged"


def test_the_level_changes_at_run_time_and_back(lines: list[dict[str, object]]) -> None:
    assert [line["msg"] for line in lines if line["level"] == "debug"] == ["now it is"]


@pytest.mark.parametrize(
    ("words", "exception"),
    [("it failed", "ZeroDivisionError"), ("a thread failed", "ZeroDivisionError"),
     ("the program failed", "RuntimeError: nobody caught this"), ("__del__", "in a finaliser")],
)  # fmt: skip
def test_what_went_wrong_comes_with_its_traceback(lines: list[dict[str, object]], words: str, exception: str) -> None:
    (line,) = [line for line in lines if words in str(line["msg"])]
    assert exception in str(line["exception"])


def test_warnings_and_other_libraries_are_logged_alike(lines: list[dict[str, object]]) -> None:
    loggers = {line["logger"]: str(line["msg"]) for line in lines}
    assert "a careless library" in loggers["py.warnings"] and "of another library" in loggers["asyncio"]


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    level = logger.level
    yield logger
    logger.setLevel(level)


def test_setting_a_level_answers_the_one_before(root: logging.Logger) -> None:
    root.setLevel(logging.INFO)
    assert logs.set_level("debug") == "info" and root.level == logging.DEBUG
    assert logs.set_level("info") == "debug" and root.level == logging.INFO


@pytest.mark.parametrize("word", ["DEBUG", "loud", "", "notset"])
def test_an_unknown_level_changes_nothing(root: logging.Logger, word: str) -> None:
    before = root.level
    with pytest.raises(ValueError, match="one of debug, info"):
        logs.set_level(word)
    assert root.level == before


def test_lines_that_nobody_read_are_counted_in_a_line_of_the_same_form() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    stream = logs.LogStream(writing)
    stream.setFormatter(logs.JsonFormatter())
    record = logging.LogRecord("gateway", logging.INFO, "", 0, "x" * 1000, (), None)
    for _ in range(500):
        stream.emit(record)
    os.read(reading, 1 << 20)
    stream.emit(record)
    told, again = (json.loads(line) for line in os.read(reading, 1 << 20).splitlines())
    os.close(reading)
    os.close(writing)

    assert told["msg"].endswith("log lines were lost: they could not be written") and int(told["msg"].split()[0]) > 300
    assert told["level"] == "warning" and again["msg"] == "x" * 1000


def test_a_line_of_text_has_its_moment_level_and_logger() -> None:
    record = logging.LogRecord("gateway.tcp.server", logging.WARNING, "", 0, "%d words", (2,), None)
    record.created = 1.5
    assert logs.TextFormatter().format(record) == "1970-01-01T00:00:01.500Z warning tcp.server: 2 words"
    record.stack_info = "here"
    assert json.loads(logs.JsonFormatter().format(record))["stack"] == "here"


def test_what_nobody_caught_is_logged_and_ctrl_c_is_not(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], expected_errors: list[str]
) -> None:
    expected_errors += ["ValueError: odd"]
    odd = ValueError("odd")
    logs.uncaught(ValueError, odd, None)
    logs.uncaught(KeyboardInterrupt, KeyboardInterrupt(), None)
    logs.uncaught_in_thread(threading.ExceptHookArgs((ValueError, odd, None, None)))
    logs.uncaught_in_thread(threading.ExceptHookArgs((SystemExit, SystemExit(), None, None)))
    logs.unraisable(SimpleNamespace(exc_type=ValueError, exc_value=odd, exc_traceback=None, err_msg=None, object=7))
    logs.unraisable(SimpleNamespace(exc_type=None, exc_value=None))

    levels = [(each.levelname, each.exc_info[1] if each.exc_info else None) for each in caplog.records]
    assert levels == [("CRITICAL", odd), ("ERROR", odd), ("ERROR", odd)]
    assert capsys.readouterr().err.splitlines()[-1] == "KeyboardInterrupt"


def test_a_log_that_is_cut_while_it_is_written_has_no_hole(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb", buffering=0) as log:
        logs.append_only(log.fileno())
        log.write(b"before the cut\n")
        os.truncate(tmp_path / "log", 0)
        log.write(b"after\n")
    assert (tmp_path / "log").read_bytes() == b"after\n"
