"""A terminal over TLS: reading, pausing, half-closing, stalling and leaving, with the traps that TLS has for each."""

import os
import select
import ssl
from collections.abc import Callable

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.tcp.tls_connection import TlsConnection
from gateway.tls import RECORD_BYTES
from tests.tcp.house import House, connection_of, turn
from tests.tcp.tls.tls_guests import TlsGuest
from tests.tls_peers import Certificates

NewHouse = Callable[..., House]


@pytest.fixture
def trust(certificates: Certificates) -> ssl.SSLContext:
    return certificates.trust()


@pytest.fixture
def guest(tls_house: House, trust: ssl.SSLContext) -> TlsGuest:
    return TlsGuest(tls_house, trust).shakes_hands()


def connection(house: House) -> TlsConnection:
    """The only one."""
    (session,) = house.hub.sessions.values()
    found = connection_of(session)
    assert isinstance(found, TlsConnection)
    return found


def greeted(guest: TlsGuest) -> None:
    """From here on it is sent what others say."""
    guest.says(b"/nick ana\n")
    guest.hears(b"-- you are ana\n")


def test_many_records_at_once_are_all_read(tls_house: House, guest: TlsGuest) -> None:
    lines = [f"line {number} {'x' * 300}" for number in range(300)]
    guest.sends(b"".join(guest.client.says(f"{line}\n".encode()) for line in lines))
    tls_house.until(lambda: len(tls_house.said) == 300)

    assert tls_house.said == lines


def test_a_line_may_be_cut_at_every_byte_of_its_records(tls_house: House, guest: TlsGuest) -> None:
    data = guest.client.says(b"first\nsec") + guest.client.says(b"ond\n")
    guest.sends(*(data[at : at + 1] for at in range(len(data))))
    tls_house.until(lambda: len(tls_house.said) == 2)

    assert tls_house.said == ["first", "second"]


def test_all_of_a_one_shot_may_come_with_the_end_of_the_handshake(tls_house: House, trust: ssl.SSLContext) -> None:
    guest = TlsGuest(tls_house, trust)
    while not guest.client.ready:
        tls_house.until(lambda: select.select([guest.sock], [], [], 0)[0])
        guest.client.takes(guest.sock.recv(65536))
    guest.sends(guest.client.output() + guest.client.says(b"all at once\nand no end") + guest.client.leaves())

    guest.hears_all()
    assert guest.client.ended
    assert tls_house.said == ["all at once", "and no end"]


@pytest.mark.parametrize("by_notify", [True, False])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_half_close_is_answered_in_whole_and_closed_in_order(
    tls_house: House, certificates: Certificates, by_notify: bool, version: ssl.TLSVersion
) -> None:
    guest = TlsGuest(tls_house, certificates.trust(minimum_version=version, maximum_version=version)).shakes_hands()
    guest.says(b"hello\n/help\nlast")
    guest.leaves() if by_notify else guest.says_no_more()
    heard = guest.hears_all()

    assert tls_house.said == ["hello", "last"]
    assert b"/quit" in heard
    assert guest.client.ended, "no close_notify"


def test_a_paced_peer_goes_on_after_its_pause(new_house: NewHouse, certificates: Certificates) -> None:
    house = new_house(tls=certificates.certificate().for_terminals(), messages_per_second=200, burst=1, address_burst=0)
    guest = TlsGuest(house, certificates.trust()).shakes_hands()
    guest.sends(b"".join(guest.client.says(f"{number}\n".encode()) for number in range(40)) + guest.client.leaves())
    guest.hears_all()

    assert house.said == [str(number) for number in range(40)]
    assert guest.client.ended


def test_a_stalled_reader_holds_one_record_and_then_reads_on(tls_house: House, trust: ssl.SSLContext) -> None:
    guest = TlsGuest(tls_house, trust, receive_buffer=4096).shakes_hands()
    reader = connection(tls_house)
    greeted(guest)
    talker = TlsGuest(tls_house, trust).shakes_hands()
    line = "x" * 3000
    for number in range(400):
        talker.says(f"{number} {line}\n".encode())
    tls_house.until(lambda: len(tls_house.said) == 400)

    assert 0 < len(reader.sock.tls.outgoing) <= RECORD_BYTES + 1024
    assert reader.session.lag()[0] > 10
    guest.hears(b"399 " + line.encode() + b"\n")
    numbers = [int(each.split()[-2]) for each in guest.heard.split(b"\n") if line.encode() in each]
    assert numbers == list(range(400))


