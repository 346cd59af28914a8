"""Addresses and networks have one spelling, however they are written."""

import pytest

from gateway.core.address import (
    LONGEST,
    Networks,
    Remote,
    WaysIn,
    canonical,
    host_and_port,
    is_loopback,
    parse_network,
    subscriber,
)


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("192.0.2.1", "192.0.2.1"), ("2001:DB8:0::1", "2001:db8::1"), ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::ffff:c000:201", "192.0.2.1"), (" 203.0.113.7\n", "203.0.113.7"),
        ("[2001:db8::7]", "2001:db8::7"), ("203.0.113.7:51234", "203.0.113.7"), ("[2001:db8::7]:443", "2001:db8::7"),
        ("[fe80::1%eth0]:80", "fe80::1"), ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
    ],
)  # fmt: skip
def test_an_address_has_one_spelling(text: str, one: str) -> None:
    assert canonical(text) == one


@pytest.mark.parametrize(
    "text",
    ["", "192.0.2.01", "1.2.3", "1.2.3.4:", "1.2.3.4:x", "[::1", "::1]", "[]", "unix:", "localhost", "10.0.0.0/8",
     "1.2.3.4, 5.6.7.8", "\u0661.2.3.4", "::1%" + "z" * LONGEST],
)  # fmt: skip
def test_what_is_no_address_has_none(text: str) -> None:
    assert canonical(text) is None


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"), (" 10.0.0.0/8 ", "10.0.0.0/8"), ("[2001:db8::]/32", "2001:db8::/32"),
        ("::1", "::1/128"), ("[::1]", "::1/128"), ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("fe80::%eth0/64", "fe80::/64"),
    ],
)  # fmt: skip
def test_a_network_has_one_spelling(text: str, network: str) -> None:
    assert str(parse_network(text)) == network


def test_bits_behind_the_prefix_are_a_mistake_only_where_the_reader_is_strict() -> None:
    assert str(parse_network("10.1.2.3/8", strict=False)) == "10.0.0.0/8"
    for wrong in ("10.1.2.3/8", "10.0.0.0/33", "x/8", "/", "10.0.0.0/-1", ""):
        with pytest.raises(ValueError, match=r".*"):
            parse_network(wrong)


def test_a_customer_is_an_ipv4_address_or_the_64_of_an_ipv6_address() -> None:
    assert subscriber("2001:db8::1") == subscriber("2001:db8::ffff:2") != subscriber("2001:db8:0:1::1")
    assert subscriber("::ffff:192.0.2.1") == subscriber("192.0.2.1") != subscriber("192.0.2.2")
    assert subscriber("nowhere") == "nowhere"


def test_loopback_is_not_counted_unless_a_proxy_told_it() -> None:
    assert Remote("127.0.0.1").counted_as is None and Remote("::1").counted_as is None
    assert Remote("::1", "192.0.2.9").counted_as == "::1"
    assert is_loopback("127.9.9.9") and is_loopback("::ffff:127.0.0.1") and not is_loopback("nowhere")


def test_networks_hold_addresses_of_their_own_family_however_spelled() -> None:
    networks = Networks(["10.0.0.0/8", "[::1]"])

    assert all(address in networks for address in ("10.1.2.3", "::ffff:10.0.0.1", "0:0::1", "::1%lo"))
    assert not any(address in networks for address in ("11.0.0.1", "::2", "::a00:1", "", "evil"))
    assert "10.0.0.1" not in Networks()


def test_an_address_is_written_with_its_port_as_people_write_it() -> None:
    assert (host_and_port("::1", 80), host_and_port("10.0.0.1", 80)) == ("[::1]:80", "10.0.0.1:80")


def test_people_are_told_the_address_that_a_proxy_shows() -> None:
    ways = WaysIn(8080, 9999, ("chat.example.org",), True, "/chat", site="https://chat.example.org:8443")

    for local in (None, "192.0.2.1"):
        assert ways.page(local) == "The chat page is at https://chat.example.org:8443/chat/"
        assert ways.address(local) == "https://chat.example.org:8443/chat"
        assert "https://chat.example.org:8443/chat/ or nc chat.example.org 9999" in ways.invitation(local)


def test_people_are_told_a_name_or_the_end_of_their_own_connection() -> None:
    assert WaysIn(8080, names=("a.example",)).address("192.0.2.1") == "http://a.example:8080"
    assert WaysIn(8080).address("2001:db8::1") == "http://[2001:db8::1]:8080"
    assert WaysIn(8080).address(None) == "" and "8080" in WaysIn(8080).page(None)
    assert WaysIn(site="https://a.example").address(None) == ""
