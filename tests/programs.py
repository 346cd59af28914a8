"""The programs of other people that the tests use as peers, and where they come from."""

import os
import shutil
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Program:
    """A program the tests use: the names it may have, and its package for apt-get and for brew."""

    names: tuple[str, ...]
    debian: str
    brew: str

    @property
    def path(self) -> str | None:
        """Where it is installed."""
        return next(filter(None, map(shutil.which, self.names)), None)


PROGRAMS = {
    "nc.openbsd": Program(("nc.openbsd",), "netcat-openbsd", ""),
    "nc.traditional": Program(("nc.traditional",), "netcat-traditional", ""),
    "ncat": Program(("ncat",), "ncat", "nmap"),
    "socat": Program(("socat",), "socat", "socat"),
    "bash": Program(("bash",), "bash", "bash"),
    "curl": Program(("curl",), "curl", "curl"),
    "telnet": Program(("telnet",), "telnet", "telnet"),
    "faketime": Program(("faketime",), "faketime", "libfaketime"),
    "tsc": Program(("tsc",), "node-typescript", "typescript"),
    "chromium": Program(("chromium", "chromium-browser", "google-chrome"), "chromium", "chromium"),
}


def in_ci() -> bool:
    """Whether a missing program is a failure."""
    return os.environ.get("CI", "").lower() in ("1", "true")
