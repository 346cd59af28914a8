"""Client addresses at the web door: who sent a request, through which proxy, and how many come from one address.

A direct connection belongs to one peer and is counted when it comes in. While it is idle between two requests it is not
counted, and is closed when a newcomer needs its place (`rest`, `wake`). A connection from a trusted proxy carries the
requests of many, so there each request, and each WebSocket for as long as it is open, is counted by the address that it
was forwarded for.

X-Forwarded-For is read from the right, because each proxy appends the address that called it: past hops that are
trusted proxies themselves, to the first that is not. Anything further left may have been made up by the peer.

- Several headers are one list. A hop may carry a port, an IPv6 address brackets.
- A hop that is not an address (`unix:`) is skipped. `unknown` means that a proxy withholds its caller: the last address
  before it counts, because the next one on the left could be made up by the peer.
- If every hop is a trusted proxy, the peer is the leftmost. At most HOPS are read.

`Forwarded`, `X-Real-IP` and `X-Forwarded-Host` are ignored, even from a trusted proxy: one header is enough, and
proxies pass on those that they do not set. The proxy has to keep the Host header.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from multidict import MultiMapping

from gateway.core import sanitize
from gateway.core.address import Networks, Remote, canonical, host_and_port, is_loopback
from gateway.core.hub import Hub
from gateway.core.ports.transport import Kernel, Traits
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door
from gateway.errors import Code, Refusal
from gateway.web.http.reject import RETRY_SECONDS
from gateway.web.http.strict_requests import Head

HOPS = 32
WITHHELD = "unknown"


class Proxies:
    """The proxies in front of the web door. `trusted` may be replaced at any time."""

    def __init__(self, trusted: Networks) -> None:
        self.trusted = trusted

    def behind(self, connected: Remote, forwarded: list[str]) -> Remote:
        """The sender of a request on the connection of `connected` with these X-Forwarded-For headers."""
        if connected.address not in self.trusted:
            return connected
        found = None
        for hop in reversed(",".join(forwarded).rsplit(",", HOPS)[-HOPS:]):
            if hop.strip().lower() == WITHHELD:
                break
            address = canonical(hop)
            if address is not None:
                found = address
                if address not in self.trusted:
                    break
        return connected if found is None else Remote(found, connected.address)

    def scheme(self, connected: Remote, headers: MultiMapping[str]) -> str:
        """`http` or `https`, as a trusted proxy was called; empty when no trusted proxy says."""
        if connected.address not in self.trusted:
            return ""
        said = ",".join(headers.getall("X-Forwarded-Proto", [])).rpartition(",")[2].strip().lower()
        return said if said in ("http", "https") else ""


class AddressCounts(Protocol):
    """Counts every door's connections: `come` counts a peer until `go`, or returns why it is rejected."""

    def come(self, remote: Remote) -> tuple[CloseReason, str] | None: ...
    def go(self, remote: Remote) -> None: ...
    def leave(self) -> None: ...
    def rest(self, connection: object, give_way: Callable[[], None]) -> None: ...
    def wake(self, connection: object) -> None: ...


@dataclass(eq=False, slots=True)
class Caller:
    """One connection: its peer, whether that is a trusted proxy, and whether it rests: is idle, not counted by its
    address, and closed when a newcomer needs its place."""

    remote: Remote
    proxies: Proxies
    forwards: bool
    resting: bool = False

    def sender(self, request: Head) -> Remote:
        """The sender of a request on this connection."""
        if not self.forwards:
            return self.remote
        return self.proxies.behind(self.remote, request.headers.getall("X-Forwarded-For", []))

    def scheme(self, request: Head) -> str:
        """`http` or `https`, as a proxy says the site was called (by PROXY, or a trusted one in the request); else
        empty."""
        if self.remote.encrypted:
            return "https"
        return self.proxies.scheme(self.remote, request.headers) if self.forwards else ""


def check_open(hub: Hub, sender: Remote) -> None:
    """Raise Refusal while the web door rejects newcomers."""
    denial = hub.gate.denial(Door.WEB)
    if denial is not None:
        hub.stats.refused(Door.WEB, sender.address, denial.closing, denial.words)
        raise denial.refusal


