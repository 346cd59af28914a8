"""`gateway echo` and `serve --classic` as whole programs, with netcat and with sockets."""

import json
import resource
import selectors
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bridge.origins import CLASSIC, ECHO, PATIENCE, ROOT, Running, running
from tests.fakes import until

SELECTORS = [name for name in ("epoll", "poll", "select", "kqueue") if hasattr(selectors, f"{name.title()}Selector")]
NETCATS = {"nc.openbsd": ["-N"], "nc.traditional": ["-q", "1"], "ncat": []}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("origin")


@pytest.fixture(scope="module")
def echo(folder: Path) -> Iterator[Running]:
    """One echo server for all tests that leave it as it was."""
    with running(folder, *ECHO) as server:
        yield server


@pytest.fixture(scope="module")
def classic(folder: Path) -> Iterator[Running]:
    """One classic chat likewise."""
    with running(folder, *CLASSIC) as server:
        yield server


# As in the article


@pytest.mark.parametrize("selector", SELECTORS)
@pytest.mark.parametrize("command", [ECHO, CLASSIC], ids=["echo", "classic"])
def test_every_selector_serves_two_callers(tmp_path: Path, command: tuple[str, ...], selector: str) -> None:
    with running(tmp_path, *command, "--selector", selector) as server:
        ana, bob = server.call(), server.call()
        bob.says(b"ready\n")
        bob.hears(bob.line("ready"))
        ana.says(b"hello\n")
        ana.hears(ana.line("hello"))
        if command is CLASSIC:
            bob.hears(ana.line("hello"))
        code, _, complaints = server.ends(signal.SIGTERM)

    assert (code, complaints) == (0, b"")


def test_a_selector_that_the_system_lacks_is_told_in_one_line() -> None:
    lacking = "epoll" if "kqueue" in SELECTORS else "kqueue"
    result = gateway("echo", "--tcp-port", "0", "--selector", lacking)

    assert (result.returncode, result.stderr.count(b"\n")) == (1, 1)


def gateway(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    program = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(program, cwd=ROOT, capture_output=True, timeout=PATIENCE)


@pytest.mark.parametrize("netcat", NETCATS)
@pytest.mark.parametrize("words", [b"hello\nworld\n", b"hello\nworld"], ids=["with newline", "without"])
def test_netcat_gets_each_line_back(echo: Running, program: Callable[[str], str], netcat: str, words: bytes) -> None:
    command = [program(netcat), *NETCATS[netcat], echo.host, str(echo.port)]
    heard = subprocess.run(command, input=words, capture_output=True, timeout=PATIENCE).stdout.decode()
    (name, first), (again, second) = [line.split(" ") for line in heard.splitlines()]

    assert name == again and name.startswith("127.0.0.1:")
    assert (first, second) == ("hello", "world")


def test_over_ipv6_the_address_is_the_peers(tmp_path: Path) -> None:
    with running(tmp_path, *ECHO, host="::1") as server:
        ana = server.call()
        ana.says(b"hello\n")
        ana.hears(b"::1:%d hello\n" % ana.sock.getsockname()[1])


# Unlike the article


def test_one_clients_quit_leaves_the_others_and_the_server(classic: Running) -> None:
    ana, bob = classic.call(), classic.call()
    ana.says(b"quit\n")
    assert ana.hears_all() == b""
    bob.says(b"still here\n")
    bob.hears(bob.line("still here"))
    classic.call().says(b"quit")

    assert classic.process.poll() is None


def test_half_a_character_waits_for_its_other_half(classic: Running) -> None:
    ana, bob = classic.call(), classic.call()
    bob.says(b"here\n")
    bob.hears(bob.line("here"))
    ana.says(b"\xf0\x9f")
    bob.says(b"in between\n")
    bob.hears(bob.line("in between"))
    ana.says(b"\x98\x80\n")

    bob.hears(ana.line("😀"))


def test_a_megabyte_without_a_newline_is_one_error(echo: Running) -> None:
    ana = echo.call()
    ana.says(b"x" * (1 << 20), b"\nnext\n")
    ana.says_no_more()
    error, answer = ana.hears_all().splitlines(keepends=True)

    assert error.startswith(b"!! too_long: ")
    assert answer == ana.line("next")


def test_a_peer_that_resets_leaves_the_others_and_the_server(classic: Running) -> None:
    ana, bob = classic.call(), classic.call()
    bob.says(b"here\n")
    bob.hears(bob.line("here"))
    ana.says(b"last words\n")
    ana.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ana.sock.close()

    bob.hears(ana.line("last words"))
    bob.says(b"still here\n")
    bob.hears(bob.line("still here"))


def test_a_hundred_megabytes_do_not_stay_in_memory(tmp_path: Path) -> None:
    with running(tmp_path, *CLASSIC) as server:
        stuck, ana = server.call(), server.call()
        ana.says(b"warm up\n")
        ana.hears(ana.line("warm up"))
        before = resident(server.process.pid)
        for number in range(100):
            ana.says(b"x" * (1 << 20) if number % 2 else (b"y" * 4000 + b"\n") * 50 + b"%d\n" % number)
            if not number % 2:
                ana.hears(ana.line(str(number)))
        stuck.sock.close()

        assert resident(server.process.pid) - before < 16 << 20


def resident(pid: int) -> int:
    """Bytes of memory a process has."""
    kilobytes = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True).stdout
    return int(kilobytes) << 10


