"""Terminals over TLS that are gone when they are written to, in every order of close_notify, half-close, close and
reset, at every byte of the handshake too: nothing of it is an error. Without TLS: test_gone_terminals.py."""

import contextlib
import logging
import socket
from collections.abc import Callable

import pytest

from gateway.core.protocol.close_reason import CloseReason
from tests.tcp.house import House, reset, turn
from tests.tcp.tls.tls_guests import TlsGuest
from tests.tls_peers import Certificates, TlsClient

Step = Callable[[TlsGuest], None]


def leave(guest: TlsGuest) -> None:
    guest.sock.send(guest.client.leaves())


def half_close(guest: TlsGuest) -> None:
    guest.sock.shutdown(socket.SHUT_WR)


def stop_reading(guest: TlsGuest) -> None:
    guest.sock.shutdown(socket.SHUT_RD)


def close(guest: TlsGuest) -> None:
    guest.sock.close()


def reset_it(guest: TlsGuest) -> None:
    reset(guest.sock)


def say(guest: TlsGuest) -> None:
    guest.sock.send(guest.client.says(b"a line\nhalf a li"))


def say_much(guest: TlsGuest) -> None:
    guest.sock.send(guest.client.says((b"x" * 99 + b"\n") * 300))


def half_a_record(guest: TlsGuest) -> None:
    guest.sock.send(guest.client.says(b"x" * 99)[:50])


def garbage(guest: TlsGuest) -> None:
    guest.sock.send(b"no record at all")


def quit(guest: TlsGuest) -> None:
    guest.sock.send(guest.client.says(b"quit\n"))


ENDS: tuple[tuple[Step, ...], ...] = (
    (close,),
    (reset_it,),
    (leave, close),
    (leave, reset_it),
    (leave, half_close, close),
    (half_close, close),
    (half_close, reset_it),
    (stop_reading, leave, reset_it),
)
BEFORE: tuple[tuple[Step, ...], ...] = ((), (say,), (say_much,), (half_a_record,), (garbage,), (quit,), (quit, say))


def nothing(house: House) -> None:
    """The peers go by themselves."""


def write(house: House) -> None:
    for session in list(house.hub.sessions.values()):
        house.door.terminals.notice(session, "something")


def kick(house: House) -> None:
    for session in list(house.hub.sessions.values()):
        house.hub.close(session, CloseReason.KICKED, "out")


def clean(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.hub.rate_limit.hurry()
    house.until(lambda: not house.admission.count)
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []
    assert house.door.read_ahead.used == 0
    assert not house.hub.sessions


@pytest.mark.parametrize("meanwhile", [nothing, write, kick])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_a_terminal_that_goes_in_any_order_is_no_error(
    new_house: Callable[..., House],
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
    meanwhile: Callable[[House], None],
    first: bool,
) -> None:
    house = new_house(tls=certificates.certificate().for_terminals(), messages_per_second=50, burst=100)
    trust = certificates.trust()
    ways = [(*before, *end) for before in BEFORE for end in ENDS]
    here = [TlsGuest(house, trust).shakes_hands() for _ in ways]
    if first:
        meanwhile(house)
    for guest, way in zip(here, ways, strict=True):
        for step in way:
            with contextlib.suppress(OSError):  # the gateway was faster
                step(guest)
        guest.sock.close()
    if not first:
        meanwhile(house)

    clean(house, caplog)


@pytest.mark.parametrize("end", [close, reset_it, half_close], ids=lambda end: str(end.__name__))
def test_a_handshake_that_ends_at_any_byte_is_no_error(
    tls_house: House, certificates: Certificates, caplog: pytest.LogCaptureFixture, end: Step
) -> None:
    trust = certificates.trust()
    size = len(TlsClient(trust).begin())
    for cut in range(0, size, 13):
        caller = tls_house.knocks(TlsClient(trust).begin()[:cut])
        turn(tls_house.server, 0)
        end(caller)  # type: ignore[arg-type]  # a socket is all it needs
        turn(tls_house.server, 0)
        if end is half_close:
            caller.sock.close()

    clean(tls_house, caplog)


@pytest.mark.parametrize("end", [close, reset_it], ids=lambda end: str(end.__name__))
def test_a_second_flight_that_ends_at_any_byte_is_no_error(
    tls_house: House, certificates: Certificates, caplog: pytest.LogCaptureFixture, end: Step
) -> None:
    trust = certificates.trust()
    for cut in range(0, 200, 13):
        client = TlsClient(trust)
        caller = tls_house.knocks(client.begin())
        while not client.ready:
            caller.listens()
            client.takes(caller.heard)
            caller.heard = b""
            turn(tls_house.server, 0)
        with contextlib.suppress(OSError):
            caller.sock.send((client.output() + client.says(b"said before it left\n"))[:cut])
        end(caller)  # type: ignore[arg-type]
        turn(tls_house.server, 0)

    clean(tls_house, caplog)
