"""Who calls at the web door, and how many from one address.

A connection is one person's, and was counted when it came in, unless it comes from a trusted proxy: such a connection
is kept alive for the requests of many, so there each request, and each WebSocket for as long as it lives, is counted by
the address it was forwarded for.
"""

from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from gateway.core.bans import is_loopback
from gateway.core.closing import CloseReason
from gateway.core.hub import Hub
from gateway.core.message import Door
from gateway.core.remote import Remote
from gateway.errors import Code, Refusal
from gateway.web.forwarded import Proxies
from gateway.web.refused import RETRY_SECONDS


class AddressCounts(Protocol):
    """Counts every door's connections: `come` answers why somebody must go, or counts him until `go`."""

    def come(self, remote: Remote) -> tuple[CloseReason, str] | None: ...
    def go(self, remote: Remote) -> None: ...
    def leave(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """One connection: who is connected, and whether it speaks for others."""

    remote: Remote
    proxies: Proxies
    forwards: bool

    def sender(self, request: web.Request) -> Remote:
        """Who sent this request."""
        if not self.forwards:
            return self.remote
        return self.proxies.behind(self.remote, request.headers.getall("X-Forwarded-For", []))

    def scheme(self, request: web.Request) -> str:
        """`http` or `https`, as a trusted proxy says the site was called; else empty."""
        return self.proxies.scheme(self.remote, request.headers) if self.forwards else ""


def check_open(hub: Hub, sender: Remote) -> None:
    """Raise Refusal while nobody new is let in at the web door."""
    denial = hub.upkeep.denial(Door.WEB)
    if denial is not None:
        hub.refused(Door.WEB, sender.address, denial.closing, denial.words)
        raise denial.refusal


class ClientAddresses:
    """Those of one door."""

    def __init__(self, hub: Hub, admission: AddressCounts, proxies: Proxies) -> None:
        self.proxies = proxies
        self._hub = hub
        self._admission = admission

    def admit(self, remote: Remote) -> tuple[CloseReason, str] | None:
        """Count a connection by its address, or say why it must go; of a proxy's the requests are counted. Somebody on
        this machine comes in although it is banned, as far as the dashboard: there must be a way to lift that."""
        if remote.address in self.proxies.trusted:
            return None
        ban = self._hub.bans.refusal(self._hub.bans.on_address(remote.address))
        if ban is not None and not is_loopback(remote.address):
            return CloseReason.BANNED, ban.text
        return self._admission.come(remote)

    def begin(self, remote: Remote) -> Caller:
        """A connection was admitted just now."""
        return Caller(remote, self.proxies, remote.address in self.proxies.trusted)

    def end(self, caller: Caller) -> None:
        """The connection is gone."""
        if not caller.forwards:
            self._admission.go(caller.remote)
        self._admission.leave()

    def come(self, caller: Caller, request: web.Request) -> Remote | None:
        """Count a request if it is to be counted; `go` wants the answer. Raises Refusal for one too many."""
        if not caller.forwards:
            return None
        sender = caller.sender(request)
        denied = self._admission.come(sender)
        if denied is not None:
            self._hub.refused(Door.WEB, sender.address, *denied)
            raise Refusal(Code.FULL, denied[1], RETRY_SECONDS * 1000)
        return sender

    def go(self, sender: Remote | None) -> None:
        """The request is over."""
        if sender is not None:
            self._admission.go(sender)