class ClientAddresses:
    """The client addresses of one door."""

    def __init__(self, hub: Hub, admission: AddressCounts, proxies: Proxies) -> None:
        self.proxies = proxies
        self._hub = hub
        self._admission = admission

    def admit(self, remote: Remote) -> tuple[CloseReason, str] | None:
        """Count a connection by its address, or return why it is rejected; for a proxy's, its requests are counted. A
        peer on this machine gets as far as the dashboard even if its address is banned: the ban must be liftable."""
        if remote.address in self.proxies.trusted:
            return None
        ban = self._hub.bans.refusal(self._hub.bans.on_address(remote.address))
        if ban is not None and not is_loopback(remote.address):
            return CloseReason.BANNED, ban.text
        return self._admission.come(remote)

    def begin(self, remote: Remote) -> Caller:
        """A connection was admitted just now."""
        return Caller(remote, self.proxies, remote.address in self.proxies.trusted)

    def withdraw(self, remote: Remote) -> None:
        """An admitted connection has ended before it began. Who counts all connections does that themselves."""
        if remote.address not in self.proxies.trusted:
            self._admission.go(remote)

    def end(self, caller: Caller) -> None:
        """The connection has ended."""
        if caller.resting:
            caller.resting = False  # a request that comes in now is not counted any more
            self._admission.wake(caller)
        elif not caller.forwards:
            self._admission.go(caller.remote)
        self._admission.leave()

    def rest(self, caller: Caller, give_way: Callable[[], None]) -> None:
        """The connection waits for its next request."""
        caller.resting = True
        if not caller.forwards:
            self._admission.go(caller.remote)
        self._admission.rest(caller, give_way)

    def wake(self, caller: Caller) -> tuple[CloseReason, str] | None:
        """A request comes in: count the connection again; or return why not, and it goes on resting."""
        if caller.resting:
            denied = None if caller.forwards else self._admission.come(caller.remote)
            if denied is not None:
                return denied
            caller.resting = False
            self._admission.wake(caller)
        return None

    def come(self, caller: Caller, request: Head) -> Remote | None:
        """Count a request, if its connection is a proxy's; pass the result to `go`. Raises Refusal for one too many."""
        denied = self.wake(caller)
        sender = caller.sender(request)
        if denied is None and not caller.forwards:
            return None
        if denied is None:
            denied = self._admission.come(sender)
        if denied is not None:
            self._hub.stats.refused(Door.WEB, sender.address, *denied)
            raise Refusal(Code.FULL, denied[1], RETRY_SECONDS * 1000)
        return sender

    def go(self, sender: Remote | None) -> None:
        """The request is over."""
        if sender is not None:
            self._admission.go(sender)


def kernel_of(transport: asyncio.Transport, ask: Callable[[Any], Kernel | None]) -> Kernel | None:
    """The kernel's figures, by way of `ask`; None for a connection that has ended."""
    sock = transport.get_extra_info("socket")
    return ask(sock) if sock is not None and not transport.is_closing() else None


def traits_of(transport: asyncio.Transport) -> Traits:
    """See `core.ports.transport.Transport`."""
    name = transport.get_extra_info("sockname")
    tls = transport.get_extra_info("sslcontext") is not None
    return Traits(local=host_and_port(*name[:2]) if name else None, tls=tls)


def local_of(transport: asyncio.Transport | None, remote: Remote) -> str | None:
    """The address at which the peer reached us; None if it did so by a proxy."""
    name = None if transport is None or remote.proxy is not None else transport.get_extra_info("sockname")
    return str(name[0]) if name else None


AGENT_CHARS = 120


def agent_of(header: str) -> str | None:
    """The `User-Agent` after the text gate, at most AGENT_CHARS; None when nothing is left. Equal names are one object,
    because thousands of browsers send the same."""
    return _agent(header[:AGENT_CHARS])


@lru_cache(1024)
def _agent(name: str) -> str | None:
    try:
        return sys.intern(sanitize.line(name))
    except Refusal:
        return None
