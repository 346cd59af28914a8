"""The surroundings of a program: environments, homes, locales, full devices, links; as an operator meets them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pexpect
import pytest

from tests.bridge.gateways import ROOT, Gateway, Start
from tests.bridge.machines.odd_machines import OUTCOMES, Machine
from tests.bridge.peers import HOST, Terminal, request
from tests.fakes import PATIENCE, until

PORTS = ("--tcp-port", "0", "--telnet-port", "0", "--web-port", "0")
KUBERNETES = {
    "GATEWAY_SERVICE_HOST": "10.96.0.12", "GATEWAY_SERVICE_PORT": "8080", "GATEWAY_SERVICE_PORT_HTTP": "8080",
    "GATEWAY_PORT": "tcp://10.96.0.12:8080", "GATEWAY_PORT_8080_TCP": "tcp://10.96.0.12:8080",
    "GATEWAY_PORT_8080_TCP_PROTO": "tcp", "GATEWAY_PORT_8080_TCP_PORT": "8080",
    "GATEWAY_PORT_8080_TCP_ADDR": "10.96.0.12", "GATEWAY_INTERFACE": "CGI/1.1",
    "GATEWAY_WEB_PORT": "tcp://10.96.0.13:80", "GATEWAY_WEB_SERVICE_HOST": "10.96.0.13",
}  # fmt: skip
AS_SOMEBODY = ("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups")


def run(
    *arguments: str | Path, under: tuple[str, ...] = (), env: Mapping[str, str] | None = None, **streams: object
) -> "subprocess.CompletedProcess[bytes]":
    """A command that ends by itself, with more variables."""
    command = [*under, sys.executable, "-m", "gateway", *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "cwd": ROOT, "env": {**os.environ, **(env or {})}} | streams
    return subprocess.run(command, stderr=subprocess.PIPE, timeout=PATIENCE, **streams)  # type: ignore[call-overload, no-any-return]


def test_pc_43_variables_of_a_service_with_our_name_are_left_alone_with_one_warning() -> None:
    done = run("check", env=KUBERNETES)

    assert done.returncode == 0
    assert done.stderr.count(b"\n") == 1 and b"GATEWAY_PORT_8080_TCP_ADDR" in done.stderr
    assert b"web_port = 8080 " in done.stdout
    assert run("check", env={"GATEWAY_TCP_PROT": "1"}).returncode == 78


def test_pc_44_a_settings_file_may_begin_with_a_byte_order_mark(tmp_path: Path, start: Start) -> None:
    (tmp_path / "b.toml").write_bytes(b"\xef\xbb\xbftcp_port = 9998\r\n")
    (tmp_path / "w.toml").write_bytes("tcp_port = 9998".encode("utf-16"))

    assert b"tcp_port = 9998 " in run("check", "--config", tmp_path / "b.toml").stdout
    wrong = run("check", "--config", tmp_path / "w.toml")
    assert (wrong.returncode, wrong.stderr.count(b"\n")) == (78, 1)
    assert b"UTF-16" in wrong.stderr


def test_pc_44_so_may_one_that_is_read_again(tmp_path: Path, start: Start) -> None:
    file = tmp_path / "b.toml"
    file.write_bytes(b"\xef\xbb\xbf[limits]\r\nburst = 100\r\n")
    gateway = start("--config", file)
    file.write_bytes(b"\xef\xbb\xbf[limits]\r\nburst = 7\r\n")
    gateway.running.send_signal(signal.SIGHUP)
    until(lambda: "changed: limits.burst" in gateway.stderr, "it was read")


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root becomes somebody else")
@pytest.mark.parametrize(
    ("env", "more"),
    [
        *((env, PORTS) for env in ({}, *({"HOME": home} for home in ("/dev/null", "", "relative", "/nonexistent")))),
        *(({}, more) for more in ((*PORTS, "--data", "~/chat"), ("status",), ("login-link",), ("check",))),
    ],
)
def test_pc_45_without_a_home_one_line_says_so_and_nothing_is_made(
    tmp_path: Path, env: dict[str, str], more: tuple[str, ...]
) -> None:
    place = Path("/tmp") / f"homeless-{tmp_path.name}-{os.getpid()}"
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    try:
        alone = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]]), **env}
        command = [*AS_SOMEBODY, sys.executable, "-B", "-m", "gateway", *more]
        done = subprocess.run(command, cwd=place, env=alone, capture_output=True, timeout=PATIENCE)
        assert done.returncode == 78
        assert done.stderr.count(b"\n") == 1 and b"Traceback" not in done.stderr
        assert b"--data" in done.stderr or b"write the whole path" in done.stderr
        assert os.listdir(place) == []
    finally:
        shutil.rmtree(place)


@pytest.mark.parametrize("command", [("check",), ("--version",)])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_pc_46_a_full_device_is_told_in_one_line(command: tuple[str, ...], unbuffered: str) -> None:
    with open("/dev/full", "wb") as full:
        done = run(*command, stdout=full, env={"PYTHONUNBUFFERED": unbuffered})

    assert (done.returncode, done.stderr) == (1, b"gateway: cannot write the output: No space left on device\n")


def test_pc_48_a_ports_file_that_is_standard_output_gets_the_ports_there(start: Start) -> None:
    gateway = start(running=False)
    link = gateway.folder / "so"
    link.symlink_to("/proc/self/fd/1")
    gateway.launch("--ports-file", str(link))
    until(lambda: "ready: " in gateway.stdout, "the ready line")

    assert link.is_symlink()
    assert json.loads(gateway.stdout.splitlines()[0])["pid"] == gateway.running.pid


def test_pc_51_the_prompt_of_an_ascii_terminal_lives(tmp_path: Path) -> None:
    file = tmp_path / "ports"
    command = [sys.executable, "-m", "gateway", *PORTS, "--memory", "--console", "--ports-file", str(file)]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    with subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, stderr=-1, env=env) as gateway:
        until(lambda: file.exists() and file.read_text(), "the ports")
        with Terminal(json.loads(file.read_text())["tcp"]) as zoe:
            zoe.send("/nick Zoë")
            zoe.send("hello")
            said, problems = gateway.communicate(b"who\nquit\n", timeout=PATIENCE)

    assert b">>>:" in said and b"Traceback" not in problems
    assert gateway.returncode == 0


@pytest.mark.parametrize(
    "flags",
    [("--tcp-port", "7000", "--web-port", "7000"), ("--tcp-port", "-1", "--telnet-port", "-1", "--web-port", "-1")],
)
def test_flags_that_contradict_each_other_are_wrong_usage(flags: tuple[str, ...]) -> None:
    assert run(*flags, "--memory").returncode == 2
    assert run("--web-port", "9999", "--memory", env={"GATEWAY_TCP_PORT": "9999"}).returncode == 78


def test_a_paused_process_goes_on_where_it_was(gateway: Gateway) -> None:
    with Terminal(gateway.tcp) as ana, Terminal(gateway.tcp) as bob:
        bob.send("/who")
        bob.until("people|person|alone|--")
        gateway.running.send_signal(signal.SIGSTOP)
        ana.send("said meanwhile")
        gateway.running.send_signal(signal.SIGCONT)
        bob.until("said meanwhile")


@pytest.mark.parametrize("most", [10, 24])
def test_too_few_descriptors_are_told_in_one_line(most: int) -> None:
    """nats-server and redis say it so; asyncio alone leaves a traceback of a loop that could not be made."""
    done = run(*PORTS, "--memory", under=("prlimit", f"--nofile={most}:{most}"))

    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert f"may open {most} files".encode() in done.stderr


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_while_it_starts_does_not_end_it(start: Start, number: signal.Signals) -> None:
    """unpackerr#677: `systemctl reload` of a service that has just been started."""
    gateway = start("--memory", running=False)
    gateway.launch("--config", str(gateway.folder / "later.toml"))
    until(lambda: number in ignored(gateway.running.pid) or gateway.running.poll() is not None, "up")
    gateway.running.send_signal(number)
    assert gateway.running.wait(PATIENCE) == 78, "it lived until it read its settings"


