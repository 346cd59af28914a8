"""Who comes to the web door, and how many from one address.

A connection is one person's, and counted once, unless it comes from a trusted proxy: such a connection is kept alive
for the requests of many, so there each request, and each WebSocket for as long as it lives, is counted by the address
it was forwarded for.

Who is one too many is told so in his own protocol, for which his connection is taken for a moment: an HTTP answer, or a
WebSocket that is opened and closed with its code, since a page cannot see why an upgrade was refused. At most TOLD such
connections at once; from there on a bare answer is all there is.
"""

import socket
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from gateway.core.remote import Remote
from gateway.errors import Code, Refusal
from gateway.web.forwarded import Proxies

TOLD = 64
RETRY_MS = 30_000
FULL_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
)


class Admission(Protocol):
    """Counts every door's connections: `come` answers why somebody must go, in words, or counts him until `go`."""

    def come(self, remote: Remote) -> str | None: ...
    def go(self, remote: Remote) -> None: ...
    def leave(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Visit:
    """One connection: who is connected, whether it speaks for others, and why it must go, if it must."""

    remote: Remote
    proxies: Proxies
    forwards: bool
    refusal: str | None

    def sender(self, request: web.Request) -> Remote:
        """Who sent this request."""
        if not self.forwards:
            return self.remote
        return self.proxies.behind(self.remote, request.headers.getall("X-Forwarded-For", []))

    def scheme(self, request: web.Request) -> str:
        """`http` or `https`, as a trusted proxy says the site was called; else empty."""
        return self.proxies.scheme(self.remote, request.headers) if self.forwards else ""


class Visits:
    """Begins and ends the visits of one door."""

    def __init__(self, admission: Admission, proxies: Proxies) -> None:
        self.proxies = proxies
        self._admission = admission
        self._told = 0

    def begin(self, sock: socket.socket, remote: Remote) -> Visit | None:
        """The visit of a connection that has entered; None when it has been refused and closed."""
        forwards = remote.address in self.proxies.trusted
        words = None if forwards else self._admission.come(remote)
        if words is not None:
            if self._told >= TOLD:
                self._admission.leave()
                refuse(sock, words)
                return None
            self._told += 1
        return Visit(remote, self.proxies, forwards, words)

    def end(self, visit: Visit) -> None:
        """The connection is gone."""
        if visit.refusal is not None:
            self._told -= 1
        elif not visit.forwards:
            self._admission.go(visit.remote)
        self._admission.leave()

    def come(self, visit: Visit, request: web.Request) -> Remote | None:
        """Count a request if it is to be counted; `go` wants the answer. Raises Refusal for one too many."""
        words = visit.refusal
        sender = None
        if visit.forwards:
            sender = visit.sender(request)
            words = self._admission.come(sender)
        if words is not None:
            raise Refusal(Code.FULL, words.removeprefix("full: "), RETRY_MS)
        return sender

    def go(self, sender: Remote | None) -> None:
        """The request is over."""
        if sender is not None:
            self._admission.go(sender)


def refuse(sock: socket.socket, words: str) -> None:
    """Say why with the least of an HTTP answer and close: one small write into an empty buffer."""
    try:
        sock.send(FULL_ANSWER % (len(words) + 1, words.encode() + b"\n"))
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    sock.close()
