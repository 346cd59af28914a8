"""A TCP server on `selectors`: one selector for every door's listening sockets and every terminal's connection.

Its shape is that of the article the project grew out of: the listening socket is registered with `accept` as its
`key.data`, each connection with its own callback, and a loop calls `key.data` for whatever is ready. The rest is there
because of these facts about the kernel and real peers:

- A call may find nothing to do although the socket was said to be ready (would block), or be interrupted; a peer may
  reset before it is accepted. None of these ends anything but itself.
- Out of descriptors, a pending connection keeps the listener readable: it is unregistered and comes back after
  10 ms, doubling up to 1 s, so the process neither spins nor stops listening for good.
- End of file stays readable for ever, and epoll reports a hang-up whatever was asked for; `selectors` rejects an empty
  mask. A socket that waits for no event is therefore not registered (`watch` with 0).
- A socket must be unregistered before it is closed, because the next connection gets the same number. For the same
  reason an event may be stale when its turn comes: callbacks check that their connection is still open.
- An epoll or kqueue descriptor is itself pollable: another loop can wait for `fileno()` and call `poll`. That is how
  the server runs nested in asyncio; alone it runs in `run`. select and poll have no descriptor and only run alone.
- One busy peer must not starve the others: `poll` handles at most EVENTS_PER_POLL of what select returned and keeps
  the rest for the next call; it selects again only when nothing is left. (Selecting afresh each time and taking the
  first few would serve the same few for ever.)

The selector's map is the registry of all sockets that wait for something, as in the article's last listing.
"""

import contextlib
import errno
import logging
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable

from gateway import wording
from gateway.core.clock import Timers
from gateway.errors import StartError

log = logging.getLogger(__name__)

