"""The machine's clock is wrong when the gateway starts: nothing is deleted, nobody is forgotten, the log says so."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.bridge.gateways import Gateway, Start
from tests.bridge.peers import Browser, history, post
from tests.fakes import until
from tests.suite.programs import PROGRAMS, in_ci

LIBRARIES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1")
DAY = 86_400
DOUBT = "but by the journal it is about"


@pytest.fixture(scope="module")
def library() -> str:
    """libfaketime. Loaded by hand: the `faketime` command would be the gateway's parent, and its process id another."""
    found = next((str(path) for pattern in LIBRARIES for path in Path("/").glob(pattern.lstrip("/"))), None)
    if found is None:
        assert not in_ci(), "faketime is missing"
        pytest.skip(f"needs libfaketime (apt-get install {PROGRAMS['faketime'].debian})")
    return found


@pytest.fixture
def set_clock(library: str) -> Callable[[Gateway, str], None]:
    """From its next start on the gateway sees this time (libfaketime's words: `+400d`); empty: the right one."""

    def set_clock(gateway: Gateway, words: str) -> None:
        fake = (f"LD_PRELOAD={library}", f"FAKETIME={words}", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1")
        gateway.starter = ("env", *fake) if words else ()

    return set_clock


def say_three(gateway: Gateway) -> list[str]:
    texts = ["one", "two", "three"]
    for text in texts:
        assert post(gateway.web, "lobby", text).status == 201
    return texts


def texts(gateway: Gateway) -> list[str]:
    return [message["text"] for message in history(gateway.web, "lobby")]


def has_looked_for_old_ones(gateway: Gateway) -> None:
    """A round of retention is over: it was asked for at the start, and a commit behind it is answered later."""
    assert post(gateway.web, "behind", "x").status == 201


@pytest.mark.parametrize("words", ["+3650d", "+31d"])
def test_pc_50_one_life_under_a_clock_that_is_ahead_deletes_nothing(
    start: Start, set_clock: Callable[[Gateway, str], None], words: str
) -> None:
    gateway = start()
    said = say_three(gateway)
    assert gateway.stop() == 0
    set_clock(gateway, words)
    for _ in range(2):
        gateway.start()
        has_looked_for_old_ones(gateway)
        assert texts(gateway) == said
        assert gateway.stop() == 0
    assert DOUBT in gateway.stderr
    set_clock(gateway, "")
    gateway.start()
    has_looked_for_old_ones(gateway)
    assert texts(gateway) == said


def test_pc_50_a_first_life_in_1970_deletes_nothing(start: Start, set_clock: Callable[[Gateway, str], None]) -> None:
    gateway = start(running=False)
    set_clock(gateway, "@1970-01-02 00:00:00")
    gateway.start()
    said = say_three(gateway)
    assert gateway.stop() == 0
    assert "the clock shows 1970-01-0" in gateway.stderr
    set_clock(gateway, "")
    for _ in range(2):
        gateway.start()
        has_looked_for_old_ones(gateway)
        assert texts(gateway) == said
        assert gateway.stop() == 0


def test_pc_50_ordinary_retention_still_works_day_by_day(
    start: Start, set_clock: Callable[[Gateway, str], None]
) -> None:
    gateway = start("--journal.retention", "5d")
    said = say_three(gateway)
    assert gateway.stop() == 0
    for day in range(1, 7):
        set_clock(gateway, f"+{day}d")
        gateway.start()
        if day < 5:
            assert texts(gateway) == said
        else:
            until(lambda: not texts(gateway), "they are forgotten")
        assert gateway.stop() == 0
    assert DOUBT not in gateway.stderr


@pytest.mark.parametrize("words", ["+400d", "-400d", "@1970-01-02 00:00:00"])
def test_a_wrong_clock_makes_nobody_a_stranger_and_lifts_no_ban(
    start: Start, set_clock: Callable[[Gateway, str], None], words: str
) -> None:
    gateway = start()
    with Browser(gateway.web, nick="ana") as browser:
        token = browser.welcome["token"]
        sent = browser.say("once")
    assert gateway.stop() == 0
    now = int(time.time() * 1000)
    journal = gateway.folder / "data" / "journal.sqlite3"
    with closing(sqlite3.connect(journal, isolation_level=None)) as connection:
        row = ("b1", "nick", "eve", "", "spam", "root", now, now + 3_600_000)
        connection.execute("INSERT INTO bans VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    for clock in (words, ""):
        set_clock(gateway, clock)
        gateway.start()
        with Browser(gateway.web, hello=False) as browser:
            browser.send(type="hello", token=token, rooms=[{"room": "lobby"}])
            assert browser.next("welcome")["nick"] == "ana"
        assert post(gateway.web, "lobby?nick=eve", "let me in").status == 403
        assert gateway.stop() == 0
    assert sent["type"] == "ack"
