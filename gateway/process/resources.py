"""Resources of this process: memory, descriptors and processor time as the operating system tells them, and the limits
that they imply.

A figure that the system does not provide is None. Each connection takes a file descriptor, so the descriptor limit
decides how many connections the process can hold.
"""

import contextlib
import os
import resource
import time
from contextlib import suppress
from pathlib import Path

from gateway import wording
from gateway.errors import StartError

MANY_DESCRIPTORS = 500
"""From this many descriptors on, listing them takes too long to do once a second (10,000: 4 ms)."""


def seconds_with_sleep() -> float:
    """Monotonic seconds that continue while the machine is suspended, where the system has such a clock (Linux)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class WallClock:
    """Tells ms since 1970. Whoever asks within one of them gets the same object: ten thousand sessions that come in a
    few seconds, and messages, keep the number for long."""

    __slots__ = ("_now",)

    def __init__(self) -> None:
        self._now = 0

    def __call__(self) -> int:
        now = time.time_ns() // 1_000_000
        if now != self._now:
            self._now = now
        return self._now


class Process:
    """This process. Cheap enough to call every second."""

    def __init__(self) -> None:
        self._looks = 0
        self._fds: int | None = None

    def resident_bytes(self) -> int | None:
        """Its resident memory."""
        try:
            return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        except (OSError, ValueError, IndexError):
            return None

    def descriptors(self) -> int | None:
        """The descriptors in use. Linux 6.2 and later counts them itself; elsewhere, when there are many, only
        every tenth call counts them."""
        try:
            counted = os.stat("/proc/self/fd").st_size
            if counted:
                return counted
            self._looks += 1
            if self._fds is None or self._fds < MANY_DESCRIPTORS or self._looks % 10 == 0:
                self._fds = len(os.listdir("/proc/self/fd")) - 1
        except OSError:
            return None
        return self._fds

    def cpu_seconds(self) -> float:
        """User and system time spent since its start."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime


def descriptor_limit() -> int:
    """How many descriptors the process may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def memory_limit() -> int:
    """Bytes of memory available to this process: the machine's, or its control group's. 0 = not known."""
    found = []
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            found.append(int(Path(path).read_text()))
    with suppress(OSError, ValueError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min((size for size in found if size > 0), default=0)


LEAST_DESCRIPTORS = 32
"""With fewer the gateway cannot even open its journal and its doors."""


def require_descriptors() -> None:
    """Raise StartError where the process may not have LEAST_DESCRIPTORS."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < LEAST_DESCRIPTORS:
        raise StartError(wording.TOO_FEW_FILES.format(files=hard, least=RESERVED))


RESERVED = 64
"""Descriptors reserved for the journal, the log and the loop."""


def connection_limit(wanted: int) -> int:
    """The limit of all connections: `wanted` (0 = no limit), but never more than the descriptor limit allows, which is
    raised as far as the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    possible = max(1, soft - RESERVED)
    return min(wanted, possible) if wanted else possible


REFUSED_LINGERING = 256
"""Rejected peers that may linger at a time, where there are plenty of descriptors."""
REFUSED_LEAST = 16
"""The same where there are not: these come out of the reserved ones."""


def lingering_limit(connections: int) -> int:
    """How many rejected peers may linger at a time, beside so many connections."""
    spare = connection_limit(0) - connections
    return max(REFUSED_LEAST, min(REFUSED_LINGERING, spare))
