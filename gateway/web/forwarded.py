"""What a trusted proxy says of the peers behind it: the headers X-Forwarded-For and X-Forwarded-Proto.

Each proxy adds whom it was called by at the right end of X-Forwarded-For, so the list is read from there: over the hops
that are trusted proxies themselves, to the first that is not. What stands further left the peer may have made up.

- Several headers are one list. A hop may carry a port, an IPv6 address brackets.
- A hop that is no address (`unix:`) is passed over. `unknown` is where a proxy withholds who it was: the last address
  before it counts, for the next one on the left would again be the peer's own invention.
- If every hop is a trusted proxy, the peer is the leftmost. At most HOPS are read.

`Forwarded`, `X-Real-IP` and `X-Forwarded-Host` are ignored, also from a trusted proxy: one way to tell is enough, and
proxies pass on what they do not set. Let the proxy keep the Host header.
"""

import re
from collections.abc import Mapping

from gateway.core.remote import Networks, Remote, spelled

HOPS = 32
WITHHELD = "unknown"

_PORT = re.compile(r"\[([^\[\]]*)\](?::\d{1,5})?|([^:]*):\d{1,5}")


class Proxies:
    """The proxies in front of the web door. `trusted` may be replaced at any time."""

    def __init__(self, trusted: Networks) -> None:
        self.trusted = trusted

    def behind(self, connected: Remote, forwarded: list[str]) -> Remote:
        """Who sent a request over the connection of `connected`, with these X-Forwarded-For headers."""
        if connected.address not in self.trusted:
            return connected
        found = None
        for hop in reversed(",".join(forwarded).rsplit(",", HOPS)[-HOPS:]):
            if hop.strip().lower() == WITHHELD:
                break
            address = hop_address(hop)
            if address is not None:
                found = address
                if address not in self.trusted:
                    break
        return connected if found is None else Remote(found, connected.address)

    def scheme(self, connected: Remote, headers: Mapping[str, str]) -> str:
        """`http` or `https`, as the trusted proxy was called; empty when nobody trusted says so."""
        if connected.address not in self.trusted:
            return ""
        said = headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
        return said if said in ("http", "https") else ""


def hop_address(hop: str) -> str | None:
    """The address of one hop without its port; None when it has none."""
    hop = hop.strip()
    found = _PORT.fullmatch(hop)
    return spelled((found[1] or found[2] or "") if found else hop)
