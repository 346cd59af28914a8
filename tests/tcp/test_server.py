"""The selectors server among real peers: it accepts, carries over, rests, nests and closes."""

import asyncio
import selectors
import socket
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import uvloop

from gateway.errors import StartError
from gateway.tcp import server as module
from gateway.tcp.listener import Accepted, Listener
from gateway.tcp.server import READ, WRITE, OwnKey, Server, new_selector
from tests.tcp.house import LOCALHOST, Reception


def test_select_is_known_to_watch_no_number_from_1024_on() -> None:
    server = Server(selectors.SelectSelector())
    server.close()

    assert server.descriptors == 1024


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


def test_a_selector_that_this_system_lacks_is_told_with_those_it_has() -> None:
    lacking = "epoll" if hasattr(selectors, "KqueueSelector") else "kqueue"
    with pytest.raises(StartError, match=rf"no {lacking}; --selector may be auto, .*poll, select"):
        new_selector(lacking)


class Echoing(OwnKey):
    """A socket that is its own key, and notes what it was called with."""

    __slots__ = ("masks",)

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.masks: list[int] = []

    def __call__(self, mask: int) -> None:
        self.masks.append(mask)


@pytest.mark.parametrize("name", ["auto", "poll", "select"])
def test_a_socket_that_is_its_own_key_is_called_for_what_it_waits_for(name: str) -> None:
    server, (near, far) = Server(new_selector(name)), socket.socketpair()
    key = Echoing(near)
    far.send(b"x")

    def called(events: int) -> list[int]:
        key.events, key.masks = events, []
        server.watch(near, events, key)
        server.poll()
        return key.masks

    assert [called(READ), called(READ | WRITE), called(WRITE), called(0), called(0)] == [
        [READ], [READ | WRITE], [WRITE], [], [],
    ]  # fmt: skip
    called(READ)
    server.close()
    assert near.fileno() < 0
    far.close()
