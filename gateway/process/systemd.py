"""systemd, when it starts us: what it is told of our state (sd_notify), and the listening sockets that it passes on.

Both protocols are a few lines of environment and a datagram, so no package is needed; what is not obvious:

- NOTIFY_SOCKET names a Unix socket, with `@` before an abstract name. It must be writable inside the unit's sandbox, so
  RestrictAddressFamilies has to allow AF_UNIX.
- Its queue may be full while systemd is busy: a blocking send would stop every chat. What cannot be sent waits here, in
  its order, for the next beat.
- The variables are inherited by whatever a service starts. WATCHDOG_PID and LISTEN_PID say whose they are, but
  NOTIFY_SOCKET does not, so a socket that does not answer is mentioned once and otherwise ignored. All of them are
  removed from the environment, and the sockets closed at exec, so that no program of ours takes them for its own.
- RELOADING=1 must be followed by READY=1, also if the reload has failed, or `systemctl reload` waits for ever.
  Type=notify-reload (systemd 253) also wants the time, by the clock that Linux calls monotonic.
- The watchdog is fed from the loop's heartbeat, never from a thread: what it has to notice is a loop that stands still.

A listening socket that is passed on stays open in systemd when we close ours: newcomers wait in its queue while the
gateway restarts, and none is refused. So we must not expect the kernel to refuse anybody because we closed it.
"""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import NamedTuple

from gateway import wording
from gateway.errors import StartError

log = logging.getLogger(__name__)

FIRST_PASSED = 3
"""SD_LISTEN_FDS_START: the sockets follow the standard streams."""
MOST_UNSENT = 16
"""Messages that may wait for a manager that does not read; the oldest is dropped then."""
BEAT_SECONDS = 1.0
"""How often `alive` is called."""
STATUS_BEATS = 10
"""The status is sent anew that often, if it has changed."""


class ServiceManager:
    """The service manager, which is told our state. Without NOTIFY_SOCKET every verb does nothing."""

    def __init__(self, sock: socket.socket | None, address: str | None = None, *, watched: bool = True) -> None:
        self._socket = sock
        self._address = address
        """Where to send; None: the socket is connected."""
        self._watched = watched
        self._unsent: list[str] = []
        self._beats = 0
        self._status = ""
        self.gone: Callable[[], object] = lambda: None
        """Called when nobody is there any more who could be told."""
        if sock is not None:
            sock.setblocking(False)

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> "ServiceManager":
        """The manager that the environment names; the variable is removed from the environment."""
        address = environ.pop("NOTIFY_SOCKET", "")
        owner, usec = environ.pop("WATCHDOG_PID", ""), environ.pop("WATCHDOG_USEC", "")
        watched = usec.isdigit() and int(usec) > 0 and owner in ("", str(os.getpid()))
        if watched and int(usec) < 2e6 * BEAT_SECONDS:
            log.warning(wording.LOG_WATCHDOG_SHORT, int(usec) / 1e6, 2 * BEAT_SECONDS)
        if address.startswith(("/", "@")):
            place = "\0" + address[1:] if address.startswith("@") else address
            return cls(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), place, watched=watched)
        if address:
            log.warning(wording.LOG_MANAGER_UNKNOWN, address[:100])
        return cls(None)

    def ready(self, status: str) -> None:
        """The doors listen, for the first time or after a reload."""
        self._status = status
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """The settings are being read again; `ready` has to follow."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, status: str) -> None:
        """The gateway stops, whoever asked for it."""
        self._send(f"STOPPING=1\nSTATUS={status}")

    def alive(self, status: Callable[[], str]) -> None:
        """The loop turns: call it once every BEAT_SECONDS. `status` is one line for `systemctl status`."""
        if self._socket is None:
            return
        self._beats += 1
        if self._beats % STATUS_BEATS == 0 and (words := status()) != self._status:
            self._status = words
            self._send(f"STATUS={words}")
        if self._watched:
            self._send("WATCHDOG=1")
        elif self._unsent:
            self._flush()

    def close(self) -> None:
        """Nobody is told anything any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is not None:
            self._unsent = [*self._unsent, message][-MOST_UNSENT:]
            self._flush()

    def _flush(self) -> None:
        assert self._socket is not None
        try:
            while self._unsent:
                message = self._unsent[0].encode()
                if self._address is None:
                    self._socket.send(message)
                else:
                    self._socket.sendto(message, self._address)
                del self._unsent[0]
        except BlockingIOError:
            return
        except OSError as problem:
            where = (self._address or "supervisor").replace("\0", "@")
            log.warning(wording.LOG_MANAGER_GONE, where, problem.strerror or problem)
            self.close()
            self.gone()


class PassedSocket(NamedTuple):
    """A listening socket that we were started with, and what its unit calls it (perhaps nothing we know)."""

    name: str
    sock: socket.socket


def passed_sockets(environ: MutableMapping[str, str]) -> list[PassedSocket]:
    """The sockets that systemd, or whoever speaks its protocol, has passed to this process: non-blocking, in the order
    of their descriptors. Raises StartError for one that no door can listen on."""
    owner, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if not count:
        return []
    if owner != str(os.getpid()):
        log.warning(wording.LOG_PASSED_TO_ANOTHER, owner or "?", os.getpid())
        return []
    if not count.isdigit():
        raise StartError(wording.LISTEN_FDS_NO_NUMBER.format(count=count[:20]))
    descriptors = range(FIRST_PASSED, FIRST_PASSED + int(count))
    names += [""] * (len(descriptors) - len(names))
    return [PassedSocket(name, _listening(number, name)) for number, name in zip(descriptors, names, strict=False)]


def _listening(descriptor: int, name: str) -> socket.socket:
    """The socket with that number. Raises StartError with what is wrong in the unit."""
    what = f"descriptor {descriptor}" + (f" ({name})" if name else "")
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as problem:
        raise StartError(wording.PASSED_NO_SOCKET.format(what=what, why=problem.strerror)) from problem
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        wrong = wording.PASSED_NOT_TCP
    elif not _accepts(sock):
        wrong = wording.PASSED_DEAF
    else:
        os.set_inheritable(descriptor, False)
        sock.setblocking(False)
        return sock
    sock.detach()
    raise StartError(wording.PASSED_WRONG.format(what=what, wrong=wrong))


def _accepts(sock: socket.socket) -> bool:
    """Whether it listens; where the system does not tell, it is believed."""
    with contextlib.suppress(OSError, AttributeError):
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return True
