"""Telling the outside that the doors listen: the ready line and the ports file, whoever may be there to read."""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.errors import StartError

STANDARD_DESCRIPTORS = range(3)
DOORS = ("tcp", "telnet", "web")


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
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_ports_file(path: Path, ports: Mapping[str, int]) -> None:
    """Write the doors' ports (null = off) and our pid in one step, so that no reader sees half of it."""
    content = {door: ports.get(door) for door in DOORS} | {"pid": os.getpid()}
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:
            json.dump(content, file)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except OSError as problem:
        raise StartError(f"cannot write the ports file {path}: {problem.strerror}") from problem


def address(host: str, port: int) -> str:
    """`127.0.0.1:9999`, `[::1]:9999`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable(host: str, port: int) -> tuple[str, int]:
    """An address somebody on this machine can connect to: a wildcard host becomes loopback."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def ready_line(doors: Sequence[tuple[str, str, int]]) -> str:
    """One line with each door's address; `doors` are (door, host, port)."""
    shown = [
        f"http://{address(host, port)}/" if door == "web" else f"{door} {address(host, port)}"
        for door, host, port in doors
    ]
    return "ready: " + "  ".join(shown)
