"""A listening socket: opens a port, accepts newcomers, and rests when the process is out of descriptors.

- Out of descriptors (EMFILE and the like), a pending connection keeps the socket readable: it is unregistered and comes
  back after 10 ms, doubling up to 1 s, so the process neither spins nor stops listening for good. Newcomers wait in the
  kernel's backlog meanwhile.
- A peer may reset before it is accepted; a door may fail on one. Neither ends anything but that connection.
- Options set on the listening socket are inherited by the connections that it accepts.
- A socket that systemd passed to us is held by another process as well. It is never shut, only left: its newcomers go
  on to wait in its queue.
- Workers accept from the same sockets, and the kernel wakes the same one again and again. A worker that has clearly
  more connections than another leaves the newcomers to it for LEAVE_SECONDS. Those that are still there then it takes
  itself: the other may stand still.
"""

import errno
import logging
import socket
import struct
import sys
from collections.abc import Callable
from selectors import EVENT_READ
from typing import Protocol

from gateway import wording
from gateway.core.address import canonical
from gateway.errors import StartError

log = logging.getLogger(__name__)

Accepted = Callable[[socket.socket, str], None]
"""Called with a new connection, non-blocking, and the peer's address without its port."""

BACKLOG = 1024
ACCEPTS_PER_POLL = 64
LEAVE_SECONDS = 0.01
OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
RETRY_FIRST = 0.01
RETRY_LAST = 1.0
MISSING = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""Errors that mean: the machine does not have the address, or its family."""
QUEUE_OFFSET = 24
"""Offset in Linux' struct tcp_info of a listening socket's queue: connections waiting to be accepted, and the limit."""
SEND_BUFFER = 128 << 10
"""Bytes the kernel may buffer for one peer: small, so that unread output shows as lag in the log."""
KEEPALIVE = {"TCP_KEEPIDLE": 45, "TCP_KEEPALIVE": 45, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 3}
"""Finds a dead peer in 95 s (the second name is macOS's for the first). No TCP_USER_TIMEOUT: it would cut live peers
that do not read."""


class Reactor(Protocol):
    """The server, as its listeners see it (`tcp.server.Server`)."""

    @property
    def descriptors(self) -> int:
        """The lowest descriptor number that cannot be watched."""

    @property
    def later(self) -> Callable[[float, Callable[[], None]], object]:
        """Calls a job after so many seconds."""

    def watch(self, sock: socket.socket, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback` when any of `events` is ready; 0 = never."""

    def complain(self, words: str) -> None:
        """Log a warning about newcomers, not too often."""


class Listener:
    """One listening socket and where its connections go."""

    def __init__(
        self,
        server: Reactor,
        sock: socket.socket,
        accepted: Accepted,
        *,
        passed: bool = False,
        busier: Callable[[], bool] | None = None,
    ) -> None:
        self.server = server
        self.sock = sock
        self.accepted = accepted
        self.passed = passed
        """Whether another process holds the socket as well: newcomers go on to wait in its queue once we close it."""
        self.busier = busier
        """Whether another process that accepts from the socket has clearly less to do."""
        self._left = False
        self.retry = RETRY_FIRST
        self.accepting = True
        self._kind = int(sock.family), int(sock.type), sock.proto
        host, port = sock.getsockname()[:2]
        self.address: tuple[str, int] = (host, port)
        """Host and port, as bound; known after `close` as well."""

    @property
    def closed(self) -> bool:
        """Whether it has stopped listening."""
        return self.sock.fileno() < 0

    @property
    def queue(self) -> float:
        """The filled share of the backlog; 0 where the system does not tell. While accepting is paused newcomers wait
        there on purpose: that is 0 as well."""
        if self.closed or not self.accepting or not sys.platform.startswith("linux"):
            return 0.0
        told = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, QUEUE_OFFSET + 8)
        waiting, backlog = struct.unpack_from("II", told, QUEUE_OFFSET)
        return waiting / backlog if backlog else 0.0

    def accept(self, mask: int) -> None:
        """Accept waiting connections, at most ACCEPTS_PER_POLL."""
        busier, self._left = None if self._left else self.busier, False
        for _ in range(ACCEPTS_PER_POLL):
            if busier is not None and busier():
                self._leave()
                return
            try:
                # What `accept` is made of: itself it looks up enumerations for each newcomer, a fiftieth of an arrival.
                descriptor, address = self.sock._accept()  # type: ignore[attr-defined]
            except (BlockingIOError, InterruptedError):
                self.retry = RETRY_FIRST
                return
            except OSError as problem:
                if problem.errno in OUT_OF_DESCRIPTORS:
                    self._rest(problem)
                    return
                if self.closed:
                    return
                continue
            sock = socket.socket(*self._kind, descriptor)
            if descriptor >= self.server.descriptors:
                sock.close()
                self.server.complain(wording.SELECT_FULL.format(limit=self.server.descriptors))
                continue
            sock.setblocking(False)
            try:
                self.accepted(sock, address[0])
            except Exception:
                log.exception(wording.LOG_NOT_TAKEN_IN, address[0])
                sock.close()

    def _leave(self) -> None:
        """Leave the newcomers to others for a moment."""
        self._left = True
        self.server.watch(self.sock, 0, self.accept)
        self.server.later(LEAVE_SECONDS, self._wake)

    def _rest(self, problem: OSError) -> None:
        """Leave the newcomers in the backlog for a while."""
        self.server.complain(wording.CANNOT_ACCEPT.format(port=self.address[1], problem=problem.strerror))
        self.server.watch(self.sock, 0, self.accept)
        self.server.later(self.retry, self._wake)
        self.retry = min(self.retry * 2, RETRY_LAST)

    def _wake(self) -> None:
        if self.accepting and not self.closed:
            self.server.watch(self.sock, EVENT_READ, self.accept)

    def pause(self) -> None:
        """Stop accepting for now: newcomers wait in the backlog."""
        self.accepting = False
        if not self.closed:
            self.server.watch(self.sock, 0, self.accept)

    def open(self) -> None:
        """Accept again."""
        self.accepting = True
        self._wake()

    def shut(self) -> None:
        """Accept what waits already, then close the port: the kernel refuses newcomers. Calling it again does nothing,
        nor does it for a socket that was passed to us: its newcomers would wait for nobody instead of being told."""
        if not self.closed and not self.passed:
            self.accept(EVENT_READ)
            self.server.watch(self.sock, 0, self.accept)
            self.sock.close()

    def listen_again(self) -> None:
        """Undo `shut`. Raises StartError if another process has taken the port."""
        if self.closed:
            self.sock = bound(*self.address)
            self._wake()

    def close(self) -> None:
        """Stop listening for good. Closing again does nothing."""
        if not self.closed:
            self.pause()
            self.sock.close()


