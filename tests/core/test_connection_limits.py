"""The limits of connections: in all, and of one address, loopback excepted."""

import pytest

from gateway.core.address import Remote
from gateway.core.connection_limits import ConnectionLimits
from gateway.core.protocol.close_reason import CloseReason


def admitted(admission: ConnectionLimits, *addresses: str) -> int:
    return [admission.come(Remote(address)) for address in addresses].count(None)


def test_the_seventeenth_connection_of_an_address_is_told_so() -> None:
    admission = ConnectionLimits(0, 16)

    assert admitted(admission, *["192.0.2.1"] * 16) == 16
    assert admission.come(Remote("192.0.2.1")) == (CloseReason.TOO_MANY, "16 connections from your address already")
    assert admission.come(Remote("192.0.2.2")) is None


def test_an_ipv6_network_counts_as_one_address() -> None:
    admission = ConnectionLimits(0, 2)

    assert admitted(admission, "2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:0:3::") == 2
    assert admitted(admission, "2001:db8:0:1::1") == 1


def test_an_ipv4_address_counts_the_same_written_as_ipv6() -> None:
    assert admitted(ConnectionLimits(0, 1), "192.0.2.1", "::ffff:192.0.2.1") == 1


def test_the_zone_of_a_link_local_address_does_not_matter() -> None:
    assert admitted(ConnectionLimits(0, 1), "fe80::1%eth0", "fe80::2%eth1") == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_not_counted_by_address_unless_a_proxy_told_it(address: str) -> None:
    admission = ConnectionLimits(0, 1)

    assert admitted(admission, *[address] * 20) == 20
    assert [admission.come(Remote(address, "192.0.2.1")) is None for _ in range(2)] == [True, False]


def test_the_limit_in_all_holds_for_everybody() -> None:
    admission = ConnectionLimits(3, 16)

    assert [admission.enter() for _ in range(4)] == [None, None, None, (CloseReason.FULL, "try again in 30 s")]


def test_a_closed_connection_makes_room() -> None:
    admission = ConnectionLimits(1, 1)
    admission.enter()
    admitted(admission, "192.0.2.1")
    admission.leave()
    admission.go(Remote("192.0.2.1"))

    assert admission.enter() is None
    assert admitted(admission, "192.0.2.1", "192.0.2.2") == 2


def test_a_rejected_connection_does_not_count() -> None:
    admission = ConnectionLimits(0, 1)
    admitted(admission, "192.0.2.1", "192.0.2.1")
    admission.go(Remote("192.0.2.1"))

    assert (admission.count, admission._from) == (0, {})


def test_a_lower_limit_sends_nobody_away_and_lets_nobody_in() -> None:
    admission = ConnectionLimits(0, 3)
    admitted(admission, *["192.0.2.1"] * 3)
    admission.per_address = 1
    admission.go(Remote("192.0.2.1"))

    assert admission.come(Remote("192.0.2.1")) is not None


def test_zero_is_no_limit() -> None:
    assert admitted(ConnectionLimits(0, 0), *["192.0.2.1"] * 1000) == 1000


def test_a_newcomer_takes_the_place_of_whoever_rests_longest() -> None:
    limits = ConnectionLimits(2, 0)
    closed: list[str] = []
    for name in ("first", "second"):
        assert limits.enter() is None
        limits.rest(name, lambda name=name: closed.append(name))  # type: ignore[misc]
    assert limits.enter() is None
    assert closed == ["first"]
    limits.wake("second")
    assert limits.enter() is not None
    assert closed == ["first"]
