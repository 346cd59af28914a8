"""What the service manager is told, and the sockets that it passes on: over a fake one's socket, and with the errors
of units as they are written."""

import fcntl
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.process import systemd
from gateway.process.systemd import STATUS_BEATS, ServiceManager, passed_sockets

ME = str(os.getpid())


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.sock.setblocking(False)

    def heard(self) -> list[str]:
        """The messages since the last call."""
        messages = []
        while True:
            try:
                messages.append(self.sock.recv(4096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.sock.close()


@pytest.fixture
def told(manager: Manager) -> Callable[..., ServiceManager]:
    """Makes the sending end, with further variables."""

    def make(**variables: str) -> ServiceManager:
        return ServiceManager.of({"NOTIFY_SOCKET": manager.sock.getsockname(), **variables})

    return make


def test_the_manager_is_told_each_state(told: Callable[..., ServiceManager], manager: Manager) -> None:
    us = told()
    us.ready("ready: tcp 9999")
    us.reloading()
    us.ready("ready: tcp 9999")
    us.stopping("stopping")

    ready, reloading, again, stopping = manager.heard()
    assert ready == again == "READY=1\nSTATUS=ready: tcp 9999"
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=") and int(reloading.rpartition("=")[2]) > 0
    assert stopping == "STOPPING=1\nSTATUS=stopping"


def test_an_abstract_socket_is_reached(tmp_path: Path) -> None:
    manager = Manager(f"\0{tmp_path}")
    ServiceManager.of({"NOTIFY_SOCKET": f"@{tmp_path}"}).ready("here")

    assert manager.heard() == ["READY=1\nSTATUS=here"]
    manager.sock.close()


@pytest.mark.parametrize(
    ("variables", "fed"),
    [
        ({"WATCHDOG_USEC": "3000000"}, True),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": ME}, True),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, False),
        ({"WATCHDOG_USEC": "soon"}, False),
        ({"WATCHDOG_USEC": "0"}, False),
        ({}, False),
    ],
)
def test_each_beat_feeds_the_watchdog_that_watches_us(
    told: Callable[..., ServiceManager], manager: Manager, variables: dict[str, str], fed: bool
) -> None:
    us = told(**variables)
    us.alive(lambda: "")
    us.alive(lambda: "")

    assert manager.heard() == ["WATCHDOG=1"] * 2 * fed


def test_a_watchdog_that_bites_between_two_beats_is_warned_of(
    told: Callable[..., ServiceManager], caplog: pytest.LogCaptureFixture
) -> None:
    told(WATCHDOG_USEC="1500000")
    assert "WatchdogSec= is 1.5 s" in caplog.text


def test_a_changed_status_is_told_now_and_then(told: Callable[..., ServiceManager], manager: Manager) -> None:
    us, status = told(), ["1 session"]
    us.ready(status[0])
    manager.heard()
    for _ in range(2 * STATUS_BEATS):
        us.alive(lambda: status[0])
    assert manager.heard() == []
    status[0] = "2 sessions"
    for _ in range(2 * STATUS_BEATS):
        us.alive(lambda: status[0])
    assert manager.heard() == ["STATUS=2 sessions"]


def test_what_a_busy_manager_does_not_take_waits_for_the_next_beat(
    told: Callable[..., ServiceManager], manager: Manager
) -> None:
    us = told()
    sent = 0
    while not us._unsent:
        us.ready(str(sent))
        sent += 1
    us.stopping("bye")
    heard = manager.heard()
    us.alive(lambda: "")

    assert [*heard, *manager.heard()] == [*(f"READY=1\nSTATUS={number}" for number in range(sent)),
                                          "STOPPING=1\nSTATUS=bye"]  # fmt: skip


def test_a_manager_that_never_reads_costs_a_few_messages_of_memory(told: Callable[..., ServiceManager]) -> None:
    us = told(WATCHDOG_USEC="3000000")
    for _ in range(1000):
        us.alive(lambda: "")
    assert len(us._unsent) == systemd.MOST_UNSENT


@pytest.mark.parametrize("address", ["/no/such/socket", "vsock:2:5000", "@nobody"])
def test_a_manager_that_is_not_there_is_mentioned_once(address: str, caplog: pytest.LogCaptureFixture) -> None:
    us = ServiceManager.of({"NOTIFY_SOCKET": address})
    for _ in range(3):
        us.ready("")
    us.close()
    assert [(each.levelno, address in each.getMessage()) for each in caplog.records] == [(logging.WARNING, True)]


def test_without_a_manager_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    us = ServiceManager.of({"WATCHDOG_USEC": "3000000"})
    us.ready("")
    us.alive(lambda: "")
    us.close()
    assert caplog.records == []


# Sockets that are passed on


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def passed(monkeypatch: pytest.MonkeyPatch, *socks: socket.socket, **variables: str) -> dict[str, str]:
    """The environment of a process that was started with these sockets, which get descriptors in a row."""
    first = fcntl.fcntl(socks[0].fileno(), fcntl.F_DUPFD, 300)
    for number, sock in enumerate(socks):
        os.dup2(sock.fileno(), first + number)
    monkeypatch.setattr(systemd, "FIRST_PASSED", first)
    return {"LISTEN_PID": ME, "LISTEN_FDS": str(len(socks)), **variables}


def test_passed_sockets_come_with_their_names_and_are_not_inherited_again(
    monkeypatch: pytest.MonkeyPatch, listening: socket.socket
) -> None:
    environ = passed(monkeypatch, listening, listening, LISTEN_FDNAMES="tcp:web")
    found = passed_sockets(environ)

    assert [each.name for each in found] == ["tcp", "web"]
    assert {each.sock.getsockname() for each in found} == {listening.getsockname()}
    assert not any(each.sock.getblocking() or os.get_inheritable(each.sock.fileno()) for each in found)
    assert environ == {}
    for each in found:
        each.sock.close()


def test_sockets_without_names_are_passed_too(monkeypatch: pytest.MonkeyPatch, listening: socket.socket) -> None:
    (found,) = passed_sockets(passed(monkeypatch, listening))
    assert found.name == ""
    found.sock.close()


def test_sockets_meant_for_another_process_are_left_alone_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "2"}
    assert passed_sockets(environ) == [] and environ == {}
    assert "process 1, this is" in caplog.text and "exec" in caplog.text


def test_without_the_variables_there_are_none(caplog: pytest.LogCaptureFixture) -> None:
    assert passed_sockets({}) == [] and caplog.records == []


@pytest.mark.parametrize(
    ("family", "kind", "words"),
    [
        (socket.AF_UNIX, socket.SOCK_STREAM, "is not TCP: its ListenStream= takes a port"),
        (socket.AF_INET, socket.SOCK_DGRAM, "is not TCP"),
        (socket.AF_INET, socket.SOCK_STREAM, "does not listen: its unit needs ListenStream= and Accept=no"),
    ],
)
def test_a_socket_that_no_door_can_use_is_told_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, family: socket.AddressFamily, kind: socket.SocketKind, words: str
) -> None:
    with socket.socket(family, kind) as sock:
        environ = passed(monkeypatch, sock, LISTEN_FDNAMES="tcp")
        with pytest.raises(StartError, match=r"descriptor \d+ \(tcp\).*" + words):
            passed_sockets(environ)
        os.close(systemd.FIRST_PASSED)


def test_a_number_of_sockets_that_is_none_and_a_descriptor_that_is_closed_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(StartError, match="LISTEN_FDS is 'two'"):
        passed_sockets({"LISTEN_PID": ME, "LISTEN_FDS": "two"})
    monkeypatch.setattr(systemd, "FIRST_PASSED", 999)
    with pytest.raises(StartError, match="descriptor 999, passed by LISTEN_FDS, is no socket"):
        passed_sockets({"LISTEN_PID": ME, "LISTEN_FDS": "1"})