def test_a_record_that_was_begun_is_finished_over_a_redaction_and_a_gap(
    new_house: NewHouse, certificates: Certificates
) -> None:
    house = new_house(tls=certificates.certificate().for_terminals(), log_messages=20)
    guest = TlsGuest(house, certificates.trust(), receive_buffer=4096).shakes_hands()
    greeted(guest)
    talker = TlsGuest(house, certificates.trust()).shakes_hands()
    for number in range(600):
        talker.says(f"{number} {'y' * 3000}\n".encode())
    house.until(lambda: house.hub.rooms["lobby"].log.head == 600)
    guest.hears(b"599 " + b"y" * 3000 + b"\n")

    lines = guest.heard.split(b"\n")
    assert any(b"lines skipped" in line for line in lines)
    assert all(line.endswith(b"y" * 3000) for line in lines if b"yyy" in line)


def test_a_tampered_record_ends_that_connection_alone(tls_house: House, trust: ssl.SSLContext, guest: TlsGuest) -> None:
    other = TlsGuest(tls_house, trust).shakes_hands()
    good, bad = guest.client.says(b"good\n"), bytearray(guest.client.says(b"bad\n"))
    bad[-1] ^= 1
    guest.sends(good + bad)
    tls_house.until(lambda: len(tls_house.hub.sessions) == 1)
    other.says(b"still here\n")
    tls_house.until(lambda: len(tls_house.said) == 2)

    assert tls_house.said == ["good", "still here"]


@pytest.mark.parametrize("garbage", [os.urandom(300), b"GET / HTTP/1.1\r\n\r\n", b"\x17\x03\x03\0\x05short"])
def test_plain_bytes_after_the_handshake_end_the_connection(tls_house: House, guest: TlsGuest, garbage: bytes) -> None:
    guest.sends(garbage)
    guest.says_no_more()
    tls_house.until(lambda: not tls_house.hub.sessions)

    assert tls_house.said == []


def test_a_kicked_peer_reads_why_and_close_notify(tls_house: House, guest: TlsGuest) -> None:
    tls_house.hub.close(connection(tls_house).session, CloseReason.KICKED, "out")

    assert guest.hears_all().endswith(b"!! kicked: out\n")
    assert guest.client.ended


def test_a_farewell_waits_for_room_and_comes_whole(tls_house: House, trust: ssl.SSLContext) -> None:
    guest = TlsGuest(tls_house, trust, receive_buffer=4096).shakes_hands()
    session = connection(tls_house).session
    for _ in range(400):
        tls_house.door.terminals.notice(session, "z" * 2000)
    turn(tls_house.server)
    tls_house.hub.close(session, CloseReason.DRAINING, "")
    heard = guest.hears_all()

    assert heard.count(b"z" * 2000) == 400
    assert guest.client.ended


def test_a_request_over_tls_gets_the_page_s_address(tls_house: House, guest: TlsGuest) -> None:
    guest.says(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    assert guest.hears_all().startswith(b"HTTP/1.1 400 ")
    assert guest.client.ended
    assert tls_house.said == []


def test_bytes_that_are_no_text_are_told_over_tls_as_without(tls_house: House, guest: TlsGuest) -> None:
    guest.says("hello\n".encode("utf-16"))
    assert guest.hears_all().startswith(b"!! bad_text: this is UTF-16")


def test_telnet_negotiates_over_tls(new_house: NewHouse, certificates: Certificates) -> None:
    house = new_house(Door.TELNET, tls=certificates.certificate().for_terminals())
    guest = TlsGuest(house, certificates.trust()).shakes_hands()
    guest.says(b"\xff\xfb\x1f\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0hi\n")
    house.until(lambda: house.said == ["hi"])

    guest.hears(b"\xff")


def test_a_plain_connection_has_no_part_in_tls(house: House) -> None:
    house.stranger()
    (session,) = house.hub.sessions.values()

    assert type(connection_of(session)).__name__ == "Connection"
    assert not session.encrypted
