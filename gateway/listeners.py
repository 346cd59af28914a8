"""The listening sockets of all doors: opened at the start, paused by SIGUSR2, closed and reopened by a drain, closed at
the end.

`core.gate` decides whether newcomers are let in; this file applies that to the sockets, and reports their state.

Sockets that were passed to the process (systemd's socket activation) take the place of their door's `--host` and port,
-1 included; the other doors follow their settings. A socket belongs to the door that its unit names by
FileDescriptorName= (`tcp-tls` or `tcp_tls`), otherwise to the one whose port it listens on: so one socket unit, which
has one name for all its sockets, serves all doors.
"""

import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from gateway import wording
from gateway.core.address import WaysIn, is_loopback, named_host
from gateway.core.gate import DOORS, DoorState, Gate
from gateway.core.protocol.message import Door
from gateway.errors import Code, Refusal, StartError
from gateway.process.systemd import PassedSocket
from gateway.tcp.listener import Accepted, Listener
from gateway.tcp.server import Server

RETRY_MS = 5000


class Site(Protocol):
    """The names the gateway is known by, and the path below which a proxy shows the page."""

    @property
    def hosts(self) -> Sequence[str]: ...
    @property
    def base_path(self) -> str: ...


class Among(Protocol):
    """This process among those that accept from the same sockets."""

    def busier(self) -> bool:
        """Whether another one that accepts has clearly less to do."""

    def accepts(self, accepting: bool) -> None:
        """Tell the others whether this one accepts."""


class ListeningAt(NamedTuple):
    """One open port and its state."""

    door: Door
    host: str
    port: int
    state: DoorState
    tls: bool

    @property
    def name(self) -> str:
        """What the port is called: the door, and whether it speaks TLS where the door has a port without it as well."""
        return port_name(self.door, self.tls)


def port_name(door: Door, tls: bool) -> str:
    """`tcp`, `tcp_tls`, `web`: the key of a port in the ports file. The web door has one port, with TLS or without."""
    return f"{door}_tls" if tls and door is not Door.WEB else door.value


PORT_NAMES = tuple(port_name(door, tls) for tls in (False, True) for door in DOORS if not (tls and door is Door.WEB))


class PortSettings(Protocol):
    """The settings of all ports."""

    @property
    def tcp_port(self) -> int: ...
    @property
    def telnet_port(self) -> int: ...
    @property
    def web_port(self) -> int: ...
    @property
    def tcp_tls_port(self) -> int: ...
    @property
    def telnet_tls_port(self) -> int: ...
    @property
    def tls_cert(self) -> object | None: ...


def by_port_name(passed: Iterable[PassedSocket], settings: PortSettings) -> dict[str, list[socket.socket]]:
    """The passed sockets by the `port_name` they serve. Raises StartError for a socket that belongs to no door."""
    ports: dict[str, int] = {name: getattr(settings, f"{name}_port") for name in PORT_NAMES}
    found: dict[str, list[socket.socket]] = {}
    for each in passed:
        port = each.sock.getsockname()[1]
        name = each.name.replace("-", "_")
        if name not in PORT_NAMES:
            name = next((known for known, wanted in ports.items() if wanted == port), "")
        if not name:
            raise StartError(wording.SOCKET_OF_NO_DOOR.format(port=port, names=", ".join(PORT_NAMES).replace("_", "-")))
        if name.endswith("_tls") and settings.tls_cert is None:
            raise StartError(wording.SOCKET_NEEDS_CERTIFICATE.format(name=name))
        found.setdefault(name, []).append(each.sock)
    return found