Callback = Callable[[int], None]
"""Called with the mask of ready events."""
Accepted = Callable[[socket.socket, str], None]
"""Called with a new connection, non-blocking, and the peer's address without its port."""
Later = Callable[[float, Callable[[], None]], object]

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE
BACKLOG = 1024
ACCEPTS_PER_POLL = 64
MISSING = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""Errors that mean: the machine does not have the address, or its family."""
PORT_TRIES = 20
EVENTS_PER_POLL = 256
RETRY_FIRST = 0.01
RETRY_LAST = 1.0
QUEUE_OFFSET = 24
"""Offset in Linux' struct tcp_info of a listening socket's queue: connections waiting to be accepted, and the limit."""
COMPLAIN_EVERY = 1.0
"""Seconds between two log lines about newcomers that cannot be accepted, however many doors there are."""
SELECT_DESCRIPTORS = 1024
"""FD_SETSIZE: `select` cannot watch this descriptor or a higher one."""
SEND_BUFFER = 128 << 10
"""Bytes the kernel may buffer for one peer: small, so that unread output shows as lag in the log."""
KEEPALIVE = {"TCP_KEEPIDLE": 45, "TCP_KEEPALIVE": 45, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 3}
"""Finds a dead peer in 95 s (the second name is macOS's for the first). No TCP_USER_TIMEOUT: it would cut live peers
that do not read."""
OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
SELECTORS: dict[str, str] = {
    "auto": "DefaultSelector",
    "epoll": "EpollSelector",
    "poll": "PollSelector",
    "select": "SelectSelector",
    "kqueue": "KqueueSelector",
}


def new_selector(name: str) -> selectors.BaseSelector:
    """The selector with that name from SELECTORS. Raises StartError if the system does not have it."""
    kind = getattr(selectors, SELECTORS[name], None)
    if kind is None:
        has = ", ".join(known for known, of in SELECTORS.items() if hasattr(selectors, of))
        raise StartError(f"this system has no {name}; --selector may be {has}")
    selector: selectors.BaseSelector = kind()
    return selector


class Listener:
    """One listening socket and where its connections go."""

    def __init__(self, server: "Server", sock: socket.socket, accepted: Accepted, *, passed: bool = False) -> None:
        self.server = server
        self.sock = sock
        self.accepted = accepted
        self.passed = passed
        """Whether another process holds the socket as well: newcomers go on to wait in its queue once we close it."""
        self.retry = RETRY_FIRST
        self.accepting = True
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
        for _ in range(ACCEPTS_PER_POLL):
            try:
                sock, address = self.sock.accept()
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
            if sock.fileno() >= self.server.descriptors:
                sock.close()
                self.server.complain(wording.SELECT_FULL.format(limit=self.server.descriptors))
                continue
            sock.setblocking(False)
            try:
                self.accepted(sock, address[0])
            except Exception:
                log.exception(wording.LOG_NOT_TAKEN_IN, address[0])
                sock.close()

    def _rest(self, problem: OSError) -> None:
        """Leave the newcomers in the backlog for a while."""
        self.server.complain(wording.CANNOT_ACCEPT.format(port=self.address[1], problem=problem.strerror))
        self.server.watch(self.sock, 0, self.accept)
        self.server.later(self.retry, self._wake)
        self.retry = min(self.retry * 2, RETRY_LAST)

    def _wake(self) -> None:
        if self.accepting and not self.closed:
            self.server.watch(self.sock, READ, self.accept)

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
            self.accept(READ)
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


class Server:
    """The selector and what is registered with it. `later(seconds, job)` is the outer loop's timer when nested."""

    def __init__(self, selector: selectors.BaseSelector, later: Later | None = None) -> None:
        self.selector = selector
        self.timers = Timers()
        self.later: Later = later or self._later
        self.listeners: list[Listener] = []
        self.descriptors = SELECT_DESCRIPTORS if isinstance(selector, selectors.SelectSelector) else sys.maxsize
        """The lowest descriptor number that cannot be watched."""
        self._complained = -COMPLAIN_EVERY
        self._ready: list[tuple[selectors.SelectorKey, int]] = []
        self._stopped = False

    def fileno(self) -> int:
        """The selector's own descriptor, to be polled by another loop (epoll and kqueue only)."""
        return self.selector.fileno()  # type: ignore[attr-defined, no-any-return]

    def listen(self, host: str, port: int, accepted: Accepted) -> Listener:
        """Listen on `host` (name, IPv4 or IPv6) and `port` (0 = any free). Raises StartError with advice."""
        sock = bound(host, port)
        listener = Listener(self, sock, accepted)
        self.listeners.append(listener)
        self.watch(sock, READ, listener.accept)
        return listener

    def adopt(self, sock: socket.socket, accepted: Accepted) -> Listener:
        """Accept from a non-blocking socket that listens already and that another process holds as well.

        Whoever waits in its queue connected before it had our options, so each connection gets them anew.
        """
        set_options(sock)

        def accepted_with_options(connection: socket.socket, address: str) -> None:
            with contextlib.suppress(OSError):  # a peer that has gone already
                set_options(connection)
            accepted(connection, address)

        listener = Listener(self, sock, accepted_with_options, passed=True)
        self.listeners.append(listener)
        self.watch(sock, READ, listener.accept)
        return listener

    def listen_all(self, hosts: Iterable[str], port: int, accepted: Accepted) -> list[Listener]:
        """Listen on every host, at each of its addresses that this machine has. With port 0 all share the port
        that the first one was given; port -1: nowhere.

        A port that is free at the first host may be taken at the next: then all try another one, PORT_TRIES times.
        """
        addresses = {address: len(found) > 1 for found in map(addresses_of, hosts) for address in found}
        for left in reversed(range(PORT_TRIES if port == 0 else 1)):
            listeners: list[Listener] = []
            try:
                for address, one_of_several in addresses.items() if port >= 0 else ():
                    try:
                        listeners.append(self.listen(address, listeners[0].address[1] if listeners else port, accepted))
                    except StartError as problem:
                        last = address == next(reversed(addresses)) and not listeners
                        if last or not one_of_several or _errno(problem) not in MISSING:
                            raise
                break
            except StartError as problem:
                for listener in listeners:
                    listener.close()
                    self.listeners.remove(listener)
                if not left or _errno(problem) != errno.EADDRINUSE:
                    raise
        return listeners

    def watch(self, sock: socket.socket, events: int, callback: Callback) -> None:
        """Call `callback` when any of `events` is ready; 0 = never: the socket is not registered."""
        registered = sock.fileno() in self.selector.get_map()
        if not events:
            if registered:
                self.selector.unregister(sock)
        elif registered:
            self.selector.modify(sock, events, callback)
        else:
            self.selector.register(sock, events, callback)

    def poll(self, timeout: float | None = 0) -> None:
        """One round: wait at most `timeout` seconds (0 = do not, None = until something happens), then handle at most
        EVENTS_PER_POLL events."""
        if not self._ready:
            self._ready = self.selector.select(timeout)
            self._ready.reverse()
        for _ in range(min(EVENTS_PER_POLL, len(self._ready))):
            key, mask = self._ready.pop()
            key.data(mask)

    def run(self) -> None:
        """Serve alone until `stop`."""
        while not self._stopped:
            due = self.timers.next
            wait = None if due is None else max(0.0, due - time.monotonic())
            self.poll(0 if self._ready else wait)
            self.timers.run(time.monotonic())

    def stop(self) -> None:
        """Make `run` return after this round. Call it from a callback or a timer."""
        self._stopped = True

    def close(self) -> None:
        """Close every listener, unregister and close every other socket, then the selector. Remove `fileno()` from the
        outer loop first."""
        for listener in self.listeners:
            listener.close()
        for key in list(self.selector.get_map().values()):
            self.selector.unregister(key.fileobj)
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self.selector.close()

    def complain(self, words: str) -> None:
        """Log a warning about newcomers, at most one every COMPLAIN_EVERY."""
        now = time.monotonic()
        if now - self._complained >= COMPLAIN_EVERY:
            self._complained = now
            log.warning("%s", words)

    def _later(self, seconds: float, job: Callable[[], None]) -> None:
        self.timers.add(time.monotonic() + seconds, job)


def addresses_of(host: str) -> list[str]:
    """The addresses to listen at for `host`: of a name all (localhost is often 127.0.0.1 and ::1, and browsers try ::1
    first), for `::`, every IPv6 interface, every IPv4 interface too. IPv4 first. Raises StartError with advice."""
    if host == "::":
        return ["0.0.0.0", "::"]
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as problem:
        raise StartError(
            f"cannot listen on {host}: {getattr(problem, 'strerror', None) or 'not a host name'}; "
            "--host takes an address or a name of this machine"
        ) from problem
    return list(dict.fromkeys(str(each[4][0]) for each in sorted(found, key=lambda each: each[0] != socket.AF_INET)))


def _errno(problem: StartError) -> int | None:
    return problem.__cause__.errno if isinstance(problem.__cause__, OSError) else None


def bound(host: str, port: int) -> socket.socket:
    """A non-blocking socket that listens on `host` and `port`. Raises StartError with advice."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as problem:
        raise StartError(f"cannot listen on {host}: {problem.strerror}; --host takes an address of this machine") \
            from problem  # fmt: skip
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        set_options(sock)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as problem:
        sock.close()
        other = "port" if problem.errno not in MISSING else "address: this machine does not have that one"
        raise StartError(f"cannot listen on {host} port {port}: {problem.strerror}; choose another {other}") \
            from problem  # fmt: skip
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
