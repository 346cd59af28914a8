"""The acceptor: between a listening socket and a door. Applies the connection limits, asks the proxies that are listed,
and only those, for a PROXY header, and has the TLS handshake made where the port wants one.

A connection from one of `proxies` must begin with a header (`tcp.proxy_protocol`). What follows the header must stay in
the socket, because the door, or the loop that it belongs to, reads it from there. So the header is peeked at first
(MSG_PEEK), and only bytes that certainly belong to it are read: all of them while it is incomplete (otherwise the same
bytes would keep the socket readable and this would spin), and up to its last byte when it is complete.

A proxy that also passes requests on (`web.trusted_proxies`) cannot begin those with a header, so at the web door it
need not: there the first bytes decide. They are the proxy's own either way, and who can forge them by way of it could
forge what it forwards as well.

The order is: the limit of all connections, the PROXY header, the limits of the address, TLS. A rejected peer shakes
hands too, because it could not read why otherwise, but only as many of them as may linger.
"""

import logging
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
from gateway.tcp.proxy_protocol import HEADER_BYTES, Malformed, header
from gateway.tcp.reject import Answer, Rejections
from gateway.tcp.server import READ, Server
from gateway.tcp.tls_connection import TlsSocket
from gateway.tcp.tls_handshake import Handshakes
from gateway.tcp.wrong_door import answer_to_plain
from gateway.tls import TlsSession

log = logging.getLogger(__name__)

HEADER_SECONDS = 10.0
"""Seconds that a proxy may take to send the header."""
SHORTEST_BYTES = 15
"""No header, no request and no TLS hello is shorter (`PROXY UNKNOWN` with its end), so that these can be told apart
before any of them is taken out of the socket."""
AGAIN_SECONDS = 0.05
"""When to look again at a connection that has sent less than that."""


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
            elif address in self.proxies:
                self._waiting.add(Introduction(self, entrance, sock, address, optional=door.forwards(address)))
            else:
                self.let_in(entrance, sock, remote_at(address))

        return accepted

    def let_in(self, entrance: Entrance, sock: socket.socket, remote: Remote) -> None:
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

    def introduced(self, introduction: "Introduction") -> None:
        """The introduction is over: forget it."""
        self._waiting.discard(introduction)

    @property
    def shakes_hands(self) -> bool:
        """Whether some peer is in the middle of its handshake."""
        return self._handshakes.begun

    def close(self) -> None:
        """Close the connections whose header has not come, or whose handshake is not complete."""
        for introduction in list(self._waiting):
            introduction.give_up(wording.STOPPING)
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


class Introduction:
    """One proxied connection whose header is not complete yet; `optional`: it may come without one."""

    __slots__ = ("_acceptor", "_address", "_entrance", "_optional", "_over", "_seen", "_sock")

    def __init__(
        self, acceptor: Acceptor, entrance: Entrance, sock: socket.socket, address: str, *, optional: bool
    ) -> None:
        self._acceptor = acceptor
        self._entrance = entrance
        self._sock = sock
        self._address = address
        self._optional = optional
        self._seen = b""
        self._over = False
        acceptor.server.watch(sock, READ, self.ready)
        acceptor.server.later(HEADER_SECONDS, self._expire)

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
                self._let_in(Remote(self._address))
            else:
                self.give_up(str(problem))
            return
        except OSError as problem:
            self.give_up(str(problem))
            return
        if found is not None:
            itself = Remote(self._address)
            self._let_in(itself if found.source is None else Remote(found.source, self._address, found.encrypted))
        elif not ahead and not self._seen:
            self._close()  # only a check whether we listen, as load balancers make it
        elif not ahead:
            self.give_up(wording.PROXY_ENDED)

    def _look_again_later(self) -> None:
        """What has come stays in the socket, which would be reported as readable all the time."""
        self._acceptor.server.watch(self._sock, 0, self.ready)
        self._acceptor.server.later(AGAIN_SECONDS, self._look_again)

    def _look_again(self) -> None:
        if not self._over:
            self._acceptor.server.watch(self._sock, READ, self.ready)

    def _expire(self) -> None:
        """The time for a header is over."""
        if self._optional and not self._seen and not self._over:
            self._let_in(Remote(self._address))  # connected ahead of its first request
        else:
            self.give_up(wording.PROXY_SILENT.format(seconds=HEADER_SECONDS))

    def _let_in(self, remote: Remote) -> None:
        self._end()
        try:
            self._acceptor.let_in(self._entrance, self._sock, remote)
        except Exception:
            log.exception(wording.LOG_NOT_TAKEN_IN_BY, remote.address, self._address)
            self._sock.close()

    def give_up(self, reason: str) -> None:
        """Close a connection without a header, and log it. Calling it later does nothing."""
        if not self._over:
            self._close()
            self._acceptor.server.complain(wording.NO_PROXY_HEADER.format(address=self._address, problem=reason))

    def _close(self) -> None:
        self._end()
        self._sock.close()
        self._acceptor.admission.leave()

    def _end(self) -> None:
        self._over = True
        self._acceptor.server.watch(self._sock, 0, self.ready)
        self._acceptor.introduced(self)
