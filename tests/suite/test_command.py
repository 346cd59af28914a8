"""The test command itself: programs that are missing are installed, or named; in CI that is a failure."""

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.suite import command
from tests.suite.programs import Packages, Program


@pytest.fixture(autouse=True)
def one_program_is_missing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answers what apt-get was asked for; it never succeeds."""
    asked: list[str] = []
    monkeypatch.setattr(command, "PROGRAMS", {"nc": Program(("no-such-nc",), "netcat-debian", "netcat-brew")})
    monkeypatch.setattr(command, "apt_install", asked.extend)
    monkeypatch.setattr(Packages, "install", lambda packages: True)
    return asked


def test_at_a_desk_a_missing_program_is_named_with_the_way_to_get_it(
    one_program_is_missing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)

    command.get_programs()

    assert one_program_is_missing == ["netcat-debian"]
    said = capsys.readouterr().err
    assert "not installed: no-such-nc" in said
    assert "sudo apt-get install netcat-debian" in said
    assert "brew install netcat-brew" in said


def test_in_ci_a_missing_program_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(SystemExit, match="every program must be there"):
        command.get_programs()


def test_what_a_distribution_does_not_have_keeps_nothing_else_from_being_installed(
    one_program_is_missing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setitem(vars(command)["PROGRAMS"], "ncat", Program(("no-such-ncat",), "ncat", ""))

    command.get_programs()

    assert one_program_is_missing == ["netcat-debian", "ncat", "netcat-debian", "ncat"]


def test_in_ci_a_program_gets_its_lighter_form_if_there_is_one(
    one_program_is_missing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PROGRAMS", {"browser": Program((sys.executable,), "browser", "", "no-such-shell")})
    for ci in ("", "true"):
        monkeypatch.setenv("CI", ci)
        command.get_programs()  # the heavier form is there and enough

    assert one_program_is_missing == ["no-such-shell"]


def outcome(
    monkeypatch: pytest.MonkeyPatch, kept: Path, failed: list[str], unannounced: list[str], codes: list[int]
) -> tuple[int, list[str]]:
    """The exit code and the steps of a run whose tests `failed`, some with `unannounced` errors in the log; pytest
    exits with one of `codes` each time."""
    steps: list[str] = []

    class Beside:
        """A step that is over as soon as somebody waits for it."""

        def __init__(self, step: list[str]) -> None:
            self._name = "collected" if "--collect-only" in step else step[0]
            steps.append(f"{self._name} begins")

        def __enter__(self) -> "Beside":
            return self

        def __exit__(self, *problem: object) -> None:
            pass

        def wait(self) -> int:
            steps.append(self._name)
            return 0

        tell = wait

    def run(step: list[str]) -> int:
        steps.append(step[0])
        return codes.pop(0) if step[0] == "pytest" else 0

    for name, names in (("cache/lastfailed", dict.fromkeys(failed, True)), ("gateway/unannounced", unannounced)):
        (kept / name).parent.mkdir()
        (kept / name).write_text(json.dumps(names))
    monkeypatch.setattr(command, "KEPT", kept)
    monkeypatch.setattr(command, "get_programs", lambda: None)
    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(command, "Beside", Beside)
    return command.main([]), steps


@pytest.mark.parametrize(
    ("failed", "unannounced", "codes", "code", "tries"),
    [
        ([], [], [0], 0, 1),
        (["one"], [], [1, 0], 0, 2),
        (["one"], [], [1, 1], 1, 2),
        (["one", "two"], ["two"], [1], 1, 1),
        ([f"test {number}" for number in range(7)], [], [1], 1, 1),
        ([], [], [2], 1, 1),
    ],
)
def test_a_few_tests_that_failed_beside_others_are_tried_once_more_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failed: list[str], unannounced: list[str],
    codes: list[int], code: int, tries: int
) -> None:  # fmt: skip
    assert outcome(monkeypatch, tmp_path, failed, unannounced, codes) == (
        code,
        [
            "mypy begins", "collected begins", "ruff", "ruff", "collected", "pytest", "tests.suite.coverage_floors",
            "mypy", *["pytest"] * (tries - 1),
        ],
    )  # fmt: skip


def test_what_runs_beside_the_others_says_in_the_end_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    (tmp_path / "wrong.py").write_text("print('line 3 is wrong')\nraise SystemExit(2)\n")
    with command.Beside(["wrong"]) as wrong:
        assert wrong.tell() == 2
    assert capsys.readouterr().out == "line 3 is wrong\n"


def test_what_runs_beside_the_others_ends_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    (tmp_path / "endless.py").write_text("while True: pass\n")
    with pytest.raises(SystemExit), command.Beside(["endless"]) as endless:
        sys.exit("a program is missing")
    assert endless.wait() == -signal.SIGKILL


def test_the_comparison_gets_the_words_behind_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(command, "get_programs", lambda: None)
    monkeypatch.setattr(command, "run", ran.append)

    command.main(["--side-by-side", "--turns", "1"])

    assert ran == [["tests.bench.side_by_side", "--turns", "1"]]
