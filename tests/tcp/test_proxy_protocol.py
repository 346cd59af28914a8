"""The header of the PROXY protocol: what it says, and that nothing else is taken for one."""

import socket
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.tcp.proxy_protocol import HEADER_BYTES, LINE_BYTES, SIGNATURE, Header, Malformed, header


def binary(
    source: str = "192.0.2.7", *, command: int = 0x21, family: int = 0x11, more: bytes = b"", length: int | None = None
) -> bytes:
    """A header of version 2."""
    kind = socket.AF_INET6 if ":" in source else socket.AF_INET
    rest = socket.inet_pton(kind, source) * 2 + struct.pack("!HH", 51234, 9999) + more
    return SIGNATURE + bytes((command, family)) + struct.pack("!H", len(rest) if length is None else length) + rest


TOLD = {
    "IPv4": (b"PROXY TCP4 192.0.2.7 198.51.100.1 51234 9999\r\n", "192.0.2.7"),
    "IPv6": (b"PROXY TCP6 2001:DB8:0::7 2001:db8::1 51234 9999\r\n", "2001:db8::7"),
    "IPv4 in IPv6": (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", "192.0.2.7"),
    "the longest": (b"PROXY TCP6 " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n",
                    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "unknown": (b"PROXY UNKNOWN\r\n", None),
    "unknown and more": (b"PROXY UNKNOWN ffff::1 whatever 1\r\n", None),
    "binary IPv4": (binary(), "192.0.2.7"),
    "binary IPv6": (binary("2001:db8::7", family=0x21), "2001:db8::7"),
    "binary IPv4 in IPv6": (binary("::ffff:192.0.2.7", family=0x21), "192.0.2.7"),
    "binary with extensions": (binary(more=b"\x04\x00\x03abc"), "192.0.2.7"),
    "binary of the largest size": (binary(more=b"\x04" * 2036), "192.0.2.7"),
    "a health check": (binary(command=0x20), None),
    "a bare health check": (SIGNATURE + b"\x20\x00\x00\x00", None),
    "no family": (SIGNATURE + b"\x21\x00\x00\x00", None),
    "UDP": (binary(family=0x12), None),
    "a Unix socket": (SIGNATURE + b"\x21\x31\x00\xd8" + b"/run/x".ljust(216, b"\0"), None),
}  # fmt: skip

MALFORMED = {
    "chat": b"hello\n",
    "nothing but an end": b"\n",
    "another word": b"PROXIES\r\n",
    "no family": b"PROXY\r\n",
    "a family nobody has": b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
    "bare LF": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
    "two blanks": b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
    "a port missing": b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
    "a port too much": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
    "a negative port": b"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
    "IPv6 as IPv4": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "IPv4 as IPv6": b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
    "a leading zero": b"PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
    "a name": b"PROXY TCP4 evil.example 1.2.3.4 1 2\r\n",
    "an escape": b"PROXY TCP4 1.2.3.4\x1b 1.2.3.4 1 2\r\n",
    "a line without end": b"PROXY TCP4 " + b"1" * LINE_BYTES,
    "a line one too long": b"PROXY UNKNOWN " + b"x" * (LINE_BYTES - 15) + b"\r\n",
    "a signature that breaks off": SIGNATURE[:8] + b"no",
    "version 1 in binary": binary(command=0x11),
    "an unknown command": binary(command=0x22),
    "an unknown family": binary(family=0x41),
    "an unknown transport": binary(family=0x13),
    "addresses that do not fit": binary(length=11),
    "IPv6 in the space of IPv4": binary(family=0x21),
    "too long": binary(length=2049),
}


@pytest.mark.parametrize(("data", "source"), TOLD.values(), ids=TOLD.keys())
def test_a_header_cut_at_every_byte_tells_the_same_once_it_is_whole(data: bytes, source: str | None) -> None:
    assert [header(data[:cut]) for cut in range(len(data))] == [None] * len(data)
    assert header(data) == Header(len(data), source)
    assert header(data + b"hello\n") == Header(len(data), source)


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        header(data)


@given(st.binary(max_size=3000) | st.sampled_from([each for each, _ in TOLD.values()]).flatmap(
    lambda whole: st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)).map(
        lambda flip: whole[: flip[0]] + bytes((flip[1],)) + whole[flip[0] + 1 :])))  # fmt: skip
@example(b"PROXY ")
def test_whatever_comes_is_decided_within_bounds_and_in_whatever_pieces(data: bytes) -> None:
    def outcome(piece: bytes) -> object:
        try:
            return header(piece)
        except Malformed:
            return Malformed

    decided = [found for cut in range(len(data) + 1) if (found := outcome(data[:cut])) is not None]
    assert len(set(decided)) <= 1
    assert decided or len(data) < HEADER_BYTES
    if decided and isinstance(decided[0], Header):
        assert decided[0].size <= min(len(data), HEADER_BYTES)


@pytest.mark.parametrize(
    ("more", "encrypted"),
    [
        (b"\x20\x00\x05\x01\x00\x00\x00\x00", True),
        (b"\x04\x00\x00\x20\x00\x01\x07", True),
        (b"\x20\x00\x05\x06\x00\x00\x00\x00", False),
        (b"\x20\x00\x00", False),
        (b"\x20\x00\x05\x01", False),
        (b"\x04\xff\xff\x20\x00\x01\x01", False),
        (b"\x20\x00", False),
    ],
)
def test_the_extension_of_tls_is_read_and_a_malformed_one_is_not(more: bytes, encrypted: bool) -> None:
    assert header(binary(more=more)) == Header(len(binary(more=more)), "192.0.2.7", encrypted)
    assert header(binary(command=0x20, more=more)) == Header(len(binary(more=more)), None)
