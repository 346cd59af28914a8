"""The prompt over a pipe: what is heard, what is printed, when it stops the server."""

import os
import threading
from collections.abc import Callable

import pytest

from gateway import wording
from gateway.core.answer import Answer
from gateway.process import console

Answered = Callable[..., str]


@pytest.fixture
def answered(capsys: pytest.CaptureFixture[str]) -> Answered:
    """What the prompt prints for some input; `stopped` is set when it says quit."""

    def answered(given: bytes, stopped: threading.Event, hear: console.Hear = console.no_other_words) -> str:
        reading, writing = os.pipe()
        os.write(writing, given)
        os.close(writing)
        console._read(reading, stopped.set, hear)
        os.close(reading)
        return capsys.readouterr().out

    return answered


@pytest.mark.parametrize(
    "given", [b"quit\n", b"  quit \r\n", b"\xef\xbb\xbfquit\n", b"quit", b"\xef\xbb\xbfquit", b"a\nquit\nb\n"]
)
def test_quit_stops_the_server_also_without_a_line_feed(answered: Answered, given: bytes) -> None:
    stopped = threading.Event()
    printed = answered(given, stopped)
    assert stopped.is_set() and printed.count(console.PROMPT) == 1 + given.count(b"a\n")


def test_each_line_is_answered_and_the_prompt_comes_back(answered: Answered) -> None:
    stopped = threading.Event()
    printed = answered(b"one\n\n \xff two\nquitter", stopped, lambda line: f"<{line}>")
    assert printed == ">>>:<one>\n>>>:>>>:<\ufffd two>\n>>>:" and not stopped.is_set()


def test_an_end_without_a_line_feed_is_kept_up_to_a_limit(answered: Answered) -> None:
    stopped = threading.Event()
    heard: list[str] = []

    def hear(line: str) -> str:
        heard.append(line)
        return ""

    answered(b"x" * 9000 + b"\nquit", stopped, hear)
    assert stopped.is_set() and len(heard[0]) < 9000


def test_a_server_that_has_stopped_ends_the_prompt(answered: Answered) -> None:
    def gone(line: str) -> str:
        raise RuntimeError("the loop is closed")

    assert answered(b"a\nb\n", threading.Event(), gone) == ">>>:"


def test_a_loop_hears_a_line_or_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert console.in_loop(lambda call: call(), lambda line: Answer.of(line.upper()))("hello") == "HELLO"
    monkeypatch.setattr(console, "ANSWER_SECONDS", 0.0)
    assert console.in_loop(lambda call: None, lambda line: Answer.of(line))("hello") == wording.CONSOLE_BUSY
