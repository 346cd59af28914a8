"""Connections that a proxy introduces, and those that only pretend."""

import socket
from collections.abc import Iterator

import pytest

from gateway.tcp import proxy_protocol
from gateway.tcp.proxy_protocol import SIGNATURE
from tests.tcp.house import Caller, House, turn

LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 51234 9999\r\n"
BINARY = SIGNATURE + b"\x21\x11\x00\x0f" + bytes((192, 0, 2, 8, 1, 2, 3, 4, 0, 1, 0, 2)) + b"\x04\x00\x00"
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"


@pytest.fixture
def house() -> Iterator[House]:
    """A house whose proxies are on this machine."""
    house = House(proxies=["127.0.0.0/8"])
    yield house
    house.close()


@pytest.fixture
def closed_house() -> Iterator[House]:
    """A house that knows no proxies."""
    house = House()
    yield house
    house.close()


def introduced(house: House, head: bytes) -> Caller:
    caller = house.knocks(head)
    house.until(lambda: house.hub.sessions)
    return caller


@pytest.mark.parametrize(("head", "address"), [(LINE, "192.0.2.7"), (BINARY, "192.0.2.8")])
def test_a_proxy_tells_whose_connection_it_is(house: House, head: bytes, address: str) -> None:
    caller = introduced(house, head + b"hello\n")

    house.until(lambda: house.said == ["hello"])
    (session,) = house.hub.sessions.values()
    assert (session.address, session.proxy) == (address, "127.0.0.1")
    caller.resets()


@pytest.mark.parametrize("head", [LINE, BINARY, LOCAL])
def test_a_header_may_come_in_two_pieces_cut_anywhere_and_nothing_behind_it_is_lost(house: House, head: bytes) -> None:
    for cut in range(1, len(head) + 1):
        caller = house.knocks(head[:cut])
        turn(house.server)
        caller.says(head[cut:] + b"hello %d\n" % cut)
        house.until(lambda cut=cut: house.said == [f"hello {n}" for n in range(1, cut + 1)])  # type: ignore[misc]
        caller.resets()


def test_a_health_check_keeps_the_address_of_the_proxy(house: House) -> None:
    caller = introduced(house, LOCAL)

    (session,) = house.hub.sessions.values()
    assert (session.address, session.proxy) == ("127.0.0.1", None)
    caller.resets()


