"""The files with which others run the gateway: what they say for an installation, and what systemd says of them."""

import ast
import shlex
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from gateway.cli import service
from gateway.cli.service import quoted, show
from gateway.config.settings import Settings
from gateway.config.sources import load
from gateway.errors import UsageError

Printed = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def installed_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own Python may be its owner's alone."""
    monkeypatch.setattr(service, "_programs", lambda of: [Path("/usr/bin/env")])


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """The lines that are printed for some flags, by setting name."""

    def lines(kind: str = "service", config: str = "", **flags: str) -> list[str]:
        flags = {name.replace("__", "."): text for name, text in flags.items()}
        loaded = load(flags, {}, config)
        assert show(kind, loaded.settings, flags, config, loaded.sources["data"].place == "default") == 0
        return capsys.readouterr().out.splitlines()

    return lines


def value(lines: list[str], key: str) -> str:
    """What a unit sets a key to."""
    (found,) = [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]
    return found


def started(lines: list[str], specifiers: Mapping[str, str]) -> Settings:
    """The settings of the process that a unit starts."""
    words = shlex.split(value(lines, "ExecStart").replace("$$", "$"))
    for letter, text in {"%": "%", **specifiers}.items():
        words = [word.replace(f"%{letter}", text) for word in words]
    flags = [word[2:].partition("=") for word in words[words.index("serve") + 1 :]]
    return load({name.replace("-", "_"): text or "true" for name, _, text in flags}, {}).settings


# The unit


def test_a_unit_starts_the_gateway_with_the_flags_and_its_data_where_services_have_it(printed: Printed) -> None:
    lines = printed(web_port="8081", motd='100 % "free", $5', web__hosts="a.example,b.example")

    settings = started(lines, {"S": "/var/lib"})
    assert (settings.web_port, settings.motd, settings.data) == (8081, '100 % "free", $5', Path("/var/lib/gateway"))
    assert settings.web.hosts == ("a.example", "b.example")
    assert value(lines, "Type") == "notify" and value(lines, "DynamicUser") == "yes"
    assert value(lines, "StateDirectory") == "gateway" and value(lines, "LimitNOFILE") == "10576"
    assert value(lines, "CapabilityBoundingSet") == "" and value(lines, "PrivateUsers") == "yes"


