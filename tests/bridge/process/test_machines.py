"""The surroundings of a program: environments, homes, locales, full devices, links; as an operator meets them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect
import pytest

from tests.bridge.gateways import ROOT, Gateway, Start
from tests.bridge.peers import HOST, Terminal, request
from tests.fakes import until

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
    return subprocess.run(command, stderr=subprocess.PIPE, timeout=60, **streams)  # type: ignore[call-overload, no-any-return]


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
    "env", [{}, {"HOME": "/dev/null"}, {"HOME": ""}, {"HOME": "relative"}, {"HOME": "/nonexistent"}]
)
@pytest.mark.parametrize("more", [(), ("--data", "~/chat")])
def test_pc_45_without_a_home_one_line_says_so_and_nothing_is_made(
    tmp_path: Path, env: dict[str, str], more: tuple[str, ...]
) -> None:
    place = Path("/tmp") / f"homeless-{tmp_path.name}-{os.getpid()}"
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    try:
        alone = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]]), **env}
        command = [*AS_SOMEBODY, sys.executable, "-B", "-m", "gateway", *PORTS, *more]
        done = subprocess.run(command, cwd=place, env=alone, capture_output=True, timeout=30)
        assert done.returncode == 78
        assert done.stderr.count(b"\n") == 1 and b"Traceback" not in done.stderr
        assert b"--data" in done.stderr or b"write the whole path" in done.stderr
        assert os.listdir(place) == []
    finally:
        shutil.rmtree(place)


@pytest.mark.parametrize(
    "command", [("check",), ("--version",), ("--help",), ("echo", "--help"), ("check", "--defaults")]
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_pc_46_a_full_device_is_told_in_one_line(command: tuple[str, ...], unbuffered: str) -> None:
    with open("/dev/full", "wb") as full:
        done = run(*command, stdout=full, env={"PYTHONUNBUFFERED": unbuffered})

    assert (done.returncode, done.stderr) == (1, b"gateway: cannot write the output: No space left on device\n")


@pytest.mark.parametrize("command", [("status", "--json"), ("status",), ("login-link",)])
def test_pc_46_so_it_is_by_what_asks_a_running_gateway(shared: Gateway, command: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = run(*command, "--data", shared.folder / "data", stdout=full)

    assert (done.returncode, done.stderr) == (1, b"gateway: cannot write the output: No space left on device\n")


def test_pc_47_status_introduces_itself_where_a_proxy_is_expected(start: Start) -> None:
    gateway = start("--proxy-protocol", "127.0.0.0/8")
    done = run("status", "--data", gateway.folder / "data")

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"OK  gateway ")
    assert run("login-link", "--data", gateway.folder / "data").returncode == 0


def test_pc_48_a_ports_file_that_is_standard_output_gets_the_ports_there(start: Start) -> None:
    gateway = start(running=False)
    link = gateway.folder / "so"
    link.symlink_to("/proc/self/fd/1")
    gateway.launch("--ports-file", str(link))
    until(lambda: "ready: " in gateway.stdout, "the ready line")

    assert link.is_symlink()
    assert json.loads(gateway.stdout.splitlines()[0])["pid"] == gateway.running.pid


def families(host: str) -> set[int]:
    return {each[0] for each in socket.getaddrinfo(host, None)}


def listens(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        return sock.connect_ex((address, port)) == 0


@pytest.mark.parametrize("host", ["localhost", "::"])
def test_pc_49_a_name_with_two_addresses_and_the_ipv6_wildcard_are_reached_by_both_families(
    start: Start, host: str
) -> None:
    if host == "localhost" and len(families(host)) < 2:
        pytest.skip("localhost has one address here")
    gateway = start("--host", host)

    assert all(listens(address, port) for address in (HOST, "::1") for port in (gateway.tcp, gateway.web))


def test_pc_41_a_gateway_on_every_interface_tells_an_address_for_other_machines(start: Start) -> None:
    gateway = start("--host", "0.0.0.0")
    until(lambda: "Ctrl-C" in gateway.stdout, "all lines")
    outside = gateway.stdout.rpartition("from other machines: ")[2].strip()
    link = run("login-link", "--data", gateway.folder / "data")

    assert outside and outside not in ("0.0.0.0", HOST)
    assert outside.encode() in link.stderr
    assert link.stdout.count(b"\n") == 1


def test_pc_51_what_an_ascii_terminal_cannot_show_is_escaped(tmp_path: Path, start: Start) -> None:
    (tmp_path / "g.toml").write_text('motd = "Grüße 😀"', encoding="utf-8")
    gateway = start()
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    with Terminal(gateway.tcp) as zoe:
        zoe.send("/nick Zoë")
        zoe.until("Zo")
        screen = run("status", "--data", gateway.folder / "data", env=ascii_only)
        summary = run("status", "--json", "--data", gateway.folder / "data", env=ascii_only)
    checked = run("check", "--config", tmp_path / "g.toml", env=ascii_only)

    assert (screen.returncode, summary.returncode, checked.returncode) == (0, 0, 0)
    assert json.loads(summary.stdout)["health"]
    assert rb'motd = "Gr\u00fc\u00dfe \U0001f600"' in checked.stdout
    (tmp_path / "again.toml").write_bytes(checked.stdout)
    assert "Grüße 😀".encode() in run("check", "--config", tmp_path / "again.toml").stdout


def test_pc_51_the_prompt_of_an_ascii_terminal_lives(tmp_path: Path) -> None:
    file = tmp_path / "ports"
    command = [sys.executable, "-m", "gateway", *PORTS, "--memory", "--console", "--ports-file", str(file)]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    with subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, stderr=-1, env=env) as gateway:
        until(lambda: file.exists() and file.read_text(), "the ports")
        with Terminal(json.loads(file.read_text())["tcp"]) as zoe:
            zoe.send("/nick Zoë")
            zoe.send("hello")
            said, problems = gateway.communicate(b"who\nquit\n", timeout=30)

    assert b">>>:" in said and b"Traceback" not in problems
    assert gateway.returncode == 0


def test_an_address_that_is_not_ours_is_told_as_such() -> None:
    done = run("--host", "203.0.113.9", *PORTS, "--memory")

    assert done.returncode == 1
    assert b"does not have that one" in done.stderr and b"another port" not in done.stderr


@pytest.mark.parametrize(
    "flags",
    [("--tcp-port", "7000", "--web-port", "7000"), ("--tcp-port", "-1", "--telnet-port", "-1", "--web-port", "-1")],
)
def test_flags_that_contradict_each_other_are_wrong_usage(flags: tuple[str, ...]) -> None:
    assert run(*flags, "--memory").returncode == 2
    assert run("--web-port", "9999", "--memory", env={"GATEWAY_TCP_PORT": "9999"}).returncode == 78


def can(*under: str) -> bool:
    """Whether this machine lets us run something like that."""
    return shutil.which(under[0]) is not None and subprocess.run([*under, "true"], capture_output=True).returncode == 0


HIDDEN_PROC = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh")
MACHINES = {
    "64 descriptors": ("prlimit", "--nofile=64:64"),
    "one core": ("taskset", "-c", "0"),
    "no /proc": HIDDEN_PROC,
    "process 1 of a container without init": ("unshare", "-pf", "--kill-child=TERM", "--mount-proc"),
    "a user namespace": ("unshare", "-Ur"),
    "no time zone, C locale": ("env", "-u", "TZ", "-u", "LANG", "LC_ALL=C", "PYTHONUTF8=0"),
}


@pytest.mark.parametrize("under", MACHINES.values(), ids=MACHINES.keys())
def test_it_starts_serves_and_stops_on(tmp_path: Path, under: tuple[str, ...]) -> None:
    if not can(*under):
        pytest.skip("not allowed here")
    file = tmp_path / "ports"
    command = [*under, sys.executable, "-m", "gateway", *PORTS, "--memory", "--console", "--ports-file", str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, stderr=-1) as gateway:
        until(lambda: file.exists() and file.read_text(), "the ports")
        assert request(json.loads(file.read_text())["web"], "GET", "/healthz").status == 200
        said, problems = gateway.communicate(b"quit\n", timeout=30)

    assert gateway.returncode == 0 and b"Ctrl-C stops" in said
    assert b"Traceback" not in problems


def test_a_paused_process_goes_on_where_it_was(gateway: Gateway) -> None:
    with Terminal(gateway.tcp) as ana, Terminal(gateway.tcp) as bob:
        bob.send("/who")
        bob.until("people|person|alone|--")
        gateway.running.send_signal(signal.SIGSTOP)
        ana.send("said meanwhile")
        gateway.running.send_signal(signal.SIGCONT)
        bob.until("said meanwhile")


def in_network(*setup: str) -> tuple[str, ...]:
    """A command that runs the one behind it in a network of its own, after `setup`."""
    return ("unshare", "-mn", "sh", "-c", "; ".join(("ip link set lo up", *setup, 'exec "$@"')), "sh")


NO_IPV6 = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1"
NO_IPV4 = "ip addr del 127.0.0.1/8 dev lo"
BOTH_NAMES = (
    "printf '127.0.0.1 localhost\\n::1 localhost\\n' > /tmp/hosts.$$; mount --bind /tmp/hosts.$$ /etc/hosts; "
    "rm /tmp/hosts.$$"
)
NETWORKS = {
    "localhost with both": ((BOTH_NAMES,), "localhost", {HOST, "::1"}),
    "localhost with both, without IPv6": ((BOTH_NAMES, NO_IPV6), "localhost", {HOST}),
    "localhost with both, without IPv4": ((BOTH_NAMES, NO_IPV4), "localhost", {"::1"}),
    "only IPv4": ((NO_IPV6,), HOST, {HOST}),
    "only IPv6": ((NO_IPV4,), "::1", {"::1"}),
    "every IPv6 address": ((NO_IPV4,), "::", {"::1"}),
}


@pytest.mark.parametrize(("setup", "host", "reached"), NETWORKS.values(), ids=NETWORKS.keys())
def test_pc_49_it_listens_at_each_address_that_the_machine_has(
    start: Start, setup: tuple[str, ...], host: str, reached: set[str]
) -> None:
    if not can(*in_network(*setup)):
        pytest.skip("not allowed here")
    gateway = start("--host", host, running=False)
    gateway.starter = in_network(*setup)
    gateway.start()
    inside = ("nsenter", f"--net=/proc/{gateway.running.pid}/ns/net", sys.executable, "-c")
    connect = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"

    found = {
        address
        for address in (HOST, "::1")
        if not subprocess.run([*inside, connect, address, str(gateway.web)], capture_output=True).returncode
    }
    assert found == reached
    assert run("status", "--data", gateway.folder / "data", under=inside[:2]).returncode == 0
    assert gateway.stop() == 0


WITHOUT_IPV4 = (("--host", HOST), b"this machine does not have that one")
WITHOUT_IPV6 = (("--host", "::1"), b"cannot listen on ::1")


@pytest.mark.parametrize(
    ("setup", "flags", "words"), [((NO_IPV4,), *WITHOUT_IPV4), ((NO_IPV6,), *WITHOUT_IPV6)], ids=["IPv4", "IPv6"]
)
def test_an_address_of_a_family_that_is_off_is_told_in_one_line(
    setup: tuple[str, ...], flags: tuple[str, ...], words: bytes
) -> None:
    if not can(*in_network(*setup)):
        pytest.skip("not allowed here")
    done = run(*PORTS, "--memory", *flags, under=in_network(*setup))

    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert words in done.stderr


@pytest.mark.parametrize("most", [10, 12, 16, 24])
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
    assert gateway.running.wait(30) == 78, "it lived until it read its settings"


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
        until(lambda: (gateway.folder / "p").exists(), "up", 20)
        port = json.loads((gateway.folder / "p").read_text())["tcp"]
        for cut in (False, True):
            if cut:
                os.truncate(log, 0)
            with socket.create_connection((HOST, port)):
                until(lambda: b"opened" in log.read_bytes(), "a line", 20)
        process.terminate()
        assert process.wait(30) == 0
    assert b"\0" not in log.read_bytes()


def test_a_background_job_with_a_prompt_is_not_stopped_by_its_terminal(tmp_path: Path) -> None:
    """odamex#1711, adonis-cli#68: reading the terminal from the background stops the whole process."""
    ports = tmp_path / "p"
    command = [sys.executable, "-m", "gateway", *PORTS, "--memory", "--console", "--ports-file", str(ports)]
    child = pexpect.spawn("bash", ["-mc", '"$@" & wait', "bash", *command], cwd=str(ROOT), timeout=30)
    try:
        until(lambda: ports.exists() and ports.read_text(), "the ports", 20)
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
