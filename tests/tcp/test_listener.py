"""A listener among real peers: it accepts, rests, is shut and opens again."""

import errno
import os
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from gateway.errors import StartError
from gateway.tcp import listener as module
from gateway.tcp.listener import RETRY_FIRST, RETRY_LAST, Listener
from gateway.tcp.server import READ, Server, new_selector
from tests.fakes import until
from tests.tcp.house import LOCALHOST, Reception, reset, turn, turn_until


class Moody:
    """A listening socket that fails with `errors`, one after the other, before it accepts."""

    def __init__(self, listening: socket.socket, *errors: OSError) -> None:
        self._listening = listening
        self._errors = list(errors)

    def __getattr__(self, name: str) -> object:
        return getattr(self._listening, name)

    def _accept(self) -> tuple[int, tuple[str, int]]:
        if self._errors:
            raise self._errors.pop(0)
        sock, address = self._listening.accept()
        return sock.detach(), address


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


def test_newcomers_are_left_to_a_less_busy_process_for_a_moment_and_then_taken(
    server: Server, reception: Reception
) -> None:
    with socket.create_server((LOCALHOST, 0)) as shared:
        shared.setblocking(False)
        asked: list[bool] = []

        def busier() -> bool:
            asked.append(True)
            return True

        server.adopt(shared.dup(), reception, busier)
        with socket.create_connection(shared.getsockname()):
            turn_until(server, lambda: asked)
            assert reception.here == [], "left to the others"
            turn_until(server, lambda: reception.here)


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


def test_a_taken_port_is_told_with_advice(server: Server, listener: Listener, reception: Reception) -> None:
    with pytest.raises(StartError, match=rf"port {listener.address[1]}: .*; choose another port"):
        server.listen(*listener.address, reception)


def test_an_address_of_another_machine_is_told_with_advice(server: Server, reception: Reception) -> None:
    with pytest.raises(StartError, match=r"192\.0\.2\.1 port 0"):
        server.listen("192.0.2.1", 0, reception)


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


def test_an_ipv4_address_mapped_into_ipv6_is_listened_at_as_the_ipv4_address() -> None:
    assert module.addresses_of("::ffff:127.0.0.1") == ["127.0.0.1"]
    assert module.addresses_of("127.0.0.1") == ["127.0.0.1"]
