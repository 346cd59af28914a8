"""The operating system's view: CPU time of a process, cores, descriptors, and the machine in one line."""

import contextlib
import ctypes
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.bench.plan import BenchError

try:
    import resource
except ImportError:  # Windows has neither the module nor the limit
    resource = None  # type: ignore[assignment]

SPARE_DESCRIPTORS = 32
LISTENING = "0A"
LIMIT_ADVICE = "raise `ulimit -n` in this shell, or use fewer connections"


def cpu_seconds(pid: int | None) -> float | None:
    """User and system time of a process so far, its threads included; None where the system does not provide it.

    By the process's own clock, to the nanosecond: /proc counts in hundredths of a second, and a short run of a fast
    server takes less.
    """
    if pid is None:
        return None
    clock = ctypes.c_int()
    find_clock = getattr(ctypes.CDLL(None), "clock_getcpuclockid", None)
    if find_clock is None:
        return _cpu_seconds_by_ps(pid)
    return time.clock_gettime(clock.value) if find_clock(pid, ctypes.byref(clock)) == 0 else None


def _cpu_seconds_by_ps(pid: int) -> float | None:
    """`ps` prints [days-][hours:]minutes:seconds[.hundredths]."""
    try:
        printed = subprocess.run(
            ["ps", "-o", "time=", "-p", str(pid)], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    days, _, clock = printed.strip().rpartition("-")
    total = 0.0
    for part in clock.split(":"):
        total = total * 60 + float(part or 0)
    return total + int(days or 0) * 86400


def waiting_seconds(pid: int) -> float:
    """How long a process's main thread (0: this one) could have run but had no core; 0 where the system does not
    provide it."""
    try:
        return int(Path(f"/proc/{pid or os.getpid()}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def cores() -> list[int]:
    """The cores this process may run on; empty where the system does not provide them."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pin(pid: int, core: int) -> None:
    """Keep a process (0: this one) and its threads on one core. Raises BenchError where that cannot be done."""
    if not hasattr(os, "sched_setaffinity"):
        raise BenchError("this system cannot pin a process to a core: leave --pin-server and --pin-load out")
    try:
        for thread in _threads(pid):
            os.sched_setaffinity(thread, {core})
    except OSError as error:
        raise BenchError(f"cannot pin process {pid} to core {core}: {error.strerror}") from error


def _threads(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid or os.getpid()}/task")
    return [int(task.name) for task in tasks.iterdir()] if tasks.is_dir() else [pid]


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Run the block on that core, and processes started in it from their first moment. None: anywhere."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    pin(0, core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_descriptors(count: int) -> None:
    """Make room for that many sockets. Raises BenchError when the system allows fewer."""
    if count > (allowed := most_connections(count)):
        needed, limit = count + SPARE_DESCRIPTORS, allowed + SPARE_DESCRIPTORS
        raise BenchError(f"{count} connections need {needed} open files, {limit} are allowed: {LIMIT_ADVICE}")


def most_connections(wanted: int) -> int:
    """How many of the wanted sockets this process may open, after it has raised its own limit as far as is needed and
    allowed."""
    if resource is None:
        return wanted
    needed = wanted + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(0, allowed - SPARE_DESCRIPTORS)


def descriptor_limit(pid: int) -> int | None:
    """How many files another process may open; None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    except OSError:
        return None
    soft = next((line.split()[3] for line in lines if line.startswith("Max open files")), "")
    return int(soft) if soft.isdigit() else None


def memory_bytes(pid: int | None) -> int | None:
    """The memory that a process has in use; None where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def listening_process(port: int) -> int | None:
    """The process that listens on a port of this machine; None where it is not found, or belongs to somebody else.

    It is never this one, whose CPU time would be the load's as well.
    """
    wanted = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        rows = [line.split() for line in _lines(Path(table))[1:]]
        wanted |= {
            f"socket:[{row[9]}]" for row in rows if row[3] == LISTENING and int(row[1].split(":")[1], 16) == port
        }
    for folder in Path("/proc").glob("[0-9]*/fd") if wanted else ():
        if folder.parent.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):  # it has ended, or its descriptors are not ours to see
            if any(os.readlink(entry) in wanted for entry in folder.iterdir()):
                return int(folder.parent.name)
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def machine_line() -> str:
    """The machine in one line: figures from different machines do not compare."""
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} x {_processor()}, {platform.system()} {platform.release()}, {python}{load}"


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
