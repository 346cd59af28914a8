"""The test command itself: programs that are missing are installed, or named; in CI that is a failure."""

import pytest

from tests import suite
from tests.programs import Packages, Program


@pytest.fixture(autouse=True)
def one_program_is_missing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answers what apt-get was asked for; it never succeeds."""
    asked: list[str] = []
    monkeypatch.setattr(suite, "PROGRAMS", {"nc": Program(("no-such-nc",), "netcat-debian", "netcat-brew")})
    monkeypatch.setattr(suite, "apt_install", asked.extend)
    monkeypatch.setattr(Packages, "install", lambda packages: True)
    return asked


def test_at_a_desk_a_missing_program_is_named_with_the_way_to_get_it(
    one_program_is_missing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)

    suite.get_programs()

    assert one_program_is_missing == ["netcat-debian"]
    said = capsys.readouterr().err
    assert "not installed: no-such-nc" in said
    assert "sudo apt-get install netcat-debian" in said
    assert "brew install netcat-brew" in said


def test_in_ci_a_missing_program_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(SystemExit, match="every program must be there"):
        suite.get_programs()


def test_what_a_distribution_does_not_have_keeps_nothing_else_from_being_installed(
    one_program_is_missing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setitem(vars(suite)["PROGRAMS"], "ncat", Program(("no-such-ncat",), "ncat", ""))

    suite.get_programs()

    assert one_program_is_missing == ["netcat-debian", "ncat", "netcat-debian", "ncat"]
