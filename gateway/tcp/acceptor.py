"""The acceptor: between a listening socket and a door. Applies the connection limits, waits for the PROXY header of a
proxy that is listed (`tcp.proxy_protocol.Introductions`), and has the TLS handshake made where the port wants one.

The order is: the limit of all connections, the PROXY header, the limits of the address, TLS. A rejected peer shakes
hands too, because it could not read why otherwise, but only as many of them as may linger.
"""

import socket
import ssl
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple, Protocol

from gateway import wording
from gateway.core.address import Networks, Remote, canonical, host_and_port
from gateway.core.connection_limits import ConnectionLimits
from gateway.core.hub import Hub
from gateway.core.protocol.close_reason import CloseReason
from gateway.core.protocol.message import Door as Name
from gateway.tcp.proxy_protocol import Introductions
from gateway.tcp.reject import Answer, Rejections
from gateway.tcp.server import Server
from gateway.tcp.tls_connection import TlsSocket
from gateway.tcp.tls_handshake import Handshakes
from gateway.tcp.wrong_door import answer_to_plain
from gateway.tls import TlsSession


class DoorServer(Protocol):
    """A door, as the acceptor sees it."""

    @property
    def door(self) -> Name: ...

    def forwards(self, address: str) -> bool:
        """Whether this is a proxy that tells its clients' addresses in the door's own protocol."""

    def admit(self, remote: Remote) -> tuple[CloseReason, str] | None:
        """Count a new peer by its address; or return why it is rejected."""

    def arrived(self, sock: socket.socket, remote: Remote) -> None:
        """Take over a connection that was just admitted. When it ends the door undoes the counting."""

    def arrived_by_tls(self, sock: socket.socket, tls: TlsSession, remote: Remote) -> None:
        """The same for one that has completed its handshake."""

    def withdrawn(self, remote: Remote) -> None:
        """A connection that was admitted has ended before it arrived: undo the counting."""

    def denial(self, first: bytes, last: bool, closing: CloseReason, words: str) -> bytes | None:
        """What a rejected peer is sent; see `tcp.reject.Answer`."""


class Entrance(NamedTuple):
    """A kind of listening socket: its door, and for TLS what returns the context of the next connection."""

    door: DoorServer
    context: Callable[[], ssl.SSLContext] | None = None


class Acceptor:
    """Shared by the doors of one gateway."""

    def __init__(
        self, server: Server, hub: Hub, admission: ConnectionLimits, refusals: Rejections, proxies: Networks
    ) -> None:
        self.admission = admission
        self.introductions = Introductions(server, proxies, admission.leave)
        self._hub = hub
        self._refusals = refusals
        self._handshakes = Handshakes(server, refusals)
        self._told_by_tls = 0
        """Rejected peers whose handshake is not complete."""

    def to(
        self, door: DoorServer, context: Callable[[], ssl.SSLContext] | None = None
    ) -> Callable[[socket.socket, str], None]:
        """The callback of `door`'s listeners for a new connection; with `context`, of those that speak TLS."""
        entrance = Entrance(door, context)

        def accepted(sock: socket.socket, address: str) -> None:
            denied = self.admission.enter()
            if denied is not None:
                self._deny(entrance, sock, address, denied)
            elif address in self.introductions.proxies:
                let_in = partial(self._let_in, entrance, sock)
                self.introductions.begin(sock, address, let_in, optional=door.forwards(address))
            else:
                self._let_in(entrance, sock, remote_at(address))

        return accepted

    def _let_in(self, entrance: Entrance, sock: socket.socket, remote: Remote) -> None:
        """The peer's address is known: hand the connection to the door, or reject it."""
        door, context = entrance
        denied = door.admit(remote)
        if denied is not None:
            self.admission.leave()
            self._deny(entrance, sock, remote.address, denied)
        elif context is None:
            door.arrived(sock, remote)
        else:
            plain = partial(_to_plain, door.door, sock, remote)
            self._handshakes.begin(sock, context(), partial(door.arrived_by_tls, remote=remote),
                                   partial(self._withdraw, door, remote), plain)  # fmt: skip

    def _withdraw(self, door: DoorServer, remote: Remote, reason: str) -> None:
        """An admitted peer has not completed its handshake."""
        door.withdrawn(remote)
        self.admission.leave()
        self._hub.stats.refused(door.door, remote.address, CloseReason.WRONG_DOOR, reason)

    def _deny(self, entrance: Entrance, sock: socket.socket, address: str, denied: tuple[CloseReason, str]) -> None:
        door, context = entrance
        self._hub.stats.refused(door.door, address, *denied)

        def answer(first: bytes, last: bool) -> bytes | None:
            return door.denial(first, last, *denied)

        if context is None:
            self._refusals.refuse(sock, answer)
        elif self._told_by_tls >= self._refusals.most:
            sock.close()
        else:
            self._told_by_tls += 1
            self._handshakes.begin(sock, context(), partial(self._tell_by_tls, answer), self._told, answer)

    def _tell_by_tls(self, answer: Answer, sock: socket.socket, tls: TlsSession) -> None:
        self._told("")
        self._refusals.refuse(TlsSocket(sock, tls), answer)

    def _told(self, reason: str) -> None:
        self._told_by_tls -= 1

    @property
    def shakes_hands(self) -> bool:
        """Whether some peer is in the middle of its handshake."""
        return self._handshakes.begun

    def close(self) -> None:
        """Close the connections whose header has not come, or whose handshake is not complete."""
        self.introductions.close()
        self._handshakes.close()


@lru_cache(1024)
def remote_at(address: str) -> Remote:
    """The peer at an address. Many may come from one: they share its text."""
    return Remote(canonical(address) or address)


def _to_plain(door: Name, sock: socket.socket, remote: Remote, first: bytes, last: bool) -> bytes | None:
    """What a peer is told that speaks no TLS where TLS is expected (`tcp.reject.Answer`)."""
    try:
        host, port = sock.getsockname()[:2]
    except OSError:
        return b""
    where = host_and_port(host, port) if remote.proxy is None else "HOST:PORT"
    words = wording.TLS_PAGE if door is Name.WEB else wording.TLS_LINES
    return answer_to_plain(first, last, words.format(where=where))