def ignored(pid: int) -> set[int]:
    """The signals that a process ignores."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in status if line.startswith("SigIgn:"))
    return {bit + 1 for bit in range(64) if mask >> bit & 1}


def test_a_log_that_is_cut_while_it_runs_goes_on_at_its_start(start: Start) -> None:
    """logrotate#286: copytruncate and a file that was not opened for appending leave a hole of NUL bytes."""
    gateway = start("--memory", running=False)
    command = [sys.executable, "-m", "gateway", *PORTS, "--memory", "--ports-file", str(gateway.folder / "p")]
    log = gateway.folder / "cut"
    with log.open("wb") as plain, subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=plain) as process:
        until(lambda: (gateway.folder / "p").exists(), "up")
        port = json.loads((gateway.folder / "p").read_text())["tcp"]
        for cut in (False, True):
            if cut:
                os.truncate(log, 0)
            with socket.create_connection((HOST, port)):
                until(lambda: b"opened" in log.read_bytes(), "a line")
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert b"\0" not in log.read_bytes()


def test_a_background_job_with_a_prompt_is_not_stopped_by_its_terminal(tmp_path: Path) -> None:
    """odamex#1711, adonis-cli#68: reading the terminal from the background stops the whole process."""
    ports = tmp_path / "p"
    command = [sys.executable, "-m", "gateway", *PORTS, "--memory", "--console", "--ports-file", str(ports)]
    child = pexpect.spawn("bash", ["-mc", '"$@" & wait', "bash", *command], cwd=str(ROOT), timeout=PATIENCE)
    try:
        until(lambda: ports.exists() and ports.read_text(), "the ports")
        found = json.loads(ports.read_text())
        assert request(found["web"], "GET", "/healthz").status == 200
        state = Path(f"/proc/{found['pid']}/stat").read_text().rpartition(")")[2].split()[0]
        assert state != "T"
        os.kill(found["pid"], signal.SIGTERM)
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)


