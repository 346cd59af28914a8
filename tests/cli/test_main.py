"""The command line as its user meets it: what it calls, what it prints, and the exit code."""

import os
import pkgutil
import resource
import runpy
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gateway import __version__
from gateway.cli import main
from gateway.config.settings import SETTINGS, Settings
from gateway.errors import ConfigError, StartError
from tests.fakes import PATIENCE

ROOT = Path(__file__).parents[2]
CALLED: list[object] = []


def started(argument: object, *more: object) -> int:
    """Stands for a command's module: notes what it was called with."""
    CALLED.append(argument)
    return 0


def port_taken(argument: object, *more: object) -> int:
    raise StartError("port 9999 is taken: choose another with --tcp-port")


def settings_refused(argument: object, *more: object) -> int:
    raise ConfigError("one\ntwo")


def interrupted(argument: object, *more: object) -> int:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def only_fake_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test starts a server: every command's entry is `started`."""
    CALLED.clear()
    for name, command in main.COMMANDS.items():
        monkeypatch.setitem(main.COMMANDS, name, entry_replaced(command, "started"))


def entry_replaced(command: main.Subcommand, function: str) -> main.Subcommand:
    """The command, with a function of this module as its entry."""
    entry = f"{__name__}:{function}"
    return main.Subcommand(command.summary, command.example, command.run, entry, classic=f"{__name__}:port_taken")


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """The real program, `python -m gateway`."""
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


def settings() -> Settings:
    """The settings that the last command was called with."""
    assert isinstance(CALLED[-1], Settings)
    return CALLED[-1]


@pytest.mark.parametrize("arguments", [[], ["serve"], ["--tcp-port", "9999"], ["serve", "--tcp-port=9999"]])
def test_serve_is_the_default_command(arguments: Sequence[str]) -> None:
    assert main.main(arguments) == 0
    assert settings().tcp_port == 9999


@pytest.mark.parametrize(
    "flag", ["--limits.messages_per_second", "--limits.messages-per-second", "--limits-messages-per-second"]
)
def test_a_setting_in_a_section_has_a_flag_in_every_spelling(flag: str) -> None:
    assert main.main([flag, "0"]) == 0
    assert settings().limits.messages_per_second == 0


def test_host_may_be_given_more_than_once() -> None:
    main.main(["--host", "::1", "--host", "0.0.0.0"])

    assert settings().host == ("::1", "0.0.0.0")


def test_a_port_may_be_off() -> None:
    main.main(["--tcp-port", "-1"])

    assert settings().tcp_port == -1


@pytest.mark.parametrize(
    ("flag", "memory", "create"),
    [("--memory", True, True), ("--no-memory", False, True), ("--no-rooms.create", False, False)],
)
def test_switches_turn_on_and_off(flag: str, memory: bool, create: bool) -> None:
    main.main([flag])

    assert (settings().memory, settings().rooms.create) == (memory, create)


def test_environment_and_file_count_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("web_port = 81")
    monkeypatch.setenv("GATEWAY_LIMITS__BURST", "5")

    main.main(["--config", str(tmp_path / "gateway.toml")])

    assert (settings().web_port, settings().limits.burst) == (81, 5)


def test_classic_starts_the_chat_of_the_origin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--classic"]) == 1
    assert "port 9999 is taken" in capsys.readouterr().err


def test_echo_has_only_the_plain_door() -> None:
    assert main.main(["echo", "--tcp-port", "2323", "--web-port", "8080"]) == 0
    assert (settings().tcp_port, settings().telnet_port, settings().web_port) == (2323, -1, -1)


def test_bench_reads_its_own_arguments() -> None:
    assert main.main(["bench", "--readers", "5", "--help"]) == 0
    assert CALLED == [["--readers", "5", "--help"]]


@pytest.mark.parametrize(
    ("function", "code", "said"),
    [
        ("port_taken", 1, "gateway: port 9999 is taken: choose another with --tcp-port\n"),
        ("settings_refused", 78, "gateway: one\ngateway: two\n"),
        ("interrupted", 130, ""),
    ],
)
def test_whatever_ends_a_command_has_its_exit_code_and_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], function: str, code: int, said: str
) -> None:
    monkeypatch.setitem(main.COMMANDS, "serve", entry_replaced(main.COMMANDS["serve"], function))

    assert main.main([]) == code
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chekc"], "no command 'chekc', the nearest is check"),
        (["--tcp-prot", "1"], "no flag --tcp-prot, the nearest is --tcp-port"),
        (["--limits.brust=1"], "no flag --limits.brust, the nearest is --limits.burst"),
        (["--tcp"], "no flag --tcp, the nearest is --"),
        (["--tcp-port"], "--tcp-port: expected one argument"),
        (["--tcp-port", "http"], "tcp_port: 'http' (flag --tcp-port) is not a port"),
        (["--log-format", "xml"], "log_format: 'xml' (flag --log-format) is not text or json"),
        (["check", "serve"], "unexpected word 'serve'"),
        (["echo", "now"], "unexpected word 'now'"),
    ],
)
def test_wrong_usage_is_told_and_exits_2(
    capsys: pytest.CaptureFixture[str], arguments: Sequence[str], said: str
) -> None:
    assert main.main(arguments) == 2
    assert said in capsys.readouterr().err
    assert not CALLED


