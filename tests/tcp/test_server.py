"""The selectors server among real peers: it accepts, carries over, rests, nests and closes."""

import asyncio
import errno
import os
import resource
import selectors
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import uvloop

from gateway.errors import StartError
from gateway.tcp import server as module
from gateway.tcp.server import READ, RETRY_FIRST, RETRY_LAST, Accepted, Listener, Server, new_selector
from tests.fakes import until
from tests.tcp.house import reset, turn, turn_until

LOCALHOST = "127.0.0.1"


class Moody:
    """A listening socket that fails with `errors`, one after the other, before it accepts."""

    def __init__(self, listening: socket.socket, *errors: OSError) -> None:
        self._listening = listening
        self._errors = list(errors)

    def __getattr__(self, name: str) -> object:
        return getattr(self._listening, name)

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if self._errors:
            raise self._errors.pop(0)
        return self._listening.accept()


class Reception:
    """Keeps the accepted sockets."""

    def __init__(self) -> None:
        self.here: list[socket.socket] = []

    def __call__(self, sock: socket.socket, address: str) -> None:
        self.here.append(sock)


@pytest.fixture
def reception() -> Iterator[Reception]:
    reception = Reception()
    yield reception
    for sock in reception.here:
        sock.close()


@pytest.fixture
def listener(server: Server, reception: Reception) -> Listener:
    return server.listen(LOCALHOST, 0, reception)


@pytest.fixture
def call(listener: Listener) -> Iterator[Callable[[], socket.socket]]:
    """Connects to the listener."""
    callers: list[socket.socket] = []

    def connect() -> socket.socket:
        callers.append(socket.create_connection(listener.address))
        return callers[-1]

    yield connect
    for caller in callers:
        caller.close()


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Lower this process's limit to the descriptors it has open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# Accepting


