"""Terminals that are gone when they are written to, in every order of half-close, shutdown, close and reset: none of
it is an error. The same for the web door: tests/web/websocket/test_gone_peers.py."""

import logging
import socket
from collections.abc import Callable

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from tests.tcp.house import Guest, House, reset

Step = Callable[[socket.socket], None]


def half_close(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)


def stop_reading(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_RD)


def shut_down(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_RDWR)


def close(sock: socket.socket) -> None:
    sock.close()


def say(sock: socket.socket) -> None:
    sock.send(b"a line\nhalf a li")


def say_much(sock: socket.socket) -> None:
    sock.send((b"x" * 99 + b"\n") * 800)


def quit(sock: socket.socket) -> None:
    sock.send(b"quit\n")


def negotiate(sock: socket.socket) -> None:
    sock.send(b"\xff\xfb\x18\xff\xfa\x18")


def knock_with_http(sock: socket.socket) -> None:
    sock.send(b"GET / HTTP/1.1\r\n\r\n")


ENDS: tuple[tuple[Step, ...], ...] = (
    (close,),
    (reset,),
    (half_close, close),
    (half_close, reset),
    (shut_down, close),
    (shut_down, reset),
    (stop_reading, close),
    (stop_reading, half_close, reset),
)
BEFORE: tuple[tuple[Step, ...], ...] = (
    (), (say,), (say_much,), (quit,), (quit, say), (negotiate,), (knock_with_http,),
)  # fmt: skip


def nothing(house: House, here: list[Guest]) -> None:
    """The peers go by themselves."""


def write(house: House, here: list[Guest]) -> None:
    for guest in here:
        house.door.terminals.notice(guest.session, "something")


def kick(house: House, here: list[Guest]) -> None:
    for guest in here:
        house.hub.close(guest.session, CloseReason.KICKED, "out")


@pytest.mark.parametrize("door", [Door.TCP, Door.TELNET])
@pytest.mark.parametrize("meanwhile", [nothing, write, kick])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_a_terminal_that_goes_in_any_order_is_no_error(
    new_house: Callable[..., House],
    caplog: pytest.LogCaptureFixture,
    door: Door,
    meanwhile: Callable[[House, list[Guest]], None],
    first: bool,
) -> None:
    caplog.set_level(logging.INFO)
    house = new_house(door, messages_per_second=50, burst=100)
    ways = [(*before, *end) for before in BEFORE for end in ENDS]
    here = [house.stranger() for _ in ways]
    if first:
        meanwhile(house, here)
    for guest, way in zip(here, ways, strict=True):
        for step in way:
            try:
                step(guest.sock)
            except OSError:  # the gateway was faster
                break
        guest.sock.close()
    if not first:
        meanwhile(house, here)
    house.hub.rate_limit.hurry()
    house.until(lambda: not house.admission.count)

    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []
    assert house.door.read_ahead.used == 0
    assert not house.hub.sessions