def test_wrong_settings_exit_78(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GATEWAY_TCP_PROT", "1")

    assert main.main([]) == 78
    assert capsys.readouterr().err.endswith("the nearest known one is GATEWAY_TCP_PORT\n")


def test_check_prints_every_setting_and_where_it_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["check", "--web-port", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert len(lines) == len(SETTINGS)
    assert [line.split() for line in lines if line.startswith("web_port")] == [
        ["web_port", "=", "0", "#", "flag", "--web-port"]
    ]


@pytest.mark.parametrize("arguments", [["check", "--tcp-port", "70000"], ["check", "--config", "/none.toml"]])
def test_check_answers_wrong_settings_with_78(arguments: Sequence[str]) -> None:
    assert main.main(arguments) == 78


def test_version_is_the_package_version() -> None:
    for arguments in (["--version"], ["serve", "--version"]):
        result = run(*arguments)
        assert (result.returncode, result.stdout) == (0, f"gateway {__version__}\n")


def test_help_shows_every_command_with_an_example_and_every_flag() -> None:
    result = run("--help")

    assert result.returncode == 0
    for name, command in main.COMMANDS.items():
        assert f"\n  {name} " in result.stdout
        assert f" {command.example}\n" in result.stdout
    for setting in SETTINGS.values():
        assert f"\n  {setting.flag} " in result.stdout


@pytest.mark.parametrize("habit", [("help",), ("help", "status"), ("version",)])
def test_help_and_version_may_be_words(habit: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    meant = {"help": [*habit[1:], "--help"], "version": ["--version"]}[habit[0]]
    outputs = []
    for words in (habit, meant):
        with pytest.raises(SystemExit) as left:
            main.main(words)
        outputs.append((left.value.code, capsys.readouterr()))
    assert outputs[0] == outputs[1] and outputs[0][0] == 0


@pytest.mark.parametrize("command", ["serve", "echo", "check", "bench"])
def test_every_command_has_its_own_help(command: str) -> None:
    result = run(command, "--help")

    assert result.returncode == 0
    assert main.COMMANDS[command].example in result.stdout


def test_the_help_of_echo_shows_only_what_echo_uses() -> None:
    result = run("echo", "--help")

    assert "--selector" in result.stdout
    assert "--web-port" not in result.stdout


def test_a_mistake_of_the_user_never_shows_a_traceback() -> None:
    result = run("--data", "", "--tcp-port", "x")

    assert result.returncode == 2
    assert [line[:9] for line in result.stderr.splitlines()] == ["gateway: ", "gateway: "]
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [["check"], ["--help"], ["--version"]])
def test_output_that_nobody_reads_is_no_traceback(arguments: Sequence[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "gateway", *arguments]

    result = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    os.close(writer)

    assert result.stderr == ""
    assert result.returncode in (0, 1)


@pytest.mark.parametrize("part", ["gateway.checkout:enter", "gateway.cli.main:main"])
def test_ctrl_c_while_the_program_is_being_loaded_is_no_traceback(
    part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def resolve(name: str) -> Callable[..., int]:
        if name == part:
            raise KeyboardInterrupt  # as in the middle of the import
        return lambda *arguments: 0

    monkeypatch.setattr(pkgutil, "resolve_name", resolve)
    with pytest.raises(SystemExit) as end:
        runpy.run_module("gateway", run_name="__main__")

    assert (end.value.code, capsys.readouterr()) == (130, ("", ""))


def test_help_loads_neither_the_web_nor_the_hub() -> None:
    code = """
import sys
from gateway.cli.main import main

try:
    main(["--help"])
finally:
    print(*sys.modules, file=sys.stderr)
"""
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stderr.split()

    heavy = {
        "aiohttp",
        "jinja2",
        "asyncio",
        "sqlite3",
        "gateway.core.hub",
        "gateway.cli.serve",
        "gateway.server",
        "gateway.web",
    }
    assert not heavy & set(loaded)


def test_help_costs_less_than_importing_aiohttp() -> None:
    def cpu_seconds(*command: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    ours = min(cpu_seconds("-m", "gateway", "--help") for _ in range(3))

    assert ours < min(cpu_seconds("-c", "import aiohttp.web") for _ in range(3))
