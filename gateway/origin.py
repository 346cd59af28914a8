"""Runs the two servers of the project's origin, each alone on the plain port: `gateway echo`, `serve --classic`."""

import signal
import socket
from pathlib import Path
from typing import Protocol

from gateway import console, logs
from gateway.descriptors import RESERVED, connection_limit
from gateway.ready import hold_standard_descriptors, ready_line, say, write_ports_file
from gateway.tcp.plain import ClassicServer
from gateway.tcp.server import READ, Server, new_selector


class Options(Protocol):
    """The settings these servers use."""

    @property
    def host(self) -> tuple[str, ...]: ...
    @property
    def tcp_port(self) -> int: ...
    @property
    def selector(self) -> str: ...
    @property
    def ports_file(self) -> Path | None: ...
    @property
    def log_level(self) -> str: ...
    @property
    def log_format(self) -> str: ...
    @property
    def console(self) -> bool: ...


def echo(options: Options) -> int:
    """Answer every line with `ip:port line` until stopped; the exit code."""
    return _serve(options, classic=False)


def classic(options: Options) -> int:
    """Send every line to everybody as `ip:port line` until stopped; the exit code."""
    return _serve(options, classic=True)


def _serve(options: Options, *, classic: bool) -> int:
    hold_standard_descriptors()
    logs.start(options.log_level, options.log_format)
    server = Server(new_selector(options.selector))
    stop = _stop_from_anywhere(server)
    try:
        limit = min(connection_limit(0), server.descriptors - RESERVED)
        accepted = ClassicServer(server, classic, limit).accepted
        listeners = server.listen_all(options.host, options.tcp_port, accepted)
        if options.ports_file is not None:
            write_ports_file(options.ports_file, {"tcp": listeners[0].address[1]})
        say(ready_line([("tcp", *listener.address) for listener in listeners]))
        if options.console:
            console.start(stop)
        server.run()
    finally:
        stop.close()
        server.close()
    return 0


def _stop_from_anywhere(server: Server) -> "Stop":
    """A stop that works in a signal handler and in another thread: it wakes the selector through a socket."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    server.watch(reader, READ, lambda mask: server.stop())
    signal.set_wakeup_fd(writer.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return Stop(writer)


class Stop:
    """Callable that ends the server's loop."""

    def __init__(self, writer: socket.socket) -> None:
        self._writer = writer

    def __call__(self) -> None:
        self._writer.send(b"!")

    def close(self) -> None:
        """The loop has ended: signals wake nothing any more."""
        signal.set_wakeup_fd(-1)
        self._writer.close()