def test_a_working_folder_that_is_gone_is_told_as_such(tmp_path: Path) -> None:
    """A deploy that replaces the folder leaves the shell, and what it starts, in one that is no more."""
    under = ("sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', str(tmp_path / "gone"))
    (tmp_path / "gone").mkdir()
    done = run(*PORTS, "--data", "chat", under=under, env={"PYTHONPATH": str(ROOT)})

    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"the folder it was started in is gone" in done.stderr


# One table of machines: all five commands on each (`tests.bridge.machines.odd_machines`)

BOTH_NAMES = "printf '127.0.0.1 localhost\\n::1 localhost\\n' > $F/hosts; mount --bind $F/hosts /etc/hosts; "
NO_IPV4 = "ip link set lo up; ip addr del 127.0.0.1/8 dev lo; "
NO_IPV6 = "ip link set lo up; sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1; "
READ_ONLY = "mkdir $F/data; mount --bind $F/data $F/data; mount -o remount,ro,bind $F/data"
READ_ONLY_SYSTEM = (
    "mount --bind / /; mount -o remount,ro,bind /; mount --bind $F $F; mount -o remount,rw,bind $F; "
    "mkdir $F/data; mount --bind $F/data $F/data; mount -o remount,ro,bind $F/data"
)
SERVICE = {"PATH": os.defpath, "LANG": "C.UTF-8", "INVOCATION_ID": "0" * 32, "JOURNAL_STREAM": "8:1"}
"""The environment that `systemd-run` gives. (It needs a running systemd, which no container has.)"""
PRIVATE = ("mount", "network")
FULL = "cannot write the output: No space left on device"
NOBODY = "no gateway with a web door runs on"
ELSEWHERE = {"login-link": (0, "from another machine: ")}


class Case(NamedTuple):
    """A machine, the addresses at which it is reached, and the commands that write a line to standard error there:
    their codes and some of its words. The others are silent there, and end with 0."""

    machine: Machine
    reached: tuple[str, ...] = (HOST,)
    telling: Mapping[str, tuple[int, str]] = MappingProxyType({})


def alone(words: str) -> dict[str, tuple[int, str]]:
    """What fails where the gateway does not start, for that reason."""
    return {"serve": (1, words), "status": (1, NOBODY), "login-link": (1, NOBODY)}


CASES = {
    "nothing odd": Case(Machine()),
    "64 descriptors": Case(Machine(files=64)),
    "one core": Case(Machine(cores=(min(os.sched_getaffinity(0)),))),
    "no /proc": Case(Machine(namespaces=("mount",), setup="mount -t tmpfs none /proc")),
    "process 1 of a container without init": Case(
        Machine(namespaces=("mount", "process"), setup="mount -t proc proc /proc")
    ),
    "a user namespace": Case(Machine(namespaces=("user",))),
    "no HOME, but --data": Case(Machine(env={"PATH": os.defpath})),
    "a service of systemd": Case(Machine(env=SERVICE, stdout="socket")),
    "a read-only data folder": Case(
        Machine(namespaces=("mount",), setup=READ_ONLY), (), alone("Read-only file system")
    ),
    "a read-only file system": Case(
        Machine(namespaces=("mount",), setup=READ_ONLY_SYSTEM), (), alone("or keep nothing with --memory")
    ),
    "a read-only file system, --memory": Case(
        Machine(("--memory",), namespaces=("mount",), setup=READ_ONLY_SYSTEM),
        (HOST,),
        dict.fromkeys(("status", "login-link"), (1, NOBODY)),
    ),
    "a read-only data folder, --memory": Case(
        Machine(("--memory",), namespaces=("mount",), setup=READ_ONLY),
        (HOST,),
        dict.fromkeys(("status", "login-link"), (1, NOBODY)),
    ),
    "output to a full device": Case(
        Machine(stdout="full"), (HOST,), dict.fromkeys(("status", "login-link", "check", "--help"), (1, FULL))
    ),
    "output to a closed pipe": Case(
        Machine(stdout="closed"), (HOST,), dict.fromkeys(("status", "login-link", "check", "--help"), (1, ""))
    ),
    "an ASCII terminal": Case(Machine(("--motd", "Grüße 😀"), encoding="ascii", people=True)),
    "a Latin-1 terminal": Case(Machine(("--motd", "Grüße 😀"), encoding="latin-1", people=True)),
    "no time zone": Case(Machine(env={"PATH": os.defpath, "LC_ALL": "C"})),
    "localhost with both": Case(
        Machine(("--host", "localhost"), PRIVATE, BOTH_NAMES + "ip link set lo up"), (HOST, "::1")
    ),
    "localhost with both, without IPv6": Case(Machine(("--host", "localhost"), PRIVATE, BOTH_NAMES + NO_IPV6)),
    "localhost with both, without IPv4": Case(
        Machine(("--host", "localhost"), PRIVATE, BOTH_NAMES + NO_IPV4), ("::1",)
    ),
    "only IPv4": Case(Machine((), PRIVATE, NO_IPV6)),
    "only IPv4, asked for IPv6": Case(Machine(("--host", "::1"), PRIVATE, NO_IPV6), (), alone("cannot listen on ::1")),
    "only IPv6": Case(Machine(("--host", "::1"), PRIVATE, NO_IPV4), ("::1",)),
    "only IPv6, asked for IPv4": Case(Machine((), PRIVATE, NO_IPV4), (), alone("this machine does not have that one")),
    "only IPv6, every address": Case(Machine(("--host", "::"), PRIVATE, NO_IPV4), ("::1",), ELSEWHERE),
    "every address of both families": Case(
        Machine(("--host", "::"), PRIVATE, "ip link set lo up"), (HOST, "::1"), ELSEWHERE
    ),
    "every IPv4 address": Case(Machine(("--host", "0.0.0.0")), (HOST,), ELSEWHERE),
    "an address of another machine": Case(
        Machine(("--host", "203.0.113.9")), (), alone("this machine does not have that one")
    ),
    "a proxy that introduces its peers": Case(
        Machine(("--proxy-protocol", "127.0.0.0/8")), (), {"serve": (0, "no PROXY header from 127.0.0.1")}
    ),
}
Outcome = Mapping[str, Any]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What the five commands did on each machine."""
    folders = {name: tmp_path_factory.mktemp("machine") for name in CASES}
    machines = [{**asdict(case.machine), "folder": str(folders[name])} for name, case in CASES.items()]
    command = [sys.executable, "-m", "tests.bridge.machines.odd_machines"]
    subprocess.run(command, cwd=ROOT, input=json.dumps(machines).encode(), check=True, timeout=300)
    return {name: json.loads((folder / "result.json").read_text()) for name, folder in folders.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_five_commands_end_with_a_clear_line_on(outcomes: dict[str, Outcome], name: str) -> None:
    done, case = outcomes[name], CASES[name]
    if "refused" in done:
        pytest.skip(f"not allowed here: {done['refused']}")
    assert done["reached"] == list(case.reached)
    for command in OUTCOMES:
        code, out, err = done[command]
        wanted, words = case.telling.get(command, (0, ""))
        assert (command, code, err.count("\n")) == (command, wanted, 1 if words else 0), err
        assert words in err and (err.startswith("gateway: ") or not code or not words)
        assert out or code or case.machine.stdout in ("full", "closed"), f"{command} says nothing"


def test_pc_47_status_and_login_link_work_where_a_proxy_introduces_its_peers(outcomes: dict[str, Outcome]) -> None:
    done = outcomes["a proxy that introduces its peers"]

    assert done["status"][1].startswith("OK  gateway ")
    assert done["login-link"][1].startswith("http://")


@pytest.mark.parametrize("name", ["localhost with both", "every address of both families"])
def test_pc_49_a_name_with_two_addresses_and_the_ipv6_wildcard_are_reached_by_both_families(
    outcomes: dict[str, Outcome], name: str
) -> None:
    if "refused" in outcomes[name]:
        pytest.skip("not allowed here")
    assert outcomes[name]["reached"] == [HOST, "::1"]


def test_pc_41_a_gateway_on_every_interface_tells_an_address_for_other_machines(outcomes: dict[str, Outcome]) -> None:
    done = outcomes["every IPv4 address"]
    outside = done["serve"][1].rpartition("from other machines: ")[2].strip()

    assert outside and outside not in ("0.0.0.0", HOST)
    assert outside in done["login-link"][2]


@pytest.mark.parametrize("name", ["an ASCII terminal", "a Latin-1 terminal"])
def test_pc_51_what_a_terminal_cannot_show_is_escaped_and_can_be_read_again(
    outcomes: dict[str, Outcome], name: str
) -> None:
    assert tomllib.loads(outcomes[name]["check"][1])["motd"] == "Grüße 😀"
