"""Telling the outside that the doors listen: the ready line and the ports file, whoever may be there to read."""

import contextlib
import errno
import json
import os
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.core.address import host_and_port
from gateway.errors import StartError

STANDARD_DESCRIPTORS = range(3)
DOORS = ("tcp", "telnet", "web", "tcp_tls", "telnet_tls")
READER_SECONDS = 10.0
"""How long a FIFO's reader may take to come."""


def hold_standard_descriptors() -> None:
    """Open /dev/null where standard input, output or error was closed by whoever started us. Otherwise the next socket
    gets that number, and what is meant for the terminal goes to a chat."""
    for number in STANDARD_DESCRIPTORS:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one


def say(line: str) -> None:
    """Print a line at once. Nobody there to read it is no reason to stop."""
    try:
        print(line, flush=True)
    except (OSError, UnicodeError):
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_ports_file(path: Path, ports: Mapping[str, int]) -> None:
    """Write the doors' ports (null = off) and our pid, so that no reader sees half of it. Raises StartError."""
    content = json.dumps({door: ports.get(door) for door in DOORS} | {"pid": os.getpid()})
    try:
        found = path.stat() if path.exists() else None
        own = [number for number in STANDARD_DESCRIPTORS[1:] if found and os.path.samestat(found, os.fstat(number))]
        if own:
            os.write(own[0], f"{content}\n".encode())  # /dev/stdout: opened anew it would begin at the file's start
        elif found is None or stat.S_ISREG(found.st_mode):
            _replace(path.resolve(), content)
        else:
            _write_into(path, f"{content}\n".encode())
    except (OSError, RuntimeError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise StartError(f"cannot write the ports file {path}: {why}") from problem


def _replace(path: Path, content: str) -> None:
    """Put a new plain file in the place of an old one, in one step."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:
        file.write(content)
    try:
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except OSError:
        Path(file.name).unlink(missing_ok=True)
        raise


def _write_into(path: Path, content: bytes) -> None:
    """Write to a FIFO or a device, which is never replaced. A FIFO takes nothing until somebody reads it."""
    end = time.monotonic() + READER_SECONDS
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            break
        except OSError as problem:
            if problem.errno != errno.ENXIO or time.monotonic() > end:
                raise
            time.sleep(0.02)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""The addresses that mean every interface, and the loopback address of their family."""


def reachable(host: str, port: int) -> tuple[str, int]:
    """An address somebody on this machine can connect to: a wildcard host becomes loopback."""
    return WILDCARDS.get(host, host), port


def elsewhere(host: str) -> str:
    """What people on other machines write for a `host` that listens on every interface: the address of the one that
    leads out, else this machine's name; empty for a host that means one address."""
    if host not in WILDCARDS:
        return ""
    families = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
    for family, outside in families if host == "0.0.0.0" else families[::-1]:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((outside, 9))  # sends nothing: the kernel only chooses an interface
            found = str(probe.getsockname()[0])
            return f"[{found}]" if ":" in found else found
    return socket.gethostname()


def ready_line(doors: Sequence[tuple[str, str, int]]) -> str:
    """One line with each door's address; `doors` are (door, host, port)."""
    shown = [
        f"http://{host_and_port(host, port)}/" if door == "web" else f"{door} {host_and_port(host, port)}"
        for door, host, port in doors
    ]
    return "ready: " + "  ".join(shown)


def last_line(data: Path | None, hosts: Sequence[str]) -> str:
    """Where the messages are (None: nowhere), how to stop, and what to write on other machines."""
    kept = "nothing is kept" if data is None else f"data in {data}"
    outside = next(filter(None, map(elsewhere, hosts)), "")
    return f"{kept}; Ctrl-C stops" + (f"; from other machines: {outside}" if outside else "")
