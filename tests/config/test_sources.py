"""Where settings come from: flags over environment over file, and every mistake is reported with the right form."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from gateway.config.settings import SETTINGS, LimitSettings, value_of
from gateway.config.sources import load
from gateway.errors import ConfigError, UsageError

FileWith = Callable[[str], str]


@pytest.fixture
def file_with(tmp_path: Path) -> FileWith:
    """Writes a TOML file and returns its path."""

    def write(content: str) -> str:
        path = tmp_path / "gateway.toml"
        path.write_text(content, encoding="utf-8")
        return str(path)

    return write


def problem(flags: dict[str, str] | None = None, environ: dict[str, str] | None = None, config: str = "") -> str:
    """What `load` complains about."""
    with pytest.raises(ConfigError) as caught:
        load(flags or {}, environ or {}, config)
    return str(caught.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "workers share their journal in Redis: give --redis"),
        ({"redis": "redis://h", "memory": "true"}, "memory is for one process"),
        ({"redis": "redis://h", "console": "true"}, "console is for one process"),
        ({"redis": "redis://h", "classic": "true"}, "classic is for one process"),
    ],
)
def test_what_several_workers_cannot_do_is_told(more: dict[str, str], words: str) -> None:
    assert words in problem({"workers": "2", **more})
    assert load({"workers": "1"}, {}).settings.workers == 1


def test_without_anything_every_setting_is_its_default() -> None:
    loaded = load({}, {})

    assert loaded.settings.tcp_port == 9999
    assert {str(source) for source in loaded.sources.values()} == {"default"}


def test_flags_win_over_environment_over_file(file_with: FileWith) -> None:
    config = file_with("tcp_port = 1\ntelnet_port = 2\nweb_port = 3\n")
    environ = {"GATEWAY_TELNET_PORT": "12", "GATEWAY_WEB_PORT": "13"}

    loaded = load({"web_port": "23"}, environ, config)

    assert (loaded.settings.tcp_port, loaded.settings.telnet_port, loaded.settings.web_port) == (1, 12, 23)
    assert str(loaded.sources["tcp_port"]) == f"file {config}"
    assert str(loaded.sources["telnet_port"]) == "environment GATEWAY_TELNET_PORT"
    assert str(loaded.sources["web_port"]) == "flag --web-port"


@pytest.mark.parametrize("content", ["[limits]\nburst = 7", "limits.burst = 7", "limits = {burst = 7}"])
def test_a_section_may_be_written_in_any_way_of_toml(file_with: FileWith, content: str) -> None:
    assert load({}, {}, file_with(content)).settings.limits.burst == 7


def test_the_environment_reaches_settings_in_sections() -> None:
    assert load({}, {"GATEWAY_LIMITS__BURST": "7"}).settings.limits.burst == 7


def test_a_variable_names_the_file_and_a_flag_names_a_better_one(file_with: FileWith, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("tcp_port = 5")
    environ = {"GATEWAY_CONFIG": file_with("tcp_port = 4")}

    assert load({}, environ).settings.tcp_port == 4
    assert load({}, environ, str(other)).settings.tcp_port == 5


def test_one_host_needs_no_list_in_the_file(file_with: FileWith) -> None:
    assert load({}, {}, file_with('host = "::1"')).settings.host == ("::1",)


def test_classic_switches_the_other_doors_off() -> None:
    loaded = load({"classic": "true", "web_port": "8080", "tcp_port": "2323"}, {})

    assert (loaded.settings.tcp_port, loaded.settings.telnet_port, loaded.settings.web_port) == (2323, -1, -1)
    assert str(loaded.sources["web_port"]) == "classic"


@pytest.mark.parametrize(
    ("content", "near"),
    [
        ("tcp-port = 1", "tcp_port"),
        ("[limits]\nbrust = 1", "limits.burst"),
        ("[limit]\nburst = 1", "limits.burst"),
        ("tcp_port = {a = 1}", "tcp_port"),
        ("retention = '30d'", "journal.retention"),
    ],
)
def test_an_unknown_key_is_told_the_nearest_known_one(file_with: FileWith, content: str, near: str) -> None:
    config = file_with(content)

    assert config in problem(config=config)
    assert near in problem(config=config)


def test_an_unknown_variable_is_told_the_nearest_known_one() -> None:
    words = problem(environ={"GATEWAY_LIMITS_BURST": "1"})

    assert words == "unknown variable GATEWAY_LIMITS_BURST: the nearest known one is GATEWAY_LIMITS__BURST"


def test_variables_of_others_do_not_matter() -> None:
    assert load({}, {"GATEWAYS": "3", "gateway_tcp_port": "x", "PATH": "/"}).settings.tcp_port == 9999


def test_a_wrong_value_is_told_with_its_setting_its_place_and_what_is_right() -> None:
    words = problem(environ={"GATEWAY_TCP_PORT": "http"})

    assert words == (
        "tcp_port: 'http' (environment GATEWAY_TCP_PORT) is not a port: 1 to 65535, 0 = any free port, -1 = off"
    )


def test_a_section_that_is_no_section_is_explained(file_with: FileWith) -> None:
    assert "write [limits] and its keys below" in problem(config=file_with("limits = 5"))


def test_a_wrong_value_counts_even_where_a_stronger_place_overrides_it(file_with: FileWith) -> None:
    assert "tcp_port: 70000" in problem({"tcp_port": "1"}, config=file_with("tcp_port = 70000"))


def test_every_mistake_is_told_at_once(file_with: FileWith) -> None:
    words = problem({"web_port": "x"}, {"GATEWAY_TCP_PORT": "x", "GATEWAY_NO": "1"}, file_with("no = 1\nhost = 5"))

    assert len(words.splitlines()) == 5


def test_wrong_flags_alone_are_wrong_usage(file_with: FileWith) -> None:
    with pytest.raises(UsageError):
        load({"tcp_port": "x"}, {})
    with pytest.raises(ConfigError) as caught:
        load({"tcp_port": "x"}, {}, file_with("no = 1"))
    assert not isinstance(caught.value, UsageError)


@pytest.mark.parametrize(
    ("content", "kind"), [(b"tcp_port = ", "TOML"), (b"a = '\xff'", "UTF-8"), (b"tcp_port = 1\ntcp_port = 2", "TOML")]
)
def test_a_file_that_is_not_toml_is_told_as_such(tmp_path: Path, content: bytes, kind: str) -> None:
    config = tmp_path / "broken.toml"
    config.write_bytes(content)

    assert problem(config=str(config)).startswith(f"{config} is not {kind}")


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    assert problem(config=str(tmp_path / name)).startswith(f"cannot read {tmp_path / name}: ")


def test_at_least_one_door_is_on() -> None:
    assert "every door is off" in problem({"tcp_port": "-1", "telnet_port": "-1", "web_port": "-1"})
    assert "every door is off" in problem({"tcp_port": "-1", "classic": "true"})


@pytest.mark.parametrize("text", ["9999.0", "1e4", "٩", " 9999", "0x270f"])
def test_a_port_is_a_whole_number(text: str) -> None:
    assert problem({"tcp_port": text}).startswith(f"tcp_port: {text!r} (flag --tcp-port) is not a port")


def test_a_port_serves_one_door_but_any_number_of_doors_may_be_off_or_free() -> None:
    assert problem({"tcp_port": "8080"}) == "tcp_port and web_port are both 8080: a port serves one door"
    assert load({"tcp_port": "0", "telnet_port": "0", "web_port": "0"}, {}).settings.web_port == 0
    assert load({"telnet_port": "-1", "web_port": "-1"}, {}).settings.web_port == -1


def test_what_check_prints_is_a_file_that_says_the_same(file_with: FileWith) -> None:
    flags = {"host": "::1,::2", "journal.retention": "36h", "limits.log_bytes": "3KiB", "data": 'a "b"', "memory": "1"}
    loaded = load(flags, {})

    text = loaded.toml()

    assert load({}, {}, file_with(text)).settings == loaded.settings
    assert len(tomllib.loads(text)["limits"]) == len(structs.fields(LimitSettings))
    assert text.count("\n") == len(SETTINGS)
    assert 'journal.retention = "36h"' in text
    assert text.count("# flag --host\n") == 1


# What other programs leave in the environment, and habits of other programs


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("GATEWAY_WEB_PORT", "8081\n", "web_port", 8081),
        ("GATEWAY_WEB_PORT", " 8081\r\n", "web_port", 8081),
        ("GATEWAY_WEB_PORT", "'8081'", "web_port", 8081),
        ("GATEWAY_HOST", '"127.0.0.2"', "host", ("127.0.0.2",)),
        ("GATEWAY_MOTD", 'it\'s "so"', "motd", 'it\'s "so"'),
        ("GATEWAY_MOTD", '"a" and "b"', "motd", '"a" and "b"'),
        ("GATEWAY_MOTD", '"so"\n', "motd", '"so"'),
        ("GATEWAY_CONSOLE", "yes", "console", True),
        ("GATEWAY_CONSOLE", "OFF\n", "console", False),
        ("GATEWAY_LOG_LEVEL", "WARN", "log_level", "warning"),
    ],
)
def test_a_variable_is_read_without_the_marks_of_its_way_here(
    variable: str, text: str, name: str, value: object
) -> None:
    """kubernetes#23404, podman#21257: a secret's newline; docker passes the quotes of an --env-file on."""
    assert value_of(load({}, {variable: text}).settings, name) == value


