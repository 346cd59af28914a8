"""Who may come in: at most so many connections in all, and so many from one address."""

from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from gateway.core.closing import Closing


class Denial(NamedTuple):
    """Why somebody must go."""

    closing: Closing
    words: str


class Admission:
    """Counts live connections of every door. 0 = no limit."""

    def __init__(self, connections: int, per_address: int) -> None:
        self.connections = connections
        self.per_address = per_address
        self.count = 0
        self._from: dict[str, int] = {}

    def admit(self, address: str) -> Denial | None:
        """Count one more connection from `address`; or the reason why it must go."""
        if self.connections and self.count >= self.connections:
            return Denial(Closing.FULL, "try again in 30 s")
        group = counted(address)
        if group is not None and self.per_address:
            if self._from.get(group, 0) >= self.per_address:
                return Denial(Closing.TOO_MANY, f"{self.per_address} connections from your address already")
            self._from[group] = self._from.get(group, 0) + 1
        self.count += 1
        return None

    def release(self, address: str) -> None:
        """A connection that was admitted is over."""
        self.count -= 1
        group = counted(address)
        if group in self._from:
            self._from[group] -= 1
            if not self._from[group]:
                del self._from[group]


def counted(address: str) -> str | None:
    """Under which name an address is counted: an IPv6 one as its /64, loopback not at all."""
    if address.startswith("127."):
        return None
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return counted(str(ip.ipv4_mapped))
        return None if ip.is_loopback else str(IPv6Address(int(ip) >> 64 << 64))
    return None if ip.is_loopback else str(ip)