def test_what_is_given_as_a_relative_path_is_printed_whole(
    printed: Printed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.toml").write_text("web_port = 81")
    lines = printed(config="g.toml", data="chat")
    assert f"--data={tmp_path}/chat" in value(lines, "ExecStart")
    assert f"ReadWritePaths={tmp_path}/chat" in lines and "DynamicUser=yes" not in lines
    assert value(lines, "User") == service._owner(tmp_path)


def test_a_low_port_takes_one_capability(printed: Printed) -> None:
    lines = printed(web_port="443")
    assert value(lines, "AmbientCapabilities") == value(lines, "CapabilityBoundingSet") == "CAP_NET_BIND_SERVICE"
    assert not [line for line in lines if line.startswith("PrivateUsers")]


def test_a_key_that_only_its_owner_reads_is_handed_over(printed: Printed, tmp_path: Path) -> None:
    for name in ("cert", "key"):
        (tmp_path / name).touch(0o600)
    lines = printed(tls_cert=str(tmp_path / "cert"), tls_key=str(tmp_path / "key"))
    assert f"LoadCredential=tls_key:{tmp_path}/key" in lines
    assert "--tls-key=%d/tls_key" in value(lines, "ExecStart") and "/key " not in value(lines, "ExecStart")


def test_an_installation_that_only_its_owner_reads_runs_as_its_owner(
    printed: Printed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "python").touch(0o700)
    monkeypatch.setattr(service, "_programs", lambda of: [tmp_path / "python"])
    lines = printed()
    assert value(lines, "User") == service._owner(tmp_path)
    assert any("only its owner can read" in line for line in lines)


def test_a_door_that_waits_for_the_network_says_so(printed: Printed) -> None:
    assert "After=network.target" in printed(host="127.0.0.1,::")
    assert "After=network-online.target" in printed(host="192.0.2.1")


def test_a_redis_beside_it_is_started_first_and_its_sockets_group_is_given(printed: Printed, tmp_path: Path) -> None:
    place = tmp_path / "redis.sock"
    with socket.socket(socket.AF_UNIX) as redis:
        redis.bind(str(place))
        place.chmod(0o770)
        lines = printed(redis=f"unix://{place}", workers="4")
        assert value(lines, "SupplementaryGroups") == place.group()
        place.chmod(0o777)
        assert not [line for line in printed(redis=f"unix://{place}") if line.startswith("SupplementaryGroups")]
    assert any("redis-server.service" in line for line in lines) and "--workers=4" in value(lines, "ExecStart")


def test_without_a_disk_there_is_no_folder(printed: Printed) -> None:
    lines = printed(memory="true")
    assert not [line for line in lines if "StateDirectory" in line or "--data" in line]
    assert "--memory" in value(lines, "ExecStart")


@pytest.mark.parametrize(
    ("word", "written"), [("--a=b", "--a=b"), ("a b", '"a b"'), ('a"', '"a\\""'), ("$x", "$$x"), ("", '""')]
)
def test_words_are_quoted_as_systemd_reads_them(word: str, written: str) -> None:
    assert quoted(word) == written


def test_systemd_finds_nothing_wrong_and_little_exposed(
    printed: Printed, tmp_path: Path, program: Callable[[str], str]
) -> None:
    unit = tmp_path / "gateway.service"
    unit.write_text("\n".join(printed()))
    (tmp_path / "gateway.socket").write_text("\n".join(printed("socket", host="127.0.0.1,::1")))
    analyze = program("systemd-analyze")
    for command in (
        ["verify", "gateway.service", "gateway.socket"],
        ["security", "--offline=yes", "--threshold=20", unit],
    ):
        found = subprocess.run([analyze, *command], cwd=tmp_path, capture_output=True, text=True)
        assert (found.returncode, found.stderr) == (0, ""), found.stdout


# The sockets


def test_the_sockets_are_those_of_the_doors(printed: Printed) -> None:
    lines = printed("socket", host="127.0.0.1,::1", telnet_port="-1")
    streams = [line.partition("=")[2] for line in lines if line.startswith("ListenStream=")]
    assert streams == ["127.0.0.1:9999", "[::1]:9999", "127.0.0.1:8080", "[::1]:8080"]


def test_sockets_without_fixed_ports_and_services_of_the_origins_chat_are_refused(printed: Printed) -> None:
    with pytest.raises(UsageError, match="fixed ports"):
        printed("socket", web_port="0")
    with pytest.raises(UsageError, match="--classic is for a terminal"):
        printed(classic="true")


# The container


def test_a_container_takes_the_flags_as_variables_and_dollars_as_they_are(printed: Printed) -> None:
    lines = printed("container", motd="$5", web_port="80", telnet_port="-1")
    assert 'ENV GATEWAY_MOTD="\\$5"' in lines and 'ENV GATEWAY_DATA="/data"' in lines
    assert "EXPOSE 9999 80" in lines and "USER 10001" in lines
    assert lines[-1] == 'ENTRYPOINT ["/opt/gateway/bin/gateway"]'


def test_a_compose_file_has_the_ports_time_to_stop_and_a_redis_that_keeps_what_it_has(printed: Printed) -> None:
    text = "\n".join(printed("compose", telnet_port="-1", limits__connections="100"))
    found = yaml.safe_load(text)
    ours, redis = found["services"]["gateway"], found["services"]["redis"]

    assert ours["ports"] == ["9999:9999", "8080:8080"] and ours["ulimits"]["nofile"] == 676
    assert ours["stop_grace_period"] == "35s" and ours["environment"] == {"GATEWAY_REDIS": "redis://redis:6379"}
    assert load({}, ours["environment"]).settings.redis == "redis://redis:6379"
    assert {"always", "noeviction"} <= set(redis["command"])
    assert set(found["volumes"]) == {each.partition(":")[0] for each in ours["volumes"] + redis["volumes"]}


@pytest.mark.parametrize("flags", [{}, {"tls_cert": "cert", "web__base_path": "/chat"}])
def test_the_containers_probe_asks_the_page_where_it_is(printed: Printed, flags: dict[str, str]) -> None:
    (probe,) = [line for line in printed("container", **flags) if line.startswith("HEALTHCHECK")]
    *_, code = ast.literal_eval(probe.partition("CMD ")[2])
    compile(code, "probe", "exec")
    assert ("https://127.0.0.1:8080/chat/healthz" if flags else "http://127.0.0.1:8080/healthz") in code
