"""The acceptor: between a listening socket and a door. Applies the connection limits and reads PROXY headers.

A connection from one of `proxies` must begin with a header (`tcp.proxy_protocol`). What follows the header must stay in
the socket, because the door, or the loop that it belongs to, reads it from there. So the header is peeked at first
(MSG_PEEK), and only bytes that certainly belong to it are read: all of them while it is incomplete (otherwise the same
bytes would keep the socket readable and this would spin), and up to its last byte when it is complete.
"""

import logging
import socket
from collections.abc import Callable
from typing import Protocol

from gateway import wording
from gateway.core.address import Networks, Remote
from gateway.core.hub import Hub
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door as Name
from gateway.tcp.connection_limits import ConnectionLimits
from gateway.tcp.proxy_protocol import HEADER_BYTES, Malformed, header
from gateway.tcp.reject import Rejections
from gateway.tcp.server import READ, Server

log = logging.getLogger(__name__)

HEADER_SECONDS = 10.0
"""Seconds that a proxy may take to send the header."""


class DoorServer(Protocol):
    """A door, as the acceptor sees it."""

    @property
    def door(self) -> Name: ...

    def admit(self, remote: Remote) -> tuple[CloseReason, str] | None:
        """Count a new peer by its address; or return why it is rejected."""

    def arrived(self, sock: socket.socket, remote: Remote) -> None:
        """Take over a connection that was just admitted. When it ends the door undoes the counting."""

    def denial(self, first: bytes, last: bool, closing: CloseReason, words: str) -> bytes | None:
        """What a rejected peer is sent; see `tcp.reject.Answer`."""


class Acceptor:
    """Shared by the doors of one gateway. `proxies` may be replaced at any time."""

    def __init__(
        self, server: Server, hub: Hub, admission: ConnectionLimits, refusals: Rejections, proxies: Networks
    ) -> None:
        self.server = server
        self.admission = admission
        self.proxies = proxies
        self._hub = hub
        self._refusals = refusals
        self._waiting: set[Introduction] = set()

    def to(self, door: DoorServer) -> Callable[[socket.socket, str], None]:
        """The callback of `door`'s listeners for a new connection."""

        def accepted(sock: socket.socket, address: str) -> None:
            denied = self.admission.enter()
            if denied is not None:
                self._deny(door, sock, address, denied)
            elif address in self.proxies:
                self._waiting.add(Introduction(self, door, sock, address))
            else:
                self.let_in(door, sock, Remote(address))

        return accepted

    def let_in(self, door: DoorServer, sock: socket.socket, remote: Remote) -> None:
        """The peer's address is known: hand the connection to the door, or reject it."""
        denied = door.admit(remote)
        if denied is None:
            door.arrived(sock, remote)
        else:
            self.admission.leave()
            self._deny(door, sock, remote.address, denied)

    def _deny(self, door: DoorServer, sock: socket.socket, address: str, denied: tuple[CloseReason, str]) -> None:
        self._hub.stats.refused(door.door, address, *denied)
        self._refusals.refuse(sock, lambda first, last: door.denial(first, last, *denied))

    def introduced(self, introduction: "Introduction") -> None:
        """The introduction is over: forget it."""
        self._waiting.discard(introduction)

    def close(self) -> None:
        """Close the connections whose header has not come."""
        for introduction in list(self._waiting):
            introduction.give_up(wording.STOPPING)


class Introduction:
    """One proxied connection whose header is not complete yet."""

    __slots__ = ("_address", "_door", "_entrance", "_over", "_seen", "_sock")

    def __init__(self, entrance: Acceptor, door: DoorServer, sock: socket.socket, address: str) -> None:
        self._entrance = entrance
        self._door = door
        self._sock = sock
        self._address = address
        self._seen = b""
        self._over = False
        entrance.server.watch(sock, READ, self.ready)
        entrance.server.later(HEADER_SECONDS, lambda: self.give_up(wording.PROXY_SILENT.format(seconds=HEADER_SECONDS)))

    def ready(self, mask: int) -> None:
        """The selector's callback: read the header."""
        if self._over:
            return
        try:
            ahead = self._sock.recv(HEADER_BYTES, socket.MSG_PEEK)
            found = header(self._seen + ahead)
            taken = len(ahead) if found is None else found.size - len(self._seen)
            self._seen += self._sock.recv(taken)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, Malformed) as problem:
            self.give_up(str(problem))
            return
        if found is not None:
            self._let_in(found.source)
        elif not ahead and not self._seen:
            self._close()  # only a check whether we listen, as load balancers make it
        elif not ahead:
            self.give_up(wording.PROXY_ENDED)

    def _let_in(self, source: str | None) -> None:
        self._end()
        remote = Remote(self._address) if source is None else Remote(source, self._address)
        try:
            self._entrance.let_in(self._door, self._sock, remote)
        except Exception:
            log.exception(wording.LOG_NOT_TAKEN_IN_BY, remote.address, self._address)
            self._sock.close()

    def give_up(self, reason: str) -> None:
        """Close a connection without a header, and log it. Calling it later does nothing."""
        if not self._over:
            self._close()
            self._entrance.server.complain(wording.NO_PROXY_HEADER.format(address=self._address, problem=reason))

    def _close(self) -> None:
        self._end()
        self._sock.close()
        self._entrance.admission.leave()

    def _end(self) -> None:
        self._over = True
        self._entrance.server.watch(self._sock, 0, self.ready)
        self._entrance.introduced(self)