class Listeners:
    """The listeners by door, in the order of opening; the `DoorPorts` of `core.operators.drain`. `passed` are sockets
    that listen already, by `port_name`: they are taken out when their door opens. `among` is for sockets from which
    other processes accept as well."""

    def __init__(
        self,
        server: Server,
        gate: Gate,
        passed: dict[str, list[socket.socket]],
        among: "Among | None" = None,
    ) -> None:
        self._server = server
        self._gate = gate
        self._passed = passed
        self._among = among
        self._of: dict[Door, list[Listener]] = {}
        self._tls: set[Listener] = set()

    def listen(self, door: Door, hosts: Sequence[str], port: int, accepted: Accepted, *, tls: bool) -> None:
        """Open a port of a door at each host, or take the sockets that were passed for it; `accepted` gets each new
        connection, `tls` is whether it speaks TLS. Raises StartError."""
        among = self._among
        sockets = self._passed.pop(port_name(door, tls), ())
        if sockets:
            opened = [self._server.adopt(each, accepted, None if among is None else among.busier) for each in sockets]
        else:
            opened = self._server.listen_all(hosts, port, accepted)
        self._of.setdefault(door, []).extend(opened)
        if among is not None:
            among.accepts(True)
        if tls:
            self._tls.update(opened)

    def hosts(self, wanted: Sequence[str]) -> Sequence[str]:
        """Where the doors listen: at the hosts of the settings (`wanted`), or where passed sockets do."""
        passed = any(each.passed for listeners in self._of.values() for each in listeners)
        return list(dict.fromkeys(each.host for each in self.all())) if passed else wanted

    def first(self, name: str) -> tuple[str, int] | None:
        """Host and port of the first listener with that `port_name`; None where there is none."""
        return next(((each.host, each.port) for each in self.all() if each.name == name), None)

    def ports(self) -> Mapping[str, int]:
        """The open ports by their `port_name`."""
        return {name: port for name, _, port in self.named()}

    def all(self) -> list[ListeningAt]:
        """Every listener and its state."""
        return [
            ListeningAt(door, *each.address, self._state(door, each), each in self._tls)
            for door, listeners in self._of.items()
            for each in listeners
        ]

    def named(self) -> list[tuple[str, str, int]]:
        """(`port_name`, host, port) of every listener, sorted by door."""
        return [(each.name, each.host, each.port) for door in DOORS for each in self.all() if each.door is door]

    def ways_in(self, hosts: Sequence[str], site: Site, scheme: str) -> WaysIn:
        """What peers are told of how others get in: `hosts` is where the doors listen, `site` and `scheme` are the
        page's."""
        local = all(host == "localhost" or is_loopback(host) for host in hosts)
        ports = self.ports()
        web, tcp, tcp_tls = (ports.get(name) for name in ("web", "tcp", "tcp_tls"))
        names = tuple(map(named_host, site.hosts))
        shown = next((name for name in site.hosts if "//" in name), "")
        return WaysIn(web, tcp, names, local, site.base_path, scheme, tcp_tls, shown)

    def _state(self, door: Door, listener: Listener) -> DoorState:
        state = self._gate.state(door)
        if state is not DoorState.READY:
            return state
        if listener.closed:
            return DoorState.CLOSED
        return DoorState.READY if listener.accepting else DoorState.PAUSED

    @property
    def queue(self) -> float:
        """The share of the fullest backlog that waits to be accepted."""
        return max((each.queue for listeners in self._of.values() for each in listeners), default=0.0)

    def pause(self, paused: bool) -> None:
        """Leave newcomers in the backlog, or accept again."""
        if self._among is not None:
            self._among.accepts(not paused)
        for listeners in self._of.values():
            for each in listeners:
                each.pause() if paused else each.open()

    def close(self) -> None:
        """Stop listening for good."""
        if self._among is not None:
            self._among.accepts(False)
        for listeners in self._of.values():
            for each in listeners:
                each.close()

    def doors(self) -> Collection[Door]:
        """See `core.operators.drain.DoorPorts`."""
        return [door for door, listeners in self._of.items() if listeners]

    def shut(self, door: Door) -> None:
        """See `core.operators.drain.DoorPorts`. The web door keeps its port, so that /admin stays reachable."""
        if door is not Door.WEB:
            for each in self._of[door]:
                each.shut()

    def open(self, door: Door) -> None:
        """See `core.operators.drain.DoorPorts`."""
        try:
            for each in self._of[door]:
                each.listen_again()
        except StartError as problem:
            raise Refusal(Code.BUSY, str(problem), RETRY_MS) from problem
