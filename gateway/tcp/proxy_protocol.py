"""The PROXY protocol, version 1 (a line) and 2 (binary): the header in which a proxy reports its client's address.

    PROXY TCP4 192.0.2.7 198.51.100.1 51234 9999 CR LF        PROXY TCP6 …        PROXY UNKNOWN … CR LF
    signature (12 bytes) | version and command | family and transport | length (2 bytes) | addresses, extensions

Only the source address is used, and of the extensions (type, length, value) of version 2 the one that says whether the
proxy's client came by TLS; HAProxy sends it with `send-proxy-v2-ssl`. A header may also say that there is no address
(UNKNOWN, LOCAL, families other than IP: a proxy's own health check): then the connection is the proxy's own.

Why not a library: the existing one (proxy-protocol) takes 3,000 lines, most of them for what is skipped here, and lets
`struct.error` through on a malformed header.
"""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from gateway import wording
from gateway.core.address import canonical

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LINE_BYTES = 107
"""The longest header of version 1, with its end."""
FIXED_BYTES = 16
"""Version 2: the part before the addresses."""
REST_BYTES = 2048
"""Version 2: addresses and extensions, at most; enough for the names of a TLS certificate."""
HEADER_BYTES = FIXED_BYTES + REST_BYTES
TLS_EXTENSION = 0x20
BY_TLS = 0x01
"""A bit of that extension's first byte: the client is connected to the proxy over TLS."""

_LINE = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|(TCP[46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (\d{1,5}) (\d{1,5}))\r\n"
)
_VERSIONS = {0x20: False, 0x21: True}
"""Version 2 and its commands, LOCAL and PROXY: whether an address is given."""
_ADDRESSES: dict[int, tuple[type[IPv4Address] | type[IPv6Address], int, int]] = {
    0x11: (IPv4Address, 4, 12),
    0x21: (IPv6Address, 16, 36),
}
"""TCP over IPv4 and IPv6: the type of an address, its length, and that of both addresses with their ports."""
_TRANSPORTS = {family | transport for family in (0x00, 0x10, 0x20, 0x30) for transport in (0, 1, 2)}


class Malformed(ValueError):
    """This is not a header, and further bytes cannot make it one."""


class Header(NamedTuple):
    """A complete header: its length in bytes, the address of the proxy's client (None: it gives none), and whether that
    client came by TLS."""

    size: int
    source: str | None
    encrypted: bool = False


def header(data: bytes) -> Header | None:
    """The header that `data` begins with; None while it is incomplete, which HEADER_BYTES never are. Raises Malformed
    at the first byte that does not match."""
    if data[:1] == SIGNATURE[:1]:
        return _binary(data)
    return _line(data)


def _line(data: bytes) -> Header | None:
    end = data.find(b"\n", 0, LINE_BYTES) + 1
    if end:
        found = _LINE.fullmatch(data[:end])
        if found is None:
            raise Malformed(wording.PROXY_NO_LINE)
        return Header(end, _source(found) if found[1] else None)
    if len(data) >= LINE_BYTES or not (data.startswith(b"PROXY ") or b"PROXY ".startswith(data)):
        raise Malformed(wording.PROXY_NO_HEADER)
    return None


def _source(found: re.Match[bytes]) -> str | None:
    kind = IPv4Address if found[1] == b"TCP4" else IPv6Address
    try:
        source, _ = kind(found[2].decode()), kind(found[3].decode())
    except ValueError as problem:
        raise Malformed(wording.PROXY_ADDRESS) from problem
    if max(int(found[4]), int(found[5])) > 65535:
        raise Malformed(wording.PROXY_PORT)
    return canonical(str(source))


def _binary(data: bytes) -> Header | None:
    if not SIGNATURE.startswith(data[: len(SIGNATURE)]):
        raise Malformed(wording.PROXY_NO_HEADER)
    if len(data) < FIXED_BYTES:
        return None
    told, family, rest = _VERSIONS.get(data[12]), data[13], int.from_bytes(data[14:16], "big")
    if told is None or family not in _TRANSPORTS:
        raise Malformed(wording.PROXY_UNKNOWN)
    if rest > REST_BYTES:
        raise Malformed(wording.PROXY_LONG.format(limit=HEADER_BYTES))
    kind, size, least = _ADDRESSES.get(family, (IPv4Address, 0, 0))
    told = told and size > 0
    if told and rest < least:
        raise Malformed(wording.PROXY_SHORT)
    if len(data) < FIXED_BYTES + rest:
        return None
    if not told:
        return Header(FIXED_BYTES + rest, None)
    source = canonical(str(kind(data[FIXED_BYTES : FIXED_BYTES + size])))
    return Header(FIXED_BYTES + rest, source, _by_tls(data[FIXED_BYTES + least : FIXED_BYTES + rest]))


def _by_tls(extensions: bytes) -> bool:
    """What the extensions say of TLS; nothing when they are malformed."""
    while len(extensions) >= 3:
        end = 3 + int.from_bytes(extensions[1:3], "big")
        if extensions[0] == TLS_EXTENSION:
            return 3 < end <= len(extensions) and bool(extensions[3] & BY_TLS)
        extensions = extensions[end:]
    return False
