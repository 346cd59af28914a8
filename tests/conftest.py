"""What every folder of tests shares."""

import gc
import logging
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator

import pytest
from hypothesis import settings

from tests.redis.servers import RedisServer
from tests.suite.error_lines import WATCH
from tests.suite.programs import PROGRAMS, in_ci
from tests.tls_peers import Certificates

UNANNOUNCED = "errors in the log that the test did not announce:"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slowest-files", type=int, default=0, help="show so many files that took longest")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The files that took longest, set-up and tear-down included: what a file costs is what a worker is busy with.
    Which tests left errors in the log is kept for tests/suite/command.py: those are not tried again."""
    if config.pluginmanager.hasplugin("cacheprovider") and config.cache is not None:
        ended_badly = [
            each.nodeid for each in terminalreporter.stats.get("error", ()) if UNANNOUNCED in each.longreprtext
        ]
        config.cache.set("gateway/unannounced", ended_badly)
    shown = config.getoption("--slowest-files")
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.partition("::")[0]] += report.duration  # type: ignore[assignment]
    if shown and seconds:
        terminalreporter.write_sep("=", f"slowest {shown} files")
        for name, took in seconds.most_common(shown):
            terminalreporter.write_line(f"{took:7.1f} s  {name}")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect 9,000 tests without walks of Python's collector over what stays anyway, and leave it out of all later
    walks: it is a million objects, which cost a second in each test that asks for a full one."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What goes over lines that others have gone over is not measured, which would make it up to three times as dear:
    the same test on a second loop, and texts by the hundred from hypothesis."""
    for item in items:
        case = getattr(item, "callspec", None)
        on_second_loop = case is not None and "uvloop" in case.id.split("-")
        if on_second_loop or getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("no_cover")


@pytest.fixture
def program() -> Callable[[str], str]:
    """`program("socat")` is the path of socat. Without it the test is skipped, in CI it fails."""

    def find(name: str) -> str:
        path = PROGRAMS[name].path
        if path is None:
            (pytest.fail if in_ci() else pytest.skip)(f"{name} is not installed")
        return path

    return find


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of an issuer that only the tests trust."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis that the tests of one worker share; each empties it first."""
    server = RedisServer()
    yield server
    server.remove()


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own GATEWAY_ variables do not reach the tests."""
    for variable in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(variable)


@pytest.fixture(autouse=True)
def expected_errors() -> Iterator[list[str]]:
    """Patterns of the log's error entries that this test causes on purpose; any other fails it."""
    logging.getLogger().addHandler(WATCH)
    expected: list[str] = []
    yield expected
    gc.collect(1)  # asyncio tells of a failed task that nobody asked for when the task is freed
    unexpected = WATCH.take(expected)
    assert not unexpected, "\n".join([UNANNOUNCED, *unexpected])


@pytest.fixture(autouse=True, scope="module")
def no_error_when_a_module_ends() -> Iterator[None]:
    """The same for what a module's shared gateways log when they end, and for what only a walk over all its objects
    frees. What is left after that walk stays, and is left out of all later ones, as what collecting the tests made: the
    last files' walks would otherwise be over all that those before them left."""
    yield
    gc.collect()
    gc.freeze()
    unexpected = WATCH.take()
    assert not unexpected, "\n".join([UNANNOUNCED, "(after the last test of the module)", *unexpected])


settings.register_profile("default", deadline=None)
settings.register_profile("long", deadline=None, max_examples=20_000)
settings.load_profile("default")