def test_out_of_descriptors_it_serves_open_connections_and_later_the_others(tmp_path: Path) -> None:
    with running(tmp_path, *ECHO) as server:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (24, 24))
        callers = [server.call() for _ in range(30)]
        callers[0].says(b"hello\n")
        callers[0].hears(callers[0].line("hello"))
        for caller in callers[:20]:
            caller.sock.close()
        callers[-1].says(b"at last\n")
        callers[-1].hears(callers[-1].line("at last"))
        _, _, complaints = server.ends(signal.SIGTERM)

    assert b"Too many open files" in complaints


def test_descriptors_are_left_over_and_a_connection_too_many_is_told_so(tmp_path: Path) -> None:
    with running(tmp_path, *CLASSIC, descriptors=64 + 5) as server:
        callers = [server.call() for _ in range(7)]
        for one_too_many in callers[5:]:
            one_too_many.hears(b"!! full: try again in 30 s\n")
        callers[0].says(b"hello\n")
        callers[4].hears(callers[0].line("hello"))


# Start and stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", [ECHO, CLASSIC], ids=["echo", "classic"])
def test_a_signal_stops_it_with_callers_there(tmp_path: Path, command: tuple[str, ...], number: int) -> None:
    with running(tmp_path, *command) as server:
        ana = server.call()
        ana.says(b"hello\n")
        ana.hears(ana.line("hello"))
        code, output, complaints = server.ends(number)

    assert (code, complaints) == (0, b"")
    assert output == b"ready: tcp 127.0.0.1:%d\n" % server.port


@pytest.mark.parametrize("command", [ECHO, CLASSIC], ids=["echo", "classic"])
def test_the_ports_file_tells_the_one_door(tmp_path: Path, command: tuple[str, ...]) -> None:
    with running(tmp_path, *command) as server:
        ports = json.loads(server.ports_file.read_text())
        server.call()

        assert ports == {
            **{"tcp": server.port, "telnet": None, "web": None, "tcp_tls": None, "telnet_tls": None},
            "pid": server.process.pid,
        }
        assert [path.name for path in tmp_path.iterdir()] == [server.ports_file.name]


@pytest.mark.parametrize("command", [ECHO, CLASSIC], ids=["echo", "classic"])
def test_a_taken_port_is_told_in_one_line(echo: Running, command: tuple[str, ...]) -> None:
    result = gateway(*command, "--tcp-port", str(echo.port))

    assert result.returncode == 1
    assert result.stdout == b""
    assert result.stderr.startswith(b"gateway: cannot listen on 127.0.0.1 port %d: " % echo.port)
    assert result.stderr.count(b"\n") == 1


@pytest.mark.parametrize("command", [ECHO, CLASSIC], ids=["echo", "classic"])
def test_it_leaves_nothing_open_and_warns_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PYTHONDEVMODE", "1")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    with running(tmp_path, *command) as server:
        callers = [server.call() for _ in range(4)]
        for caller in callers:
            caller.says(b"hello\n")
            caller.hears(caller.line("hello"))
        callers[0].sock.close()
        callers[1].says_no_more()

        code, _, complaints = server.ends(signal.SIGTERM)

    assert (code, complaints) == (0, b"")


def test_it_runs_without_standard_streams(tmp_path: Path) -> None:
    ports_file = tmp_path / "ports.json"
    words = f'exec "$@" echo --console --tcp-port 0 --ports-file {ports_file} <&- >&- 2>&-'
    process = subprocess.Popen(["sh", "-c", words, "sh", sys.executable, "-m", "gateway"], cwd=ROOT)
    server = Running(process, ports_file, "127.0.0.1", tmp_path / "no.log")
    until(ports_file.exists)
    ana = server.call()
    ana.says(b"hello\n")
    ana.hears(ana.line("hello"))
    process.terminate()

    assert process.wait(PATIENCE) == 0
