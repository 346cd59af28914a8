"""Addresses and networks of peers: read and made canonical in this one place. Pure.

Addresses reach the gateway in many spellings: with blanks and brackets around them (pasted), with a port behind them
(copied from a log, or sent by a proxy), with a zone (`fe80::1%eth0`: the interface, which does not matter here), as
IPv4 mapped into IPv6 (what a socket on `::` reports). All of these mean one address, and its one canonical spelling is
what is counted, compared, banned, shown and searched for.

One IPv6 customer has a whole /64, so for limits and bans an IPv6 address stands for its /64.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from gateway import wording

SUBSCRIBER_BITS = 64
"""The prefix that one customer of a provider is given (RFC 6177): all its addresses are one peer."""

LONGEST = 100
"""Longer texts are not read: a stranger's long header must not be kept in the cache."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_WITH_PORT = re.compile(r"\[([^\[\]]*)\](?::\d{0,5})?|([^:]*):\d{1,5}", re.ASCII)
_ZONE = re.compile(r"%[^/\]]*")


class Remote(NamedTuple):
    """A peer's address, and that of the proxy that reported it (None: the peer itself is connected to us). `encrypted`:
    the proxy says that the peer came to it by TLS."""

    address: str
    proxy: str | None = None
    encrypted: bool = False

    @property
    def counted_as(self) -> str | None:
        """The key under which the peer is counted, an IPv6 address as its /64. None: it is not counted, because it is
        on loopback and no proxy reported it."""
        return counted_as(self.address, self.proxy)


@dataclass(frozen=True, slots=True)
class WaysIn:
    """How others can come in: the ports of the doors (None = off), the names the gateway is known by (`web.hosts`),
    whether it listens on loopback only, and the page's scheme (http or https).

    A peer is told an address that it can use itself: a name, or the local end of its own connection. Behind a proxy no
    such address is known. `site` is the page's origin as a proxy shows it, where a name was given as one; it wins.
    """

    web: int | None = None
    tcp: int | None = None
    names: tuple[str, ...] = ()
    loopback_only: bool = False
    base_path: str = ""
    scheme: str = "http"
    tcp_tls: int | None = None
    site: str = ""

    def page(self, local: str | None) -> str:
        """Where the chat page is, in words, for a peer that reached us at the address `local` (None: by a proxy)."""
        if self.web is None:
            return wording.PAGE_OFF
        page = self.address(local)
        return wording.PAGE_AT.format(page=f"{page}/") if page else wording.PAGE_ON_PORT.format(port=self.web)

    def address(self, local: str | None) -> str:
        """The address of the web door, without a slash at its end, for a peer that reached us at `local`; empty if it
        is not known."""
        host = self._host(local)
        site = self.site or (f"{self.scheme}://{host}:{self.web}" if host else "")
        return f"{site}{self.base_path}" if site and self.web is not None else ""

    def invitation(self, local: str | None) -> str:
        """One line of words for a peer that reached us at `local`; perhaps empty."""
        if self.loopback_only and not self.names:
            return wording.ONLY_THIS_MACHINE
        host, where = self._host(local), ""
        if not self.names and local is not None and is_loopback(local):
            host, where = "ADDRESS", wording.INVITATION_ADDRESS
        site = self.site or f"{self.scheme}://{host}:{self.web}"
        ways = [f"{site}{self.base_path}/"] if self.web is not None else []
        if self.tcp is not None:
            ways.append(f"nc {host.strip('[]')} {self.tcp}")
        elif self.tcp_tls is not None:
            ways.append(f"ncat --ssl {host.strip('[]')} {self.tcp_tls}")
        return wording.INVITATION.format(ways=wording.INVITATION_OR.join(ways)) + where if host and ways else ""

    def _host(self, local: str | None) -> str:
        host = self.names[0] if self.names else local or ""
        return f"[{host}]" if ":" in host else host


def named_host(name: str) -> str:
    """The host of a name in `web.hosts`, which may be written as the origin that a proxy shows."""
    return name.rpartition("//")[2].partition(":")[0]


class Networks:
    """A set of networks and single addresses, as settings write them (`10.0.0.0/8`, `::1`)."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [parse_network(network) for network in networks]

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return False
        ip = parse_address(address)
        return ip is not None and any(ip in network for network in self._networks)


def parse_address(text: str) -> Address | None:
    """The address that `text` means; None when it is not a valid address."""
    found = _read(text) if len(text) <= LONGEST else None
    return None if found is None else found[0]


def canonical(text: str) -> str | None:
    """The address in its canonical spelling; None when it is not a valid address."""
    found = _read(text) if len(text) <= LONGEST else None
    return None if found is None else found[1]


@lru_cache(maxsize=16_384)
def _read(text: str) -> tuple[Address, str] | None:
    words = text.strip()
    found = _WITH_PORT.fullmatch(words)
    if found is not None:
        words = found[1] or found[2] or ""
    try:
        ip = ip_address(words.partition("%")[0])
    except ValueError:
        return None
    ip = (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip
    return ip, str(ip)


def parse_network(text: str, *, strict: bool = True) -> Network:
    """The network that `text` means, a single address as a network of its own. Raises ValueError when it is not one,
    or has bits set behind its prefix (`strict`)."""
    words, slash, prefix = _ZONE.sub("", text.strip()).partition("/")
    if not slash:
        ip = parse_address(words)
        if ip is None:
            raise ValueError(text)
        return ip_network(ip)
    network = ip_network(f"{words.strip('[]')}/{prefix}", strict=strict)
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ip_network((mapped, network.prefixlen - 96))
    return network


def subscriber_network(ip: Address) -> Network:
    """All addresses of the customer that this one belongs to: an IPv4 address or loopback alone, an IPv6 address's
    /64."""
    if isinstance(ip, IPv6Address) and not ip.is_loopback:
        return ip_network((ip, SUBSCRIBER_BITS), strict=False)
    return ip_network(ip)


@lru_cache(maxsize=16_384)
def counted_as(address: str, proxy: str | None) -> str | None:
    """See `Remote.counted_as`."""
    return None if proxy is None and is_loopback(address) else subscriber(address)


def subscriber(address: str) -> str:
    """A key that all addresses of one customer share; text that is not an address is its own key."""
    ip = parse_address(address)
    return address if ip is None else str(subscriber_network(ip).network_address)


@lru_cache(maxsize=16_384)
def is_loopback(address: str) -> bool:
    """Whether the address is this machine's loopback."""
    ip = parse_address(address)
    return ip is not None and ip.is_loopback


def host_and_port(host: str, port: int) -> str:
    """An address as people write it: `127.0.0.1:9999`, `[::1]:9999`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