def test_one_round_accepts_a_bounded_number(
    server: Server, reception: Reception, call: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ACCEPTS_PER_POLL", 3)
    for _ in range(5):
        call()

    server.poll(1)
    after_one = len(reception.here)
    server.poll(1)

    assert (after_one, len(reception.here)) == (3, 5)


def test_nobody_there_after_all_is_no_error(listener: Listener, reception: Reception) -> None:
    listener.accept(READ)

    assert not reception.here


def test_peers_that_reset_before_they_are_accepted_do_no_harm(
    server: Server, reception: Reception, call: Callable[[], socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(50):
        reset(call())
    alive = call()

    turn_until(server, lambda: alive.getsockname() in [peer(sock) for sock in reception.here])

    assert not caplog.records


def peer(sock: socket.socket) -> object:
    """The address at the other end; None once it has gone."""
    try:
        return sock.getpeername()
    except OSError:
        return None


@pytest.mark.parametrize("error", [errno.EINTR, errno.EAGAIN, errno.ECONNABORTED, errno.EPERM, errno.EPROTO])
def test_an_accept_that_fails_is_tried_again(
    server: Server, listener: Listener, reception: Reception, call: Callable[[], socket.socket], error: int
) -> None:
    listener.sock = Moody(listener.sock, OSError(error, "moody"))  # type: ignore[assignment]
    call()

    turn_until(server, lambda: reception.here)


def test_a_door_that_fails_loses_only_that_newcomer(
    server: Server, reception: Reception, caplog: pytest.LogCaptureFixture, expected_errors: list[str]
) -> None:
    expected_errors.append("a door fell off")

    def fails_once(sock: socket.socket, address: str) -> None:
        if not caplog.records:
            raise RuntimeError("a door fell off")
        reception(sock, address)

    address = server.listen(LOCALHOST, 0, fails_once).address
    with socket.create_connection(address) as first, socket.create_connection(address):
        turn_until(server, lambda: reception.here)

        assert first.recv(1) == b""


def test_accepted_sockets_have_the_options_of_their_listener(
    server: Server, reception: Reception, call: Callable[[], socket.socket]
) -> None:
    call()
    turn_until(server, lambda: reception.here)
    (sock,) = reception.here

    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert not sock.getblocking()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has it")
def test_no_socket_option_cuts_a_living_peer_that_does_not_read(listener: Listener) -> None:
    assert listener.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0


# Out of descriptors


def test_out_of_descriptors_the_listener_rests_and_comes_back(
    server: Server, listener: Listener, reception: Reception, call: Callable[[], socket.socket]
) -> None:
    call()
    with no_descriptor_left():
        server.poll(1)
        rests = listener.sock.fileno() not in server.selector.get_map()
        server.poll(0)

    turn_until(server, lambda: reception.here)

    assert rests
    assert listener.sock.fileno() in server.selector.get_map()


def test_the_rest_doubles_up_to_a_second_and_begins_anew_after_a_success(reception: Reception) -> None:
    rests: list[float] = []
    server = Server(new_selector("auto"), later=lambda seconds, job: rests.append(seconds))
    listener = server.listen(LOCALHOST, 0, reception)
    full = [OSError(errno.EMFILE, "full") for _ in range(9)]
    listener.sock = Moody(listener.sock, *full)  # type: ignore[assignment]
    for _ in full:
        listener.accept(READ)
    with socket.create_connection(listener.address):
        listener.accept(READ)
    server.close()

    assert rests == [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, RETRY_LAST, RETRY_LAST]
    assert listener.retry == RETRY_FIRST


def test_a_lack_of_descriptors_is_logged_once_a_second(
    server: Server, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    listener.sock = Moody(listener.sock, *[OSError(errno.ENFILE, "full")] * 5)  # type: ignore[assignment]
    for _ in range(5):
        listener.accept(READ)

    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_listener_that_was_closed_while_it_rested_stays_closed(server: Server, listener: Listener) -> None:
    listener.sock = Moody(listener.sock, OSError(errno.EMFILE, "full"))  # type: ignore[assignment]
    listener.accept(READ)
    listener.close()

    turn_until(server, lambda: server.timers.next is None)

    assert not server.selector.get_map()


def test_a_newcomer_with_a_number_too_large_for_the_selector_is_closed(
    server: Server, reception: Reception, call: Callable[[], socket.socket]
) -> None:
    server.descriptors = 0
    caller = call()
    turn(server, 1)

    assert caller.recv(1) == b""
    assert not reception.here


def test_select_is_known_to_watch_no_number_from_1024_on() -> None:
    server = Server(selectors.SelectSelector())
    server.close()

    assert server.descriptors == 1024


# Rounds


@pytest.fixture
def busy(server: Server) -> Iterator[list[int]]:
    """How often each of eight peers was served; all are readable all the time."""
    served = [0] * 8
    pairs = [socket.socketpair() for _ in served]

    def count(number: int, mask: int) -> None:
        served[number] += 1

    for number, (ours, theirs) in enumerate(pairs):
        theirs.send(b"x")
        server.watch(ours, READ, partial(count, number))
    yield served
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_with_a_few_events_a_round_everybody_is_served_alike(
    server: Server, busy: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVENTS_PER_POLL", 3)
    for _ in range(9):
        server.poll()

    assert busy == [3] * 8


def test_a_socket_that_waits_for_nothing_is_not_registered(server: Server) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        server.watch(ours, READ, print)
        server.watch(ours, 0, print)
        server.watch(ours, 0, print)

        assert not server.selector.get_map()


def test_a_timer_waits_for_its_time_and_no_longer_for_a_socket(server: Server) -> None:
    server.later(0.02, server.stop)
    server.run()

    assert server.timers.next is None


def test_alone_it_serves_until_it_is_stopped(server: Server, call: Callable[[], socket.socket]) -> None:
    def welcome(sock: socket.socket, address: str) -> None:
        sock.sendall(b"welcome")
        sock.close()
        server.stop()

    server.listeners[0].accepted = welcome
    caller = call()
    server.run()

    assert caller.recv(100) == b"welcome"


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_nested_by_its_descriptor_another_loop_drives_it(
    new_loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVENTS_PER_POLL", 3)

    async def main() -> list[bytes]:
        loop = asyncio.get_running_loop()
        server = Server(new_selector("auto"), later=loop.call_later)
        address = server.listen(LOCALHOST, 0, lambda sock, address: answers(server, sock)).address
        loop.add_reader(server.fileno(), server.poll)
        heard = await asyncio.gather(*[converse(address) for _ in range(20)])
        loop.remove_reader(server.fileno())
        server.close()
        return heard

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(main()) == [b"HELLO"] * 20


def answers(server: Server, sock: socket.socket) -> None:
    """Answer once, louder, and close."""

    def ready(mask: int) -> None:
        sock.sendall(sock.recv(100).upper())
        server.watch(sock, 0, ready)
        sock.close()

    server.watch(sock, READ, ready)


async def converse(address: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"hello")
    heard = await reader.read()
    writer.close()
    return heard


# Closing


def test_close_leaves_nothing_open_not_even_a_listener_that_rests(reception: Reception) -> None:
    server = Server(new_selector("auto"))
    awake, rests = server.listen(LOCALHOST, 0, reception), server.listen(LOCALHOST, 0, reception)
    ours, theirs = socket.socketpair()
    server.watch(ours, READ, print)
    server.watch(rests.sock, 0, rests.accept)
    server.close()
    theirs.close()

    assert [sock.fileno() for sock in (awake.sock, rests.sock, ours)] == [-1, -1, -1]
    assert not server.selector.get_map()


def test_an_event_that_comes_too_late_finds_a_closed_listener(listener: Listener) -> None:
    listener.close()
    listener.accept(READ)
    listener.close()

    assert not listener.accepting


# Addresses


def test_all_hosts_share_the_port_that_the_first_was_given(server: Server, reception: Reception) -> None:
    first, second = server.listen_all([LOCALHOST, "::1"], 0, reception)

    assert first.address[1] == second.address[1]
    assert (first.address[0], second.address[0]) == (LOCALHOST, "::1")


def test_a_port_that_is_taken_at_another_host_is_given_up_by_all(
    server: Server, reception: Reception, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[socket.socket] = []
    listen = server.listen

    def listen_late(host: str, port: int, accepted: Accepted) -> Listener:
        if host == "::1" and len(taken) < 3:
            taken.append(socket.create_server((host, port), family=socket.AF_INET6))
        return listen(host, port, accepted)

    monkeypatch.setattr(server, "listen", listen_late)
    first, second = server.listen_all([LOCALHOST, "::1"], 0, reception)

    assert len(taken) == 3 and server.listeners == [first, second]
    assert first.address[1] == second.address[1]
    for sock in taken:
        sock.close()


def test_a_wanted_port_that_is_taken_at_another_host_is_no_start(server: Server, reception: Reception) -> None:
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as taken,
        pytest.raises(StartError, match="choose another port"),
    ):
        server.listen_all([LOCALHOST, "::1"], taken.getsockname()[1], reception)
    assert not server.listeners


def test_port_minus_one_listens_nowhere(server: Server, reception: Reception) -> None:
    assert server.listen_all([LOCALHOST], -1, reception) == []


def test_a_taken_port_is_told_with_advice(server: Server, listener: Listener, reception: Reception) -> None:
    with pytest.raises(StartError, match=rf"port {listener.address[1]}: .*; choose another port"):
        server.listen(*listener.address, reception)


def test_an_address_of_another_machine_is_told_with_advice(server: Server, reception: Reception) -> None:
    with pytest.raises(StartError, match=r"192\.0\.2\.1 port 0"):
        server.listen("192.0.2.1", 0, reception)


def test_a_selector_that_this_system_lacks_is_told_with_those_it_has() -> None:
    lacking = "epoll" if hasattr(selectors, "KqueueSelector") else "kqueue"
    with pytest.raises(StartError, match=rf"no {lacking}; --selector may be auto, .*poll, select"):
        new_selector(lacking)


def test_a_port_in_time_wait_can_be_bound_again(reception: Reception) -> None:
    first, second = Server(new_selector("auto")), Server(new_selector("auto"))
    address = first.listen(LOCALHOST, 0, reception).address
    with socket.create_connection(address) as caller:
        turn(first)
        first.close()
        reception.here.pop().close()
        caller.recv(1)
    again = second.listen(*address, reception)
    second.close()

    assert again.sock.fileno() == -1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells who waits")
def test_a_listener_tells_how_full_its_queue_is_unless_it_is_meant_to_fill() -> None:
    server = Server(new_selector("auto"))
    listener = server.listen(LOCALHOST, 0, lambda sock, peer: sock.close())
    peers = [socket.create_connection(listener.address) for _ in range(8)]
    full = until(lambda: listener.queue)
    listener.pause()
    paused = listener.queue
    listener.close()
    for peer in peers:
        peer.close()

    assert 0 < full <= 8 / 128 and (paused, listener.queue) == (0, 0)
    assert listener.closed and listener.address[0] == LOCALHOST
    server.close()


def test_a_shut_listener_refuses_and_listens_again_at_the_same_port(server: Server, reception: Reception) -> None:
    listener = server.listen(LOCALHOST, 0, reception)
    waiting = socket.create_connection(listener.address)
    listener.shut()
    listener.shut()
    assert len(reception.here) == 1, "who had connected before is taken in"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(listener.address)
    listener.pause()
    listener.open()
    listener.listen_again()
    with socket.create_connection(listener.address):
        turn_until(server, lambda: len(reception.here) == 2)
    waiting.close()


def test_a_passed_socket_keeps_its_newcomers_and_gives_them_our_options(server: Server, reception: Reception) -> None:
    passed = socket.create_server((LOCALHOST, 0))
    passed.setblocking(False)
    early = socket.create_connection(passed.getsockname())
    listener = server.adopt(passed.dup(), reception)
    listener.shut()
    late = socket.create_connection(listener.address)
    turn_until(server, lambda: len(reception.here) == 2)

    assert all(sock.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE) for sock in reception.here)
    listener.close()
    for sock in (early, late, passed, socket.create_connection(passed.getsockname())):
        sock.close()


def test_a_listener_that_was_shut_says_who_has_its_port(server: Server, reception: Reception) -> None:
    listener = server.listen(LOCALHOST, 0, reception)
    listener.shut()
    with socket.create_server(listener.address), pytest.raises(StartError, match="choose another port"):
        listener.listen_again()
    listener.listen_again()
    assert not listener.closed