def test_an_empty_variable_is_not_given_unless_empty_is_a_value() -> None:
    """moby#284, APIcast#41: compose files and env files make variables without a value."""
    empty = {"GATEWAY_CONFIG": "", "GATEWAY_LIMITS__BURST": "", "GATEWAY_DATA": "", "GATEWAY_HOST": " "}
    assert load({}, empty).settings == load({}, {}).settings
    assert load({"web.hosts": "a.example"}, {}).settings.web.hosts == ("a.example",)
    assert load({}, {"GATEWAY_WEB__HOSTS": ""}).sources["web.hosts"].place == "environment"
    with pytest.raises(ConfigError, match="GATEWAY_LIMITS__BRUST"):
        load({}, {"GATEWAY_LIMITS__BRUST": ""})


def test_a_file_in_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "latin1.toml").write_bytes(b'log_level = "info"\nmotd = "Gr\xfc\xdfe"\n')
    with pytest.raises(ConfigError, match=r"latin1\.toml is not UTF-8 \(line 2\): save it as UTF-8"):
        load({}, {}, str(tmp_path / "latin1.toml"))


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("GATEWAY_HOST", "*", "0.0.0.0 for every IPv4"),
        ("GATEWAY_HOST", "127.0.0.1:80", "has a port"),
        ("GATEWAY_MOTD", "Gr\udcfc", "not UTF-8"),
        ("GATEWAY_ADMIN__PASSWORD_HASH", "=19=65536,t=3,p=4", "single quotes"),
        ("GATEWAY_ADMIN__PASSWORD_HASH", "$$argon2id$$v=19$$m=65536,t=3,p=4$$c2FsdA$$aGFzaA", "single quotes"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_write(variable: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load({}, {variable: text})