def addresses_of(host: str) -> list[str]:
    """The addresses to listen at for `host`: of a name all (localhost is often 127.0.0.1 and ::1, and browsers try ::1
    first), for `::`, every IPv6 interface, every IPv4 interface too. IPv4 first. Raises StartError with advice."""
    if host == "::":
        return ["0.0.0.0", "::"]
    if "%" not in host:  # a scope belongs to the interface
        host = canonical(host) or host  # what is mapped into IPv6 is listened at as the IPv4 address that it is
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as problem:
        why = getattr(problem, "strerror", None) or wording.NOT_A_HOST_NAME
        raise StartError(wording.CANNOT_LISTEN_ON_NAME.format(host=host, why=why)) from problem
    return list(dict.fromkeys(str(each[4][0]) for each in sorted(found, key=lambda each: each[0] != socket.AF_INET)))


def errno_of(problem: StartError) -> int | None:
    """The error of the system behind a start that failed, if it was one."""
    return problem.__cause__.errno if isinstance(problem.__cause__, OSError) else None


def bound(host: str, port: int) -> socket.socket:
    """A non-blocking socket that listens on `host` and `port`. Raises StartError with advice."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as problem:
        raise StartError(wording.CANNOT_LISTEN_ON.format(host=host, why=problem.strerror)) from problem
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        set_options(sock)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as problem:
        sock.close()
        other = "port" if problem.errno not in MISSING else wording.OTHER_ADDRESS
        words = wording.CANNOT_LISTEN_ON_PORT.format(host=host, port=port, why=problem.strerror, other=other)
        raise StartError(words) from problem
    sock.setblocking(False)
    return sock


def set_options(sock: socket.socket) -> None:
    """Set the options of connections on their listening socket; accepted sockets inherit them, which saves eight system
    calls a connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in KEEPALIVE.items():
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
