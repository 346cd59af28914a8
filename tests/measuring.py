"""What is measured of what the tests run: all of it, but each thing once.

Coverage's tracer makes whatever runs in Python three to four times slower, pytest's, hypothesis's and the tests' own
code too, and pytest-cov has it on from the first import to the last test. It is off here where it would see nothing
new, which changes no figure of tests/coverage_floors.py by a tenth of a percent:

1. while tests are collected. What gateway's modules do when they are imported is measured before.
2. in the folders of ELSEWHERE, whose gateways are other processes.
3. on the second of two loops (tests/web), once a test has run on the first.
4. in a property, after its first EXAMPLES inputs. The others are tried all the same.
"""

import functools
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from coverage import Coverage

from gateway.checkout import ROOT

ELSEWHERE = ("tests/bridge/", "tests/foreign/", "tests/web/browser/")
SECOND_LOOP = "uvloop"
EXAMPLES = 30


@contextmanager
def unmeasured() -> Iterator[None]:
    """Nothing that runs in this is measured, or was not anyway."""
    coverage = Coverage.current()
    if coverage is None:
        yield
        return
    coverage.stop()
    try:
        yield
    finally:
        coverage.start()


def import_everything() -> None:
    """Import every module of the gateway, so that the lines which run then are measured; if anything is."""
    if Coverage.current() is not None:
        for path in sorted((ROOT / "gateway").rglob("[!_]*.py")):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def tells_something(item: pytest.Item) -> bool:
    """Whether this test may run lines in this process that no other test of the same function runs."""
    parameters = getattr(item, "callspec", None)
    second = parameters is not None and SECOND_LOOP in parameters.id.split("-")
    return not (second or item.nodeid.startswith(ELSEWHERE))


@contextmanager
def first_examples_measured(item: pytest.Item) -> Iterator[None]:
    """Stop measuring a property after its first EXAMPLES inputs; go on after it."""
    coverage, given = Coverage.current(), getattr(getattr(item, "obj", None), "hypothesis", None)
    if coverage is None or given is None:
        yield
        return
    test, given.inner_test = given.inner_test, stopping(given.inner_test, coverage)
    try:
        yield
    finally:
        given.inner_test = test
        if Coverage.current() is None:
            coverage.start()


def stopping(test: Callable[..., object], coverage: Coverage) -> Callable[..., object]:
    """The test; after so many calls it is no longer measured."""
    calls = 0

    @functools.wraps(test)
    def counted(*arguments: Any, **named: Any) -> object:
        nonlocal calls
        calls += 1
        if calls == EXAMPLES + 1:
            coverage.stop()
        return test(*arguments, **named)

    return counted