@pytest.mark.parametrize("first", [b"hello\n", b"PROXY me\r\n", b"GET / HTTP/1.1\r\n\r\n", SIGNATURE[:11] + b"x"])
def test_a_proxy_that_does_not_introduce_is_refused_and_logged(
    house: House, first: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caller = house.knocks(first)

    house.until(lambda: "no PROXY header from 127.0.0.1" in caplog.text)
    caller.listens()
    assert caller.ended and not caller.heard
    assert not house.said and not house.hub.sessions and not house.admission.count


def test_a_proxy_has_its_time_for_the_header(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(proxy_protocol, "HEADER_SECONDS", 0.2)
    caller = house.knocks(LINE[:-1])

    assert caller.hears_all() == b""
    assert "none came in" in caplog.text and not house.admission.count


@pytest.mark.parametrize("first", [b"", b"PROXY "])
def test_a_peer_that_closes_before_its_header_leaves_nothing_behind(
    house: House, first: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caller = house.knocks(first)
    house.until(lambda: house.admission.count)
    caller.says_no_more()
    caller.hears_all()

    assert not house.admission.count
    assert ("no PROXY header" in caplog.text) == bool(first)


def test_half_a_header_does_not_spin(house: House) -> None:
    caller = house.knocks(LINE[:20])
    house.until(lambda: house.admission.count)
    turn(house.server)

    assert not house.server.selector.select(0)
    caller.resets()


@pytest.fixture
def forwarding(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The same, and their requests tell addresses too, as at the web door."""
    monkeypatch.setattr(house.door, "forwards", lambda address: True)
    return house


REQUEST = b"no header, a request\n"


@pytest.mark.parametrize("cut", range(1, len(REQUEST)))
def test_a_proxy_of_requests_needs_no_header_wherever_its_first_bytes_are_cut(forwarding: House, cut: int) -> None:
    caller = forwarding.knocks(REQUEST[:cut])
    turn(forwarding.server)
    caller.says(REQUEST[cut:])

    forwarding.until(lambda: forwarding.said == [REQUEST.decode().strip()])
    (session,) = forwarding.hub.sessions.values()
    assert (session.address, session.proxy) == ("127.0.0.1", None)
    caller.resets()


@pytest.mark.parametrize("head", [LINE, BINARY, LOCAL, b"PROXY UNKNOWN\r\n"])
def test_a_proxy_of_requests_may_send_a_header_cut_anywhere(forwarding: House, head: bytes) -> None:
    for cut in range(1, len(head) + 1):
        caller = forwarding.knocks(head[:cut])
        turn(forwarding.server)
        caller.says(head[cut:] + b"hello %d\n" % cut)
        forwarding.until(lambda cut=cut: forwarding.said[-1:] == [f"hello {cut}"])  # type: ignore[misc]
        caller.resets()


def test_half_a_header_that_may_be_missing_does_not_spin(forwarding: House) -> None:
    caller = forwarding.knocks(LINE[:3])
    forwarding.until(lambda: forwarding.admission.count)
    turn(forwarding.server)

    assert not forwarding.server.selector.select(0)
    caller.resets()


def test_a_proxy_may_connect_ahead_of_its_first_request(forwarding: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_protocol, "HEADER_SECONDS", 0.1)
    caller = forwarding.knocks()
    forwarding.until(lambda: forwarding.hub.sessions)
    caller.says(REQUEST)

    forwarding.until(lambda: forwarding.said)
    caller.resets()


BY_TLS = b"\x20\x00\x05\x01\x00\x00\x00\x00"


@pytest.mark.parametrize(("extension", "encrypted"), [(BY_TLS, True), (b"\x20\x00\x05\x00\x00\x00\x00\x00", False)])
def test_a_peer_that_came_to_its_proxy_by_tls_is_encrypted(house: House, extension: bytes, encrypted: bool) -> None:
    rest = bytes((192, 0, 2, 8, 1, 2, 3, 4, 0, 1, 0, 2)) + b"\x04\x00\x01x" + extension
    caller = introduced(house, SIGNATURE + b"\x21\x11" + len(rest).to_bytes(2, "big") + rest)

    (session,) = house.hub.sessions.values()
    assert session.encrypted is encrypted
    caller.resets()


def test_the_limit_by_address_counts_whom_the_proxy_tells(house: House) -> None:
    house.admission.per_address = 2
    ours = [house.knocks(LINE) for _ in range(2)]
    house.until(lambda: len(house.hub.sessions) == 2)
    third, other = house.knocks(LINE), house.knocks(BINARY)

    assert third.hears_all() == b"!! full: 2 connections from your address already\n"
    house.until(lambda: len(house.hub.sessions) == 3)
    ours[0].resets()
    house.until(lambda: len(house.hub.sessions) == 2)
    ours.append(house.knocks(LINE))
    house.until(lambda: len(house.hub.sessions) == 3)
    other.resets()


def test_a_connection_that_waits_for_its_header_counts(house: House) -> None:
    house.admission.connections = 1
    first = house.knocks(b"PROXY ")
    house.until(lambda: house.admission.count)

    assert first.sock and house.knocks().hears_all() == b"!! full: try again in 30 s\n"


def test_a_client_behind_the_proxy_cannot_introduce_itself_again(house: House) -> None:
    caller = house.knocks(LINE + b"PROXY TCP4 203.0.113.9 1.2.3.4 1 2\r\nhello\n")

    assert b"!! bad_message: " in caller.hears_all()
    assert not house.said


@pytest.mark.parametrize("head", [b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", b"PROXY UNKNOWN\r\n", BINARY])
def test_a_header_from_nobody_we_know_is_the_wrong_door_wherever_it_is_cut(closed_house: House, head: bytes) -> None:
    for cut in range(1, len(head)):
        caller = closed_house.stranger()
        assert caller.session.address == "127.0.0.1"
        caller.says(head[:cut], head[cut:], b"hello\n")

        assert b"!! bad_message: no proxy is expected" in caller.hears_all()
    assert not closed_house.said


@pytest.mark.parametrize("line", ["PROXY", "PROXY settings are hard", "PROXY TCP41 x"])
def test_a_line_about_proxies_is_said(closed_house: House, line: str) -> None:
    caller = closed_house.stranger()
    caller.says(line.encode() + b"\n")

    closed_house.until(lambda: closed_house.said == [line])


def test_empty_lines_first_are_no_header(closed_house: House) -> None:
    caller = closed_house.stranger()
    caller.says(b"\r\n", b"\r\n", b"hello\n")

    closed_house.until(lambda: closed_house.said == ["hello"])


def test_an_ipv4_address_that_a_socket_reports_within_ipv6_is_the_ipv4_address(closed_house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        caller = socket.create_connection(listening.getsockname())
        sock, _ = listening.accept()
    sock.setblocking(False)
    closed_house.entrance.to(closed_house.door)(sock, "::ffff:192.0.2.1")

    (session,) = closed_house.hub.sessions.values()
    assert (session.address, session.counted_as) == ("192.0.2.1", "192.0.2.1")
    caller.close()
