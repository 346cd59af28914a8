"""Readiness: the line on standard output and the ports file that say that the doors listen, and where."""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway import wording
from gateway.core.address import host_and_port
from gateway.errors import StartError
from gateway.process.files import write_whole

STANDARD_DESCRIPTORS = range(3)
DOORS = ("tcp", "telnet", "web", "tcp_tls", "telnet_tls")


def hold_standard_descriptors() -> None:
    """Open /dev/null where standard input, output or error was closed by whoever started us. Otherwise the next socket
    gets that number, and what is meant for the terminal goes to a chat."""
    for number in STANDARD_DESCRIPTORS:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one


def say(line: str) -> None:
    """Print a line at once. It is no error if nobody reads it."""
    try:
        print(line, flush=True)
    except (OSError, UnicodeError):
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_ports_file(path: Path, ports: Mapping[str, int]) -> None:
    """Write the doors' ports (null = off) and our pid, so that no reader sees half of it. Raises StartError."""
    content = json.dumps({door: ports.get(door) for door in DOORS} | {"pid": os.getpid()})
    try:
        write_whole(path, f"{content}\n".encode(), 0o644)
    except (OSError, RuntimeError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise StartError(wording.CANNOT_WRITE_PORTS.format(path=path, why=why)) from problem


class PageFile(Protocol):
    """The file in the data folder that proves who may see the dashboard."""

    def write(self, page: str, elsewhere: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Announcement:
    """The announcement once all doors listen: (port name, host, port) of each, the hosts that were asked for, the
    page's scheme and path, where messages are kept, and the files to write."""

    doors: Sequence[tuple[str, str, int]]
    hosts: Sequence[str]
    scheme: str
    base_path: str
    kept: Path | str | None
    ports_file: Path | None
    key: PageFile | None

    def tell(self, link: Callable[[str], str]) -> None:
        """Write the files, then print the ready line and the link to the dashboard that `link` returns for the page's
        address, if it returns one. Raises StartError."""
        if self.ports_file is not None:
            write_ports_file(self.ports_file, {name: port for name, _, port in reversed(self.doors)})
        say(ready_line(self.doors, self.scheme))
        page = self.page
        if page and self.key is not None:
            self.key.write(page, next(filter(None, map(elsewhere, self.hosts)), ""))
        found = link(page) if page else ""
        if found:
            say(wording.DASHBOARD_LINK.format(link=found))
        say(last_line(self.kept, self.hosts))

    @property
    def page(self) -> str:
        """The page's address; empty without one."""
        where = next(((host, port) for name, host, port in self.doors if name == "web"), None)
        return f"{self.scheme}://{host_and_port(*reachable(*where))}{self.base_path}/" if where else ""


WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""The addresses that mean every interface, and the loopback address of their family."""


def reachable(host: str, port: int) -> tuple[str, int]:
    """An address somebody on this machine can connect to: a wildcard host becomes loopback. Without IPv4 that is
    IPv6's loopback, because the kernel allows listening at the IPv4 wildcard all the same."""
    found = WILDCARDS.get(host, host)
    if host == "0.0.0.0":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((found, 0))
            except OSError:
                found = WILDCARDS["::"]
    return found, port


def elsewhere(host: str) -> str:
    """The address at which other machines reach a `host` that listens on every interface: that of the interface with
    the default route, otherwise this machine's name; empty for a host that is one address."""
    if host not in WILDCARDS:
        return ""
    families = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
    for family, outside in families if host == "0.0.0.0" else families[::-1]:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((outside, 9))  # sends nothing: the kernel only chooses an interface
            found = str(probe.getsockname()[0])
            return f"[{found}]" if ":" in found else found
    return socket.gethostname()


def ready_line(doors: Sequence[tuple[str, str, int]], scheme: str) -> str:
    """One line with each port's address; `doors` are (name in the ports file, host, port), `scheme` the page's."""
    shown = [
        f"{scheme}://{host_and_port(host, port)}/" if door == "web" else f"{door} {host_and_port(host, port)}"
        for door, host, port in doors
    ]
    return wording.READY.format(doors="  ".join(shown))


def last_line(data: Path | str | None, hosts: Sequence[str]) -> str:
    """Where the messages are (a folder or an address; None: nowhere), how to stop, and what to write on other
    machines."""
    words = wording.NOTHING_KEPT if data is None else wording.DATA_IN.format(folder=data)
    outside = next(filter(None, map(elsewhere, hosts)), "")
    return wording.FROM_ELSEWHERE.format(words=words, address=outside) if outside else words
