"""The PROXY protocol, version 1 (a line) and 2 (binary): the header in which a proxy reports its client's address.

    PROXY TCP4 192.0.2.7 198.51.100.1 51234 9999 CR LF        PROXY TCP6 …        PROXY UNKNOWN … CR LF
    signature (12 bytes) | version and command | family and transport | length (2 bytes) | addresses, extensions

Only the source address is used, and of the extensions (type, length, value) of version 2 the one that says whether the
proxy's client came by TLS; HAProxy sends it with `send-proxy-v2-ssl`. A header may also say that there is no address
(UNKNOWN, LOCAL, families other than IP: a proxy's own health check): then the connection is the proxy's own.

Only a connection from one of the proxies that are listed begins with a header, and it must: nobody else can tell an
address that is not theirs. What follows the header must stay in the socket, because the door, or the loop that it
belongs to, reads it from there. So the header is peeked at first (MSG_PEEK), and only bytes that certainly belong to it
are read: all of them while it is incomplete (otherwise the same bytes would keep the socket readable and this would
spin), and up to its last byte when it is complete.

A proxy that also passes requests on (`web.trusted_proxies`) cannot begin those with a header, so at the web door it
need not: there the first bytes decide. They are the proxy's own either way, and who can forge them by way of it could
forge what it forwards as well.

Why not a library: the existing one (proxy-protocol) takes 3,000 lines, most of them for what is skipped here, and lets
`struct.error` through on a malformed header.
"""

import logging
import re
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from gateway import wording
from gateway.core.address import Networks, Remote, canonical
from gateway.tcp.server import READ, Server

log = logging.getLogger(__name__)

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


HEADER_SECONDS = 10.0
"""Seconds that a proxy may take to send the header."""
SHORTEST_BYTES = 15
"""No header, no request and no TLS hello is shorter (`PROXY UNKNOWN` with its end), so that these can be told apart
before any of them is taken out of the socket."""
AGAIN_SECONDS = 0.05
"""When to look again at a connection that has sent less than that."""


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


class Introductions:
    """The proxied connections whose header is not complete yet. `proxies` may be replaced at any time; `withdrawn` is
    called when one of them ends before it is let in."""

    def __init__(self, server: Server, proxies: Networks, withdrawn: Callable[[], None]) -> None:
        self.server = server
        self.proxies = proxies
        self.withdrawn = withdrawn
        self._waiting: set[Introduction] = set()

    def begin(self, sock: socket.socket, address: str, let_in: Callable[[Remote], None], *, optional: bool) -> None:
        """Read the header of a connection from the proxy at `address`, then call `let_in` with whom it introduces;
        `optional`: it may come without a header."""
        self._waiting.add(Introduction(self, sock, address, let_in, optional))

    def over(self, introduction: "Introduction") -> None:
        """The connection was let in or has ended."""
        self._waiting.discard(introduction)

    def close(self) -> None:
        """Close the connections whose header has not come."""
        for introduction in list(self._waiting):
            introduction.give_up(wording.STOPPING)


class Introduction:
    """One proxied connection whose header is not complete yet."""

    __slots__ = ("_address", "_all", "_let_in", "_optional", "_over", "_seen", "_sock")

    def __init__(
        self,
        introductions: Introductions,
        sock: socket.socket,
        address: str,
        let_in: Callable[[Remote], None],
        optional: bool,
    ) -> None:
        self._all = introductions
        self._sock = sock
        self._address = address
        self._let_in = let_in
        self._optional = optional
        self._seen = b""
        self._over = False
        introductions.server.watch(sock, READ, self.ready)
        introductions.server.later(HEADER_SECONDS, self._expire)

    def ready(self, mask: int) -> None:
        """The selector's callback: read the header."""
        if self._over:
            return
        try:
            ahead = self._sock.recv(HEADER_BYTES, socket.MSG_PEEK)
            if self._optional and not self._seen and 0 < len(ahead) < SHORTEST_BYTES:
                self._look_again_later()
                return
            found = header(self._seen + ahead)
            taken = len(ahead) if found is None else found.size - len(self._seen)
            self._seen += self._sock.recv(taken)
        except (BlockingIOError, InterruptedError):
            return
        except Malformed as problem:
            if self._optional and not self._seen:
                self._introduce(Remote(self._address))
            else:
                self.give_up(str(problem))
            return
        except OSError as problem:
            self.give_up(str(problem))
            return
        if found is not None:
            itself = Remote(self._address)
            self._introduce(itself if found.source is None else Remote(found.source, self._address, found.encrypted))
        elif not ahead and not self._seen:
            self._close()  # only a check whether we listen, as load balancers make it
        elif not ahead:
            self.give_up(wording.PROXY_ENDED)

    def _look_again_later(self) -> None:
        """What has come stays in the socket, which would be reported as readable all the time."""
        self._all.server.watch(self._sock, 0, self.ready)
        self._all.server.later(AGAIN_SECONDS, self._look_again)

    def _look_again(self) -> None:
        if not self._over:
            self._all.server.watch(self._sock, READ, self.ready)

    def _expire(self) -> None:
        """The time for a header is over."""
        if self._optional and not self._seen and not self._over:
            self._introduce(Remote(self._address))  # connected ahead of its first request
        else:
            self.give_up(wording.PROXY_SILENT.format(seconds=HEADER_SECONDS))

    def _introduce(self, remote: Remote) -> None:
        self._end()
        try:
            self._let_in(remote)
        except Exception:
            log.exception(wording.LOG_NOT_TAKEN_IN_BY, remote.address, self._address)
            self._sock.close()

    def give_up(self, reason: str) -> None:
        """Close a connection without a header, and log it. Calling it later does nothing."""
        if not self._over:
            self._close()
            self._all.server.complain(wording.NO_PROXY_HEADER.format(address=self._address, problem=reason))

    def _close(self) -> None:
        self._end()
        self._sock.close()
        self._all.withdrawn()

    def _end(self) -> None:
        self._over = True
        self._all.server.watch(self._sock, 0, self.ready)
        self._all.over(self)
