"""Handshakes at a port that speaks TLS: whole, cut, silent, of other protocols, of rejected peers, and many at once."""

import logging
from collections.abc import Callable

import pytest

from gateway.core.protocol.close_reason import CloseReason
from gateway.tcp import tls_handshake
from tests.tcp.house import Caller, House, turn
from tests.tcp.tls.tls_guests import TlsGuest
from tests.tls_peers import Certificates, TlsClient

NewHouse = Callable[..., House]


def test_a_hello_may_come_byte_by_byte(tls_house: House, certificates: Certificates) -> None:
    caller = TlsGuest(tls_house, certificates.trust(), cut=True)
    caller.shakes_hands().says(b"/nick bob\n")

    caller.hears(b"-- you are bob\n")
    (session,) = tls_house.hub.sessions.values()
    assert session.encrypted


def test_a_proxy_s_header_comes_before_the_hello(new_house: NewHouse, certificates: Certificates) -> None:
    house = new_house(proxies=["127.0.0.1"], tls=certificates.certificate().for_terminals())
    guest = TlsGuest(house, certificates.trust(), b"PROXY TCP4 203.0.113.9 198.51.100.1 51234 9998\r\n")
    guest.shakes_hands().says(b"/login otto right horse\n")

    guest.hears(b"-- you are otto")
    (session,) = house.hub.sessions.values()
    assert (session.address, session.proxy) == ("203.0.113.9", "127.0.0.1")


def test_without_tls_a_password_is_not_taken_from_afar(new_house: NewHouse) -> None:
    house = new_house(proxies=["127.0.0.1"])
    caller = house.knocks(b"PROXY TCP4 203.0.113.9 198.51.100.1 51234 9999\r\n/login otto right horse\n")

    caller.hears(b"a password goes only over TLS")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (b"hello\n", b"!! bad_message: this port speaks TLS: openssl s_client"),
        (b"hello\r\n", b"!! bad_message: this port speaks TLS: "),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"GET /\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"\xff\xfb\x18\r\n", b"!! bad_message: this port speaks TLS: "),
        (b"SSH-2.0-OpenSSH_9.2\r\n", b"!! bad_message: this port speaks TLS: "),
        (b"\n", b"!! bad_message: this port speaks TLS: "),
        (b"\x80\x2e\x01\x03\x01 an SSLv2 hello\n", b"!! bad_message: this port speaks TLS: "),
    ],
)
def test_a_peer_without_tls_is_told_once_in_plain(tls_house: House, words: bytes, answer: bytes) -> None:
    caller = tls_house.knocks(words)
    heard = caller.hears_all()

    assert heard.startswith(answer) and b"this port speaks TLS" in heard
    assert heard.count(b"bad_message") <= 1
    assert not tls_house.hub.sessions
    assert not tls_house.said


def test_a_silent_peer_is_told_when_its_time_is_over(tls_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_handshake, "HANDSHAKE_SECONDS", 0.01)
    caller = tls_house.knocks()

    assert caller.hears_all().startswith(b"!! bad_message: this port speaks TLS")
    assert tls_house.admission.count == 0


def test_half_a_hello_ends_when_its_time_is_over(
    tls_house: House, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_handshake, "HANDSHAKE_SECONDS", 0.2)
    caller = tls_house.knocks(b"\x16\x03\x01\x02")

    assert caller.hears_all() == b""
    assert tls_house.admission.count == 0
    assert tls_house.hub.stats.closed.counts[tls_house.door.door, CloseReason.WRONG_DOOR] == 1


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\0\x04abcd", b"\x16\x03\x01\0\x05\x01\0\0\x01\0", b"\x16\x03\x01\xff\xff" * 99]
)
def test_a_broken_hello_gets_an_alert(tls_house: House, garbage: bytes) -> None:
    caller = tls_house.knocks(garbage)

    assert caller.hears_all()[:1] == b"\x15"
    assert tls_house.admission.count == 0


def test_a_peer_that_does_not_trust_us_is_no_error(
    tls_house: House,
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    stranger = Certificates(tmp_path_factory.mktemp("strange"))
    caller = TlsGuest(tls_house, stranger.trust())
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        caller.shakes_hands()
    caller.sends(caller.client.output())
    tls_house.until(lambda: tls_house.admission.count == 0)

    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_a_rejected_peer_reads_why_over_tls(tls_house: House, certificates: Certificates) -> None:
    tls_house.admission.connections = 1
    first = TlsGuest(tls_house, certificates.trust()).shakes_hands()
    second = TlsGuest(tls_house, certificates.trust()).shakes_hands()

    assert second.hears_all() == b"!! full: try again in 30 s\n"
    assert second.client.ended
    first.says(b"/nick ana\n")
    first.hears(b"-- you are ana\n")


def test_no_more_rejected_peers_shake_hands_than_may_linger(tls_house: House, certificates: Certificates) -> None:
    tls_house.admission.connections = 1
    tls_house.knocks(b"\x16")
    tls_house.until(lambda: tls_house.admission.count)
    waiting = [tls_house.knocks(b"\x16") for _ in range(tls_house.refusals.most)]
    turn(tls_house.server)

    assert tls_house.knocks(b"\x16").hears_all_or_reset() == b""
    for caller in waiting:
        caller.listens()
        assert not caller.ended


def test_a_crowd_s_handshakes_do_not_stop_the_loop(
    tls_house: House, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_handshake, "TURN_SECONDS", 0.0)
    trust = certificates.trust()
    crowd = [tls_house.knocks(TlsClient(trust).begin()) for _ in range(20)]
    answered = 0
    for _ in range(10):
        turn(tls_house.server, 0)
        for caller in crowd:
            caller.listens()
        before, answered = answered, sum(bool(caller.heard) for caller in crowd)
        assert answered - before <= 1
    for caller in crowd:
        caller.hears(b"\x16\x03\x03")


def test_a_peer_that_waits_for_its_turn_is_not_late(
    tls_house: House, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_handshake, "HANDSHAKE_SECONDS", 0.2)
    monkeypatch.setattr(tls_handshake.Handshakes, "_turn", lambda self: None)
    caller = tls_house.knocks(TlsClient(certificates.trust()).begin())
    handshakes = tls_house.entrance._handshakes
    tls_house.until(lambda: handshakes._queue)
    (end,) = handshakes.here.values()
    tls_house.until(lambda: list(handshakes.here.values()) != [end])
    caller.listens()

    assert (caller.heard, caller.ended) == (b"", "")


def test_a_handshake_that_waits_does_not_wake_the_loop(tls_house: House) -> None:
    tls_house.knocks(b"\x16\x03\x01")
    tls_house.until(lambda: tls_house.admission.count)
    for _ in range(3):
        turn(tls_house.server, 0)

    assert tls_house.server.selector.select(0) == []


def test_what_waits_ends_when_the_gateway_stops(tls_house: House) -> None:
    callers: list[Caller] = [tls_house.knocks(first) for first in (b"", b"\x16\x03")]
    tls_house.until(lambda: tls_house.admission.count == 2)
    tls_house.entrance.close()

    assert [caller.hears_all_or_reset() for caller in callers] == [b"", b""]
    assert tls_house.admission.count == 0
