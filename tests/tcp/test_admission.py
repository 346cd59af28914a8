"""Who is let in: so many in all, so many of one address, loopback excepted."""

import pytest

from gateway.core.closing import Closing
from gateway.tcp.admission import Admission


def admitted(admission: Admission, *addresses: str) -> int:
    return [admission.admit(address) for address in addresses].count(None)


def test_the_seventeenth_connection_of_an_address_is_told_so() -> None:
    admission = Admission(0, 16)

    assert admitted(admission, *["192.0.2.1"] * 16) == 16
    assert admission.admit("192.0.2.1") == (Closing.TOO_MANY, "16 connections from your address already")
    assert admission.admit("192.0.2.2") is None


def test_an_ipv6_network_counts_as_one_address() -> None:
    admission = Admission(0, 2)

    assert admitted(admission, "2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:0:3::") == 2
    assert admitted(admission, "2001:db8:0:1::1") == 1


def test_an_ipv4_address_counts_the_same_written_as_ipv6() -> None:
    assert admitted(Admission(0, 1), "192.0.2.1", "::ffff:192.0.2.1") == 1


def test_the_zone_of_a_link_local_address_does_not_matter() -> None:
    assert admitted(Admission(0, 1), "fe80::1%eth0", "fe80::2%eth1") == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_not_counted_by_address(address: str) -> None:
    admission = Admission(0, 1)

    assert admitted(admission, *[address] * 20) == 20
    assert admission.count == 20


def test_the_limit_in_all_holds_for_loopback_too() -> None:
    assert admitted(Admission(3, 16), *["127.0.0.1"] * 5) == 3


def test_who_leaves_makes_room() -> None:
    admission = Admission(2, 1)
    admitted(admission, "192.0.2.1", "192.0.2.2")
    admission.release("192.0.2.1")

    assert admitted(admission, "192.0.2.1", "192.0.2.2") == 1


def test_who_was_refused_counts_nowhere() -> None:
    admission = Admission(0, 1)
    admitted(admission, "192.0.2.1", "192.0.2.1")
    admission.release("192.0.2.1")

    assert (admission.count, admission._from) == (0, {})


def test_zero_is_no_limit() -> None:
    assert admitted(Admission(0, 0), *["192.0.2.1"] * 1000) == 1000
