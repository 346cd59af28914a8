"""A TCP server on `selectors`: one selector for every door's listening sockets and every terminal's connection.

Its shape is that of the article the project grew out of: the listening socket is registered with `accept` as its
`key.data`, each connection with its own callback, and a loop calls `key.data` for whatever is ready. The rest is there
because of these facts about the kernel and real peers:

- A call may find nothing to do although the socket was said to be ready (would block), or be interrupted. Neither ends
  anything but itself.
- End of file stays readable for ever, and epoll reports a hang-up whatever was asked for; `selectors` rejects an empty
  mask. A socket that waits for no event is therefore not registered (`watch` with 0).
- A socket must be unregistered before it is closed, because the next connection gets the same number. For the same
  reason an event may be stale when its turn comes: callbacks check that their connection is still open.
- An epoll or kqueue descriptor is itself pollable: another loop can wait for `fileno()` and call `poll`. That is how
  the server runs nested in asyncio; alone it runs in `run`. select and poll have no descriptor and only run alone.
- `selectors` makes a key for each socket, 80 bytes, that says what a connection itself knows. So a connection is its
  `OwnKey`, where the system has epoll; everything else is registered as with every selector.
- One busy peer must not starve the others: `poll` handles at most EVENTS_PER_POLL of what select returned and keeps
  the rest for the next call; it selects again only when nothing is left. (Selecting afresh each time and taking the
  first few would serve the same few for ever.)

The selector's map is the registry of all sockets that wait for something, as in the article's last listing.
"""

import contextlib
import errno
import logging
import select
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping

from gateway import wording
from gateway.core.clock import Timers
from gateway.errors import StartError
from gateway.tcp.listener import MISSING, Accepted, Listener, addresses_of, bound, errno_of, set_options

log = logging.getLogger(__name__)

Callback = Callable[[int], None]
"""Called with the mask of ready events."""
Later = Callable[[float, Callable[[], None]], object]

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE
PORT_TRIES = 20
EVENTS_PER_POLL = 256
COMPLAIN_EVERY = 1.0
"""Seconds between two log lines about newcomers that cannot be accepted, however many doors there are."""
SELECT_DESCRIPTORS = 1024
"""FD_SETSIZE: `select` cannot watch this descriptor or a higher one."""
SELECTORS: dict[str, str] = {
    "auto": "DefaultSelector",
    "epoll": "EpollSelector",
    "poll": "PollSelector",
    "select": "SelectSelector",
    "kqueue": "KqueueSelector",
}


class OwnKey:
    """Reads like a `selectors.SelectorKey` of its socket, and is itself what is called with the ready `events`."""

    __slots__ = ("events", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.events = 0

    @property
    def fileobj(self) -> socket.socket:
        """As in a SelectorKey."""
        return self.sock

    @property
    def data(self) -> "OwnKey":
        """As in a SelectorKey."""
        return self

    def __call__(self, mask: int) -> None:
        raise NotImplementedError


if sys.platform == "linux":

    class LeanEpoll(selectors.EpollSelector):
        """An EpollSelector that also takes sockets that have an `OwnKey`."""

        masks = (0, select.EPOLLIN, select.EPOLLOUT, select.EPOLLIN | select.EPOLLOUT)
        """By the events of `selectors`."""

        def __init__(self) -> None:
            super().__init__()
            self._keys: dict[int, object] = self._fd_to_key  # type: ignore[attr-defined]
            self._epoll: select.epoll = self._selector  # type: ignore[attr-defined]

        def keep(self, descriptor: int, events: int, key: OwnKey) -> None:
            """Register, modify or (events 0) unregister. Raises OSError."""
            if descriptor not in self._keys:
                if events:
                    self._epoll.register(descriptor, self.masks[events])
                    self._keys[descriptor] = key
            elif events:
                self._epoll.modify(descriptor, self.masks[events])
            else:
                del self._keys[descriptor]
                self._epoll.unregister(descriptor)


def new_selector(name: str) -> selectors.BaseSelector:
    """The selector with that name from SELECTORS. Raises StartError if the system does not have it."""
    kind = getattr(selectors, SELECTORS[name], None)
    if kind is None:
        has = ", ".join(known for known, of in SELECTORS.items() if hasattr(selectors, of))
        raise StartError(wording.NO_SELECTOR.format(name=name, has=has))
    if sys.platform == "linux" and kind is selectors.EpollSelector:
        return LeanEpoll()
    selector: selectors.BaseSelector = kind()
    return selector


class Server:
    """The selector and what is registered with it. `later(seconds, job)` is the outer loop's timer when nested."""

    def __init__(self, selector: selectors.BaseSelector, later: Later | None = None) -> None:
        self.selector = selector
        self._keep = selector.keep if sys.platform == "linux" and isinstance(selector, LeanEpoll) else None
        self.timers = Timers()
        self.later: Later = later or self._later
        self.listeners: list[Listener] = []
        self.descriptors = SELECT_DESCRIPTORS if isinstance(selector, selectors.SelectSelector) else sys.maxsize
        """The lowest descriptor number that cannot be watched."""
        self._complained = -COMPLAIN_EVERY
        self._registered: Mapping[int, object] = selector._fd_to_key  # type: ignore[attr-defined]
        """By descriptor. What the selector shows of it catches a KeyError for each socket that is not registered, which
        costs as much as to register; a set of our own costs 65 bytes a connection."""
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

    def adopt(self, sock: socket.socket, accepted: Accepted, busier: Callable[[], bool] | None = None) -> Listener:
        """Accept from a non-blocking socket that listens already and that another process holds as well. Where others
        accept from it too, `busier` is whether one of them has clearly less to do.

        Whoever waits in its queue connected before it had our options, so each connection gets them anew.
        """
        set_options(sock)

        def accepted_with_options(connection: socket.socket, address: str) -> None:
            with contextlib.suppress(OSError):  # a peer that has gone already
                set_options(connection)
            accepted(connection, address)

        listener = Listener(self, sock, accepted_with_options, passed=True, busier=busier)
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
                        if last or not one_of_several or errno_of(problem) not in MISSING:
                            raise
                break
            except StartError as problem:
                for listener in listeners:
                    listener.close()
                    self.listeners.remove(listener)
                if not left or errno_of(problem) != errno.EADDRINUSE:
                    raise
        return listeners

    def watch(self, sock: socket.socket, events: int, callback: Callback) -> None:
        """Call `callback` when any of `events` is ready; 0 = never: the socket is not registered."""
        descriptor = sock.fileno()
        if self._keep is not None and isinstance(callback, OwnKey):
            self._keep(descriptor, events, callback)
        elif descriptor not in self._registered:
            if events:
                self.selector.register(sock, events, callback)
        elif events:
            self.selector.modify(sock, events, callback)
        else:
            self.selector.unregister(sock)

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
            if isinstance(key.fileobj, socket.socket):
                self.watch(key.fileobj, 0, key.data)
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
