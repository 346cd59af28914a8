"""What `serve`, `status`, `login-link`, `check` and `--help` do on odd machines. Run as a program, with the machines as
JSON on standard input; each is a `Machine`, and its folder gets `result.json`: see `try_out`.

The modules are loaded once, every machine is a fork of this process and every command a fork of that one, so that all
the machines together cost a few seconds. What makes a machine odd (namespaces, limits, mounts, streams) is done by the
fork before its commands start.
"""

import contextlib
import ctypes
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from gateway.cli import main as command_line
from tests.fakes import PATIENCE

FLAGS = ("--tcp-port", "0", "--telnet-port", "0", "--web-port", "0", "--log-level", "warning")
NAMESPACES = {"mount": 0x0002_0000, "user": 0x1000_0000, "process": 0x2000_0000, "network": 0x4000_0000}
OUTCOMES = ("serve", "status", "login-link", "check", "--help")


@dataclass
class Machine:
    """`namespaces` of its own, made before the shell runs `setup` ($F is the folder); at most `files` descriptors; the
    processors `cores`; nothing but `env` in the environment, if it is given. Standard output is a `file`, `full`
    (/dev/full), `closed` (a pipe that nobody reads) or a `socket`, in that `encoding`. `data`: whether commands are
    told the data folder. `people`: somebody called Zoë is there as a terminal. The flags are those of `serve` and
    `check`."""

    flags: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    setup: str = ""
    files: int = 0
    cores: tuple[int, ...] = ()
    env: dict[str, str] | None = None
    stdout: str = "file"
    encoding: str = "utf-8"
    data: bool = True
    people: bool = False
    folder: str = field(default="", kw_only=True)


def enter(machine: Machine) -> None:
    """Make this process run on such a machine. Raises OSError where that is not allowed."""
    wanted = [*machine.namespaces]
    if wanted and os.geteuid() != 0 and "user" not in wanted:
        wanted.append("user")
    if wanted:
        uid, gid = os.geteuid(), os.getegid()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(sum(NAMESPACES[each] for each in wanted)):
            raise OSError(ctypes.get_errno(), "unshare")
        if "user" in wanted:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
            Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    if "process" in wanted and (child := os.fork()):
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    if "mount" in wanted:
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    if machine.setup:
        subprocess.run(["sh", "-ec", machine.setup], check=True, env={**os.environ, "F": machine.folder})
    if machine.files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (machine.files, machine.files))
    if machine.cores:
        os.sched_setaffinity(0, machine.cores)
    if machine.env is not None:
        os.environ.clear()
        os.environ.update(machine.env)


def standard_output(machine: Machine, name: str) -> tuple[int, socket.socket | None]:
    """The descriptor for a command, and where what is written to it can be read, unless that is the file."""
    if machine.stdout == "closed":
        reader, writer = os.pipe()
        os.close(reader)
        return writer, None
    if machine.stdout == "socket":
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        return theirs.detach(), ours
    path = "/dev/full" if machine.stdout == "full" else f"{machine.folder}/{name}.out"
    return os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), None


class Command:
    """A command that has been started."""

    def __init__(self, machine: Machine, name: str, words: list[str]) -> None:
        self.files = [Path(machine.folder, f"{name}.{stream}") for stream in ("out", "err")]
        self.encoding = machine.encoding
        target, self.reader = standard_output(machine, name)
        self.pid = os.fork()
        if self.pid:
            os.close(target)
            return
        os.dup2(target, 1)
        os.dup2(os.open(self.files[1], os.O_WRONLY | os.O_CREAT, 0o600), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = open(1, "w", encoding=machine.encoding, closefd=False)  # noqa: SIM115 - the process's own
        sys.stderr = open(2, "w", encoding=machine.encoding, closefd=False, buffering=1)  # noqa: SIM115
        sys.argv = ["gateway", *words]
        code = 99
        try:
            code = command_line.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 98
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def listening(self, ports: Path) -> dict[str, int] | None:
        """The ports, once the gateway listens; None if it ends before."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if ports.exists() and ports.stat().st_size:
                found: dict[str, int] = json.loads(ports.read_text())
                return found
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return None
            time.sleep(0.01)
        return None

    def outcome(self) -> tuple[int, str, str]:
        """Wait for its end: its exit code and what it has written."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        out, err = (path.read_bytes().decode(self.encoding, "replace") if path.exists() else "" for path in self.files)
        with contextlib.suppress(BlockingIOError):
            out = self.reader.recv(1 << 20).decode() if self.reader is not None else out
        return code, out, err


def reached(ports: dict[str, int]) -> list[str]:
    """The loopback addresses at which the web door answers."""
    found = []
    for host in ("127.0.0.1", "::1"):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(host, ports["web"], timeout=PATIENCE)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                found.append(host)
    return found


def try_out(machine: Machine) -> None:
    """Run the commands, and write down `reached` (addresses) and for each command its code, output and errors; or
    `refused`, why there cannot be such a machine here."""
    folder = Path(machine.folder)
    try:
        enter(machine)
    except (OSError, subprocess.CalledProcessError) as problem:
        (folder / "result.json").write_text(json.dumps({"refused": str(problem)}))
        return
    data = ["--data", str(folder / "data")] if machine.data else []
    ports = folder / "ports"
    serve = Command(machine, "serve", [*FLAGS, *data, "--ports-file", str(ports), *machine.flags])
    found = serve.listening(ports)
    done: dict[str, object] = {"reached": reached(found) if found is not None else []}
    if machine.people and found is not None:
        zoe = socket.create_connection(("127.0.0.1", found["tcp"]), 20)
        zoe.sendall("/nick Zoë\n".encode())
        zoe.recv(100)
    words = {"status": data, "login-link": data, "check": [*data, *machine.flags], "--help": []}
    for name, more in words.items():
        done[name] = Command(machine, name, [name, *more]).outcome()
    if found is not None:
        os.kill(serve.pid, signal.SIGTERM)
    done["serve"] = serve.outcome()
    (folder / "result.json").write_text(json.dumps(done))


def main() -> None:
    """Try out all machines, two at a time."""
    running: list[int] = []
    for given in json.load(sys.stdin):
        if len(running) == 2:
            os.waitpid(running.pop(0), 0)
        pid = os.fork()
        if not pid:
            code = 1
            try:
                try_out(Machine(**given))
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        running.append(pid)
    for pid in running:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
