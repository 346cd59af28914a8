"""Running from a fresh clone: what is installed, when, and the error when it cannot be."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway import checkout


class WentOn(Exception):
    """Stands for the process that execv replaces."""


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """A checkout in an empty folder whose commands are noted instead of run."""
    commands: list[Sequence[str]] = []

    def note(command: Sequence[str], **options: object) -> "subprocess.CompletedProcess[str]":
        commands.append(command)
        if "venv" in command:
            (tmp_path / ".venv").mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, 0)

    def go_on(path: Path, arguments: Sequence[str]) -> None:
        raise WentOn(*arguments)

    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["nothing-like-this>=1.2"]\noptional-dependencies.test = ["pytest>=9"]\n'
    )
    monkeypatch.setattr(checkout, "PROJECT", tmp_path / "pyproject.toml")
    monkeypatch.setattr(checkout, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(checkout, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(subprocess, "run", note)
    monkeypatch.setattr(os, "execv", go_on)
    monkeypatch.setattr(sys, "argv", ["gateway", "check"])
    return commands


def test_missing_packages_are_installed_into_the_venv_and_the_program_goes_on_there(
    ran: list[Sequence[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WentOn) as went:
        checkout.enter(["-m", "gateway"])

    assert went.value.args == (str(tmp_path / ".venv/bin/python"), "-m", "gateway", "check")
    assert [command[2] for command in ran] == ["venv", "pip", "compileall"]
    assert ran[1][-1] == "nothing-like-this>=1.2"
    assert "installing the packages" in capsys.readouterr().err


def test_the_second_start_installs_nothing(ran: list[Sequence[str]]) -> None:
    for _ in range(2):
        with pytest.raises(WentOn):
            checkout.enter(["-m", "gateway"])

    assert len(ran) == 3


def test_a_changed_project_is_installed_again(ran: list[Sequence[str]], tmp_path: Path) -> None:
    with pytest.raises(WentOn):
        checkout.enter(["-m", "gateway"])
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["nothing-like-that>=1"]\n')
    with pytest.raises(WentOn):
        checkout.enter(["-m", "gateway"])

    assert ran[-2][-1] == "nothing-like-that>=1"


def test_a_project_that_asks_for_the_same_packages_is_not_installed_again(
    ran: list[Sequence[str]], tmp_path: Path
) -> None:
    with pytest.raises(WentOn):
        checkout.enter(["-m", "gateway"])
    project = tmp_path / "pyproject.toml"
    project.write_text(project.read_text() + "[tool.pytest.ini_options]\ntimeout = 180\n")
    with pytest.raises(WentOn):
        checkout.enter(["-m", "gateway"])

    assert len(ran) == 3


def test_the_tests_need_their_packages_too(ran: list[Sequence[str]]) -> None:
    with pytest.raises(WentOn):
        checkout.enter(["-m", "gateway"])
    with pytest.raises(WentOn):
        checkout.enter(["tests"], ["test"])

    assert ran[-2][-2:] == ["nothing-like-this>=1.2", "pytest>=9"]


def test_inside_the_finished_venv_the_program_just_runs(
    ran: list[Sequence[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WentOn):
        checkout.enter(["-m", "gateway"])
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))

    checkout.enter(["-m", "gateway"])


def test_an_installed_package_is_no_checkout(ran: list[Sequence[str]], tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").unlink()

    checkout.enter(["-m", "gateway"])

    assert ran == []


def test_a_python_without_ensurepip_is_told_the_debian_package(
    ran: list[Sequence[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkout, "find_spec", lambda name: None)
    monkeypatch.setattr(checkout, "apt_install", lambda packages: False)

    with pytest.raises(SystemExit, match=r"sudo apt-get install python3\.\d+-venv"):
        checkout.enter(["-m", "gateway"])


@pytest.mark.parametrize(
    ("requirement", "enough"),
    [
        ("pytest>=9", True),
        ("pytest>=1000.1,<2000", False),
        ("nothing-like-this>=1", False),
        ("pytest", False),
    ],
)
def test_a_package_counts_in_its_least_version(requirement: str, enough: bool) -> None:
    assert checkout.satisfied([requirement]) is enough
