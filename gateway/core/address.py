"""Who a peer is by address: what it connected from, or what a proxy that we trust says of it.

An address has one spelling here: no zone, no port, an IPv4 address in IPv6 clothes as IPv4.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

NETWORK_BITS = 64
"""Of an IPv6 address, what one customer of a provider gets."""


class Remote(NamedTuple):
    """A peer's address, and that of the proxy which told it (None: the peer itself is connected to us)."""

    address: str
    proxy: str | None = None

    @property
    def counted_as(self) -> str | None:
        """Under which name it is counted: an IPv6 address as its /64; loopback not at all (None), unless a proxy told
        it."""
        return _counted_as(self.address, self.proxy is None)


@lru_cache(maxsize=16_384)
def _counted_as(address: str, itself: bool) -> str | None:
    known = spelled(address)
    if known is None:
        return address
    ip = ip_address(known)
    if ip.is_loopback and itself:
        return None
    if isinstance(ip, IPv6Address):
        below = 128 - NETWORK_BITS
        return str(IPv6Address(int(ip) >> below << below))
    return known


class Networks:
    """A set of networks and single addresses, as settings write them (`10.0.0.0/8`, `::1`)."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ip_network(network) for network in networks]

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return False
        known = spelled(address)
        if known is None:
            return False
        ip = ip_address(known)
        return any(ip in network for network in self._networks)


@lru_cache(maxsize=16_384)
def spelled(address: str) -> str | None:
    """The address in its one spelling; None when it is none."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return str(mapped or ip)
